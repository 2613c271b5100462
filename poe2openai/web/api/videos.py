"""POST /v1/videos, and what is asked about a video later (OpenAI API reference, Videos)."""

from functools import partial

from flask import Blueprint, Response, request

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.request import Media, Url
from poe2openai.dialects.videos import (
    VideoRequest,
    decode,
    decode_page,
    decode_remix,
    render,
    render_deleted,
    render_list,
)
from poe2openai.gateway.picture_requests import video_request
from poe2openai.gateway.videos import Wish
from poe2openai.web.answering import read_request_body
from poe2openai.web.making import Visit, fields_of_request, visit, whole
from poe2openai.web.passing import pass_file
from poe2openai.web.request_log import write_line

blueprint = Blueprint("videos", __name__)


@blueprint.post("/v1/videos")
@blueprint.post("/videos")
def create() -> Response:
    return visit(_create)


@blueprint.post("/v1/videos/<video_id>/remix")
@blueprint.post("/videos/<video_id>/remix")
def remix(video_id: str) -> Response:
    return visit(partial(_remix, video_id=video_id))


@blueprint.get("/v1/videos")
@blueprint.get("/videos")
def list_videos() -> Response:
    return visit(_list)


@blueprint.get("/v1/videos/<video_id>")
@blueprint.get("/videos/<video_id>")
def retrieve(video_id: str) -> Response:
    return visit(lambda here: whole(render(here.services.videos.find(here.caller, video_id))))


@blueprint.delete("/v1/videos/<video_id>")
@blueprint.delete("/videos/<video_id>")
def delete(video_id: str) -> Response:
    return visit(partial(_delete, video_id=video_id))


@blueprint.get("/v1/videos/<video_id>/content")
@blueprint.get("/videos/<video_id>/content")
def content(video_id: str) -> Response:
    return visit(partial(_content, video_id=video_id))


def _list(here: Visit) -> Response:
    page = decode_page(request.args.get("limit"), request.args.get("after"), request.args.get("order"))
    return whole(render_list(here.services.videos.all(here.caller), page))


def _create(here: Visit) -> Response:
    asked = decode(fields_of_request(here), default_model=here.services.settings.default_model)
    return _start(here, asked, Wish(asked.prompt, asked.size, asked.seconds))


def _remix(here: Visit, video_id: str) -> Response:
    """A new film of the same bot, with the old one attached."""
    prompt = decode_remix(read_request_body(here.services.settings, here.record))
    first = here.services.videos.find(here.caller, video_id)
    film = here.services.videos.file(here.caller, video_id)
    known = {name: None if first[name] == "auto" else first[name] for name in ("size", "seconds")}
    references = (Media(Url(film.url), film.media_type, film.name, "video_id"),)
    asked = VideoRequest(first["model"], prompt, known["seconds"], known["size"], references, {})
    return _start(here, asked, Wish(prompt, asked.size, asked.seconds, remixed_from=video_id))


def _start(here: Visit, asked: VideoRequest, wish: Wish) -> Response:
    route = here.route(asked.model)
    wanted = video_request(asked, route.declared)
    here.services.limits.wait_turn(here.caller)
    # The film outlasts its request, and has a line of its own in the log.
    record = here.record.of_work()
    path = f"{request.path} (made)"
    video = here.services.videos.start(
        wanted, route, here.caller, record, wish=wish, on_end=lambda record: write_line(record, "POST", path)
    )
    return whole(render(video))


def _delete(here: Visit, video_id: str) -> Response:
    here.services.videos.delete(here.caller, video_id)
    return whole(render_deleted(video_id, "video.deleted"))


def _content(here: Visit, video_id: str) -> Response:
    variant = request.args.get("variant", "video")
    if variant != "video":
        message = f"Invalid value for 'variant': {variant[:32]!r}; Poe's bots give the video alone."
        raise GatewayError(ErrorKind.INVALID_REQUEST, message, param="variant")
    file = here.services.videos.file(here.caller, video_id)
    download = here.services.downloads.open(file.url, here.watched.check)
    return pass_file(download, file.media_type, file.name, here.watched, here.record)
