"""The one place where the order of the stages is written."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from poe2openai.core.events import AnswerEvent
from poe2openai.core.tokens import TokenCounter
from poe2openai.pipeline import (
    files,
    json_answer,
    parts,
    probe,
    replace,
    stop,
    thinking,
    tool_rules,
    usage,
    xml_tools,
)
from poe2openai.pipeline.json_answer import JsonForm
from poe2openai.pipeline.pieces import Piece
from poe2openai.pipeline.tool_rules import ToolRules
from poe2openai.poe.events import File, PoeEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineOptions:
    """What one request needs of the pipeline.

    `hold` is the model's policy, `whole` says that the client waits for the whole answer: either way nothing goes out
    before Poe is done. `input_tokens` is None where nobody asked for usage. `note` takes what the log should say,
    `on_file` each file of the answer; `on_end` is called when the answer is known to be over, before its tokens are
    counted. `tools` and `json` are what calls and content are held to; with `may_ask_again` the pipeline raises
    `AskAgain` for an answer that fails there.
    """

    hold: bool
    whole: bool
    stop: tuple[str, ...]
    max_tokens: int | None
    counter: TokenCounter
    input_tokens: Callable[[], int] | None
    note: Callable[[str], None]
    on_end: Callable[[], None] = lambda: None
    tools: ToolRules | None = None
    json: JsonForm | None = None
    may_ask_again: bool = False
    on_file: Callable[[File], None] = lambda _: None


def pipeline(batches: Iterable[list[PoeEvent]], options: PipelineOptions) -> Iterator[list[AnswerEvent]]:
    """Poe's events become the answer's; stages that this request has no use for are left out."""
    enforce = partial(stop.enforce, stop=options.stop, max_tokens=options.max_tokens, counter=options.counter)
    is_bounded = bool(options.stop) or options.max_tokens is not None
    if is_bounded and options.whole and not options.hold and not options.tools and not options.json:
        batches = probe.end_where_cut(batches, enforce)
    settled = replace.settle(batches, hold=options.hold or options.whole, note=options.note)
    pieces = _shaped(thinking.split(files.link(settled, options.on_file)), options)
    if is_bounded:
        pieces = enforce(pieces)
    events = parts.assemble(pieces)
    if options.input_tokens is not None:
        events = usage.fill(
            events, input_tokens=options.input_tokens, counter=options.counter, before_counting=options.on_end
        )
    return events


def _shaped(pieces: Iterator[list[Piece]], options: PipelineOptions) -> Iterator[list[Piece]]:
    rules = options.tools
    held = options.whole or options.hold
    if rules is not None:
        if rules.xml:
            pieces = xml_tools.parse(pieces, tools=rules.xml, whole=held)
        pieces = tool_rules.apply(pieces, rules, may_ask_again=options.may_ask_again)
    if options.json is not None:
        pieces = json_answer.shape(
            pieces, form=options.json, may_ask_again=options.may_ask_again, whole=held, note=options.note
        )
    return pieces
