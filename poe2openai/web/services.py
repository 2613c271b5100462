"""What the views need, made once a worker."""

from dataclasses import dataclass, field
from time import time
from typing import cast

from flask import current_app

from poe2openai.config.models_file import ModelsFileStore
from poe2openai.config.settings import Settings
from poe2openai.dialects.catalog import RenderedList
from poe2openai.gateway.balance import Balances
from poe2openai.gateway.catalog import Catalog
from poe2openai.gateway.downloads import Downloads
from poe2openai.gateway.exchange import Exchange
from poe2openai.gateway.keys import KeyRing
from poe2openai.gateway.making import Making
from poe2openai.gateway.recorder import Recorder
from poe2openai.gateway.uploading import Uploads
from poe2openai.gateway.videos import Videos
from poe2openai.poe.client import PoeClient
from poe2openai.poe.embeddings import EmbeddingsServer
from poe2openai.store.files import FileIds
from poe2openai.store.records import Records
from poe2openai.web.hang_up import HangUpWatcher
from poe2openai.web.limits import Limits
from poe2openai.web.live import Live

EXTENSION = "poe2openai"


@dataclass(frozen=True, slots=True)
class Services:
    settings: Settings
    models_file: ModelsFileStore
    catalog: Catalog
    rendered_models: RenderedList
    keys: KeyRing
    poe: PoeClient
    exchange: Exchange
    uploads: Uploads
    file_ids: FileIds
    making: Making
    downloads: Downloads
    videos: Videos
    embeddings: EmbeddingsServer
    balances: Balances
    limits: Limits
    hang_up: HangUpWatcher
    records: Records
    recorder: Recorder
    live: Live
    started: float = field(default_factory=time)


def services() -> Services:
    """The running app's services."""
    return cast(Services, current_app.extensions[EXTENSION])
