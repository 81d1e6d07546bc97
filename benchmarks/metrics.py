"""What measuring costs: hooks, single writes, an import and questions, with metrics and without, turn by turn.

Without is `EYELET_METRICS=0` for a hook, and for the Store one whose measurements are thrown away as they come. Each
ratio is taken within its round, so that a slow moment of the machine meets both sides; the median of the rounds is
printed with its quartiles: of the time on the clock, and of the processor's, which others at work hardly change.
`python benchmarks/metrics.py [--hooks 1000] [--rounds 15]`
"""

import argparse
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from capture import Side, figures
from hook_server import PLAIN
from writing import DATA, DAY

from eyelet_ingest.events import Event
from eyelet_ingest.install import launch
from eyelet_ingest.store.metrics import Metrics
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store
from eyelet_ingest.store.timings import Timings

EVENTS = 2_000


class Unmeasured(Timings):
    """The other side."""

    def add(self, op: str, took_us: int, errors: int = 0, retries: int = 0, lock_waits: int = 0) -> None:
        """Nothing."""

    def use(self, uses: Mapping[str, int]) -> None:
        """Nothing."""


def hooks(folder: str, events: int) -> None:
    """One hook at a time: both sides in turn, in the order that the round's number says."""
    payload = f"{folder}/plain.json"
    Path(payload).write_text(json.dumps(PLAIN))
    hook = launch.write(folder)
    with_metrics = Side([hook], payload, lambda number: f"{folder}/with")
    without = Side([hook], payload, lambda number: f"{folder}/without", {"EYELET_METRICS": "0"})
    worked_ms: dict[Side, list[float]] = {with_metrics: [], without: []}
    for number in range(events + 1):
        for side in (with_metrics, without)[:: 1 if number % 2 else -1]:
            child, started = side.start(number, folder)
            _, status, used = os.wait4(child, 0)
            assert status == 0
            if number:  # the first round warms caches
                side.times_ms.append((time.perf_counter() - started) * 1_000)
                worked_ms[side].append((used.ru_utime + used.ru_stime) * 1_000)
    print(f"{'a hook with, ms: p50, p95, p99, worst':44}{figures(with_metrics.times_ms)}")
    print(f"{'a hook without':44}{figures(without.times_ms)}")
    print(f"{'':44}{'clock':>8}{'':22}{'processor':>10}")
    say("a hook, whole process", ratios(with_metrics.times_ms, without.times_ms), ratios(*worked_ms.values()))


def ratios(ours: list[float], theirs: list[float]) -> list[float]:
    return [one / other for one, other in zip(ours, theirs, strict=True)]


def say(name: str, on_clock: list[float], of_processor: list[float]) -> None:
    told = ""
    for several in (on_clock, of_processor):
        low, middle, high = statistics.quantiles(several, n=4)
        told += f"{middle:8.3f}  ({low:.3f} to {high:.3f})  "
    print(f"{name:44}{told}")


def events(count: int, first_us: int) -> list[Event]:
    return [
        Event(
            hook_type="PostToolUse",
            uid=os.urandom(16),
            time_us=first_us + at * 1_000,
            session_id=f"session-{at % 50}",
            tool_name="Bash",
            src="claude.posttooluse.bash.git.status",
            data=DATA,
        )
        for at in range(count)
    ]


def in_turn(name: str, rounds: int, work: Callable[[Store, int], object], root_of: Callable[[str], str]) -> None:
    """`work` through a Store that measures and one that does not."""
    clock: dict[str, list[float]] = {"with": [], "without": []}
    processor: dict[str, list[float]] = {"with": [], "without": []}
    for number in range(rounds + 1):
        for side in ("with", "without")[:: 1 if number % 2 else -1]:
            with Store(root_of(side)) as store, store.bulk():
                if side == "without":
                    store._asked.timings = Unmeasured()
                work(store, -1)
                started, worked = time.perf_counter(), time.process_time()
                work(store, number)
                if number:
                    clock[side].append(time.perf_counter() - started)
                    processor[side].append(time.process_time() - worked)
    say(name, ratios(*clock.values()), ratios(*processor.values()))


def singles(store: Store, number: int) -> None:
    made = events(EVENTS if number >= 0 else 10, DAY.bounds_us[0] + (number + 1) * 10**9)
    for one in made:
        store.append([one])


def batches(store: Store, number: int) -> None:
    store.append(events(EVENTS * 5 if number >= 0 else 10, DAY.bounds_us[0] + (number + 50) * 10**9))


def pages(store: Store, number: int) -> None:
    for at in range(500 if number >= 0 else 10):
        store.search(Filter(session_id=(f"session-{at % 50}",)), limit=20)


def counts(store: Store, number: int) -> None:
    for _ in range(200 if number >= 0 else 10):
        store.count(Filter(tool_name=("Bash",), session_id=("session-1",)))


def flushed(folder: str) -> None:
    """What keeping a sample takes whoever has a moment, and how large its file is."""
    from eyelet_ingest.metering import Meter

    root = f"{folder}/with"
    with Store(root) as store:
        meter, took = Meter(store, folder, "server"), []
        for _ in range(20):
            store.count(Filter())
            started = time.perf_counter()
            meter.keep()
            took.append((time.perf_counter() - started) * 1000)
    with Metrics(root) as kept:
        hooks_kept = {one.op: one.count for one in kept.total()}
    print(f"{'keeping a sample, ms':44}{statistics.median(took):8.1f}   worst {max(took):.1f}; {hooks_kept}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--hooks", type=int, default=1_000)
    options.add_argument("--rounds", type=int, default=15)
    chosen = options.parse_args()
    folder = tempfile.mkdtemp(prefix="eyelet-bench-")
    try:
        print(f"load {os.getloadavg()[0]:.1f} at the beginning")
        hooks(folder, chosen.hooks)
        root_of = f"{folder}/{{}}".format
        in_turn("single writes, in a bulk", chosen.rounds, singles, root_of)
        in_turn("rows in batches of 10,000", chosen.rounds, batches, root_of)
        in_turn("a page of a session", chosen.rounds, pages, root_of)
        in_turn("a count", chosen.rounds, counts, root_of)
        flushed(folder)
        print(f"load {os.getloadavg()[0]:.1f} at the end")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
