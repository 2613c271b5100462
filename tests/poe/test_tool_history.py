"""Damaged histories are made whole: of a corpus of them, and of any messages whatsoever."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poe2openai.core.request import Media, Message, Part, Reasoning, Text, ToolCall, ToolResult
from poe2openai.poe.tool_history import repair
from tests.poe.damaged_histories import ANSWERED, ASKED, CORPUS, PICTURE, SCREEN, WENT_ON, WHOLE, Damaged, call
from tests.support.asking import called, gave, said


def calls_of(message: Message) -> list[ToolCall]:
    return [part for part in message.parts if isinstance(part, ToolCall)]


def results_of(message: Message) -> list[ToolResult]:
    return [part for part in message.parts if isinstance(part, ToolResult)]


def all_parts(history: Sequence[Message]) -> Iterator[Part]:
    for message in history:
        for part in message.parts:
            yield part
            if isinstance(part, ToolResult):
                yield from part.parts


def require_whole(history: Sequence[Message]) -> None:
    """What Poe and the makers of its models insist on."""
    seen: set[str] = set()
    for at, message in enumerate(history):
        assert not any(isinstance(part, Media) for result in results_of(message) for part in result.parts)
        if calls := calls_of(message):
            assert message.role == "assistant"
            ids = [call.id for call in calls]
            assert all(ids)
            assert len(set(ids)) == len(ids)
            assert seen.isdisjoint(ids)
            seen.update(ids)
            assert all(isinstance(orjson.loads(call.arguments), dict) for call in calls)
            assert history[at + 1].role == "tool"
            assert [result.call_id for result in results_of(history[at + 1])] == ids
        if message.role == "tool":
            assert len(results_of(message)) == len(message.parts)
            assert calls_of(history[at - 1])
        else:
            assert not results_of(message)


@pytest.mark.parametrize("damaged", CORPUS, ids=lambda damaged: damaged.name)
class TestCorpus:
    def test_it_is_made_whole(self, damaged: Damaged) -> None:
        require_whole(damaged.whole)
        assert repair(damaged.history) == damaged.whole

    def test_it_is_whole_afterwards(self, damaged: Damaged) -> None:
        assert repair(damaged.whole) is damaged.whole

    def test_a_list_is_as_good(self, damaged: Damaged) -> None:
        assert repair(list(damaged.history)) == damaged.whole
        assert repair(list(damaged.whole)) == damaged.whole

    def test_what_went_before_stays_as_it_was(self, damaged: Damaged) -> None:
        """A bot's prompt cache lives on it."""
        before = (said("user", "Time?"), called(call("c0", "clock")), gave("c0", "noon"), said("assistant", "Noon."))
        assert repair((*before, *damaged.history)) == (*before, *damaged.whole)

    def test_what_comes_later_changes_nothing(self, damaged: Damaged) -> None:
        later = (said("user", "Time?"), called(call("z", "clock")), gave("z", "noon"), said("assistant", "Noon."))
        assert repair((*damaged.history, *later)) == (*damaged.whole, *later)


@pytest.mark.parametrize("history", WHOLE.values(), ids=WHOLE.keys())
def test_what_is_whole_stays_the_same_object(history: tuple[Message, ...]) -> None:
    assert repair(history) is history


def test_the_corpus_is_large_and_its_names_tell_it_apart() -> None:
    names = [damaged.name for damaged in CORPUS]
    assert len(set(names)) == len(names) >= 25


IDS = st.sampled_from(["", "c1", "c2", "c3", "weather", "clock", "c1_1", "call_1"])
WORDS = st.text(alphabet='ab \n<"é漢', max_size=4)
SAID: st.SearchStrategy[Part] = st.one_of(
    st.builds(Text, WORDS), st.builds(Reasoning, WORDS), st.sampled_from([PICTURE, SCREEN])
)
ARGUMENTS = st.one_of(WORDS, st.sampled_from(["{}", '{"a": 1}', "[1]", "null", '"{\\"a\\":2}"', '{"a']))
CALLS = st.builds(ToolCall, IDS, st.sampled_from(["weather", "clock"]), ARGUMENTS)
RESULTS = st.builds(ToolResult, IDS, st.lists(SAID, max_size=2).map(tuple), st.booleans())
MESSAGES = st.builds(
    Message,
    st.sampled_from(["system", "user", "assistant", "tool"]),
    st.lists(st.one_of(SAID, CALLS, RESULTS), max_size=4).map(tuple),
)


def things(history: Sequence[Message]) -> Counter[object]:
    """Words that say something, files, and calls by what they ask of whom."""
    found: Counter[object] = Counter()
    for part in all_parts(history):
        match part:
            case Text(text) | Reasoning(text) if text.strip():
                found[text] += 1
            case Media():
                found[part] += 1
            case ToolCall(_, name, arguments):
                found[name, meaning(arguments)] += 1
    return found


def meaning(arguments: str) -> object:
    try:
        value = orjson.loads(arguments.strip() or "{}")
    except ValueError:
        return arguments.strip()
    if isinstance(value, dict) and list(value) == ["input"]:
        return meaning(value["input"])
    if isinstance(value, str):
        return meaning(value)
    return orjson.dumps(value or {})


@given(st.lists(MESSAGES, max_size=12).map(tuple))
def test_of_any_messages_a_whole_history_is_made_and_nothing_is_lost(history: tuple[Message, ...]) -> None:
    whole = repair(history)
    require_whole(whole)
    assert things(history) <= things(whole)
    assert repair(whole) is whole
    assert repair(history) == whole


@given(st.lists(MESSAGES, max_size=6), st.lists(st.sampled_from([*WHOLE.values()]), max_size=3))
def test_a_history_that_goes_on_begins_as_it_did(history: list[Message], rounds: list[tuple[Message, ...]]) -> None:
    """Where the damage lies behind, what follows is only added."""
    later = [said("user", "Go on"), *(message for each in rounds for message in each)]
    renamed = [Message(each.role, tuple(_with_other_ids(part) for part in each.parts)) for each in later]
    whole = repair(history)
    assert repair([*history, *renamed])[: len(whole)] == whole


def _with_other_ids(part: Part) -> Part:
    match part:
        case ToolCall(call_id, name, arguments):
            return ToolCall(f"later_{call_id}", name, arguments)
        case ToolResult(call_id, parts, is_error):
            return ToolResult(f"later_{call_id}", parts, is_error)
        case _:
            return part


@pytest.mark.parametrize(
    "turns",
    [
        (ASKED, called(call()), gave("c1", "sun"), ANSWERED),
        (ASKED, called(call()), called(call())),
        (called(call()), WENT_ON, said("assistant", "Hm.")),
        (gave("c1", "sun"), called(call())),
        (called(*[call()] * 20), *[gave("c1", "sun")] * 19, said("assistant", "Hm."), gave("c1", "sun")),
        (called(*[call("")] * 20), *[gave("", "sun")] * 21),
        (called(call("c1", "weather"), call("c2", "weather")), gave("weather", "sun"), gave("c2", "rain")),
    ],
)
def test_long_histories_take_linear_time(turns: tuple[Message, ...]) -> None:
    history = turns * (20_000 // len(turns))
    before = time.process_time()
    whole = repair(history)
    assert time.process_time() - before < 3
    require_whole(whole)
