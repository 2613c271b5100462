"""The view."""

from tests.support.gateway import Gateway


def test_nobody_gets_in_without_a_key(gateway: Gateway) -> None:
    with gateway.client() as client:
        assert client.request("GET", "/v1/balance").status == 401
