"""How one request is put to a bot: the query's body, and what the answer is held to."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from poe2openai.core.content import put_back
from poe2openai.core.request import Message, ModelRequest, Text, Tool, ToolChoiceMode
from poe2openai.gateway.catalog import Route
from poe2openai.gateway.tool_ways import ToolWays, Way
from poe2openai.pipeline.again import AskAgain
from poe2openai.pipeline.json_answer import JsonForm, json_form
from poe2openai.pipeline.tool_rules import ToolRules
from poe2openai.poe.json_prompt import demand as json_demand
from poe2openai.poe.query import BotPolicy, Wording, build_query
from poe2openai.poe.tool_prompt import native_demand, tool_prompt
from poe2openai.poe.tool_schema import OfferedTools, offer

_NO_RULES = ToolRules()


@dataclass(frozen=True, slots=True)
class Ask:
    """One query. `prompts` are what the gateway itself says in it, the tools among them unless `tools_apart`."""

    way: Way
    body: bytes
    rules: ToolRules | None
    form: JsonForm | None
    prompts: tuple[str, ...]
    tools_apart: bool


class Asking:
    """One request on its way to a bot, along one of several ways."""

    def __init__(self, request: ModelRequest, route: Route, tool_ways: ToolWays, *, tool_flags: bool) -> None:
        """Raises `GatewayError` for a JSON schema that is none."""
        flags, request = _without_flags(request) if tool_flags else ((), request)
        if route.reasoning is not None:
            request = replace(request, reasoning=route.reasoning)
        if route.web_search is not None:
            request = replace(request, web_search=route.web_search)
        self.request = request
        self._flags = flags
        self._offered: OfferedTools = offer(request)
        self._form = None if request.output_format is None else json_form(request.output_format)
        self._policy = BotPolicy(
            system_as_user=route.hold,
            system_prompt=route.system_prompt,
            parameters=route.parameters,
            declared=route.declared,
            single_message=route.single_message,
        )
        self.ways = tool_ways.ways(request, route, has_tools=bool(self._offered.tools))

    def put(self, way: Way, again: AskAgain | None = None) -> Ask:
        """The query of one way; with `again`, the bot is shown its first answer and what was wrong with it.

        Raises `GatewayError` for what cannot be handed on.
        """
        request, tools = self.request, self._offered.tools
        demands = tuple(filter(None, (self._tool_demand(way), self._json_demand())))
        native = tools if way.tools == "native" else ()
        wording = Wording(history=way.history, tools=native, demands=demands, flags=self._flags)
        asked = request if again is None else _again(request, again)
        # Base64 that turned out to be no file: it stands in some text, or in an argument.
        body = put_back(build_query(asked, self._policy, wording), request.lifted)
        return Ask(way, body, self._rules(way, tools), self._form, demands, tools_apart=bool(native))

    def _tool_demand(self, way: Way) -> str:
        choice, parallel, tools = self.request.tool_choice, self.request.parallel_tool_calls, self._offered.tools
        match way.tools:
            case "xml":
                return tool_prompt(tools, choice, parallel=parallel)
            case "native":
                return native_demand(choice, parallel=parallel, tools=tools)
            case "none":
                return ""

    def _json_demand(self) -> str:
        output_format = self.request.output_format
        return "" if output_format is None else json_demand(output_format)

    def _rules(self, way: Way, tools: Sequence[Tool]) -> ToolRules | None:
        request = self.request
        if way.tools == "none":
            # Calls that nobody asked for do come, from bots with tools of their own: they are the client's to judge,
            # unless it forbade them.
            return ToolRules(only=True) if request.tool_choice.mode is ToolChoiceMode.NONE else None
        rules = ToolRules(
            xml=tuple(tools) if way.tools == "xml" else None,
            original=self._offered.original,
            only=bool(request.tool_choice.names),
            single=not request.parallel_tool_calls,
            required=request.tool_choice.mode is ToolChoiceMode.REQUIRED,
        )
        return None if rules == _NO_RULES else rules


def _again(request: ModelRequest, again: AskAgain) -> ModelRequest:
    said = Message("assistant", (Text(again.said),))
    return replace(request, messages=(*request.messages, said, Message("user", (Text(again.demand),))))


def _without_flags(request: ModelRequest) -> tuple[tuple[str, ...], ModelRequest]:
    """The predecessor's form of a bot's flags: tools that say nothing but their name."""
    flags = tuple(tool.name for tool in request.tools if not tool.parameters and not tool.description)
    if not flags:
        return (), request
    return flags, replace(request, tools=tuple(tool for tool in request.tools if tool.name not in flags))
