import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from poe2openai.config import yaml_guard
from poe2openai.config.yaml_guard import MAX_BYTES, YamlError, line_of, parse, printable, texts, values

MIB4 = 4 * 1024 * 1024


@pytest.mark.parametrize(
    "name",
    ["no", "Yes", "on", "true", "4.5", "1e3", "0x1F", "0o17", "1_000", "2024-01-01", "12:30:45", "=", ".nan"],
)
def test_names_stay_as_they_are_written(name: str) -> None:
    assert texts(parse(f"{name}: {name}\nlist: [{name}]\n".encode())) == {name: name, "list": [name]}


def test_two_angle_brackets_are_a_name_in_quotes_alone() -> None:
    assert texts(parse(b"'<<': <<\nlist: [<<]\n")) == {"<<": "<<", "list": ["<<"]}


def test_no_value_is_none_and_a_quoted_null_is_text() -> None:
    tree = parse(b"a:\nb: ~\nc: null\nd: 'null'\ne: ''\nf: !!str null\nnull: g\n")
    assert texts(tree) == {"a": None, "b": None, "c": None, "d": "null", "e": "", "f": "null", "null": "g"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("FALSE", False),
        ("yes", "yes"),
        ("no", "no"),
        ("null", None),
        ("", None),
        ("0", 0),
        ("-17", -17),
        ("007", 7),
        ("0o17", 15),
        ("0x1f", 31),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("1_000", "1_000"),
        ("2024-01-01", "2024-01-01"),
        ("'1'", "1"),
        ('"true"', "true"),
        ("!!str 5", "5"),
        ("[1, [a, {b: 2.0}]]", [1, ["a", {"b": 2.0}]]),
        ("18446744073709551615", 2**64 - 1),
    ],
)
def test_values_have_the_types_of_the_core_schema(text: str, value: object) -> None:
    read = values(parse(f"v: {text}\n".encode()))["v"]
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    "text", [".inf", "-.INF", ".nan", "1e999", "18446744073709551616", "9" * 5000, "0x" + "f" * 17]
)
def test_numbers_that_json_cannot_carry_are_refused(text: str) -> None:
    with pytest.raises(YamlError, match="line 2"):
        values(parse(f"a: 1\nb: {text}\n".encode()))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "nothing in it"),
        ("# only this\n", "nothing in it"),
        ("a: 1\nb: [1\n", "line 3"),
        ("a: 1\nb: *x\n", "line 2: aliases"),
        ("a: &x [b]\nc: *x\n", "line 2: aliases"),
        ("a: {x: 1}\nb:\n  <<: {x: 1}\n", "line 3: merge keys"),
        ("<<: [a, b]\n", "line 1: merge keys"),
        ("a: {? <<\n : b}\n", "line 1: merge keys"),
        ("a: !!python/object/apply:os.system [true]\n", "line 1: tags"),
        ("a: !!int '1'\n", "line 1: tags"),
        ("a: !own {b: c}\n", "line 1: tags"),
        ("a: 1\nb: 2\na: 3\n", "line 3: the key 'a' is there twice"),
        ("? [a]\n: b\n", "line 1: a key"),
        ("a: 1\n---\nb: 2\n", "line 2: there is a second document"),
        ('a: "\\ud800"\n', "line 1"),
        ("a: \x00\n", "characters that YAML does not allow|not allowed"),
    ],
)
def test_a_refusal_names_the_line(text: str, problem: str) -> None:
    with pytest.raises(YamlError, match=problem):
        parse(text.encode())


def test_other_encodings() -> None:
    assert texts(parse("名: 值".encode("utf-8-sig"))) == {"名": "值"}
    assert texts(parse("名: 值".encode("utf-16"))) == {"名": "值"}
    with pytest.raises(YamlError, match="not UTF-8"):
        parse(b"a: \xff")
    with pytest.raises(YamlError, match="not UTF-8"):
        parse("名: 值".encode()[:-1])


BOMBS = {
    "open brackets": "[" * 100_000,
    "open braces": "{" * MIB4,
    "brackets on lines": "[\n" * (MIB4 // 2),
    "dashes": "- " * (MIB4 // 2),
    "indents": "".join(" " * depth + "a:\n" for depth in range(2_000)),
    "many entries": "[" + "a," * (MIB4 // 2 - 1),
    "many documents": "---\n" * (MIB4 // 4),
    "many tag directives": "".join(f"%TAG !a{number}! b\n" for number in range(200_000)),
    "many tag directives, old line ends": "".join(f"%TAG !a{number}! b\r" for number in range(200_000)),
    "laughs": "a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\n",
    "merges": "a: &a {x: 1}\nb: {<<: *a}\n",
    "an open quote": 'a: "' + "b" * (MIB4 - 4),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_no_bomb_takes_long(bomb: str) -> None:
    before = time.monotonic()
    with pytest.raises(YamlError):
        parse(BOMBS[bomb].encode())
    assert time.monotonic() - before < 10


def test_size_is_bounded() -> None:
    assert texts(parse(b"a: " + b"b" * (MAX_BYTES - 3))) == {"a": "b" * (MAX_BYTES - 3)}
    with pytest.raises(YamlError, match="4 MiB"):
        parse(b"a: " + b"b" * MAX_BYTES)


def test_a_long_prompt_may_speak_of_directives_and_ampersands() -> None:
    assert texts(parse(b"a: |\n  %YAML & *b !c\n  - [\n")) == {"a": "%YAML & *b !c\n- [\n"}


def test_line_of_the_last_step_that_is_there() -> None:
    tree = parse(b"a:\n  b:\n    - x\n    - y\n")
    assert line_of(tree, ("a", "b", 1)) == 4
    assert line_of(tree, ("a", "b", 7, "q")) == 3
    assert line_of(tree, ("z",)) == 1


def test_printable_cannot_forge_a_line() -> None:
    assert printable("gpt\nERROR\x1b[0m 名") == "gpt?ERROR?[0m 名"
    assert len(printable("a" * 1000)) == 60


@given(
    st.one_of(st.binary(max_size=300), st.text("ab:-[]{}&*!|>'\"#%@`,?~<\n \t\r\\ué0.5", max_size=60).map(str.encode))
)
def test_any_bytes_are_a_tree_or_a_refusal(data: bytes) -> None:
    try:
        tree = parse(data)
        values(tree)
    except YamlError:
        return
    texts(tree)


# Without the line ends that PyYAML's writer does not quote rightly, and without half characters.
NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=30)


@given(st.dictionaries(NAMES, st.one_of(NAMES, st.lists(NAMES, max_size=3)), min_size=1, max_size=4))
def test_names_round_trip(names: dict[str, object]) -> None:
    written = yaml.safe_dump(names, allow_unicode=True)
    assert texts(parse(written.encode())) == names


def test_without_libyaml_the_same_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    text = b"a: no\nb: ['4.5', 4.5, ~]\nc: |\n  x\n"
    fast = parse(text)
    monkeypatch.setattr(yaml_guard, "_LOADER", yaml.SafeLoader)
    assert parse(text) == fast
    with pytest.raises(YamlError, match="nested"):
        parse(b"[" * 100_000)
    with pytest.raises(YamlError, match="line 2: there is half a character"):
        parse(b'a: 1\nb: "\\ud800"\n')
