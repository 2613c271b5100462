"""GET /admin/api/live and POST /admin/api/live/<id>/stop: the requests under way, and an end to one of them."""

from dataclasses import asdict

import orjson
from flask import Response

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.web.admin import page
from poe2openai.web.services import services

blueprint = page.blueprint("live")


@blueprint.get("/admin/api/live")
def live() -> Response:
    requests = [asdict(request) for request in services().live.all()]
    return Response(orjson.dumps({"requests": requests}), content_type="application/json")


@blueprint.post("/admin/api/live/<request_id>/stop")
def stop(request_id: str) -> Response:
    """It ends within seconds: the list says `stopping` until then."""
    if not services().live.stop(request_id):
        raise GatewayError(ErrorKind.NOT_FOUND, "This request is not under way (any more).")
    return Response(b"{}", 202, content_type="application/json")
