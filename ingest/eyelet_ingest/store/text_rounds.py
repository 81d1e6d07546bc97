"""Catching up with the text of many days, a little at a time: by the server every few seconds, by commands at their
end.

Light: every Store has one. It remembers the days it found in order by their files, so that a round over days that
nobody wrote to costs a look at each file.
"""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eyelet_ingest.errors import PartitionBusy, PartitionError
from eyelet_ingest.store import layout
from eyelet_ingest.store.layout import PartitionKey

if TYPE_CHECKING:  # imported by the first round
    from eyelet_ingest.store.text_blooms import Making


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
        self._done: dict[
            PartitionKey, tuple[int, ...]
        ] = {}  # the state of the files that were found in order, over or not
        self._making: list[Making] = []  # one, as soon as there was a round

    def run(
        self,
        keys: list[PartitionKey],
        deadline_ms: float,
        first: Iterable[PartitionKey] = (),
        before: Callable[[PartitionKey], object] | None = None,
    ) -> Indexed:
        """Catch up with days among `keys` (oldest first) for about `deadline_ms`: those of `first`, then the newest,
        then the others from a random one on. `before` is told of each that is opened."""
        if not self._turn.acquire(blocking=False):
            return Indexed(0, 0, [])
        try:
            return self._in_turn(keys, deadline_ms, first, before)
        finally:
            self._turn.release()

    def _in_turn(
        self,
        keys: list[PartitionKey],
        deadline_ms: float,
        first: Iterable[PartitionKey],
        before: Callable[[PartitionKey], object] | None,
    ) -> Indexed:
        from eyelet_ingest.store import text_index
        from eyelet_ingest.store.maintenance import in_order, state_of
        from eyelet_ingest.store.text_blooms import Making

        until = time.perf_counter() + deadline_ms / 1000
        if not self._making:
            self._making.append(Making(self.root))
        blooms = self._making[0]
        blooms.prune(keys)
        rows = left = 0
        troubled: list[tuple[PartitionKey, str]] = []
        for key in in_order(keys, first):
            path = layout.db_path(self.root, key)
            is_over = text_index.is_over(key)
            if (state := state_of(path)) and self._done.get(key) == (*state, is_over):
                continue
            if blooms.is_made(key):
                self._done[key] = (*state, is_over)
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
                self._done[key] = (*state, is_over)
                continue
            rows += caught.rows
            state = state_of(path)
            if caught.is_finished if is_over else caught.is_current:
                if not is_over or blooms.make(key, until):
                    self._done[key] = (*state, is_over)
            else:
                left += not caught.is_current
        return Indexed(rows, left, troubled)
