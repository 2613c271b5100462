"""Embeddings from an OpenAI-compatible server: Poe's own `/v1`, which has none at present, or another one.

A Poe key goes to Poe's own address alone.
"""

import re
import time
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import orjson
import requests
import urllib3

from poe2openai import __version__
from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.poe.errors import error_from_status

MAX_ANSWER = 64 * 1024 * 1024
ANSWER_SECONDS = 120.0
MAX_ERROR_BODY = 64 * 1024

_PIECE = 256 * 1024
_SILENCE_SECONDS = 60.0
# The key is the gateway's own: what the server thinks of it is not the client's fault.
_KINDS = {
    401: ErrorKind.UPSTREAM_ERROR,
    403: ErrorKind.UPSTREAM_ERROR,
    404: ErrorKind.NOT_FOUND,
    429: ErrorKind.RATE_LIMIT,
}
# What the gateway puts before, or in place of, what Poe says.
_POES_WORDS = re.compile(r"^(?:Poe refused this API key: |Poe has no such bot: |Poe answered with .*)")
_NO_EMBEDDINGS = (
    "Poe has no embeddings at present. EMBEDDINGS_BASE_URL on the gateway can name a server that has: any "
    "OpenAI-compatible one."
)


class EmbeddingsServer:
    """One a worker; greenlets and threads share its connections."""

    def __init__(
        self, base_url: str, *, poe_base_url: str, api_key: str = "", proxy: str = "", connect_timeout: float = 10.0
    ) -> None:
        """`base_url` empty: Poe's own. `api_key` is for a server that is not Poe, `proxy` for the way to Poe."""
        self._base_url = base_url or f"{poe_base_url.rstrip('/')}/v1"
        self.is_poe = _origin(self._base_url) == _origin(poe_base_url)
        self._api_key = api_key
        self._connect_timeout = connect_timeout
        self._session = requests.Session()
        self._session.trust_env = False  # neither .netrc nor somebody's proxy
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.headers.update({"User-Agent": f"poe2openai/{__version__}", "Accept-Encoding": "identity"})
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=100)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)
        if proxy and self.is_poe:
            self._session.proxies = {"http": proxy, "https": proxy}

    def create(self, body: bytes, poe_key: str) -> dict[str, Any]:
        """The server's answer as it is; `GatewayError` for a refusal, and for what is no embeddings."""
        key = poe_key if self.is_poe else self._api_key
        deadline = time.monotonic() + ANSWER_SECONDS
        try:
            with self._post(body, key) as response:
                if response.status_code != 200:
                    raise self._refusal(response, key)
                answer = _read(response, deadline)
        except requests.Timeout:
            raise GatewayError(ErrorKind.UPSTREAM_TIMEOUT, "The embeddings server did not answer in time.") from None
        except (requests.RequestException, urllib3.exceptions.HTTPError):
            # The library's words hold addresses, and a proxy's password among them.
            message = "The embeddings server cannot be reached, or broke off its answer."
            raise GatewayError(ErrorKind.UPSTREAM_UNREACHABLE, message) from None
        return _parsed(answer)

    def _post(self, body: bytes, key: str) -> requests.Response:
        """Once more where the server ended a connection without an answer: it may have been idle for too long."""
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
        ask = partial(
            self._session.post,
            f"{self._base_url}/embeddings",
            data=body,
            headers=headers,
            timeout=(self._connect_timeout, _SILENCE_SECONDS),
            allow_redirects=False,
            stream=True,
        )
        try:
            return ask()
        except requests.Timeout:
            raise
        except requests.ConnectionError:
            return ask()

    def _refusal(self, response: requests.Response, key: str) -> GatewayError:
        status = response.status_code
        if self.is_poe and status in (404, 405, 501):
            return GatewayError(ErrorKind.NOT_FOUND, _NO_EMBEDDINGS, upstream_status=status)
        if status < 400:
            message = f"The embeddings server answered with HTTP status {status}; EMBEDDINGS_BASE_URL may be wrong."
            return GatewayError(ErrorKind.UPSTREAM_INVALID, message, upstream_status=status)
        error = error_from_status(status, response.headers, response.raw.read(MAX_ERROR_BODY), secret=key)
        if self.is_poe:
            return error
        kind = _KINDS.get(status, ErrorKind.INVALID_REQUEST if status < 500 else ErrorKind.UPSTREAM_ERROR)
        said = _POES_WORDS.sub("", error.message)
        message = f"The embeddings server refused with HTTP status {status}{f': {said}' if said else '.'}"
        return GatewayError(kind, message, retry_after=error.retry_after, upstream_status=status)


def _read(response: requests.Response, deadline: float) -> bytes:
    pieces: list[bytes] = []
    size = 0
    for piece in iter(partial(response.raw.read1, _PIECE), b""):
        pieces.append(piece)
        size += len(piece)
        if size > MAX_ANSWER:
            raise GatewayError(ErrorKind.UPSTREAM_INVALID, "The embeddings server's answer is too large.")
        if time.monotonic() > deadline:
            raise GatewayError(ErrorKind.UPSTREAM_TIMEOUT, "The embeddings server's answer took too long to come.")
    return b"".join(pieces)


def _parsed(answer: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(answer)
    except ValueError:
        value = None
    if not isinstance(value, dict) or not isinstance(value.get("data"), list):
        raise GatewayError(ErrorKind.UPSTREAM_INVALID, "The embeddings server's answer holds no embeddings.")
    return value


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
