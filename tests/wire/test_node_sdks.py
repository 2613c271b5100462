"""OpenAI's SDK for Node and the Vercel AI SDK are judges too, where node is present and npm can install them."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.bot_server import FILE_NAME, FILE_TEXT, SAID
from tests.support.gateway import Gateway
from tests.support.poe_script import cut, done, error, error_reply, json_event, pause, text, tool_call
from tests.support.scripted_poe import ScriptedPoe
from tests.support.workshop import Workshop

SOURCES = Path(__file__).resolve().parents[1] / "support" / "node"
INSTALL = ["npm", "install", "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=0"]


@pytest.fixture(scope="module")
def node_folder(request: pytest.FixtureRequest) -> Path:
    """The SDKs, installed once and kept with pytest's cache."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not here")
    folder = Path(request.config.cache.mkdir("node-sdks"))
    package = folder / "package.json"
    fresh = not package.exists() or package.read_bytes() != (SOURCES / "package.json").read_bytes()
    for name in ("package.json", "ask.mjs", "agent.mjs"):
        shutil.copy(SOURCES / name, folder / name)
    if fresh or not (folder / "node_modules" / "openai").exists():
        try:
            installed = (
                subprocess.run(INSTALL, cwd=folder, check=False, capture_output=True, timeout=90).returncode == 0
            )
        except subprocess.TimeoutExpired:
            installed = False
        if not installed:
            package.unlink()
            pytest.skip("npm cannot install the SDKs here")
    return folder


def ask(folder: Path, sdk: str, gateway: Gateway) -> dict[str, Any]:
    command = ["node", "ask.mjs", sdk, gateway.base_url, "bot"]
    finished = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=40)
    answer: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
    return answer


@pytest.mark.parametrize("sdk", ["openai", "vercel"])
class TestNodeSdks:
    def test_an_answer(self, gateway: Gateway, poe: ScriptedPoe, node_folder: Path, sdk: str) -> None:
        poe.script("bot", text("*Thinking...*\n\n> hm\n"), text("\nHel"), text("lo 😀"), done())
        answer = ask(node_folder, sdk, gateway)
        assert answer.pop("tokens") > 3
        assert answer.pop("reasoning").strip() == "hm"
        assert answer == {"text": "Hello 😀", "calls": [], "finish": "stop"}

    def test_tool_calls(self, gateway: Gateway, poe: ScriptedPoe, node_folder: Path, sdk: str) -> None:
        pieces = [tool_call(0, '{"city": '), tool_call(0, '"Paris"}')]
        call = tool_call(0, "", id="call_a", name="get_weather")
        poe.script("bot", text("Let me see."), call, *pieces, json_event({}, "tool_calls"), done())
        answer = ask(node_folder, sdk, gateway)
        assert answer["text"] == "Let me see."
        assert answer["calls"] == [["call_a", "get_weather", {"city": "Paris"}]]
        assert answer["finish"] == "tool_calls"

    def test_errors(self, gateway: Gateway, poe: ScriptedPoe, node_folder: Path, sdk: str) -> None:
        poe.script("bot", error_reply(404, "Bot does not exist: bot"))
        answer = ask(node_folder, sdk, gateway)
        assert answer["status"] == 404
        assert "Bot does not exist" in answer["error"]
        poe.reset()
        poe.script("bot", text("half"), pause(0.1), error("The bot fell over"), cut())
        assert "The bot fell over" in ask(node_folder, sdk, gateway)["error"]
        poe.reset()
        poe.script("bot", text("half"), pause(0.1), cut())
        assert "error" in ask(node_folder, sdk, gateway)


def act(folder: Path, task: str, gateway: Gateway, bot: str, workshop: Workshop) -> dict[str, Any]:
    command = ["node", "agent.mjs", task, gateway.base_url, bot, str(workshop.folder)]
    finished = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=40)
    answer: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
    return answer


class TestVercelAgents:
    @pytest.mark.parametrize("task", ["stream", "whole"])
    @pytest.mark.parametrize("bot", ["native-agent", "plain-agent"])
    def test_a_loop_writes_a_file(
        self, agents: Gateway, node_folder: Path, workshop: Workshop, bot: str, task: str
    ) -> None:
        answer = act(node_folder, task, agents, bot, workshop)
        assert answer == {"text": SAID, "steps": ["tool-calls", "stop"]}
        assert workshop.holds(FILE_NAME)

    @pytest.mark.parametrize("bot", ["json-bot", "plain-agent"])
    def test_an_object(self, agents: Gateway, node_folder: Path, workshop: Workshop, bot: str) -> None:
        page = {"path": FILE_NAME, "content": FILE_TEXT, "author": {"name": FILE_TEXT, "age": 3}}
        assert act(node_folder, "object", agents, bot, workshop) == page
        streamed = act(node_folder, "objectStream", agents, bot, workshop)
        assert streamed.pop("parts") > 1
        assert streamed == page
