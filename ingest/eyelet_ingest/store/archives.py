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
from eyelet_ingest.store import connect, identity, layout, manifest, schema, sealing
from eyelet_ingest.store.digests import rows_digest
from eyelet_ingest.store.layout import PartitionKey

DEADLINE_MS = 30_000
SUFFIX = ".sqlite.xz"
PRESET = 6  # 9 makes it 3 % smaller, and takes 700 MB of memory
PART_BYTES = 1 << 20
FACTS = "archive"  # the key in eyelet_partition under which an archive says what it holds
_HINT = "restore the archive from a back-up"


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


def archive_dir(root: str) -> str:
    return os.path.join(root, "archive")


def path_of(root: str, key: PartitionKey) -> str:
    return os.path.join(archive_dir(root), key.context, f"{key.year:04d}", f"{key.day:03d}{SUFFIX}")


def is_archived(root: str, key: PartitionKey) -> bool:
    return os.path.isfile(path_of(root, key))


def archive(root: str, key: PartitionKey, *, remove: bool = False) -> Archived:
    """Make the archive of a finished day, in place of an older one; with `remove` the day itself goes then.

    BadInput for a day that is not over, or in memory; PartitionBusy where events came meanwhile and the day was to go:
    its archive is made then, and the day stays.
    """
    _expect_finished(root, key)
    path = layout.db_path(root, key)
    with alone(root, key) as made:
        if not connect.is_there(path):
            raise PartitionUnreadable(
                "archive", path, "there is no such day", "`eyelet partitions` lists those there are"
            )
        reader = connect.open_reader(path)
        try:
            version = reader.execute("pragma data_version").fetchone()[0]
            copy = os.path.join(made, "day.db")
            reader.execute("pragma query_only = off")  # it would forbid to write the copy, too
            reader.execute("vacuum into ?", [copy])
            rows = pack(copy, os.path.join(made, "small.db"), _seals(root, key))
            put(os.path.join(made, "small.db"), path_of(root, key))
            day_bytes = os.path.getsize(path)
            if remove:
                _remove(root, key, reader, version)
        except reader.DatabaseError as bad:
            raise PartitionUnreadable("archive", path, *schema.diagnosis(reader, path, bad)) from bad
        except OSError as bad:
            raise _refused("archive", path_of(root, key), bad) from bad
        finally:
            reader.close()
    return Archived(key, rows, day_bytes, os.path.getsize(path_of(root, key)), remove)


def restore(root: str, key: PartitionKey) -> Restored:
    """Bring an archived day back exactly; the archive stays. Events that the day holds again stay in it.

    PartitionUnreadable where there is no archive, it is damaged, or the day there holds tables of other programs.
    """
    if root.startswith(layout.MEMORY):
        raise BadInput("restore", key.mount_name, "a root in memory has no archives", "name a root that is a folder")
    from eyelet_ingest.store.unpacking import bring_in, unpacked

    with alone(root, key), unpacked(root, key) as (name, facts):
        kept = bring_in(root, key, name, facts)
    with suppress(PartitionError):  # where somebody is in its way, maintenance seals it again
        sealing.reseal_after(root, key, "restored")
    return Restored(key, facts["rows"], kept)


@contextmanager
def alone(root: str, key: PartitionKey) -> Iterator[str]:
    """Alone with the archive of a day; gives a folder beside it for what is being made, which goes at the end."""
    folder = os.path.dirname(path_of(root, key))
    mark = f".archive-{key.day:03d}-"
    identity.make_private_dir(folder)
    lock = connect.FileLock(os.path.join(folder, f".{key.day:03d}.lock"), time.monotonic_ns() + DEADLINE_MS * 1_000_000)
    with lock:
        remove_left(folder, mark)
        made = tempfile.mkdtemp(prefix=mark, dir=folder)  # 0700
        try:
            yield made
        finally:
            shutil.rmtree(made, ignore_errors=True)
            os.unlink(lock.path)
    from eyelet_ingest.store.removal import remove_empty

    remove_empty(folder, root)


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
    """Compress a database that nobody has open to `target`, read back before it takes its place in one step."""
    made = small + ".xz"
    digest, back = hashlib.sha256(), hashlib.sha256()
    with open(small, "rb") as source, lzma.open(made, "wb", preset=PRESET) as packed:
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
    os.replace(made, target)


def _remove(root: str, key: PartitionKey, reader: Any, version: int) -> None:
    """Let the day go, unless something was written to it since it was copied."""
    from eyelet_ingest.store import removal

    path = layout.db_path(root, key)
    with sealing.alone(root, key):
        conn = connect.open_writer(path, busy_ms=DEADLINE_MS)
        try:
            conn.execute("begin immediate")  # no other program writes from here on
            if reader.execute("pragma data_version").fetchone()[0] != version:
                raise PartitionBusy("remove", path, "events came while it was archived", "archive it again")
            manifest.gone(root, key, "archived")
            hidden = removal.hide(root, key)
        finally:
            conn.close()  # SQLite sees that its file has gone, and touches nothing where it was
    removal.clear(root, hidden)


def _seals(root: str, key: PartitionKey) -> "list[dict[str, Any]]":
    known = manifest.read(root, key)
    return [asdict(seal) for seal in known.seals] if known is not None else []


def _expect_finished(root: str, key: PartitionKey) -> None:
    if root.startswith(layout.MEMORY):
        raise BadInput("archive", key.mount_name, "a root in memory has no files", "name a root that is a folder")
    if not sealing.is_finished(key, time.time_ns() // 1_000):
        hint = "try again an hour after midnight UTC"
        raise BadInput("archive", f"{key.context} {key.date}", "the day is not over", hint)


def _refused(operation: str, path: str, bad: OSError) -> PartitionUnreadable:
    return PartitionUnreadable(operation, path, bad.strerror or str(bad), "is the disk full? May you write there?")
