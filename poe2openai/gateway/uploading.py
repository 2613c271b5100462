"""Files handed to Poe, each of them once: however many requests bring it at the same moment, to whichever worker."""

import hashlib
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from poe2openai.core.content import Content, ContentBuilder
from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.gateway.attempts import attempt
from poe2openai.gateway.keys import Caller, KeyRing
from poe2openai.gateway.media_types import file_name, true_type
from poe2openai.poe.files import Attachment, PoeFiles
from poe2openai.poe.public_fetch import PublicFetcher
from poe2openai.store.uploads import CLAIM_SECONDS, Upload, UploadCache, owner_of

_LOOK_SECONDS = 0.1  # between two looks at what another worker uploads
_RENEW_SECONDS = CLAIM_SECONDS / 4

OnSilence = Callable[[], None]
Send = Callable[[str, OnSilence], Attachment]


@dataclass(frozen=True, slots=True)
class Uploader:
    """For whom a file is uploaded: the keys that may serve, the first one first."""

    caller: Caller
    keys: Sequence[str]


@dataclass(frozen=True, slots=True)
class Uploaded:
    """`was_known` says that Poe had the file before: it may have forgotten it since."""

    upload: Upload
    was_known: bool


class _Flight:
    """One upload under way in this worker. Without result and error, whoever led it has left."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.result: Uploaded | None = None
        self.error: GatewayError | None = None


class Uploads:
    """One a worker. `GatewayError`s say what Poe, or a file's own server, said; the caller adds which file it was."""

    def __init__(self, files: PoeFiles, ring: KeyRing, cache: UploadCache, fetcher: PublicFetcher | None) -> None:
        """Without `fetcher`, Poe itself fetches what lies at an address."""
        self._files = files
        self._ring = ring
        self._cache = cache
        self._fetcher = fetcher
        self._lock = threading.Lock()
        self._flights: dict[tuple[frozenset[str], str], _Flight] = {}

    def of_content(
        self, content: Content, name: str | None, declared: str | None, who: Uploader, on_silence: OnSilence
    ) -> Uploaded:
        return self._once(f"sha256:{content.sha256}", self._sending(content, name, declared), who, on_silence)

    def anew(
        self, content: Content, name: str | None, declared: str | None, who: Uploader, on_silence: OnSilence
    ) -> Upload:
        """Uploaded whether Poe has it or not, so that it is kept for as long as can be."""
        send = self._sending(content, name, declared)
        return self._send(f"sha256:{content.sha256}", send, who, on_silence)

    def of_address(
        self, url: str, name: str | None, declared: str | None, who: Uploader, on_silence: OnSilence
    ) -> Uploaded:
        def hand_over(key: str, on_silence: OnSilence) -> Attachment:
            return self._files.upload_from(url, name, declared or "application/octet-stream", key, on_silence)

        def fetch_and_send(key: str, on_silence: OnSilence) -> Attachment:
            content, told_name, told_type = self._fetched(url, on_silence)
            return self._sending(content, name or told_name, declared or told_type)(key, on_silence)

        source = f"url:{hashlib.sha256(url.encode()).hexdigest()}"
        return self._once(source, hand_over if self._fetcher is None else fetch_and_send, who, on_silence)

    def forget(self, urls: Sequence[str]) -> None:
        """Poe no longer knows these."""
        self._cache.forget(urls)

    def _sending(self, content: Content, name: str | None, declared: str | None) -> Send:
        media_type = true_type(content, declared, name)
        full_name = file_name(name, media_type)

        def send(key: str, on_silence: OnSilence) -> Attachment:
            return self._files.upload(content, full_name, media_type, key, on_silence)

        return send

    def _fetched(self, url: str, on_silence: OnSilence) -> tuple[Content, str | None, str | None]:
        assert self._fetcher is not None  # noqa: S101 (see `of_address`)
        builder = ContentBuilder()
        with self._fetcher.open(url, check=on_silence) as fetched:
            for piece in fetched.pieces():
                builder.add(piece)
        return builder.finish(), fetched.name, fetched.media_type

    def _once(self, source: str, send: Send, who: Uploader, on_silence: OnSilence) -> Uploaded:
        owners = frozenset(map(owner_of, who.keys))
        while True:
            with self._lock:
                flight = self._flights.get((owners, source))
                leads = flight is None
                if flight is None:
                    flight = self._flights[owners, source] = _Flight()
            if leads:
                return self._lead(flight, _Task(source, send, who, owners), on_silence)
            while not flight.over.wait(0.5):
                on_silence()
            if flight.result is not None:
                return flight.result
            if flight.error is not None:
                raise _copy(flight.error)

    def _lead(self, flight: _Flight, task: "_Task", on_silence: OnSilence) -> Uploaded:
        try:
            uploaded = flight.result = self._find_or_send(task, on_silence)
        except GatewayError as error:
            # Who is stopped says nothing of the file: whoever else waits for it takes over.
            if error.kind is not ErrorKind.STOPPED:
                flight.error = error
            raise
        finally:
            with self._lock:
                del self._flights[task.owners, task.source]
            flight.over.set()
        return uploaded

    def _find_or_send(self, task: "_Task", on_silence: OnSilence) -> Uploaded:
        cache, owners = self._cache, sorted(task.owners)
        try:
            while True:
                if found := cache.find(owners, task.source):
                    return Uploaded(found, was_known=True)
                if cache.claim(owners[0], task.source, task.holder):
                    break
                time.sleep(_LOOK_SECONDS)
                on_silence()
            # Another worker may have given its claim back between the two questions.
            if found := cache.find(owners, task.source):
                return Uploaded(found, was_known=True)
            renewing = _every(_RENEW_SECONDS, lambda: cache.claim(owners[0], task.source, task.holder), on_silence)
            return Uploaded(self._send(task.source, task.send, task.who, renewing), was_known=False)
        finally:
            cache.give_back(owners[0], task.source, task.holder)

    def _send(self, source: str, send: Send, who: Uploader, on_silence: OnSilence) -> Upload:
        def ask(key: str) -> Upload:
            made = send(key, on_silence)
            return Upload(owner_of(key), source, made.url, made.media_type, made.name, made.size or 0)

        upload = attempt(ask, keys=who.keys, ring=self._ring, caller=who.caller, on_silence=on_silence)
        self._cache.put(upload)
        return upload


@dataclass(frozen=True, slots=True)
class _Task:
    source: str
    send: Send
    who: Uploader
    owners: frozenset[str]
    holder: str = field(default_factory=lambda: uuid.uuid4().hex)


def _every(seconds: float, act: Callable[[], object], on_silence: OnSilence) -> OnSilence:
    """`on_silence`, which now and then does something else as well."""
    due = time.monotonic() + seconds

    def look() -> None:
        nonlocal due
        on_silence()
        if time.monotonic() >= due:
            act()
            due = time.monotonic() + seconds

    return look


def _copy(error: GatewayError) -> GatewayError:
    """Of its own for each who raises it: an exception collects tracebacks."""
    return GatewayError(error.kind, error.message, retry_after=error.retry_after, upstream_status=error.upstream_status)
