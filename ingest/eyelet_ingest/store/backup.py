"""Backups: a folder of the user's, laid out as a root, that any SQLite and `eyelet query --root` can read.

A day is copied in one snapshot while others write. It is written beside its place and renamed, so that each day of a
backup is whole at every moment: the old one or the new one. What a copy will be stands in the backup's journal before
its name does; `backup.json` takes that over at the end. Days whose files are as they were are left alone.

A settled day is copied byte for byte, so that `sha256sum` and its seal agree; by a process of its own, since closing a
file drops what locks SQLite has on it in the same process. One that is being written SQLite copies page by page.

Besides the days a root is: its key (without which every recording would come in a second time), the ledger of imports,
tombstones, audit, cursors, settings, tokens, seals, archives and what waits in the spool. Those come last: whatever
they have to know of a day, they know.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from eyelet_ingest.errors import BadInput, EyeletError, PartitionBusy, PartitionError, PartitionUnreadable, RootError
from eyelet_ingest.store import copies, identity, layout, manifest, schema, transfer
from eyelet_ingest.store.answers import Unreadable
from eyelet_ingest.store.catalog import Catalog
from eyelet_ingest.store.connect import FileLock, driver, is_there, open_reader
from eyelet_ingest.store.copier import Copier, partial_of, sha256_of, size_of, stat_of, state_of
from eyelet_ingest.store.holdings import (
    JOURNAL,
    MANIFEST,
    ROOT_DATABASES,
    ROOT_FILES,
    ROOT_TREES,
    Manifest,
    day_name,
)
from eyelet_ingest.store.layout import PartitionKey

LOCK = ".backup.lock"
NEXT_SEAL = ".manifest.json.next"
LOCK_MS = 2_000
TRIES = 3
_HINT = "is it a folder that you may write, with room?"


@dataclass(slots=True)
class Made:
    """Days copied, days that were as they had been, and what could not be copied; `files` besides days."""

    dry_run: bool
    copied: list[PartitionKey] = field(default_factory=list)
    unchanged: int = 0
    files: int = 0
    bytes: int = 0
    failed: list[Unreadable] = field(default_factory=list)


@dataclass(slots=True)
class Checked:
    """What `verify` read: days, events and files as the manifest has them, and what is not."""

    days: int = 0
    events: int = 0
    files: int = 0
    failed: list[Unreadable] = field(default_factory=list)


def backup(
    catalog: Catalog,
    target: str,
    keys: Iterable[PartitionKey],
    *,
    dry_run: bool = False,
    progress: Callable[[int, int], object] | None = None,
) -> Made:
    """Copy these days of the catalog's root, and the rest of the root, to the folder `target`, made where it is not.

    BadInput for a folder that cannot be one; RootError where it cannot be written. A day that cannot be copied is named
    in the result, and what the backup had of it stays.
    """
    root = catalog.root
    check_places(root, target)
    made = Made(dry_run)
    days = list(keys)
    if not dry_run:
        identity.make_private_dir(target)
    with _alone(target, dry_run), Copier() as copier:
        known = Manifest(target)
        for at, key in enumerate(days):
            try:
                _day(root, target, key, known, copier, made)
            except (PartitionError, OSError) as bad:
                if is_there(layout.db_path(root, key)):
                    made.failed.append(Unreadable(key.context, key.date, _reason(bad)))
            if progress is not None:
                progress(at + 1, len(days))
        if not dry_run:
            _rest(root, target, known, copier, made)
            known.write()
    return made


def verify(target: str, progress: Callable[[int, int], object] | None = None) -> Checked:
    """Read the whole backup, and compare it with its manifest; BadInput where there is none."""
    known = Manifest(target)
    if not known.exists:
        raise BadInput("verify", target, "it holds no backup", "name the folder that `eyelet backup` wrote")
    checked = Checked()
    unknown = [key for key in Catalog(target).partitions() if is_there(layout.db_path(target, key))]
    names = sorted({*known.entries, *map(day_name, unknown)})
    for at, name in enumerate(names):
        key = layout.key_from_path(name)
        try:
            if key is not None:
                checked.events += checked_day(target, key, known)
                checked.days += 1
            else:
                if not name.startswith("logs/"):  # the seals are checked with their day
                    known.checked(name)
                checked.files += 1
        except (PartitionError, OSError) as bad:
            context, day = (key.context, key.date) if key else (name, "")
            checked.failed.append(Unreadable(context, day, _reason(bad)))
        if progress is not None:
            progress(at + 1, len(names))
    return checked


def checked_day(target: str, key: PartitionKey, known: "Manifest") -> int:
    """How many events a backup's day holds; PartitionUnreadable where it is not what was backed up, or damaged."""
    path = layout.db_path(target, key)
    entry = known.checked(day_name(key))
    with transfer.reading(path, settled=True) as conn:
        damage = conn.execute("pragma quick_check(1)").fetchone()[0]
        if damage != "ok":
            raise PartitionUnreadable("verify", path, f"damaged: {damage}", "back the day up again")
        rows = _facts(conn)["rows"]
    if rows != entry["rows"]:
        raise PartitionUnreadable("verify", path, f"{rows} events, not {entry['rows']}", "back the day up again")
    seal_of(target, key, known)
    return int(rows)


def check_places(root: str, target: str) -> None:
    """BadInput where one of the two lies in the other, or the folder holds something else than a backup."""
    expect_apart(root, target, "back up to")
    if os.path.lexists(target) and not os.path.isdir(target):
        raise BadInput("back up to", target, "it is no folder", "name a folder")
    names = os.listdir(target) if os.path.isdir(target) else []
    if names and not {MANIFEST, JOURNAL, LOCK}.intersection(names):  # the lock alone: the first one was stopped early
        raise BadInput("back up to", target, "it holds something that is no backup", "name a new or empty folder")


def expect_apart(root: str, target: str, doing: str) -> None:
    """BadInput where one of the two lies in the other, or the root in memory."""
    mine, theirs = os.path.realpath(root), os.path.realpath(target)
    if root.startswith(layout.MEMORY):
        raise BadInput(doing, root, "it is in memory", "export its events, and import them")
    if os.path.commonpath([mine, theirs]) in (mine, theirs):
        raise BadInput(doing, target, "it lies in the root, or the root in it", "name a folder elsewhere")


@contextmanager
def _alone(target: str, dry_run: bool) -> Iterator[None]:
    if dry_run:
        yield
        return
    try:
        with FileLock(os.path.join(target, LOCK), time.monotonic_ns() + LOCK_MS * 1_000_000):
            yield
    except PartitionBusy as bad:
        raise RootError("back up to", target, "another backup is at work there", "wait for it") from bad
    except OSError as bad:
        raise RootError("back up to", target, bad.strerror or str(bad), _HINT) from bad


def _day(root: str, target: str, key: PartitionKey, known: Manifest, copier: Copier, made: Made) -> None:
    path = layout.db_path(root, key)
    if not is_there(path):
        return
    state, seal_state = state_of(path), state_of(manifest.path_of(root, key))
    if known.is_unchanged(day_name(key), state) and _is_seal_unchanged(root, target, key, known, seal_state):
        made.unchanged += 1
        return
    if made.dry_run:
        made.copied.append(key)
        return
    folder = layout.partition_dir(target, key)
    identity.make_private_dir(folder)
    copies.remove_left(folder)
    scratch = tempfile.mkdtemp(prefix=copies.PREFIX, dir=folder)
    try:
        copy = os.path.join(scratch, "day.db")
        for _ in range(TRIES):
            sealed = stat_of(manifest.path_of(root, key))
            digest, size = _copied(root, key, copy, copier)
            seal = _seal_copied(root, key, scratch, copier)
            if stat_of(manifest.path_of(root, key)) == sealed:
                break  # else it was sealed between the two copies
        with transfer.reading(copy, settled=True) as conn:
            entry = {"state": state, "sha256": digest, "bytes": size, **_facts(conn), "seal": seal[0] if seal else ""}
        _prepare_seal(target, key, scratch, seal)
        known.take(day_name(key), copy, entry)
        _take_seal(target, key, known, seal, seal_state)
        made.copied.append(key)
        made.bytes += size
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _seal_copied(root: str, key: PartitionKey, scratch: str, copier: Copier) -> tuple[str, int] | None:
    """The day's seals beside its copy: their hash and size, or None where it has none."""
    source = manifest.path_of(root, key)
    return copier.copy(source, os.path.join(scratch, manifest.FILE_NAME)) if os.path.isfile(source) else None


def _is_seal_unchanged(root: str, target: str, key: PartitionKey, known: Manifest, state: list[int]) -> bool:
    """Whether the seals beside a day in the backup are still those of the root; whoever was stopped took none yet."""
    name = _seal_name(key)
    if not os.path.isfile(manifest.path_of(root, key)):
        return name not in known.entries
    taken = [entry["seal"] for entry in known.entries[day_name(key)]]
    return known.is_unchanged(name, state) and [entry["sha256"] for entry in known.entries[name]] == taken


def _seal_name(key: PartitionKey) -> str:
    return f"{os.path.dirname(day_name(key))}/{manifest.FILE_NAME}"


def _next_seal(target: str, key: PartitionKey) -> str:
    return os.path.join(layout.partition_dir(target, key), NEXT_SEAL)


def _prepare_seal(target: str, key: PartitionKey, scratch: str, seal: tuple[str, int] | None) -> None:
    """Before the day's copy gets its name its seals lie beside it: whoever is stopped has those of either copy."""
    if seal is not None:
        os.replace(os.path.join(scratch, manifest.FILE_NAME), _next_seal(target, key))


def _take_seal(target: str, key: PartitionKey, known: Manifest, seal: tuple[str, int] | None, state: list[int]) -> None:
    """The seals beside the day that has just got its name."""
    if seal is not None:
        known.take(_seal_name(key), _next_seal(target, key), {"state": state, "sha256": seal[0], "bytes": seal[1]})
        return
    known.entries.pop(_seal_name(key), None)
    with suppress(FileNotFoundError):
        os.unlink(manifest.path_of(target, key))


def seal_of(target: str, key: PartitionKey, known: Manifest) -> str | None:
    """Where the seals of a backup's day are, also where its maker was stopped before they had their name; None where
    it has none. PartitionUnreadable where they are not what was backed up."""
    day = known.checked(day_name(key))
    if not day["seal"]:
        return None
    for path in (manifest.path_of(target, key), _next_seal(target, key)):
        with suppress(FileNotFoundError):
            if sha256_of(path) == day["seal"]:
                return path
    path = manifest.path_of(target, key)
    raise PartitionUnreadable("verify", path, "it is not what was backed up", "back the day up again")


def _copied(root: str, key: PartitionKey, copy: str, copier: Copier) -> tuple[str, int]:
    """The day in one snapshot at `copy`: its hash and size."""
    path = layout.db_path(root, key)
    if _stands_alone(path):
        with suppress(PartitionError):  # others keep it, or the root may not be written
            deadline_ns = time.monotonic_ns() + LOCK_MS * 1_000_000
            with FileLock(layout.lock_path(root, key), deadline_ns, make=False), transfer.reading(path) as conn:
                conn.execute("begin")
                conn.execute("select count(*) from sqlite_master").fetchone()  # from here on nobody checkpoints
                before = stat_of(path)
                if _stands_alone(path):
                    done = copier.copy(path, copy)
                    if stat_of(path) == before:
                        return done
    with transfer.reading(path) as conn:
        _pages(conn, copy)
    return sha256_of(copy), size_of(copy)


def _stands_alone(path: str) -> bool:
    """Whether the file is all there is of a day: nothing in a WAL, nothing to be taken back."""
    return not size_of(layout.side_path(path, "-wal")) and not os.path.exists(layout.side_path(path, "-journal"))


def _pages(conn: Any, copy: str) -> None:
    """What `conn` reads, page by page in one snapshot, at `copy` (0600)."""
    os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
    made = driver().connect(copy, isolation_level=None)
    try:
        conn.backup(made, pages=-1)
    finally:
        made.close()


def _facts(conn: Any) -> dict[str, Any]:
    if not schema.is_ready(conn):
        return {"rows": 0, "first_id": None, "last_id": None, "arrived": None}
    rows = conn.execute("select count(*), min(id), max(id), max(arrived) from hooks").fetchone()
    last = rows[3] if isinstance(rows[3], int) else None
    return {"rows": rows[0], "first_id": rows[1], "last_id": rows[2], "arrived": last}


def _rest(root: str, target: str, known: Manifest, copier: Copier, made: Made) -> None:
    """What is no day. A file that cannot be copied is named."""
    for name in (*ROOT_FILES, *_tree(root), *ROOT_DATABASES):
        source, to = os.path.join(root, *name.split("/")), os.path.join(target, *name.split("/"))
        if not os.path.isfile(source) or os.path.islink(source):
            continue
        state = state_of(source)
        if known.is_unchanged(name, state):
            continue
        try:
            identity.make_private_dir(os.path.dirname(to))
            partial = partial_of(to)
            if name in ROOT_DATABASES:
                conn = open_reader(source)
                try:
                    _pages(conn, partial)
                finally:
                    conn.close()
            else:
                copier.copy(source, partial)
            known.take(name, partial, {"state": state, "sha256": sha256_of(partial), "bytes": size_of(partial)})
            made.files += 1
        except (EyeletError, OSError, driver().Error) as bad:
            if os.path.exists(source):
                made.failed.append(Unreadable(name, "", _reason(bad)))


def _tree(root: str) -> Iterator[str]:
    """The files below ROOT_TREES, with / between folders; what begins with a dot is nobody's yet."""
    for tree in ROOT_TREES:
        for folder, folders, names in os.walk(os.path.join(root, tree)):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                if not name.startswith(".") and not name.endswith(".lock"):
                    yield os.path.relpath(os.path.join(folder, name), root).replace(os.sep, "/")


def _reason(bad: Exception) -> str:
    if isinstance(bad, EyeletError):
        return f"{bad.reason} ({bad.hint})" if bad.hint else bad.reason
    return (bad.strerror if isinstance(bad, OSError) else None) or str(bad)
