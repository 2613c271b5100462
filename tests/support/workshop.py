"""Where a client's tool writes files."""

import json
from pathlib import Path

from tests.support.bot_server import FILE_TEXT


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
