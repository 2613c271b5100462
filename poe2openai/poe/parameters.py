"""Everything that a request asks of a bot beyond its messages, by the names that the bot declares in Poe's list.

They travel in `parameters` of the last user's message (Poe documentation, "Custom parameters"). A bot that the list
tells nothing of, a private one, gets what the client sent.
"""

from collections.abc import Mapping
from typing import Any

from poe2openai.core.request import ModelRequest, WebSearch
from poe2openai.poe.reasoning import REASONING_NAMES, from_parameters, reasoning_parameters
from poe2openai.poe.schema_values import fit

Declared = Mapping[str, Mapping[str, Any]]
"""A bot's parameters: name → JSON schema."""

# What Poe's bots call the bound on an answer's length, the commonest first.
TOKEN_LIMIT_PARAMETERS = ("max_output_tokens", "max_tokens", "max_completion_tokens")

WEB_SEARCH_PARAMETERS = ("web_search", "enable_web_search", "tool_web_search", "web_search_enabled")


def bot_parameters(request: ModelRequest, defaults: Mapping[str, Any], declared: Declared | None) -> dict[str, Any]:
    """The owner's defaults, overridden by what the client asks for."""
    if declared is None:
        return {**defaults, **_unmapped(request), **_token_limit(request, {"max_tokens": {}}, defaults)}
    asked, foreign = dict(request.extra), dict[str, Any]()
    for name in REASONING_NAMES & asked.keys() - declared.keys():
        foreign[name] = asked.pop(name)
    mapped = {
        **_token_limit(request, declared, {**defaults, **asked}),
        **_sampling(request, declared),
        **_reasoning(request, foreign, declared),
        **_web_search(request.web_search, declared),
    }
    if request.verbosity is not None and "verbosity" in declared:
        mapped["verbosity"] = request.verbosity
    own = {name: fit(value, declared[name]) if name in declared else value for name, value in asked.items()}
    fitted = {name: fit(value, declared[name]) for name, value in mapped.items()}
    return {**defaults, **fitted, **own}


def _unmapped(request: ModelRequest) -> dict[str, Any]:
    """The client's own fields, for a bot of which nobody knows what it declares."""
    sent: dict[str, Any] = {}
    if request.reasoning is not None:
        sent |= request.reasoning.sent
    if request.web_search is not None:
        sent |= request.web_search.sent
    if request.verbosity is not None:
        sent["verbosity"] = request.verbosity
    return sent | dict(request.extra)


def _token_limit(request: ModelRequest, declared: Declared, said: Mapping[str, Any]) -> dict[str, Any]:
    if request.max_tokens is None or any(name in said or name in request.extra for name in TOKEN_LIMIT_PARAMETERS):
        return {}
    name = next((name for name in TOKEN_LIMIT_PARAMETERS if name in declared), None)
    return {} if name is None else {name: request.max_tokens}


def _sampling(request: ModelRequest, declared: Declared) -> dict[str, Any]:
    """What Poe's query has no field for, and the temperature, which some bots read as a parameter of their own."""
    options = {"temperature": request.sampling.temperature, **request.sampling.others}
    return {name: value for name, value in options.items() if name in declared and value is not None}


def _reasoning(request: ModelRequest, foreign: Mapping[str, Any], declared: Declared) -> dict[str, Any]:
    """`foreign` are names of other bots' parameters; what the client said in OpenAI's own terms is stronger."""
    asked = request.reasoning or from_parameters(foreign)
    return {} if asked is None else reasoning_parameters(asked, declared, request.max_tokens)


def _web_search(asked: WebSearch | None, declared: Declared) -> dict[str, Any]:
    if asked is None:
        return {}
    name = next((name for name in WEB_SEARCH_PARAMETERS if name in declared), None)
    parameters: dict[str, Any] = {} if name is None else {name: asked.enabled}
    if asked.context_size is not None and "search_context_size" in declared:
        parameters["search_context_size"] = asked.context_size
    return parameters | {name: value for name, value in asked.location.items() if name in declared}
