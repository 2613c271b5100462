"""The bots of `poe_bot` in a process of their own: their library has warnings that tests take for errors."""

import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).resolve().parents[2]
# What the bot `guarded` alone demands.
ACCESS_KEY = "0123456789abcdef0123456789abcdef"
# What the agents write through tools, and where; a second file comes of a question that holds `TWO_FILES`.
FILE_TEXT = '<b>&"é漢字</b>'
FILE_NAME = "greeting.html"
SECOND_NAME = "second.html"
TWO_FILES = "two files"
# What the tool says, and what the agents make of it.
TOLD = f"{len(FILE_TEXT.encode())} bytes written"
SAID = f"The tool said: {TOLD}"
# What a bot without tools says to those who send some.
NO_TOOLS = "Tools are not supported by this bot"


class BotServer:
    """Leave the block to end it. `url` is what the gateway takes for Poe."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self.url = ""

    def __enter__(self) -> Self:
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.poe_bot"],
                cwd=ROOT,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().decode().strip()
        if not self.url:
            raise AssertionError(f"the bots did not start:\n{self._log.read_text()}")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)
        if self._process.stdout is not None:
            self._process.stdout.close()
