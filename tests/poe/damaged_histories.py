"""Histories as clients send them after cutting, merging and editing, and what each becomes when it is made whole."""

from dataclasses import dataclass

from poe2openai.core.content import content_of
from poe2openai.core.request import Inline, Media, Message, Part, Reasoning, Role, Text, ToolCall, ToolResult, Url
from poe2openai.poe.tool_history import FILE_FOLLOWS, NO_RESULT
from tests.support.asking import called, gave, said

PICTURE = Media(Url("https://x.test/a.png"), "image/png", None, "messages")
SCREEN = Media(Inline(content_of(b"hi")), "image/png", None, "messages")

ASKED, ANSWERED, WENT_ON = said("user", "Weather?"), said("assistant", "Sunny."), said("user", "Thanks")
# What became of a result that is nobody's.
ORPHAN = Message("user", (Text("[An earlier tool call (c9) gave]"), Text("sun")))


@dataclass(frozen=True)
class Damaged:
    name: str
    history: tuple[Message, ...]
    whole: tuple[Message, ...]


def call(call_id: str = "c1", name: str = "weather", arguments: str = "{}") -> ToolCall:
    return ToolCall(call_id, name, arguments)


def result(call_id: str = "c1", *texts: str) -> ToolResult:
    return ToolResult(call_id, tuple(Text(text) for text in texts))


def mixed(role: Role, *parts: Part) -> Message:
    return Message(role, parts)


def results(*each: ToolResult) -> Message:
    return Message("tool", each)


NO_ANSWER = gave("c1", NO_RESULT)

CORPUS = [
    # Results without calls.
    Damaged("an orphan at the front", (gave("c9", "sun"), ASKED), (ORPHAN, ASKED)),
    Damaged("an orphan between words", (ASKED, gave("c9", "sun"), WENT_ON), (ASKED, ORPHAN, WENT_ON)),
    Damaged(
        "an orphan beside a result",
        (ASKED, called(call()), gave("c9", "sun"), gave("c1", "rain"), ANSWERED),
        (ASKED, called(call()), gave("c1", "rain"), ORPHAN, ANSWERED),
    ),
    Damaged(
        "an orphan that failed",
        (gave("c9", "no such city", is_error=True), ASKED),
        (said("user", "[An earlier tool call (c9) failed with]", "no such city"), ASKED),
    ),
    Damaged(
        "an orphan with a file and without an id",
        (mixed("tool", ToolResult("", (Text("a map"), PICTURE))), ASKED),
        (mixed("user", Text("[An earlier tool call gave]"), Text("a map"), PICTURE), ASKED),
    ),
    Damaged(
        "an orphan whose id a later call has too",
        (gave("c1", "old"), ASKED, called(call()), gave("c1", "new")),
        (said("user", "[An earlier tool call (c1) gave]", "old"), ASKED, called(call()), gave("c1", "new")),
    ),
    # Calls without results.
    Damaged(
        "a call that the user talked over",
        (ASKED, called(call()), WENT_ON),
        (ASKED, called(call()), NO_ANSWER, WENT_ON),
    ),
    Damaged("a call that the history ends with", (ASKED, called(call())), (ASKED, called(call()), NO_ANSWER)),
    Damaged(
        "one of two calls without a result",
        (ASKED, called(call(), call("c2", "clock")), gave("c2", "noon"), ANSWERED),
        (ASKED, called(call(), call("c2", "clock")), results(result("c1", NO_RESULT), result("c2", "noon")), ANSWERED),
    ),
    Damaged(
        "a call that is followed by another answer",
        (ASKED, called(call()), ANSWERED, WENT_ON),
        (ASKED, called(call()), NO_ANSWER, ANSWERED, WENT_ON),
    ),
    # Ids.
    Damaged(
        "an id that each round has",
        (ASKED, called(call()), gave("c1", "sun"), called(call("c1", "clock")), gave("c1", "noon")),
        (ASKED, called(call()), gave("c1", "sun"), called(call("c1_1", "clock")), gave("c1_1", "noon")),
    ),
    Damaged(
        "an id that each round has, the first without a result",
        (ASKED, called(call()), WENT_ON, called(call("c1", "clock")), gave("c1", "noon")),
        (ASKED, called(call()), NO_ANSWER, WENT_ON, called(call("c1_1", "clock")), gave("c1_1", "noon")),
    ),
    Damaged(
        "two calls of one message with one id",
        (ASKED, called(call(), call("c1", "clock")), gave("c1", "sun"), gave("c1", "noon")),
        (ASKED, called(call(), call("c1_1", "clock")), results(result("c1", "sun"), result("c1_1", "noon"))),
    ),
    Damaged(
        "a made id that a later call has already",
        (ASKED, called(call(), call()), called(call("c1_1"))),
        (
            ASKED,
            called(call(), call("c1_1")),
            results(result("c1", NO_RESULT), result("c1_1", NO_RESULT)),
            called(call("c1_1_2")),
            gave("c1_1_2", NO_RESULT),
        ),
    ),
    Damaged(
        "no ids at all",
        (
            ASKED,
            called(call(""), call("", "clock")),
            gave("", "sun"),
            gave("", "noon"),
            called(call("")),
            gave("", "?"),
        ),
        (
            ASKED,
            called(call("call_1"), call("call_2", "clock")),
            results(result("call_1", "sun"), result("call_2", "noon")),
            called(call("call_3")),
            gave("call_3", "?"),
        ),
    ),
    Damaged(
        "no ids of results",
        (ASKED, called(call(), call("c2")), gave("", "sun"), gave("", "rain")),
        (ASKED, called(call(), call("c2")), results(result("c1", "sun"), result("c2", "rain"))),
    ),
    Damaged(
        "no ids of calls",
        (ASKED, called(call(""), call("")), gave("c1", "sun"), gave("c2", "rain")),
        (ASKED, called(call("call_1"), call("call_2")), results(result("call_1", "sun"), result("call_2", "rain"))),
    ),
    Damaged(
        "names in the place of ids",
        (ASKED, called(call(), call("c2", "clock")), gave("clock", "noon"), gave("weather", "sun")),
        (ASKED, called(call(), call("c2", "clock")), results(result("c1", "sun"), result("c2", "noon"))),
    ),
    Damaged(
        "functions as they were before tools",
        (ASKED, called(call("weather")), gave("weather", "sun"), called(call("weather")), gave("weather", "rain")),
        (ASKED, called(call("weather")), gave("weather", "sun"), called(call("weather_1")), gave("weather_1", "rain")),
    ),
    # Order.
    Damaged(
        "a result before its call",
        (ASKED, gave("c1", "sun"), called(call()), ANSWERED),
        (ASKED, called(call()), gave("c1", "sun"), ANSWERED),
    ),
    Damaged(
        "results in another order",
        (ASKED, called(call(), call("c2")), results(result("c2", "rain"), result("c1", "sun"))),
        (ASKED, called(call(), call("c2")), results(result("c1", "sun"), result("c2", "rain"))),
    ),
    Damaged(
        "results in several messages",
        (ASKED, called(call(), call("c2")), gave("c1", "sun"), gave("c2", "rain"), ANSWERED),
        (ASKED, called(call(), call("c2")), results(result("c1", "sun"), result("c2", "rain")), ANSWERED),
    ),
    Damaged(
        "results in a user's message, with words",
        (ASKED, called(call()), mixed("user", Text("Now"), result("c1", "sun"), Text("what?"))),
        (ASKED, called(call()), gave("c1", "sun"), said("user", "Now", "what?")),
    ),
    Damaged(
        "the user speaks in the middle of a round",
        (ASKED, called(call(), call("c2")), gave("c1", "sun"), said("user", "Hurry"), gave("c2", "rain"), ANSWERED),
        (
            ASKED,
            called(call(), call("c2")),
            results(result("c1", "sun"), result("c2", "rain")),
            said("user", "Hurry"),
            ANSWERED,
        ),
    ),
    Damaged(
        "a system message in the middle of a round",
        (ASKED, called(call()), said("system", "Be brief."), gave("c1", "sun")),
        (ASKED, called(call()), gave("c1", "sun"), said("system", "Be brief.")),
    ),
    Damaged(
        "the assistant speaks in the middle of a round",
        (ASKED, called(call()), said("assistant", "One moment."), gave("c1", "sun")),
        (ASKED, called(call(), text="One moment."), gave("c1", "sun")),
    ),
    Damaged(
        "text behind the calls of a message",
        (ASKED, mixed("assistant", call(), Text("One moment.")), gave("c1", "sun")),
        (ASKED, called(call(), text="One moment."), gave("c1", "sun")),
    ),
    Damaged(
        "calls of one answer in messages of their own",
        (ASKED, called(call()), called(call("c2")), gave("c1", "sun"), gave("c2", "rain")),
        (ASKED, called(call()), gave("c1", "sun"), called(call("c2")), gave("c2", "rain")),
    ),
    Damaged(
        "calls of one answer in messages of their own, with one id",
        (ASKED, called(call()), called(call()), gave("c1", "sun"), gave("c1", "rain")),
        (ASKED, called(call()), gave("c1", "sun"), called(call("c1_1")), gave("c1_1", "rain")),
    ),
    Damaged(
        "a whole round in one message of the assistant's",
        (ASKED, mixed("assistant", Text("I look."), call(), result("c1", "sun"), Text("Sunny."))),
        (ASKED, called(call(), text="I look."), gave("c1", "sun"), ANSWERED),
    ),
    Damaged(
        "a result that comes late",
        (ASKED, called(call()), WENT_ON, ANSWERED, said("user", "And?"), gave("c1", "sun")),
        (ASKED, called(call()), gave("c1", "sun"), WENT_ON, ANSWERED, said("user", "And?")),
    ),
    # Too much and too little.
    Damaged(
        "two results for one call",
        (ASKED, called(call()), gave("c1", "sun"), gave("c1", "and rain", is_error=True)),
        (ASKED, called(call()), gave("c1", "sun", "and rain", is_error=True)),
    ),
    Damaged(
        "a second result that is news of its own",
        (ASKED, called(call()), gave("c1", "started"), WENT_ON, gave("c1", "done")),
        (
            ASKED,
            called(call()),
            gave("c1", "started"),
            WENT_ON,
            said("user", "[An earlier tool call (c1) gave]", "done"),
        ),
    ),
    Damaged(
        "empty messages of the assistant's",
        (ASKED, said("assistant"), said("assistant", "", " \n"), called(call()), said("assistant"), gave("c1", "sun")),
        (ASKED, called(call()), gave("c1", "sun")),
    ),
    Damaged(
        "white space beside calls",
        (ASKED, mixed("assistant", Text("\n\n"), Text("I look."), Text(""), call()), gave("c1", "sun")),
        (ASKED, called(call(), text="I look."), gave("c1", "sun")),
    ),
    Damaged("an empty message without tools near", (ASKED, said("assistant"), WENT_ON), (ASKED, WENT_ON)),
    Damaged(
        "a tool's message without a result",
        (ASKED, mixed("tool", Text("sun")), mixed("tool")),
        (ASKED, said("user", "sun")),
    ),
    # What results and calls hold.
    Damaged(
        "a picture in a result",
        (ASKED, called(call()), mixed("tool", ToolResult("c1", (Text("a map"), PICTURE, Text("of it")))), ANSWERED),
        (
            ASKED,
            called(call()),
            gave("c1", "a map", FILE_FOLLOWS, "of it"),
            mixed("user", Text("[What the tool weather gave is attached.]"), PICTURE),
            ANSWERED,
        ),
    ),
    Damaged(
        "pictures alone in two of three results",
        (
            ASKED,
            called(call(), call("c2", "clock"), call("c3", "screen")),
            results(ToolResult("c1", (PICTURE,)), result("c2", "noon"), ToolResult("c3", (SCREEN, PICTURE))),
            said("user", "See?"),
        ),
        (
            ASKED,
            called(call(), call("c2", "clock"), call("c3", "screen")),
            results(result("c1", FILE_FOLLOWS), result("c2", "noon"), result("c3", FILE_FOLLOWS, FILE_FOLLOWS)),
            mixed(
                "user",
                Text("[What the tool weather gave is attached.]"),
                PICTURE,
                Text("[What the tool screen gave is attached.]"),
                SCREEN,
                PICTURE,
            ),
            said("user", "See?"),
        ),
    ),
    Damaged(
        "arguments that are no JSON object",
        (
            ASKED,
            called(call("a", "shell", "ls\n"), call("b", "clock", ""), call("c", "list", "[1]"), call("d", "f", '{"a')),
            results(*(result(each, "ok") for each in "abcd")),
        ),
        (
            ASKED,
            called(
                call("a", "shell", '{"input":"ls\\n"}'),
                call("b", "clock", "{}"),
                call("c", "list", '{"input":"[1]"}'),
                call("d", "f", '{"input":"{\\"a"}'),
            ),
            results(*(result(each, "ok") for each in "abcd")),
        ),
    ),
    Damaged(
        "a call that the user seems to make",
        (ASKED, mixed("user", call()), gave("c1", "sun")),
        (ASKED, called(call()), gave("c1", "sun")),
    ),
]

# Nothing is wrong with these.
WHOLE = {
    "no messages": (),
    "no tools": (said("system", "Be kind."), ASKED, ANSWERED, WENT_ON),
    "one round": (ASKED, called(call(), text="I look."), gave("c1", "sun"), ANSWERED),
    "two rounds with thoughts": (
        ASKED,
        mixed("assistant", Reasoning("Hm.", "signed"), Text("I look."), call()),
        gave("c1", "sun"),
        called(call("c2", "weather", '{"city": "Rome"}'), call("c3", "clock")),
        results(ToolResult("c2", (Text("?"),), is_error=True), result("c3")),
    ),
    "a thought without words": (ASKED, mixed("assistant", Reasoning("Hm.")), WENT_ON),
    "an empty message of the user's": (ASKED, ANSWERED, said("user"), said("system", " ")),
    "a picture of the user's": (mixed("user", PICTURE), mixed("assistant", PICTURE), WENT_ON),
}
