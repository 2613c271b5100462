"""What one request did, for the log: filled on the way, read when the answer is over."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from poe2openai.core.events import AnswerEvent, Failed, Finished, PartDelta, PartStarted, Started, Usage
from poe2openai.core.request import ModelRequest, Text

# English prose has about four characters a token; good enough for a log line that nobody paid a count for.
_CHARACTERS_PER_TOKEN = 4

_FORMAT_NOTE = "response_format: "  # how such a note of the pipeline begins
_LONGEST_FORMAT_ERROR = 500  # characters
_LONGEST_TEXT = 4000  # characters of a question, or of an answer, that are recorded
_BETWEEN_WORDS = re.compile(r"[\s\x00-\x1f\x7f]+")  # control characters too, which no header may hold


class Texts:
    """What was said, where the owner wants that recorded: the beginnings alone."""

    __slots__ = ("_asked", "_is_text", "_pieces", "_room", "question")

    def __init__(self) -> None:
        self.question: str | None = None
        self._asked = 0
        self._pieces: list[str] = []
        self._room = _LONGEST_TEXT
        self._is_text: dict[int, bool] = {}

    @property
    def answer(self) -> str | None:
        """None of several at once, whose pieces come in between each other."""
        return ("".join(self._pieces) or None) if self._asked <= 1 else None

    def ask(self, request: ModelRequest) -> None:
        """Keeps the text of the user's last message."""
        self._asked += 1
        for message in reversed(request.messages):
            if message.role == "user":
                texts = (part.text[:_LONGEST_TEXT] for part in message.parts if isinstance(part, Text))
                self.question = "\n".join(texts)[:_LONGEST_TEXT]
                return

    def see(self, batch: list[AnswerEvent]) -> None:
        """Keeps what is no thought and no tool's arguments."""
        for event in batch:
            if isinstance(event, Started):
                # Of an answer that was asked for once more, the last counts.
                self._pieces.clear()
                self._room = _LONGEST_TEXT
            elif isinstance(event, PartStarted):
                self._is_text[event.index] = event.kind == "text"
            elif isinstance(event, PartDelta) and self._room > 0 and self._is_text.get(event.index):
                piece = event.text[: self._room]
                self._pieces.append(piece)
                self._room -= len(piece)


@dataclass(slots=True)
class RequestRecord:
    """Times are seconds of the monotonic clock; `status` is the HTTP status that the client saw.

    `sender` is what the client says of itself: its X-Title, Referer and User-Agent. `texts` is there where texts are
    recorded; `on_over` is told once, when the request is over.
    """

    id: str
    started: float = field(default_factory=time.monotonic)
    caller: str = ""
    model: str = ""
    bot: str = ""
    stream: bool = False
    attempts: int = 0
    status: int = 0
    first_token: float | None = None
    input_bytes: int = 0
    output_characters: int = 0
    output_bytes: int = 0
    usage: Usage | None = None
    reason: str = ""
    error: str = ""
    hung_up: bool = False
    notes: list[str] = field(default_factory=list)
    sender: tuple[str, str, str] = ("", "", "")
    texts: Texts | None = None
    on_over: Callable[["RequestRecord", str, str], None] | None = None

    def of_work(self) -> "RequestRecord":
        """A record of its own for work that goes on when its request has been answered."""
        return RequestRecord(
            id=self.id,
            caller=self.caller,
            model=self.model,
            bot=self.bot,
            sender=self.sender,
            texts=self.texts,
            on_over=self.on_over,
        )

    def see(self, batch: list[AnswerEvent]) -> None:
        """Takes note of what is on its way to the client."""
        if self.texts is not None:
            self.texts.see(batch)
        if self.first_token is not None and len(batch) == 1 and type(delta := batch[0]) is PartDelta:
            self.output_characters += len(delta.text)
            return
        for event in batch:
            match event:
                case PartDelta(text=text):
                    if self.first_token is None:
                        self.first_token = time.monotonic()
                    self.output_characters += len(text)
                case Finished(reason, usage):
                    self.reason = reason
                    self.usage = usage if self.usage is None or usage is None else self.usage + usage
                case Failed(error):
                    self.error = error.kind.code
                case _:
                    pass

    @property
    def format_error(self) -> str:
        """Why the answer is not of the form that was asked for; in ASCII and on one line, for a header."""
        note = next((note for note in self.notes if note.startswith(_FORMAT_NOTE)), "")
        line = _BETWEEN_WORDS.sub(" ", note.removeprefix(_FORMAT_NOTE)).strip()
        return line.encode("ascii", "backslashreplace").decode()[:_LONGEST_FORMAT_ERROR]

    def tokens(self) -> tuple[str, str]:
        """Tokens in and out as the log shows them, a rough guess marked by a tilde."""
        tokens_in, tokens_out, guessed = self.token_counts()
        tilde = "~" if guessed else ""
        return f"{tilde}{tokens_in}", f"{tilde}{tokens_out}"

    def token_counts(self) -> tuple[int, int, bool]:
        """Tokens in and out, and whether they are but a rough guess."""
        if self.usage is not None:
            return self.usage.input_tokens, self.usage.output_tokens, False
        return self.input_bytes // _CHARACTERS_PER_TOKEN, self.output_characters // _CHARACTERS_PER_TOKEN, True
