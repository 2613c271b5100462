"""The WSGI application, for `flask --app app run` and for hosts that look for an `app` here; gevent patches nothing."""

import sys

from flask import Flask

from poe2openai.config.settings import SettingsError
from poe2openai.web.factory import create_app


def _create_app_or_exit() -> Flask:
    try:
        return create_app()
    except SettingsError as problem:
        sys.stderr.write(f"poe2openai cannot start: {problem}\n")
        # gunicorn's status for an app that cannot be loaded: after any other it would start workers for ever.
        raise SystemExit(4) from None


# At the top level, where such hosts look for it without running the file.
app = _create_app_or_exit()
