"""A few figures of each day, for who looks at a thousand of them: remembered as long as its files are the same."""

import os
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass

from eyelet_ingest.errors import EyeletError
from eyelet_ingest.store import connect, layout, schema
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.maintenance import state_of

MOST = 20_000  # days that are remembered


@dataclass(frozen=True, slots=True)
class Figures:
    """`bytes` of the database and `wal_bytes` beside it; `events` and `errors` are None where it cannot be read, which
    `trouble` says."""

    bytes: int
    wal_bytes: int
    events: int | None = None
    errors: int | None = None
    trouble: str = ""


class DayFigures:
    """The figures of the days of one root. May be shared by threads: `_found` is guarded by `_lock`."""

    def __init__(self, root: str) -> None:
        self.root = root
        self._lock = threading.Lock()
        self._found: dict[PartitionKey, tuple[tuple[int, ...], Figures]] = {}

    def of(self, keys: Iterable[PartitionKey], deadline_ms: float) -> dict[PartitionKey, Figures]:
        """The figures of these days, in their order: of those that changed since they were last asked as many as the
        time allows. Sizes are told of every day that is there: of what was not read, `events` is None without
        trouble."""
        until = time.monotonic() + deadline_ms / 1_000
        found: dict[PartitionKey, Figures] = {}
        for key in keys:
            path = layout.db_path(self.root, key)
            state = state_of(path)
            with self._lock:
                known = self._found.get(key)
            if known is not None and known[0] == state:
                found[key] = known[1]
                continue
            if not state:
                continue  # gone, or not begun
            figures = Figures(_size(path), _size(layout.side_path(path, "-wal")))
            if time.monotonic() < until:
                figures = _read(path, figures)
                self._keep(key, state, figures)
            found[key] = figures
        return found

    def _keep(self, key: PartitionKey, state: tuple[int, ...], figures: Figures) -> None:
        with self._lock:
            if len(self._found) >= MOST:
                self._found.clear()
            self._found[key] = (state, figures)


def _read(path: str, sizes: Figures) -> Figures:
    try:
        conn = connect.open_reader(path)
    except EyeletError as bad:
        return Figures(sizes.bytes, sizes.wal_bytes, trouble=bad.reason)
    try:
        if not schema.is_ready(conn):
            return Figures(sizes.bytes, sizes.wal_bytes, 0, 0)
        (events,) = conn.execute("select count(*) from hooks").fetchone()
        (errors,) = conn.execute("select count(*) from hooks where error = 1").fetchone()
        return Figures(sizes.bytes, sizes.wal_bytes, events, errors)
    except conn.DatabaseError as bad:
        return Figures(sizes.bytes, sizes.wal_bytes, trouble=str(bad))
    except EyeletError as bad:
        return Figures(sizes.bytes, sizes.wal_bytes, trouble=bad.reason)
    finally:
        conn.close()


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        return 0
