"""The other layout: all rows in one SQLite file with the schema, indexes and text index of a day.

Several contexts share it by a column more, `context`, with an index of its own: what who has one file would do. It is
asked with the best SQL for each question. This is no partition: nothing but the load generator makes or opens one.
"""

import os
from typing import Any

from eyelet_ingest.bench.scenario import Scenario
from eyelet_ingest.events import Event
from eyelet_ingest.store import connect, schema, text_schema, writer

COLUMNS = ", ".join((*schema.COLUMNS, *schema.DERIVED))
TEXT_CHUNK = 20_000  # rows of one transaction while their text is indexed

Rows = list[tuple[Any, ...]]


class SingleFile:
    """The file, and connections that stay open until `close`: one that reads, and one that writes, which makes a new
    file; without it where the file `is_there` already."""

    def __init__(self, folder: str, scenario: Scenario, bounds_us: tuple[int, int], *, is_there: bool = False) -> None:
        self.path = os.path.join(folder, "single", "logs.sqlite")
        self.has_contexts = scenario.contexts > 1
        self._arrived = bounds_us[0]
        self.writer: Any = None if is_there else self._made(bounds_us)
        self._insert = schema.insert_of((*schema.COLUMNS, *(("context",) if self.has_contexts else ())))
        self.reader: Any = connect.open_reader(self.path)

    def _made(self, bounds_us: tuple[int, int]) -> Any:
        conn = connect.open_writer(self.path)
        schema.bring_up(conn, self.path, "default", "default", bounds_us)
        if self.has_contexts:
            with connect.transaction(conn):
                conn.execute("alter table hooks add column context text not null default ''")
                conn.execute("create index hooks_context on hooks (context)")
        return conn

    def close(self) -> None:
        self.reader.close()
        if self.writer is not None:
            self.writer.close()

    def another_reader(self) -> Any:
        return connect.open_reader(self.path)

    def prepared(self, events: list[tuple[str, Event]]) -> Rows:
        """The values of these rows, as `write` takes them: making them is no work of the file's."""
        found: Rows = []
        for context, event in events:
            self._arrived += 1
            row = writer.row_of(event)
            whole = (row[1], row[0], self._arrived, row[1] / 1e6, *row[2:])
            found.append((*whole, context) if self.has_contexts else whole)
        return found

    def write(self, rows: Rows) -> None:
        """Insert them in one transaction."""
        with connect.transaction(self.writer):
            self.writer.executemany(self._insert, rows)

    def begin_text(self) -> None:
        """An index of text that holds nothing yet."""
        with connect.transaction(self.writer):
            text_schema.create(self.writer)

    def index_text(self, after: int) -> int | None:
        """Index the text of the next rows after this id; the last one's id, None where there is none left."""
        columns = ", ".join(text_schema.TEXT_COLUMNS)
        ids = "select id from hooks where id > ? order by id limit ?"
        last = self.writer.execute(f"select max(id) from ({ids})", (after, TEXT_CHUNK)).fetchone()[0]  # noqa: S608
        if last is None:
            return None
        fill = f"""insert into {text_schema.INDEX} (rowid, {columns})
            select id, {columns} from {text_schema.VIEW} where id > ? and id <= ?"""  # noqa: S608  our own names
        with connect.transaction(self.writer):
            self.writer.execute(fill, (after, last))
        return int(last)

    def finish(self) -> None:
        """What a day has once it is finished: its text index in one piece, what the planner wants to know, no WAL."""
        index = text_schema.INDEX
        with connect.transaction(self.writer):
            self.writer.execute(f"insert into {index} ({index}) values ('optimize')")  # noqa: S608  our own name
        self.writer.execute("analyze")
        self.checkpoint("truncate")
        self.reader.close()
        self.reader = connect.open_reader(self.path)  # which then knows the statistics

    def checkpoint(self, mode: str = "passive") -> None:
        self.writer.execute(f"pragma wal_checkpoint({mode})").fetchone()

    def ask(self, sql: str, params: "tuple[object, ...]" = (), conn: Any = None) -> Rows:
        """All rows of the answer, by this connection or the reader."""
        found: Rows = (conn or self.reader).execute(sql, params).fetchall()
        return found
