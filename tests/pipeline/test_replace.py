from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.pipeline.replace import settle
from poe2openai.poe.events import Done, Error, File, Replace, Text, ToolCallDelta
from tests.support.pipeline import batches_of, cuttings, merged, regrouped, text_of

FILE = File("https://x.example/a.png", "image/png", "a.png")
OTHER_FILE = File("https://x.example/b.png", "image/png", "b.png")
CALL = ToolCallDelta(0, "call_1", "f", "{}")
BROKEN = Error(GatewayError(ErrorKind.UPSTREAM_ERROR, "The bot gave up."))
STEP = Replace("Generating image... (3s elapsed)")


class Dialogue:
    """Says one batch after the other and hears at once what comes out."""

    def __init__(self, *, hold: bool = False) -> None:
        self.notes: list[str] = []
        self._batch: list[Any] = []
        self._stage = settle(self._source(), hold=hold, note=self.notes.append)

    def say(self, *events: object) -> list[Any]:
        self._batch = list(events)
        return merged(next(self._stage))

    def _source(self) -> Iterator[list[Any]]:
        while True:
            yield self._batch


def whole(*events: object) -> list[Any]:
    return Dialogue(hold=True).say(*events)


def streamed(*events: object) -> list[Any]:
    """Each event in a read of its own."""
    dialogue = Dialogue()
    return merged([out for event in events for out in dialogue.say(event)])


def test_text_goes_out_as_it_comes() -> None:
    poe = Dialogue()
    assert poe.say(Text("Hel")) == [Text("Hel")]
    assert poe.say() == []
    assert poe.say(Text("lo"), FILE) == [Text("lo"), FILE]
    assert poe.say(CALL) == [CALL]
    assert poe.say(Done("stop")) == [Done("stop")]
    assert poe.notes == []


def test_a_held_answer_comes_in_one_piece_at_the_end() -> None:
    poe = Dialogue(hold=True)
    assert poe.say(Text("Hel")) == []
    assert poe.say() == []
    assert poe.say(FILE) == []
    assert poe.say(Text("lo")) == []
    assert poe.say(Done()) == [Text("Hel"), FILE, Text("lo"), Done()]


def test_replacements_are_held_until_the_text_is_final() -> None:
    poe = Dialogue()
    assert poe.say(Replace("Hel")) == []
    assert poe.say(Text("lo")) == []
    assert poe.say(Replace("Bye")) == []
    assert poe.say(Text("!")) == []
    assert poe.say(Done()) == [Text("Bye!"), Done()]
    assert poe.notes == []


def test_what_was_sent_and_stays_is_not_sent_again() -> None:
    poe = Dialogue()
    assert poe.say(Text("Hello")) == [Text("Hello")]
    assert poe.say(Replace("Hello wor")) == []
    assert poe.say(Text("ld"), Done()) == [Text(" world"), Done()]
    assert poe.notes == []


def test_the_final_text_follows_what_it_does_not_continue() -> None:
    poe = Dialogue()
    assert poe.say(Text("Hello")) == [Text("Hello")]
    assert poe.say(Replace("Bye"), Done()) == [Text("\n\nBye"), Done()]
    assert len(poe.notes) == 1
    assert "replace_response" in poe.notes[0]


def test_a_whole_answer_is_exactly_the_final_text() -> None:
    poe = Dialogue(hold=True)
    assert poe.say(Text("Hello"), Replace("Bye"), Text(" now"), Done()) == [Text("Bye now"), Done()]
    assert poe.notes == []


def test_text_that_was_taken_back_altogether_is_noted() -> None:
    poe = Dialogue()
    poe.say(Text("Hello"))
    assert poe.say(Replace(""), FILE, Done()) == [FILE, Done()]
    assert len(poe.notes) == 1
    assert "took back" in poe.notes[0]
    assert "follows" not in poe.notes[0]


def test_text_that_a_mere_progress_took_the_place_of_is_noted() -> None:
    poe = Dialogue()
    poe.say(Text("abc"))
    assert poe.say(Replace("Generating image... (3s elapsed)"), Done()) == [Done()]
    assert "took back" in poe.notes[0]


def test_text_that_was_taken_back_before_it_was_sent_is_not_noted() -> None:
    poe = Dialogue(hold=True)
    assert poe.say(Text("abc"), Replace(""), Done()) == [Done()]
    assert poe.notes == []


def test_a_replacement_discards_text_and_keeps_files_and_calls() -> None:
    assert whole(Text("a"), FILE, Text("b"), CALL, Replace("c"), OTHER_FILE, Text("d"), Done()) == [
        *(FILE, CALL, Text("c"), OTHER_FILE, Text("d"), Done())
    ]


def test_the_rest_of_a_text_keeps_its_place_among_files() -> None:
    poe = Dialogue()
    poe.say(Text("abc"))
    assert poe.say(Replace("ab"), FILE, Text("cd"), OTHER_FILE, Text("e"), Done()) == [
        *(FILE, Text("d"), OTHER_FILE, Text("e"), Done())
    ]


def test_progress_of_an_image_bot_never_shows() -> None:
    steps = [Replace(f"Generating image... ({second}s elapsed)") for second in range(1, 9)]
    for dialogue in (whole, streamed):
        assert dialogue(*steps, FILE, Done()) == [FILE, Done()]
        assert dialogue(*steps, FILE, Replace(""), Done()) == [FILE, Done()]
        assert dialogue(*steps, Replace("![a](b)"), Done()) == [Text("![a](b)"), Done()]
        assert dialogue(*steps, Text("Here it is."), Done()) == [Text("Here it is."), Done()]
        assert dialogue(*steps, Text("\n\nHere it is."), Done()) == [Text("Here it is."), Done()]
        assert dialogue(*steps, Done()) == [Done()]
        assert dialogue(Replace("Searching..."), Done()) == [Done()]


def test_an_emptied_text_is_followed_by_the_answer() -> None:
    for dialogue in (whole, streamed):
        assert dialogue(Text("Searching..."), Replace(""), Text("The "), Text("answer."), Done()) == [
            *(Text("The answer."), Done())
        ]


@pytest.mark.parametrize("progress", ["Searching...\n\n", "*Searching the web...*\n", "Thinking... (12s elapsed)\n\n"])
def test_progress_in_front_of_text_is_dropped_in_every_cutting(progress: str) -> None:
    for pieces in cuttings(f"{progress}The answer."):
        for hold in (False, True):
            batches = batches_of(pieces, Done())
            result = merged(event for batch in settle(batches, hold=hold, note=pytest.fail) for event in batch)
            assert result == [Text("The answer."), Done()], pieces


def test_text_that_only_looked_like_progress_goes_out_as_soon_as_that_is_known() -> None:
    poe = Dialogue()
    assert poe.say(Text("Search")) == []
    assert poe.say(Text("ing for ")) == []
    assert poe.say(Text("gold. Fo")) == [Text("Searching for gold. Fo")]
    assert poe.say(Text("und.")) == [Text("und.")]
    assert poe.say(Replace("Searching for gold. Found. End."), Done()) == [Text(" End."), Done()]


def test_progress_without_elapsed_time_is_the_answer_if_there_is_no_other() -> None:
    for dialogue in (whole, streamed):
        assert dialogue(Text("Searching..."), Done()) == [Text("Searching..."), Done()]
        assert dialogue(Text("Searching..."), CALL, Done()) == [Text("Searching..."), CALL, Done()]
        assert dialogue(Text("Searching..."), FILE, Done()) == [FILE, Done()]
        assert dialogue(FILE, Text("Searching..."), Done()) == [FILE, Done()]
        assert dialogue(Text("Searching... (2s elapsed)"), Done()) == [Done()]
        assert dialogue(Replace("Thinking..."), Replace(""), Text("Searching..."), Done()) == [
            *(Text("Searching..."), Done())
        ]


def test_a_file_passes_while_nothing_but_progress_came() -> None:
    poe = Dialogue()
    assert poe.say(Text("Generating image...")) == []
    assert poe.say(FILE) == [FILE]
    assert poe.say(Text("Generating image... (2s elapsed)")) == []
    assert poe.say(Text("\n\nTwo pictures.")) == [Text("Two pictures.")]


def test_the_mark_of_reasoning_stays_in_front_of_its_quote() -> None:
    thought = "*Thinking...*\n\n> a\n> b\n\nanswer"
    for pieces in cuttings(thought):
        batches = batches_of(pieces, Done())
        result = merged(event for batch in settle(batches, hold=False, note=pytest.fail) for event in batch)
        assert result == [Text(thought), Done()]
    for dialogue in (whole, streamed):
        assert dialogue(Replace("Thinking... (1s elapsed)"), Replace(thought), Done()) == [Text(thought), Done()]
        assert dialogue(Text("Searching...\n"), Text(thought), Done()) == [Text(thought), Done()]
        assert dialogue(Replace("*Thinking...*"), Text("> a\n\nb"), Done()) == [
            *(Text("*Thinking...*\n\n> a\n\nb"), Done())
        ]


def test_a_replacement_that_continues_a_sent_thought_sends_only_the_rest() -> None:
    poe = Dialogue()
    assert poe.say(Text("*Thinking...*\n\n> a")) == [Text("*Thinking...*\n\n> a")]
    assert poe.say(Replace("*Thinking...*\n\n> a\n> b\n\nanswer"), Done()) == [Text("\n> b\n\nanswer"), Done()]


def test_the_elapsed_time_of_a_thought_is_no_change_of_text() -> None:
    poe = Dialogue()
    assert poe.say(Text("Thinking... (2s elapsed)\n> a")) == [Text("*Thinking...*\n\n> a")]
    assert poe.say(Replace("Thinking... (3s elapsed)\n> a\n> b"), Done()) == [Text("\n> b"), Done()]
    assert poe.notes == []


@pytest.mark.parametrize("hold", [False, True])
def test_an_error_goes_alone_while_nothing_was_sent(hold: bool) -> None:
    for held in (Text("Searching..."), STEP, Replace("Half an ans")):
        poe = Dialogue(hold=hold)
        assert poe.say(held) == []
        assert poe.say(BROKEN) == [BROKEN]


def test_an_error_adds_nothing_unsettled_to_what_was_sent() -> None:
    poe = Dialogue()
    assert poe.say(Text("Hello")) == [Text("Hello")]
    assert poe.say(Replace("Bye"), BROKEN) == [BROKEN]


def test_the_first_of_several_answers_is_delivered() -> None:
    poe = Dialogue()
    assert poe.say(Text("second", 1)) == []
    assert poe.say(Text("first")) == [Text("first")]
    assert poe.say(Text("third", 2), Replace("second!", 1)) == []
    assert poe.say(Text(" answer"), Text(" again", 1), Done()) == [Text(" answer"), Done()]


def test_without_an_answer_0_the_lowest_is_delivered() -> None:
    for dialogue in (whole, streamed):
        events = (
            Text("five", 5),
            Text("tw", 2),
            Text("more", 5),
            Replace("two", 2),
            Text("!", 2),
            Text("3", 3),
            Done(),
        )
        assert dialogue(*events) == [Text("two!"), Done()]
        assert dialogue(Text("one", 1), Text(""), FILE, Done()) == [FILE, Text("one"), Done()]


def test_however_events_are_read_the_result_is_the_same() -> None:
    events = [
        Text("Searching"),
        Text("...\n"),
        FILE,
        Text("\nHi"),
        CALL,
        Replace("Hi you"),
        OTHER_FILE,
        Text("!"),
        Done(),
    ]
    expected = [FILE, Text("\nHi"), CALL, OTHER_FILE, Text("\n\nHi you!"), Done()]
    for sizes in ([], [1] * 9, [2, 0, 2, 2], [3, 0, 0, 3], [4, 1]):
        stage = partial(settle, hold=False, note=lambda _: None)
        assert text_of(event for batch in stage(regrouped(events, sizes)) for event in batch) == text_of(expected)


def test_many_events_are_settled_in_linear_time() -> None:
    events = [*([Text("word ")] * 50_000), Replace("word "), *([Text("word ")] * 49_999), Text("end"), Done()]
    assert text_of(streamed(*events)) == "word " * 50_000 + "end"
