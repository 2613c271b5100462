"""A small Poe list, in Poe's shape."""

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
