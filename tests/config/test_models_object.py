import codecs
from copy import deepcopy
from typing import Any

import pytest

from poe2openai.config.models_object import (
    InvalidConfig,
    Unchangeable,
    checked,
    fresh,
    is_empty,
    mask,
    masked,
    read_object,
    write_object,
)
from poe2openai.config.models_schema import read_models_file
from poe2openai.config.yaml_guard import MAX_DEPTH, YamlError

# As the predecessor's own documentation shows it.
PREDECESSORS = b"""\
enable: true
models:
  claude-sonnet-4.5:
    mapping: gpt-4o
    replace_response: true
    enable: false
custom_models:
  - id: my-private-bot
    created: 1700000000
    owned_by: me
api_token: poe-key-0123456789
use_v1_api: true
"""


def read(text: str) -> dict[str, Any]:
    return read_object(text.encode())[0]


class TestReading:
    def test_the_predecessors_file(self) -> None:
        assert read_object(PREDECESSORS) == (
            {
                "enable": True,
                "models": {"claude-sonnet-4.5": {"mapping": "gpt-4o", "replace_response": True, "enable": False}},
                "custom_models": [{"id": "my-private-bot", "created": 1700000000, "owned_by": "me"}],
                "api_token": "poe-key-0123456789",
                "use_v1_api": True,
            },
            [],
        )

    @pytest.mark.parametrize("text", ["", " \n\n", "# nothing yet\n", "\ufeff# nothing\n", "\r\n"])
    def test_nothing_written_yet(self, text: str) -> None:
        assert read(text) == {"enable": True, "models": {}, "custom_models": []}
        assert is_empty(text.encode())

    def test_names_stay_text(self) -> None:
        text = "models: {on: {mapping: 1.0}, 012: {mapping: [no, null]}, ~: {}, 2024-01-01: {}, true: {}}\n"

        # `null` in a list of names is refused by the gateway, so here too.
        with pytest.raises(YamlError, match="mapping"):
            read(text)
        config = read(text.replace("null", "'null'"))
        assert list(config["models"]) == ["on", "012", "~", "2024-01-01", "true"]
        assert config["models"]["on"] == {"mapping": "1.0"}
        assert config["models"]["012"] == {"mapping": ["no", "null"]}

    def test_each_key_has_its_type(self) -> None:
        text = """
enable: off
models:
  a:
    enable: no
    replace_response: "yes"
    system_prompt: 5
    tools_mode: " XML"
    parameters: {n: 5, f: 1.5, t: yes, b: true, z: null}
    single_message:
    unknown: [1, yes, .inf]
    other: 5
"""
        assert read(text) == {
            "enable": False,
            "models": {
                "a": {
                    "enable": False,
                    "replace_response": True,
                    "system_prompt": "5",
                    "tools_mode": "xml",
                    "parameters": {"n": 5, "f": 1.5, "t": "yes", "b": True, "z": None},
                    "unknown": ["1", "yes", ".inf"],
                    "other": 5,
                }
            },
            "custom_models": [],
        }

    @pytest.mark.parametrize(
        "text",
        [
            "models:\n",
            "models: {a: }\n",
            "models: {a: &x {}, b: *x}\n",
            "a: 1\n---\nb: 2\n",
            "- a\n",
            "enable: maybe\n",
            "models: {a: {<<: {}}}\n",
            "models: {a: {}, a: {}}\n",
            "custom_models: [{created: 5}]\n",
            "models: [\n",
            "\x00",
        ],
    )
    def test_what_the_gateway_refuses_is_refused(self, text: str) -> None:
        with pytest.raises(YamlError) as ours:
            read(text)
        with pytest.raises(YamlError) as gateways:
            read_models_file(text.encode())
        assert str(ours.value) == str(gateways.value)

    def test_the_readers_warnings(self) -> None:
        assert read_object(b"new_key: 1\n")[1] == ["line 1: unknown key new_key is ignored"]


class TestChecking:
    def test_nulls_of_known_keys_say_nothing(self) -> None:
        config = {
            "enable": True,
            "models": {"a": {"mapping": None, "enable": None, "note": None}},
            "custom_models": None,
            "api_token": None,
            "use_v1_api": None,
        }

        assert checked(config, None) == {"enable": True, "models": {"a": {"note": None}}, "custom_models": []}

    @pytest.mark.parametrize(
        ("config", "path"),
        [
            ({"enable": "yes"}, "enable"),
            ({"enable": 1}, "enable"),
            ({"models": []}, "models"),
            ({"models": {"gpt-5": None}}, "models.gpt-5"),
            ({"models": {"gpt-5": {"mapping": 5}}}, "models.gpt-5.mapping"),
            ({"models": {"gpt-5": {"mapping": ["a", None]}}}, "models.gpt-5.mapping"),
            ({"models": {"gpt-5": {"parameters": [1]}}}, "models.gpt-5.parameters"),
            ({"custom_models": {}}, "custom_models"),
            ({"custom_models": ["x"]}, "custom_models.0"),
            ({"custom_models": [{"id": "a"}, {"id": "b", "created": True}]}, "custom_models.1.created"),
            ({"api_token": 5}, "api_token"),
        ],
    )
    def test_a_wrong_type_is_told_with_its_place(self, config: Any, path: str) -> None:
        with pytest.raises(InvalidConfig) as problem:
            checked(config, None)
        assert problem.value.path == path
        assert str(problem.value).startswith(f"{path}: ")

    @pytest.mark.parametrize(
        ("config", "path"),
        [
            ({"models": {"gpt-5": {"mapping": [" "]}}}, "models.gpt-5.mapping.0"),
            ({"models": {"gpt-5": {"tools_mode": "often"}}}, "models.gpt-5.tools_mode"),
            ({"custom_models": [{"owned_by": "me"}]}, "custom_models.0.id"),
            ({"custom_models": [{"id": "a", "created": -1}]}, "custom_models.0.created"),
            ({"api_token": "  "}, "api_token"),
        ],
    )
    @pytest.mark.parametrize("data", [b"", b"# mine\nmodels: {}\n", PREDECESSORS])
    def test_a_value_the_gateway_would_refuse_is_told_with_its_place(self, config: Any, path: str, data: bytes) -> None:
        before, _ = read_object(data)
        with pytest.raises(InvalidConfig) as problem:
            write_object(data, before, checked(config, None))
        assert problem.value.path == path
        assert "line" not in str(problem.value)

    def test_depth_and_size_are_bound(self) -> None:
        deep: Any = 1
        for _ in range(MAX_DEPTH + 1):
            deep = [deep]
        with pytest.raises(InvalidConfig, match="nested deeper"):
            checked({"x": deep}, None)
        with pytest.raises(InvalidConfig, match="more than 50000 entries"):
            checked({"x": list(range(50_001))}, None)

    def test_no_secret_is_in_an_error(self) -> None:
        with pytest.raises(InvalidConfig) as problem:
            checked({"api_token": ["very-secret-token"]}, None)
        assert "secret" not in str(problem.value)


class TestToken:
    @pytest.mark.parametrize(
        ("token", "shown"),
        [("poe-key-6789", "••••6789"), ("123456789", "••••6789"), ("12345678", "••••"), ("x", "••••")],
    )
    def test_the_mask(self, token: str, shown: str) -> None:
        assert mask(token) == shown
        assert masked({"api_token": token}) == {"api_token": shown}
        assert checked({"api_token": shown}, token)["api_token"] == token

    def test_the_mask_of_another_token_is_not_saved(self) -> None:
        for own in ("another-token-1234", None):
            with pytest.raises(InvalidConfig) as problem:
                checked({"api_token": "••••6789"}, own)
            assert problem.value.path == "api_token"

    def test_no_token(self) -> None:
        assert masked({"enable": True}) == {"enable": True}


class TestWriting:
    def test_no_change_is_the_same_file(self) -> None:
        before, _ = read_object(PREDECESSORS)

        assert write_object(PREDECESSORS, before, deepcopy(before))[0] is PREDECESSORS

    def test_unknown_keys_stay(self) -> None:
        data = b"note: {by: me} # of mine\nmodels:\n  a: {extra: [1, 0x1f]}\ncustom_models: [{id: b, url: 'x'}]\n"
        before, _ = read_object(data)
        after = {**before, "models": {**before["models"], "b": {"enable": False}}}

        written, now = write_object(data, before, after)

        assert written == data.replace(b"0x1f]}\n", b"0x1f]}\n  b:\n    enable: false\n")
        assert now == after

    @pytest.mark.parametrize(
        ("mark", "encoding"),
        [
            (b"", "utf-8"),
            (codecs.BOM_UTF8, "utf-8"),
            (codecs.BOM_UTF16_LE, "utf-16-le"),
            (codecs.BOM_UTF16_BE, "utf-16-be"),
        ],
    )
    def test_the_encoding_stays(self, mark: bytes, encoding: str) -> None:
        text = "# 中文😀\nmodels: {}\nenable: true\n"
        data = mark + text.encode(encoding)
        before, _ = read_object(data)

        written, _ = write_object(data, before, {**before, "enable": False})

        assert written == mark + text.replace("true", "false").encode(encoding)

    def test_what_cannot_be_changed_without_losing_comments_is_left_alone(self) -> None:
        data = b"models:\n  ? gpt-5 # long\n  : {enable: true}\n  # b\n  ? b\n  : {}\n"
        before, _ = read_object(data)
        assert list(before["models"]) == ["gpt-5", "b"]

        with pytest.raises(Unchangeable):
            write_object(data, before, {**before, "models": {"gpt-5": before["models"]["gpt-5"]}})

    def test_an_unusual_file_without_comments_is_written_anew(self) -> None:
        data = b"models:\n  ? gpt-5\n  : {enable: true}\n  ? b\n  : {}\n"
        before, _ = read_object(data)

        written, _ = write_object(data, before, {**before, "models": {"gpt-5": {"enable": True}}})

        assert read_object(written)[0]["models"] == {"gpt-5": {"enable": True}}

    def test_a_fresh_file(self) -> None:
        written, read = fresh({"enable": True, "models": {"a": {"mapping": "b"}}, "custom_models": []})

        assert written == b"enable: true\nmodels:\n  a:\n    mapping: b\ncustom_models: []\n"
        assert read["models"] == {"a": {"mapping": "b"}}


def test_anchors_that_are_set_twice_are_written_anew() -> None:
    """The reader takes them, since nothing refers to them; they cannot be changed in place."""
    text = b"models:\n  a: &x {mapping: one}\n  b: &x {mapping: two}\n"
    before, _ = read_object(text)
    wanted = deepcopy(before)
    wanted["models"]["a"]["mapping"] = "three"
    written, after = write_object(text, before, wanted)
    assert after == wanted == read_object(written)[0]
    with pytest.raises(Unchangeable):
        write_object(b"# a comment\n" + text, before, wanted)
