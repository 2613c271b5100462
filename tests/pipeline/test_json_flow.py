"""JSON passes byte for byte in any cutting; what is wrong with it is put right on the way, at the end, or not."""

import time
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poe2openai.pipeline.json_flow import JsonFlow, Root
from tests.support.pipeline import cuttings


class Passed:
    """What came of a text: `sent` while it came, `ending` at its end."""

    def __init__(self, pieces: list[str], root: Root = "any", *, prose: bool = False) -> None:
        self.flow = JsonFlow(root, prose=prose)
        self.sent = "".join(map(self.flow.feed, pieces))
        self.ending = self.flow.finish()
        self.text = self.sent + self.ending

    @property
    def value(self) -> Any:
        return orjson.loads(self.text)


def in_every_cutting(text: str, root: Root = "any", *, prose: bool = False) -> Passed:
    """The same, however the text is cut."""
    passed = [Passed(pieces, root, prose=prose) for pieces in cuttings(text)]
    assert {(one.sent, one.ending, one.flow.complete, one.flow.valid) for one in passed} == {
        (passed[0].sent, passed[0].ending, passed[0].flow.complete, passed[0].flow.valid)
    }
    return passed[0]


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63), st.floats(allow_nan=False, allow_infinity=False), st.text()
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12
)
WORDS = st.text(alphabet="abc 1.,:'{}[]`“\n\t\\é漢\U0001f600", max_size=6).map(lambda text: f"x{text}x")
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(WORDS, PLAIN, min_size=1, max_size=3)
SIZES = st.lists(st.integers(1, 8), max_size=40)


def cut(text: str, sizes: list[int]) -> list[str]:
    pieces = []
    for size in sizes:
        pieces.append(text[:size])
        text = text[size:]
    return [*pieces, text]


@settings(max_examples=300, deadline=None)
@given(value=VALUES, sizes=SIZES, indented=st.booleans(), space=st.sampled_from(["", " ", "\n\t\r "]))
def test_json_of_any_kind_passes_unchanged(value: Any, sizes: list[int], indented: bool, space: str) -> None:
    text = space + orjson.dumps(value, option=orjson.OPT_INDENT_2 if indented else None).decode()
    passed = Passed(cut(text + space, sizes))
    assert passed.text == text
    assert passed.flow.valid
    assert passed.flow.complete


@pytest.mark.parametrize(
    "text",
    ['{"a": "b"}', "[]", " [1, -2.5e+3, true, null] ", r'"\"\\\/\u00e9\ud83d"', '{"a": {"": [{}]}, "a": 0}', "0"],
)
def test_json_passes_as_it_is_written(text: str) -> None:
    assert in_every_cutting(text).text.strip() == text.strip()


def test_strings_go_out_as_they_come() -> None:
    flow = JsonFlow()
    said = ['{"a', '": "', "some ", "words", "\\", "n", "\\u00", "e9 on", '"', ', "b', '":', " 1", "2", "}"]
    heard = ['{"a', '": "', "some ", "words", "", "\\n", "", "\\u00e9 on", "", '", "b', '":', "", "", " 12}"]
    assert [flow.feed(text) for text in said] == heard
    assert flow.complete
    assert flow.finish() == ""


def test_what_is_known_of_it_so_far() -> None:
    flow = JsonFlow()
    assert (flow.untouched, flow.complete, flow.valid) == (True, False, True)
    flow.feed(" \n")
    assert flow.untouched
    flow.feed('{"a"')
    assert (flow.untouched, flow.complete, flow.valid, flow.sent, flow.held) == (False, False, True, ' \n{"a', '"')
    flow.feed(": x y")
    assert (flow.valid, flow.held) == (False, " x y")
    flow = JsonFlow()
    flow.feed('{"a": 1}')
    assert (flow.untouched, flow.complete, flow.sent) == (False, True, '{"a": 1}')


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ('{"a": "one\ntwo\r\n\tthree\x01"}', '{"a": "one\\ntwo\\r\\n\\tthree\\u0001"}'),
        (r'{"a": "C:\dir \$HOME \x41 it\'s \u12"}', r'{"a": "C:\\dir \\$HOME \\x41 it' + r"'s" + r' \\u12"}'),
        ('{"a": [1, 2, ], "b": {"c": 3,},}', '{"a": [1, 2 ], "b": {"c": 3}}'),
        ('{"a": 1,, "b": [,2,,3]}', '{"a": 1, "b": [2,3]}'),
        ('{"a": True, "b": [False, None, undefined]}', '{"a": true, "b": [false, null, null]}'),
    ],
    ids=["control-characters", "escapes", "last-commas", "double-commas", "words"],
)
def test_common_faults_are_put_right_on_the_way(said: str, heard: str) -> None:
    passed = in_every_cutting(said)
    assert (passed.sent, passed.ending) == (heard, "")
    orjson.loads(heard)


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ('{"a": [{"b": "c', {"a": [{"b": "c"}]}),
        ('{"a": [1, 2', {"a": [1, 2]}),
        ('{"a": "b", ', {"a": "b"}),
        ('{"a": {', {"a": {}}),
        ('{"a": "x\\', {"a": "x\\"}),
        ('{"a": "x\\u00', {"a": "x\\u00"}),
        ('[1, 2, {"a": tru', None),
        ('{"a": 1, "b', None),
        ('{"a": 1, "b"', None),
        ('{"a": 1, "b":', None),
    ],
)
def test_what_is_open_at_the_end_is_closed_unless_a_value_is_missing(said: str, value: Any) -> None:
    passed = in_every_cutting(said)
    if value is None:
        assert passed.text == said
        assert not passed.flow.complete
    else:
        assert passed.value == value
        assert passed.flow.complete


@pytest.mark.parametrize(
    ("said", "sent", "value"),
    [
        ("{'a': 'it is', 'b': None}", "{", {"a": "it is", "b": None}),
        ("{a: 1, b: 'x'}", "{", {"a": 1, "b": "x"}),
        ('{"a": "he said "yes" to me", "b": 2}', '{"a": "he said ', {"a": 'he said "yes" to me', "b": 2}),
        ('{"a": "x" "b": [1 2]}', '{"a": "x', {"a": "x", "b": [1, 2]}),
        ('{"a": [1, {"b": 2]}', '{"a": [1, {"b": 2', {"a": [1, {"b": 2}]}),
        ('{"a": "\\u00e9\\n", b: "\\t\\d"}', '{"a": "\\u00e9\\n', {"a": "é\n", "b": "\t\\d"}),
    ],
    ids=["single-quotes", "bare-names", "inner-quotes", "no-commas", "wrong-closer", "escapes"],
)
def test_other_faults_are_repaired_at_the_end(said: str, sent: str, value: Any) -> None:
    passed = in_every_cutting(said)
    assert passed.sent == sent
    assert passed.value == value
    assert not passed.flow.valid
    assert passed.flow.complete


@pytest.mark.parametrize(
    "said",
    [
        '{"a": 1, // the first\n "b": 2}',
        '{"a": ...}',
        '{"a" 1}',
        '{"a":}',
        '{"a": 1,000}',
        '{"a": "b, "c": 1}',
        '{"a": 1} and that was it',
        '{"a": 1}{"b": 2}',
        "I would rather not.",
    ],
)
def test_what_cannot_be_repaired_without_loss_is_handed_on_as_it_is(said: str) -> None:
    assert in_every_cutting(said, "container").text == said


def test_punctuation_behind_the_end_is_dropped_and_so_is_the_same_again() -> None:
    for rest in ("}", "]\n}", "\n```", ' {"a": 1}'):
        assert in_every_cutting('{"a": 1}' + rest).text == '{"a": 1}'


def test_with_prose_what_stands_behind_the_value_is_no_part_of_it() -> None:
    passed = in_every_cutting('{"a": 1}\n```\nThat is {it}.', prose=True)
    assert passed.text == '{"a": 1}'
    assert passed.flow.rest == "\n```\nThat is {it}."
    assert in_every_cutting("{'a': 1}\n```\nThat is {it}.", prose=True).text == '{"a":1}'
    assert in_every_cutting("{'a': 1}\nThat is it.", prose=True).text == '{"a":1}'
    assert in_every_cutting('{"a": [1, 2\n\nThat is it.', prose=True).text == '{"a": [1, 2]}'


@pytest.mark.parametrize(
    ("root", "said", "text"),
    [
        ("object", '"{\\"a\\": 1}"', '{"a": 1}'),
        ("object", "null", "{}"),
        ("object", '{\\"a\\": \\"b\\"}', '{"a": "b"}'),
        ("object", "```json\n{'a': 1}\n```", '{"a":1}'),
        ("object", '"a": 1}', '{"a":1}'),
        ("object", "[1]", "[1]"),
        ("container", "[1]", "[1]"),
        ("container", '"a"', '"a"'),
        ("any", "null", "null"),
    ],
)
def test_what_the_value_may_be(root: Root, said: str, text: str) -> None:
    passed = in_every_cutting(said, root)
    assert passed.text == text
    assert passed.flow.valid is (root == "any" or (root, said) == ("container", "[1]"))


BRACKETS = set("[]{}")


def damaged_somehow(value: Any) -> st.SearchStrategy[str]:
    text = orjson.dumps(value).decode()
    return st.sampled_from(
        [
            text if BRACKETS & set("".join(strings_of(value))) else text.replace("}", ",}").replace("]", ", ]"),
            text.replace("\\n", "\n").replace("\\t", "\t"),
            text.rstrip("]}"),
            f"```json\n{text}\n```",
            f"{text}}}",
        ]
    )


def strings_of(value: Any) -> list[str]:
    match value:
        case str():
            return [value]
        case list():
            return [text for item in value for text in strings_of(item)]
        case dict():
            return [text for name, item in value.items() for text in (name, *strings_of(item))]
        case _:
            return []


@settings(max_examples=300, deadline=None)
@given(data=st.data(), value=OBJECTS, sizes=SIZES)
def test_a_damaged_object_comes_back_as_it_was(data: st.DataObject, value: dict[str, Any], sizes: list[int]) -> None:
    assert Passed(cut(data.draw(damaged_somehow(value)), sizes), "object").value == value


SIMPLE = st.text(alphabet="abc é漢_", min_size=1, max_size=6).map(lambda text: f"x{text}x")


@settings(max_examples=200, deadline=None)
@given(
    value=st.dictionaries(SIMPLE, SIMPLE | st.lists(SIMPLE | st.integers(-(2**63), 2**63), max_size=3), min_size=1),
    sizes=SIZES,
)
def test_an_object_in_single_quotes_comes_back_as_it_was(value: dict[str, Any], sizes: list[int]) -> None:
    assert Passed(cut(str(value), sizes), "object").value == value


@settings(max_examples=300, deadline=None)
@given(text=st.text(alphabet="{}[]\",:\\'/ \n\tabntu01.-`é", max_size=40), sizes=SIZES, prose=st.booleans())
def test_any_text_in_any_cutting_gives_the_same(text: str, sizes: list[int], prose: bool) -> None:
    at_once, in_pieces = Passed([text], "container", prose=prose), Passed(cut(text, sizes), "container", prose=prose)
    assert in_pieces.text == at_once.text
    if at_once.flow.complete and (prose or not at_once.flow.rest):
        passed = Passed([at_once.text])
        assert (passed.flow.valid, passed.flow.complete, passed.text) == (True, True, at_once.text)


HOSTILE = {
    "open-arrays": "[" * 100_000,
    "open-objects": '{"a":' * 50_000,
    "closed-arrays": "[" * 50_000 + "]" * 50_000,
    "escapes": '"' + "\\n" * 100_000,
    "backslashes": '"' + "\\" * 100_000,
    "half-escapes": '"' + "\\u" * 50_000,
    "line-breaks": '"' + "\n" * 100_000,
    "white-space": "[1" + " " * 100_000,
    "digits": "1" * 100_000,
    "letters": "[" + "a" * 100_000,
    "commas": "[1" + "," * 100_000,
    "closers": "{}" + "}" * 100_000,
    "quotes": '{"a": "' + '"' * 100_000,
    "bare": "{" + "a: b, " * 10_000,
    "inner-quotes": '["' + 'a" b" ' * 10_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_text_costs_no_more_than_its_length(name: str) -> None:
    text = HOSTILE[name]
    begin = time.process_time()
    at_once = Passed([text])
    in_pieces = Passed(list(text))
    assert time.process_time() - begin < 10
    assert in_pieces.text == at_once.text


def test_a_string_passes_at_little_cost() -> None:
    flow = JsonFlow()
    flow.feed('{"a": "')
    begin = time.process_time()
    for _ in range(100_000):
        flow.feed("some words ")
    assert time.process_time() - begin < 0.3  # three times what it takes
