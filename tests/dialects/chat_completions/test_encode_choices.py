"""Several choices in one stream, and calls in the form of functions, judged by the SDK's types."""

from typing import Any

import orjson
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from poe2openai.core.choices import ChoiceBatch
from poe2openai.core.collect import collect
from poe2openai.core.events import AnswerEvent, Finished, PartDelta, PartFinished, PartStarted, Started, Usage
from poe2openai.dialects.chat_completions.encode import ChunkEncoder, completion

IDENTITY: dict[str, Any] = {"id": "chatcmpl-1", "model": "bot", "created": 1_700_000_000}


def says(text: str, output_tokens: int = 1) -> list[AnswerEvent]:
    end: list[AnswerEvent] = [PartFinished(0), Finished("stop", Usage(5, output_tokens))]
    return [Started(), PartStarted(0, "text"), PartDelta(0, text), *end]


def calls(name: str, arguments: str) -> list[AnswerEvent]:
    call: list[AnswerEvent] = [PartStarted(0, "tool_call", "call_1", name), PartDelta(0, arguments), PartFinished(0)]
    return [Started(), *call, Finished("tool_calls", Usage(5, 1))]


def frames(stream: bytes) -> list[Any]:
    data = [block.removeprefix("data: ") for block in stream.decode().strip().split("\n\n")]
    return [each if each == "[DONE]" else orjson.loads(each) for each in data]


def test_choices_travel_interleaved_and_end_once() -> None:
    encoder = ChunkEncoder(**IDENTITY, include_usage=True, n=2)
    first, second = says("one", 3), says("two", 4)

    told = frames(
        encoder.encode(ChoiceBatch(1, second[:3]))
        + encoder.encode(ChoiceBatch(0, first[:2]))
        + encoder.encode(ChoiceBatch(0, first[2:3]))
        + encoder.encode(ChoiceBatch(1, second[3:]))
        + encoder.encode(ChoiceBatch(0, first[3:]))
    )

    assert told.pop() == "[DONE]"
    usage = told.pop()
    assert usage["choices"] == []
    assert usage["usage"]["prompt_tokens"] == 10
    assert usage["usage"]["completion_tokens"] == 7
    chunks = [ChatCompletionChunk.model_validate(each, strict=False) for each in told]
    by_choice: dict[int, str] = {}
    for chunk in chunks:
        (choice,) = chunk.choices
        by_choice[choice.index] = by_choice.get(choice.index, "") + (choice.delta.content or "")
    assert by_choice == {0: "one", 1: "two"}
    assert [chunk.choices[0].index for chunk in chunks if chunk.choices[0].delta.role] == [0, 1]
    assert [chunk.choices[0].index for chunk in chunks if chunk.choices[0].finish_reason] == [1, 0]


def test_whole_choices_are_listed_in_order_and_their_usage_is_summed() -> None:
    body = completion([collect([says("one", 3)]), collect([says("two", 4)])], **IDENTITY)

    whole = ChatCompletion.model_validate_json(body)
    assert [(choice.index, choice.message.content) for choice in whole.choices] == [(0, "one"), (1, "two")]
    assert whole.usage is not None
    assert (whole.usage.prompt_tokens, whole.usage.completion_tokens, whole.usage.total_tokens) == (10, 7, 17)


def test_a_client_of_functions_gets_a_function_call() -> None:
    answer = calls("get_weather", '{"city": "Paris"}')
    encoder = ChunkEncoder(**IDENTITY, include_usage=False, functions=True)

    *told, done = frames(encoder.encode(answer[:2]) + encoder.encode(answer[2:3]) + encoder.encode(answer[3:]))

    assert done == "[DONE]"
    deltas = [ChatCompletionChunk.model_validate(each).choices[0] for each in told]
    named = [choice.delta.function_call for choice in deltas if choice.delta.function_call]
    assert named[0].name == "get_weather"
    assert "".join(call.arguments or "" for call in named) == '{"city": "Paris"}'
    assert deltas[-1].finish_reason == "function_call"

    choice = ChatCompletion.model_validate_json(completion([collect([answer])], **IDENTITY, functions=True)).choices[0]
    assert choice.finish_reason == "function_call"
    assert choice.message.tool_calls is None
    assert choice.message.function_call is not None
    assert choice.message.function_call.arguments == '{"city": "Paris"}'
