"""Catching up with the text of many days, a little at a time: by the server every few seconds, by commands at their
end.

Light: every Store has one. It remembers the days it found in order by their files, so that a round over days that
nobody wrote to costs a look at each file.
"""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from eyelet_ingest.errors import PartitionBusy, PartitionError
from eyelet_ingest.store import layout
from eyelet_ingest.store.layout import PartitionKey


@dataclass(frozen=True, slots=True)
class Indexed:
    """What a round did: rows put into indexes, and days that were busy, or not come to in time.

    `troubled` are days whose text could not be indexed, and why.
    """

    rows: int
    left: int
    troubled: list[tuple[PartitionKey, str]]


class TextRounds:
    """The rounds of one root by one process; of several threads at a time one works, and the others do without."""

    def __init__(self, root: str) -> None:
        self.root = root
        self._turn = threading.Lock()
        self._done: dict[PartitionKey, tuple[int, ...]] = {}  # the state of the files that were found in order

    def run(
        self,
        keys: list[PartitionKey],
        deadline_ms: float,
        first: Iterable[PartitionKey] = (),
        before: Callable[[PartitionKey], object] | None = None,
    ) -> Indexed:
        """Catch up with days among `keys` (oldest first) for about `deadline_ms`: those of `first`, then the newest,
        then the others from a random one on. `before` is told of each that is opened."""
        from eyelet_ingest.store import text_index
        from eyelet_ingest.store.maintenance import in_order, state_of

        if not self._turn.acquire(blocking=False):
            return Indexed(0, 0, [])
        try:
            until = time.perf_counter() + deadline_ms / 1000
            rows = left = 0
            troubled: list[tuple[PartitionKey, str]] = []
            for key in in_order(keys, first):
                path = layout.db_path(self.root, key)
                if (state := state_of(path)) and self._done.get(key) == state:
                    continue
                left_ms = (until - time.perf_counter()) * 1000
                if left_ms <= 0:
                    left += 1
                    break
                if before is not None:
                    before(key)
                try:
                    caught = text_index.catch_up(self.root, key, left_ms)
                except PartitionBusy:
                    left += 1
                    continue
                except PartitionError as bad:
                    troubled.append((key, f"{bad.reason} ({bad.hint})"))
                    self._done[key] = state
                    continue
                rows += caught.rows
                if caught.is_finished or (caught.is_current and key.bounds_us[1] > time.time_ns() // 1_000):
                    self._done[key] = state_of(path)
                else:
                    left += not caught.is_current
            return Indexed(rows, left, troubled)
        finally:
            self._turn.release()
