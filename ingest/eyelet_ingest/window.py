"""A byte stream as text through a window that slides over it: what is taken is let go, what is needed is read."""

import io
import re
from collections import deque

PIECE_BYTES = 1 << 16
# So much before the place is kept: enough to see how a line is indented.
INDENT_CHARS = 64

_INDENT = re.compile(r"\n([ \t]*)\Z")


class _Unplaced(str):
    """Text whose JSON faults name no line and column: to find these, all the text before each fault would be read."""

    __slots__ = ()

    def count(self, *_: object) -> int:
        return 0

    def rfind(self, *_: object) -> int:
        return -1


class Window:
    """`text[at:]` is what was read and is not taken yet; `at` is moved by `advance` and by whatever reads more.

    Reading more shifts every index: hold on to sizes, counted from `at`.
    """

    __slots__ = (
        "_carry",
        "_damaged",
        "_ended",
        "_passed",
        "_read_chars",
        "_stream",
        "at",
        "is_line_start",
        "line",
        "text",
    )

    def __init__(self, stream: io.BufferedReader) -> None:
        self._stream = stream
        self._carry = b""  # the first bytes of a character that the last piece cut
        self._ended = False
        self._passed = 0  # characters that were before `text`
        self._read_chars = 0
        self._damaged: deque[tuple[int, int]] = deque()  # where bytes were replaced: from, to, of the whole stream
        self.text: str = _Unplaced()
        self.at = 0
        self.line = 1  # of `at`
        self.is_line_start = True  # whether only spaces stand between the line's beginning and `at`

    @property
    def place(self) -> int:
        """Where `at` is in the whole stream, in characters."""
        return self._passed + self.at

    @property
    def size(self) -> int:
        """How many characters the window holds from `at` on."""
        return len(self.text) - self.at

    def advance(self, size: int, *, has_breaks: bool = True) -> None:
        """Take `size` characters. What lies behind is let go once it is the larger part."""
        to = self.at + size
        if has_breaks:
            self.line += str.count(self.text, "\n", self.at, to)
        self.at = to
        if to > PIECE_BYTES and to > len(self.text) // 2:
            self._slide([])

    def take_line(self, end: int) -> None:
        """Take the characters up to the line break at the index `end`, and the break."""
        self.line += 1
        self.at = end + 1
        self.is_line_start = True
        if end > PIECE_BYTES and end > len(self.text) // 2:
            self._slide([])

    def more(self, least: int = PIECE_BYTES) -> bool:
        """Read at least `least` characters, fewer at the stream's end; whether there were any.

        Who doubles what there is reads and tries everything about twice, however long it is.
        """
        read: list[str] = []
        size = 0
        while size < least and (piece := self._read()):
            read.append(piece)
            size += len(piece)
        if size:
            self._slide(read)
        return size > 0

    def line_size(self, most: int) -> int:
        """How many characters the line goes on for; -1 where they are more than `most`. The window then holds them."""
        end = self.text.find("\n", self.at)
        if end >= 0:
            return end - self.at if end - self.at <= most else -1
        size, read = self.size, []
        while size <= most and (piece := self._read()):
            read.append(piece)
            end = piece.find("\n")
            if end >= 0:
                size += end
                break
            size += len(piece)
        self._slide(read)
        return size if size <= most else -1

    def skip_line(self) -> None:
        """Pass over the rest of the line, however long it is."""
        while (end := self.text.find("\n", self.at)) < 0:
            self.advance(self.size)
            if not self.more():
                return
        self.advance(end - self.at)

    def indent(self) -> str | None:
        """The spaces before `at`, where a line begins with them; None where something else stands before it."""
        found = _INDENT.search(self.text[max(0, self.at - INDENT_CHARS) : self.at])
        return found[1] if found else None

    def is_utf8(self, size: int) -> bool:
        """Whether no bytes were replaced in the next `size` characters; False also where their line has others."""
        start, damaged = self.place, self._damaged
        while damaged and damaged[0][1] <= start:
            damaged.popleft()
        return not damaged or damaged[0][0] >= start + size

    def _slide(self, read: list[str]) -> None:
        keep = max(0, self.at - INDENT_CHARS)
        read.insert(0, self.text[keep:])
        self.text = ""  # what is let go is let go first: a record may be most of the memory
        text = "".join(read)
        read.clear()
        self.text = _Unplaced(text)
        self._passed += keep
        self.at -= keep

    def _read(self) -> str:
        """The next piece, "" at the end."""
        raw = self._read_bytes()
        while (cut := _cut_character(raw)) and not self._ended:
            if cut < len(raw):
                raw, self._carry = raw[:-cut], raw[-cut:]
                break
            raw += self._read_bytes()
        try:
            piece = raw.decode()
        except UnicodeDecodeError:
            return self._replaced(raw)
        self._read_chars += len(piece)
        return piece

    def _replaced(self, raw: bytes) -> str:
        """The text of bytes that are not all UTF-8; the lines where they are not are remembered."""
        lines = []
        for line in raw.splitlines(keepends=True):
            try:
                text = line.decode()
            except UnicodeDecodeError:
                text = line.decode("utf-8", "replace")
                self._damaged.append((self._read_chars, self._read_chars + len(text)))
            self._read_chars += len(text)
            lines.append(text)
        return "".join(lines)

    def _read_bytes(self) -> bytes:
        raw = self._stream.read1(PIECE_BYTES)
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
