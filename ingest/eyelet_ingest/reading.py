"""Files and streams → records, one by one, whatever shape they have, in memory that does not grow with the file.

A line that is one JSON object is the common case and the fast one. What is none may begin an array (read element by
element through a sliding window), a pretty-printed object over many lines, or several values on one line. What is
damaged is given out with its reason, and reading goes on behind it: at the next line that begins a value.
"""

import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple, cast

from eyelet_ingest.errors import BadInput
from eyelet_ingest.jsontext import parse

PIECE_BYTES = 1 << 16
RECORD_MAX_CHARS = 128 * 2**20
# Of what is damaged, this much is kept to look at; the file still has the rest.
DAMAGED_KEPT_CHARS = 2**20 + 2**16
GZIP_MAGIC = b"\x1f\x8b"
BOM = "\ufeff"

_SPACE = " \t\r\n"
_NOT_SPACE = re.compile(r"[^ \t\r\n]")
_NOT_SEPARATOR = re.compile(r"[^ \t\r\n,]")
_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"|"|[{}\[\]]', re.DOTALL)
_SCALAR_ENDS = re.compile(r"[,\]\n]")
_RESUMES = re.compile(r"\n(?=[{\[])|\n\}[ \t\r]*,?[ \t\r]*(?:\n|$)")
_AT_END_CHARS = 10  # a token cut by the window's end fails at most so far before it
# Python's place counts lines and columns of the record, which stands beside the file's own line.
_PLACE = re.compile(r": line \d+ column \d+ \(char (\d+)\)")
_decode_one = json.JSONDecoder().raw_decode


class Found(NamedTuple):
    """One record: the 1-based line where it begins, its text, and the object it spells; or None and why not."""

    line: int
    text: str
    value: "dict[str, object] | None"
    reason: str = ""
    is_utf8: bool = True


def open_stream(raw: BinaryIO) -> io.BufferedReader:
    """The bytes of an open binary file or pipe, decompressed where they begin as gzip does."""
    buffered = raw if isinstance(raw, io.BufferedReader) else io.BufferedReader(cast("io.RawIOBase", raw))
    if buffered.peek(2)[:2] == GZIP_MAGIC:
        return io.BufferedReader(_Gunzip(buffered), PIECE_BYTES * 2)
    return buffered


def records(stream: io.BufferedReader) -> Iterator[Found]:
    """Every record of the stream in order, the damaged ones too. Blank lines are none.

    A stream of UTF-16, which PowerShell writes, is one damaged record that says so.
    """
    if _is_utf16(stream.peek(4)[:4]):
        yield Found(1, "", None, "looks like UTF-16: convert it to UTF-8", False)
        return
    text = _Text(stream)
    while piece := text.piece():
        stripped = piece.strip(_SPACE)
        if stripped[:1] == BOM:
            stripped = stripped.lstrip(BOM + _SPACE)
            piece = stripped + "\n" if piece[-1] == "\n" else stripped
        if not stripped:
            continue
        if stripped[0] == "[":
            yield from _array(text, piece, text.line)
        elif piece[-1] == "\n" or text.at_end:
            yield from _line(text, piece, stripped)
        else:
            yield from _long_line(text, piece)
    broken = getattr(getattr(stream, "raw", None), "broken", "")
    if broken:
        yield Found(text.line, "", None, f"the compressed data cannot be read further: {broken}")


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


class _Gunzip(io.RawIOBase):
    """Decompresses; where the data is damaged it ends, so that all that came before is still read."""

    def __init__(self, compressed: io.BufferedReader) -> None:
        self._gzip = gzip.GzipFile(fileobj=compressed)
        self.broken = ""  # why the data ended before its end

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        if self.broken:
            return 0
        try:
            data = self._gzip.read1(len(buffer))  # readinto would lose what it had when the damage comes
        except (EOFError, zlib.error, gzip.BadGzipFile) as bad:
            self.broken = str(bad)
            return 0
        buffer[: len(data)] = data
        return len(data)


class _Text:
    """The stream as text, in pieces that end at a line's end or after PIECE_BYTES."""

    __slots__ = ("_at", "_carry", "_ended", "_next_line", "_pushed", "_stream", "is_utf8", "line")

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._carry = b""  # the first bytes of a character that the last piece cut
        self._pushed, self._at = "", 0
        self._next_line = 1
        self._ended = False
        self.line = 1  # where the piece given out last begins
        self.is_utf8 = True  # of the piece given out last

    @property
    def at_end(self) -> bool:
        return self._ended and self._at == len(self._pushed)

    def piece(self) -> str:
        """The next piece, "" at the end."""
        self.line = self._next_line
        text = self._from_pushed() if self._pushed else self._read()
        if text[-1:] == "\n":
            self._next_line += 1
        return text

    def push(self, text: str, line: int) -> None:
        """Give out `text`, which begins on `line`, before anything else."""
        self._pushed, self._at = text + self._pushed[self._at :], 0
        self._next_line = line

    def _from_pushed(self) -> str:
        start, end = self._at, self._pushed.find("\n", self._at) + 1
        if end:
            text, self._at = self._pushed[start:end], end
            if end == len(self._pushed):
                self._pushed, self._at = "", 0
            return text
        text, self._pushed, self._at = self._pushed[start:], "", 0
        return text + self._read()

    def _read(self) -> str:
        raw = self._read_bytes()
        if raw[-1:] != b"\n" and not self._ended:
            cut = _cut_character(raw)
            while cut == len(raw) and not self._ended:
                raw += self._read_bytes()
                cut = _cut_character(raw)
            if cut and not self._ended:
                raw, self._carry = raw[:-cut], raw[-cut:]
        self.is_utf8 = True
        try:
            return raw.decode()
        except UnicodeDecodeError:
            self.is_utf8 = False
            return raw.decode("utf-8", "replace")

    def _read_bytes(self) -> bytes:
        raw = self._stream.readline(PIECE_BYTES)
        if not raw:
            self._ended = True
        if self._carry:
            raw, self._carry = self._carry + raw, b""
        return raw


def _cut_character(raw: bytes) -> int:
    """How many bytes at the end of `raw` begin a character that is not complete."""
    for back in range(1, min(4, len(raw)) + 1):
        byte = raw[-back]
        if byte >= 0xC0:
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return back if back < length else 0
        if byte < 0x80:
            return 0
    return 0


def _found(line: int, text: str, is_utf8: bool) -> Found:
    is_utf8 = is_utf8 or "\ufffd" not in text  # of a window only some part may be none
    try:
        value = parse(text)
    except BadInput as bad:
        return Found(line, text, None, _why(text, bad.reason), is_utf8)
    if type(value) is dict:
        return Found(line, text, value, "", is_utf8)
    return Found(line, text, None, f"not an object but {_kind(value)}", is_utf8)


def _line(text: _Text, piece: str, stripped: str) -> Iterator[Found]:
    """A whole line: a record; or the first line of one, or more than one, or damaged."""
    line, is_utf8 = text.line, text.is_utf8
    found = _found(line, stripped, is_utf8)
    if found.value is not None or stripped[0] != "{":
        yield found
        return
    try:
        _, end = _decode_one(stripped)
    except json.JSONDecodeError as bad:
        if bad.pos >= len(stripped) - 1 and not bad.msg.startswith("Unterminated") and not text.at_end:
            yield from _document(text, piece, line)
        else:
            yield found
    except (ValueError, RecursionError):
        yield found
    else:
        yield _found(line, stripped[:end], is_utf8)
        rest = stripped[end:].lstrip(_SPACE + ",")
        if rest:
            text.push(rest + "\n", line)


def _long_line(text: _Text, piece: str) -> Iterator[Found]:
    """A line of more than one piece."""
    line, is_utf8, parts, size = text.line, text.is_utf8, [piece], len(piece)
    while parts[-1][-1:] != "\n" and (more := text.piece()):
        is_utf8 = is_utf8 and text.is_utf8
        size += len(more)
        if size <= RECORD_MAX_CHARS:
            parts.append(more)
        else:
            parts[1:] = [more]  # too long to be held: only its end is looked for
    whole = "".join(parts)
    if size > RECORD_MAX_CHARS:
        yield Found(line, piece, None, f"longer than {RECORD_MAX_CHARS:,} characters", is_utf8)
        return
    text.line, text.is_utf8 = line, is_utf8
    yield from _line(text, whole, whole.strip(_SPACE))


def _document(text: _Text, buffer: str, line: int) -> Iterator[Found]:
    """An object that goes on over several lines; `buffer` holds the first of them."""
    start = _next(_NOT_SPACE, buffer, 0)
    is_utf8 = text.is_utf8
    while True:
        buffer, is_utf8 = _more(text, buffer, is_utf8, len(buffer))
        try:
            _, end = _decode_one(buffer, start)
        except json.JSONDecodeError as bad:
            if not text.at_end and _is_cut(bad, len(buffer)) and len(buffer) <= RECORD_MAX_CHARS:
                continue
            break
        except (ValueError, RecursionError):
            end = _balanced_end(buffer, start)
            if end < 0:
                if not text.at_end and len(buffer) <= RECORD_MAX_CHARS:
                    continue
                break
        yield _found(line + buffer.count("\n", 0, start), buffer[start:end], is_utf8)
        text.push(buffer[end:], line + buffer.count("\n", 0, end))
        return
    yield from _skip_damaged(text, buffer, line, is_utf8)


def _skip_damaged(text: _Text, buffer: str, line: int, is_utf8: bool) -> Iterator[Found]:
    """Give out the damaged value that `buffer` begins with, and leave the text where the next one begins."""
    kept, kept_line, repeated = "", line, 0
    while True:
        resumes = _RESUMES.search(buffer)
        end = resumes.end() if resumes else len(buffer)
        kept += buffer[repeated:end][: DAMAGED_KEPT_CHARS - len(kept)]
        line += buffer.count("\n", repeated, end)
        if resumes:
            text.push(buffer[end:], line)
            break
        # A line break may be the first character of what tells where to go on.
        repeated = 1 if buffer[-1:] == "\n" else 0
        more = text.piece()
        if not more:
            break
        buffer = "\n" * repeated + more
    shown = kept.strip(_SPACE)
    reason = _found(kept_line, shown, is_utf8).reason or f"longer than {RECORD_MAX_CHARS:,} characters"
    yield Found(kept_line, shown, None, reason, is_utf8)


def _array(text: _Text, buffer: str, line: int) -> Iterator[Found]:
    """The elements of the array that `buffer` begins with; `buffer` slides over the stream."""
    at = buffer.index("[") + 1
    is_utf8 = text.is_utf8
    while True:
        start = _next(_NOT_SEPARATOR, buffer, at)
        line += buffer.count("\n", at, start)
        if start == len(buffer):
            buffer, is_utf8 = _more(text, "", True, PIECE_BYTES)
            at = 0
            if not buffer:
                return
            continue
        if buffer[start] == "]":
            text.push(buffer[start + 1 :], line)
            return
        end = _element_end(buffer, start, text.at_end)
        if end < 0 and not text.at_end and len(buffer) - start <= RECORD_MAX_CHARS:
            indent = buffer[buffer.rfind("\n", 0, start) + 1 : start]
            keep = start - len(indent) if not indent.strip(_SPACE) else start
            buffer, is_utf8 = _more(text, buffer[keep:], is_utf8, PIECE_BYTES)
            at = 0
            continue
        if end < 0:  # the stream ends inside the element, or nothing shows where the element ends
            yield from _array_tail(text, buffer[start:], line, is_utf8)
            return
        yield _found(line, buffer[start:end].rstrip(_SPACE + ","), is_utf8)
        line += buffer.count("\n", start, end)
        at = end


def _element_end(buffer: str, start: int, at_end: bool) -> int:
    """Where the element at `start` ends, damaged or not; -1 where that cannot be told from what is in the buffer."""
    try:
        end: int = _decode_one(buffer, start)[1]
    except json.JSONDecodeError as bad:
        if not at_end and _is_cut(bad, len(buffer)):
            return -1
    except (ValueError, RecursionError):
        pass
    else:
        # Only a bracket or a quotation mark tells that a value has ended; a number may go on.
        return end if end < len(buffer) or at_end or buffer[end - 1] in '}]"' else -1
    if buffer[start] not in '{["':
        found = _SCALAR_ENDS.search(buffer, start)
        return found.start() if found else -1
    ends = [_balanced_end(buffer, start), _next_on_own_line(buffer, start)]
    return min((end for end in ends if end > start), default=-1)


def _next_on_own_line(buffer: str, start: int) -> int:
    """Where the next element begins, if elements begin lines: a damaged one may hide its own end."""
    indent = buffer[buffer.rfind("\n", 0, start) + 1 : start]
    if indent.strip(" \t"):
        return -1
    found = buffer.find(f"\n{indent}{{", start)
    return found + 1 if found >= 0 else -1


def _array_tail(text: _Text, tail: str, line: int, is_utf8: bool) -> Iterator[Found]:
    reason = _found(line, tail[:DAMAGED_KEPT_CHARS], is_utf8).reason
    while text.piece():
        reason = "damaged, and nothing shows where the next element of the array begins"
    if reason or tail:
        yield Found(line, tail[:DAMAGED_KEPT_CHARS].strip(_SPACE), None, reason or "truncated", is_utf8)


def _more(text: _Text, buffer: str, is_utf8: bool, least: int) -> tuple[str, bool]:
    """`buffer` and about as much again, or `least`: with doubling, what is tried anew costs no more than twice."""
    parts, size, wanted = [buffer], 0, max(least, len(buffer))
    while size < wanted and (more := text.piece()):
        is_utf8 = is_utf8 and text.is_utf8
        parts.append(more)
        size += len(more)
    return "".join(parts), is_utf8


def _is_cut(bad: json.JSONDecodeError, size: int) -> bool:
    """Whether the text may only be incomplete: the fault lies at its very end, or in a string without one."""
    return bad.pos >= size - _AT_END_CHARS or bad.msg.startswith("Unterminated")


def _balanced_end(buffer: str, start: int) -> int:
    """Where the brackets that open at `start` are all closed, or -1."""
    depth = 0
    for token in _BRACKET.finditer(buffer, start):
        mark = token[0]
        if mark in ("{", "["):
            depth += 1
        elif mark in ("}", "]"):
            depth -= 1
            if depth <= 0:
                return token.end()
        elif mark == '"':
            return -1
    return -1


def _next(pattern: "re.Pattern[str]", buffer: str, at: int) -> int:
    found = pattern.search(buffer, at)
    return found.start() if found else len(buffer)


def _why(text: str, reason: str) -> str:
    reason = _PLACE.sub(r" at character \1", reason)
    return f"NUL bytes; {reason}" if "\0" in text else reason


def _kind(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return "null" if value is None else "a boolean"
    return {str: "a string", int: "a number", float: "a number", list: "an array"}.get(type(value), "something else")
