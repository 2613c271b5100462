"""The app, put together: several in one process do not know each other, and a bad setting says so."""

from pathlib import Path

import pytest

from poe2openai.config.settings import SettingsError
from poe2openai.web.factory import create_app
from poe2openai.web.services import EXTENSION
from tests.support.apps import app_for
from tests.support.scripted_poe import ScriptedPoe


def test_each_app_has_services_of_its_own(poe: ScriptedPoe, tmp_path: Path) -> None:
    with app_for(poe.url, tmp_path) as first, app_for(poe.url, tmp_path) as second:
        assert first.extensions[EXTENSION] is not second.extensions[EXTENSION]
        assert {app.test_client().get("/health").status_code for app in (first, second)} == {200}


def test_a_bad_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATE_LIMIT_MS", "often")
    with pytest.raises(SettingsError, match="RATE_LIMIT_MS"):
        create_app()


def test_the_whole_app_answers_in_one_shape_where_it_has_nothing(poe: ScriptedPoe, tmp_path: Path) -> None:
    with app_for(poe.url, tmp_path) as app:
        response = app.test_client().get("/v1/nothing-here")
    assert response.status_code == 404
    assert response.json is not None
    assert response.json["error"]["code"] == "not_found"
    assert response.headers["x-request-id"]
