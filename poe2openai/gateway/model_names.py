"""Finds the bot that a client means by a name that is no bot as it stands: pure, and never a guess beyond the list.

Clients carry names of other services: `anthropic/claude-3.5-sonnet`, `gpt-4o-2024-08-06`, `Claude Sonnet 4.5`. Dates,
`-latest` and version dots are looked through only where the name is of a known family or has a vendor before a slash:
a private bot of another name, such as `assistant-2024`, has to reach Poe unchanged.
"""

import re
from collections.abc import Iterable, Iterator

# A longer name is nobody's; it keeps odd requests cheap.
MAX_NAME_LENGTH = 200
MAX_SUFFIXES = 3

_BLANKS = re.compile(r"[\s_]+")
_FAMILY = re.compile(r"(?:gpt|claude|gemini|imagen|grok|deepseek|dall-e)-|o[1-9](?:-|$)")
_SUFFIX = re.compile(
    r"""(?:
      [-@]20\d\d-?(?:0[1-9]|1[0-2])-?(?:0[1-9]|[12]\d|3[01])    # gpt-4o-2024-08-06, claude-opus-4-20250514
    | -(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])                 # gpt-4-0613
    | -(?:preview|exp)-\d\d-\d\d                                # gemini-2.5-flash-preview-05-20
    | -00\d                                                     # gemini-1.5-pro-002
    | -(?:latest|preview|exp|beta)
    )$""",
    re.VERBOSE,
)
# Anthropic: claude-3-5-sonnet; Poe: claude-sonnet-3.5.
_CLAUDE_ORDER = re.compile(r"claude-(\d{1,2}(?:-\d{1,2})?)-([a-z]+)(?=-|$)")
# Anthropic's claude-opus-4-0 is Claude Opus 4.
_CLAUDE_ZERO = re.compile(r"(claude-[a-z]+-\d{1,2})-0(?=-|$)")


def fold(name: str) -> str:
    """The form in which names are the same that differ in case, or in blanks around them, alone."""
    return name.strip().casefold()


class NameMatcher:
    """Knows the names in a list; of two that look alike the first counts."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names: dict[str, str] = {}
        self._skeletons: dict[str, str] = {}
        for name in names:
            slug = _slug(name)
            self._names.setdefault(slug, name)
            self._skeletons.setdefault(_skeleton(slug), name)

    def match(self, name: str) -> str | None:
        """The name in the list, as it stands there; None where it has none like it."""
        if len(name) > MAX_NAME_LENGTH:
            return None
        slug = _slug(name)
        if slug in self._names:
            return self._names[slug]
        for candidate in _without_vendors(slug):
            found = self._match_dated(candidate)
            if found is not None:
                return found
        return self._match_dated(slug) if _FAMILY.match(slug) else None

    def _match_dated(self, slug: str) -> str | None:
        for _ in range(MAX_SUFFIXES + 1):
            found = self._names.get(slug) or self._skeletons.get(_skeleton(slug))
            if found is not None:
                return found
            shorter = _SUFFIX.sub("", slug)
            if shorter == slug:
                return None
            slug = shorter
        return None


def _slug(name: str) -> str:
    return _BLANKS.sub("-", fold(name))


def _without_vendors(slug: str) -> Iterator[str]:
    """`openrouter/anthropic/claude-opus-4` without its first part, then without the next."""
    while "/" in slug:
        slug = slug.partition("/")[2]
        yield slug


def _skeleton(slug: str) -> str:
    """One spelling for `claude-3-5-sonnet`, `claude-3.5-sonnet` and `claude-sonnet-3.5`."""
    dashed = slug.replace(".", "-")
    if not dashed.startswith("claude-"):
        return dashed
    return _CLAUDE_ZERO.sub(r"\1", _CLAUDE_ORDER.sub(r"claude-\2-\1", dashed, count=1), count=1)
