"""POST /v1/completions over the wire, through OpenAI's SDK."""

import openai
import pytest

from tests.support.fixtures import GatewayFactory
from tests.support.gateway import Gateway
from tests.support.poe_script import done, error, text
from tests.support.scripted_poe import ScriptedPoe
from tests.support.wire import KEY


@pytest.fixture
def sdk(gateway: Gateway) -> openai.OpenAI:
    return openai.OpenAI(base_url=gateway.base_url, api_key=KEY, max_retries=0)


def test_whole(sdk: openai.OpenAI, poe: ScriptedPoe) -> None:
    poe.script("bot", text(" upon"), text(" a time"), done())

    answer = sdk.completions.create(model="bot", prompt="Once", echo=True)

    assert answer.object == "text_completion"
    assert answer.choices[0].text == "Once upon a time"
    assert answer.usage is not None
    assert answer.usage.completion_tokens > 0
    assert poe.queries("bot")[0].json["query"][-1]["content"] == "Once"


def test_streamed(sdk: openai.OpenAI, poe: ScriptedPoe) -> None:
    poe.script("bot", text("a"), text("b"), done())

    stream = sdk.completions.create(model="bot", prompt="x", stream=True, stream_options={"include_usage": True})
    chunks = list(stream)

    assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices) == "ab"
    assert chunks[-1].usage is not None


@pytest.mark.parametrize("streamed", [False, True])
def test_several_prompts(sdk: openai.OpenAI, poe: ScriptedPoe, streamed: bool) -> None:
    poe.script_by("bot", lambda query: [text(query.json["query"][-1]["content"] * 2), done()])

    texts = ["", "", "", ""]
    if streamed:
        for chunk in sdk.completions.create(model="bot", prompt=["a", "b"], n=2, stream=True):
            texts[chunk.choices[0].index] += chunk.choices[0].text
    else:
        texts = [choice.text for choice in sdk.completions.create(model="bot", prompt=["a", "b"], n=2).choices]

    assert texts == ["aa", "aa", "bb", "bb"]


def test_errors_have_the_usual_shape(sdk: openai.OpenAI, poe: ScriptedPoe) -> None:
    poe.script("bot", error("Bot does not exist"))

    with pytest.raises(openai.NotFoundError) as missing:
        sdk.completions.create(model="bot", prompt="x")
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as tokens:
        sdk.completions.create(model="bot", prompt=[1, 2])
    assert tokens.value.param == "prompt[0]"


def test_a_default_model(make_gateway: GatewayFactory, poe: ScriptedPoe) -> None:
    for name in ("gpt-4o", "GPT-4o"):  # before the list of models has come, and after
        poe.script(name, text("hi"), done())
    gateway = make_gateway(DEFAULT_MODEL="GPT-4o")
    messages = [{"role": "user", "content": "a"}]
    with gateway.client() as client:
        for path, body in (("/v1/completions", {"prompt": "a"}), ("/v1/chat/completions", {"messages": messages})):
            answer = client.post_json(path, body)
            assert answer.status == 200, answer.json()
            assert answer.json()["model"] == "GPT-4o"
