"""models.yaml as the admin pages and the predecessor's scripts speak of it: one JSON object.

Known keys have their types there, all else those of YAML 1.2. A known key without a value is left out: to the gateway
it says nothing either.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import TypeAdapter
from yaml import YAMLError

from poe2openai.config import yaml_guard
from poe2openai.config.models_changes import same
from poe2openai.config.models_schema import read_models_file
from poe2openai.config.models_text import Unusual, changed
from poe2openai.config.yaml_guard import YamlError, printable

_MASK = "••••"
_LONGEST_HIDDEN_TOKEN = 8
_HAS_CONTENT = re.compile(r"^[ \t\r]*[^#\s]", re.MULTILINE)
_PLACE = re.compile(r"(?:line \d+: )?((?:([^:]+): )?.*)", re.DOTALL)

_ROOT = {"enable": "flag", "models": "models", "custom_models": "customs", "api_token": "text", "use_v1_api": "flag"}
_MODEL = {
    "mapping": "names",
    "replace_response": "flag",
    "enable": "flag",
    "parameters": "values",
    "system_prompt": "text",
    "tools_mode": "word",
    "tool_history": "word",
    "single_message": "flag",
    "attach_last_files": "flag",
}
_CUSTOM = {"id": "text", "created": "whole", "owned_by": "text"}

# Those that read_models_file reads with.
_flag: TypeAdapter[bool] = TypeAdapter(bool)
_whole: TypeAdapter[int] = TypeAdapter(int)


class InvalidConfig(ValueError):
    """What the gateway would not load; `path` is the place, and no value is told."""

    def __init__(self, message: str, path: str | None = None) -> None:
        super().__init__(message)
        self.path = path


class Unchangeable(Exception):
    """The file is in order, but written in a way in which these changes cannot be made without touching all else."""


def read_object(data: bytes) -> tuple[dict[str, Any], list[str]]:
    """The file as an object, and the reader's warnings; raises `YamlError` where the gateway would not take it.

    A file without a word in it, comments apart, is taken for one that is still to be written.
    """
    if is_empty(data):
        return _empty(), []
    _, warnings = read_models_file(data)
    tree = yaml_guard.parse(data)
    return {**_empty(), **_section(tree, _ROOT)}, warnings


def write_object(data: bytes, before: dict[str, Any], wanted: dict[str, Any]) -> tuple[bytes, dict[str, Any]]:
    """`data`, which says `before`, as it says what is wanted, and that as it reads; raises `InvalidConfig` and
    `Unchangeable`.
    """
    if same(before, wanted) and not is_empty(data):
        return data, before
    mark, encoding = _encoding(data)
    text = data[len(mark) :].decode(encoding)
    try:
        written = mark + changed(text, before, wanted).encode(encoding)
        after, _ = read_object(written)
    except (YamlError, Unusual, YAMLError):  # the guard takes an anchor that is set twice, the composer does not
        written, after = b"", {}
    if same(after, wanted):
        return written, after
    # Raises where it is the content that is wrong.
    anew = fresh(wanted)
    if "#" in text:
        raise Unchangeable
    return anew


def fresh(config: dict[str, Any]) -> tuple[bytes, dict[str, Any]]:
    """A file that says this and nothing else; raises `InvalidConfig` where the gateway would not load it."""
    written = changed("", {}, config).encode()
    try:
        return written, read_object(written)[0]
    except YamlError as problem:
        found = _PLACE.fullmatch(str(problem))
        raise InvalidConfig(*found.groups() if found else (str(problem), None)) from None


def checked(config: Mapping[str, Any], token: str | None) -> dict[str, Any]:
    """What a client sends, without nulls, and with the token that its mask stands for; raises `InvalidConfig`.

    It has the right types then; what a value has to be like is for `write_object` to say.
    """
    _measure(config)
    wanted = {**_empty(), **_checked(config, _ROOT, "")}
    models: dict[str, Any] = wanted["models"]
    wanted["models"] = {name: _checked(model, _MODEL, f"models.{printable(name)}.") for name, model in models.items()}
    wanted["custom_models"] = [
        _checked(custom, _CUSTOM, f"custom_models.{i}.") for i, custom in enumerate(wanted["custom_models"])
    ]
    given = wanted.get("api_token")
    if given is not None and is_mask(given):
        if token is None or given != mask(token):
            raise InvalidConfig("api_token: this is a mask; the token itself is meant here", "api_token")
        wanted["api_token"] = token
    return wanted


def masked(config: dict[str, Any]) -> dict[str, Any]:
    token = config.get("api_token")
    return config if token is None else {**config, "api_token": mask(token)}


def mask(token: str) -> str:
    return _MASK + token[-4:] if len(token) > _LONGEST_HIDDEN_TOKEN else _MASK


def is_mask(token: str) -> bool:
    return _MASK in token


def is_empty(data: bytes) -> bool:
    mark, encoding = _encoding(data)
    return _HAS_CONTENT.search(data[len(mark) :].decode(encoding, "replace")) is None


def _empty() -> dict[str, Any]:
    return {"enable": True, "models": {}, "custom_models": []}


def _encoding(data: bytes) -> tuple[bytes, str]:
    """Byte order mark and encoding, as `yaml_guard` tells them apart."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data[:2], "utf-16-le" if data[:2] == b"\xff\xfe" else "utf-16-be"
    return (b"\xef\xbb\xbf", "utf-8") if data.startswith(b"\xef\xbb\xbf") else (b"", "utf-8")


def _section(node: yaml_guard.Node, kinds: Mapping[str, str]) -> dict[str, Any]:
    section: dict[str, Any] = {}
    for key, value in node.items.items() if isinstance(node, yaml_guard.Mapping) else ():
        kind = kinds.get(key)
        if kind is None:
            section[key] = _loosely(value)
        elif (text := yaml_guard.texts(value)) is not None:
            section[key] = _typed(kind, value, text)
    return section


def _typed(kind: str, node: yaml_guard.Node, text: Any) -> Any:
    match kind, node:
        case "flag", _:
            return _flag.validate_python(text)
        case "whole", _:
            return _whole.validate_python(text)
        case "word", _:
            return text.strip().lower()
        case "values", _:
            return yaml_guard.values(node)
        case "models", yaml_guard.Mapping(models):
            return {name: _section(model, _MODEL) for name, model in models.items()}
        case "customs", yaml_guard.Sequence(customs):
            return [_section(custom, _CUSTOM) for custom in customs]
        case _:
            return text


def _loosely(node: yaml_guard.Node) -> Any:
    try:
        return yaml_guard.values(node)
    except YamlError:
        return yaml_guard.texts(node)


def _checked(section: Any, kinds: Mapping[str, str], path: str) -> dict[str, Any]:
    if not isinstance(section, dict):
        raise InvalidConfig(f"{path[:-1]}: an object is meant here", path[:-1])
    found: dict[str, Any] = {}
    for key, value in section.items():
        kind = kinds.get(key)
        if kind is None:
            found[key] = value
        elif value is not None:
            fits, meant = _FITS[kind]
            if not fits(value):
                raise InvalidConfig(f"{path}{key}: {meant} is meant here", f"{path}{key}")
            found[key] = value.strip().lower() if kind == "word" else value
    return found


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _are_names(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(name, str) for name in value))


_FITS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "flag": (lambda value: isinstance(value, bool), "true or false"),
    "whole": (_is_whole, "a whole number"),
    "text": (lambda value: isinstance(value, str), "text"),
    "word": (lambda value: isinstance(value, str), "text"),
    "names": (_are_names, "a name or a list of names"),
    "values": (lambda value: isinstance(value, dict), "an object"),
    "models": (lambda value: isinstance(value, dict), "an object"),
    "customs": (lambda value: isinstance(value, list), "a list"),
}


def _measure(config: Mapping[str, Any]) -> None:
    """Refuses what no file may hold, before anything is done with each part of it."""
    level: list[Any] = [config]
    depth = nodes = 0
    while level:
        if (depth := depth + 1) > yaml_guard.MAX_DEPTH + 1:
            raise InvalidConfig(f"it is nested deeper than {yaml_guard.MAX_DEPTH} levels")
        nodes += sum(2 if isinstance(item, dict) else 1 for item in level)
        if nodes > yaml_guard.MAX_NODES:
            raise InvalidConfig(f"there are more than {yaml_guard.MAX_NODES} entries")
        level = [
            inner
            for item in level
            if isinstance(item, dict | list)
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
