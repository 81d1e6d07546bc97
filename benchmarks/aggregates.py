"""Counting over 30 days: histograms, facets, summaries and sources, from partitions with and without statistics.

Against the best SQL for the question on one single-file database of the same schema and rows; every side in turn, in
this process's SQLite. `python benchmarks/aggregates.py [--rows 300000] [--days 30]`
"""

import argparse
import os
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

import search as searching

from eyelet_ingest.events import Event
from eyelet_ingest.store import connect, layout, schema, writer
from eyelet_ingest.store.facets import FIELDS
from eyelet_ingest.store.maintenance import Maintenance
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

START = searching.START
ROUNDS = 7
HOUR_US = 3_600_000_000
TYPES = ["PreToolUse", "PostToolUse", "UserPromptSubmit", "Notification", "Stop", "assistant", "user", "progress"]
Question = Callable[[], object]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=300_000)
    options.add_argument("--days", type=int, default=30)
    given = options.parse_args()
    searching.END = START + given.days * layout.DAY_US
    folder = tempfile.mkdtemp(prefix="eyelet-bench-")
    try:
        compare(folder, given.rows, given.days)
    finally:
        shutil.rmtree(folder)


def compare(folder: str, rows: int, days: int) -> None:
    single = fill(folder, rows, days)
    with Store(os.path.join(folder, "bare")) as bare, Store(os.path.join(folder, "known")) as known:
        before = size_of(known.root)
        started = time.perf_counter()
        done = Maintenance(known.root).run(known.catalog.partitions(), 1e9)
        took_s = time.perf_counter() - started
        print(
            f"{rows:,} rows over {days} days. Statistics of {done.days} days: {took_s:.1f} s, "
            f"{took_s / rows * 1e6:.1f} µs an event, and {100 * (size_of(known.root) / before - 1):.2f} % of the files"
        )
        print(f"ms (median of {ROUNDS}); ÷ single file in the same round; the last column is with ÷ without")
        print(f"{'':38}{'single':>9}{'without':>9}{'':>7}{'statistics':>12}{'':>7}{'÷':>7}")
        conn = connect.open_reader(single)
        asked = zip(questions(bare).items(), questions(known).values(), strict=True)
        for (name, one), two in asked:
            sql = SINGLE[name]
            ask(name, partial(sql, conn) if sql else None, one, two)
        conn.close()


def fill(folder: str, rows: int, days: int) -> str:
    """The same rows in one file and in two roots; the file's path."""
    path = os.path.join(folder, "single", "logs.sqlite")
    conn = connect.open_writer(path)
    schema.bring_up(conn, path, "default", "default", (START, START + days * layout.DAY_US))
    chance = random.Random(8)
    made = searching.events(rows, random.Random(7), START, days)
    with Store(os.path.join(folder, "bare")) as store:
        while some := list(islice(made, 10_000)):
            for event in some:
                vary(event, chance)
            of_file = [(row[1], row[0], row[1], row[1] / 1e6, *row[2:]) for row in map(writer.row_of, some)]
            with connect.transaction(conn):
                conn.executemany(schema.INSERT, of_file)
            store.append(some)
    conn.execute("pragma wal_checkpoint(truncate)")
    conn.close()
    shutil.copytree(os.path.join(folder, "bare"), os.path.join(folder, "known"))
    return path


def vary(event: Event, chance: random.Random) -> None:
    """Types, models, projects and branches, as agents have them."""
    session = int(event.session_id[-6:])
    event.hook_type = chance.choices(TYPES, [30, 30, 3, 2, 2, 20, 20, 5])[0]
    event.model = ("claude-opus", "claude-sonnet", None)[session % 3]
    event.project_dir = f"/home/me/project-{session % 7}"
    event.meta = {"git": {"branch": ("main", "dev", "feature/x")[session % 3]}}


def size_of(root: str) -> int:
    return sum(os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk(root) for name in names)


def sql(statement: str, *params: object) -> Callable[[Any], object]:
    return lambda conn: conn.execute(statement, params).fetchall()


def bounds() -> tuple[int, int, int]:
    return START, searching.END, searching.END - 7 * layout.DAY_US


def by_hour(conn: Any) -> object:
    return conn.execute("select id / 3600000000, count(*) from hooks group by 1").fetchall()


def week(conn: Any) -> object:
    start = bounds()[2] + 1
    names = "hook_type, tool_name, status, model, project_dir, git_branch, agent, loglevel, src"
    return conn.execute(f"select {names}, count(*) from hooks where id >= ? group by {names}", (start,)).fetchall()


SINGLE: dict[str, Callable[[Any], object] | None] = {
    "events per hour, 30 d": by_hour,
    "events per 12 h by status, 30 d": sql("select id / 43200000000, status, count(*) from hooks group by 1, 2"),
    "60 stretches of 7 d, by type": lambda conn: conn.execute(
        "select id / 10800000000, hook_type, count(*) from hooks where id >= ? group by 1, 2", (bounds()[2] + 1,)
    ).fetchall(),
    "events per hour of one tool, 30 d": sql(
        "select id / 3600000000, count(*) from hooks where tool_name = 'Bash' group by 1"
    ),
    "ten facets, 7 d": week,
    "facet status, 30 d": sql("select status, count(*) from hooks group by 1"),
    "facet tool, 30 d": sql("select tool_name, count(*) from hooks group by 1"),
    "facets of errors, 7 d": None,
    "summary, 30 d": sql(
        "select hook_type, tool_name, status, count(*), sum(error), min(id), max(id) from hooks group by 1, 2, 3"
    ),
    "count of a status, 30 d": sql("select count(*) from hooks where status = 'ok'"),
    "count, 30 d less an hour": lambda conn: conn.execute(
        "select count(*) from hooks where +id >= ?", (bounds()[0] + HOUR_US,)
    ).fetchall(),
    "failures by code, 30 d": sql("select error_code, count(*) from hooks where error = 1 group by 1"),
    "sources, 30 d": sql("select src, count(*), max(id) from hooks group by 1"),
}


def questions(store: Store) -> dict[str, Question]:
    start, end, last_week = bounds()
    month, days7 = Filter(since_us=start, until_us=end), Filter(since_us=last_week + 1, until_us=end)
    every = tuple(FIELDS)
    return {
        "events per hour, 30 d": lambda: store.histogram(month, bucket_us=HOUR_US),
        "events per 12 h by status, 30 d": lambda: store.histogram(month, by="status"),
        "60 stretches of 7 d, by type": lambda: store.histogram(days7, by="hook_type"),
        "events per hour of one tool, 30 d": lambda: store.histogram(
            replace(month, tool_name=("Bash",)), bucket_us=HOUR_US
        ),
        "ten facets, 7 d": lambda: store.facets(days7, every),
        "facet status, 30 d": lambda: store.facets(month, ["status"]),
        "facet tool, 30 d": lambda: store.facets(month, ["tool_name"]),
        "facets of errors, 7 d": lambda: store.facets(replace(days7, errors=True), every),
        "summary, 30 d": lambda: store.summary(month),
        "count of a status, 30 d": lambda: store.count(replace(month, status=("ok",))),
        "count, 30 d less an hour": lambda: store.count(replace(month, since_us=start + HOUR_US)),
        "failures by code, 30 d": lambda: store.error_codes(month),
        "sources, 30 d": lambda: store.sources(month),
    }


def ask(name: str, single: Question | None, bare: Question, known: Question) -> None:
    sides = (single or (lambda: None), bare, known)
    times: tuple[list[float], ...] = ([], [], [])
    for number in range(ROUNDS + 1):
        for side, question in zip(times, sides, strict=True):
            started = time.perf_counter()
            question()
            if number:
                side.append((time.perf_counter() - started) * 1000)

    def ratio(one: int, other: int) -> str:
        if not (single or other):
            return f"{'':7}"
        return f"{statistics.median(a / b for a, b in zip(times[one], times[other], strict=True)):7.2f}"

    shown = [statistics.median(side) for side in times]
    alone = f"{shown[0]:9.2f}" if single else f"{'':9}"
    print(f"{name:38}{alone}{shown[1]:9.2f}{ratio(1, 0)}{shown[2]:12.2f}{ratio(2, 0)}{ratio(2, 1)}")


if __name__ == "__main__":
    main()
