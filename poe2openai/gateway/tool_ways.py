"""By which ways a bot is told of tools, the best first, and which of them it has refused."""

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from poe2openai.config.values import ToolHistory, ToolsMode
from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.request import ModelRequest, ToolCall, ToolResult
from poe2openai.gateway.catalog import Route

REMEMBERED_SECONDS = 86_400.0
# A refusal that does not speak of tools may have been about something else.
DOUBTFUL_SECONDS = 600.0
MAX_REMEMBERED = 4096

_ABOUT_TOOLS = re.compile(r"tool|function|schema|unsupported|not support", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Way:
    """`tools` is how the bot is told of tools, `history` the form of the calls that it made before."""

    tools: Literal["none", "native", "xml"]
    history: Literal["native", "xml", "text"]


_NO_TOOLS = Way("none", "text")
_NATIVE = Way("native", "native")
_NATIVE_WITH_TEXT = Way("native", "text")
_XML = Way("xml", "xml")


class ToolWays:
    """One a worker; what it remembers is the worker's own."""

    def __init__(
        self, tools_mode: ToolsMode, tool_history: ToolHistory, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._tools_mode = tools_mode
        self._tool_history = tool_history
        self._clock = clock
        self._lock = threading.Lock()
        self._refused: dict[tuple[str, Way], float] = {}

    def ways(self, request: ModelRequest, route: Route, *, has_tools: bool) -> list[Way]:
        """One at least. What was refused lately is left out, unless nothing else is left."""
        if not has_tools:
            return [_NO_TOOLS]
        mode = route.tools_mode or self._tools_mode
        if mode == "auto" and not route.makes_text:
            # Such a bot would paint the instructions; chat clients send their tools with every question.
            return [_NO_TOOLS]
        if mode == "xml" or (mode == "auto" and not route.supports_tools):
            return [_XML]
        history = "text" if route.single_message else route.tool_history or self._tool_history
        ways = self._native(request, history)
        if mode == "auto":
            ways.append(_XML)
        now = self._clock()
        return [way for way in ways if self._refused.get((route.bot, way), 0.0) <= now] or ways[-1:]

    def remember(self, bot: str, refused: list[Way], error: GatewayError) -> None:
        """These ways were refused, and the next one was taken."""
        seconds = REMEMBERED_SECONDS if _ABOUT_TOOLS.search(error.message) else DOUBTFUL_SECONDS
        ways = set(refused)
        if _NATIVE_WITH_TEXT in ways:
            ways.add(_NATIVE)
        with self._lock:
            if len(self._refused) >= MAX_REMEMBERED:
                self._refused.clear()
            until = self._clock() + seconds
            for way in ways:
                self._refused[bot, way] = max(until, self._refused.get((bot, way), 0.0))

    @staticmethod
    def _native(request: ModelRequest, history: ToolHistory) -> list[Way]:
        if history == "text" or not _holds_calls(request):
            return [_NATIVE_WITH_TEXT]
        return [_NATIVE] if history == "native" else [_NATIVE, _NATIVE_WITH_TEXT]


def is_refusal(error: GatewayError) -> bool:
    """Whether another way may be taken where this one was not: Poe has no error of its own for tools."""
    return error.kind is ErrorKind.INVALID_REQUEST or (
        error.kind is ErrorKind.UPSTREAM_INTERNAL and _ABOUT_TOOLS.search(error.message) is not None
    )


def _holds_calls(request: ModelRequest) -> bool:
    return any(isinstance(part, ToolCall | ToolResult) for message in request.messages for part in message.parts)
