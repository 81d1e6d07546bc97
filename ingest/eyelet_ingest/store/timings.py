"""How long things took in this process, as counts for each bucket of time: added up as it happens, taken to be kept.

The buckets are the same everywhere and at all times, ten for each power of ten from 10 µs to 100 s (the rounded
preferred numbers R10 of ISO 3), so histograms of any minutes, processes and machines are merged by adding. What a
histogram says of a percentile is at most a quarter too high or too low.
"""

import time
from bisect import bisect_left
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from eyelet_ingest.errors import BadInput
from eyelet_ingest.store.fork_lock import ForkLock

P = ParamSpec("P")
T = TypeVar("T")

# A bucket holds what took longer than the bound before, up to its own; a last one, without a bound, what is more.
_R10 = (10, 12.5, 16, 20, 25, 31.5, 40, 50, 63, 80)
BOUNDS_US = (*(digits * 10**power for power in range(7) for digits in _R10), 100_000_000)
# What is timed. `capture` is a hook's life, `hook` what a server did with one that came over HTTP.
OPS = (
    *("capture", "append", "drain", "checkpoint", "text_index"),
    *("search", "text", "count", "facets", "histogram", "summary", "session", "sessions", "entries", "calls", "usage"),
)


class Measured:
    """What was measured of one kind of work. `buckets`: bucket → how often; `lock_waits` found the lock of a day taken,
    `retries` began anew."""

    __slots__ = ("buckets", "count", "errors", "lock_waits", "max_us", "retries", "sum_us")

    def __init__(self) -> None:
        self.count = self.errors = self.retries = self.lock_waits = self.sum_us = self.max_us = 0
        self.buckets: dict[int, int] = {}

    def add(self, took_us: int, errors: int = 0, retries: int = 0, lock_waits: int = 0, times: int = 1) -> None:
        bucket = bisect_left(BOUNDS_US, took_us)
        self.buckets[bucket] = self.buckets.get(bucket, 0) + times
        self.count += times
        self.sum_us += took_us * times
        if took_us > self.max_us:
            self.max_us = took_us
        self.errors += errors
        self.retries += retries
        self.lock_waits += lock_waits

    def merge(self, other: "Measured") -> None:
        for bucket, count in other.buckets.items():
            self.buckets[bucket] = self.buckets.get(bucket, 0) + count
        self.count += other.count
        self.sum_us += other.sum_us
        self.max_us = max(self.max_us, other.max_us)
        self.errors += other.errors
        self.retries += other.retries
        self.lock_waits += other.lock_waits


class Timings:
    """What one Store measured since it was last taken. May be shared by threads: one short lock each time."""

    def __init__(self) -> None:
        self._lock = ForkLock()
        self._measured: dict[str, Measured] = {}  # guarded by _lock
        self._uses: dict[str, int] = {}  # guarded by _lock

    def add(self, op: str, took_us: int, errors: int = 0, retries: int = 0, lock_waits: int = 0) -> None:
        with self._lock:
            one = self._measured.get(op)
            if one is None:
                one = self._measured[op] = Measured()
            one.add(took_us, errors, retries, lock_waits)

    def use(self, uses: Mapping[str, int]) -> None:
        """Questions were answered by these indexes, so many days each; "" is a table read in its own order."""
        with self._lock:
            for index, times in uses.items():
                self._uses[index] = self._uses.get(index, 0) + times

    @contextmanager
    def time(self, op: str) -> Generator[None, None, None]:
        """Measure this block."""
        started_ns = time.perf_counter_ns()
        errors = 1
        try:
            yield
            errors = 0
        except BadInput:
            errors = 0  # somebody asked wrongly: nothing failed
            raise
        finally:
            self.add(op, (time.perf_counter_ns() - started_ns) // 1_000, errors)

    def lock_waits(self) -> int:
        """How often a lock was found taken since this was last taken."""
        with self._lock:
            return sum(one.lock_waits for one in self._measured.values())

    def take(self) -> tuple[dict[str, Measured], dict[str, int]]:
        """What was measured, and how often each index was used, since this was last asked."""
        with self._lock:
            measured, self._measured = self._measured, {}
            uses, self._uses = self._uses, {}
        return measured, uses

    def put_back(self, measured: Mapping[str, Measured], uses: Mapping[str, int]) -> None:
        """What was taken and could not be kept."""
        with self._lock:
            for op, one in measured.items():
                self._measured.setdefault(op, Measured()).merge(one)
        self.use(uses)


def timed(op: str) -> "Callable[[Callable[P, T]], Callable[P, T]]":
    """Measure a method of what has `roots`, under this name; a search for a text as `text`."""

    def decorate(method: "Callable[P, T]") -> "Callable[P, T]":
        @wraps(method)
        def measured(*args: P.args, **named: P.kwargs) -> T:
            asking: Any = args[0]
            where: Any = args[1] if len(args) > 1 else named.get("where")
            name = "text" if op == "search" and getattr(where, "text", None) else op
            started_ns = time.perf_counter_ns()
            errors = 1
            try:
                found = method(*args, **named)
                errors = 0
                return found
            except BadInput:
                errors = 0
                raise
            finally:
                asking.roots.asked.timings.add(name, (time.perf_counter_ns() - started_ns) // 1_000, errors)

        return measured

    return decorate


def percentile_ms(buckets: Mapping[int, int], max_us: int, share: float) -> float | None:
    """The time within which this share of what was measured was done, in ms; None of nothing.

    Inside the bucket where it lies, times are taken for evenly spread; none is longer than the longest.
    """
    total = sum(buckets.values())
    if not total:
        return None
    wanted, passed = share * total, 0
    for bucket in sorted(buckets):
        count = buckets[bucket]
        if passed + count >= wanted:
            low = BOUNDS_US[bucket - 1] if bucket else 0
            high = BOUNDS_US[bucket] if bucket < len(BOUNDS_US) else max(max_us, low)
            at_us = low + (high - low) * max(0.0, wanted - passed) / count
            return min(at_us, max_us) / 1_000
        passed += count
    return max_us / 1_000
