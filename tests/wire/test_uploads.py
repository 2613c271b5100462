"""Files that clients send along reach Poe byte for byte, as what they are, whatever part of a request holds them."""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pytest

from tests.support import sample_files
from tests.support.fixtures import GatewayFactory
from tests.support.gateway import Gateway
from tests.support.poe_script import done, json_reply, text
from tests.support.scripted_poe import ScriptedPoe
from tests.support.sending import (
    BOT,
    ask,
    ask_raw,
    attached,
    b64,
    body_of,
    data_url,
    file,
    image,
    image_at,
    new_key,
    tried,
    user,
)

OFFICE = "application/vnd.openxmlformats-officedocument."
LARGE = 300_000
POECDN = "https://pfst.cf2.poecdn.net/base/image/0123?w=1024&h=1024"


class Kind(NamedTuple):
    name: str
    media_type: str
    data: bytes
    filler: bytes = b"\0"

    @property
    def large(self) -> "Kind":
        """The same with more behind it, so that its base64 is taken out of the body while that comes in."""
        return self._replace(data=self.data + self.filler * ((LARGE - len(self.data)) // len(self.filler)))


KINDS = [
    Kind("a.png", "image/png", sample_files.png()),
    Kind("a.jpg", "image/jpeg", sample_files.jpeg()),
    Kind("a.gif", "image/gif", sample_files.gif()),
    Kind("a.webp", "image/webp", sample_files.webp()),
    Kind("a.svg", "image/svg+xml", b'<svg xmlns="http://www.w3.org/2000/svg"></svg>', b"\n"),
    Kind("a.wav", "audio/wav", sample_files.wav()),
    Kind("a.mp3", "audio/mpeg", sample_files.mp3()),
    Kind("a.ogg", "audio/ogg", sample_files.ogg()),
    Kind("a.mp4", "video/mp4", sample_files.mp4()),
    Kind("a.webm", "video/webm", sample_files.webm()),
    Kind("a.pdf", "application/pdf", sample_files.pdf()),
    Kind("a.docx", f"{OFFICE}wordprocessingml.document", sample_files.docx()),
    Kind("a.xlsx", f"{OFFICE}spreadsheetml.sheet", sample_files.xlsx()),
    Kind("a.txt", "text/plain", sample_files.text(), "é漢".encode()),
    Kind("a.csv", "text/csv", b"name,city\nZoe,Paris\n", b"Zoe,Paris\n"),
    Kind("a.zip", "application/zip", sample_files.zip_()),
]
WRONG = "application/x-unknown"


def tool_result(kind: Kind) -> list[dict[str, Any]]:
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    told = [{"type": "text", "text": "Seen."}, image(kind.data, kind.media_type)]
    return [
        user("Look."),
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": told},
    ]


def by_part(make: Callable[[Kind], Mapping[str, Any] | str]) -> Callable[[Kind], list[dict[str, Any]]]:
    return lambda kind: [user("Look.", make(kind))]


FORMS: dict[str, Callable[[Kind], list[dict[str, Any]]]] = {
    "image_url": by_part(lambda kind: image(kind.data, kind.media_type)),
    "image_url as a string": by_part(
        lambda kind: {"type": "image_url", "image_url": data_url(kind.data, kind.media_type)}
    ),
    "video_url": by_part(
        lambda kind: {"type": "video_url", "video_url": {"url": data_url(kind.data, kind.media_type)}}
    ),
    "input_audio": by_part(
        lambda kind: {"type": "input_audio", "input_audio": {"data": b64(kind.data), "format": kind.name[2:]}}
    ),
    "file with a data URL": by_part(lambda kind: file(kind.data, kind.name, kind.media_type)),
    "file with bare base64": by_part(
        lambda kind: {"type": "file", "file": {"filename": kind.name, "file_data": b64(kind.data)}}
    ),
    "a data URL pasted into a text": by_part(lambda kind: f"Look: {data_url(kind.data, kind.media_type)} \nNice?"),
    "a picture's markdown": by_part(lambda kind: f"![{kind.name}]({data_url(kind.data, kind.media_type)})"),
    "a tool result": tool_result,
}
HAVE_NAMES = ("file with a data URL", "file with bare base64", "a picture's markdown")


@pytest.fixture
def bot(poe: ScriptedPoe) -> ScriptedPoe:
    poe.script(BOT, text("ok"), done())
    return poe


@pytest.mark.parametrize("is_large", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_every_kind_arrives_as_it_is(gateway: Gateway, bot: ScriptedPoe, form: str, is_large: bool) -> None:
    kinds = [kind.large if is_large else kind for kind in KINDS]
    key = new_key()
    for kind in kinds:
        if kind.name == "a.csv" and form in ("input_audio", "video_url"):
            continue  # its kind of text is nowhere said
        before = len(bot.uploads)
        status, answer = ask_raw(gateway, body_of(FORMS[form](kind)), key)
        assert status == 200, answer
        (sent,) = bot.uploads[before:]
        assert sent.data == kind.data
        # A container with sound alone is a sound, and only the client knows.
        is_sound = form == "input_audio" and kind.media_type.startswith("video/")
        assert sent.media_type == (kind.media_type.replace("video/", "audio/") if is_sound else kind.media_type)
        assert sent.name.endswith(kind.name[1:]) or is_sound
        if form in HAVE_NAMES:
            assert sent.name == kind.name
        query = bot.queries(BOT)[-1]
        urls = [each["url"] for message in query.messages for each in message.get("attachments", ())]
        assert urls == [sent.url]
        assert "base64" not in query.body.decode()
    bot.reset()


@pytest.mark.parametrize("declared", [WRONG, "image/png", "text/plain"])
def test_what_is_declared_wrongly_is_sent_as_what_it_is(gateway: Gateway, bot: ScriptedPoe, declared: str) -> None:
    kinds = [kind for kind in KINDS if kind.name != "a.csv"]
    ask(gateway, user(*(file(kind.data, "x.dat", declared) for kind in kinds)), key=new_key())
    sent = {each.data: each.media_type for each in bot.uploads}
    assert sent == {kind.data: kind.media_type for kind in kinds}
    told = [(each["name"], each["content_type"]) for each in attached(bot.queries(BOT)[0])]
    assert told == [("x.dat", kind.media_type) for kind in kinds]


def wrapped(data: bytes) -> str:
    return base64.encodebytes(data).decode().replace("\n", "\r\n")


SPELLINGS: dict[str, Callable[[bytes], str]] = {
    "MIME line breaks": wrapped,
    "plain line breaks": lambda data: base64.encodebytes(data).decode(),
    "the alphabet of URLs": lambda data: base64.urlsafe_b64encode(data).decode(),
    "no padding": lambda data: b64(data).rstrip("="),
    "the alphabet of URLs, no padding": lambda data: base64.urlsafe_b64encode(data).decode().rstrip("="),
    "a space in the middle": lambda data: f"{b64(data)[: len(data) // 2]} {b64(data)[len(data) // 2 :]}",
    "spaces": lambda data: " ".join(b64(data)[at : at + 1000] for at in range(0, len(data) * 2, 1000)).strip(),
}
# One that the alphabets spell alike for long, and one where they differ from the first byte on.
SPELLED = [bytes(100_001) + bytes(range(256)) * 1000, bytes(range(255, -1, -1)) * 1001 + b"\xff", b"\xfb\xff\xfe" * 33]


@pytest.mark.parametrize("data", SPELLED, ids=["alike for long", "different at once", "short"])
@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("escaped", [False, True])
def test_however_base64_is_spelled(
    gateway: Gateway, bot: ScriptedPoe, data: bytes, spelling: str, escaped: bool
) -> None:
    said = SPELLINGS[spelling](data)
    for part in (
        {"type": "file", "file": {"filename": "a.bin", "file_data": said}},
        image_at(f"data:application/octet-stream;base64,{said}"),
    ):
        body = body_of([user("Look.", part)])
        status, answer = ask_raw(gateway, body.replace(b"/", b"\\/") if escaped else body, new_key())
        assert status == 200, answer
        assert bot.uploads[-1].data == data
    bot.reset()


def test_addresses_are_poes_to_fetch(gateway: Gateway, bot: ScriptedPoe) -> None:
    url, other = "https://example.com/cat%20one.png?size=1&x=2#top", "http://example.com/report"
    part = {"type": "file", "file": {"filename": "r.pdf", "file_data": other}}
    assert ask(gateway, user("Look.", image_at(url), part), key=new_key())[0] == 200
    sent = {each.download_url: each for each in bot.uploads}
    assert {each.download_url: each.download_filename for each in bot.uploads} == {url: None, other: "r.pdf"}
    assert [(each["url"], each["name"]) for each in attached(bot.queries(BOT)[0])] == [
        (sent[url].url, "cat one.png"),
        (sent[other].url, "r.pdf"),
    ]


def test_what_lies_with_poe_is_passed_on(gateway: Gateway, bot: ScriptedPoe) -> None:
    own = bot.serve("cat.png", sample_files.png(), "image/png")
    assert ask(gateway, user("Look.", image_at(POECDN), image_at(own)))[0] == 200
    assert [each["url"] for each in attached(bot.queries(BOT)[0])] == [POECDN, own]
    assert not bot.uploads
    assert not bot.served


def test_files_of_one_request_go_at_once_four_at_most(gateway: Gateway, bot: ScriptedPoe) -> None:
    bot.upload_delay = 0.2
    parts = [file(b"file %d" % number, f"{number}.txt") for number in range(9)]
    assert ask(gateway, user("Look.", *parts, *parts), key=new_key())[0] == 200
    assert 1 < bot.uploads_at_once <= 4
    assert len(bot.uploads) == 9
    by_url = {each.url: each.name for each in bot.uploads}
    told = attached(bot.queries(BOT)[0])
    assert [by_url[each["url"]] for each in told][:9] == [f"{number}.txt" for number in range(9)]


@pytest.mark.parametrize("size", [1000, 100_000, 700_000])
def test_base64_that_is_no_file_reaches_the_bot_unchanged(gateway: Gateway, bot: ScriptedPoe, size: int) -> None:
    encoded = b64(bytes(range(256)) * (size // 256))
    source = f'<img src="data:image/png;base64,{encoded}"> and {{"data":"{encoded[:-4]}"}}'
    arguments = json.dumps({"path": "logo.png", "data": encoded})
    call = {"id": "c1", "type": "function", "function": {"name": "write", "arguments": arguments}}
    status, answer = ask(
        gateway,
        {"role": "system", "content": f"Say data:image/png;base64,{encoded} never."},
        user(f"Review:\n{source}"),
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": json.dumps({"file_data": encoded})},
        user("Go on."),
    )
    assert status == 200, answer
    assert not bot.uploads
    query = bot.queries(BOT)[0]
    said = "\n".join(message["content"] for message in query.messages)
    assert f"Say data:image/png;base64,{encoded} never." in said
    assert source in said
    assert query.body.decode().count(encoded[:-4]) == 5


ENDS = ("QQ==QUJD", "QQ==QUJDQUJ", "QQ==QUJDQUJDQU")
"""Base64 goes on behind its padding."""


def test_broken_base64_is_refused_with_its_place(gateway: Gateway, bot: ScriptedPoe) -> None:
    for data in (
        "%%%",
        "A",
        "AAAA=AAAA",
        "QUJD" * 10_000 + "!",
        "QUJD" * 100_000 + "A",
        *("QUJD" * 100_000 + end for end in ENDS),
    ):
        status, answer = ask(gateway, user("Look.", image_at(f"data:image/png;base64,{data}")))
        assert (status, answer["error"]["param"]) == (400, "messages[0].content[1].image_url")
        assert answer["error"]["type"] == "invalid_request_error"
    assert not tried(bot)
    assert not bot.queries()


@pytest.mark.parametrize("size", [3000, 300_000])
def test_a_data_url_that_is_pasted_in_the_alphabet_of_urls(gateway: Gateway, bot: ScriptedPoe, size: int) -> None:
    data = bytes(size) + b"\xfb\xff\xfe" * 100
    pasted = "data:image/png;base64," + base64.urlsafe_b64encode(data).decode()
    assert ask(gateway, user(f"Look: {pasted}"), key=new_key())[0] == 200
    assert [each.data for each in bot.uploads] == [data]


@pytest.mark.parametrize("size", [3000, 300_000])
def test_a_prompt_that_is_echoed_is_echoed_whole(gateway: Gateway, bot: ScriptedPoe, size: int) -> None:
    prompt = f'x = "data:image/png;base64,{b64(bytes(size))}"'
    with gateway.client() as client:
        response = client.post_json("/v1/completions", {"model": BOT, "prompt": prompt, "echo": True})
        assert response.json()["choices"][0]["text"] == f"{prompt}ok"


def test_base64_that_is_no_file_is_counted(gateway: Gateway, bot: ScriptedPoe) -> None:
    few, many = (
        ask(gateway, user(f'x = "data:image/png;base64,{b64(bytes(range(256)) * count)}"'))[1]["usage"]["prompt_tokens"]
        for count in (100, 1000)
    )
    assert many > 8 * few


def test_files_come_through_under_flask_run_too(flask_gateway: Gateway, bot: ScriptedPoe) -> None:
    kinds = [KINDS[0], KINDS[0].large, KINDS[10].large]
    message = user("Look.", *(file(kind.data, kind.name) for kind in kinds), image_at(POECDN))
    assert ask(flask_gateway, message, key=new_key())[0] == 200
    assert {each.data: each.media_type for each in bot.uploads} == {kind.data: kind.media_type for kind in kinds}
    assert len(attached(bot.queries(BOT)[0])) == 4


class TestMakeItBlue:
    """The last answer's files go with the next question where the model makes pictures, or the owner says so."""

    TURNS = (
        {"role": "user", "content": "Draw a cat."},
        {"role": "assistant", "content": f"![cat.png]({POECDN})"},
        {"role": "user", "content": "Now make it blue."},
    )
    MODELS = tuple(
        {
            "id": name,
            "object": "model",
            "created": 1715731200000,
            "owned_by": "poe",
            "root": name,
            "architecture": {"input_modalities": ["text"], "output_modalities": [made], "modality": f"text->{made}"},
        }
        for name, made in (("painter", "image"), ("stubborn", "image"), ("writer", "text"), ("editor", "text"))
    )

    def test_as_poes_list_and_the_owner_say(self, make_gateway: GatewayFactory, poe: ScriptedPoe) -> None:
        poe.route("GET /v1/models", json_reply(200, {"object": "list", "data": self.MODELS}))
        models = "models: {stubborn: {attach_last_files: false}, editor: {attach_last_files: true}}"
        gateway = make_gateway(fresh=True, MODELS_YAML=models)
        with gateway.client() as client:
            assert len(client.request("GET", "/v1/models").json()["data"]) == 4
        for bot, wanted in (("painter", [POECDN]), ("stubborn", []), ("writer", []), ("editor", [POECDN])):
            poe.script(bot, text("ok"), done())
            assert ask(gateway, *self.TURNS, model=bot)[0] == 200
            (query,) = poe.queries(bot)
            assert [each["url"] for each in attached(query)] == wanted
        assert not poe.uploads
