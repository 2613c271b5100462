"""The gateway in front of a small scripted Poe: `make demo`, for whoever has no account yet, or no key at hand."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEADERS = "-H 'Authorization: Bearer any-key' -H 'Content-Type: application/json'"
QUESTION = '{"model": "demo-thinker", "stream": true, "messages": [{"role": "user", "content": "Hello!"}]}'
PASSWORD = "demo-password"  # noqa: S105 - nothing is behind it
WELCOME = """
poe2openai is up, with a demo Poe behind it: no account is needed, any key will do.

    {base}
    {admin}  name admin, password {password}

In another terminal:

    {curl}

Models: demo-thinker, demo-assistant, demo-painter; any other name is answered too. Ctrl-C ends it.
"""


class DemoError(Exception):
    """What the person at the keyboard is to read."""


class Demo:
    """Both processes, in groups of their own: Ctrl-C reaches this one alone, which ends them in order."""

    def __init__(self, host: str, port: int, config_dir: Path) -> None:
        self._host = host
        self._port = port
        self._config_dir = config_dir
        self._processes: list[subprocess.Popen[str]] = []

    def run(self) -> None:
        """Until one of the processes ends by itself, which is an error, or Ctrl-C."""
        self._refuse_taken_port()
        poe = self._start(["-m", "tools.demo_bot"], {}, stdout=subprocess.PIPE)
        address = poe.stdout.readline().strip() if poe.stdout else ""
        if not address:
            raise DemoError("the demo Poe did not start")
        self._start(["-m", "gunicorn", "-c", "gunicorn.conf.py", "wsgi:app"], self._gateway_environment(address))
        self._wait_until_up()
        base = f"http://{self._host}:{self._port}/v1"
        print(
            WELCOME.format(
                base=base,
                admin=f"http://{self._host}:{self._port}/admin",
                password=PASSWORD,
                curl=f"curl -N {base}/chat/completions {HEADERS} -d '{QUESTION}'",
            ),
            flush=True,
        )
        while all(process.poll() is None for process in self._processes):
            time.sleep(0.2)
        raise DemoError("a part of the demo ended by itself: see above")

    def stop(self) -> None:
        """The gateway first, so that it does not see its Poe go."""
        for process in reversed(self._processes):
            process.terminate()
            try:
                process.wait(8)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def _start(
        self, command: list[str], environment: dict[str, str], stdout: int | None = None
    ) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env={
                "PATH": os.environ.get("PATH", ""),
                "HOME": os.environ.get("HOME", "/"),
                "LANG": "C.UTF-8",
                **environment,
            },
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            text=True,
            start_new_session=True,
        )
        self._processes.append(process)
        return process

    def _gateway_environment(self, poe: str) -> dict[str, str]:
        return {
            "HOST": self._host,
            "PORT": str(self._port),
            "CONFIG_DIR": str(self._config_dir),
            "POE_BASE_URL": poe,
            "POE_FILE_UPLOAD_URL": f"{poe}/upload",
            "RATE_LIMIT_MS": "0",
            "WEB_CONCURRENCY": "1",
            # For the playground.
            "POE_API_KEYS": "demo-key",
            "ACCESS_TOKENS": "demo-token",
            "ADMIN_PASSWORD": PASSWORD,
            "GRACEFUL_TIMEOUT": "2",
        }

    def _refuse_taken_port(self) -> None:
        try:
            socket.create_server((self._host, self._port)).close()
        except OSError as problem:
            # Python's own text goes on to the address, as a tuple; a name that is not found has a negative number.
            reason = os.strerror(problem.errno) if problem.errno and problem.errno > 0 else problem.strerror
            message = f"port {self._port} cannot be had ({reason}): `PORT=8081 make demo` takes another"
            raise DemoError(message) from None

    def _wait_until_up(self) -> None:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        for _ in range(200):
            if any(process.poll() is not None for process in self._processes):
                break
            with contextlib.suppress(OSError):
                opener.open(f"http://{self._host}:{self._port}/health", timeout=2).close()
                return
            time.sleep(0.1)
        raise DemoError("the gateway did not start")


def main() -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    port = os.environ.get("PORT") or "8080"
    if not port.isdecimal():
        sys.exit("make demo: PORT is a number")
    with tempfile.TemporaryDirectory(prefix="poe2openai-demo-") as config_dir:
        demo = Demo(os.environ.get("HOST") or "127.0.0.1", int(port), Path(config_dir))
        try:
            demo.run()
        except KeyboardInterrupt:
            print("\nThe demo ends.")
        except DemoError as problem:
            sys.exit(f"make demo: {problem}")
        finally:
            demo.stop()


if __name__ == "__main__":
    main()
