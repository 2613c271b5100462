import time

import pytest

from poe2openai.pipeline.progress import Opening, is_mere_progress
from tests.support.pipeline import cuttings

PROGRESS = [
    "Thinking...",
    "*Thinking...*",
    "Thinking…",
    "Thinking... (12s elapsed)",
    "*Thinking... (12s elapsed)*",
    "*Thinking...* (12s elapsed)",
    "**Thinking...**",
    "Searching...",
    "Searching the web...",
    "*Searching the web...*",
    "_Browsing 5 pages... (1.5s elapsed)_",
    "Generating image... (3s elapsed)",
    "Generating image...",
    "Generating images for your prompt... (61s elapsed)",
    "Waiting in line... (3s elapsed)",
    "Thinking... (1s elapsed)Thinking... (2s elapsed)",
    "Searching...\n\nThinking... (2s elapsed)\r\n",
]
PROSE = [
    "Thinking about it…",
    "Thinking about it... I would say yes.",
    "Thinking...deeply",
    "Thinking... is what I do.",
    "Thinking\n\nis hard",
    "Searching... for what?",
    "Searching the old house...\n\nShe found a key.",
    "Searching, he found it.",
    "Waiting...\nfor you",
    "*Searching* is bold",
    "Searchingly...\n\nhe looked",
    "**Generating** images (3s elapsed)",
    "The answer",
    "* a list",
    "...",
    "(3s elapsed)",
    "Generating a picture that has a very long description, longer than any line of progress would be... (3s elapsed)",
    "> a quote",
    "  indented",
    "\n\nlate",
]


def opened(pieces: list[str], *, alone: bool = True) -> tuple[bool, str]:
    """Whether a thought comes first, and the answer that a text opens with."""
    opening = Opening()
    for position, piece in enumerate(pieces):
        answer = opening.feed(piece)
        if answer is not None:
            return opening.is_thought, answer + "".join(pieces[position + 1 :])
    return opening.is_thought, opening.finish(alone=alone)


@pytest.mark.parametrize("text", PROGRESS)
def test_progress_before_an_answer_is_dropped_with_its_blank_lines(text: str) -> None:
    for pieces in cuttings(f"{text}\n\n  The answer."):
        assert opened(pieces) == (False, "  The answer."), pieces


@pytest.mark.parametrize("text", PROSE)
def test_prose_is_kept_to_the_letter(text: str) -> None:
    for pieces in cuttings(text):
        assert opened(pieces) == (False, text), pieces
    assert not is_mere_progress(text)


@pytest.mark.parametrize("text", PROGRESS)
def test_a_text_of_progress_alone_is_mere_progress(text: str) -> None:
    assert is_mere_progress(text)
    assert is_mere_progress(f"\n{text}\n\n")
    assert not is_mere_progress(f"{text}\n\nThe answer.")


@pytest.mark.parametrize("text", ["", " \n"])
def test_white_space_is_no_progress(text: str) -> None:
    assert not is_mere_progress(text)
    assert opened([text]) == (False, text)


@pytest.mark.parametrize("text", PROGRESS)
def test_progress_that_is_all_counts_only_without_elapsed_time_and_if_it_stands_alone(text: str) -> None:
    is_answer = "elapsed" not in text and "Thinking" not in text
    for pieces in cuttings(text):
        assert opened(pieces, alone=True) == (False, text if is_answer else ""), pieces
        assert opened(pieces, alone=False) == (False, ""), pieces


def test_an_elapsed_time_needs_no_line_break_after_it() -> None:
    for pieces in cuttings("Generating image... (1s elapsed)Generating image... (2s elapsed) ![a](b)"):
        assert opened(pieces) == (False, "![a](b)"), pieces


@pytest.mark.parametrize("text", [text for text in PROGRESS if "Thinking" in text])
def test_thinking_before_a_quote_is_a_marker(text: str) -> None:
    for pieces in cuttings(f"{text}\n\n> a\n\nb"):
        assert opened(pieces) == (True, "> a\n\nb"), pieces


def test_a_quote_after_other_progress_is_content() -> None:
    assert opened(["Searching...\n\n> a"]) == (False, "> a")


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("The", False),
        ("Sea", True),
        ("Seal", False),
        ("Searching the we", True),
        ("Searching,", False),
        ("Thinking", True),
        ("Thinking a", False),
        ("Thinking..", True),
        ("Thinking... (", True),
        ("Thinking... (no", False),
        ("Thinking...\n\n", True),
        ("*", True),
        ("* ", False),
        ("**Z", False),
        ("\n", True),
    ],
)
def test_a_text_is_held_only_as_long_as_it_may_be_progress(text: str, held: bool) -> None:
    assert (Opening().feed(text) is None) is held


def test_white_space_without_end_is_not_held_for_ever() -> None:
    assert opened([" " * 200, " " * 200, "x"]) == (False, " " * 400 + "x")


@pytest.mark.parametrize(
    "text",
    [
        "Searching...\n" * 40_000,
        " " * 500_000,
        "\n" * 500_000,
        "*" * 500_000,
        "Searching" + " " * 500_000,
        "S" * 500_000,
    ],
    ids=["progress", "spaces", "breaks", "stars", "after a verb", "letters"],
)
def test_a_hostile_opening_costs_no_more_than_its_length(text: str) -> None:
    begin = time.process_time()
    opened([text])
    opened([text[start : start + 50] for start in range(0, len(text), 50)])
    assert time.process_time() - begin < 3
