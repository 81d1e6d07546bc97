"""What `history.py` found → store: newest first, each record once, and what is known as it is passed over unread.

A recording is known when all of it was stored, nobody wrote to it since (`Left.mark`), and the days where it was put
are there. Then it is not opened. One that has grown is read from its beginning, since what a later line leaves out
stands in an earlier one; what of it is stored already is known by its uid. In which context a recording goes is decided
once, before anything of it is stored: so a project that is gone meanwhile, or other settings, double nothing.
"""

import errno
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING

from eyelet_ingest import pipeline
from eyelet_ingest.errors import BadInput
from eyelet_ingest.history import Left, Passed
from eyelet_ingest.ledger import Ledger, Recording
from eyelet_ingest.pipeline import STILL_US, Ingested
from eyelet_ingest.store import layout
from eyelet_ingest.surroundings import Surroundings

if TYPE_CHECKING:
    from eyelet_ingest.plugins import Plugins

FOLDERS_REMEMBERED = 4_096
_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(slots=True)
class Brought:
    """What became of the recordings: all of them = read + known (not opened) + off (nothing is to be recorded of their
    project) + `passed` (could not be read). `awaited`: of those read, some more is to come."""

    ingested: Ingested
    read: int = 0
    known: int = 0
    off: int = 0
    awaited: int = 0
    passed: list[Passed] = field(default_factory=list)


def bring_in(
    left: Iterable[Left],
    root: str,
    context: str | None = None,
    *,
    progress: Callable[[int], None] | None = None,
    force: bool = False,
    plugins: "Plugins | None" = None,
) -> Brought:
    """Store what the recordings hold, in their order. Without a `context` each goes where a hook of its project goes.

    With `force` all are read, and what was deleted comes back. A recording that cannot be read stops no other.
    RootError where the root cannot be used, OSError where its disk is full.
    """
    started = time.monotonic()
    told = progress or (lambda read_bytes: None)
    with pipeline.run(root, context or layout.DEFAULT_CONTEXT, progress=told, force=force, plugins=plugins) as run:
        bringing = _Bringing(run, context, force)
        for one in left:
            bringing.take(one)
        bringing.settle()
        done = bringing.brought
        done.ingested = run.result(time.monotonic() - started)
        return done


class _Bringing:
    """One import of recordings: those that are read and not wholly stored yet wait in `pending`."""

    def __init__(self, run: pipeline.Run, context: str | None, force: bool) -> None:
        self.run, self.context, self.force = run, context, force
        self.ledger: Ledger = run.ledger
        self.brought = Brought(run.result(0))
        self.pending: list[tuple[Left, bytes, Recording, int]] = []
        self.default = run.context
        self.now_us = run.clock.now_us
        self._is_there = lru_cache(FOLDERS_REMEMBERED)(self._day_is_there)
        self._context_of = lru_cache(FOLDERS_REMEMBERED)(_context_of)
        run.is_patient = True
        run.batch.days_of = {}

    def take(self, one: Left) -> None:
        """One recording: pass it over, or read it."""
        # What was brought into a context that somebody named is another copy, and remembered apart.
        name = os.fsencode(one.path) + b"\0" + (self.context or "").encode("utf-8", "surrogatepass")
        path = blake2b(name, key=self.run.key, digest_size=16).digest()
        known = self.ledger.recording(path)
        if known is not None and not self.force and self._is_same(known, one):
            self.brought.known += 1
            self.run.progress(one.size_bytes)
            return
        chosen: list[str | None] = []

        def context_of(folder: str) -> str | None:
            given = self._context_of(folder or one.project)
            if given is None:
                chosen.append(None)
                return None
            given = self.context or (known.context if known and not is_many else "") or given
            if not chosen and not is_many:
                self.ledger.note_recordings([(path, Recording(given))])
            chosen.append(given)
            return given

        is_many = one.path.endswith(".db") or os.path.isdir(one.path)  # sessions of many projects
        self.run.context_of = context_of
        self._read(one, path, chosen, is_many)

    def _read(self, one: Left, path: bytes, chosen: "list[str | None]", is_many: bool) -> None:
        run = self.run
        if is_many:  # its rows are told from others' by nothing but the batch they are stored with
            self.settle()
            run.context = self.context or self.default
        bad_before = run.batch.tally.quarantined
        try:
            run.path(one.path)
        except (BadInput, OSError) as bad:
            if isinstance(bad, OSError) and bad.errno in _FULL:
                raise
            reason = bad.reason if isinstance(bad, BadInput) else bad.strerror
            self.brought.passed.append(Passed(one.path, reason or str(bad)))
            return
        if chosen and not any(chosen):
            self.brought.off += 1
            return
        self.brought.read += 1
        is_awaited = one.path in run.awaited
        self.brought.awaited += is_awaited
        is_growing = self.now_us - one.mtime_ns // 1_000 < STILL_US
        given = self.context or next(filter(None, chosen), self.default) or self.default
        again = is_growing and (is_awaited or one.agent in ("gemini", "opencode"))
        self.pending.append((one, path, Recording(given, one.mark, again), bad_before if is_many else -1))
        if is_many or not run.read_whole:
            self.settle()

    def settle(self) -> None:
        """Store what was read, and remember of each recording that all of it is."""
        run = self.run
        run.flush()
        batch = run.batch
        days_of, batch.days_of = batch.days_of or {}, {}
        done = []
        for one, path, recording, bad_before in self.pending:
            shown = pipeline.shown_path(one.path, run.redactor)
            if bad_before >= 0:
                is_bad = batch.tally.quarantined > bad_before
                keys = set().union(*days_of.values())
            else:
                is_bad = shown in batch.bad_files
                keys = days_of.get(shown, set())
            if not is_bad:
                days = "\n".join(sorted(f"{key.context} {key.year} {key.day}" for key in keys if self._exists(key)))
                done.append((path, Recording(recording.context, recording.mark, recording.is_awaited, days)))
        self.pending = []
        if done:
            self.ledger.note_recordings(done)

    def _is_same(self, known: Recording, one: Left) -> bool:
        if known.mark != one.mark:
            return False
        if known.is_awaited and self.now_us - one.mtime_ns // 1_000 >= STILL_US:
            return False
        return all(map(self._is_there, known.days.splitlines()))

    def _day_is_there(self, line: str) -> bool:
        context, year, day = line.split(" ")
        return self._exists(layout.PartitionKey(context, int(year), int(day)))

    def _exists(self, key: layout.PartitionKey) -> bool:
        root = self.run.batch.store.root
        return os.path.exists(layout.db_path(root, key)) or os.path.exists(layout.archive_path(root, key))


def _context_of(folder: str) -> str | None:
    """The given name of the context that a hook of this folder records into; None where it records nothing."""
    around = Surroundings(folder or os.sep)
    return around.context if around.settings["enabled"] else None
