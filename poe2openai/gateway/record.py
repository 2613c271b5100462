"""What one request did, for the log: filled on the way, read when the answer is over."""

import re
import time
from dataclasses import dataclass, field

from poe2openai.core.events import AnswerEvent, Failed, Finished, PartDelta, Usage

# English prose has about four characters a token; good enough for a log line that nobody paid a count for.
_CHARACTERS_PER_TOKEN = 4

_FORMAT_NOTE = "response_format: "  # how such a note of the pipeline begins
_LONGEST_FORMAT_ERROR = 500  # characters
_BETWEEN_WORDS = re.compile(r"[\s\x00-\x1f\x7f]+")  # control characters too, which no header may hold


@dataclass(slots=True)
class RequestRecord:
    """Times are seconds of the monotonic clock; `status` is the HTTP status that the client saw."""

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

    def see(self, batch: list[AnswerEvent]) -> None:
        """Takes note of what is on its way to the client."""
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
        if self.usage is not None:
            return str(self.usage.input_tokens), str(self.usage.output_tokens)
        return (
            f"~{self.input_bytes // _CHARACTERS_PER_TOKEN}",
            f"~{self.output_characters // _CHARACTERS_PER_TOKEN}",
        )
