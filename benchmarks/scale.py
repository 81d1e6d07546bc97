"""What a question costs where 30, 365 and 1,000 days are there: the same events in its range, asked in turn.

Every root ends with the same last thirty days; the larger ones go further back, and the last one has two hundred tiny
contexts besides, of two days each. A ratio of 1 says that what exists beside the answer costs nothing. Memory and open
files are those of a process of its own for each root, under `ulimit -n 256`, which asks every question ROUNDS times.
`python benchmarks/scale.py [--days 30 365 1000]`
"""

import argparse
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from eyelet_ingest.events import Event
from eyelet_ingest.store import layout
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

DAYS = (30, 365, 1_000)
TINY = 200  # contexts
EVENTS_A_DAY = 150
ROUNDS = 15
END = layout.PartitionKey("default", 2026, 300).bounds_us[0]
DEEP = "a.b.c.d.e.f.g"
SETTLED_S = 2.1  # a folder that was just written is looked into again until then
OPEN_FILES = 256

Question = Callable[[Store], object]


def events(days: int, tiny: int) -> Iterator[tuple[str, Event]]:
    """The last `days` days before END: 150 events each of 1 KB, sources three and eight names deep, a session a day.

    And `tiny` contexts that have one event on each of two days before the last thirty.
    """
    step_us = layout.DAY_US // EVENTS_A_DAY
    for back in range(days):
        chance = random.Random(back)
        start = END - (back + 1) * layout.DAY_US
        for at in range(EVENTS_A_DAY):
            src = f"{DEEP}.n{at % 5}" if at % 2 else "claude.posttooluse.x"
            if at == 70 and back % 3 == 0:
                src = f"{DEEP}.rare"
            yield "default", event(chance, start + at * step_us, src, f"session-{back}")
    for number in range(tiny):
        chance = random.Random(-number)
        for back in (31 + number % 300, 400 + number * 3):
            yield f"tiny-{number:03d}", event(chance, END - back * layout.DAY_US, f"{DEEP}.rare", "tiny")


def event(chance: random.Random, time_us: int, src: str, session: str) -> Event:
    data = '{"text":"' + chance.randbytes(450).hex() + '"}'
    uid = chance.randbytes(16)
    return Event(time_us=time_us, uid=uid, hook_type="PostToolUse", src=src, session_id=session, data=data)


def questions() -> dict[str, Question]:
    def since(days: int, **conditions: tuple[str, ...]) -> Filter:
        return Filter(since_us=END - days * layout.DAY_US, until_us=END, **conditions)  # type: ignore[arg-type]

    def opened_anew(store: Store) -> object:
        with Store(store.root) as fresh:
            return fresh.search(since(1), limit=100)

    return {
        "latest 100 of the last 24 h": lambda store: store.search(since(1), limit=100),
        "the same, store opened anew": opened_anew,
        "latest 100, any time": lambda store: store.search(Filter(), limit=100),
        "rare source 8 deep, 7 d": lambda store: store.search(since(7, src=(f"{DEEP}.rare",)), limit=100),
        "one session, 30 d": lambda store: store.search(since(30, session_id=("session-3",)), limit=1_000),
        "count under a source, 30 d": lambda store: store.count(since(30, src=("a.b",))),
        "which contexts there are": lambda store: store.contexts(),
        "count of everything": lambda store: store.count(Filter()),
        "one session, any time": lambda store: store.search(Filter(session_id=("session-3",)), limit=1_000),
    }


def measured(stores: list[Store], question: Question) -> list[float]:
    """Median of each in ms, asked in turn."""
    times: list[list[float]] = [[] for _ in stores]
    for number in range(ROUNDS + 1):
        for store, mine in zip(stores, times, strict=True):
            started = time.perf_counter()
            question(store)
            if number:  # the first one warms up
                mine.append((time.perf_counter() - started) * 1000)
    return [statistics.median(mine) for mine in times]


def in_a_process(root: str) -> None:
    """All questions under `ulimit -n 256`; prints resident memory before and after in MiB, and open files."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    with Store(root) as store:
        before = resident_mib()
        for _ in range(ROUNDS):
            for question in questions().values():
                question(store)
        print(f"{before:.1f} {resident_mib():.1f} {len(os.listdir('/proc/self/fd'))}")


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--days", type=int, nargs="+", default=DAYS)
    options.add_argument("--root", help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.root:
        in_a_process(asked.root)
        return
    folder = tempfile.mkdtemp(prefix="eyelet-bench-")
    try:
        stores = []
        for days, tiny in (*((days, 0) for days in asked.days), (max(asked.days), TINY)):
            stores.append(Store(os.path.join(folder, f"{days} d" + (f" + {tiny} contexts" if tiny else ""))))
            stores[-1].append_many(events(days, tiny))
        time.sleep(SETTLED_S)
        partitions = [len(store.catalog.partitions()) for store in stores]
        print(f"partitions: {', '.join(map(str, partitions))}; ms (median of {ROUNDS}), ÷ the first")
        print(
            f"{'':32}" + "".join(f"{name:>10}{'':>7}" for name in (*(f"{days:,} d" for days in asked.days), "+ tiny"))
        )
        for name, question in questions().items():
            found = measured(stores, question)
            print(f"{name:32}" + "".join(f"{ms:10.2f}{ms / found[0]:7.1f}" for ms in found))
        for store in stores:
            store.close()
            command = [sys.executable, __file__, "--root", store.root]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            before, after, files = done.stdout.split()
            print(f"{os.path.basename(store.root)}: resident {before} MiB before, {after} after; {files} files open")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
