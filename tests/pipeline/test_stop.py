import re
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.tokens import TokenCounter
from poe2openai.gateway.tokens import load
from poe2openai.pipeline.pieces import Stopped, Thought
from poe2openai.pipeline.stop import enforce
from poe2openai.poe.events import Done, Error, Text, ToolCallDelta
from tests.support.pipeline import (
    FourLetterTokens,
    Stage,
    WholeWordTokens,
    batches_of,
    cuttings,
    merged,
    regrouped,
    run,
)

BROKEN = Error(GatewayError(ErrorKind.UPSTREAM_ERROR, "gone"))
CALL = ToolCallDelta(0, "call_1", "f", '{"a": 1}')


def stopping(*sequences: str) -> Stage:
    return partial(enforce, stop=sequences, max_tokens=None, counter=FourLetterTokens())


def limiting(limit: int, counter: TokenCounter | None = None) -> Stage:
    return partial(enforce, stop=(), max_tokens=limit, counter=counter or FourLetterTokens())


def results(stage: Stage, text: str) -> list[list[Any]]:
    """What comes out of every cutting."""
    return [run(stage, batches_of(pieces, Done("stop"))) for pieces in cuttings(text)]


def all_equal(outcomes: list[list[Any]], *expected: object) -> bool:
    return all(outcome == list(expected) for outcome in outcomes)


def test_nothing_of_a_stop_sequence_is_shown() -> None:
    assert all_equal(results(stopping("END"), "abc END def"), Text("abc "), Stopped("stop"))
    assert all_equal(results(stopping("END"), "END"), Stopped("stop"))
    assert all_equal(results(stopping("\n\n"), "a\n\nb"), Text("a"), Stopped("stop"))
    assert all_equal(results(stopping("猫!"), "狗猫猫!"), Text("狗猫"), Stopped("stop"))


def test_what_only_looks_like_a_stop_sequence_is_shown() -> None:
    assert all_equal(results(stopping("END"), "ENd EN"), Text("ENd EN"), Done("stop"))
    assert all_equal(results(stopping("aab"), "aaaa"), Text("aaaa"), Done("stop"))
    assert all_equal(results(stopping(""), "a"), Text("a"), Done("stop"))


def test_the_sequence_that_begins_first_wins() -> None:
    assert all_equal(results(stopping("bc", "abcd"), "xabcd"), Text("x"), Stopped("stop"))
    assert all_equal(results(stopping("bc", "abcd"), "xabcx"), Text("xa"), Stopped("stop"))
    assert all_equal(results(stopping("bc", "abcd"), "xabc"), Text("xa"), Stopped("stop"))
    assert all_equal(results(stopping("aab"), "aaab"), Text("a"), Stopped("stop"))


def test_only_what_may_begin_a_sequence_is_held() -> None:
    stage = stopping("\n\nUser:")([[Text("Hi\n")], [], [Text("\nUs")], [Text("a")], [Text("ge")], [Done()]])
    assert list(stage) == [[Text("Hi")], [], [], [Text("\n\nUsa")], [Text("ge")], [Done()]]


def test_thoughts_and_calls_are_not_searched() -> None:
    assert run(stopping("END"), [[Thought("END"), ToolCallDelta(0, "c", "f", "END"), Text("a"), Done()]]) == [
        *(Thought("END"), ToolCallDelta(0, "c", "f", "END"), Text("a"), Done())
    ]
    assert run(stopping("END"), [[Text("a EN"), CALL, Text("D"), Done()]]) == [Text("a EN"), CALL, Text("D"), Done()]


def test_nothing_is_read_after_a_stop() -> None:
    said: list[list[Any]] = [[Text("a END b"), Done()], [Text("never read")]]
    batches = iter(said)
    assert list(stopping("END")(batches)) == [[Text("a "), Stopped("stop")]]
    assert next(batches) == [Text("never read")]


def test_an_error_goes_without_what_was_held() -> None:
    assert run(stopping("END"), [[Text("a EN")], [BROKEN]]) == [Text("a "), BROKEN]
    assert run(limiting(3), [[Text("aaaa")], [BROKEN]]) == [BROKEN]
    assert run(limiting(50), [[Text("aaaa")], [BROKEN]]) == [Text("aaaa"), BROKEN]


def test_an_answer_that_broke_off_beyond_its_limit_ended_there() -> None:
    assert run(limiting(1), [[Text("aaaa")], [Text("a"), BROKEN]]) == [Text("aaaa"), Stopped("length")]
    assert run(limiting(1), [[Text("aaaa" * 50), BROKEN]]) == [Text("aaaa"), Stopped("length")]


@settings(max_examples=200, deadline=None)
@given(
    text=st.text(alphabet="ab\n", max_size=20),
    sequences=st.lists(st.text(alphabet="ab\n", min_size=1, max_size=4), min_size=1, max_size=3),
    cuts=st.lists(st.integers(min_value=1, max_value=4), max_size=20),
)
def test_stop_sequences_as_if_the_text_were_one(text: str, sequences: list[str], cuts: list[int]) -> None:
    begins = [text.find(sequence) for sequence in sequences if sequence in text]
    shown = text[: min(begins)] if begins else text
    pieces = cut(text, cuts)
    expected = [*([Text(shown)] if shown else []), Stopped("stop") if begins else Done()]
    assert run(stopping(*sequences), batches_of(pieces, Done())) == expected


def cut(text: str, sizes: list[int]) -> list[str]:
    pieces: list[str] = []
    for size in sizes:
        pieces.append(text[:size])
        text = text[size:]
    return [*pieces, text]


WORDS = " ".join(f"word{number}" for number in range(40))  # each is two tokens, and each space one


@pytest.mark.parametrize("limit", [0, 1, 5, 6, 30])
def test_an_answer_ends_at_its_token_limit(limit: int) -> None:
    shown = FourLetterTokens().truncate(WORDS, limit)
    expected = [*([Text(shown)] if shown else []), Stopped("length")]
    for step in (1, 2, 7, 50, 1000):
        pieces = [WORDS[start : start + step] for start in range(0, len(WORDS), step)]
        assert run(limiting(limit), batches_of(pieces, Done())) == expected


@pytest.mark.parametrize("limit", [3, 9, 30])
def test_an_exact_fit_is_no_excess(limit: int) -> None:
    fitting = FourLetterTokens().truncate(WORDS, limit)
    assert all_equal(results(limiting(limit), fitting), Text(fitting), Done("stop"))
    assert all_equal(results(limiting(limit), f"{fitting}#"), Text(fitting), Stopped("length"))


def test_a_word_that_counts_less_once_it_is_whole_is_not_cut() -> None:
    assert all_equal(results(limiting(2, WholeWordTokens()), " tokenize"), Text(" tokenize"), Done("stop"))
    assert all_equal(results(limiting(2, WholeWordTokens()), " tokenize."), Text(" tokenize"), Stopped("length"))


def test_a_short_answer_is_never_counted() -> None:
    counter = FourLetterTokens()
    assert run(limiting(300, counter), batches_of(list(WORDS), Done()))[-1] == Done()
    assert counter.counted == []


def test_a_long_answer_is_counted_seldom() -> None:
    counter = FourLetterTokens()
    text = "abcd" * 25_000
    pieces = [text[start : start + 4] for start in range(0, len(text), 4)]
    assert run(limiting(24_000, counter), batches_of(pieces, Done()))[-1] == Stopped("length")
    assert len(counter.counted) < 60


def test_text_far_from_the_limit_goes_out_at_once() -> None:
    stage = limiting(100)([[Text("a" * 80)], [], [Text("b" * 80)], [Done()]])
    assert list(stage) == [[Text("a" * 80)], [], [Text("b" * 80)], [Done()]]


def test_the_limit_bounds_thought_text_and_arguments_together() -> None:
    thought, text = Thought("aaaabbbb"), Text("ccccdddd")
    assert run(limiting(6), [[thought], [text], [CALL], [Done()]]) == [
        *(thought, text, ToolCallDelta(0, "call_1", "f", '{"a":'), Stopped("length"))
    ]
    assert run(limiting(3), [[thought], [text], [Done()]]) == [thought, Text("cccc"), Stopped("length")]
    assert run(limiting(1), [[thought], [text], [Done()]]) == [Thought("aaaa"), Stopped("length")]
    assert run(limiting(2), [[thought], [CALL], [Done()]]) == [thought, Stopped("length")]
    assert run(limiting(8), [[thought], [text], [CALL], [Done()]]) == [thought, text, CALL, Done()]


def test_bytes_that_are_no_utf8_are_counted_all_the_same() -> None:
    assert run(limiting(2), [[Text("\ud800é")], [Done()]]) == [Text("\ud800é"), Done()]


def test_a_stop_sequence_beyond_the_limit_is_too_late() -> None:
    for pieces in cuttings("aaaabbbbEND"):
        both = partial(enforce, stop=("END",), counter=FourLetterTokens())
        batches = batches_of(pieces, Done())
        assert run(partial(both, max_tokens=1), batches) == [Text("aaaa"), Stopped("length")]
        assert run(partial(both, max_tokens=2), batches) == [Text("aaaabbbb"), Stopped("stop")]


def test_without_anything_to_enforce_batches_pass_untouched() -> None:
    batches: list[list[Any]] = [[Text("a")], [], [Done()]]
    stage = enforce(batches, stop=(), max_tokens=None, counter=FourLetterTokens())
    assert all(passed is batch for passed, batch in zip(stage, batches, strict=True))


@pytest.fixture(scope="module")
def o200k() -> TokenCounter:
    tokenizer = load()
    if not tokenizer.exact:
        pytest.skip("no o200k vocabulary is installed")
    return tokenizer


SAMPLES = [
    "The quick brown fox tokenizes strawberries, doesn't it? It's 3.14159 (or 2,718)!\n\n" * 3,
    "床前明月光，疑是地上霜。举头望明月，低头思故乡。" * 3,
    "def f(x):\n        return {'a': [x ** 2 for _ in range(10)]}  # \U0001f600\u200d\U0001f525\n" * 3,
    "antidisestablishmentarianism" * 4 + " " * 40 + "=" * 70 + "\n" * 20,
    "aGVsbG8gd29ybGQhIQ" * 8,
]


@pytest.mark.parametrize("sample", SAMPLES)
@settings(max_examples=200, deadline=None)
@given(limit=st.integers(min_value=1, max_value=60), sizes=st.lists(st.integers(1, 12), max_size=60))
def test_with_a_real_tokenizer_the_cutting_makes_no_difference(
    o200k: TokenCounter, sample: str, limit: int, sizes: list[int]
) -> None:
    shown = o200k.truncate(sample, limit)
    expected = [*([Text(shown)] if shown else []), Done() if shown == sample else Stopped("length")]
    assert run(limiting(limit, o200k), batches_of(cut(sample, sizes), Done())) == expected


@settings(max_examples=200, deadline=None)
@given(
    words=st.lists(st.sampled_from(["a", "bcde", "fghij", " ", "\n", "é", "猫"]), max_size=60),
    limit=st.integers(min_value=0, max_value=40),
    thought=st.booleans(),
    sizes=st.lists(st.integers(0, 3), max_size=30),
)
def test_with_any_reads_the_limit_holds_and_cuts_alike(
    words: list[str], limit: int, thought: bool, sizes: list[int]
) -> None:
    said: list[Any] = [Thought(word) if thought and place < 5 else Text(word) for place, word in enumerate(words)]
    said.append(Done())
    together = run(limiting(limit), [said])
    assert run(limiting(limit), regrouped(said, sizes)) == together
    counter = FourLetterTokens()
    spent = sum(counter.count(piece.text) for piece in together[:-1])
    assert spent <= limit
    whole = merged(said)
    if together[-1] == Done():
        assert together == whole
    else:
        assert spent == limit
        assert re.match(re.escape(joined_text(together)), joined_text(whole))


def joined_text(pieces: list[Any]) -> str:
    return "".join(piece.text for piece in pieces if isinstance(piece, Text | Thought))
