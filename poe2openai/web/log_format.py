"""How log lines look: text for people or JSON for machines. Whatever a client sent cannot begin a line of its own."""

import logging
import re
import sys
import time
from typing import Any

import orjson

_BARE = re.compile(r"[\w.:/@~+-]+", re.ASCII)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}


def configure(level: str, form: str) -> None:
    """Sends the log of this package to standard error, `level` and above."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    root = logging.getLogger("poe2openai")
    root.handlers = [handler]
    root.setLevel(_LEVELS[level])
    root.propagate = False


class TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = "".join(f" {name}={_shown(value)}" for name, value in _fields(record).items())
        message = _one_line(_encodable(record.getMessage()))
        line = f"{_time(record)} {record.levelname} {record.name}: {message}{fields}"
        if record.exc_info:
            # Indented, so that no line of a message inside can pass for a line of the log.
            line += "".join(f"\n    | {_one_line(part)}" for part in self._traceback(record).splitlines())
        return line

    def _traceback(self, record: logging.LogRecord) -> str:
        return str(_encodable(self.formatException(record.exc_info))) if record.exc_info else ""


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        # JSON lets some line ends of Unicode stand as they are.
        return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", orjson.dumps(_encodable(entry)).decode())


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    fields = getattr(record, "fields", None)
    return fields if isinstance(fields, dict) else {}


def _time(record: logging.LogRecord) -> str:
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return f"{seconds}.{int(record.msecs):03d}Z"


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = str(value)
    return text if _BARE.fullmatch(text) else _one_line(orjson.dumps(_encodable(text)).decode())


def _one_line(text: str) -> str:
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def _encodable(value: Any) -> Any:
    """Lone surrogates, which no JSON holds, as they come from odd bytes in a path."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {key: _encodable(item) for key, item in value.items()}
    return value
