"""Which bots there are, by which names clients know them, and what the owner set for each."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from poe2openai.config.models_file import ModelsFile, ModelsFileStore
from poe2openai.config.values import ToolHistory, ToolsMode
from poe2openai.core.errors import GatewayError
from poe2openai.core.request import ReasoningOptions, WebSearch
from poe2openai.gateway.model_index import NO_SETTINGS, ModelIndex, build_index
from poe2openai.gateway.model_list import ModelList
from poe2openai.gateway.model_names import MAX_NAME_LENGTH
from poe2openai.gateway.model_suffix import split_name
from poe2openai.poe.parameters import Declared

MAX_REMEMBERED_ROUTES = 2048


@dataclass(frozen=True, slots=True)
class Route:
    """The way from the name a client used to a bot, with the owner's policy for it.

    `model` is the client's name, to be echoed; `hold` keeps an answer back until it is final; `parameters` are the
    owner's defaults; `declared` holds the parameters that the bot's entry in Poe's list declares, None where there is
    no such entry, and `supports_tools` says that the entry promises native tools. With
    `attach_last_files` the files of the last answer go with the next question; `makes_text` is False for a bot that
    makes nothing but pictures, sounds or films. `reasoning` and `web_search` come from
    suffixes of the client's name.
    """

    model: str
    bot: str
    hold: bool
    parameters: Mapping[str, Any]
    system_prompt: str | None
    declared: Declared | None
    supports_tools: bool = False
    tools_mode: ToolsMode | None = None
    tool_history: ToolHistory | None = None
    single_message: bool = False
    attach_last_files: bool = False
    makes_text: bool = True
    reasoning: ReasoningOptions | None = None
    web_search: WebSearch | None = None


class _Snapshot:
    """One list and one models.yaml, put together; remembers the routes that were asked for."""

    def __init__(self, entries: tuple[dict[str, Any], ...] | None, file: ModelsFile, version: int) -> None:
        self.entries = entries
        self.file = file
        self.version = version
        self.index: ModelIndex = build_index(entries or (), file)
        self._routes: dict[str, Route] = {}

    def route(self, name: str) -> Route:
        route = self._routes.get(name)
        if route is None:
            route = self._find(name)
            if len(name) <= MAX_NAME_LENGTH:
                if len(self._routes) >= MAX_REMEMBERED_ROUTES:
                    self._routes.clear()
                self._routes[name] = route
        return route

    def _find(self, name: str) -> Route:
        base, bot, asked = split_name(name, self.index.bot)
        # An unknown name is a private bot, most likely: it is Poe's to say that there is none.
        settings = bot.settings if bot else NO_SETTINGS
        return Route(
            name,
            bot.name if bot else base,
            hold=settings.replace_response,
            parameters=settings.parameters,
            system_prompt=settings.system_prompt,
            declared=bot.declared if bot else None,
            supports_tools=bot is not None and bot.supports_tools,
            tools_mode=settings.tools_mode,
            tool_history=settings.tool_history,
            single_message=settings.single_message,
            attach_last_files=_first_said(settings.attach_last_files, bot is not None and bot.makes_images),
            makes_text=bot is None or bot.makes_text,
            reasoning=asked.reasoning,
            web_search=asked.web_search,
        )


def _first_said(said: bool | None, otherwise: bool) -> bool:
    return otherwise if said is None else said


class Catalog:
    """Poe's list as models.yaml edits it; `start` keeps it fresh, and every call sees the latest models.yaml."""

    def __init__(
        self, models_file: ModelsFileStore, fetch: Callable[[], list[dict[str, Any]]], refresh_seconds: float
    ) -> None:
        self._models_file = models_file
        self._list = ModelList(fetch, refresh_seconds)
        self._building = threading.Lock()
        self._snapshot = _Snapshot(None, models_file.current(), version=0)

    def start(self) -> None:
        self._list.start()

    def stop(self) -> None:
        self._list.stop()

    def resolve(self, name: str) -> Route:
        """Where a request for `name` goes; never asks Poe, and an unknown name goes there as it stands."""
        return self._current().route(name)

    def models(self) -> list[dict[str, Any]]:
        """The entries that clients see, in Poe's shape; the very same list object until something changes.

        Raises `GatewayError` if Poe's list never came and models.yaml adds no model of its own.
        """
        error = self._load()
        listed = self._current().index.listed
        if error is not None and not listed:
            raise error
        return listed

    def find(self, name: str) -> dict[str, Any] | None:
        """The entry of any name that `resolve` knows, hidden ones too; None for others."""
        error = self._load()
        entry = self._current().index.entry(name)
        if error is not None and entry is None:
            raise error
        return entry

    def poes(self) -> Sequence[dict[str, Any]]:
        """Poe's list as it was last read, without what models.yaml says; raises `GatewayError` if it never came."""
        self._list.load()
        return self._list.entries or ()

    def unedited(self) -> list[dict[str, Any]]:
        """Poe's list as it is at this moment; raises `GatewayError`."""
        return self._list.fresh()

    def version(self) -> int:
        """Grows whenever `models` or `resolve` may answer differently."""
        return self._current().version

    def _load(self) -> GatewayError | None:
        try:
            self._list.load()
        except GatewayError as error:
            return error
        return None

    def _current(self) -> _Snapshot:
        entries, file = self._list.entries, self._models_file.current()
        snapshot = self._snapshot
        if snapshot.entries is entries and snapshot.file is file:
            return snapshot
        with self._building:
            entries, file, snapshot = self._list.entries, self._models_file.current(), self._snapshot
            if snapshot.entries is not entries or snapshot.file is not file:
                snapshot = self._snapshot = _Snapshot(entries, file, snapshot.version + 1)
            return snapshot
