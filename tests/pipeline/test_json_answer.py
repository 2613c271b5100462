"""An answer is made the JSON that was asked for, as a stream and whole; what it is not is asked for again, or noted."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.events import FinishReason
from poe2openai.core.request import OutputFormat
from poe2openai.pipeline.again import AskAgain
from poe2openai.pipeline.json_answer import JsonForm, json_form, shape
from poe2openai.pipeline.pieces import Piece, Stopped, Thought
from poe2openai.poe.events import Done, Error, Text, ToolCallDelta
from tests.support.pipeline import batches_of, cuttings, run, text_of

CITY = OutputFormat({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]})
ANY = OutputFormat()
LIST = OutputFormat({"type": "array", "items": {"type": "integer"}})
CALL = ToolCallDelta(0, "c0", "f", "{}")
BROKEN = Error(GatewayError(ErrorKind.UPSTREAM_ERROR, "gone"))


class Shaped:
    """What became of an answer: its pieces and the notes, or what is to be asked again."""

    def __init__(
        self, batches: list[list[Any]], output_format: OutputFormat, *, whole: bool = False, may_ask_again: bool = True
    ) -> None:
        self.notes: list[str] = []
        self.pieces: list[Any] = []
        self.again: AskAgain | None = None
        form = json_form(output_format)
        stage = partial(shape, form=form, may_ask_again=may_ask_again, whole=whole, note=self.notes.append)
        try:
            self.pieces = run(stage, batches)
        except AskAgain as again:
            self.again = again

    @property
    def text(self) -> str:
        return text_of(self.pieces)

    def summary(self) -> object:
        return self.pieces, self.notes, self.again and (self.again.said, self.again.demand)


def said(text: str, output_format: OutputFormat = CITY, reason: FinishReason | None = None, **options: Any) -> Shaped:
    """The same answer in every cutting."""
    shaped = [Shaped(batches_of(pieces, Done(reason)), output_format, **options) for pieces in cuttings(text)]
    assert all(one.summary() == shaped[0].summary() for one in shaped)
    return shaped[0]


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize(
    ("text", "json"),
    [
        ('{"city": "Rome"}', '{"city": "Rome"}'),
        ('Here:\n```json\n{"city": "}```{"}\n```\nMore {x}?', '{"city": "}```{"}'),
        ('A {"city": ...} then: {"city": "Rome"} it is.', '{"city": "Rome"}'),
        ('```\n{"city": "Rome", "days": [1,],}\n```', '{"city": "Rome", "days": [1]}'),
        ("{'city': 'Rome'}\n\nOk?", '{"city":"Rome"}'),
        ('{"city": "he said "yes" twice"}', '{"city": "he said \\"yes\\" twice"}'),
        ('{"city": "two\nlines"}', '{"city": "two\\nlines"}'),
        ('{} {"city": "Rome"}', '{"city": "Rome"}'),
        ('{"city": "Rome"', '{"city": "Rome"}'),
    ],
)
def test_the_json_alone_comes_out(text: str, json: str, whole: bool) -> None:
    shaped = said(text, whole=whole)
    assert (shaped.text, shaped.notes, shaped.again) == (json, [], None)


def test_a_stream_goes_out_as_it_comes() -> None:
    pieces = ["Well", ':\n{"ci', 'ty"', ': "', "Ro", "me", '"', "", ", ", '"x": 1', "}", "\n", "Bye"]
    stage = shape(batches_of(pieces, Done()), form=json_form(CITY), may_ask_again=True, whole=False, note=print)
    heard = [text_of(batch) for batch in stage][::2]
    assert heard == ["", "", "", '{"city": "', "Ro", "me", "", "", "", '", "x":', " 1}", "", "", ""]


def test_a_whole_answer_comes_at_its_end() -> None:
    stage = shape(
        batches_of(['{"city"', ': "Rome"}'], Done()), form=json_form(CITY), may_ask_again=True, whole=True, note=print
    )
    assert list(stage) == [[], [], [], [], [Text('{"city": "Rome"}'), Done()]]


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("text", ["I cannot {really}.", "", '{"city'])
def test_an_answer_without_json_is_asked_for_again(text: str, whole: bool) -> None:
    again = said(text, whole=whole).again
    assert again is not None
    assert again.said == text
    assert "held no JSON" in again.demand
    assert "nothing else" in again.demand


def test_json_that_does_not_match_is_asked_for_again_as_long_as_nothing_went_out() -> None:
    again = said('Hm: {"city": 5}', whole=True).again
    assert again is not None
    assert again.said == 'Hm: {"city": 5}'
    assert '/city: value is not of type "string"' in again.demand
    streamed = said('Hm: {"city": 5}')
    assert streamed.text == '{"city": 5}'
    assert streamed.notes == ['response_format: /city: value is not of type "string"']


def test_the_second_time_the_best_there_is_goes_out() -> None:
    for whole in (False, True):
        shaped = said("I {really} cannot.", whole=whole, may_ask_again=False)
        assert (shaped.text, shaped.notes) == ("I {really} cannot.", ["response_format: no JSON was found"])
        shaped = said('Hm: {"town": "Rome"}', whole=whole, may_ask_again=False)
        assert (shaped.text, shaped.notes) == (
            '{"town": "Rome"}',
            ['response_format: "city" is a required property'],
        )


def test_a_whole_answer_is_the_first_json_that_matches() -> None:
    assert said('Not {"city": 5} but {"city": "Rome"}.', whole=True).text == '{"city": "Rome"}'
    assert said('{"city": "A"}\n```json\n{"city": "B"}\n```', whole=True).text == '{"city": "B"}'


def test_a_stream_that_is_wrong_in_the_end_is_noted() -> None:
    shaped = said('{"city": "Rome", // the capital\n "x": 1}')
    assert shaped.text == '{"city": "Rome", // the capital\n "x": 1}'
    assert shaped.notes == ["response_format: the text is not valid JSON"]


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_an_answer_that_was_cut_off_stays_as_it_is(reason: FinishReason, whole: bool) -> None:
    note = f"response_format: the answer was cut off ({reason}) before its JSON was whole"
    shaped = said('So: {"city": "Rom', reason=reason, whole=whole)
    assert (shaped.text, shaped.notes, shaped.again) == ('{"city": "Rom', [note], None)
    shaped = said("I was about to", reason=reason, whole=whole)
    assert (shaped.text, shaped.notes, shaped.again) == ("I was about to", [note], None)
    shaped = said('{"city": "Rome"} and so', reason=reason, whole=whole)
    assert (shaped.text, shaped.notes, shaped.again) == ('{"city": "Rome"}', [], None)


def test_any_object_will_do_without_a_schema() -> None:
    assert said('So: {"x": 1}', ANY).text == '{"x": 1}'
    assert said("So: {}", ANY).text == "{}"
    again = said("[1, 2]", ANY, whole=True).again
    assert again is not None
    assert "value is no object" in again.demand


def test_a_schema_may_ask_for_an_array_or_a_scalar() -> None:
    assert said("As in [x]: [1, 2].", LIST).text == "[1, 2]"
    assert said("42\n", OutputFormat({"type": "integer"})).text == "42"
    assert said('["a"]', LIST, whole=True).again is not None


def test_thoughts_pass() -> None:
    batches: list[list[Any]] = [[Thought("hm")], [Text("{")], [Thought("so")], [Text('"city": "Rome"}'), Done()]]
    json = Text('{"city": "Rome"}')
    assert Shaped(batches, CITY).pieces == [Thought("hmso"), json, Done()]
    assert Shaped(batches, CITY, whole=True).pieces == [Thought("hmso"), json, Done()]


def test_after_a_thought_went_out_nothing_is_asked_again() -> None:
    batches: list[list[Any]] = [[Thought("hm")], [Text("no"), Done()]]
    streamed = Shaped(batches, CITY)
    assert (streamed.pieces, streamed.again) == ([Thought("hm"), Text("no"), Done()], None)
    assert Shaped(batches, CITY, whole=True).again is not None


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("text", ["I call it.", '{"ci', 'So {"city": "Ro', '{"city": "Rome"}\nNow '])
def test_beside_a_tool_call_content_is_not_judged(text: str, whole: bool) -> None:
    for pieces in cuttings(text):
        shaped = Shaped([*batches_of(pieces, CALL), [Text(" {done}")], [Done("tool_calls")]], CITY, whole=whole)
        before = text if whole or not text.startswith("So") else text.removeprefix("So ")
        assert shaped.pieces == [Text(before), CALL, Text(" {done}"), Done("tool_calls")]
        assert not shaped.notes


def test_several_texts_may_come_at_once() -> None:
    assert Shaped([[Text('{"city'), Text('": "Rome'), Text('"}'), Done()]], CITY).text == '{"city": "Rome"}'


def test_the_gateway_s_own_end_is_an_end() -> None:
    assert Shaped([[Text('{"city": "Rome"} x'), Stopped("stop")]], CITY).pieces == [
        Text('{"city": "Rome"}'),
        Stopped("stop"),
    ]


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("text", ["I cannot", '{"city": "Ro"'])
def test_an_error_goes_without_what_was_held(text: str, whole: bool) -> None:
    shaped = Shaped([[Text(text)], [BROKEN]], CITY, whole=whole)
    assert shaped.pieces[-1] == BROKEN
    assert text.startswith(shaped.text)
    assert (shaped.notes, shaped.again) == ([], None)


def test_a_note_fits_a_header() -> None:
    odd = OutputFormat({"additionalProperties": {"type": "integer"}})
    (note,) = Shaped([[Text('{"x": 1, "città \U0001f600' + "x" * 1000 + '": ""}'), Done()]], odd).notes
    assert note.startswith("response_format: ")
    assert note.isascii()
    assert note.isprintable()
    assert len(note) < 350


def test_a_schema_that_is_none_is_the_client_s_fault() -> None:
    with pytest.raises(GatewayError, match="/type") as raised:
        json_form(OutputFormat({"type": "objekt"}))
    assert raised.value.kind is ErrorKind.INVALID_REQUEST
    assert raised.value.param == "response_format.json_schema.schema"


def test_what_the_json_may_begin_with() -> None:
    assert json_form(ANY) == JsonForm(None, "{")
    assert json_form(CITY).brackets == "{"
    assert json_form(LIST).brackets == "["
    assert json_form(OutputFormat({})).brackets == "{["


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.text(alphabet='ab "\\{}é\U0001f600', max_size=6)
PROSE = st.text(alphabet="abc .,!()\n*é", max_size=20)
FENCES = st.sampled_from([("", "\n"), ("\n```json\n", "\n```\n"), ("\n```\n", "```")])


@settings(max_examples=300, deadline=None)
@given(
    value=st.dictionaries(NAMES, VALUES, min_size=1, max_size=3),
    around=st.tuples(PROSE, FENCES, PROSE),
    indented=st.booleans(),
    sizes=st.lists(st.integers(1, 9), max_size=30),
    whole=st.booleans(),
)
def test_any_object_comes_out_of_any_prose(
    value: dict[str, Any],
    around: tuple[str, tuple[str, str], str],
    indented: bool,
    sizes: list[int],
    whole: bool,
) -> None:
    before, fence, after = around
    json = orjson.dumps(value, option=orjson.OPT_INDENT_2 if indented else None).decode()
    rest = before + fence[0] + json + fence[1] + after
    pieces = []
    for size in sizes:
        pieces.append(rest[:size])
        rest = rest[size:]
    shaped = Shaped(batches_of([*pieces, rest], Done()), ANY, whole=whole)
    assert (shaped.text, shaped.notes, shaped.again) == (json, [], None)


@settings(max_examples=200, deadline=None)
@given(
    text=st.text(alphabet='{}[]":,`\n a1\\', max_size=40),
    sizes=st.lists(st.integers(1, 5), max_size=30),
    whole=st.booleans(),
)
def test_any_text_in_any_cutting_gives_the_same(text: str, sizes: list[int], whole: bool) -> None:
    def cut() -> Iterator[list[Piece]]:
        rest = text
        for size in sizes:
            yield [Text(rest[:size])]
            rest = rest[size:]
        yield [Text(rest), Done()]

    at_once = Shaped([[Text(text), Done()]], CITY, whole=whole)
    assert Shaped(list(cut()), CITY, whole=whole).summary() == at_once.summary()
