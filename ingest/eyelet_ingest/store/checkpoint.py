"""The one guarded checkpointer: what stands in a day's WAL goes into its file.

Under the day's lock, where no writer of ours can be: PASSIVE first, which waits for nobody; then, where asked for,
FULL, RESTART or TRUNCATE, which wait a bounded time for readers. Where others write on and on, the lock is waited for
like a writer's turn, and given up at a deadline. A checkpoint that fails is said so, and fails no read and no write.
"""

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass

from eyelet_ingest.errors import BadInput, PartitionBusy, PartitionError
from eyelet_ingest.store import connect, layout
from eyelet_ingest.store.layout import PartitionKey

MODES = ("passive", "full", "restart", "truncate")
DEADLINE_MS = 2_000  # for the lock of one day
READERS_WAIT_MS = 250  # for readers that need what stands in the WAL: meanwhile nobody writes
ATTEMPT_READERS_WAIT_MS = 5  # of a checkpoint that nobody asked for


@dataclass(frozen=True, slots=True)
class Checkpointed:
    """What became of one day's WAL: the mode that ran, the frames it held, and how many of them its file holds now.

    `busy`: readers or writers kept it from being done to the end. `error` says what went wrong, or is "".
    """

    key: PartitionKey
    mode: str
    busy: bool
    wal_frames: int
    moved_frames: int
    error: str = ""


def checkpoint(
    root: str, keys: Iterable[PartitionKey], mode: str = "passive", *, only_with_wal: bool = False
) -> list[Checkpointed]:
    """Checkpoint these days one after another; with `only_with_wal` those that have no WAL are left out.

    A SQLite with the WAL-reset bug does PASSIVE whatever is asked for. BadInput for a mode that is none of MODES.
    """
    if mode not in MODES:
        raise BadInput("checkpoint", reason=f"{mode!r} is no mode", hint=f"one of {', '.join(MODES)}")
    done = []
    for key in keys:
        if _wal_bytes(layout.db_path(root, key)):
            done.append(_checkpoint(root, key, mode))
        elif not only_with_wal:
            done.append(Checkpointed(key, mode, False, 0, 0))
    return done


def attempt(root: str, key: PartitionKey, mode: str) -> Checkpointed:
    """Checkpoint a day that nobody writes to now; where somebody does, it is `busy`, its `mode` "". Readers are waited
    for no longer than a writer notices."""
    path = layout.db_path(root, key)
    if not _wal_bytes(path):
        return Checkpointed(key, mode, False, 0, 0)
    done = _checkpoint(root, key, mode, 0, ATTEMPT_READERS_WAIT_MS)
    return Checkpointed(key, "", True, 0, 0) if done.busy and done.error else done


def _checkpoint(
    root: str, key: PartitionKey, mode: str, wait_ms: int = DEADLINE_MS, readers_ms: int = READERS_WAIT_MS
) -> Checkpointed:
    path = layout.db_path(root, key)
    try:
        deadline_ns = time.monotonic_ns() + wait_ms * 1_000_000
        with connect.FileLock(layout.lock_path(root, key), deadline_ns, make=False):
            if not _wal_bytes(path):  # removed, or closed by the last who had it open, while we waited
                return Checkpointed(key, mode, False, 0, 0)
            conn = connect.open_writer(path, busy_ms=readers_ms)
            try:
                return Checkpointed(key, *connect.checkpoint(conn, mode, connect.driver().sqlite_version))
            except conn.Error as bad:
                return Checkpointed(key, mode, connect.is_passing(str(bad)), 0, 0, str(bad))
            finally:
                conn.close()
    except PartitionError as bad:
        return Checkpointed(key, mode, isinstance(bad, PartitionBusy), 0, 0, str(bad))


def _wal_bytes(path: str) -> int:
    """The size of the WAL beside a database; 0 where there is none, or no database."""
    try:
        return os.path.getsize(layout.side_path(path, "-wal")) if os.path.isfile(path) else 0
    except OSError:
        return 0
