"""Suffixes say what a client has no switch for; a real name with a colon wins over them."""

import pytest

from poe2openai.core.request import ReasoningOptions, WebSearch
from poe2openai.gateway.model_suffix import Suffixes, split_name

KNOWN = {"gpt-5", "my:high", "claude"}


def find(name: str) -> str | None:
    return name if name in KNOWN else None


@pytest.mark.parametrize(
    ("name", "reasoning"),
    [
        ("gpt-5:high", ReasoningOptions(effort="high", sent={"reasoning_effort": "high"})),
        ("gpt-5:XHIGH", ReasoningOptions(effort="xhigh", sent={"reasoning_effort": "xhigh"})),
        ("gpt-5:none", ReasoningOptions(effort="none", sent={"reasoning_effort": "none"})),
        ("gpt-5:thinking-8000", ReasoningOptions(budget=8000, sent={"thinking_budget": 8000})),
        ("gpt-5:thinking-0", ReasoningOptions(budget=0, sent={"thinking_budget": 0})),
        ("gpt-5:thinking-low", ReasoningOptions(effort="low", sent={"reasoning_effort": "low"})),
        ("gpt-5:thinking", ReasoningOptions(enabled=True, sent={"enable_thinking": True})),
        ("gpt-5:no-thinking", ReasoningOptions(enabled=False, sent={"enable_thinking": False})),
    ],
)
def test_reasoning(name: str, reasoning: ReasoningOptions) -> None:
    assert split_name(name, find) == ("gpt-5", "gpt-5", Suffixes(reasoning))


@pytest.mark.parametrize(("word", "enabled"), [("web", True), ("online", True), ("no-web", False), ("offline", False)])
def test_web_search(word: str, enabled: bool) -> None:
    searches = Suffixes(web_search=WebSearch(enabled, sent={"web_search": enabled}))
    assert split_name(f"claude:{word}", find) == ("claude", "claude", searches)


@pytest.mark.parametrize("name", ["gpt-5:high:web", "gpt-5:web:high", "gpt-5 : web : High"])
def test_they_combine_in_any_order(name: str) -> None:
    _, _, asked = split_name(name, lambda base: find(base.strip()))
    assert asked.reasoning is not None
    assert (asked.reasoning.effort, asked.web_search is not None) == ("high", True)


def test_a_name_that_is_known_with_the_colon_wins() -> None:
    assert split_name("my:high", find) == ("my:high", "my:high", Suffixes())
    base, found, asked = split_name("my:high:web", find)
    assert (base, found, asked.reasoning) == ("my:high", "my:high", None)
    assert asked.web_search is not None


def test_a_private_bot_has_suffixes_too() -> None:
    base, found, asked = split_name("my-own-bot:low", find)
    assert (base, found) == ("my-own-bot", None)
    assert asked.reasoning is not None


@pytest.mark.parametrize(
    "name", ["gpt-5:latest", "gpt-5:free", "gpt-5:thinking-", "gpt-5:thinking-much", "x", ":high", ""]
)
def test_any_other_word_leaves_the_name_whole(name: str) -> None:
    assert split_name(name, find) == (name, None, Suffixes())


def test_a_known_word_behind_an_unknown_one_comes_off_alone() -> None:
    base, _, asked = split_name("gpt-5:free:high", find)
    assert base == "gpt-5:free"
    assert asked.reasoning is not None


def test_a_name_of_nothing_but_suffixes_is_not_looked_through_forever() -> None:
    base, _, _ = split_name("a" + ":high" * 1000, find)
    assert base == "a" + ":high" * 996
