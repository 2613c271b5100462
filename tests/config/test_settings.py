import os
import pickle
import re
from dataclasses import FrozenInstanceError, fields, replace
from pathlib import Path

import pytest

from poe2openai.config.settings import SettingInfo, Settings, SettingsError, load_settings

SECRETS = {
    "poe_api_keys",
    "access_tokens",
    "proxy",
    "models_yaml",
    "ratelimit_storage_uri",
    "admin_password",
    "embeddings_api_key",
    "database_url",
}


def test_without_any_variable_the_defaults_are_the_predecessors() -> None:
    settings = load_settings({})

    assert (settings.host, settings.port) == ("0.0.0.0", 8080)
    assert (settings.admin_username, settings.admin_password) == ("admin", "")
    assert settings.max_request_size == 1_073_741_824
    assert settings.log_level == "info"
    assert settings.config_dir == Path("./")
    assert settings.rate_limit_ms == 100
    assert (settings.url_cache_ttl_seconds, settings.url_cache_size_mb) == (259_200, 100)
    assert settings.poe_base_url == "https://api.poe.com"
    assert settings.poe_file_upload_url == "https://www.quora.com/poe_api/file_upload_3RD_PARTY_POST"
    assert not settings.media_fetch
    assert settings.allow_client_keys
    assert settings == Settings()


def test_variables_are_the_fields_in_capitals() -> None:
    settings = load_settings(
        {
            "PORT": "9000",
            "POE_API_KEYS": '["first", "second"]',
            "ACCESS_TOKENS": "friend, colleague",
            "ALLOW_CLIENT_KEYS": "off",
            "PROXY": "socks5h://127.0.0.1:1080",
            "CONFIG_DIR": "/data",
            "MODELS_YAML": "enable: true\nmodels: {}\n",
            "STREAM_PING_SECONDS": "2.5",
            "port": "1",
        }
    )

    assert settings.port == 9000
    assert settings.poe_api_keys == ("first", "second")
    assert settings.access_tokens == ("friend", "colleague")
    assert not settings.allow_client_keys
    assert settings.proxy == "socks5h://127.0.0.1:1080"
    assert settings.config_dir == Path("/data")
    assert settings.models_yaml == "enable: true\nmodels: {}\n"
    assert settings.stream_ping_seconds == 2.5


def test_the_process_own_environment_is_read_when_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATE_LIMIT_MS", "0")

    assert load_settings().rate_limit_ms == 0


class TestFiles:
    def test_as_they_are_set(self) -> None:
        settings = load_settings(
            {
                "POE_FILE_UPLOAD_URL": "http://127.0.0.1:9000/upload",
                "URL_CACHE_TTL_SECONDS": "0",
                "URL_CACHE_SIZE_MB": "2000",
                "MEDIA_FETCH": "true",
            }
        )

        assert settings.poe_file_upload_url == "http://127.0.0.1:9000/upload"
        assert (settings.url_cache_ttl_seconds, settings.url_cache_size_mb) == (0, 2000)
        assert settings.media_fetch

    @pytest.mark.parametrize(
        ("variable", "value"),
        [
            ("POE_FILE_UPLOAD_URL", "ftp://host/upload"),
            ("POE_FILE_UPLOAD_URL", "upload"),
            ("URL_CACHE_TTL_SECONDS", "-1"),
            ("URL_CACHE_TTL_SECONDS", "3d"),
            ("URL_CACHE_SIZE_MB", "-1"),
            ("URL_CACHE_SIZE_MB", "1.5"),
            ("MEDIA_FETCH", "sometimes"),
        ],
    )
    def test_what_is_refused(self, variable: str, value: str) -> None:
        with pytest.raises(SettingsError, match=f"^{variable} "):
            load_settings({variable: value})

    def test_they_stand_together_in_the_documentation(self) -> None:
        names = {each.name for each in fields(Settings) if _info(each.name).theme == "Files"}
        assert names == {"poe_file_upload_url", "url_cache_ttl_seconds", "url_cache_size_mb", "media_fetch"}


@pytest.mark.parametrize("blank", ["", "  ", "\n"])
def test_an_empty_variable_counts_as_not_set(blank: str) -> None:
    assert load_settings({each.name.upper(): blank for each in fields(Settings)}) == Settings()


@pytest.mark.parametrize("cores", [1, 3, 64])
def test_there_is_a_worker_for_each_core_but_no_more_than_four(cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(cores)), raising=False)

    assert load_settings({}).web_concurrency == min(cores, 4)
    assert load_settings({"WEB_CONCURRENCY": "7"}).web_concurrency == 7


def test_a_bad_value_is_told_with_the_variable_what_was_found_and_what_is_accepted() -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings({"PORT": "80a"})

    assert str(refused.value) == "PORT is '80a', but must be a whole number, 0 to 65535."


def test_an_error_is_one_line_of_bearable_length() -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings({"LOG_LEVEL": "loud\nINFO forged" + "x" * 10_000})

    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 250


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("POE_API_KEYS", '["hush", 1]'),
        ("POE_API_KEYS", "hush hush"),
        ("ACCESS_TOKENS", '["hush"'),
        ("PROXY", "hush:hush@host"),
        ("RATELIMIT_STORAGE_URI", "memcached://:hush@host"),
        ("POE_BASE_URL", "ftp://name:hush@host"),
    ],
)
def test_a_secret_never_stands_in_an_error(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^{variable} must ") as refused:
        load_settings({variable: value})

    assert "hush" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


def test_a_secret_never_stands_in_the_repr() -> None:
    settings = Settings(
        poe_api_keys=("hush",),
        access_tokens=("hush",),
        proxy="http://name:hush@host",
        models_yaml="api_token: hush",
        ratelimit_storage_uri="redis://:hush@host",
        admin_password="hush",
    )

    assert "hush" not in repr(settings)
    assert {each.name for each in fields(Settings) if not each.repr} == SECRETS
    assert {each.name for each in fields(Settings) if _info(each.name).secret} == SECRETS


def test_access_tokens_need_keys_to_be_served_with() -> None:
    with pytest.raises(SettingsError, match=r"^ACCESS_TOKENS needs POE_API_KEYS"):
        load_settings({"ACCESS_TOKENS": "friend"})


@pytest.mark.parametrize("keys", ["", "a-key"])
def test_a_gateway_that_nobody_could_use_does_not_start(keys: str) -> None:
    with pytest.raises(SettingsError, match="nobody could get in"):
        load_settings({"ALLOW_CLIENT_KEYS": "false", "POE_API_KEYS": keys})


def test_settings_stay_as_they_are() -> None:
    settings = Settings()

    with pytest.raises(FrozenInstanceError):
        settings.port = 1  # type: ignore[misc]
    assert replace(settings, port=1).port == 1
    assert pickle.loads(pickle.dumps(settings)) == settings


def test_every_setting_has_a_theme_and_a_sentence() -> None:
    for each in fields(Settings):
        info = _info(each.name)
        assert info.theme, each.name
        assert re.match(r"[A-Z0-9`].*\.$", info.sentence, re.DOTALL), each.name


def _info(name: str) -> SettingInfo:
    info: SettingInfo = next(each for each in fields(Settings) if each.name == name).metadata["info"]
    return info
