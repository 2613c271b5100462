import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poe2openai.config.models_schema import CustomModel, ModelSettings, ModelsFile, read_models_file
from poe2openai.config.yaml_guard import YamlError

PREDECESSOR = b"""
enable: true
models:
  claude-sonnet-4.5:
    mapping: gpt-4o
    replace_response: true
    enable: true
  GPT-5:
    enable: false
custom_models:
  - id: my-private-bot
    created: 1700000000
    owned_by: me
  - id: plain
api_token: secret
use_v1_api: true
"""


def read(text: str) -> ModelsFile:
    file, warnings = read_models_file(text.encode())
    assert warnings == []
    return file


def test_a_predecessors_file() -> None:
    file, warnings = read_models_file(PREDECESSOR)
    assert warnings == []
    assert file == ModelsFile(
        enable=True,
        models={
            "claude-sonnet-4.5": ModelSettings(mapping=("gpt-4o",), replace_response=True),
            "GPT-5": ModelSettings(enable=False),
        },
        custom_models=(CustomModel("my-private-bot", 1700000000, "me"), CustomModel("plain")),
        api_token="secret",
        use_v1_api=True,
    )
    assert "secret" not in repr(file)


def test_the_documented_example_is_in_order() -> None:
    document = Path(__file__).parents[2] / "docs" / "models-yaml.md"
    (example,) = re.findall(r"```yaml\n(.*?)```", document.read_text(), re.DOTALL)
    file = read(example)
    assert file.models["gpt-5"] == ModelSettings(
        mapping=("fast", "gpt-5"),
        parameters={"reasoning_effort": "low", "web_search": True},
        system_prompt="Answer in one sentence.",
    )
    assert not file.models["assistant"].enable


def test_nothing_said_is_everything_on() -> None:
    assert read("{}") == ModelsFile()
    assert ModelsFile().enable
    assert read("models: {gpt-5: {}}").models["gpt-5"] == ModelSettings()
    assert ModelSettings().enable


def test_keys_without_a_value_say_nothing() -> None:
    text = """
enable:
models: {gpt-5: {mapping: null, replace_response: ~, enable: , parameters: , system_prompt: }}
custom_models:
api_token: null
use_v1_api:
"""
    assert read(text) == ModelsFile(models={"gpt-5": ModelSettings()})


def test_names_are_text_whatever_they_look_like() -> None:
    file = read("""
models:
  no: {mapping: yes}
  4.5: {mapping: [1e3, 2024-01-01, 0x10]}
custom_models: [{id: 17, owned_by: off}]
api_token: 123456
""")
    assert file.models["no"].mapping == ("yes",)
    assert file.models["4.5"].mapping == ("1e3", "2024-01-01", "0x10")
    assert file.custom_models == (CustomModel("17", None, "off"),)
    assert file.api_token == "123456"


def test_system_prompts_are_text() -> None:
    assert read("models: {a: {system_prompt: no}}").models["a"].system_prompt == "no"
    assert read("models:\n  a:\n    system_prompt: |\n      Be *brief*.\n      # no comment\n").models[
        "a"
    ].system_prompt == ("Be *brief*.\n# no comment\n")


def test_parameters_are_typed_as_json_needs_them() -> None:
    file = read("""
models:
  a:
    parameters:
      thinking_budget: 1024
      temperature: 0.5
      web_search: true
      quality: high
      version: "1.0"
      stop: null
      tags: [no, 7, {deep: false}]
""")
    assert dict(file.models["a"].parameters) == {
        "thinking_budget": 1024,
        "temperature": 0.5,
        "web_search": True,
        "quality": "high",
        "version": "1.0",
        "stop": None,
        "tags": ["no", 7, {"deep": False}],
    }


@pytest.mark.parametrize("word", ["true", "True", "yes", "on", "1"])
def test_switches_may_be_written_in_any_usual_way(word: str) -> None:
    assert read(f"models: {{a: {{replace_response: {word}}}}}").models["a"].replace_response


@pytest.mark.parametrize(("said", "meant"), [("true", True), ("off", False), ("~", None), ("", None)])
def test_the_last_answers_files_go_along_as_the_owner_says_or_as_the_list_does(said: str, meant: bool | None) -> None:
    assert read(f"models: {{a: {{attach_last_files: {said}}}}}").models["a"].attach_last_files is meant
    assert ModelSettings().attach_last_files is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("just words", "line 1: it does not hold"),
        ("- a\n- b\n", "line 1: it does not hold"),
        ("enable: tru\n", "line 1: enable: input should be a valid boolean"),
        ("enable: true\nmodels:\n", "line 2: models: "),
        ("enable: true\nmodels:\n  gpt-5:\n", "line 3: models.gpt-5: "),
        ("models: [gpt-5]\n", "line 1: models: "),
        ("models:\n  gpt-5: hidden\n", "line 2: models.gpt-5: "),
        ("models:\n  a:\n    attach_last_files: maybe\n", "line 3: models.a.attach_last_files: "),
        ("models:\n  gpt-5:\n    mapping: {a: b}\n", "line 3: models.gpt-5.mapping: a name or a list of names"),
        ("models:\n  gpt-5:\n    mapping: [a, ~]\n", "line 3: models.gpt-5.mapping: a name or a list of names"),
        ("models:\n  gpt-5:\n    mapping:\n    - a\n    - ' '\n", "line 5: models.gpt-5.mapping.1: "),
        ("models:\n  gpt-5:\n    parameters: [a]\n", "line 3: models.gpt-5.parameters: "),
        ("models:\n  gpt-5:\n    parameters: {a: .inf}\n", "line 3: JSON has no infinity"),
        ("models:\n  '': {}\n", "line 2: models"),
        ("custom_models: {id: a}\n", "line 1: custom_models: a list"),
        ("custom_models:\n- id: a\n- created: 1\n", "line 3: custom_models.1.id: field required"),
        ("custom_models:\n- id: a\n  created: soon\n", "line 3: custom_models.0.created: "),
        ("custom_models:\n- id: a\n  created: 99999999999999999999\n", "line 3: custom_models.0.created: "),
        ("api_token: {a: b}\n", "line 1: api_token: "),
    ],
)
def test_a_wrong_shape_is_refused_with_its_line(text: str, problem: str) -> None:
    with pytest.raises(YamlError, match=f"^{problem}"):
        read_models_file(text.encode())


@pytest.mark.parametrize(
    "place", ["enable: {}", "models: {{a: {{enable: {}}}}}", "custom_models: [{{id: a, created: {}}}]"]
)
def test_no_value_stands_in_an_error(place: str) -> None:
    with pytest.raises(YamlError) as caught:
        read_models_file(place.format("p0e-s3cret").encode())
    assert "s3cret" not in str(caught.value)


def test_unknown_keys_are_named_and_ignored() -> None:
    file, warnings = read_models_file(
        b"colour: red\nmodels:\n  a:\n    shade: 1\n    mapping: b\ncustom_models: [{id: c, x: y}]"
    )
    assert file == ModelsFile(models={"a": ModelSettings(mapping=("b",))}, custom_models=(CustomModel("c"),))
    assert warnings == [
        "line 1: unknown key colour is ignored",
        "line 4: unknown key models.a.shade is ignored",
        "line 6: unknown key custom_models.0.x is ignored",
    ]


def test_a_flood_of_unknown_keys_is_told_in_few_lines() -> None:
    _, warnings = read_models_file("".join(f"k{number}: v\n" for number in range(5000)).encode())
    assert len(warnings) == 21
    assert warnings[-1] == "5000 unknown keys in all are ignored"


def test_one_alias_for_two_bots_is_told() -> None:
    _, warnings = read_models_file(b"models:\n  a: {mapping: [gpt-4o, b]}\n  c: {mapping: GPT-4o}\n  A: {mapping: x}\n")
    assert warnings == [
        "GPT-4o is the mapping of a and of c: the first counts",
        "models.A is there twice, in different case: the first counts",
    ]


def test_a_file_of_nothing_but_mistakes_is_refused_quickly() -> None:
    before = time.monotonic()
    with pytest.raises(YamlError):
        read_models_file(b"models:\n" + b"".join(b"  m%d: x\n" % number for number in range(24_000)))
    assert time.monotonic() - before < 10


@given(st.text("enablmodscut_i:p-[]{} \n'\"~0.5tr", max_size=200))
def test_any_text_is_a_file_or_a_refusal(text: str) -> None:
    told = ""
    try:
        read_models_file(text.encode())
    except YamlError as error:
        told = str(error)
    assert "\n" not in told


KEYS = ["enable", "models", "custom_models", "api_token", "use_v1_api", "mapping", "parameters", "id", "created", "a"]
SCALARS = st.sampled_from(["true", "no", "~", "4.5", "x", '""', "[]", "{}", "1e999", "''"])
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.dictionaries(st.sampled_from(KEYS), inner, max_size=4).map(
            lambda entries: "{" + ", ".join(f"{key}: {value}" for key, value in entries.items()) + "}"
        ),
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(KEYS), TREES, max_size=4))
def test_any_shape_is_a_file_or_a_refusal(entries: dict[str, str]) -> None:
    text = "".join(f"{key}: {value}\n" for key, value in entries.items())
    try:
        file, _ = read_models_file(text.encode())
    except YamlError:
        return
    assert isinstance(file, ModelsFile)


@given(st.integers(0, len(PREDECESSOR) - 1))
def test_a_cut_file_is_refused_or_says_less_but_nothing_else(length: int) -> None:
    whole, _ = read_models_file(PREDECESSOR)
    try:
        cut, _ = read_models_file(PREDECESSOR[:length])
    except YamlError:
        return
    assert set(cut.models) <= set(whole.models)
