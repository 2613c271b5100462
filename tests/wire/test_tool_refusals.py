"""A bot that refuses tools, or its own earlier calls, is told in another way."""

from collections.abc import Sequence

import pytest

from tests.support.fixtures import GatewayFactory
from tests.support.gateway import Gateway
from tests.support.poe_script import Step, done, error, error_reply, json_reply, text
from tests.support.received import Received
from tests.support.scripted_poe import ScriptedPoe
from tests.support.tool_gateway import (
    HISTORY,
    NATIVE_CALL,
    PARIS,
    QUESTION,
    TOOLS,
    XML_CALL,
    ask,
    ask_whole,
    calls_of,
    failure,
    fresh_bot,
    make_tool_gateway,
    parsed,
    ways,
)


@pytest.fixture
def gateway(make_gateway: GatewayFactory, poe: ScriptedPoe) -> Gateway:
    return make_tool_gateway(make_gateway, poe)


REFUSALS: list[list[Step]] = [
    [error("Tools are not supported by this bot.", allow_retry=False)],
    error_reply(400, "tools.0.function: invalid schema"),
    error_reply(400, "unsupported", code="unsupported_feature_for_model"),
    json_reply(200, {"error": {"code": 400, "message": "no tools here"}}),
    [error("Internal server error: function calling failed")],
]
NO_REFUSALS: list[tuple[int, list[Step]]] = [
    (401, error_reply(401, "Invalid token")),
    (429, error_reply(402, "You do not have enough points to use tools.")),
    (404, error_reply(404, "Bot does not exist", type="not_found_error")),
    (429, error_reply(429, "rate limit of tools", {"Retry-After": "60"})),
    (500, error_reply(500, "Internal server error")),
    (503, error_reply(503, "tools are busy")),
    (500, [error("Internal server error (error_id: 7)")]),
]


class TestRefusals:
    @pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
    @pytest.mark.parametrize("refusal", REFUSALS)
    def test_a_bot_that_refuses_is_told_in_xml_and_from_then_on_at_once(
        self, gateway: Gateway, poe: ScriptedPoe, refusal: list[Step], stream: bool
    ) -> None:
        bot = fresh_bot()
        poe.script(bot, refusal)
        poe.script(bot, XML_CALL)
        for _ in range(2):
            if stream:
                assert parsed(calls_of(ask(gateway, bot))) == parsed([PARIS])
            else:
                assert ask_whole(gateway, bot)["choices"][0]["message"]["tool_calls"]
        assert ways(poe.queries(bot)) == ["native, text", "xml", "xml"]

    @pytest.mark.parametrize(("status", "fault"), NO_REFUSALS)
    def test_no_other_error_changes_the_way(
        self, gateway: Gateway, poe: ScriptedPoe, status: int, fault: list[Step]
    ) -> None:
        bot = fresh_bot()
        poe.script(bot, fault)
        assert failure(gateway, bot)[0] == status
        assert set(ways(poe.queries(bot))) == {"native, text"}

    def test_a_bot_that_refuses_all_gives_its_first_refusal(self, gateway: Gateway, poe: ScriptedPoe) -> None:
        bot = fresh_bot()
        poe.script(bot, error_reply(400, "tools: the first refusal"))
        poe.script(bot, error_reply(400, "the second refusal"))
        status, said = failure(gateway, bot)
        assert status == 400
        assert "the first refusal" in said["message"]
        assert ways(poe.queries(bot)) == ["native, text", "xml"]
        poe.reset()
        poe.script(bot, text("ok"), done())
        ask(gateway, bot)
        assert ways(poe.queries(bot)) == ["native, text"], "nothing was learned of a bot that refuses anything"

    def test_a_refused_history_is_told_in_words_and_tools_stay_native(self, gateway: Gateway, poe: ScriptedPoe) -> None:
        bot = fresh_bot()

        def answer(query: Received) -> Sequence[Step]:
            return error_reply(400, "No tool call found") if "tool_results" in query.json else NATIVE_CALL

        poe.script_by(bot, answer)
        for _ in range(2):
            assert parsed(calls_of(ask(gateway, bot, messages=HISTORY))) == parsed([PARIS])
        assert ways(poe.queries(bot)) == ["native", "native, text", "native, text"]

    def test_both_native_ways_may_be_refused(self, gateway: Gateway, poe: ScriptedPoe) -> None:
        bot = fresh_bot()

        def answer(query: Received) -> Sequence[Step]:
            return error_reply(400, "no tools") if "tools" in query.json else XML_CALL

        poe.script_by(bot, answer)
        for messages in (HISTORY, HISTORY, QUESTION):
            ask(gateway, bot, messages=messages)
        assert ways(poe.queries(bot)) == ["native", "native, text", "xml", "xml", "xml"]

    def test_a_mode_that_was_set_is_kept_to(self, gateway: Gateway, poe: ScriptedPoe) -> None:
        poe.script("always-native", error_reply(400, "no tools"))
        assert failure(gateway, "always-native")[0] == 400
        assert ways(poe.queries("always-native")) == ["native, text"]

    def test_what_fails_after_the_first_event_is_told(self, gateway: Gateway, poe: ScriptedPoe) -> None:
        bot = fresh_bot()
        poe.script(bot, text("half"), error("Tools are not supported by this bot."))
        with gateway.client() as client:
            client.chat(model=bot, messages=QUESTION, tools=TOOLS, stream=True).read()
        assert len(poe.queries(bot)) == 1

    def test_the_log_tells_of_it(self, gateway: Gateway, poe: ScriptedPoe) -> None:
        before = len(gateway.log())
        bot = fresh_bot()
        poe.script(bot, error_reply(400, "no tools here"))
        poe.script(bot, XML_CALL)
        ask(gateway, bot)
        assert "no tools here" in gateway.wait_log(f"model={bot}", start=before)
