"""Searching 30 days of partitions against the same questions on one single-file database of the same rows.

Both sides hold the same schema and rows and are asked through this process's SQLite, in turn; the single file is asked
with the best SQL for the question and gives tuples, the partitions through the library, which gives dictionaries and
says what it looked at. `python benchmarks/search.py [--rows 100000]`; the full size is 1,000,000.
"""

import argparse
import os
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice

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
MANY_DAYS = 1_000
EVENTS_A_DAY = 150


def events(rows: int, chance: random.Random, start: int = START, days: int = DAYS) -> Iterator[Event]:
    """Rows like an agent's: 2 KB payloads, a common prefix, a rare one, sessions of 300 events, 3 % failures."""
    step = days * layout.DAY_US // rows
    for at in range(rows):
        tool = chance.choice(TOOLS)
        program = chance.choice(["git.push", "git.status", "npm.test", "make", "ls"])
        src = f"claude.posttooluse.bash.{program}" if tool == "Bash" else f"claude.posttooluse.{(tool or 'x').lower()}"
        if at % 9_973 == 0:
            src = "claude.posttooluse.bash.rare"
        failed = chance.random() < 0.03
        word = "needle" if at % 4_999 == 0 else chance.choice(WORDS)
        text = " ".join(chance.choices(WORDS, k=330)) + " " + word
        status = "error" if failed else "denied" if at % 5_003 == 0 else "ok"
        yield Event(
            time_us=start + at * step, uid=(start + at).to_bytes(16, "big"), session_id=f"session-{at // 300:06d}",
            hook_type="PostToolUse", tool_name=tool, src=src, status=status,
            error=int(failed), agent="claude", data='{"tool_response":{"stdout":"' + text + '"}}',
        )  # fmt: skip


def fill(path: str, store: Store, rows: int) -> None:
    """The same rows into one file and into the store."""
    conn = connect.open_writer(path)
    schema.bring_up(conn, path, "default", "default", (START, END))
    made = events(rows, random.Random(7))
    while some := list(islice(made, 10_000)):
        of_file = [(row[1], row[0], row[1], row[1] / 1e6, *row[2:]) for row in (writer.row_of(event) for event in some)]
        with connect.transaction(conn):
            conn.executemany(schema.INSERT, of_file)
        store.append(some)
    conn.execute("pragma wal_checkpoint(truncate)")
    conn.close()


Side = Callable[[], object]


def questions(conn, store: Store) -> dict[str, tuple[Side, Side]]:  # type: ignore[no-untyped-def]
    """Every row of the table: the single file's best way, and the library's call."""
    week = END - 7 * layout.DAY_US
    columns = ", ".join((*schema.COLUMNS, *schema.DERIVED))
    last_week = Filter(since_us=week, until_us=END)
    month = Filter(since_us=START, until_us=END)

    def sql(tail: str, *params: object, what: str = columns) -> Side:
        return lambda: conn.execute(f"select {what} from hooks {tail}", params).fetchall()

    def page(where: Filter, limit: int = 100) -> Side:
        return lambda: store.search(where, limit=limit).rows

    prefix = "(src = ? or (src >= ? and src < ?)) and id >= ?"

    def under(name: str) -> tuple[object, ...]:
        return (name, name + ".", name + "/", week)

    git, rare, session = "claude.posttooluse.bash.git", "claude.posttooluse.bash.rare", "session-000123"
    both = "indexed by hooks_session where session_id = ? and hook_type = ? order by id desc limit 100"
    by_tool = "where tool_name is not null group by tool_name"
    asked: dict[str, tuple[Side, Side]] = {
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
        "a session and the type of all, 30 d": (
            sql(both, session, "PostToolUse"),
            page(replace(month, session_id=(session,), hook_type=("PostToolUse",))),
        ),
        "errors, latest 100, 30 d": (
            sql("where error = 1 order by id desc limit 100"),
            page(replace(month, errors=True)),
        ),
        "a rare status, latest 100, 30 d": (
            sql("where status <> 'ok' and status <> 'pending' and status = 'denied' order by id desc limit 100"),
            page(replace(month, status=("denied",))),
        ),
        "count by tool, 30 d": (
            sql(by_tool, what="tool_name, count(*)"),
            lambda: store.facets(month, ["tool_name"]),
        ),
        "summary, 30 d": (
            sql("group by 1, 2, 3", what="hook_type, tool_name, status, count(*), sum(error), min(id), max(id)"),
            lambda: store.summary(month),
        ),
        "events per hour, 30 d": (
            sql("group by 1", what="id / 3600000000, count(*)"),
            lambda: store.histogram(month, bucket_us=3_600_000_000),
        ),
        "a word, 30 d, latest 100 (LIKE)": (
            sql("where data like '%needle%' order by id desc limit 100"),
            page(replace(month, text="needle")),
        ),
    }
    return asked


def many_days(folder: str) -> None:
    """The latest 100 of the last 24 hours where 30 days are there, and where 1,000 are: the cost is that of what
    matches."""
    sides: list[Side] = []
    stores = [Store(os.path.join(folder, f"{days}-days")) for days in (DAYS, MANY_DAYS)]
    for store, days in zip(stores, (DAYS, MANY_DAYS), strict=True):
        last = START + days * layout.DAY_US
        store.append(
            event
            for day in range(days)
            for event in events(EVENTS_A_DAY, random.Random(day), START + day * layout.DAY_US, 1)
        )
        where = Filter(since_us=last - layout.DAY_US, until_us=last)
        sides.append(lambda store=store, where=where: store.search(where, limit=100).rows)  # type: ignore[misc]
    time.sleep(2.1)  # until then a folder that was just written is looked into again
    print(f"\n{'':36}{f'of {DAYS} days':>10}{f'of {MANY_DAYS:,}':>12}{'ratio':>8}")
    ask("latest 100 of the last 24 h", *sides)
    for store in stores:
        store.close()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=100_000)
    rows = options.parse_args().rows
    folder = tempfile.mkdtemp(prefix="eyelet-bench-")
    try:
        path = os.path.join(folder, "single", "logs.sqlite")
        with Store(os.path.join(folder, "root")) as store:
            fill(path, store, rows)
            conn = connect.open_reader(path)
            print(f"{rows:,} rows over {DAYS} days; ms (median of {ROUNDS}), partitions ÷ single file")
            print(f"{'':36}{'single':>10}{'partitions':>12}{'ratio':>8}")
            for name, (single, parts) in questions(conn, store).items():
                ask(name, single, parts)
            conn.close()
        many_days(folder)
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
