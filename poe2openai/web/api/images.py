"""POST /v1/images/generations and /v1/images/edits (OpenAI API reference, Images)."""

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from functools import partial
from itertools import chain

from flask import Blueprint, Response

from poe2openai.core.events import MadeFile
from poe2openai.core.request import ModelRequest
from poe2openai.dialects import sse
from poe2openai.dialects.form import Fields
from poe2openai.dialects.images import (
    ImagesRequest,
    Picture,
    completed_events,
    decode_edit,
    decode_generation,
    partial_event,
    render,
)
from poe2openai.dialects.openai_errors import error_body
from poe2openai.gateway.catalog import Route
from poe2openai.gateway.making import Made, files_of_kind
from poe2openai.gateway.media_types import true_type
from poe2openai.gateway.parallel import all_of
from poe2openai.gateway.picture_requests import requests_for
from poe2openai.web.making import Visit, fields_of_request, visit, whole
from poe2openai.web.passing import stream_frames

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
    if asked.stream:
        return _streamed(here, asked, requests, route, kind)
    made = here.made(requests, route)
    files = [file for one in made for file in files_of_kind(one, "image", asked.model)]
    pictures = _pictures(here, files, asked)
    return whole(render(pictures, created=int(time.time()), text=made[0].text))


def _streamed(here: Visit, asked: ImagesRequest, requests: Sequence[ModelRequest], route: Route, kind: str) -> Response:
    here.services.limits.wait_turn(here.caller)
    steps = here.make(requests[0], route)
    # What fails before the bot says anything keeps its status.
    first = next(steps)
    rest = requests[1:]

    def frames() -> Generator[bytes]:
        created, shown = int(time.time()), 0
        with closing(steps):
            for step in chain((first,), steps):
                if isinstance(step, MadeFile) and shown < asked.partial_images and step.media_type.startswith("image/"):
                    picture = _picture(here, step, asked, fetched=True)
                    yield partial_event(kind, picture, created=created, index=shown)
                    shown += 1
                elif isinstance(step, Made):
                    made = [step, *(here.made(rest, route) if rest else ())]
                    files = [file for one in made for file in files_of_kind(one, "image", asked.model)]
                    yield completed_events(kind, _pictures(here, files, asked, fetched=True), created=created)
                else:
                    yield b""

    return stream_frames(
        frames(),
        lambda error: sse.frame(error_body(error)),
        here.watched,
        here.record,
        here.services.settings.stream_ping_seconds,
    )


def _pictures(
    here: Visit, files: Sequence[MadeFile], asked: ImagesRequest, *, fetched: bool | None = None
) -> list[Picture]:
    jobs = [lambda check, file=file: _picture(here, file, asked, check, fetched=fetched) for file in files]
    return all_of(jobs, most=MOST_FETCHED_AT_ONCE, on_silence=here.watched.check)


def _picture(
    here: Visit,
    file: MadeFile,
    asked: ImagesRequest,
    check: Callable[[], None] | None = None,
    *,
    fetched: bool | None = None,
) -> Picture:
    """With its bytes, unless the client wants the address alone."""
    url = None if asked.response_format == "b64_json" else file.url
    if asked.response_format == "url" and not fetched:
        return Picture(url, None, file.media_type)
    content = here.services.downloads.content(file.url, check or here.watched.check)
    base64 = b"".join(content.base64()).decode()
    return Picture(url, base64, true_type(content, file.media_type, file.name))
