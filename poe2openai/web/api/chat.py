"""POST /v1/chat/completions (OpenAI API reference, Chat, Create chat completion)."""

import time
from functools import partial
from typing import Any

from flask import Blueprint, Response

from poe2openai.config.settings import Settings
from poe2openai.dialects.chat_completions.decode import decode
from poe2openai.dialects.chat_completions.encode import ChunkEncoder, completion, new_id
from poe2openai.dialects.lifting import LiftedBody
from poe2openai.web.answering import Question, respond

blueprint = Blueprint("chat", __name__)


@blueprint.post("/v1/chat/completions")
@blueprint.post("/chat/completions")
def chat_completions() -> Response:
    return respond(read_chat)


def read_chat(body: LiftedBody, settings: Settings) -> Question:
    """The dialect, for `respond`."""
    chat = decode(body.text, default_model=settings.default_model, lifted=body.files)
    asked = chat.request
    named: dict[str, Any] = {
        "id": new_id(),
        "model": asked.model,
        "created": int(time.time()),
        "functions": chat.functions,
    }
    return Question(
        (asked,) * asked.n,
        partial(ChunkEncoder, **named, include_usage=asked.include_usage, n=asked.n),
        partial(completion, **named),
    )
