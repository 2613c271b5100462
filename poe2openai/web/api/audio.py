"""POST /v1/audio/speech, /v1/audio/transcriptions and /v1/audio/translations (OpenAI API reference, Audio)."""

from base64 import b64encode
from collections.abc import Generator
from functools import partial

from flask import Blueprint, Response, request

from poe2openai.core.events import AnswerEvent, Failed, Finished, MadeFile, PartDelta, Usage
from poe2openai.core.request import Message, ModelRequest, Sampling, Text
from poe2openai.dialects import sse
from poe2openai.dialects.audio import (
    SpeechRequest,
    decode_speech,
    decode_transcription,
    speech_delta,
    speech_done,
    transcript_delta,
    transcript_done,
    transcription,
)
from poe2openai.dialects.openai_errors import error_body
from poe2openai.gateway.attempts import Waiting
from poe2openai.gateway.catalog import Route
from poe2openai.gateway.downloads import Download
from poe2openai.gateway.making import files_of_kind
from poe2openai.gateway.parallel import Check
from poe2openai.gateway.picture_requests import speech_request
from poe2openai.gateway.tokens import count_messages, tokenizer
from poe2openai.web.making import Visit, fields_of_request, visit, whole
from poe2openai.web.passing import pass_file
from poe2openai.web.request_log import write_line
from poe2openai.web.streaming import next_ping, stream_answer, whole_answer

blueprint = Blueprint("audio", __name__)

_SPEECH_PIECE = 48 * 1024  # divides by three: each piece has a base64 of its own


@blueprint.post("/v1/audio/speech")
@blueprint.post("/audio/speech")
def speech() -> Response:
    return visit(_speak)


@blueprint.post("/v1/audio/transcriptions")
@blueprint.post("/audio/transcriptions")
def transcriptions() -> Response:
    return visit(partial(_transcribe, translate=False))


@blueprint.post("/v1/audio/translations")
@blueprint.post("/audio/translations")
def translations() -> Response:
    return visit(partial(_transcribe, translate=True))


def _speak(here: Visit) -> Response:
    asked: SpeechRequest = decode_speech(fields_of_request(here), default_model=here.services.settings.default_model)
    route = here.route(asked.model, stream=asked.as_events)
    wanted = speech_request(asked, route.declared)
    here.wait_turns(1)
    if asked.as_events:
        return here.stream([partial(_speech_frames, here, wanted, route)])
    file, download = _spoken(here, wanted, route, here.watched.check)
    return pass_file(download, file.media_type, file.name, here.watched, here.record)


def _spoken(here: Visit, wanted: ModelRequest, route: Route, check: Check) -> tuple[MadeFile, Download]:
    file = files_of_kind(here.made(wanted, route, check), "audio", wanted.model)[0]
    return file, here.services.downloads.open(file.url, check)


def _speech_frames(here: Visit, wanted: ModelRequest, route: Route, check: Check) -> Generator[bytes]:
    rest = b""
    _, download = _spoken(here, wanted, route, check)
    with download:
        for piece in download.pieces():
            rest += piece
            while len(rest) >= _SPEECH_PIECE:
                yield speech_delta(b64encode(rest[:_SPEECH_PIECE]).decode())
                rest = rest[_SPEECH_PIECE:]
    if rest:
        yield speech_delta(b64encode(rest).decode())
    yield speech_done(Usage(count_messages(wanted, tokenizer()), 0))


def _transcribe(here: Visit, *, translate: bool) -> Response:
    default_model = here.services.settings.default_model
    asked = decode_transcription(fields_of_request(here), default_model=default_model, translate=translate)
    route = here.route(asked.model, stream=asked.stream)
    here.services.limits.wait_turn(here.caller)
    wanted = ModelRequest(
        asked.model,
        (Message("user", (Text(asked.instruction), asked.audio)),),
        sampling=Sampling(asked.temperature),
        extra=asked.extra,
        stream=asked.stream,
        include_usage=True,
        lifted=asked.lifted,
    )
    ping_seconds = here.services.settings.stream_ping_seconds
    ping_due = next_ping(ping_seconds)
    waiting = Waiting(ping_due if asked.stream else None, here.watched.check)
    batches = here.services.exchange.answer(wanted, route, here.caller, here.record, waiting)
    if not asked.stream:
        answer = whole_answer(batches, here.watched)
        return whole(*transcription(answer.text("text"), asked, answer.usage))
    return stream_answer(
        batches,
        _TranscriptEncoder(),
        ping_due=ping_due,
        ping_seconds=ping_seconds,
        watched=here.watched,
        record=here.record,
        on_close=partial(write_line, here.record, request.method, request.path),
    )


class _TranscriptEncoder:
    """The text as it comes; thoughts are left out."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._is_text = False

    def encode(self, batch: list[AnswerEvent]) -> bytes:
        return b"".join([self._frame(event) for event in batch])

    def _frame(self, event: AnswerEvent) -> bytes:
        match event:
            case PartDelta(text=text) if self._is_text:
                self._texts.append(text)
                return transcript_delta(text)
            case Finished(_, usage):
                return transcript_done("".join(self._texts).strip(), usage)
            case Failed(error):
                return sse.frame(error_body(error))
            case _:
                self._is_text = getattr(event, "kind", "text" if self._is_text else "") == "text"
                return b""
