"""Roots in memory: for tests, and for programs that keep nothing. Every day is a database of this process alone.

A root has a name. Every Store of the process that opens the same name sees the same days; what the last of them closes
is gone. SQLite shares a database of its VFS `memdb` by name, and drops it with the last connection: so one connection
for each day is kept open here, which nobody uses. What is in memory has no WAL, and readers and writers wait for each
other as with a roll-back journal; the lock of a day is one of this process.

A removed day whose name is used again is another database: its name carries a number, so that who still reads the
old one never meets the new.
"""

import itertools
import os
import threading
import time
from typing import Any
from urllib.parse import parse_qs, quote, unquote_to_bytes, urlsplit

from eyelet_ingest.errors import PartitionBusy, RootError
from eyelet_ingest.store import layout
from eyelet_ingest.store.catalog import Catalog
from eyelet_ingest.store.connect import driver
from eyelet_ingest.store.layout import MEMORY, PartitionKey

_numbers = itertools.count(1)


class _Root:
    """One name's databases. The fields are guarded by `_lock`."""

    __slots__ = ("holders", "kept", "locks", "secret")

    def __init__(self) -> None:
        self.holders = 0
        self.kept: dict[str, tuple[int, Any]] = {}  # path → which database of that path, and its connection
        self.locks: dict[str, threading.Lock] = {}
        self.secret = os.urandom(32)


# Of the module, as SQLite's names of shared memory are of the process: a Store cannot hold what another is to find.
_lock = threading.Lock()
_roots: dict[str, _Root] = {}  # guarded by _lock


def root_of(uri: str) -> str:
    """The root that a `file:` URI names: a folder, or with `?mode=memory` one in memory; without a name a new one.

    RootError for a URI of another machine, and one that asks for anything else.
    """
    if uri.startswith(MEMORY):
        return uri
    parts = urlsplit(uri)
    asked = parse_qs(parts.query, keep_blank_values=True)
    if parts.netloc not in ("", "localhost") or parts.fragment or asked not in ({}, {"mode": ["memory"]}):
        raise RootError("open", uri, "only file:PATH and file:NAME?mode=memory are understood", "name a folder")
    if not asked:
        return os.fsdecode(unquote_to_bytes(parts.path))
    return MEMORY + (quote(unquote_to_bytes(parts.path), safe="") or f"({next(_numbers)})")


def secret_of(root: str) -> bytes:
    """In place of `secret.key`."""
    with _lock:
        return _root(root).secret


def number_of(path: str) -> int | None:
    """Which database is at `path`, or None."""
    with _lock:
        of_root = _roots.get(_root_of_path(path))
        return of_root.kept[path][0] if of_root and path in of_root.kept else None


def address(path: str, *, make: bool) -> str | None:
    """The URI by which to connect to the database at `path`; None where it is not there and not to be made."""
    with _lock:
        of_root = _root(_root_of_path(path))
        if path not in of_root.kept:
            if not make:
                return None
            number = next(_numbers)
            conn = driver().connect(_uri(path, number), uri=True, isolation_level=None, check_same_thread=False)
            conn.execute("select count(*) from sqlite_master").fetchone()
            of_root.kept[path] = number, conn
        return _uri(path, of_root.kept[path][0])


def remove(path: str) -> None:
    """The database at `path`, where there is one: who has it open goes on reading it."""
    with _lock:
        of_root = _root(_root_of_path(path))
        if path in of_root.kept:
            of_root.kept.pop(path)[1].close()


def lock(path: str, deadline_ns: int) -> None:
    """As `connect.FileLock`, between the threads of this process."""
    with _lock:
        mine = _root(_root_of_path(path)).locks.setdefault(path, threading.Lock())
    if not mine.acquire(timeout=max(0.0, (deadline_ns - time.monotonic_ns()) / 1e9)):
        raise PartitionBusy("lock", path, "others kept it until the deadline", "try again")


def unlock(path: str) -> None:
    with _lock:
        of_root = _roots.get(_root_of_path(path))
        if of_root:
            of_root.locks[path].release()


class MemoryCatalog(Catalog):
    """Which days a root in memory has. It keeps them until it is closed; closing twice is closing once."""

    def __init__(self, root: str, at: int = 0) -> None:
        super().__init__(root, at)
        self._holds = True  # guarded by the module's _lock
        with _lock:
            _roots.setdefault(root, _Root()).holders += 1

    def partitions(self) -> list[PartitionKey]:
        with _lock:
            of_root = _roots.get(self.root)
            paths = list(of_root.kept) if of_root else []
        return sorted(key for path in paths if (key := layout.key_from_path(path)) is not None)

    def close(self) -> None:
        with _lock:
            if not self._holds:
                return
            self._holds = False
            of_root = _roots[self.root]
            of_root.holders -= 1
            if not of_root.holders:
                for _, conn in _roots.pop(self.root).kept.values():
                    conn.close()


def _root(root: str) -> _Root:
    """Under the lock."""
    if root not in _roots:
        raise RootError("open", root, "it was in memory, and the last Store that held it is closed", "open it anew")
    return _roots[root]


def _root_of_path(path: str) -> str:
    return MEMORY + path[len(MEMORY) :].partition("/")[0]


def _uri(path: str, number: int) -> str:
    path = path.replace("%", "%25")  # or SQLite would end a name at a %00
    return f"{path}.{number}?vfs=memdb"
