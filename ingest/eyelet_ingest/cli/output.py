"""What commands print: tables for people, JSON and CSV for programs, and the truth about a search.

Recorded text is hostile. On its way to a terminal every control character, bidi control and line break
becomes a visible escape; JSON is pure ASCII; a CSV cell is one line, quoted where it begins like a formula.
"""

import errno
import json
import math
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, TextIO

from eyelet_ingest import snippets
from eyelet_ingest.errors import BadInput, EyeletError
from eyelet_ingest.store import schema

if TYPE_CHECKING:
    from eyelet_ingest.store.answers import Partitions

Row = Mapping[str, object]

EVENT_FIELDS = ("context_name", *schema.COLUMNS, *schema.DERIVED)
WIDTH_PIPED = 1_000  # a pipe has no width: nothing is cut there but what is absurd
GAP = "  "
NARROWEST = 4  # so that six columns fit into 40 characters
LEAD_CHARS = 30  # of a snippet before its first hit: a narrow terminal shows the hit all the same
_FORMULA = ("=", "+", "-", "@")
_JOINERS = "\u200c\u200d"  # Persian words and emoji families fall apart without them, and they move nothing
_SHORT_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_BEYOND_ASCII = r"[^\t\x20-\x7e]+"
_FAILED = frozenset({"error", "interrupted", "denied"})
_SPACE = r"[ \t\r\n]+"
_BEGIN, _END = snippets.BEGIN, snippets.END
_WITHOUT_WIDTH = _JOINERS + _BEGIN + _END
_RED, _HIT, _PLAIN = "\x1b[31m", "\x1b[1;4m", "\x1b[0m"


class Column(NamedTuple):
    """A column of a table: never wider than `most`; where the terminal is narrow it shrinks to `least`."""

    title: str
    least: int
    most: int
    right: bool = False  # numbers


class Marked(str):
    """A cell that is safe already, and whose hits stand between the two marks of a snippet, which take no room."""

    __slots__ = ()

    @classmethod
    def of(cls, snippet: str) -> "Marked":
        """Of a snippet as a search gives it; of what stands before its first hit, the end."""
        pieces = [(is_hit, visible(re.sub(_SPACE, " ", text))) for is_hit, text in snippets.parts(snippet)]
        if pieces and not pieces[0][0] and len(pieces[0][1]) > LEAD_CHARS:
            pieces[0] = False, "…" + pieces[0][1][-LEAD_CHARS:]
        return cls("".join(_BEGIN + text + _END if is_hit else text for is_hit, text in pieces))


def visible(text: str) -> str:
    """`text` on one line, moving no cursor: control, bidi and invisible characters as `\\x1b`, `\\u202e`."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def shown_width(text: str) -> int:
    """How many columns of a terminal `text` takes: wide characters two, combining ones none."""
    return len(text) if text.isascii() and text.isprintable() else sum(map(_char_width, text))


def fit(text: str, width: int) -> str:
    """`text` cut, with an ellipsis, to `width` columns of a terminal."""
    if shown_width(text) <= width:
        return text
    taken, kept = 1, []
    for char in text:
        taken += _char_width(char)
        if taken > width:
            break
        kept.append(char)
    return "".join(kept) + "…"


def short_paths(paths: Sequence[str]) -> dict[str, str]:
    """Each of these different paths by as few of its last parts as tell them all apart."""
    for parts in range(1, max((path.count(os.sep) for path in paths), default=0) + 1):
        short = {path: os.sep.join(path.split(os.sep)[-parts:]) for path in paths}
        if len(set(short.values())) == len(short):
            return short
    return {path: path for path in paths}


def terminal_width(out: TextIO) -> int:
    """The width to fit a table in: COLUMNS, else the terminal's; a pipe is as good as unbounded."""
    if out.isatty() or os.environ.get("COLUMNS"):
        from shutil import get_terminal_size

        return get_terminal_size((100, 24)).columns
    return WIDTH_PIPED


class Table:
    """An aligned table that fits the terminal, given batch by batch: the first one decides how wide columns are."""

    def __init__(self, columns: Sequence[Column], width: int) -> None:
        self._columns, self._width = columns, width
        self._widths: list[int] = []

    def lines(self, rows: Sequence[Sequence[str]]) -> Iterator[str]:
        """A line for each row, safe for a terminal; before the first batch, the header."""
        safe = [[cell if isinstance(cell, Marked) else visible(cell) for cell in row] for row in rows]
        if not self._widths:
            self._widths = _widths(self._columns, safe, self._width)
            yield self._line([column.title for column in self._columns])
        for row in safe:
            yield self._line(row)

    def _line(self, cells: Sequence[str]) -> str:
        placed = zip(self._columns, cells, self._widths, strict=True)
        return GAP.join(_padded(cell, width, column.right) for column, cell, width in placed).rstrip()


def write_lines(out: TextIO, lines: Iterable[str]) -> None:
    """Each line on `out`; what its encoding cannot say becomes an escape.

    EyeletError where it takes no more, but the plain OSError where its reader went away.
    """
    for line in lines:
        try:
            out.write(line + "\n")
        except UnicodeEncodeError:
            encoding = out.encoding or "ascii"
            out.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        except OSError as bad:
            raise _refused(bad) from bad
    try:
        out.flush()
    except OSError as bad:
        raise _refused(bad) from bad


def _refused(bad: OSError) -> Exception:
    if bad.errno == errno.EPIPE:
        return bad
    return EyeletError("standard output", reason=bad.strerror or str(bad))


def coloured(line: str, row: Row, out: TextIO) -> str:
    """The table's line, on a terminal that wants colours with its hits bold and underlined, and in red where the event
    failed; else plain."""
    if not out.isatty() or os.environ.get("NO_COLOR"):
        return line.replace(_BEGIN, "").replace(_END, "")
    failed = bool(row.get("error")) or row.get("status") in _FAILED
    around = _RED if failed else ""
    if _BEGIN in line:
        pieces = ((_HIT + text + _PLAIN + around if is_hit else text) for is_hit, text in snippets.parts(line))
        line = "".join(pieces)
    return around + line + _PLAIN if failed else line


def json_value(value: object) -> str:
    """Pure ASCII JSON on one line, without NaN: what is not finite is null, bytes are hexadecimal."""
    if isinstance(value, float) and not math.isfinite(value):
        return "null"
    return _ascii(json.dumps(value, allow_nan=False, default=_hexadecimal))


def json_row(row: Row) -> str:
    """An event as a JSON object on one line: every column, `meta` as it was stored, `data` as it was received."""
    from eyelet_ingest import limits

    data, meta = row.get("data"), row.get("meta")
    if isinstance(data, str) and isinstance(meta, str):  # what is kept once stands wherever it stood
        row = {**row, "data": limits.whole(data, meta)}
    members = []
    for name, value in row.items():
        if name == "data_chars":
            continue
        if name == "snippet" and isinstance(value, str):
            value = snippets.as_json(value)
        text = stored_json(value) if name in ("data", "meta") else json_value(value)
        members.append(f"{json.dumps(name)}: {text}")
    return "{" + ", ".join(members) + "}"


def stored_json(value: object) -> str:
    """Stored JSON text as pure ASCII on one line, number for number; text that is not JSON as a JSON string.

    Spliced rather than parsed and printed anew: a number of 40 digits keeps them.
    """
    from eyelet_ingest import jsontext

    if not isinstance(value, str):
        return json_value(value)
    try:
        jsontext.parse(value)
    except BadInput:
        return json_value(value)
    # Between tokens a line break is white space, and inside a string JSON allows none.
    return _ascii(value.replace("\n", " ").replace("\r", " "))


def json_array(rows: Iterable[Row]) -> Iterator[str]:
    """The lines of a JSON array, one event a line, without ever holding more than one."""
    return json_lines(map(json_row, rows))


def json_lines(values: Iterable[str]) -> Iterator[str]:
    """The lines of a JSON array of these values, each as JSON on one line."""
    before = None
    for value in values:
        yield "[" if before is None else before + ","
        before = value
    if before is None:
        yield "[]"
    else:
        yield before
        yield "]"


def csv_lines(names: Sequence[str], rows: Iterable[Row]) -> Iterator[str]:
    """The lines of a CSV table with a header; every cell is one line and no formula."""
    yield csv_line(names)
    for row in rows:
        yield csv_line([_csv_cell(name, row.get(name)) for name in names])


def csv_line(cells: Sequence[object]) -> str:
    import csv
    import io

    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="").writerow(cells)
    return buffer.getvalue()


def csv_safe(text: str) -> str:
    """`text` as a cell that no spreadsheet takes for a formula: such a beginning gets an apostrophe."""
    shown = visible(text)
    return "'" + shown if shown.lstrip().startswith(_FORMULA) else shown


def truth(partitions: "Partitions", elapsed_ms: float, pages: int = 1) -> str:
    """What a search has looked at, as one line: `4 of 31 partitions scanned, 18 ms, 1 unreadable: …`."""
    bad = partitions.unreadable
    total = partitions.scanned + partitions.skipped + partitions.unasked + len(bad)
    noun = "partition" if total == 1 else "partitions"
    if pages == 1:
        line = f"{partitions.scanned} of {total} {noun} scanned, {elapsed_ms:.0f} ms"
    else:
        line = f"{pages} pages over {total} {noun}, {elapsed_ms:.0f} ms"
    if partitions.unasked:
        line += f", {partitions.unasked} not asked as time ran out: this is not all there may be"
    if partitions.archived:
        days = "day is" if partitions.archived == 1 else "days are"
        line += f", {partitions.archived} {days} only in the archive (eyelet archive --restore DAY brings one back)"
    if bad:
        named = "; ".join(f"{day.name} ({day.error})" for day in bad)
        line += f", {len(bad)} unreadable: {named}"
    return visible(line)


def _escape(char: str) -> str:
    if char in _JOINERS or unicodedata.category(char) in ("Co", "Cn"):
        return char
    if unicodedata.category(char) == "Zs":
        return " "
    return _SHORT_ESCAPES.get(char) or ascii(char)[1:-1]


def _ascii(text: str) -> str:
    """JSON text without DEL and without anything beyond ASCII, which stand in its strings only."""
    return re.sub(_BEYOND_ASCII, lambda found: json.dumps(found[0])[1:-1].replace("\x7f", "\\u007f"), text)


def _char_width(char: str) -> int:
    if (
        char in _JOINERS
        or char in (_BEGIN, _END)
        or unicodedata.combining(char)
        or unicodedata.category(char) in ("Mn", "Me")
    ):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> list[int]:
    widths = []
    for at, column in enumerate(columns):
        longest = max((shown_width(row[at]) for row in rows), default=0)
        widths.append(max(min(longest, column.most), shown_width(column.title)))
    spare = width - len(GAP) * (len(columns) - 1) - sum(widths)
    # From the right: the last column says most, and is the one that reads well when it is cut.
    for least in ([column.least for column in columns], [NARROWEST] * len(columns)):
        for at in reversed(range(len(columns))):
            given = min(max(-spare, 0), max(widths[at] - least[at], 0))
            widths[at] -= given
            spare += given
    return widths


def _padded(text: str, width: int, right: bool) -> str:
    cut = fit(text, width)
    space = " " * (width - shown_width(cut))
    return space + cut if right else cut + space


def _csv_cell(name: str, value: object) -> object:
    if value is None:
        return ""
    if name in ("data", "meta"):
        return stored_json(value)
    if isinstance(value, bytes):
        return value.hex()
    return csv_safe(value) if isinstance(value, str) else value


def _hexadecimal(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(f"no JSON for a {type(value).__name__}")
