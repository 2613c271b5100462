"""Tools for bots that know none: a prompt that asks for calls in XML, and a history of calls in the same form.

`pipeline/xml_tools.py` reads such calls out of the answer.
"""

import re
from collections.abc import Sequence

import orjson

from poe2openai.core.request import Tool, ToolCall, ToolChoice, ToolChoiceMode, ToolResult
from poe2openai.poe.tool_arguments import as_object
from poe2openai.poe.tool_schema import bot_name

RESULT_TAG = "tool_result"

_FORM = """\
<tool_call>
<invoke name="tool_name">
<parameter name="parameter_name">value</parameter>
</invoke>
</tool_call>"""

_RULES = f"""\
You can use the tools that are listed below. To call one, write exactly this, as part of your plain answer and not in \
a code block:

{_FORM}

- Give one <parameter> for each argument, by the name that the tool's schema has for it. Leave out optional ones that \
you do not need.
- Write a value raw, exactly as the tool is to get it: nothing in it is escaped, there is no CDATA, no quotes are put \
around it, and no line break is added before or after it.
- Lists, objects, numbers, true, false and null are written as JSON.
- For several calls, put several <invoke> into one <tool_call>.
- Stop after </tool_call>. The next message brings you what the tools gave, as <{RESULT_TAG}>. Do not write results \
yourself, and do not make any up.
- There are no other tools than these. When you need none, answer in plain text, without such tags."""

# What could be taken for a tag of a call, or for the end of a value (`pipeline/xml_tags.py`).
_TAG = re.compile(r"</?(?:tool_|function_|invoke|parameter)")
_PARAMETER_TAG = re.compile(r"</?parameter(?![\w.-])")
_PARAMETER_NAME = re.compile(r"""(?!\s)[^"<>]{1,128}(?<!\s)""")


def tool_prompt(tools: Sequence[Tool], choice: ToolChoice, *, parallel: bool) -> str:
    """What stands behind the last message of a bot that is to write its calls as text; `""` without tools."""
    if not tools:
        return ""
    listed = "\n".join(_described(tool) for tool in tools)
    demand = native_demand(choice, parallel=parallel, tools=tools)
    return "\n\n".join(filter(None, ("# Tools", _RULES, f"<tools>\n{listed}\n</tools>", demand)))


def native_demand(choice: ToolChoice, *, parallel: bool, tools: Sequence[Tool]) -> str:
    """What the choice of tools asks of the bot, in words; `""` where it is free. `tools` are those that it may call."""
    if not tools:
        return ""
    sentences: list[str] = []
    if choice.mode is ToolChoiceMode.REQUIRED:
        which = f"the tool {tools[0].name}" if len(tools) == 1 else "at least one of the tools"
        sentences.append(f"Your next message has to call {which}.")
    if not parallel:
        sentences.append("Make at most one tool call in a message.")
    return " ".join(sentences)


def call_as_xml(call: ToolCall) -> str:
    """An earlier call, as the prompt asks for it; as JSON where that could not be read back as it was."""
    name, arguments = bot_name(call.name), as_object(call.arguments)
    parameters = _parameters(arguments)
    if parameters is None:
        said = _without_tags(f'{{"name":"{name}","arguments":{arguments}}}')
    else:
        said = f'<invoke name="{name}">\n{parameters}</invoke>'
    return f"<tool_call>\n{said}\n</tool_call>"


def _parameters(arguments: str) -> str | None:
    """None for names and values that cannot stand as they are, and for what is too deep to be written again."""
    written: list[str] = []
    for name, value in orjson.loads(arguments).items():
        if not _PARAMETER_NAME.fullmatch(name) or (isinstance(value, str) and _PARAMETER_TAG.search(value)):
            return None
        try:
            text = value if isinstance(value, str) else _without_tags(orjson.dumps(value).decode())
        except orjson.JSONEncodeError:
            return None
        written.append(f'<parameter name="{name}">{text}</parameter>\n')
    return "".join(written)


def result_as_xml(result: ToolResult, name: str, text: str) -> str:
    """What an earlier call gave; the text stays as it is."""
    status = ' status="error"' if result.is_error else ""
    return f'<{RESULT_TAG} name="{bot_name(name)}"{status}>\n{text}\n</{RESULT_TAG}>'


def _described(tool: Tool) -> str:
    definition = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return orjson.dumps(definition, default=dict).decode()


def _without_tags(json: str) -> str:
    """The same JSON, in which nothing can be taken for a tag."""
    return json.replace("<", "\\u003c") if _TAG.search(json) else json
