"""Reads tool calls out of the text of a bot that was asked to write them there (`poe/tool_prompt.py`).

Understood are `<tool_call><invoke name="…"><parameter name="…">…`, `<invoke>` alone, `<tool_name><parameter_name>…`,
and a JSON object or list in `<tool_call>`; only of tools that were declared. Everything else is text, and goes out as
it comes: held is only what may yet be a tag.

Values are taken as they stand. A closing tag ends a value only if what follows it can follow a value; openings of the
same kind inside a value have closing tags of their own.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from poe2openai.core.request import Tool
from poe2openai.pipeline.pieces import Piece, Stopped
from poe2openai.pipeline.xml_call import Call
from poe2openai.pipeline.xml_ends import Reading, past_space
from poe2openai.pipeline.xml_json import read_calls
from poe2openai.pipeline.xml_tags import CallTags, Tag, Tags, ValueTags
from poe2openai.poe.events import Done, Error, Text, ToolCallDelta


def parse(batches: Iterable[list[Piece]], *, tools: Sequence[Tool], whole: bool) -> Iterator[list[Piece]]:
    """Texts go in, and come out as texts and `ToolCallDelta`s; all other pieces pass.

    With `whole`, nothing of a call goes out before it is complete. White space beside calls is dropped where no other
    text follows. A call that the answer's end cuts off is text if nothing of it went out, and makes the answer's reason
    `length` if something did. An answer that goes on with results of its own invention ends there.
    """
    scanner = _Scanner(tools, streams=not whole)
    for batch in batches:
        if len(batch) == 1 and type(piece := batch[0]) is Text and "<" not in piece.text:
            if scanner.flows:
                yield batch
                continue
            if scanner.flowing is not None:
                yield [scanner.flowing.piece(piece.text)]
                continue
        yield scanner.take(batch) if batch else batch
        if scanner.ended:
            return


class _Scanner:
    """`_state` reads on from `_at` in `_text`, and says whether it came any further."""

    def __init__(self, tools: Sequence[Tool], *, streams: bool) -> None:
        self.ended = False
        self.flows = False  # texts without a tag may pass as they are,
        self.flowing: Call | None = None  # or are a piece of this call's string
        self._tools = {tool.name: tool for tool in tools}
        self._tags = Tags(tools)
        self._streams = streams
        self._state: Callable[[], bool] = self._outside
        self._text = ""
        self._at = 0
        self._final = False  # no more text will come
        self._out: list[Piece] = []
        self._said: list[str] = []  # text on its way out
        self._space: list[str] = []  # white space that goes out with the next text, if there is any
        self._blank = True  # nothing was said since the beginning, or since a call
        self._opened: list[str] = []  # wrappers in which nothing was found yet
        self._wrappers = 0  # those around calls that were found
        self._calls = 0
        self._call: Call | None = None
        self._call_tags = CallTags(None)
        self._value_tags: ValueTags | None = None
        self._depth = 0
        self._json: list[str] = []

    def take(self, batch: list[Piece]) -> list[Piece]:
        self._out = []
        for piece in batch:
            match piece:
                case Text(text):
                    self._read(text)
                case Done():
                    self._out.append(self._finish(piece))
                case Error():
                    self._flush()
                    self._out.append(piece)
                case _:
                    self._flush()
                    self._out.append(piece)
            if self.ended:
                return self._out
        self._flush()
        idle = not self._text
        self.flows = idle and self._state == self._outside and not self._space and not self._blank
        self.flowing = self._call if idle and self._call is not None and self._call.flows else None
        return self._out

    def _read(self, text: str) -> None:
        self._text = self._text[self._at :] + text if self._at < len(self._text) else text
        self._at = 0
        while not self.ended and self._at < len(self._text) and self._state():
            pass
        if self._at >= len(self._text):
            self._text, self._at = "", 0
        if self._call is not None:
            self._out_calls(self._call.taken())

    def _finish(self, done: Done) -> Piece:
        """The answer is over: what is held is a call if its parameters are whole, and text otherwise."""
        self._final = True
        self._read("")
        reason = done.reason
        while not self.ended and (self._state != self._outside or self._at < len(self._text)):
            if self._call is not None and self._state == self._in_value and self._call.committed:
                self._call.add(self._text[self._at :])
                self._out_calls(self._call.taken())
                return Done("length")
            self._give_up()
            while self._at < len(self._text) and self._state():
                pass
        if self.ended:
            return self._out.pop()
        if self._calls:
            self._space.clear()
        self._say_space()
        self._flush()
        return Done(reason)

    # Text outside of calls.

    def _outside(self) -> bool:
        found = self._tags.find(self._text, self._at)
        if isinstance(found, int) and self._final:
            found = len(self._text)
        if isinstance(found, int):
            return self._say_up_to(found)
        self._say_up_to(found.start)
        match found.kind:
            case "wrapper":
                self._open_wrapper(found)
            case "invoke" | "tool":
                self._open_call(found)
            case "result" if self._calls:
                self._flush()
                self._out.append(Stopped("tool_calls"))
                self.ended = True
            case "/wrapper" | "/invoke" if self._wrappers or (self._calls and self._blank):
                self._wrappers -= min(self._wrappers, int(found.kind == "/wrapper"))
                self._at = found.end
                if self._blank:  # white space between two tags of a call
                    self._space.clear()
            case _:
                self._say_up_to(found.end)
        return True

    def _open_wrapper(self, tag: Tag) -> None:
        self._opened.append(self._text[tag.start : tag.end])
        self._at = tag.end
        self._state = self._in_wrapper

    def _in_wrapper(self) -> bool:
        """A wrapper was opened, and a call has to follow for it to be one."""
        place = past_space(self._text, self._at)
        self._keep_opened(place)
        if place == len(self._text) and not self._final:
            return False
        if past_space(self._text, place) > place:
            return True
        if self._text[place : place + 1] in ("{", "["):
            self._state = self._in_json
            return True
        tag = self._tags.at(self._text, place)
        if tag is None and not self._final and self._tags.may_begin_at(self._text, place):
            return False
        if tag is not None and tag.kind in ("wrapper", "invoke", "tool") and self._is_declared(tag):
            if tag.kind == "wrapper":
                self._open_wrapper(tag)
            else:
                self._open_call(tag)
            return True
        self._release_opened()
        return True

    def _keep_opened(self, place: int) -> None:
        self._opened.append(self._text[self._at : place])
        self._at = place

    def _release_opened(self) -> None:
        """The wrappers are none."""
        opened, self._opened = "".join(self._opened), []
        self._state = self._outside
        self._say(opened)

    def _is_declared(self, tag: Tag) -> bool:
        return tag.kind == "wrapper" or tag.name in self._tools

    # Calls.

    def _open_call(self, tag: Tag) -> None:
        tool = self._tools.get(tag.name)
        if tool is None:
            self._say_up_to(tag.end)
            return
        self._call = Call(self._calls, tool, streams=self._streams)
        self._call.raw += [*self._opened, self._text[tag.start : tag.end]]
        self._call_tags = CallTags(None if tag.kind == "invoke" else tag.name)
        self._at = tag.end
        self._state = self._in_call
        if tag.empty:
            self._close_call()

    def _in_call(self) -> bool:
        """Between two parameters."""
        place = past_space(self._text, self._at)
        self._keep(place)
        if place == len(self._text):
            return False
        if past_space(self._text, place) > place:
            return True
        parameter = self._call_tags.parameter(self._text, place)
        if parameter is not None:
            return self._open_value(parameter)
        if (closing := self._call_tags.close(self._text, place)) is not None:
            self._keep(closing.end)
            self._close_call()
            return True
        other = self._tags.at(self._text, place)
        if other is not None and other.kind in ("/wrapper", "invoke", "tool", "result"):
            # Its own closing tag was forgotten.
            if self._current().is_whole or self._current().committed:
                self._close_call()
            else:
                self._give_up()
            return True
        if not self._final and (
            self._call_tags.may_begin_at(self._text, place) or self._tags.may_begin_at(self._text, place)
        ):
            return False
        self._give_up()
        return True

    def _open_value(self, tag: Tag) -> bool:
        call = self._current()
        self._keep(tag.end)
        call.open_value(tag.name)
        if tag.empty:
            call.close_value()
            return True
        self._value_tags = self._call_tags.value(tag.name)
        self._depth = 0
        self._state = self._in_value
        return True

    def _in_value(self) -> bool:
        if self._value_tags is None:
            raise AssertionError("a value without its tags")
        found = self._value_tags.find(self._text, self._at)
        if isinstance(found, int):
            return self._add_up_to(found)
        self._add_up_to(found.start)
        if found.kind == "parameter":
            self._depth += 1
            return self._add_up_to(found.end)
        text = Reading(self._text, self._final, self._tags, self._call_tags)
        ends = text.ends_answer(found.end) if self._depth else text.ends_value(found.end)
        if ends is None:
            return False
        if ends:
            self._keep(found.end)
            self._current().close_value()
            self._state = self._in_call
            return True
        self._depth = max(0, self._depth - 1)
        return self._add_up_to(found.end)

    def _close_call(self) -> None:
        call = self._current()
        self._wrappers += len(self._opened) and sum(1 for opened in self._opened if opened.strip())
        self._opened = []
        # What was said before the call goes out before it, but for white space at the very beginning.
        if self._blank and not self._calls:
            self._space.clear()
        self._out_calls(call.finish())
        self._call = None
        self._calls += 1
        self._blank = True
        self._state = self._outside

    def _out_calls(self, deltas: list[ToolCallDelta]) -> None:
        if deltas:
            self._flush()
            self._out += deltas

    def _current(self) -> Call:
        if self._call is None:
            raise AssertionError("no call is open")
        return self._call

    def _give_up(self) -> None:
        """What was read is no call after all: it is text, or a call that ends here where something of it went out."""
        if self._state == self._in_json:
            self._close_json()
            return
        if self._state == self._in_wrapper:
            self._release_opened()
            return
        call = self._call
        if call is None:
            self._say_up_to(len(self._text))
            return
        if call.committed or (
            self._final and self._state == self._in_call and self._at == len(self._text) and call.is_whole
        ):
            self._close_call()
            return
        self._call, self._opened = None, []
        self._state = self._outside
        self._say("".join(call.raw))

    # JSON in a wrapper.

    def _in_json(self) -> bool:
        """Up to a closing tag with which it makes calls: one may stand in a string."""
        closing = self._text.find("</", self._at)
        while closing >= 0:
            tag = self._tags.at(self._text, closing)
            if tag is not None and tag.kind == "/wrapper":
                self._json.append(self._text[self._at : closing])
                self._at = closing
                self._close_json()
                return True
            if tag is None and not self._final and self._tags.may_begin_at(self._text, closing):
                break
            closing = self._text.find("</", closing + 2)
        end = closing if closing >= 0 else len(self._text)
        if end == len(self._text) and self._text.endswith("<"):
            end -= 1
        self._json.append(self._text[self._at : end])
        moved = end > self._at
        self._at = end
        return moved and end < len(self._text) and closing < 0

    def _close_json(self) -> None:
        text = "".join(self._json)
        self._json = []
        calls = read_calls(text, self._tools, self._calls)
        if calls is None:
            self._opened.append(text)
            self._release_opened()
            return
        self._wrappers += sum(1 for opened in self._opened if opened.strip())
        self._opened = []
        if self._blank and not self._calls:
            self._space.clear()
        self._out_calls(calls)
        self._calls += len(calls)
        self._blank = True
        self._state = self._outside

    # What is read, kept and said.

    def _keep(self, end: int) -> None:
        """Goes on, and remembers what stood there in case it is no call."""
        call = self._current()
        if not call.begun:
            call.raw.append(self._text[self._at : end])
        self._at = end

    def _add_up_to(self, end: int) -> bool:
        moved = end > self._at
        if moved:
            text = self._text[self._at : end]
            self._keep(end)
            self._current().add(text)
        return moved

    def _say_up_to(self, end: int) -> bool:
        moved = end > self._at
        if moved:
            text = self._text[self._at : end]
            self._at = end
            self._say(text)
        return moved

    def _say(self, text: str) -> None:
        if self._blank and not text.strip():
            self._space.append(text)
            return
        if text:
            self._say_space()
            self._blank = False
            self._said.append(text)

    def _say_space(self) -> None:
        self._said += self._space
        self._space.clear()

    def _flush(self) -> None:
        if text := "".join(self._said):
            self._out.append(Text(text))
        self._said.clear()
