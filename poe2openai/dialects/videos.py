"""POST /v1/videos and what follows it (OpenAI API reference, Videos)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field

from poe2openai.core.content import put_back
from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.request import Media
from poe2openai.dialects.form import Fields
from poe2openai.dialects.images import own_parameters
from poe2openai.dialects.json_body import parse_object
from poe2openai.dialects.media import NOTHING_LIFTED, Lifted
from poe2openai.dialects.validation import validate

MAX_PROMPT = 400_000
MAX_PAGE = 100
_MOST_DIGITS = 9


class VideoBody(BaseModel):
    model_config = ConfigDict(extra="allow")

    model: Annotated[str, Field(max_length=512)] | None = None
    prompt: Annotated[str, Field(min_length=1, max_length=MAX_PROMPT)]
    seconds: Annotated[str, Field(max_length=16)] | Annotated[int, Field(ge=1, le=3600)] | None = None
    size: Annotated[str, Field(max_length=64)] | None = None
    user: str | None = None


@dataclass(frozen=True, slots=True)
class VideoRequest:
    """`references` are pictures, or films, to begin with."""

    model: str
    prompt: str
    seconds: str | None
    size: str | None
    references: tuple[Media, ...]
    extra: dict[str, Any]
    lifted: Lifted = field(default_factory=lambda: NOTHING_LIFTED)


def decode(fields: Fields, *, default_model: str) -> VideoRequest:
    """Raises `GatewayError(INVALID_REQUEST)`, its `param` naming the place in the body."""
    references = tuple(fields.media("input_reference"))
    values = {name: value for name, value in fields.values.items() if name != "input_reference"}
    body = validate(VideoBody, values, strict=not fields.is_form)
    model = body.model or default_model
    if not model:
        raise GatewayError(ErrorKind.INVALID_REQUEST, "Missing required parameter: 'model'.", param="model")
    return VideoRequest(
        model=model,
        # Every answer about this film tells it again.
        prompt=put_back(body.prompt.encode(), fields.lifted).decode(),
        seconds=None if body.seconds is None else str(body.seconds),
        size=body.size,
        references=references,
        extra=own_parameters(body.model_extra or {}),
        lifted=fields.lifted,
    )


def decode_remix(body: bytes) -> str:
    """The prompt of a film that is made from another."""
    prompt = parse_object(body).get("prompt")
    if not isinstance(prompt, str) or not prompt:
        raise GatewayError(ErrorKind.INVALID_REQUEST, "Missing required parameter: 'prompt'.", param="prompt")
    if len(prompt) > MAX_PROMPT:
        message = f"Invalid value for 'prompt': expected at most {MAX_PROMPT} characters, got {len(prompt)}."
        raise GatewayError(ErrorKind.INVALID_REQUEST, message, param="prompt")
    return prompt


@dataclass(frozen=True, slots=True)
class Page:
    limit: int
    after: str | None
    order: Literal["asc", "desc"]


def decode_page(limit: str | None, after: str | None, order: str | None) -> Page:
    """As in a list's query string."""
    if limit and not (limit.isascii() and limit.isdigit() and len(limit) <= _MOST_DIGITS and int(limit) >= 1):
        message = "Invalid value for 'limit': expected a whole number from 1 on."
        raise GatewayError(ErrorKind.INVALID_REQUEST, message, param="limit")
    return Page(min(int(limit), MAX_PAGE) if limit else 20, after or None, "asc" if order == "asc" else "desc")


def render(video: dict[str, Any]) -> bytes:
    return orjson.dumps(video)


def render_list(items: Sequence[dict[str, Any]], page: Page) -> bytes:
    """One page of a list that has the latest first."""
    ordered = list(items) if page.order == "desc" else list(items)[::-1]
    ids = [item["id"] for item in ordered]
    start = ids.index(page.after) + 1 if page.after in ids else 0
    shown = ordered[start : start + page.limit]
    return orjson.dumps(
        {
            "object": "list",
            "data": shown,
            "first_id": shown[0]["id"] if shown else None,
            "last_id": shown[-1]["id"] if shown else None,
            "has_more": start + page.limit < len(ordered),
        }
    )


def render_deleted(id: str, kind: str) -> bytes:
    return orjson.dumps({"id": id, "object": kind, "deleted": True})
