"""One tool call that is being read out of a text, and the JSON of its arguments as it grows."""

import secrets
from typing import Any

import orjson

from poe2openai.core.request import Tool
from poe2openai.pipeline.tool_values import Schema, from_text, is_plain_string, property_schema
from poe2openai.poe.events import ToolCallDelta


class Call:
    """Takes a call's parameters; `taken` gives what may go out of it.

    `streams` lets the values of plain strings out while they come; nothing of a call goes out before the first of them.
    """

    def __init__(self, index: int, tool: Tool, *, streams: bool) -> None:
        self.index = index
        self.begun = False  # something of it went out
        self.raw: list[str] = []  # the text that it was read from, for as long as nothing went out
        self._name = tool.name
        self._schema: Schema = tool.parameters or {}
        self._streams = streams
        self._said: list[str] = ["{"]
        self._given: set[str] = set()
        self._value: list[str] = []
        self._value_schema: Schema = {}
        self._flows = False
        self.committed = False  # it may go out, so that it cannot become text again

    @property
    def is_whole(self) -> bool:
        """Whether no parameter is missing."""
        required = self._schema.get("required")
        return not isinstance(required, list) or self._given.issuperset(required)

    @property
    def flows(self) -> bool:
        """Whether it is under way, inside of a string."""
        return self.begun and self._flows and not self._said

    def piece(self, text: str) -> ToolCallDelta:
        """A piece of the string that flows, to go out at once."""
        return ToolCallDelta(self.index, None, None, _json(text)[1:-1])

    def open_value(self, name: str) -> None:
        self._value_schema = property_schema(self._schema, name)
        self._flows = is_plain_string(self._value_schema)
        comma = "," if self._given else ""
        self._said.append(f"{comma}{_json(name)}:")
        if self._flows:
            self._said.append('"')
        self._given.add(name)

    def add(self, text: str) -> None:
        """A piece of the value that is open."""
        if self._flows:
            self._said.append(_json(text)[1:-1])
            self.committed = self.committed or self._streams
        else:
            self._value.append(text)

    def close_value(self) -> None:
        if self._flows:
            self._said.append('"')
            self._flows = False
        else:
            self._said.append(_json(from_text("".join(self._value), self._value_schema)))
            self._value.clear()

    def taken(self) -> list[ToolCallDelta]:
        """What may go out by now."""
        return self._out() if self.committed and self._said else []

    def finish(self) -> list[ToolCallDelta]:
        self._said.append("}")
        return self._out()

    def _out(self) -> list[ToolCallDelta]:
        arguments = "".join(self._said)
        self._said.clear()
        if self.begun:
            return [ToolCallDelta(self.index, None, None, arguments)]
        self.begun = True
        self.raw.clear()
        return [ToolCallDelta(self.index, new_call_id(), self._name, arguments)]


def new_call_id() -> str:
    return f"call_{secrets.token_hex(12)}"


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
