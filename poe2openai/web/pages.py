"""The gateway's own pages, for people: the start page, which says how to connect a client.

Rendered on the server, readable without JavaScript; nothing on them comes from another host, and nothing of them may
run in another site's frame.
"""

import re
from collections.abc import Mapping

from flask import Blueprint, Response, make_response, render_template, request

from poe2openai import __version__
from poe2openai.config.settings import Settings
from poe2openai.web import i18n
from poe2openai.web.services import services

blueprint = Blueprint("pages", __name__)

# Named by the examples: on Poe, and known to everybody.
EXAMPLE_MODEL = "gpt-5.4-mini"

_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

# The Host header is the client's word, and the page offers it for a shell: only names, addresses and ports get through.
_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")


@blueprint.get("/")
def start() -> Response:
    here = services()
    contact = here.poe.last_contact
    language = i18n.choose(request.args.get("lang"), request.accept_languages.values())
    page = render_template(
        "start.html",
        language=language,
        languages=i18n.NAMES,
        texts=i18n.TEXTS[language],
        base_url=base_url(here.settings),
        key=key_kind(here.settings),
        model=EXAMPLE_MODEL,
        models_file_good=here.models_file.state().ok,
        poe_answers=None if contact is None else contact.ok,
        version=__version__,
    )
    response = make_response(page)
    response.headers["Cache-Control"] = "no-cache"
    response.headers["Content-Language"] = language
    response.vary.add("Accept-Language")
    return response


@blueprint.after_app_request
def _protect(response: Response) -> Response:
    if request.blueprint == blueprint.name or request.endpoint == "static":
        response.headers.update(_HEADERS)
    return response


def base_url(settings: Settings) -> str:
    """The gateway's address as this client reached it, without `/v1`.

    Behind a proxy that ends TLS the scheme is not known here; the page's script corrects it in the browser.
    """
    host = request.host if _HOST.fullmatch(request.host) else f"localhost:{settings.port}"
    return f"{request.scheme}://{host}{request.root_path.rstrip('/')}"


def key_kind(settings: Settings) -> str:
    """Which key a client has to send, as the end of the text's name."""
    if not (settings.poe_api_keys and settings.access_tokens):
        return "poe"
    return "either" if settings.allow_client_keys else "token"
