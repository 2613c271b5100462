"""The bytes of files that bots made: at Poe's own addresses, or, guarded, at any public one that a bot names."""

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Protocol, Self

from poe2openai.core.content import Content, ContentBuilder
from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.poe.files import PoeFiles
from poe2openai.poe.public_fetch import PublicFetcher

MAX_CONTENT = 64 * 1024 * 1024
"""Bytes of a file that is taken into memory as a whole: no picture has as many."""


class Download(Protocol):
    """A file on its way here; `media_type` and `size` are what its server says of it."""

    media_type: str | None
    size: int | None

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None, /
    ) -> None: ...
    def pieces(self) -> Iterator[bytes]: ...
    def close(self) -> None: ...


class Downloads:
    """One a worker."""

    def __init__(self, files: PoeFiles, fetcher: PublicFetcher) -> None:
        self._files = files
        self._fetcher = fetcher

    def is_poes(self, url: str) -> bool:
        return self._files.is_poes(url)

    def open(self, url: str, on_silence: Callable[[], None]) -> Download:
        """Raises `GatewayError` for what cannot be fetched: the bot's fault, or its server's, never the client's."""
        try:
            if self._files.is_poes(url):
                return self._files.download(url, on_silence)
            return self._fetcher.open(url, check=on_silence)
        except GatewayError as error:
            if error.kind is not ErrorKind.INVALID_REQUEST:
                raise
            message = f"The bot's file could not be fetched. {error.message}"
            raise GatewayError(ErrorKind.UPSTREAM_INVALID, message) from None

    def content(self, url: str, on_silence: Callable[[], None]) -> Content:
        """All of a file, at most `MAX_CONTENT` bytes."""
        builder = ContentBuilder()
        with self.open(url, on_silence) as download:
            for piece in download.pieces():
                builder.add(piece)
                if builder.size > MAX_CONTENT:
                    message = f"The bot's file has more than {MAX_CONTENT >> 20} MB: ask for its address instead."
                    raise GatewayError(ErrorKind.UPSTREAM_INVALID, message)
        return builder.finish()
