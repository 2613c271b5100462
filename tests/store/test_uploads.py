"""The upload cache: what Poe has already is found again, by each worker, for each key, as long as there is room."""

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from poe2openai.store.database import Database
from poe2openai.store.uploads import CLAIM_SECONDS, LEAST_SIZE, Upload, UploadCache, owner_of

MakeDatabase = Callable[..., Database]
ROOT = Path(__file__).parents[2]
OWNER, OTHER = owner_of("key-1"), owner_of("key-2")
TTL = 60.0
PUT_AND_DIE = """
import os, pathlib, sys
from poe2openai.store.database import Database
from poe2openai.store.uploads import Upload, UploadCache

database = Database(pathlib.Path(sys.argv[1]), lambda work: work())
cache = UploadCache(database, ttl_seconds=60, max_bytes=9999, clock=lambda: 1e6)
cache.put(Upload(sys.argv[2], "a", "https://x.test/a", "image/png", "a", 5))
os.kill(os.getpid(), 9)
"""


def upload(source: str, size: int = 2_000, owner: str = OWNER) -> Upload:
    return Upload(owner, source, f"https://pfst.cf2.poecdn.net/{owner[:4]}/{source}", "image/png", "a.png", size)


@pytest.fixture
def make_cache(open_database: MakeDatabase, clock: Any) -> Callable[..., UploadCache]:
    def make(**options: Any) -> UploadCache:
        return UploadCache(open_database(), **{"ttl_seconds": TTL, "max_bytes": 10_000, "clock": clock, **options})

    return make


MakeCache = Callable[..., UploadCache]


def kept(cache: UploadCache, names: str = "abcdefghij") -> str:
    """Asked in the order given: what is found counts as used."""
    return "".join(name for name in names if cache.find([OWNER], name))


class TestFinding:
    def test_what_one_worker_uploaded_all_find(self, make_cache: MakeCache) -> None:
        one, other = make_cache(), make_cache()
        one.put(upload("a"))

        assert one.find([OWNER], "a") == other.find([OWNER], "a") == upload("a")
        assert make_cache().find([OWNER], "b") is None

    def test_each_key_has_its_own(self, make_cache: MakeCache) -> None:
        cache = make_cache()
        cache.put(upload("a"))

        assert cache.find([OTHER], "a") is None
        assert cache.find([], "a") is None
        assert cache.find([OTHER, OWNER], "a") == upload("a")

        cache.put(upload("a", owner=OTHER))
        assert cache.find([OTHER], "a") == upload("a", owner=OTHER)
        assert cache.find([OTHER, OWNER], "a") in (upload("a"), upload("a", owner=OTHER))

    def test_the_owner_does_not_lead_back_to_the_key(self) -> None:
        assert owner_of("key-1") == owner_of("key-1") != owner_of("key-2")
        assert len(OWNER) == 64
        assert "key-1" not in OWNER

    def test_the_same_put_again_is_the_later_one(self, make_cache: MakeCache) -> None:
        cache = make_cache()
        cache.put(upload("a"))
        cache.put(upload("a", size=5_000))

        assert cache.find([OWNER], "a") == upload("a", size=5_000)

    def test_what_poe_no_longer_knows_is_forgotten(self, make_cache: MakeCache) -> None:
        cache = make_cache()
        for source in "abc":
            cache.put(upload(source))
        cache.forget([upload("a").url, upload("c").url, "https://x.test/"])
        cache.forget([])

        assert kept(make_cache()) == "b"

    def test_a_killed_workers_uploads_are_kept(self, make_cache: MakeCache, database_file: Path) -> None:
        arguments = [sys.executable, "-c", PUT_AND_DIE, str(database_file), OWNER]
        assert subprocess.run(arguments, cwd=ROOT, timeout=30, check=False).returncode == -9

        found = make_cache().find([OWNER], "a")
        assert found is not None
        assert found.url == "https://x.test/a"


class TestExpiry:
    def test_an_upload_is_known_for_so_long(self, make_cache: MakeCache, clock: Any) -> None:
        cache = make_cache()
        cache.put(upload("a"))

        clock.now += TTL - 1
        assert cache.find([OWNER], "a")
        clock.now += 1
        assert cache.find([OWNER], "a") is None

    def test_use_does_not_make_it_last_longer(self, make_cache: MakeCache, clock: Any) -> None:
        cache = make_cache()
        cache.put(upload("a"))
        for _ in range(4):
            clock.now += TTL / 4
            cache.find([OWNER], "a")

        assert cache.find([OWNER], "a") is None

    def test_what_has_expired_takes_no_room(self, make_cache: MakeCache, clock: Any) -> None:
        cache = make_cache()
        cache.put(upload("a", 9_000))
        clock.now += TTL / 2
        cache.put(upload("b", 1_100))
        assert kept(cache) == "b"
        cache.put(upload("c", 8_000))
        clock.now += TTL / 2
        cache.put(upload("d", 1_900))

        assert kept(cache) == "cd"

    def test_without_time_nothing_is_kept(self, make_cache: MakeCache) -> None:
        cache = make_cache(ttl_seconds=0)
        cache.put(upload("a"))

        assert cache.find([OWNER], "a") is None
        assert make_cache().find([OWNER], "a") is None


class TestRoom:
    def test_what_was_used_least_recently_goes_first(self, make_cache: MakeCache, clock: Any) -> None:
        cache = make_cache()
        for source in "abcde":
            clock.now += 1
            cache.put(upload(source, 2_000))
        for source in "cab":
            clock.now += 1
            cache.find([OWNER], source)
        clock.now += 1
        cache.put(upload("f", 3_000))

        assert kept(cache) == "abcf"

    def test_true_sizes_count(self, make_cache: MakeCache, clock: Any) -> None:
        cache = make_cache()
        for source, size in (("a", 6_000), ("b", 4_000)):
            clock.now += 1
            cache.put(upload(source, size))
        assert kept(cache, "ab") == "ab"

        clock.now += 1
        cache.put(upload("c", 1_025))
        assert kept(cache) == "bc"

    def test_all_keys_share_the_room(self, make_cache: MakeCache, clock: Any) -> None:
        cache = make_cache()
        cache.put(upload("a", 6_000, OTHER))
        clock.now += 1
        cache.put(upload("b", 6_000))

        assert cache.find([OTHER], "a") is None
        assert kept(cache) == "b"

    @pytest.mark.parametrize("size", [0, 1, LEAST_SIZE])
    def test_small_ones_and_those_of_unknown_size_count_too(self, make_cache: MakeCache, size: int) -> None:
        cache = make_cache(max_bytes=3 * LEAST_SIZE)
        for source in "abcd":
            cache.put(upload(source, size))

        assert len(kept(cache)) == 3

    @pytest.mark.parametrize("max_bytes", [0, 10_000])
    def test_the_newest_stays_even_where_it_is_too_large(
        self, make_cache: MakeCache, clock: Any, max_bytes: int
    ) -> None:
        cache = make_cache(max_bytes=max_bytes)
        cache.put(upload("a", 1_000))
        clock.now += 1
        cache.put(upload("b", 50_000))
        assert kept(cache) == "b"

        clock.now += 1
        cache.put(upload("c", 1_000))
        assert kept(cache) == "c"

    def test_the_newest_is_not_mistaken_for_another_keys(self, make_cache: MakeCache, clock: Any) -> None:
        cache = make_cache()
        cache.put(upload("a", 9_000))
        clock.now += 1
        cache.put(upload("a", 9_000, OTHER))

        assert cache.find([OWNER], "a") is None
        assert cache.find([OTHER], "a")


class TestClaims:
    def test_one_of_many_uploads(self, make_cache: MakeCache) -> None:
        caches = [make_cache() for _ in range(10)]
        won: list[str] = []

        def claim(number: int) -> None:
            if caches[number].claim(OWNER, "a", f"holder-{number}"):
                won.append(f"holder-{number}")

        threads = [threading.Thread(target=claim, args=(number,)) for number in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)

        assert len(won) == 1
        assert make_cache().claim(OWNER, "a", won[0])

    def test_each_key_and_source_is_claimed_alone(self, make_cache: MakeCache) -> None:
        cache = make_cache()

        assert cache.claim(OWNER, "a", "one")
        assert cache.claim(OTHER, "a", "two")
        assert cache.claim(OWNER, "b", "two")
        assert not cache.claim(OWNER, "a", "two")

    def test_given_back_it_is_another_s(self, make_cache: MakeCache) -> None:
        cache = make_cache()
        cache.claim(OWNER, "a", "one")
        cache.give_back(OWNER, "a", "two")
        assert not cache.claim(OWNER, "a", "two")

        cache.give_back(OWNER, "a", "one")
        assert cache.claim(OWNER, "a", "two")

    def test_a_claim_that_is_not_renewed_lapses(self, make_cache: MakeCache, clock: Any) -> None:
        one, other = make_cache(), make_cache()
        assert one.claim(OWNER, "a", "one")
        clock.now += CLAIM_SECONDS - 1
        assert not other.claim(OWNER, "a", "two")
        clock.now += 1
        assert other.claim(OWNER, "a", "two")
        assert not one.claim(OWNER, "a", "one")

    def test_a_claim_that_is_renewed_holds(self, make_cache: MakeCache, clock: Any) -> None:
        cache = make_cache()
        for _ in range(5):
            assert cache.claim(OWNER, "a", "one")
            clock.now += CLAIM_SECONDS / 2
            assert not cache.claim(OWNER, "a", "two")


def test_without_storage_everybody_uploads_for_himself(make_cache: MakeCache, database_file: Path) -> None:
    database_file.mkdir()
    cache = make_cache()

    assert cache.claim(OWNER, "a", "one")
    assert cache.claim(OWNER, "a", "two")
    cache.put(upload("a"))
    assert cache.find([OWNER], "a") is None
    cache.give_back(OWNER, "a", "one")
    cache.forget(["https://x.test/"])
