"""A guess of json_repair's is taken where nothing is lost by it, and never costs more than a moment."""

import time
from itertools import pairwise

import orjson
import pytest

from poe2openai.pipeline import json_repairs
from poe2openai.pipeline.json_repairs import LARGEST, continuation, is_of_weight


@pytest.mark.parametrize(
    ("sent", "held", "ending"),
    [
        ("", "{'a': 1}", '{"a":1}'),
        ("{", "'a': 1}", '"a":1}'),
        ('{ "a" : [ 1,\n', "'b']}", '"b"]}'),
        ('{"a": "he said ', '"yes"", "b": 2}', '\\"yes\\"","b":2}'),
        ('{"a": "he said ', '"yes" to me"}', '\\"yes\\" to me"}'),
        ('{"a": "x\\n', '" "b": "\\n"}', '","b":"\\n"}'),
        ('{"price": 1.10', " 'b': 2.50}", ',"b":2.50}'),
        ("{", "a: 007, b: .5, c: +1, d: 12345678901234567890.0}", '"a":7,"b":0.5,"c":1,"d":12345678901234567890.0}'),
        (
            "{",
            "a: 12345678901234567890, b: +12345678901234567890}",
            '"a":12345678901234567890,"b":12345678901234567890}',
        ),
        ("{", "a: True, b: none, c: undefined, d: (1, 2)}", '"a":true,"b":null,"c":null,"d":[1,2]}'),
        ("{", "“a”: “b”}", '"a":"b"}'),
        ("{", "'a': 'def f():\n    return 1\n'}", '"a":"def f():\\n    return 1\\n"}'),
        ("{", "'a': '  b \t'}", '"a":"  b \\t"}'),
        ("{", "'a': {}, 'b': [], 'c': ''}", '"a":{},"b":[],"c":""}'),
        ("[", "{'a': 1} {'b': 2}]", '{"a":1},{"b":2}]'),
        ("{", "a: ''b'}", '"a":"b"}'),
    ],
)
def test_what_was_sent_goes_on(sent: str, held: str, ending: str | None) -> None:
    assert continuation(sent, held) == ending
    if ending is not None:
        orjson.loads(sent + ending)


@pytest.mark.parametrize(
    "text",
    [
        "{'a': 1, /* one */ 'b': 2}",
        "{'a': 1} and more",
        "{a: 1, a: 2}",
        "{a: 1}{b: 2}",
        "{a: b c}",
        "{a: 1,000}",
        "{a: 1e999}",
        "{a: " + "1" * 400 + "}",
        "{a: " + "1" * 9_999 + "}",
        "{a: }",
        "{a 1}",
        "{'a'\"b\"}",
        "{a: 0x1F}",
        "{a: `x`}",
        "{a: 1²}",
        "{a: 'x'y'}",
        '{a: """x"y"""}',
        "{a: '\\ud83d'}",
        "{a: '\U000f0041'}",
        "(1, 2",
        "no JSON at all",
        "",
    ],
)
def test_nothing_is_lost_and_nothing_invented(text: str) -> None:
    assert continuation("", text) is None


def test_what_was_sent_is_not_taken_back() -> None:
    assert continuation("", '{"a": "b, "c": 1}') == '{"a":"b","c":1}'
    assert continuation('{"a": "b, ', '"c": 1}') is None


@pytest.mark.parametrize(
    ("text", "ending"),
    [
        ('"{\\"a\\": 1}"', '{"a": 1}'),
        ('{\\"a\\": \\"b\\\\nc\\"}', '{"a": "b\\nc"}'),
        ("```json\n{'a': 1}\n```", '{"a":1}'),
        ("\n```\n{'a': '```'}```\n", '{"a":"```"}'),
        ("null", "{}"),
        ('"words"', None),
        ('"[1]"', None),
    ],
)
def test_what_is_wrapped_is_unwrapped(text: str, ending: str | None) -> None:
    assert continuation("", text) == ending


@pytest.mark.parametrize(
    ("held", "ending"),
    [
        ("a: 1}\nThat is it.", '"a":1}'),
        ("a: 1}\n```\nThat is {it}.", '"a":1}'),
        ("a: 1\n  ```\nThat is it.", '"a":1}'),
        ("a: 1}\n```\nThat is {it}:\n```\n{}\n```", None),
        ("a: 1\nThat is it.", None),
        ("\n\nThat is it.", "}"),
        ("\nThat is it.", None),
    ],
)
def test_prose_behind_the_json_is_left_out(held: str, ending: str | None) -> None:
    assert continuation("{", held, prose=True) == ending


def test_only_words_are_of_weight() -> None:
    assert not any(is_of_weight(rest, "{}") for rest in ("", " \n", "}]", "\n```\n", "{}", '"'))
    assert is_of_weight("x", "{}")
    assert is_of_weight('{"a": 1}', "{}")


@pytest.mark.parametrize(
    "text",
    ["{" + "a: b, " * 20_000, '["' + 'a" b" ' * 20_000, "{" * 120_000, '{"\\"' * 30_000, '{"a": ' + "(" * 99_999],
)
def test_hostile_texts_are_given_up_after_a_moment(text: str) -> None:
    begin = time.process_time()
    assert continuation("", text) is None
    assert time.process_time() - begin < 6


def test_others_have_their_turn_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[float] = []
    monkeypatch.setattr(json_repairs, "give_way", lambda: turns.append(time.process_time()))
    assert continuation("", "[" + "{'a': 1} " * 5_000) is not None
    gaps = [after - before for before, after in pairwise(turns)]
    assert len(gaps) > 20
    assert max(gaps) < 0.1


def test_what_is_too_large_is_left_alone() -> None:
    assert continuation("", "{a: '" + "x" * LARGEST + "'}") is None
