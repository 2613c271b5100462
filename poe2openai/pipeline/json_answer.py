"""Makes an answer the JSON that was asked for, for bots without such a mode (OpenAI API reference, `response_format`).

What stands around the JSON is left out: prose, and the fence of a code block.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.request import OutputFormat
from poe2openai.pipeline.again import AskAgain
from poe2openai.pipeline.json_flow import JsonFlow
from poe2openai.pipeline.json_schema import LONGEST_FAULT, InvalidSchema, Schema, root_types
from poe2openai.pipeline.json_search import Opening, best
from poe2openai.pipeline.pieces import Piece, Stopped, Thought
from poe2openai.poe.events import Done, Text, ToolCallDelta

SCHEMA_PARAM = "response_format.json_schema.schema"
NO_JSON = "Your answer held no JSON."
WRONG_JSON = "Your answer is not the JSON that was asked for: "
AGAIN = " Answer again, with the JSON that was asked for and nothing else: no explanation, no code fence."

# Ends that are not the bot's own: what it said so far cannot be held against it, nor is there more to be had.
_CUT_OFF = ("length", "content_filter")


@dataclass(frozen=True, slots=True)
class JsonForm:
    """What the content has to be: any object, or what the schema says. `brackets` are those it may begin with."""

    schema: Schema | None = None
    brackets: str = "{"

    def fault(self, value: Any) -> str | None:
        if self.schema is None:
            return None if isinstance(value, dict) else "value is no object"
        return self.schema.fault(value)


def json_form(output_format: OutputFormat) -> JsonForm:
    """Raises `GatewayError` for a schema that is none."""
    if output_format.schema is None:
        return JsonForm()
    try:
        schema = Schema(output_format.schema)
    except InvalidSchema as error:
        message = f"The schema of response_format is no valid JSON Schema: {error}"
        raise GatewayError(ErrorKind.INVALID_REQUEST, message, param=SCHEMA_PARAM) from None
    types = root_types(output_format.schema)
    return JsonForm(schema, ("{" if "object" in types else "") + ("[" if "array" in types else ""))


def shape(
    batches: Iterable[list[Piece]],
    *,
    form: JsonForm,
    may_ask_again: bool,
    whole: bool,
    note: Callable[[str], None],
) -> Iterator[list[Piece]]:
    """The content becomes JSON; thoughts and calls pass, and where calls are, content is not judged.

    A stream goes out from the place on where JSON begins. With `whole`, all is held until the end, and the best is made
    of it. `note` takes what is wrong with what goes out; `AskAgain` is raised for it as long as nothing did.
    """
    shaper = _Shaper(form, may_ask_again=may_ask_again, whole=whole, note=note)
    for batch in batches:
        if len(batch) == 1 and type(piece := batch[0]) is Text and (flow := shaper.flow) is not None:
            text = flow.feed(piece.text)
            yield [Text(text)] if text else []
            continue
        yield [passed for piece in batch for passed in shaper.take(piece)]


class _Shaper:
    """`take` is the state that it is in."""

    def __init__(self, form: JsonForm, *, may_ask_again: bool, whole: bool, note: Callable[[str], None]) -> None:
        self.take: Callable[[Piece], list[Piece]] = self._before
        self.flow: JsonFlow | None = None  # where texts go once JSON has begun
        self._json = JsonFlow("container", prose=True)
        self._form = form
        self._may_ask_again = may_ask_again
        self._whole = whole
        self._note = note
        self._held: list[Piece] = []
        self._opening = Opening(form.brackets, empty=form.fault({}) is None)

    def _before(self, piece: Piece) -> list[Piece]:
        """No JSON has gone out yet."""
        match piece:
            case Text(text):
                self._held.append(piece)
                beginning = None if self._whole else self._opening.feed(text)
                return [] if beginning is None else self._begin(beginning)
            case Thought() if self._whole:
                self._held.append(piece)
                return []
            case Thought():
                self._may_ask_again = False
                return [piece]
            case ToolCallDelta():
                self.take = self._passing
                return [*self._held, piece]
            case Done(reason) | Stopped(reason):
                thoughts = [held for held in self._held if isinstance(held, Thought)]
                return [*thoughts, *_as_text(self._settled(reason)), piece]
            case _:
                return [piece]

    def _inside(self, piece: Piece) -> list[Piece]:
        """The JSON has begun, and what has come of it is out."""
        flow = self._json
        match piece:
            case Text(text):
                return _as_text(flow.feed(text))
            case ToolCallDelta():
                self.flow = None
                self.take = self._passing
                return [*_as_text(flow.held), piece]
            case Done(reason) | Stopped(reason):
                cut_off = reason in _CUT_OFF and not flow.complete
                ending = flow.held if cut_off else flow.finish()
                self._note_fault(_cut_off_by(reason) if cut_off else self._fault_of(flow.sent))
                return [*_as_text(ending), piece]
            case _:
                return [piece]

    def _passing(self, piece: Piece) -> list[Piece]:
        """There are tool calls: they are the answer."""
        return [piece]

    def _begin(self, text: str) -> list[Piece]:
        self.flow = self._json
        self._held.clear()
        self.take = self._inside
        return _as_text(self._json.feed(text))

    def _settled(self, reason: str | None) -> str:
        """What is to go out of an answer of which nothing did."""
        text = "".join(held.text for held in self._held if isinstance(held, Text))
        found = best(text, self._form.brackets, self._form.fault, repair=reason not in _CUT_OFF)
        if found.json is not None and found.fault is None:
            return found.json
        if reason in _CUT_OFF:
            self._note_fault(_cut_off_by(reason))
            return Opening(self._form.brackets, empty=False).feed(text) or text
        if self._may_ask_again:
            wrong = NO_JSON if found.json is None else f"{WRONG_JSON}{found.fault}."
            raise AskAgain(text, wrong + AGAIN)
        self._note_fault(found.fault)
        return text if found.json is None else found.json

    def _fault_of(self, text: str) -> str | None:
        try:
            return self._form.fault(orjson.loads(text))
        except ValueError:
            return "the text is not valid JSON"

    def _note_fault(self, fault: str | None) -> None:
        """In ASCII: the note also travels as a header."""
        if fault is not None:
            self._note("response_format: " + fault.encode("ascii", "backslashreplace").decode()[:LONGEST_FAULT])


def _as_text(text: str) -> list[Piece]:
    return [Text(text)] if text else []


def _cut_off_by(reason: str | None) -> str:
    return f"the answer was cut off ({reason}) before its JSON was whole"
