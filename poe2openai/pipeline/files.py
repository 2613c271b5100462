"""Files of the answer become markdown in its text: at the place where the text refers to them, else behind it.

Poe's bots refer to a file as `![title][ref]` (Poe's protocol specification, `inline_ref`), and its `file` event may
come before or after. A stream waits a while for the file of such a picture. What refers to a file that comes later
still stays as it is, which is markdown as well, and is given its address at the end: `[ref]: https://…`.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import quote

from poe2openai.pipeline.pieces import joined
from poe2openai.poe.events import Done, Error, File, PoeEvent, Text, ToolCallDelta

MOST_HELD = 2_000
"""Characters of text that wait for the file of a picture in it."""

MOST_SOUGHT = 100
"""Files that the text is searched for; further ones come behind it, whether it names them or not."""

_BREAKS_LABEL = re.compile(r"[\\\[\]`<]")
_BREAKS_ADDRESS = re.compile(r"[\s\x00-\x1f\x7f()<>\\]")
_REFERENCE = re.compile(r"(?P<bang>!?)\[(?P<title>[^\[\]]{0,500})\]\[(?P<ref>[^\[\]\n]{1,200})\]")
# What may become a reference with the next text.
_UNFINISHED = re.compile(r"!?(?:\[[^\[\]]{0,500}(?:\](?:\[[^\[\]\n]{0,200})?)?)?\Z")
_NO_ADDRESS = "data:"


def link(
    batches: Iterable[list[PoeEvent]], on_file: Callable[[File], None] = lambda _: None
) -> Iterator[list[PoeEvent]]:
    """No `File` comes out; each one is told to `on_file`, the same one once.

    What the text itself shows already, or an earlier file, is not shown again.
    """
    page = _Page(on_file)
    for batch in batches:
        if not batch or (len(batch) == 1 and type(batch[0]) is ToolCallDelta):
            yield batch
        elif page.flows and len(batch) == 1 and type(event := batch[0]) is Text and "!" not in event.text:
            page.shown.append(event.text)
            yield batch
        elif page.flows and not page.has_files and not any(map(_may_show_a_file, batch)):
            page.shown += [event.text for event in batch if isinstance(event, Text)]
            yield batch
        else:
            page.expect(batch)
            yield joined(out for event in batch for out in page.take(event))


class _Page:
    """The text so far. `flows` says that nothing of it is held and no reference would be known."""

    def __init__(self, on_file: Callable[[File], None]) -> None:
        self.shown: list[str] = []
        self.flows = True
        self._on_file = on_file
        self._held = ""
        self._by_ref: dict[str, File] = {}
        self._files: dict[str, File] = {}
        self._placed: set[str] = set()  # addresses of files that the text shows at their place
        self._unknown: set[str] = set()  # references whose files were waited for in vain

    @property
    def has_files(self) -> bool:
        return bool(self._files)

    def expect(self, batch: list[PoeEvent]) -> None:
        """Takes note of the files of a batch before its texts: held answers come with all their files."""
        for event in batch:
            if isinstance(event, File):
                if event.url not in self._files:
                    self._files[event.url] = event
                    self._on_file(event)
                if event.ref:
                    self.flows = False
                    self._by_ref.setdefault(event.ref, event)

    def take(self, event: PoeEvent) -> list[PoeEvent]:
        match event:
            case Text(text):
                return [Text(self._write(self._held + text))]
            case File():
                return [Text(self._write(self._held))]
            case Done() | Error():
                return [Text(self._rest()), event]
            case _:
                return [event]

    def _write(self, text: str) -> str:
        """What can go out; the rest is held."""
        cut = self._cut(text)
        self._held = text[cut:]
        self.flows = not self._held and not self._by_ref
        return self._show(text[:cut])

    def _cut(self, text: str) -> int:
        """Where a reference may begin that is not whole yet, or whose file is not there yet."""
        end = 0
        for found in _REFERENCE.finditer(text):
            ref, end = found["ref"], found.end()
            if not found["bang"] or ref in self._by_ref or ref in self._unknown:
                continue
            if len(text) - found.start() <= MOST_HELD:
                return found.start()
            self._unknown.add(ref)
        # Without files, brackets are but brackets: only what may become a picture waits.
        if not self._by_ref and "![" not in text and not text.endswith("!"):
            return len(text)
        at = _UNFINISHED.search(text, max(end, len(text) - 1_000))
        if at is None or not (at[0].startswith("!") or (at[0] and self._by_ref)):
            return len(text)
        return at.start()

    def _show(self, text: str) -> str:
        if self._by_ref and "][" in text:
            text = _REFERENCE.sub(self._with_address, text)
        self.shown.append(text)
        return text

    def _with_address(self, found: re.Match[str]) -> str:
        file = self._by_ref.get(found["ref"])
        if file is None:
            return found[0]
        self._placed.add(file.url)
        label = found["title"] or ("" if found["bang"] and _is_image(file) else _label(file))
        bang = found["bang"] if _is_image(file) else ""
        return f"{bang}[{label}]({_address(file)})" if _has_address(file) else f"[{label or _label(file)}]"

    def _rest(self) -> str:
        """What was held, and the files that have no place in the text."""
        held = self._show(self._held)
        self._held = ""
        text = "".join(self.shown)
        added: list[str] = []
        gap = _missing_line_breaks(text) if text.strip() else ""
        for number, file in enumerate(self._files.values()):
            # The text is not searched for more files than a person would look at.
            is_sought = number < MOST_SOUGHT
            if file.url in self._placed or (is_sought and _mentions(text, file.url)):
                continue
            self._placed.add(file.url)
            is_referred_to = is_sought and file.ref is not None and f"][{file.ref}]" in text
            added += gap, _definition(file) if is_referred_to else _markdown(file)
            gap = "\n\n"
        self.shown = [text, *added]
        return held + "".join(added)


def _may_show_a_file(event: PoeEvent) -> bool:
    return "!" in event.text if type(event) is Text else type(event) is File


def _markdown(file: File) -> str:
    label = _label(file)
    if not _has_address(file):
        return f"[{label}]"
    return f"{'!' if _is_image(file) else ''}[{label}]({_address(file)})"


def _definition(file: File) -> str:
    """What gives a reference in the text its address (CommonMark, "Link reference definitions")."""
    return f"[{file.ref}]: {_address(file)}"


def _label(file: File) -> str:
    name = " ".join(file.name.split()) or ("image" if _is_image(file) else "file")
    return _BREAKS_LABEL.sub(r"\\\g<0>", name)


def _is_image(file: File) -> bool:
    return file.media_type.lower().startswith("image/")


def _has_address(file: File) -> bool:
    """A `data:` URL would be megabytes of text, in this answer and in every question that follows."""
    return not file.url[:8].lower().startswith(_NO_ADDRESS)


def _address(file: File) -> str:
    return _BREAKS_ADDRESS.sub(lambda found: quote(found[0]), file.url)


def _mentions(text: str, url: str) -> bool:
    """Whether a text holds this address, and not merely a longer one that begins like it."""
    return url in text and re.search(rf"{re.escape(url)}(?![\w%/?&=#.~-])", text) is not None


def _missing_line_breaks(text: str) -> str:
    """What lacks at the end of a text for a blank line."""
    body = text.rstrip("\r\n")
    return "\n" * (2 - text[len(body) :].count("\n"))
