"""What writing costs through the store, against plain sqlite3 on one file of the same schema, in the same run.

Single writes (one event, one transaction each), batches, a mix of reads and writes, readers beside a writer, a
checkpoint, and many processes at once. Both sides in turn within each round; the ratio is taken round by round and its
median printed. `python benchmarks/writing.py [--rounds 5] [--events 5000]`
"""

import argparse
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
from eyelet_ingest.store import connect, layout, schema, writer
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

DAY = layout.PartitionKey("default", 2026, 79)
DATA = '{"tool_input":{"command":"git status --short"},"tool_response":{"stdout":"' + " M src/layout.py " * 60 + '"}}'
SESSIONS = 200
READS_IN_FIVE = 4  # of five mixed operations, as in the figures to beat
READERS = 100


class Plain:
    """The other side: one file, one connection that stays open, the rows ready to insert."""

    def __init__(self, folder: str) -> None:
        self.path = os.path.join(folder, "plain.sqlite")
        self.conn: Any = connect.open_writer(self.path)
        schema.bring_up(self.conn, self.path, DAY.context, DAY.context, DAY.bounds_us)
        self.arrived = 0

    def tuples(self, events: list[Event]) -> list[tuple[Any, ...]]:
        found = []
        for event in events:
            self.arrived += 1
            row = writer.row_of(event)
            found.append((row[1], row[0], self.arrived, row[1] / 1e6, *row[2:]))
        return found

    def write(self, rows: list[tuple[Any, ...]]) -> None:
        self.conn.execute("begin immediate")
        self.conn.executemany(schema.INSERT, rows)
        self.conn.execute("commit")

    def read(self, session: str) -> int:
        sql = "select id, session_id, hook_type, data from hooks where session_id = ? order by id desc limit 20"
        return len(self.conn.execute(sql, (session,)).fetchall())


class Bench:
    """Both sides in one folder, and the next events."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.root = os.path.join(folder, "root")
        self.plain = Plain(folder)
        self.next_us = DAY.bounds_us[0]

    def events(self, count: int) -> list[Event]:
        found = []
        for _ in range(count):
            self.next_us += 1_000
            found.append(
                Event(
                    hook_type="PostToolUse",
                    uid=os.urandom(16),
                    time_us=self.next_us,
                    session_id=f"session-{self.next_us // 1_000 % SESSIONS}",
                    tool_name="Bash",
                    src="claude.posttooluse.bash.git.status",
                    data=DATA,
                )
            )
        return found


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def single(bench: Bench, events: int) -> tuple[float, float]:
    """Seconds for so many one-row transactions: the store in a bulk, and plain sqlite3."""
    mine, rows = bench.events(events), bench.plain.tuples(bench.events(events))
    with Store(bench.root) as store, store.bulk():
        ours = seconds(lambda: [store.append([event]) for event in mine])
    return ours, seconds(lambda: [bench.plain.write([row]) for row in rows])


def single_alone(bench: Bench, events: int) -> tuple[float, float]:
    """The same without a bulk: each append opens and closes its day; so does the other side."""
    mine, rows = bench.events(events), bench.plain.tuples(bench.events(events))

    def alone(row: tuple[Any, ...]) -> None:
        conn = connect.driver().connect(bench.plain.path, isolation_level=None)
        conn.execute("pragma synchronous = normal")
        conn.execute("begin immediate")
        conn.execute(schema.INSERT, row)
        conn.execute("commit")
        conn.close()

    bench.plain.conn.close()
    with Store(bench.root) as store:
        ours = seconds(lambda: [store.append([event]) for event in mine])
    theirs = seconds(lambda: [alone(row) for row in rows])
    bench.plain.conn = connect.open_writer(bench.plain.path)
    return ours, theirs


def batch(bench: Bench, events: int) -> tuple[float, float]:
    """The rows of one transaction each."""
    mine, rows = bench.events(events), bench.plain.tuples(bench.events(events))
    with Store(bench.root) as store:
        ours = seconds(lambda: store.append(mine))
    return ours, seconds(lambda: bench.plain.write(rows))


def mixed(bench: Bench, operations: int) -> tuple[float, float]:
    """Four questions after the newest 20 of a session, then one write, and so on."""
    mine, rows = bench.events(operations), bench.plain.tuples(bench.events(operations))

    def ours() -> None:
        for at, event in enumerate(mine):
            if at % (READS_IN_FIVE + 1):
                store.search(Filter(session_id=(event.session_id,)), limit=20)
            else:
                store.append([event])

    def theirs() -> None:
        for at, row in enumerate(rows):
            if at % (READS_IN_FIVE + 1):
                bench.plain.read(row[4])
            else:
                bench.plain.write([row])

    with Store(bench.root) as store, store.bulk():
        mine_s = seconds(ours)
    return mine_s, seconds(theirs)


def checkpointed(bench: Bench, events: int) -> tuple[float, float]:
    """Bringing a WAL of so many rows into its file, PASSIVE."""
    for conn in (bench.plain.conn,):
        conn.execute("pragma wal_autocheckpoint = 0")
    with Store(bench.root) as store, store.bulk():
        store.append(bench.events(events))
        bench.plain.write(bench.plain.tuples(bench.events(events)))
        ours = seconds(lambda: store.checkpoint(DAY))
    theirs = seconds(lambda: bench.plain.conn.execute("pragma wal_checkpoint(passive)").fetchone())
    bench.plain.conn.execute("pragma wal_autocheckpoint = 1000")
    return ours, theirs


def compare(name: str, unit: int, bench: Bench, side: Callable[[Bench, int], tuple[float, float]], rounds: int) -> None:
    side(bench, max(unit // 10, 1))  # caches
    taken = [side(bench, unit) for _ in range(rounds)]
    ours, theirs = (statistics.median(one[at] for one in taken) for at in (0, 1))
    ratio = statistics.median(one / other for one, other in taken)
    print(f"{name:44}{unit / ours:12,.0f}{unit / theirs:12,.0f}{ours / unit * 1e3:10.3f}{ratio:8.2f}")


def readers(bench: Bench, events: int) -> None:
    """A hundred threads that ask while one writes: how long a question and a write take."""
    asked: list[float] = []
    alone: list[float] = []
    done = threading.Event()

    def ask(store: Store, into: list[float], number: int) -> None:
        wanted = Filter(session_id=(f"session-{number}",))
        while not done.is_set():
            into.append(seconds(lambda: store.search(wanted, limit=20)))
            done.wait(0.1)  # ten questions a second each

    with Store(bench.root) as store, store.bulk():
        quiet = sorted(seconds(lambda: store.append(bench.events(1))) for _ in range(events))
        for at in range(READERS):
            alone.append(seconds(lambda at=at: store.search(Filter(session_id=(f"session-{at}",)), limit=20)))
        threads = [threading.Thread(target=ask, args=(store, asked, number)) for number in range(READERS)]
        for thread in threads:
            thread.start()
        busy = sorted(seconds(lambda: store.append(bench.events(1))) for _ in range(events))
        done.set()
        for thread in threads:
            thread.join()
    asked.sort()
    alone.sort()
    print(f"\n{READERS} readers beside one writer; ms{'p50':>35}{'p99':>10}{'worst':>10}")
    for name, found in (
        ("a question, nobody else", alone), (f"one of {len(asked):,} questions", asked),
        ("a write, nobody else", quiet), ("a write among them", busy),
    ):  # fmt: skip
        p99 = found[int(len(found) * 0.99)]
        print(f"{name:55}{statistics.median(found) * 1e3:10.3f}{p99 * 1e3:10.3f}{found[-1] * 1e3:10.3f}")


WRITER = """
import os, sys, time
from eyelet_ingest.events import Event
from eyelet_ingest.store.store import Store
root, first_us, events, data = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
print("ready", flush=True)
sys.stdin.read()
worst, began = 0.0, time.monotonic()
with Store(root) as store, store.bulk():
    for at in range(events):
        event = Event(hook_type="Note", uid=os.urandom(16), time_us=first_us + at, data=data)
        started = time.perf_counter()
        assert store.append([event]).stored == 1
        worst = max(worst, time.perf_counter() - started)
    print(worst, began, time.monotonic())
"""


def processes(bench: Bench, count: int, each: int) -> None:
    """So many processes that write one event at a time into one day."""
    command = [sys.executable, "-c", WRITER, bench.root, str(DAY.bounds_us[0]), str(each), DATA]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(count)
    ]
    for one in running:
        assert one.stdout
        assert one.stdout.readline() == "ready\n"
    for one in running:
        assert one.stdin
        one.stdin.close()
    said = [[float(word) for word in one.stdout.read().split()] for one in running if one.stdout]
    assert [one.wait() for one in running] == [0] * count
    worst = max(one[0] for one in said)
    took = max(one[2] for one in said) - min(one[1] for one in said)
    print(f"\n{count} processes × {each} events, one by one: {count * each / took:,.0f} a second, worst {worst:.2f} s")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--events", type=int, default=5_000)
    chosen = options.parse_args()
    folder = tempfile.mkdtemp(prefix="eyelet-bench-")
    try:
        bench = Bench(folder)
        head = f"{'the store/s':>12}{'plain/s':>12}{'ms each':>10}{'ratio':>8}"
        print(f"{f'Writing, median of {chosen.rounds} rounds':44}{head}")
        compare("single writes, in a bulk", chosen.events, bench, single, chosen.rounds)
        compare("single writes, each opening its day", chosen.events // 10, bench, single_alone, chosen.rounds)
        compare("rows in batches of " + f"{chosen.events * 2:,}", chosen.events * 2, bench, batch, chosen.rounds)
        compare("mixed, four reads to one write", chosen.events // 5, bench, mixed, chosen.rounds)
        compare("checkpoint of 500 rows, per row", 500, bench, checkpointed, chosen.rounds)
        readers(bench, chosen.events // 10)
        processes(bench, 64, 50)
    finally:
        shutil.rmtree(Path(folder))


if __name__ == "__main__":
    main()
