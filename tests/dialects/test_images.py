"""What may be asked of a maker of pictures, and its answer, judged by the official SDK's types."""

from typing import Any

import orjson
import pytest
from openai.types import ImagesResponse
from openai.types.image_edit_completed_event import ImageEditCompletedEvent
from openai.types.image_edit_partial_image_event import ImageEditPartialImageEvent
from openai.types.image_gen_completed_event import ImageGenCompletedEvent
from openai.types.image_gen_partial_image_event import ImageGenPartialImageEvent
from sseclient import SSEClient

from poe2openai.core.content import content_of
from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.request import Inline, Url
from poe2openai.dialects.form import Fields, FormFile
from poe2openai.dialects.images import (
    MAX_PICTURES,
    MAX_PROMPT,
    MAX_UNKNOWN,
    ImagesRequest,
    Picture,
    completed_event,
    decode_edit,
    decode_generation,
    own_parameters,
    partial_event,
    render,
)

NOW = 1_700_000_000
URL = "https://pfst.cf2.poecdn.net/a.png"
PNG = Picture(URL, "iVBORw==", "image/png")
USAGE = {
    "input_tokens": 5,
    "input_tokens_details": {"text_tokens": 5, "image_tokens": 0},
    "output_tokens": 0,
    "total_tokens": 5,
}


def asked(is_form: bool = False, default_model: str = "", **values: Any) -> ImagesRequest:
    return decode_generation(Fields({"model": "m", "prompt": "A cat.", **values}, is_form=is_form),
                             default_model=default_model)  # fmt: skip


def refusal(is_form: bool = False, **values: Any) -> tuple[str | None, str]:
    with pytest.raises(GatewayError) as caught:
        asked(is_form, **values)
    assert caught.value.kind is ErrorKind.INVALID_REQUEST
    return caught.value.param, caught.value.message


def file(field: str, name: str) -> FormFile:
    return FormFile(field, name, "image/png", content_of(name.encode()))


def edit(*files: FormFile, **values: Any) -> ImagesRequest:
    fields = Fields({"model": "m", "prompt": "Blue.", **values}, files, is_form=bool(files))
    return decode_edit(fields, default_model="")


def test_the_least_that_can_be_asked() -> None:
    assert asked() == ImagesRequest("m", "A cat.", 1, {}, {}, (), None, None, stream=False, partial_images=0)


def test_all_that_can_be_asked() -> None:
    """Every field of OpenAI's reference is taken; those that no bot has a name for are not sent to it."""
    request = asked(
        n=4,
        size="1024x1536",
        quality="high",
        style="vivid",
        background="transparent",
        output_format="webp",
        output_compression=80,
        moderation="low",
        user="u",
        safety_identifier="s",
        response_format="b64_json",
        stream=True,
        partial_images=2,
        seed=7,
    )

    assert request.options == {
        "size": "1024x1536",
        "quality": "high",
        "style": "vivid",
        "background": "transparent",
        "output_format": "webp",
    }
    assert (request.n, request.response_format, request.stream, request.partial_images) == (4, "b64_json", True, 2)
    assert request.extra == {"seed": 7}


def test_a_forms_texts_are_read_as_what_they_are_to_be() -> None:
    request = asked(is_form=True, n="3", stream="true", partial_images="1", output_compression="50", seed="7")

    assert (request.n, request.stream, request.partial_images, request.extra) == (3, True, 1, {"seed": "7"})


@pytest.mark.parametrize(
    ("values", "param"),
    [
        ({"prompt": None}, "prompt"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": 5}, "prompt"),
        ({"prompt": "x" * (MAX_PROMPT + 1)}, "prompt"),
        ({"n": 0}, "n"),
        ({"n": MAX_PICTURES + 1}, "n"),
        ({"n": "2"}, "n"),
        ({"n": 1.5}, "n"),
        ({"n": True}, "n"),
        ({"size": 1024}, "size"),
        ({"size": "x" * 65}, "size"),
        ({"quality": []}, "quality"),
        ({"response_format": "png"}, "response_format"),
        ({"stream": "true"}, "stream"),
        ({"partial_images": 4}, "partial_images"),
        ({"model": "x" * 513}, "model"),
        ({"model": 5}, "model"),
    ],
)
def test_what_cannot_be_asked_is_told_with_its_place(values: dict[str, Any], param: str) -> None:
    told, message = refusal(**values)

    assert told == param
    assert len(message) < 400


@pytest.mark.parametrize(
    ("values", "param"),
    [({"n": "two"}, "n"), ({"n": "1.5"}, "n"), ({"n": "11"}, "n"), ({"stream": "maybe"}, "stream"),
     ({"response_format": "png"}, "response_format")],
)  # fmt: skip
def test_a_forms_texts_have_their_bounds_too(values: dict[str, Any], param: str) -> None:
    assert refusal(is_form=True, **values)[0] == param


@pytest.mark.parametrize("nothing", [None, ""])
def test_without_a_model_the_owners_is_taken(nothing: str | None) -> None:
    assert asked(model=nothing, default_model="default").model == "default"
    assert refusal(model=nothing) == ("model", "Missing required parameter: 'model'.")


class TestEdits:
    def test_the_pictures_come_in_their_order_and_the_mask_apart(self) -> None:
        request = edit(file("image[]", "1"), file("mask", "m"), file("image[]", "2"), n="2")

        assert [picture.name for picture in request.pictures] == ["1", "2"]
        assert request.mask is not None
        assert (request.mask.name, request.n) == ("m", 2)
        assert request.extra == {}

    def test_they_may_be_named_in_json(self) -> None:
        """As `image`, or as `images` of objects (OpenAI API reference, Images, edit)."""
        request = edit(image="data:image/png;base64,iVBORw==", images=[{"image_url": URL}], mask={"file_id": "file-1"})

        inline, named = request.pictures
        assert isinstance(inline.source, Inline)
        assert named.source == Url(URL)
        assert request.mask is not None
        assert request.extra == {}

    def test_without_a_picture_there_is_nothing_to_edit(self) -> None:
        with pytest.raises(GatewayError, match="'image'") as caught:
            edit()
        assert caught.value.param == "image"

    def test_the_rest_is_checked_as_in_a_generation(self) -> None:
        with pytest.raises(GatewayError) as caught:
            edit(file("image", "1"), prompt="")
        assert caught.value.param == "prompt"


class TestOwnParameters:
    def test_extra_body_is_unpacked_and_weaker_than_what_stands_beside_it(self) -> None:
        extra = {"seed": 1, "extra_body": {"seed": 2, "steps": 3}, "nothing": None}
        assert own_parameters(extra) == {"seed": 1, "steps": 3}

    @pytest.mark.parametrize("extra_body", [None, "x", [], 5])
    def test_an_extra_body_that_is_none_is_left_out(self, extra_body: Any) -> None:
        assert own_parameters({"a": 1, "extra_body": extra_body}) == {"a": 1}

    def test_they_have_bounds(self) -> None:
        deep: Any = []
        for _ in range(300):
            deep = [deep]
        with pytest.raises(GatewayError, match="nested too deeply"):
            own_parameters({"a": deep})
        with pytest.raises(GatewayError, match="Too many unknown"):
            own_parameters({str(at): 1 for at in range(MAX_UNKNOWN + 1)})

    def test_those_of_extra_body_count_as_well(self) -> None:
        with pytest.raises(GatewayError, match="Too many unknown"):
            own_parameters({"extra_body": {str(at): 1 for at in range(MAX_UNKNOWN + 1)}})


class TestAnswer:
    def whole(self, *pictures: Picture, text: str = "") -> dict[str, Any]:
        body: dict[str, Any] = orjson.loads(render(pictures, created=NOW, text=text, prompt_tokens=5))
        ImagesResponse.model_validate(body, strict=True)
        return body

    def test_with_address_and_bytes(self) -> None:
        assert self.whole(PNG) == {
            "created": NOW,
            "data": [{"url": URL, "b64_json": "iVBORw=="}],
            "output_format": "png",
            "usage": USAGE,
        }

    def test_what_the_client_does_not_want_is_left_out(self) -> None:
        data = self.whole(Picture(None, "iVBORw==", "image/webp"), Picture(URL, None, "image/webp"))["data"]
        assert data == [{"b64_json": "iVBORw=="}, {"url": URL}]

    def test_what_the_bot_said_is_the_prompt_as_revised(self) -> None:
        assert self.whole(PNG, text="A red cat.")["data"][0]["revised_prompt"] == "A red cat."

    @pytest.mark.parametrize(
        ("media_type", "told"), [("image/jpeg", "jpeg"), ("image/svg+xml", "svg"), ("image/gif", "gif")]
    )
    def test_the_format_has_openais_name(self, media_type: str, told: str) -> None:
        assert self.whole(Picture(URL, None, media_type))["output_format"] == told

    def test_none_at_all(self) -> None:
        assert self.whole() == {"created": NOW, "data": [], "usage": USAGE}


class TestStream:
    def frames(self, stream: bytes) -> list[tuple[str, dict[str, Any]]]:
        return [(event.event, orjson.loads(event.data)) for event in SSEClient(iter([stream])).events()]

    @pytest.mark.parametrize(
        ("kind", "model"),
        [("image_generation", ImageGenPartialImageEvent), ("image_edit", ImageEditPartialImageEvent)],
    )
    def test_a_picture_on_its_way(self, kind: str, model: Any) -> None:
        ((name, event),) = self.frames(partial_event(kind, PNG, created=NOW, index=1))

        model.model_validate(event, strict=True)
        assert name == event["type"] == f"{kind}.partial_image"
        assert (event["partial_image_index"], event["b64_json"], event["created_at"]) == (1, "iVBORw==", NOW)

    @pytest.mark.parametrize(
        ("kind", "model"), [("image_generation", ImageGenCompletedEvent), ("image_edit", ImageEditCompletedEvent)]
    )
    def test_a_whole_picture(self, kind: str, model: Any) -> None:
        ((name, event),) = self.frames(completed_event(kind, PNG, created=NOW, prompt_tokens=5))

        model.model_validate(event, strict=True)
        assert name == event["type"] == f"{kind}.completed"
        assert (event["b64_json"], event["output_format"], event["usage"]) == ("iVBORw==", "png", USAGE)
