"""python langchain_agent.py BASE_URL FOLDER TASK:MODEL...: what LangChain makes of the answers, as JSON by task.

TASK is `loop`, `stream`, or a method of `with_structured_output`; tools write into a folder of the task's own.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk, AnyMessage, HumanMessage
from langchain_core.tools import BaseTool, tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

base_url, folder, *tasks = sys.argv[1:]


class Author(BaseModel):
    name: str
    age: int | None


class Page(BaseModel):
    """A page of text."""

    path: str
    content: str
    author: Author
    weight: float


def write_file_into(place: Path) -> BaseTool:
    @tool
    def write_file(path: str, content: str) -> str:
        """Writes a file."""
        data = content.encode()
        (place / Path(path).name).write_bytes(data)
        return f"{len(data)} bytes written"

    return write_file


def loop(chat: ChatOpenAI, place: Path, *, stream: bool) -> dict[str, Any]:
    write_file = write_file_into(place)
    agent = chat.bind_tools([write_file])
    messages: list[AnyMessage] = [HumanMessage("Write a file.")]
    for _ in range(4):
        answer: AIMessage = _joined(agent.stream(messages)) if stream else agent.invoke(messages)
        if not answer.tool_calls:
            return {"text": answer.content, "counted": (answer.usage_metadata or {}).get("total_tokens", 0) > 0}
        messages += [answer, *(write_file.invoke(call) for call in answer.tool_calls)]
    raise RuntimeError("the bot calls tools without an end")


def _joined(chunks: Iterable[AIMessageChunk]) -> AIMessageChunk:
    first, *others = chunks
    for chunk in others:
        first += chunk
    return first


def structured(chat: ChatOpenAI, method: Any) -> dict[str, Any]:
    question = "Make a page."
    if method == "json_mode":  # LangChain leaves it to the prompt to say what the JSON is to look like
        question += f" Answer in JSON that fits this schema:\n{json.dumps(Page.model_json_schema())}"
    page = chat.with_structured_output(Page, method=method).invoke(question)
    assert isinstance(page, Page)
    return page.model_dump()


def answer_to(task: str) -> Any:
    what, model = task.split(":")
    chat = ChatOpenAI(model=model, base_url=base_url, api_key="agent-key", max_retries=0, timeout=20, stream_usage=True)
    try:
        if what in ("loop", "stream"):
            return loop(chat, Path(folder) / task, stream=what == "stream")
        return structured(chat, what)
    except Exception as error:  # noqa: BLE001 - told beside what the other tasks gave
        return f"{type(error).__name__}: {error}"


print(json.dumps({task: answer_to(task) for task in tasks}))
