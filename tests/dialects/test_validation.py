from typing import Annotated, Any, Literal

import pytest
from pydantic import AfterValidator, BaseModel, Field
from typing_extensions import TypedDict

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.dialects.validation import path_of, validate


class Circle(TypedDict):
    kind: Literal["circle", "disc"]
    radius: float


class Square(TypedDict):
    kind: Literal["square"]
    square: dict[str, int]


def even(value: int) -> int:
    if value % 2:
        raise ValueError("odd")
    return value


class Drawing(BaseModel):
    name: Annotated[str, Field(min_length=1, max_length=20)]
    shapes: Annotated[
        list[Annotated[Circle | Square, Field(discriminator="kind")]], Field(min_length=1, max_length=3, fail_fast=True)
    ] = []
    caption: str | list[Circle] | None = None
    colour: Literal["red", "blue"] | dict[str, Any] | None = None
    weights: dict[str, Annotated[float, Field(ge=-1, le=1)]] = {}
    pages: Annotated[int, Field(gt=0), AfterValidator(even)] | None = None
    done: bool | None = None


def refusal(**body: Any) -> tuple[str | None, str]:
    with pytest.raises(GatewayError) as caught:
        validate(Drawing, {"name": "x", **body})
    assert caught.value.kind is ErrorKind.INVALID_REQUEST
    return caught.value.param, caught.value.message


def test_a_valid_body_becomes_the_model() -> None:
    drawing = validate(Drawing, {"name": "x", "shapes": [{"kind": "circle", "radius": 1}], "pages": 2})

    assert drawing.shapes == [{"kind": "circle", "radius": 1.0}]
    assert drawing.pages == 2


def test_a_missing_parameter() -> None:
    with pytest.raises(GatewayError) as caught:
        validate(Drawing, {})

    assert (caught.value.param, caught.value.message) == ("name", "Missing required parameter: 'name'.")


@pytest.mark.parametrize(
    ("body", "param", "message"),
    [
        ({"name": 5}, "name", "Invalid type for 'name': expected a string, got an integer."),
        ({"name": None}, "name", "Invalid type for 'name': expected a string, got null."),
        ({"done": "yes"}, "done", "Invalid type for 'done': expected a boolean, got a string."),
        ({"pages": "2"}, "pages", "Invalid type for 'pages': expected an integer, got a string."),
        ({"pages": True}, "pages", "Invalid type for 'pages': expected an integer, got a boolean."),
        ({"weights": []}, "weights", "Invalid type for 'weights': expected an object, got a list."),
        ({"weights": {"a": {}}}, "weights.a", "Invalid type for 'weights.a': expected a number, got an object."),
        ({"shapes": {}}, "shapes", "Invalid type for 'shapes': expected a list, got an object."),
        ({"shapes": ["x"]}, "shapes[0]", "Invalid type for 'shapes[0]': expected an object, got a string."),
        ({"caption": 1.5}, "caption", "Invalid type for 'caption': expected a string or a list, got a number."),
        ({"colour": 1}, "colour", "Invalid type for 'colour': expected a string or an object, got an integer."),
    ],
)
def test_a_wrong_type_is_told_in_words_of_json(body: dict[str, Any], param: str, message: str) -> None:
    assert refusal(**body) == (param, message)


@pytest.mark.parametrize(
    ("body", "param", "message"),
    [
        ({"weights": {"a": 2}}, "weights.a", "Invalid value for 'weights.a': expected at most 1, got 2."),
        ({"weights": {"a": -1.5}}, "weights.a", "Invalid value for 'weights.a': expected at least -1, got -1.5."),
        ({"pages": 0}, "pages", "Invalid value for 'pages': expected more than 0, got 0."),
        ({"name": ""}, "name", "Invalid value for 'name': expected at least 1 character(s), got ''."),
        ({"shapes": []}, "shapes", "Invalid value for 'shapes': expected at least 1 item(s), got 0."),
        (
            {"shapes": [{"kind": "circle", "radius": 1}] * 4},
            "shapes",
            "Invalid value for 'shapes': expected at most 3 items, got 4.",
        ),
        ({"pages": 3}, "pages", "Invalid value for 'pages': Value error, odd."),
        (
            {"colour": "green"},
            "colour",
            "Invalid value: 'green' at colour. Supported values are: 'red' or 'blue'.",
        ),
    ],
)
def test_a_value_out_of_bounds_is_told_with_the_bound(body: dict[str, Any], param: str, message: str) -> None:
    assert refusal(**body) == (param, message)


def test_a_kind_that_is_not_known_is_told_with_those_that_are() -> None:
    param, message = refusal(shapes=[{"kind": "circle", "radius": 1}, {"kind": "hologram"}])

    assert param == "shapes[1].kind"
    assert message == ("Invalid value: 'hologram' at shapes[1].kind. Supported values are: 'circle', 'disc', 'square'.")


@pytest.mark.parametrize("kind", [5, None, [], {}, True])
def test_a_kind_that_is_no_string(kind: Any) -> None:
    param, message = refusal(shapes=[{"kind": kind}])

    assert param == "shapes[0].kind"
    assert message.startswith("Invalid type for 'shapes[0].kind': expected a string, got ")


def test_an_object_without_its_kind() -> None:
    assert refusal(shapes=[{}]) == ("shapes[0].kind", "Missing required parameter: 'shapes[0].kind'.")


def test_the_branch_of_a_union_is_no_part_of_the_path() -> None:
    assert refusal(caption=[{"kind": "circle"}])[0] == "caption[0].radius"
    assert refusal(shapes=[{"kind": "circle"}])[0] == "shapes[0].radius"


def test_a_branch_with_the_name_of_a_field_does_not_confuse_the_path() -> None:
    assert refusal(shapes=[{"kind": "square"}])[0] == "shapes[0].square"
    assert refusal(shapes=[{"kind": "square", "square": {"side": "x"}}])[0] == "shapes[0].square.side"


def test_the_first_error_is_told() -> None:
    assert refusal(caption=5, done=5)[0] == "caption"


@pytest.mark.parametrize("value", ["x" * 1_000_000, "\n" * 1_000_000])
def test_a_message_never_echoes_a_long_value(value: str) -> None:
    for body in ({"name": value}, {"colour": value}, {"shapes": [{"kind": value}]}, {"weights": {value: "x"}}):
        param, message = refusal(**body)

        assert len(message) < 500
        assert "\n" not in message
        assert param is not None
        assert len(param) < 300
        assert "\n" not in param


def test_paths_as_openai_writes_them() -> None:
    assert path_of(("messages", 0, "content", 1, "text")) == "messages[0].content[1].text"
    assert path_of(("logit_bias", "a\nb")) == r"logit_bias.a\nb"
    assert path_of(()) == ""
