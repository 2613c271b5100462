"""A PostgreSQL of a run's own, where its programs and its Python client are installed."""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.gateway import free_port

PASSWORD = "s3cret/p@ss"
QUOTED_PASSWORD = "s3cret%2Fp%40ss"

_PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1:]
IS_INSTALLED = bool(_PROGRAMS) and bool(shutil.which("setpriv")) and importlib.util.find_spec("psycopg") is not None


class PostgresServer:
    """Its programs refuse to be root's, so they get the system user `postgres` there."""

    def __init__(self) -> None:
        self.port = free_port()
        self._directory = Path(tempfile.mkdtemp(prefix="poe2openai-postgres-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._count = 0
        self._as: list[str] = []
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self._directory, user.pw_uid, user.pw_gid)
            self._as = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]

    def url(self, database: str = "postgres", password: str = QUOTED_PASSWORD, scheme: str = "postgresql") -> str:
        return f"{scheme}://owner:{password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        password = self._directory / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        data = ["-D", str(self._directory / "data")]
        make = ["--auth=scram-sha-256", "-U", "owner", f"--pwfile={password}", "--no-sync", "-E", "UTF8"]
        self._run("initdb", *data, *make)
        self.begin()

    def begin(self) -> None:
        """Also after `end`: what was in it is there again."""
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        program = [*self._as, str(_PROGRAMS[0] / "postgres"), "-D", str(self._directory / "data")]
        self._process = subprocess.Popen(
            [*program, "-p", str(self.port), *options],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._wait()

    def end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGINT)  # "fast": it waits for nobody
            process.wait(20)

    def close(self) -> None:
        self.end()
        shutil.rmtree(self._directory, ignore_errors=True)

    def new_database(self) -> str:
        """Its name."""
        self._count += 1
        name = f"test_{self._count}"
        self.execute(f"CREATE DATABASE {name}")
        return name

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return list(cursor) if cursor.description else []

    def _wait(self) -> None:
        import psycopg

        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                psycopg.connect(self.url(), connect_timeout=2).close()
            except psycopg.OperationalError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError("PostgreSQL did not start")

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._as, str(_PROGRAMS[0] / program), *arguments]
        subprocess.run(command, cwd="/", check=True, stdout=subprocess.DEVNULL, timeout=60)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    if not IS_INSTALLED:
        pytest.skip("PostgreSQL is not installed")
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    """An empty database."""
    return postgres_server.url(postgres_server.new_database())
