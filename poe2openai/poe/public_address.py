"""What of an address tells whether the gateway may fetch from it: its text, and the IP addresses of its host."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import quote

from poe2openai.core.errors import ErrorKind, GatewayError

MAX_URL = 16 * 1024

Address = IPv4Address | IPv6Address

_SCHEME_PORTS = {"http": 80, "https": 443}
_URL = re.compile(r"(https?)://([^/?#]+)([^#]*)(?:#.*)?", re.IGNORECASE | re.ASCII)
_AUTHORITY = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\[\]:%@]+))(?::([0-9]{0,5}))?")
_HOST = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?")
# What stays as it is in a target, as browsers and requests have it; all else is percent-encoded as UTF-8.
_TARGET_SAFE = "!#$%&'()*+,/:;=?@[]~"

# IANA IPv4 Special-Purpose Address Registry, with multicast and the reserved class E. The services among them that are
# reachable everywhere (192.0.0.9, 192.88.99.0/24) hold no files.
_NOT_PUBLIC_4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",  # looks public, and is Azure's own service on each of its virtual machines
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
    )
)
# IANA IPv6 Address Space: this is all of global unicast. What lies outside is loopback, link-local, unique local,
# multicast, IPv4-compatible, local NAT64 (64:ff9b:1::/48), or unassigned.
_GLOBAL_6 = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
_TEREDO = IPv6Network("2001::/32")
# IANA IPv6 Special-Purpose Address Registry: protocol assignments and documentation within global unicast.
_NOT_PUBLIC_6 = tuple(IPv6Network(network) for network in ("2001::/23", "2001:db8::/32", "3fff::/20"))


def is_public(address: Address) -> bool:
    """Anybody on the internet could reach it; of an IPv6 address that stands for an IPv4 one, both have to be public.

    Python's own `is_global` differs between patch releases, and knows no NAT64.
    """
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_4)
    if address.ipv4_mapped is not None:
        return is_public(address.ipv4_mapped)
    if address in _NAT64:
        return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
    if address.sixtofour is not None:
        return is_public(address.sixtofour)
    if address in _TEREDO and address.teredo is not None:
        return all(is_public(inside) for inside in address.teredo)
    return address in _GLOBAL_6 and not any(address in network for network in _NOT_PUBLIC_6)


@dataclass(frozen=True, slots=True)
class Place:
    """An address that may be asked, as far as its text tells; `host` is ASCII, without brackets."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _SCHEME_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host_header}{self.target}"


def parse_place(url: str, ports: frozenset[int] | None) -> Place:
    """Strict, as two programs that read one address differently are how guards are passed."""
    if len(url) > MAX_URL:
        raise refusal("it is too long")
    if not url.isprintable() or " " in url or "\\" in url:
        raise refusal("it holds spaces, backslashes or characters that cannot be printed")
    parts = _URL.fullmatch(url)
    if parts is None:
        raise refusal("it is no http or https address")
    scheme, place, target = parts[1].lower(), parts[2], parts[3]
    if "@" in place:
        raise refusal("it holds credentials")
    authority = _AUTHORITY.fullmatch(place)
    if authority is None:
        raise refusal("its host is malformed")
    port = int(authority[3] or _SCHEME_PORTS[scheme])
    if not 0 < port < 65536 or (ports is not None and port not in ports):
        raise refusal("its port is not one that the gateway connects to")
    host = _ip_host(authority[1]) if authority[1] else _name_host(authority[2])
    if not target.startswith("/"):
        target = f"/{target}"
    return Place(scheme, host, port, quote(target, safe=_TARGET_SAFE))


def _ip_host(text: str) -> str:
    try:
        return str(IPv6Address(text))
    except ValueError:
        raise refusal("its host is malformed") from None


def _name_host(text: str) -> str:
    try:
        host = (text if text.isascii() else text[:254].encode("idna").decode("ascii")).lower()
    except UnicodeError:
        host = ""
    if len(text) > 253 or not _HOST.fullmatch(host):
        raise refusal("its host is malformed")
    return host


def refusal(why: str) -> GatewayError:
    """The gateway does not even try."""
    return GatewayError(ErrorKind.INVALID_REQUEST, f"The gateway does not fetch from this address: {why}.")
