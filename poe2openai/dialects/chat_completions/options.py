"""Reasoning, web search and output format, in the spellings that clients have for them.

OpenAI's own fields stand in the schema. The others (OpenRouter's `reasoning` and `plugins`, Anthropic's `thinking`,
Google's `thinking_config`, vLLM's `chat_template_kwargs`) are unknown fields of the body, and are taken out of those.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.request import OutputFormat, ReasoningOptions, WebSearch

_SEARCH_TOOLS = ("web_search", "builtin_function")


class _Asked:
    """What the fields said so far; a later word counts where an earlier one said nothing."""

    def __init__(self) -> None:
        self.effort: str | None = None
        self.budget: int | None = None
        self.enabled: bool | None = None
        self.sent: dict[str, Any] = {}

    def add(self, effort: str | None = None, budget: int | None = None, enabled: bool | None = None) -> None:
        if budget is not None and budget < 0:  # as much as the model likes (Google, OpenRouter)
            budget, enabled = None, True
        self.effort = self.effort or effort or None
        self.budget = budget if self.budget is None else self.budget
        self.enabled = enabled if self.enabled is None else self.enabled

    def options(self) -> ReasoningOptions | None:
        if self.effort is None and self.budget is None and self.enabled is None:
            return None
        return ReasoningOptions(self.effort, self.budget, self.enabled, self.sent)


def take_reasoning(effort: str | None, extra: dict[str, Any]) -> ReasoningOptions | None:
    """`effort` is OpenAI's `reasoning_effort`; what else is read is taken out of `extra`."""
    asked = _Asked()
    if effort is not None:
        asked.add(effort=effort)
        asked.sent["reasoning_effort"] = effort
    for name, read in (("reasoning", _openrouter), ("thinking", _anthropic)):
        if isinstance(value := extra.get(name), dict):
            read(value, asked)
            asked.sent[name] = extra.pop(name)
    _take_google(extra, asked)
    _take_template(extra, asked)
    return asked.options()


def take_web_search(
    options: Mapping[str, Any] | None, tool_types: Sequence[str], extra: dict[str, Any]
) -> WebSearch | None:
    """`web_search_options`, a web search tool, or OpenRouter's plugin, which is taken out of `extra`."""
    if options is not None:
        size = _text(options.get("search_context_size"), "web_search_options.search_context_size")
        return WebSearch(context_size=size, location=_location(options), sent={"web_search_options": dict(options)})
    plugins = extra.get("plugins")
    if isinstance(plugins, list) and any(isinstance(each, dict) and each.get("id") == "web" for each in plugins):
        return WebSearch(sent={"plugins": extra.pop("plugins")})
    if any(kind.startswith(_SEARCH_TOOLS) for kind in tool_types):
        return WebSearch(sent={"web_search": True})
    return None


def output_format(response_format: Mapping[str, Any] | None) -> OutputFormat | None:
    """`response_format` (OpenAI API reference, Chat); None for plain text."""
    if response_format is None:
        return None
    match response_format.get("type"):
        case "text":
            return None
        case "json_object":
            # Some servers' clients send the schema along.
            return OutputFormat(_object(response_format.get("schema"), "response_format.schema"))
        case "json_schema":
            return _json_schema(response_format)
        case None:
            raise _invalid("Missing required parameter: 'response_format.type'.", "response_format.type")
        case _:
            raise _invalid(
                "Invalid value for 'response_format.type': expected 'text', 'json_object' or 'json_schema'.",
                "response_format.type",
            )


def _json_schema(response_format: Mapping[str, Any]) -> OutputFormat:
    place = "response_format.json_schema"
    described = _object(response_format.get("json_schema"), place)
    if described is None:
        raise _invalid(f"Missing required parameter: '{place}'.", place)
    schema = _object(described.get("schema"), f"{place}.schema")
    name = _text(described.get("name"), f"{place}.name")
    return OutputFormat(schema, name, _text(described.get("description"), f"{place}.description"))


def _openrouter(value: Mapping[str, Any], asked: _Asked) -> None:
    """OpenRouter documentation, "Reasoning tokens": `effort`, `max_tokens`, `enabled`."""
    budget = _integer(value.get("max_tokens"), "reasoning.max_tokens")
    enabled = value.get("enabled")
    asked.add(_text(value.get("effort"), "reasoning.effort"), budget, enabled if isinstance(enabled, bool) else None)


def _anthropic(value: Mapping[str, Any], asked: _Asked) -> None:
    """Anthropic API reference, Messages, `thinking`: `type` and `budget_tokens`."""
    kind = _text(value.get("type"), "thinking.type")
    budget = _integer(value.get("budget_tokens"), "thinking.budget_tokens")
    enabled = {"enabled": True, "adaptive": True, "auto": True, "disabled": False}.get(kind or "")
    asked.add(budget=None if enabled is False else budget, enabled=enabled)


def _take_google(extra: dict[str, Any], asked: _Asked) -> None:
    """Gemini API documentation, "OpenAI compatibility": `google.thinking_config`."""
    google = extra.get("google")
    config = google.get("thinking_config") if isinstance(google, dict) else None
    if not isinstance(google, dict) or not isinstance(config, dict):
        return
    place = "google.thinking_config"
    level = _text(config.get("thinking_level"), f"{place}.thinking_level")
    budget = _integer(config.get("thinking_budget"), f"{place}.thinking_budget")
    asked.add(level.lower() if level else None, budget)
    asked.sent["google"] = {"thinking_config": config}
    _keep_rest(extra, "google", google, "thinking_config")


def _take_template(extra: dict[str, Any], asked: _Asked) -> None:
    """vLLM documentation, "Reasoning outputs": `chat_template_kwargs.enable_thinking`."""
    options = extra.get("chat_template_kwargs")
    if isinstance(options, dict) and isinstance(enabled := options.get("enable_thinking"), bool):
        asked.add(enabled=enabled)
        asked.sent["enable_thinking"] = enabled
        _keep_rest(extra, "chat_template_kwargs", options, "enable_thinking")


def _keep_rest(extra: dict[str, Any], name: str, options: Mapping[str, Any], taken: str) -> None:
    rest = {key: value for key, value in options.items() if key != taken}
    if rest:
        extra[name] = rest
    else:
        del extra[name]


def _location(options: Mapping[str, Any]) -> dict[str, str]:
    location = options.get("user_location")
    approximate = location.get("approximate", location) if isinstance(location, dict) else None
    if not isinstance(approximate, dict):
        return {}
    named = {name: approximate.get(name) for name in ("country", "region", "city", "timezone")}
    return {name: value for name, value in named.items() if isinstance(value, str) and value}


def _integer(value: Any, param: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not float(value).is_integer():
        raise _invalid(f"Invalid type for '{param}': expected an integer.", param)
    return int(value)


def _text(value: Any, param: str) -> str | None:
    if value is not None and not isinstance(value, str):
        raise _invalid(f"Invalid type for '{param}': expected a string.", param)
    return value


def _object(value: Any, param: str) -> dict[str, Any] | None:
    if value is not None and not isinstance(value, dict):
        raise _invalid(f"Invalid type for '{param}': expected an object.", param)
    return value


def _invalid(message: str, param: str) -> GatewayError:
    return GatewayError(ErrorKind.INVALID_REQUEST, message, param=param)
