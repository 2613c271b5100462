"""Secrets in files: made once, whoever comes at the same time, and readable for nobody else."""

import os
import stat
import threading
from pathlib import Path

import pytest

from poe2openai.web import private_files
from poe2openai.web.private_files import kept, replace, secret_key


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_is_made_is_kept_and_private(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    old = os.umask(0)
    try:
        assert kept(path, lambda: "first") == ("first", True)
    finally:
        os.umask(old)
    assert kept(path, lambda: "second") == ("first", False)
    assert mode(path) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["secret"]


def test_of_many_at_once_one_makes_it_and_nobody_reads_half(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    found: list[tuple[str, bool]] = []
    barrier = threading.Barrier(8)

    def come(number: int) -> None:
        barrier.wait()
        found.append(kept(path, lambda: str(number) * 10_000))

    threads = [threading.Thread(target=come, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({text for text, _ in found}) == 1
    assert [is_new for _, is_new in found].count(True) == 1
    assert len(found[0][0]) == 10_000


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        kept(tmp_path / "missing" / "secret", lambda: "x")


def test_another_text_takes_its_place_at_once(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    kept(path, lambda: "old")
    replace(path, "new")
    assert path.read_text() == "new"
    assert mode(path) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["secret"]


class TestSecretKey:
    def test_is_the_same_for_all_workers_and_after_a_restart(self, tmp_path: Path) -> None:
        assert secret_key(tmp_path, ".key") == secret_key(tmp_path, ".key")
        assert len(secret_key(tmp_path, ".key")) == 32

    def test_where_the_folder_is_not_there_another_place_keeps_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shared = tmp_path / "shared"
        shared.mkdir()
        monkeypatch.setattr(private_files, "private_directory", lambda: shared)
        missing = tmp_path / "missing"
        assert secret_key(missing, ".key") == secret_key(missing, ".key")
        assert secret_key(tmp_path / "other", ".key") != secret_key(missing, ".key")

    @pytest.mark.parametrize("garbage", ["not hexadecimal", "", "abcd"])
    def test_garbage_in_its_place_is_no_key(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, garbage: str
    ) -> None:
        monkeypatch.setattr(private_files, "private_directory", lambda: None)
        (tmp_path / ".key").write_text(garbage)
        assert secret_key(tmp_path, ".key") != secret_key(tmp_path, ".key")


def test_a_file_system_without_links_keeps_it_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", no_links)
    path = tmp_path / "secret"
    assert kept(path, lambda: "first") == ("first", True)
    assert kept(path, lambda: "second") == ("first", False)
    assert mode(path) == 0o600
