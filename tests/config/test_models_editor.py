import errno
import os
import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from poe2openai.config import models_editor
from poe2openai.config.models_editor import ANY, Broken, Busy, Changed, ModelsEditor, Unwritable, etag_of
from poe2openai.config.models_file import ModelsFileStore
from poe2openai.config.models_object import InvalidConfig, read_object

FILE = """\
# Mine, and commented.
enable: true
models:
  # the good one
  gpt-5:
    mapping: one   # its name
    note: kept
api_token: poe-key-0123456789
"""


@pytest.fixture
def editor(tmp_path: Path) -> ModelsEditor:
    (tmp_path / "models.yaml").write_text(FILE)
    return ModelsEditor(tmp_path)


def saved(editor: ModelsEditor, name: str, etag: str | None = None, model: str = "gpt-5") -> tuple[dict[str, Any], str]:
    config = deepcopy(editor.show()[0])
    config["models"].setdefault(model, {})["mapping"] = name
    return editor.save(config, None if etag is None else [etag])


class TestShowing:
    def test_the_file_with_its_token_masked(self, editor: ModelsEditor) -> None:
        config, etag = editor.show()

        assert config["models"] == {"gpt-5": {"mapping": "one", "note": "kept"}}
        assert config["api_token"] == "••••6789"
        assert etag == etag_of(FILE.encode())

    def test_no_file(self, tmp_path: Path) -> None:
        assert ModelsEditor(tmp_path).show() == ({"enable": True, "models": {}, "custom_models": []}, etag_of(b""))

    def test_no_directory(self, tmp_path: Path) -> None:
        assert ModelsEditor(tmp_path / "none").show()[0]["models"] == {}

    def test_models_yaml_of_the_environment_where_there_is_no_file(self, tmp_path: Path) -> None:
        inline = "# inline\nmodels: {a: {enable: no}}\n"
        editor = ModelsEditor(tmp_path, inline)
        config, etag = editor.show()
        assert config["models"] == {"a": {"enable": False}}

        editor.save({**config, "enable": False}, [etag])

        assert (tmp_path / "models.yaml").read_text() == inline + "enable: false\n"
        assert editor.show()[0]["enable"] is False

    def test_a_change_by_hand_is_seen(self, editor: ModelsEditor, tmp_path: Path) -> None:
        editor.show()
        (tmp_path / "models.yaml").write_text("enable: false\n")

        assert editor.show()[0] == {"enable": False, "models": {}, "custom_models": []}

    def test_a_broken_file(self, editor: ModelsEditor, tmp_path: Path) -> None:
        (tmp_path / "models.yaml").write_text("models: [\n")

        with pytest.raises(Broken, match="line 2") as problem:
            editor.show()
        assert problem.value.etag == etag_of(b"models: [\n")

    def test_what_is_no_file(self, tmp_path: Path) -> None:
        (tmp_path / "models.yaml").mkdir()

        with pytest.raises(Broken, match="not a file"):
            ModelsEditor(tmp_path).show()

    def test_the_export_is_the_file_but_for_its_token(self, editor: ModelsEditor) -> None:
        assert editor.export().decode() == FILE.replace("poe-key-0123456789", "••••6789")


class TestSaving:
    def test_what_is_not_changed_stays_as_it_is(self, editor: ModelsEditor, tmp_path: Path) -> None:
        config, etag = saved(editor, "two", editor.show()[1])

        assert (tmp_path / "models.yaml").read_text() == FILE.replace("one ", "two ")
        assert (config, etag) == editor.show() == ModelsEditor(tmp_path).show()

    def test_the_masked_token_stands_for_the_one_there_is(self, editor: ModelsEditor, tmp_path: Path) -> None:
        config, _ = editor.show()

        editor.save({**config, "enable": False}, None)
        assert "api_token: poe-key-0123456789\n" in (tmp_path / "models.yaml").read_text()

        editor.save({**config, "api_token": "another-token"}, None)
        assert "api_token: another-token\n" in (tmp_path / "models.yaml").read_text()

    def test_the_file_is_for_this_user_alone(self, editor: ModelsEditor, tmp_path: Path) -> None:
        (tmp_path / "models.yaml").chmod(0o644)

        saved(editor, "two")

        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
        assert modes == {"models.yaml": 0o600, models_editor.LOCK_NAME: 0o600}

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
    def test_the_file_stays_its_owners(self, editor: ModelsEditor, tmp_path: Path) -> None:
        os.chown(tmp_path / "models.yaml", 12345, 54321)

        saved(editor, "two")

        found = (tmp_path / "models.yaml").stat()
        assert (found.st_uid, found.st_gid) == (12345, 54321)

    def test_a_first_save_makes_the_file(self, tmp_path: Path) -> None:
        saved(ModelsEditor(tmp_path), "x")

        text = (tmp_path / "models.yaml").read_text()
        assert text == "enable: true\nmodels:\n  gpt-5:\n    mapping: x\ncustom_models: []\n"

    def test_an_emptied_file_is_written_anew(self, tmp_path: Path) -> None:
        (tmp_path / "models.yaml").write_text("# soon\n")

        saved(ModelsEditor(tmp_path), "x")

        assert (tmp_path / "models.yaml").read_text().startswith("# soon\nenable: true\n")

    def test_a_link_stays_a_link(self, tmp_path: Path) -> None:
        (tmp_path / "real").mkdir()
        (tmp_path / "config").mkdir()
        (tmp_path / "real" / "mine.yaml").write_text(FILE)
        (tmp_path / "config" / "models.yaml").symlink_to("../real/mine.yaml")

        saved(ModelsEditor(tmp_path / "config"), "two")

        assert (tmp_path / "config" / "models.yaml").is_symlink()
        assert (tmp_path / "real" / "mine.yaml").read_text() == FILE.replace("one ", "two ")
        assert [path.name for path in (tmp_path / "real").iterdir()] == ["mine.yaml"]

    def test_what_the_gateway_would_refuse_is_not_saved(self, editor: ModelsEditor, tmp_path: Path) -> None:
        with pytest.raises(InvalidConfig, match=r"models\.gpt-5\.mapping"):
            saved(editor, " ")
        assert (tmp_path / "models.yaml").read_text() == FILE

    def test_the_gateway_takes_it_at_once(self, editor: ModelsEditor, tmp_path: Path) -> None:
        store = ModelsFileStore(tmp_path)
        assert store.current().models["gpt-5"].mapping == ("one",)

        for name in ("two", "six", "ten"):
            saved(editor, name)
            assert store.current().models["gpt-5"].mapping == (name,)
            assert store.state().ok


class TestConflicts:
    def test_the_second_is_shown_what_changed(self, editor: ModelsEditor) -> None:
        mine, etag = editor.show()
        saved(editor, "theirs")

        with pytest.raises(Changed) as conflict:
            editor.save({**mine, "enable": False}, [etag])

        assert conflict.value.found == [{"path": "models.gpt-5.mapping", "before": "one", "after": "theirs"}]
        assert (conflict.value.config, conflict.value.etag) == editor.show()
        assert "poe-key" not in str(vars(conflict.value))

    def test_a_state_that_this_worker_never_saw(self, editor: ModelsEditor, tmp_path: Path) -> None:
        mine, etag = editor.show()
        saved(editor, "theirs")

        with pytest.raises(Changed) as conflict:
            ModelsEditor(tmp_path).save({**mine, "enable": False}, [etag])

        assert conflict.value.found == [
            {"path": "enable", "before": None, "after": True},
            {"path": "models.gpt-5.mapping", "before": None, "after": "theirs"},
        ]

    def test_a_state_that_another_worker_showed_and_this_one_replaced(
        self, editor: ModelsEditor, tmp_path: Path
    ) -> None:
        mine, etag = editor.show()
        editor.save({**mine, "enable": False}, None)
        mine, etag = ModelsEditor(tmp_path).show()
        editor.save({**mine, "enable": True}, None)

        with pytest.raises(Changed) as conflict:
            editor.save(mine, [etag])

        assert conflict.value.found == [{"path": "enable", "before": False, "after": True}]

    def test_a_conflict_shows_no_token(self, editor: ModelsEditor) -> None:
        mine, etag = editor.show()
        editor.save({**mine, "api_token": "another-token-4321"}, [etag])

        with pytest.raises(Changed) as conflict:
            editor.save(mine, [etag])

        assert conflict.value.found == [{"path": "api_token", "before": "••••6789", "after": "••••4321"}]

    @pytest.mark.parametrize("known", [None, [ANY], ["0" * 64, "there"]])
    def test_who_does_not_care_or_knows_saves(self, editor: ModelsEditor, known: list[str] | None) -> None:
        config, etag = editor.show()

        editor.save({**config, "enable": False}, [etag if one == "there" else one for one in known] if known else None)

        assert editor.show()[0]["enable"] is False

    def test_the_states_that_are_kept_are_few(self, editor: ModelsEditor, monkeypatch: pytest.MonkeyPatch) -> None:
        mine, etag = editor.show()
        for i in range(models_editor.MOST_STATES + 2):
            saved(editor, f"name-{i}")

        with pytest.raises(Changed) as conflict:
            editor.save(mine, [etag])

        assert [change["before"] for change in conflict.value.found] == [None]

    def test_they_are_bound_in_bytes(self, editor: ModelsEditor, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(models_editor, "_MOST_STATES_BYTES", 2 * len(FILE))
        mine, etag = editor.show()
        for name in ("a", "b", "c"):
            saved(editor, name)

        with pytest.raises(Changed) as conflict:
            editor.save(mine, [etag])

        assert [change["before"] for change in conflict.value.found] == [None]

    def test_many_at_once_lose_nothing(self, editor: ModelsEditor, tmp_path: Path) -> None:
        def one(number: int) -> None:
            own = ModelsEditor(tmp_path)
            while True:
                config, etag = own.show()
                config = deepcopy(config)
                config["models"][f"model-{number}"] = {"mapping": f"name-{number}"}
                try:
                    own.save(config, [etag])
                except Changed:
                    continue
                return

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(one, range(16)))

        assert editor.show()[0]["models"].keys() == {"gpt-5", *(f"model-{number}" for number in range(16))}
        assert (tmp_path / "models.yaml").read_text().startswith(FILE[: FILE.index("api_token")])


class TestBrokenFile:
    BROKEN = "models: [\napi_token: keep-me\n"

    def test_it_is_not_overwritten_unseen(self, editor: ModelsEditor, tmp_path: Path) -> None:
        (tmp_path / "models.yaml").write_text(self.BROKEN)

        with pytest.raises(Broken):
            editor.save({"enable": False}, None)
        with pytest.raises(Changed) as conflict:
            editor.save({"enable": False}, [etag_of(b"another")])

        assert conflict.value.config is None
        assert (tmp_path / "models.yaml").read_text() == self.BROKEN

    def test_who_has_seen_it_puts_another_in_its_place(self, editor: ModelsEditor, tmp_path: Path) -> None:
        (tmp_path / "models.yaml").write_text(self.BROKEN)

        editor.save({"enable": False}, [etag_of(self.BROKEN.encode())])

        assert editor.show()[0]["enable"] is False
        aside = tmp_path / models_editor.BROKEN_NAME
        assert aside.read_text() == self.BROKEN
        assert stat.S_IMODE(aside.stat().st_mode) == 0o600


class TestDisk:
    @pytest.mark.parametrize(
        ("number", "told"),
        [(errno.EROFS, "Read-only"), (errno.EACCES, "Permission denied"), (errno.ENOSPC, "disk is full")],
    )
    def test_why_nothing_can_be_saved_is_told(
        self, editor: ModelsEditor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, told: str
    ) -> None:
        config, _ = editor.show()

        def refuse(path: Any, *_: Any) -> int:
            raise OSError(number, os.strerror(number), str(path))

        monkeypatch.setattr(os, "open", refuse)
        with pytest.raises(Unwritable, match=told):
            editor.save({**config, "enable": False}, None)
        assert (tmp_path / "models.yaml").read_text() == FILE

    def test_a_directory_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(Unwritable, match="does not exist"):
            ModelsEditor(tmp_path / "none").save({"enable": False}, None)

    def test_a_file_that_is_mounted_by_itself(
        self, editor: ModelsEditor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(self: Path, target: Any) -> Path:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

        monkeypatch.setattr(Path, "replace", refuse)
        with pytest.raises(Unwritable, match="mount its folder"):
            saved(editor, "two")
        monkeypatch.undo()

        assert {path.name for path in tmp_path.iterdir()} == {"models.yaml", models_editor.LOCK_NAME}
        assert (tmp_path / "models.yaml").read_text() == FILE

    def test_a_lock_that_never_comes_free(
        self, editor: ModelsEditor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(models_editor, "_LOCK_SECONDS", 0.1)
        with ModelsEditor(tmp_path)._locked(), pytest.raises(Busy):
            saved(editor, "two")
        saved(editor, "two")

    def test_a_reader_never_finds_half_a_file(self, editor: ModelsEditor, tmp_path: Path) -> None:
        path, found, over = tmp_path / "models.yaml", set(), threading.Event()

        def look() -> None:
            while not over.is_set():
                found.add(path.read_bytes())

        thread = threading.Thread(target=look)
        thread.start()
        for number in range(40):
            saved(editor, f"name-{number:02}", model=f"model-{number}")
            time.sleep(0.002)
        over.set()
        thread.join()

        assert len(found) > 5
        for data in found:
            names = [model["mapping"] for model in read_object(data)[0]["models"].values()]
            assert names == ["one", *(f"name-{number:02}" for number in range(len(names) - 1))]
