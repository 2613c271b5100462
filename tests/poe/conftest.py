"""Ways to Poe that end with their test, and an authority for TLS on loopback."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from poe2openai.poe.client import PoeClient
from poe2openai.poe.transport import PoeAdapter
from tests.support.raw_server import Authority, make_authority


@pytest.fixture
def adapters() -> Iterator[Callable[..., PoeAdapter]]:
    """Makes adapters with limits that suit a test, and closes them."""
    made: list[PoeAdapter] = []

    def make(**options: Any) -> PoeAdapter:
        made.append(PoeAdapter(**{"connect_timeout": 5.0, "idle_timeout": 5.0, **options}))
        return made[-1]

    yield make
    for adapter in made:
        adapter.close()


@pytest.fixture
def adapter(adapters: Callable[..., PoeAdapter]) -> PoeAdapter:
    return adapters()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def make_client() -> Iterator[Callable[..., PoeClient]]:
    made: list[PoeClient] = []

    def make(url: str, **options: Any) -> PoeClient:
        made.append(PoeClient(url, **{"connect_timeout": 5.0, "idle_timeout": 5.0, "tick": 1.0, **options}))
        return made[-1]

    yield make
    for client in made:
        client.close()
