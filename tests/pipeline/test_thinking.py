import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.pipeline.pieces import Piece, Thought
from poe2openai.pipeline.thinking import split
from poe2openai.poe.events import Done, Error, PoeEvent, Text, ToolCallDelta
from tests.support.pipeline import batches_of, cuttings, run

CALL = ToolCallDelta(0, "call_1", "f", "{}")
BROKEN = Error(GatewayError(ErrorKind.UPSTREAM_ERROR, "gone"))

# What Poe says, the thought in it, the answer in it.
THOUGHTS = [
    ("*Thinking...*\n\n> a\n> b\n\nanswer", "a\nb", "answer"),
    ("Thinking...\n> a\n\nanswer", "a", "answer"),
    ("\n *Thinking... (12s elapsed)*\n\n> a\n\nanswer", "a", "answer"),
    ("*Thinking...* (12s elapsed)\n\n> a\n\nanswer", "a", "answer"),
    ("Thinking... (1s elapsed)\nThinking... (2s elapsed)\n\n> a\n\nanswer", "a", "answer"),
    ("*Thinking...*\n\n> a\n>\n> b\n> \n> c\n\nd", "a\n\nb\n\nc", "d"),
    ("*Thinking...*\n\n> > inner\n>> twice\n>     code\n\nd", "> inner\n> twice\n    code", "d"),
    ("*Thinking...*\n\n>x\n>\ty\n\nd", "x\n\ty", "d"),
    ("*Thinking...*\n\n> a  \n>  b\n>\n\nd", "a  \n b\n", "d"),
    ("*Thinking...*\r\n\r\n> a\r\n> b\r\n\r\nd\r\ne", "a\r\nb", "d\r\ne"),
    ("*Thinking...*\n\n> a\rb\n\nd", "a\rb", "d"),
    ("*Thinking...*\n\n> a\n> b\r\n\r\nd", "a\nb", "d"),
    ("*Thinking...*\n\n> a\nlazy", "a", "lazy"),
    ("*Thinking...*\n\n> a\n\n\n    code\n\nend\n", "a", "    code\n\nend\n"),
    ("*Thinking...*\n\n> a\n  \n\t\nd", "a", "d"),
    ("*Thinking...*\n\n> a\n\n> quote\n\nd", "a", "> quote\n\nd"),
    ("*Thinking...*\n\n> a\n> b", "a\nb", ""),
    ("*Thinking...*\n\n> a\n", "a", ""),
    ("*Thinking...*\n\n> a\n\n  \n", "a", ""),
    ("*Thinking...*\n\n> a\n>", "a\n", ""),
    ("*Thinking...*\n\n> a\r", "a\r", ""),
    ("*Thinking...*\n\n>\n\nd", "", "d"),
    ("*Thinking...*\n\n> *Thinking...*\n> > a\n\nd", "*Thinking...*\n> a", "d"),
    ("*Thinking...*\n\n> 猫\U0001f600\n\n猫", "猫\U0001f600", "猫"),
]
ANSWERS = [
    "Hello",
    "> a quote\n\nHello",
    "Thinking about it…",
    "Thinking...deeply",
    "Thinking... > no quote",
    "Hello\n\n*Thinking...*\n\n> a quote\n\nend",
    "  \n\n  Hello",
    "*Thinking* hard\n\n> quote",
    "\n",
]


@pytest.mark.parametrize(("text", "thought", "answer"), THOUGHTS)
def test_a_thought_and_its_answer_in_every_cutting(text: str, thought: str, answer: str) -> None:
    expected: list[Piece] = [Done("stop")]
    if answer:
        expected.insert(0, Text(answer))
    if thought:
        expected.insert(0, Thought(thought))
    for pieces in cuttings(text):
        assert run(split, batches_of(pieces, Done("stop"))) == expected, pieces


@pytest.mark.parametrize("text", ANSWERS)
def test_what_is_no_thought_is_the_answer_in_every_cutting(text: str) -> None:
    for pieces in cuttings(text):
        assert run(split, batches_of(pieces, Done())) == [Text(text), Done()], pieces


@pytest.mark.parametrize(
    "marker", ["*Thinking...*", "Thinking... (3s elapsed)", "*Thinking...*\n\nThinking... (9s elapsed)"]
)
def test_a_marker_without_a_quote_is_dropped(marker: str) -> None:
    for pieces in cuttings(f"{marker}\n\nanswer\n\n> quote"):
        assert run(split, batches_of(pieces, Done())) == [Text("answer\n\n> quote"), Done()], pieces


def test_thoughts_come_out_as_they_come_in() -> None:
    said = ["*Think", "ing...*\n", "\n>", " Let", " me", " see.\n", "", "> Yes", "\n", "\n", "  ", "It is", " so.\n"]
    stage = split(batches_of(said, Done())[::2])
    assert [next(stage) for _ in said] == [
        *([], [], []),
        [Thought("Let")],
        [Thought(" me")],
        [Thought(" see.")],
        [],
        [Thought("\nYes")],
        *([], [], []),
        [Text("  It is")],
        [Text(" so.\n")],
    ]


def test_an_idle_tick_passes_at_once_in_every_state() -> None:
    states = ["*Thinking", "...*\n\n> a", "\n\n", "answer", " goes on"]
    stage = split(batches_of(states, Done()))
    assert [next(stage) for _ in range(10)][1::2] == [[]] * 5


def test_once_the_answer_began_batches_are_not_touched() -> None:
    batches: list[list[PoeEvent]] = [[Text("answer")], [], [Text("> a"), Text("b")], [Done()]]
    stage = split(batches)
    assert next(stage) == [Text("answer")]
    assert all(passed is batch for passed, batch in zip(stage, batches[1:], strict=True))


def test_a_tool_call_ends_a_thought() -> None:
    thought = "*Thinking...*\n\n> a\n>"
    assert run(split, [[Text(thought), CALL, Text("answer"), Done()]]) == [
        *(Thought("a\n"), CALL, Text("answer"), Done())
    ]
    assert run(split, [[Text("*Thinking...*\n\n> a\n\n")], [CALL], [Done()]]) == [Thought("a"), CALL, Done()]
    assert run(split, [[Text("Thinking...")], [CALL], [Done()]]) == [CALL, Done()]


@pytest.mark.parametrize("marker", ["Thinking...", "*Thinking...*\n\n", "Thinking... (3s elapsed)"])
def test_a_marker_that_no_quote_follows_is_dropped(marker: str) -> None:
    for pieces in cuttings(marker):
        assert run(split, batches_of(pieces, Done())) == [Done()], pieces
    assert run(split, [[Text(f"{marker.strip()}\n\nThe answer."), Done()]]) == [Text("The answer."), Done()]


@pytest.mark.parametrize("said", ["*Thinking...*", "*Thinking...*\n\n> a\n>", "*Thinking...*\n\n> a\n\n "])
def test_an_error_goes_without_what_was_held(said: str) -> None:
    for pieces in cuttings(said):
        assert run(split, batches_of(pieces, BROKEN)) in ([BROKEN], [Thought("a"), BROKEN])


LINES = st.lists(st.text(alphabet="ab >\t*.…é", max_size=6), min_size=1, max_size=6)
ENDS = st.sampled_from(["\n", "\r\n"])
CUTS = st.lists(st.integers(min_value=1, max_value=8), max_size=30)


@settings(max_examples=200, deadline=None)
@given(lines=LINES, end=ENDS, bare=st.booleans(), answer=st.text(alphabet="ab> \n*", max_size=12), cuts=CUTS)
def test_whatever_is_thought_comes_back(lines: list[str], end: str, bare: bool, answer: str, cuts: list[int]) -> None:
    answer = f"x{answer}"
    quote = end.join(f"> {line}" if line or not bare else ">" for line in lines)
    text = f"*Thinking...*{end}{end}{quote}{end}{end}{answer}"
    pieces: list[str] = []
    for cut in cuts:
        pieces.append(text[:cut])
        text = text[cut:]
    thought = end.join(lines)
    expected = [Thought(thought)] if thought else []
    assert run(split, batches_of([*pieces, text], Done())) == [*expected, Text(answer), Done()]


@pytest.mark.parametrize(
    "text",
    ["> a\n" * 40_000, ">" * 200_000, "> a" + "\r" * 200_000, "> a\n" + " " * 200_000, "> a\n" + "\n" * 200_000],
    ids=["lines", "marks", "returns", "spaces", "breaks"],
)
def test_a_hostile_thought_costs_no_more_than_its_length(text: str) -> None:
    text = f"*Thinking...*\n{text}"
    begin = time.process_time()
    run(split, [[Text(text)], [Done()]])
    run(split, [*([Text(text[start : start + 20])] for start in range(0, len(text), 20)), [Done()]])
    assert time.process_time() - begin < 3
