"""No byte of a deleted row is left in its file: SQLite keeps copies of rows it once moved in the gaps of its pages.

(Measured: of 300 deleted texts secure_delete alone left some to be read.) So the file is written anew without them
(`compact`), and the WAL, which holds the pages as they were, is emptied. Where somebody is stopped in between, or a
reader still needs the WAL, the name of the file stands in the tombstones, and whoever comes next goes on: a command
that writes, the server, the next deletion.
"""

import os
import time
from contextlib import suppress
from typing import Any

from eyelet_ingest.errors import EyeletError
from eyelet_ingest.store import connect, copies, layout
from eyelet_ingest.store.compact import compact
from eyelet_ingest.store.connect import CACHE_KIB_SMALL, FileLock, driver, open_writer
from eyelet_ingest.store.layout import MEMORY
from eyelet_ingest.store.tombstones import Tombstones

CHECKPOINT_WAIT_MS = 1_000  # for readers that still need what was deleted
LOCK_MS = 200  # for a file that is erased later: who works there comes first


def prepare(conn: Any) -> None:
    """Before rows are deleted: what they stood in is overwritten, and writing anew needs little memory."""
    conn.execute("pragma secure_delete = on")
    conn.execute(f"pragma cache_size = -{CACHE_KIB_SMALL}")  # writing anew would fill the large one, twice


def forget_samples(conn: Any) -> None:
    """Some builds of SQLite keep values of some rows where somebody ran ANALYZE. (Our own statistics go by trigger.)"""
    for name in ("sqlite_stat4", "sqlite_stat3"):
        if conn.execute("select exists (select 1 from sqlite_master where name = ?)", (name,)).fetchone()[0]:
            conn.execute(f"delete from {name}")  # noqa: S608  one of two names


def erase(conn: Any, path: str) -> None:
    """Write the file anew without what was deleted, and empty the WAL, under the file's lock. SQLite's own errors, and
    those of `compact`.

    `is_erased` says, when the connection is closed, whether nothing is left.
    """
    compact(conn, path)
    empty_wal(conn)


def empty_wal(conn: Any) -> None:
    """Bring what stands in the WAL into the file, as far as readers let it. Before a large transaction, too: where that
    fills the disk, an empty WAL goes with its connection, and a full one would keep the room it took."""
    waits_ms = conn.execute("pragma busy_timeout").fetchone()[0]
    conn.execute(f"pragma busy_timeout = {CHECKPOINT_WAIT_MS}")
    connect.checkpoint(conn, "truncate", driver().sqlite_version)
    conn.execute(f"pragma busy_timeout = {waits_ms}")


def is_erased(path: str) -> bool:
    """Whether nothing is left beside the file that could hold what it held before: a reader may need its WAL."""
    if path.startswith(MEMORY):
        return True
    sides = [layout.side_path(path, side) for side in ("-wal", "-journal")]
    with suppress(OSError):
        return not any(os.path.getsize(one) for one in sides if os.path.exists(one))
    return False


def finish(root: str, deadline_ms: float) -> list[str]:
    """Go on where deletions were stopped, for about `deadline_ms`; the names of files that still hold something.

    A file in whose way somebody is stays for the next time.
    """
    stones = Tombstones.of(root)
    left = []
    until = time.perf_counter() + deadline_ms / 1000
    for name in stones.to_erase():
        if time.perf_counter() >= until or not _finish(root, name):
            left.append(name)
        else:
            stones.erased(name)
    return left


def _finish(root: str, name: str) -> bool:
    key = layout.key_from_mount_name(name)
    path = layout.db_path(root, key) if key else os.path.join(root, name)
    lock = layout.lock_path(root, key) if key else path + ".lock"
    if not connect.is_there(path):
        return True
    try:
        with FileLock(lock, time.monotonic_ns() + LOCK_MS * 1_000_000, make=False):
            if not connect.is_there(path):
                return True
            conn = open_writer(path, busy_ms=LOCK_MS)
            try:
                prepare(conn)
                if key:
                    copies.remove_left(os.path.dirname(path))
                erase(conn, path)
            except conn.Error:
                return False
            finally:
                conn.close()
            return is_erased(path)
    except EyeletError:
        return False
