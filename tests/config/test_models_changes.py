from typing import Any

import pytest

from poe2openai.config.models_changes import changes, same, without_before


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        ({"a": 1, "b": [2]}, {"b": [2.0], "a": 1}),
        ([], []),
        (None, None),
    ],
)
def test_what_json_writes_alike_is_the_same(one: Any, other: Any) -> None:
    assert same(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, True), (0, False), (None, False), ("1", 1), ({"a": None}, {}), ([1, 2], [2, 1]), ([1], [1, 1]), ({}, [])],
)
def test_what_json_tells_apart_is_not(one: Any, other: Any) -> None:
    assert not same(one, other)
    assert not same(other, one)


def test_a_change_is_told_at_the_deepest_key() -> None:
    before = {"enable": True, "models": {"gpt-5": {"mapping": "a", "parameters": {"x": 1, "y": 2}}}}
    after = {"enable": True, "models": {"gpt-5": {"mapping": "b", "parameters": {"x": 1, "y": 3}}}}

    assert changes(before, after) == [
        {"path": "models.gpt-5.mapping", "before": "a", "after": "b"},
        {"path": "models.gpt-5.parameters.y", "before": 2, "after": 3},
    ]


def test_what_is_new_and_what_is_gone_is_told_whole() -> None:
    before = {"models": {"gone": {"enable": False}}}
    after = {"models": {"new": {"mapping": "x"}}, "api_token": "••••"}

    assert changes(before, after) == [
        {"path": "models.gone", "before": {"enable": False}, "after": None},
        {"path": "models.new", "before": None, "after": {"mapping": "x"}},
        {"path": "api_token", "before": None, "after": "••••"},
    ]


def test_custom_models_go_by_their_ids() -> None:
    before = {"custom_models": [{"id": "one", "owned_by": "me"}, {"id": "two"}]}
    after = {"custom_models": [{"id": "two"}, {"id": "one", "owned_by": "you"}, {"id": "three"}]}

    assert changes(before, after) == [
        {"path": "custom_models.one.owned_by", "before": "me", "after": "you"},
        {"path": "custom_models.three", "before": None, "after": {"id": "three"}},
    ]


def test_custom_models_that_share_an_id_are_told_as_a_list() -> None:
    before = {"custom_models": [{"id": "one"}, {"id": "one"}]}

    assert changes(before, {"custom_models": []}) == [
        {"path": "custom_models", "before": [{"id": "one"}, {"id": "one"}], "after": []}
    ]


def test_equal_states_have_no_changes() -> None:
    state = {"enable": True, "models": {"a": {"parameters": {"t": 1}}}, "custom_models": [{"id": "x"}]}

    assert changes(state, {**state, "models": {"a": {"parameters": {"t": 1.0}}}}) == []


def test_an_unknown_state_is_not_made_up() -> None:
    found = changes({"enable": True}, {"enable": False})

    assert without_before(found) == [{"path": "enable", "before": None, "after": False}]
