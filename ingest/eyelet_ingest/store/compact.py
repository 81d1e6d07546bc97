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
FIRST_PAGES = 16  # that the smallest cache holds
TICK_NS = 20_000_000


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
        # The first step takes the lock of writers, and leaves a page for the second, which commits. With a roll-back
        # journal it is a small one, so that nothing of it is in the file yet when that is looked at.
        pages = int(source.execute("pragma page_count").fetchone()[0])
        step = max(1, pages - 1)
        source.backup(conn, pages=min(step, FIRST_PAGES) if _rolls_back(conn) else step, progress=still, sleep=0.02)
    finally:
        source.close()


class Watched:
    """That nothing is committed between the copy and its way back.

    With a roll-back journal nobody can read once the way back has begun, so it is told by the file's length and time;
    and once is enough, as nobody can write from then on either.
    """

    def __init__(self, conn: Any, path: str) -> None:
        self.conn, self.path = conn, path
        self.rolls_back = _rolls_back(conn)
        if self.rolls_back:
            until_ns = os.stat(path).st_mtime_ns + TICK_NS
            while 0 < until_ns - time.time_ns() <= TICK_NS:
                time.sleep(TICK_NS / 10**9)  # what is written in one tick of the file system's clock looks the same
        self.version = self._version()
        self.is_alone = False
        self.until = time.monotonic() + BUSY_MS / 1000

    def unchanged(self, status: int, left: int, pages: int) -> None:
        """Called between the steps; PartitionBusy where it was changed, or another program keeps it for too long."""
        if status == DONE or self.is_alone:  # what shows is our own change
            return
        if self._version() != self.version:
            raise PartitionBusy("compact", self.path, "another program wrote meanwhile", "try again")
        if status and time.monotonic() > self.until:
            raise PartitionBusy("compact", self.path, "another program keeps it", "try again")
        self.is_alone = self.rolls_back and not status

    def _version(self) -> tuple[int, ...]:
        if self.rolls_back:
            there = os.stat(self.path)
            return there.st_ino, there.st_size, there.st_mtime_ns
        return (int(self.conn.execute("pragma data_version").fetchone()[0]),)


def _rolls_back(conn: Any) -> bool:
    return str(conn.execute("pragma journal_mode").fetchone()[0]) != "wal"
