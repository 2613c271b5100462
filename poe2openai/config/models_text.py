"""The text of models.yaml with some values changed: all the rest stays as it is, to the last space.

ruamel.yaml writes what is new. Its round trip of the whole file would take half a second for 400 models, set
everything in its own way, and count a comment to the key above it: whoever deletes a model would lose the comment on
the next one. So the places come from libyaml's marks, and the lines between them are not read at all.
"""

import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
import yaml
from ruamel.yaml import YAML
from ruamel.yaml.nodes import ScalarNode as WrittenScalar
from ruamel.yaml.representer import RoundTripRepresenter
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, LiteralScalarString

from poe2openai.config import yaml_guard
from poe2openai.config.models_changes import same

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Text in YAML 1.2, and a truth value, a number, a time or a merge for many a reader of YAML 1.1.
_OLD_WORDS = re.compile(r"(?i)y|n|yes|no|on|off|=|<<|[-+.]?[0-9][-+0-9a-fox_:. tz]*|[-+]?\.(?:inf|nan)")
# What a literal block shows as it is: lines that neither begin nor end in white space, and empty ones between them.
_SEEN = r"[!-~\u00a1-\u00ac\u00ae-\u1fff\u2010-\u2027\u2030-\u205e\u20a0-\u2bff\u3000-\ud7ff\U0001f300-\U0001faff]"
_LITERAL = re.compile(f"{_SEEN}+(?: +{_SEEN}+)*(?:\n+{_SEEN}+(?: +{_SEEN}+)*)*\n?")


class Unusual(Exception):
    """It is written in a way in which this change would cost comments."""


def changed(text: str, before: dict[str, Any], after: dict[str, Any]) -> str:
    """`text`, which says `before`, as it says `after`; it has been through `yaml_guard`. Raises `Unusual`."""
    root = yaml.compose(text, Loader=_LOADER)
    surgery = _Surgery(text)
    if root is None:
        surgery.insert(len(text), surgery.block(after, 0))
    elif not same(before, after):
        surgery.value(_Slot(root, not getattr(root, "flow_style", False), 0), before, after)
    return surgery.result()


@dataclass(frozen=True, slots=True)
class _Slot:
    """Where a value stands: `in_block` lines may follow, and `gap` is where one may be put in if there is none yet."""

    node: yaml.Node
    in_block: bool
    gap: int
    column: int = -2


@dataclass(frozen=True, slots=True)
class _Entry:
    """A key with its value, or an item; `start` is where the key or the dash stands."""

    start: int
    end: int
    column: int


class _Surgery:
    def __init__(self, text: str) -> None:
        self._text = text
        self._newline = "\r\n" if "\r\n" in text else "\n"
        self._edits: list[tuple[int, int, str]] = []

    def result(self) -> str:
        pieces, at = [], 0
        for start, end, new in sorted(self._edits, key=lambda edit: edit[:2]):
            pieces += [self._text[at:start], new]
            at = max(at, end)
        return "".join([*pieces, self._text[at:]])

    def value(self, slot: _Slot, before: Any, after: Any) -> None:
        node = slot.node
        if isinstance(node, yaml.MappingNode) and isinstance(before, dict) and isinstance(after, dict):
            done = self._mapping(node, before, after)
        elif isinstance(node, yaml.SequenceNode) and isinstance(before, list) and isinstance(after, list):
            done = self._sequence(node, before, after)
        else:
            done = False
        if not done:
            self._replace(slot, after)

    def insert(self, end: int, lines: str) -> None:
        """Below the line that ends something; a last line without an end gets one."""
        if end == len(self._text) and self._text and not self._text.endswith(("\n", "\r")):
            self._edits.append((end, end, self._newline))
        self._edits.append((end, end, lines))

    def block(self, value: Any, column: int) -> str:
        """A mapping or a list as lines that begin at the column."""
        indent = " " * column
        lines = _written(_prepared(value, in_block=True), flow=False).split("\n")[:-1]
        return "".join(f"{indent}{line}".rstrip(" ") + self._newline for line in lines)

    def _mapping(self, node: yaml.MappingNode, before: dict[str, Any], after: dict[str, Any]) -> bool:
        """False, and nothing done, where it is better written anew."""
        flow = bool(node.flow_style)
        keys = [key.value for key, _ in node.value]
        removed = {key for key in keys if key in before and key not in after}
        if len(removed) == len(keys):
            return False
        entries = [
            _Entry(key.start_mark.index, self._end(value, key), key.start_mark.column) for key, value in node.value
        ]
        odd = [i for i, key in enumerate(keys) if key in removed and not flow and not self._is_first(entries[i].start)]
        if odd and not (odd == [0] and keys[1] not in removed and self._is_bare(entries[0], entries[1])):
            return self._anew(node)
        for key, value in node.value:
            # A known key without a value is none in JSON; it is in the file though, and takes its value there.
            name = key.value
            if name in after and not (name in before and same(before[name], after[name])):
                slot = _Slot(value, not flow, self._colon(key), key.start_mark.column)
                self.value(slot, before.get(name), after[name])
        # What is no line of the file, and as it was, is the gateway's own default.
        added = {
            key: value
            for key, value in after.items()
            if key not in keys and not (key in before and same(before[key], value))
        }
        self._take_out(entries, [key in removed for key in keys], flow=flow)
        if added and flow:
            self._edits.append((entries[-1].end, entries[-1].end, f", {_flow(added)[1:-1]}"))
        elif added:
            self.insert(self._tail(entries[-1]), self.block(added, node.start_mark.column))
        return True

    def _sequence(self, node: yaml.SequenceNode, before: list[Any], after: list[Any]) -> bool:
        """False, and nothing done, where it is better written anew: what stays changes its order, say."""
        flow = bool(node.flow_style)
        olds, news = _identities(before), _identities(after)
        stay = set(olds) & set(news)
        kept = [key for key in olds if key in stay]
        if not kept:
            return False
        if [key for key in news if key in stay] != kept:
            return self._anew(node)
        starts = [item.start_mark.index if flow else self._dash(item) for item in node.value]
        column = node.start_mark.column
        entries = [_Entry(start, self._end(item), column) for start, item in zip(starts, node.value, strict=True)]
        if not flow and not all(self._is_first(start) for start in starts):
            return self._anew(node)
        for key, item, old in zip(olds, node.value, before, strict=True):
            if key in stay and not same(old, new := after[news.index(key)]):
                self.value(_Slot(item, not flow, item.start_mark.index, column), old, new)
        self._take_out(entries, [key not in stay for key in olds], flow=flow)
        added: list[Any] = []
        for key, new in zip(news, after, strict=True):
            if key not in stay:
                added.append(new)
            elif added:
                self._put_in(entries, olds.index(key), added, flow=flow)
                added = []
        if added:
            self._put_in(entries, len(entries), added, flow=flow)
        return True

    def _put_in(self, entries: list[_Entry], before: int, added: list[Any], *, flow: bool) -> None:
        """New items of a list, ahead of the entry with this number."""
        if flow:
            text = _flow(added)[1:-1]
            at, text = (entries[before].start, f"{text}, ") if before < len(entries) else (entries[-1].end, f", {text}")
            self._edits.append((at, at, text))
            return
        # ruamel sets a list two columns further in, as below a key.
        lines = _outdented(self.block(added, entries[0].column))
        if before == len(entries):
            self.insert(self._tail(entries[-1]), lines)
        else:
            start, _ = self._lines_of(entries[before], entries[before - 1].end if before else 0)
            self._edits.append((start, start, lines))

    def _anew(self, node: yaml.Node) -> bool:
        """False: it is to be written anew, where that costs no comment."""
        at = node.start_mark.index
        for scalar in _scalars(node):
            if "#" in self._text[at : scalar.start_mark.index]:
                raise Unusual
            at = scalar.end_mark.index
        return False

    def _replace(self, slot: _Slot, after: Any) -> None:
        """Writes a value anew: in its line where it was in one, in lines of its own where it was in such."""
        node = slot.node
        start, end = node.start_mark.index, self._end(node)
        lines = slot.in_block and isinstance(after, dict | list) and bool(after)
        if not lines and slot.in_block and isinstance(after, str) and "\n" in after and _in_lines(node):
            self._replace_text(slot, after)
        elif not _in_lines(node):
            if lines and (start == end or (isinstance(node, yaml.CollectionNode) and not node.value)):
                self._edits.append((min(slot.gap, start), end, ""))
                self.insert(self._next_line(end), self._below(after, slot.column))
            else:
                self._edits.append((start, end, self._spaced(start, _flow(after))))
        elif isinstance(node, yaml.ScalarNode) or not self._is_first(start):
            # A block of text begins behind the colon, a mapping behind the dash.
            if lines and isinstance(node, yaml.CollectionNode):
                new = self.block(after, node.start_mark.column).strip(" \r\n")
            else:
                new = _flow(after)
            self._edits.append((start, end, new + self._newline * (self._below_line(end) == end)))
        else:
            below = self.block(after, node.start_mark.column) if lines else ""
            if isinstance(after, list):
                below = _outdented(below)
            if lines:
                self._edits.append((self._line(start), self._below_line(end), below))
            else:
                self._edits.append((slot.gap, slot.gap, self._spaced(slot.gap, _flow(after))))
                self._edits.append((self._next_line(slot.gap), self._below_line(end), ""))

    def _replace_text(self, slot: _Slot, after: str) -> None:
        rendered = self.block({"x": after}, max(slot.column, 0)).lstrip(" ")[len("x: ") :]
        start, end = slot.node.start_mark.index, self._end(slot.node)
        if not self._is_first(start):
            self._edits.append((start, end, rendered))
            return
        self._edits.append((slot.gap, slot.gap, f" {rendered.rstrip()}"))
        self._edits.append((self._next_line(slot.gap), self._below_line(end), ""))

    def _below(self, value: Any, column: int) -> str:
        lines = self.block(value, column + 2)
        return _outdented(lines) if isinstance(value, list) else lines

    def _take_out(self, entries: list[_Entry], removed: list[bool], *, flow: bool) -> None:
        kept_end = max((entry.end for entry, gone in zip(entries, removed, strict=True) if not gone), default=0)
        for i, (entry, gone) in enumerate(zip(entries, removed, strict=True)):
            if not gone:
                continue
            if not flow:
                if self._is_first(entry.start):
                    self._edits.append((*self._lines_of(entry, entries[i - 1].end if i else 0), ""))
                else:
                    self._edits.append((entry.start, entries[i + 1].start, ""))
            elif i + 1 < len(entries):
                self._edits.append((entry.start, entries[i + 1].start, ""))
            else:
                self._edits.append((kept_end, entry.end, ""))

    def _lines_of(self, entry: _Entry, floor: int) -> tuple[int, int]:
        """With the comments right above it, and with those below that are set deeper: they speak of it."""
        start = first = self._line(entry.start)
        while start > floor:
            above = self._line(start - 1)
            if above < floor or _comment_column(self._text[above:start]) != entry.column:
                break
            start = above
        if start == 0:
            start = first  # what stands at the top speaks of the whole file
        end = self._tail(entry)
        blank = self._text[self._line(start - 1) : start] if start else "\n"
        if not blank.strip() and not self._text[end : self._next_line(end)].strip():
            end = self._next_line(end)
        return start, end

    def _tail(self, entry: _Entry) -> int:
        at = self._below_line(entry.end)
        while at < len(self._text):
            if _comment_column(self._text[at : self._next_line(at)]) <= entry.column:
                break
            at = self._next_line(at)
        return at

    def _end(self, node: yaml.Node, key: yaml.Node | None = None) -> int:
        """Where the last thing in it ends: libyaml's own mark of a block stands before what comes next."""
        if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
            last = node.value[-1]
            return self._end(last[1], last[0]) if isinstance(last, tuple) else self._end(last)
        end = int(node.end_mark.index)
        return end if key is None else max(end, int(key.end_mark.index))

    def _colon(self, key: yaml.Node) -> int:
        end = int(key.end_mark.index)
        found = re.compile(r"\s*:").match(self._text, end)
        return found.end() if found else end

    def _dash(self, item: yaml.Node) -> int:
        return self._text.rfind("-", 0, item.start_mark.index)

    def _is_bare(self, entry: _Entry, following: _Entry) -> bool:
        """Whether the first follows a dash, the second has a line of its own, and no comment stands between them."""
        ahead = self._text[self._line(entry.start) : entry.start]
        between = self._text[self._next_line(entry.end) : following.start]
        return not ahead.strip(" -") and "#" not in between and self._is_first(following.start)

    def _is_first(self, at: int) -> bool:
        return at >= 0 and not self._text[self._line(at) : at].strip(" ")

    def _line(self, at: int) -> int:
        return self._text.rfind("\n", 0, max(at, 0)) + 1

    def _below_line(self, end: int) -> int:
        """Below what ends there: a block of text, which ends with its last line, or something within a line."""
        return end if self._text[end - 1 : end] == "\n" else self._next_line(end)

    def _next_line(self, at: int) -> int:
        found = self._text.find("\n", at)
        return len(self._text) if found < 0 else found + 1

    def _spaced(self, at: int, new: str) -> str:
        """With a colon or a space before it where there is none yet."""
        before = self._text[at - 1 : at]
        return f" {new}" if before == ":" else new if before in ("", " ", "\n", "[", "{", ",", "\t") else f": {new}"


def _in_lines(node: yaml.Node) -> bool:
    """Whether it has lines of its own: a block of text, a mapping or a list that is not in brackets."""
    if isinstance(node, yaml.CollectionNode):
        return bool(node.value) and not node.flow_style
    return isinstance(node, yaml.ScalarNode) and node.style in ("|", ">")


def _comment_column(line: str) -> int:
    """Where the line's comment begins; -1 where it holds something else."""
    found = re.compile(r" *(?=#)").match(line)
    return -1 if found is None else found.end()


def _scalars(node: yaml.Node) -> Iterator[yaml.Node]:
    """All in it, in their order."""
    if not isinstance(node, yaml.CollectionNode):
        yield node
        return
    for item in node.value:
        for inner in item if isinstance(item, tuple) else (item,):
            yield from _scalars(inner)


def _identities(items: list[Any]) -> list[tuple[bytes, int]]:
    """What each is known by, a model by its id; the second number is for those that are there more than once."""
    found: list[tuple[bytes, int]] = []
    seen: Counter[bytes] = Counter()
    for item in items:
        known = {"id": item["id"]} if isinstance(item, dict) and isinstance(item.get("id"), str) else item
        key = orjson.dumps(known, option=orjson.OPT_SORT_KEYS)
        found.append((key, seen[key]))
        seen[key] += 1
    return found


class _Representer(RoundTripRepresenter):
    """Says `null`, where ruamel leaves the place empty."""

    def represent_none(self, data: None) -> WrittenScalar:  # noqa: ARG002
        return WrittenScalar("tag:yaml.org,2002:null", "null")


_Representer.add_representer(type(None), _Representer.represent_none)


def _written(value: Any, *, flow: bool) -> str:
    writer = YAML()
    writer.Representer = _Representer
    writer.default_flow_style = flow
    writer.width = 2**30
    writer.brace_single_entry_mapping_in_flow_sequence = True
    writer.indent(mapping=2, sequence=4, offset=2)
    written = io.StringIO()
    writer.dump(value, written)
    return str(written.getvalue())


def _flow(value: Any) -> str:
    return _written({"x": _prepared(value, in_block=False)}, flow=True).strip()[len("{x: ") : -1]


def _prepared(value: Any, *, in_block: bool) -> Any:
    match value:
        case dict():
            return {_quoted(key): _prepared(item, in_block=in_block) for key, item in value.items()}
        case list():
            return [_prepared(item, in_block=in_block) for item in value]
        case str() if in_block and "\n" in value and _LITERAL.fullmatch(value):
            return LiteralScalarString(value)
        case str():
            return _quoted(value)
        case _:
            return value


def _quoted(text: str) -> str:
    """In double quotes where anybody could take it for something else than text."""
    try:
        plain = yaml_guard.values(yaml_guard.Scalar(text, plain=True, line=0)) is text
    except yaml_guard.YamlError:
        plain = False
    if plain and text.isprintable() and text[:1] != "?" and not _OLD_WORDS.fullmatch(text):
        return text
    return str.__new__(DoubleQuotedScalarString, text)


def _outdented(lines: str) -> str:
    return "".join(line.removeprefix("  ") for line in lines.splitlines(keepends=True))
