"""Answers become a legacy completion, whole and in chunks."""

import orjson

from poe2openai.core.collect import Answer, AnswerPart
from poe2openai.dialects.completions.encode import completion


def test_a_whole_answer() -> None:
    answer = Answer((AnswerPart("text", "Hello"),), "stop", None)
    body = orjson.loads(completion([answer], id="cmpl-1", model="bot", created=1, beginnings=[""]))
    assert body["choices"] == [{"text": "Hello", "index": 0, "logprobs": None, "finish_reason": "stop"}]
