"""A gateway in front of bots that call tools, and what writes the files that they ask for."""

import json
from pathlib import Path

import pytest

from tests.support.agent_python import AgentPython, agent_python
from tests.support.bot_server import FILE_TEXT, BotServer
from tests.support.fixtures import GatewayFactory
from tests.support.gateway import Gateway


class Workshop:
    """A client's side of a tool that writes files into a folder of the test's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)

    def room(self, name: str) -> "Workshop":
        """Another, in a folder within this one."""
        return Workshop(self.folder / name)

    def write_file(self, path: str, content: str) -> str:
        data = content.encode()
        (self.folder / Path(path).name).write_bytes(data)
        return f"{len(data)} bytes written"

    def call(self, name: str, arguments: str) -> str:
        """A call as a client gets it."""
        assert name == "write_file"
        return self.write_file(**json.loads(arguments))

    def holds(self, *names: str) -> bool:
        """Whether these files are there, each with its bytes as they were meant, and no others."""
        written = {path.name: path.read_bytes() for path in self.folder.iterdir()}
        return written == dict.fromkeys(names, FILE_TEXT.encode())


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path / "workshop")


@pytest.fixture
def agents(make_gateway: GatewayFactory, poe_bots: BotServer) -> Gateway:
    """In front of the bots of `tests/support/tool_bots.py`; it knows which of them are listed with tools."""
    gateway = make_gateway(poe_url=poe_bots.url)
    with gateway.client() as client:
        listed = [model["id"] for model in client.request("GET", "/v1/models").json()["data"]]
    assert {"native-agent", "plain-agent"} <= set(listed)
    return gateway


@pytest.fixture
def libraries(tmp_path: Path) -> AgentPython:
    """LangChain, LiteLLM and the `llm` command."""
    return agent_python("libraries.txt", tmp_path / "home")
