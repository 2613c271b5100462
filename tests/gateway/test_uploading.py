"""Each file comes to Poe once: over real sockets, however many ask at the same moment, in however many workers."""

import base64
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from poe2openai.core.content import Content, content_of
from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.gateway.keys import Caller
from poe2openai.gateway.uploading import Uploaded, Uploader
from poe2openai.poe.client import PoeClient
from poe2openai.store.uploads import CLAIM_SECONDS, owner_of
from tests.support import sample_files
from tests.support.attaching import OWN, Worker, client_of, nobody_waits
from tests.support.fetching import fetcher
from tests.support.poe_script import Step, error_reply
from tests.support.raw_server import RawServer, answer, repeating
from tests.support.received import Received
from tests.support.scripted_poe import ScriptedPoe

PICTURE = content_of(sample_files.png())
OTHER = Uploader(Caller("key-2", "other-key"), ("other-key",))
GUEST = Uploader(Caller("token-1", None), ("k1", "k2"))


@pytest.fixture
def client(poe: ScriptedPoe) -> Iterator[PoeClient]:
    with client_of(poe.url) as client:
        yield client


@pytest.fixture
def worker(client: PoeClient, tmp_path: Path) -> Worker:
    return Worker(client, tmp_path)


def give(
    worker: Worker,
    content: Content = PICTURE,
    who: Uploader = OWN,
    name: str | None = None,
    on_silence: Callable[[], None] = nobody_waits,
) -> Uploaded:
    return worker.uploads.of_content(content, name, None, who, on_silence)


def failure(act: Callable[[], object]) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        act()
    return caught.value


def test_a_file_is_uploaded_with_its_true_type_and_a_name(poe: ScriptedPoe, worker: Worker) -> None:
    made = give(worker).upload
    (sent,) = poe.uploads
    assert (sent.name, sent.media_type, sent.data) == ("image.png", "image/png", sample_files.png())
    assert (made.url, made.media_type, made.name, made.size) == (sent.url, "image/png", "image.png", PICTURE.size)


def test_poe_is_asked_once_and_the_second_time_the_file_was_known(poe: ScriptedPoe, worker: Worker) -> None:
    first, second = give(worker), give(worker)
    assert (first.was_known, second.was_known) == (False, True)
    assert first.upload == second.upload
    give(worker, content_of(b"another"))
    assert len(poe.uploads) == 2


def test_of_ten_at_once_one_uploads_and_all_get_it(poe: ScriptedPoe, worker: Worker) -> None:
    poe.upload_delay = 0.3
    with ThreadPoolExecutor(10) as pool:
        made = list(pool.map(lambda _: give(worker), range(10)))
    assert len(poe.uploads) == 1
    assert {each.upload.url for each in made} == {poe.uploads[0].url}
    assert not any(each.was_known for each in made)


def test_workers_wait_for_each_other(poe: ScriptedPoe, client: PoeClient, tmp_path: Path) -> None:
    poe.upload_delay = 0.5
    workers = [Worker(client, tmp_path) for _ in range(3)]
    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(give, workers * 2))
    assert len(poe.uploads) == 1
    assert {each.upload.url for each in made} == {poe.uploads[0].url}


def test_what_a_worker_left_undone_is_anothers_after_a_while(
    poe: ScriptedPoe, client: PoeClient, tmp_path: Path
) -> None:
    now = 1000.0
    worker = Worker(client, tmp_path, clock=lambda: now)
    assert worker.cache.claim(owner_of("client-key"), f"sha256:{PICTURE.sha256}", "killed")
    looks = 0

    def on_silence() -> None:
        nonlocal looks, now
        looks += 1
        if looks == 3:
            assert not poe.uploads
            now += CLAIM_SECONDS + 1

    give(worker, on_silence=on_silence)
    assert looks >= 3
    assert len(poe.uploads) == 1


def test_keys_know_nothing_of_each_other(poe: ScriptedPoe, worker: Worker) -> None:
    poe.upload_delay = 0.2
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(lambda who: give(worker, who=who), (OWN, OTHER))
    assert sorted(each.authorization for each in poe.uploads) == ["client-key", "other-key"]
    assert one.upload.url != other.upload.url
    assert give(worker, who=OTHER).upload.url == other.upload.url


def test_of_the_gateways_keys_any_may_have_uploaded_it(poe: ScriptedPoe, client: PoeClient, tmp_path: Path) -> None:
    worker = Worker(client, tmp_path, ring=("k1", "k2"))
    give(worker, who=GUEST)
    give(worker, who=Uploader(GUEST.caller, ("k2", "k1")))
    assert [each.authorization for each in poe.uploads] == ["k1"]


@pytest.mark.parametrize("status", [401, 402, 429])
def test_a_key_that_fails_gives_way_to_the_next(
    poe: ScriptedPoe, client: PoeClient, tmp_path: Path, status: int
) -> None:
    def by_key(request: Received) -> Sequence[Step]:
        refused = (request.header("authorization") or "").endswith("k1")
        return error_reply(status, "no", {"Retry-After": "60"}) if refused else poe.take_upload(request)

    poe.route_by("POST /upload", by_key)
    worker = Worker(client, tmp_path, ring=("k1", "k2"))
    assert give(worker, who=GUEST).upload.owner == owner_of("k2")
    assert worker.keys.keys_for(GUEST.caller) == ["k2", "k1"]
    assert [each.authorization for each in poe.uploads] == ["k2"]


def test_a_failure_is_told_to_all_and_not_remembered(poe: ScriptedPoe, worker: Worker) -> None:
    go = threading.Event()

    def refuse(request: Received) -> Sequence[Step]:
        go.wait(5)
        return error_reply(400, "too strange")

    poe.route_by("POST /upload", refuse)
    with ThreadPoolExecutor(3) as pool:
        results = [pool.submit(failure, lambda: give(worker)) for _ in range(3)]
        poe.wait_for(lambda poe: poe.requests)
        threading.Event().wait(0.2)
        go.set()
        errors = [result.result() for result in results]
    assert {error.message for error in errors} == {errors[0].message}
    assert len({id(error) for error in errors}) == 3, "each raises its own: tracebacks would pile up"
    assert len(poe.requests) == 1
    poe.reset()
    assert not give(worker).was_known


class Left(BaseException):
    """The client is gone."""


@pytest.mark.parametrize("why", [Left(), GatewayError(ErrorKind.STOPPED, "The gateway's owner stopped this request.")])
def test_where_the_one_who_uploads_leaves_the_next_does_it(
    poe: ScriptedPoe, worker: Worker, why: BaseException
) -> None:
    """Whether he hung up or the owner stopped his request alone."""
    leave = threading.Event()

    def on_silence() -> None:
        if leave.is_set():
            raise why

    def lead() -> None:
        with pytest.raises(type(why)):
            give(worker, on_silence=on_silence)

    poe.upload_delay = 60
    with ThreadPoolExecutor(2) as pool:
        leader = pool.submit(lead)
        poe.wait_for(lambda poe: poe.uploads)
        follower = pool.submit(give, worker)
        threading.Event().wait(0.2)
        poe.upload_delay = 0
        leave.set()
        leader.result(5)
        made = follower.result(5)
    assert len(poe.uploads) == 2
    assert made.upload.url == poe.uploads[1].url


def test_whoever_waits_for_anothers_upload_may_leave(poe: ScriptedPoe, worker: Worker) -> None:
    class Left(BaseException):
        pass

    def on_silence() -> None:
        raise Left

    poe.upload_delay = 1.5
    with ThreadPoolExecutor(1) as pool:
        leader = pool.submit(give, worker)
        poe.wait_for(lambda poe: poe.uploads)
        with pytest.raises(Left):
            give(worker, on_silence=on_silence)
        assert leader.result(5).upload.url == poe.uploads[0].url


def test_anew_is_uploaded_though_poe_has_it(poe: ScriptedPoe, worker: Worker) -> None:
    give(worker)
    made = worker.uploads.anew(PICTURE, "cat.png", None, OWN, nobody_waits)
    assert len(poe.uploads) == 2
    assert give(worker).upload == made


def test_what_poe_lost_is_uploaded_again(poe: ScriptedPoe, worker: Worker) -> None:
    worker.uploads.forget([give(worker).upload.url])
    assert not give(worker).was_known
    assert len(poe.uploads) == 2


def test_without_a_cache_each_is_uploaded(poe: ScriptedPoe, client: PoeClient, tmp_path: Path) -> None:
    worker = Worker(client, tmp_path, ttl_seconds=0)
    assert [give(worker).was_known for _ in range(2)] == [False, False]
    assert len(poe.uploads) == 2


def test_a_store_that_fails_costs_another_upload_and_nothing_else(
    poe: ScriptedPoe, client: PoeClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    worker = Worker(client, tmp_path / "missing")
    assert [give(worker).upload.url for _ in range(2)] == [each.url for each in poe.uploads]
    assert "The store fails" in caplog.text


def test_an_address_is_handed_over_once(poe: ScriptedPoe, worker: Worker) -> None:
    url = "https://example.com/a%20b.png?size=1&x=é"
    _, made = [worker.uploads.of_address(url, "cat.png", None, OWN, nobody_waits) for _ in range(2)]
    (sent,) = poe.uploads
    assert (sent.download_url, sent.download_filename, sent.data) == (url, "cat.png", None)
    assert (made.was_known, made.upload.url) == (True, sent.url)
    worker.uploads.of_address(url + "&y", "cat.png", None, OWN, nobody_waits)
    assert len(poe.uploads) == 2


class TestFetched:
    @pytest.fixture
    def worker(self, client: PoeClient, tmp_path: Path) -> Worker:
        return Worker(client, tmp_path, fetcher=fetcher())

    def test_it_is_uploaded_as_what_it_is(self, poe: ScriptedPoe, worker: Worker) -> None:
        said = answer(sample_files.png(), "text/plain", Content_Disposition='attachment; filename="cat.jpg"')
        with RawServer(repeating(said)) as server:
            for _ in range(2):
                worker.uploads.of_address(f"{server.url}/x", None, None, OWN, nobody_waits)
            assert server.connections == 1
        (sent,) = poe.uploads
        assert (sent.name, sent.media_type, sent.data) == ("cat.jpg", "image/png", sample_files.png())
        assert sent.download_url is None

    def test_the_clients_name_counts_more_than_the_servers(self, poe: ScriptedPoe, worker: Worker) -> None:
        with RawServer(repeating(answer(b"a,b", "text/csv"))) as server:
            worker.uploads.of_address(f"{server.url}/x.txt", "table.csv", None, OWN, nobody_waits)
        assert (poe.uploads[0].name, poe.uploads[0].media_type) == ("table.csv", "text/csv")

    def test_a_large_one_comes_through_whole(self, poe: ScriptedPoe, worker: Worker) -> None:
        data = base64.b64decode(b"poe2" * 700_000)
        with RawServer(repeating(answer(data, "application/octet-stream"))) as server:
            worker.uploads.of_address(f"{server.url}/x.bin", None, None, OWN, nobody_waits)
        assert poe.uploads[0].sha256 == content_of(data).sha256

    def test_what_cannot_be_fetched_is_not_uploaded(self, poe: ScriptedPoe, worker: Worker) -> None:
        with RawServer(repeating(answer(b"", status="404 Not Found"))) as server:
            error = failure(lambda: worker.uploads.of_address(server.url, None, None, OWN, nobody_waits))
        assert (error.kind, error.upstream_status) == (ErrorKind.INVALID_REQUEST, None)
        assert "404" in error.message
        refused = failure(lambda: worker.uploads.of_address("http://127.0.0.2/", None, None, OWN, nobody_waits))
        assert "not public" in refused.message
        assert not poe.requests
