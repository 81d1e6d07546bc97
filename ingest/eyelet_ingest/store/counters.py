"""What reading has cost one Store so far: counted as it happens, read as one frozen answer."""

from dataclasses import dataclass

from eyelet_ingest.store.fork_lock import ForkLock
from eyelet_ingest.store.timings import Timings

SLOW_MS = 500.0  # a question that takes longer is a slow one


@dataclass(frozen=True, slots=True)
class Counters:
    """Since the Store was opened.

    Connections: `open_now`, `opened` so far, `hits` (one that waited was lent again) and `misses` (none waited),
    `evictions` (closed to make room), `idle_closes`, `replaced` (broken, or their file was another).
    Partitions, added up over all questions: `scanned`, `skipped`, `unasked`. `questions`, and how many of them were
    `slow` (over SLOW_MS). `read_errors`: partitions that could not answer; `write_errors`: that refused events.
    """

    open_now: int = 0
    opened: int = 0
    hits: int = 0
    misses: int = 0
    evictions: int = 0
    idle_closes: int = 0
    replaced: int = 0
    questions: int = 0
    slow: int = 0
    scanned: int = 0
    skipped: int = 0
    unasked: int = 0
    read_errors: int = 0
    write_errors: int = 0


class Asked:
    """Adds up what questions say of themselves: one short lock a question. `timings`: how long they, and all else that
    the Store does, took."""

    def __init__(self) -> None:
        self.timings = Timings()
        self._lock = ForkLock()
        self._sums: dict[str, int] = {}  # guarded by _lock

    def question(self, elapsed_ms: float, scanned: int, skipped: int, unasked: int, unreadable: int) -> None:
        self._add(
            questions=1,
            slow=int(elapsed_ms > SLOW_MS),
            scanned=scanned,
            skipped=skipped,
            unasked=unasked,
            read_errors=unreadable,
        )

    def refused(self, partitions: int) -> None:
        self._add(write_errors=partitions)

    def sums(self) -> dict[str, int]:
        with self._lock:
            return dict(self._sums)

    def _add(self, **more: int) -> None:
        with self._lock:
            for name, number in more.items():
                if number:
                    self._sums[name] = self._sums.get(name, 0) + number
