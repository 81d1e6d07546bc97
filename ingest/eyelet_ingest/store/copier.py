"""Copying files, and knowing what they are: by a process of its own. Closing a file drops what locks SQLite has on it
in the same process (POSIX), and a root's databases may be open in this one.
"""

import hashlib
import os
import stat
import subprocess
import sys
import time
from contextlib import suppress
from errno import EINVAL
from typing import BinaryIO

from eyelet_ingest.store import layout

SETTLED_NS = 2_000_000_000  # what changed this recently may change again in the same tick of the file system's clock

_COPIER = """
import hashlib, os, signal, stat, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)  # who asked decides
for line in sys.stdin:
    source, target = (bytes.fromhex(one) for one in line.split())
    try:
        digest, size = hashlib.sha256(), 0
        with open(os.open(source, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb", buffering=0) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise OSError("it is no file")
            out = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            while part := file.read(1 << 20):
                digest.update(part)
                size += len(part)
                view = memoryview(part)
                while view:
                    view = view[os.write(out, view):]
            os.fsync(out)
            os.close(out)
        said = f"{digest.hexdigest()} {size}"
    except OSError as bad:
        said = f"- {bad.strerror or bad}"
    try:
        os.write(1, said.encode("utf-8", "replace") + b"\\n")
    except OSError:
        break  # who asked was killed
"""


class Copier:
    """Copies files, 0600, and says their SHA-256 and size; in a process of its own. To be used as a context manager."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[str] | None = None

    def __enter__(self) -> "Copier":
        return self

    def __exit__(self, *_: object) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.communicate()

    def copy(self, source: str, target: str) -> tuple[str, int]:
        """OSError with the reason where it cannot be."""
        if self._child is None:
            command = [sys.executable, "-I", "-S", "-c", _COPIER]
            self._child = subprocess.Popen(  # what it says when it is interrupted as it starts is nobody's concern
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
        assert self._child.stdin is not None and self._child.stdout is not None
        self._child.stdin.write(f"{os.fsencode(source).hex()} {os.fsencode(target).hex()}\n")
        self._child.stdin.flush()
        digest, _, said = self._child.stdout.readline().strip().partition(" ")
        if len(digest) != hashlib.sha256().digest_size * 2:
            raise OSError(said or "the process that copies ended")
        return digest, int(said)


def partial_of(path: str) -> str:
    """A name beside `path` for what is to get that name; what others left under such names is removed.

    No two processes have the same: a copier whose parent was killed may still write to its own.
    """
    folder, name = os.path.split(path)
    for left in os.listdir(folder):
        if left.startswith(f".{name}.") and left.endswith(".partial"):
            with suppress(OSError):
                os.unlink(os.path.join(folder, left))
    return os.path.join(folder, f".{name}.{os.getpid()}.partial")


def open_file(path: str) -> BinaryIO:
    """A plain file, to be read; OSError for a pipe or a device too, which might be read for ever."""
    file = open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb")  # noqa: SIM115  the caller closes it
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(EINVAL, "it is no file")
    return file


def sha256_of(path: str) -> str:
    """Of a file that no SQLite of this process has open."""
    digest = hashlib.sha256()
    with open_file(path) as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()


def write_file(path: str, content: bytes) -> None:
    """The whole content at `path` (0600), in one step."""
    partial = partial_of(path)
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def stat_of(path: str) -> tuple[int, ...]:
    try:
        there = os.stat(path)
    except OSError:
        return ()
    return there.st_dev, there.st_ino, there.st_size, there.st_mtime_ns


def size_of(path: str) -> int:
    return (stat_of(path) or (0, 0, 0))[2]


def state_of(path: str) -> list[int]:
    """What changes when the database at `path` is written; [] where that cannot be told, as it has just been."""
    state: list[int] = []
    for side in ("", "-wal", "-journal"):
        if there := stat_of(layout.side_path(path, side) if side else path):
            if time.time_ns() - there[-1] < SETTLED_NS:
                return []
            state += there if side == "" or there[2] else ()
    return state
