"""Chat requests with files in them, for tests over the wire."""

import base64
import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from tests.support.gateway import Gateway
from tests.support.received import Received
from tests.support.scripted_poe import ScriptedPoe
from tests.support.wire import KEY, Client, Response

BOT = "bot"


def new_key() -> str:
    """A Poe key that has uploaded nothing yet: gateways that tests share remember what others did."""
    return f"key-{secrets.token_hex(8)}"


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def data_url(data: bytes, media_type: str = "image/png") -> str:
    return f"data:{media_type};base64,{b64(data)}"


def image(data: bytes, media_type: str = "image/png") -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": data_url(data, media_type)}}


def image_at(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def file(data: bytes, name: str, media_type: str = "application/octet-stream") -> dict[str, Any]:
    return {"type": "file", "file": {"filename": name, "file_data": data_url(data, media_type)}}


def user(*parts: Mapping[str, Any] | str) -> dict[str, Any]:
    shown = [{"type": "text", "text": part} if isinstance(part, str) else part for part in parts]
    return {"role": "user", "content": shown}


def body_of(messages: Sequence[Mapping[str, Any]], **fields: Any) -> bytes:
    return json.dumps({"model": BOT, "messages": messages, **fields}).encode()


def post(client: Client, body: bytes, key: str = KEY) -> Response:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    return client.request("POST", "/v1/chat/completions", body, headers)


def ask(gateway: Gateway, *messages: Mapping[str, Any], key: str = KEY, **fields: Any) -> tuple[int, Any]:
    """Status and body of the answer."""
    return ask_raw(gateway, body_of(messages, **fields), key)


def ask_raw(gateway: Gateway, body: bytes, key: str = KEY) -> tuple[int, Any]:
    with gateway.client() as client:
        response = post(client, body, key)
        return response.status, response.json()


def attached(query: Received) -> list[dict[str, Any]]:
    """The attachments of the query's last message."""
    given: list[dict[str, Any]] = query.messages[-1].get("attachments", [])
    return given


def tried(poe: ScriptedPoe) -> list[Received]:
    """The uploads that Poe was asked to take, whether it took them or not."""
    return [request for request in list(poe.requests) if request.address == "POST /upload"]
