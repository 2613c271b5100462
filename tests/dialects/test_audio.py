"""Speech and transcripts: what may be asked, and the answers in OpenAI's forms."""

import contextlib
import re
from typing import Any

import orjson
import pytest
from openai.types.audio import Transcription, TranscriptionTextDeltaEvent, TranscriptionTextDoneEvent
from sseclient import SSEClient

from poe2openai.core.content import content_of
from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.events import Usage
from poe2openai.core.request import Inline, Media, Url
from poe2openai.dialects.audio import (
    MAX_INPUT,
    SpeechRequest,
    TranscriptionRequest,
    decode_speech,
    decode_transcription,
    speech_delta,
    speech_done,
    transcript_delta,
    transcript_done,
    transcription,
)
from poe2openai.dialects.form import Fields, FormFile

USAGE = Usage(14, 31)
TOKENS = {"input_tokens": 14, "output_tokens": 31, "total_tokens": 45}
SOUND = FormFile("file", "a.mp3", "audio/mpeg", content_of(b"ID3"))


def frames(stream: bytes) -> list[Any]:
    return [orjson.loads(event.data) for event in SSEClient(iter([stream])).events()]


def spoken(is_form: bool = False, default_model: str = "", **values: Any) -> SpeechRequest:
    fields = Fields({"model": "m", "input": "Hello.", **values}, is_form=is_form)
    return decode_speech(fields, default_model=default_model)


def heard(*files: FormFile, translate: bool = False, is_form: bool = True, **values: Any) -> TranscriptionRequest:
    fields = Fields({"model": "m", **values}, files, is_form=is_form)
    return decode_transcription(fields, default_model="", translate=translate)


class TestSpeech:
    def test_the_least_that_can_be_asked(self) -> None:
        assert spoken() == SpeechRequest("m", "Hello.", None, None, None, None, as_events=False, extra={})

    def test_all_that_can_be_asked(self) -> None:
        request = spoken(
            voice="alloy", response_format="wav", speed=2, instructions="Whisper.", stream_format="sse", pitch=3
        )

        assert request == SpeechRequest("m", "Hello.", "alloy", "wav", 2.0, "Whisper.", True, {"pitch": 3})

    def test_a_voice_may_be_an_object_with_its_id(self) -> None:
        assert spoken(voice={"id": "voice_1"}).voice == "voice_1"
        assert spoken(voice={"name": "x"}).voice is None
        assert spoken(voice={"id": 5}).voice is None

    @pytest.mark.parametrize("name", ["voice", "response_format", "instructions"])
    def test_an_empty_wish_is_none(self, name: str) -> None:
        wishes: dict[str, Any] = {name: ""}
        assert getattr(spoken(**wishes), name) is None

    def test_a_forms_texts_are_read_as_what_they_are_to_be(self) -> None:
        assert spoken(is_form=True, speed="1.5").speed == 1.5

    @pytest.mark.parametrize(
        ("values", "param"),
        [
            ({"input": ""}, "input"),
            ({"input": None}, "input"),
            ({"input": "x" * (MAX_INPUT + 1)}, "input"),
            ({"voice": 5}, "voice"),
            ({"speed": 0}, "speed"),
            ({"speed": 11}, "speed"),
            ({"speed": "fast"}, "speed"),
            ({"speed": True}, "speed"),
            ({"stream_format": "mp3"}, "stream_format"),
            ({"response_format": "x" * 33}, "response_format"),
            ({"model": ""}, "model"),
        ],
    )
    def test_what_cannot_be_asked_is_told_with_its_place(self, values: dict[str, Any], param: str) -> None:
        with pytest.raises(GatewayError) as caught:
            spoken(**values)
        assert (caught.value.kind, caught.value.param) == (ErrorKind.INVALID_REQUEST, param)

    @pytest.mark.parametrize("speed", ["nan", "inf", "-inf", "1e400"])
    def test_a_speed_that_is_no_number_is_refused_in_a_form_too(self, speed: str) -> None:
        with pytest.raises(GatewayError, match="speed"):
            spoken(is_form=True, speed=speed)

    def test_without_a_model_the_owners_is_taken(self) -> None:
        assert spoken(model=None, default_model="default").model == "default"

    def test_it_streams_as_events(self) -> None:
        assert frames(speech_delta("SUQz") + speech_done(USAGE)) == [
            {"type": "speech.audio.delta", "audio": "SUQz"},
            {"type": "speech.audio.done", "usage": TOKENS},
        ]


class TestTranscriptionRequest:
    def test_the_least_that_can_be_asked(self) -> None:
        audio = Media(Inline(SOUND.content), "audio/mpeg", "a.mp3", "file")

        assert heard(SOUND) == TranscriptionRequest("m", audio, None, None, "json", None, False, False, {})

    def test_all_that_can_be_asked(self) -> None:
        request = heard(
            SOUND,
            language="de",
            prompt="Poe",
            response_format="text",
            temperature="0.5",
            stream="true",
            timestamp_granularities=["word"],
            chunking_strategy={"type": "server_vad"},
            include=["logprobs"],
            diarize="1",
        )

        assert (request.language, request.hint, request.response_format) == ("de", "Poe", "text")
        assert (request.temperature, request.stream, request.extra) == (0.5, True, {"diarize": "1"})

    def test_json_may_name_the_file_or_hold_it(self) -> None:
        held = heard(is_form=False, input_audio={"data": "SUQz", "format": "mp3"}).audio
        assert isinstance(held.source, Inline)
        assert (b"".join(held.source.content.pieces), held.media_type) == (b"ID3", "audio/mp3")
        assert held.param == "input_audio.data"

        named = heard(is_form=False, file="https://x.test/a.mp3")
        assert (named.audio.source, named.extra) == (Url("https://x.test/a.mp3"), {})
        data_url = heard(is_form=False, input_audio={"data": "data:audio/wav;base64,SUQz"}).audio
        assert data_url.media_type == "audio/wav"

    @pytest.mark.parametrize("written", ["x\r\nA: b+xml", "é+xml", "", "x" * 10_000 + "+xml", "mp3; a=b"])
    def test_a_format_that_is_none_is_not_believed(self, written: str) -> None:
        """It would become a header of the upload."""
        media_type = None
        with contextlib.suppress(GatewayError):
            media_type = heard(is_form=False, input_audio={"data": "SUQz", "format": written}).audio.media_type
        assert media_type is None or re.fullmatch(r"audio/[\w.+-]{1,100}", media_type, re.ASCII)

    @pytest.mark.parametrize(
        ("files", "values", "param"),
        [
            ([], {}, "file"),
            ([], {"file": "a.mp3"}, "file"),
            ([], {"input_audio": {"data": "*"}}, "input_audio.data"),
            ([], {"input_audio": {"format": "mp3"}}, "file"),
            ([FormFile("file", "a.mp3", None, content_of(b""))], {}, "file"),
            ([SOUND], {"response_format": "xml"}, "response_format"),
            ([SOUND], {"response_format": "diarized_json"}, "response_format"),
            ([SOUND], {"temperature": "3"}, "temperature"),
            ([SOUND], {"temperature": "nan"}, "temperature"),
            ([SOUND], {"stream": "maybe"}, "stream"),
            ([SOUND], {"model": ""}, "model"),
        ],
    )
    def test_what_cannot_be_asked_is_told_with_its_place(
        self, files: list[FormFile], values: dict[str, Any], param: str
    ) -> None:
        with pytest.raises(GatewayError) as caught:
            heard(*files, **values)
        assert (caught.value.kind, caught.value.param) == (ErrorKind.INVALID_REQUEST, param)


class TestInstruction:
    def test_it_asks_for_the_words_alone(self) -> None:
        said = heard(SOUND).instruction

        assert said.startswith("Transcribe the attached audio word for word")
        assert "no timestamps" in said

    def test_it_tells_what_the_client_knows(self) -> None:
        said = heard(SOUND, language="de", prompt="Poe, Wright").instruction

        assert "The language is: de." in said
        assert "Poe, Wright" in said

    def test_a_translation_is_into_english_whatever_the_language(self) -> None:
        said = heard(SOUND, translate=True, language="de").instruction

        assert said.startswith("Translate what is said in the attached audio into English.")
        assert "de." not in said

    @pytest.mark.parametrize(("form", "word"), [("srt", "SRT"), ("vtt", "WebVTT")])
    def test_subtitles_are_asked_for_as_such(self, form: str, word: str) -> None:
        said = heard(SOUND, response_format=form).instruction

        assert word in said
        assert "no timestamps" not in said


class TestTranscript:
    @pytest.mark.parametrize("response_format", [None, "json"])
    def test_as_json(self, response_format: str | None) -> None:
        body, content_type = transcription(" Hello.\n", heard(SOUND, response_format=response_format), USAGE)

        Transcription.model_validate_json(body, strict=True)
        assert orjson.loads(body) == {"text": "Hello.", "usage": {"type": "tokens", **TOKENS}}
        assert content_type == "application/json"
        assert orjson.loads(transcription("Hi", heard(SOUND), None)[0]) == {"text": "Hi"}

    def test_as_verbose_json(self) -> None:
        """Without times: nobody measured them."""
        asked = heard(SOUND, response_format="verbose_json", language="de")
        body = orjson.loads(transcription("Hallo.", asked, USAGE)[0])

        assert (body["task"], body["language"], body["text"]) == ("transcribe", "de", "Hallo.")
        assert body["segments"] is body["duration"] is None
        translated = heard(SOUND, response_format="verbose_json", translate=True)
        assert orjson.loads(transcription("Hello.", translated, None)[0])["task"] == "translate"

    @pytest.mark.parametrize(
        ("form", "content_type"),
        [("text", "text/plain"), ("srt", "application/x-subrip"), ("vtt", "text/vtt")],
    )
    def test_as_plain_text(self, form: str, content_type: str) -> None:
        body, told = transcription(" é漢字 😀 \n", heard(SOUND, response_format=form), USAGE)

        assert (body.decode(), told) == ("é漢字 😀\n", f"{content_type}; charset=utf-8")

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("```srt\n1\n00:00 --> 00:01\nHi\n```", "1\n00:00 --> 00:01\nHi\n"),
            ("```\nHi\n```\n", "Hi\n"),
            ("Hi\n```\nyou\n```", "Hi\n```\nyou\n```\n"),
            ("```srt\nHi", "```srt\nHi\n"),
            ("```", "```\n"),
            ("``` ```", "``` ```\n"),
            ("```srt\n```", "\n"),
            ("", "\n"),
        ],
    )
    def test_subtitles_lose_the_fence_that_chat_models_put_around_them(self, text: str, shown: str) -> None:
        for form in ("srt", "vtt"):
            assert transcription(text, heard(SOUND, response_format=form), None)[0].decode() == shown

    def test_as_a_stream(self) -> None:
        delta, done = frames(transcript_delta("Hel\n\nlo") + transcript_done("Hello", USAGE))

        TranscriptionTextDeltaEvent.model_validate(delta, strict=True)
        assert delta == {"type": "transcript.text.delta", "delta": "Hel\n\nlo"}
        assert done["type"] == "transcript.text.done"
        assert (done["text"], done["usage"]) == ("Hello", {"type": "tokens", **TOKENS})
        TranscriptionTextDoneEvent.model_validate(done, strict=True)
        assert frames(transcript_done("", None)) == [{"type": "transcript.text.done", "text": ""}]
