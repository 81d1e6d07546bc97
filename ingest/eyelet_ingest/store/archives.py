"""Archived days: `archive/<context>/<year>/<day>.sqlite.xz` under the root, a compact copy of the whole database.

It holds every row and every table that others made; our indexes and statistics are left out, and made again when it is
restored. `xz -d` makes it a plain SQLite database. What it has to be stands in it: how many rows, and the digest over
them. It is read back before it takes its place, and the day it was made of stays unless somebody asks for its removal.
Whoever is stopped has an archive or none; what he left bears a name with a dot, and goes with the next of that day.
"""

import hashlib
import json
import lzma
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import Any

from eyelet_ingest.errors import BadInput, EyeletError, PartitionBusy, PartitionError, PartitionUnreadable
from eyelet_ingest.store import connect, identity, layout, manifest, removal, schema, sealing, text_schema
from eyelet_ingest.store.catalog import ArchiveCatalog
from eyelet_ingest.store.digests import rows_digest
from eyelet_ingest.store.layout import PartitionKey

DEADLINE_MS = 30_000
# Of xz: on recordings 3 is three times as fast as 6, takes a third of the memory, and is 11 % larger.
PRESET, PRESET_LARGE, LARGE_BYTES = 6, 3, 32 * 2**20
PART_BYTES = 1 << 20
FACTS = "archive"  # the key in eyelet_partition under which an archive says what it holds
TRIES = 3  # where events come while it is copied


@dataclass(frozen=True, slots=True)
class Archived:
    """What became of one day: its rows, its bytes as a day and as an archive, and whether the day itself went."""

    key: PartitionKey
    rows: int
    day_bytes: int
    archive_bytes: int
    removed: bool


@dataclass(frozen=True, slots=True)
class Restored:
    """A day brought back: how many rows the archive holds, and how many the day had beside them."""

    key: PartitionKey
    rows: int
    kept: int


def path_of(root: str, key: PartitionKey) -> str:
    return layout.archive_path(root, key)


def keys(root: str) -> list[PartitionKey]:
    """The days that have an archive, in order of time and context."""
    return ArchiveCatalog(root).partitions()


def is_archived(root: str, key: PartitionKey) -> bool:
    return os.path.isfile(path_of(root, key))


def archive(root: str, key: PartitionKey, *, remove: bool = False) -> Archived:
    """Make the archive of a finished day, in place of an older one; with `remove` the day itself goes then.

    Where the older one holds events that the day does not, as it was removed and events came since, they are brought
    back first: no archive loses what the one before held.
    BadInput for a day that is not over, or in memory; PartitionBusy where events come on and on.
    """
    _expect_finished(root, key)
    path = layout.db_path(root, key)
    if not connect.is_there(path):
        hint = "`eyelet partitions` lists those there are"
        raise PartitionUnreadable("archive", path, "there is no such day", hint)
    with alone(root, key) as made:
        if not connect.is_there(path):
            raise PartitionUnreadable("archive", path, "it was removed meanwhile")
        if is_archived(root, key):
            from eyelet_ingest.store.unpacking import bring_back_missing

            bring_back_missing(root, key)
        for _ in range(TRIES):
            reader = connect.open_reader(path)
            try:
                done = _archive(root, key, reader, made, remove)
            except reader.DatabaseError as bad:
                raise PartitionUnreadable("archive", path, *schema.diagnosis(reader, path, bad)) from bad
            except OSError as bad:
                reason, hint = bad.strerror or str(bad), "is the disk full? May you write there?"
                raise PartitionUnreadable("archive", path_of(root, key), reason, hint) from bad
            finally:
                reader.close()
            if done is not None:
                return done
        raise PartitionBusy("archive", path, "others write to it on and on", "try again")


def _archive(root: str, key: PartitionKey, reader: Any, made: str, remove: bool) -> Archived | None:
    """Copy and pack the day that `reader` reads, in the folder `made`; None where it was written to meanwhile.

    So what is deleted of a day is in no archive that takes its place later.
    """
    version, file = reader.execute("pragma data_version").fetchone()[0], connect.file_of(layout.db_path(root, key))
    copy, small = os.path.join(made, "day.db"), os.path.join(made, "small.db")
    for name in (copy, small):
        if os.path.exists(name):
            os.unlink(name)
    target = connect.driver().connect(copy, isolation_level=None)
    try:  # (SQLite 3.40 cannot VACUUM INTO through a connection that only reads, where columns are generated)
        reader.backup(target)
    finally:
        target.close()
    rows = pack(copy, small, _seals(root, key))
    packed = compressed(small, path_of(root, key))
    day_bytes, archive_bytes = os.path.getsize(layout.db_path(root, key)), os.path.getsize(packed)
    with _unchanged(root, key, reader, version, file) as same:
        if not same:
            return None
        os.replace(packed, path_of(root, key))
        if remove:
            manifest.gone(root, key, "archived")
            hidden = removal.hide(root, key)
    if remove:
        removal.clear(root, hidden)
    return Archived(key, rows, day_bytes, archive_bytes, remove)


def restore(root: str, key: PartitionKey) -> Restored:
    """Bring an archived day back exactly; the archive stays. Events that the day holds again stay in it.

    PartitionUnreadable where there is no archive, it is damaged, or the day there holds tables of other programs.
    """
    if root.startswith(layout.MEMORY):
        raise BadInput("restore", key.mount_name, "a root in memory has no archives", "name a root that is a folder")
    from eyelet_ingest.store.unpacking import bring_in, unpacked

    if not is_archived(root, key):
        hint = "`eyelet partitions` lists those there are"
        raise PartitionUnreadable("restore", path_of(root, key), "there is no such archive", hint)
    with alone(root, key), unpacked(root, key) as (name, facts):
        kept = bring_in(root, key, name, facts)
    with suppress(PartitionError):  # where somebody is in its way, maintenance seals it again
        sealing.reseal_after(root, key, "restored")
    return Restored(key, facts["rows"], kept)


@contextmanager
def alone(root: str, key: PartitionKey, deadline_ms: int = DEADLINE_MS) -> Iterator[str]:
    """Alone with the archive of a day; gives a folder beside it for what is being made, which goes at the end."""
    folder = os.path.dirname(path_of(root, key))
    mark = f".archive-{key.day:03d}-"
    identity.make_private_dir(folder)
    deadline_ns = time.monotonic_ns() + deadline_ms * 1_000_000
    with connect.FileLock(os.path.join(folder, f".{key.day:03d}.lock"), deadline_ns) as lock:
        remove_left(folder, mark)
        remove_left(*restoring(root, key))
        made = tempfile.mkdtemp(prefix=mark, dir=folder)  # 0700
        try:
            yield made
        finally:
            shutil.rmtree(made, ignore_errors=True)
            os.unlink(lock.path)
    removal.remove_empty(folder, root)


def restoring(root: str, key: PartitionKey) -> tuple[str, str]:
    """Where what is being restored of a day lies, and how its name begins."""
    return os.path.join(layout.logs_dir(root), key.context), f".restore-{key.year:04d}-{key.day:03d}-"


def clean(root: str) -> None:
    """Remove what archiving and restoring left behind where they were stopped: it may hold what is deleted since.

    Those at work are waited for. EyeletError where one is not done in time.
    """
    for context in _names(layout.archive_dir(root)):
        for year in _names(os.path.join(layout.archive_dir(root), context)):
            for name in _names(os.path.join(layout.archive_dir(root), context, year)):
                _clean(root, context, year, name.split("-")[1] if name.startswith(".archive-") else "")
    for context in _names(layout.logs_dir(root)):
        for name in _names(os.path.join(layout.logs_dir(root), context)):
            if name.startswith(".restore-"):
                _clean(root, context, *name.removeprefix(".restore-").split("-")[:2])


def _clean(root: str, context: str, year: str = "", day: str = "") -> None:
    key = layout.key_from_parts(context, year, day)
    if key is not None:
        with alone(root, key):
            pass


def remove_left(folder: str, mark: str) -> None:
    """Remove what somebody who was stopped left in a folder: the names that begin like this."""
    try:
        names = [name for name in os.listdir(folder) if name.startswith(mark)]
    except OSError:
        return
    for name in names:
        shutil.rmtree(os.path.join(folder, name), ignore_errors=True)


def pack(copy: str, small: str, seals: "list[dict[str, Any]]") -> int:
    """Make of a copy of a day, which nobody else has open, the compact database `small`; how many rows it holds."""
    conn = connect.driver().connect(copy, isolation_level=None)
    try:
        damage = conn.execute("pragma integrity_check(1)").fetchone()[0]
        if damage != "ok":
            raise PartitionUnreadable("archive", copy, f"the day is damaged: {damage}", "restore it from a back-up")
        if not schema.version_of(conn):
            raise PartitionUnreadable("archive", copy, "it is no day, or an empty one", "")
        conn.execute("pragma synchronous = off")
        with connect.transaction(conn):
            there = {name for (name,) in conn.execute("select name from sqlite_master where type = 'index'")}
            without = sorted(there & set(schema.index_statements()))
            for name in without:
                conn.execute(f"drop index {name}")
            text_schema.drop(conn)
            for name in schema.STATISTICS[:2]:
                if conn.execute("select 1 from sqlite_master where name = ?", (name,)).fetchone():
                    conn.execute(f"delete from {name}")  # noqa: S608  our own names
            rows, digest = rows_digest(conn, schema.COLUMNS, None)
            facts = {"rows": rows, "rows_sha256": digest, "columns": schema.COLUMNS, "without": without, "seals": seals}
            conn.execute("insert or replace into eyelet_partition values (?, ?)", (FACTS, json.dumps(facts)))
        conn.execute("vacuum into ?", [small])
        return rows
    finally:
        conn.close()


def put(small: str, target: str) -> None:
    """Compress a database that nobody has open to `target`, which takes its place in one step."""
    os.replace(compressed(small, target), target)


def compressed(small: str, target: str) -> str:
    """Compress a database that nobody has open, beside it, and read it back; where it is, to become `target`."""
    made = small + ".xz"
    digest, back = hashlib.sha256(), hashlib.sha256()
    preset = PRESET if os.path.getsize(small) <= LARGE_BYTES else PRESET_LARGE
    with open(small, "rb") as source, lzma.open(made, "wb", preset=preset) as packed:
        while part := source.read(PART_BYTES):
            digest.update(part)
            packed.write(part)
    with lzma.open(made, "rb") as packed:
        while part := packed.read(PART_BYTES):
            back.update(part)
    if digest.digest() != back.digest():
        raise EyeletError("archive", target, "what was written is not what is read back", "is the disk failing?")
    os.chmod(made, 0o600)
    with open(made, "rb") as written:
        os.fsync(written.fileno())
    return made


@contextmanager
def _unchanged(root: str, key: PartitionKey, reader: Any, version: int, file: tuple[int, int] | None) -> Iterator[bool]:
    """Within this block nobody writes to the day; gives whether nobody did since `reader` was of this version."""
    path = layout.db_path(root, key)
    with sealing.alone(root, key):
        if connect.file_of(path) != file:
            raise PartitionUnreadable("archive", path, "it was removed meanwhile")
        conn = connect.open_writer(path, busy_ms=DEADLINE_MS)
        try:
            conn.execute("begin immediate")
            yield bool(reader.execute("pragma data_version").fetchone()[0] == version)
        finally:
            conn.close()  # where its file has gone SQLite sees that, and touches nothing where it was


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _seals(root: str, key: PartitionKey) -> "list[dict[str, Any]]":
    known = manifest.read(root, key)
    return [asdict(seal) for seal in known.seals] if known is not None else []


def _expect_finished(root: str, key: PartitionKey) -> None:
    if root.startswith(layout.MEMORY):
        raise BadInput("archive", key.mount_name, "a root in memory has no files", "name a root that is a folder")
    if not sealing.is_finished(key, time.time_ns() // 1_000):
        hint = "try again an hour after midnight UTC"
        raise BadInput("archive", f"{key.context} {key.date}", "the day is not over", hint)
