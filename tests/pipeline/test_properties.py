"""Any events of Poe, in any cutting: the grammar holds, nothing is lost, and the cutting makes no difference."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from poe2openai.core.collect import Answer, collect
from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.events import AnswerEvent, Failed, GrammarChecker
from poe2openai.pipeline.order import PipelineOptions, pipeline
from poe2openai.pipeline.pieces import joined
from poe2openai.poe.events import Done, Error, File, PoeEvent, Replace, Text, ToolCallDelta
from tests.support.pipeline import FourLetterTokens, regrouped

FRAGMENTS = (
    *("*Thinking...*", "Thinking", "...", "…", " (3s elapsed)", "Searching", " the web...", "Generating image..."),
    *("\n", "\n\n", "\r\n", "\r", ">", "> ", "> a", " ", "    ", "*", "END", "EN", "word ", "Hello", "猫\U0001f600"),
)
PLAIN = st.text(alphabet="abc ,.\n猫é", min_size=1, max_size=12).map(lambda text: f"x{text}")
TEXTS = st.lists(st.sampled_from(FRAGMENTS), max_size=6).map("".join)
INDEXES = st.sampled_from([0, 0, 0, 0, 1, 2])
FILES = st.builds(File, st.sampled_from(["https://x.example/a", "https://x.example/b c"]), st.just("image/png"), PLAIN)
CALLS = st.builds(
    ToolCallDelta,
    st.integers(0, 2),
    st.sampled_from([None, "c0", "c1"]),
    st.sampled_from([None, "f", "g"]),
    st.sampled_from(["", "{", '"a": ', "1", "}", "{}"]),
)
ENDS = st.sampled_from([Done(), Done("stop"), Done("length"), Error(GatewayError(ErrorKind.UPSTREAM_ERROR, "gone"))])
OPTIONS = st.fixed_dictionaries(
    {
        "hold": st.booleans(),
        "whole": st.booleans(),
        "stop": st.sampled_from([(), ("END",), ("\n\n", "ENDword"), ("> a",)]),
        "max_tokens": st.sampled_from([None, None, 0, 3, 12, 200]),
        "input_tokens": st.sampled_from([None, int]),
    }
)
EVENTS = st.lists(
    st.one_of(
        st.builds(Text, TEXTS, INDEXES), st.builds(Text, TEXTS), st.builds(Replace, TEXTS, INDEXES), FILES, CALLS
    ),
    max_size=10,
)
SIZES = st.lists(st.integers(0, 3), max_size=15)


def run(batches: list[list[PoeEvent]], options: dict[str, Any]) -> list[AnswerEvent]:
    """The answer's events, of which the grammar is checked; each batch gives one batch, but for a last one or two."""
    checker = GrammarChecker()
    result: list[AnswerEvent] = []
    answers = 0
    for batch in pipeline(batches, PipelineOptions(counter=FourLetterTokens(), note=lambda _: None, **options)):
        checker.check(batch)
        result += batch
        answers += 1
    checker.finish()
    assert answers <= len(batches) + 1
    return result


def summary(events: list[AnswerEvent]) -> object:
    """What a client ends up with; ids may be made up, and what a failed answer said depends on when it failed."""
    if isinstance(events[-1], Failed):
        return events[-1].error.kind
    answer = collect([events])
    return [(part.kind, part.name, part.text) for part in answer.parts], answer.reason, answer.usage


def answer_of(events: list[PoeEvent], **changes: Any) -> Answer:
    plain: dict[str, Any] = {"hold": False, "whole": False, "stop": (), "max_tokens": None, "input_tokens": None}
    return collect([run([[event] for event in events], plain | changes)])


@st.composite
def cut_events(draw: st.DrawFn, events: list[PoeEvent]) -> list[PoeEvent]:
    """The same events with their texts cut anywhere."""
    result: list[PoeEvent] = []
    for event in events:
        rest = event.text if isinstance(event, Text) else ""
        while isinstance(event, Text) and len(rest) > 1 and draw(st.booleans()):
            at = draw(st.integers(1, len(rest) - 1))
            result.append(Text(rest[:at], event.index))
            rest = rest[at:]
        result.append(Text(rest, event.index) if isinstance(event, Text) else event)
    return result


@settings(max_examples=500, deadline=None)
@given(data=st.data(), events=EVENTS, end=ENDS, options=OPTIONS, sizes=SIZES)
def test_any_events_in_any_cutting_give_one_answer(
    data: st.DataObject, events: list[PoeEvent], end: Done | Error, options: dict[str, Any], sizes: list[int]
) -> None:
    said = [*events, end]
    expected = summary(run([said], options))
    pieces = data.draw(cut_events(said))
    answers = [summary(run(reads, options)) for reads in (regrouped(pieces, sizes), [[piece] for piece in pieces])]
    if options["whole"] and options["max_tokens"] is not None and any(isinstance(event, Replace) for event in events):
        # Near the limit tokens are counted now and then: a replacement right behind it may come too late to be read.
        return
    assert answers == [expected, expected]


@settings(max_examples=200, deadline=None)
@given(texts=st.lists(PLAIN, min_size=1, max_size=10), sizes=SIZES)
def test_nothing_of_a_plain_answer_is_lost_or_added(texts: list[str], sizes: list[int]) -> None:
    said: list[PoeEvent] = [*map(Text, texts), Done()]
    plain: dict[str, Any] = {"hold": False, "whole": False, "stop": (), "max_tokens": None, "input_tokens": None}
    assert collect([run(regrouped(said, sizes), plain)]).text("text") == "".join(texts)


@settings(max_examples=200, deadline=None)
@given(events=st.lists(st.one_of(st.builds(Text, TEXTS, INDEXES), FILES, CALLS), max_size=10))
def test_without_a_replacement_a_stream_says_what_a_whole_answer_says(events: list[PoeEvent]) -> None:
    streamed, whole = answer_of([*events, Done()]), answer_of([*events, Done()], whole=True)
    for kind in ("text", "reasoning", "tool_call"):
        assert streamed.text(kind) == whole.text(kind)
    assert streamed.reason == whole.reason


@settings(max_examples=200, deadline=None)
@given(texts=st.lists(st.tuples(st.booleans(), PLAIN), max_size=8))
def test_a_whole_answer_is_the_final_text_and_a_stream_ends_with_it(texts: list[tuple[bool, str]]) -> None:
    final = ""
    for replaces, text in texts:
        final = text if replaces else final + text
    said: list[PoeEvent] = [*(Replace(text) if replaces else Text(text) for replaces, text in texts), Done()]
    assert answer_of(said, whole=True).text("text") == final
    assert answer_of(said).text("text").endswith(final)


@settings(max_examples=200, deadline=None)
@given(events=EVENTS)
def test_reads_that_join_texts_change_nothing(events: list[PoeEvent]) -> None:
    plain: dict[str, Any] = {"hold": False, "whole": False, "stop": (), "max_tokens": None, "input_tokens": int}
    first = [event for event in events if not isinstance(event, Text | Replace) or event.index == 0]
    said = [*first, Done()]
    assert summary(run([joined(said)], plain)) == summary(run([[event] for event in said], plain))
