"""How exported events are written: each form gives a beginning, a piece for each event, and an end that says whether
all of them are there. A reader who has no end knows that the rest is missing."""

import csv
import io
import json
import time
import zlib
from typing import Protocol

from datasette_eyelet.row_json import row_json, whole
from eyelet_ingest.store import schema
from eyelet_ingest.store.answers import Row

GZIP_BITS = 31  # zlib's way to say: with gzip's header and checksum
COLUMNS = ("context_name", *schema.COLUMNS, *schema.DERIVED)
FORMULA = tuple("=+-@＝＋－＠")  # what a spreadsheet would reckon with, also in East Asian writing


class Form(Protocol):
    """One writing of one export; `kind` is how its file's name ends."""

    kind: str
    content_type: str

    def begin(self) -> bytes: ...
    def row(self, row: Row) -> bytes: ...
    def end(self, said: dict[str, object]) -> bytes:
        """`said` is `events`, `complete`, `unreadable`, and `error` where something else went wrong."""


class JsonLines:
    """A line for each event, and one that says `{"export": {…}}`."""

    kind, content_type = "jsonl", "application/x-ndjson; charset=utf-8"

    def begin(self) -> bytes:
        return b""

    def row(self, row: Row) -> bytes:
        return _line(row) + b"\n"

    def end(self, said: dict[str, object]) -> bytes:
        return json.dumps({"export": said}).encode() + b"\n"


class GzipLines(JsonLines):
    """The same as gzip."""

    kind, content_type = "jsonl.gz", "application/gzip"

    def __init__(self) -> None:
        self._compressor = zlib.compressobj(wbits=GZIP_BITS)

    def row(self, row: Row) -> bytes:
        return self._compressor.compress(super().row(row))

    def end(self, said: dict[str, object]) -> bytes:
        return self._compressor.compress(super().end(said)) + self._compressor.flush()


class Json:
    """One object: `rows`, and behind them `export` and `ok`."""

    kind, content_type = "json", "application/json; charset=utf-8"

    def __init__(self) -> None:
        self._before = b""

    def begin(self) -> bytes:
        return b'{"rows": [\n'

    def row(self, row: Row) -> bytes:
        before, self._before = self._before, b",\n"
        return before + _line(row)

    def end(self, said: dict[str, object]) -> bytes:
        return b"\n], " + json.dumps({"export": said, "ok": said["complete"]})[1:].encode() + b"\n"


class Csv:
    """A header, and a row for each event. What is not whole says so in a last row, which begins with `#`."""

    kind, content_type = "csv", "text/csv; charset=utf-8"

    def begin(self) -> bytes:
        return _cells(COLUMNS)

    def row(self, row: Row) -> bytes:
        row = {**row, "data": whole(row)}
        return _cells([_cell(row.get(name)) for name in COLUMNS])

    def end(self, said: dict[str, object]) -> bytes:
        return b"" if said["complete"] else _cells([f"# this is not everything: {json.dumps(said)}"])


FORMS: dict[str, type[Form]] = {one.kind: one for one in (Csv, Json, JsonLines)}


def headers(form: Form) -> list[list[bytes]]:
    """A file to be kept, for nobody else's eyes."""
    name = time.strftime(f"eyelet-%Y%m%dT%H%M%SZ.{form.kind}", time.gmtime())
    return [
        [b"content-type", form.content_type.encode()],
        [b"content-disposition", f'attachment; filename="{name}"'.encode()],
        [b"x-content-type-options", b"nosniff"],
        [b"referrer-policy", b"no-referrer"],
        [b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; sandbox"],
        [b"cache-control", b"no-store"],
    ]


def _line(row: Row) -> bytes:
    """A payload may stand on several lines as it was received; white space of JSON outside its strings is all that a
    line end can be."""
    return row_json(row, full=True).replace("\r", " ").replace("\n", " ").encode("utf-8", "replace")


def _cells(cells: "list[object] | tuple[str, ...]") -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer).writerow(cells)
    return buffer.getvalue().encode("utf-8", "replace")


def _cell(value: object) -> object:
    """What no spreadsheet takes for a formula: a text that begins like one gets an apostrophe."""
    if not isinstance(value, str):
        return value
    text = value.replace("\0", "\\0")
    return f"'{text}" if text.lstrip().startswith(FORMULA) else text
