"""The gateway's own pages in an app of their own, with nothing behind them."""

from pathlib import Path
from types import SimpleNamespace

from flask import Flask

from poe2openai.config.settings import Settings
from poe2openai.web import pages
from poe2openai.web.services import EXTENSION

ROOT = Path(__file__).resolve().parents[2]


def start_page_app(settings: Settings, *, good: bool = True, poe: bool | None = True) -> Flask:
    """`good`: models.yaml is in order; `poe`: whether Poe answered last time, None where it was not asked yet."""
    app = Flask(__name__, static_folder=str(ROOT / "static"), template_folder=str(ROOT / "templates"))
    app.register_blueprint(pages.blueprint)
    app.extensions[EXTENSION] = SimpleNamespace(
        settings=settings,
        models_file=SimpleNamespace(state=lambda: SimpleNamespace(ok=good)),
        poe=SimpleNamespace(last_contact=None if poe is None else SimpleNamespace(ok=poe)),
    )
    return app
