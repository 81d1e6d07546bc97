"""Readers by the hundred, several writers and automatic checkpoints on one root, at once: who waits for whom.

Processes of readers (each a Store with many threads that ask all the time), processes of writers (one event at a time,
into the same two days) and one that looks after WALs twice a second, as a server does every half minute. The same
with strategy `none`, in turn, so that a slow moment of the machine meets both. The one that looks after WALs does not
believe the machine's load, unless told: it would retreat, and show nothing.
`python benchmarks/busy.py [--readers 120] [--writers 4] [--seconds 10] [--rounds 3] [--strategy LowLatency]`
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from eyelet_ingest.events import Event
from eyelet_ingest.health import checkpointing
from eyelet_ingest.plugins import Plugins
from eyelet_ingest.store import layout
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

DAYS = (PartitionKey("default", 2026, 79), PartitionKey("default", 2026, 80))
AT_REST = PartitionKey("default", 2026, 60)
DATA = '{"tool_input":{"command":"git status --short"},"tool_response":{"stdout":"' + " M src/layout.py " * 60 + '"}}'
SESSIONS = 40
READERS_A_PROCESS = 60
LOOK_S = 0.5
PAUSE_S = 0.1  # between two questions of a reader: ten a second each, as somebody who types


def event(number: int, at: int) -> Event:
    first_us = DAYS[at % 2].bounds_us[0]
    return Event(
        hook_type="PostToolUse",
        uid=os.urandom(16),
        time_us=first_us + number * 1_000_000_000 + at,
        session_id=f"session-{at % SESSIONS}",
        tool_name="Bash",
        src="claude.posttooluse.bash.git.status",
        data=DATA,
    )


def write(root: str, number: int, until_s: float) -> dict[str, Any]:
    """One event after another until then: how long each took, and how many are stored."""
    took, stored, refused = [], 0, 0
    with Store(root) as store, store.bulk():
        at = 0
        while time.time() < until_s:
            at += 1
            started = time.perf_counter()
            done = store.append([event(number, at)])
            took.append((time.perf_counter() - started) * 1_000)
            stored += done.stored
            refused += len(done.refused)
    return {"took_ms": took, "stored": stored, "bad": refused}


def read(root: str, threads: int, until_s: float) -> dict[str, Any]:
    """Questions of so many threads until then: how long each took, and how many were not answered whole."""
    took: list[list[float]] = [[] for _ in range(threads)]
    bad = [0] * threads

    def ask(store: Store, number: int) -> None:
        wanted = Filter(session_id=(f"session-{number % SESSIONS}",))
        newest = 0
        while time.time() < until_s:
            started = time.perf_counter()
            found = store.search(wanted, limit=20) if number % 4 else store.count(wanted)
            took[number].append((time.perf_counter() - started) * 1_000)
            bad[number] += not found.partitions.complete
            if not number % 4:  # what was committed once is there for good
                bad[number] += found.count < newest  # type: ignore[union-attr]
                newest = found.count  # type: ignore[union-attr]
            time.sleep(PAUSE_S)

    with Store(root) as store:
        running = [threading.Thread(target=ask, args=(store, number)) for number in range(threads)]
        for one in running:
            one.start()
        for one in running:
            one.join()
    return {"took_ms": [ms for several in took for ms in several], "bad": sum(bad)}


def look_after(root: str, strategy: str, until_s: float, believes_load: bool) -> dict[str, Any]:
    """Automatic checkpoints until then, and the longest WAL that was seen."""
    if not believes_load:
        os.getloadavg = lambda: (0.0, 0.0, 0.0)  # type: ignore[assignment]
    done, longest = [], 0
    with Store(root) as store, store.bulk():
        leave_at_rest(store)
        while time.time() < until_s:
            done += checkpointing.run(store, 200, Plugins, strategy)
            longest = max(longest, *(wal_bytes(root, day) for day in DAYS))
            time.sleep(LOOK_S)
    return {
        "ran": sum(1 for one in done if one.mode),
        "emptied": sum(1 for one in done if one.mode == "truncate" and not one.busy),
        "put_off": sum(1 for one in done if not one.mode),
        "hindered": sum(1 for one in done if one.mode and one.busy),
        "failed": sum(1 for one in done if one.error),
        "took_ms": [one.took_us / 1_000 for one in done if one.mode],
        "longest_wal_bytes": longest,
        "at_rest_bytes": wal_bytes(root, AT_REST),
    }


def leave_at_rest(store: Store) -> None:
    """A day to which nobody wrote for an hour, and which this process keeps open."""
    first_us = AT_REST.bounds_us[0]
    store.append([Event(hook_type="Stop", uid=os.urandom(16), time_us=first_us + at, data=DATA) for at in range(100)])
    then_s = time.time() - 3_600
    os.utime(layout.db_path(store.root, AT_REST) + "-wal", (then_s, then_s))


def wal_bytes(root: str, day: PartitionKey) -> int:
    try:
        return os.path.getsize(layout.db_path(root, day) + "-wal")
    except OSError:
        return 0


def one_round(strategy: str, chosen: argparse.Namespace) -> dict[str, Any]:
    """A root of its own, all at once, and what everybody says afterwards."""
    root = tempfile.mkdtemp(prefix="eyelet-busy-")
    try:
        with Store(root) as store:
            store.append([event(0, at) for at in range(1_000)])
        groups = [READERS_A_PROCESS] * (chosen.readers // READERS_A_PROCESS)
        groups += [chosen.readers % READERS_A_PROCESS] if chosen.readers % READERS_A_PROCESS else []
        tasks = [("write", number + 1) for number in range(chosen.writers)] + [("read", size) for size in groups]
        running = [(kind, begun(kind, root, str(given))) for kind, given in tasks]
        believes = "1" if chosen.believe_load else ""
        keeper = begun("look_after", root, f"{strategy},{believes}")
        for one in (*(one for _, one in running), keeper):
            assert one.stdout and one.stdout.readline() == "ready\n"
        until_s = time.time() + chosen.seconds
        for one in (*(one for _, one in running), keeper):
            assert one.stdin
            print(until_s, file=one.stdin, flush=True)
        said = [(kind, ended(one)) for kind, one in running]
        kept = ended(keeper)
        with Store(root) as store:
            there = store.count(Filter()).count
        writes = [one for kind, one in said if kind == "write"]
        reads = [one for kind, one in said if kind == "read"]
        return {
            "writes_ms": [ms for one in writes for ms in one["took_ms"]],
            "reads_ms": [ms for one in reads for ms in one["took_ms"]],
            "bad": sum(one["bad"] for _, one in said),
            "lost": 1_100 + sum(one["stored"] for one in writes) - there,
            "checkpoints": kept,
        }
    finally:
        shutil.rmtree(root)


def begun(kind: str, root: str, given: str) -> "subprocess.Popen[str]":
    """A process that says when it is ready, and is told until when to work."""
    command = [sys.executable, str(Path(__file__).resolve()), "--part", kind, root, given]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ended(one: "subprocess.Popen[str]") -> dict[str, Any]:
    out, _ = one.communicate()
    assert one.returncode == 0
    said: dict[str, Any] = json.loads(out)
    return said


def part(kind: str, root: str, given: str) -> dict[str, Any]:
    print("ready", flush=True)
    until = sys.stdin.readline()
    if kind == "write":
        return write(root, int(given), float(until))
    if kind == "read":
        return read(root, int(given), float(until))
    strategy, _, believes = given.partition(",")
    return look_after(root, strategy, float(until), bool(believes))


def figures(times_ms: list[float]) -> str:
    mine = sorted(times_ms)
    at: Callable[[float], float] = lambda share: mine[min(len(mine) - 1, int(len(mine) * share))]  # noqa: E731
    return "".join(f"{one:10.2f}" for one in (statistics.median(mine), at(0.95), at(0.99), mine[-1]))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--readers", type=int, default=120)
    options.add_argument("--writers", type=int, default=4)
    options.add_argument("--seconds", type=float, default=10)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--strategy", default="LowLatency")
    options.add_argument("--believe-load", action="store_true", help="retreat under load, as a server does")
    options.add_argument("--json", action="store_true", help="one object, of the rounds with checkpoints")
    options.add_argument("--part", nargs=3, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.part:
        print(json.dumps(part(*chosen.part)))
        return
    if chosen.json:
        print(json.dumps([one_round(chosen.strategy, chosen) for _ in range(chosen.rounds)]))
        return
    load = os.getloadavg()[0]
    sides: dict[str, list[dict[str, Any]]] = {chosen.strategy: [], "none": []}
    for number in range(chosen.rounds):
        for name in list(sides)[:: 1 if number % 2 else -1]:
            sides[name].append(one_round(name, chosen))
    print(
        f"{chosen.readers} readers, {chosen.writers} writers, {chosen.rounds} × {chosen.seconds:g} s, load {load:.1f}"
    )
    print(f"{'ms':44}{'times':>9}{'p50':>10}{'p95':>10}{'p99':>10}{'worst':>10}")
    for name, rounds in sides.items():
        for kind in ("reads_ms", "writes_ms"):
            times = [ms for one in rounds for ms in one[kind]]
            print(f"{name + ', ' + kind.removesuffix('_ms'):44}{len(times):9,}{figures(times)}")
    for name, rounds in sides.items():
        told = [one["checkpoints"] for one in rounds]
        took = [ms for one in told for ms in one["took_ms"]]
        counts = ", ".join(
            f"{sum(one[what] for one in told)} {what}" for what in ("ran", "put_off", "hindered", "failed")
        )
        longest = max(one["longest_wal_bytes"] for one in told) / 2**20
        slowest = f", the longest {max(took):.1f} ms" if took else ""
        lost, bad = (sum(one[what] for one in rounds) for what in ("lost", "bad"))
        print(f"{name}: {counts}{slowest}; longest WAL {longest:.1f} MiB; {lost} lost, {bad} bad answers")


if __name__ == "__main__":
    main()
