"""Who keeps what was measured: the server in its rounds, a command at its end; never inside a write.

Where figures cannot be kept nothing else suffers: what was measured waits for the next moment, and one fault a day says
why (`eyelet status`).
"""

import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

from eyelet_ingest.errors import EyeletError
from eyelet_ingest.store import layout, samples
from eyelet_ingest.store.timings import BOUNDS_US, OPS, Measured

if TYPE_CHECKING:
    from eyelet_ingest.store.metrics import Checkpointing, Sample
    from eyelet_ingest.store.store import Store

NOTED_AGAIN_US = 86_400_000_000
MINUTE_US = 60_000_000
FILE_NAME = "health.sqlite"  # as metrics.py says, which is not loaded for this
_NOW = ("open_now",)  # of Counters: how many there are, not how many there were


def is_on() -> bool:
    """Whether anything is measured here (EYELET_METRICS)."""
    return os.environ.get(samples.SWITCH) != "0"


class Meter:
    """Keeps what one Store measures. `home` is where faults are noted, `role` whose figures these are (metrics.Sample).
    Of one thread at a time."""

    def __init__(self, store: "Store", home: str, role: str) -> None:
        self.store, self.home, self.role = store, home, role
        self._before: dict[str, int] = {}
        self.trouble = ""

    def keep(self, gauges: "Mapping[str, float] | None" = None, checkpoints: "Sequence[Checkpointing]" = ()) -> bool:
        """Keep what was measured since the last time, what hooks and commands left, and these values; whether that
        could be done. Never raises what the file of figures does."""
        if not is_on() or self.store.root.startswith(layout.MEMORY) or not os.path.isdir(self.store.root):
            return False
        from eyelet_ingest.store.metrics import Metrics, Sample

        timings = self.store.timings
        measured, uses = timings.take()
        counts = asdict(self.store.counters())
        since = {name: count - (0 if name in _NOW else self._before.get(name, 0)) for name, count in counts.items()}
        now_us = time.time_ns() // 1_000
        worked = any(since[name] for name in since if name not in _NOW)
        sample = Sample(now_us, self.role, measured, since if worked else {}, gauges or {}, uses, checkpoints)
        try:
            with Metrics(self.store.root) as metrics:
                metrics.write(sample, partial(_earlier, now_us=now_us))
        except (EyeletError, OSError) as bad:
            timings.put_back(measured, uses)
            self.say(str(bad))
            return False
        self._before, self.trouble = counts, ""
        return True

    def leave(self, *, make: bool = False) -> None:
        """Leave what was measured as lines for whoever has a moment, which costs some microseconds: for a command. What
        took several times is then as long as its bucket. Nothing where no figures are kept, unless `make`."""
        root = self.store.root
        if not is_on() or root.startswith(layout.MEMORY) or not (make or os.path.exists(os.path.join(root, FILE_NAME))):
            return
        measured, _ = self.store.timings.take()
        for op, one in measured.items():
            longest = max(one.buckets)
            for bucket, times in one.buckets.items():
                took_us = one.max_us if bucket == longest else int(BOUNDS_US[bucket])
                failed = (one.errors, one.retries, one.lock_waits) if bucket == longest else (0, 0, 0)
                samples.put(root, op, took_us, *failed, more=f" {times}" if times > 1 else "")

    def say(self, reason: str) -> None:
        """One fault a day, however often it is tried."""
        from eyelet_ingest import faults

        self.trouble = reason
        noted = [fault.time_us for fault in faults.read(self.home) if fault.kind == "metrics"]
        if not noted or time.time_ns() // 1_000 - noted[-1] > NOTED_AGAIN_US:
            faults.note(self.home, "metrics", reason)


def _earlier(lines: "Sequence[samples.Line]", now_us: int) -> "list[Sample]":
    """What hooks and commands left, as a sample for each minute and role; times of no clock we know count as now."""
    from eyelet_ingest.store.metrics import Sample

    found: dict[tuple[int, str], dict[str, Measured]] = {}
    for at_s, took_us, op, *counts in lines:
        if op not in OPS:
            continue
        at_us = at_s * 1_000_000
        minute = (at_us if now_us - NOTED_AGAIN_US * 30 < at_us <= now_us else now_us) // MINUTE_US
        of_minute = found.setdefault((minute, "hook" if op == "capture" else "command"), {})
        of_minute.setdefault(op, Measured()).add(took_us, *counts)
    return [Sample(minute * MINUTE_US, role, measured) for (minute, role), measured in sorted(found.items())]


def gauges(store: "Store", *, process: bool = False) -> dict[str, float]:
    """What the root and this process are like now: days and their bytes, WALs, what waits, the disk, the machine.
    With `process`, what this process has open and takes. Nothing of a root in memory, or that is not there."""
    import shutil

    from eyelet_ingest.store import spool

    if not os.path.isdir(store.root):
        return {}
    found = dict.fromkeys(("days", "days_bytes", "wal_days", "wal_bytes", "wal_largest_bytes"), 0.0)
    for key in store.catalog.partitions():
        path = layout.db_path(store.root, key)
        found["days"] += 1
        found["days_bytes"] += _size(path)
        wal_bytes = _size(layout.side_path(path, "-wal"))
        if wal_bytes:
            found["wal_days"] += 1
            found["wal_bytes"] += wal_bytes
            found["wal_largest_bytes"] = max(found["wal_largest_bytes"], wal_bytes)
    found["spool_events"] = float(len(spool.waiting(store.root)))
    with suppress(OSError):
        disk = shutil.disk_usage(store.root)
        found["disk_free_bytes"], found["disk_bytes"] = float(disk.free), float(disk.total)
    found["load"] = load()
    return {**found, **_of_process()} if process else found


def load() -> float:
    """The machine's load over the last minute; 0 where the system does not tell."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):  # Windows; a container without /proc
        return 0.0


def _of_process() -> dict[str, float]:
    """The files that this process has open, and may have; the memory that it took at most. Nothing where the system
    does not tell."""
    found = {}
    with suppress(ImportError, OSError):
        import resource

        most_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        found["process_most_bytes"] = float(most_kib if sys.platform == "darwin" else most_kib * 1024)
        found["process_files_limit"] = float(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        found["process_files"] = float(len(os.listdir("/proc/self/fd" if sys.platform == "linux" else "/dev/fd")))
    return found


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
