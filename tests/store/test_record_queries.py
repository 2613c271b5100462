"""The overview's sums: what is drawn is what there was."""

import random
import statistics
import time
from collections.abc import Callable

import pytest

from poe2openai.store import record_queries
from poe2openai.store.database import Database
from poe2openai.store.record_queries import MOST_BUCKETS, MOST_NAMES
from poe2openai.store.records import Bucket, Records, Share
from tests.support.entries import entry

MakeDatabase = Callable[..., Database]
NOW = 1_000_000.0
HOUR = 3600.0


@pytest.fixture
def records(open_database: MakeDatabase) -> Records:
    return Records(open_database())


def test_nothing_is_all_zeroes_with_every_bucket(records: Records) -> None:
    found = records.overview(NOW, NOW + 3 * HOUR, HOUR)

    assert found.buckets == [Bucket(NOW + number * HOUR, 0, 0, 0, 0, None) for number in range(3)]
    assert (found.requests, found.first_token_ms, found.first_token_p95_ms) == (0, None, None)
    assert (found.by_model, found.by_client, found.errors) == ([], [], [])
    assert found.by_client_buckets == {"": [0, 0, 0]}


def test_sums_by_time_model_and_client(records: Records) -> None:
    records.write(
        [
            entry("before", at=NOW - 0.001),
            entry("a", at=NOW, first_token_ms=100),
            entry("b", at=NOW + 10, first_token_ms=300, client="curl", tokens_in=1, tokens_out=2),
            entry("c", at=NOW + HOUR - 0.001, first_token_ms=200, model="claude"),
            entry("d", at=NOW + HOUR, first_token_ms=None, status=502, error="upstream_error"),
            entry("e", at=NOW + HOUR + 5, first_token_ms=900, error="upstream_cut_off", model="claude"),
            entry("after", at=NOW + 2 * HOUR),
        ]
    )

    found = records.overview(NOW, NOW + 2 * HOUR, HOUR)

    assert found.buckets == [Bucket(NOW, 3, 0, 21, 42, 200), Bucket(NOW + HOUR, 2, 2, 20, 40, 900)]
    assert (found.requests, found.failed, found.tokens_in, found.tokens_out) == (5, 2, 41, 82)
    assert (found.first_token_ms, found.first_token_p95_ms) == (200, 900)
    assert found.by_model == [Share("gpt-5", 3, 1, 21, 42, 100), Share("claude", 2, 1, 20, 40, 200)]
    assert found.by_client == [Share("Chatbox", 4, 2, 40, 80, 200), Share("curl", 1, 0, 1, 2, 300)]
    assert found.errors == [("upstream_cut_off", 1), ("upstream_error", 1)]
    assert found.by_client_buckets == {"Chatbox": [2, 2], "curl": [1, 0], "": [0, 0]}


def test_a_client_that_left_is_no_failure_and_a_status_alone_is_one(records: Records) -> None:
    records.write([entry("left", status=499, hung_up=True), entry("refused", status=404, model="")])

    found = records.overview(NOW, NOW + 10, 10)

    assert (found.requests, found.failed) == (2, 1)
    assert found.errors == [("status 404", 1)]
    assert [share.name for share in found.by_model] == ["gpt-5"]


def test_the_clients_beyond_the_biggest_five_are_drawn_together(records: Records) -> None:
    told = [
        entry(f"{client}-{number}", client=f"client {client}", at=NOW + number)
        for client in range(8)
        for number in range(20 - client)
    ]
    records.write([*told, entry("unnamed", client="")])

    found = records.overview(NOW, NOW + 20, 10)

    assert list(found.by_client_buckets) == [*(f"client {number}" for number in range(5)), ""]
    assert found.by_client_buckets["client 1"] == [10, 9]
    assert found.by_client_buckets[""] == [31, 5 + 4 + 3]
    assert sum(map(sum, found.by_client_buckets.values())) == found.requests
    assert len(found.by_client) == 9


def test_the_last_bucket_may_be_a_short_one(records: Records) -> None:
    records.write([entry("a", at=NOW + 24.9)])

    found = records.overview(NOW, NOW + 25, 10)

    assert [bucket.requests for bucket in found.buckets] == [0, 0, 1]


@pytest.mark.parametrize(("since", "until", "step"), [(NOW, NOW - 5, 1), (NOW, NOW, 1), (NOW, NOW + 1e7, 0.0001)])
def test_no_frame_is_too_odd(records: Records, since: float, until: float, step: float) -> None:
    records.write([entry()])
    assert len(records.overview(since, until, step).buckets) <= MOST_BUCKETS


def test_medians_of_very_many_come_of_a_sample(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    times = [round(random.Random(number).lognormvariate(7, 0.8)) for number in range(4_000)]
    records.write([entry(f"r{number}", at=NOW, first_token_ms=each) for number, each in enumerate(times)])
    exact = records.overview(NOW, NOW + 1, 1)
    monkeypatch.setattr(record_queries, "MOST_TIMES", 1_000)
    sampled = records.overview(NOW, NOW + 1, 1)

    assert exact.first_token_ms == pytest.approx(statistics.median(times), abs=1)
    assert exact.first_token_ms is not None
    assert sampled.first_token_ms != exact.first_token_ms
    assert sampled.first_token_ms == pytest.approx(exact.first_token_ms, rel=0.1)
    assert sampled.requests == exact.requests


def test_a_month_of_a_hundred_thousand_is_summed_up_at_once(records: Records) -> None:
    """0.3 s is the aim; machines that run tests are busy."""
    chance = random.Random(3)
    month = 30 * 86_400.0
    for start in range(0, 100_000, 5_000):
        records.write(
            [
                entry(
                    f"r{number}",
                    at=NOW + number * month / 100_000,
                    model=f"model-{chance.randrange(30)}",
                    client=f"client {chance.randrange(12)}",
                    first_token_ms=chance.randrange(200, 9_000),
                )
                for number in range(start, start + 5_000)
            ]
        )
    taken = []
    for _ in range(3):
        began = time.perf_counter()
        assert records.overview(NOW, NOW + month, 86_400.0).requests == 100_000
        taken.append(time.perf_counter() - began)

    assert min(taken) < 0.8, taken
    print(f"an overview of 100,000 requests: {min(taken) * 1000:.0f} ms")


def test_names_without_end_are_counted_together(records: Records) -> None:
    """Whoever invents a name for each request fills neither the memory nor the page."""
    written = [entry(f"req_{n}", at=NOW + n % 50, client=f"client {n}", model=f"model {n}") for n in range(400)]
    written += [entry(f"own_{n}", at=NOW + n, client="Cline", model="gpt-5") for n in range(20)]
    records.write(written)

    told = records.overview(NOW, NOW + 60, 10)

    assert (told.requests, sum(bucket.requests for bucket in told.buckets)) == (420, 420)
    assert (told.by_client[1].name, told.by_client[1].requests) == ("Cline", 20)
    assert (told.by_model[0].name, told.by_model[0].requests) == ("gpt-5", 20)
    assert len(told.by_client) <= MOST_NAMES + 1
    assert sum(share.requests for share in told.by_client) == 420
