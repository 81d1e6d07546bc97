"""Redacting archives: an archive is unpacked, its rows are rewritten, and it is packed again in one step."""

import os
from collections.abc import Iterator

from eyelet_ingest.errors import EyeletError
from eyelet_ingest.store import archives, connect, layout, redacting, schema
from eyelet_ingest.store.archived_deletion import make_indexes, opened
from eyelet_ingest.store.digests import rows_digest
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.redacted import DayRedacted
from eyelet_ingest.store.redacting import Work

NAME = "archive"


class Archives:
    """The archived days of one root, as a place (`redacting.Place`)."""

    name = NAME

    def redact(self, work: Work) -> Iterator[DayRedacted]:
        for key in archives.keys(work.root):
            if not work.wanted.meets(key) or not work.wanted.pieces(key.context):
                continue
            try:
                day = self._of_day(work, key)
            except EyeletError as bad:
                work.gave_up(key, f"its archive: {bad.reason} ({bad.hint})")
                continue
            if day.columns or day.kept:
                yield day
            # The days were walked before: one that was brought back meanwhile holds what is to go.
            if work.go and connect.is_there(layout.db_path(work.root, key)):
                again = redacting.redact_day(work, key)
                if again is not None and again.columns:
                    yield again

    def _of_day(self, work: Work, key: PartitionKey) -> DayRedacted:
        day = DayRedacted(key, NAME)
        with opened(work.root, key) as (conn, facts, made):
            with connect.transaction(conn):
                _, day.before = rows_digest(conn, schema.COLUMNS, None)
                redacting.rewrite_rows(work, conn, day)
                _, day.after = rows_digest(conn, schema.COLUMNS, None)
                redacting.clean_others(work, conn, day)
                redacting.say_spelt(work, conn, key)
            if work.receipt is not None and day.columns:
                make_indexes(conn, facts["without"])
                conn.close()
                small = os.path.join(made, "small.db")
                archives.pack(os.path.join(made, "day.db"), small, facts["seals"])
                work.receipt.about(day.told())
                archives.put(small, archives.path_of(work.root, key))
                work.receipt.done()
        return day
