"""The model list (OpenAI API reference, Models)."""

import orjson
from flask import Blueprint, Response

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.dialects.catalog import openai_model
from poe2openai.web.services import services

blueprint = Blueprint("models", __name__)


@blueprint.get("/v1/models")
@blueprint.get("/models")
def list_models() -> Response:
    here = services()
    return _json(here.rendered_models.render(here.catalog.models()))


@blueprint.get("/v1/models/<path:name>")
@blueprint.get("/models/<path:name>")
def retrieve_model(name: str) -> Response:
    entry = services().catalog.find(name)
    if entry is None:
        raise GatewayError(ErrorKind.MODEL_NOT_FOUND, f"The model '{name[:100]}' does not exist.", param="model")
    return _json(orjson.dumps(openai_model(entry)))


@blueprint.get("/api/models")
def list_unedited() -> Response:
    """Poe's own list, fetched anew and unedited."""
    return _json(orjson.dumps({"object": "list", "data": services().catalog.unedited()}))


def _json(body: bytes) -> Response:
    return Response(body, content_type="application/json")
