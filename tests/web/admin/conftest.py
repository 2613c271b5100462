"""A gateway with an owner, and people at its pages."""

from collections.abc import Callable, Iterator
from itertools import count

import pytest

from tests.support.admin import PASSWORD, Visitor
from tests.support.fixtures import GatewayFactory
from tests.support.gateway import Gateway

Visit = Callable[..., Visitor]


@pytest.fixture
def owned(make_gateway: GatewayFactory) -> Gateway:
    return make_gateway(ADMIN_PASSWORD=PASSWORD, WEB_CONCURRENCY="2")


@pytest.fixture
def visit(owned: Gateway) -> Iterator[Visit]:
    """`visit()`: somebody at the pages, from an address of his own."""
    visitors: list[Visitor] = []
    addresses = count(1)

    def make(gateway: Gateway = owned, **headers: str) -> Visitor:
        headers = {"X-Forwarded-For": f"198.51.100.{next(addresses)}", **headers}
        visitors.append(Visitor(gateway.url, headers))
        return visitors[-1]

    yield make
    for visitor in visitors:
        visitor.close()
