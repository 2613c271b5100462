"""Films: what may be asked, and the lists of them."""

import contextlib
from typing import Any

import orjson
import pytest
from openai.types import VideoDeleteResponse

from poe2openai.core.content import content_of
from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.request import FileId, Inline, Url
from poe2openai.dialects.form import Fields, FormFile
from poe2openai.dialects.videos import (
    MAX_PAGE,
    MAX_PROMPT,
    Page,
    VideoRequest,
    decode,
    decode_page,
    decode_remix,
    render,
    render_deleted,
    render_list,
)


def asked(*files: FormFile, is_form: bool = False, default_model: str = "", **values: Any) -> VideoRequest:
    fields = Fields({"model": "m", "prompt": "A cat runs.", **values}, files, is_form=is_form or bool(files))
    return decode(fields, default_model=default_model)


def test_the_least_that_can_be_asked() -> None:
    assert asked() == VideoRequest("m", "A cat runs.", None, None, (), {})


@pytest.mark.parametrize(("is_form", "seconds"), [(False, "8"), (False, 8), (True, "8")])
def test_seconds_are_a_text_or_a_number(is_form: bool, seconds: Any) -> None:
    request = asked(is_form=is_form, seconds=seconds, size="1280x720", seed="7", user="u")

    assert request == VideoRequest("m", "A cat runs.", "8", "1280x720", (), {"seed": "7"})


def test_a_picture_to_begin_with() -> None:
    file = FormFile("input_reference", "a.png", "image/png", content_of(b"\x89PNG"))

    (sent,) = asked(file).references
    assert isinstance(sent.source, Inline)
    assert sent.param == "input_reference"
    (named,) = asked(input_reference={"image_url": "https://x.test/a.png"}).references
    assert named.source == Url("https://x.test/a.png")
    (stored,) = asked(input_reference={"file_id": "file-1"}).references
    assert stored.source == FileId("file-1")
    assert asked(input_reference="https://x.test/a.png").extra == {}


@pytest.mark.parametrize(
    ("values", "param"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"prompt": "x" * (MAX_PROMPT + 1)}, "prompt"),
        ({"seconds": 0}, "seconds"),
        ({"seconds": 3601}, "seconds"),
        ({"seconds": 1.5}, "seconds"),
        ({"seconds": "x" * 17}, "seconds"),
        ({"size": 720}, "size"),
        ({"size": "x" * 65}, "size"),
        ({"input_reference": "a.png"}, "input_reference"),
        ({"model": None}, "model"),
    ],
)
def test_what_cannot_be_asked_is_told_with_its_place(values: dict[str, Any], param: str) -> None:
    with pytest.raises(GatewayError) as caught:
        asked(**values)
    assert (caught.value.kind, caught.value.param) == (ErrorKind.INVALID_REQUEST, param)


def test_without_a_model_the_owners_is_taken() -> None:
    assert asked(model=None, default_model="default").model == "default"


class TestRemix:
    def test_its_prompt(self) -> None:
        assert decode_remix(b'{"prompt": "Make it blue."}') == "Make it blue."

    @pytest.mark.parametrize("body", [b"{}", b'{"prompt": ""}', b'{"prompt": 5}', b'{"prompt": null}'])
    def test_without_a_prompt_it_is_refused(self, body: bytes) -> None:
        with pytest.raises(GatewayError) as caught:
            decode_remix(body)
        assert caught.value.param == "prompt"

    def test_its_prompt_has_the_bound_of_any_films(self) -> None:
        with pytest.raises(GatewayError) as caught:
            decode_remix(orjson.dumps({"prompt": "x" * (MAX_PROMPT + 1)}))
        assert caught.value.param == "prompt"


class TestPages:
    def test_the_usual_one(self) -> None:
        assert decode_page(None, None, None) == decode_page("", "", "") == Page(20, None, "desc")

    def test_all_that_can_be_asked(self) -> None:
        assert decode_page("5", "video_1", "asc") == Page(5, "video_1", "asc")
        assert decode_page("1000", None, "desc") == Page(MAX_PAGE, None, "desc")

    @pytest.mark.parametrize("limit", ["0", "-1", "1.5", "x", "٣", " 5", "000"])
    def test_a_limit_that_is_none_is_refused(self, limit: str) -> None:
        with pytest.raises(GatewayError) as caught:
            decode_page(limit, None, None)
        assert (caught.value.kind, caught.value.param) == (ErrorKind.INVALID_REQUEST, "limit")

    @pytest.mark.parametrize("limit", ["9" * 5_000, "000000001" + "0" * 5_000, "0" * 5_000 + "1"])
    def test_a_limit_of_thousands_of_digits_harms_nobody(self, limit: str) -> None:
        """Python itself reads no number of more than 4,300."""
        page = Page(MAX_PAGE, None, "desc")
        with contextlib.suppress(GatewayError):
            page = decode_page(limit, None, None)
        assert 1 <= page.limit <= MAX_PAGE

    def shown(self, page: Page) -> tuple[list[str], bool]:
        items = [{"id": name} for name in "edcba"]
        body = orjson.loads(render_list(items, page))
        ids = [item["id"] for item in body["data"]]
        assert (body["object"], body["first_id"], body["last_id"]) == (
            "list", ids[0] if ids else None, ids[-1] if ids else None,
        )  # fmt: skip
        return ids, body["has_more"]

    @pytest.mark.parametrize(
        ("page", "ids", "has_more"),
        [
            (Page(2, None, "desc"), "ed", True),
            (Page(2, "d", "desc"), "cb", True),
            (Page(2, "b", "desc"), "a", False),
            (Page(2, "a", "desc"), "", False),
            (Page(5, None, "desc"), "edcba", False),
            (Page(3, None, "asc"), "abc", True),
            (Page(3, "c", "asc"), "de", False),
        ],
    )
    def test_of_a_list_that_has_the_latest_first(self, page: Page, ids: str, has_more: bool) -> None:
        assert self.shown(page) == ([*ids], has_more)

    def test_of_nothing(self) -> None:
        assert orjson.loads(render_list([], Page(20, "x", "desc"))) == {
            "object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False,
        }  # fmt: skip


def test_one_film_as_it_is_and_as_it_was() -> None:
    assert orjson.loads(render({"id": "video_1", "status": "queued"})) == {"id": "video_1", "status": "queued"}
    VideoDeleteResponse.model_validate_json(render_deleted("video_1", "video.deleted"), strict=True)
