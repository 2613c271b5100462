import logging
import os
import stat
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poe2openai.config import models_file
from poe2openai.config.models_file import ConfigState, ModelsFile, ModelsFileStore
from tests.support.waiting import comes

GOOD = "models: {gpt-5: {mapping: one}}\n"
BETTER = "models: {gpt-5: {mapping: another}}\n"
BROKEN = "enable: true\nmodels:\n  gpt-5: [\napi_token: p0e-s3cret\n"
COPY = ".models.last-good.yaml"


def aliases(file: ModelsFile) -> list[str]:
    return [alias for settings in file.models.values() for alias in settings.mapping]


def serves(store: ModelsFileStore, alias: str) -> bool:
    return aliases(store.current()) == [alias]


def write(directory: Path, text: str) -> None:
    (directory / "models.yaml").write_text(text)


def save_by_rename(directory: Path, text: str) -> None:
    aside = directory / "models.yaml.new"
    aside.write_text(text)
    aside.replace(directory / "models.yaml")


def without_time(state: ConfigState) -> tuple[str, bool, str | None]:
    return state.source, state.ok, state.error


class TestChanges:
    @pytest.mark.parametrize("save", [write, save_by_rename])
    def test_a_change_is_there_within_a_second(self, tmp_path: Path, save: Callable[[Path, str], None]) -> None:
        save(tmp_path, GOOD)
        store = ModelsFileStore(tmp_path)
        assert aliases(store.current()) == ["one"]
        for text, alias in [(BETTER, "another"), (GOOD, "one"), (BETTER, "another")]:
            save(tmp_path, text)
            assert comes(partial(serves, store, alias), within=1.0)

    def test_a_change_of_the_same_length_at_once_after_the_start(self, tmp_path: Path) -> None:
        write(tmp_path, GOOD)
        store = ModelsFileStore(tmp_path)
        write(tmp_path, GOOD.replace("one", "two"))
        assert comes(lambda: aliases(store.current()) == ["two"])

    def test_a_change_nobody_watched_is_there_at_once(self, tmp_path: Path) -> None:
        write(tmp_path, GOOD)
        store = ModelsFileStore(tmp_path)
        write(tmp_path, BETTER)
        time.sleep(0.3)
        assert aliases(store.current()) == ["another"]

    def test_a_file_with_a_time_in_the_future_is_read(self, tmp_path: Path) -> None:
        write(tmp_path, GOOD)
        store = ModelsFileStore(tmp_path)
        write(tmp_path, BETTER)
        later = time.time() + 3600
        os.utime(tmp_path / "models.yaml", (later, later))
        assert comes(lambda: aliases(store.current()) == ["another"])

    def test_the_same_content_stays_the_same_object(self, tmp_path: Path) -> None:
        write(tmp_path, GOOD)
        store = ModelsFileStore(tmp_path)
        before = store.current()
        save_by_rename(tmp_path, GOOD)
        time.sleep(0.3)
        assert store.current() is before

    def test_a_half_written_file_is_never_seen(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its beginning is valid YAML of the right shape."""
        # Longer than a busy machine may pause this test.
        monkeypatch.setattr(models_file, "STILL_SECONDS", 1.0)
        write(tmp_path, GOOD)
        store = ModelsFileStore(tmp_path)
        seen: set[str] = set()
        with (tmp_path / "models.yaml").open("w") as file:
            for piece in ["models:\n", "  gpt-5: {mapping: half}\n", "  gpt-4o: {mapping: whole}\n"]:
                file.write(piece)
                file.flush()
                for _ in range(8):
                    seen.update(aliases(store.current()))
                    time.sleep(0.01)
        assert seen == {"one"}
        assert comes(lambda: aliases(store.current()) == ["half", "whole"], within=3)

    def test_many_threads_see_the_one_or_the_other(self, tmp_path: Path) -> None:
        write(tmp_path, GOOD)
        store = ModelsFileStore(tmp_path)
        seen: set[str] = set()
        over = threading.Event()

        def look() -> None:
            while not over.is_set():
                seen.update(aliases(store.current()))

        threads = [threading.Thread(target=look) for _ in range(4)]
        for thread in threads:
            thread.start()
        for text in [BETTER, BROKEN, GOOD, ""]:
            save_by_rename(tmp_path, text)
            time.sleep(0.25)
        over.set()
        for thread in threads:
            thread.join()
        assert seen == {"one", "another"}


class TestBrokenFiles:
    @pytest.mark.parametrize(
        "text", [BROKEN, "", "# all gone\n", "models:\n", "just words", "a: &x [*x]", "[" * 100_000]
    )
    def test_the_last_good_one_stays(self, tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture) -> None:
        write(tmp_path, GOOD)
        store = ModelsFileStore(tmp_path)
        before = store.current()
        write(tmp_path, text)
        assert comes(lambda: not store.state().ok)
        assert store.current() is before
        assert store.state().source == "last_good"
        for _ in range(50):
            store.current()
        assert len([record for record in caplog.records if record.levelno >= logging.ERROR]) == 1

    def test_the_state_tells_the_line_and_no_secret(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        write(tmp_path, BROKEN)
        store = ModelsFileStore(tmp_path)
        source, ok, error = without_time(store.state())
        assert (source, ok) == ("none", False)
        assert error is not None
        assert error.startswith("line ")
        assert "s3cret" not in error + caplog.text
        assert store.current() == ModelsFile()

    def test_a_repaired_file_is_in_order_again(self, tmp_path: Path) -> None:
        write(tmp_path, GOOD)
        store = ModelsFileStore(tmp_path)
        write(tmp_path, BROKEN)
        assert comes(lambda: not store.state().ok)
        write(tmp_path, GOOD)
        assert comes(lambda: store.state().ok)
        assert without_time(store.state()) == ("file", True, None)
        write(tmp_path, BETTER)
        assert comes(lambda: aliases(store.current()) == ["another"])

    def test_warnings_reach_the_log(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        write(tmp_path, "colour: red\n")
        ModelsFileStore(tmp_path)
        assert "line 1: unknown key colour is ignored" in caplog.text

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
    def test_what_is_no_file_is_told_and_never_waited_for(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "models.yaml")
        store = ModelsFileStore(tmp_path)
        assert without_time(store.state()) == ("none", False, "it is not a file")

    def test_what_cannot_be_looked_at_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "models.yaml").symlink_to("models.yaml")
        store = ModelsFileStore(tmp_path, GOOD)
        source, ok, error = without_time(store.state())
        assert (source, ok) == ("environment", False)
        assert error is not None
        assert error.startswith("it cannot be read: ")

    def test_a_folder_in_its_place_is_told(self, tmp_path: Path) -> None:
        """Docker makes one when a file that does not exist is mounted."""
        (tmp_path / "models.yaml").mkdir()
        store = ModelsFileStore(tmp_path, GOOD)
        assert without_time(store.state()) == ("environment", False, "it is not a file")
        assert aliases(store.current()) == ["one"]

    @settings(max_examples=60, deadline=None)
    @given(st.one_of(st.binary(max_size=200), st.text("models: {}[]-&*!\n\"'a", max_size=60).map(str.encode)))
    def test_any_content_leaves_a_gateway_with_a_setting(self, data: bytes) -> None:
        with tempfile.TemporaryDirectory() as name:
            directory = Path(name)
            write(directory, GOOD)
            ModelsFileStore(directory)
            (directory / "models.yaml").write_bytes(data)
            store = ModelsFileStore(directory)
            state = store.state()
            assert state.ok or aliases(store.current()) == ["one"]
            assert state.source == ("file" if state.ok else "last_good")


class TestRestarts:
    def test_a_worker_that_starts_with_a_broken_file_has_the_last_good_one(self, tmp_path: Path) -> None:
        write(tmp_path, GOOD)
        ModelsFileStore(tmp_path)
        write(tmp_path, BROKEN)
        store = ModelsFileStore(tmp_path)
        assert aliases(store.current()) == ["one"]
        assert store.state().source == "last_good"
        assert not store.state().ok
        assert store.state().loaded_at is not None
        write(tmp_path, BETTER)
        assert comes(lambda: aliases(store.current()) == ["another"])
        assert store.state().ok

    def test_the_copy_follows_each_good_file(self, tmp_path: Path) -> None:
        write(tmp_path, GOOD)
        store = ModelsFileStore(tmp_path)
        write(tmp_path, BETTER)
        assert comes(lambda: aliases(store.current()) == ["another"])
        assert (tmp_path / COPY).read_text() == BETTER
        assert sorted(path.name for path in tmp_path.iterdir()) == [COPY, "models.yaml"]

    def test_the_copy_is_for_its_owner_alone(self, tmp_path: Path) -> None:
        write(tmp_path, GOOD)
        ModelsFileStore(tmp_path)
        assert stat.S_IMODE((tmp_path / COPY).stat().st_mode) == 0o600

    @pytest.mark.parametrize("spoil", [lambda copy: copy.write_text(BROKEN), lambda copy: copy.mkdir()])
    def test_a_spoilt_copy_is_no_obstacle(self, tmp_path: Path, spoil: Callable[[Path], object]) -> None:
        spoil(tmp_path / COPY)
        write(tmp_path, BROKEN)
        assert without_time(ModelsFileStore(tmp_path).state())[:2] == ("none", False)
        write(tmp_path, GOOD)
        assert aliases(ModelsFileStore(tmp_path).current()) == ["one"]


class TestAbsence:
    def test_without_a_file_the_defaults_apply(self, tmp_path: Path) -> None:
        store = ModelsFileStore(tmp_path)
        assert store.current() == ModelsFile()
        assert store.state() == ConfigState("none", ok=True)
        assert list(tmp_path.iterdir()) == []

    def test_a_file_that_comes_later_is_read(self, tmp_path: Path) -> None:
        store = ModelsFileStore(tmp_path / "later")
        (tmp_path / "later").mkdir()
        write(tmp_path / "later", GOOD)
        assert comes(lambda: aliases(store.current()) == ["one"])

    def test_a_missing_folder_or_a_file_in_its_place_is_no_obstacle(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("x")
        for directory in [tmp_path / "missing", tmp_path / "file"]:
            assert without_time(ModelsFileStore(directory).state()) == ("none", True, None)
            assert aliases(ModelsFileStore(directory, GOOD).current()) == ["one"]

    def test_a_moment_without_the_file_is_no_change(self, tmp_path: Path) -> None:
        write(tmp_path, GOOD)
        store = ModelsFileStore(tmp_path)
        before = store.current()
        (tmp_path / "models.yaml").unlink()
        assert not comes(lambda: store.current() is not before, within=0.2)
        write(tmp_path, BETTER)
        assert comes(lambda: store.current() is not before)
        assert aliases(store.current()) == ["another"]

    def test_a_deleted_file_ends_in_the_defaults_and_does_not_come_back(self, tmp_path: Path) -> None:
        write(tmp_path, GOOD)
        store = ModelsFileStore(tmp_path)
        (tmp_path / "models.yaml").unlink()
        assert comes(lambda: store.current() == ModelsFile(), within=1)
        assert without_time(store.state()) == ("none", True, None)
        write(tmp_path, BROKEN)
        assert aliases(ModelsFileStore(tmp_path).current()) == []

    def test_a_watched_file_is_seen_where_nobody_asks(self, tmp_path: Path) -> None:
        write(tmp_path, GOOD)
        store = ModelsFileStore(tmp_path)
        store.watch()
        try:
            (tmp_path / "models.yaml").unlink()
            time.sleep(1)
            # The only look since: without the watch it would be the first to find nothing, and wait for more.
            assert store.current() == ModelsFile()
        finally:
            store.stop()


class TestEnvironment:
    def test_it_serves_where_there_is_no_file(self, tmp_path: Path) -> None:
        store = ModelsFileStore(tmp_path, '{"models": {"gpt-5": {"mapping": "inline"}}}')
        assert aliases(store.current()) == ["inline"]
        assert without_time(store.state()) == ("environment", True, None)
        assert store.state().loaded_at is not None

    def test_a_file_is_stronger(self, tmp_path: Path) -> None:
        write(tmp_path, GOOD)
        store = ModelsFileStore(tmp_path, BETTER)
        assert aliases(store.current()) == ["one"]
        assert without_time(store.state()) == ("file", True, None)

    def test_a_broken_one_is_told_and_ignored(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        store = ModelsFileStore(tmp_path, BROKEN)
        assert store.current() == ModelsFile()
        source, ok, error = without_time(store.state())
        assert (source, ok) == ("none", False)
        assert error is not None
        assert error.startswith("MODELS_YAML: line ")
        assert "s3cret" not in error + caplog.text

    def test_bytes_that_are_no_text_are_told(self, tmp_path: Path) -> None:
        text = b"a: \xff".decode(errors="surrogateescape")
        assert not ModelsFileStore(tmp_path, text).state().ok
