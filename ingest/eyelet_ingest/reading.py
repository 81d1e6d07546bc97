"""Files and streams → records, one by one, whatever shape they have, in memory that does not grow with the file.

A line that is one JSON object is the common case and the fast one. What is none may begin an array, read element by
element, a pretty-printed object over many lines, or several values on one line. What is damaged is given out with
its reason, and reading goes on behind it: at the next line that begins a value.

No stream takes longer than its length allows. A value that is cut by the window's end is tried anew with twice as
much. Of one that fails, every value that is open where it fails must fail there too, and is not tried again.
"""

import io
import json
import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple, cast

from eyelet_ingest import brackets, unpacked
from eyelet_ingest.errors import BadInput
from eyelet_ingest.jsontext import parse
from eyelet_ingest.window import PIECE_BYTES, Window

RECORD_MAX_CHARS = 128 * 2**20
# Of what is damaged, this much is kept to look at; the file still has the rest.
DAMAGED_KEPT_CHARS = 2**20 + 2**16

_SPACE = " \t\r\n"
_NOT_BLANK = re.compile(r"[^ \t\r\n\ufeff]")  # at a line's beginning, where byte order marks may stand
_NOT_BETWEEN = re.compile(r"[^ \t\r,\ufeff]")
_NOT_SEPARATOR = re.compile(r"[^ \t\r\n,]")
_RESUMES = re.compile(r"\n(?=[{\[])|\n\}[ \t\r,]*(?:\n|$)")
_AT_END_CHARS = 10  # a token cut by the window's end fails at most so far before it
_TOO_LONG = f"longer than {RECORD_MAX_CHARS:,} characters"
# Python's place counts lines and columns of the record, which stands beside the file's own line.
_PLACE = re.compile(r": line \d+ column \d+ \(char (\d+)\)")
# Only where a value ends is asked for: its numbers are not converted.
_decode_one = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str).raw_decode


class Found(NamedTuple):
    """One record: the 1-based line where it begins, its text, and the object it spells; or None and why not.

    Of one that is damaged, `is_element` says that it stood in an array, and `is_cut` that `text` is only its beginning.
    """

    line: int
    text: str
    value: "dict[str, object] | None"
    reason: str = ""
    is_utf8: bool = True
    is_element: bool = False
    is_cut: bool = False


def open_stream(raw: BinaryIO) -> io.BufferedReader:
    """The bytes of an open binary file or pipe, unpacked where they begin as gzip or zstd do."""
    buffered = raw if isinstance(raw, io.BufferedReader) else io.BufferedReader(cast("io.RawIOBase", raw))
    return unpacked.of(buffered)


def records(stream: io.BufferedReader) -> Iterator[Found]:
    """Every record of the stream in order, the damaged ones too. Blank lines are none.

    A stream of UTF-16, which PowerShell writes, is one damaged record that says so.
    """
    if _is_utf16(stream.peek(4)[:4]):
        yield Found(1, "", None, "looks like UTF-16: convert it to UTF-8", False)
        return
    reader = _Reader(Window(stream))
    yield from reader.records()
    broken = getattr(getattr(stream, "raw", None), "broken", "")
    if broken:
        yield Found(reader.window.line, "", None, f"the compressed data cannot be read further: {broken}")


def _is_utf16(head: bytes) -> bool:
    """Whether a stream that begins so has the mark of UTF-16, or JSON's first two characters in it."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    if len(head) < 4:
        return False
    high, low = (head[1], head[3]), (head[0], head[2])  # of two characters, the low byte first
    if not low[0]:
        high, low = low, high
    return high == (0, 0) and low[0] in b"{[" and low[1] > 0


class _Tried(NamedTuple):
    """A value's size; or -1 and how far into it the fault lies (-1: it is known to fail), in a string or not."""

    size: int
    fault: int = -1
    in_string: bool = False


class _Reader:
    """Takes the records from a window, one after another."""

    __slots__ = ("_hopeless", "window")

    def __init__(self, window: Window) -> None:
        self.window = window
        self._hopeless: frozenset[int] = frozenset()  # the places of the values that were open at the last fault

    def records(self) -> Iterator[Found]:
        window = self.window
        while first := self._begin():
            if first == "{" and window.is_line_start:
                yield from self._whole_lines()
                first = self._begin()
            if first == "[":
                yield from self._array()
            elif first == "{" and not window.is_line_start:
                yield from self._values()
            elif first:
                yield from self._line()

    def _whole_lines(self) -> Iterator[Found]:
        """The lines that follow one another in the window, as long as each is one object that is not long."""
        window = self.window
        while window.text.startswith("{", window.at):
            text, at = window.text, window.at
            end = text.find("\n", at, at + PIECE_BYTES)
            if end < 0:
                return
            line = text[at:end].rstrip(_SPACE)
            try:
                value = parse(line)
            except BadInput:
                return
            found = Found(window.line, line, value, "", "\ufffd" not in line or window.is_utf8(end - at))  # type: ignore[arg-type]  # what begins with a brace is an object
            window.take_line(end)
            yield found

    def _begin(self) -> str:
        """Go to where the next value begins; returns its first character, "" at the end of the stream."""
        window = self.window
        while True:
            pattern = _NOT_BLANK if window.is_line_start else _NOT_BETWEEN
            self._skip_to(pattern)
            if not window.size:
                if not window.more():
                    return ""
            elif window.text[window.at] == "\n":
                window.advance(1)
                window.is_line_start = True
            else:
                return window.text[window.at]

    def _skip_to(self, pattern: "re.Pattern[str]") -> None:
        found = pattern.search(self.window.text, self.window.at)
        self.window.advance(found.start() - self.window.at if found else self.window.size)

    def _line(self) -> Iterator[Found]:
        """The rest of a line: a record; or the first line of one, or more than one, or damaged."""
        window = self.window
        size = window.line_size(RECORD_MAX_CHARS)
        if size < 0:
            yield self._too_long()
            return
        found = self._found(size)
        if found.text[:1] == "\0" and (record := found.text.lstrip("\0"))[:1] == "{":
            # A machine that stopped left them where the end of the file was; what was appended then is whole.
            window.advance(len(found.text) - len(record), has_breaks=False)
            yield from self._values()
            return
        if found.value is None and found.text[:1] == "{":
            del found  # it may be long
            yield from self._values()
            return
        window.advance(size, has_breaks=False)
        taken = [found]
        del found  # who asked may let it go before asking again
        yield taken.pop()

    def _too_long(self) -> Found:
        """Pass over a line that is longer than a record may be, and give out its beginning."""
        line, text = self.window.line, self.window.text[self.window.at : self.window.at + DAMAGED_KEPT_CHARS]
        is_utf8 = self.window.is_utf8(len(text))
        self.window.skip_line()
        return Found(line, text, None, _TOO_LONG, is_utf8, is_cut=True)

    def _found(self, size: int, behind: str = _SPACE) -> Found:
        """What the next `size` characters spell, without what stands behind them."""
        window = self.window
        text = window.text[window.at : window.at + size].rstrip(behind)
        return _judged(window.line, text, "\ufffd" not in text or window.is_utf8(size))

    def _taken(self, size: int) -> Found:
        found = self._found(size)
        self.window.advance(size)
        self.window.is_line_start = False
        return found

    def _values(self) -> Iterator[Found]:
        """The objects that follow one another on a line, the last of them maybe over several lines."""
        first = "{"
        while first == "{":
            tried = self._try()
            if tried.size < 0:
                yield self._damaged(tried)
                return
            yield self._taken(tried.size)
            self._skip_to(_NOT_BETWEEN)
            first = self.window.text[self.window.at : self.window.at + 1]

    def _try(self) -> _Tried:
        """Where the value ends. While it is only cut, more is read."""
        window = self.window
        if window.place in self._hopeless:
            return _Tried(-1)
        while True:
            try:
                return _Tried(_decode_one(window.text, window.at)[1] - window.at)
            except json.JSONDecodeError as bad:
                fault = bad.pos - window.at
                in_string = bad.msg.startswith(("Unterminated", "Invalid control"))
                is_cut = bad.pos >= len(window.text) - _AT_END_CHARS or bad.msg.startswith("Unterminated")
            except RecursionError:
                fault, in_string, is_cut = window.size, False, False
            if is_cut and window.size <= RECORD_MAX_CHARS and window.more(window.size):
                continue
            places, reached = brackets.open_at(window.text, window.at, window.at + fault)
            self._hopeless = frozenset(window.place + place for place in places)
            return _Tried(-1, reached, in_string)

    def _damaged(self, tried: _Tried) -> Found:
        """Take a damaged object: the rest of its line where the fault lies in it, else up to where a value begins."""
        window = self.window
        if tried.fault >= 0:
            size = window.line_size(RECORD_MAX_CHARS)
            if size < 0:
                return self._too_long()
            behind = window.text[window.at + tried.fault + 1 : window.at + size]
            if (tried.in_string and tried.fault <= size) or behind.strip(_SPACE):
                return self._taken(size)
        return self._skip_damaged()

    def _skip_damaged(self) -> Found:
        """Take the damaged value, and leave the window where the next one begins."""
        window = self.window
        kept, line, is_utf8, is_cut = "", window.line, True, False
        while True:
            resumes = _RESUMES.search(window.text, window.at)
            size = resumes.end() - window.at if resumes else window.size
            if not resumes and window.text[-1:] == "\n":
                size -= 1  # this line break may be the first character of what tells where to go on
            some = min(size, DAMAGED_KEPT_CHARS - len(kept))
            is_cut = is_cut or some < size
            kept += window.text[window.at : window.at + some]
            is_utf8 = is_utf8 and window.is_utf8(size)
            window.advance(size)
            if resumes or not window.more():
                break
        window.is_line_start = True
        shown = kept.strip(_SPACE)
        reason = _judged(line, shown, is_utf8).reason or _TOO_LONG
        return Found(line, shown, None, reason, is_utf8 or "\ufffd" not in shown, is_cut=is_cut)

    def _array(self) -> Iterator[Found]:
        """The elements of the array that begins here."""
        window = self.window
        window.advance(1)
        while True:
            self._skip_to(_NOT_SEPARATOR)
            if not window.size:
                if not window.more():
                    return
                continue
            if window.text[window.at] == "]":
                window.advance(1)
                window.is_line_start = False
                return
            size = self._try().size
            if size == window.size and window.text[-1] not in '}]"' and window.more():
                continue  # only a bracket or a quotation mark tells that a value has ended; a number may go on
            if size < 0:
                size = self._damaged_size()
            if size < 0:  # the stream ends inside the element, or nothing shows where the element ends
                yield from self._array_tail()
                return
            found = self._found(size, _SPACE + ",")
            window.advance(size)
            yield found if found.value is not None else found._replace(is_element=True)

    def _damaged_size(self) -> int:
        """How long the damaged element is; -1 where nothing shows where it ends."""
        window = self.window
        indent = window.indent()
        while True:
            size = brackets.damaged_size(window.text, window.at, indent)
            if size > 0 or window.size > RECORD_MAX_CHARS or not window.more(window.size):
                return size

    def _array_tail(self) -> Iterator[Found]:
        """Give up the array: what is left of the stream is one damaged record."""
        window = self.window
        line, tail = window.line, window.text[window.at : window.at + DAMAGED_KEPT_CHARS].strip(_SPACE)
        is_utf8 = window.is_utf8(window.size)
        reason = _judged(line, tail, is_utf8).reason or "truncated"
        is_cut = window.size > DAMAGED_KEPT_CHARS
        window.advance(window.size)
        while window.more():
            window.advance(window.size)
            is_cut = True
            reason = "damaged, and nothing shows where the next element of the array begins"
        if tail:
            yield Found(line, tail, None, reason, is_utf8, True, is_cut)


def _judged(line: int, text: str, is_utf8: bool) -> Found:
    try:
        value = parse(text)
    except BadInput as bad:
        return Found(line, text, None, _why(text, bad.reason), is_utf8)
    if type(value) is dict:
        return Found(line, text, value, "", is_utf8)
    return Found(line, text, None, f"not an object but {_kind(value)}", is_utf8)


def _why(text: str, reason: str) -> str:
    reason = _PLACE.sub(r" at character \1", reason)
    return f"NUL bytes; {reason}" if "\0" in text else reason


def _kind(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return "null" if value is None else "a boolean"
    return {str: "a string", int: "a number", float: "a number", list: "an array"}.get(type(value), "something else")
