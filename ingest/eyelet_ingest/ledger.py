"""`ingest.sqlite` at the root: what an import has to remember so that twice is once.

Three things. Which time a record without one was given when it was first seen, so that a second run finds it in the
same day. Which files were seen, by the beginning of their content, so that a log rotated away and begun anew is told
from one that was copied. And the quarantine: what could not be stored, where it stood, and why.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from eyelet_ingest.errors import EyeletError, RootError
from eyelet_ingest.store import connect, identity

FILE_NAME = "ingest.sqlite"
CHUNK = 500  # values in one `in (…)`: SQLite before 3.32 allows 999
VERSION = 2
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
# What `eyelet import-history` knows of a recording: by a keyed digest of its path, as a path tells project and session.
# `mark` is empty until all of it is stored; `days` are the partitions where it is.
_SCHEMA_2 = """
create table recordings (
    path blob primary key,
    context text not null,
    mark text not null,
    awaited integer not null,
    days text not null
) without rowid
"""
_STEPS = (_SCHEMA, _SCHEMA_2)

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


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording as `eyelet import-history` left it: the given name of its context, the mark that it had when all of
    it was stored ("": it was not), whether its end is to be looked at again, and the days where it is, a line each."""

    context: str
    mark: str = ""
    is_awaited: bool = False
    days: str = ""


@dataclass(frozen=True, slots=True)
class Overview:
    """The quarantine at a glance: how many records, of the newest of them how many for each reason, of which files, and
    when the newest came."""

    records: int
    reasons: dict[str, int]
    files: int
    newest_us: int | None


def overview(root: str, newest: int = 10_000) -> Overview:
    """The quarantine of a root, `newest` of its records looked at more closely; nothing is made or changed.

    RootError where it cannot be read.
    """
    path = os.path.join(root, FILE_NAME)
    if not os.path.exists(path):
        return Overview(0, {}, 0, None)
    of_newest = "from quarantine where id > (select max(id) - ? from quarantine)"
    try:
        conn = connect.open_reader(path)
        try:
            if not conn.execute("select 1 from sqlite_master where name = 'quarantine'").fetchone():
                return Overview(0, {}, 0, None)
            records = conn.execute("select count(*) from quarantine").fetchone()[0]
            by_reason = f"select reason, count(*) {of_newest} group by reason order by 2 desc"
            reasons = dict(conn.execute(by_reason, (newest,)).fetchall())
            about = f"select count(distinct file), max(at_us) {of_newest}"
            return Overview(records, reasons, *conn.execute(about, (newest,)).fetchone())
        finally:
            conn.close()
    except (EyeletError, connect.driver().Error) as bad:
        reason = bad.reason if isinstance(bad, EyeletError) else str(bad)
        raise RootError("read", path, reason, _HINT) from bad


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
                version = self._conn.execute("pragma user_version").fetchone()[0]  # another may have been first
                for statement in ";".join(_STEPS[version:]).split(";"):
                    self._conn.execute(statement)
                self._conn.execute(f"pragma user_version = {VERSION}")

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._conn.close()

    def times(self, context: str, wanted: "Sequence[tuple[bytes, int]]") -> "tuple[dict[bytes, int], set[bytes]]":
        """The time of every uid: the one remembered, else the one given here, which is remembered from now on.

        And which were remembered before.

        Committed before this returns: whatever happens to the rows, the next run gives them the same times.
        """
        given: dict[bytes, int] = {}
        for uid, time_us in wanted:
            given.setdefault(uid, time_us)
        with self._work("read", writes=False):
            times_us = self._known_times(context, list(given))
        known = set(times_us)
        fresh = [(context, uid, time_us) for uid, time_us in given.items() if uid not in known]
        if fresh:
            with self._work("write to"):
                self._conn.executemany("insert or ignore into timeless values (?, ?, ?)", sorted(fresh))
                times_us |= self._known_times(context, [uid for _, uid, _ in fresh])  # another may have been first
        return times_us, known

    def _known_times(self, context: str, uids: "Sequence[bytes]") -> "dict[bytes, int]":
        times_us: dict[bytes, int] = {}
        for start in range(0, len(uids), CHUNK):
            some = uids[start : start + CHUNK]
            marks = ",".join("?" * len(some))
            sql = f"select uid, time_us from timeless where context = ? and uid in ({marks})"  # noqa: S608  marks only
            times_us.update(self._conn.execute(sql, (context, *some)))
        return times_us

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

    def recording(self, path: bytes) -> "Recording | None":
        """What is known of a recording by the digest of its path."""
        with self._work("read", writes=False):
            sql = "select context, mark, awaited, days from recordings where path = ?"
            row = self._conn.execute(sql, (path,)).fetchone()
        return Recording(row[0], row[1], bool(row[2]), row[3]) if row else None

    def note_recordings(self, found: "Sequence[tuple[bytes, Recording]]") -> None:
        """Remember what is known of recordings from now on."""
        with self._work("write to"):
            self._conn.executemany(
                "insert or replace into recordings (path, context, mark, awaited, days) values (?, ?, ?, ?, ?)",
                [(path, one.context, one.mark, one.is_awaited, one.days) for path, one in found],
            )

    def quarantine(self, entries: "Sequence[tuple[bytes, Quarantined]]") -> None:
        """Keep what could not be stored, each uid once, with the time when it was last met."""
        with self._work("write to"):
            self._conn.executemany(
                "insert into quarantine (uid, context, file, line, reason, content, chars, at_us)"
                " values (?, ?, ?, ?, ?, ?, ?, ?) on conflict (uid) do update"
                " set reason = excluded.reason, content = excluded.content, at_us = excluded.at_us",
                [(uid, e.context, e.file, e.line, e.reason, e.content, e.chars, e.at_us) for uid, e in entries],
            )

    def quarantined_lines(self, context: str, file: str) -> "Iterator[int]":
        """The lines of what is kept of a file, ascending, each once."""
        sql = "select distinct line from quarantine where context = ? and file = ? order by line"
        with self._work("read", writes=False):
            for row in self._conn.execute(sql, (context, file)):
                yield row[0]

    def release(self, context: str, file: str, lines: "Sequence[int]", met_us: int) -> None:
        """Forget what is kept of these lines of a file, but not what was met at `met_us`, now."""
        sql = "delete from quarantine where context = ? and file = ? and line = ? and at_us != ?"
        with self._work("write to"):
            self._conn.executemany(sql, ((context, file, line, met_us) for line in lines))

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

    def entries(self) -> Iterator[tuple[bytes, Quarantined]]:
        """Everything in quarantine with its uid, oldest first, one at a time."""
        sql = "select uid, context, file, line, reason, content, chars, at_us from quarantine order by id"
        with self._work("read", writes=False):
            for uid, *entry in self._conn.execute(sql):
                yield uid, Quarantined(*entry)

    def paths(self) -> list[str]:
        """Every path that was ever read, and those of what is in quarantine."""
        with self._work("read", writes=False):
            return [path for (path,) in self._conn.execute("select path from files union select file from quarantine")]

    def forget(self, uids: Sequence[bytes], paths: Sequence[str]) -> None:
        """Delete these of the quarantine, and put out these paths: what a file held is known again by its digests."""
        with self._work("read", writes=False):
            self._conn.execute("pragma secure_delete = on")
        with self._work("write to"):
            self._conn.executemany("delete from quarantine where uid = ?", [(uid,) for uid in uids])
            for path in paths:
                out = f"deleted-{os.urandom(8).hex()}"
                self._conn.execute("update files set path = ? where path = ?", (out, path))
                self._conn.execute("update quarantine set file = ? where file = ?", (out, path))

    def rewrite(self, entries: "Sequence[tuple[bytes, Quarantined]]", paths: "Mapping[str, str]") -> None:
        """Put these entries, by uid, in place of those there, and these paths in place of others."""
        with self._work("read", writes=False):
            self._conn.execute("pragma secure_delete = on")
        with self._work("write to"):
            self._conn.executemany(
                "update quarantine set file = ?, reason = ?, content = ? where uid = ?",
                [(entry.file, entry.reason, entry.content, uid) for uid, entry in entries],
            )
            for path, to in paths.items():
                self._conn.execute("update or ignore files set path = ? where path = ?", (to, path))
                out = f"{to}-{os.urandom(8).hex()}"  # two files that are told apart by the secret alone
                self._conn.execute("update files set path = ? where path = ?", (out, path))
                self._conn.execute("update quarantine set file = ? where file = ?", (to, path))

    def erase(self) -> None:
        """Write the file anew, and empty its WAL: nothing of what was deleted is left then. RootError where others are
        at work with it."""
        lock = connect.FileLock(self.path + ".lock", time.monotonic_ns() + BUSY_MS * 1_000_000)
        with lock, self._work("erase from", writes=False):
            self._conn.execute("vacuum")
            connect.checkpoint(self._conn, "truncate", connect.driver().sqlite_version)

    def occurrences(self) -> "Occurrences":
        return Occurrences(self._conn, self._work)

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

    def __init__(self, conn: Any, work: "Callable[..., AbstractContextManager[None]]") -> None:
        self._conn, self._work = conn, work
        self._held: dict[int, int] = {}
        self._spilled = False

    def next(self, payload_hash: int) -> int:
        """How many equal payloads came before this one."""
        held = self._held
        count = held.get(payload_hash, -1) + 1
        if not count and self._spilled:
            count = self._spilled_count(payload_hash)
        held[payload_hash] = count
        if len(held) >= OCCURRENCES_HELD:
            self._spill()
        return count

    def close(self) -> None:
        if self._spilled:
            with self._work("write to"):
                self._conn.execute("drop table temp.occurrences")
            self._spilled = False

    def _spilled_count(self, payload_hash: int) -> int:
        with self._work("read", writes=False):
            sql = "select n from temp.occurrences where payload = ?"
            row = self._conn.execute(sql, (payload_hash,)).fetchone()
        return row[0] + 1 if row else 0

    def _spill(self) -> None:
        with self._work("write the temporary file of"):
            if not self._spilled:
                self._conn.execute("create temp table occurrences (payload integer primary key, n integer)")
            self._conn.executemany("insert or replace into temp.occurrences values (?, ?)", self._held.items())
        self._spilled = True
        self._held.clear()


_HINT = "is the disk full, or the file damaged? Without it the same records could be stored twice"
