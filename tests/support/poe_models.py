"""A small Poe list, in Poe's shape, and who answers with it."""

import threading
import time
from typing import Any

CREATED_SECONDS = 1_700_000_000


def entry(bot: str, **fields: Any) -> dict[str, Any]:
    """What Poe says of a bot whose name is `bot`; ids are in lower case."""
    return {
        "id": bot.lower(),
        "object": "model",
        "created": CREATED_SECONDS * 1000,
        "description": f"{bot} answers.",
        "owned_by": "Someone",
        "root": bot.lower(),
        "architecture": {
            "input_modalities": ["text", "image"],
            "output_modalities": ["text"],
            "modality": "text->text",
        },
        "supported_features": ["tools", "web_search"],
        "supported_endpoints": [],
        "pricing": {"prompt": "0.000001", "completion": "0.000004", "image": None},
        "context_window": {"context_length": 200_000, "max_output_tokens": 8_000},
        "context_length": 200_000,
        "metadata": {"display_name": bot, "image": {"url": "https://example.com/a.png"}},
        "reasoning": None,
        "parameters": [{"name": "web_search", "schema": {"type": "boolean"}}],
        **fields,
    }


def poe_list(*bots: str) -> list[dict[str, Any]]:
    return [entry(bot) for bot in bots]


class ListedPoe:
    """Stands for the fetching of Poe's list: gives `answer`, or raises it, and remembers when it was asked."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked_at: list[float] = []
        self.most_at_once = 0
        self.may_answer = threading.Event()
        self.may_answer.set()
        self._at_once = 0

    @property
    def asked(self) -> int:
        return len(self.asked_at)

    def fetch(self) -> list[dict[str, Any]]:
        self.asked_at.append(time.monotonic())
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        self.may_answer.wait(10)
        self._at_once -= 1
        if isinstance(self.answer, Exception):
            raise self.answer
        answer: list[dict[str, Any]] = self.answer
        return answer
