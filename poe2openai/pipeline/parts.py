"""Opens and closes the parts of an answer, one at a time."""

import secrets
from collections import deque
from collections.abc import Iterable, Iterator

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.events import (
    AnswerEvent,
    Failed,
    Finished,
    FinishReason,
    PartDelta,
    PartFinished,
    PartKind,
    PartStarted,
    Started,
)
from poe2openai.pipeline.json_flow import JsonFlow
from poe2openai.pipeline.pieces import Piece, Stopped, Thought
from poe2openai.poe.events import Done, Error, Text, ToolCallDelta


def assemble(batches: Iterable[list[Piece]]) -> Iterator[list[AnswerEvent]]:
    """The answer's grammar begins here: `Started` comes with the first event there is."""
    assembler = _Assembler()
    for batch in batches:
        if len(batch) == 1 and type(piece := batch[0]) is assembler.flowing and piece.text:
            yield [PartDelta(assembler.flowing_index, piece.text)]
            continue
        call = assembler.flowing_call
        if call is not None and len(batch) == 1 and type(piece := batch[0]) is ToolCallDelta and call.owns(piece):
            arguments = call.json.feed(piece.arguments)
            yield [PartDelta(assembler.flowing_index, arguments)] if arguments else []
            continue
        yield assembler.take(batch)
        if assembler.ended:
            return
    lost = GatewayError(ErrorKind.UPSTREAM_CUT_OFF, "The answer was cut off before its end.")
    yield assembler.take([Error(lost)])


class _Part:
    """A part that is open, or waits until the one before it is whole."""

    def __init__(self, kind: PartKind) -> None:
        self.kind = kind
        self.index: int | None = None  # once it is open
        self.waiting: list[str] = []

    @property
    def whole(self) -> bool:
        """Whether nothing is missing if another part comes next."""
        return True

    def start(self, index: int) -> PartStarted | None:
        """None as long as it cannot begin."""
        self.index = index
        return PartStarted(index, self.kind)


class _Call(_Part):
    """A tool call: begins once it has a name, and is whole when its JSON is."""

    def __init__(self, call_id: str, delta: ToolCallDelta) -> None:
        super().__init__("tool_call")
        self.name: str | None = None
        self.json = JsonFlow("container")
        self._given_id = delta.id
        self._given_index = delta.index
        self._call_id = call_id

    @property
    def whole(self) -> bool:
        return self.json.complete

    def owns(self, delta: ToolCallDelta) -> bool:
        """Whether this is a piece of this call; some bots begin another one under the same index."""
        return delta.index == self._given_index and (not delta.id or not self._given_id or delta.id == self._given_id)

    def finish(self, *, cut_off: bool) -> None:
        """Clients read JSON: a call without arguments has an empty object of them. What was cut off stays as it is."""
        if cut_off:
            self.waiting.append(self.json.held)
        else:
            self.waiting.append("{}" if self.json.untouched else self.json.finish())

    def start(self, index: int) -> PartStarted | None:
        if not self.name:
            return None
        self.index = index
        return PartStarted(index, self.kind, self._call_id, self.name)


class _Assembler:
    """The queue's first part is open, or about to open; the others wait behind it."""

    def __init__(self) -> None:
        self.ended = False
        self.flowing: type[Text] | type[Thought] | None = None  # what may go out at once, as part `flowing_index`
        self.flowing_call: _Call | None = None  # as `flowing`, for its arguments
        self.flowing_index = 0
        self._started = False
        self._queue: deque[_Part] = deque()
        self._calls: dict[int, _Call] = {}
        self._call_ids: set[str] = set()
        self._next_index = 0
        self._any_call = False
        self._out: list[AnswerEvent] = []

    def take(self, batch: list[Piece]) -> list[AnswerEvent]:
        self._out = []
        for piece in batch:
            self._take_one(piece)
            if self.ended:
                break
        self._note_what_flows()
        if self._out and not self._started:
            self._started = True
            self._out.insert(0, Started())
        return self._out

    def _take_one(self, piece: Piece) -> None:
        match piece:
            case Text(text):
                self._add_content("text", text)
            case Thought(text):
                self._add_content("reasoning", text)
            case ToolCallDelta():
                self._add_to_call(piece)
            case Done(reason):
                self._finish(reason, cut_off=reason == "length")
            case Stopped(reason):
                self._finish(reason, cut_off=reason != "tool_calls")
            case Error(error):
                self._out.append(Failed(error))
                self.ended = True

    def _add_content(self, kind: PartKind, text: str) -> None:
        if not text:
            return
        if not self._queue or self._queue[-1].kind != kind:
            self._queue.append(_Part(kind))
        self._queue[-1].waiting.append(text)
        self._advance()

    def _add_to_call(self, delta: ToolCallDelta) -> None:
        call = self._calls.get(delta.index)
        if call is None or not call.owns(delta):
            call = _Call(self._unique_id(delta.id), delta)
            self._calls[delta.index] = call
            self._queue.append(call)
        call.name = call.name or delta.name
        if call in self._queue and delta.arguments:
            call.waiting.append(call.json.feed(delta.arguments))
        self._advance()

    def _advance(self, *, last: bool = False) -> None:
        """Sends what may go out, and closes what is whole and has others waiting behind it."""
        while self._queue:
            part = self._queue[0]
            if part.index is None and not self._open(part):
                return
            if text := "".join(part.waiting):
                self._out.append(PartDelta(self._next_index - 1, text))
            part.waiting.clear()
            if not last and (len(self._queue) == 1 or not part.whole):
                return
            self._out.append(PartFinished(self._next_index - 1))
            self._queue.popleft()

    def _open(self, part: _Part) -> bool:
        start = part.start(self._next_index)
        if start is None:
            return False
        self._next_index += 1
        self._any_call = self._any_call or part.kind == "tool_call"
        self._out.append(start)
        return True

    def _finish(self, reason: FinishReason | None, *, cut_off: bool) -> None:
        self._queue = deque(part for part in self._queue if not isinstance(part, _Call) or part.name)
        for part in self._queue:
            if isinstance(part, _Call):
                part.finish(cut_off=cut_off)
        self._advance(last=True)
        if reason in (None, "stop", "tool_calls"):
            reason = "tool_calls" if self._any_call else "stop"
        self._out.append(Finished(reason))
        self.ended = True

    def _note_what_flows(self) -> None:
        self.flowing = self.flowing_call = None
        if len(self._queue) == 1 and (part := self._queue[0]).index is not None:
            self.flowing_index = part.index
            if isinstance(part, _Call):
                self.flowing_call = part
            else:
                self.flowing = Text if part.kind == "text" else Thought

    def _unique_id(self, given: str | None) -> str:
        call_id = given
        while not call_id or call_id in self._call_ids:
            call_id = f"call_{secrets.token_hex(12)}"
        self._call_ids.add(call_id)
        return call_id
