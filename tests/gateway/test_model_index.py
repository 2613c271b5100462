from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poe2openai.config.models_file import CustomModel, ModelSettings, ModelsFile
from poe2openai.gateway.model_index import (
    ModelIndex,
    build_index,
    declared_parameters,
    display_name,
    output_modalities,
    supports_tools,
)
from tests.support.poe_models import entry, poe_list

BOTS = poe_list("Claude-Sonnet-4.5", "GPT-4o", "Assistant")


def ids(index: ModelIndex) -> list[str]:
    return [listed["id"] for listed in index.listed]


def bot(index: ModelIndex, name: str) -> str | None:
    found = index.bot(name)
    return None if found is None else found.name


def test_without_settings_the_list_is_poes() -> None:
    index = build_index(BOTS, ModelsFile())
    assert index.listed == BOTS
    assert bot(index, "claude-SONNET-4.5") == "claude-sonnet-4.5"
    assert bot(index, "anthropic/claude-sonnet-4-5-20250929") == "claude-sonnet-4.5"
    assert bot(index, "private") is None
    assert index.entry("private") is None


def test_a_display_name_finds_its_bot() -> None:
    index = build_index([entry("x", metadata={"display_name": "My Bot!"})], ModelsFile())
    assert bot(index, "my bot!") == "x"


class TestAliases:
    def test_an_alias_takes_the_bots_place(self) -> None:
        index = build_index(BOTS, ModelsFile(models={"Claude-Sonnet-4.5": ModelSettings(mapping=("Best", "best-2"))}))
        assert ids(index) == ["Best", "best-2", "gpt-4o", "assistant"]
        assert bot(index, "BEST") == bot(index, "best-2") == bot(index, "claude-sonnet-4.5") == "claude-sonnet-4.5"
        best = index.entry("best")
        assert best == index.listed[0]
        assert best is not None
        assert (best["root"], display_name(best), best["context_length"]) == ("claude-sonnet-4.5", "Best", 200_000)
        original = index.entry("claude-sonnet-4.5")
        assert original == BOTS[0]

    def test_an_alias_with_another_bots_name_wins(self) -> None:
        index = build_index(BOTS, ModelsFile(models={"claude-sonnet-4.5": ModelSettings(mapping=("GPT-4o",))}))
        assert ids(index) == ["GPT-4o", "assistant"]
        assert bot(index, "gpt-4o") == bot(index, "openai/gpt-4o-2024-08-06") == "claude-sonnet-4.5"

    def test_two_bots_may_swap_names(self) -> None:
        models = {"gpt-4o": ModelSettings(mapping=("assistant",)), "assistant": ModelSettings(mapping=("gpt-4o",))}
        index = build_index(BOTS, ModelsFile(models=models))
        assert ids(index) == ["claude-sonnet-4.5", "assistant", "gpt-4o"]
        assert (bot(index, "gpt-4o"), bot(index, "assistant")) == ("assistant", "gpt-4o")

    def test_of_two_claims_the_first_counts(self) -> None:
        models = {"gpt-4o": ModelSettings(mapping=("best",)), "assistant": ModelSettings(mapping=("Best", "helper"))}
        index = build_index(BOTS, ModelsFile(models=models))
        assert ids(index) == ["claude-sonnet-4.5", "best", "helper"]
        assert bot(index, "best") == "gpt-4o"

    def test_a_bots_own_name_may_be_among_its_aliases(self) -> None:
        index = build_index(BOTS, ModelsFile(models={"gpt-4o": ModelSettings(mapping=("gpt-4o", "fast"))}))
        assert ids(index) == ["claude-sonnet-4.5", "gpt-4o", "fast", "assistant"]
        assert bot(index, "gpt-4o") == "gpt-4o"

    def test_a_private_bots_alias_answers_and_is_found_but_not_listed(self) -> None:
        index = build_index(BOTS, ModelsFile(models={"My-Own": ModelSettings(mapping=("mine",))}))
        assert ids(index) == [listed["id"] for listed in BOTS]
        assert bot(index, "mine") == bot(index, "my-own") == "My-Own"
        mine = index.entry("mine")
        assert mine is not None
        assert (mine["id"], mine["root"]) == ("mine", "My-Own")

    def test_before_poes_list_came_aliases_work(self) -> None:
        index = build_index(
            [], ModelsFile(models={"Claude-X": ModelSettings(mapping=("gpt-4o",), replace_response=True)})
        )
        assert index.listed == []
        found = index.bot("GPT-4o")
        assert found is not None
        assert (found.name, found.settings.replace_response) == ("Claude-X", True)

    def test_names_that_differ_in_case_alone_are_one_bot(self) -> None:
        models = {"GPT-4o": ModelSettings(mapping=("one",)), "gpt-4o": ModelSettings(mapping=("two",))}
        index = build_index(BOTS, ModelsFile(models=models))
        assert ids(index) == ["claude-sonnet-4.5", "one", "assistant"]
        assert bot(index, "two") is None


class TestVisibility:
    def test_a_hidden_bot_is_not_listed_and_still_answers(self) -> None:
        models = {"GPT-4o": ModelSettings(enable=False), "assistant": ModelSettings(enable=False, mapping=("helper",))}
        index = build_index(BOTS, ModelsFile(models=models))
        assert ids(index) == ["claude-sonnet-4.5"]
        assert bot(index, "gpt-4o") == "gpt-4o"
        assert bot(index, "helper") == "assistant"
        assert index.entry("gpt-4o") == BOTS[1]

    def test_switched_off_the_list_is_poes_and_settings_still_hold(self) -> None:
        models = {"gpt-4o": ModelSettings(mapping=("best",), enable=False, replace_response=True)}
        index = build_index(BOTS, ModelsFile(enable=False, models=models, custom_models=(CustomModel("mine"),)))
        assert index.listed == BOTS
        assert bot(index, "best") is None
        found = index.bot("gpt-4o")
        assert found is not None
        assert found.settings.replace_response


class TestCustomModels:
    def test_they_follow_poes(self) -> None:
        index = build_index(BOTS, ModelsFile(custom_models=(CustomModel("My-Own", 17, "me"), CustomModel("no"))))
        assert [(own["id"], own["created"], own["owned_by"]) for own in index.listed[3:]] == [
            ("My-Own", 17, "me"),
            ("no", 0, "poe"),
        ]
        assert bot(index, "my own") == "My-Own"

    def test_poes_own_entry_is_the_better_one(self) -> None:
        index = build_index(BOTS, ModelsFile(custom_models=(CustomModel("GPT-4O"), CustomModel("x"), CustomModel("X"))))
        assert ids(index) == ["claude-sonnet-4.5", "gpt-4o", "assistant", "x"]
        assert index.entry("gpt-4o") == BOTS[1]

    def test_models_settings_hold_for_them_too(self) -> None:
        models = {"MINE": ModelSettings(mapping=("ours",)), "secret": ModelSettings(enable=False)}
        index = build_index([], ModelsFile(models=models, custom_models=(CustomModel("mine"), CustomModel("secret"))))
        assert ids(index) == ["ours"]
        assert bot(index, "ours") == "mine"


def test_settings_are_found_by_the_bots_shown_name() -> None:
    settings = ModelSettings(mapping=("best",))
    index = build_index([entry("x", metadata={"display_name": "My Bot"})], ModelsFile(models={"my bot": settings}))
    found = index.bot("best")
    assert found is not None
    assert (found.name, found.settings) == ("x", settings)


@pytest.mark.parametrize(
    ("fields", "declared"),
    [
        (
            {"parameters": [{"name": "a", "schema": {"type": "boolean"}}, {"name": "b", "schema": None}]},
            {"a": {"type": "boolean"}, "b": {}},
        ),
        ({"parameters": [{"name": None}, {}, None, "c", {"name": "d"}]}, {"d": {}}),
        ({"parameters": []}, {}),
        ({"parameters": None}, None),
        ({"parameters": {"name": "a"}}, None),
        ({}, None),
    ],
)
def test_declared_parameters(fields: dict[str, Any], declared: dict[str, Any] | None) -> None:
    assert declared_parameters({"id": "x", **fields}) == declared


@pytest.mark.parametrize(
    ("features", "expected"), [(["tools"], True), (["web_search", "tools"], True), ([], False), (None, False)]
)
def test_native_tools_are_what_the_list_promises(features: object, expected: bool) -> None:
    assert supports_tools({"id": "x", "supported_features": features}) is expected
    assert supports_tools({"id": "x"}) is False


@pytest.mark.parametrize(
    ("architecture", "made", "images", "text"),
    [
        ({"output_modalities": ["image"]}, ["image"], True, False),
        ({"input_modalities": ["text"], "output_modalities": ["text", "image"]}, ["text", "image"], True, True),
        ({"input_modalities": ["image"], "output_modalities": ["text"]}, ["text"], False, True),
        ({"output_modalities": ["video", None]}, ["video", None], False, False),
        ({"output_modalities": []}, [], False, True),
        ({"output_modalities": "image"}, [], False, True),
        ({"output_modalities": None}, [], False, True),
        ({"modality": "text->image"}, [], False, True),
        ({}, [], False, True),
        (None, [], False, True),
        ("image", [], False, True),
        (["image"], [], False, True),
    ],
)
def test_what_a_bot_makes_is_what_the_list_says(
    architecture: object, made: list[Any], images: bool, text: bool
) -> None:
    listed = {"id": "x", "architecture": architecture}
    found = build_index([listed], ModelsFile()).bot("x")

    assert output_modalities(listed) == made
    assert found is not None
    assert (found.makes_images, found.makes_text) == (images, text)


def test_a_bot_that_the_list_does_not_describe_makes_text() -> None:
    found = build_index([], ModelsFile(custom_models=(CustomModel("mine"),))).bot("mine")

    assert output_modalities({"id": "x"}) == []
    assert found is not None
    assert (found.makes_images, found.makes_text) == (False, True)


@pytest.mark.parametrize(
    "metadata", [None, [], "x", {}, {"display_name": None}, {"display_name": " "}, {"display_name": 1}]
)
def test_without_a_shown_name_the_id_is_shown(metadata: object) -> None:
    assert display_name({"id": "x", "metadata": metadata}) == "x"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "display_name"]), inner, max_size=2)
    ),
    max_leaves=5,
)
ENTRIES = st.builds(
    lambda name, fields: {**fields, "id": name},
    st.sampled_from(["a", "b", "c d", "E"]),
    st.dictionaries(
        st.sampled_from(["metadata", "parameters", "owned_by", "created", "root", "architecture"]), JSON, max_size=5
    ),
)
NAMES = st.sampled_from(["a", "A", "b", "c d", "x", "y"])
SETTINGS = st.builds(ModelSettings, mapping=st.lists(NAMES, max_size=2).map(tuple), enable=st.booleans())


@given(
    st.lists(ENTRIES, max_size=4, unique_by=lambda found: found["id"]),
    st.builds(
        ModelsFile,
        enable=st.booleans(),
        models=st.dictionaries(NAMES, SETTINGS, max_size=4),
        custom_models=st.lists(st.builds(CustomModel, id=NAMES), max_size=2).map(tuple),
    ),
)
def test_what_is_listed_is_found_under_its_name_and_no_name_twice(
    entries: list[dict[str, Any]], file: ModelsFile
) -> None:
    index = build_index(entries, file)
    names = [name.casefold() for name in ids(index)]
    assert len(names) == len(set(names))
    for listed in index.listed:
        assert index.entry(listed["id"]) == listed
        assert index.bot(listed["id"]) is not None
