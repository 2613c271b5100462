"""POST /v1/images/generations and /edits (OpenAI API reference, Images): what may be asked, and how it is answered."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.request import Media
from poe2openai.dialects import sse
from poe2openai.dialects.chat_completions.schema import Whole
from poe2openai.dialects.form import Fields
from poe2openai.dialects.json_body import require_shallow
from poe2openai.dialects.media import NOTHING_LIFTED, Lifted
from poe2openai.dialects.validation import validate

MAX_PICTURES = 10
MAX_PROMPT = 400_000
MAX_UNKNOWN = 1_000

ResponseFormat = Literal["url", "b64_json"]


class ImagesBody(BaseModel):
    """`auto` and what no bot has a name for are accepted; other fields are the bot's own parameters."""

    model_config = ConfigDict(extra="allow")

    model: Annotated[str, Field(max_length=512)] | None = None
    prompt: Annotated[str, Field(min_length=1, max_length=MAX_PROMPT)]
    n: Annotated[Whole, Field(ge=1, le=MAX_PICTURES)] | None = None
    size: Annotated[str, Field(max_length=64)] | None = None
    quality: Annotated[str, Field(max_length=64)] | None = None
    style: Annotated[str, Field(max_length=1000)] | None = None
    background: Annotated[str, Field(max_length=64)] | None = None
    output_format: Annotated[str, Field(max_length=64)] | None = None
    output_compression: Whole | None = None
    input_fidelity: str | None = None
    moderation: str | None = None
    safety_identifier: str | None = None
    response_format: ResponseFormat | None = None
    stream: bool | None = None
    partial_images: Annotated[Whole, Field(ge=0, le=3)] | None = None
    user: str | None = None


@dataclass(frozen=True, slots=True)
class ImagesRequest:
    """`options` go to the bot under the names that it has for them; `extra` are its own parameters.

    `response_format` is None where the client did not say: it gets both then, as OpenAI's models differ in it.
    """

    model: str
    prompt: str
    n: int
    options: dict[str, str]
    extra: dict[str, Any]
    pictures: tuple[Media, ...]
    mask: Media | None
    response_format: ResponseFormat | None
    stream: bool
    partial_images: int
    lifted: Lifted = field(default_factory=lambda: NOTHING_LIFTED)


def decode_generation(fields: Fields, *, default_model: str) -> ImagesRequest:
    """Raises `GatewayError(INVALID_REQUEST)`, its `param` naming the place in the body."""
    return _decode(fields, default_model, (), None)


def decode_edit(fields: Fields, *, default_model: str) -> ImagesRequest:
    """The same, with the pictures to edit, and a mask where there is one."""
    pictures = [*fields.media("image"), *fields.media("images")]
    if not pictures:
        raise GatewayError(ErrorKind.INVALID_REQUEST, "Missing required parameter: 'image'.", param="image")
    masks = fields.media("mask")
    return _decode(fields, default_model, tuple(pictures), masks[0] if masks else None)


def _decode(fields: Fields, default_model: str, pictures: tuple[Media, ...], mask: Media | None) -> ImagesRequest:
    values = {name: value for name, value in fields.values.items() if name not in ("image", "images", "mask")}
    body = validate(ImagesBody, values, strict=not fields.is_form)
    model = body.model or default_model
    if not model:
        raise GatewayError(ErrorKind.INVALID_REQUEST, "Missing required parameter: 'model'.", param="model")
    names = ("size", "quality", "style", "background", "output_format")
    return ImagesRequest(
        model=model,
        prompt=body.prompt,
        n=body.n or 1,
        options={name: value for name in names if (value := getattr(body, name)) is not None},
        extra=own_parameters(body.model_extra or {}),
        pictures=pictures,
        mask=mask,
        response_format=body.response_format,
        stream=body.stream is True,
        partial_images=body.partial_images or 0,
        lifted=fields.lifted,
    )


def own_parameters(extra: dict[str, Any]) -> dict[str, Any]:
    """The fields that OpenAI's reference does not have: the bot's own."""
    inner = extra.get("extra_body")
    extra = {**(inner if isinstance(inner, dict) else {}), **extra}
    extra.pop("extra_body", None)
    if len(extra) > MAX_UNKNOWN:
        raise GatewayError(ErrorKind.INVALID_REQUEST, f"Too many unknown parameters: at most {MAX_UNKNOWN} are taken.")
    require_shallow(list(extra.items()))
    return {name: value for name, value in extra.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Picture:
    """`url` is None where the client wants none, `base64` where its bytes were not fetched."""

    url: str | None
    base64: str | None
    media_type: str


def render(pictures: Sequence[Picture], *, created: int, text: str, prompt_tokens: int) -> bytes:
    """`text` is what the bot said beside the picture, which OpenAI's shape has a place for: the prompt as revised."""
    data = [_picture(picture, text) for picture in pictures]
    return orjson.dumps({"created": created, "data": data, **_format(pictures), "usage": _usage(prompt_tokens)})


def partial_event(kind: str, picture: Picture, *, created: int, index: int) -> bytes:
    """`kind` is `image_generation` or `image_edit`."""
    event = _event(f"{kind}.partial_image", picture, created) | {"partial_image_index": index}
    return _frame(event)


def completed_event(kind: str, picture: Picture, *, created: int, prompt_tokens: int) -> bytes:
    return _frame(_event(f"{kind}.completed", picture, created) | {"usage": _usage(prompt_tokens)})


def _frame(event: dict[str, Any]) -> bytes:
    return f"event: {event['type']}\n".encode() + sse.frame(orjson.dumps(event))


def _event(name: str, picture: Picture, created: int) -> dict[str, Any]:
    return {
        "type": name,
        "b64_json": picture.base64,
        "url": picture.url,
        "created_at": created,
        "background": "auto",
        "output_format": _subtype(picture),
        "quality": "auto",
        "size": "auto",
    }


def _usage(prompt_tokens: int) -> dict[str, Any]:
    """Of the prompt's text alone: what a picture costs, Poe does not tell in tokens."""
    return {
        "input_tokens": prompt_tokens,
        "input_tokens_details": {"text_tokens": prompt_tokens, "image_tokens": 0},
        "output_tokens": 0,
        "total_tokens": prompt_tokens,
    }


def _picture(picture: Picture, text: str) -> dict[str, Any]:
    shown = {"url": picture.url, "b64_json": picture.base64, "revised_prompt": text or None}
    return {name: value for name, value in shown.items() if value is not None}


def _format(pictures: Sequence[Picture]) -> dict[str, str]:
    return {"output_format": _subtype(pictures[0])} if pictures else {}


def _subtype(picture: Picture) -> str:
    return picture.media_type.partition("/")[2].partition("+")[0] or "png"
