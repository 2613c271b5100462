"""Files that are uploaded first: what has to be in the form, and the object that names one."""

from typing import Any

import pytest
from openai.types import FileObject

from poe2openai.core.content import content_of
from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.dialects.files import LONGEST_PURPOSE, NewFile, decode, file_body
from poe2openai.dialects.form import Fields, FormFile

PDF = FormFile("file", "a.pdf", "application/pdf", content_of(b"%PDF"))


def test_a_file_and_its_purpose() -> None:
    other = FormFile("other", "b", None, content_of(b"b"))

    assert decode(Fields({"purpose": "user_data"}, (other, PDF), is_form=True)) == NewFile(PDF, "user_data")


def test_a_purpose_is_kept_as_long_as_the_store_has_room_for() -> None:
    assert decode(Fields({"purpose": "x" * 1000}, (PDF,), is_form=True)).purpose == "x" * LONGEST_PURPOSE


@pytest.mark.parametrize(
    ("values", "files", "param"),
    [
        ({"purpose": "user_data"}, (), "file"),
        ({"purpose": "user_data", "file": "https://x.test/a.pdf"}, (), "file"),
        ({"purpose": "user_data"}, (FormFile("file", "a", None, content_of(b"")),), "file"),
        ({}, (PDF,), "purpose"),
        ({"purpose": ""}, (PDF,), "purpose"),
        ({"purpose": ["a"]}, (PDF,), "purpose"),
    ],
)
def test_what_is_missing_is_told(values: dict[str, Any], files: tuple[FormFile, ...], param: str) -> None:
    with pytest.raises(GatewayError) as caught:
        decode(Fields(values, files, is_form=True))
    assert (caught.value.kind, caught.value.param) == (ErrorKind.INVALID_REQUEST, param)


def test_the_object_has_openais_shape() -> None:
    body = file_body(
        "file-1", name="é.pdf", size=4, purpose="user_data", created=1_700_000_000.9, expires=1_700_003_600.9
    )

    told = FileObject.model_validate(body, strict=True)
    assert (told.id, told.bytes, told.filename, told.purpose) == ("file-1", 4, "é.pdf", "user_data")
    assert (told.created_at, told.expires_at, told.status) == (1_700_000_000, 1_700_003_600, "processed")
