"""How much a bot is to think, in whatever way the client said it, becomes what the bot declares for it.

Poe's bots have ten names for this: words of effort, a budget of tokens, switches. `BUDGETS` says which budget stands
for which effort.
"""

from collections.abc import Mapping
from typing import Any

from poe2openai.core.request import ReasoningOptions
from poe2openai.poe.schema_values import as_number, bounded, is_effort, nearest_effort

Schemas = Mapping[str, Mapping[str, Any]]

EFFORT_NAMES = ("reasoning_effort", "output_effort", "effort", "thinking_level")
BUDGET_NAME = "thinking_budget"
SWITCH_NAMES = ("enable_thinking", "deep_thinking", "reasoning_enabled", "enable_reasoning", "thinking")
REASONING_NAMES = frozenset((*EFFORT_NAMES, BUDGET_NAME, *SWITCH_NAMES))

BUDGETS = {"none": 0, "minimal": 1024, "low": 4096, "medium": 10_000, "high": 24_000, "xhigh": 32_000}
"""Tokens of thought that an effort stands for; `max` is as much as the bot allows."""

_MOST = 10**9
_SHARE_OF_LIMIT = 0.8  # of an answer's token limit: the rest is for the answer itself
_OFF = ("none", "off", "disabled", "disable", "false")


def from_parameters(extra: Mapping[str, Any]) -> ReasoningOptions | None:
    """What fields of the client say that have the name of some bot's parameter."""
    effort: str | None = None
    budget: int | None = None
    enabled: bool | None = None
    for name in REASONING_NAMES & extra.keys():
        value = extra[name]
        if isinstance(value, bool):
            enabled = value
        elif isinstance(value, str) and value.strip().lower() in ("auto", "adaptive", "enabled", "true"):
            enabled = True
        elif isinstance(value, str) and value.strip().lower() in _OFF:
            enabled = False
        elif isinstance(value, str) and is_effort(value):
            effort = value.strip().lower()
        elif (number := as_number(value)) is not None:
            budget = int(number)
    if effort is None and budget is None and enabled is None:
        return None
    return ReasoningOptions(effort=effort, budget=budget, enabled=enabled)


def reasoning_parameters(asked: ReasoningOptions, schemas: Schemas, max_tokens: int | None) -> dict[str, Any]:
    """The parameters that a bot declares for it, as its schemas have them; none where it declares none."""
    level = _Level(asked)
    efforts = [name for name in EFFORT_NAMES if name in schemas]
    switches = [name for name in SWITCH_NAMES if name in schemas]
    has_budget = BUDGET_NAME in schemas
    parameters: dict[str, Any] = {name: _switch(level, schemas[name]) for name in switches}
    # Of two controls the one is set that the client's own word is for; both are turned off together.
    if efforts and (not has_budget or asked.effort is not None or (level.off and asked.budget is None)):
        parameters[efforts[0]] = _effort(level, schemas[efforts[0]])
    if has_budget and (not efforts or asked.budget is not None or level.off):
        parameters[BUDGET_NAME] = _budget(level, schemas[BUDGET_NAME], max_tokens)
    if efforts and has_budget and not parameters.keys() & {efforts[0], BUDGET_NAME}:
        parameters[efforts[0]] = _effort(level, schemas[efforts[0]])
    # A bot with a switch of its own keeps its own effort where none was named.
    if switches and asked.effort is None and asked.budget is None:
        return {name: parameters[name] for name in switches}
    return {name: value for name, value in parameters.items() if value is not None}


class _Level:
    """How much is asked for, as an effort and as a budget."""

    def __init__(self, asked: ReasoningOptions) -> None:
        effort = asked.effort.strip().lower() if asked.effort is not None else None
        self.off = asked.enabled is False or effort in _OFF or (effort is None and asked.budget == 0)
        self.adaptive = asked.enabled is True and effort is None and asked.budget is None
        if self.off:
            self.effort, self.budget = "none", 0
        elif effort is None and asked.budget is None:
            self.effort, self.budget = "medium", BUDGETS["medium"]
        else:
            budget = asked.budget if asked.budget is not None else BUDGETS.get(effort or "", _MOST)
            self.budget = budget
            self.effort = effort or _effort_of(budget)


def _effort_of(budget: int) -> str:
    """The least effort that stands for so many tokens, or more."""
    return next((effort for effort, tokens in BUDGETS.items() if budget <= tokens), "max")


def _effort(level: _Level, schema: Mapping[str, Any]) -> Any:
    choices = schema.get("enum")
    if not isinstance(choices, list) or not choices:
        return level.effort
    return level.effort if level.effort in choices else nearest_effort(level.effort, choices)


def _budget(level: _Level, schema: Mapping[str, Any], max_tokens: int | None) -> Any:
    budget: float = level.budget
    if max_tokens is not None and not level.off:
        budget = min(budget, int(max_tokens * _SHARE_OF_LIMIT))
    budget = bounded(budget, schema)
    # A bot that tells no maximum is not asked for the impossible.
    return int(min(budget, BUDGETS["xhigh"]) if level.budget == _MOST and "maximum" not in schema else budget)


def _switch(level: _Level, schema: Mapping[str, Any]) -> Any:
    choices = schema.get("enum")
    if not isinstance(choices, list):
        return not level.off
    wanted = ("disabled",) if level.off else ("auto", "enabled") if level.adaptive else ("enabled", "auto")
    return next((word for word in wanted if word in choices), None)
