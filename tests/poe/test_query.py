"""Requests to Poe's query JSON."""

import time
from typing import Any

import orjson
import pytest

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.request import (
    Inline,
    Media,
    Message,
    ModelRequest,
    Part,
    Role,
    Sampling,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolChoiceMode,
    ToolResult,
    Url,
)
from poe2openai.poe.query import CONTINUE, BotPolicy, build_query

NO_POLICY = BotPolicy()


def said(role: Role, *texts: str) -> Message:
    return Message(role, tuple(Text(text) for text in texts))


def query(*messages: Message, policy: BotPolicy = NO_POLICY, **fields: Any) -> dict[str, Any]:
    request = ModelRequest("bot", messages, **fields)
    built = orjson.loads(build_query(request, policy))
    assert isinstance(built, dict)
    return built


def dialogue(built: dict[str, Any]) -> list[tuple[str, str]]:
    return [(message["role"], message["content"]) for message in built["query"]]


def test_a_conversation_in_poes_roles() -> None:
    built = query(said("system", "Be kind."), said("user", "Hi"), said("assistant", "Hello"), said("user", "Bye"))
    assert dialogue(built) == [("system", "Be kind."), ("user", "Hi"), ("bot", "Hello"), ("user", "Bye")]
    assert built["version"] == "1.2"
    assert built["type"] == "query"
    assert {built["user_id"], built["conversation_id"], built["message_id"]} == {""}
    assert {message["content_type"] for message in built["query"]} == {"text/markdown"}


def test_system_turns_into_user_where_the_owner_says_so() -> None:
    built = query(said("system", "Be kind."), said("user", "Hi"), policy=BotPolicy(system_as_user=True))
    assert dialogue(built) == [("user", "Be kind.\n\nHi")]


def test_the_owners_system_prompt_comes_first() -> None:
    built = query(said("system", "Be kind."), said("user", "Hi"), policy=BotPolicy(system_prompt="Be brief."))
    assert dialogue(built) == [("system", "Be brief.\n\nBe kind."), ("user", "Hi")]


def test_neighbours_of_one_role_are_one_message() -> None:
    built = query(
        said("user", "a"), said("user", "b", "c"), said("assistant", "d"), said("assistant", "e"), said("user", "f")
    )
    assert dialogue(built) == [("user", "a\n\nb\n\nc"), ("bot", "d\n\ne"), ("user", "f")]


def test_neighbours_of_one_role_share_their_files() -> None:
    files = [Media(Url(f"https://x.test/{name}.png"), "image/png", None, "messages") for name in "ab"]
    built = query(Message("user", (files[0],)), said("user", "look"), Message("user", (Text("both"), files[1])))
    assert dialogue(built) == [("user", "look\n\nboth")]
    assert [each["name"] for each in built["query"][0]["attachments"]] == ["a.png", "b.png"]


def test_a_long_run_of_one_role_is_joined_once() -> None:
    text = "x" * 2_000
    before = time.process_time()
    built = query(*[said("user", text)] * 10_000)
    assert time.process_time() - before < 3
    assert dialogue(built) == [("user", "\n\n".join([text] * 10_000))]


def test_empty_messages_are_left_out() -> None:
    built = query(said("system", ""), said("user", "a"), said("assistant"), said("user", "b"))
    assert dialogue(built) == [("user", "a\n\nb")]


def test_instructions_alone_are_the_question() -> None:
    assert dialogue(query(said("system", "Write a poem."))) == [("user", "Write a poem.")]


@pytest.mark.parametrize(
    "messages",
    [
        [said("user", "Tell a story."), said("assistant", "Once upon")],
        [said("system", "You are a pirate."), said("assistant", "Ahoy")],
    ],
)
def test_a_bot_that_spoke_last_is_asked_to_go_on(messages: list[Message]) -> None:
    assert dialogue(query(*messages))[-1] == ("user", CONTINUE)


def test_messages_without_any_content_are_refused() -> None:
    with pytest.raises(GatewayError) as caught:
        query(said("user", ""), said("assistant", ""))
    assert caught.value.kind is ErrorKind.INVALID_REQUEST
    assert caught.value.param == "messages"


def test_sampling_and_stop() -> None:
    built = query(said("user", "Hi"), sampling=Sampling(temperature=0.0, logit_bias={"42": -100}), stop=("END", "\n\n"))
    assert built["temperature"] == 0.0
    assert built["logit_bias"] == {"42": -100}
    assert built["stop_sequences"] == ["END", "\n\n"]


def test_what_is_not_asked_for_is_not_sent() -> None:
    built = query(said("user", "Hi"))
    assert not built.keys() & {"temperature", "logit_bias", "stop_sequences", "tools", "tool_calls", "tool_results"}
    assert "parameters" not in built["query"][0]


def test_parameters_ride_in_the_last_user_message_and_the_clients_win() -> None:
    built = query(
        said("user", "Hi"),
        said("assistant", "Hello"),
        said("user", "Draw"),
        policy=BotPolicy(parameters={"aspect": "1:1", "quality": "low"}),
        extra={"quality": "high", "seed_image": None},
    )
    assert built["query"][-1]["parameters"] == {"aspect": "1:1", "quality": "high", "seed_image": None}
    assert "parameters" not in built["query"][0]


@pytest.mark.parametrize(
    ("declared", "extra", "expected"),
    [
        (frozenset({"max_output_tokens", "max_tokens"}), {}, {"max_output_tokens": 7}),
        (frozenset({"max_tokens"}), {}, {"max_tokens": 7}),
        (frozenset({"aspect"}), {}, None),
        (None, {}, {"max_tokens": 7}),
        (frozenset({"max_output_tokens"}), {"max_output_tokens": 3}, {"max_output_tokens": 3}),
    ],
)
def test_the_token_limit_goes_by_the_bots_own_name_for_it(
    declared: frozenset[str] | None, extra: dict[str, Any], expected: dict[str, Any] | None
) -> None:
    built = query(said("user", "Hi"), policy=BotPolicy(declared=declared), extra=extra, max_tokens=7)
    assert built["query"][0].get("parameters") == expected


WEATHER = Tool("weather", None, {"properties": {"city": {"type": "string"}}, "required": ["city"]})
CLOCK = Tool("clock", "Tells the time.", None)


def test_tools_have_all_that_poe_demands() -> None:
    built = query(said("user", "Hi"), tools=(WEATHER, CLOCK))
    weather, clock = (tool["function"] for tool in built["tools"])
    assert weather["description"] == "weather"
    assert weather["parameters"] == {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    }
    assert clock == {
        "name": "clock",
        "description": "Tells the time.",
        "parameters": {"type": "object", "properties": {}},
    }


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        (ToolChoice(ToolChoiceMode.NONE), []),
        (ToolChoice(ToolChoiceMode.REQUIRED, ("clock",)), ["clock"]),
        (ToolChoice(ToolChoiceMode.REQUIRED), ["weather", "clock"]),
    ],
)
def test_the_choice_of_tools_filters_them(choice: ToolChoice, names: list[str]) -> None:
    built = query(said("user", "Hi"), tools=(WEATHER, CLOCK), tool_choice=choice)
    assert [tool["function"]["name"] for tool in built.get("tools", [])] == names


def called(*calls: ToolCall, text: str = "") -> Message:
    parts: tuple[Part, ...] = ((Text(text),) if text else ()) + calls
    return Message("assistant", parts)


def gave(call_id: str, text: str, *, is_error: bool = False) -> Message:
    return Message("tool", (ToolResult(call_id, (Text(text),), is_error),))


PARIS, ROME = ToolCall("c1", "weather", '{"city":"Paris"}'), ToolCall("c2", "weather", '{"city":"Rome"}')


def test_the_latest_round_of_tools_goes_beside_the_query() -> None:
    built = query(said("user", "Weather?"), called(PARIS, ROME, text="I look."), gave("c1", "sun"), gave("c2", "rain"))
    assert dialogue(built) == [("user", "Weather?"), ("bot", "I look.")]
    assert [call["id"] for call in built["tool_calls"]] == ["c1", "c2"]
    assert built["tool_calls"][0]["function"] == {"name": "weather", "arguments": '{"city":"Paris"}'}
    assert built["tool_results"][1] == {"role": "tool", "tool_call_id": "c2", "name": "weather", "content": "rain"}


def test_earlier_rounds_are_told_in_words() -> None:
    built = query(
        said("user", "Weather?"), called(PARIS), gave("c1", "sun"), said("assistant", "Sunny."), said("user", "Thanks")
    )
    assert dialogue(built) == [
        ("user", "Weather?"),
        ("bot", '[Called the tool weather with {"city":"Paris"}]'),
        ("user", "[The tool weather gave]\nsun"),
        ("bot", "Sunny."),
        ("user", "Thanks"),
    ]
    assert "tool_results" not in built


@pytest.mark.parametrize("results", [[gave("c1", "sun")], [gave("c1", "sun"), gave("c9", "?")]])
def test_results_that_do_not_match_the_calls_stay_in_the_history(results: list[Message]) -> None:
    built = query(said("user", "Weather?"), called(PARIS, ROME), *results)
    assert "tool_results" not in built
    assert "[The tool weather gave]\nsun" in built["query"][-1]["content"]


def test_a_result_that_failed_says_so() -> None:
    built = query(gave("c1", "no such city", is_error=True), said("user", "And now?"))
    assert built["query"][0]["content"].startswith("[The tool c1 failed with]\nno such city")


def test_files_by_address_are_attached() -> None:
    media = Media(Url("https://pfst.cf2.poecdn.net/base/a%20b.pdf?w=1"), None, None, "messages[0].content[1].file")
    built = query(Message("user", (Text("Read this"), media)))
    assert built["query"][0]["attachments"] == [
        {
            "url": "https://pfst.cf2.poecdn.net/base/a%20b.pdf?w=1",
            "content_type": "application/pdf",
            "name": "a%20b.pdf",
        }
    ]


def test_a_file_sent_along_is_refused_by_its_place() -> None:
    media = Media(Inline("aGk="), "image/png", None, "messages[0].content[0].image_url")
    with pytest.raises(GatewayError) as caught:
        query(Message("user", (media,)))
    assert caught.value.param == "messages[0].content[0].image_url"
