"""What the checks of health read of databases: damage, pages, the schema as it is, what waits in the WAL. Only reads.

A database is never read as a plain file here: closing any handle on it drops the locks that SQLite holds on it in this
process (https://www.sqlite.org/howtocorrupt.html, "POSIX advisory locks").
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from eyelet_ingest.errors import PartitionBusy, PartitionError, PartitionUnreadable
from eyelet_ingest.store import connect, layout, schema

STEPS = 20_000  # of SQLite's machine between two looks at the clock: about 1 ms
MOST_DAMAGES = 5
WAL_HEADER_BYTES, FRAME_HEADER_BYTES = 32, 24  # https://www.sqlite.org/fileformat2.html#walformat
NOOP_SINCE = (3, 51, 0)  # `wal_checkpoint(noop)`: https://www.sqlite.org/releaselog/3_51_0.html


class OutOfTime(PartitionError):
    """The time for looking was over before the look was."""


@dataclass(frozen=True, slots=True)
class Pages:
    """How many pages a database has, of which so many are empty, and how long one is."""

    count: int
    empty: int
    bytes_each: int

    @property
    def empty_percent(self) -> float:
        return 100 * self.empty / self.count if self.count else 0.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """What stands in a WAL: its frames (one page each), how many of these are in the file by now (None: this SQLite
    does not tell), and the bytes of those that are not."""

    frames: int
    moved: int | None
    bytes: int


@dataclass(frozen=True, slots=True)
class Shape:
    """The schema of a day as it is: its version, and compared with what that version has, the columns of `hooks` and
    the other objects that are `missing`, those of our names that are made otherwise (`changed`), and the indexes that
    are on `hooks` besides."""

    version: int
    columns_missing: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    foreign_indexes: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        return not (self.columns_missing or self.missing or self.changed)


def damages(path: str, *, full: bool, until_s: float = float("inf")) -> list[str]:
    """What `quick_check`, or `integrity_check` where `full`, finds wrong with a database; nothing where it is whole.

    `until_s` is on `time.monotonic`: OutOfTime past it. PartitionUnreadable where it cannot be opened; PartitionBusy
    where others keep it.
    """
    pragma = "integrity_check" if full else "quick_check"
    with _reading(path, until_s) as conn:
        try:
            rows = conn.execute(f"pragma {pragma}({MOST_DAMAGES})").fetchall()
        except conn.OperationalError:
            raise
        except (conn.DatabaseError, UnicodeDecodeError) as bad:
            return [str(bad)]  # so damaged that it cannot be gone through
    lines = [line for (text,) in rows for line in str(text).splitlines() if not line.startswith("*** in ")]
    return [] if lines == ["ok"] else lines[:MOST_DAMAGES]


def pages(path: str) -> Pages:
    """PartitionUnreadable and PartitionBusy as `damages`."""
    with _reading(path) as conn:
        count, empty, size = (
            int(conn.execute(f"pragma {name}").fetchone()[0]) for name in ("page_count", "freelist_count", "page_size")
        )
    return Pages(count, empty, size)


def events(path: str) -> int:
    """How many events a day holds. Errors as `damages`."""
    with _reading(path) as conn:
        if not schema.is_ready(conn):
            return 0
        return int(conn.execute("select count(*) from hooks").fetchone()[0])


def waiting(path: str) -> Waiting:
    """What stands in the WAL beside a database; nothing where there is none. Errors as `damages`."""
    try:
        size = 0 if path.startswith(layout.MEMORY) else os.path.getsize(layout.side_path(path, "-wal"))
    except OSError:
        size = 0
    if size <= WAL_HEADER_BYTES:
        return Waiting(0, 0, 0)
    with _reading(path) as conn:
        page = int(conn.execute("pragma page_size").fetchone()[0])
        most = (size - WAL_HEADER_BYTES) // (page + FRAME_HEADER_BYTES)
        if not _tells_frames(connect.driver().sqlite_version):
            return Waiting(most, None, most * page)
        _, frames, moved = conn.execute("pragma wal_checkpoint(noop)").fetchone()
    if frames < 0:  # a roll-back journal: what lies there is nobody's
        return Waiting(0, 0, 0)
    return Waiting(frames, moved, max(0, frames - moved) * page)


def shape(path: str, expected: "Expected") -> Shape | None:
    """The schema of a day against that of its version; None for a day that is empty. Errors as `damages`."""
    with _reading(path) as conn:
        if not schema.is_ready(conn):
            return None
        version = schema.version_of(conn)
        if not 0 < version <= schema.VERSION:
            return Shape(version)
        there = {name: (kind, _plain(sql)) for kind, name, sql in conn.execute(_OBJECTS)}
        columns = {row[1] for row in conn.execute("pragma table_xinfo(hooks)")}
        on_hooks = [name for (name,) in conn.execute(_INDEXES)]
    wanted = expected.of(version)
    compared = {name: what for name, what in wanted.items() if name in there and what[0] != "table"}
    return Shape(
        version,
        tuple(name for name in (*schema.COLUMNS, *schema.DERIVED) if name not in columns),
        tuple(name for name in wanted if name not in there),
        tuple(name for name, what in compared.items() if there[name] != what),
        tuple(name for name in on_hooks if name not in wanted and not name.startswith(schema.PLUGIN_INDEX)),
    )


_OBJECTS = "select type, name, sql from sqlite_master where sql is not null and name not like 'sqlite!_%' escape '!'"
_INDEXES = "select name from sqlite_master where type = 'index' and tbl_name = 'hooks' and sql is not null"


class Expected:
    """What a fresh day of each version holds, made once in memory: name → (type, SQL without its white space)."""

    def __init__(self) -> None:
        self._of: dict[int, dict[str, tuple[str, str]]] = {}

    def of(self, version: int) -> dict[str, tuple[str, str]]:
        if version not in self._of:
            conn = connect.open_memory()
            try:
                # An older SQLite holds its own functions of JSON, which derived columns call, for dangerous.
                conn.execute("pragma trusted_schema = on")
                schema.make(conn, version)
                self._of[version] = {name: (kind, _plain(sql)) for kind, name, sql in conn.execute(_OBJECTS)}
            finally:
                conn.close()
        return self._of[version]


def index_bytes(path: str, until_s: float = float("inf")) -> dict[str, int]:
    """The indexes on `hooks` that have a name of their own, and about how many bytes each takes. Errors as `damages`.

    As `dbstat` says (https://www.sqlite.org/dbstat.html); where this SQLite lacks that, estimated from the values: an
    entry is the value, its header and its row's id, in pages that are two thirds full.
    """
    with _reading(path, until_s) as conn:
        names = [name for (name,) in conn.execute(_INDEXES)]
        try:
            sizes = dict(conn.execute("select name, sum(pgsize) from dbstat where aggregate = 0 group by name"))
        except conn.OperationalError as bad:
            if "no such table" not in str(bad):
                raise
            sizes = {name: _estimated(conn, name) for name in names}
    return {name: int(sizes.get(name) or 0) for name in names}


def _estimated(conn: Any, index: str) -> int:
    columns = [row[2] for row in conn.execute("select * from pragma_index_info(?)", (index,)) if row[2] is not None]
    quoted = [f'"{name}"' for name in columns]  # names of columns of this table, as SQLite says them
    if not quoted or any('"' in name for name in columns):
        return 0
    where = conn.execute("select sql from sqlite_master where name = ?", (index,)).fetchone()[0].partition(" where ")[2]
    long = " + ".join(f"coalesce(length(cast({name} as blob)), 0)" for name in quoted)
    # The condition is the index's own, out of the database's schema; the connection can only read.
    sql = f"select count(*), sum({long}) from hooks" + (f" where {where}" if where else "")  # noqa: S608
    entries, values = conn.execute(sql).fetchone()
    return int(((values or 0) + entries * (len(columns) + 11)) * 1.5)


@contextmanager
def _reading(path: str, until_s: float = float("inf")) -> Iterator[Any]:
    conn = connect.open_reader(path)
    try:
        if until_s != float("inf"):
            conn.set_progress_handler(lambda: time.monotonic() >= until_s, STEPS)
        yield conn
    except conn.DatabaseError as bad:
        if "interrupted" in str(bad):
            raise OutOfTime("read", path, "there was no time left", "ask again, it goes on") from bad
        if connect.is_passing(str(bad)):
            raise PartitionBusy("read", path, str(bad), "try again") from bad
        raise PartitionUnreadable("read", path, *schema.diagnosis(conn, path, bad)) from bad
    finally:
        conn.set_progress_handler(None, 0)
        conn.close()


def _plain(sql: str) -> str:
    return " ".join(sql.split()).replace('"', "")


def _tells_frames(sqlite_version: str) -> bool:
    return tuple(int(part) for part in sqlite_version.split(".")) >= NOOP_SINCE
