"""Which addresses are public, and which texts are an address that may be asked."""

from ipaddress import ip_address

import pytest

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.poe.public_address import MAX_URL, is_public, parse_place

NOT_PUBLIC = [
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "100.127.255.255"),
    *("127.0.0.1", "127.255.255.254", "168.63.129.16", "169.254.0.1", "169.254.169.254", "172.16.0.1"),
    *("172.31.255.255", "192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1", "192.168.255.255"),
    *("198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1"),
    *("255.255.255.255", "::", "::1", "::2", "fe80::1", "fe80::1%eth0", "febf::1", "fec0::1", "fc00::1"),
    *("fd00:ec2::254", "ff02::1", "ff0e::1", "100::1", "2001:db8::1", "3fff::1", "3fff:fff::1", "2001:2::1"),
    *("2001:10::1", "2001:20::1", "5f00::1", "4000::1"),
    # IPv4-mapped, IPv4-compatible and IPv4-translated
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "::8.8.8.8", "::ffff:0:7f00:1"),
    # 6to4
    *("2002:7f00:1::", "2002:0a00:0001::1", "2002:c0a8:101::1", "2002:a9fe:a9fe::1"),
    # Teredo: of the server (first), and of the client (last, inverted)
    *("2001:0:7f00:1::f7f7:f7f7", "2001:0:808:808::80ff:fffe", "2001:0:808:808::3f57:fefe"),
    # NAT64, and the prefix for local use
    *("64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::10.0.0.1", "64:ff9b:1::8.8.8.8"),
    "64:ff9b:2::8.8.8.8",
]
PUBLIC = [
    *("1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.1", "100.63.255.255", "100.128.0.0", "126.255.255.255"),
    *("128.0.0.1", "169.253.255.255", "169.255.0.1", "172.15.255.255", "172.32.0.0", "192.0.1.1", "192.167.255.255"),
    *("192.169.0.1", "198.17.255.255", "198.20.0.0", "223.255.255.255", "2606:4700::1111", "2a00:1450::1"),
    *("2001:200::1", "2001:4860:4860::8888", "::ffff:8.8.8.8", "2002:808:808::1", "64:ff9b::8.8.8.8"),
    "2001:0:808:808::f7f7:f7f7",
]


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("http://a.test", ("http", "a.test", 80, "/")),
        ("HTTPS://A.Test:/x", ("https", "a.test", 443, "/x")),
        ("https://a.test:8443?x=1#part?", ("https", "a.test", 8443, "/?x=1")),
        ("http://a.test./%2e%2e/ü?ä=%C3|<", ("http", "a.test.", 80, "/%2e%2e/%C3%BC?%C3%A4=%C3%7C%3C")),
        ("http://a.test/x@y:z//..", ("http", "a.test", 80, "/x@y:z//..")),
        ("http://[2001:DB8::1]:8080/", ("http", "2001:db8::1", 8080, "/")),
        ("http://münchen.test/", ("http", "xn--mnchen-3ya.test", 80, "/")),
        ("http://１２７。0.0.1/", ("http", "127.0.0.1", 80, "/")),
        ("http://snake_case-.test/", ("http", "snake_case-.test", 80, "/")),
    ],
)
def test_an_address_is_read_as_it_is_asked(url: str, read: tuple[str, str, int, str]) -> None:
    place = parse_place(url, frozenset({80, 443, 8080, 8443}))

    assert (place.scheme, place.host, place.port, place.target) == read


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://a.test:80/x", "http://a.test/x"),
        ("https://a.test:80/x", "https://a.test:80/x"),
        ("https://[2001:db8::1]/", "https://[2001:db8::1]/"),
        ("http://[2001:db8::1]:443#x", "http://[2001:db8::1]:443/"),
    ],
)
def test_an_address_is_shown_without_what_goes_without_saying(url: str, shown: str) -> None:
    assert parse_place(url, None).url == shown


REFUSED = [
    *("", "a.test", "//a.test/", "/x", "http:", "http://", "http:///x", "http:/a.test", "http:a.test", "http://?x"),
    *("file:///etc/passwd", "ftp://a.test/", "gopher://a.test/", "dict://a.test:80/", "data:text/plain,x"),
    *("javascript:alert(1)", "httpſ://a.test/", "jar:http://a.test/", "ws://a.test/", "ｈttp://a.test/"),
    *("http://me@a.test/", "http://me:secret@a.test/", "http://@a.test/", "http://a.test:80@b.test/"),
    *("http://a.test:22/", "http://a.test:0/", "http://a.test:65616/", "http://a.test:080000/", "http://a.test:８０/"),
    *("http://a.test:+80/", "http://a.test:80:80/", "http://:80/", "http://a.test:x/"),
    *("http://a b.test/", " http://a.test/", "http://a.test/\n", "http://a.test/a b", "http://a\t.test/"),
    *("http://a.test\\@b.test/", "http:\\\\a.test/", "http://a.test/\\", "http://a.test/\x00", "http://a.test/\u200b"),
    *("http://a.test/\u00a0", "http://a.test/\ud800", "http://a.test/\r\nHost: b.test", "http://a.test/\u2028"),
    *("http://.a.test/", "http://a..test/", "http://a.test../", "http://./", "http://../", "http://。/"),
    *("http://a%2etest/", "http://127.0.0.%31/", "http://a,b/", "http://a;b/", "http://a'b/", "http://*/"),
    *("http://[::1", "http://::1/", "http://[::1]x/", "http://[fe80::1%25eth0]/", "http://[fe80::1%eth0]/"),
    *("http://[v1.x]/", "http://[127.0.0.1]/", "http://[]/", "http://[1::2::3]/", "http://[a.test]/"),
    *(
        f"http://{'a' * 64}.test/",
        f"http://{'a.' * 127}test/",
        f"http://{'ü' * 64}.test/",
        f"http://{'ü.' * 5000}test/",
    ),
    f"http://a.test/{'x' * MAX_URL}",
]


@pytest.mark.parametrize("url", REFUSED, ids=lambda url: ascii(url)[:60])
def test_whatever_else_is_refused(url: str) -> None:
    with pytest.raises(GatewayError) as caught:
        parse_place(url, frozenset({80}))

    assert caught.value.kind is ErrorKind.INVALID_REQUEST
    assert caught.value.message.startswith("The gateway does not fetch from this address: ")
    assert "secret" not in caught.value.message
