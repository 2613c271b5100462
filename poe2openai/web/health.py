"""GET /health: whether the gateway serves, without a key and without a call to Poe."""

import time

import orjson
from flask import Blueprint, Response

from poe2openai import __version__
from poe2openai.web.services import services

blueprint = Blueprint("health", __name__)


@blueprint.get("/health")
def health() -> Response:
    here = services()
    state = here.models_file.state()
    contact = here.poe.last_contact
    return Response(
        orjson.dumps(
            {
                "status": "ok",
                "version": __version__,
                "uptime_seconds": round(time.time() - here.started),
                "config": {
                    "ok": state.ok,
                    "source": state.source,
                    "error": state.error,
                    "loaded_at": state.loaded_at,
                },
                "poe": {
                    "seen": None if contact is None else contact.ok,
                    "last_contact": None if contact is None else contact.when,
                },
            }
        ),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
