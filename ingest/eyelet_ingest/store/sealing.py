"""Sealing a finished day: everything that would rewrite it later is done now, and its manifest says what it is then.

Statistics first, which need no lock; then, alone with the day: integrity, ANALYZE, the file written anew without gaps,
everything brought from the WAL into it. SQLite's lock of writers is held while rows and file are added up, so that
both are of one moment. The manifest goes into its place in one step at the end: who is stopped before has sealed
nothing, and the day is as good as ever.
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from eyelet_ingest.errors import BadInput, PartitionBusy, PartitionError, PartitionUnreadable, RootError
from eyelet_ingest.store import connect, layout, manifest, schema
from eyelet_ingest.store.compact import compact
from eyelet_ingest.store.digests import FileDigests, rows_digest
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.manifest import Seal
from eyelet_ingest.store.statistics import HOUR_US, snapshot

DEADLINE_MS = 30_000  # for the lock of one day
READERS_WAIT_MS = 5_000  # for readers that need what stands in the WAL
FINISHED_AFTER_US = HOUR_US  # what was spooled at midnight has come by then
STATISTICS_MS = 600_000
ANALYSIS_ROWS = 1_000  # of each index
QUIET_US = HOUR_US  # a sealed day is not sealed again by itself while events still come
SETTINGS = "sealing.json"
# What our own commands do to a sealed day without touching an event: those that were sealed have to be what they were.
OTHERS_WROTE, COMPACTED, BROUGHT_UP = "tables of other programs", "written anew", "brought up to a newer version"
INDEXED, MENDED, ANALYSED = "its text indexed anew", "its indexes mended", "analysed anew"
ROWS_STAY = (OTHERS_WROTE, COMPACTED, BROUGHT_UP, INDEXED, MENDED, ANALYSED)
ACCEPTED = "accepted as it is"


class Changed(PartitionUnreadable):
    """The day is not what it was when it was sealed, and no command of ours says why."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """What became of one day: its newest seal, and whether that was made now. `bytes_before` is of the file before."""

    key: PartitionKey
    seal: Seal
    fresh: bool
    bytes_before: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How a day stands to its newest seal: rows that came late, and whether the sealed ones are as they were."""

    late: int
    rows_same: bool
    rows: int


def seal(root: str, key: PartitionKey, *, reason: str = "", force: bool = False) -> Sealed:
    """Seal a finished day, or seal it again where events came late or a command of ours wrote to it.

    One that is as it was sealed stays as it is. BadInput for a day that is not over, or in memory; Changed for one that
    somebody changed, unless `force`; PartitionError where it is in trouble or others keep it.
    """
    _expect_finished(root, key)
    path = layout.db_path(root, key)
    if not connect.is_there(path):
        raise PartitionUnreadable("seal", path, "there is no such day", "`eyelet partitions` lists those there are")
    looked_at = manifest.read(root, key)
    if not force and (done := _as_sealed(root, key, looked_at)):
        return done
    _count_first(root, key)
    with alone(root, key), FileDigests() as digests:
        if not connect.is_there(path):
            raise PartitionUnreadable("seal", path, "it was removed meanwhile")
        before = manifest.read(root, key)
        # Others sealed it while the lock was waited for: there is nothing left to do, and nobody changed it.
        if not force and before != looked_at and (done := _as_sealed(root, key, before)):
            return done
        conn = connect.open_writer(path, busy_ms=DEADLINE_MS)
        try:
            why = _why(conn, path, before, reason, force)
            if force and not reason and _accepted(root, key, before):
                why = ACCEPTED
            done = _seal(root, key, conn, why, digests)
        except conn.DatabaseError as bad:
            raise connect.trouble("seal", path, bad) from bad
        finally:
            conn.close()  # under the lock: as the sole opener it checkpoints, and nobody else may write then
    return done


def _as_sealed(root: str, key: PartitionKey, known: "manifest.Manifest | None") -> Sealed | None:
    """The newest seal of a day that is byte for byte what was sealed; None of any other."""
    if known is None or known.reopened or not is_settled(root, key):
        return None
    with FileDigests() as digests:
        if digests.of(layout.db_path(root, key))[0] != known.newest.sha256:
            return None
    manifest.remember_announced(root, key, known.newest.hash)
    return Sealed(key, known.newest, False, known.newest.bytes)


def reseal_after(root: str, key: PartitionKey, reason: str) -> Sealed | None:
    """Seal a sealed day again after a command of ours wrote to it; None where it has no seal, or has gone.

    Under the day's lock, before it writes, the command notes that with `manifest.reopen(root, key, reason)`: whoever is
    stopped between leaves a day of which `verify` says so, and which maintenance seals again. `reason` is one of ours
    ("deleted", "rebuilt"), never recorded text. The caller does not hold the day's lock.
    """
    if root.startswith(layout.MEMORY) or manifest.read(root, key) is None:
        return None
    if not connect.is_there(layout.db_path(root, key)):
        return None
    return seal(root, key, reason=reason, force=True)


@contextmanager
def rewriting(root: str, key: PartitionKey, reason: str) -> Iterator[None]:
    """Alone with a day that a command of ours writes to; a sealed one is sealed again at the end."""
    with alone(root, key):
        manifest.reopen(root, key, reason)
        yield
    reseal_after(root, key, reason)


def standing(conn: Any, sealed: Seal) -> Standing:
    """How the rows that `conn` reads stand to a seal; to be asked inside a transaction."""
    rows, digest = rows_digest(conn, sealed.columns, sealed.arrived)
    return Standing(late_events(conn, sealed), digest == sealed.rows_sha256, rows)


def late_events(conn: Any, sealed: Seal) -> int:
    """How many events arrived since this seal."""
    return int(conn.execute("select count(*) from hooks where arrived > ?", (sealed.arrived,)).fetchone()[0])


def is_settled(root: str, key: PartitionKey) -> bool:
    """Whether all of the day stands in its file: nothing in a WAL, nothing to be taken back."""
    path = layout.db_path(root, key)
    try:
        has_journal = os.path.exists(layout.side_path(path, "-journal"))
        return not has_journal and os.path.getsize(layout.side_path(path, "-wal")) == 0
    except FileNotFoundError:
        return True


def is_finished(key: PartitionKey, now_us: int) -> bool:
    """Whether a day is over, and what was spooled at its midnight has come."""
    return key.bounds_us[1] + FINISHED_AFTER_US <= now_us


def alone(root: str, key: PartitionKey) -> connect.FileLock:
    """The lock of a day that is there; PartitionUnreadable where it is not."""
    deadline_ns = time.monotonic_ns() + DEADLINE_MS * 1_000_000
    return connect.FileLock(layout.lock_path(root, key), deadline_ns, make=False)


def after_days(root: str) -> int | None:
    """After how many days a finished day is sealed by itself; None, as where nobody said so, for never.

    RootError where the file of settings is none.
    """
    path = os.path.join(root, SETTINGS)
    try:
        with open(path, encoding="utf-8") as file:
            said = json.load(file)
        days = said["after_days"]
        if days is not None and (type(days) is not int or days < 0):
            raise ValueError("after_days is a whole number of days, or null")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as bad:
        raise RootError("read", path, str(bad), "set it with: eyelet seal --after-days 2") from bad
    return int(days) if days is not None else None


def set_after_days(root: str, days: int | None) -> None:
    """Seal days by themselves so many days after they ended; None: never."""
    if not os.path.isdir(root):
        raise RootError("write the settings of", root, "there is no such folder", "name it with --root")
    manifest.write_json(os.path.join(root, SETTINGS), {"after_days": days})


def is_due(root: str, key: PartitionKey, after: int | None, now_us: int) -> bool | None:
    """Whether maintenance should seal this finished day now; None where it may be due later, nothing else happening.

    A day without a seal is due `after` so many days; a sealed one when events came late, or a command of ours wrote to
    it, and an hour has passed since. A stat of two files, unless it was written since it was sealed.
    """
    path = layout.db_path(root, key)
    try:
        files = (path, layout.side_path(path, "-wal"))
        written_us = max(os.stat(one).st_mtime_ns for one in files if os.path.exists(one)) // 1_000
        sealed_us = os.stat(manifest.path_of(root, key)).st_mtime_ns // 1_000
    except FileNotFoundError:
        if after is None or not connect.is_there(path):
            return False
        return True if key.bounds_us[1] + after * layout.DAY_US <= now_us else None
    except ValueError:
        return False
    known = manifest.read(root, key)
    if known is None or (written_us <= sealed_us and not known.reopened and is_settled(root, key)):
        return False
    if now_us - max(written_us, sealed_us if known.reopened else 0) < QUIET_US:
        return None
    return bool(known.reopened) or _has_late_events(path, known.newest)


def _has_late_events(path: str, sealed: Seal) -> bool:
    conn = connect.open_reader(path)
    try:
        return late_events(conn, sealed) > 0
    except conn.DatabaseError as bad:
        raise connect.trouble("read", path, bad) from bad
    finally:
        conn.close()


def _expect_finished(root: str, key: PartitionKey) -> None:
    if root.startswith(layout.MEMORY):
        raise BadInput("seal", key.mount_name, "a root in memory has no files", "seal a root that is a folder")
    if not is_finished(key, time.time_ns() // 1_000):
        raise BadInput(
            "seal", f"{key.context} {key.date}", "the day is not over", "try again an hour after midnight UTC"
        )


def _count_first(root: str, key: PartitionKey) -> None:
    """The statistics and the text index, so that nobody finds anything to do after it is sealed."""
    from eyelet_ingest.store import text_index
    from eyelet_ingest.store.maintenance import Maintenance

    done = Maintenance(root, seals=False).run([key], STATISTICS_MS)
    if done.troubled:
        raise PartitionUnreadable("seal", layout.db_path(root, key), done.troubled[0][1])
    if done.left:
        raise PartitionBusy("seal", layout.db_path(root, key), "others write to it", "try again")
    with suppress(PartitionError):  # what is lacking is made under the lock; without FTS5 there is no index
        text_index.catch_up(root, key, STATISTICS_MS)


def _why(conn: Any, path: str, before: "manifest.Manifest | None", reason: str, force: bool) -> str:
    """Why the day is sealed now; Changed where that would hide a change."""
    if before is None:
        return reason or "finished"
    if (reason or before.reopened) not in ("", *ROWS_STAY):
        return reason or before.reopened
    with snapshot(conn):
        now = standing(conn, before.newest)
    if not now.rows_same:
        if force:
            return ACCEPTED
        raise Changed("seal", path, "events that were sealed are not what they were", "`eyelet verify` says more")
    if now.late or reason or before.reopened:
        return "late events" if now.late else reason or before.reopened
    if force:
        return ACCEPTED
    raise Changed(
        "seal", path, "its file was changed, its events were not", "`eyelet seal --force` accepts it as it is"
    )


def _accepted(root: str, key: PartitionKey, before: "manifest.Manifest | None") -> bool:
    """Ask no more for seals that were registered and are lost, whose day is accepted as it is; False where none is."""
    known = manifest.register(root, key.context).get(key.date)
    there = {one.hash for one in before.seals} if before is not None else set()
    if known is None or there.issuperset(known.seals):
        return False
    manifest.gone(root, key, ACCEPTED)
    return True


def _seal(root: str, key: PartitionKey, conn: Any, why: str, digests: FileDigests) -> Sealed:
    """Under the day's lock."""
    path = layout.db_path(root, key)
    bytes_before = os.path.getsize(path)
    schema.bring_up(conn, path, key.context, key.context, key.bounds_us)
    damage = conn.execute("pragma integrity_check(1)").fetchone()[0]
    if damage != "ok":
        raise PartitionUnreadable("seal", path, f"it is damaged: {damage}", "restore it from a back-up")
    _index_text(conn)
    conn.execute(f"pragma analysis_limit = {ANALYSIS_ROWS}")
    conn.execute("analyze")
    conn.execute("pragma optimize")
    compact(conn, path)
    conn.execute(f"pragma busy_timeout = {READERS_WAIT_MS}")
    version = conn.execute("pragma data_version").fetchone()[0]
    _, busy, frames, moved = connect.checkpoint(conn, "truncate", connect.driver().sqlite_version)
    if busy or moved < frames:
        raise PartitionBusy("seal", path, "a reader keeps what stands in its WAL", "try again")
    with connect.transaction(conn):  # from here on nobody writes
        if conn.execute("pragma data_version").fetchone()[0] != version:
            raise PartitionBusy("seal", path, "another program wrote meanwhile", "try again")
        made = _describe(root, key, conn, why, *digests.of(path))
    known = manifest.read(root, key)
    seals = known.seals if known is not None else ()
    made = replace(made, before=seals[-1].hash if seals else "").hashed(key)
    manifest.announce(root, key, made.hash)
    manifest.write(root, manifest.Manifest(key, (*seals, made)))
    manifest.remember(root, key, made.hash)
    return Sealed(key, made, True, bytes_before)


def _index_text(conn: Any) -> None:
    """The index of what came since it was looked at, and the whole of it in one piece; none where there is no FTS5."""
    from eyelet_ingest.store import text_index

    try:
        text_index.complete(conn)
    except conn.OperationalError as bad:
        if "no such module" not in str(bad):
            raise


def _describe(root: str, key: PartitionKey, conn: Any, why: str, sha256: str, size: int) -> Seal:
    """What the day is, in a transaction; without its own hash, and that of the seal before."""
    if conn.execute("select exists (select 1 from hooks where arrived >= '')").fetchone()[0]:  # text, or a blob
        raise PartitionUnreadable("seal", layout.db_path(root, key), "`arrived` of a row is no number", "correct it")
    columns = (*schema.COLUMNS,)
    rows, digest = rows_digest(conn, columns, None)
    span = "select min(id), max(id), coalesce(max(arrived), 0) from hooks"
    first_id, last_id, arrived = conn.execute(span).fetchone()
    day_before, seal_before = manifest.newest_before(root, key)
    return Seal(
        sealed_us=time.time_ns() // 1_000,
        reason=why,
        rows=rows,
        first_id=first_id,
        last_id=last_id,
        arrived=arrived,
        bytes=size,
        sha256=sha256,
        rows_sha256=digest,
        columns=columns,
        schema_version=schema.version_of(conn),
        before="",
        day_before=day_before,
        seal_before=seal_before,
    )
