"""A file of the answer becomes a markdown link in the text, in a paragraph of its own."""

import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote

from poe2openai.pipeline.pieces import joined
from poe2openai.poe.events import Done, File, PoeEvent, Text, ToolCallDelta

_BREAKS_LABEL = re.compile(r"[\\\[\]`<]")
_REFERENCE = re.compile(r"(\[[^\[\]]*\])\[([^\[\]]+)\]")
_BREAKS_ADDRESS = re.compile(r"[\s\x00-\x1f\x7f()<>\\]")


def link(batches: Iterable[list[PoeEvent]]) -> Iterator[list[PoeEvent]]:
    """No `File` comes out. What the text itself shows already, or an earlier file, is not shown again."""
    page = _Page()
    for batch in batches:
        if not batch or (len(batch) == 1 and type(batch[0]) is ToolCallDelta):
            yield batch
        elif len(batch) == 1 and type(event := batch[0]) is Text and page.gap is None:
            page.texts.append(event.text)
            yield batch
        else:
            yield joined(out for event in _with_addresses(batch) for out in page.take(event))


def _with_addresses(batch: list[PoeEvent]) -> list[PoeEvent]:
    """References of a text to files that came with it become links; held answers come with all their files."""
    files = {event.ref: event for event in batch if isinstance(event, File) and event.ref}
    if not files:
        return batch
    shown: set[str] = set()

    def with_address(found: re.Match[str]) -> str:
        file = files.get(found[2])
        if file is None:
            return found[0]
        shown.add(found[2])
        return f"{found[1]}({_address(file)})"

    texts = [Text(_REFERENCE.sub(with_address, event.text)) if isinstance(event, Text) else event for event in batch]
    return [event for event in texts if not (isinstance(event, File) and event.ref in shown)]


class _Page:
    """The text so far. `gap` holds the line breaks since a link that nothing else followed yet."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.gap: str | None = None
        self._shown: set[str] = set()

    def take(self, event: PoeEvent) -> list[PoeEvent]:
        match event:
            case Text(text):
                return [Text(self._write(text))]
            case File():
                return [Text(self._show(event))]
            case Done() if self.gap:
                return [Text(self.gap), event]
            case _:
                return [event]

    def _write(self, text: str) -> str:
        if self.gap is not None:
            text = self.gap + text
            body = text.lstrip("\r\n")
            if not body:
                self.gap = text
                return ""
            text = _missing_line_breaks(text[: -len(body)]) + text
            self.gap = None
        self.texts.append(text)
        return text

    def _show(self, file: File) -> str:
        text = "".join(self.texts)
        self.texts = [text]
        if file.url in self._shown or _mentions(text, file.url):
            return ""
        self._shown.add(file.url)
        before = self.gap or ""
        if text.strip():
            before += _missing_line_breaks(text[-4:] + before)
        self.gap = ""
        shown = before + _markdown(file)
        self.texts.append(shown)
        return shown


def _markdown(file: File) -> str:
    is_image = file.media_type.lower().startswith("image/")
    name = " ".join(file.name.split()) or ("image" if is_image else "file")
    label = _BREAKS_LABEL.sub(r"\\\g<0>", name)
    return f"{'!' if is_image else ''}[{label}]({_address(file)})"


def _address(file: File) -> str:
    return _BREAKS_ADDRESS.sub(lambda found: quote(found[0]), file.url)


def _mentions(text: str, url: str) -> bool:
    """Whether a text holds this address, and not merely a longer one that begins like it."""
    return url in text and re.search(rf"{re.escape(url)}(?![\w%/?&=#.~-])", text) is not None


def _missing_line_breaks(text: str) -> str:
    """What lacks at the end of a text for a blank line."""
    body = text.rstrip("\r\n")
    return "\n" * (2 - text[len(body) :].count("\n"))
