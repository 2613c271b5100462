"""Settles what the text of an answer is: replacements, progress, and several answers by index.

Text goes out as it comes until a `Replace` shows up; from there on it is held until Poe is done, for the next `Replace`
may undo all of it. An answer that breaks off while text is held ends without that text: it was never settled, and as
long as nothing was sent the error keeps its true status.
"""

from collections.abc import Callable, Iterable, Iterator

from poe2openai.pipeline.pieces import joined
from poe2openai.pipeline.progress import MARKER, Opening, is_mere_progress
from poe2openai.poe.events import Done, Error, File, PoeEvent, Replace, Text, ToolCallDelta


def settle(batches: Iterable[list[PoeEvent]], *, hold: bool, note: Callable[[str], None]) -> Iterator[list[PoeEvent]]:
    """No `Replace` and no progress comes out; with `hold` nothing does before the end."""
    settler = _Settler(hold, note)
    for batch in batches:
        if not batch or (len(batch) == 1 and type(batch[0]) is ToolCallDelta and settler.calls_flow):
            yield batch
        elif settler.flows and len(batch) == 1 and type(event := batch[0]) is Text and event.index == 0:
            settler.sent.append(event.text)
            yield batch
        else:
            yield settler.take(batch)


class _Settler:
    """One answer; its states are the methods that take an event."""

    def __init__(self, hold: bool, note: Callable[[str], None]) -> None:
        self.sent: list[str] = []
        self.flows = False
        self.calls_flow = False  # pieces of tool calls go out as they are
        self._note = note
        self._beginning = _Beginning(progress_counts=True)
        self._held: list[PoeEvent] = []
        self._replaced_by_progress = False
        self._state: Callable[[PoeEvent], list[PoeEvent]] = self._hold if hold else self._begin
        self._answers = _Answers()

    def take(self, batch: list[PoeEvent]) -> list[PoeEvent]:
        events = joined(out for event in batch for chosen in self._answers.choose(event) for out in self._state(chosen))
        self.calls_flow = self.flows or (self._state == self._begin and self._beginning.holds_nothing)
        return events

    def _begin(self, event: PoeEvent) -> list[PoeEvent]:
        """Nothing of the text is certain to be the answer."""
        if isinstance(event, Replace):
            return self._replace(event)
        events = self._beginning.admit(event)
        if self._beginning.over:
            self.flows = True
            self._state = self._flow
        self.sent += [sent.text for sent in events if isinstance(sent, Text)]
        return events

    def _flow(self, event: PoeEvent) -> list[PoeEvent]:
        """The answer has begun, and everything goes out as it comes."""
        if isinstance(event, Replace):
            return self._replace(event)
        if isinstance(event, Text):
            self.sent.append(event.text)
        return [event]

    def _hold(self, event: PoeEvent) -> list[PoeEvent]:
        """A replacement was seen, or may yet come: the text counts only at the end."""
        match event:
            case Replace():
                return self._replace(event)
            case Done():
                return [*self._settled(), event]
            case Error():
                return [event]
            case _:
                self._held.append(event)
                return []

    def _replace(self, event: Replace) -> list[PoeEvent]:
        self._state = self._hold
        self.flows = False
        self._held = [held for held in self._held if not isinstance(held, Text)]
        self._replaced_by_progress = is_mere_progress(event.text)
        # What a bot appends to a progress text stands below it, not beside it.
        self._held.append(Text(f"{event.text}\n\n" if self._replaced_by_progress else event.text))
        return []

    def _settled(self) -> list[PoeEvent]:
        """What is left to send of the final text, and the files and calls among it."""
        beginning = _Beginning(progress_counts=not self._replaced_by_progress)
        events = [event for held in (*self._held, Done()) for event in beginning.admit(held)][:-1]
        final = "".join(event.text for event in events if isinstance(event, Text))
        sent = "".join(self.sent)
        if final.startswith(sent):
            return list(_without_beginning(events, len(sent)))
        if not final:
            self._note("replace_response took back the text that was already sent, and nothing took its place")
            return events
        self._note("replace_response changed text that was already sent; the final text follows it")
        return [Text("\n\n"), *events]


class _Beginning:
    """Drops the progress that an answer opens with; a file or a call ends a line as a line break does."""

    def __init__(self, *, progress_counts: bool) -> None:
        self.over = False
        self._opening = Opening()
        self._alone = progress_counts

    @property
    def holds_nothing(self) -> bool:
        return self._opening.is_empty

    def admit(self, event: PoeEvent) -> list[PoeEvent]:
        if self.over:
            return [event]
        match event:
            case Text(text):
                answer = self._opening.feed(text)
                if answer is None:
                    return []
                self.over = True
                # One form for every marker: a replacement that differs in the elapsed time continues what was sent.
                return [Text(MARKER + answer if self._opening.is_thought else answer)]
            case File():
                self._alone = False
                return [*self._rest(), event]
            case ToolCallDelta() | Done():
                return [*self._rest(), event]
            case _:
                return [event]

    def _rest(self) -> list[PoeEvent]:
        answer = self._opening.finish(alone=self._alone)
        self._opening = Opening()
        if not answer:
            return []
        self.over = True
        return [Text(answer)]


class _Answers:
    """Of several answers by index, lets the lowest through: the others wait until it is known that there is no 0."""

    def __init__(self) -> None:
        self._zero_came = False
        self._aside: list[PoeEvent] = []
        self._lowest = 0

    def choose(self, event: PoeEvent) -> list[PoeEvent]:
        if isinstance(event, Done):
            return [*self._aside, event]
        if not isinstance(event, Text | Replace):
            return [event]
        if event.index == 0:
            if event.text:
                self._zero_came = True
                self._aside.clear()
            return [event]
        if not self._zero_came:
            self._put_aside(event)
        return []

    def _put_aside(self, event: Text | Replace) -> None:
        if not self._aside or event.index < self._lowest:
            self._aside.clear()
            self._lowest = event.index
        if event.index == self._lowest:
            self._aside.append(type(event)(event.text))


def _without_beginning(events: list[PoeEvent], length: int) -> Iterator[PoeEvent]:
    """The same events without the first `length` characters of their text."""
    for event in events:
        if isinstance(event, Text):
            yield Text(event.text[length:])
            length = max(0, length - len(event.text))
        else:
            yield event
