"""models.yaml's text becomes a `ModelsFile`: the door where its shape is checked.

A half-written file is often valid YAML, so what must be a mapping may not be left empty: `models:` at the end of a
file is a cut, not "no models".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from poe2openai.config import yaml_guard
from poe2openai.config.values import ToolHistory, ToolsMode
from poe2openai.config.yaml_guard import YamlError, printable

MAX_UNKNOWN_KEYS_TOLD = 20


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """What the owner says about one bot; `mapping` holds its aliases, `enable` False hides it from the list.

    `tools_mode` and `tool_history` are None where the gateway's own settings count, `attach_last_files` where Poe's
    list does.
    """

    mapping: tuple[str, ...] = ()
    replace_response: bool = False
    enable: bool = True
    parameters: Mapping[str, Any] = field(default_factory=dict)
    system_prompt: str | None = None
    tools_mode: ToolsMode | None = None
    tool_history: ToolHistory | None = None
    single_message: bool = False
    attach_last_files: bool | None = None


@dataclass(frozen=True, slots=True)
class CustomModel:
    """A bot that is listed besides Poe's own; `created` as written, in seconds."""

    id: str
    created: int | None = None
    owned_by: str | None = None


@dataclass(frozen=True, slots=True)
class ModelsFile:
    """One reading of models.yaml; `enable` False: aliases and list editing do not apply, bot settings still do."""

    enable: bool = True
    models: Mapping[str, ModelSettings] = field(default_factory=dict)
    custom_models: tuple[CustomModel, ...] = ()
    api_token: str | None = field(default=None, repr=False)
    use_v1_api: bool | None = None


def read_models_file(data: bytes) -> tuple[ModelsFile, list[str]]:
    """The file's content, and what the owner should be warned of; raises `YamlError`."""
    tree = yaml_guard.parse(data)
    if not isinstance(tree, yaml_guard.Mapping):
        raise YamlError("it does not hold `key: value` lines", tree.line)
    try:
        body = _Body.model_validate(_with_typed_parameters(tree))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        path, problem = first["loc"], first["msg"].removeprefix("Value error, ")
        told = f"{_shown(path)}: {problem[:1].lower()}{problem[1:]}"
        raise YamlError(told, yaml_guard.line_of(tree, path)) from None
    file = body.frozen()
    return file, [*_unknown_keys(body, tree), *_ambiguous_names(file)]


def _without_nulls(data: Any) -> Any:
    """`key:` with no value says the same as no key at all."""
    if not isinstance(data, dict):
        raise ValueError("`key: value` lines are missing here")
    return {key: value for key, value in data.items() if value is not None or key == "models"}


def _one_or_many(data: Any) -> Any:
    if isinstance(data, str):
        return [data]
    if not isinstance(data, list) or not all(isinstance(item, str) for item in data):
        raise ValueError("a name or a list of names is meant here")
    return data


def _a_list(data: Any) -> Any:
    if not isinstance(data, list):
        raise ValueError("a list is meant here")
    return data


def _a_mapping(data: Any) -> Any:
    if not isinstance(data, dict):
        raise ValueError("`name: …` lines are missing here")
    return data


def _one_of(words: Any) -> BeforeValidator:
    def checked(data: Any) -> Any:
        word = data.strip().lower() if isinstance(data, str) else data
        if word not in get_args(words):
            raise ValueError(f"one of {', '.join(get_args(words))} is meant here")
        return word

    return BeforeValidator(checked)


Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class _Section(BaseModel):
    # Unknown keys are kept for the warning; frozen values are built from the known ones alone.
    model_config = ConfigDict(extra="allow", hide_input_in_errors=True)

    _drop_nulls = model_validator(mode="before")(_without_nulls)


class _Model(_Section):
    mapping: Annotated[tuple[Name, ...], BeforeValidator(_one_or_many)] = ()
    replace_response: bool = False
    enable: bool = True
    parameters: Annotated[dict[str, Any], BeforeValidator(_a_mapping)] = {}
    system_prompt: str | None = None
    tools_mode: Annotated[ToolsMode, _one_of(ToolsMode)] | None = None
    tool_history: Annotated[ToolHistory, _one_of(ToolHistory)] | None = None
    single_message: bool = False
    attach_last_files: bool | None = None

    def frozen(self) -> ModelSettings:
        return ModelSettings(**{name: getattr(self, name) for name in type(self).model_fields})


class _Custom(_Section):
    id: Name
    # The bound is JSON's: a larger number is no time in any unit.
    created: Annotated[int, Field(ge=0, lt=2**53)] | None = None
    owned_by: str | None = None

    def frozen(self) -> CustomModel:
        return CustomModel(self.id, self.created, self.owned_by)


class _Body(_Section):
    enable: bool = True
    models: Annotated[dict[Name, _Model], BeforeValidator(_a_mapping)] = {}
    custom_models: Annotated[tuple[_Custom, ...], BeforeValidator(_a_list)] = ()
    api_token: Name | None = None
    use_v1_api: bool | None = None

    def frozen(self) -> ModelsFile:
        return ModelsFile(
            self.enable,
            {name: model.frozen() for name, model in self.models.items()},
            tuple(custom.frozen() for custom in self.custom_models),
            self.api_token,
            self.use_v1_api,
        )


def _with_typed_parameters(tree: yaml_guard.Mapping) -> Any:
    """Everything as text, but what stands under `parameters:`, which is sent to the bot as JSON."""
    data = yaml_guard.texts(tree)
    models = tree.items.get("models")
    if isinstance(models, yaml_guard.Mapping):
        for name, model in models.items.items():
            if isinstance(model, yaml_guard.Mapping) and "parameters" in model.items:
                data["models"][name]["parameters"] = yaml_guard.values(model.items["parameters"])
    return data


def _unknown_keys(body: _Body, tree: yaml_guard.Mapping) -> list[str]:
    sections: list[tuple[tuple[str | int, ...], _Section]] = [((), body)]
    sections += [(("models", name), model) for name, model in body.models.items()]
    sections += [(("custom_models", index), custom) for index, custom in enumerate(body.custom_models)]
    paths = [(*path, key) for path, section in sections for key in section.model_extra or {}]
    told = [
        f"line {yaml_guard.line_of(tree, path)}: unknown key {_shown(path)} is ignored"
        for path in paths[:MAX_UNKNOWN_KEYS_TOLD]
    ]
    return told if len(paths) <= MAX_UNKNOWN_KEYS_TOLD else [*told, f"{len(paths)} unknown keys in all are ignored"]


def _shown(path: tuple[str | int, ...]) -> str:
    return ".".join(printable(str(step)) for step in path)


def _ambiguous_names(file: ModelsFile) -> list[str]:
    """Names that differ in case alone, or that two bots claim: the first one written counts."""
    warnings = []
    bots: set[str] = set()
    aliases: dict[str, str] = {}
    for name, settings in file.models.items():
        if name.casefold() in bots:
            warnings.append(f"models.{printable(name)} is there twice, in different case: the first counts")
            continue
        bots.add(name.casefold())
        for alias in settings.mapping:
            owner = aliases.setdefault(alias.casefold(), name)
            if owner != name:
                claims = f"{printable(owner)} and of {printable(name)}"
                warnings.append(f"{printable(alias)} is the mapping of {claims}: the first counts")
    return warnings
