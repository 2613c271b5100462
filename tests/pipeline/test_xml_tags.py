"""Tags are found as far as a text has come, and nothing else is taken for one."""

import pytest

from poe2openai.pipeline.xml_tags import LONGEST_TAG, CallTags, Tag, Tags, ValueTags
from tests.support.xml_calls import TOOLS

TAGS = Tags(TOOLS)


@pytest.mark.parametrize(
    ("tag", "kind", "name"),
    [
        ("<tool_call>", "wrapper", "tool_call"),
        ("<function_calls >", "wrapper", "function_calls"),
        ("</tool_calls>", "/wrapper", "tool_calls"),
        ('<invoke name="now">', "invoke", "now"),
        ("<invoke id='1' name = ' rm ' x>", "invoke", "rm"),
        ("</invoke>", "/invoke", ""),
        ("<write_file>", "tool", "write_file"),
        ("<tool_result>", "result", "tool_result"),
    ],
)
def test_each_tag_is_found_where_it_stands(tag: str, kind: str, name: str) -> None:
    found = TAGS.find(f"a < b {tag} c", 0)
    assert isinstance(found, Tag)
    assert (found.kind, found.name, found.start) == (kind, name, 6)


@pytest.mark.parametrize(
    "text", ["<toolbox>", "<invoked>", "<invoke>", "<writer>", "< tool_call>", "<b>", "a < b", "<tool_callx>"]
)
def test_what_is_none_is_passed_by(text: str) -> None:
    assert TAGS.find(text, 0) == len(text)


@pytest.mark.parametrize("tag", ["<tool_call>", '<invoke name="now">', "<write_file>", "</invoke>", "<tool_result "])
def test_every_beginning_of_a_tag_is_held(tag: str) -> None:
    for length in range(1, len(tag) - 1):
        assert TAGS.find("text " + tag[:length], 0) == 5
        assert TAGS.may_begin_at(tag[:length], 0)


def test_no_more_is_held_than_the_longest_tag() -> None:
    endless = '<invoke name="' + "x" * LONGEST_TAG
    assert TAGS.find(endless, 0) == len(endless)


def test_parameters_of_both_forms() -> None:
    assert CallTags(None).parameter('<parameter name="a b">', 0) == Tag("parameter", "a b", 0, 22)
    empty = CallTags(None).parameter("<parameter name='a'/>", 0)
    assert empty is not None
    assert empty.empty
    own = CallTags("write_file")
    assert own.parameter("<path>", 0) == Tag("parameter", "path", 0, 6)
    assert own.close("</write_file>", 0) is not None
    assert own.close("</invoke>", 0) is None


def test_a_value_ends_with_a_tag_of_its_own_kind() -> None:
    tags = ValueTags("path", named=False)
    found = tags.find("a <b> </path> c", 0)
    assert isinstance(found, Tag)
    assert (found.kind, found.start) == ("/parameter", 6)
    opened = tags.find("x <path> y", 0)
    assert isinstance(opened, Tag)
    assert opened.kind == "parameter"
    assert tags.find("x <path/> y", 0) == 11
    assert tags.find("x </pa", 0) == 2
