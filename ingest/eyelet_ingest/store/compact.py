"""A file written anew in place, without gaps: what is deleted leaves no byte, and the file is as small as it can be.

Not by VACUUM, which numbers the rows anew of a table that has no key and no index: a text index that another program
keeps of such a table would then point at other rows. (VACUUM INTO leaves the numbers.) And not in memory: builds of
SQLite whose temporary files are there, as pysqlite3's, would hold the whole day. So a copy is made beside the day, and
its pages are brought back in one transaction: who reads keeps what he saw, and who is killed leaves the day as it was.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from typing import Any

from eyelet_ingest.errors import PartitionBusy
from eyelet_ingest.store import copies, layout
from eyelet_ingest.store.connect import CACHE_KIB_SMALL, driver, open_reader

BUSY_MS = 30_000  # for programs that write without the day's lock
DONE = 101  # SQLite's code for a backup that is finished
TRIES = 3  # a WAL that begins anew looks like a change, once


def compact(conn: Any, path: str) -> None:
    """Write the database at `path` anew through `conn`, which may write it, under its lock; in no transaction.

    The pages stand in the WAL then: the caller checkpoints. PartitionBusy where another program wrote meanwhile, or
    kept it; SQLite's error where the disk is full: the day is as it was. A day in memory has no file.
    """
    if path.startswith(layout.MEMORY):
        return
    folder = os.path.dirname(path)
    copies.remove_left(folder, copies.LEFT_BEHIND_S)
    made = tempfile.mkdtemp(prefix=copies.PREFIX, dir=folder)  # 0700
    watch = open_reader(path)
    conn.execute(f"pragma cache_size = -{CACHE_KIB_SMALL}")
    try:
        for number in range(TRIES):
            name = os.path.join(made, f"{number}.db")
            watched = Watched(watch, path)
            conn.execute("vacuum into ?", [name])
            try:
                return bring_back(name, conn, watched.unchanged)
            except PartitionBusy:
                if number == TRIES - 1:
                    raise
                os.unlink(name)
    finally:
        watch.close()
        shutil.rmtree(made, ignore_errors=True)


def bring_back(name: str, conn: Any, still: Callable[[int, int, int], None]) -> None:
    """Make what `conn` has open hold the pages of the database `name`, in one transaction. `still` is called once it
    has begun: where that raises, nothing happens."""
    source = driver().connect(name, isolation_level=None)
    try:
        # The first step takes the lock of writers, and leaves a page for the second, which commits.
        pages = int(source.execute("pragma page_count").fetchone()[0])
        source.backup(conn, pages=max(1, pages - 1), progress=still, sleep=0.02)
    finally:
        source.close()


class Watched:
    """That nothing is committed between the copy and its way back."""

    def __init__(self, conn: Any, path: str) -> None:
        self.conn, self.path = conn, path
        self.version = self._version()
        self.until = time.monotonic() + BUSY_MS / 1000

    def unchanged(self, status: int, left: int, pages: int) -> None:
        """Called between the steps; PartitionBusy where it was changed, or another program keeps it for too long."""
        if status == DONE:  # committed: it is our own change that shows
            return
        if self._version() != self.version:
            raise PartitionBusy("compact", self.path, "another program wrote meanwhile", "try again")
        if status and time.monotonic() > self.until:
            raise PartitionBusy("compact", self.path, "another program keeps it", "try again")

    def _version(self) -> int:
        return int(self.conn.execute("pragma data_version").fetchone()[0])
