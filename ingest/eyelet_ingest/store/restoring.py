"""Restoring a backup: days that are missing come back as files, others get the events they lack.

A day is copied beside its place, compared with the backup's manifest, and gets its name under the day's lock: it is
there or it is not. In a day that exists nothing is changed or removed, unless `replace` says so: then its WAL is
emptied first, so that the one rename is all there is between the old day and the new. What was deleted or retired in
the root since does not come back, unless `force` says so.

The root's other files come where they are missing: the key above all. One that is there is never touched.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from eyelet_ingest.errors import BadInput, EyeletError, PartitionBusy, PartitionError, PartitionUnreadable
from eyelet_ingest.store import audit, copies, identity, layout, manifest, schema, sealing, transfer
from eyelet_ingest.store.answers import Unreadable
from eyelet_ingest.store.backup import checked_day, expect_apart, seal_of
from eyelet_ingest.store.catalog import Catalog
from eyelet_ingest.store.connect import FileLock, checkpoint, driver, is_there, open_writer, remove_sides
from eyelet_ingest.store.copier import Copier, open_file, partial_of
from eyelet_ingest.store.holdings import MANIFEST, Manifest, day_name, is_known
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.tombstones import Tombstones

DEADLINE_MS = 30_000
REASON = "restored"  # why a seal is no longer what it was
LetGo = Callable[[PartitionKey], object]  # whoever has the day open is to close it


@dataclass(slots=True)
class Restored:
    """Days that came as files, days that were replaced, days that got `events` they lacked; `dead` events stayed away
    because they were deleted since. `files` that came besides days, and `kept`: those that the root has its own of.
    """

    dry_run: bool
    placed: list[PartitionKey] = field(default_factory=list)
    replaced: list[PartitionKey] = field(default_factory=list)
    merged: list[PartitionKey] = field(default_factory=list)
    events: int = 0
    known: int = 0
    dead: int = 0
    files: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    failed: list[Unreadable] = field(default_factory=list)


def restore(
    root: str,
    source: str,
    keys: Iterable[PartitionKey] | None,
    *,
    dry_run: bool = False,
    replace: bool = False,
    force: bool = False,
    who: str = "library",
    let_go: LetGo | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Restored:
    """Bring these days of the backup at `source` (all where None), and what else makes the root whole, into `root`.

    BadInput where there is no backup; RootError where the root cannot be written. A day that cannot be restored is
    named in the result, and the root's own is as it was.
    """
    expect_apart(root, source, "restore")
    known = Manifest(source)
    if not known.exists:
        raise BadInput("restore", source, "it holds no backup", f"name a folder with a {MANIFEST}")
    work = _Restoring(root, source, known, Restored(dry_run), replace, force, let_go)
    there = Catalog(source).partitions() if keys is None else keys
    days = [key for key in there if is_there(layout.db_path(source, key))]
    with Copier() as work.copier:
        work.rest()
        if not dry_run:  # after the backup's own audit has come, where the root had none
            said = {"from": source, "days": len(days), "replace": replace, "force": force}
            audit.record(root, who, "restore", said)
        for at, key in enumerate(days):
            try:
                work.day(key)
            except (EyeletError, OSError) as bad:
                reason = f"{bad.reason} ({bad.hint})" if isinstance(bad, EyeletError) else bad.strerror or str(bad)
                work.done.failed.append(Unreadable(key.context, key.date, reason))
            if progress is not None:
                progress(at + 1, len(days))
    return work.done


@dataclass(slots=True)
class _Restoring:
    """One run."""

    root: str
    source: str
    known: Manifest
    done: Restored
    replace: bool
    force: bool
    let_go: LetGo | None
    copier: Copier = field(default_factory=Copier)

    def rest(self) -> None:
        """The files that are no days, where the root has none of their name."""
        for name in self.known.entries:
            to = os.path.join(self.root, *name.split("/"))
            if name.startswith("logs/"):
                continue
            if not is_known(name):
                self.done.failed.append(Unreadable(name, "", "it is no file of a root that this version knows"))
                continue
            if os.path.lexists(to):
                self.done.kept.append(name)
                continue
            try:
                self.known.checked(name)
                if not self.done.dry_run:
                    identity.make_private_dir(os.path.dirname(to))
                    partial = partial_of(to)
                    self.copier.copy(os.path.join(self.source, *name.split("/")), partial)
                    os.replace(partial, to)
                self.done.files.append(name)
            except (PartitionError, OSError) as bad:
                reason = bad.reason if isinstance(bad, PartitionError) else bad.strerror or str(bad)
                self.done.failed.append(Unreadable(name, "", reason))

    def day(self, key: PartitionKey) -> None:
        rows = checked_day(self.source, key, self.known)
        there = is_there(layout.db_path(self.root, key))
        if there and not self.replace:
            self._merge(key)
        elif not self.force and self._has_dead(key):
            if there:
                self.done.failed.append(Unreadable(key.context, key.date, _SOME_DEAD))
            else:
                self._merge(key)
        else:
            if not self.done.dry_run:
                self._place(key, there)
            (self.done.replaced if there else self.done.placed).append(key)
            self.done.events += rows

    def _has_dead(self, key: PartitionKey) -> bool:
        stones = Tombstones.of(self.root)
        if not stones.are_there():
            return False
        with transfer.reading(layout.db_path(self.source, key), settled=True) as conn:
            for batch in transfer.batches(transfer.rows_of(conn)):
                asked = [(row[transfer.UID], row[transfer.ID]) for row in batch]
                known = [one for one in asked if isinstance(one[0], bytes) and type(one[1]) is int]
                if stones.dead(key.context, known) or stones.redacted(key.context, [uid for uid, _ in known]):
                    return True
        return False

    def _merge(self, key: PartitionKey) -> None:
        """The events that the day lacks."""
        added = 0
        with transfer.reading(layout.db_path(self.source, key), settled=True) as conn:
            if not schema.is_ready(conn):
                return
            given = transfer.given_name(conn, key)
            for batch in transfer.batches(transfer.rows_of(conn)):
                if self.done.dry_run:
                    stored = transfer.planned(self.root, key, batch, force=self.force)
                else:
                    stored = transfer.store(self.root, key, given, batch, force=self.force)
                added += stored.stored
                self.done.known += stored.known
                self.done.dead += stored.dead
                for _, reason in stored.refused[:1]:
                    self.done.failed.append(Unreadable(key.context, key.date, reason))
        self.done.events += added
        if added:
            self.done.merged.append(key)

    def _place(self, key: PartitionKey, there: bool) -> None:
        """The day as a file in its place, under its lock."""
        folder, path = layout.partition_dir(self.root, key), layout.db_path(self.root, key)
        deadline_ns = time.monotonic_ns() + DEADLINE_MS * 1_000_000
        with FileLock(layout.lock_path(self.root, key), deadline_ns):
            copies.remove_left(folder)
            scratch = tempfile.mkdtemp(prefix=copies.PREFIX, dir=folder)
            try:
                copy = os.path.join(scratch, "day.db")
                digest, _ = self.copier.copy(layout.db_path(self.source, key), copy)
                if digest != self.known.checked(day_name(key))["sha256"]:
                    raise PartitionUnreadable("restore", path, "the backup changed meanwhile", "try again")
                if is_there(path):
                    if not there:
                        raise PartitionBusy("restore", path, "somebody made the day meanwhile", "try again")
                    if self.let_go is not None:
                        self.let_go(key)
                    _empty_wal(path)
                remove_sides(path)
                seal = self._seal(key)
                os.replace(copy, path)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
        self._sealed(key, seal)
        if self.force:
            self._forget(key)

    def _seal(self, key: PartitionKey) -> str:
        """Before the day gets its name, under its lock: the seal that is to stand beside it, and the newest's hash.

        A day that is sealed here keeps its seals, and is noted as restored ("" then: it is to be sealed again). Else it
        gets those of the backup; what was registered of it here before is no longer asked of it.
        """
        with suppress(PartitionUnreadable):  # a manifest that is none makes room for the backup's
            if manifest.reopen(self.root, key, REASON):
                return ""
        source, to = seal_of(self.source, key, self.known), manifest.path_of(self.root, key)
        if source is None:
            manifest.gone(self.root, key, REASON)
            with suppress(FileNotFoundError):
                os.unlink(to)
            return "none"
        with open_file(source) as file:
            sealed = manifest.parse(file.read(manifest.MOST_BYTES + 1), key, source)
        registered = manifest.register(self.root, key.context).get(key.date)
        if registered and not {one.hash for one in sealed.seals}.issuperset(registered.seals):
            manifest.gone(self.root, key, REASON)
        partial = partial_of(to)
        self.copier.copy(source, partial)
        os.replace(partial, to)
        return sealed.newest.hash

    def _sealed(self, key: PartitionKey, seal: str) -> None:
        """After the day has its name: register its seal, or seal it again."""
        if seal == "":
            with suppress(PartitionError, BadInput):  # where somebody is in its way, maintenance seals it again
                sealing.reseal_after(self.root, key, REASON)
        elif seal != "none" and (restored := manifest.read(self.root, key)) is not None:
            manifest.remember_all(self.root, restored)

    def _forget(self, key: PartitionKey) -> None:
        """What came back counts as deleted no longer."""
        stones = Tombstones.of(self.root)
        if not stones.are_there():
            return
        with transfer.reading(layout.db_path(self.source, key), settled=True) as conn:
            for batch in transfer.batches(transfer.rows_of(conn)):
                stones.forget(key.context, [row[1] for row in batch if isinstance(row[1], bytes)])


_SOME_DEAD = "some of its events were deleted or redacted here since: merge it without --replace, or say --force"


def _empty_wal(path: str) -> None:
    """Bring all that is committed into the file at `path`, and remove its side files; a damaged one as it is.

    Under the day's lock. PartitionBusy where a reader needs the WAL.
    """
    conn = None
    try:
        conn = open_writer(path)
        conn.execute("select count(*) from sqlite_master").fetchone()
        _, _, frames, moved = checkpoint(conn, "truncate", driver().sqlite_version)
        if moved < frames:
            raise PartitionBusy("replace", path, "somebody reads it", "try again")
    except PartitionUnreadable:
        pass  # it is damaged, or no database: that is what it is replaced for
    except driver().DatabaseError as bad:
        if isinstance(bad, driver().OperationalError) and "locked" in str(bad):
            raise PartitionBusy("replace", path, str(bad), "try again") from bad
    finally:
        if conn is not None:
            conn.close()
