"""LiteLLM's way to tools and schemas, which aider and many other agents take."""

import pytest

from tests.support.agent_python import AgentPython
from tests.support.bot_server import FILE_NAME, FILE_TEXT, SAID
from tests.support.gateway import Gateway
from tests.support.workshop import Workshop

LOOPS = ["loop:native-agent", "loop:plain-agent", "stream:native-agent", "stream:plain-agent"]


@pytest.mark.timeout(200)  # an environment may have to be made first
def test_loops_and_a_schema(agents: Gateway, libraries: AgentPython, workshop: Workshop) -> None:
    rooms = [workshop.room(loop) for loop in LOOPS]
    answers = libraries.script("litellm_agent.py", agents, workshop.folder, [*LOOPS, "schema:json-bot"])
    assert answers == {
        **{loop: {"text": SAID, "finish": "stop"} for loop in LOOPS},
        "schema:json-bot": {"path": FILE_NAME, "content": FILE_TEXT},
    }
    assert all(room.holds(FILE_NAME) for room in rooms)
