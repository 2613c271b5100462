"""A small friendly Poe on `fastapi_poe` (Poe's own library for bots), for people without an account."""

import argparse
import asyncio
import logging
import socket
from collections.abc import AsyncIterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import fastapi_poe as fp
import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

THOUGHTS = [
    "Somebody is trying out the gateway.\n",
    "They said {question!r}.\n",
    "\n",
    "No account is needed here, so a friendly answer will do.\n",
]
ANSWER = (
    "Hello! You reached **{bot}**, a bot of the demo, through poe2openai.\n\n"
    "You said: {question}\n\n"
    "What you see came as Poe's own events, and left as OpenAI chat chunks: "
    "the thought above as `reasoning_content`, this text as `content`."
)
ANSWER_TO_ANY_NAME = (
    "Hello! You asked for **{bot}**, but this is the demo of poe2openai: no model is behind it, and it answers to any "
    "name.\n\n"
    "You said: {question}\n\n"
    "`make run` starts the gateway in front of Poe itself; there, with a Poe key, a bot's name reaches that bot."
)
ANY_NAME = "/bot/{name}"


class FriendlyBot(fp.PoeBot):
    """Answers word by word; a thinking one thinks aloud first, as Poe's reasoning bots do."""

    thinks = False
    answer = ANSWER

    async def get_response_with_context(
        self, request: fp.QueryRequest, context: fp.RequestContext
    ) -> AsyncIterable[fp.PartialResponse]:
        name = context.http_request.scope["path"].removeprefix("/bot/")
        question = request.query[-1].content.strip()[:200]
        if self.thinks:
            yield fp.PartialResponse(text="*Thinking...*\n\n")
            for thought in THOUGHTS:
                yield fp.PartialResponse(text="> " + thought.format(question=question))
                await asyncio.sleep(0.2)
            yield fp.PartialResponse(text="\n")
        first, *others = self.answer.format(bot=name, question=question).split(" ")
        yield fp.PartialResponse(text=first)
        for word in others:
            await asyncio.sleep(0.03)
            yield fp.PartialResponse(text=" " + word)


class ThinkingBot(FriendlyBot):
    thinks = True


class AnyNameBot(FriendlyBot):
    """Whoever tries an example of the documentation, with a bot that only Poe has, is told where they are."""

    answer = ANSWER_TO_ANY_NAME


class PaintingBot(fp.PoeBot):
    """Shows progress by replacing its answer, and ends with a picture, as Poe's image bots do."""

    async def get_response(self, request: fp.QueryRequest) -> AsyncIterable[fp.PartialResponse]:
        for second in range(3):
            yield fp.PartialResponse(text=f"Generating image... ({second}s elapsed)", is_replace_response=True)
            await asyncio.sleep(0.3)
        title = " ".join(request.query[-1].content.split())[:60] or "a picture"
        picture = fp.Attachment(
            url="https://pfst.cf2.poecdn.net/demo.png", content_type="image/png", name="demo.png", inline_ref="demo"
        )
        yield fp.PartialResponse(text=f"![{title}][demo]", is_replace_response=True, attachment=picture)


def demo_bots() -> list[fp.PoeBot]:
    return [
        ThinkingBot(path="/bot/demo-thinker"),
        FriendlyBot(path="/bot/demo-assistant"),
        PaintingBot(path="/bot/demo-painter"),
        AnyNameBot(path=ANY_NAME),
    ]


def model_entry(bot: fp.PoeBot, created: int) -> dict[str, Any]:
    """A bot as Poe's `/v1/models` lists it."""
    name = bot.path.removeprefix("/bot/")
    return {
        "id": name,
        "object": "model",
        "created": created,
        "owned_by": "demo",
        "description": "A bot of the demo.",
        "root": name.title(),
        "architecture": {"input_modalities": ["text"], "output_modalities": ["text"], "modality": "text->text"},
        "supported_features": [*getattr(bot, "supported_features", ())],
        "context_window": {"context_length": 128000, "max_output_tokens": 8192},
        "context_length": 128000,
        "metadata": {"display_name": name.title(), "image": None, "url": ""},
        "pricing": None,
        "reasoning": None,
        "parameters": [],
    }


def poe_app(bots: Sequence[fp.PoeBot]) -> ASGIApp:
    """Poe's addresses that the gateway asks: the bots (each with a `path` in lower case), the model list, the balance.

    A bot with both a name and an access key makes `fastapi_poe` call Poe itself, so none here has a name. The bot for
    any name comes last, and is not listed.
    """
    with _no_advice():
        app: FastAPI = fp.make_app(bots, allow_without_key=True)
    listed = [bot for bot in bots if bot.path != ANY_NAME]
    models = [model_entry(bot, 1_750_000_000_000 + number) for number, bot in enumerate(listed)]

    @app.get("/v1/models")
    def list_models() -> dict[str, Any]:
        return {"object": "list", "data": models}

    @app.get("/usage/current_balance")
    def balance() -> dict[str, int]:
        return {"current_point_balance": 1_000_000}

    async def without_case(scope: Scope, receive: Receive, send: Send) -> None:
        """Poe knows its bots in upper and lower case alike."""
        await app({**scope, "path": scope["path"].lower()}, receive, send)

    return without_case


@contextmanager
def _no_advice() -> Iterator[None]:
    """`fastapi_poe` warns of each bot without a name that its settings do not go to Poe: none here are to."""
    logger = logging.getLogger("uvicorn.default")
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(logging.NOTSET)


def serve(bots: Sequence[fp.PoeBot], port: int) -> None:
    """Serves until it is told to end; the first line printed is the address."""
    listener = socket.create_server(("127.0.0.1", port))
    app = poe_app(bots)
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1, lifespan="off")
    uvicorn.Server(config).run(sockets=[listener])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    serve(demo_bots(), parser.parse_args().port)


if __name__ == "__main__":
    main()
