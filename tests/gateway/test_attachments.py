"""The files of a request on their way to Poe: which are uploaded, how they are named, and what a failure says."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from poe2openai.core.content import content_of
from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.request import FileId, Inline, Media, Message, Part, Text, ToolResult, Url
from poe2openai.gateway.attachments import MOST_AT_ONCE, Attached, holds_media, may_be_lost
from poe2openai.poe.client import PoeClient
from tests.support import sample_files
from tests.support.asking import asked, called, said
from tests.support.attaching import OWN, Worker, client_of, nobody_waits
from tests.support.poe_script import Step, error_reply
from tests.support.raw_server import RawServer
from tests.support.received import Received
from tests.support.scripted_poe import ScriptedPoe

POECDN = "https://pfst.cf2.poecdn.net/base/image/0123?w=1024&h=1024&pmaid=1"
PLACE = "messages[0].content[1].image_url"


@pytest.fixture
def client(poe: ScriptedPoe) -> Iterator[PoeClient]:
    with client_of(poe.url) as client:
        yield client


@pytest.fixture
def worker(client: PoeClient, tmp_path: Path) -> Worker:
    return Worker(client, tmp_path)


def inline(data: bytes, name: str | None = None, media_type: str | None = None, param: str = PLACE) -> Media:
    return Media(Inline(content_of(data)), media_type, name, param)


def at(url: str, name: str | None = None, param: str = PLACE) -> Media:
    return Media(Url(url), None, name, param)


def user(*parts: Part) -> Message:
    return Message("user", parts)


def attach(worker: Worker, *messages: Message, last_files: bool = False) -> Attached:
    return worker.attachments.attach(asked(*messages), OWN, nobody_waits, last_files=last_files)


def media_of(attached: Attached) -> list[Media]:
    parts = [part for message in attached.request.messages for part in message.parts]
    inner = [each for part in parts if isinstance(part, ToolResult) for each in part.parts]
    return [part for part in [*parts, *inner] if isinstance(part, Media)]


def urls(attached: Attached) -> list[str]:
    return [media.source.url for media in media_of(attached) if isinstance(media.source, Url)]


def failure(worker: Worker, *messages: Message) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        attach(worker, *messages)
    return caught.value


def test_a_request_without_files_is_left_as_it_is(poe: ScriptedPoe, worker: Worker) -> None:
    request = asked(said("user", "Hi"))
    attached = worker.attachments.attach(request, OWN, nobody_waits)
    assert attached.request is request
    assert not poe.requests


def test_files_take_the_place_of_their_bytes_in_messages_and_tool_results(poe: ScriptedPoe, worker: Worker) -> None:
    screenshot = Message("tool", (ToolResult("c1", (Text("Seen."), inline(sample_files.png()))),))
    attached = attach(worker, user(Text("Read"), inline(sample_files.pdf(), "a.pdf")), screenshot, said("user", "?"))
    by_name = {each.name: each.url for each in poe.uploads}
    assert urls(attached) == [by_name["a.pdf"], by_name["image.png"]]
    assert [(media.name, media.media_type) for media in media_of(attached)] == [
        ("a.pdf", "application/pdf"),
        ("image.png", "image/png"),
    ]
    assert attached.request.messages[0].parts[0] == Text("Read")
    assert attached.remembered == ()


def test_the_same_file_twice_is_one_upload_under_both_names(poe: ScriptedPoe, worker: Worker) -> None:
    data = sample_files.text()
    twice = user(inline(data, "a.txt"), inline(data, "b.txt", param="messages[0].content[1].file.file_data"))
    attached = attach(worker, twice, said("assistant", "Same."), user(inline(data)))
    assert len(poe.uploads) == 1
    assert urls(attached) == [poe.uploads[0].url] * 3
    assert [media.name for media in media_of(attached)][:2] == ["a.txt", "b.txt"]


def test_a_file_in_many_places_is_not_taken_for_one_of_before(poe: ScriptedPoe, worker: Worker) -> None:
    places = [inline(b"hello", param=f"messages[0].content[{number}].image_url") for number in range(9)]
    attached = attach(worker, user(*places))
    assert urls(attached) == [poe.uploads[0].url] * 9
    assert attached.remembered == ()


def test_several_go_at_once_but_not_all(poe: ScriptedPoe, worker: Worker) -> None:
    poe.upload_delay = 0.2
    attached = attach(worker, user(*(inline(b"%d" % number, f"{number}.txt") for number in range(10))))
    assert 1 < poe.uploads_at_once <= MOST_AT_ONCE
    assert [media.name for media in media_of(attached)] == [f"{number}.txt" for number in range(10)]
    sent = {each.url: each.data for each in poe.uploads}
    assert [sent[url] for url in urls(attached)] == [b"%d" % number for number in range(10)]


def test_addresses_are_poes_to_fetch_but_its_own_are_left(poe: ScriptedPoe, worker: Worker) -> None:
    own = poe.serve("cat.png", sample_files.png(), "image/png")
    attached = attach(worker, user(at(POECDN), at(own), at("https://example.com/dog.png", "dog.png")))
    assert [(each.download_url, each.download_filename) for each in poe.uploads] == [
        ("https://example.com/dog.png", "dog.png")
    ]
    assert urls(attached) == [POECDN, own, poe.uploads[0].url]
    assert [media.media_type for media in media_of(attached)][1:] == ["image/png", "image/png"]
    assert [media.name for media in media_of(attached)] == ["0123", "cat.png", "dog.png"]


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("../../etc/passwd", ".._.._etc_passwd"),
        ("a\r\nX: y.txt", "a_X: y.txt"),
        ('say "hi".txt', 'say "hi".txt'),
        ("  ", "file.txt"),
        ("漢字.txt", "漢字.txt"),
        ("x" * 300 + ".txt", "x" * 251 + ".txt"),
    ],
)
def test_a_name_leads_nowhere_and_breaks_nothing(poe: ScriptedPoe, worker: Worker, name: str, sent: str) -> None:
    attached = attach(worker, user(inline(b"hello", name)))
    assert poe.uploads[0].name == sent
    assert media_of(attached)[0].name == sent


def test_what_was_there_before_is_told_and_can_be_forgotten(poe: ScriptedPoe, worker: Worker) -> None:
    first = user(inline(b"first", "a.txt"))
    attach(worker, first)
    attached = attach(worker, first, said("assistant", "Yes."), user(inline(b"second", "b.txt"), at(POECDN)))
    assert attached.remembered == (poe.uploads[0].url,)
    worker.attachments.forget(attached)
    attach(worker, first)
    assert [each.data for each in poe.uploads] == [b"first", b"second", b"first"]


def test_base64_that_became_a_file_is_not_held_any_longer(worker: Worker) -> None:
    file, quoted = content_of(b"file"), content_of(b"quoted")
    request = asked(user(Media(Inline(file), None, None, PLACE)), lifted={"w0": file, "w1": quoted})
    assert worker.attachments.attach(request, OWN, nobody_waits).request.lifted == {"w1": quoted}


class TestIds:
    def test_a_file_that_was_uploaded_before_is_attached(self, poe: ScriptedPoe, worker: Worker) -> None:
        upload = worker.uploads.of_content(content_of(b"report"), "r.txt", None, OWN, nobody_waits).upload
        file = worker.ids.add(OWN.caller.account, upload, name="r.txt", purpose="user_data")
        attached = attach(worker, user(Media(FileId(file.id), None, None, PLACE)))
        assert urls(attached) == [poe.uploads[0].url]
        assert [(media.name, media.media_type) for media in media_of(attached)] == [("r.txt", "text/plain")]
        assert len(poe.uploads) == 1

    def test_one_of_somebody_else_is_unknown(self, worker: Worker) -> None:
        upload = worker.uploads.of_content(content_of(b"report"), "r.txt", None, OWN, nobody_waits).upload
        file = worker.ids.add("key-2", upload, name="r.txt", purpose="user_data")
        for file_id in (file.id, "file-unknown"):
            error = failure(worker, user(Media(FileId(file_id), None, None, PLACE)))
            assert (error.kind, error.param) == (ErrorKind.INVALID_REQUEST, PLACE)
            assert error.message.startswith("The gateway")
            assert file_id in error.message


class TestFailures:
    def test_it_says_which_part_and_that_poe_refused_it(self, poe: ScriptedPoe, worker: Worker) -> None:
        poe.route("POST /upload", error_reply(400, "too strange"))
        error = failure(worker, user(Text("?"), inline(sample_files.png())))
        assert error.message == f"Poe did not take the file at '{PLACE}': too strange"
        assert (error.kind, error.param, error.upstream_status) == (ErrorKind.INVALID_REQUEST, PLACE, 400)

    def test_poes_wish_for_patience_is_handed_on(self, poe: ScriptedPoe, worker: Worker) -> None:
        poe.route("POST /upload", error_reply(429, "slow down", {"Retry-After": "33"}))
        error = failure(worker, user(inline(b"x")))
        assert (error.kind, error.retry_after) == (ErrorKind.RATE_LIMIT, 33.0)

    def test_a_poe_that_cannot_be_reached_has_refused_nothing(self, poe: ScriptedPoe, worker: Worker) -> None:
        with poe.refusing():
            error = failure(worker, user(inline(b"x")))
        assert error.kind is ErrorKind.UPSTREAM_UNREACHABLE
        assert error.message.startswith("The gateway could not hand over the file at")

    def test_one_that_fails_fails_all(self, poe: ScriptedPoe, worker: Worker) -> None:
        def by_name(request: Received) -> Sequence[Step]:
            return error_reply(413, "too large") if b"bad.txt" in request.body else poe.take_upload(request)

        poe.route_by("POST /upload", by_name)
        parts = [inline(b"%d" % number, f"{number}.txt", param=f"p{number}") for number in range(4)]
        error = failure(worker, user(*parts, inline(b"bad", "bad.txt", param="the bad one")))
        assert (error.kind, error.param) == (ErrorKind.TOO_LARGE, "the bad one")


class TestLastFiles:
    def turns(self, answer: str, *asked_now: Part) -> tuple[Message, ...]:
        return (said("user", "A cat."), said("assistant", answer), user(*(asked_now or (Text("Make it blue."),))))

    @pytest.mark.parametrize(
        "answer",
        [
            f"![cat]({POECDN})",
            f"Here: ![a cat]({POECDN}). Like it?",
            f"[cat.png]({POECDN})",
            f"See {POECDN}.",
            f"<{POECDN}>",
            f'<img src="{POECDN}">',
            f"**{POECDN}**",
            f"![cat]({POECDN})\n\n![cat]({POECDN})",
        ],
    )
    def test_the_last_answers_links_go_with_the_next_question(
        self, poe: ScriptedPoe, worker: Worker, answer: str
    ) -> None:
        attached = attach(worker, *self.turns(answer), last_files=True)
        assert urls(attached) == [POECDN]
        assert isinstance(attached.request.messages[-1].parts[-1], Media)
        assert attached.request.messages[1] == said("assistant", answer)
        assert not poe.requests

    def test_without_the_wish_they_do_not(self, worker: Worker) -> None:
        assert urls(attach(worker, *self.turns(f"![cat]({POECDN})"))) == []

    @pytest.mark.parametrize(
        "answer", ["https://example.com/cat.png", "http://poecdn.net.example.com/a.png", "no link", POECDN[8:]]
    )
    def test_links_that_are_not_poes_stay_text(self, poe: ScriptedPoe, worker: Worker, answer: str) -> None:
        assert urls(attach(worker, *self.turns(answer), last_files=True)) == []
        assert not poe.requests

    def test_several_keep_their_order_and_the_latest_answer_counts(self, worker: Worker) -> None:
        first, second, old = (f"https://pfst.cf2.poecdn.net/{name}.png" for name in ("1", "2", "0"))
        earlier = self.turns(f"![old]({old})")
        turns = (*earlier, said("assistant", f"![1]({first}) ![2]({second})"), said("user", "The second, in blue."))
        assert urls(attach(worker, *turns, last_files=True)) == [first, second]

    def test_what_the_client_attached_itself_is_not_attached_twice(self, worker: Worker) -> None:
        turns = self.turns(f"![cat]({POECDN})", Text("Blue."), at(POECDN))
        assert urls(attach(worker, *turns, last_files=True)) == [POECDN]

    @pytest.mark.parametrize(
        "turns",
        [
            (said("user", POECDN),),
            (said("user", "?"), said("assistant", POECDN)),
            (said("assistant", POECDN), Message("tool", (ToolResult("c1", (Text("ok"),)),))),
            (said("user", "?"), called(text=POECDN), Message("tool", (ToolResult("c1", (Text("ok"),)),))),
        ],
    )
    def test_where_no_user_answers_an_answer_nothing_is_attached(
        self, worker: Worker, turns: tuple[Message, ...]
    ) -> None:
        assert urls(attach(worker, *turns, last_files=True)) == []


@pytest.mark.parametrize(
    ("kind", "message", "expected"),
    [
        (ErrorKind.INVALID_REQUEST, "attachment 1 was not found", True),
        (ErrorKind.UPSTREAM_INTERNAL, "Could not download file", True),
        (ErrorKind.UPSTREAM_ERROR, "This URL has expired", True),
        (ErrorKind.UPSTREAM_INTERNAL, "Internal server error (error_id: 7)", False),
        (ErrorKind.INSUFFICIENT_QUOTA, "You need more points for images", False),
        (ErrorKind.MODEL_NOT_FOUND, "Bot not found", False),
        (ErrorKind.RATE_LIMIT, "too many images", False),
    ],
)
def test_poe_may_have_meant_a_lost_file(kind: ErrorKind, message: str, expected: bool) -> None:
    assert may_be_lost(GatewayError(kind, message)) is expected


def test_media_are_seen_in_tool_results_too() -> None:
    result = Message("tool", (ToolResult("c1", (inline(b"x"),)),))
    assert holds_media([said("user", "Hi"), result])
    assert not holds_media([said("user", "Hi")])


def test_nothing_connects_to_what_a_client_names(worker: Worker) -> None:
    with RawServer(lambda peer: None) as server:
        attach(worker, user(at(f"{server.url}/a.png")))
        assert server.connections == 0
