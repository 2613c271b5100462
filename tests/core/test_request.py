"""Requests are values: equal by content, never changed."""

import dataclasses

import pytest

from poe2openai.core.request import Message, ModelRequest, Text, ToolChoice, ToolChoiceMode


def test_a_request_by_default_asks_for_a_whole_answer_with_free_choice_of_tools() -> None:
    request = ModelRequest("bot", (Message("user", (Text("hi"),)),))
    assert not request.stream
    assert request.tool_choice == ToolChoice(ToolChoiceMode.AUTO)
    assert request.extra == {}


def test_a_request_cannot_be_changed() -> None:
    request = ModelRequest("bot", ())
    with pytest.raises(dataclasses.FrozenInstanceError):
        request.model = "other"  # type: ignore[misc]
