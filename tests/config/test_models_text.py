"""What an owner's file looks like after a change. ruamel.yaml and the gateway's own reader judge what is written."""

import io
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from poe2openai.config import models_text
from poe2openai.config.models_object import read_object

FILE = """\
# My gateway, hands off!

enable: yes                # list editing
models:   # the bots
  # Claude for work
  claude-sonnet-4.5:         # the Poe bot
    mapping: gpt-4o          # the name clients see
    # it speaks so
    replace_response: true   # a bot
    note: 'kept'
    # the end of Claude

  # second one
  gpt-5: {mapping: [a, b], enable: no}   # in one line

  # third
  norway:
    parameters:   # tuned
      # how long
      budget: 1_000
      temperature: 1.0
    mapping:
    - on
    - off  # two
    system_prompt: |
      You are
      # not a comment
# disabled:
#   x: y
custom_models:
  - id: my-private-bot       # shown
    created: 1700000000
    # who
    owned_by: me
  # the other
  - id: other
api_token: "secret"  # used to read
use_v1_api: true
# the end
"""


def change(edit: Any, text: str = FILE) -> str:
    before, _ = read_object(text.encode())
    after = deepcopy(before)
    edit(after)
    written = models_text.changed(text, before, after)
    assert read_object(written.encode())[0] == after
    return written


def removed_and_added(edit: Any, text: str = FILE) -> tuple[list[str], list[str]]:
    """The lines that are gone and those that are new; all others must have stayed, in their order."""
    old, new = text.splitlines(), change(edit, text).splitlines()
    start = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    return old[start : len(old) - end], new[start : len(new) - end]


def model(name: str, **values: Any) -> Any:
    return lambda config: config["models"].setdefault(name, {}).update(values)


class TestOneValue:
    def test_a_value_changes_within_its_line(self) -> None:
        assert removed_and_added(model("claude-sonnet-4.5", mapping="gpt-5o")) == (
            ["    mapping: gpt-4o          # the name clients see"],
            ["    mapping: gpt-5o          # the name clients see"],
        )

    def test_one_name_becomes_two(self) -> None:
        _, added = removed_and_added(model("claude-sonnet-4.5", mapping=["x", "on"]))

        assert added == ['    mapping: [x, "on"]          # the name clients see']

    def test_a_parameter_changes_and_its_neighbours_keep_their_way_of_writing(self) -> None:
        assert removed_and_added(model("norway", parameters={"budget": "1_000", "temperature": 0.5})) == (
            ["      temperature: 1.0"],
            ["      temperature: 0.5"],
        )

    def test_what_a_browser_writes_alike_is_no_change(self) -> None:
        assert change(model("norway", parameters={"budget": "1_000", "temperature": 1})) == FILE

    def test_an_emptied_section(self) -> None:
        assert removed_and_added(model("norway", parameters={})) == (
            [
                "    parameters:   # tuned",
                "      # how long",
                "      budget: 1_000",
                "      temperature: 1.0",
            ],
            ["    parameters: {}   # tuned"],
        )

    def test_a_long_text(self) -> None:
        assert removed_and_added(model("norway", system_prompt="You may\n\nrest.\n")) == (
            ["      You are", "      # not a comment"],
            ["      You may", "", "      rest."],
        )

    def test_a_long_text_becomes_short(self) -> None:
        _, added = removed_and_added(model("norway", system_prompt="Hi: you"))

        assert added == ["    system_prompt: 'Hi: you'"]

    def test_a_mapping_in_one_line_stays_in_it(self) -> None:
        _, added = removed_and_added(model("gpt-5", mapping=["a", "c"], enable=True, parameters={"x": {"z": 1}}))

        assert added == ["  gpt-5: {mapping: [a, c], enable: true, parameters: {x: {z: 1}}}   # in one line"]

    def test_a_key_without_a_value_takes_one(self) -> None:
        text = "models:\n  gpt-5:\n    mapping:   # soon\n    enable: false\n"

        assert change(model("gpt-5", mapping="x"), text) == text.replace("mapping:", "mapping: x")


class TestGone:
    def test_a_model_goes_with_its_own_comments(self) -> None:
        written = change(lambda config: config["models"].pop("norway"))

        assert written == FILE[: FILE.index("  # third")] + FILE[FILE.index("# disabled") :]

    def test_a_model_goes_and_the_next_ones_comment_stays(self) -> None:
        written = change(lambda config: config["models"].pop("claude-sonnet-4.5"))

        assert "Claude" not in written
        assert "# the bots\n\n  # second one\n  gpt-5:" in written

    def test_a_key_goes_with_the_comment_above_it(self) -> None:
        assert removed_and_added(lambda config: config["models"]["claude-sonnet-4.5"].pop("replace_response")) == (
            ["    # it speaks so", "    replace_response: true   # a bot"],
            [],
        )

    def test_a_key_goes_out_of_a_line(self) -> None:
        for gone, left in [("mapping", "enable: no"), ("enable", "mapping: [a, b]")]:
            _, added = removed_and_added(lambda config, gone=gone: config["models"]["gpt-5"].pop(gone))
            assert added == [f"  gpt-5: {{{left}}}   # in one line"]

    def test_all_models_go(self) -> None:
        written = change(lambda config: config.update(models={}))

        assert "enable: yes                # list editing\nmodels: {}   # the bots\n# disabled:\n" in written

    def test_an_item_goes(self) -> None:
        gone, added = removed_and_added(lambda config: config["custom_models"].pop(0))

        assert not added
        assert gone[0] == "  - id: my-private-bot       # shown"
        assert gone[-1] == "    owned_by: me"

    def test_what_stands_at_the_top_is_about_the_whole_file(self) -> None:
        text = "# Mine.\nuse_v1_api: true\nenable: false\n"

        assert change(lambda config: config.pop("use_v1_api"), text) == "# Mine.\nenable: false\n"

    def test_the_first_key_of_an_item(self) -> None:
        text = "custom_models:\n- owned_by: me # x\n  id: one\n"

        assert "- id: one\n" in change(lambda config: config["custom_models"][0].pop("owned_by"), text)


class TestNew:
    def test_a_model_comes_last(self) -> None:
        assert removed_and_added(lambda config: config["models"].update({"1.0": {"mapping": "no"}, "new": {}})) == (
            [],
            ['  "1.0":', '    mapping: "no"', "  new: {}"],
        )

    def test_a_key_comes_last(self) -> None:
        gone, added = removed_and_added(model("claude-sonnet-4.5", parameters={"a": [1, {"b": None}]}))

        assert not gone
        assert added == ["    parameters:", "      a:", "        - 1", "        - b: null"]

    def test_the_first_model(self) -> None:
        assert change(model("gpt-5", enable=False), "models: {} # none yet\nenable: true\n") == (
            "models: # none yet\n  gpt-5:\n    enable: false\nenable: true\n"
        )

    def test_the_first_of_a_section_that_is_not_there(self) -> None:
        assert change(lambda config: config.update(custom_models=[{"id": "x"}]), "enable: true # y\n") == (
            "enable: true # y\ncustom_models:\n  - id: x\n"
        )

    def test_an_item_comes_last(self) -> None:
        gone, added = removed_and_added(lambda config: config["custom_models"].append({"id": "x", "created": 5}))

        assert not gone
        assert added == ["  - id: x", "    created: 5"]

    def test_an_item_comes_first(self) -> None:
        gone, added = removed_and_added(lambda config: config["custom_models"].insert(1, {"id": "x"}))

        assert not gone
        assert added == ["  - id: x"]

    def test_a_name_comes_between(self) -> None:
        _, added = removed_and_added(model("gpt-5", mapping=["x", "a", "z", "b"]))

        assert added == ["  gpt-5: {mapping: [x, a, z, b], enable: no}   # in one line"]

    def test_a_file_without_an_end_of_line(self) -> None:
        assert change(model("b", enable=False), "models:\n  a: {}") == "models:\n  a: {}\n  b:\n    enable: false\n"

    def test_a_file_with_comments_alone(self) -> None:
        written = models_text.changed("# later", {}, {"enable": True, "models": {"a": {"mapping": "b"}}})

        assert written == "# later\nenable: true\nmodels:\n  a:\n    mapping: b\n"

    def test_line_ends_of_windows_stay(self) -> None:
        written = change(model("new", enable=False), FILE.replace("\n", "\r\n"))

        assert written.count("\n") == written.count("\r\n") == FILE.count("\n") + 2


def test_another_order_is_not_made_at_the_cost_of_comments() -> None:
    with pytest.raises(models_text.Unusual):
        change(lambda config: config["custom_models"].reverse())
    text = "custom_models:\n- id: a\n- id: b\n"

    assert change(lambda config: config["custom_models"].reverse(), text) == "custom_models:\n- id: b\n- id: a\n"


@pytest.mark.parametrize("name", ["C#", "# one", "a #b"])
def test_a_name_with_a_hash_is_no_comment(name: str) -> None:
    text = f"custom_models:\n- id: {name!r}\n- id: b\n"

    assert change(lambda config: config["custom_models"].reverse(), text).startswith("custom_models:\n- id: b\n")


def test_a_name_over_two_lines() -> None:
    text = 'models:\n  ? "x\\ny"\n  : {}\n  b: {}\n'

    assert change(lambda config: config["models"].pop("x\ny"), text) == "models:\n  b: {}\n"


def test_models_that_are_there_twice() -> None:
    text = "custom_models:\n- id: a # one\n- id: a # two\n  created: 5\n- id: b # three\n"

    assert change(lambda config: config["custom_models"].pop(1), text) == (
        "custom_models:\n- id: a # one\n- id: b # three\n"
    )


def test_a_file_that_is_json_stays_a_file_in_brackets() -> None:
    text = '{\n  "models": {\n    "a": {"mapping": "b"},\n    "c": {}\n  },\n  "custom_models": []\n}\n'

    def edit(config: Any) -> None:
        config["models"].pop("a")
        config["models"]["d"] = {"enable": False}
        config["custom_models"] = [{"id": "x"}]

    assert change(edit, text) == (
        '{\n  "models": {\n    "c": {}, d: {enable: false}\n  },\n  "custom_models": [{id: x}]\n}\n'
    )


NAMES = st.one_of(
    st.sampled_from(["on", "no", "1.0", "012", "null", "~", "<<", "=", "2024-01-01", "1_000", "1:30", ".inf", "0x1f"]),
    st.sampled_from(["<img onerror=x>", "a:b", "a, b", "[a]", "|", ">", "`", "-", "---", "...", "\t", "a\\b"]),
    st.sampled_from(["a: b", "# x", "- x", "x #y", "'q'", '"d"', "? x", "x\ny", " a", "{", "&a", "*a", "!t", "%", "@"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
).filter(str.strip)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False) | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
MODELS = st.fixed_dictionaries(
    {},
    optional={
        "mapping": NAMES | st.lists(NAMES, max_size=3),
        "enable": st.booleans(),
        "parameters": st.dictionaries(NAMES, VALUES, max_size=3),
        "system_prompt": st.text("ab #:\n|-", max_size=12),
        "unknown": VALUES,
    },
)
CONFIGS = st.fixed_dictionaries(
    {"enable": st.booleans(), "models": st.dictionaries(NAMES, MODELS, max_size=4)},
    optional={"custom_models": st.lists(st.fixed_dictionaries({"id": NAMES}, optional={"x": VALUES}), max_size=3)},
)


@given(CONFIGS, CONFIGS, st.lists(st.booleans(), min_size=8, max_size=8))
@settings(max_examples=80)
def test_whatever_changes_is_read_as_it_was_meant(one: Any, other: Any, keep: list[bool]) -> None:
    first = {"custom_models": [], **one}
    # No comment is in the way, so nothing may be refused.
    stays = {name: value for (name, value), kept in zip(one["models"].items(), keep, strict=False) if kept}
    second = {"custom_models": [], **other, "models": {**stays, **other["models"]}}

    text = models_text.changed("# top\n", {}, first)
    assert read_object(text.encode())[0] == first
    text = models_text.changed(text, first, second)

    assert text.startswith("# top\n")
    assert read_object(text.encode())[0] == second
    # Another reader of YAML 1.2 finds the same names.
    judge = YAML(typ="safe", pure=True)
    assert list(judge.load(io.StringIO(text))["models"]) == list(read_object(text.encode())[0]["models"])


@pytest.mark.parametrize("text", ["y", "no", "ON", "1", "1.5", "1e3", "0o7", "1_0", "1:20", "null", "~", "", ".inf"])
def test_text_that_looks_like_something_else_is_quoted(text: str) -> None:
    edit = model("gpt-5", mapping=["x", text]) if text else model("gpt-5", note=text)
    written = change(edit, "models:\n  gpt-5: {}\n")

    assert f'"{text}"' in written
