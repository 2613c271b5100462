"""Legacy completions become questions to a chat bot."""

from typing import Any

import orjson
import pytest

from poe2openai.core.content import content_of
from poe2openai.core.errors import GatewayError
from poe2openai.core.request import ModelRequest, Text
from poe2openai.dialects.completions.decode import MAX_ANSWERS, CompletionRequest, decode


def read(**fields: Any) -> CompletionRequest:
    return decode(orjson.dumps({"model": "m", "prompt": "Once"} | fields))


def one(**fields: Any) -> ModelRequest:
    (request,) = read(**fields).requests
    return request


def asked(request: ModelRequest) -> str:
    return "".join(part.text for part in request.messages[-1].parts if isinstance(part, Text))


def test_a_prompt_is_a_users_message_below_an_instruction() -> None:
    request = one(prompt="Once upon", max_tokens=5, temperature=0.5, stop="END", stream=True, seed=3, own=1, logprobs=2)

    assert [message.role for message in request.messages] == ["system", "user"]
    assert asked(request) == "Once upon"
    assert (request.max_tokens, request.sampling.temperature, request.stop, request.stream) == (5, 0.5, ("END",), True)
    assert request.sampling.others == {"seed": 3}
    assert request.extra == {"own": 1}


def test_several_prompts_and_answers_come_in_openais_order() -> None:
    read_as = read(prompt=["a", "b"], n=2, echo=True)

    assert [asked(request) for request in read_as.requests] == ["a", "a", "b", "b"]
    assert read_as.beginnings == ("a", "a", "b", "b")
    assert read(prompt="a").beginnings == ("",)


def test_a_suffix_asks_for_what_is_in_between() -> None:
    assert asked(one(prompt="def f(", suffix="return x")) == "<before>def f(</before>\n<behind>return x</behind>"


def test_usage_is_asked_for_as_in_chat() -> None:
    assert one(stream=True, stream_options={"include_usage": True}).include_usage


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": None}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": 5}, "prompt"),
        ({"prompt": [1, 2, 3]}, "prompt[0]"),
        ({"prompt": list(range(200))}, "prompt[0]"),
        ({"prompt": ["a", [1]]}, "prompt[1]"),
        ({"prompt": ["a"] * (MAX_ANSWERS + 1)}, "prompt"),
        ({"prompt": ["a"] * 20, "n": 2}, "n"),
        ({"n": 0}, "n"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"model": ""}, "model"),
        ({"echo": "yes"}, "echo"),
        ({"logit_bias": {"1": 101}}, "logit_bias.1"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(GatewayError) as caught:
        read(**fields)
    assert caught.value.param == param


def test_a_default_model_serves_a_body_that_names_none() -> None:
    assert decode(b'{"prompt": "a"}', default_model="gpt-5").requests[0].model == "gpt-5"


def test_what_was_lifted_out_of_the_body_is_put_back() -> None:
    """Completions take no files: a `data:` URL in a prompt is a part of its text, and of what is echoed."""
    body = orjson.dumps({"model": "m", "prompt": ["data:image/png;base64,word0x", "b"], "echo": True})

    decoded = decode(body, lifted={"word0x": content_of(b"hi")})

    assert asked(decoded.requests[0]) == decoded.beginnings[0] == "data:image/png;base64,aGk="
    assert one(prompt="data:image/png;base64,aGk=").messages[-1].parts == (Text("data:image/png;base64,aGk="),)
