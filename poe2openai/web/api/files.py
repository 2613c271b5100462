"""/v1/files: files that are uploaded first and named by an id later (OpenAI API reference, Files)."""

from functools import partial
from typing import Any

import orjson
from flask import Blueprint, Response, request

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.dialects.files import decode, file_body
from poe2openai.dialects.videos import decode_page, render_deleted, render_list
from poe2openai.gateway.media_types import UNKNOWN
from poe2openai.gateway.uploading import Uploader
from poe2openai.poe.files import clean_name
from poe2openai.store.files import StoredFile
from poe2openai.web.making import Visit, fields_of_request, visit, whole
from poe2openai.web.passing import pass_file

blueprint = Blueprint("files", __name__)


@blueprint.post("/v1/files")
@blueprint.post("/files")
def create() -> Response:
    return visit(_create)


@blueprint.get("/v1/files")
@blueprint.get("/files")
def list_files() -> Response:
    return visit(_list)


@blueprint.get("/v1/files/<file_id>")
@blueprint.get("/files/<file_id>")
def retrieve(file_id: str) -> Response:
    return visit(lambda here: whole(orjson.dumps(_body(_find(here, file_id)))))


@blueprint.delete("/v1/files/<file_id>")
@blueprint.delete("/files/<file_id>")
def delete(file_id: str) -> Response:
    return visit(partial(_delete, file_id=file_id))


@blueprint.get("/v1/files/<file_id>/content")
@blueprint.get("/files/<file_id>/content")
def content(file_id: str) -> Response:
    return visit(partial(_content, file_id=file_id))


def _list(here: Visit) -> Response:
    asked = request.args
    page = decode_page(asked.get("limit"), asked.get("after"), asked.get("order"))
    purpose = asked.get("purpose")
    files = here.services.file_ids.all(here.caller.account)
    return whole(render_list([_body(file) for file in files if purpose in (None, "", file.purpose)], page))


def _create(here: Visit) -> Response:
    asked = decode(fields_of_request(here))
    if not here.services.settings.url_cache_ttl_seconds:
        raise GatewayError(ErrorKind.INVALID_REQUEST, "No files are kept here: URL_CACHE_TTL_SECONDS is 0.")
    # Poe is not to get a file that nobody could name then.
    here.services.file_ids.all(here.caller.account)
    file = asked.file
    name = clean_name(file.name) if file.name else None
    who = Uploader(here.caller, here.services.keys.keys_for(here.caller))
    media_type = None if file.media_type == UNKNOWN else file.media_type
    upload = here.services.uploads.anew(file.content, name, media_type, who, here.watched.check)
    stored = here.services.file_ids.add(here.caller.account, upload, name=name or upload.name, purpose=asked.purpose)
    return whole(orjson.dumps(_body(stored)))


def _content(here: Visit, file_id: str) -> Response:
    file = _find(here, file_id)
    download = here.services.downloads.open(file.upload.url, here.watched.check)
    return pass_file(download, file.upload.media_type, file.name, here.watched, here.record)


def _delete(here: Visit, file_id: str) -> Response:
    if not here.services.file_ids.delete(here.caller.account, file_id):
        raise _unknown(file_id)
    return whole(render_deleted(file_id, "file"))


def _find(here: Visit, file_id: str) -> StoredFile:
    file = here.services.file_ids.find(here.caller.account, file_id)
    if file is None:
        raise _unknown(file_id)
    return file


def _body(file: StoredFile) -> dict[str, Any]:
    return file_body(
        file.id,
        name=file.name,
        size=file.upload.size,
        purpose=file.purpose,
        created=file.created,
        expires=file.expires,
    )


def _unknown(file_id: str) -> GatewayError:
    return GatewayError(ErrorKind.NOT_FOUND, f"There is no file '{file_id[:100]}' here (any more).", param="file_id")
