"""Bots on `fastapi_poe`, Poe's own library: the judge of what the gateway says to Poe, and of what it reads there."""

import asyncio
import json
from collections.abc import AsyncIterable
from typing import Any

import fastapi_poe as fp
from sse_starlette.event import ServerSentEvent

from tests.support.bot_files import serve
from tests.support.bot_server import ACCESS_KEY
from tests.support.media_bots import media_bots
from tests.support.tool_bots import json_event, tool_bots

Answer = AsyncIterable[fp.PartialResponse | ServerSentEvent]


class EchoBot(fp.PoeBot):
    """Says the last message again, word by word."""

    async def get_response(self, request: fp.QueryRequest) -> Answer:
        yield fp.MetaResponse(text="", content_type="text/markdown", linkify=True, suggested_replies=True)
        for word in request.query[-1].content.split(" "):
            yield fp.PartialResponse(text=word + " ")
        yield fp.PartialResponse(text="And then?", is_suggested_reply=True)


class ThinkerBot(fp.PoeBot):
    async def get_response(self, request: fp.QueryRequest) -> Answer:
        for piece in [
            "*Thinking...*\n\n",
            "> First\n",
            ">\n",
            "> then ",
            "*this*\n",
            "\n",
            "The ans",
            "wer.\n\n> a quote",
        ]:
            yield fp.PartialResponse(text=piece)


class PainterBot(fp.PoeBot):
    async def get_response(self, request: fp.QueryRequest) -> Answer:
        for second in range(3):
            yield fp.PartialResponse(text=f"Generating image... ({second}s elapsed)", is_replace_response=True)
        picture = fp.Attachment(
            url="https://pfst.cf2.poecdn.net/cat.png", content_type="image/png", name="cat.png", inline_ref="cat1"
        )
        yield fp.PartialResponse(text="![a cat][cat1]", is_replace_response=True, attachment=picture)


class FailingBot(fp.PoeBot):
    async def get_response(self, request: fp.QueryRequest) -> Answer:
        if "midway" in request.query[-1].content:
            yield fp.PartialResponse(text="Half an ans")
        yield fp.ErrorResponse(text="The message is too long.", allow_retry=False, error_type="user_message_too_long")


class CrashingBot(fp.PoeBot):
    async def get_response(self, request: fp.QueryRequest) -> Answer:
        yield fp.PartialResponse(text="Half an ans")
        raise ValueError("this bot is broken")


class SlowBot(fp.PoeBot):
    async def get_response(self, request: fp.QueryRequest) -> Answer:
        for word in ["slowly ", "but ", "surely"]:
            await asyncio.sleep(0.3)
            yield fp.PartialResponse(text=word)


class HistoryBot(fp.PoeBot):
    """Answers with the query as it arrived, in JSON."""

    supported_features = ("tools",)

    async def get_response(self, request: fp.QueryRequest) -> Answer:
        wanted = request.model_dump(exclude={"http_request", "api_key", "access_key"}, mode="json")
        yield fp.PartialResponse(text=json.dumps(wanted))


class ToolBot(fp.PoeBot):
    """Calls a tool natively, in pieces, as Poe relays OpenAI's chunks."""

    supported_features = ("tools",)

    async def get_response(self, request: fp.QueryRequest) -> Answer:
        call: dict[str, Any] = {"index": 0, "id": "call_1", "type": "function"}
        yield json_event([call | {"function": {"name": "get_weather", "arguments": ""}}])
        for piece in ['{"city": ', '"Par', 'is"}']:
            yield json_event([{"index": 0, "function": {"arguments": piece}}])
        yield json_event(None, "tool_calls")


def bots() -> list[fp.PoeBot]:
    plain: dict[str, type[fp.PoeBot]] = {
        "echo": EchoBot,
        "thinker": ThinkerBot,
        "painter": PainterBot,
        "failing": FailingBot,
        "crashing": CrashingBot,
        "slow": SlowBot,
        "history": HistoryBot,
        "tools": ToolBot,
    }
    guarded = EchoBot(path="/bot/guarded", access_key=ACCESS_KEY)
    return [*(kind(path=f"/bot/{name}") for name, kind in plain.items()), guarded, *tool_bots(), *media_bots()]


if __name__ == "__main__":
    serve(bots(), 0)
