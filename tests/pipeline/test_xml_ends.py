"""A closing tag ends a value only where the rest of a call may follow."""

import pytest

from poe2openai.pipeline.xml_ends import MOST_SPACE, Reading, past_space
from poe2openai.pipeline.xml_tags import CallTags, Tags
from tests.support.xml_calls import TOOLS

TAGS, INVOKE = Tags(TOOLS), CallTags(None)


def reading(text: str, *, final: bool = False) -> Reading:
    return Reading(text, final, TAGS, INVOKE)


@pytest.mark.parametrize(
    ("behind", "so_far", "at_the_end"),
    [
        ('\n<parameter name="b">', True, True),
        (" </invoke>", True, True),
        ("</tool_call>", True, True),
        ('<invoke name="now">', True, True),
        ("", None, True),
        (" \n", None, True),
        ("</inv", None, False),
        ("<param", None, False),
        (" and so on", False, False),
        ("<b>", False, False),
        (" " * MOST_SPACE, True, True),
    ],
)
def test_ends_value(behind: str, so_far: bool | None, at_the_end: bool) -> None:
    assert reading(behind).ends_value(0) is so_far
    assert reading(behind, final=True).ends_value(0) is at_the_end


@pytest.mark.parametrize(
    ("behind", "so_far", "at_the_end"),
    [
        ("</invoke>", None, True),
        ("\n</invoke>\n</tool_call>\n", None, True),
        ("</invoke></tool_c", None, False),
        ("", None, False),
        ("</invoke> there", False, False),
        ("x", False, False),
        (" " * 3000, False, False),
    ],
)
def test_ends_answer(behind: str, so_far: bool | None, at_the_end: bool) -> None:
    assert reading(behind).ends_answer(0) is so_far
    assert reading(behind, final=True).ends_answer(0) is at_the_end


def test_past_space() -> None:
    assert past_space("a \n b", 1) == 4
    assert past_space("ab", 1) == 1
