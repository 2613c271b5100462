"""How gunicorn runs the gateway; `gunicorn` in this folder is the whole command.

The master runs this file before gevent has patched anything, so of the project it loads what opens no socket alone.
"""

import resource
import signal
import sys
from pathlib import Path
from typing import Any

from gunicorn.glogging import Logger

from poe2openai.config.settings import SettingsError, load_settings
from poe2openai.web.log_format import JsonFormatter, TextFormatter

try:
    _settings = load_settings()
except SettingsError as problem:
    raise SystemExit(f"poe2openai cannot start: {problem}") from None


def _forget_the_project() -> None:
    """Lets whoever imports it next read the files that lie there by then, and not find an old release loaded.

    After an upgrade a SIGHUP runs this file again, and new workers are forked from the process that ran it.
    """
    for name in [name for name in sys.modules if name.partition(".")[0] == "poe2openai"]:
        del sys.modules[name]


_forget_the_project()

wsgi_app = "wsgi:app"
bind = f"[{_settings.host}]:{_settings.port}" if ":" in _settings.host else f"{_settings.host}:{_settings.port}"
workers = _settings.web_concurrency
# By its name: gunicorn loads it, in the master, once the modules above are forgotten.
worker_class = "poe2openai.web.worker.GatewayWorker"
worker_connections = 4000

# The heartbeat comes from the loop that serves: a worker is killed when that loop stands still for so many seconds.
timeout = 60
graceful_timeout = _settings.graceful_timeout
# A worker that reaches a number of requests would end in the middle of its streams.
max_requests = 0
# Seconds for the head of a request, with the idle time before it on a kept connection. Above the 5 s for which the
# SDKs keep an idle connection and the 8 s of deploy/nginx.conf, so that nobody sends into a connection that is just
# being closed; no longer, because slow heads occupy a place and a stopping worker waits for idle connections.
keepalive = 10


class logger_class(Logger):  # type: ignore[misc]  # noqa: N801 - the setting's name; gunicorn has no types
    """Writes no access log: the application logs a line a request.

    gunicorn's would show query strings and referers, in which keys may stand, and is put together, at a fortieth of a
    short answer's cost, wherever `logconfig_dict` is set.
    """

    def access(self, *_: object) -> None:
        pass


logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": JsonFormatter if _settings.log_format == "json" else TextFormatter}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stderr"}},
    "root": {"handlers": ["stderr"]},
    "loggers": {
        "gunicorn.error": {
            # its `debug` is about itself: its whole configuration, then each connection that closes
            "level": {"debug": "INFO", "warn": "WARNING"}.get(_settings.log_level, _settings.log_level.upper()),
            "handlers": ["stderr"],
            "propagate": False,
        }
    },
}

# The heartbeat's file in memory: a slow disk would stall the worker.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - gunicorn makes a file of its own there
# gunicorn's control socket has one path for all its instances of a user, and nothing here speaks to it.
control_socket_disable = True

# A stream takes two sockets, and the usual soft limit of 1,024 open files ends at 500 streams.
_soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
_wanted = 4 * worker_connections
if _soft != resource.RLIM_INFINITY and _soft < _wanted:
    _most = _wanted if _hard == resource.RLIM_INFINITY else min(_wanted, _hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (_most, _hard))


def post_fork(_server: Any, _worker: Any) -> None:
    """Lets a worker die of a stop that comes before it has handlers of its own, and load the application anew.

    The handlers it inherits only queue signals for the master: it would be waited for until GRACEFUL_TIMEOUT is over.
    """
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    _forget_the_project()
