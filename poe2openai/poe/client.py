"""The calls to Poe: a bot's query, and the little JSON that the gateway asks for."""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import quote, unquote, urlsplit

import orjson
from requests import Response

from poe2openai import __version__
from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.poe.body import BodyStream, MakeWait
from poe2openai.poe.errors import error_from_status
from poe2openai.poe.transport import PoeAdapter, PreparedQuery

QueryStream = BodyStream

MAX_JSON = 32 * 1024 * 1024
MAX_ERROR_BODY = 64 * 1024
JSON_SECONDS = 30.0
ERROR_BODY_SECONDS = 5.0
MAX_BOT_NAME = 256

_KEY = re.compile(r"[\x21-\x7e]{1,4096}")
_LEAVES_PATH = re.compile(r"[/\\\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class LastContact:
    """How Poe was last found: `when` in Unix seconds, `ok` if it gave an answer that is no server error."""

    when: float
    ok: bool


class PoeClient:
    """One serves a whole worker: all greenlets and threads share its connections."""

    def __init__(
        self,
        base_url: str,
        *,
        proxy: str = "",
        connect_timeout: float = 10.0,
        idle_timeout: float = 300.0,
        tick: float = 1.0,
        ca_bundle: str | None = None,
        make_wait: MakeWait | None = None,
    ) -> None:
        """Times in seconds; `ca_bundle` is a file of authorities to trust in place of the usual ones.

        `make_wait` gives streams a way to wait for bytes that is cheaper than `recv`.
        """
        self.last_contact: LastContact | None = None
        self.base_url = self._base_url = _checked(base_url)
        self._connect_timeout = connect_timeout
        self._adapter = PoeAdapter(
            proxy=proxy,
            connect_timeout=connect_timeout,
            idle_timeout=idle_timeout,
            tick=tick,
            ca_bundle=ca_bundle,
            make_wait=make_wait,
        )
        self._query = self._template("POST", "text/event-stream")
        self._query.headers["Content-Type"] = "application/json"
        self._get = self._template("GET", "application/json")

    def query(self, bot: str, body: bytes, key: str, on_silence: Callable[[], None] | None = None) -> QueryStream:
        """Poe's answer to a query, as soon as its head is there; `GatewayError` for anything but a stream of events.

        `on_silence` is called at each tick until then, and may raise to give up.
        """
        request = self._query.copy()
        request.on_silence = on_silence
        request.url = f"{self._base_url}/bot/{_path_segment(bot)}"
        request.headers["Authorization"] = _bearer(key)
        request.body = body
        response = self._send(request)
        stream = _body_of(response)
        try:
            if response.status_code != 200:
                raise _error_of(response, key)
            kind = _media_type(response)
            if kind not in ("text/event-stream", ""):
                raise _no_stream(response, kind, key)
            _refuse_encoding(response)
        except BaseException:
            stream.close()
            raise
        return stream

    def models(self, key: str | None = None) -> list[dict[str, Any]]:
        """Poe's model list, as it is; needs no key."""
        answer = self._json("/v1/models", key)
        entries = answer.get("data") if isinstance(answer, dict) else answer
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise GatewayError(ErrorKind.UPSTREAM_INVALID, "Poe's model list has an unknown shape.")
        return entries

    def balance(self, key: str) -> dict[str, Any]:
        """`{"current_point_balance": …}`; also the cheapest way to see whether a key is valid."""
        answer = self._json("/usage/current_balance", key)
        if not isinstance(answer, dict):
            raise GatewayError(ErrorKind.UPSTREAM_INVALID, "Poe's balance has an unknown shape.")
        return answer

    def points_history(self, key: str, *, limit: int, after: str | None = None) -> dict[str, Any]:
        """`{"has_more", "data": [{"creation_time" (microseconds), "cost_points", "query_id", …}]}`, the latest first.

        `after` is the `query_id` that the page begins behind.
        """
        page = f"&starting_after={quote(after, safe='')}" if after else ""
        answer = self._json(f"/usage/points_history?limit={limit}{page}", key)
        if not isinstance(answer, dict) or not isinstance(answer.get("data"), list):
            raise GatewayError(ErrorKind.UPSTREAM_INVALID, "Poe's history of points has an unknown shape.")
        return answer

    def get(self, url: str, on_silence: Callable[[], None]) -> tuple[BodyStream, int, Mapping[str, str]]:
        """What any address answers, with its status and headers; no key goes there."""
        request = self._get.copy()
        request.headers["Accept"] = "*/*"
        request.url = url
        request.on_silence = on_silence
        response = self._send(request)
        return _body_of(response), response.status_code, response.headers

    def post(
        self,
        url: str,
        headers: Mapping[str, str],
        body: tuple[bytes, ...],
        on_silence: Callable[[], None],
        idle_timeout: float,
    ) -> tuple[BodyStream, int, Mapping[str, str]]:
        """The same for a body in pieces; `idle_timeout` in seconds."""
        request = self._get.copy()
        request.method, request.url = "POST", url
        request.headers.update(headers)
        request.body = body  # type: ignore[assignment]  # the adapter takes pieces
        request.on_silence = on_silence
        response = self._send(request, (self._connect_timeout, idle_timeout))
        return _body_of(response), response.status_code, response.headers

    def close(self) -> None:
        """Ends the connections that are idle; a stream that is open goes on to its end."""
        self._adapter.close()

    def _template(self, method: str, accept: str) -> PreparedQuery:
        headers = {
            "User-Agent": f"poe2openai/{__version__}",
            "Accept": accept,
            "Accept-Encoding": "identity",
            "Connection": "keep-alive",
        }
        request = PreparedQuery()
        request.prepare(method, self._base_url, headers)
        request.headers.pop("Content-Length", None)
        return request

    def _send(self, request: PreparedQuery, timeout: tuple[float, float] | None = None) -> Response:
        try:
            response = self._adapter.send(request, stream=True, timeout=timeout)
        except GatewayError as error:
            if error.kind is not ErrorKind.STOPPED:  # which is nothing that Poe did
                self.last_contact = LastContact(time.time(), ok=False)
            raise
        self.last_contact = LastContact(time.time(), ok=response.status_code < 500)
        return response

    def _json(self, path: str, key: str | None) -> Any:
        deadline = time.monotonic() + JSON_SECONDS
        request = self._get.copy()
        request.url = self._base_url + path
        if key is not None:
            request.headers["Authorization"] = _bearer(key)
        response = self._send(request, (self._connect_timeout, JSON_SECONDS))
        try:
            if response.status_code != 200:
                error = _error_of(response, key or "")
                if error.kind is ErrorKind.MODEL_NOT_FOUND:
                    _refuse(f"Poe has no {path}; POE_BASE_URL may be wrong.", response.status_code)
                raise error
            _refuse_encoding(response)
            body = _body_of(response).read(MAX_JSON, max(0.1, deadline - time.monotonic()))
            if len(body) > MAX_JSON:
                _refuse(f"Poe's answer to {path} is too large.", 200)
        finally:
            _body_of(response).close()
        try:
            return orjson.loads(body)
        except ValueError:
            _refuse(f"Poe's answer to {path} is no JSON.", 200)


def _checked(base_url: str) -> str:
    url = urlsplit(base_url)
    if url.scheme not in ("http", "https") or not url.hostname or url.username is not None or url.query or url.fragment:
        raise ValueError("Poe's address has to be http(s)://host, with nothing but a path behind it")
    return base_url.rstrip("/")


def _path_segment(bot: str) -> str:
    """The bot's name as one segment of a path, also for a server that decodes twice."""
    seen = unquote(bot)
    is_bot = seen.strip() not in ("", ".", "..") and not _LEAVES_PATH.search(bot + seen) and len(bot) <= MAX_BOT_NAME
    try:
        if is_bot:
            return quote(bot, safe="")
    except UnicodeEncodeError:
        pass
    raise GatewayError(ErrorKind.MODEL_NOT_FOUND, "The model's name cannot be the name of a Poe bot.", param="model")


def _bearer(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise GatewayError(ErrorKind.AUTHENTICATION, "The Poe key has characters that no key has.")
    return f"Bearer {key}"


def _body_of(response: Response) -> BodyStream:
    body: Any = response.raw
    assert isinstance(body, BodyStream)  # noqa: S101 (what our own adapter makes)
    return body


def _media_type(response: Response) -> str:
    return response.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def _body_start(response: Response) -> bytes:
    """The body as far as an error can be in it."""
    try:
        body = _body_of(response).read(MAX_ERROR_BODY, ERROR_BODY_SECONDS)[:MAX_ERROR_BODY]
    except GatewayError:
        return b""
    return b"" if _is_encoded(response) else body


def _error_of(response: Response, key: str) -> GatewayError:
    status = response.status_code
    if status >= 400:
        return error_from_status(status, response.headers, _body_start(response), secret=key)
    what = "a redirect, which is not followed" if status >= 300 else f"HTTP status {status}"
    message = f"Poe answered with {what}; POE_BASE_URL may be wrong."
    return GatewayError(ErrorKind.UPSTREAM_INVALID, message, upstream_status=status)


def _no_stream(response: Response, kind: str, key: str) -> GatewayError:
    """200, and yet no events: an error in JSON, or somebody's web page."""
    body = _body_start(response)
    if kind.endswith("json"):
        try:
            answer = orjson.loads(body)
        except ValueError:
            answer = None
        if isinstance(answer, dict) and answer.get("error"):
            return error_from_status(400, response.headers, body, secret=key)
    what = "a web page" if "html" in kind else f"{kind[:100]}"
    message = f"Poe answered with {what} in place of a stream of events."
    return GatewayError(ErrorKind.UPSTREAM_INVALID, message, upstream_status=200)


def _is_encoded(response: Response) -> bool:
    return response.headers.get("Content-Encoding", "identity").strip().lower() not in ("identity", "")


def _refuse_encoding(response: Response) -> None:
    """Identity was asked for: what compresses all the same is no server to decode a bomb of."""
    if _is_encoded(response):
        _refuse("Poe's answer is compressed, which was not asked for.", response.status_code)


def _refuse(message: str, status: int) -> NoReturn:
    raise GatewayError(ErrorKind.UPSTREAM_INVALID, message, upstream_status=status)
