"""What proves that a day is what it was: a digest over its rows, and one over the bytes of its file."""

import hashlib
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from types import TracebackType
from typing import Any

from eyelet_ingest.errors import PartitionUnreadable

ROWS_AT_ONCE = 500

# Closing any handle on a file drops all the locks that SQLite holds on it in the same process (POSIX): a database that
# a server has open is never read as a plain file in that process, so another one does.
_READER = """
import hashlib, sys
for line in sys.stdin.buffer:
    try:
        digest, size = hashlib.sha256(), 0
        with open(bytes.fromhex(line.decode().strip()), "rb", buffering=0) as file:
            while part := file.read(1 << 20):
                digest.update(part)
                size += len(part)
        said = f"{digest.hexdigest()} {size}"
    except OSError as bad:
        said = f"- {bad.strerror or bad}"
    sys.stdout.write(said + "\\n")
    sys.stdout.flush()
"""


def rows_digest(conn: Any, columns: Sequence[str], arrived: int | None) -> tuple[int, str]:
    """How many rows of `hooks` did not arrive after `arrived` (all of them where None), and SHA-256 over them.

    In order of id, each row as Python's `ascii()` of the tuple of these columns, and a line feed; text that is no UTF-8
    as with the error handler `surrogateescape`. Ask inside a transaction.
    """
    names = ", ".join(f'"{name}"' for name in columns)
    where = "" if arrived is None else " where arrived is null or arrived <= ?"
    params = [] if arrived is None else [arrived]
    digest, rows = hashlib.sha256(), 0
    factory, conn.text_factory = conn.text_factory, partial(str, encoding="utf-8", errors="surrogateescape")
    try:
        found = conn.execute(f"select {names} from hooks not indexed{where} order by id", params)  # noqa: S608  checked
        while some := found.fetchmany(ROWS_AT_ONCE):
            digest.update("".join(f"{row!a}\n" for row in some).encode())
            rows += len(some)
    finally:
        conn.text_factory = factory
    return rows, digest.hexdigest()


class FileDigests:
    """SHA-256 of files, made by a process of its own: to be used as a context manager."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[str] | None = None

    def __enter__(self) -> "FileDigests":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.communicate()

    def of(self, path: str) -> tuple[str, int]:
        """The digest, hexadecimal, and how many bytes it is of; PartitionUnreadable where the file cannot be read."""
        said = self._ask(path)
        digest, _, size = said.partition(" ")
        if len(digest) != hashlib.sha256().digest_size * 2:
            reason = size or "the process that reads it ended"
            raise PartitionUnreadable("read", path, reason, "is it a file that you may read?")
        return digest, int(size)

    def _ask(self, path: str) -> str:
        if self._child is None:
            command = [sys.executable, "-I", "-S", "-c", _READER]
            try:
                # Its complaint about a parent that was stopped is nobody's concern.
                self._child = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    text=True,
                )
            except OSError as bad:
                raise PartitionUnreadable("read", path, str(bad), f"can {sys.executable} be run?") from bad
        child = self._child
        assert child.stdin is not None and child.stdout is not None
        try:
            child.stdin.write(path.encode("utf-8", "surrogateescape").hex() + "\n")
            child.stdin.flush()
        except OSError:
            return ""
        return child.stdout.readline().strip()
