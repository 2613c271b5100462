"""Progress lines at the beginning of an answer: "Searching...", "*Generating image... (3s elapsed)*" and the like.

A line with an elapsed time is progress whatever stands behind it. One without is progress if nothing but words of the
trade stand in it and more text follows on a line of its own: "Searching the web..." is, "Searching the old house..."
and "Searching... for what?" are not. "Thinking..." before a markdown quote is no progress but the mark of reasoning.
"""

import re
from string import ascii_letters

# The everyday ones open many a story: only an elapsed time makes progress of them.
_TRADE_VERBS = (
    *("Analysing", "Analyzing", "Browsing", "Creating", "Downloading", "Editing", "Fetching", "Generating", "Loading"),
    *("Processing", "Reasoning", "Rendering", "Researching", "Retrieving", "Searching", "Synthesizing", "Uploading"),
)
_EVERYDAY_VERBS = (
    *("Calculating", "Compiling", "Composing", "Drawing", "Executing", "Planning", "Preparing", "Queuing", "Reading"),
    *("Running", "Starting", "Transcribing", "Translating", "Upscaling", "Waiting", "Working", "Writing"),
)
_WORDS = (
    r"an?|and|for|from|in|more|new|of|on|online|the|through|up|with|your|answers?|audio|code|content|data|documents?|"
    r"files?|google|images?|information|internet|music|pages?|photos?|pictures?|prompt|query|reply|request|responses?|"
    r"results?|songs?|sources?|speech|text|videos?|voice|web|websites?"
)
_PLAIN = rf"(?:Thinking|(?:{'|'.join(_TRADE_VERBS)})(?: (?:{_WORDS})){{0,5}})"
_OBJECT = r"(?: [^\n.…*_()]{0,60})?"
_TIMED = rf"(?:Thinking|(?:{'|'.join(_TRADE_VERBS + _EVERYDAY_VERBS)}){_OBJECT})"
_DOTS = r"(?:\.{3,4}|…)"
_ELAPSED = r"\(\d[^()\n]{0,32}elapsed\)"
_BLANK_LINES = r"(?:[ \t]*\r?\n)*"

# Every repetition is bounded, so that a line that is still being written is never longer than `_LONGEST_LINE`.
_LINE = re.compile(
    rf"\s{{0,99}}(?P<emphasis>[*_]{{0,3}})(?:"
    rf"{_PLAIN}{_DOTS}(?P=emphasis)[ \t]{{0,9}}\r?\n"
    rf"|{_TIMED}{_DOTS}(?:(?P=emphasis)[ \t]{{0,9}}{_ELAPSED}|[ \t]{{0,9}}{_ELAPSED}(?P=emphasis))"
    rf"[ \t]{{0,9}}(?:\r?\n|(?=\S))"
    rf"){_BLANK_LINES}"
)
_LEADING_BLANK_LINES = re.compile(_BLANK_LINES)
_HAS_ELAPSED = re.compile(_ELAPSED)

# What of a line may stand behind its verb while the line is still being written.
_TAIL_SO_FAR = r"(?:\.{1,2}|(?:\.{3,4}|…)[*_]{0,3}[ \t]*(?:\((?:\d[^()\n]{0,40}\)?[*_]{0,3}[ \t]*)?)?\r?)?"
_THINKING_SO_FAR = re.compile(_TAIL_SO_FAR)
_OTHERS_SO_FAR = re.compile(_OBJECT + _TAIL_SO_FAR)
_VERBS = frozenset(("Thinking", *_TRADE_VERBS, *_EVERYDAY_VERBS))

MARKER = "*Thinking...*\n\n"
_LONGEST_LINE = 300  # characters; more white space than that before the first word is an answer


class Opening:
    """Finds out, text by text, where progress ends and the answer begins.

    `is_thought` says that the answer opens with the mark of reasoning and that a quote is what follows.
    """

    def __init__(self) -> None:
        self.is_thought = False
        self._marked = False
        self._text = ""
        self._dropped: list[str] = []

    @property
    def is_empty(self) -> bool:
        """Whether nothing was fed yet."""
        return not self._text and not self._dropped

    def feed(self, text: str) -> str | None:
        """The answer so far, once it is certain that it has begun; nothing is to be fed after that."""
        self._text += text
        self._drop_progress()
        if len(self._text) <= _LONGEST_LINE and _may_be_progress(self._text):
            return None
        self.is_thought = self._marked and self._text.startswith(">")
        return self._text

    def finish(self, *, alone: bool) -> str:
        """The answer, if this was all.

        Progress without an elapsed time is one where it stands alone, but for the mark of reasoning.
        """
        said, pending = "".join((*self._dropped, self._text)), self._text
        self._text += "\n"
        self._drop_progress()
        if not self._dropped or self._text:
            return pending
        return said if alone and not self._marked and not _HAS_ELAPSED.search(said) else ""

    def _drop_progress(self) -> None:
        end = 0
        while line := _LINE.match(self._text, end):
            end = line.end()
            if "Thinking" in line[0]:
                self._marked = True
        if (end or self._dropped) and (blank := _LEADING_BLANK_LINES.match(self._text, end)):
            end = blank.end()
        if end:
            self._dropped.append(self._text[:end])
            self._text = self._text[end:]


def is_mere_progress(text: str) -> bool:
    """Whether a whole text is progress and nothing else."""
    opening = Opening()
    return bool(text.strip()) and opening.feed(text) is None and not opening.finish(alone=False)


def _may_be_progress(text: str) -> bool:
    """Whether more text might make a progress line of this beginning of a line."""
    line = text.lstrip().lstrip("*_")
    rest = line.lstrip(ascii_letters)
    word = line[: len(line) - len(rest)]
    if not rest:
        return any(verb.startswith(word) for verb in _VERBS)
    so_far = _THINKING_SO_FAR if word == "Thinking" else _OTHERS_SO_FAR
    return word in _VERBS and so_far.fullmatch(rest) is not None
