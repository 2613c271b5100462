"""A small app behind the real limits, for a gunicorn of its own: `gunicorn 'tests.support.limits_app:create(100)'`."""

import os
import time
from contextlib import closing

from flask import Flask, Response, jsonify, request

from poe2openai.config.settings import Settings
from poe2openai.core.errors import GatewayError
from poe2openai.gateway.keys import Caller
from poe2openai.web import limits
from poe2openai.web.hang_up import HangUpWatcher


def create(rate_limit_ms: int = 0, rate_limits: str = "", max_wait: float = 30.0, storage: str = "") -> Flask:
    settings = Settings(
        rate_limit_ms=rate_limit_ms,
        rate_limits=rate_limits,
        rate_limit_max_wait=max_wait,
        ratelimit_storage_uri=storage,
    )
    return create_app(settings)


def create_app(settings: Settings) -> Flask:
    app = Flask(__name__)
    gate = limits.install(app, settings)
    watcher = HangUpWatcher()

    @app.post("/chat")
    def chat() -> Response:
        """Says which process let the request through, and when."""
        with closing(watcher.watch(request.environ)):
            gate.wait_turn(Caller(request.args.get("caller", "key-1"), None))
        started = time.monotonic()
        app.logger.warning("started %s", request.args.get("name"))
        return jsonify(pid=os.getpid(), started=started)

    @app.get("/free")
    def free() -> str:
        return "not limited"

    @app.errorhandler(GatewayError)
    def refuse(error: GatewayError) -> tuple[Response, int, dict[str, str]]:
        return (
            jsonify(message=error.message, code=error.kind.code),
            error.kind.status,
            {"Retry-After": str(error.retry_after)},
        )

    return app
