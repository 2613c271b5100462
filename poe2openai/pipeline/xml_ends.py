"""Where a value ends that may hold closing tags itself: what follows such a tag decides."""

import re
from dataclasses import dataclass

from poe2openai.pipeline.xml_tags import CallTags, Tags

MOST_SPACE = 1000
"""Characters of white space that are looked through at a time; behind a value, so many end it."""

_LONGEST_TRAIL = 2000  # characters of white space and tags at the end of an answer
_SPACE = re.compile(rf"\s{{0,{MOST_SPACE}}}")


def past_space(text: str, start: int) -> int:
    found = _SPACE.match(text, start)
    return found.end() if found else start


@dataclass(frozen=True, slots=True)
class Reading:
    """A text as far as it has come; `final` says that this is all of it.

    Both questions are about the place behind a closing tag, and have the answer None as long as too little has come.
    """

    text: str
    final: bool
    tags: Tags
    call_tags: CallTags

    def ends_value(self, place: int) -> bool | None:
        """Whether what follows can follow a value: another parameter, the end of the call, its wrapper, or all."""
        start, place = place, past_space(self.text, place)
        if place - start == MOST_SPACE:
            return True
        if place == len(self.text):
            return True if self.final else None
        if self.call_tags.parameter(self.text, place) or self.call_tags.close(self.text, place):
            return True
        other = self.tags.at(self.text, place)
        if other is not None and other.kind in ("/wrapper", "invoke", "tool"):
            return True
        return None if self._may_begin_at(place) else False

    def ends_answer(self, place: int) -> bool | None:
        """Whether nothing but the closing tags of the call and its wrappers follows, up to the answer's end.

        That ends a value whose openings of the same kind were never closed.
        """
        if len(self.text) - place > _LONGEST_TRAIL:
            return False
        place = past_space(self.text, place)
        closing = self.call_tags.close(self.text, place)
        if closing is None:
            return None if not self.final and (place == len(self.text) or self._may_begin_at(place)) else False
        place = closing.end
        while (place := past_space(self.text, place)) < len(self.text):
            tag = self.tags.at(self.text, place)
            if tag is None or tag.kind != "/wrapper":
                return None if self._may_begin_at(place) else False
            place = tag.end
        return True if self.final else None

    def _may_begin_at(self, place: int) -> bool:
        if self.final:
            return False
        return self.call_tags.may_begin_at(self.text, place) or self.tags.may_begin_at(self.text, place)
