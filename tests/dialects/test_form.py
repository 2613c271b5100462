"""A request's fields and files: the same whether they came as a form or as JSON."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poe2openai.core.content import content_of
from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.request import FileId, Inline, Media, Url
from poe2openai.dialects.form import MAX_FILES, Fields, FormFile, fields_of_form, fields_of_json
from poe2openai.dialects.lifting import LiftedBody

PICTURE = content_of(b"\x89PNG")


def sent(field: str, name: str | None = "a.png", data: bytes = b"\x89PNG") -> FormFile:
    return FormFile(field, name, "image/png", content_of(data))


def refusal(fields: Fields, name: str = "image") -> tuple[str | None, str]:
    with pytest.raises(GatewayError) as caught:
        fields.media(name)
    assert caught.value.kind is ErrorKind.INVALID_REQUEST
    return caught.value.param, caught.value.message


def data_of(media: Media) -> bytes:
    assert isinstance(media.source, Inline)
    return b"".join(media.source.content.pieces)


class TestFiles:
    @pytest.mark.parametrize("field", ["image", "image[]", "image[0]"])
    def test_one_is_found_however_its_list_is_written(self, field: str) -> None:
        file = sent(field)
        fields = fields_of_form({}, (file,))

        assert fields.media("image") == [Media(Inline(file.content), "image/png", "a.png", "image")]
        assert fields.media("mask") == fields.media("imag") == []

    def test_several_keep_their_order_and_have_a_place_each(self) -> None:
        found = fields_of_form({}, (sent("image[]", "1"), sent("mask"), sent("image[]", None))).media("image")

        assert [(media.name, media.param) for media in found] == [("1", "image[0]"), (None, "image[1]")]

    def test_an_empty_one_is_refused_with_its_place(self) -> None:
        param, message = refusal(fields_of_form({}, (sent("image[]"), sent("image[]", data=b""))))

        assert param == "image[1]"
        assert "empty" in message

    def test_there_may_be_only_so_many(self) -> None:
        files = tuple(sent("image[]", str(at)) for at in range(MAX_FILES))
        assert len(fields_of_form({}, files).media("image")) == MAX_FILES

        assert refusal(fields_of_form({"image": ["https://x.test/a.png"]}, files))[0] == "image"
        assert refusal(Fields({"image": ["https://x.test/a.png"] * (MAX_FILES + 1)}))[0] == "image"


class TestNamedFiles:
    @pytest.mark.parametrize(
        ("value", "source", "param"),
        [
            ("https://x.test/a.png", Url("https://x.test/a.png"), "image"),
            ("file-abc", FileId("file-abc"), "image"),
            ({"image_url": "https://x.test/a.png"}, Url("https://x.test/a.png"), "image.image_url"),
            ({"image_url": {"url": "https://x.test/a.png"}}, Url("https://x.test/a.png"), "image.image_url"),
            ({"url": "https://x.test/a.png"}, Url("https://x.test/a.png"), "image.url"),
            ({"file_id": "file-abc"}, FileId("file-abc"), "image.file_id"),
            ({"image_url": "", "file_id": "file-abc"}, FileId("file-abc"), "image.file_id"),
            ({"image_url": None, "file_id": "file-abc"}, FileId("file-abc"), "image.file_id"),
        ],
    )
    def test_by_address_or_id(self, value: Any, source: Any, param: str) -> None:
        assert Fields({"image": value}).media("image") == [Media(source, None, None, param)]
        place = param.replace("image", "image[0]", 1)
        assert Fields({"image": [value]}).media("image") == [Media(source, None, None, place)]

    def test_a_data_url_is_the_file_itself(self) -> None:
        (media,) = Fields({"image": "data:image/png;base64,iVBORw=="}).media("image")

        assert (data_of(media), media.media_type, media.param) == (b"\x89PNG", "image/png", "image")

    def test_beside_files_that_were_sent_along(self) -> None:
        found = fields_of_form({"image": ["https://x.test/a.png"]}, (sent("image"),)).media("image")

        assert [type(media.source) for media in found] == [Inline, Url]

    @pytest.mark.parametrize("nothing", [None, "", []])
    def test_no_value_is_no_file(self, nothing: Any) -> None:
        assert Fields({"image": nothing}).media("image") == []

    @pytest.mark.parametrize(
        "value",
        [5, True, "a.png", "iVBORw==", "ftp://x.test/a", {}, {"image_url": 5}, {"image_url": {}}, {"file_id": ""},
         [[]], ["https://x.test/a", None], {"image_url": {"url": {"url": "https://x.test"}}}],
    )  # fmt: skip
    def test_anything_else_is_refused_with_its_place(self, value: Any) -> None:
        param, message = refusal(Fields({"image": value}))

        assert (param or "").startswith("image")
        assert len(message) < 300

    def test_a_value_is_never_shown_in_the_refusal(self) -> None:
        assert "secret" not in refusal(Fields({"image": "secret" * 1000}))[1]


class TestFieldsOfAForm:
    def test_of_one_text_given_twice_the_last_counts(self) -> None:
        fields = fields_of_form({"model": ["a", "b"]}, ())

        assert (fields.values, fields.is_form) == ({"model": "b"}, True)

    def test_lists_and_objects(self) -> None:
        texts = {"a[]": ["1", "2"], "b[0]": ["x"], "b[1]": ["y"], "c[key]": ["v"], "c[other]": ["w", "z"]}

        assert fields_of_form(texts, ()).values == {"a": ["1", "2"], "b": ["x", "y"], "c": {"key": "v", "other": "z"}}

    @pytest.mark.parametrize(
        "texts",
        [
            {"a": ["1"], "a[]": ["2"]},
            {"a[]": ["2"], "a[key]": ["3"]},
            {"a[key]": ["3"], "a[]": ["2"]},
            {"a": ["1"], "a[key]": ["3"]},
            {"a[": ["1"], "a]": ["2"], "[": ["3"], "[]": ["4"], "": ["5"]},
        ],
    )
    def test_names_that_contradict_each_other_harm_nobody(self, texts: dict[str, list[str]]) -> None:
        assert fields_of_form(texts, ()).values

    @given(st.dictionaries(st.text(st.sampled_from("ab[]0²é "), max_size=6), st.lists(st.text(), min_size=1)))
    def test_any_names_can_be_read(self, texts: dict[str, list[str]]) -> None:
        fields = fields_of_form(texts, (sent("a[0]"),))

        assert {name.partition("[")[0] for name in texts} == fields.values.keys()


class TestFieldsOfJson:
    def test_they_are_what_the_object_says(self) -> None:
        fields = fields_of_json(LiftedBody(b'{"model": "m", "n": 2, "image": "https://x.test/a.png"}'))

        assert fields.values == {"model": "m", "n": 2, "image": "https://x.test/a.png"}
        assert (fields.files, fields.is_form) == ((), False)

    def test_what_was_lifted_out_of_it_is_found_again(self) -> None:
        body = LiftedBody(b'{"image": ["data:image/png;base64,word", "data:image/gif;base64,AAAA"]}', {"word": PICTURE})
        first, second = fields_of_json(body).media("image")

        assert isinstance(first.source, Inline)
        assert first.source.content is PICTURE
        assert (data_of(second), second.media_type, second.param) == (bytes(3), "image/gif", "image[1]")

    @pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b"\xff"])
    def test_what_is_no_object_is_refused(self, body: bytes) -> None:
        with pytest.raises(GatewayError, match="The body"):
            fields_of_json(LiftedBody(body))
