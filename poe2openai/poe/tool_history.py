"""Histories of tool calls that clients have cut, merged or edited, made whole: Poe and the makers of its models refuse
a call without its result, a result without its call, and an id that is there twice.

In a whole history each message with calls is followed by one message of the role `tool` with the results of exactly
these calls, in their order, and results are nowhere else. Nothing of meaning is lost: what has no place there is told
in words, and what a user said in the middle of a round comes behind it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from poe2openai.core.request import Media, Message, Part, Text, ToolCall, ToolResult
from poe2openai.poe.tool_arguments import as_object
from poe2openai.poe.tool_matching import Given, Round, has_tools, is_blank, match

NO_RESULT = "[No result of this call was recorded.]"
FILE_FOLLOWS = "[Here the tool gave a file: it is attached to the next message.]"


def repair(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The history made whole, the same object where nothing is wrong.

    Ids that are missing or there twice are made from what stands before them, so that a longer history begins as the
    shorter one did.
    """
    if not any(has_tools(message) or is_blank(message) for message in messages):
        return tuple(messages)
    whole = tuple(_whole(match(messages)))
    return messages if isinstance(messages, tuple) and whole == messages else whole


def _whole(history: Sequence[Message | Round | Given]) -> Iterator[Message]:
    ids = _Ids()
    for each in history:
        match each:
            case Message():
                yield each
            case Round():
                yield from _messages_of(each, ids)
            case Given(result, None):
                yield _told(result)


def _messages_of(each: Round, ids: "_Ids") -> Iterator[Message]:
    calls = [_named(call.call, ids) for call in each.calls]
    results = [_joined(call.id, of_call.results) for call, of_call in zip(calls, each.calls, strict=True)]
    yield Message("assistant", (*each.said, *calls))
    yield Message("tool", tuple([_without_media(result) for result in results]))
    if files := [part for call, result in zip(calls, results, strict=True) for part in _files(call, result)]:
        yield Message("user", tuple(files))


class _Ids:
    """Of calls: each one once."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._made = 0

    def take(self, wanted: str) -> str:
        free = wanted
        while not free or free in self._taken:
            self._made += 1
            free = f"{wanted or 'call'}_{self._made}"
        self._taken.add(free)
        return free


def _named(call: ToolCall, ids: _Ids) -> ToolCall:
    call_id, arguments = ids.take(call.id), as_object(call.arguments)
    if call_id == call.id and arguments is call.arguments:
        return call
    return ToolCall(call_id, call.name, arguments)


def _joined(call_id: str, results: Sequence[ToolResult]) -> ToolResult:
    """One result for one call, whatever came for it."""
    if not results:
        return ToolResult(call_id, (Text(NO_RESULT),))
    if len(results) == 1 and results[0].call_id == call_id:
        return results[0]
    parts = tuple([part for result in results for part in result.parts])
    return ToolResult(call_id, parts, is_error=any(result.is_error for result in results))


def _without_media(result: ToolResult) -> ToolResult:
    if not _media(result):
        return result
    parts = tuple([Text(FILE_FOLLOWS) if isinstance(part, Media) else part for part in result.parts])
    return replace(result, parts=parts)


def _files(call: ToolCall, result: ToolResult) -> list[Part]:
    """Files of a result, which cannot go but with a user's message."""
    media = _media(result)
    return [Text(f"[What the tool {call.name} gave is attached.]"), *media] if media else []


def _media(result: ToolResult) -> list[Media]:
    return [part for part in result.parts if isinstance(part, Media)]


def _told(orphan: ToolResult) -> Message:
    """A result of which nobody knows the call."""
    outcome = "failed with" if orphan.is_error else "gave"
    which = f"An earlier tool call ({orphan.call_id})" if orphan.call_id else "An earlier tool call"
    return Message("user", (Text(f"[{which} {outcome}]"), *orphan.parts))
