"""A gateway in front of bots that call tools, and what agents need on their side."""

from pathlib import Path

import pytest

from tests.support.agent_python import AgentPython, agent_python
from tests.support.bot_server import BotServer
from tests.support.fixtures import GatewayFactory
from tests.support.gateway import Gateway
from tests.support.workshop import Workshop


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
