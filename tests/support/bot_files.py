"""Serves bots beside what Poe has for their files: an upload address, and what was uploaded or made, at `/files/…`."""

import socket
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import fastapi_poe as fp
import uvicorn
from fastapi import FastAPI, HTTPException, Request, Response

from tests.support.uploads import BadForm, Shelf, answer_of, content_of, read_form
from tools.demo_bot import model_entry, poe_app

_SHELF = Shelf()


def made(context: fp.RequestContext, name: str, data: bytes, media_type: str, ref: str | None = None) -> fp.Attachment:
    """A file that a bot made."""
    url = _url(context.http_request, _SHELF.put(name, media_type, content_of(data)))
    return fp.Attachment(url=url, content_type=media_type, name=name, inline_ref=ref)


def serve(bots: Sequence[fp.PoeBot], port: int) -> None:
    """As the demo serves its bots; a bot's `listed` is what its entry in the list of models says besides."""
    app = FastAPI()
    _add_files(app)
    models = [{**model_entry(bot, 1_750_000_000_000 + at), **getattr(bot, "listed", {})} for at, bot in enumerate(bots)]

    @app.get("/v1/models")
    def list_models() -> dict[str, Any]:
        return {"object": "list", "data": models}

    app.mount("/", poe_app(bots))
    listener = socket.create_server(("127.0.0.1", port))
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1, lifespan="off")
    uvicorn.Server(config).run(sockets=[listener])


def _add_files(app: FastAPI) -> None:
    @app.post("/upload")
    async def upload(request: Request) -> dict[str, object]:
        if not request.headers.get("authorization"):
            raise HTTPException(401, "Missing API key")
        try:
            form = read_form(request.headers.get("content-type", ""), await request.body())
        except BadForm as error:
            raise HTTPException(400, str(error)) from error
        path = _SHELF.put(form.name, form.media_type, form.content)
        return answer_of(form, _url(request, path))

    @app.get("/files/{path:path}")
    def file(path: str) -> Response:
        found = _SHELF.find(f"/files/{quote(path)}")
        if found is None:
            raise HTTPException(404, f"no such file: {path}")
        return Response(b"".join(found.content.pieces()), headers={"Content-Type": found.media_type})


def _url(request: Request, path: str) -> str:
    """At the address that the server really has, whatever `Host` says."""
    host, port = request.scope["server"]
    return f"http://{host}:{port}{path}"
