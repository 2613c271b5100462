"""Tells a bot that its answer has to be JSON: Poe's query has no field for it."""

import orjson

from poe2openai.core.request import OutputFormat

_NOTHING_ELSE = "Write nothing else: no explanation before or after it, no code fence."


def demand(output_format: OutputFormat) -> str:
    """The sentences that go to the bot."""
    if output_format.schema is None:
        return f"Answer with one valid JSON object. {_NOTHING_ELSE}"
    called = f' called "{output_format.name}"' if output_format.name else ""
    described = f"\nWhat it is: {output_format.description}" if output_format.description else ""
    schema = orjson.dumps(dict(output_format.schema)).decode()
    return f"Answer with valid JSON that matches the JSON schema{called} below. {_NOTHING_ELSE}{described}\n{schema}"
