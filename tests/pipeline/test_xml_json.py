"""Calls that were written as JSON, one or several; of declared tools alone."""

import json
from typing import Any

import pytest

from poe2openai.pipeline.xml_json import read_calls
from tests.support.xml_calls import TOOLS

KNOWN = {tool.name: tool for tool in TOOLS}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"name": "now", "arguments": {}}', [("now", {})]),
        ('{"name": "now"}', [("now", {})]),
        ('{"name": "now", "arguments": null}', [("now", {})]),
        ('{"name": "get_weather", "parameters": {"city": "Rome"}}', [("get_weather", {"city": "Rome"})]),
        ('{"name": "get_weather", "arguments": "{\\"days\\": \\"3\\"}"}', [("get_weather", {"days": 3})]),
        ('{"type": "function", "function": {"name": "now", "arguments": "{}"}}', [("now", {})]),
        ('{"name": "now"}\n{"name": "now"}', [("now", {}), ("now", {})]),
        ('[{"name": "now"}, {"name": "now"}]', [("now", {}), ("now", {})]),
        ("{'name': 'now', 'arguments': {}}", [("now", {})]),
    ],
)
def test_calls(text: str, expected: list[tuple[str, Any]]) -> None:
    calls = read_calls(text, KNOWN, 5)
    assert calls is not None
    assert [(call.name, json.loads(call.arguments)) for call in calls] == expected
    assert [call.index for call in calls] == list(range(5, 5 + len(expected)))
    assert all(call.id for call in calls)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "5",
        '{"name": "rm"}',
        '{"name": "now"} {"name": "rm"}',
        '{"a": 1}',
        '{"name": "now", "arguments": [1]}',
        "{now",
        "[" * 5000,
    ],
)
def test_what_is_no_call_of_a_declared_tool(text: str) -> None:
    assert read_calls(text, KNOWN, 0) is None
