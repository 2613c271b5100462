"""Conversations as a bot reads them, and the three forms of the calls that it made before."""

import time
from typing import Any

import orjson
import pytest

from poe2openai.core.request import Media, Message, Reasoning, Text, ToolCall, ToolResult, Url
from poe2openai.poe.history import HistoryForm, PoeMessage, as_single_message, last_round, poe_messages
from poe2openai.poe.tool_history import repair
from poe2openai.poe.tool_prompt import call_as_xml, result_as_xml
from poe2openai.poe.tool_schema import bot_name
from tests.support.asking import ONE_ROUND, PARIS, ROME, called, gave, said

FORMS: list[HistoryForm] = ["native", "xml", "text"]


def messages_of(*history: Message, form: HistoryForm = "text", system_as_user: bool = False) -> list[PoeMessage]:
    return poe_messages(repair(history), form, system_as_user=system_as_user)


def dialogue(*history: Message, form: HistoryForm = "text", system_as_user: bool = False) -> list[tuple[str, str]]:
    messages = messages_of(*history, form=form, system_as_user=system_as_user)
    return [(message["role"], message["content"]) for message in messages]


def decoded(message: PoeMessage) -> Any:
    return orjson.loads(message["content"])


def file(name: str, media_type: str | None = "image/png") -> Media:
    return Media(Url(f"https://x.test/{name}"), media_type, None, "messages")


class TestTurns:
    @pytest.mark.parametrize("form", FORMS)
    def test_a_conversation_in_poes_roles(self, form: HistoryForm) -> None:
        turns = [said("system", "Be kind."), said("user", "Hi"), said("assistant", "Hello"), said("user", "Bye")]
        assert dialogue(*turns, form=form) == [
            ("system", "Be kind."),
            ("user", "Hi"),
            ("bot", "Hello"),
            ("user", "Bye"),
        ]
        assert {message["content_type"] for message in messages_of(*turns, form=form)} == {"text/markdown"}

    def test_system_turns_into_user_where_the_owner_says_so(self) -> None:
        turns = [said("system", "Be kind."), said("user", "Hi")]
        assert dialogue(*turns, system_as_user=True) == [("user", "Be kind.\n\nHi")]

    def test_neighbours_of_one_role_are_one_message_and_share_their_files(self) -> None:
        turns = [
            Message("user", (file("a.png"),)),
            said("user", "look", "here"),
            Message("user", (Text("both"), file("b.png"))),
            said("assistant", "d"),
            said("assistant", "e"),
        ]
        assert dialogue(*turns) == [("user", "look\n\nhere\n\nboth"), ("bot", "d\n\ne")]
        assert [each["name"] for each in messages_of(*turns)[0]["attachments"]] == ["a.png", "b.png"]

    def test_empty_messages_and_thoughts_are_left_out(self) -> None:
        turns = [said("system", ""), said("user", "a"), Message("assistant", (Reasoning("hm"),)), said("user", "b")]
        assert dialogue(*turns) == [("user", "a\n\nb")]

    def test_a_message_of_a_file_alone_stays(self) -> None:
        (message,) = messages_of(Message("user", (file("a.png"),)))
        assert message["content"] == ""
        assert [each["url"] for each in message["attachments"]] == ["https://x.test/a.png"]

    def test_a_long_run_of_one_role_is_joined_once(self) -> None:
        text = "x" * 2_000
        before = time.process_time()
        (message,) = messages_of(*[said("user", text)] * 10_000)
        assert time.process_time() - before < 3
        assert message["content"] == "\n\n".join([text] * 10_000)


class TestFiles:
    def test_a_file_by_its_address(self) -> None:
        media = Media(Url("https://pfst.cf2.poecdn.net/base/a%20b.pdf?w=1"), None, None, "messages")
        (message,) = messages_of(Message("user", (Text("Read this"), media)))
        assert message["attachments"] == [
            {
                "url": "https://pfst.cf2.poecdn.net/base/a%20b.pdf?w=1",
                "content_type": "application/pdf",
                "name": "a%20b.pdf",
            }
        ]

    def test_a_file_that_says_what_it_is(self) -> None:
        media = Media(Url("https://x.test/"), "audio/wav", "song.wav", "messages")
        (message,) = messages_of(Message("user", (media,)))
        assert message["attachments"] == [
            {"url": "https://x.test/", "content_type": "audio/wav", "name": "song.wav"},
        ]

    def test_files_come_in_the_order_in_which_they_were_sent(self) -> None:
        parts = (file("a.png"), Text("one"), file("b.mp4", None), Text("two"), file("c", None))
        (message,) = messages_of(Message("user", parts), Message("user", (file("d.pdf", "application/pdf"),)))
        assert message["content"] == "one\n\ntwo"
        assert [(each["name"], each["content_type"]) for each in message["attachments"]] == [
            ("a.png", "image/png"),
            ("b.mp4", "video/mp4"),
            ("c", "image/png"),
            ("d.pdf", "application/pdf"),
        ]


class TestTextForm:
    def test_a_round_is_told_in_words(self) -> None:
        calls = [f'[Called the tool weather with {{"city":"{city}"}}]' for city in ("Paris", "Rome")]
        assert dialogue(*ONE_ROUND, said("assistant", "Sunny."), said("user", "Thanks")) == [
            ("user", "Weather?"),
            ("bot", "\n\n".join(["I look.", *calls])),
            ("user", "[The tool weather gave]\nsun\n\n[The tool weather gave]\nrain"),
            ("bot", "Sunny."),
            ("user", "Thanks"),
        ]

    def test_a_result_that_failed_says_so(self) -> None:
        turns = [said("user", "Weather?"), called(PARIS), gave("c1", "no such city", is_error=True)]
        assert dialogue(*turns)[-1] == ("user", "[The tool weather failed with]\nno such city")


class TestXmlForm:
    def test_a_round_is_told_as_the_prompt_asks_for_it(self) -> None:
        _, calls, results = dialogue(*ONE_ROUND, form="xml")
        assert calls == ("bot", "\n\n".join(["I look.", call_as_xml(PARIS), call_as_xml(ROME)]))
        sun, rain = ToolResult("c1", (Text("sun"),)), ToolResult("c2", (Text("rain"),))
        expected = [result_as_xml(sun, "weather", "sun"), result_as_xml(rain, "weather", "rain")]
        assert results == ("user", "\n\n".join(expected))

    def test_texts_of_a_result_are_kept_byte_for_byte(self) -> None:
        text = '<b>&"é漢字</b> ]]> \n  two'
        turns = [said("user", "Read."), called(PARIS), gave("c1", text)]
        assert text in dialogue(*turns, form="xml")[-1][1]


class TestNativeForm:
    def test_a_round_is_a_function_call_and_a_tool_message(self) -> None:
        asking, text, calls, results = messages_of(*ONE_ROUND, form="native")
        assert (asking["content"], text["role"], text["content"]) == ("Weather?", "bot", "I look.")
        assert "message_type" not in text
        assert (calls["role"], calls["message_type"], calls["content_type"]) == ("bot", "function_call", "text/plain")
        assert decoded(calls) == [
            {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Paris"}'}},
            {"id": "c2", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Rome"}'}},
        ]
        assert (results["role"], results["content_type"]) == ("tool", "text/plain")
        assert "message_type" not in results
        assert decoded(results) == [
            {"role": "tool", "name": "weather", "tool_call_id": "c1", "content": "sun"},
            {"role": "tool", "name": "weather", "tool_call_id": "c2", "content": "rain"},
        ]

    def test_every_round_has_its_place(self) -> None:
        again = ToolCall("c3", "clock", "{}")
        turns = [*ONE_ROUND, called(again), gave("c3", "noon"), said("assistant", "Noon."), said("user", "Thanks")]
        kinds = [(each["role"], each.get("message_type")) for each in messages_of(*turns, form="native")]
        a_round = [("bot", "function_call"), ("tool", None)]
        assert kinds == [("user", None), ("bot", None), *a_round, *a_round, ("bot", None), ("user", None)]

    def test_a_round_without_text_is_the_calls_alone(self) -> None:
        _, calls, _ = messages_of(said("user", "Weather?"), called(PARIS), gave("c1", "sun"), form="native")
        assert calls["message_type"] == "function_call"

    def test_what_a_user_says_behind_the_results_is_a_message_of_its_own(self) -> None:
        turns = [*ONE_ROUND, said("user", "Hurry")]
        *_, results, last = messages_of(*turns, form="native")
        assert (results["role"], last["role"], last["content"]) == ("tool", "user", "Hurry")


@pytest.mark.parametrize("form", FORMS)
def test_results_with_pictures_lose_neither_text_nor_picture(form: HistoryForm) -> None:
    result = Message("tool", (ToolResult("c1", (Text("a map"), file("map.png"))),))
    messages = messages_of(said("user", "Weather?"), called(PARIS), result, form=form)
    assert any("a map" in message["content"] for message in messages)
    urls = [each["url"] for message in messages for each in message.get("attachments", ())]
    assert urls == ["https://x.test/map.png"]


@pytest.mark.parametrize("form", ["native", "xml"])
def test_names_are_those_that_the_bot_was_told(form: HistoryForm) -> None:
    call = ToolCall("c1", "get the weather!", "{}")
    messages = messages_of(said("user", "Weather?"), called(call), gave("c1", "sun"), form=form)
    contents = [message["content"] for message in messages]
    assert not any("get the weather!" in content for content in contents)
    assert sum(bot_name("get the weather!") in content for content in contents) == 2


class TestLastRound:
    def test_a_conversation_that_ends_with_results_has_one(self) -> None:
        latest = last_round(messages_of(*ONE_ROUND, form="native"))
        assert latest is not None
        assert [call["id"] for call in latest.calls] == ["c1", "c2"]
        assert latest.calls[0]["function"] == {"name": "weather", "arguments": '{"city":"Paris"}'}
        assert latest.results[1] == {"role": "tool", "tool_call_id": "c2", "name": "weather", "content": "rain"}

    def test_it_is_the_last_of_several(self) -> None:
        turns = [*ONE_ROUND, called(ToolCall("c3", "clock", "{}")), gave("c3", "noon")]
        latest = last_round(messages_of(*turns, form="native"))
        assert latest is not None
        assert [call["id"] for call in latest.calls] == ["c3"]
        assert [result["tool_call_id"] for result in latest.results] == ["c3"]

    @pytest.mark.parametrize("after", [said("user", ""), Message("assistant", (Reasoning("hm"),)), said("assistant")])
    def test_what_says_nothing_does_not_come_after_it(self, after: Message) -> None:
        assert last_round(messages_of(*ONE_ROUND, after, form="native"))

    @pytest.mark.parametrize("after", [said("assistant", "Sunny."), said("user", "Thanks")])
    def test_a_conversation_that_went_on_has_none(self, after: Message) -> None:
        assert last_round(messages_of(*ONE_ROUND, after, form="native")) is None

    @pytest.mark.parametrize("form", ["xml", "text"])
    def test_other_forms_have_none(self, form: HistoryForm) -> None:
        assert last_round(messages_of(*ONE_ROUND, form=form)) is None

    @pytest.mark.parametrize("history", [[], [said("user", "Hi")], [said("user", "Hi"), said("assistant", "Hello")]])
    def test_a_conversation_without_calls_has_none(self, history: list[Message]) -> None:
        assert last_round(messages_of(*history, form="native")) is None


class TestSingleMessage:
    def test_who_said_what_is_marked(self) -> None:
        turns = [said("system", "Be kind."), said("user", "Hi"), said("assistant", "Hello"), said("user", "Bye")]
        single = as_single_message(messages_of(*turns))
        assert single == {
            "role": "user",
            "content": "System: Be kind.\n\nUser: Hi\n\nAssistant: Hello\n\nUser: Bye",
            "content_type": "text/markdown",
        }

    def test_a_lone_question_needs_no_mark(self) -> None:
        assert as_single_message(messages_of(said("user", "Hi")))["content"] == "Hi"

    def test_all_files_come_along(self) -> None:
        turns = [Message("user", (file("a.png"),)), said("assistant", "Nice."), Message("user", (file("b.png"),))]
        single = as_single_message(messages_of(*turns))
        assert [each["name"] for each in single["attachments"]] == ["a.png", "b.png"]
