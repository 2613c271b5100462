"""POST /v1/embeddings (OpenAI API reference, Embeddings)."""

from flask import Blueprint, Response, request

from poe2openai.core.errors import GatewayError
from poe2openai.dialects.embeddings import EmbeddingsRequest, decode, render
from poe2openai.gateway.keys import Caller
from poe2openai.gateway.tokens import tokenizer
from poe2openai.web.answering import read_request_body
from poe2openai.web.auth import caller_of
from poe2openai.web.request_log import current_record
from poe2openai.web.services import Services, services

blueprint = Blueprint("embeddings", __name__)


@blueprint.post("/v1/embeddings")
@blueprint.post("/embeddings")
def create_embeddings() -> Response:
    here, record = services(), current_record()
    caller = caller_of(request, here.keys)
    record.caller = caller.id
    asked = decode(read_request_body(here.settings, record), default_model=here.settings.embeddings_model)
    record.model = record.bot = asked.model
    here.limits.wait_turn(caller)
    record.attempts = 1
    answer = render(_ask(here, asked, caller), asked, tokenizer().count)
    return Response(answer, content_type="application/json", headers={"Cache-Control": "no-cache"})


def _ask(here: Services, asked: EmbeddingsRequest, caller: Caller) -> dict[str, object]:
    """With the caller's key where the server is Poe; no key of Poe's is touched for another."""
    if not here.embeddings.is_poe:
        if here.settings.embeddings_api_key and caller.poe_key is not None:
            # Whoever spends the owner's key has to have one of Poe's: any word would do otherwise.
            here.balances.balance([caller.poe_key])
        return here.embeddings.create(asked.body, "")
    key = here.keys.keys_for(caller)[0]
    try:
        return here.embeddings.create(asked.body, key)
    except GatewayError as error:
        here.keys.report(key, error)
        raise
