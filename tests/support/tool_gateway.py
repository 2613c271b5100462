"""A gateway whose Poe lists bots with tools, requests with tools, and what became of them on both sides."""

import itertools
import json
from collections.abc import Sequence
from typing import Any

from tests.support.fixtures import GatewayFactory
from tests.support.gateway import Gateway
from tests.support.poe_models import entry
from tests.support.poe_script import Step, done, json_reply, text, tool_call
from tests.support.poe_script import json_event as json_step
from tests.support.received import Received
from tests.support.scripted_poe import ScriptedPoe
from tests.support.wire import Response

MODELS_YAML = """
models:
  always-native: {tools_mode: native}
  always-xml: {tools_mode: xml}
  native-with-text: {tools_mode: native, tool_history: text}
  one-message: {single_message: true, parameters: {aspect: "1:1"}}
"""

_LISTED = [f"tool-bot-{number}" for number in range(200)]
_unused = itertools.cycle(_LISTED)

WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tells the weather.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
CLOCK: dict[str, Any] = {
    "type": "function",
    "function": {"name": "clock", "description": "Tells the time.", "parameters": {"type": "object", "properties": {}}},
}
TOOLS = [WEATHER, CLOCK]
QUESTION: list[dict[str, Any]] = [{"role": "user", "content": "Weather?"}]


NATIVE_CALL: list[Step] = [
    tool_call(0, "", id="call_a", name="weather"),
    tool_call(0, '{"city": '),
    tool_call(0, '"Paris"}'),
    json_step({}, "tool_calls"),
    done(),
]
XML_CALL: list[Step] = [
    text("I look. <tool"),
    text('_call><invoke name="weather"><parameter name="city">Pa'),
    text("ris</parameter></invoke></tool_call>"),
    done(),
]
PARIS = ("weather", '{"city": "Paris"}')


def call(id: str, name: str, arguments: str) -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def calls_message(*calls: dict[str, Any], content: str | None = None) -> dict[str, Any]:
    return {"role": "assistant", "content": content, "tool_calls": list(calls)}


def result(id: str, content: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id, "content": content}


FIRST_ROUND = [calls_message(call("c1", "weather", '{"city":"Paris"}'), content="I look."), result("c1", "sun")]
LATER_ROUND = [
    calls_message(call("c2", "weather", '{"city":"Rome"}'), call("c3", "clock", "{}")),
    result("c2", "rain"),
    result("c3", "noon"),
]
HISTORY = [*QUESTION, *FIRST_ROUND, *LATER_ROUND]


def make_tool_gateway(
    make_gateway: GatewayFactory, poe: ScriptedPoe, command: list[str] | None = None, **variables: str
) -> Gateway:
    """It takes the list that Poe gives while it starts, and keeps it."""
    plain = entry("no-tools", supported_features=[], parameters=[])
    listed = [entry(name, supported_features=["tools"], parameters=[]) for name in _LISTED]
    poe.route("GET /v1/models", json_reply(200, {"object": "list", "data": [plain, *listed]}))
    gateway = make_gateway({"MODELS_YAML": MODELS_YAML, **variables}, command=command)
    with gateway.client() as client:
        known = client.request("GET", "/v1/models").json()["data"]
    assert _LISTED[0] in {model["id"] for model in known}
    return gateway


def fresh_bot() -> str:
    """One whose tools nobody has refused yet: the gateway remembers refusals."""
    return next(_unused)


def ask(gateway: Gateway, bot: str, **fields: Any) -> list[Any]:
    """The chunks of a streamed answer to a request with tools."""
    with gateway.client() as client:
        response = client.chat(**{"model": bot, "messages": QUESTION, "tools": TOOLS, "stream": True, **fields})
        assert response.status == 200, response.read()
        chunks = response.chunks()
        assert response.whole
    return chunks


def ask_whole(gateway: Gateway, bot: str, **fields: Any) -> dict[str, Any]:
    with gateway.client() as client:
        response = client.chat(**{"model": bot, "messages": QUESTION, "tools": TOOLS, **fields})
        body: dict[str, Any] = response.json()
        assert response.status == 200, body
    return body


def failure(gateway: Gateway, bot: str, **fields: Any) -> tuple[int, dict[str, Any]]:
    with gateway.client() as client:
        response: Response = client.chat(**{"model": bot, "messages": QUESTION, "tools": TOOLS, **fields})
        return response.status, response.json()["error"]


def parsed(calls: Sequence[tuple[str, str]]) -> list[tuple[str, Any]]:
    return [(name, json.loads(arguments)) for name, arguments in calls]


def calls_of(chunks: list[Any]) -> list[tuple[str, str]]:
    """Names and arguments of the calls in a stream, whose ids are checked."""
    found: dict[int, dict[str, str]] = {}
    for delta in _deltas(chunks):
        for piece in delta.get("tool_calls") or ():
            own = found.setdefault(piece["index"], {"id": "", "name": "", "arguments": ""})
            own["id"] += piece.get("id") or ""
            own["name"] += piece["function"].get("name") or ""
            own["arguments"] += piece["function"].get("arguments") or ""
    assert sorted(found) == list(range(len(found)))
    assert all(own["id"] for own in found.values())
    assert len({own["id"] for own in found.values()}) == len(found)
    return [(own["name"], own["arguments"]) for _, own in sorted(found.items())]


def ways(queries: Sequence[Received]) -> list[str]:
    """How each query told of tools and of earlier calls."""
    return [_way(query) for query in queries]


def _way(query: Received) -> str:
    if "tools" in query.json:
        return "native" if any(message["role"] == "tool" for message in query.messages) else "native, text"
    return "xml" if "<invoke" in last_words(query) else "none"


def last_words(query: Received) -> str:
    """The last message of the user."""
    return str([message for message in query.messages if message["role"] == "user"][-1]["content"])


def _deltas(chunks: list[Any]) -> list[dict[str, Any]]:
    return [choice["delta"] for chunk in chunks if isinstance(chunk, dict) for choice in chunk.get("choices", ())]
