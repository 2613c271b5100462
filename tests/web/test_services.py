"""Services belong to the app that serves."""

from pathlib import Path

from poe2openai.web.services import services
from tests.support.apps import app_for
from tests.support.scripted_poe import ScriptedPoe


def test_views_see_the_services_of_their_own_app(poe: ScriptedPoe, tmp_path: Path) -> None:
    with app_for(poe.url, tmp_path, port=1) as first, app_for(poe.url, tmp_path, port=2) as second:
        seen = []
        for app in (first, second):
            with app.app_context():
                seen.append(services().settings.port)
    assert seen == [1, 2]
