"""LangChain's agents and structured output, on bots with native tools, with none, and without JSON mode."""

import pytest

from tests.support.agent_python import AgentPython
from tests.support.bot_server import FILE_NAME, FILE_TEXT, SAID
from tests.support.gateway import Gateway
from tests.support.workshop import Workshop

LOOPS = ["loop:native-agent", "loop:plain-agent", "stream:native-agent", "stream:plain-agent"]
PAGES = [
    "json_schema:json-bot",
    "json_schema:json-bot-once-wrong",
    "json_schema:plain-agent",
    "json_mode:json-bot",
    "json_mode:plain-agent",
    "function_calling:plain-agent",
    "function_calling:native-agent",
]


@pytest.mark.timeout(200)  # an environment may have to be made first
def test_loops_and_structured_output(agents: Gateway, libraries: AgentPython, workshop: Workshop) -> None:
    rooms = [workshop.room(loop) for loop in LOOPS]
    answers = libraries.script("langchain_agent.py", agents, workshop.folder, LOOPS + PAGES)
    page = {"path": FILE_NAME, "content": FILE_TEXT, "author": {"name": FILE_TEXT, "age": 3}, "weight": 1.5}
    assert answers == {
        **{loop: {"text": SAID, "counted": True} for loop in LOOPS},
        **dict.fromkeys(PAGES, page),
    }
    assert all(room.holds(FILE_NAME) for room in rooms)
