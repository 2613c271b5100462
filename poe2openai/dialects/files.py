"""GET, POST and DELETE /v1/files (OpenAI API reference, Files)."""

from dataclasses import dataclass
from typing import Any

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.dialects.form import Fields, FormFile

LONGEST_PURPOSE = 64


@dataclass(frozen=True, slots=True)
class NewFile:
    file: FormFile
    purpose: str


def decode(fields: Fields) -> NewFile:
    """Raises `GatewayError(INVALID_REQUEST)`, its `param` naming the field."""
    file = next((file for file in fields.files if file.field == "file"), None)
    if file is None:
        message = "Missing required parameter: 'file'. The request has to be a form (multipart/form-data) with a file."
        raise GatewayError(ErrorKind.INVALID_REQUEST, message, param="file")
    file.media("file")
    purpose = fields.values.get("purpose")
    if not isinstance(purpose, str) or not purpose:
        raise GatewayError(ErrorKind.INVALID_REQUEST, "Missing required parameter: 'purpose'.", param="purpose")
    return NewFile(file, purpose[:LONGEST_PURPOSE])


def file_body(id: str, *, name: str, size: int, purpose: str, created: float, expires: float) -> dict[str, Any]:
    """Times in Unix seconds; `size` in bytes."""
    return {
        "id": id,
        "object": "file",
        "bytes": size,
        "created_at": int(created),
        "expires_at": int(expires),
        "filename": name,
        "purpose": purpose,
        "status": "processed",
        "status_details": None,
    }
