"""aider, which has no use for tools: fences and blocks to search and replace pass byte for byte."""

from pathlib import Path

import pytest

from tests.support.agent_python import AgentPython, agent_python
from tests.support.bot_server import FILE_NAME, FILE_TEXT
from tests.support.gateway import Gateway
from tests.support.workshop import Workshop

OPTIONS = [
    "--yes-always",
    "--no-git",
    "--no-check-update",
    "--no-analytics",
    "--no-show-model-warnings",
    "--no-show-release-notes",
    "--no-detect-urls",
    "--no-suggest-shell-commands",
    "--no-pretty",
    "--no-fancy-input",
    "--no-auto-lint",
]


@pytest.fixture
def aider(tmp_path: Path) -> AgentPython:
    return agent_python("aider.txt", tmp_path / "home", newest=(3, 12))


@pytest.mark.timeout(200)  # an environment may have to be made first
@pytest.mark.parametrize("options", [[], ["--no-stream"]], ids=["stream", "whole"])
@pytest.mark.parametrize("edit_format", ["whole", "diff"])
def test_a_file_is_written(
    agents: Gateway, aider: AgentPython, workshop: Workshop, edit_format: str, options: list[str]
) -> None:
    command = ["aider", *OPTIONS, *options, "--edit-format", edit_format, "--model", "openai/editor-bot"]
    said = aider.run(
        [*command, "--message", "Write it.", FILE_NAME],
        cwd=workshop.folder,
        OPENAI_API_BASE=agents.base_url,
        OPENAI_API_KEY="agent-key",
    )
    assert "A file it is." in said
    assert (workshop.folder / FILE_NAME).read_text(encoding="utf-8") == FILE_TEXT + "\n"
