"""Fixtures of the tests over the wire: a scripted Poe, gateways in front of it, SDK clients.

A gateway takes more than a second to start, so tests with equal environments share one for the whole run; the
scripted Poe is shared too and forgets everything between two tests.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from tests.support.admin import PASSWORD
from tests.support.bot_server import BotServer
from tests.support.gateway import FLASK_RUN, Gateway
from tests.support.scripted_poe import ScriptedPoe
from tests.support.wire import KEY

if TYPE_CHECKING:
    import openai


class GatewayFactory(Protocol):
    """`make(RATE_LIMIT_MS="100")` gives a shared gateway, `make(fresh=True)` one for this test alone.

    Variables come as a mapping or by name.
    """

    def __call__(
        self,
        environment: Mapping[str, str] | None = None,
        /,
        *,
        fresh: bool = False,
        command: list[str] | None = None,
        poe_url: str | None = None,
        **variables: str,
    ) -> Gateway: ...


@pytest.fixture(scope="session")
def _scripted_poe() -> Iterator[ScriptedPoe]:
    server = ScriptedPoe()
    yield server
    server.close()


@pytest.fixture
def poe(_scripted_poe: ScriptedPoe) -> Iterator[ScriptedPoe]:
    """The Poe that gateways of `make_gateway` talk to, with nothing scripted yet."""
    _scripted_poe.reset()
    yield _scripted_poe
    _scripted_poe.reset()


class _Gateways:
    """All of a run: those that tests share, by their environment, and those that are on their way out."""

    def __init__(self) -> None:
        self.shared: dict[frozenset[tuple[str, str]], Gateway] = {}
        self.ending: list[Gateway] = []


@pytest.fixture(scope="session")
def _gateways() -> Iterator[_Gateways]:
    gateways = _Gateways()
    yield gateways
    every = [*gateways.ending, *gateways.shared.values()]
    for gateway in every:
        gateway.ask_to_stop()
    for gateway in every:
        gateway.stop()


@pytest.fixture
def make_gateway(
    poe: ScriptedPoe, _gateways: _Gateways, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayFactory]:
    own: list[Gateway] = []

    def make(
        environment: Mapping[str, str] | None = None,
        /,
        *,
        fresh: bool = False,
        command: list[str] | None = None,
        poe_url: str | None = None,
        **variables: str,
    ) -> Gateway:
        full = _environment(poe_url or poe.url, {**(environment or {}), **variables})
        key = frozenset({**full, "": " ".join(command or [])}.items())
        if not fresh and key in _gateways.shared:
            return _gateways.shared[key]
        gateway = Gateway(full, tmp_path_factory.mktemp("gateway"), command)
        gateway.start()
        if fresh:
            own.append(gateway)
        else:
            _gateways.shared[key] = gateway
        return gateway

    yield make
    for gateway in own:
        gateway.ask_to_stop()
    _gateways.ending += own


@pytest.fixture
def gateway(make_gateway: GatewayFactory) -> Gateway:
    """The gateway with its defaults, but one worker and no interval between requests."""
    return make_gateway()


@pytest.fixture
def flask_gateway(make_gateway: GatewayFactory) -> Gateway:
    """The gateway under `flask run`."""
    return make_gateway(command=FLASK_RUN)


@pytest.fixture(scope="session")
def poe_bots(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BotServer]:
    """Bots on `fastapi_poe`, served by uvicorn."""
    with BotServer(tmp_path_factory.mktemp("bots") / "server.log") as server:
        yield server


@pytest.fixture
def openai_client() -> "Iterator[Callable[..., openai.OpenAI]]":
    """`openai_client(gateway)`: the official SDK, without retries of its own."""
    import openai  # half a second that only its tests should pay

    clients: list[openai.OpenAI] = []

    def make(gateway: Gateway, key: str = KEY, **options: Any) -> openai.OpenAI:
        settings: dict[str, Any] = {"max_retries": 0, "timeout": 20.0, **options}
        client = openai.OpenAI(api_key=key, base_url=gateway.base_url, **settings)
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def config_dir(tmp_path: Path) -> Path:
    directory = tmp_path / "config"
    directory.mkdir()
    return directory


def _environment(poe_url: str, changes: dict[str, str]) -> dict[str, str]:
    return {
        "POE_BASE_URL": poe_url,
        "POE_FILE_UPLOAD_URL": f"{poe_url}/upload",
        "RATE_LIMIT_MS": "0",
        "WEB_CONCURRENCY": "1",
        "GRACEFUL_TIMEOUT": "3",
        "ADMIN_PASSWORD": PASSWORD,  # to make one takes a tenth of a second
        **changes,
    }
