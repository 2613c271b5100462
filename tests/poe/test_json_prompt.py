import orjson

from poe2openai.core.request import OutputFormat
from poe2openai.poe.json_prompt import demand

SCHEMA = {"type": "object", "properties": {"città": {"type": "string"}}, "required": ["città"]}


def test_any_object_is_asked_for_in_a_line() -> None:
    said = demand(OutputFormat())
    assert "JSON object" in said
    assert "code fence" in said
    assert "\n" not in said


def test_the_schema_is_told_as_it_is() -> None:
    said = demand(OutputFormat(SCHEMA, "city", "Where it\nhappened."))
    *sentences, schema = said.split("\n")
    assert orjson.loads(schema) == SCHEMA
    assert "città" in schema
    assert '"city"' in sentences[0]
    assert "code fence" in sentences[0]
    assert sentences[1:] == ["What it is: Where it", "happened."]


def test_what_the_client_did_not_say_is_not_there() -> None:
    sentence, _ = demand(OutputFormat(SCHEMA)).split("\n")
    assert "None" not in sentence
    assert '"' not in sentence
