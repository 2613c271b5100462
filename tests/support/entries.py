"""Records of requests, as a test needs them."""

from dataclasses import replace
from typing import Any

from poe2openai.store.records import Entry

_ENTRY = Entry(
    id="req_1",
    at=1_000_000.0,
    caller="key-1",
    client="Chatbox",
    model="gpt-5",
    bot="GPT-5",
    path="/v1/chat/completions",
    stream=True,
    status=200,
    error="",
    reason="stop",
    hung_up=False,
    milliseconds=1500,
    first_token_ms=300,
    tokens_in=10,
    tokens_out=20,
    estimated=False,
    attempts=1,
    question=None,
    answer=None,
)


def entry(id: str = "req_1", **changes: Any) -> Entry:
    return replace(_ENTRY, id=id, **changes)
