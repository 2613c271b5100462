"""Films that are being made: every worker answers for each, and each caller sees its own alone."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from poe2openai.core.errors import GatewayError
from poe2openai.store.database import Database
from poe2openai.store.videos import VideoJob, VideoJobs

MakeDatabase = Callable[..., Database]
ALICE, BOB = "alice", "bob"
KEPT = 3600.0
JOB: dict[str, Any] = {"video": {"id": "video_1", "progress": 0, "prompt": "é漢字 😀", "error": None}}


@pytest.fixture
def jobs(open_database: MakeDatabase, clock: Any) -> VideoJobs:
    return VideoJobs(open_database(), kept_seconds=KEPT, clock=clock)


def test_a_film_is_found_in_every_worker(jobs: VideoJobs, open_database: MakeDatabase, clock: Any) -> None:
    stored = jobs.add("video_1", ALICE, JOB)

    assert stored == VideoJob("video_1", ALICE, clock.now, clock.now, JOB)
    assert jobs.find(ALICE, "video_1") == stored
    assert VideoJobs(open_database(), kept_seconds=KEPT, clock=clock).find(ALICE, "video_1") == stored


def test_what_becomes_of_it_is_seen_in_every_worker(jobs: VideoJobs, open_database: MakeDatabase, clock: Any) -> None:
    jobs.add("video_1", ALICE, JOB)
    jobs.add("video_2", ALICE, JOB)
    began = clock.now
    clock.now += 7

    assert jobs.update("video_1", {"video": {"progress": 50}})

    other = VideoJobs(open_database(), kept_seconds=KEPT, clock=clock)
    assert other.find(ALICE, "video_1") == VideoJob("video_1", ALICE, began, began + 7, {"video": {"progress": 50}})
    assert other.find(ALICE, "video_2") == VideoJob("video_2", ALICE, began, began, JOB)


def test_another_callers_film_is_not_there(jobs: VideoJobs) -> None:
    jobs.add("video_1", ALICE, JOB)

    assert jobs.find(BOB, "video_1") is None
    assert jobs.all(BOB) == []
    assert not jobs.delete(BOB, "video_1")
    assert jobs.find(ALICE, "video_1")


@pytest.mark.parametrize("video_id", ["", "video_", "'; --", "%", "x" * 10_000, "\0", "é"])
def test_an_id_that_nobody_has_is_not_there(jobs: VideoJobs, video_id: str) -> None:
    jobs.add("video_1", ALICE, JOB)

    assert jobs.find(ALICE, video_id) is None
    assert not jobs.delete(ALICE, video_id)
    assert not jobs.update(video_id, JOB)


def test_a_deleted_film_is_told_to_who_makes_it(jobs: VideoJobs) -> None:
    jobs.add("video_1", ALICE, JOB)

    assert jobs.delete(ALICE, "video_1")
    assert not jobs.delete(ALICE, "video_1")
    assert not jobs.update("video_1", JOB)
    assert jobs.find(ALICE, "video_1") is None


def test_all_are_listed_the_latest_first(jobs: VideoJobs, clock: Any) -> None:
    for name in ("b", "c", "a"):
        jobs.add(f"video_{name}", ALICE, JOB)
        clock.now += 1
    jobs.add("video_d", BOB, JOB)
    jobs.update("video_a", JOB)

    assert [job.id for job in jobs.all(ALICE)] == ["video_a", "video_c", "video_b"]


def test_films_of_one_moment_keep_one_order(jobs: VideoJobs) -> None:
    """Pages of a list would overlap otherwise."""
    for name in "bdac":
        jobs.add(f"video_{name}", ALICE, JOB)

    assert [job.id for job in jobs.all(ALICE)] == ["video_d", "video_c", "video_b", "video_a"]


def test_they_are_kept_for_a_while_however_often_they_are_noted(jobs: VideoJobs, clock: Any) -> None:
    jobs.add("video_1", ALICE, JOB)
    clock.now += KEPT - 1
    jobs.update("video_1", JOB)
    assert jobs.find(ALICE, "video_1")
    clock.now += 1
    assert jobs.find(ALICE, "video_1") is None
    assert jobs.all(ALICE) == []


def test_old_ones_make_room(jobs: VideoJobs, open_database: MakeDatabase, clock: Any) -> None:
    jobs.add("video_1", ALICE, JOB)
    clock.now += KEPT
    jobs.add("video_2", BOB, JOB)

    assert [job.id for job in VideoJobs(open_database(), kept_seconds=10 * KEPT, clock=clock).all(ALICE)] == []


def test_several_workers_may_note_at_once(open_database: MakeDatabase, clock: Any) -> None:
    """SQLite lets one write at a time; the others wait."""
    workers = [VideoJobs(open_database(), kept_seconds=KEPT, clock=clock) for _ in range(4)]
    problems: list[BaseException] = []

    def work(number: int, jobs: VideoJobs) -> None:
        try:
            jobs.add(f"video_{number}", ALICE, JOB)
            for progress in range(20):
                jobs.update(f"video_{number}", {"progress": progress})
        except GatewayError as problem:
            problems.append(problem)

    threads = [threading.Thread(target=work, args=each) for each in enumerate(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert problems == []
    assert [job.job for job in workers[0].all(ALICE)] == [{"progress": 19}] * 4


def test_without_storage_it_says_so(open_database: MakeDatabase, database_file: Path, clock: Any) -> None:
    database_file.mkdir()
    jobs = VideoJobs(open_database(), kept_seconds=KEPT, clock=clock)

    calls: list[Callable[[], object]] = [
        lambda: jobs.add("video_1", ALICE, JOB),
        lambda: jobs.update("video_1", JOB),
        lambda: jobs.find(ALICE, "video_1"),
        lambda: jobs.all(ALICE),
        lambda: jobs.delete(ALICE, "video_1"),
    ]
    for call in calls:
        with pytest.raises(GatewayError, match="storage fails"):
            call()
