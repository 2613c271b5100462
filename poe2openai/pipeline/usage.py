"""Counts what an answer holds, once it is out."""

from collections.abc import Callable, Iterable, Iterator

from poe2openai.core.events import AnswerEvent, Finished, FinishReason, PartDelta, PartKind, PartStarted, Usage
from poe2openai.core.tokens import TokenCounter


def fill(
    batches: Iterable[list[AnswerEvent]],
    *,
    input_tokens: Callable[[], int],
    counter: TokenCounter,
    before_counting: Callable[[], None] = lambda: None,
) -> Iterator[list[AnswerEvent]]:
    """Gives `Finished` its usage. What comes before it goes out first: counting takes its time."""
    parts: list[tuple[PartKind, list[str]]] = []
    said: list[str] = []
    for batch in batches:
        if len(batch) == 1 and type(delta := batch[0]) is PartDelta:
            said.append(delta.text)
            yield batch
            continue
        for event in batch:
            if isinstance(event, PartDelta):
                said.append(event.text)
            elif isinstance(event, PartStarted):
                said = [] if event.name is None else [event.name]
                parts.append((event.kind, said))
        if batch and isinstance(batch[-1], Finished):
            before_counting()
            if len(batch) > 1:
                yield batch[:-1]
            yield [_finished(batch[-1].reason, parts, input_tokens(), counter)]
        else:
            yield batch


def _finished(
    reason: FinishReason, parts: list[tuple[PartKind, list[str]]], input_tokens: int, counter: TokenCounter
) -> Finished:
    output_tokens = reasoning_tokens = 0
    for kind, said in parts:
        tokens = counter.count("".join(said))
        output_tokens += tokens
        if kind == "reasoning":
            reasoning_tokens += tokens
    return Finished(reason, Usage(input_tokens, output_tokens, reasoning_tokens))
