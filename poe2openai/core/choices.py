"""Several answers to one request, side by side in one stream."""

from collections.abc import Iterable

from poe2openai.core.events import AnswerEvent


class ChoiceBatch(list[AnswerEvent]):
    """A batch of one of several answers that travel interleaved; `choice` is OpenAI's `index` of it.

    A `Failed` ends them all; the stream is over when its batches are, not at the first `Finished`.
    """

    __slots__ = ("choice",)

    def __init__(self, choice: int, events: Iterable[AnswerEvent] = ()) -> None:
        super().__init__(events)
        self.choice = choice
