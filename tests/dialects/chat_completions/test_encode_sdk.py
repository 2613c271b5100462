"""The official SDK puts streamed answers together, over a socket."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import openai
import orjson
import pytest
from openai.lib.streaming.chat import ChatCompletionStream

from poe2openai.core.collect import collect
from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.events import (
    AnswerEvent,
    Failed,
    Finished,
    PartDelta,
    PartFinished,
    PartStarted,
    Started,
    Usage,
)
from poe2openai.dialects.chat_completions.encode import ChunkEncoder, completion

USAGE = Usage(input_tokens=10, output_tokens=7, reasoning_tokens=3, cached_tokens=2, source="poe")
USAGE_BODY = {
    "prompt_tokens": 10,
    "completion_tokens": 7,
    "total_tokens": 17,
    "prompt_tokens_details": {"cached_tokens": 2},
    "completion_tokens_details": {"reasoning_tokens": 3},
}
FULL_ANSWER: list[AnswerEvent] = [
    Started(),
    PartStarted(0, "reasoning"),
    PartDelta(0, "Hm"),
    PartDelta(0, "."),
    PartFinished(0),
    PartStarted(1, "text"),
    PartDelta(1, "Let me look."),
    PartFinished(1),
    PartStarted(2, "tool_call", "call_a", "weather"),
    PartDelta(2, '{"city":'),
    PartDelta(2, '"Oslo"}'),
    PartFinished(2),
    PartStarted(3, "tool_call", "call_b", "time"),
    PartDelta(3, "{}"),
    PartFinished(3),
    Finished("tool_calls", USAGE),
]


def written(events: list[AnswerEvent]) -> bytes:
    one = ChunkEncoder(id="chatcmpl-1", model="GPT-4o", created=1_700_000_000, include_usage=True)
    return b"".join(one.encode([event]) for event in events)


class Answering(BaseHTTPRequestHandler):
    stream = b""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        self.wfile.write(self.stream)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def sdk_stream(stream: bytes) -> Iterator[ChatCompletionStream[None]]:
    """The official SDK's accumulator, reading `stream` from a socket."""
    handler = type("OneAnswer", (Answering,), {"stream": stream})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        base_url = f"http://127.0.0.1:{server.server_port}/v1"
        try:
            with (
                openai.OpenAI(api_key="k", base_url=base_url, max_retries=0, timeout=10) as client,
                client.chat.completions.stream(model="m", messages=[{"role": "user", "content": "hi"}]) as answer,
            ):
                yield answer
        finally:
            server.shutdown()
            thread.join()


def test_the_official_sdk_puts_the_answer_together() -> None:
    with sdk_stream(written(FULL_ANSWER)) as stream:
        put_together = stream.get_final_completion()

    message = put_together.choices[0].message
    assert put_together.id == "chatcmpl-1"
    assert put_together.choices[0].finish_reason == "tool_calls"
    assert message.role == "assistant"
    assert message.content == "Let me look."
    assert message.model_extra is not None
    assert message.model_extra["reasoning_content"] == "Hm."
    assert [(call.id, call.function.name, call.function.arguments) for call in message.tool_calls or []] == [
        ("call_a", "weather", '{"city":"Oslo"}'),
        ("call_b", "time", "{}"),
    ]
    assert put_together.usage is not None
    assert put_together.usage.model_dump(exclude_none=True) == USAGE_BODY


def test_the_official_sdk_and_a_whole_answer_agree() -> None:
    body = orjson.loads(completion([collect([FULL_ANSWER])], id="chatcmpl-1", model="GPT-4o", created=1_700_000_000))

    with sdk_stream(written(FULL_ANSWER)) as stream:
        put_together = stream.get_final_completion().model_dump(exclude_none=True)

    message = put_together["choices"][0]["message"]
    assert message["content"] == body["choices"][0]["message"]["content"]
    assert message["reasoning_content"] == body["choices"][0]["message"]["reasoning_content"]
    assert put_together["usage"] == body["usage"]


def test_the_official_sdk_raises_a_failure_in_the_stream() -> None:
    failed = Failed(GatewayError(ErrorKind.INSUFFICIENT_QUOTA, "No points are left."))

    with (
        sdk_stream(written([*FULL_ANSWER[:3], failed])) as stream,
        pytest.raises(openai.APIError, match=r"No points are left\.") as caught,
    ):
        stream.until_done()

    assert (caught.value.type, caught.value.code) == ("insufficient_quota", "insufficient_quota")
