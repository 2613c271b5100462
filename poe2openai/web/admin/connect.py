"""Ready-made settings for clients, with this gateway's address in them."""

import re
from urllib.parse import urlsplit

from flask import Response, current_app

from poe2openai.web.admin import page
from poe2openai.web.admin.clients import CLIENTS, shown
from poe2openai.web.pages import EXAMPLE_MODEL, base_url, key_kind
from poe2openai.web.services import services

KEY = "YOUR_KEY"

_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_PLACEHOLDER = re.compile(r"\{(address|base_url|container|key|model)\}")

blueprint = page.blueprint("connect")


@blueprint.get(page.PAGES["connect"])
def show() -> Response:
    settings = services().settings
    address = base_url(settings)
    model = settings.default_model or EXAMPLE_MODEL
    values = {
        "address": address,
        "base_url": f"{address}/v1",
        "container": _seen_from_a_container(address),
        "key": KEY,
        "model": model,
    }
    clients = shown(CLIENTS, {rule.rule for rule in current_app.url_map.iter_rules()})
    return page.render(
        "connect",
        clients=clients,
        groups=list(dict.fromkeys(client.group for client in clients)),
        fill=lambda template: _PLACEHOLDER.sub(lambda found: values[found[1]], template),
        address=address,
        model=model,
        key_kind=key_kind(settings),
    )


def _seen_from_a_container(address: str) -> str:
    """Inside a container, localhost is the container."""
    host = urlsplit(address).hostname or ""
    if host not in _LOCAL:
        return address
    return re.sub(r"//(?:\[[^\]]*\]|[^/:]+)", "//host.docker.internal", address, count=1)
