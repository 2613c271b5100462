"""Files by their ids: each caller's own, as long as the upload is kept."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from poe2openai.core.errors import GatewayError
from poe2openai.store.database import Database
from poe2openai.store.files import FileIds, StoredFile
from poe2openai.store.uploads import Upload, UploadCache, owner_of

MakeDatabase = Callable[..., Database]
OWNER = owner_of("key-1")
TTL = 60.0
ALICE, BOB = "alice", "bob"


class Store:
    """One worker's cache and file ids."""

    def __init__(self, database: Database, clock: Callable[[], float], ttl: float = TTL) -> None:
        self.cache = UploadCache(database, ttl_seconds=ttl, max_bytes=10_000, clock=clock)
        self.files = FileIds(database, ttl_seconds=ttl, clock=clock)

    def upload(self, source: str, owner: str = OWNER) -> Upload:
        made = Upload(owner, source, f"https://pfst.cf2.poecdn.net/{source}", "text/plain", f"{source}.poe", 2_000)
        self.cache.put(made)
        return made

    def add(self, caller: str, source: str, purpose: str = "user_data") -> StoredFile:
        return self.files.add(caller, self.upload(source), name=f"{source}.txt", purpose=purpose)


@pytest.fixture
def store(open_database: MakeDatabase, clock: Any) -> Store:
    return Store(open_database(), clock)


def test_a_file_is_found_by_its_id_in_every_worker(store: Store, open_database: MakeDatabase, clock: Any) -> None:
    upload = store.upload("a")
    file = store.files.add(ALICE, upload, name="my a.txt", purpose="vision")

    assert file == StoredFile(file.id, "my a.txt", "vision", clock.now, clock.now + TTL, upload)
    assert file.id.startswith("file-")
    assert store.files.find(ALICE, file.id) == Store(open_database(), clock).files.find(ALICE, file.id) == file


def test_each_id_is_its_own_even_for_the_same_bytes(store: Store) -> None:
    first, second = store.add(ALICE, "a"), store.add(ALICE, "a")

    assert first.id != second.id
    assert store.files.find(ALICE, first.id)
    assert store.files.find(ALICE, second.id)


def test_another_callers_file_is_not_there(store: Store) -> None:
    file = store.add(ALICE, "a")

    assert store.files.find(BOB, file.id) is None
    assert store.files.all(BOB) == []
    assert not store.files.delete(BOB, file.id)
    assert store.files.find(ALICE, file.id)


@pytest.mark.parametrize("file_id", ["", "file-", "file-0", "'; --", "%", "x" * 10_000, "\0"])
def test_an_id_that_nobody_has_is_not_there(store: Store, file_id: str) -> None:
    store.add(ALICE, "a")

    assert store.files.find(ALICE, file_id) is None
    assert not store.files.delete(ALICE, file_id)


def test_all_are_listed_the_latest_first(store: Store) -> None:
    added = [store.add(ALICE, source).id for source in "abcd"]
    store.add(BOB, "e")

    assert [file.id for file in store.files.all(ALICE)] == added[::-1]


def test_a_deleted_file_is_gone_and_its_upload_stays(store: Store) -> None:
    file, other = store.add(ALICE, "a"), store.add(ALICE, "a")

    assert store.files.delete(ALICE, file.id)
    assert not store.files.delete(ALICE, file.id)
    assert store.files.find(ALICE, file.id) is None
    assert store.files.find(ALICE, other.id)
    assert store.cache.find([OWNER], "a")


class TestAsLongAsTheUpload:
    def test_it_expires_with_it(self, store: Store, clock: Any) -> None:
        file = store.add(ALICE, "a")
        clock.now += TTL - 1
        assert store.files.find(ALICE, file.id)
        clock.now += 1
        assert store.files.find(ALICE, file.id) is None
        assert store.files.all(ALICE) == []

    def test_an_earlier_uploads_end_is_told(self, store: Store, clock: Any) -> None:
        upload = store.upload("a")
        uploaded = clock.now
        clock.now += TTL / 2
        file = store.files.add(ALICE, upload, name="a", purpose="user_data")

        found = store.files.find(ALICE, file.id)
        assert found is not None
        assert (found.created, found.expires) == (clock.now, uploaded + TTL)

    def test_one_that_made_room_for_others_is_not_there(self, store: Store, clock: Any) -> None:
        file = store.add(ALICE, "a")
        for source in "bcdef":
            clock.now += 1
            store.upload(source)

        assert store.files.find(ALICE, file.id) is None

    def test_one_that_poe_no_longer_knows_is_not_there(self, store: Store) -> None:
        file = store.add(ALICE, "a")
        store.cache.forget([file.upload.url])

        assert store.files.find(ALICE, file.id) is None

    def test_uploaded_again_it_is_there_again(self, store: Store, clock: Any) -> None:
        file = store.add(ALICE, "a")
        store.cache.forget([file.upload.url])
        clock.now += 1
        again = store.upload("a")

        found = store.files.find(ALICE, file.id)
        assert found is not None
        assert found.upload == again


def test_without_storage_it_says_so(open_database: MakeDatabase, database_file: Path, clock: Any) -> None:
    database_file.mkdir()
    files = FileIds(open_database(), ttl_seconds=TTL, clock=clock)
    upload = Upload(OWNER, "a", "https://x.test/a", "text/plain", "a", 5)

    calls: list[Callable[[], object]] = [
        lambda: files.add(ALICE, upload, name="a", purpose="user_data"),
        lambda: files.find(ALICE, "file-a"),
        lambda: files.all(ALICE),
        lambda: files.delete(ALICE, "file-a"),
    ]
    for call in calls:
        with pytest.raises(GatewayError, match="storage fails"):
            call()
