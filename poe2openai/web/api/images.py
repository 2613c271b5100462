"""POST /v1/images/generations and /v1/images/edits (OpenAI API reference, Images)."""

import time
from collections.abc import Callable, Generator
from contextlib import closing, suppress
from functools import partial
from itertools import count

from flask import Blueprint, Response

from poe2openai.core.content import Content
from poe2openai.core.errors import GatewayError
from poe2openai.core.events import MadeFile
from poe2openai.core.request import ModelRequest
from poe2openai.core.turns import Turns
from poe2openai.dialects.form import Fields
from poe2openai.dialects.images import (
    ImagesRequest,
    Picture,
    ResponseFormat,
    completed_event,
    decode_edit,
    decode_generation,
    partial_event,
    render,
)
from poe2openai.gateway.catalog import Route
from poe2openai.gateway.making import Made, files_of_kind
from poe2openai.gateway.media_types import true_type
from poe2openai.gateway.parallel import Check, all_of
from poe2openai.gateway.picture_requests import requests_for
from poe2openai.gateway.tokens import count_messages, tokenizer
from poe2openai.web.making import Visit, fields_of_request, visit, whole

MOST_FETCHED_AT_ONCE = 4

blueprint = Blueprint("images", __name__)

Decode = Callable[..., ImagesRequest]


@blueprint.post("/v1/images/generations")
@blueprint.post("/images/generations")
def generate() -> Response:
    return visit(partial(_answer, decode_generation, "image_generation"))


@blueprint.post("/v1/images/edits")
@blueprint.post("/images/edits")
def edit() -> Response:
    return visit(partial(_answer, decode_edit, "image_edit"))


def _answer(decode: Decode, kind: str, here: Visit) -> Response:
    fields: Fields = fields_of_request(here)
    asked: ImagesRequest = decode(fields, default_model=here.services.settings.default_model)
    route = here.route(asked.model, stream=asked.stream)
    requests = requests_for(asked, route.declared)
    prompt_tokens = count_messages(requests[0], tokenizer())
    here.wait_turns(len(requests))
    if asked.stream:
        events = _Pictures(here, asked, kind, prompt_tokens)
        return here.stream([partial(events.frames, one, route) for one in requests])
    made = here.all_made(requests, route)
    files = [file for one in made for file in files_of_kind(one, "image", asked.model)]
    jobs = [partial(_picture, here, file, asked.response_format) for file in files]
    pictures = all_of(jobs, most=MOST_FETCHED_AT_ONCE, on_silence=here.watched.check)
    return whole(render(pictures, created=int(time.time()), text=made[0].text, prompt_tokens=prompt_tokens))


class _Pictures:
    """The events of one streamed answer, whose queries are asked side by side."""

    def __init__(self, here: Visit, asked: ImagesRequest, kind: str, prompt_tokens: int) -> None:
        self._here = here
        self._asked = asked
        self._kind = kind
        self._prompt_tokens = prompt_tokens
        self._partial = count()

    def frames(self, request: ModelRequest, route: Route, check: Check) -> Generator[bytes]:
        asked, kind = self._asked, self._kind
        shown: set[str] = set()
        with closing(self._here.make(request, route, check)) as steps:
            for step in steps:
                check()
                if isinstance(step, Made):
                    for file in files_of_kind(step, "image", asked.model):
                        picture = self._picture(file, check)
                        yield completed_event(
                            kind, picture, created=int(time.time()), prompt_tokens=self._prompt_tokens
                        )
                elif isinstance(step, MadeFile) and step.media_type.startswith("image/"):
                    if step.url in shown or (at := next(self._partial)) >= asked.partial_images:
                        continue
                    shown.add(step.url)
                    # One that is but a step on the way is no loss.
                    with suppress(GatewayError):
                        yield partial_event(kind, self._picture(step, check), created=int(time.time()), index=at)

    def _picture(self, file: MadeFile, check: Check) -> Picture:
        """With its bytes, whatever was asked for: OpenAI's events hold them."""
        wanted = None if self._asked.response_format == "url" else self._asked.response_format
        return _picture(self._here, file, wanted, check)


def _picture(here: Visit, file: MadeFile, wanted: ResponseFormat | None, check: Check) -> Picture:
    """With its address and its bytes, unless one of both is wanted."""
    if wanted == "url":
        return Picture(file.url, None, file.media_type)
    content = here.services.downloads.content(file.url, check)
    media_type = true_type(content, file.media_type, file.name)
    return Picture(None if wanted == "b64_json" else file.url, _base64(content), media_type)


def _base64(content: Content) -> str:
    turns = Turns()
    pieces: list[bytes] = []
    for piece in content.base64():
        pieces.append(piece)
        turns.give_way()
    return b"".join(pieces).decode()
