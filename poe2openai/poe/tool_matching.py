"""Which tool result belongs to which call, in histories that clients have cut, merged or written in their own ways.

Ids decide. An id may be there twice, once in each round, as some models count from zero each time: then the nearest
call before a result that has none yet is its own. Without an id, or with the tool's name in its place (OpenAI's
`function_call`, before there were tools), results are matched by name and by order.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from poe2openai.core.request import Message, Part, Text, ToolCall, ToolResult


@dataclass(slots=True, eq=False)
class Call:
    """A call and the results that came for it.

    `round` counts the messages with calls, `block` the runs of such messages without results between them.
    """

    call: ToolCall
    round: int
    block: int
    results: list[ToolResult] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Round:
    """The calls of one message and what the assistant said beside them."""

    said: list[Part]
    calls: list[Call]


@dataclass(slots=True, eq=False)
class Given:
    """A result where it stands; `call` is None as long as its call is not found."""

    result: ToolResult
    call: Call | None = None


def match(messages: Sequence[Message]) -> list[Message | Round | Given]:
    """The history in its order: messages have no calls and no results, and what the assistant says is not empty.

    What it says between its calls and their results is put with the calls.
    """
    return _Matching(messages).matched()


class _Waiting:
    """Calls without a result, by some key; `calls` may grow meanwhile."""

    def __init__(self, calls: Sequence[Call], key: Callable[[ToolCall], str]) -> None:
        self._calls = calls
        self._key = key
        self._known = 0
        self._blocks: dict[str, list[deque[Call]]] = {}

    def take(self, key: str) -> Call | None:
        """The first one of the latest block that has any."""
        self._learn()
        blocks = self._blocks.get(key, [])
        while blocks:
            while blocks[-1]:
                call = blocks[-1].popleft()
                if not call.results:
                    return call
            blocks.pop()
        return None

    def _learn(self) -> None:
        for call in self._calls[self._known :]:
            blocks = self._blocks.setdefault(self._key(call.call), [])
            if not blocks or not blocks[-1] or blocks[-1][0].block != call.block:
                blocks.append(deque())
            blocks[-1].append(call)
        self._known = len(self._calls)


class _Matching:
    def __init__(self, messages: Sequence[Message]) -> None:
        self._messages = messages
        self._ids = {part.id for message in messages for part in message.parts if isinstance(part, ToolCall)}
        self._found: list[Message | Round | Given | None] = []
        self._calls: list[Call] = []
        self._by_id = _Waiting(self._calls, lambda call: call.id)
        self._by_name = _Waiting(self._calls, lambda call: call.name)
        self._any = _Waiting(self._calls, lambda _: "")
        self._rounds = self._blocks = 0
        self._block_is_open = False  # the calls of the next message belong to the same block
        self._just_given: dict[str, Call] = {}  # what the run of results so far was of, by their ids
        self._last_round: Round | None = None  # as long as the assistant alone has spoken since
        self._said_since: list[
            tuple[int, Message]
        ] = []  # the assistant's words behind the last calls, and their places

    def matched(self) -> list[Message | Round | Given]:
        for message in self._messages:
            if has_tools(message):
                self._take_apart(message)
            else:
                self._pass(message)
        found = [each for each in self._found if each is not None]
        self._match_early_ones([each for each in found if isinstance(each, Given) and each.call is None])
        return found

    def _take_apart(self, message: Message) -> None:
        said: list[Part] = []
        calls: list[Call] = []
        for part in message.parts:
            if isinstance(part, ToolResult):
                if calls:
                    self._open(Round(said, calls))
                    said, calls = [], []
                self._give(part)
            elif isinstance(part, ToolCall):
                if not calls:
                    self._rounds += 1
                    self._blocks += not self._block_is_open
                calls.append(Call(part, self._rounds, self._blocks))
            elif not _is_blank_text(part):
                said.append(part)
        if calls:
            self._open(Round(said, calls))
        elif said:
            self._pass(Message("user" if message.role == "tool" else message.role, tuple(said)))

    def _open(self, opened: Round) -> None:
        self._found.append(opened)
        self._calls += opened.calls
        self._block_is_open = True
        self._just_given.clear()
        self._last_round = opened
        self._said_since.clear()

    def _pass(self, message: Message) -> None:
        if is_blank(message):
            return
        if message.role == "assistant":
            self._said_since.append((len(self._found), message))
        else:
            self._block_is_open = False
            self._last_round = None
        self._just_given.clear()
        self._found.append(message)

    def _give(self, result: ToolResult) -> None:
        call = self._call_of(result)
        if call is not None:
            call.results.append(result)
            self._just_given[result.call_id] = call
            if self._last_round is not None and call.round == self._rounds:
                self._put_words_with_calls(self._last_round)
        self._found.append(Given(result, call))
        self._block_is_open = False

    def _put_words_with_calls(self, last_round: Round) -> None:
        for place, message in self._said_since:
            last_round.said += [part for part in message.parts if not _is_blank_text(part)]
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


def has_tools(message: Message) -> bool:
    """A message of the role `tool` does not go on as it is, even without a result."""
    for part in message.parts:
        if type(part) is ToolCall or type(part) is ToolResult:
            return True
    return message.role == "tool"


def is_blank(message: Message) -> bool:
    """Whether the assistant says nothing here."""
    return message.role == "assistant" and all(_is_blank_text(part) for part in message.parts)


def _is_blank_text(part: Part) -> bool:
    return type(part) is Text and not part.text.strip()
