"""OpenAI's own SDK is the judge of every answer."""

from collections.abc import Callable
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from tests.support.gateway import Gateway
from tests.support.poe_script import done, error, error_reply, text, tool_call
from tests.support.poe_script import json_event as json_step
from tests.support.scripted_poe import ScriptedPoe
from tests.support.wire import KEY

Clients = Callable[..., openai.OpenAI]
QUESTION: list[openai.types.chat.ChatCompletionMessageParam] = [{"role": "user", "content": "hello"}]
WRONG: Any = [{"role": "user", "content": 5}]


def test_every_chunk_is_of_the_sdks_type(gateway: Gateway, poe: ScriptedPoe, openai_client: Clients) -> None:
    poe.script("bot", text("*Thinking...*\n\n> hm\n"), text("\nHel"), text("lo"), done())
    stream = openai_client(gateway).chat.completions.create(
        model="bot", messages=QUESTION, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    for chunk in chunks:
        ChatCompletionChunk.model_validate(chunk.model_dump(exclude_unset=True), strict=True)
    deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
    assert "".join(delta.content or "" for delta in deltas) == "Hello"
    assert "".join(getattr(delta, "reasoning_content", "") or "" for delta in deltas).strip() == "hm"
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason] == ["stop"]
    assert chunks[-1].usage is not None


def test_the_streaming_helper_puts_the_answer_together(
    gateway: Gateway, poe: ScriptedPoe, openai_client: Clients
) -> None:
    calls = [tool_call(0, "", id="call_a", name="get_weather"), tool_call(0, '{"city": "Paris"}')]
    poe.script("bot", text("Let me see."), *calls, json_step({}, "tool_calls"), done())
    with openai_client(gateway).chat.completions.stream(model="bot", messages=QUESTION) as stream:
        message = stream.get_final_completion().choices[0].message
    assert message.content == "Let me see."
    assert message.tool_calls is not None
    (call,) = message.tool_calls
    assert (call.id, call.function.name, call.function.arguments) == ("call_a", "get_weather", '{"city": "Paris"}')


def test_a_whole_answer_is_of_the_sdks_type(gateway: Gateway, poe: ScriptedPoe, openai_client: Clients) -> None:
    poe.script("bot", text("Hello"), done())
    raw = openai_client(gateway).chat.completions.with_raw_response.create(model="bot", messages=QUESTION)
    completion = ChatCompletion.model_validate_json(raw.content, strict=False)
    assert completion.choices[0].message.content == "Hello"
    assert completion.usage is not None
    assert completion.usage.completion_tokens == 1
    assert raw.headers["x-request-id"]


def test_models_are_of_the_sdks_type(gateway: Gateway, poe: ScriptedPoe, openai_client: Clients) -> None:
    client = openai_client(gateway)
    models = {model.id: model for model in client.models.list()}
    assert models["claude-sonnet-4.5"].created == 1758868894
    assert client.models.retrieve("gpt-4o").owned_by == "OpenAI"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("no-such-model")


@pytest.mark.parametrize(
    ("status", "error_class"),
    [
        (401, openai.AuthenticationError),
        (403, openai.PermissionDeniedError),
        (404, openai.NotFoundError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
    ],
)
def test_errors_are_the_sdks_own(
    gateway: Gateway, poe: ScriptedPoe, openai_client: Clients, status: int, error_class: type[openai.APIStatusError]
) -> None:
    poe.script("bot", error_reply(status, "no", {"Retry-After": "99"}))
    for stream in (False, True):
        with pytest.raises(error_class) as caught:
            openai_client(gateway).chat.completions.create(model="bot", messages=QUESTION, stream=stream)
        assert caught.value.code
        assert caught.value.request_id


def test_a_wrong_request_names_its_field(gateway: Gateway, openai_client: Clients) -> None:
    client = openai_client(gateway)
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="bot", messages=WRONG)
    assert caught.value.param is not None
    assert caught.value.param.startswith("messages[0].content")


def test_an_error_in_a_stream_is_raised(gateway: Gateway, poe: ScriptedPoe, openai_client: Clients) -> None:
    poe.script("bot", text("half"), error("This bot needs more points to answer your request."))
    stream = openai_client(gateway).chat.completions.create(model="bot", messages=QUESTION, stream=True)
    said: list[str] = []
    with pytest.raises(openai.APIError, match="points"):
        said.extend(chunk.choices[0].delta.content or "" for chunk in stream)
    assert "".join(said) in ("half", "")


def test_the_key_is_the_clients(gateway: Gateway, poe: ScriptedPoe, openai_client: Clients) -> None:
    poe.script("bot", text("Hello"), done())
    for key in (KEY, "another-key"):
        openai_client(gateway, key).chat.completions.create(model="bot", messages=QUESTION)
    assert [query.header("authorization") for query in poe.queries()] == [f"Bearer {KEY}", "Bearer another-key"]
