"""The demo's Poe speaks as Poe does: a gateway without bugs shows its answers as they are meant."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from poe2openai.web.pages import EXAMPLE_MODEL
from tests.support.fixtures import GatewayFactory
from tests.support.gateway import Gateway
from tests.support.wire import content

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def demo_poe() -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tools.demo_bot"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    yield process.stdout.readline().strip()
    process.terminate()
    process.communicate(timeout=10)


@pytest.fixture
def gateway(make_gateway: GatewayFactory, demo_poe: str) -> Gateway:
    return make_gateway(poe_url=demo_poe)


def test_a_thinker_thinks_and_answers(gateway: Gateway) -> None:
    with gateway.client() as client:
        chunks = client.chat(model="Demo-Thinker", stream=True).chunks()
    assert content(chunks, "reasoning_content").startswith("Somebody is trying out the gateway.\n")
    assert content(chunks).startswith("Hello! You reached **demo-thinker**")
    assert content(chunks).endswith("this text as `content`.")


@pytest.mark.parametrize("name", [EXAMPLE_MODEL, "Claude-Sonnet-4.5", "somebody's own bot"])
def test_a_bot_of_the_examples_is_answered_and_not_listed(gateway: Gateway, name: str) -> None:
    with gateway.client() as client:
        answer = client.chat(model=name).json()["choices"][0]["message"]["content"]
        listed = [model["id"] for model in client.request("GET", "/v1/models").json()["data"]]
    assert answer.startswith(f"Hello! You asked for **{name.lower()}**, but this is the demo of poe2openai")
    assert answer == answer.strip()
    assert listed == ["demo-thinker", "demo-assistant", "demo-painter"]


def test_a_painter_ends_with_a_picture(gateway: Gateway) -> None:
    with gateway.client() as client:
        answer = client.chat(model="demo-painter").json()["choices"][0]["message"]["content"]
    assert "](https://pfst.cf2.poecdn.net/demo.png)" in answer
    assert "Generating" not in answer
