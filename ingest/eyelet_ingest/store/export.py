"""Events that leave: as rows of an answer (`Export`), or as the exact lines that `import` takes (`ExportLines`).

An Export is read a page at a time, oldest first: memory is bounded by the page and the largest event. What is recorded
meanwhile at a later time than has been passed comes too; nothing comes twice.
"""

import gzip
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import BinaryIO

from eyelet_ingest.errors import BadInput, PartitionError
from eyelet_ingest.store import layout, schema, select, text_search
from eyelet_ingest.store.answers import Row, Unreadable
from eyelet_ingest.store.catalog import Part
from eyelet_ingest.store.connect import is_there
from eyelet_ingest.store.roots import Roots
from eyelet_ingest.store.search import Search, told
from eyelet_ingest.store.select import Filter

PAGE_EVENTS = 200
# Payloads are read with the page up to here, longer ones alone: 200 of the longest would be gigabytes.
CUT_CHARS = 64 * 1024
GZIP_LEVEL = 6


class Export:
    """Iterate once, for whole rows; after that `events` says how many, `unreadable` what is missing and why."""

    def __init__(self, roots: Roots, where: Filter) -> None:
        self.roots, self.where = roots, where
        self.events = 0
        self.unreadable: dict[tuple[str, ...], Unreadable] = {}
        with Search(roots, where):
            pass  # BadInput for what cannot be asked is raised here, before the first row

    def __iter__(self) -> Iterator[Row]:
        after: str | None = None
        while True:
            with Search(self.roots, self.where) as question:
                page = question.page(PAGE_EVENTS, after, True, CUT_CHARS)
            self._note(page.partitions.unreadable)
            for row in page.rows:
                whole = self._whole(row)
                if whole is not None:
                    self.events += 1
                    yield whole
            after = page.next
            if after is None:
                return

    def _whole(self, row: Row) -> Row | None:
        """The row with its payload uncut; None where it was deleted meanwhile."""
        chars = row["data_chars"]
        if not isinstance(chars, int) or chars <= CUT_CHARS:
            return row
        event_id, context = int(str(row["id"])), str(row["context_name"])
        root = str(row.get("root", self.roots.first.root))
        at = next(catalog.at for catalog in self.roots.catalogs if catalog.root == root)
        with Search(self.roots, Filter(contexts=(context,))) as question:
            whole = question.event(Part(root, at, layout.key_for(context, event_id)), event_id)
            self._note(question.truth().unreadable)
        return whole

    def _note(self, unreadable: tuple[Unreadable, ...]) -> None:
        for bad in unreadable:
            self.unreadable.setdefault((bad.context, bad.day, *([bad.root] if bad.root else [])), bad)


class ExportLines:
    """The lines of an export (lines.py), day by day in order of arrival: iterate once. Each day is one snapshot of it.

    Afterwards `events` says how many, `unreadable` what is missing and why; the last line says the same.
    """

    def __init__(self, roots: Roots, where: Filter, progress: Callable[[int, int], object] | None = None) -> None:
        self.roots, self.progress = roots, progress
        self.where = select.bindable(told(where))
        select.conditions(self.where), text_search.of(self.where)  # BadInput for what cannot be asked
        self.events = 0
        self.unreadable: list[Unreadable] = []

    def __iter__(self) -> Iterator[bytes]:
        from eyelet_ingest.store import lines

        parts, _, troubles, _ = self.roots.chosen(self.where)
        self.unreadable += troubles
        yield lines.header()
        for at, part in enumerate(parts):
            try:
                yield from self._day(part)
            except PartitionError as bad:
                if is_there(part.path):  # else it was removed meanwhile
                    reason = f"{bad.reason} ({bad.hint})"
                    self.unreadable.append(Unreadable(part.context, part.key.date, reason, self.roots.name_of(part)))
            if self.progress is not None:
                self.progress(at + 1, len(parts))
        yield lines.line({"end": self.end()})

    def end(self) -> dict[str, object]:
        """What the last line says."""
        bad = [{"context": b.context, "day": b.day, "error": b.error} for b in self.unreadable]
        return {"events": self.events, "complete": not bad, "unreadable": bad}

    def _day(self, part: Part) -> Iterator[bytes]:
        from eyelet_ingest.store import lines, transfer

        since_us, until_us = self.where.since_us, self.where.until_us
        # A row that lies outside its day, as another program may have left it, goes with the whole day only.
        low = since_us if since_us is not None and since_us > part.first_us else None
        high = until_us if until_us is not None and until_us < part.end_us else None
        in_range, range_params = select.id_range(low, high)
        with transfer.reading(part.path) as conn:
            if not schema.is_ready(conn):
                return
            given = transfer.given_name(conn, part.key)
            conn.execute("begin")  # what a text comes to holds for one moment; closing ends it
            clauses, params = text_search.conditions(conn, self.where, in_range, range_params)
            for row in transfer.rows_of(conn, in_range + clauses, range_params + params):
                self.events += 1
                yield lines.of_row(part.key, given, row)


def expect_place(path: str) -> None:
    """BadInput where no file can be made at `path`: before anything is read for it."""
    folder = os.path.dirname(os.path.abspath(path))
    if os.path.isdir(path):
        raise BadInput("export to", path, "it is a folder", "name a file in it")
    if not os.path.isdir(folder):
        raise BadInput("export to", path, f"there is no folder {folder}", "make it, or name another")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise BadInput("export to", path, f"nothing may be written to {folder}", "name another folder")


def write_file(exported: Iterable[bytes], path: str) -> None:
    """The lines in a file at `path` (0600), gzip where its name ends in .gz; there is a whole one or none.

    OSError where it cannot be written.
    """
    folder, name = os.path.split(os.path.abspath(path))
    partial = os.path.join(folder, f".{name}.{os.getpid()}.partial")
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with open(handle, "wb") as raw:
            write_to(exported, raw, name.endswith(".gz"))
            raw.flush()
            os.fsync(raw.fileno())
        os.replace(partial, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(partial)
        raise


def write_to(exported: Iterable[bytes], out: BinaryIO, packed: bool) -> None:
    """The lines on `out`, as gzip where `packed`."""
    if not packed:
        out.writelines(exported)
        return
    with gzip.GzipFile(filename="", mode="wb", compresslevel=GZIP_LEVEL, fileobj=out) as gz:
        gz.writelines(exported)
