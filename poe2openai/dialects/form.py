"""A request's fields, whether they came as JSON or as a form with files (HTML standard, "Multipart form data")."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from poe2openai.core.content import Content
from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.request import FileId, Inline, Media
from poe2openai.dialects.json_body import parse_object
from poe2openai.dialects.lifting import LiftedBody
from poe2openai.dialects.media import NOTHING_LIFTED, Lifted, is_address, media_from_url

MAX_FILES = 64
_SUBSCRIPT = re.compile(r"\[(\w*)\]")


@dataclass(frozen=True, slots=True)
class FormFile:
    """A file of a form; `name` and `media_type` are what the client says."""

    field: str
    name: str | None
    media_type: str | None
    content: Content

    def media(self, param: str) -> Media:
        if not self.content.size:
            raise GatewayError(
                ErrorKind.INVALID_REQUEST, f"Invalid value for '{param}': the file is empty.", param=param
            )
        return Media(Inline(self.content), self.media_type, self.name, param)


@dataclass(frozen=True, slots=True)
class Fields:
    """`is_form`: all values are texts, or lists of texts. `lifted` is as in `core.request.ModelRequest`."""

    values: dict[str, Any]
    files: tuple[FormFile, ...] = ()
    is_form: bool = False
    lifted: Lifted = field(default_factory=lambda: NOTHING_LIFTED)

    def media(self, name: str) -> list[Media]:
        """The files under a name, `name[]` or `name[0]`: sent along, or named by address or `file_id`."""
        files = [file for file in self.files if _base(file.field) == name]
        found = [file.media(name if len(files) == 1 else f"{name}[{at}]") for at, file in enumerate(files)]
        value = self.values.get(name)
        named = value if isinstance(value, list) else [value] if value not in (None, "") else []
        for at, one in enumerate(named):
            found.append(self._named(one, f"{name}[{at}]" if isinstance(value, list) else name))
        if len(found) > MAX_FILES:
            message = f"Invalid value for '{name}': at most {MAX_FILES} files."
            raise GatewayError(ErrorKind.INVALID_REQUEST, message, param=name)
        return found

    def _named(self, value: Any, param: str) -> Media:
        """An address, a `data:` URL, or an object with `image_url`, `url` or `file_id`."""
        if isinstance(value, dict):
            for key in ("image_url", "url", "file_id"):
                inner = value.get(key)
                if isinstance(inner, dict):
                    inner = inner.get("url")
                if isinstance(inner, str) and inner:
                    return self._named(inner, f"{param}.{key}")
        elif isinstance(value, str) and is_address(value):
            return media_from_url(value, param, self.lifted)
        elif isinstance(value, str) and value.startswith("file-"):
            return Media(FileId(value), None, None, param)
        message = f"Invalid value for '{param}': expected a file, its http(s) address, a `data:` URL or a file id."
        raise GatewayError(ErrorKind.INVALID_REQUEST, message, param=param)


def fields_of_json(body: LiftedBody) -> Fields:
    return Fields(parse_object(body.text), lifted=body.files)


def fields_of_form(texts: Mapping[str, list[str]], files: tuple[FormFile, ...]) -> Fields:
    """`name[]` is a list, `name[key]` an entry of an object, as OpenAI's SDKs write them."""
    values: dict[str, Any] = {}
    for written, given in texts.items():
        base, keys = _base(written), _SUBSCRIPT.findall(written)
        if keys and keys[0] and not keys[0].isdigit():
            inner = values.setdefault(base, {})
            if isinstance(inner, dict):
                inner[keys[0]] = given[-1]
        elif keys:
            inner = values.setdefault(base, [])
            if isinstance(inner, list):
                inner += given
        else:
            values[base] = given[-1]
    return Fields(values, files, is_form=True)


def _base(name: str) -> str:
    return name.partition("[")[0]
