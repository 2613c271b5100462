"""Requests to Poe's query JSON."""

from typing import Any

import orjson
import pytest

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.request import Media, Message, ModelRequest, Sampling, Text, ToolCall, Url
from poe2openai.poe.query import CONTINUE, BotPolicy, Wording, build_query
from poe2openai.poe.tool_prompt import RESULT_TAG
from tests.support.asking import CLOCK, ONE_ROUND, PARIS, WEATHER, called, gave, said

NO_POLICY = BotPolicy()


def query(
    *messages: Message, policy: BotPolicy = NO_POLICY, wording: Wording | None = None, **fields: Any
) -> dict[str, Any]:
    request = ModelRequest("bot", messages, **fields)
    built = orjson.loads(build_query(request, policy, wording))
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


def test_system_turns_into_user_where_the_owner_says_so() -> None:
    built = query(said("system", "Be kind."), said("user", "Hi"), policy=BotPolicy(system_as_user=True))
    assert dialogue(built) == [("user", "Be kind.\n\nHi")]


def test_the_owners_system_prompt_comes_first() -> None:
    built = query(said("system", "Be kind."), said("user", "Hi"), policy=BotPolicy(system_prompt="Be brief."))
    assert dialogue(built) == [("system", "Be brief.\n\nBe kind."), ("user", "Hi")]


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


def test_tools_go_in_poes_own_field_where_the_wording_has_them() -> None:
    built = query(said("user", "Hi"), tools=(CLOCK,), wording=Wording(tools=(WEATHER,)))
    assert built["tools"] == [
        {
            "type": "function",
            "function": {
                "name": "weather",
                "description": "Tells the weather.",
                "parameters": {
                    "type": "object",
                    "properties": {"city": {"type": "string"}},
                    "required": ["city"],
                },
            },
        }
    ]
    assert "tools" not in query(said("user", "Hi"), tools=(CLOCK,))


class TestNativeHistory:
    NATIVE = Wording(history="native", tools=(WEATHER,))

    def test_the_latest_round_also_goes_beside_the_query(self) -> None:
        built = query(*ONE_ROUND, wording=self.NATIVE)
        *_, calls, results = built["query"]
        assert calls["message_type"] == "function_call"
        assert (calls["role"], results["role"]) == ("bot", "tool")
        assert built["tool_calls"] == orjson.loads(calls["content"])
        assert built["tool_results"] == orjson.loads(results["content"])
        assert [result["content"] for result in built["tool_results"]] == ["sun", "rain"]

    def test_of_several_rounds_the_latest_alone_does(self) -> None:
        clock = ToolCall("c3", "clock", "{}")
        built = query(*ONE_ROUND, called(clock), gave("c3", "noon"), wording=self.NATIVE)
        assert [call["id"] for call in built["tool_calls"]] == ["c3"]
        assert [result["tool_call_id"] for result in built["tool_results"]] == ["c3"]
        assert [message["role"] for message in built["query"]].count("tool") == 2

    def test_none_does_once_the_conversation_went_on(self) -> None:
        built = query(*ONE_ROUND, said("user", "Thanks"), wording=self.NATIVE)
        assert not built.keys() & {"tool_calls", "tool_results"}

    def test_the_results_are_the_last_message_and_parameters_ride_with_the_question(self) -> None:
        built = query(*ONE_ROUND, wording=self.NATIVE, extra={"aspect": "1:1"})
        assert built["query"][-1]["role"] == "tool"
        assert built["query"][0]["parameters"] == {"aspect": "1:1"}

    def test_somebody_has_to_have_asked(self) -> None:
        built = query(said("system", "Look."), called(PARIS), gave("c1", "sun"), wording=self.NATIVE)
        roles = [message["role"] for message in built["query"]]
        assert roles == ["system", "user", "bot", "tool"]
        assert built["query"][1]["content"] == CONTINUE
        assert built["tool_results"]

    @pytest.mark.parametrize("history", ["text", "xml"])
    def test_other_forms_send_nothing_beside_the_query(self, history: Any) -> None:
        built = query(*ONE_ROUND, wording=Wording(history=history, tools=(WEATHER,)))
        assert not built.keys() & {"tool_calls", "tool_results"}
        assert {message["role"] for message in built["query"]} == {"user", "bot"}


class TestWording:
    def test_demands_stand_behind_the_last_user_message(self) -> None:
        wording = Wording(demands=("Call tools.", "Answer in JSON."))
        built = query(said("user", "Hi"), said("assistant", "Hello"), said("user", "Weather?"), wording=wording)
        assert dialogue(built) == [
            ("user", "Hi"),
            ("bot", "Hello"),
            ("user", "Weather?\n\nCall tools.\n\nAnswer in JSON."),
        ]

    def test_demands_stand_behind_the_results_in_words(self) -> None:
        built = query(*ONE_ROUND, wording=Wording(history="xml", demands=("Call tools.",)))
        assert built["query"][-1]["content"].endswith("\n\nCall tools.")
        assert "rain" in built["query"][-1]["content"]

    def test_demands_stand_behind_the_question_where_results_are_native(self) -> None:
        built = query(*ONE_ROUND, wording=Wording(history="native", tools=(WEATHER,), demands=("One at a time.",)))
        assert built["query"][0]["content"] == "Weather?\n\nOne at a time."

    def test_a_file_alone_can_have_demands(self) -> None:
        media = Media(Url("https://x.test/a.png"), "image/png", None, "messages")
        built = query(Message("user", (media,)), wording=Wording(demands=("Answer in JSON.",)))
        assert dialogue(built) == [("user", "Answer in JSON.")]
        assert built["query"][0]["attachments"]

    def test_files_stay_with_the_message_they_came_with(self) -> None:
        first, second = (Media(Url(f"https://x.test/{name}.png"), None, None, "messages") for name in "ab")
        built = query(
            Message("user", (Text("Look"), first)), said("assistant", "Nice."), Message("user", (Text("And?"), second))
        )
        assert [[each["url"][-5:] for each in message.get("attachments", ())] for message in built["query"]] == [
            ["a.png"],
            [],
            ["b.png"],
        ]

    def test_flags_stand_right_behind_what_the_user_said(self) -> None:
        wording = Wording(flags=("aspect", "hd"), demands=("Answer in JSON.",))
        assert dialogue(query(said("user", "A cat"), wording=wording)) == [
            ("user", "A cat --aspect --hd\n\nAnswer in JSON.")
        ]

    def test_a_bot_that_calls_in_xml_is_not_to_write_results(self) -> None:
        built = query(said("user", "Hi"), stop=("END",), wording=Wording(history="xml"))
        assert built["stop_sequences"] == ["END", f"<{RESULT_TAG}"]
        assert RESULT_TAG == "tool_result"


class TestSingleMessage:
    POLICY = BotPolicy(single_message=True, parameters={"aspect": "1:1"})

    def test_the_conversation_is_one_message_with_all_that_belongs_to_it(self) -> None:
        media = Media(Url("https://x.test/a.png"), "image/png", None, "messages")
        built = query(
            said("system", "Be kind."),
            Message("user", (Text("Look"), media)),
            said("assistant", "Nice."),
            said("user", "Again"),
            policy=self.POLICY,
            wording=Wording(demands=("Answer in JSON.",), flags=("hd",)),
        )
        (single,) = built["query"]
        assert single["role"] == "user"
        assert single["content"] == (
            "System: Be kind.\n\nUser: Look\n\nAssistant: Nice.\n\nUser: Again --hd\n\nAnswer in JSON."
        )
        assert single["parameters"] == {"aspect": "1:1"}
        assert [each["url"] for each in single["attachments"]] == ["https://x.test/a.png"]

    def test_a_question_alone_has_no_marks(self) -> None:
        assert dialogue(query(said("user", "Hi"), policy=self.POLICY)) == [("user", "Hi")]

    @pytest.mark.parametrize("history", ["native", "xml", "text"])
    def test_no_round_goes_beside_it(self, history: Any) -> None:
        built = query(*ONE_ROUND, policy=self.POLICY, wording=Wording(history=history, tools=(WEATHER,)))
        (single,) = built["query"]
        assert "rain" in single["content"]
        assert not built.keys() & {"tool_calls", "tool_results"}


def test_a_damaged_history_is_made_whole_first() -> None:
    built = query(
        said("user", "Weather?"),
        called(PARIS, ToolCall("c2", "weather", "{}")),
        gave("c1", "sun"),
        gave("c9", "?"),
        wording=Wording(history="native", tools=(WEATHER,)),
    )
    answered = {result["tool_call_id"] for result in built.get("tool_results", ())}
    assert answered == {call["id"] for call in built.get("tool_calls", ())}
    assert "sun" in str(built["query"])


def test_the_request_is_left_as_it_was() -> None:
    request = ModelRequest("bot", ONE_ROUND, tools=(WEATHER,), stop=("END",))
    once = build_query(request, TestSingleMessage.POLICY, Wording(history="xml", demands=("Call tools.",)))
    assert build_query(request, TestSingleMessage.POLICY, Wording(history="xml", demands=("Call tools.",))) == once
