"""The owner's password, and the one that is made where there is none."""

import logging
import stat
from pathlib import Path

import pytest

from poe2openai.config.settings import Settings
from poe2openai.web.admin.password import FILE_NAME, LONGEST, AdminPassword


def password_of(folder: Path, password: str = "", username: str = "admin") -> AdminPassword:
    return AdminPassword(Settings(config_dir=folder, admin_password=password, admin_username=username))


def shown(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.args[1] for record in caplog.records if "open with the name" in record.msg and record.args]  # type: ignore[misc,index]


class TestTheOwners:
    def test_name_and_password_have_to_be_right(self, tmp_path: Path) -> None:
        password = password_of(tmp_path, "correct horse", "owner")
        assert password.matches("owner", "correct horse")
        for name, word in [("owner", "correct horse "), ("Owner", "correct horse"), ("", ""), ("owner", "")]:
            assert not password.matches(name, word)

    def test_any_characters(self, tmp_path: Path) -> None:
        assert password_of(tmp_path, "密碼 ñ").matches("admin", "密碼 ñ")
        assert not password_of(tmp_path, "密碼").matches("admin", "\udc80")

    def test_it_is_written_nowhere(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        password_of(tmp_path, "correct horse")
        assert list(tmp_path.iterdir()) == []
        assert "correct horse" not in caplog.text

    @pytest.mark.parametrize("word", ["123456", "admin", "PassWord", "changeme", "x", "1234567"])
    def test_a_weak_one_works_and_is_warned_of(
        self, tmp_path: Path, word: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        password = password_of(tmp_path, word)
        assert password.is_weak
        assert password.matches("admin", word)
        assert "ADMIN_PASSWORD is weak" in caplog.text
        assert not password_of(tmp_path, "correct horse").is_weak


class TestTheOneThatIsMade:
    def test_is_shown_once_and_kept_hashed(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        first, second = password_of(tmp_path), password_of(tmp_path)
        (word,) = shown(caplog)
        assert first.matches("admin", word)
        assert second.matches("admin", word)
        assert not second.matches("admin", word + "x")
        path = tmp_path / FILE_NAME
        assert word not in path.read_text()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert not first.is_weak

    def test_each_gateway_has_its_own(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        for name in "ab":
            (tmp_path / name).mkdir()
            password_of(tmp_path / name)
        one, other = shown(caplog)
        assert one != other
        assert len(one) >= 16

    def test_where_none_can_be_kept_nobody_gets_in(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        password = password_of(tmp_path / "missing")
        assert not password.is_set
        assert not password.matches("admin", "")
        assert "stay shut" in caplog.text

    def test_an_endless_one_is_not_even_hashed(self, tmp_path: Path) -> None:
        assert not password_of(tmp_path).matches("admin", "x" * (LONGEST + 1))


def test_another_name_or_password_is_another_fingerprint(tmp_path: Path) -> None:
    cases = [("a", "x"), ("b", "x"), ("a", "y"), ("", "x")]
    assert len({password_of(tmp_path, word, name).fingerprint for word, name in cases}) == 4
