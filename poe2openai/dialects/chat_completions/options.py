"""Reasoning, web search and output format, in the spellings that clients have for them.

OpenAI's own fields stand in the schema. The others (OpenRouter's `reasoning` and `plugins`, Anthropic's `thinking`,
Google's `thinking_config`, vLLM's `chat_template_kwargs`) are unknown fields of the body, and are taken out of those.
"""

from collections.abc import Mapping
from typing import Any

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.request import OutputFormat, ReasoningOptions, WebSearch
from poe2openai.dialects.chat_completions.schema import MAX_TOKENS


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
    if effort is None and not extra:
        return None
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


def take_web_search(options: Mapping[str, Any] | None, tools: Any, extra: dict[str, Any]) -> WebSearch | None:
    """`web_search_options`, a web search tool, or OpenRouter's plugin, which is taken out of `extra`.

    `tools` is what the body holds: of those that are no functions, the schema keeps the type alone.
    """
    if options is not None:
        size = _text(options.get("search_context_size"), "web_search_options.search_context_size")
        return WebSearch(context_size=size, location=_location(options), sent={"web_search_options": dict(options)})
    plugins = extra.get("plugins")
    if isinstance(plugins, list) and any(_is_search_plugin(each) for each in plugins):
        return WebSearch(sent={"plugins": extra.pop("plugins")})
    if any(_is_search_tool(each) for each in tools or ()):
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
            raise _missing("response_format.type")
        case _:
            raise _invalid(
                "Invalid value for 'response_format.type': expected 'text', 'json_object' or 'json_schema'.",
                "response_format.type",
            )


def _json_schema(response_format: Mapping[str, Any]) -> OutputFormat:
    """llama.cpp's server documents the schema without what OpenAI wraps it in."""
    place = "response_format.json_schema"
    described = _object(response_format.get("json_schema"), place)
    if described is None:
        bare = _object(response_format.get("schema"), "response_format.schema")
        if bare is None:
            raise _missing(place)
        return OutputFormat(bare)
    schema = _object(described.get("schema"), f"{place}.schema")
    if schema is None:
        raise _missing(f"{place}.schema")
    name = _text(described.get("name"), f"{place}.name")
    return OutputFormat(schema, name, _text(described.get("description"), f"{place}.description"))


def _openrouter(value: Mapping[str, Any], asked: _Asked) -> None:
    """OpenRouter documentation, "Reasoning tokens": `effort`, `max_tokens`, `enabled`."""
    effort = _text(value.get("effort"), "reasoning.effort")
    budget = _integer(value.get("max_tokens"), "reasoning.max_tokens")
    asked.add(effort, budget, _boolean(value.get("enabled"), "reasoning.enabled"))


def _anthropic(value: Mapping[str, Any], asked: _Asked) -> None:
    """Anthropic API reference, Messages, `thinking`: `type` and `budget_tokens`."""
    kind = _text(value.get("type"), "thinking.type")
    budget = _integer(value.get("budget_tokens"), "thinking.budget_tokens")
    enabled = {"enabled": True, "adaptive": True, "auto": True, "disabled": False}.get(kind or "")
    asked.add(budget=None if enabled is False else budget, enabled=enabled)


def _take_google(extra: dict[str, Any], asked: _Asked) -> None:
    """Gemini API documentation, "OpenAI compatibility": `google.thinking_config`."""
    google, place = extra.get("google"), "google.thinking_config"
    if not isinstance(google, dict) or (config := _object(google.get("thinking_config"), place)) is None:
        return
    level = _text(config.get("thinking_level"), f"{place}.thinking_level")
    budget = _integer(config.get("thinking_budget"), f"{place}.thinking_budget")
    asked.add(level.lower() if level else None, budget)
    asked.sent["google"] = {"thinking_config": config}
    _keep_rest(extra, "google", google, "thinking_config")


def _take_template(extra: dict[str, Any], asked: _Asked) -> None:
    """vLLM documentation, "Reasoning outputs": `chat_template_kwargs.enable_thinking`."""
    options, place = extra.get("chat_template_kwargs"), "chat_template_kwargs.enable_thinking"
    if not isinstance(options, dict) or (enabled := _boolean(options.get("enable_thinking"), place)) is None:
        return
    asked.add(enabled=enabled)
    asked.sent["enable_thinking"] = enabled
    _keep_rest(extra, "chat_template_kwargs", options, "enable_thinking")


def _keep_rest(extra: dict[str, Any], name: str, options: Mapping[str, Any], taken: str) -> None:
    rest = {key: value for key, value in options.items() if key != taken}
    if rest:
        extra[name] = rest
    else:
        del extra[name]


def _is_search_plugin(plugin: Any) -> bool:
    """OpenRouter documentation, "Web search"; `enabled: false` turns off what is on by default."""
    return isinstance(plugin, dict) and plugin.get("id") == "web" and plugin.get("enabled") is not False


def _is_search_tool(tool: Mapping[str, Any]) -> bool:
    """OpenAI's and Anthropic's types have versions (`web_search_preview`, `web_search_20250305`), Moonshot's a name."""
    kind, function = tool.get("type"), tool.get("function")
    if kind == "builtin_function":
        return isinstance(function, dict) and function.get("name") == "$web_search"
    return isinstance(kind, str) and kind.startswith("web_search")


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
    if value > MAX_TOKENS:
        raise _invalid(f"Invalid value for '{param}': expected at most {MAX_TOKENS}.", param)
    return int(value)


def _boolean(value: Any, param: str) -> bool | None:
    if value is not None and not isinstance(value, bool):
        raise _invalid(f"Invalid type for '{param}': expected a boolean.", param)
    return value


def _text(value: Any, param: str) -> str | None:
    if value is not None and not isinstance(value, str):
        raise _invalid(f"Invalid type for '{param}': expected a string.", param)
    return value


def _object(value: Any, param: str) -> dict[str, Any] | None:
    if value is not None and not isinstance(value, dict):
        raise _invalid(f"Invalid type for '{param}': expected an object.", param)
    return value


def _missing(param: str) -> GatewayError:
    return _invalid(f"Missing required parameter: '{param}'.", param)


def _invalid(message: str, param: str) -> GatewayError:
    return GatewayError(ErrorKind.INVALID_REQUEST, message, param=param)
