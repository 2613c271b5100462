"""OpenAI's words for pictures, films and speech, in the names and values that a bot declares in Poe's list. Pure.

Bots that the list tells nothing of get the client's own words.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from poe2openai.poe.parameters import Declared
from poe2openai.poe.schema_values import as_number, bounded, fit

_SIZE = re.compile(r"\s*(\d{1,5})\s*[xX×*]\s*(\d{1,5})\s*")
_RATIO = re.compile(r"\s*(\d{1,3}(?:\.\d{1,3})?)\s*:\s*(\d{1,3}(?:\.\d{1,3})?)\s*")
_LINES = re.compile(r"([1-9]\d{2,3})[pP]|([1-9])[kK]")
_RATIO_NAMES = {"landscape": 16 / 9, "portrait": 9 / 16, "square": 1.0}
_RATIO_PARAMETERS = ("aspect", "aspect_ratio", "aspect-ratio", "ratio")
_SIZE_PARAMETERS = ("size", "image_size", "resolution", "dimension")
_COUNT_PARAMETERS = ("num_images", "number_of_images", "n")
_VOICE_PARAMETERS = ("voice", "voice_id")
_FORMAT_PARAMETERS = ("output_format", "format", "response_format")
_INSTRUCTION_PARAMETERS = ("instructions", "style_prompt", "style")
_DURATION_PARAMETERS = ("duration", "seconds", "length")

# OpenAI's and others' words by how much they ask for: a bot with other words gets the nearest, of two the cheaper.
_QUALITIES = {
    "low": 0,
    "standard": 2,
    "medium": 2,
    "hd": 3.5,
    "high": 4,
    "premium": 4,
    "xhigh": 5,
    "ultra": 6,
    "max": 6,
}
# What Poe's bots call a number of lines, or thousands of pixels of the longer side, in pixels of the shorter side.
_LINES_OF_K = {1: 1024, 2: 1440, 3: 1800, 4: 2160}


def size_parameters(size: str | None, declared: Declared | None) -> dict[str, Any]:
    """`1024x1536`, `16:9`, `2K` or `720p`, as whatever of ratio, size and width the bot has; nothing for `auto`."""
    if size is None or size.strip().lower() in ("", "auto"):
        return {}
    if declared is None:
        return {"size": size}
    pixels, ratio = _pixels(size), _ratio(size)
    made: dict[str, Any] = {}
    if (name := _first(_RATIO_PARAMETERS, declared)) and ratio is not None:
        made |= _named(name, _nearest_ratio(ratio, _choices(declared[name])))
    if name := _first(_SIZE_PARAMETERS, declared):
        made |= _named(name, _nearest_size(size, pixels, ratio, _choices(declared[name])))
    if pixels is not None and {"width", "height"} <= declared.keys():
        made |= _scaled(pixels, declared["width"], declared["height"])
    return made


def quality_parameters(quality: str | None, declared: Declared | None) -> dict[str, Any]:
    if quality is None or quality.strip().lower() in ("", "auto"):
        return {}
    if declared is None:
        return {"quality": quality}
    if "quality" not in declared:
        return {}
    choices = _choices(declared["quality"])
    return _named("quality", _nearest_quality(quality, choices) if choices else quality)


def count_parameter(declared: Declared | None) -> tuple[str, int] | None:
    """By which name a bot makes several pictures at once, and how many at most."""
    name = _first(_COUNT_PARAMETERS, declared or {})
    most = as_number((declared or {}).get(name or "", {}).get("maximum"))
    return None if name is None or most is None or most < 2 else (name, int(most))


def chosen(name: str, value: Any, declared: Declared | None) -> dict[str, Any]:
    """An option that a bot takes under the same name; left out where it declares none, or no such value."""
    if value is None:
        return {}
    if declared is None:
        return {name: value}
    return _fitting(name, value, declared) if name in declared else {}


def speech_parameters(
    voice: str | None,
    response_format: str | None,
    speed: float | None,
    instructions: str | None,
    declared: Declared | None,
) -> dict[str, Any]:
    """A voice that the bot does not have is left out: it speaks with its own."""
    if declared is None:
        asked = {"voice": voice, "response_format": response_format, "speed": speed, "instructions": instructions}
        return {name: value for name, value in asked.items() if value is not None}
    made: dict[str, Any] = {}
    wishes = (
        (_VOICE_PARAMETERS, voice),
        (_FORMAT_PARAMETERS, response_format),
        (("speed",), speed),
        (_INSTRUCTION_PARAMETERS, instructions),
    )
    for names, value in wishes:
        if value is not None and (name := _first(names, declared)):
            made |= _fitting(name, value, declared)
    return made


def video_parameters(size: str | None, seconds: str | None, declared: Declared | None) -> dict[str, Any]:
    if declared is None:
        return {**size_parameters(size, None), **({"seconds": seconds} if seconds else {})}
    made = size_parameters(size, declared)
    if seconds and (name := _first(_DURATION_PARAMETERS, declared)):
        made |= _named(name, _duration(seconds, declared[name]))
    return made


def _scaled(pixels: tuple[int, int], width: Mapping[str, Any], height: Mapping[str, Any]) -> dict[str, Any]:
    """Within the bounds of both sides, and of the same shape as far as they allow."""
    sides = ((pixels[0], width), (pixels[1], height))
    scale = max([1.0, *(least / side for side, schema in sides if (least := as_number(schema.get("minimum"))))])
    scale = min([scale, *(most / side for side, schema in sides if (most := as_number(schema.get("maximum"))))])
    return {
        "width": bounded(round(pixels[0] * scale), width),
        "height": bounded(round(pixels[1] * scale), height),
    }


def _duration(seconds: str, schema: Mapping[str, Any]) -> Any:
    """The nearest that the bot has; some write theirs as `8s`."""
    choices = _choices(schema)
    wanted = as_number(seconds.strip().removesuffix("s"))
    if wanted is None:
        return seconds if seconds in choices or not choices else None
    if not choices:
        return fit(wanted, schema)
    lengths = [
        (as_number(choice.removesuffix("s") if isinstance(choice, str) else choice), choice) for choice in choices
    ]
    known = [(abs(length - wanted), place) for place, (length, _) in enumerate(lengths) if length is not None]
    return lengths[min(known)[1]][1] if known else None


def _fitting(name: str, value: Any, declared: Declared) -> dict[str, Any]:
    choices = _choices(declared[name])
    made = fit(value, declared[name])
    return {name: made} if not choices or made in choices else {}


def _first(names: Sequence[str], declared: Mapping[str, Any]) -> str | None:
    return next((name for name in names if name in declared), None)


def _named(name: str, value: Any) -> dict[str, Any]:
    return {} if value is None else {name: value}


def _choices(schema: Mapping[str, Any]) -> list[Any]:
    choices = schema.get("enum")
    return choices if isinstance(choices, list) else []


def _pixels(size: Any) -> tuple[int, int] | None:
    found = _SIZE.fullmatch(size) if isinstance(size, str) else None
    return (int(found[1]), int(found[2])) if found and int(found[1]) and int(found[2]) else None


def _ratio(size: Any) -> float | None:
    if (pixels := _pixels(size)) is not None:
        return pixels[0] / pixels[1]
    if not isinstance(size, str):
        return None
    found = _RATIO.fullmatch(size)
    if found and float(found[1]) and float(found[2]):
        return float(found[1]) / float(found[2])
    return _RATIO_NAMES.get(size.strip().lower())


def _lines(size: Any) -> int | None:
    """The pixels of the shorter side."""
    if (pixels := _pixels(size)) is not None:
        return min(pixels)
    found = _LINES.search(size) if isinstance(size, str) else None
    if not found:
        return None
    return int(found[1]) if found[1] else _LINES_OF_K.get(int(found[2]), 540 * int(found[2]))


def _nearest_ratio(ratio: float, choices: Sequence[Any]) -> Any:
    known = [(abs(math.log(each / ratio)), place) for place, choice in enumerate(choices) if (each := _ratio(choice))]
    return choices[min(known)[1]] if known else None


def _nearest_size(size: str, pixels: tuple[int, int] | None, ratio: float | None, choices: Sequence[Any]) -> Any:
    """The same size, else the nearest in shape, and of these the nearest in height."""
    if not choices:
        return size if pixels is not None else None
    wanted = size.strip().lower().replace("*", "x")
    for choice in choices:
        if isinstance(choice, str) and choice.lower().replace("*", "x") == wanted:
            return choice
    lines = _lines(size)
    if lines is None:
        return None if ratio is None else _nearest_ratio(ratio, choices)

    def distance(choice: Any) -> tuple[float, float]:
        other, height = _ratio(choice), _lines(choice)
        shape = round(abs(math.log(other / ratio)), 2) if other and ratio else 0.0
        return shape, abs(math.log(height / lines)) if height else math.inf

    nearest = min(choices, key=distance)
    return nearest if distance(nearest)[1] < math.inf else None


def _nearest_quality(quality: str, choices: Sequence[Any]) -> Any:
    wanted = quality.strip().lower()
    words = [choice for choice in choices if isinstance(choice, str)]
    for choice in words:
        if choice.lower() == wanted:
            return choice
    ranked = [choice for choice in words if choice.lower() in _QUALITIES]
    if wanted not in _QUALITIES or not ranked:
        return None
    rank = _QUALITIES[wanted]
    return min(ranked, key=lambda choice: (abs(_QUALITIES[choice.lower()] - rank), _QUALITIES[choice.lower()]))
