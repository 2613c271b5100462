"""Puts a worker's app together."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from flask import Flask
from gevent.monkey import is_module_patched

from poe2openai.config.models_file import ModelsFileStore
from poe2openai.config.settings import Settings, load_settings
from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.dialects.catalog import RenderedList
from poe2openai.gateway.attachments import Attachments
from poe2openai.gateway.balance import Balances
from poe2openai.gateway.catalog import Catalog
from poe2openai.gateway.downloads import Downloads
from poe2openai.gateway.exchange import Exchange
from poe2openai.gateway.keys import KeyRing
from poe2openai.gateway.making import Making
from poe2openai.gateway.recorder import Recorder
from poe2openai.gateway.tokens import tokenizer
from poe2openai.gateway.tool_ways import ToolWays
from poe2openai.gateway.uploading import Uploads
from poe2openai.gateway.upstream import Upstreams
from poe2openai.gateway.videos import KEPT_SECONDS, Videos
from poe2openai.poe.client import PoeClient
from poe2openai.poe.embeddings import EmbeddingsServer
from poe2openai.poe.files import PoeFiles
from poe2openai.poe.public_fetch import MAX_SIZE, PublicFetcher
from poe2openai.store.database import Database
from poe2openai.store.files import FileIds
from poe2openai.store.records import MOST_ROWS, MOST_ROWS_IN_MEMORY, Records
from poe2openai.store.uploads import UploadCache
from poe2openai.store.videos import VideoJobs
from poe2openai.web import cors, errors, health, limits, log_format, pages, request_log
from poe2openai.web.admin import config as admin_config
from poe2openai.web.admin import connect as admin_connect
from poe2openai.web.admin import keys as admin_keys
from poe2openai.web.admin import live as admin_live
from poe2openai.web.admin import login, session
from poe2openai.web.admin import models as admin_models
from poe2openai.web.admin import overview as admin_overview
from poe2openai.web.admin import playground as admin_playground
from poe2openai.web.api import audio, billing, chat, completions, embeddings, files, images, models, videos
from poe2openai.web.client_name import client_name
from poe2openai.web.hang_up import HangUpWatcher
from poe2openai.web.live import Live
from poe2openai.web.readable import ReadableWait
from poe2openai.web.services import EXTENSION, Services
from poe2openai.web.storage import database, database_aside, is_temporary

log = logging.getLogger(__name__)

_BLUEPRINTS = (
    chat.blueprint,
    completions.blueprint,
    embeddings.blueprint,
    images.blueprint,
    audio.blueprint,
    videos.blueprint,
    files.blueprint,
    billing.blueprint,
    models.blueprint,
    health.blueprint,
    pages.blueprint,
    login.blueprint,
    admin_config.blueprint,
    admin_live.blueprint,
    admin_overview.blueprint,
    admin_keys.blueprint,
    admin_models.blueprint,
    admin_playground.blueprint,
    admin_connect.blueprint,
)

# A thread that waits for Poe looks this often whether its client is still there; a greenlet is told.
_THREAD_TICK_SECONDS = 0.5
_LONGEST_TICK_SECONDS = 2.5  # so that a request which the owner stops ends soon


class App(Flask):
    """Flask, for views that are plain functions all."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Flask looks at each request whether each function that it calls is a coroutine."""
        return func


def create_app(settings: Settings | None = None) -> Flask:
    """The WSGI app; the settings are the environment's unless given. Raises `SettingsError`."""
    settings = settings or load_settings()
    log_format.configure(settings.log_level, settings.log_format)
    app = App("poe2openai", static_folder="../static", template_folder="../templates")
    # Before all that may answer by itself: each of them is logged too.
    records = Records(database_aside(settings), most_rows=MOST_ROWS_IN_MEMORY if is_temporary(settings) else MOST_ROWS)
    recorder = Recorder(records, days=settings.usage_retention_days, client_name=client_name)
    request_log.install(app, recorder.note, with_texts=settings.record_messages and settings.usage_retention_days > 0)
    errors.install(app)
    cors.install(app)
    store = database(settings)
    app.extensions[EXTENSION] = _services(app, settings, store, recorder)
    session.install(app, settings, store)
    for blueprint in _BLUEPRINTS:
        app.register_blueprint(blueprint)
    return app


def _services(app: Flask, settings: Settings, store: Database, recorder: Recorder) -> Services:
    models_file = ModelsFileStore(settings.config_dir, settings.models_yaml)
    models_file.watch()
    keys = KeyRing(settings.poe_api_keys, settings.access_tokens, settings.allow_client_keys)
    poe = PoeClient(
        settings.poe_base_url,
        proxy=settings.proxy,
        connect_timeout=settings.upstream_connect_timeout,
        idle_timeout=settings.upstream_idle_timeout,
        tick=_tick(settings.stream_ping_seconds),
        make_wait=ReadableWait if is_module_patched("socket") else None,
    )
    catalog = Catalog(models_file, partial(_poes_list, poe, models_file), settings.models_refresh_seconds)
    catalog.start()
    poe_files = PoeFiles(poe, settings.poe_file_upload_url)
    file_ids = FileIds(store, ttl_seconds=settings.url_cache_ttl_seconds)
    fetcher = PublicFetcher(
        connect_timeout=settings.upstream_connect_timeout, max_size=max(MAX_SIZE, settings.max_request_size)
    )
    uploads = Uploads(poe_files, keys, _upload_cache(settings, store), fetcher if settings.media_fetch else None)
    exchange = Exchange(
        Upstreams(poe, keys),
        Attachments(poe_files, uploads, file_ids),
        tokenizer(),
        ToolWays(settings.tools_mode, settings.tool_history),
        tool_flags=settings.tool_flags,
    )
    making = Making(exchange, poe_files)
    hang_up = HangUpWatcher()
    return Services(
        settings=settings,
        models_file=models_file,
        catalog=catalog,
        rendered_models=RenderedList(),
        keys=keys,
        poe=poe,
        exchange=exchange,
        uploads=uploads,
        file_ids=file_ids,
        making=making,
        downloads=Downloads(poe_files, fetcher),
        videos=Videos(making, VideoJobs(store, kept_seconds=KEPT_SECONDS)),
        embeddings=EmbeddingsServer(
            settings.embeddings_base_url,
            poe_base_url=settings.poe_base_url,
            api_key=settings.embeddings_api_key,
            proxy=settings.proxy,
            connect_timeout=settings.upstream_connect_timeout,
        ),
        balances=Balances(poe),
        limits=limits.install(app, settings),
        hang_up=hang_up,
        records=recorder.records,
        recorder=recorder,
        live=Live(hang_up, settings),
    )


def _upload_cache(settings: Settings, store: Database) -> UploadCache:
    bound = settings.url_cache_size_mb * 1024 * 1024
    return UploadCache(store, ttl_seconds=settings.url_cache_ttl_seconds, max_bytes=bound)


def _poes_list(poe: PoeClient, models_file: ModelsFileStore) -> list[dict[str, Any]]:
    """Poe's list needs no key: a wrong `api_token` in models.yaml is no reason to go without it."""
    token = models_file.current().api_token
    try:
        return poe.models(token)
    except GatewayError as error:
        if token is None or error.kind is not ErrorKind.AUTHENTICATION:
            raise
    log.warning("Poe refuses the api_token of models.yaml: its model list is read without")
    return poe.models()


def _tick(ping_seconds: float) -> float:
    """How often silence is told: finely enough that a ping is late by a quarter of its interval at most."""
    tick = min(ping_seconds / 4, _LONGEST_TICK_SECONDS)
    return tick if is_module_patched("socket") else min(tick, _THREAD_TICK_SECONDS)
