"""The app in this process, for tests of what needs no wire."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Flask

from poe2openai.config.settings import Settings
from poe2openai.web.factory import create_app
from poe2openai.web.services import EXTENSION


@contextmanager
def app_for(poe_url: str, config_dir: Path, **settings: Any) -> Iterator[Flask]:
    """An app whose connections and threads end with the block."""
    app = create_app(Settings(poe_base_url=poe_url, config_dir=config_dir, rate_limit_ms=0, **settings))
    try:
        yield app
    finally:
        services = app.extensions[EXTENSION]
        services.recorder.close()
        services.live.close()
        services.models_file.stop()
        services.catalog.stop()
        # The background's first fetch is not to outlive the connections that are closed here.
        services.catalog.models()
        services.poe.close()
