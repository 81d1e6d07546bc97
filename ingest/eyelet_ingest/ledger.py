"""`ingest.sqlite` at the root: what an import has to remember so that twice is once.

Three things. Which time a record without one was given when it was first seen, so that a second run finds it in the
same day. Which files were seen, by the beginning of their content, so that a log rotated away and begun anew is told
from one that was copied. And the quarantine: what could not be stored, where it stood, and why.
"""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from eyelet_ingest.errors import EyeletError, RootError
from eyelet_ingest.store import connect, identity

FILE_NAME = "ingest.sqlite"
CHUNK = 500  # values in one `in (…)`: SQLite before 3.32 allows 999
VERSION = 1
BUSY_MS = 30_000
OCCURRENCES_HELD = 100_000  # equal payloads are counted in memory up to here (about 8 MB), then on disk
CACHE_KIB = 8_000
CONTENT_MAX_CHARS = 2**20

_SCHEMA = """
create table files (
    id integer primary key,
    path text not null,
    generation blob not null,
    fingerprint blob not null,
    head_records integer not null,
    head_digest blob not null,
    size_bytes integer not null,
    mtime_us integer not null,
    records integer not null default 0,
    first_seen_us integer not null,
    last_seen_us integer not null,
    unique (path, generation)
);
create index files_head on files (head_digest);
create table timeless (
    context text not null,
    uid blob not null,
    time_us integer not null,
    primary key (context, uid)
) without rowid;
create table quarantine (
    id integer primary key,
    uid blob not null unique,
    context text not null,
    file text not null,
    line integer not null,
    reason text not null,
    content text not null,
    chars integer not null,
    at_us integer not null
);
create index quarantine_file on quarantine (file, line);
"""

_OF_FILE = "(? is null or file = ?)"


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A record that was not stored: where it stood, why, and its redacted text, cut at CONTENT_MAX_CHARS."""

    context: str
    file: str
    line: int
    reason: str
    content: str
    chars: int
    at_us: int


@dataclass(frozen=True, slots=True)
class Seen:
    """A file as the ledger knows it. `generation` tells the contents apart that one path has had."""

    path: str
    generation: bytes
    head_records: int
    head_digest: bytes


class Ledger:
    """The ledger of one root, made when it is first needed. RootError where it cannot be read or written."""

    def __init__(self, root: str) -> None:
        self.path = os.path.join(root, FILE_NAME)
        identity.make_private_dir(root)
        try:
            # Of two who make it at once, one would find it locked: setting WAL does not wait.
            with connect.FileLock(self.path + ".lock", time.monotonic_ns() + BUSY_MS * 1_000_000):
                self._conn = connect.open_writer(self.path, busy_ms=BUSY_MS)
        except EyeletError as bad:
            raise RootError("open", self.path, bad.reason, _HINT) from bad
        with self._work("open", writes=False):
            self._conn.execute(f"pragma cache_size = -{CACHE_KIB}")
            version = self._conn.execute("pragma user_version").fetchone()[0]
        if version > VERSION:
            self.close()
            raise RootError("open", self.path, f"a newer version made it ({version} > {VERSION})", "update eyelet")
        if version < VERSION:
            with self._work("make"):
                if not self._conn.execute("pragma user_version").fetchone()[0]:  # another may have been first
                    for statement in _SCHEMA.split(";"):
                        self._conn.execute(statement)
                    self._conn.execute(f"pragma user_version = {VERSION}")

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._conn.close()

    def times(self, context: str, wanted: "Sequence[tuple[bytes, int]]") -> "dict[bytes, int]":
        """The time of every uid: the one remembered, else the one given here, which is remembered from now on.

        Committed before this returns: whatever happens to the rows, the next run gives them the same times.
        """
        given: dict[bytes, int] = {}
        for uid, time_us in wanted:
            given.setdefault(uid, time_us)
        uids = list(given)
        known: dict[bytes, int] = {}
        with self._work("read", writes=False):
            for start in range(0, len(uids), CHUNK):
                some = uids[start : start + CHUNK]
                marks = ",".join("?" * len(some))
                sql = f"select uid, time_us from timeless where context = ? and uid in ({marks})"  # noqa: S608  marks only
                known.update(self._conn.execute(sql, (context, *some)))
        fresh = [(context, uid, time_us) for uid, time_us in given.items() if uid not in known]
        if fresh:
            with self._work("write to"):
                self._conn.executemany("insert or ignore into timeless values (?, ?, ?)", sorted(fresh))
        return given | known

    def same_content(self, digests: Sequence[bytes], path: str) -> Seen | None:
        """The file known by the longest beginning of what `digests` begin with; of equal ones the one at `path`.

        `digests[n - 1]` is the digest of the first n records.
        """
        best: Seen | None = None
        with self._work("read", writes=False):
            for start in range(0, len(digests), CHUNK):
                some = digests[start : start + CHUNK]
                marks = ",".join("?" * len(some))
                sql = (
                    "select path, generation, head_records, head_digest from files"  # noqa: S608  marks only
                    f" where head_digest in ({marks}) order by head_records, path = ?, id"
                )
                for row in self._conn.execute(sql, (*some, path)):
                    seen = Seen(*row)
                    if seen.head_records <= len(digests) and digests[seen.head_records - 1] == seen.head_digest:
                        best = seen
        return best

    def at_path(self, path: str) -> Seen | None:
        """What the path held when it was last read."""
        sql = (
            "select path, generation, head_records, head_digest from files where path = ?"
            " order by last_seen_us desc, id desc limit 1"
        )
        with self._work("read", writes=False):
            row = self._conn.execute(sql, (path,)).fetchone()
        return Seen(*row) if row else None

    def saw(self, seen: Seen, fingerprint: bytes, size_bytes: int, mtime_us: int) -> None:
        """Remember what the path holds now. Committed before any row of the file is stored."""
        now_us = time.time_ns() // 1_000
        with self._work("write to"):
            self._conn.execute(
                "insert into files (path, generation, fingerprint, head_records, head_digest, size_bytes, mtime_us,"
                " first_seen_us, last_seen_us) values (?, ?, ?, ?, ?, ?, ?, ?, ?)"
                " on conflict (path, generation) do update set fingerprint = excluded.fingerprint,"
                " head_records = excluded.head_records, head_digest = excluded.head_digest,"
                " size_bytes = excluded.size_bytes, mtime_us = excluded.mtime_us, last_seen_us = excluded.last_seen_us",
                (
                    *(seen.path, seen.generation, fingerprint, seen.head_records, seen.head_digest),
                    *(size_bytes, mtime_us, now_us, now_us),
                ),
            )

    def read_whole(self, seen: Seen, records: int) -> None:
        """Remember how many records the file had when it was read to its end."""
        with self._work("write to"):
            self._conn.execute(
                "update files set records = ? where path = ? and generation = ?", (records, seen.path, seen.generation)
            )

    def quarantine(self, entries: "Sequence[tuple[bytes, Quarantined]]") -> None:
        """Keep what could not be stored, each uid once."""
        with self._work("write to"):
            self._conn.executemany(
                "insert into quarantine (uid, context, file, line, reason, content, chars, at_us)"
                " values (?, ?, ?, ?, ?, ?, ?, ?) on conflict (uid) do update set reason = excluded.reason",
                [(uid, e.context, e.file, e.line, e.reason, e.content, e.chars, e.at_us) for uid, e in entries],
            )

    def quarantined_uids(self, context: str, file: str) -> "dict[bytes, int]":
        """uid → line of what is kept of a file."""
        with self._work("read", writes=False):
            sql = "select uid, line from quarantine where context = ? and file = ?"
            return dict(self._conn.execute(sql, (context, file)).fetchall())

    def release(self, uids: "Sequence[bytes]") -> None:
        """Forget entries whose records have been stored since."""
        with self._work("write to"):
            self._conn.executemany("delete from quarantine where uid = ?", [(uid,) for uid in uids])

    def quarantined(self, limit: int = -1, file: str | None = None) -> list[Quarantined]:
        """What is kept, newest first; only of `file` where it is named."""
        sql = (
            "select context, file, line, reason, content, chars, at_us from quarantine"  # noqa: S608  our own text
            f" where {_OF_FILE} order by at_us desc, file, line, id limit ?"
        )
        with self._work("read", writes=False):
            return [Quarantined(*row) for row in self._conn.execute(sql, (file, file, limit))]

    def count_quarantined(self, file: str | None = None) -> int:
        with self._work("read", writes=False):
            sql = f"select count(*) from quarantine where {_OF_FILE}"  # noqa: S608  our own text
            return int(self._conn.execute(sql, (file, file)).fetchone()[0])

    def clear_quarantine(self, file: str | None = None) -> int:
        """Forget what is kept, only of `file` where it is named; returns how many entries that were."""
        with self._work("write to"):
            sql = f"delete from quarantine where {_OF_FILE}"  # noqa: S608  our own text
            return int(self._conn.execute(sql, (file, file)).rowcount)

    def occurrences(self) -> "Occurrences":
        return Occurrences(self._conn)

    @contextmanager
    def _work(self, operation: str, *, writes: bool = True) -> Iterator[None]:
        try:
            if writes:
                with connect.transaction(self._conn):
                    yield
            else:
                yield
        except self._conn.Error as bad:
            raise RootError(operation, self.path, str(bad), _HINT) from bad


class Occurrences:
    """Counts equal payloads of one file; beyond OCCURRENCES_HELD different ones the counts are kept on disk."""

    def __init__(self, conn: Any) -> None:
        self._conn = conn
        self._held: dict[int, int] = {}
        self._spilled = False

    def next(self, payload_hash: int) -> int:
        """How many equal payloads came before this one."""
        held = self._held
        count = held.get(payload_hash, -1) + 1
        if not count and self._spilled:
            sql = "select n from temp.occurrences where payload = ?"
            row = self._conn.execute(sql, (payload_hash,)).fetchone()
            count = row[0] + 1 if row else 0
        held[payload_hash] = count
        if len(held) >= OCCURRENCES_HELD:
            self._spill()
        return count

    def close(self) -> None:
        if self._spilled:
            self._conn.execute("drop table temp.occurrences")
            self._spilled = False

    def _spill(self) -> None:
        if not self._spilled:
            self._conn.execute("create temp table occurrences (payload integer primary key, n integer)")
            self._spilled = True
        with connect.transaction(self._conn):
            self._conn.executemany("insert or replace into temp.occurrences values (?, ?)", self._held.items())
        self._held.clear()


_HINT = "is the disk full, or the file damaged? Without it the same records could be stored twice"
