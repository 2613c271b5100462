import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poe2openai.core.collect import AnswerPart, collect
from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.events import (
    Failed,
    Finished,
    FinishReason,
    GrammarChecker,
    PartDelta,
    PartFinished,
    PartStarted,
    Started,
)
from poe2openai.pipeline.parts import assemble
from poe2openai.pipeline.pieces import Piece, Stopped, Thought
from poe2openai.poe.events import Done, Error, Text, ToolCallDelta
from tests.support.pipeline import cuttings

BROKEN = GatewayError(ErrorKind.UPSTREAM_ERROR, "gone")
GENERATED_ID = re.compile(r"call_[0-9a-f]{24}")


class Dialogue:
    """Says one batch after the other and hears at once what comes out; the grammar is watched."""

    def __init__(self) -> None:
        self._batch: list[Piece] = []
        self._checker = GrammarChecker()
        self._stage = assemble(self._source())

    def say(self, *pieces: Piece) -> list[Any]:
        self._batch = list(pieces)
        events = next(self._stage)
        self._checker.check(events)
        return list(events)

    def _source(self) -> Iterator[list[Piece]]:
        while True:
            yield self._batch


def answer(*pieces: Piece) -> tuple[AnswerPart, ...]:
    """The parts of an answer, which have to be the same however its pieces come."""
    checker = GrammarChecker()
    batches = list(assemble([[piece] for piece in pieces]))
    for batch in batches:
        checker.check(batch)
    checker.finish()
    return collect(batches).parts


def call(index: int, arguments: str, call_id: str | None = None, name: str | None = None) -> ToolCallDelta:
    return ToolCallDelta(index, call_id, name, arguments)


def test_text_is_one_part() -> None:
    poe = Dialogue()
    assert poe.say() == []
    assert poe.say(Text("")) == []
    assert poe.say(Text("a")) == [Started(), PartStarted(0, "text"), PartDelta(0, "a")]
    assert poe.say() == []
    assert poe.say(Text("b")) == [PartDelta(0, "b")]
    assert poe.say(Text("")) == []
    assert poe.say(Done()) == [PartFinished(0), Finished("stop")]


def test_a_thought_comes_before_its_answer() -> None:
    poe = Dialogue()
    assert poe.say(Thought("a")) == [Started(), PartStarted(0, "reasoning"), PartDelta(0, "a")]
    assert poe.say(Thought("b")) == [PartDelta(0, "b")]
    assert poe.say(Thought("c"), Text("d")) == [
        *(PartDelta(0, "c"), PartFinished(0), PartStarted(1, "text"), PartDelta(1, "d"))
    ]
    assert poe.say(Done("stop")) == [PartFinished(1), Finished("stop")]


def test_a_tool_call_streams_its_arguments() -> None:
    poe = Dialogue()
    assert poe.say(call(0, "", "call_1", "f")) == [Started(), PartStarted(0, "tool_call", "call_1", "f")]
    assert poe.say(call(0, '{"a')) == [PartDelta(0, '{"a')]
    assert poe.say(call(0, '": 1}')) == [PartDelta(0, '": 1}')]
    assert poe.say(Done()) == [PartFinished(0), Finished("tool_calls")]


def test_a_second_call_waits_until_the_first_is_whole() -> None:
    poe = Dialogue()
    assert poe.say(call(0, '{"a": "', "c0", "f")) == [
        *(Started(), PartStarted(0, "tool_call", "c0", "f"), PartDelta(0, '{"a": "'))
    ]
    assert poe.say(call(1, "{}", "c1", "g"), call(2, "{", "c2", "h")) == []
    assert poe.say(call(0, '}"')) == [PartDelta(0, "}")]
    assert poe.say(call(0, "}")) == [
        *(PartDelta(0, '"}'), PartFinished(0)),
        *(PartStarted(1, "tool_call", "c1", "g"), PartDelta(1, "{}"), PartFinished(1)),
        *(PartStarted(2, "tool_call", "c2", "h"), PartDelta(2, "{")),
    ]
    assert poe.say(call(2, "}")) == [PartDelta(2, "}")]
    assert poe.say(Done("tool_calls")) == [PartFinished(2), Finished("tool_calls")]


def test_calls_that_never_become_whole_come_out_at_the_end() -> None:
    assert answer(call(0, '{"a', "c0", "f"), call(1, "{}", "c1", "g"), Text("x"), Done()) == (
        AnswerPart("tool_call", '{"a', "c0", "f"),
        AnswerPart("tool_call", "{}", "c1", "g"),
        AnswerPart("text", "x"),
    )


def test_content_between_calls_is_a_part_between_them() -> None:
    poe = Dialogue()
    poe.say(call(0, "{}", "c0", "f"))
    assert poe.say(Text("and")) == [PartFinished(0), PartStarted(1, "text"), PartDelta(1, "and")]
    assert poe.say(call(1, "{}", "c1", "g")) == [
        *(PartFinished(1), PartStarted(2, "tool_call", "c1", "g"), PartDelta(2, "{}"))
    ]


def test_content_inside_a_call_waits_for_its_end() -> None:
    poe = Dialogue()
    poe.say(call(0, "{", "c0", "f"))
    assert poe.say(Text("a")) == []
    assert poe.say(Text("b")) == []
    assert poe.say(call(0, "}")) == [*(PartDelta(0, "}"), PartFinished(0), PartStarted(1, "text"), PartDelta(1, "ab"))]
    assert poe.say(Text("c")) == [PartDelta(1, "c")]


@pytest.mark.parametrize(
    "arguments",
    ['{"a": "}", "b": [{}]}', '{"\\"}": {"c": "\\\\"}}', '{"a": "\\u007d{"}', "[1, [2]]", ' {"é": "\\\n"}\n'],
)
def test_the_end_of_json_is_seen_in_every_cutting(arguments: str) -> None:
    end = len(arguments.rstrip())
    for cut in range(1, end):
        poe = Dialogue()
        poe.say(call(0, arguments[:cut], "c0", "f"))
        assert poe.say(Text("x")) == []
        assert PartFinished(0) in poe.say(call(0, arguments[cut:end]))


def test_missing_and_repeated_ids_become_unique_ones() -> None:
    parts = answer(
        call(0, "{}", None, "f"), call(1, "{}", "c", "g"), call(2, "{}", "c", "h"), call(3, "{}", "", "i"), Done()
    )
    ids = [part.call_id or "" for part in parts]
    assert len(set(ids)) == 4
    assert ids[1] == "c"
    assert all(GENERATED_ID.fullmatch(ids[place]) for place in (0, 2, 3))


def test_an_id_that_comes_late_changes_nothing() -> None:
    assert len(answer(call(0, "{", None, "f"), call(0, "}", "c0"), Done())) == 1


def test_another_id_under_the_same_index_is_another_call() -> None:
    assert answer(call(0, "{}", "c0", "f"), call(0, "[]", "c1", "g"), call(0, "", "c1", "g"), Done()) == (
        AnswerPart("tool_call", "{}", "c0", "f"),
        AnswerPart("tool_call", "[]", "c1", "g"),
    )


def test_a_call_is_held_until_it_has_a_name() -> None:
    poe = Dialogue()
    assert poe.say(call(0, "{", "c0")) == []
    assert poe.say(call(0, "}", None, "f")) == [Started(), PartStarted(0, "tool_call", "c0", "f"), PartDelta(0, "{}")]


def test_a_call_that_never_gets_a_name_is_none() -> None:
    assert answer(call(0, "{}", "c0"), Text("a"), Done("tool_calls")) == (AnswerPart("text", "a"),)


def test_a_call_without_arguments_has_an_empty_object_of_them() -> None:
    assert answer(call(0, "", "c0", "f"), call(1, "", "c1", "g"), Done()) == (
        AnswerPart("tool_call", "{}", "c0", "f"),
        AnswerPart("tool_call", "{}", "c1", "g"),
    )
    assert answer(call(0, "", "c0", "f"), Stopped("length")) == (AnswerPart("tool_call", "", "c0", "f"),)
    assert answer(call(0, "", "c0", "f"), Done("length")) == (AnswerPart("tool_call", "", "c0", "f"),)


@pytest.mark.parametrize(
    ("said", "arguments"),
    [
        ('{"a": "one\ntwo", "b": True,}', '{"a": "one\\ntwo", "b": true}'),
        ("{'a': 1, b: 'c'}", '{"a":1,"b":"c"}'),
        ('{"a": "he said "yes" twice", "b": 2}', '{"a": "he said \\"yes\\" twice","b":2}'),
        ('{"a": [1, 2', '{"a": [1, 2]}'),
        ('{"a": 1}}', '{"a": 1}'),
        ('{"a": 1}{"a": 1}', '{"a": 1}'),
        ('"{\\"a\\": 1}"', '{"a": 1}'),
        ("null", "{}"),
        (" \n", "{}"),
        ('{"a": 1, // why', '{"a": 1, // why'),
        ('{"a": 1}{"b": 2}', '{"a": 1}{"b": 2}'),
        ('{"a": ', '{"a": '),
        ("run it", "run it"),
    ],
)
def test_arguments_are_repaired_where_nothing_is_lost(said: str, arguments: str) -> None:
    for pieces in cuttings(said):
        parts = answer(call(0, "", "c0", "f"), *(call(0, piece) for piece in pieces), Done("tool_calls"))
        assert parts == (AnswerPart("tool_call", arguments, "c0", "f"),), pieces


def test_a_broken_call_holds_back_those_behind_it_until_the_end() -> None:
    poe = Dialogue()
    assert poe.say(call(0, '{"a": oh no', "c0", "f"))[-1] == PartDelta(0, '{"a":')
    assert poe.say(call(0, "}"), call(1, "{'b': 1}", "c1", "g"), Text("x")) == []
    assert poe.say(Done()) == [
        *(PartDelta(0, " oh no}"), PartFinished(0)),
        *(PartStarted(1, "tool_call", "c1", "g"), PartDelta(1, '{"b":1}'), PartFinished(1)),
        *(PartStarted(2, "text"), PartDelta(2, "x"), PartFinished(2), Finished("tool_calls")),
    ]


@pytest.mark.parametrize("end", [Done("length"), Stopped("length"), Stopped("stop")])
@pytest.mark.parametrize("said", ['{"a": "b', '{"a": "b\\', '{"a": "b"', '{"a": [1, ', "{'a': 1", '{"a": tr', " ", ""])
def test_arguments_that_were_cut_off_stay_as_they_are(said: str, end: Piece) -> None:
    for pieces in cuttings(said):
        parts = answer(call(0, "", "c0", "f"), *(call(0, piece) for piece in pieces), end)
        assert parts == (AnswerPart("tool_call", said, "c0", "f"),), pieces


def test_a_call_that_the_gateway_lets_through_alone_is_made_whole() -> None:
    assert answer(call(0, "{'a': 1}", "c0", "f"), Stopped("tool_calls")) == (
        AnswerPart("tool_call", '{"a":1}', "c0", "f"),
    )


def test_what_comes_for_a_call_after_its_end_is_dropped() -> None:
    assert answer(call(0, "{}", "c0", "f"), Text("a"), call(0, "\n"), Text("b"), Done()) == (
        AnswerPart("tool_call", "{}", "c0", "f"),
        AnswerPart("text", "ab"),
    )


@pytest.mark.parametrize(
    ("reason", "with_call", "finish_reason"),
    [
        (None, False, "stop"),
        (None, True, "tool_calls"),
        ("stop", True, "tool_calls"),
        ("tool_calls", True, "tool_calls"),
        ("tool_calls", False, "stop"),
        ("length", False, "length"),
        ("length", True, "length"),
        ("content_filter", False, "content_filter"),
    ],
)
def test_the_reason_of_the_end(reason: FinishReason | None, with_call: bool, finish_reason: FinishReason) -> None:
    pieces: list[Piece] = [Text("a"), *([call(0, "{}", "c0", "f")] if with_call else []), Done(reason)]
    assert collect(assemble([pieces])).reason == finish_reason


@pytest.mark.parametrize("reason", ["stop", "length"])
def test_the_gateway_s_own_end(reason: FinishReason) -> None:
    assert Dialogue().say(Text("a"), Stopped(reason))[-2:] == [PartFinished(0), Finished(reason)]


def test_an_answer_without_anything_still_begins_and_ends() -> None:
    assert list(assemble([[], [Done()]])) == [[], [Started(), Finished("stop")]]


def test_an_error_ends_the_answer_at_once() -> None:
    assert Dialogue().say(Error(BROKEN)) == [Started(), Failed(BROKEN)]
    poe = Dialogue()
    poe.say(Text("a"), call(0, "{", "c0", "f"), call(1, "{", "c1", "g"))
    assert poe.say(Text("b"), Error(BROKEN), Done()) == [Failed(BROKEN)]


def test_nothing_is_read_after_the_end() -> None:
    said: list[list[Piece]] = [[Done(), Text("x")], [Text("never read")]]
    batches = iter(said)
    assert list(assemble(batches)) == [[Started(), Finished("stop")]]
    assert next(batches) == [Text("never read")]


def test_an_answer_that_just_stops_is_cut_off() -> None:
    *_, last = assemble([[Text("a")]])
    assert isinstance(last[0], Failed)
    assert last[0].error.kind is ErrorKind.UPSTREAM_CUT_OFF


PIECES = st.one_of(
    st.builds(Text, st.text(alphabet="ab", max_size=2)),
    st.builds(Thought, st.text(alphabet="ab", max_size=2)),
    st.builds(
        ToolCallDelta,
        st.integers(0, 2),
        st.sampled_from([None, "c0", "c1"]),
        st.sampled_from([None, "f", "g"]),
        st.sampled_from(["", "{", "}", "{}", '"', "\\", "x"]),
    ),
)


@settings(max_examples=200, deadline=None)
@given(pieces=st.lists(PIECES, max_size=20), sizes=st.lists(st.integers(0, 3), max_size=10))
def test_any_pieces_in_any_reads_keep_the_grammar_and_all_content(pieces: list[Piece], sizes: list[int]) -> None:
    batches: list[list[Piece]] = []
    rest = [*pieces, Done()]
    for size in sizes:
        batches.append(rest[:size])
        rest = rest[size:]
    events = list(assemble([*batches, rest]))
    checker = GrammarChecker()
    for batch in events:
        checker.check(batch)
    checker.finish()
    whole = collect(events)
    assert whole.text("text") == "".join(piece.text for piece in pieces if isinstance(piece, Text))
    assert whole.text("reasoning") == "".join(piece.text for piece in pieces if isinstance(piece, Thought))
