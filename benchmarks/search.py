"""Searching 30 days of partitions against the same questions on one single-file database of the same rows.

Both sides hold the same schema and rows and are asked through this process's SQLite, in turn; the single file is asked
with the best SQL for the question, the partitions through the library. `python benchmarks/search.py [--rows 100000]`
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

from eyelet_ingest.events import Event
from eyelet_ingest.store import connect, layout, schema, writer
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

DAYS = 30
START = layout.PartitionKey("default", 2026, 60).bounds_us[0]
END = START + DAYS * layout.DAY_US
TOOLS = ["Bash", "Read", "Edit", "Grep", "Write", "Task", None]
WORDS = [
    "the",
    "store",
    "keeps",
    "every",
    "event",
    "of",
    "a",
    "day",
    "and",
    "finds",
    "it",
    "again",
    "by",
    "time",
    "or",
    "text",
]
ROUNDS = 15


def events(rows: int, chance: random.Random) -> list[Event]:
    """Rows like an agent's: 2 KB payloads, a common prefix, a rare one, sessions of 300 events, 3 % failures."""
    step = DAYS * layout.DAY_US // rows
    made = []
    for at in range(rows):
        tool = chance.choice(TOOLS)
        program = chance.choice(["git.push", "git.status", "npm.test", "make", "ls"])
        src = f"claude.posttooluse.bash.{program}" if tool == "Bash" else f"claude.posttooluse.{(tool or 'x').lower()}"
        if at % 9_973 == 0:
            src = "claude.posttooluse.bash.rare"
        failed = chance.random() < 0.03
        word = "needle" if at % 4_999 == 0 else chance.choice(WORDS)
        text = " ".join(chance.choices(WORDS, k=330)) + " " + word
        made.append(
            Event(
                time_us=START + at * step, uid=at.to_bytes(16, "big"), session_id=f"session-{at // 300:06d}",
                hook_type="PostToolUse", tool_name=tool, src=src, status="error" if failed else "ok",
                error=int(failed), agent="claude", data='{"tool_response":{"stdout":"' + text + '"}}',
            )
        )  # fmt: skip
    return made


def single_file(path: str, made: list[Event]) -> None:
    conn = connect.open_writer(path)
    schema.bring_up(conn, path, "default", "default", (START, END))
    for start in range(0, len(made), 10_000):
        rows = [
            (row[1], row[0], row[1], row[1] / 1e6, *row[2:])
            for row in (writer.row_of(event) for event in made[start : start + 10_000])
        ]
        with connect.transaction(conn):
            conn.executemany(schema.INSERT, rows)
    conn.execute("pragma wal_checkpoint(truncate)")
    conn.close()


def questions(conn, store: Store) -> dict[str, tuple[Callable[[], object], Callable[[], object]]]:  # type: ignore[no-untyped-def]
    week = END - 7 * layout.DAY_US
    columns = ", ".join((*schema.COLUMNS, *schema.DERIVED))
    last_week = Filter(since_us=week, until_us=END)
    month = Filter(since_us=START, until_us=END)

    def sql(tail: str, *params: object, what: str = columns) -> Callable[[], object]:
        return lambda: conn.execute(f"select {what} from hooks {tail}", params).fetchall()

    def page(where: Filter, limit: int = 100) -> Callable[[], object]:
        return lambda: store.search(where, limit=limit).rows

    prefix = "(src = ? or (src >= ? and src < ?)) and id >= ?"

    def under(name: str) -> tuple[object, ...]:
        return (name, name + ".", name + "/", week)

    git, rare, session = "claude.posttooluse.bash.git", "claude.posttooluse.bash.rare", "session-000123"
    return {
        "latest 100, 30 d": (sql("order by id desc limit 100"), page(month)),
        "common prefix, 7 d, latest 100": (
            sql(f"where {prefix.replace('src', '+src')} order by id desc limit 100", *under(git)),
            page(replace(last_week, src=(git,))),
        ),
        "rare prefix, 7 d, latest 100": (
            sql(f"where {prefix} order by +id desc limit 100", *under(rare)),
            page(replace(last_week, src=(rare,))),
        ),
        "count under a prefix, 7 d": (
            sql(f"where {prefix}", *under(git), what="count(*)"),
            lambda: store.count(replace(last_week, src=(git,))).count,
        ),
        "one session, 30 d": (
            sql("where session_id = ? order by id", session),
            page(replace(month, session_id=(session,)), 1000),
        ),
        "errors, latest 100, 30 d": (
            sql("where error = 1 order by id desc limit 100"),
            page(replace(month, errors=True)),
        ),
        "count by tool, 30 d": (
            sql("group by tool_name", what="tool_name, count(*)"),
            lambda: store.summary(month).by_tool,
        ),
        "a word, 30 d, latest 100 (LIKE)": (
            sql("where data like '%needle%' order by id desc limit 100"),
            page(replace(month, text="needle")),
        ),
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=100_000)
    rows = options.parse_args().rows
    folder = tempfile.mkdtemp(prefix="eyelet-bench-")
    try:
        made = events(rows, random.Random(7))
        path = os.path.join(folder, "single", "logs.sqlite")
        single_file(path, made)
        with Store(os.path.join(folder, "root")) as store:
            store.append(made)
            del made
            conn = connect.open_reader(path)
            print(f"{rows:,} rows over {DAYS} days; ms (median of {ROUNDS}), partitions ÷ single file")
            print(f"{'':36}{'single':>10}{'partitions':>12}{'ratio':>8}")
            for name, (single, parts) in questions(conn, store).items():
                ask(name, single, parts)
    finally:
        shutil.rmtree(folder)


def ask(name: str, single: Callable[[], object], parts: Callable[[], object]) -> None:
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(ROUNDS + 1):
        for side, question in zip(times, (single, parts), strict=True):
            started = time.perf_counter()
            question()
            if number:
                side.append((time.perf_counter() - started) * 1000)
    ratio = statistics.median(mine / other for other, mine in zip(*times, strict=True))
    print(f"{name:36}{statistics.median(times[0]):10.2f}{statistics.median(times[1]):12.2f}{ratio:8.2f}")


if __name__ == "__main__":
    main()
