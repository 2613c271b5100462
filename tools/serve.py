"""`make run`: says where the gateway will be, and becomes gunicorn.

gunicorn reads WEB_CONCURRENCY and PORT by itself before it reads its configuration, and a bad or empty one ends in a
traceback: here it ends in a sentence. `--quiet` leaves the greeting out.
"""

import os
import socket
import sys

from poe2openai import __version__
from poe2openai.config.settings import Settings, SettingsError, load_settings

GREETING = """\
poe2openai {version} at {address}

  OpenAI clients  base URL {address}/v1, API key: your Poe key
  admin           {address}/admin (its password: ADMIN_PASSWORD, or what the first start prints below)
  health          {address}/health

Try it in another terminal:

  curl -N {address}/v1/chat/completions \\
    -H "Authorization: Bearer YOUR_POE_KEY" -H "Content-Type: application/json" \\
    -d '{{"model": "gpt-5.4-mini", "stream": true, "messages": [{{"role": "user", "content": "Hello!"}}]}}'
"""


def main(arguments: list[str]) -> None:
    try:
        settings = load_settings()
    except SettingsError as problem:
        raise SystemExit(f"poe2openai cannot start: {problem}") from None
    _look_for_the_port(settings)
    if "--quiet" not in arguments:
        print(GREETING.format(version=__version__, address=_address(settings)), flush=True)
    environment = {name: value for name, value in os.environ.items() if value.strip()}
    os.execve(sys.executable, [sys.executable, "-m", "gunicorn"], environment)


def _look_for_the_port(settings: Settings) -> None:
    """gunicorn tries for five seconds and then says it in five lines."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as problem:
            where = f"{settings.host} port {settings.port}"
            raise SystemExit(
                f"poe2openai cannot listen on {where}: {problem.strerror or problem}. Set PORT to another one."
            ) from None


def _address(settings: Settings) -> str:
    """As this machine's browser would reach it."""
    everywhere = {"0.0.0.0", "::"}  # noqa: S104 - compared with, not bound to
    host = "localhost" if settings.host in everywhere else settings.host
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


if __name__ == "__main__":
    main(sys.argv[1:])
