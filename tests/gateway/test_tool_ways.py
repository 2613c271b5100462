"""By which way a bot is told of tools, and how long a refusal counts."""

from typing import Any

import pytest

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.request import ModelRequest
from poe2openai.gateway.tool_ways import MAX_REMEMBERED, ToolWays, Way, is_refusal
from tests.support.asking import ONE_ROUND, WEATHER, asked, route

HOUR = 3600.0
DAY = 24 * HOUR

NATIVE, NATIVE_WITH_TEXT, XML = Way("native", "native"), Way("native", "text"), Way("xml", "xml")
FIRST = asked(tools=(WEATHER,))
LATER = asked(*ONE_ROUND, tools=(WEATHER,))

ABOUT_TOOLS = GatewayError(ErrorKind.INVALID_REQUEST, "This model does not support tools.")
ABOUT_ANYTHING = GatewayError(ErrorKind.INVALID_REQUEST, "The bot could not be reached.")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def ways(known: ToolWays, request: ModelRequest = FIRST, *, has_tools: bool = True, **fields: Any) -> list[Way]:
    return known.ways(request, route(**{"supports_tools": True, **fields}), has_tools=has_tools)


@pytest.mark.parametrize("mode", ["auto", "native", "xml"])
def test_without_tools_calls_are_told_in_words(mode: Any) -> None:
    assert ways(ToolWays(mode, "auto"), LATER, has_tools=False) == [Way("none", "text")]


def test_auto_goes_by_poes_list_and_has_xml_to_fall_back_on() -> None:
    known = ToolWays("auto", "auto")
    assert ways(known, FIRST, supports_tools=True) == [NATIVE_WITH_TEXT, XML]
    assert ways(known, LATER, supports_tools=True) == [NATIVE, NATIVE_WITH_TEXT, XML]
    for request in (FIRST, LATER):
        assert ways(known, request, supports_tools=False) == [XML]


@pytest.mark.parametrize("supports_tools", [True, False])
def test_in_auto_a_bot_that_makes_no_text_is_told_of_no_tools(supports_tools: bool) -> None:
    """A maker of pictures would paint the instructions; chat clients send their tools with every question."""
    for set_mode, default in ((None, "auto"), ("auto", "native"), ("auto", "xml")):
        known = ToolWays(default, "auto")  # type: ignore[arg-type]
        for request in (FIRST, LATER):
            told = ways(known, request, makes_text=False, supports_tools=supports_tools, tools_mode=set_mode)
            assert told == [Way("none", "text")]


def test_an_owner_who_knows_better_may_tell_it_of_them_all_the_same() -> None:
    known = ToolWays("auto", "auto")
    assert ways(known, FIRST, makes_text=False, tools_mode="xml") == [XML]
    assert ways(known, FIRST, makes_text=False, tools_mode="native") == [NATIVE_WITH_TEXT]


@pytest.mark.parametrize("supports_tools", [True, False])
def test_a_mode_that_the_owner_set_is_kept_to(supports_tools: bool) -> None:
    for set_mode, default in (("native", "xml"), (None, "native")):
        known = ToolWays(default, "auto")  # type: ignore[arg-type]
        assert ways(known, LATER, tools_mode=set_mode, supports_tools=supports_tools) == [NATIVE, NATIVE_WITH_TEXT]
    for set_mode, default in (("xml", "native"), (None, "xml")):
        known = ToolWays(default, "auto")  # type: ignore[arg-type]
        assert ways(known, LATER, tools_mode=set_mode, supports_tools=supports_tools) == [XML]


def test_the_form_of_the_history_can_be_set_too() -> None:
    for set_history, default in (("text", "auto"), (None, "text")):
        known = ToolWays("native", default)  # type: ignore[arg-type]
        assert ways(known, LATER, tool_history=set_history) == [NATIVE_WITH_TEXT]
    for set_history, default in (("native", "auto"), (None, "native")):
        known = ToolWays("native", default)  # type: ignore[arg-type]
        assert ways(known, LATER, tool_history=set_history) == [NATIVE]


def test_one_message_holds_no_native_rounds() -> None:
    known = ToolWays("auto", "native")
    assert ways(known, LATER, single_message=True) == [NATIVE_WITH_TEXT, XML]


@pytest.mark.parametrize(
    ("error", "seconds"), [(ABOUT_TOOLS, DAY), (ABOUT_ANYTHING, HOUR / 6)], ids=["about tools", "about anything"]
)
def test_a_refusal_is_remembered_for_a_while(clock: Clock, error: GatewayError, seconds: float) -> None:
    known = ToolWays("auto", "auto", clock)
    known.remember("bot", [NATIVE_WITH_TEXT], error)
    for request in (FIRST, LATER):
        assert ways(known, request) == [XML]
        assert NATIVE_WITH_TEXT in ways(known, request, bot="another")
    clock.now += seconds - 1
    assert ways(known) == [XML]
    clock.now += 2
    assert ways(known) == [NATIVE_WITH_TEXT, XML]


def test_a_doubtful_refusal_does_not_shorten_a_clear_one(clock: Clock) -> None:
    known = ToolWays("auto", "auto", clock)
    known.remember("bot", [NATIVE_WITH_TEXT], ABOUT_TOOLS)
    known.remember("bot", [NATIVE_WITH_TEXT], ABOUT_ANYTHING)
    clock.now += HOUR
    assert ways(known) == [XML]


def test_a_refused_history_leaves_native_tools(clock: Clock) -> None:
    known = ToolWays("auto", "auto", clock)
    known.remember("bot", [NATIVE], ABOUT_TOOLS)
    assert ways(known, LATER) == [NATIVE_WITH_TEXT, XML]
    assert ways(known, FIRST) == [NATIVE_WITH_TEXT, XML]


def test_where_all_was_refused_the_last_way_is_left(clock: Clock) -> None:
    known = ToolWays("native", "auto", clock)
    known.remember("bot", [NATIVE, NATIVE_WITH_TEXT], ABOUT_TOOLS)
    assert ways(known, LATER) == [NATIVE_WITH_TEXT]


def test_what_is_remembered_has_a_bound(clock: Clock) -> None:
    known = ToolWays("auto", "auto", clock)
    for number in range(MAX_REMEMBERED * 2):
        known.remember(f"bot-{number}", [NATIVE_WITH_TEXT], ABOUT_TOOLS)
    forgotten = [name for name in range(MAX_REMEMBERED * 2) if ways(known, bot=f"bot-{name}") != [XML]]
    assert len(forgotten) >= MAX_REMEMBERED
    assert ways(known, bot=f"bot-{MAX_REMEMBERED * 2 - 1}") == [XML]


@pytest.mark.parametrize(
    ("kind", "message", "refused"),
    [
        (ErrorKind.INVALID_REQUEST, "Something is wrong.", True),
        (ErrorKind.INVALID_REQUEST, "tools: field required", True),
        (ErrorKind.UPSTREAM_INTERNAL, "Internal server error: function calling is not supported", True),
        (ErrorKind.UPSTREAM_INTERNAL, "Internal server error (error_id: 7)", False),
        (ErrorKind.AUTHENTICATION, "tools", False),
        (ErrorKind.INSUFFICIENT_QUOTA, "tools", False),
        (ErrorKind.RATE_LIMIT, "tools", False),
        (ErrorKind.MODEL_NOT_FOUND, "tools", False),
        (ErrorKind.CONTEXT_LENGTH, "tools", False),
        (ErrorKind.OVERLOADED, "tools", False),
        (ErrorKind.UPSTREAM_TIMEOUT, "tools", False),
    ],
)
def test_only_what_may_be_about_tools_is_a_refusal(kind: ErrorKind, message: str, refused: bool) -> None:
    assert is_refusal(GatewayError(kind, message)) is refused
