"""The tags of tool calls that stand in a text, found in it as far as it has come.

A bot's text is not XML: only these tags count, and `<` is a character like any other elsewhere.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from poe2openai.core.request import Tool

Kind = Literal["wrapper", "/wrapper", "invoke", "/invoke", "tool", "/tool", "parameter", "/parameter", "result"]

LONGEST_TAG = 300
"""Characters; what goes on for longer is no tag."""

_WRAPPERS = ("tool_call", "tool_calls", "function_calls", "function_call")
RESERVED = frozenset((*_WRAPPERS, "invoke", "parameter", "tool_result", "tool_results"))

_NAMED = r"""\s(?:[^<>]*?\s)?name\s*=\s*(?:"(?P<{0}>[^"<>]{{1,128}})"|'(?P<{0}_>[^'<>]{{1,128}})')[^<>]*?"""
_WRAPPER = rf"<(?P<wrapper>{'|'.join(_WRAPPERS)})\s*>"
_CLOSE_WRAPPER = rf"</(?P<close_wrapper>{'|'.join(_WRAPPERS)})\s*>"
_INVOKE = rf"<invoke{_NAMED.format('invoke')}(?P<invoke_empty>/?)>"
_RESULT = r"<(?P<result>tool_results?)(?=[\s>/])"


@dataclass(frozen=True, slots=True)
class Tag:
    """`start` and `end` are places in the text; `empty` marks a tag that closes itself."""

    kind: Kind
    name: str
    start: int
    end: int
    empty: bool = False


class Tags:
    """Those outside of a call: they depend on which tools there are."""

    def __init__(self, tools: Iterable[Tool]) -> None:
        own_names = [tool.name for tool in tools if tool.name not in RESERVED]
        own = rf"|<(?P<tool>{'|'.join(map(re.escape, own_names))})\s*(?P<tool_empty>/?)>" if own_names else ""
        closing = r"|</(?P<close_invoke>invoke)\s*>"
        self._tag = re.compile(f"{_WRAPPER}|{_CLOSE_WRAPPER}|{_INVOKE}|{_RESULT}{closing}{own}")
        opening = (*_WRAPPERS, "invoke", "tool_results", *own_names)
        heads = "|".join(map(re.escape, (*_WRAPPERS, "invoke", "tool_result", *own_names)))
        self._head = re.compile(rf"</?(?:{heads})(?![\w.-])")
        self._begun = _Beginning([f"<{name}" for name in opening] + [f"</{name}" for name in (*_WRAPPERS, "invoke")])

    def find(self, text: str, start: int) -> Tag | int:
        """The first tag from there on; else the place up to which there certainly is none."""
        place = start
        while (head := self._head.search(text, place)) is not None:
            found = self._tag.match(text, head.start(), head.start() + LONGEST_TAG)
            if found is not None:
                return _tag(found)
            if self._begun.is_open(text, head.start()):
                return head.start()
            place = head.end()
        return self._begun.place(text, start)

    def at(self, text: str, place: int) -> Tag | None:
        found = self._tag.match(text, place, place + LONGEST_TAG)
        return _tag(found) if found else None

    def may_begin_at(self, text: str, place: int) -> bool:
        """Whether the text breaks off inside what may be a tag."""
        return self._begun.is_open(text, place)


class CallTags:
    """Those inside a call: of `<invoke>`, or of a tag that has the tool's name."""

    def __init__(self, tool: str | None) -> None:
        """`tool` is the tag's name, None for `<invoke>`."""
        self._tool = tool
        if tool is None:
            self.opening = re.compile(rf"<parameter{_NAMED.format('parameter')}(?P<empty>/?)>")
            self._closing = re.compile(r"</invoke\s*>")
            self._begun = _Beginning(["<parameter", "</invoke"])
        else:
            reserved = rf"(?!(?:{'|'.join(sorted(RESERVED))})[\s/>])"
            self.opening = re.compile(rf"<{reserved}(?P<parameter>[A-Za-z_][\w.-]{{0,127}})\s*(?P<empty>/?)>")
            self._closing = re.compile(rf"</{re.escape(tool)}\s*>")
            self._begun = _Beginning([f"</{tool}"], any_name=True)

    def parameter(self, text: str, place: int) -> Tag | None:
        found = self.opening.match(text, place, place + LONGEST_TAG)
        if found is None:
            return None
        name = found["parameter"] or found["parameter_"] if self._tool is None else found["parameter"]
        return Tag("parameter", name.strip(), found.start(), found.end(), empty=bool(found["empty"]))

    def close(self, text: str, place: int) -> Tag | None:
        found = self._closing.match(text, place, place + LONGEST_TAG)
        return Tag("/invoke", "", found.start(), found.end()) if found else None

    def may_begin_at(self, text: str, place: int) -> bool:
        return self._begun.is_open(text, place)

    def value(self, parameter: str) -> "ValueTags":
        return ValueTags("parameter" if self._tool is None else parameter, named=self._tool is None)


class ValueTags:
    """Those inside a value: its end, and openings of the same kind, whose ends are not its own."""

    def __init__(self, element: str, *, named: bool) -> None:
        escaped = re.escape(element)
        attributes = _NAMED.format("name") if named else r"\s*"
        self._tag = re.compile(rf"(?P<close></{escaped}\s*>)|<{escaped}{attributes}(?<!/)>")
        self._head = re.compile(rf"</?{escaped}(?![\w.-])")
        self._begun = _Beginning([f"<{element}", f"</{element}"])

    def find(self, text: str, start: int) -> Tag | int:
        """The first tag from there on; else the place up to which there certainly is none."""
        place = start
        while (head := self._head.search(text, place)) is not None:
            found = self._tag.match(text, head.start(), head.start() + LONGEST_TAG)
            if found is not None:
                return Tag("/parameter" if found["close"] else "parameter", "", found.start(), found.end())
            if self._begun.is_open(text, head.start()):
                return head.start()
            place = head.end()
        return self._begun.place(text, start)


class _Beginning:
    """Tells whether a text breaks off inside a tag."""

    def __init__(self, heads: Iterable[str], *, any_name: bool = False) -> None:
        names = tuple(heads)
        self._parts = frozenset(head[:length] for head in names for length in range(1, len(head) + 1))
        behind = rf"(?:{'|'.join(map(re.escape, names))})[\s/][^<>]*"
        self._open = re.compile(rf"{behind}|<[A-Za-z_][^<>]*" if any_name else behind)

    def is_open(self, text: str, place: int) -> bool:
        if len(text) - place > LONGEST_TAG:
            return False
        rest = text[place:]
        return rest in self._parts or self._open.fullmatch(rest) is not None

    def place(self, text: str, start: int) -> int:
        """Where such a tag begins, or the end of the text."""
        last = text.rfind("<", max(start, len(text) - LONGEST_TAG))
        return last if last >= 0 and self.is_open(text, last) else len(text)


def _tag(found: re.Match[str]) -> Tag:
    start, end = found.span()
    if found["wrapper"]:
        return Tag("wrapper", found["wrapper"], start, end)
    if found["close_wrapper"]:
        return Tag("/wrapper", found["close_wrapper"], start, end)
    if name := found["invoke"] or found["invoke_"]:
        return Tag("invoke", name.strip(), start, end, empty=bool(found["invoke_empty"]))
    if found["close_invoke"]:
        return Tag("/invoke", "", start, end)
    if found["result"]:
        return Tag("result", found["result"], start, end)
    return Tag("tool", found["tool"], start, end, empty=bool(found["tool_empty"]))
