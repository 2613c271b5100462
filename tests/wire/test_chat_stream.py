"""A streamed chat completion, as a client on the wire sees it."""

import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest

from tests.support.gateway import Gateway
from tests.support.poe_script import (
    Step,
    done,
    event,
    file,
    hold,
    joined,
    meta,
    ping,
    replace,
    slices,
    suggested_reply,
    text,
    tool_call,
    until,
)
from tests.support.poe_script import json_event as json_step
from tests.support.scripted_poe import ScriptedPoe
from tests.support.wire import content, finish_reasons


def stream(gateway: Gateway, poe: ScriptedPoe, *steps: Step | Sequence[Step], **fields: Any) -> list[Any]:
    """Scripts one answer, asks for it and gives the chunks, the end of the connection checked."""
    poe.script("bot", *steps)
    with gateway.client() as client:
        response = client.chat(model="bot", stream=True, **fields)
        assert response.status == 200, response.read()
        chunks = response.chunks()
        assert response.whole
    return chunks


def test_the_shape_of_a_stream(gateway: Gateway, poe: ScriptedPoe) -> None:
    poe.script("bot", meta(), text("Hel"), text("lo"), suggested_reply("And?"), done())
    asked = time.time()
    with gateway.client() as client:
        response = client.chat(model="bot", stream=True)
        assert response.header("content-type") == "text/event-stream; charset=utf-8"
        assert response.header("cache-control") == "no-cache"
        assert response.header("x-accel-buffering") == "no"
        assert response.header("x-request-id")
        *chunks, last = response.chunks()
        assert response.whole
    assert last == "[DONE]"
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert {chunk["model"] for chunk in chunks} == {"bot"}
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert chunks[0]["id"].startswith("chatcmpl-")
    assert abs(chunks[0]["created"] - asked) < 5
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert [chunk for chunk in chunks[1:] if "role" in chunk["choices"][0]["delta"]] == []
    assert content(chunks) == "Hello"
    assert finish_reasons(chunks) == ["stop"]
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert not any(chunk.get("usage") for chunk in chunks)


def test_usage_comes_last_where_it_is_asked_for(gateway: Gateway, poe: ScriptedPoe) -> None:
    said = [text("*Thinking...*\n\n> hello world\n"), text("\nhello world"), done()]
    *chunks, last, _ = stream(gateway, poe, *said, stream_options={"include_usage": True})
    assert last["choices"] == []
    usage = last["usage"]
    assert usage["prompt_tokens"] > 0
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert 0 < usage["completion_tokens_details"]["reasoning_tokens"] < usage["completion_tokens"]
    assert all(chunk["usage"] is None for chunk in chunks)


def test_text_is_passed_on_as_it_comes(gateway: Gateway, poe: ScriptedPoe) -> None:
    go = threading.Event()
    poe.script("bot", text("first"), until(go), text(" second"), done())
    with gateway.client() as client:
        events = client.chat(model="bot", stream=True).events()
        seen: list[Any] = []
        while "first" not in content(seen):
            seen.append(next(events).json)
        go.set()
        rest = [one.data for one in events]
    assert rest[-1] == "[DONE]"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
@pytest.mark.parametrize("eol", ["\n", "\r\n", "\r"])
def test_no_cutting_of_bytes_shows(gateway: Gateway, poe: ScriptedPoe, size: int, eol: str) -> None:
    answer = joined(
        [
            ping(eol=eol),
            text("Zürich 日本 ", eol=eol, ascii_only=False),
            text('😀 \u2028 "quoted"\n', eol=eol),
            event("ping", "{}", eol=eol),
            event("unheard-of", "…", eol=eol),
            text("end", eol=eol),
            done(eol=eol),
        ]
    )
    chunks = stream(gateway, poe, slices(answer, size))
    assert content(chunks) == 'Zürich 日本 😀 \u2028 "quoted"\nend'
    assert chunks[-1] == "[DONE]"


def test_mixed_line_ends_and_a_byte_order_mark(gateway: Gateway, poe: ScriptedPoe) -> None:
    answer = b"\xef\xbb\xbf" + text("a", eol="\r") + text("b", eol="\n") + text("c") + b": ping\n\r\n" + done(eol="\r")
    assert content(stream(gateway, poe, answer)) == "abc"


def test_thoughts_are_told_apart(gateway: Gateway, poe: ScriptedPoe) -> None:
    said = "*Thinking...*\n\n> One\n>\n> > quoted\n>     indented\n\nThe answer.\n\n> a later quote\n"
    chunks = stream(gateway, poe, [text(letter) for letter in said], done())
    assert content(chunks, "reasoning_content").strip() == "One\n\n> quoted\n    indented"
    assert content(chunks) == "The answer.\n\n> a later quote\n"


def test_progress_never_reaches_the_answer(gateway: Gateway, poe: ScriptedPoe) -> None:
    progress = [replace(f"Generating image... ({second}s elapsed)") for second in range(5)]
    picture = file("https://pfst.cf2.poecdn.net/cat.png", ref="r1")
    chunks = stream(gateway, poe, progress, replace("![cat][r1]"), picture, done())
    assert content(chunks) == "![cat](https://pfst.cf2.poecdn.net/cat.png)"


def test_a_replacement_that_goes_on_from_what_was_said(gateway: Gateway, poe: ScriptedPoe) -> None:
    chunks = stream(gateway, poe, text("The answer"), replace("The answer is 42"), text("."), done())
    assert content(chunks) == "The answer is 42."


def test_a_replacement_that_takes_back_what_was_said(gateway: Gateway, poe: ScriptedPoe) -> None:
    before = len(gateway.log())
    go = threading.Event()
    poe.script("bot", text("Wrong"), until(go), replace("Searching..."), replace("Right"), done())
    with gateway.client() as client:
        response = client.chat(model="bot", stream=True)
        events = response.events()
        seen: list[Any] = []
        while "Wrong" not in content(seen):
            seen.append(next(events).json)
        go.set()
        seen += [one.json for one in events if one.data != "[DONE]"]
    assert content(seen) == "Wrong\n\nRight"
    assert "replace" in gateway.wait_log(response.header("x-request-id") or "?", start=before)


def test_of_several_answers_the_lowest_is_delivered(gateway: Gateway, poe: ScriptedPoe) -> None:
    said = [text("a", index=0), text("x", index=1), text("b", index=0), replace("y", index=1), done()]
    assert content(stream(gateway, poe, *said)) == "ab"


def test_a_file_is_a_link(gateway: Gateway, poe: ScriptedPoe) -> None:
    said = [text("Here: "), file("https://pfst.cf2.poecdn.net/a.pdf", "application/pdf", "a.pdf"), done()]
    assert "[a.pdf](https://pfst.cf2.poecdn.net/a.pdf)" in content(stream(gateway, poe, *said))


def test_native_tool_calls(gateway: Gateway, poe: ScriptedPoe) -> None:
    said: list[Step] = [
        tool_call(0, "", id="call_a", name="get_weather"),
        tool_call(1, "", id="call_b", name="get_time"),
        tool_call(0, '{"city": '),
        tool_call(1, "{}"),
        tool_call(0, '"Paris"}'),
        json_step({}, "tool_calls"),
        done(),
    ]
    chunks = stream(gateway, poe, *said)
    deltas = [call for one in chunks[:-1] for call in one["choices"][0]["delta"].get("tool_calls", [])]
    calls: dict[int, dict[str, str]] = {}
    for delta in deltas:
        call = calls.setdefault(delta["index"], {"id": "", "name": "", "arguments": ""})
        call["id"] += delta.get("id") or ""
        call["name"] += delta["function"].get("name") or ""
        call["arguments"] += delta["function"].get("arguments") or ""
    assert calls == {
        0: {"id": "call_a", "name": "get_weather", "arguments": '{"city": "Paris"}'},
        1: {"id": "call_b", "name": "get_time", "arguments": "{}"},
    }
    assert finish_reasons(chunks) == ["tool_calls"]


@pytest.mark.parametrize("stop", ["STOP", ["nothing", "STOP"]])
def test_a_stop_sequence_ends_the_answer_and_the_query(gateway: Gateway, poe: ScriptedPoe, stop: Any) -> None:
    said: list[Step] = [text("one S"), text("T"), text("OP two"), hold()]
    chunks = stream(gateway, poe, *said, stop=stop)
    ended = time.monotonic()
    assert content(chunks) == "one "
    assert finish_reasons(chunks) == ["stop"]
    query = poe.queries("bot")[0]
    assert query.hung_up_after(ended) < 0.5
    assert query.json["stop_sequences"] == ([stop] if isinstance(stop, str) else stop)


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_the_token_limit_is_kept(gateway: Gateway, poe: ScriptedPoe, field: str) -> None:
    words: list[Step] = [text(f"word{number} ") for number in range(50)]
    chunks = stream(gateway, poe, *words, hold(), **{field: 5})
    assert 0 < len(content(chunks)) < 40
    assert finish_reasons(chunks) == ["length"]
    assert poe.queries("bot")[0].hung_up_after(time.monotonic()) < 0.5


@pytest.mark.parametrize("whole", [False, True])
def test_nothing_is_waited_for_after_the_end(gateway: Gateway, poe: ScriptedPoe, *, whole: bool) -> None:
    poe.script("bot", text("Hello"), done(), text("too late"), hold())
    with gateway.client() as client:
        asked = time.monotonic()
        body = client.chat(model="bot", stream=not whole).read()
        assert time.monotonic() - asked < 1
    assert b"Hello" in body
    assert b"too late" not in body
    assert poe.queries("bot")[0].hung_up_after(asked) < 2


def test_an_answer_that_says_nothing_is_an_answer(gateway: Gateway, poe: ScriptedPoe) -> None:
    chunks = stream(gateway, poe, done())
    assert content(chunks) == ""
    assert finish_reasons(chunks) == ["stop"]
