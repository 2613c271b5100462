"""JSON is found among prose and fences, in a text that comes in pieces and in one that is all there."""

import time
from typing import Any

import pytest

from poe2openai.pipeline.json_search import Found, Opening, best
from tests.support.pipeline import cuttings


def opened(pieces: list[str], brackets: str = "{", *, empty: bool = True) -> str | None:
    """All from the beginning of JSON on."""
    opening = Opening(brackets, empty=empty)
    for number, piece in enumerate(pieces):
        beginning = opening.feed(piece)
        if beginning is not None:
            return beginning + "".join(pieces[number + 1 :])
    return None


@pytest.mark.parametrize(
    ("text", "beginning"),
    [
        ('{"a": 1}', '{"a": 1}'),
        ('Well: { "a" :\n{', '{ "a" :\n{'),
        ('```json\n{"a": "', '{"a": "'),
        ('{curly} {"a" b} {"b": ...} {"c":[', '{"c":['),
        ('{"\\"a [1\\": ": null', '{"\\"a [1\\": ": null'),
        ('{"a {"b": 1}', '{"b": 1}'),
        ('{"a": True', '{"a": True'),
        ("see {} or { }", "{} or { }"),
        ("{'a': 1}", None),
        ("{a: 1}", None),
        ('{"a"', None),
        ("[1, 2]", None),
        ("no JSON at all", None),
    ],
)
def test_where_an_object_begins(text: str, beginning: str | None) -> None:
    for pieces in cuttings(text):
        assert opened(pieces) == beginning, pieces


def test_an_empty_object_may_be_no_beginning() -> None:
    for pieces in cuttings('see {}: {"a": 1}'):
        assert opened(pieces, empty=False) == '{"a": 1}', pieces


@pytest.mark.parametrize(
    ("text", "brackets", "beginning"),
    [
        ('so: [{"a": 1}]', "{[", '[{"a": 1}]'),
        ('so: [{"a": 1}]', "[", '[{"a": 1}]'),
        ('{"a [1": 2}', "{[", '{"a [1": 2}'),
        ("as in [x]: [ 1", "[", "[ 1"),
        ('{"a": 1}', "[", None),
        ('{"a": [1]}', "", None),
    ],
)
def test_where_an_array_begins(text: str, brackets: str, beginning: str | None) -> None:
    for pieces in cuttings(text):
        assert opened(pieces, brackets) == beginning, pieces


def no_fault(value: Any) -> str | None:
    return None if isinstance(value, dict) and "a" in value else "no a"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a": 1}', Found('{"a": 1}', None)),
        (' \n{"a":  1}\n', Found('{"a":  1}', None)),
        ('Not {"b": 1} but {"a": 1}, see {c}.', Found('{"a": 1}', None)),
        ('{"a": 1} or\n```\n{"a": 2}\n```', Found('{"a": 2}', None)),
        ('```\n{"a": 1}\n```\n```json\n{"a": 2}\n```', Found('{"a": 2}', None)),
        ('```python\nx = {"a": 1}\n```', Found('{"a": 1}', None)),
        ('```json\n{"a": "\\n```"}', Found('{"a": "\\n```"}', None)),
        ("{'b': 1}\n```json\n{'a': 1,}\n```\nThat is {it}.", Found('{"a":1}', None)),
        ("So: {a: 1}. That is it.", Found('{"a":1}', None)),
        ('{"x": {"a": "said "yes" to"}, "a": 1}', Found('{"x": {"a": "said \\"yes\\" to"},"a":1}', None)),
        ('{"b": 1} {"c": 1}', Found('{"b": 1}', "no a")),
        ("{'b': 1}", Found('{"b":1}', "no a")),
        ("[1]", Found("[1]", "no a")),
        ("I cannot {really}.", Found(None, "no JSON was found")),
        ("", Found(None, "no JSON was found")),
    ],
)
def test_the_best_of_a_text(text: str, found: Found) -> None:
    assert best(text, "{", no_fault) == found


def test_scalars_have_to_stand_alone() -> None:
    assert best(" 42\n", "", lambda value: None) == Found("42", None)
    assert best("```json\n42\n```", "", lambda value: None) == Found("42", None)
    assert best("it is 42", "", lambda value: None).json is None


def test_what_was_cut_off_is_not_repaired() -> None:
    assert best('{"a": "half', "{", no_fault, repair=False).json is None
    assert best('{"a": 1} and', "{", no_fault, repair=False) == Found('{"a": 1}', None)


@pytest.mark.parametrize(
    "text",
    [
        '{"a":' * 40_000,
        "{" * 200_000,
        '{"' * 100_000,
        '{"\\"' * 60_000,
        "{}" * 100_000,
        "{ " * 100_000,
        "{" + " " * 200_000,
        '{"' + "k" * 200_000,
        "```" * 70_000,
        "```" + "a" * 200_000,
        "```a\n" * 40_000,
        "\n" * 200_000,
        "[1" * 100_000,
    ],
    ids=lambda text: text[:4].strip() or "white space",
)
def test_a_hostile_text_costs_no_more_than_its_length(text: str) -> None:
    begin = time.process_time()
    best(text, "{[", no_fault)
    opened([text], "{[")
    opened([text[start : start + 5] for start in range(0, len(text), 5)], "{[", empty=False)
    assert time.process_time() - begin < 8
