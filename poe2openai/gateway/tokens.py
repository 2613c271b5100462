"""Counts o200k tokens without a download, and in slices, so that a long prompt stalls no other stream.

Two libraries carry the vocabulary in their wheel: rs-bpe, and bpe-openai for Pythons that rs-bpe has no wheel for.
Where neither is installed, four bytes of UTF-8 count as one token: within a fifth of o200k for English, Chinese,
Japanese, Korean and code, too many for most other alphabets.
"""

import functools
import logging
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from itertools import chain

import orjson

from poe2openai.core.request import Media, ModelRequest, Part, Reasoning, Text, Tool, ToolCall, ToolResult
from poe2openai.core.tokens import TokenCounter
from poe2openai.core.turns import Turns

logger = logging.getLogger(__name__)

_SLICE = 8192  # characters; the dearest text known, a run of `=`, takes about 7 ms for so many
_REACH = 1024  # characters in which a slice looks for a safe border
_MOST_CHARACTERS = 4 * 1024 * 1024  # beyond it the rest is taken to be like what was counted
_BYTES_A_TOKEN = 4  # of the estimate

_LONGEST_TOKEN = 128  # characters
_OVERSHOOT = 8  # tokens above a limit that no longer text comes back from

# OpenAI Cookbook, "How to count tokens with tiktoken": three tokens around a message, one for its role, three that
# open the answer.
_TOKENS_A_MESSAGE = 4
_TOKENS_AN_ANSWER = 3

# o200k splits text by a regular expression before it merges bytes. Between a letter and a digit, and between a letter
# and a single mark that a letter follows, that expression always splits, whatever stands farther away. Marks and
# letters are listed because Python's classes are not those of the expression; `'` is none: "don't" is one word.
_LETTER = (
    "A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u0400-\u0481\u05d0-\u05ea\u0621-\u063a\u0641-\u064a\u0905-\u0939"
    "\u0e01-\u0e30\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff\uac00-\ud7a3"
)
_MARK = r' ,.:;!?()\[\]{}<>"/+=_\-，。、：；！？（）「」“”'
_SAFE_BORDER = re.compile(rf"(?<=[{_LETTER}])(?=[{_MARK}][{_LETTER}]|[0-9])|(?<=[0-9])(?=[{_LETTER}])")


class Tokenizer:
    """A `TokenCounter`; `exact` tells o200k from the estimate."""

    def __init__(self, count_slice: Callable[[str], int], *, exact: bool) -> None:
        self._count_slice = count_slice
        self.exact = exact

    def count(self, text: str) -> int:
        """The tokens of a text. Where a slice had to be cut inside a word, there may be one more or less."""
        tokens = start = 0
        turns = Turns()
        for end in _slice_ends(text):
            if start >= _MOST_CHARACTERS:
                return tokens * len(text) // start
            tokens += self._count_one(text[start:end])
            start = end
            turns.give_way()
        return tokens

    def truncate(self, text: str, limit: int) -> str:
        """The longest beginning of `text` that counts `limit` tokens at most and cuts no character."""
        left, start = limit, 0
        for end in _slice_ends(text):
            tokens = self._count_one(text[start:end])
            if tokens > left:
                return text[: start + self._fitting(text[start:end], left)]
            left, start = left - tokens, end
        return text

    def _fitting(self, text: str, limit: int) -> int:
        """The length of the longest beginning of one slice that fits.

        A longer text may count less ("tokeniz" is more than "tokenize"), so the place that halving finds is only where
        the search forward begins.
        """
        if limit <= 0:
            return 0
        fits, too_long = 0, len(text)
        while too_long - fits > 1:
            middle = (fits + too_long) // 2
            if self._count_one(text[:middle]) <= limit:
                fits = middle
            else:
                too_long = middle
        for length in range(too_long + 1, min(too_long + _LONGEST_TOKEN, len(text))):
            tokens = self._count_one(text[:length])
            if tokens <= limit:
                fits = length
            elif tokens > limit + _OVERSHOOT:
                break
        return fits

    def _count_one(self, text: str) -> int:
        try:
            return self._count_slice(text)
        except UnicodeEncodeError:  # a lone surrogate, which UTF-8 has no bytes for
            return self._count_slice(text.encode("utf-8", "replace").decode())


def count_messages(
    request: ModelRequest, counter: TokenCounter, *, prompts: Sequence[str] = (), tools: bool = True
) -> int:
    """What a prompt counts: texts, tool calls, results, tool definitions; no media, and no thoughts: Poe gets none.

    `prompts` are what the gateway adds; without `tools` the definitions stand in those, or nowhere.
    """
    tokens = characters = left = 0
    turns = Turns()
    for text in chain(_texts(request), map(_definition, request.tools if tools else ()), prompts):
        if characters >= _MOST_CHARACTERS:
            left += len(text)
            continue
        tokens += counter.count(text)
        characters += len(text)
        turns.give_way()
    if left:
        tokens += tokens * left // characters
    return tokens + len(request.messages) * _TOKENS_A_MESSAGE + _TOKENS_AN_ANSWER


def tokenizer() -> Tokenizer:
    """The process's tokenizer, loaded at the first call: 0.1 s and 70 MB (rs-bpe) or 0.7 s and 146 MB (bpe-openai)."""
    with _loading:
        return _load_once()


_loading = threading.Lock()


def load() -> Tokenizer:
    """The best tokenizer that is installed."""
    for library in (_rs_bpe, _bpe_openai):
        try:
            return Tokenizer(library(), exact=True)
        except (ImportError, AttributeError):  # rs-bpe without its compiled half imports, but is empty
            continue
    logger.warning(
        "neither rs-bpe nor bpe-openai is installed: tokens are estimated, in usage and for limits that a bot ignores"
    )
    return Tokenizer(_estimate, exact=False)


_load_once = functools.cache(load)


def _rs_bpe() -> Callable[[str], int]:
    count: Callable[[str], int] = import_module("rs_bpe.bpe").openai.o200k_base().count
    return count


def _bpe_openai() -> Callable[[str], int]:
    encode: Callable[[str], list[int]] = import_module("bpe_openai").get_encoding("o200k_base").encode_ordinary
    return lambda text: len(encode(text))


def _estimate(text: str) -> int:
    return -(-len(text.encode("utf-8")) // _BYTES_A_TOKEN)


def _slice_ends(text: str) -> Iterator[int]:
    start = 0
    while len(text) - start > _SLICE + _REACH:
        border = _SAFE_BORDER.search(text, start + _SLICE, start + _SLICE + _REACH)
        start = border.start() if border else start + _SLICE
        yield start
    yield len(text)


def _texts(request: ModelRequest) -> Iterator[str]:
    for message in request.messages:
        for part in message.parts:
            yield from _part_texts(part)


def _part_texts(part: Part) -> Iterator[str]:
    match part:
        case Text(text):
            yield text
        case ToolCall(name=name, arguments=arguments):
            yield name
            yield arguments
        case ToolResult(parts=parts):
            for inner in parts:
                yield from _part_texts(inner)
        case Media() | Reasoning():
            pass


def _definition(tool: Tool) -> str:
    definition = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return orjson.dumps(definition, default=dict).decode()
