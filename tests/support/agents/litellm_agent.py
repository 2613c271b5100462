"""python litellm_agent.py BASE_URL FOLDER TASK:MODEL...: what LiteLLM makes of the answers, as JSON by task.

TASK is `loop`, `stream` or `schema`; tools write into a folder of the task's own.
"""

import json
import sys
from pathlib import Path
from typing import Any

import litellm
from pydantic import BaseModel

base_url, folder, *tasks = sys.argv[1:]
TOOL = {
    "type": "function",
    "function": {
        "name": "write_file",
        "description": "Writes a file.",
        "parameters": {
            "type": "object",
            "properties": {"path": {"type": "string"}, "content": {"type": "string"}},
            "required": ["path", "content"],
        },
    },
}


class Page(BaseModel):
    path: str
    content: str


def ask(model: str, messages: list[Any], **options: Any) -> Any:
    settings = {"api_base": base_url, "api_key": "agent-key", "num_retries": 0, "timeout": 20}
    return litellm.completion(model=f"openai/{model}", messages=messages, **settings, **options)


def write_file(place: Path, path: str, content: str) -> str:
    data = content.encode()
    (place / Path(path).name).write_bytes(data)
    return f"{len(data)} bytes written"


def loop(model: str, place: Path, *, stream: bool) -> dict[str, Any]:
    messages: list[Any] = [{"role": "user", "content": "Write a file."}]
    for _ in range(4):
        answer = ask(model, messages, tools=[TOOL], stream=stream)
        if stream:
            answer = litellm.stream_chunk_builder([*answer], messages=messages)
        message = answer.choices[0].message
        if not message.tool_calls:
            return {"text": message.content, "finish": answer.choices[0].finish_reason}
        messages.append(message.model_dump(exclude_none=True))
        for call in message.tool_calls:
            done = write_file(place, **json.loads(call.function.arguments))
            messages.append({"role": "tool", "tool_call_id": call.id, "content": done})
    raise RuntimeError("the bot calls tools without an end")


def schema(model: str) -> dict[str, Any]:
    answer = ask(model, [{"role": "user", "content": "Make a page."}], response_format=Page)
    return Page.model_validate_json(answer.choices[0].message.content).model_dump()


def answer_to(task: str) -> Any:
    what, model = task.split(":")
    try:
        return schema(model) if what == "schema" else loop(model, Path(folder) / task, stream=what == "stream")
    except Exception as error:  # noqa: BLE001 - told beside what the other tasks gave
        return f"{type(error).__name__}: {error}"


print(json.dumps({task: answer_to(task) for task in tasks}))
