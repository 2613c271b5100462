"""The files of a request become attachments that Poe knows; so do, for some models, those of their last answer."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from poe2openai.core.content import type_by_name
from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.request import FileId, Inline, Media, Message, ModelRequest, Part, Text, ToolResult, Url
from poe2openai.gateway.media_types import file_name
from poe2openai.gateway.parallel import all_of
from poe2openai.gateway.uploading import Uploaded, Uploader, Uploads
from poe2openai.poe.files import PoeFiles, clean_name, name_in
from poe2openai.store.files import FileIds, StoredFile

MOST_AT_ONCE = 4
"""More files of one request wait for each other."""

_ADDRESS = re.compile(r"https?://[^\s<>\"'()\[\]\\`]+", re.IGNORECASE)
_AROUND = ".,;:!?*_"  # what a sentence puts behind an address
_ABOUT_FILES = re.compile(r"attach|file|image|media|video|audio|url|download|fetch|expired|not found", re.IGNORECASE)
_LOST = (ErrorKind.INVALID_REQUEST, ErrorKind.UPSTREAM_INTERNAL, ErrorKind.UPSTREAM_ERROR)


@dataclass(frozen=True, slots=True)
class Attached:
    """A request whose files lie with Poe; `remembered` are the addresses of those that were there before."""

    request: ModelRequest
    remembered: tuple[str, ...] = ()


class Attachments:
    """One a worker."""

    def __init__(self, files: PoeFiles, uploads: Uploads, ids: FileIds) -> None:
        self._files = files
        self._uploads = uploads
        self._ids = ids

    def attach(
        self, request: ModelRequest, who: Uploader, on_silence: Callable[[], None], *, last_files: bool = False
    ) -> Attached:
        """All or nothing: a `GatewayError` names the part that failed, and who refused it.

        With `last_files`, the files of the last answer go with what the user says next.
        """
        if last_files:
            request = replace(request, messages=self._with_last_files(request.messages))
        media = list(dict.fromkeys(_media(request.messages)))
        if not media:
            return Attached(request)
        alike: dict[object, list[Media]] = {}
        for each in media:
            alike.setdefault(_identity(each), []).append(each)
        jobs = [partial(self._attachment, same[0], who) for same in alike.values()]
        found = all_of(jobs, most=MOST_AT_ONCE, on_silence=on_silence)
        made = {
            each: _attached(each, uploaded)
            for same, uploaded in zip(alike.values(), found, strict=True)
            for each in same
        }
        remembered = tuple(uploaded.upload.url for uploaded in found if uploaded is not None and uploaded.was_known)
        # What became an attachment is not to be held as long as the answer lasts.
        used = {each.source.content for each in media if isinstance(each.source, Inline)}
        lifted = {word: content for word, content in request.lifted.items() if content not in used}
        return Attached(replace(request, messages=_replaced(request.messages, made), lifted=lifted), remembered)

    def forget(self, attached: Attached) -> None:
        """Poe no longer knows what was remembered."""
        self._uploads.forget(attached.remembered)

    def _attachment(self, media: Media, who: Uploader, on_silence: Callable[[], None]) -> Uploaded | None:
        """None for what lies with Poe as it is."""
        try:
            match media.source:
                case Inline(content):
                    return self._uploads.of_content(content, _name(media), media.media_type, who, on_silence)
                case Url(url) if not self._files.is_poes(url):
                    return self._uploads.of_address(url, _name(media), media.media_type, who, on_silence)
                case FileId(file_id):
                    # Not to be forgotten, whatever Poe says of it: there are no bytes here to upload again.
                    return Uploaded(self._stored(file_id, who).upload, was_known=False)
                case _:
                    return None
        except GatewayError as error:
            raise _placed(error, media.param) from None

    def _stored(self, file_id: str, who: Uploader) -> StoredFile:
        file = self._ids.find(who.caller.account, file_id)
        if file is None:
            message = f"There is no file '{file_id[:100]}' here (any more): upload it again."
            raise GatewayError(ErrorKind.INVALID_REQUEST, message)
        return file

    def _with_last_files(self, messages: Sequence[Message]) -> tuple[Message, ...]:
        last = messages[-1]
        answer = next((message for message in reversed(messages[:-1]) if message.role == "assistant"), None)
        if last.role != "user" or answer is None:
            return tuple(messages)
        there = {media.source for media in _media(messages)}
        texts = "\n".join(part.text for part in answer.parts if isinstance(part, Text))
        urls = dict.fromkeys(found.rstrip(_AROUND) for found in _ADDRESS.findall(texts))
        param = f"messages[{len(messages) - 1}].content"
        again: list[Part] = [
            Media(Url(url), None, None, param) for url in urls if self._files.is_poes(url) and Url(url) not in there
        ]
        return (*messages[:-1], replace(last, parts=(*last.parts, *again))) if again else tuple(messages)


def may_be_lost(error: GatewayError) -> bool:
    """Whether Poe may have meant a file that it no longer knows; it has no error of its own for that."""
    return error.kind in _LOST and _ABOUT_FILES.search(error.message) is not None


def holds_media(messages: Iterable[Message]) -> bool:
    return any(True for _ in _media(messages))


def _media(messages: Iterable[Message]) -> Iterator[Media]:
    for message in messages:
        for part in message.parts:
            if isinstance(part, Media):
                yield part
            elif isinstance(part, ToolResult):
                yield from (each for each in part.parts if isinstance(each, Media))


def _identity(media: Media) -> object:
    """The same file is uploaded once, in however many places it stands."""
    return media.source.content.sha256 if isinstance(media.source, Inline) else media.source


def _name(media: Media) -> str | None:
    return clean_name(media.name) or None if media.name else None


def _attached(media: Media, uploaded: Uploaded | None) -> Media:
    if uploaded is None:
        assert isinstance(media.source, Url)  # noqa: S101 (see `_attachment`)
        name = _name(media) or name_in(media.source.url)
        return replace(media, name=name, media_type=media.media_type or type_by_name(name))
    upload = uploaded.upload
    name = file_name(_name(media), upload.media_type) if media.name else upload.name
    said = media.media_type or type_by_name(media.name or "")
    # The same bytes may be a text of one kind here and of another there.
    both_texts = said is not None and said.startswith("text/") and upload.media_type.startswith("text/")
    return replace(media, source=Url(upload.url), media_type=said if both_texts else upload.media_type, name=name)


def _replaced(messages: Sequence[Message], made: Mapping[Media, Media]) -> tuple[Message, ...]:
    return tuple([replace(message, parts=_replaced_parts(message.parts, made)) for message in messages])


def _replaced_parts(parts: Sequence[Part], made: Mapping[Media, Media]) -> tuple[Part, ...]:
    return tuple(
        [
            made[part]
            if isinstance(part, Media)
            else replace(part, parts=_replaced_parts(part.parts, made))
            if isinstance(part, ToolResult)
            else part
            for part in parts
        ]
    )


def _placed(error: GatewayError, param: str) -> GatewayError:
    """Which part it was, and whether Poe refused it or the gateway."""
    who = "Poe did not take" if error.upstream_status is not None else "The gateway could not hand over"
    message = f"{who} the file at '{param}': {error.message}"
    return GatewayError(
        error.kind, message, param=param, retry_after=error.retry_after, upstream_status=error.upstream_status
    )
