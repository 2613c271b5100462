"""Suffixes of a model's name, for clients that have no other way to say it: `gpt-5:high`, `gemini-3-pro:web`."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from poe2openai.core.request import ReasoningOptions, WebSearch

T = TypeVar("T")

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
MAX_SUFFIXES = 4

_THINKING = re.compile(r"thinking-(?:(?P<budget>[0-9]{1,7})|(?P<effort>[a-z]+))")
_SWITCHES = {"thinking": True, "nothinking": False, "no-thinking": False}
_SEARCH = {"web": True, "online": True, "no-web": False, "offline": False}


@dataclass(frozen=True, slots=True)
class Suffixes:
    """What the suffixes of one name ask for; of two that say the same, the last one counts."""

    reasoning: ReasoningOptions | None = None
    web_search: WebSearch | None = None


def split_name(name: str, find: Callable[[str], T | None]) -> tuple[str, T | None, Suffixes]:
    """The name without its suffixes, what `find` knows it as, and what they ask for.

    A name that is known with a suffix on wins. Where nothing is known, known suffixes come off all the same: the names
    of Poe's bots hold no colon.
    """
    base, words = name, list[str]()
    while (found := find(base)) is None and len(words) < MAX_SUFFIXES:
        shorter, colon, word = base.rpartition(":")
        if not colon or not shorter or not _is_suffix(word.strip().lower()):
            break
        base = shorter
        words.append(word.strip().lower())
    if not words:
        return name, found, Suffixes()
    return base, found, _meaning(words[::-1])


def _is_suffix(word: str) -> bool:
    if word in EFFORTS or word in _SWITCHES or word in _SEARCH:
        return True
    thinking = _THINKING.fullmatch(word)
    return thinking is not None and (thinking["effort"] is None or thinking["effort"] in EFFORTS)


def _meaning(words: list[str]) -> Suffixes:
    reasoning: ReasoningOptions | None = None
    web_search: WebSearch | None = None
    for word in words:
        if word in _SEARCH:
            web_search = WebSearch(_SEARCH[word], sent={"web_search": _SEARCH[word]})
        else:
            reasoning = _reasoning(word)
    return Suffixes(reasoning, web_search)


def _reasoning(word: str) -> ReasoningOptions:
    """`sent` is what a bot that Poe's list tells nothing of gets."""
    if word in _SWITCHES:
        return ReasoningOptions(enabled=_SWITCHES[word], sent={"enable_thinking": _SWITCHES[word]})
    thinking = _THINKING.fullmatch(word)
    if thinking is not None and thinking["budget"] is not None:
        budget = int(thinking["budget"])
        return ReasoningOptions(budget=budget, sent={"thinking_budget": budget})
    effort = thinking["effort"] if thinking is not None else word
    return ReasoningOptions(effort=effort, sent={"reasoning_effort": effort})
