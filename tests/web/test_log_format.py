"""Log lines: whatever stands in them, one record is one line, in both forms."""

import json
import logging
import sys
from types import TracebackType

import pytest

from poe2openai.web.log_format import JsonFormatter, TextFormatter, configure

EVIL = 'a\nb\r2026-01-01T00:00:00.000Z INFO forged\x1b[31m\u2028"q" \ud800 你好'


def record(message: str, fields: object = None, error: BaseException | None = None) -> logging.LogRecord:
    info: tuple[type[BaseException], BaseException, TracebackType | None] | None = None
    if error is not None:
        info = (type(error), error, error.__traceback__)
    made = logging.LogRecord("poe2openai.x", logging.INFO, "f.py", 1, message, (), info)
    made.fields = fields
    return made


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_nothing_in_a_record_begins_a_line_of_its_own(formatter: logging.Formatter) -> None:
    line = formatter.format(record(EVIL, {"model": EVIL, "n": 1}))
    assert len(line.splitlines()) == 1
    assert "\x1b" not in line
    line.encode()


def test_text_shows_fields_by_name_and_quotes_what_is_not_plain() -> None:
    line = TextFormatter().format(record("request", {"id": "req_1", "model": "a b", "hung_up": True, "ms": 3}))
    assert line.endswith('INFO poe2openai.x: request id=req_1 model="a b" hung_up=yes ms=3')


def test_json_is_one_object_with_the_fields_beside_the_message() -> None:
    entry = json.loads(JsonFormatter().format(record("request", {"model": "a\nb", "ms": 3})))
    assert entry["message"] == "request"
    assert entry["level"] == "info"
    assert (entry["model"], entry["ms"]) == ("a\nb", 3)


def test_a_traceback_is_indented_so_that_its_message_cannot_pass_for_a_line() -> None:
    try:
        raise RuntimeError(EVIL)
    except RuntimeError as error:
        lines = TextFormatter().format(record("failed", error=error)).splitlines()
        entry = json.loads(JsonFormatter().format(record("failed", error=error)))
    assert len(lines) > 2
    assert all(line.startswith("    | ") for line in lines[1:])
    assert "RuntimeError" in entry["exception"]


def test_the_level_is_the_owners(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger("poe2openai")
    before = (root.handlers, root.level, root.propagate)
    try:
        configure("warn", "text")
        logging.getLogger("poe2openai.x").info("quiet")
        logging.getLogger("poe2openai.x").warning("loud")
        assert root.handlers[0].stream is sys.stderr  # type: ignore[attr-defined]
    finally:
        root.handlers, root.level, root.propagate = before
    err = capsys.readouterr().err
    assert "loud" in err
    assert "quiet" not in err
