"""Speech and transcripts through OpenAI's SDK, from bots on `fastapi_poe` and from a scripted Poe."""

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest

from tests.support import sample_files
from tests.support.bot_server import BotServer
from tests.support.fixtures import GatewayFactory
from tests.support.gateway import Gateway
from tests.support.poe_models import entry
from tests.support.poe_script import Head, cut, done, file, head, json_reply, replace, text
from tests.support.scripted_poe import ScriptedPoe
from tests.support.sending import b64, data_url, new_key
from tests.support.wire import KEY

Clients = Callable[..., openai.OpenAI]

WAV = sample_files.wav()
LONG = sample_files.wav(20)
SOUND = {"Content-Type": "audio/wav"}


@pytest.fixture
def bots(make_gateway: GatewayFactory, poe_bots: BotServer, openai_client: Clients) -> openai.OpenAI:
    return openai_client(make_gateway(poe_url=poe_bots.url))


@pytest.fixture
def client(gateway: Gateway, openai_client: Clients) -> openai.OpenAI:
    return openai_client(gateway)


def got(transcript: str) -> list[dict[str, Any]]:
    """What the bot `transcriber` was given, as it tells it."""
    told: list[dict[str, Any]] = json.loads(transcript)
    return told


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def drain(response: Any, seen: bytearray) -> None:
    for piece in response.iter_bytes():
        seen += piece


class TestSpeech:
    def test_the_bots_bytes_with_their_true_type(self, bots: openai.OpenAI) -> None:
        response = bots.audio.speech.create(model="speech", input="hello", voice="alloy", response_format="mp3")
        assert response.read() == WAV
        # The bot gives what it gives: a player is to know what that is.
        assert response.response.headers["content-type"] == "audio/wav"
        assert response.response.headers["content-length"] == str(len(WAV))
        assert response.response.headers["x-request-id"]

    def test_the_type_is_of_the_bytes(self, client: openai.OpenAI, poe: ScriptedPoe) -> None:
        for data, media_type in ((sample_files.mp3(), "audio/mpeg"), (sample_files.ogg(), "audio/ogg")):
            poe.reset()
            poe.script("bot", file(poe.serve("speech.wav", data, "audio/wav"), "audio/wav", "speech.wav"), done())
            response = client.audio.speech.create(model="bot", input="hello", voice="alloy")
            assert (response.read(), response.response.headers["content-type"]) == (data, media_type)

    def test_a_response_that_streams(self, client: openai.OpenAI, poe: ScriptedPoe) -> None:
        poe.script("bot", file(poe.serve("speech.wav", LONG, "audio/wav"), "audio/wav", "speech.wav"), done())
        speech = client.audio.speech.with_streaming_response
        with speech.create(model="bot", input="hello", voice="alloy") as response:
            assert b"".join(response.iter_bytes()) == LONG

    def test_events(self, client: openai.OpenAI, poe: ScriptedPoe) -> None:
        poe.script("bot", file(poe.serve("speech.wav", LONG, "audio/wav"), "audio/wav", "speech.wav"), done())
        ask: Any = {"model": "bot", "input": "hello", "voice": "alloy", "stream_format": "sse"}
        response = client.audio.speech.create(**ask)
        assert response.response.headers["content-type"].startswith("text/event-stream")
        frames = [json.loads(line[6:]) for line in response.read().decode().split("\n\n") if line]
        *deltas, last = frames
        assert {delta["type"] for delta in deltas} == {"speech.audio.delta"}
        assert len(deltas) > 1
        assert b"".join(base64.b64decode(delta["audio"], validate=True) for delta in deltas) == LONG
        assert last["type"] == "speech.audio.done"
        usage = last["usage"]
        assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"] > 0

    def test_a_link_to_sound_in_the_text_alone(self, client: openai.OpenAI, poe: ScriptedPoe) -> None:
        poe.script("bot", text(f"[Listen]({poe.serve('a.mp3', sample_files.mp3(), 'audio/mpeg')})"), done())
        assert client.audio.speech.create(model="bot", input="x", voice="alloy").read() == sample_files.mp3()

    def test_options_in_the_bots_words(
        self, make_gateway: GatewayFactory, poe: ScriptedPoe, openai_client: Clients
    ) -> None:
        parameters = [
            {"name": "voice", "schema": {"enum": ["tara", "alloy"]}},
            {"name": "output_format", "schema": {"enum": ["mp3", "wav"]}},
            {"name": "speed", "schema": {"type": "number", "minimum": 0.5, "maximum": 2}},
        ]
        listed = [entry("Speaks", parameters=parameters)]
        poe.route("GET /v1/models", json_reply(200, {"object": "list", "data": listed}))
        url = poe.serve("a.wav", WAV, "audio/wav")
        poe.script("speaks", file(url, "audio/wav"), done())
        poe.script("other", file(url, "audio/wav"), done())
        client = openai_client(make_gateway(fresh=True))
        assert [model.id for model in client.models.list()] == ["speaks"]
        ask: Any = {"input": "Hello!", "response_format": "mp3", "speed": 4.0, "extra_body": {"pitch": 2}}
        client.audio.speech.create(model="speaks", voice="Alloy", instructions="Whisper.", **ask)
        client.audio.speech.create(model="speaks", voice="nova", **ask)
        client.audio.speech.create(model="other", voice="nova", instructions="Whisper.", **ask)
        known, unknown, unlisted = [query.messages[-1] for query in poe.queries()]
        assert known["content"] == "Hello!"
        assert known["parameters"]["voice"] == "alloy"
        assert known["parameters"]["output_format"] == "mp3"
        assert known["parameters"]["speed"] == 2
        assert "voice" not in unknown["parameters"]
        assert unlisted["parameters"] == {
            "voice": "nova",
            "response_format": "mp3",
            "speed": 4.0,
            "instructions": "Whisper.",
            "pitch": 2,
        }

    def test_a_bot_without_sound(self, bots: openai.OpenAI) -> None:
        with pytest.raises(openai.UnprocessableEntityError, match="I cannot draw this.") as caught:
            bots.audio.speech.create(model="refuser", input="hello", voice="alloy")
        assert caught.value.code == "no_file_in_answer"
        with pytest.raises(openai.UnprocessableEntityError, match="image/png"):
            bots.audio.speech.create(model="plain_picture", input="hello", voice="alloy")

    @pytest.mark.parametrize("start", [head(200, SOUND), Head(200, SOUND, "length", len(LONG))])
    def test_a_file_that_breaks_off_is_no_whole_one(self, client: openai.OpenAI, poe: ScriptedPoe, start: Head) -> None:
        poe.route("GET /files/broken.wav", start, LONG[:100_000], cut())
        poe.script("bot", file(f"{poe.url}/files/broken.wav", "audio/wav", "speech.wav"), done())
        seen = bytearray()
        speech = client.audio.speech.with_streaming_response
        with speech.create(model="bot", input="hello", voice="alloy") as response:
            assert response.status_code == 200
            with pytest.raises(Exception, match="peer closed connection"):
                drain(response, seen)
        assert LONG[:100_000].startswith(bytes(seen))

    def test_a_file_that_breaks_off_is_an_error_among_events(self, client: openai.OpenAI, poe: ScriptedPoe) -> None:
        poe.route("GET /files/broken.wav", head(200, SOUND), LONG[:100_000], cut())
        poe.script("bot", file(f"{poe.url}/files/broken.wav", "audio/wav", "speech.wav"), done())
        ask: Any = {"model": "bot", "input": "hello", "voice": "alloy", "stream_format": "sse"}
        seen = bytearray()
        with (
            client.audio.speech.with_streaming_response.create(**ask) as response,
            pytest.raises(Exception, match="peer closed connection"),
        ):
            drain(response, seen)
        last = json.loads(seen.decode().strip().split("\n\n")[-1].removeprefix("data: "))
        assert (last["error"]["type"], last["error"]["code"]) == ("server_error", "upstream_cut_off")
        assert b"speech.audio.done" not in seen

    def test_a_file_that_is_not_there(self, client: openai.OpenAI, poe: ScriptedPoe) -> None:
        poe.script("bot", file(f"{poe.url}/files/99999/gone.wav", "audio/wav", "gone.wav"), done())
        with pytest.raises(openai.InternalServerError, match="404") as caught:
            client.audio.speech.create(model="bot", input="hello", voice="alloy")
        assert caught.value.status_code == 502


class TestTranscriptions:
    def test_the_file_arrives_unchanged(self, bots: openai.OpenAI) -> None:
        answer = bots.audio.transcriptions.create(model="transcriber", file=("a.wav", LONG))
        (told,) = got(answer.text)
        assert told == {"name": "a.wav", "content_type": "audio/wav", "size": len(LONG), "sha256": digest(LONG)}
        assert answer.usage is not None
        assert answer.usage.type == "tokens"
        assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens

    def test_what_no_type_is_told_of_is_looked_at(self, bots: openai.OpenAI) -> None:
        for data, name, media_type in (
            (sample_files.mp3(), "recording", "audio/mpeg"),
            (sample_files.wav(), "blob", "audio/wav"),
            (sample_files.ogg(), "voice.bin", "audio/ogg"),
        ):
            given = (name, data, "application/octet-stream")
            (told,) = got(bots.audio.transcriptions.create(model="transcriber", file=given).text)
            assert (told["content_type"], told["sha256"]) == (media_type, digest(data))

    @pytest.mark.parametrize("response_format", ["text", "srt", "vtt"])
    def test_texts(self, client: openai.OpenAI, poe: ScriptedPoe, response_format: Any) -> None:
        subtitles = "1\n00:00:00,000 --> 00:00:01,000\nHello.\n\n2\n00:00:01,000 --> 00:00:02,000\nBye."
        fenced = f"```{response_format}\n{subtitles}\n```"
        poe.script("bot", text(subtitles if response_format == "text" else fenced), done())
        raw = client.audio.transcriptions.with_raw_response
        answer = raw.create(model="bot", file=("a.wav", WAV), response_format=response_format)
        assert answer.parse() == f"{subtitles}\n"
        kinds = {"text": "text/plain", "srt": "application/x-subrip", "vtt": "text/vtt"}
        assert answer.headers["content-type"].partition(";")[0] == kinds[response_format]
        asked = poe.queries("bot")[0].messages[-1]["content"]
        assert {"text": "no timestamps", "srt": "SRT", "vtt": "WebVTT"}[response_format] in asked

    def test_verbose_json(self, client: openai.OpenAI, poe: ScriptedPoe) -> None:
        poe.script("bot", text(" Hello. "), done())
        raw = client.audio.transcriptions.with_raw_response
        answer = raw.create(model="bot", file=("a.wav", WAV), response_format="verbose_json", language="en")
        told = json.loads(answer.content)
        assert (told["text"], told["language"], told["task"]) == ("Hello.", "en", "transcribe")
        # Nobody knows the times, and none are made up.
        assert not told["duration"]
        assert not told["segments"]

    def test_a_stream(self, client: openai.OpenAI, poe: ScriptedPoe) -> None:
        poe.script("bot", replace("Transcribing... (1s elapsed)"), replace(""), text("Hel"), text("lo, é漢"), done())
        events: list[Any] = list(client.audio.transcriptions.create(model="bot", file=("a.wav", WAV), stream=True))
        *deltas, last = events
        assert {event.type for event in deltas} == {"transcript.text.delta"}
        assert "".join(event.delta for event in deltas) == last.text == "Hello, é漢"
        assert last.type == "transcript.text.done"
        assert last.usage.total_tokens > 0

    def test_a_stream_of_one_that_thinks(self, client: openai.OpenAI, poe: ScriptedPoe) -> None:
        poe.script("bot", text("*Thinking...*\n\n> hm\n"), text("\nHello."), done())
        events: list[Any] = list(client.audio.transcriptions.create(model="bot", file=("a.wav", WAV), stream=True))
        assert events[-1].text == "Hello."
        assert client.audio.transcriptions.create(model="bot", file=("a.wav", WAV)).text == "Hello."

    @pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # the SDK, of translations
    def test_what_the_bot_is_asked(self, client: openai.OpenAI, poe: ScriptedPoe) -> None:
        poe.script("bot", text("Hello."), done())
        ask: Any = {"model": "bot", "file": ("a.wav", WAV)}
        client.audio.transcriptions.create(**ask, language="de", prompt="Müller", temperature=0.2)
        client.audio.translations.create(**ask)
        first, second = poe.queries("bot")
        assert "de" in first.messages[-1]["content"]
        assert "Müller" in first.messages[-1]["content"]
        assert first.json["temperature"] == 0.2
        assert "English" in second.messages[-1]["content"]
        assert [len(query.messages[-1]["attachments"]) for query in (first, second)] == [1, 1]

    def test_lists_that_the_sdk_sends_are_taken(self, client: openai.OpenAI, poe: ScriptedPoe) -> None:
        poe.script("bot", text("Hello."), done())
        answer = client.audio.transcriptions.create(
            model="bot", file=("a.wav", WAV), timestamp_granularities=["word"], include=["logprobs"]
        )
        assert answer.text == "Hello."

    @pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # the SDK, of translations
    def test_a_translation(self, bots: openai.OpenAI) -> None:
        answer = bots.audio.translations.create(model="transcriber", file=("a.wav", WAV))
        assert got(answer.text)[0]["sha256"] == digest(WAV)

    def test_an_error_in_a_stream_is_raised(self, client: openai.OpenAI, poe: ScriptedPoe) -> None:
        poe.script("bot", text("Hel"), cut())
        with pytest.raises(openai.APIError):
            list(client.audio.transcriptions.create(model="bot", file=("a.wav", WAV), stream=True))
        with pytest.raises(openai.InternalServerError):
            client.audio.transcriptions.create(model="bot", file=("a.wav", WAV))


class TestOtherClients:
    def test_a_form_in_chunks_without_a_model(
        self, make_gateway: GatewayFactory, poe_bots: BotServer, openai_client: Clients
    ) -> None:
        """As Open WebUI sends what was said into a microphone."""
        gateway = make_gateway(poe_url=poe_bots.url, DEFAULT_MODEL="transcriber")
        form = (
            b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\n\r\n'
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n'
            b"Content-Type: application/octet-stream\r\n\r\n" + LONG + b"\r\n--x--\r\n"
        )
        with gateway.client() as client:
            client.send(
                b"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: gateway.test\r\nTransfer-Encoding: chunked\r\n"
                b"Content-Type: multipart/form-data; boundary=x\r\nAuthorization: Bearer " + KEY.encode() + b"\r\n\r\n"
            )
            for piece in in_chunks(form, 7919):
                client.send(piece)
            response = client.response()
            assert response.status == 200
            (told,) = got(response.json()["text"])
        assert (told["sha256"], told["content_type"]) == (digest(LONG), "audio/wav")

    def test_sound_in_json(self, bots: openai.OpenAI) -> None:
        for sound in ({"data": b64(WAV), "format": "wav"}, {"data": data_url(WAV, "audio/wav")}, {"data": b64(LONG)}):
            body = {"model": "transcriber", "input_audio": sound}
            answer = bots.post("/audio/transcriptions", body=body, cast_to=openai.types.audio.Transcription)
            (told,) = got(answer.text)
            assert told["sha256"] == digest(LONG if sound["data"] == b64(LONG) else WAV)
            assert told["content_type"] == "audio/wav"

    def test_a_file_that_was_uploaded_first(self, bots: openai.OpenAI) -> None:
        kept = bots.files.create(file=("kept.wav", WAV), purpose="user_data")
        body = {"model": "transcriber", "file": kept.id}
        answer = bots.post("/audio/transcriptions", body=body, cast_to=openai.types.audio.Transcription)
        assert got(answer.text)[0]["sha256"] == digest(WAV)


def in_chunks(data: bytes, size: int) -> Iterator[bytes]:
    for at in range(0, len(data), size):
        piece = data[at : at + size]
        yield f"{len(piece):x}\r\n".encode() + piece + b"\r\n"
    yield b"0\r\n\r\n"


def test_the_key_is_in_no_log(make_gateway: GatewayFactory, poe_bots: BotServer, openai_client: Clients) -> None:
    gateway, key = make_gateway(poe_url=poe_bots.url), new_key()
    client = openai_client(gateway, key)
    client.audio.speech.create(model="speech", input="a secret", voice="alloy").read()
    client.audio.transcriptions.create(model="transcriber", file=("a.wav", WAV))
    gateway.wait_log("path=/v1/audio/transcriptions")
    assert key not in gateway.log()
    assert "a secret" not in gateway.log()
