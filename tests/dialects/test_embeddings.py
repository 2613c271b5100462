"""What may be asked of embeddings, and the answer in the encoding that was asked for."""

import base64
import struct
from typing import Any

import orjson
import pytest

from poe2openai.core.errors import GatewayError
from poe2openai.dialects.embeddings import MAX_INPUTS, EmbeddingsRequest, decode, render

NUMBERS = [0.5, -1.25, 3.0]
PACKED = base64.b64encode(struct.pack("<3f", *NUMBERS)).decode()


def read(**fields: Any) -> EmbeddingsRequest:
    return decode(orjson.dumps({"input": "hello"} | fields), default_model="small")


def shown(answer: dict[str, Any], **fields: Any) -> dict[str, Any]:
    body: dict[str, Any] = orjson.loads(render(answer, read(**fields), len))
    return body


def test_the_server_is_asked_what_the_client_asked() -> None:
    asked = read(dimensions=256, encoding_format="base64", user=None, input=["a", "b"], own=1)

    assert orjson.loads(asked.body) == {
        "input": ["a", "b"],
        "dimensions": 256,
        "encoding_format": "base64",
        "own": 1,
        "model": "small",
    }
    assert read(model="large").model == "large"
    assert (read().texts, read().inputs) == (("hello",), 1)
    assert (read(input=[1, 2]).tokens, read(input=[1, 2]).inputs) == ((2,), 1)
    assert (read(input=["a", [1, 2, 3]]).texts, read(input=["a", [1, 2, 3]]).tokens) == (("a",), (3,))


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": None}, "input"),
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": 5}, "input"),
        ({"input": ["a", ""]}, "input[1]"),
        ({"input": ["a", 1.5]}, "input[1]"),
        ({"input": [["x"]]}, "input[0]"),
        ({"input": ["a"] * (MAX_INPUTS + 1)}, "input"),
        ({"dimensions": 0}, "dimensions"),
        ({"encoding_format": "hex"}, "encoding_format"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(GatewayError) as caught:
        read(**fields)
    assert caught.value.param == param


@pytest.mark.parametrize("given", [NUMBERS, PACKED])
@pytest.mark.parametrize(("encoding", "expected"), [(None, NUMBERS), ("float", NUMBERS), ("base64", PACKED)])
def test_the_encoding_is_the_one_that_was_asked_for(given: Any, encoding: str | None, expected: Any) -> None:
    body = shown({"data": [{"embedding": given}], "usage": {"prompt_tokens": 2}}, encoding_format=encoding)

    assert body == {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": expected}],
        "model": "small",
        "usage": {"prompt_tokens": 2, "total_tokens": 2},
    }


def test_tokens_are_counted_where_the_server_does_not() -> None:
    two = {"data": [{"embedding": NUMBERS}] * 2, "model": "theirs"}
    assert shown(two, input=["ab", [1, 2, 3]])["usage"] == {"prompt_tokens": 5, "total_tokens": 5}
    assert shown(two, input=["a", "b"])["model"] == "theirs"


def test_each_input_gets_its_own_embedding() -> None:
    swapped = {"data": [{"index": 1, "embedding": [2.0]}, {"index": 0, "embedding": [1.0]}]}
    assert [entry["embedding"] for entry in shown(swapped, input=["a", "b"])["data"]] == [[1.0], [2.0]]
    odd = {"data": [{"index": 7, "embedding": [2.0]}, {"embedding": [1.0]}]}
    assert [entry["embedding"] for entry in shown(odd, input=["a", "b"])["data"]] == [[2.0], [1.0]]
    with pytest.raises(GatewayError, match="1 embeddings for 2 inputs"):
        shown({"data": [{"embedding": [1.0]}]}, input=["a", "b"])


@pytest.mark.parametrize(
    ("embedding", "encoding"), [(None, "float"), (5, "base64"), (["x"], "base64"), ("no base64!", "float")]
)
def test_what_is_no_embedding_is_told(embedding: Any, encoding: str) -> None:
    with pytest.raises(GatewayError, match="no embedding"):
        shown({"data": [{"embedding": embedding}]}, encoding_format=encoding)
