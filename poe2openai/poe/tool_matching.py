"""Which tool result belongs to which call, in histories that clients have cut, merged or written in their own ways.

Ids decide. An id may be there twice, once in each round, as some models count from zero each time: then the nearest
call before a result that has none yet is its own. Without an id, or with the tool's name in its place (OpenAI's
`function_call`, before there were tools), results are matched by name and by order.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from poe2openai.core.request import Message, Part, Role, Text, ToolCall, ToolResult


@dataclass(slots=True, eq=False)
class Call:
    """A call and the results that came for it.

    `turn` counts the messages with calls, `block` the runs of such messages without results between them.
    """

    call: ToolCall
    turn: int
    block: int
    results: list[ToolResult] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Turn:
    """A message of which the results are taken out, or a part of one: what was said behind a result is another turn.

    `message` is the message itself where it has neither calls nor results.
    """

    role: Role
    said: list[Part]
    calls: list[Call]
    message: Message | None = None


@dataclass(slots=True, eq=False)
class Given:
    """A result where it stands; `call` is None as long as its call is not found."""

    result: ToolResult
    call: Call | None = None


def match(messages: Sequence[Message]) -> list[Turn | Given]:
    """The history in its order. Empty messages of the assistant's are left out.

    What the assistant says between its calls and their results is put with the calls.
    """
    return _Matching(messages).matched()


class _Waiting:
    """Calls without a result, by some key."""

    def __init__(self) -> None:
        self._blocks: dict[str, list[tuple[int, deque[Call]]]] = {}

    def add(self, key: str, call: Call) -> None:
        blocks = self._blocks.setdefault(key, [])
        if not blocks or blocks[-1][0] != call.block:
            blocks.append((call.block, deque()))
        blocks[-1][1].append(call)

    def take(self, key: str) -> Call | None:
        """The first one of the latest block that has any."""
        blocks = self._blocks.get(key, [])
        while blocks:
            calls = blocks[-1][1]
            while calls:
                call = calls.popleft()
                if not call.results:
                    return call
            blocks.pop()
        return None


class _Matching:
    def __init__(self, messages: Sequence[Message]) -> None:
        self._messages = messages
        self._ids = {part.id for message in messages for part in message.parts if isinstance(part, ToolCall)}
        self._found: list[Turn | Given | None] = []
        self._calls: list[Call] = []
        self._by_id, self._by_name, self._any = _Waiting(), _Waiting(), _Waiting()
        self._turn = self._block = 0
        self._block_is_open = False  # the calls of the next message belong to the same block
        self._just_given: dict[str, Call] = {}  # what the run of results so far was of, by their ids
        self._last_calls: Turn | None = None
        self._said_since: list[int] = []  # the assistant's words behind the last calls, by their places

    def matched(self) -> list[Turn | Given]:
        for message in self._messages:
            if message.role == "tool" or any(isinstance(part, ToolCall | ToolResult) for part in message.parts):
                self._take_apart(message)
            elif message.role != "assistant" or not _is_blank(message):
                self._pass(Turn(message.role, [], [], message))
        found = [each for each in self._found if each is not None]
        self._match_early_ones([each for each in found if isinstance(each, Given) and each.call is None])
        return found

    def _take_apart(self, message: Message) -> None:
        said: list[Part] = []
        calls: list[Call] = []
        for part in message.parts:
            if isinstance(part, ToolResult):
                if calls:
                    self._open(Turn("assistant", said, calls))
                    said, calls = [], []
                self._give(part)
            elif isinstance(part, ToolCall):
                if not calls:
                    self._turn += 1
                    self._block += not self._block_is_open
                calls.append(Call(part, self._turn, self._block))
            else:
                said.append(part)
        if calls:
            self._open(Turn("assistant", said, calls))
        elif said:
            self._pass(Turn("user" if message.role == "tool" else message.role, said, []))

    def _open(self, turn: Turn) -> None:
        self._found.append(turn)
        self._calls += turn.calls
        for call in turn.calls:
            self._by_id.add(call.call.id, call)
            self._by_name.add(call.call.name, call)
            self._any.add("", call)
        self._block_is_open = True
        self._just_given.clear()
        self._last_calls = turn
        self._said_since.clear()

    def _pass(self, turn: Turn) -> None:
        if turn.role == "assistant":
            self._said_since.append(len(self._found))
        else:
            self._block_is_open = False
            self._last_calls = None
        self._just_given.clear()
        self._found.append(turn)

    def _give(self, result: ToolResult) -> None:
        call = self._call_of(result)
        if call is not None:
            call.results.append(result)
            self._just_given[result.call_id] = call
            if self._last_calls is not None and call.turn == self._turn:
                self._put_words_with_calls(self._last_calls)
        self._found.append(Given(result, call))
        self._block_is_open = False

    def _put_words_with_calls(self, turn: Turn) -> None:
        for place in self._said_since:
            between = self._found[place]
            if isinstance(between, Turn):
                turn.said += between.message.parts if between.message else between.said
                self._found[place] = None
        self._said_since.clear()

    def _call_of(self, result: ToolResult) -> Call | None:
        """A second result for one call counts as long as nothing else was said; later, it is news of its own."""
        call_id = result.call_id
        if call_id and call_id in self._ids:
            return self._by_id.take(call_id) or self._just_given.get(call_id)
        if call_id:
            return self._by_name.take(call_id) or self._by_id.take("") or self._just_given.get(call_id)
        return self._by_id.take("") or self._any.take("")

    def _match_early_ones(self, unmatched: list[Given]) -> None:
        """Results that stand before their calls."""
        if not unmatched:
            return
        waiting: dict[str, deque[Call]] = {}
        for call in self._calls:
            if not call.results and call.call.id:
                waiting.setdefault(call.call.id, deque()).append(call)
        for given in unmatched:
            if calls := waiting.get(given.result.call_id):
                given.call = calls.popleft()
                given.call.results.append(given.result)


def _is_blank(message: Message) -> bool:
    return all(isinstance(part, Text) and not part.text.strip() for part in message.parts)
