import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poe2openai.poe.tool_arguments import as_object


@pytest.mark.parametrize("text", ["{}", '{"a": 1}', ' {"a":"\\u00e9"}\n', '{"a": 12345678901234567890123}'])
def test_an_object_stays_to_the_letter(text: str) -> None:
    assert as_object(text) is text


@pytest.mark.parametrize("text", ["", " \n", "null", " null "])
def test_nothing_is_no_arguments(text: str) -> None:
    assert as_object(text) == "{}"


def test_an_object_that_was_encoded_twice_is_that_object() -> None:
    assert as_object(orjson.dumps('{"a": "<b>"}').decode()) == '{"a": "<b>"}'


@pytest.mark.parametrize(
    "text",
    [
        "ls -l\n",
        '{"path": "a',
        "{'a': 1}",
        "[1]",
        "1",
        "true",
        '"words"',
        '"[1]"',
        "{}{}",
        '{"a": NaN}',
        '{"a": "\\ud800"}',
        "[" * 5_000 + "]" * 5_000,
        "*** Begin Patch\n+é漢",
    ],
)
def test_any_other_text_becomes_the_one_argument(text: str) -> None:
    assert orjson.loads(as_object(text)) == {"input": text}


@given(st.text())
def test_it_is_always_an_object(text: str) -> None:
    assert isinstance(orjson.loads(as_object(text)), dict)
