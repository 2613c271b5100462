"""The playground: a chat in the browser, answered by the very code that answers clients."""

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from flask import Response, jsonify, request

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.gateway.keys import LONGEST_CREDENTIAL, Caller
from poe2openai.gateway.model_index import display_name, output_modalities, supports_tools
from poe2openai.web.admin import page
from poe2openai.web.answering import respond
from poe2openai.web.api.chat import read_chat
from poe2openai.web.pages import EXAMPLE_MODEL
from poe2openai.web.services import services
from poe2openai.web.streaming import AnswerBrokeOff

CALLER = "playground"
"""Who asks, as logs, limits and records name it."""

_KEY_HEADER = "X-Poe-Key"
_KEY = re.compile(rf"[!-~]{{1,{LONGEST_CREDENTIAL}}}")
_KINDS = ("text", "image", "video", "audio")

blueprint = page.blueprint("playground")


@blueprint.get(page.PAGES["playground"])
def show() -> Response:
    settings = services().settings
    return page.render(
        "playground",
        example_model=settings.default_model or EXAMPLE_MODEL,
        needs_key=not settings.poe_api_keys,
        max_size=settings.max_request_size,
    )


@blueprint.post("/admin/api/playground")
def answer() -> Response:
    """The body and the answer of `POST /v1/chat/completions`."""
    response = respond(read_chat, _caller)
    if response.is_streamed:
        response.response = _Uncut(response.response)
    return response


@blueprint.get("/admin/api/playground/models")
def models() -> Response:
    """The models that clients see, with what the page has to know of each."""
    return jsonify(models=[_summary(entry) for entry in services().catalog.models()])


def kind_of(entry: dict[str, Any]) -> str:
    """What a bot makes first of all."""
    made = output_modalities(entry)
    if not made or "text" in made:
        return "text"
    return next((kind for kind in _KINDS if kind in made), "text")


class _Uncut:
    """A stream that ends in order after an error too: of one that is cut, browsers throw away what came last."""

    def __init__(self, body: Any) -> None:
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        with suppress(AnswerBrokeOff):
            yield from self._body

    def close(self) -> None:
        self._body.close()


def _caller() -> Caller:
    """The gateway's keys serve; one that the page sends counts where the gateway has none."""
    if services().settings.poe_api_keys:
        return Caller(CALLER, None)
    key = request.headers.get(_KEY_HEADER, "").strip()
    if not key:
        raise GatewayError(ErrorKind.AUTHENTICATION, "This gateway has no Poe key of its own: enter one on the page.")
    if not _KEY.fullmatch(key):
        raise GatewayError(ErrorKind.AUTHENTICATION, "The Poe key is malformed: it must be printable ASCII.")
    return Caller(CALLER, key, key)


def _summary(entry: dict[str, Any]) -> dict[str, Any]:
    architecture = entry.get("architecture")
    takes = architecture.get("input_modalities") if isinstance(architecture, dict) else None
    context = entry.get("context_length")
    parameters = entry.get("parameters")
    return {
        "id": entry["id"],
        "name": display_name(entry),
        "kind": kind_of(entry),
        "takes": [kind for kind in takes if isinstance(kind, str)] if isinstance(takes, list) else [],
        "tools": supports_tools(entry),
        "context": context if isinstance(context, int) else None,
        "parameters": [one for one in parameters if _is_parameter(one)] if isinstance(parameters, list) else [],
    }


def _is_parameter(declared: object) -> bool:
    return (
        isinstance(declared, dict)
        and isinstance(declared.get("name"), str)
        and isinstance(declared.get("schema"), dict)
    )
