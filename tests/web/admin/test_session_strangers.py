"""What strangers can do to the admin pages: guess, flood, hang. Over the wire, with two workers."""

import contextlib
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.admin import PASSWORD, Visitor
from tests.support.fixtures import GatewayFactory
from tests.support.gateway import Gateway

Visit = Callable[..., Visitor]


class TestStrangers:
    """Who is not logged in can send what he likes, and costs next to nothing."""

    PATHS = ("POST /admin/login", "POST /admin/logout", "GET /admin/login", "POST /admin/api/playground")

    @pytest.mark.parametrize("path", PATHS)
    def test_a_body_without_end_is_not_taken_in(self, owned: Gateway, path: str) -> None:
        method, _, place = path.partition(" ")
        with socket.create_connection(("127.0.0.1", owned.port), timeout=15) as client:
            client.sendall(_head(method, place, "Transfer-Encoding: chunked"))
            answer = b""
            with contextlib.suppress(ConnectionError):
                for _ in range(64):
                    client.sendall(b"10000\r\n" + b"a=b&" * 0x4000 + b"\r\n")
                client.sendall(b"0\r\n\r\n")
            with contextlib.suppress(ConnectionError):
                while piece := client.recv(65536):
                    answer += piece
        assert answer.split(b" ")[1] in (b"200", b"401", b"403", b"413")
        assert resident_mb(owned) < 400

    @pytest.mark.parametrize("path", PATHS)
    def test_a_body_that_does_not_come_is_not_waited_for(self, owned: Gateway, path: str) -> None:
        method, _, place = path.partition(" ")
        began = time.monotonic()
        with socket.create_connection(("127.0.0.1", owned.port), timeout=20) as client:
            client.sendall(_head(method, place, "Content-Length: 100") + b"a=")
            assert client.recv(65536).startswith(b"HTTP/1.1 ")
        assert time.monotonic() - began < 15

    @pytest.mark.parametrize("origin", ["http://[", "//", "x"])
    def test_a_malformed_origin_is_another_one(self, visit: Visit, origin: str) -> None:
        visitor = visit()
        visitor.get("/admin/login")
        assert visitor.log_in(headers={"Origin": origin}).status_code == 403

    def test_a_form_of_many_fields(self, visit: Visit) -> None:
        visitor = visit()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        response = visitor.post("/admin/login", content="&".join(f"f{n}=1" for n in range(50)), headers=headers)
        assert response.status_code == 400


class TestGuessing:
    @pytest.fixture
    def guarded(self, make_gateway: GatewayFactory) -> Gateway:
        return make_gateway(ADMIN_PASSWORD=PASSWORD, WEB_CONCURRENCY="2", fresh=True)

    def test_after_five_attempts_the_address_is_locked_for_the_right_password_too(
        self, guarded: Gateway, visit: Visit
    ) -> None:
        guesser = visit(guarded)
        assert [guesser.log_in(password=f"guess {number}").status_code for number in range(5)] == [401] * 5
        response = guesser.log_in()
        assert response.status_code == 429
        assert 800 < int(response.headers["retry-after"]) <= 900
        assert visit(guarded).log_in().status_code == 303

    def test_a_success_forgets_the_failures_before(self, guarded: Gateway, visit: Visit) -> None:
        visitor = visit(guarded)
        for _ in range(3):
            for _ in range(4):
                assert visitor.log_in(password="typo").status_code == 401
            assert visitor.log_in().status_code == 303
            visitor.cookies.clear()

    def test_who_changes_his_address_is_slowed_down(self, guarded: Gateway, visit: Visit) -> None:
        """X-Forwarded-For is the guesser's own word where no proxy stands in between."""
        statuses = [visit(guarded).log_in(password="guess").status_code for _ in range(20)]
        assert statuses == [401] * 20
        slow = visit(guarded).log_in(password="guess")
        slower = visit(guarded).log_in(password="guess")
        assert slow.elapsed.total_seconds() + slower.elapsed.total_seconds() > 0.9

    def test_of_forwarded_addresses_the_proxys_own_counts(self, guarded: Gateway, visit: Visit) -> None:
        """The proxy adds the last one; those before it come from whoever asks."""
        for number in range(5):
            forged = {"X-Forwarded-For": f"203.0.113.{number}, 192.0.2.7"}
            assert visit(guarded, **forged).log_in(password="guess").status_code == 401
        assert visit(guarded, **{"X-Forwarded-For": "192.0.2.7"}).log_in().status_code == 429

    def test_many_at_once_are_not_all_looked_at(self, guarded: Gateway, visit: Visit) -> None:
        def guess(number: int) -> int:
            visitor = visit(guarded, **{"X-Forwarded-For": "192.0.2.9"})
            return visitor.log_in(password=f"guess {number}").status_code

        with ThreadPoolExecutor(12) as pool:
            statuses = sorted(pool.map(guess, range(12)))
        assert statuses == [401] * 5 + [429] * 7

    def test_where_the_owner_has_been_before_strangers_do_not_keep_him_out(
        self, guarded: Gateway, visit: Visit
    ) -> None:
        owner = visit(guarded)
        owner.log_in()
        known = owner.cookies["poe2openai_known"]
        for _ in range(20):
            visit(guarded).log_in(password="guess")
        back, forged = visit(guarded), visit(guarded)
        back.cookies.set("poe2openai_known", known)
        forged.cookies.set("poe2openai_known", known[:-2])
        with ThreadPoolExecutor(5) as pool:
            for _ in range(5):
                pool.submit(lambda: visit(guarded).log_in(password="guess"))
            time.sleep(0.3)
            assert back.log_in().elapsed.total_seconds() < 0.9
            assert forged.log_in().elapsed.total_seconds() > 0.9
        assert back.session is not None

    def test_a_whole_block_of_ipv6_is_one_address(self, guarded: Gateway, visit: Visit) -> None:
        for number in range(5):
            guesser = visit(guarded, **{"X-Forwarded-For": f"2001:db8:1:2::{number + 1:x}"})
            assert guesser.log_in(password="guess").status_code == 401
        assert visit(guarded, **{"X-Forwarded-For": "2001:db8:1:2:ffff::1"}).log_in().status_code == 429
        assert visit(guarded, **{"X-Forwarded-For": "2001:db8:1:3::1"}).log_in().status_code == 303

    def test_basic_authentication_counts_too(self, guarded: Gateway, visit: Visit) -> None:
        visitor = visit(guarded)
        for _ in range(5):
            assert visitor.get("/api/admin/config", auth=("admin", "guess")).status_code == 401
        assert visitor.get("/api/admin/config", auth=("admin", PASSWORD)).status_code == 429


def _head(method: str, path: str, length: str) -> bytes:
    form = "Content-Type: application/x-www-form-urlencoded"
    return f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{form}\r\n{length}\r\n\r\n".encode()


def resident_mb(gateway: Gateway) -> float:
    """Of the largest worker."""
    pages = [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in gateway.workers()]
    return max(pages) * 4096 / 2**20
