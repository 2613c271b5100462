"""The model list as clients read it.

Poe's own fields stay as Poe sent them, but for `created`; beside them stand the names under which clients look for the
same facts: OpenRouter's (`name`, `top_provider`, `supported_parameters`), those of OpenAI-like servers
(`max_model_len`, `max_output_tokens`) and LobeChat's (`displayName`, `contextWindowTokens`, `functionCall`, …). A fact
that Poe does not tell has no field, so that a client falls back on what it knows itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

# Later than any time in seconds, earlier than any in milliseconds: the years 5138 and 1973.
_FIRST_MILLISECONDS = 100_000_000_000
_SUPPORTED = ("max_tokens", "max_completion_tokens", "temperature", "stop", "logit_bias")
_REASONING = frozenset(
    (
        "reasoning_effort",
        "thinking_budget",
        "thinking_level",
        "output_effort",
        "effort",
        "enable_thinking",
        "deep_thinking",
        "thinking",
        "reasoning_enabled",
    )
)


def openai_model(entry: Mapping[str, Any]) -> dict[str, Any]:
    """OpenAI's `Model` with more fields; whatever Poe's entry lacks or garbles, these four are right."""
    owner = entry.get("owned_by")
    return {
        **entry,
        "id": entry["id"],
        "object": "model",
        "created": _seconds(entry.get("created")),
        "owned_by": owner if isinstance(owner, str) else "poe",
        **_names(entry),
        **_limits(entry),
        **_abilities(entry),
    }


def openai_list(entries: Iterable[Mapping[str, Any]]) -> bytes:
    return orjson.dumps({"object": "list", "data": [openai_model(entry) for entry in entries]})


class RenderedList:
    """`openai_list`, rendered once for as long as the same list object comes in."""

    def __init__(self) -> None:
        self._last: tuple[Sequence[Mapping[str, Any]], bytes] | None = None

    def render(self, entries: Sequence[Mapping[str, Any]]) -> bytes:
        last = self._last
        if last is None or last[0] is not entries:
            last = self._last = (entries, openai_list(entries))
        return last[1]


def _seconds(value: object) -> int:
    """OpenAI counts seconds, Poe milliseconds; 0 where there is no time."""
    moment = _whole(value) or 0
    while moment >= _FIRST_MILLISECONDS:
        moment //= 1000
    return moment


def _names(entry: Mapping[str, Any]) -> dict[str, Any]:
    metadata = _mapping(entry.get("metadata"))
    shown = metadata.get("display_name")
    name = shown if isinstance(shown, str) and shown.strip() else entry["id"]
    # Without `type`, LobeChat takes bots such as flux for models of its image endpoint and hides them from chats.
    return {"name": name, "displayName": name, "type": "chat"}


def _limits(entry: Mapping[str, Any]) -> dict[str, Any]:
    window = _mapping(entry.get("context_window"))
    context = _whole(entry.get("context_length")) or _whole(window.get("context_length"))
    output = _whole(window.get("max_output_tokens"))
    limits: dict[str, Any] = {}
    if context:
        limits |= {"context_length": context, "max_model_len": context, "contextWindowTokens": context}
    if output:
        limits |= {"max_output_tokens": output, "max_completion_tokens": output, "maxOutput": output}
    if context or output:
        limits["top_provider"] = {"context_length": context, "max_completion_tokens": output, "is_moderated": False}
    return limits


def _abilities(entry: Mapping[str, Any]) -> dict[str, Any]:
    features = _strings(entry.get("supported_features"))
    inputs = _strings(_mapping(entry.get("architecture")).get("input_modalities"))
    declared = _strings([_mapping(parameter).get("name") for parameter in _list(entry.get("parameters"))])
    parameters = [*_SUPPORTED, *declared]
    abilities: dict[str, Any] = {}
    if "tools" in features:
        parameters += ["tools", "tool_choice"]
        abilities["functionCall"] = True
    if "web_search" in features:
        abilities["search"] = True
    if inputs:
        abilities["vision"] = "image" in inputs
    if entry.get("reasoning") or not _REASONING.isdisjoint(declared):
        parameters += ["reasoning", "include_reasoning"]
    return {**abilities, "supported_parameters": list(dict.fromkeys(parameters))}


def _whole(value: object) -> int | None:
    """A count, also one written as text or with a point; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and value.isdecimal() and len(value) <= 18:
        return int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and 0 <= value < 2**63 else None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _strings(value: object) -> list[str]:
    return [item for item in _list(value) if isinstance(item, str)]
