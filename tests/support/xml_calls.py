"""Texts with tool calls in them, and what the scanner makes of them."""

import random
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from poe2openai.core.request import Tool
from poe2openai.pipeline.pieces import Piece, Stopped
from poe2openai.pipeline.xml_tools import parse
from poe2openai.poe.events import Done, Text, ToolCallDelta

WRITE = Tool(
    "write_file",
    "Writes a file.",
    {
        "type": "object",
        "properties": {"path": {"type": "string"}, "content": {"type": "string"}},
        "required": ["path", "content"],
    },
)
WEATHER = Tool(
    "get_weather",
    "The weather.",
    {
        "type": "object",
        "properties": {
            "city": {"type": "string", "enum": ["Paris", "Rome"]},
            "days": {"type": "integer"},
            "hours": {"type": "array", "items": {"type": "integer"}},
            "where": {"type": "object", "properties": {"lat": {"type": "number"}, "exact": {"type": "boolean"}}},
        },
        "required": ["city"],
    },
)
CLOCK = Tool("now", "The time.", {"type": "object", "properties": {}, "required": []})
TOOLS = (WRITE, WEATHER, CLOCK)

Result = list[Any]


def read(chunks: Iterable[str], *, whole: bool = False, tools: Sequence[Tool] = TOOLS) -> Result:
    """Texts as strings, calls as pairs of name and arguments, and the end where it is not a plain one."""
    batches: list[list[Piece]] = [[Text(chunk)] for chunk in chunks]
    return gathered(parse([*batches, [Done()]], tools=tools, whole=whole))


def gathered(batches: Iterable[list[Piece]]) -> Result:
    result: Result = []
    places: dict[int, int] = {}
    for batch in batches:
        for piece in batch:
            if isinstance(piece, Text):
                if result and isinstance(result[-1], str):
                    result[-1] += piece.text
                else:
                    result.append(piece.text)
            elif isinstance(piece, ToolCallDelta):
                if piece.index not in places:
                    assert piece.id
                    assert piece.name
                    places[piece.index] = len(result)
                    result.append((piece.name, ""))
                name, arguments = result[places[piece.index]]
                result[places[piece.index]] = (name, arguments + piece.arguments)
            elif isinstance(piece, Stopped) or piece != Done():
                result.append(piece)
    return result


def random_cutting(text: str, chance: random.Random) -> Iterator[str]:
    at = 0
    longest = chance.choice([1, 3, 12, 60])
    while at < len(text):
        size = chance.randint(1, longest)
        yield text[at : at + size]
        at += size
