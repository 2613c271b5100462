"""POST /v1/audio/speech and /v1/audio/transcriptions (OpenAI API reference, Audio)."""

import re
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.events import Usage
from poe2openai.core.request import Media
from poe2openai.dialects import sse
from poe2openai.dialects.form import Fields
from poe2openai.dialects.images import own_parameters
from poe2openai.dialects.media import NOTHING_LIFTED, Lifted, is_address, media_from_url, media_inline
from poe2openai.dialects.validation import validate

MAX_INPUT = 400_000

_FORMAT = re.compile(r"[A-Za-z0-9.+-]{1,32}")


class SpeechBody(BaseModel):
    model_config = ConfigDict(extra="allow")

    model: Annotated[str, Field(max_length=512)] | None = None
    input: Annotated[str, Field(min_length=1, max_length=MAX_INPUT)]
    voice: str | dict[str, Any] | None = None
    response_format: Annotated[str, Field(max_length=32)] | None = None
    speed: Annotated[float, Field(gt=0, le=10)] | None = None
    instructions: Annotated[str, Field(max_length=MAX_INPUT)] | None = None
    stream_format: Literal["audio", "sse"] | None = None


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    model: str
    input: str
    voice: str | None
    response_format: str | None
    speed: float | None
    instructions: str | None
    as_events: bool
    extra: dict[str, Any]
    lifted: Lifted = field(default_factory=lambda: NOTHING_LIFTED)


def decode_speech(fields: Fields, *, default_model: str) -> SpeechRequest:
    """Raises `GatewayError(INVALID_REQUEST)`, its `param` naming the place in the body."""
    body = validate(SpeechBody, fields.values, strict=not fields.is_form)
    voice = body.voice.get("id") if isinstance(body.voice, dict) else body.voice
    return SpeechRequest(
        model=_model(body.model, default_model),
        input=body.input,
        voice=voice if isinstance(voice, str) and voice else None,
        response_format=body.response_format or None,
        speed=body.speed,
        instructions=body.instructions or None,
        as_events=body.stream_format == "sse",
        extra=own_parameters(body.model_extra or {}),
        lifted=fields.lifted,
    )


def speech_delta(base64: str) -> bytes:
    return sse.frame(orjson.dumps({"type": "speech.audio.delta", "audio": base64}))


def speech_done(usage: Usage) -> bytes:
    return sse.frame(orjson.dumps({"type": "speech.audio.done", "usage": _tokens(usage)}))


class TranscriptionBody(BaseModel):
    model_config = ConfigDict(extra="allow")

    model: Annotated[str, Field(max_length=512)] | None = None
    language: Annotated[str, Field(max_length=100)] | None = None
    prompt: Annotated[str, Field(max_length=MAX_INPUT)] | None = None
    response_format: Literal["json", "text", "srt", "vtt", "verbose_json", "diarized_json"] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    stream: bool | None = None
    timestamp_granularities: Any = None
    chunking_strategy: Any = None
    include: Any = None
    known_speaker_names: Any = None
    known_speaker_references: Any = None
    languages: Any = None
    keywords: Any = None


TextFormat = Literal["json", "text", "srt", "vtt", "verbose_json"]


@dataclass(frozen=True, slots=True)
class TranscriptionRequest:
    """`translate`: what is said is wanted in English, whatever language it is in."""

    model: str
    audio: Media
    language: str | None
    hint: str | None
    response_format: TextFormat
    temperature: float | None
    stream: bool
    translate: bool
    extra: dict[str, Any]
    lifted: Lifted = field(default_factory=lambda: NOTHING_LIFTED)

    @property
    def instruction(self) -> str:
        """What the bot is asked. A bot that does nothing but transcribe pays no heed to it."""
        task = (
            "Translate what is said in the attached audio into English."
            if self.translate
            else "Transcribe the attached audio word for word, in the language that is spoken."
        )
        sentences = [task]
        if self.language and not self.translate:
            sentences.append(f"The language is: {self.language}.")
        if self.hint:
            sentences.append(f"Names and words that may occur: {self.hint}")
        match self.response_format:
            case "srt":
                sentences.append("Write it as SRT subtitles with timestamps, and nothing else.")
            case "vtt":
                sentences.append("Write it as WebVTT subtitles with timestamps, and nothing else.")
            case _:
                sentences.append("Write only what is said: no introduction, no comment, no timestamps.")
        return " ".join(sentences)


def decode_transcription(fields: Fields, *, default_model: str, translate: bool) -> TranscriptionRequest:
    """Raises `GatewayError(INVALID_REQUEST)`, its `param` naming the place in the body."""
    audio = _audio(fields)
    values = {name: value for name, value in fields.values.items() if name not in ("file", "input_audio")}
    body = validate(TranscriptionBody, values, strict=not fields.is_form)
    if body.response_format == "diarized_json":
        message = "Invalid value for 'response_format': Poe's bots do not tell speakers apart in a form of their own."
        raise GatewayError(ErrorKind.INVALID_REQUEST, message, param="response_format")
    return TranscriptionRequest(
        model=_model(body.model, default_model),
        audio=audio,
        language=body.language or None,
        hint=body.prompt or None,
        response_format=body.response_format or "json",
        temperature=body.temperature,
        stream=body.stream is True,
        translate=translate,
        extra=own_parameters(body.model_extra or {}),
        lifted=fields.lifted,
    )


def _audio(fields: Fields) -> Media:
    """A form's `file`, or, as some clients send it in JSON, `input_audio`."""
    given = fields.values.get("input_audio")
    if isinstance(given, dict) and isinstance(data := given.get("data"), str):
        said = given.get("format")
        media_type = f"audio/{said.lower()}" if isinstance(said, str) and _FORMAT.fullmatch(said) else None
        as_media = media_from_url if is_address(data) else media_inline
        return as_media(data, "input_audio.data", fields.lifted, media_type=media_type)
    files = fields.media("file")
    if not files:
        raise GatewayError(ErrorKind.INVALID_REQUEST, "Missing required parameter: 'file'.", param="file")
    return files[0]


def transcription(text: str, asked: TranscriptionRequest, usage: Usage | None) -> tuple[bytes, str]:
    """The answer's body and its content type. Of times and language nothing is said that the bot did not say."""
    text = text.strip()
    match asked.response_format:
        case "text":
            return f"{text}\n".encode(), "text/plain; charset=utf-8"
        case "srt":
            return f"{_unfenced(text)}\n".encode(), "application/x-subrip; charset=utf-8"
        case "vtt":
            return f"{_unfenced(text)}\n".encode(), "text/vtt; charset=utf-8"
        case "verbose_json":
            task = "translate" if asked.translate else "transcribe"
            verbose = {"task": task, "language": asked.language, "duration": None, "text": text, "segments": None}
            return orjson.dumps(verbose), "application/json"
        case "json":
            told = {"type": "tokens", **_tokens(usage)} if usage is not None else None
            return orjson.dumps({"text": text, **({"usage": told} if told else {})}), "application/json"


def transcript_delta(text: str) -> bytes:
    return sse.frame(orjson.dumps({"type": "transcript.text.delta", "delta": text}))


def transcript_done(text: str, usage: Usage | None) -> bytes:
    told = {"usage": {"type": "tokens", **_tokens(usage)}} if usage is not None else {}
    return sse.frame(orjson.dumps({"type": "transcript.text.done", "text": text, **told}))


def _unfenced(text: str) -> str:
    """Without the code fence that chat models like to put around a format."""
    if text.startswith("```") and text.endswith("```") and "\n" in text:
        return text[text.index("\n") + 1 : -3].strip()
    return text


def _tokens(usage: Usage) -> dict[str, int]:
    total = usage.input_tokens + usage.output_tokens
    return {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens, "total_tokens": total}


def _model(named: str | None, default_model: str) -> str:
    model = named or default_model
    if not model:
        raise GatewayError(ErrorKind.INVALID_REQUEST, "Missing required parameter: 'model'.", param="model")
    return model
