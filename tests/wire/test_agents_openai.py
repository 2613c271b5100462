"""An agent's loop on OpenAI's own SDK writes a file, byte for byte, on bots with native tools and with none."""

from collections.abc import Callable, Iterable
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam
from pydantic import BaseModel

from tests.support.bot_server import FILE_NAME, FILE_TEXT, SAID, SECOND_NAME, TOLD, TWO_FILES
from tests.support.gateway import Gateway
from tests.support.workshop import Workshop

Clients = Callable[..., openai.OpenAI]
Messages = list[ChatCompletionMessageParam]

# With native tools, without any, and two that refuse what their entry in Poe's list promises.
BOTS = ["native-agent", "plain-agent", "refusing-agent", "rejecting-agent"]
PARAMETERS = {
    "type": "object",
    "properties": {"path": {"type": "string"}, "content": {"type": "string"}},
    "required": ["path", "content"],
    "additionalProperties": False,
}
TOOL: Any = {"type": "function", "function": {"name": "write_file", "strict": True, "parameters": PARAMETERS}}


class WriteFile(BaseModel):
    """Writes a file."""

    path: str
    content: str


class Entry(BaseModel):
    name: str
    tags: list[str]


class Page(BaseModel):
    """`Entry` comes by a reference."""

    path: str
    content: str
    entries: list[Entry]
    words: int
    draft: bool
    note: str | None


def question(text: str = "Write a file.") -> Messages:
    return [{"role": "user", "content": text}]


def run(ask: Callable[[Messages], Any], workshop: Workshop, messages: Messages, rounds: int = 4) -> str:
    """Calls the tools that the answers ask for until one asks for none; gives that one's text."""
    for _ in range(rounds):
        choice = ask(messages).choices[0]
        calls = choice.message.tool_calls or []
        assert choice.finish_reason == ("tool_calls" if calls else "stop")
        if not calls:
            return str(choice.message.content)
        assert len({call.id for call in calls}) == len(calls)
        messages.append(choice.message.model_dump(exclude_none=True))
        for call in calls:
            done = workshop.call(call.function.name, call.function.arguments)
            messages.append({"role": "tool", "tool_call_id": call.id, "content": done})
    raise AssertionError("the bot calls tools without an end")


@pytest.mark.parametrize("bot", BOTS)
class TestLoops:
    def test_whole_answers(self, agents: Gateway, openai_client: Clients, workshop: Workshop, bot: str) -> None:
        create = openai_client(agents).chat.completions.create
        said = run(lambda messages: create(model=bot, messages=messages, tools=[TOOL]), workshop, question())
        assert said == SAID
        assert workshop.holds(FILE_NAME)

    def test_streams(self, agents: Gateway, openai_client: Clients, workshop: Workshop, bot: str) -> None:
        messages = question()
        said: list[str] = []
        for expected in ("tool_calls", "stop"):
            stream = openai_client(agents).chat.completions.create(
                model=bot, messages=messages, tools=[TOOL], stream=True
            )
            text, calls, reason = gather(stream)
            assert reason == expected
            said.append(text)
            messages.append({"role": "assistant", "content": text, "tool_calls": calls})
            for call in calls:
                done = workshop.call(call["function"]["name"], call["function"]["arguments"])
                messages.append({"role": "tool", "tool_call_id": call["id"], "content": done})
        assert [text.strip() for text in said] == ["Let me use a tool.", SAID]
        assert workshop.holds(FILE_NAME)

    def test_the_stream_helper(self, agents: Gateway, openai_client: Clients, workshop: Workshop, bot: str) -> None:
        def ask(messages: Messages) -> Any:
            tools = [openai.pydantic_function_tool(WriteFile, name="write_file")]
            with openai_client(agents).chat.completions.stream(model=bot, messages=messages, tools=tools) as stream:
                events = list(stream)
                completion = stream.get_final_completion()
            whole = [event for event in events if event.type == "tool_calls.function.arguments.done"]
            for call in completion.choices[0].message.tool_calls or []:
                assert call.function.parsed_arguments == WriteFile(path=FILE_NAME, content=FILE_TEXT)
            assert len(whole) == len(completion.choices[0].message.tool_calls or [])
            return completion

        assert run(ask, workshop, question()) == SAID
        assert workshop.holds(FILE_NAME)

    def test_calls_side_by_side(self, agents: Gateway, openai_client: Clients, workshop: Workshop, bot: str) -> None:
        create = openai_client(agents).chat.completions.create
        messages = question(f"Write {TWO_FILES}.")
        said = run(lambda messages: create(model=bot, messages=messages, tools=[TOOL]), workshop, messages)
        assert said == f"{SAID}; {TOLD}"
        assert workshop.holds(FILE_NAME, SECOND_NAME)

    def test_one_call_at_a_time(self, agents: Gateway, openai_client: Clients, workshop: Workshop, bot: str) -> None:
        create = openai_client(agents).chat.completions.create
        messages = question(f"Write {TWO_FILES}.")
        answer = create(model=bot, messages=messages, tools=[TOOL], parallel_tool_calls=False)
        assert len(answer.choices[0].message.tool_calls or []) == 1

    def test_legacy_functions(self, agents: Gateway, openai_client: Clients, workshop: Workshop, bot: str) -> None:
        client = openai_client(agents)
        functions: Any = [{"name": "write_file", "description": "Writes a file.", "parameters": PARAMETERS}]
        messages = question()
        answer = client.chat.completions.create(model=bot, messages=messages, functions=functions).choices[0]
        assert answer.finish_reason == "function_call"
        assert answer.message.tool_calls is None
        call = answer.message.function_call
        assert call is not None
        messages.append({"role": "assistant", "content": None, "function_call": call.model_dump()})  # type: ignore[typeddict-item]
        messages.append({"role": "function", "name": call.name, "content": workshop.call(call.name, call.arguments)})
        answer = client.chat.completions.create(model=bot, messages=messages, functions=functions).choices[0]
        assert (answer.finish_reason, answer.message.content) == ("stop", SAID)
        assert workshop.holds(FILE_NAME)

    def test_a_required_call(self, agents: Gateway, openai_client: Clients, workshop: Workshop, bot: str) -> None:
        choices: list[Any] = ["required", {"type": "function", "function": {"name": "write_file"}}]
        for choice in choices:
            answer = openai_client(agents).chat.completions.create(
                model=bot, messages=question(), tools=[TOOL], tool_choice=choice
            )
            (call,) = answer.choices[0].message.tool_calls or []
            assert workshop.call(call.function.name, call.function.arguments)  # type: ignore[union-attr]
        assert workshop.holds(FILE_NAME)

    def test_three_answers(self, agents: Gateway, openai_client: Clients, workshop: Workshop, bot: str) -> None:
        client = openai_client(agents)
        answer = client.chat.completions.create(model=bot, messages=question(), tools=[TOOL], n=3)
        assert [choice.index for choice in answer.choices] == [0, 1, 2]
        for choice in answer.choices:
            (call,) = choice.message.tool_calls or []
            assert workshop.call(call.function.name, call.function.arguments)  # type: ignore[union-attr]
        with client.chat.completions.stream(model=bot, messages=question(), tools=[TOOL], n=3) as stream:
            streamed = stream.get_final_completion()
        assert sorted(choice.index for choice in streamed.choices) == [0, 1, 2]
        for one in streamed.choices:
            (found,) = one.message.tool_calls or []
            assert workshop.call(found.function.name, found.function.arguments)
        assert workshop.holds(FILE_NAME)


def gather(stream: Iterable[Any]) -> tuple[str, list[Any], str | None]:
    """Text, calls and finish reason of a stream, put together as agents do it by hand."""
    text, reason = "", None
    calls: dict[int, dict[str, Any]] = {}
    for chunk in stream:
        for choice in chunk.choices:
            text += choice.delta.content or ""
            reason = choice.finish_reason or reason
            for piece in choice.delta.tool_calls or []:
                function = {"name": piece.function.name, "arguments": ""}
                own = calls.setdefault(piece.index, {"id": piece.id, "type": piece.type, "function": function})
                own["function"]["arguments"] += piece.function.arguments or ""
    return text, [calls[index] for index in sorted(calls)], reason


def call(id: str, content: str = "first") -> dict[str, Any]:
    return {
        "id": id,
        "type": "function",
        "function": {"name": "write_file", "arguments": f'{{"content": "{content}"}}'},
    }


def result(id: str, content: Any = "done") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id, "content": content}


def calls(*of: dict[str, Any], content: str | None = None) -> dict[str, Any]:
    return {"role": "assistant", "content": content, "tool_calls": list(of)}


USER: dict[str, Any] = {"role": "user", "content": "Write a file."}
DAMAGED: dict[str, list[dict[str, Any]]] = {
    "an orphan result": [USER, result("c9"), USER],
    "a call without its result": [USER, calls(call("c1")), USER],
    "one result of two": [USER, calls(call("c1"), call("c2")), result("c1"), USER],
    "one id twice": [USER, calls(call("c1")), result("c1"), calls(call("c1", "second")), result("c1"), USER],
    "no id": [USER, calls(call("")), result(""), USER],
    "an empty assistant": [USER, {"role": "assistant", "content": ""}, USER],
    "a result before its call": [USER, result("c1"), calls(call("c1")), USER],
    "a result in parts": [USER, calls(call("c1")), result("c1", [{"type": "text", "text": "done"}]), USER],
    "results the other way round": [USER, calls(call("c1"), call("c2")), result("c2"), result("c1"), USER],
    "a word in between": [USER, calls(call("c1")), USER, result("c1"), USER],
    "arguments that are no JSON": [
        USER,
        calls({"id": "c1", "type": "function", "function": {"name": "write_file", "arguments": '{"path": '}}),
        result("c1"),
        USER,
    ],
}


@pytest.mark.parametrize("bot", ["native-agent", "plain-agent"])
@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_history_is_no_hindrance(
    agents: Gateway, openai_client: Clients, workshop: Workshop, bot: str, damage: str
) -> None:
    history: Any = [*DAMAGED[damage]]
    create = openai_client(agents).chat.completions.create
    said = run(lambda messages: create(model=bot, messages=messages, tools=[TOOL]), workshop, history)
    # Results that the history tells of in words are results too, for a bot that reads nothing else.
    assert said.startswith("The tool said: ")
    assert bot == "plain-agent" or workshop.holds(FILE_NAME)


@pytest.mark.parametrize("bot", ["json-bot", "json-bot-once-wrong", "plain-agent"])
def test_parse(agents: Gateway, openai_client: Clients, bot: str) -> None:
    answer = openai_client(agents).chat.completions.parse(model=bot, messages=question(), response_format=Page)
    expected = Page(
        path=FILE_NAME,
        content=FILE_TEXT,
        entries=[Entry(name=FILE_TEXT, tags=[FILE_TEXT])],
        words=3,
        draft=True,
        note=FILE_TEXT,
    )
    assert answer.choices[0].message.parsed == expected


def test_parse_while_it_streams(agents: Gateway, openai_client: Clients) -> None:
    completions = openai_client(agents).chat.completions
    with completions.stream(model="json-bot", messages=question(), response_format=Page) as stream:
        deltas = [event.delta for event in stream if event.type == "content.delta"]
        parsed = stream.get_final_completion().choices[0].message.parsed
    assert parsed is not None
    assert (parsed.path, parsed.content, parsed.words) == (FILE_NAME, FILE_TEXT, 3)
    assert len(deltas) > 3
    assert "".join(deltas).strip()[0] == "{"


def test_what_never_becomes_right_is_told_by_a_header(agents: Gateway, openai_client: Clients) -> None:
    schema: Any = {"type": "json_schema", "json_schema": {"name": "page", "schema": Page.model_json_schema()}}
    raw = openai_client(agents).chat.completions.with_raw_response.create(
        model="json-bot-never", messages=question(), response_format=schema
    )
    assert raw.headers.get("x-response-format-error") is not None, dict(raw.headers)
    assert raw.parse().choices[0].message.content
