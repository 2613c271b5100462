"""What the pipeline needs of a tokenizer; `gateway/tokens.py` has one."""

from typing import Protocol


class TokenCounter(Protocol):
    """Counts tokens of plain text; special tokens written in it are plain text too."""

    def count(self, text: str) -> int: ...

    def truncate(self, text: str, limit: int) -> str:
        """The longest beginning of `text` that counts `limit` tokens at most and cuts no character."""
        ...
