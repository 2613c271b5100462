"""How a picture, a film or a speech is asked of a bot: a prompt, its files, and the bot's own parameters."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from poe2openai.core.content import Content
from poe2openai.core.request import Media, Message, ModelRequest, Part, Text
from poe2openai.poe.media_parameters import (
    chosen,
    count_parameter,
    quality_parameters,
    size_parameters,
    speech_parameters,
    video_parameters,
)
from poe2openai.poe.parameters import Declared

_MASK_NOTE = "The last attached picture is a mask: change only what is transparent in it."


class AskedPictures(Protocol):
    """What a client asks for; `options` holds `size`, `quality` and others by OpenAI's names."""

    @property
    def model(self) -> str: ...
    @property
    def prompt(self) -> str: ...
    @property
    def n(self) -> int: ...
    @property
    def options(self) -> Mapping[str, str]: ...
    @property
    def extra(self) -> Mapping[str, Any]: ...
    @property
    def pictures(self) -> tuple[Media, ...]: ...
    @property
    def mask(self) -> Media | None: ...
    @property
    def lifted(self) -> Mapping[str, Content]: ...


class AskedSpeech(Protocol):
    @property
    def model(self) -> str: ...
    @property
    def input(self) -> str: ...
    @property
    def voice(self) -> str | None: ...
    @property
    def response_format(self) -> str | None: ...
    @property
    def speed(self) -> float | None: ...
    @property
    def instructions(self) -> str | None: ...
    @property
    def extra(self) -> Mapping[str, Any]: ...
    @property
    def lifted(self) -> Mapping[str, Content]: ...


class AskedVideo(Protocol):
    """`references` are pictures, or films, to begin with."""

    @property
    def model(self) -> str: ...
    @property
    def prompt(self) -> str: ...
    @property
    def seconds(self) -> str | None: ...
    @property
    def size(self) -> str | None: ...
    @property
    def references(self) -> tuple[Media, ...]: ...
    @property
    def extra(self) -> Mapping[str, Any]: ...
    @property
    def lifted(self) -> Mapping[str, Content]: ...


def requests_for(asked: AskedPictures, declared: Declared | None) -> list[ModelRequest]:
    """As few as give `n` pictures: some bots make several at once."""
    parts: list[Part] = [Text(asked.prompt), *asked.pictures]
    parameters: dict[str, Any] = {
        **size_parameters(asked.options.get("size"), declared),
        **quality_parameters(asked.options.get("quality"), declared),
    }
    for name in ("style", "background", "output_format"):
        parameters |= chosen(name, asked.options.get(name), declared)
    if asked.mask is not None:
        parts.append(asked.mask)
        if declared is not None and "use_mask" in declared:
            parameters["use_mask"] = True
        else:
            parts[0] = Text(f"{asked.prompt}\n\n{_MASK_NOTE}")
    requests: list[ModelRequest] = []
    for count in _shares(asked.n, declared):
        extra = {**parameters, **count, **asked.extra}
        requests.append(_request(asked.model, parts, extra, asked.lifted))
    return requests


def speech_request(asked: AskedSpeech, declared: Declared | None) -> ModelRequest:
    parameters = speech_parameters(asked.voice, asked.response_format, asked.speed, asked.instructions, declared)
    return _request(asked.model, [Text(asked.input)], {**parameters, **asked.extra}, asked.lifted)


def video_request(asked: AskedVideo, declared: Declared | None) -> ModelRequest:
    parameters = video_parameters(asked.size, asked.seconds, declared)
    parts: list[Part] = [Text(asked.prompt), *asked.references]
    return _request(asked.model, parts, {**parameters, **asked.extra}, asked.lifted)


def _shares(n: int, declared: Declared | None) -> list[dict[str, int]]:
    """The parameters of each query that say how many pictures it is to make."""
    several = count_parameter(declared)
    if several is None or n == 1:
        return [{}] * n
    name, most = several
    counts = [most] * (n // most) + ([n % most] if n % most else [])
    return [{name: count} for count in counts]


def _request(
    model: str, parts: Sequence[Part], extra: Mapping[str, Any], lifted: Mapping[str, Content]
) -> ModelRequest:
    return ModelRequest(model, (Message("user", tuple(parts)),), extra=dict(extra), lifted=lifted)
