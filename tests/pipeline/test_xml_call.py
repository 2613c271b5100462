"""A call's arguments grow into valid JSON, piece by piece."""

import json

from poe2openai.pipeline.xml_call import Call, new_call_id
from poe2openai.poe.events import ToolCallDelta
from tests.support.xml_calls import WEATHER, WRITE


def joined(deltas: list[ToolCallDelta]) -> str:
    return "".join(delta.arguments for delta in deltas)


def test_a_string_goes_out_while_it_comes_and_the_name_goes_first() -> None:
    call = Call(2, WRITE, streams=True)
    call.open_value("path")
    assert call.taken() == []
    call.add('a"b')
    first = call.taken()
    call.add("\n")
    call.close_value()
    rest = [*call.taken(), *call.finish()]

    assert (first[0].index, first[0].name, rest[0].name) == (2, "write_file", None)
    assert json.loads(joined(first + rest)) == {"path": 'a"b\n'}


def test_other_values_go_out_when_they_are_whole() -> None:
    call = Call(0, WEATHER, streams=True)
    call.open_value("days")
    call.add("1")
    call.add("2")
    assert call.taken() == []
    call.close_value()
    assert not call.begun
    assert joined(call.finish()) == '{"days":12}'


def test_nothing_goes_out_early_where_it_must_not() -> None:
    call = Call(0, WRITE, streams=False)
    call.open_value("path")
    call.add("abc")
    assert call.taken() == []


def test_a_call_is_whole_when_no_parameter_is_missing() -> None:
    call = Call(0, WEATHER, streams=False)
    assert not call.is_whole
    call.open_value("city")
    assert call.is_whole


def test_ids_are_never_the_same() -> None:
    assert len({new_call_id() for _ in range(100)}) == 100
