"""What hands files over to Poe, put together as in a worker, for tests of it on real sockets."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from poe2openai.gateway.attachments import Attachments
from poe2openai.gateway.keys import Caller, KeyRing
from poe2openai.gateway.uploading import Uploader, Uploads
from poe2openai.poe.client import PoeClient
from poe2openai.poe.files import PoeFiles
from poe2openai.poe.public_fetch import PublicFetcher
from poe2openai.store.database import Database
from poe2openai.store.files import FileIds
from poe2openai.store.uploads import UploadCache

OWN = Uploader(Caller("key-1", "client-key"), ("client-key",))
MB = 1024 * 1024


def nobody_waits() -> None:
    """Whoever waits is still there, and has nothing to do meanwhile."""


@contextmanager
def client_of(url: str) -> Iterator[PoeClient]:
    client = PoeClient(url, connect_timeout=2.0, idle_timeout=5.0, tick=0.05)
    try:
        yield client
    finally:
        client.close()


class Worker:
    """One worker's part of it; several of one folder share what they know."""

    def __init__(
        self,
        client: PoeClient,
        folder: Path,
        *,
        ring: tuple[str, ...] = (),
        fetcher: PublicFetcher | None = None,
        ttl_seconds: float = 3600.0,
        max_bytes: int = 100 * MB,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.files = PoeFiles(client, f"{client.base_url}/upload")
        self.keys = KeyRing(ring, ("token",) if ring else (), allow_client_keys=True)
        database = Database(folder / "store.db", _right_here)
        self.cache = UploadCache(database, ttl_seconds=ttl_seconds, max_bytes=max_bytes, clock=clock)
        self.ids = FileIds(database, ttl_seconds=ttl_seconds, clock=clock)
        self.uploads = Uploads(self.files, self.keys, self.cache, fetcher)
        self.attachments = Attachments(self.files, self.uploads, self.ids)


def _right_here(work: Callable[[], Any]) -> Any:
    return work()
