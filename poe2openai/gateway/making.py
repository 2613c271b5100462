"""A bot that makes pictures, sounds or films: its answer is the files it gives, its text but says how far it is."""

import re
from collections.abc import Generator
from dataclasses import dataclass
from typing import Literal

from poe2openai.core.content import type_by_name
from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.events import MadeFile
from poe2openai.core.request import ModelRequest
from poe2openai.gateway.attempts import Waiting
from poe2openai.gateway.catalog import Route
from poe2openai.gateway.exchange import Exchange
from poe2openai.gateway.keys import Caller
from poe2openai.gateway.record import RequestRecord
from poe2openai.gateway.upstream import Upstream
from poe2openai.pipeline.progress import is_mere_progress
from poe2openai.poe.errors import clean_text
from poe2openai.poe.events import Done, Error, File, Replace, Text
from poe2openai.poe.files import PoeFiles, name_in

MediaKind = Literal["image", "audio", "video"]

MOST_FILES = 100
"""Files of one answer that are taken."""

MOST_TOLD = 500
"""Characters of a bot's text that stand in an error."""

_PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,4})?)\s*%")
_ELAPSED = re.compile(r"(\d{1,6}(?:\.\d{1,4})?)\s*s(?:ec(?:onds?)?)? elapsed", re.IGNORECASE)
_LOOKED_AT = 200  # characters at the end of a text, where it says how far the bot is
_USUAL_SECONDS = 60.0  # after which half is done, where a bot tells the time alone
_ADDRESS = re.compile(r"(?P<picture>!\[[^\[\]\n]{0,500}\]\()?(?P<url>https?://[^\s<>\"'()\[\]\\`]+)", re.IGNORECASE)
# How a text shows a picture, which is no text of its own.
_SHOWN = re.compile(r"!\[[^\[\]\n]{0,500}\](?:\[[^\[\]\n]{1,200}\]|\([^()\s]{1,2000}\))")
_KIND_NAMES = {"image": "a picture", "audio": "a sound", "video": "a film"}


@dataclass(frozen=True, slots=True)
class Progress:
    """What a bot says while it works; `percent` is read, or guessed, from it, None where it tells nothing of time."""

    text: str
    percent: int | None


@dataclass(frozen=True, slots=True)
class Made:
    """The end: the files that are the answer, and what the bot said besides."""

    files: tuple[MadeFile, ...]
    text: str


Steps = Generator[Progress | MadeFile | Made | None]
"""Each file as it comes, `Made` last, None now and then where nothing comes."""


class Making:
    """One a worker."""

    def __init__(self, exchange: Exchange, files: PoeFiles) -> None:
        self._exchange = exchange
        self._files = files

    def make(
        self, request: ModelRequest, route: Route, caller: Caller, record: RequestRecord, waiting: Waiting
    ) -> Steps:
        """Raises `GatewayError`; closing the generator ends the query."""
        upstream = self._exchange.open(request, route, caller, record, waiting)
        return self._read(upstream, record, waiting)

    def _read(self, upstream: Upstream, record: RequestRecord, waiting: Waiting) -> Steps:
        answer = _Answer()
        try:
            for batch in upstream.events():
                if not batch:
                    waiting.on_silence()
                    yield None
                for event in batch:
                    match event:
                        case Text(text):
                            answer.add(text)
                            yield answer.progress()
                        case Replace(text):
                            answer.replace(text)
                            yield answer.progress()
                        case File() if len(answer.files) < MOST_FILES:
                            file = MadeFile(event.url, event.media_type, event.name)
                            answer.files[event.url] = (file, event.ref)
                            yield file
                        case Error(error):
                            record.error = error.kind.code
                            raise error
                        case Done():
                            record.reason = "stop"
                            yield answer.made(self._files)
                            return
                        case _:
                            pass
        finally:
            upstream.finish()


class _Answer:
    """What a bot gave so far; files by address, with the name by which the text refers to them."""

    def __init__(self) -> None:
        self.files: dict[str, tuple[MadeFile, str | None]] = {}
        self._texts: list[str] = []
        self._last = ""

    def add(self, text: str) -> None:
        self._texts.append(text)
        self._last = (self._last + text[-_LOOKED_AT:])[-_LOOKED_AT:]

    def replace(self, text: str) -> None:
        self._texts = [text]
        self._last = text[-_LOOKED_AT:]

    def progress(self) -> Progress:
        last = self._last
        if percent := _PERCENT.findall(last):
            return Progress(last, min(99, int(float(percent[-1]))))
        if elapsed := _ELAPSED.findall(last):
            seconds = float(elapsed[-1])
            return Progress(last, min(95, int(100 * seconds / (seconds + _USUAL_SECONDS))))
        return Progress(last, None)

    def made(self, poe: PoeFiles) -> Made:
        """Files that a later text took back are not among them; those that stand in the text alone are."""
        said = "".join(self._texts)
        shown = [file for file, ref in self.files.values() if file.url in said or (ref and f"[{ref}]" in said)]
        files = shown or [file for file, _ in self.files.values()]
        if not files:
            files = [file for file in _linked(said) if poe.is_poes(file.url)][:MOST_FILES]
        text = _SHOWN.sub("", said).strip()
        return Made(tuple(files), "" if is_mere_progress(text) else text)


def _linked(text: str) -> list[MadeFile]:
    found = {each["url"].rstrip(".,;:!?*_"): bool(each["picture"]) for each in _ADDRESS.finditer(text)}
    return [_file_at(url, is_picture) for url, is_picture in found.items()]


def _file_at(url: str, is_picture: bool) -> MadeFile:
    name = name_in(url)
    return MadeFile(url, type_by_name(name) or ("image/png" if is_picture else "application/octet-stream"), name)


def files_of_kind(made: Made, kind: MediaKind, model: str) -> list[MadeFile]:
    """Those that were asked for, at least one; raises `GatewayError` with what the bot said instead."""
    files = [file for file in made.files if _is_of_kind(file, kind)]
    if files:
        return files
    said = clean_text(made.text)[:MOST_TOLD]
    instead = f" It said: {said}" if said else " It said nothing."
    if made.files:
        instead = f" It gave {made.files[0].media_type[:100]}.{instead if said else ''}"
    message = f"The bot '{model[:100]}' answered without {_KIND_NAMES[kind]}.{instead}"
    raise GatewayError(ErrorKind.NO_FILE, message)


def _is_of_kind(file: MadeFile, kind: MediaKind) -> bool:
    media_type = file.media_type.lower()
    if media_type.startswith(("image/", "audio/", "video/")):
        # Some bots give sound in a container that is mostly a film's.
        return media_type.startswith(f"{kind}/") or (kind == "audio" and media_type in ("video/mp4", "video/webm"))
    guessed = type_by_name(file.name) or type_by_name(name_in(file.url))
    return guessed is not None and guessed.startswith(f"{kind}/")
