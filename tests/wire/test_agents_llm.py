"""The `llm` command: a prompt, a tool that writes a file, and a schema."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.agent_python import AgentPython
from tests.support.bot_server import FILE_NAME, FILE_TEXT, SAID
from tests.support.gateway import Gateway
from tests.support.workshop import Workshop

# An environment may have to be made first.
pytestmark = pytest.mark.timeout(200)

FUNCTIONS = '''
import pathlib

def write_file(path: str, content: str) -> str:
    """Writes a file."""
    data = content.encode()
    (pathlib.Path({folder!r}) / pathlib.Path(path).name).write_bytes(data)
    return f"{{len(data)}} bytes written"
'''


Llm = Callable[..., str]


@pytest.fixture
def llm(agents: Gateway, libraries: AgentPython, tmp_path: Path) -> Llm:
    """`llm(bot, prompt, *options)` gives what the command prints."""
    home = tmp_path / "llm"
    home.mkdir()

    def run(bot: str, *arguments: str) -> str:
        model = {
            "model_id": "poe",
            "model_name": bot,
            "api_base": agents.base_url,
            "api_key_name": "poe",
            "supports_tools": True,
            "supports_schema": True,
        }
        (home / "extra-openai-models.yaml").write_text(json.dumps([model]))  # which is YAML too
        command = ["llm", "prompt", "--model", "poe", "--key", "agent-key", "--no-log", *arguments]
        return libraries.run(command, LLM_USER_PATH=str(home))

    return run


def test_a_prompt(llm: Llm) -> None:
    assert llm("echo", "Grüße, 東京!").strip() == "Grüße, 東京!"


@pytest.mark.parametrize(("bot", "options"), [("native-agent", ["--no-stream"]), ("plain-agent", [])])
def test_a_tool(llm: Llm, workshop: Workshop, bot: str, options: list[str]) -> None:
    functions = FUNCTIONS.format(folder=str(workshop.folder))
    said = llm(bot, "Write a file.", "--functions", functions, *options)
    assert said.endswith(SAID + "\n")
    assert workshop.holds(FILE_NAME)


@pytest.mark.parametrize("options", [[], ["--no-stream"]], ids=["stream", "whole"])
def test_a_schema(llm: Llm, options: list[str]) -> None:
    said = llm("json-bot", "A page.", "--schema", "path, content", *options)
    assert json.loads(said) == {"path": FILE_NAME, "content": FILE_TEXT}
