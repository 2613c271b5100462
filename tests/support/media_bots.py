"""Bots on `fastapi_poe` that make files, in the ways Poe's makers of pictures, speech and films do, or read them."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterable, Mapping, Sequence
from typing import Any

import fastapi_poe as fp
import httpx

from tests.support import sample_files
from tests.support.bot_files import made

Answer = AsyncIterable[fp.PartialResponse | fp.ErrorResponse]

_COLORS = [(200, 30, 30), (30, 30, 200), (30, 160, 30), (220, 200, 40)]
_ASPECTS = ["16:9", "4:3", "1:1", "3:4", "9:16"]


def _choice(name: str, choices: Sequence[str], default: str) -> dict[str, Any]:
    return {"name": name, "schema": {"enum": [*choices]}, "default_value": default, "description": None}


def _listed(inputs: Sequence[str], outputs: Sequence[str], *parameters: Mapping[str, Any]) -> dict[str, Any]:
    """What a bot's entry in the list of models says of its media."""
    modality = f"{','.join(inputs)}->{','.join(outputs)}"
    architecture = {"input_modalities": [*inputs], "output_modalities": [*outputs], "modality": modality}
    return {"architecture": architecture, "parameters": [*parameters]}


class PictureBot(fp.PoeBot):
    """Shows progress by replacing its answer, and ends with a picture that its text refers to."""

    listed = _listed(
        ["text", "image"], ["image"], _choice("aspect", _ASPECTS, "4:3"), _choice("quality", ["low", "high"], "high")
    )

    async def get_response_with_context(self, request: fp.QueryRequest, context: fp.RequestContext) -> Answer:
        for second in (1, 2):
            yield fp.PartialResponse(text=f"Generating image... ({second}s elapsed)", is_replace_response=True)
            await asyncio.sleep(0.05)
        picture = made(context, "cat.png", sample_files.png(), "image/png", "cat1")
        yield fp.PartialResponse(text="![a cat][cat1]", is_replace_response=True, attachment=picture)


class PicturesBot(fp.PoeBot):
    """As many pictures as `num_images` says, no two of them alike."""

    listed = _listed(
        ["text"],
        ["image"],
        _choice("aspect_ratio", _ASPECTS, "1:1"),
        {"name": "num_images", "schema": {"type": "number", "minimum": 1, "maximum": 4}, "default_value": 1},
    )

    async def get_response_with_context(self, request: fp.QueryRequest, context: fp.RequestContext) -> Answer:
        for number in range(int((request.query[-1].parameters or {}).get("num_images", 1))):
            data = sample_files.png(8 + number, 8, _COLORS[number % len(_COLORS)])
            picture = made(context, f"picture-{number}.png", data, "image/png", f"ref{number}")
            yield fp.PartialResponse(text=f"![picture {number}][ref{number}]\n", attachment=picture)


class PlainPictureBot(fp.PoeBot):
    """A picture that nothing in the text refers to."""

    listed = _listed(
        ["text", "image"], ["text", "image"], _choice("size", ["1024x1024", "1024x1536", "1536x1024"], "1024x1024")
    )

    async def get_response_with_context(self, request: fp.QueryRequest, context: fp.RequestContext) -> Answer:
        yield fp.PartialResponse(text="Here it is.")
        yield fp.PartialResponse(text="", attachment=made(context, "plain.png", sample_files.png(), "image/png"))


class SpeechBot(fp.PoeBot):
    listed = _listed(["text"], ["audio"], _choice("voice", ["tara", "leo"], "tara"))

    async def get_response_with_context(self, request: fp.QueryRequest, context: fp.RequestContext) -> Answer:
        yield fp.PartialResponse(text="", attachment=made(context, "speech.wav", sample_files.wav(), "audio/wav"))


class FilmBot(fp.PoeBot):
    """Tells its progress in both ways that Poe's do."""

    listed = _listed(
        ["text", "image"], ["video"], _choice("aspect", ["16:9", "9:16"], "16:9"), _choice("duration", ["5", "10"], "5")
    )

    async def get_response_with_context(self, request: fp.QueryRequest, context: fp.RequestContext) -> Answer:
        for progress in ("10% complete", "3s elapsed"):
            yield fp.PartialResponse(text=f"Generating video... ({progress})", is_replace_response=True)
            await asyncio.sleep(0.2)
        film = made(context, "film.mp4", sample_files.mp4(), "video/mp4")
        yield fp.PartialResponse(text="", is_replace_response=True, attachment=film)


class TranscriberBot(fp.PoeBot):
    """Fetches what is attached to the last message, and answers in JSON what it got: a list, a file each."""

    listed = _listed(["text", "audio"], ["text"])

    async def get_response(self, request: fp.QueryRequest) -> Answer:
        got = []
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            for attachment in request.query[-1].attachments:
                response = await client.get(attachment.url)
                if response.status_code != httpx.codes.OK:
                    text = f"{attachment.name} cannot be fetched: {response.status_code}"
                    yield fp.ErrorResponse(text=text, allow_retry=False)
                    return
                digest = hashlib.sha256(response.content).hexdigest()
                about = {"name": attachment.name, "content_type": attachment.content_type}
                got.append({**about, "size": len(response.content), "sha256": digest})
        yield fp.PartialResponse(text=json.dumps(got))


class RefuserBot(fp.PoeBot):
    listed = _listed(["text"], ["image"])

    async def get_response(self, request: fp.QueryRequest) -> Answer:
        yield fp.PartialResponse(text="I cannot draw this.")


class AttachmentsBot(fp.PoeBot):
    """Answers in JSON: `messages` with the `attachments` of each, and the `parameters` of the last."""

    listed = _listed(["text", "image"], ["text"])

    async def get_response(self, request: fp.QueryRequest) -> Answer:
        messages = [message.model_dump(include={"role", "attachments"}, mode="json") for message in request.query]
        yield fp.PartialResponse(text=json.dumps({"messages": messages, "parameters": request.query[-1].parameters}))


def media_bots() -> list[fp.PoeBot]:
    """Each sees the messages as they were sent: its library puts none of its own in for what is attached."""
    kinds: dict[str, type[fp.PoeBot]] = {
        "picture": PictureBot,
        "pictures": PicturesBot,
        "plain_picture": PlainPictureBot,
        "speech": SpeechBot,
        "film": FilmBot,
        "transcriber": TranscriberBot,
        "refuser": RefuserBot,
        "attachments": AttachmentsBot,
    }
    return [kind(path=f"/bot/{name}", should_insert_attachment_messages=False) for name, kind in kinds.items()]
