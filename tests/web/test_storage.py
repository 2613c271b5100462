"""Where the database lies, and that its work holds up no greenlet."""

import logging
import os
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from poe2openai.config.settings import Settings, SettingsError
from poe2openai.store.database import Database
from poe2openai.store.records import Records
from poe2openai.store.uploads import Upload, UploadCache, owner_of
from poe2openai.web import shared_table
from poe2openai.web.storage import FILE_NAME, database, database_aside
from tests.support.entries import entry
from tests.support.fixtures import GatewayFactory
from tests.support.poe_script import done, text
from tests.support.postgres_server import PASSWORD, QUOTED_PASSWORD, PostgresServer
from tests.support.scripted_poe import ScriptedPoe
from tests.support.waiting import comes

ROOT = Path(__file__).parents[2]
UPLOAD = Upload(owner_of("key"), "a", "https://x.test/a", "image/png", "a", 5)


def cache(found: Database) -> UploadCache:
    return UploadCache(found, ttl_seconds=60, max_bytes=10_000)


def is_shared(settings: Settings) -> bool:
    with closing(database(settings)) as one, closing(database(settings)) as other:
        cache(one).put(UPLOAD)
        return cache(other).find([UPLOAD.owner], "a") == UPLOAD


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    folder = tmp_path / "config"
    folder.mkdir()
    return replace(Settings(), config_dir=folder)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for what lasts until the machine restarts."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def read_only(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder's mode does not keep root out, so the system is made to say no."""
    monkeypatch.setattr(os, "access", lambda path, mode: not Path(path).is_relative_to(settings.config_dir))


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_it_lies_in_the_config_dir_for_its_owner_alone(settings: Settings, temporary: Path) -> None:
    assert is_shared(settings)
    assert (settings.config_dir / FILE_NAME).stat().st_mode & 0o777 == 0o600
    assert files_below(temporary) == []


def test_nothing_is_written_before_there_is_work(settings: Settings) -> None:
    database(settings)
    assert files_below(settings.config_dir) == []


@pytest.mark.usefixtures("read_only")
def test_where_nothing_can_be_written_it_lies_in_a_folder_of_ours(
    settings: Settings, temporary: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert is_shared(settings)

    assert files_below(settings.config_dir) == []
    (file,) = (path for path in files_below(temporary) if path.suffix == ".db")
    assert file.parent.stat().st_mode & 0o777 == 0o700
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert said
    assert all(line.startswith("CONFIG_DIR ") for line in said)


@pytest.mark.usefixtures("temporary")
def test_two_gateways_of_one_user_do_not_share_it(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    other = replace(settings, config_dir=tmp_path / "other")
    other.config_dir.mkdir()

    assert is_shared(settings)
    assert cache(database(other)).find([UPLOAD.owner], "a") is None


@pytest.mark.usefixtures("read_only")
def test_where_there_is_no_such_folder_either_nothing_is_remembered(
    settings: Settings, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = temporary / f"poe2openai-{os.geteuid()}"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)  # somebody else could have put files there
    monkeypatch.setattr(shared_table, "_MEMORY", temporary)
    (settings.config_dir / FILE_NAME).mkdir()

    assert not is_shared(settings)
    assert files_below(temporary) == []


WITH_GEVENT = """
from gevent import monkey; monkey.patch_all()
import gevent, pathlib, sys, threading, time
from dataclasses import replace
from poe2openai.config.settings import Settings
from poe2openai.core.errors import GatewayError
from poe2openai.web.storage import database

settings = replace(Settings(), config_dir=pathlib.Path(sys.argv[1]))
one, other = database(settings), database(settings)
claim = "INSERT INTO upload_claims VALUES ('o', '{}', 'h', 0)"
hub, threads, gaps = gevent.get_hub(), set(), [0.0]

def write(connection, name, seconds):
    from sqlalchemy import text
    threads.add(gevent.get_hub() is hub)
    connection.execute(text(claim.format(name)))
    monkey.get_original("time", "sleep")(seconds)
    return name

def watch():
    while True:
        began = time.monotonic()
        gevent.sleep(0.01)
        gaps.append(time.monotonic() - began)

one.must_work(lambda connection: write(connection, "zero", 0.0))
gevent.spawn(watch)
gevent.sleep(0.05)
slow = gevent.spawn(one.must_work, lambda connection: write(connection, "a", 0.5))
gevent.sleep(0.05)
waiting = gevent.spawn(other.must_work, lambda connection: write(connection, "b", 0.0))
more = [gevent.spawn(one.work, lambda connection, name=name: write(connection, name, 0.0), None) for name in "cdef"]
done = gevent.joinall([slow, waiting, *more], timeout=10, raise_error=True)
assert [each.value for each in (slow, waiting, *more)] == ["a", "b", *"cdef"], [each.value for each in done]
assert threads == {False}, "the work was done where everybody else runs"
assert max(gaps) < 0.3, max(gaps)
try:
    one.must_work(lambda connection: {}["none"])
except GatewayError:
    print("raised")
"""


def test_under_gevent_whoever_waits_for_a_lock_holds_up_nobody_else(settings: Settings) -> None:
    arguments = [sys.executable, "-W", "error", "-c", WITH_GEVENT, str(settings.config_dir)]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stdout) == (0, "raised\n"), done.stderr
    assert "Traceback" not in done.stderr, "what a statement is about is nobody's to read in the log"


ON_POSTGRES = """
from gevent import monkey; monkey.patch_all()
import gevent, pathlib, sys, time
from dataclasses import replace
from poe2openai.config.settings import Settings
from poe2openai.web.storage import database

settings = replace(Settings(), config_dir=pathlib.Path(sys.argv[1]), database_url=sys.argv[2])
one, other = database(settings), database(settings)
gaps = []

def watch():
    while True:
        began = time.monotonic()
        gevent.sleep(0.01)
        gaps.append(time.monotonic() - began)

def sleep(connection):
    connection.exec_driver_sql("SELECT pg_sleep(0.5)")
    return 1

assert one.must_work(sleep) and other.must_work(sleep)
gevent.spawn(watch)
gevent.sleep(0.05)
done = gevent.joinall([gevent.spawn(each.must_work, sleep) for each in (one, other, one)], timeout=20, raise_error=True)
assert [each.value for each in done] == [1, 1, 1]
assert max(gaps) < 0.3, max(gaps)
print("as it should be")
"""


class TestPostgres:
    def test_all_workers_and_the_records_share_it(self, settings: Settings, postgres_url: str) -> None:
        there = replace(settings, database_url=postgres_url)
        assert is_shared(there)
        with closing(database_aside(there)) as one, closing(database_aside(there)) as other:
            assert Records(one).write([entry()])
            assert Records(other).latest() == [entry()]
        assert files_below(settings.config_dir) == []

    def test_without_its_client_the_start_says_what_is_missing(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "psycopg", None)
        with pytest.raises(SettingsError, match=r"DATABASE_URL needs .* pip install psycopg\[binary\]") as caught:
            database(replace(settings, database_url="postgresql://me:secret@host/db"))
        assert "secret" not in str(caught.value)

    def test_a_url_that_is_none_is_told_without_it(self, settings: Settings) -> None:
        pytest.importorskip("psycopg")
        with pytest.raises(SettingsError, match="DATABASE_URL is no URL") as caught:
            database(replace(settings, database_url="postgresql://me:secret@host:port/db"))
        assert "secret" not in str(caught.value)

    def test_under_gevent_nobody_is_held_up(self, settings: Settings, postgres_url: str) -> None:
        arguments = [sys.executable, "-W", "error", "-c", ON_POSTGRES, str(settings.config_dir), postgres_url]
        run = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

        assert (run.returncode, run.stdout) == (0, "as it should be\n"), run.stderr
        assert "Traceback" not in run.stderr

    def test_a_gateway_that_has_lost_it_goes_on(
        self, make_gateway: GatewayFactory, poe: ScriptedPoe, postgres_server: PostgresServer
    ) -> None:
        url = postgres_server.url(postgres_server.new_database())
        gateway = make_gateway(fresh=True, DATABASE_URL=url, WEB_CONCURRENCY="2")
        poe.script("bot", text("hello"), done())
        aside = database_aside(replace(Settings(), database_url=url))
        records = Records(aside)

        def chat() -> None:
            with gateway.client() as client:
                assert client.chat(model="bot").status == 200

        chat()
        assert comes(lambda: len(records.latest()) == 1, 5)
        postgres_server.end()
        try:
            chat()
            gateway.wait_log("The store fails")
        finally:
            postgres_server.begin()
        chat()
        assert comes(lambda: len(records.latest()) >= 2, 5)
        assert PASSWORD not in gateway.log()
        assert QUOTED_PASSWORD not in gateway.log()
        assert not (gateway.directory / FILE_NAME).exists()
        aside.close()
