"""Holds a bot's tool calls to what the client allowed, and gives them the names that it knows."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from poe2openai.core.request import Tool
from poe2openai.pipeline.again import AskAgain
from poe2openai.pipeline.pieces import Piece, Stopped
from poe2openai.poe.events import Done, Text, ToolCallDelta

DEMAND = "Your answer called no tool. Answer again, with a call of a tool and nothing else."


@dataclass(frozen=True, slots=True)
class ToolRules:
    """What one request says of tool calls.

    `xml` are the tools whose calls stand in the text, None where calls come by themselves. `original` has the client's
    names by those that the bot was told; with `only`, calls of other tools are dropped (`tool_choice`). `single` lets
    one call through (`parallel_tool_calls`), and `required` lets no text out before a call.
    """

    xml: tuple[Tool, ...] | None = None
    original: Mapping[str, str] = field(default_factory=dict)
    only: bool = False
    single: bool = False
    required: bool = False


def apply(batches: Iterable[list[Piece]], rules: ToolRules, *, may_ask_again: bool) -> Iterator[list[Piece]]:
    """Raises `AskAgain` for an answer that calls no tool though it had to, as long as nothing was sent."""
    judge = _Judge(rules, may_ask_again=may_ask_again)
    for batch in batches:
        if len(batch) == 1 and judge.has_nothing_to_do_with(batch[0]):
            yield batch
            continue
        passed: list[Piece] = []
        for piece in batch:
            passed += judge.take(piece)
            if judge.ended:
                yield passed
                return
        yield passed
        judge.sent = judge.sent or bool(passed)


@dataclass(frozen=True, slots=True)
class _Call:
    """A call as it began; another id on its index is another call (`pipeline.parts`)."""

    id: str | None
    allowed: bool


class _Judge:
    def __init__(self, rules: ToolRules, *, may_ask_again: bool) -> None:
        self.ended = False
        self.sent = False  # whether the client has seen anything
        self._rules = rules
        self._may_ask_again = may_ask_again
        self._held: list[Piece] = []  # text, as long as a call has yet to come
        self._calls: dict[int, _Call] = {}  # the latest of each index
        self._called = False

    def has_nothing_to_do_with(self, piece: Piece) -> bool:
        if type(piece) is Text:
            return not self._rules.required
        if type(piece) is not ToolCallDelta or piece.id is not None or piece.name is not None or self._held:
            return False
        call = self._calls.get(piece.index)
        return call is not None and call.allowed

    def take(self, piece: Piece) -> list[Piece]:
        match piece:
            case ToolCallDelta():
                return self._call(piece)
            case Text() if self._rules.required and not self._called:
                self._held.append(piece)
                return []
            case Done(reason):
                return [*self._without_call(), Done(None if reason == "tool_calls" and not self._called else reason)]
            case Stopped():
                return [*self._without_call(), piece]
            case _:
                return [piece]

    def _call(self, delta: ToolCallDelta) -> list[Piece]:
        call = self._calls.get(delta.index)
        if call is None or (delta.id and call.id and delta.id != call.id):
            if self._called and self._rules.single:
                self.ended = True
                return [Stopped("tool_calls")]
            allowed = not self._rules.only or (delta.name or "") in self._rules.original
            call = self._calls[delta.index] = _Call(delta.id, allowed)
        if not call.allowed:
            return []
        held, self._held = self._held, []
        self._called = True
        if delta.name is not None and delta.name in self._rules.original:
            delta = ToolCallDelta(delta.index, delta.id, self._rules.original[delta.name], delta.arguments)
        return [*held, delta]

    def _without_call(self) -> list[Piece]:
        """The answer is over: what was held, if that is all there is."""
        if self._called or not self._rules.required:
            return []
        if self._may_ask_again and not self.sent:
            said = "".join(piece.text for piece in self._held if isinstance(piece, Text))
            raise AskAgain(said, DEMAND)
        return self._held
