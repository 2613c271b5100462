"""POST /v1/completions (OpenAI API reference, Completions; legacy)."""

import time
from functools import partial
from typing import Any

from flask import Blueprint, Response

from poe2openai.config.settings import Settings
from poe2openai.dialects.completions.decode import decode
from poe2openai.dialects.completions.encode import CompletionEncoder, completion, new_id
from poe2openai.dialects.lifting import LiftedBody
from poe2openai.web.answering import Question, respond

blueprint = Blueprint("completions", __name__)


@blueprint.post("/v1/completions")
@blueprint.post("/completions")
def completions() -> Response:
    return respond(_read)


def _read(body: LiftedBody, settings: Settings) -> Question:
    asked = decode(body.text, default_model=settings.default_model, lifted=body.files)
    first = asked.requests[0]
    named: dict[str, Any] = {
        "id": new_id(),
        "model": first.model,
        "created": int(time.time()),
        "beginnings": asked.beginnings,
    }
    return Question(
        asked.requests,
        partial(CompletionEncoder, **named, include_usage=first.include_usage),
        partial(completion, **named),
    )
