"""Whatever a client makes of its history, the query is one that Poe takes."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from poe2openai.core.errors import GatewayError
from poe2openai.core.request import Media, Message, ModelRequest, Part, Reasoning, Text, ToolCall, ToolResult, Url
from poe2openai.poe.query import BotPolicy, Wording, build_query
from tests.support.asking import WEATHER

IDS = st.sampled_from(["", "a", "b", "c"])
WORDS = st.sampled_from(["", "one", "two", "<b>&", "}"])
TEXTS = st.builds(Text, WORDS)
ADDRESSES = st.builds(Url, st.sampled_from(["https://x.test/a.png", "https://x.test/?a=b", "https://x.test/%2F#c"]))
FILES = st.builds(
    Media,
    ADDRESSES,
    st.sampled_from([None, "audio/wav"]),
    st.sampled_from([None, "", 'a "b".pdf']),
    st.just("messages"),
)
CALLS = st.builds(ToolCall, IDS, st.sampled_from(["weather", "get it!"]), st.sampled_from(["", "{}", '{"a":1}', "["]))
RESULTS = st.builds(ToolResult, IDS, st.lists(TEXTS | FILES, max_size=2).map(tuple), st.booleans())
PARTS: st.SearchStrategy[Part] = TEXTS | FILES | CALLS | RESULTS | st.builds(Reasoning, WORDS)
MESSAGES = st.builds(
    Message, st.sampled_from(["system", "user", "assistant", "tool"]), st.lists(PARTS, max_size=3).map(tuple)
)
HISTORIES = st.lists(MESSAGES, max_size=8).map(tuple)
FORMS = st.sampled_from(["native", "xml", "text"])


def built(history: tuple[Message, ...], form: Any, *, single: bool, as_user: bool) -> dict[str, Any] | None:
    """None where there is nothing to ask."""
    policy = BotPolicy(single_message=single, system_as_user=as_user, parameters={"aspect": "1:1"})
    wording = Wording(history=form, tools=(WEATHER,) if form == "native" else (), demands=("Call tools.",))
    with suppress(GatewayError):
        query: dict[str, Any] = orjson.loads(build_query(ModelRequest("bot", history), policy, wording))
        return query
    return None


def ids(listed: list[dict[str, Any]], name: str) -> list[str]:
    return [one[name] for one in listed]


def given_any(test: Callable[..., None]) -> Callable[[], None]:
    return given(HISTORIES, FORMS, st.booleans(), st.booleans())(test)


@given_any
def test_a_round_is_whole_and_follows_its_calls(
    history: tuple[Message, ...], form: str, single: bool, as_user: bool
) -> None:
    query = built(history, form, single=single, as_user=as_user)
    if query is None:
        return
    messages = query["query"]
    seen: set[str] = set()
    for before, message in zip([None, *messages], messages, strict=False):
        assert message["role"] in ("system", "user", "bot", "tool")
        assert message["content"] or message.get("attachments")
        if message["role"] == "tool":
            assert before is not None
            assert before.get("message_type") == "function_call"
            made = ids(orjson.loads(before["content"]), "id")
            assert ids(orjson.loads(message["content"]), "tool_call_id") == made
            assert not seen & set(made)
            seen |= set(made)
    calls = [message for message in messages if message.get("message_type")]
    assert len(calls) == len([message for message in messages if message["role"] == "tool"])
    assert not calls or (form == "native" and not single)
    if latest := query.get("tool_calls"):
        assert latest == orjson.loads(messages[-2]["content"])
        assert query["tool_results"] == orjson.loads(messages[-1]["content"])
    ends_with_results = messages[-1]["role"] == "tool"
    assert [name in query for name in ("tool_calls", "tool_results")] == [ends_with_results] * 2


@given_any
def test_somebody_asks_and_the_last_who_does_is_told_all(
    history: tuple[Message, ...], form: str, single: bool, as_user: bool
) -> None:
    query = built(history, form, single=single, as_user=as_user)
    if query is None:
        return
    *_, asking = [message for message in query["query"] if message["role"] == "user"]
    assert asking["content"].endswith("Call tools.")
    assert asking["parameters"] == {"aspect": "1:1"}
    assert query["query"][-1]["role"] in ("user", "tool", "system")
    assert sum("parameters" in message for message in query["query"]) == 1
    assert sum("Call tools." in message["content"] for message in query["query"]) == 1
    assert len(query["query"]) == 1 or not single


@given_any
def test_no_text_and_no_file_is_lost(history: tuple[Message, ...], form: str, single: bool, as_user: bool) -> None:
    query = built(history, form, single=single, as_user=as_user)
    files = [part for message in history for part in _parts(message.parts) if isinstance(part, Media)]
    if query is None:
        assert not files
        return
    attached = [each for message in query["query"] for each in message.get("attachments", ())]
    assert sorted(each["url"] for each in attached) == sorted(
        file.source.url for file in files if isinstance(file.source, Url)
    )
    assert all(each["name"] and each["content_type"] for each in attached)
    whole = orjson.dumps(query["query"]).decode().replace('\\"', '"').replace("\\\\", "\\")
    for message in history:
        for part in _parts(message.parts):
            if isinstance(part, Text):
                assert part.text in whole


def _parts(parts: tuple[Part, ...]) -> list[Part]:
    nested = [part.parts for part in parts if isinstance(part, ToolResult)]
    return [*parts, *(inner for each in nested for inner in each)]
