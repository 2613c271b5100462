"""Reads YAML that anybody may have written: names stay text, and no tag, alias, merge, depth or size can hurt.

`parse` builds its own tree out of parser events; PyYAML's composers and constructors never run: the C one crashes on
100,000 opening brackets, and both turn `no`, `4.5` and dates into other types. A tree is read with `texts`, where
every scalar is a string, or with `values`, where plain scalars have the types of YAML 1.2's core schema.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite
from typing import Any

import yaml

MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 32
MAX_NODES = 50_000
# Each %TAG line is compared with all before it: in 4 MiB of them libyaml is busy for hours, before its first event.
MAX_TAG_DIRECTIVES = 16
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TEXT_TAGS = (None, "!", "tag:yaml.org,2002:str")

_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
# What orjson can write: 64 bits, signed or unsigned.
_MIN_INTEGER, _MAX_INTEGER = -(2**63), 2**64 - 1
_MAX_INTEGER_LENGTH = 32


class YamlError(ValueError):
    """The text is refused; the message names the line where it can, and repeats none of the text's values."""

    def __init__(self, problem: str, line: int | None = None) -> None:
        super().__init__(problem if line is None else f"line {line}: {problem}")


@dataclass(frozen=True, slots=True)
class Scalar:
    """`plain` is False for quoted and block scalars, which are text whatever they look like."""

    text: str
    plain: bool
    line: int


@dataclass(frozen=True, slots=True)
class Sequence:
    items: "list[Node]"
    line: int


@dataclass(frozen=True, slots=True)
class Mapping:
    items: "dict[str, Node]"
    line: int


Node = Scalar | Sequence | Mapping


def parse(data: bytes) -> Node:
    """The one document in `data`; raises `YamlError`, also where there is none."""
    text = _decode(data)
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise YamlError(error.problem or "broken YAML", None if mark is None else mark.line + 1) from None
    except yaml.YAMLError:
        raise YamlError("there are characters that YAML does not allow") from None
    if builder.root is None:
        raise YamlError("there is nothing in it")
    return builder.root


def texts(node: Node) -> Any:
    """The tree as dicts, lists and strings; a plain `null`, `~` or nothing at all is None."""
    match node:
        case Scalar(text, plain):
            return None if plain and text in _NULL else text
        case Sequence(items):
            return [texts(item) for item in items]
        case Mapping(entries):
            return {key: texts(value) for key, value in entries.items()}


def values(node: Node) -> Any:
    """The tree with the types of YAML 1.2's core schema; numbers that JSON cannot carry are refused."""
    match node:
        case Scalar():
            return _core_value(node) if node.plain else node.text
        case Sequence(items):
            return [values(item) for item in items]
        case Mapping(entries):
            return {key: values(value) for key, value in entries.items()}


def line_of(node: Node, path: Iterable[str | int]) -> int:
    """The line of what `path` leads to, or of the last step that is there."""
    for step in path:
        match node:
            case Mapping(entries) if isinstance(step, str) and step in entries:
                node = entries[step]
            case Sequence(items) if isinstance(step, int) and step < len(items):
                node = items[step]
            case _:
                break
    return node.line


def printable(text: str) -> str:
    """A name as a log line may show it: short, and without line ends or other control characters."""
    return "".join(character if character.isprintable() else "?" for character in text[:60])


def _decode(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise YamlError(f"it is larger than {MAX_BYTES // 1024 // 1024} MiB")
    # Windows editors and shells write UTF-16 with a byte order mark.
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        raise YamlError("it is not UTF-8") from None
    if text.count("%TAG") > MAX_TAG_DIRECTIVES:
        raise YamlError("there are too many %TAG directives")
    return text


class _Builder:
    """Grows the tree event by event, and refuses at the first event that goes too far."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self._open: list[Sequence | Mapping] = []
        # The key that waits for its value, for each open mapping; None elsewhere.
        self._keys: list[str | None] = []
        self._nodes = 0

    def take(self, event: yaml.Event) -> None:
        line = event.start_mark.line + 1 if event.start_mark else 1
        match event:
            case yaml.ScalarEvent():
                self._refuse_tag(event.tag, _TEXT_TAGS, line)
                self._add(Scalar(_sound(event.value, line), event.tag is None and not event.style, line))
            case yaml.SequenceStartEvent():
                self._refuse_tag(event.tag, (None, "!"), line)
                self._enter(Sequence([], line))
            case yaml.MappingStartEvent():
                self._refuse_tag(event.tag, (None, "!"), line)
                self._enter(Mapping({}, line))
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                self._open.pop()
                self._keys.pop()
            case yaml.AliasEvent():
                raise YamlError("aliases (*name) are not allowed", line)
            case yaml.DocumentStartEvent() if self.root is not None:
                raise YamlError("there is a second document", line)
            case _:
                pass

    @staticmethod
    def _refuse_tag(tag: str | None, allowed: tuple[str | None, ...], line: int) -> None:
        if tag not in allowed:
            raise YamlError("tags (!name) are not allowed", line)

    def _enter(self, node: Sequence | Mapping) -> None:
        if len(self._open) >= MAX_DEPTH:
            raise YamlError(f"it is nested deeper than {MAX_DEPTH} levels", node.line)
        self._add(node)
        self._open.append(node)
        self._keys.append(None)

    def _add(self, node: Node) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise YamlError(f"there are more than {MAX_NODES} entries", node.line)
        if not self._open:
            self.root = node
            return
        parent = self._open[-1]
        if isinstance(parent, Sequence):
            parent.items.append(node)
        elif self._keys[-1] is None:
            self._keys[-1] = self._key(parent, node)
        else:
            parent.items[self._keys[-1]] = node
            self._keys[-1] = None

    @staticmethod
    def _key(parent: Mapping, node: Node) -> str:
        if not isinstance(node, Scalar):
            raise YamlError("a key is not a plain name", node.line)
        # YAML 1.1 would pour the entries of the value in here; no reader of this tree does.
        if node.plain and node.text == "<<":
            raise YamlError("merge keys (<<) are not allowed", node.line)
        if node.text in parent.items:
            raise YamlError(f"the key {printable(node.text)!r} is there twice", node.line)
        return node.text


def _sound(text: str, line: int) -> str:
    # "\ud800" in double quotes is half a character; it cannot be sent or logged.
    try:
        text.encode()
    except UnicodeEncodeError:
        raise YamlError("there is half a character (a lone surrogate)", line) from None
    return text


def _core_value(scalar: Scalar) -> Any:
    text = scalar.text
    if text in _NULL:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.fullmatch(text):
        # A base of 0 would refuse the leading zeros that the core schema allows.
        base = {"0o": 8, "0x": 16}.get(text[:2], 10)
        number = int(text, base) if len(text) <= _MAX_INTEGER_LENGTH else _MAX_INTEGER + 1
        if not _MIN_INTEGER <= number <= _MAX_INTEGER:
            raise YamlError("the number does not fit into 64 bits", scalar.line)
        return number
    if _FLOAT.fullmatch(text):
        decimal = float(text)
        if not isfinite(decimal):
            raise YamlError("the number is too large", scalar.line)
        return decimal
    if _NOT_FINITE.fullmatch(text):
        raise YamlError("JSON has no infinity and no NaN; quote the word if text is meant", scalar.line)
    return text
