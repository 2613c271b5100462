"""Addresses that clients name: the gateway connects to none of them by itself, and to no place that is not public."""

import base64
import contextlib
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from poe2openai.poe.public_fetch import DEFAULT_PORTS
from tests.support.fetching import Trap
from tests.support.fixtures import GatewayFactory
from tests.support.gateway import Gateway
from tests.support.poe_script import done, text
from tests.support.scripted_poe import ScriptedPoe
from tests.support.sending import BOT, ask, attached, image_at, new_key, tried, user

PLACE = "messages[0].content[1].image_url"

# `{port}` is one of loopback's that somebody listens at.
FORMS = [
    "http://127.0.0.1:{port}/a.png",
    "http://127.0.0.2:{port}/a.png",
    "http://127.1:{port}/a.png",
    "http://2130706433:{port}/a.png",
    "http://0x7f000001:{port}/a.png",
    "http://0177.0.0.1:{port}/a.png",
    "http://0:{port}/a.png",
    "http://0.0.0.0:{port}/a.png",
    "http://localhost:{port}/a.png",
    "http://LOCALHOST.:{port}/a.png",
    "http://[::1]:{port}/a.png",
    "http://[::]:{port}/a.png",
    "http://[::ffff:127.0.0.1]:{port}/a.png",
    "http://[::ffff:7f00:1]:{port}/a.png",
    "http://[::127.0.0.1]:{port}/a.png",
    "http://[64:ff9b::7f00:1]:{port}/a.png",
    "http://[2002:7f00:1::]:{port}/a.png",
    "http://[::1%25lo]:{port}/a.png",
    "http://example.com@127.0.0.1:{port}/a.png",
    "http://127.0.0.1:{port}#@example.com/a.png",
    "http://127.0.0.1:{port}\\@example.com/a.png",
    "http://１２７.0.0.1:{port}/a.png",
    "https://127.0.0.1:{port}/a.png",
    "http://127.0.0.1:22/a.png",
    "http://10.0.0.1/a.png",
    "http://172.16.0.1/a.png",
    "http://192.168.0.1/a.png",
    "http://169.254.169.254/latest/meta-data/",
    "http://100.64.0.1/a.png",
    "http://[fe80::1]/a.png",
    "http://[fd00::1]/a.png",
]
# What is no http(s) address at all is no picture's.
SCHEMES = ["file:///etc/passwd", "ftp://127.0.0.1/a", "gopher://127.0.0.1:{port}/_x", "//127.0.0.1:{port}/a.png", "a"]


@pytest.fixture
def bot(poe: ScriptedPoe) -> ScriptedPoe:
    poe.script(BOT, text("ok"), done())
    return poe


class WebTrap(Trap):
    """At a port that the gateway may fetch from: at any other one it would not even look at the address."""

    def __init__(self) -> None:
        self.listeners = []
        for self.port in sorted(DEFAULT_PORTS, reverse=True):
            with contextlib.suppress(OSError):
                self.listeners = [socket.create_server(("127.0.0.1", self.port))]
                break
        else:
            pytest.skip("none of the ports that the gateway may fetch from is free")
        self.listeners.append(socket.create_server(("127.0.0.2", self.port)))
        with contextlib.suppress(OSError):
            self.listeners.append(socket.create_server(("::1", self.port), family=socket.AF_INET6))
        for listener in self.listeners:
            listener.settimeout(0.0)


@pytest.fixture
def trap() -> Iterator[Trap]:
    trap = WebTrap()
    yield trap
    for listener in trap.listeners:
        listener.close()


def addresses(forms: list[str], trap: Trap) -> list[str]:
    return [form.format(port=trap.port) for form in forms]


def test_addresses_of_this_house_are_refused(make_gateway: GatewayFactory, bot: ScriptedPoe, trap: Trap) -> None:
    gateway = make_gateway(MEDIA_FETCH="true", UPSTREAM_CONNECT_TIMEOUT="2")
    urls = addresses(FORMS + SCHEMES, trap)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda url: ask(gateway, user("Look.", image_at(url))), urls))
    for url, (status, answer) in zip(urls, answers, strict=True):
        assert (status, answer["error"]["param"]) == (400, PLACE), (url, answer)
        assert "Poe did not take" not in answer["error"]["message"]
    refused = [answer["error"]["message"] for _, answer in answers[: len(FORMS)]]
    assert all(message.startswith("The gateway") for message in refused)
    assert sum("not public" in message for message in refused) >= 20, refused
    assert trap.visits() == 0
    assert not tried(bot)
    assert not bot.queries()


def test_by_itself_the_gateway_fetches_nothing(gateway: Gateway, bot: ScriptedPoe, trap: Trap) -> None:
    urls = addresses(FORMS, trap)
    assert ask(gateway, user("Look.", *map(image_at, urls)), key=new_key())[0] == 200
    assert {each.download_url for each in bot.uploads} == set(urls)
    assert [each.data for each in bot.uploads] == [None] * len(urls)
    assert len(attached(bot.queries(BOT)[0])) == len(urls)
    assert trap.visits() == 0


def test_what_lies_with_poe_is_passed_on_all_the_same(make_gateway: GatewayFactory, bot: ScriptedPoe) -> None:
    gateway = make_gateway(MEDIA_FETCH="true", UPSTREAM_CONNECT_TIMEOUT="2")
    urls = ["https://pfst.cf2.poecdn.net/base/image/0123", bot.serve("a.png", b"x", "image/png")]
    assert ask(gateway, user("Look.", *map(image_at, urls)))[0] == 200
    assert [each["url"] for each in attached(bot.queries(BOT)[0])] == urls
    assert not bot.uploads
    assert not bot.served


def test_an_address_in_a_text_is_never_fetched(make_gateway: GatewayFactory, bot: ScriptedPoe, trap: Trap) -> None:
    gateway = make_gateway(MEDIA_FETCH="true", UPSTREAM_CONNECT_TIMEOUT="2")
    url = f"http://127.0.0.1:{trap.port}/a.png"
    pasted = base64.b64encode(url.encode()).decode()
    turns = [user(url), {"role": "assistant", "content": f"![a]({url})"}, user(f"![b]({url}) {pasted}")]
    assert ask(gateway, *turns)[0] == 200
    assert not bot.uploads
    assert trap.visits() == 0
