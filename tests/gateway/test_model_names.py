import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poe2openai.gateway.model_names import NameMatcher, fold

BOTS = [
    "assistant",
    "web-search",
    "claude-sonnet-4.5",
    "claude-sonnet-4",
    "claude-sonnet-3.7",
    "claude-haiku-3.5",
    "claude-haiku-3",
    "claude-opus-4.1",
    "claude-opus-4",
    "gpt-4o",
    "gpt-4o-mini",
    "gpt-4o-search",
    "gpt-4.1",
    "gpt-4-turbo",
    "gpt-3.5-turbo",
    "gpt-5-chat",
    "o1",
    "o3-mini",
    "o3-mini-high",
    "gemini-2.5-flash",
    "gemini-2.5-pro",
    "grok-4",
    "grok-3",
    "deepseek-r1",
    "kimi-k2",
    "llama-3.3-70b",
]


@pytest.mark.parametrize(
    ("name", "bot"),
    [
        # case and blanks
        ("GPT-4o", "gpt-4o"),
        (" gpt-4o\n", "gpt-4o"),
        ("Claude Sonnet 4.5", "claude-sonnet-4.5"),
        ("Web_Search", "web-search"),
        # vendors
        ("openai/gpt-4o", "gpt-4o"),
        ("anthropic/claude-sonnet-4.5", "claude-sonnet-4.5"),
        ("anthropic/claude-3.5-haiku", "claude-haiku-3.5"),
        ("google/gemini-2.5-pro", "gemini-2.5-pro"),
        ("models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("x-ai/grok-4", "grok-4"),
        ("xai/grok-4", "grok-4"),
        ("poe/Assistant", "assistant"),
        ("moonshotai/kimi-k2-0905", "kimi-k2"),
        ("openrouter/deepseek/deepseek-r1-0528", "deepseek-r1"),
        # OpenAI's dates
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
        ("gpt-4.1-2025-04-14", "gpt-4.1"),
        ("gpt-4-turbo-2024-04-09", "gpt-4-turbo"),
        ("gpt-3.5-turbo-0125", "gpt-3.5-turbo"),
        ("gpt-4-turbo-preview", "gpt-4-turbo"),
        ("gpt-4o-search-preview-2025-03-11", "gpt-4o-search"),
        ("gpt-5-chat-latest", "gpt-5-chat"),
        ("o1-preview-2024-09-12", "o1"),
        ("o3-mini-2025-01-31", "o3-mini"),
        ("openai/gpt-4o-2024-11-20", "gpt-4o"),
        # Anthropic's dates and order
        ("claude-sonnet-4-5", "claude-sonnet-4.5"),
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4.5"),
        ("claude-sonnet-4-20250514", "claude-sonnet-4"),
        ("claude-sonnet-4-0", "claude-sonnet-4"),
        ("claude-opus-4-1-20250805", "claude-opus-4.1"),
        ("claude-opus-4-20250514", "claude-opus-4"),
        ("claude-4-opus-20250514", "claude-opus-4"),
        ("claude-3-7-sonnet-latest", "claude-sonnet-3.7"),
        ("claude-3-7-sonnet-20250219", "claude-sonnet-3.7"),
        ("claude-3-5-haiku-latest", "claude-haiku-3.5"),
        ("claude-3.5-haiku", "claude-haiku-3.5"),
        ("claude-3-haiku-20240307", "claude-haiku-3"),
        ("claude-3-haiku@20240307", "claude-haiku-3"),
        ("Claude 3.7 Sonnet", "claude-sonnet-3.7"),
        # Google's and others'
        ("gemini-2.5-flash-preview-05-20", "gemini-2.5-flash"),
        ("gemini-2.5-pro-exp-03-25", "gemini-2.5-pro"),
        ("gemini-2.5-pro-latest", "gemini-2.5-pro"),
        ("gemini-2.5-flash-002", "gemini-2.5-flash"),
        ("grok-4-0709", "grok-4"),
        ("x-ai/grok-3-beta", "grok-3"),
    ],
)
def test_what_a_client_means(name: str, bot: str) -> None:
    assert NameMatcher(BOTS).match(name) == bot


@pytest.mark.parametrize(
    "name",
    [
        "",
        "   ",
        "/",
        "nobody",
        "gpt-4-0613",
        "gemini-1.5-pro-002",
        "claude-3-5-sonnet-20241022",
        "claude-sonnet-4-5-thinking",
        "claude-opus-4.5",
        "deepseek/deepseek-r1:free",
        "claude-3.7-sonnet:thinking",
        "meta-llama/llama-3.3-70b-instruct",
        "gpt-4o-2024-13-06",
        "gpt-40",
        "assistant-2024-01-01",
        "assistant-latest",
        "assistant-0601",
        "kimi-k2-0905",
        "a" * 100_000,
    ],
)
def test_what_nobody_can_mean_stays(name: str) -> None:
    assert NameMatcher(BOTS).match(name) is None


def test_a_dated_bot_in_the_list_wins() -> None:
    matcher = NameMatcher(["gpt-4o", "GPT-4o-2024-08-06", "claude-3-5-sonnet", "claude-sonnet-3.5"])
    assert matcher.match("openai/gpt-4o-2024-08-06") == "GPT-4o-2024-08-06"
    assert matcher.match("gpt-4o-2024-05-13") == "gpt-4o"
    assert matcher.match("claude-3-5-sonnet-20241022") == "claude-3-5-sonnet"


def test_of_two_alike_the_first_counts() -> None:
    assert NameMatcher(["my bot", "my-bot"]).match("MY_BOT") == "my bot"


def test_fold() -> None:
    assert fold("  GPT-4o\t") == fold("gpt-4O") == "gpt-4o"
    assert fold("Straße") == fold("STRASSE")


def test_names_with_many_slashes_and_digits_are_quick() -> None:
    matcher = NameMatcher(BOTS)
    before = time.monotonic()
    for name in ["a/" * 100, "claude-" + "1-" * 96, "gpt-" + "-latest" * 28, "-" * 200, " " * 200]:
        matcher.match(name)
    assert time.monotonic() - before < 1


@given(st.text(max_size=60), st.lists(st.text(max_size=20), max_size=5))
def test_a_match_is_always_from_the_list(name: str, names: list[str]) -> None:
    assert NameMatcher(names).match(name) in [None, *names]


@given(st.lists(st.text(max_size=20), min_size=1, max_size=5))
def test_every_name_in_the_list_is_matched(names: list[str]) -> None:
    matcher = NameMatcher(names)
    assert all(matcher.match(name) is not None for name in names)
