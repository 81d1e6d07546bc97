"""Which processes read what stands in the WAL of a database, as far as the system tells: on Linux.

A reader of a WAL holds a shared lock on one of the bytes 123 to 127 of its `-shm` file, for as long as its transaction
goes on (https://www.sqlite.org/walformat.html, "WAL-Index Locks": WAL_READ_LOCK(0…4)), and /proc/locks lists the locks
with the process, the device and the file (https://man7.org/linux/man-pages/man5/proc_locks.5.html). The file itself is
never opened: closing it would drop the locks of this process.
"""

import os
from dataclasses import dataclass

from eyelet_ingest.store import layout

READ_LOCKS = range(123, 128)
LOCKS = "/proc/locks"


@dataclass(frozen=True, slots=True)
class Reader:
    """A process, and the name of its program, "" where that is not told. The name is anybody's: escape it."""

    pid: int
    name: str

    def __str__(self) -> str:
        return f"{self.name or 'a program'} (process {self.pid})"


def of(path: str, locks: str = LOCKS) -> list[Reader]:
    """Who reads the database at `path` now; nobody where the system does not tell. `locks` is for tests."""
    try:
        there = os.stat(layout.side_path(path, "-shm"))
        with open(locks, encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
    except OSError:
        return []
    pids = {pid for line in lines if (pid := _pid_of(line, there)) is not None}
    return [Reader(pid, _name(pid)) for pid in sorted(pids)]


def _pid_of(line: str, shm: os.stat_result) -> int | None:
    """Of `1: POSIX  ADVISORY  READ 1234 fe:00:2212638 123 123`, where that is a reader of this file."""
    words = line.split()
    try:
        kind, mode, pid, file, first, last = words[1], words[3], int(words[4]), words[5], int(words[6]), words[7]
        major, minor, inode = file.split(":")
        device = os.makedev(int(major, 16), int(minor, 16))
    except (IndexError, ValueError):
        return None
    if kind != "POSIX" or mode != "READ" or pid <= 0 or (device, int(inode)) != (shm.st_dev, shm.st_ino):
        return None
    end = int(last) if last.isdigit() else READ_LOCKS[-1]
    return pid if first <= READ_LOCKS[-1] and end >= READ_LOCKS[0] else None


def _name(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read(64).strip()
    except OSError:
        return ""
