"""Whole streams: what Poe said, and what became of it, in many cuttings of the bytes.

Each folder is a scenario: `poe.sse` (Poe's bytes), `options.json` (what the request asked for, if anything),
`events.jsonl` (the answer's events), `chat.sse` (the streamed answer) and `chat.json` (the whole answer, or its error).
`REGOLD=1 pytest tests/scenarios` writes the last three anew, to be read before they are committed.
"""

import json
import os
import random
import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from poe2openai.core.collect import collect
from poe2openai.core.errors import GatewayError
from poe2openai.core.events import AnswerEvent, Failed, GrammarChecker, PartDelta
from poe2openai.core.request import OutputFormat, Tool
from poe2openai.dialects.chat_completions.encode import ChunkEncoder, completion
from poe2openai.dialects.openai_errors import error_body
from poe2openai.pipeline.json_answer import JsonForm, json_form
from poe2openai.pipeline.order import PipelineOptions, pipeline
from poe2openai.pipeline.tool_rules import ToolRules
from poe2openai.poe.events import read_events

HERE = Path(__file__).parent
SCENARIOS = sorted(path.parent.name for path in HERE.glob("*/poe.sse"))
IDENTITY: dict[str, Any] = {"id": "chatcmpl-scenario", "model": "bot", "created": 1_700_000_000}
CUTTINGS = 40
MADE_ID = re.compile(r"call_[0-9a-f]{24}")


class Quarters:
    """Counts four characters as a token, on every Python alike."""

    def count(self, text: str) -> int:
        return -(-len(text) // 4)

    def truncate(self, text: str, limit: int) -> str:
        return text[: limit * 4]


class Scenario:
    def __init__(self, name: str) -> None:
        self.directory = HERE / name
        self.poe = (self.directory / "poe.sse").read_bytes()
        options = self.directory / "options.json"
        self.options = json.loads(options.read_text()) if options.exists() else {}

    def answer(self, chunks: list[bytes], *, whole: bool) -> Iterator[list[AnswerEvent]]:
        options = PipelineOptions(
            hold=self.options.get("hold", False),
            whole=whole,
            stop=tuple(self.options.get("stop", [])),
            max_tokens=self.options.get("max_tokens"),
            counter=Quarters(),
            input_tokens=lambda: 3,
            note=lambda _: None,
            tools=self._tool_rules(),
            json=self._json_form(),
        )
        return pipeline(read_events(iter(chunks)), options)

    def _tool_rules(self) -> ToolRules | None:
        if not self.options.keys() & {"xml_tools", "original"}:
            return None
        tools = tuple(Tool(**tool) for tool in self.options.get("xml_tools", []))
        return ToolRules(
            xml=tools or None, original=self.options.get("original", {}), single=self.options.get("single", False)
        )

    def _json_form(self) -> JsonForm | None:
        schema = self.options.get("json_schema")
        return None if schema is None else json_form(OutputFormat(schema))

    def golden(self, name: str, made: str) -> str:
        """The file's content; written first where that is asked for."""
        path = self.directory / name
        if os.environ.get("REGOLD"):
            path.write_bytes(made.encode())
        return path.read_bytes().decode()


@pytest.fixture(params=SCENARIOS)
def scenario(request: pytest.FixtureRequest) -> Scenario:
    return Scenario(request.param)


def test_there_are_scenarios() -> None:
    assert len(SCENARIOS) >= 15


def test_the_events(scenario: Scenario) -> None:
    events = joined(event for batch in scenario.answer([scenario.poe], whole=False) for event in batch)
    assert events_text(events) == scenario.golden("events.jsonl", events_text(events))
    for chunks in cuttings(scenario):
        checker = GrammarChecker()
        cut: list[AnswerEvent] = []
        for batch in scenario.answer(chunks, whole=False):
            checker.check(batch)
            cut += batch
        checker.finish()
        assert events_text(joined(iter(cut))) == events_text(events), chunks


def test_the_stream(scenario: Scenario) -> None:
    events = joined(event for batch in scenario.answer([scenario.poe], whole=False) for event in batch)
    made = with_plain_ids(ChunkEncoder(**IDENTITY, include_usage=True).encode(events).decode())
    assert made == scenario.golden("chat.sse", made)
    for chunks in cuttings(scenario):
        encoder = ChunkEncoder(**IDENTITY, include_usage=True)
        cut = b"".join(encoder.encode(batch) for batch in scenario.answer(chunks, whole=False))
        assert said(with_plain_ids(cut.decode())) == said(made), chunks


def test_the_whole_answer(scenario: Scenario) -> None:
    made = whole(scenario, [scenario.poe])
    assert made == scenario.golden("chat.json", made)
    for chunks in cuttings(scenario):
        assert whole(scenario, chunks) == made, chunks


def whole(scenario: Scenario, chunks: list[bytes]) -> str:
    try:
        body = completion([collect(scenario.answer(chunks, whole=True))], **IDENTITY)
    except GatewayError as error:
        body = error_body(error)
    return with_plain_ids(json.dumps(json.loads(body), ensure_ascii=False, indent=1) + "\n")


def cuttings(scenario: Scenario) -> Iterator[list[bytes]]:
    """Byte by byte, then by chance, with moments of silence in between."""
    poe = scenario.poe
    yield [poe[at : at + 1] for at in range(len(poe))]
    chance = random.Random(scenario.directory.name)
    for _ in range(CUTTINGS):
        longest = chance.choice([2, 7, 40, 300, len(poe)])
        chunks: list[bytes] = []
        at = 0
        while at < len(poe):
            size = chance.randint(1, longest)
            chunks.append(poe[at : at + size])
            at += size
            if chance.random() < 0.1:
                chunks.append(b"")
        yield chunks


def joined(events: Iterator[AnswerEvent]) -> list[AnswerEvent]:
    """Pieces of one part as one: how they were cut is nobody's business."""
    whole: list[AnswerEvent] = []
    for event in events:
        last = whole[-1] if whole else None
        if isinstance(event, PartDelta) and isinstance(last, PartDelta):
            whole[-1] = PartDelta(last.index, last.text + event.text)
        else:
            whole.append(event)
    return whole


def events_text(events: list[AnswerEvent]) -> str:
    return with_plain_ids("".join(json.dumps(event_json(event), ensure_ascii=False) + "\n" for event in events))


def with_plain_ids(text: str) -> str:
    """The ids that the gateway makes are random: numbered as they come."""
    ids: dict[str, str] = {}
    return MADE_ID.sub(lambda found: ids.setdefault(found[0], f"call_made_{len(ids) + 1}"), text)


def event_json(event: AnswerEvent) -> dict[str, Any]:
    name = type(event).__name__
    if isinstance(event, Failed):
        return {"event": name, "code": event.error.kind.code, "message": event.error.message}
    return {"event": name, **{key: value for key, value in asdict(event).items() if value is not None}}


def said(stream: str) -> list[Any]:
    """The frames of a stream, pieces of text joined across chunks."""
    frames: list[Any] = []
    for block in stream.removesuffix("\n\n").split("\n\n"):
        assert block.startswith("data: ")
        data = block.removeprefix("data: ")
        frame = data if data == "[DONE]" else json.loads(data)
        if frames and (before := _joined_frames(frames[-1], frame)) is not None:
            frames[-1] = before
        else:
            frames.append(frame)
    return frames


def _joined_frames(first: Any, second: Any) -> Any:
    """Both as one frame if they hold a piece of the same text each, else None."""
    texts = [_text_of(frame) for frame in (first, second)]
    if texts[0] is None or texts[1] is None or texts[0][0] != texts[1][0]:
        return None
    place, text = texts[0]
    merged = json.loads(json.dumps(first))
    delta = merged["choices"][0]["delta"]
    if place[0] == "tool_calls":
        delta["tool_calls"][0]["function"]["arguments"] = text + texts[1][1]
    else:
        delta[place[0]] = text + texts[1][1]
    return merged


def _text_of(frame: Any) -> tuple[tuple[Any, ...], str] | None:
    if not isinstance(frame, dict) or not frame.get("choices") or frame["choices"][0]["finish_reason"]:
        return None
    delta = frame["choices"][0]["delta"]
    if list(delta) in (["content"], ["reasoning_content"]):
        (kind,) = delta
        return (kind,), delta[kind]
    if list(delta) == ["tool_calls"] and "id" not in delta["tool_calls"][0]:
        (call,) = delta["tool_calls"]
        return ("tool_calls", call["index"]), call["function"]["arguments"]
    return None
