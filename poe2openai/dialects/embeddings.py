"""POST /v1/embeddings (OpenAI API reference, Embeddings): what may be asked, and the answer in the form that was."""

import base64
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from sys import byteorder
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.dialects.chat_completions.schema import Whole
from poe2openai.dialects.json_body import parse_object, require_shallow
from poe2openai.dialects.validation import validate

MAX_INPUTS = 2048


class EmbeddingsBody(BaseModel):
    model_config = ConfigDict(extra="allow")

    model: Annotated[str, Field(max_length=512)] | None = None
    input: Any = None
    dimensions: Annotated[Whole, Field(ge=1, le=65_536)] | None = None
    encoding_format: Literal["float", "base64"] | None = None
    user: str | None = None


@dataclass(frozen=True, slots=True)
class EmbeddingsRequest:
    """`body` is what the server is asked; `texts` are the inputs that are texts, `tokens` those that came as tokens."""

    model: str
    body: bytes
    encoding_format: Literal["float", "base64"]
    texts: tuple[str, ...]
    tokens: tuple[int, ...]

    @property
    def inputs(self) -> int:
        return len(self.texts) + len(self.tokens)


def decode(body: bytes, *, default_model: str) -> EmbeddingsRequest:
    """Raises `GatewayError(INVALID_REQUEST)`, its `param` naming the place in the body."""
    parsed = parse_object(body)
    fields = validate(EmbeddingsBody, parsed)
    model = fields.model or default_model
    texts, tokens = _inputs(fields.input)
    require_shallow(list((fields.model_extra or {}).items()))
    asked = {name: value for name, value in parsed.items() if value is not None}
    return EmbeddingsRequest(
        model, orjson.dumps({**asked, "model": model}), fields.encoding_format or "float", texts, tokens
    )


def render(answer: dict[str, Any], asked: EmbeddingsRequest, count: Callable[[str], int]) -> bytes:
    """The server's answer in OpenAI's shape, and in the encoding that was asked for; `count` is of tokens."""
    entries = _in_order(answer["data"], asked.inputs)
    data = [_entry(entry, index, asked.encoding_format) for index, entry in enumerate(entries)]
    usage = answer.get("usage")
    if not isinstance(usage, dict) or not isinstance(usage.get("prompt_tokens"), int):
        tokens = sum(count(text) for text in asked.texts) + sum(asked.tokens)
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    elif not isinstance(usage.get("total_tokens"), int):
        usage = {**usage, "total_tokens": usage["prompt_tokens"]}
    model = answer.get("model")
    named = model if isinstance(model, str) and model else asked.model
    return orjson.dumps({"object": "list", "data": data, "model": named, "usage": usage})


def _in_order(entries: list[Any], inputs: int) -> list[Any]:
    """One for each input: the server's `index` counts where it gives one."""
    if len(entries) != inputs:
        raise GatewayError(
            ErrorKind.UPSTREAM_INVALID, f"The embeddings server gave {len(entries)} embeddings for {inputs} inputs."
        )
    placed = {entry["index"]: entry for entry in entries if isinstance(entry, dict) and _is_token(entry.get("index"))}
    if placed.keys() != set(range(inputs)):
        return entries
    return [placed[place] for place in range(inputs)]


def _inputs(value: Any) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The inputs that are texts, and how many tokens each of the others has: tokens are the server's to judge."""
    if value is None:
        raise _invalid("Missing required parameter: 'input'.", "input")
    if isinstance(value, str):
        inputs: list[Any] = [value]
    elif isinstance(value, list) and value:
        if all(_is_token(token) for token in value):
            return (), (len(value),)
        inputs = value
    else:
        raise _invalid("Invalid type for 'input': expected a string, or a list of strings or tokens.", "input")
    if len(inputs) > MAX_INPUTS:
        raise _invalid(f"Invalid value for 'input': at most {MAX_INPUTS} items, got {len(inputs)}.", "input")
    for index, one in enumerate(inputs):
        place = f"input[{index}]" if isinstance(value, list) else "input"
        if one in ("", []):
            raise _invalid(f"Invalid value for '{place}': it is empty.", place)
        if not isinstance(one, str) and not (isinstance(one, list) and all(_is_token(token) for token in one)):
            raise _invalid(f"Invalid type for '{place}': expected a string or a list of tokens.", place)
    texts = tuple(one for one in inputs if isinstance(one, str))
    return texts, tuple(len(one) for one in inputs if isinstance(one, list))


def _is_token(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _entry(entry: Any, index: int, encoding_format: str) -> dict[str, Any]:
    embedding = entry.get("embedding") if isinstance(entry, dict) else None
    if isinstance(embedding, list) and encoding_format == "base64":
        embedding = _packed(embedding)
    elif isinstance(embedding, str) and encoding_format == "float":
        embedding = _unpacked(embedding)
    elif not isinstance(embedding, list | str):
        raise _no_embedding()
    return {"object": "embedding", "index": index, "embedding": embedding}


def _packed(numbers: list[Any]) -> str:
    """Little-endian 32-bit floats, as OpenAI's SDKs read them."""
    try:
        values = array("f", numbers)
    except (TypeError, OverflowError):
        raise _no_embedding() from None
    if byteorder == "big":
        values.byteswap()
    return base64.b64encode(values.tobytes()).decode()


def _unpacked(text: str) -> list[float]:
    values = array("f")
    try:
        values.frombytes(base64.b64decode(text, validate=True))
    except ValueError:
        raise _no_embedding() from None
    if byteorder == "big":
        values.byteswap()
    return values.tolist()


def _no_embedding() -> GatewayError:
    return GatewayError(ErrorKind.UPSTREAM_INVALID, "The embeddings server's answer holds what is no embedding.")


def _invalid(message: str, param: str) -> GatewayError:
    return GatewayError(ErrorKind.INVALID_REQUEST, message, param=param)
