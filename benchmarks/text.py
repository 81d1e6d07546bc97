"""Full text over 30 days of partitions against one FTS5 table over a single file of the same rows, in the same run.

Both sides hold the same rows, the same text of each (`hooks_text`) and the same tokenizer, and are asked in turn
through this process's SQLite; the single file with the best SQL for the question, which gives tuples, the partitions
through the library, which gives dictionaries and says what it looked at. Exact substrings are compared with `rg -F`
over the rows' payloads as JSON lines, a file a day (`--rg PATH`; `grep -F` where there is none). Also what a day weighs
and what its index costs to build, and whether writers wait while one is built.
`python benchmarks/text.py [--rows 100000]`; the full size is 1,000,000.
"""

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import accumulate, islice
from pathlib import Path
from typing import Any

from eyelet_ingest.events import Event
from eyelet_ingest.store import connect, layout, schema, text_blooms, text_schema, writer
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

DAYS = 30
START = layout.PartitionKey("default", 2026, 60).bounds_us[0]
END = START + DAYS * layout.DAY_US
MONTH = Filter(since_us=START, until_us=END)
ROUNDS = 9
WORDS = 30_000  # different ones in the prose
SENTENCES = 6_000
SENTENCES_OF_ONE = 10
RARE = 4_999  # one row in so many holds the rare word
WRITERS = 16
WRITES = 100  # of each
TOOLS = ("Bash", "Read", "Edit", "Grep")
PROGRAMS = ("git push", "git status", "npm test", "make check", "cargo build", "ls -la", "pytest -x")

Side = Callable[[], object]


class Prose:
    """Sentences whose words are as unequally frequent as those of a language (Zipf), from a few syllables."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        syllables = [a + b for a in "bdfgklmnprstvz" for b in ("a", "e", "i", "o", "u", "an", "er", "ist")]
        made = {"".join(chance.choices(syllables, k=chance.randint(1, 4))) for _ in range(2 * WORDS)}
        words = sorted(made)[:WORDS]
        chance.shuffle(words)
        self.common, self.second = words[0], words[40]
        weights = list(accumulate(1 / (rank + 3) for rank in range(len(words))))
        self.sentences = [" ".join(chance.choices(words, cum_weights=weights, k=15)) for _ in range(SENTENCES)]
        self.names = words[-4_000:]

    def payload(self, at: int) -> str:
        """What a hook hands over of one call: a command, a path, and what came of it. 2.1 KB, half of them below 1.5;
        nearly all of it is text, of which recordings have less and repeat more of it."""
        chance = self.chance
        path = f"src/{chance.choice(self.names)}/{chance.choice(self.names)}_{at % 977}.py"
        command = f"{chance.choice(PROGRAMS)} {path} --{chance.choice(self.names)}"
        output = f"\n{path}:{at % 300}: ".join(
            chance.choices(self.sentences, k=1 + int(chance.expovariate(1 / SENTENCES_OF_ONE)))
        )
        if at % RARE == 0:
            command += " --needle"
            output += " E11000 duplicate zephyrkey dup_zephyr_index"
        return json.dumps(
            {
                "session_id": f"session-{at // 300:06d}",
                "transcript_path": f"/home/dev/.claude/projects/-home-dev-app/session-{at // 300:06d}.jsonl",
                "cwd": "/home/dev/app",
                "hook_event_name": "PostToolUse",
                "tool_name": TOOLS[at % 4],
                "tool_input": {"command": command, "description": chance.choice(self.sentences)},
                "tool_response": {"stdout": output, "stderr": "", "interrupted": False},
                "tool_use_id": f"toolu_{at:024d}",
            },
            separators=(",", ":"),
        )


def events(prose: Prose, rows: int) -> Iterator[Event]:
    step = DAYS * layout.DAY_US // rows
    for at in range(rows):
        yield Event(
            time_us=START + at * step, uid=(START + at).to_bytes(16, "big"), session_id=f"session-{at // 300:06d}",
            hook_type="PostToolUse", tool_name=TOOLS[at % 4], src=f"claude.posttooluse.{TOOLS[at % 4].lower()}",
            agent="claude", data=prose.payload(at),
        )  # fmt: skip


class Sides:
    """The same rows three times: one file, the store, and JSON lines."""

    def __init__(self, folder: str, rows: int) -> None:
        self.prose = Prose(random.Random(7))
        self.lines = os.path.join(folder, "lines")
        os.mkdir(self.lines)
        self.path = os.path.join(folder, "single", "logs.sqlite")
        self.conn: Any = connect.open_writer(self.path)
        schema.bring_up(self.conn, self.path, "default", "default", (START, END))
        self.store = Store(os.path.join(folder, "root"))
        self.plain_s = 0.0  # of executemany into the single file
        self._fill(rows)

    def _fill(self, rows: int) -> None:
        made = events(self.prose, rows)
        while some := list(islice(made, 10_000)):
            of_file = [(row[1], row[0], row[1], row[1] / 1e6, *row[2:]) for row in (writer.row_of(one) for one in some)]
            started = time.perf_counter()
            with connect.transaction(self.conn):
                self.conn.executemany(schema.INSERT, of_file)
            self.plain_s += time.perf_counter() - started
            self.store.append(some)
            for event in some:
                day = (event.time_us - START) // layout.DAY_US
                with open(os.path.join(self.lines, f"{day:02d}.jsonl"), "a", encoding="utf-8") as file:
                    file.write(event.data + "\n")
        self.store.checkpoint(mode="truncate")

    def bytes(self) -> tuple[int, int]:
        """Of the days, and of their JSON lines."""
        days = sum(file.stat().st_size for file in Path(self.store.root, "logs").rglob("*.sqlite"))
        return days, sum(file.stat().st_size for file in Path(self.lines).iterdir())


def built(sides: Sides) -> None:
    """The index of either side, what it costs against inserting the rows, and what it weighs."""
    without, lines = sides.bytes()
    single_s = seconds(lambda: build_single(sides.conn))
    ours_s = seconds(lambda: [sides.store.text_build(key) for key in sides.store.catalog.partitions()])
    sides.store.checkpoint(mode="truncate")
    whole, _ = sides.bytes()
    time.sleep(text_blooms.SETTLED_NS / 1e9 + 0.1)  # a filter is made of a day that was left alone for so long
    blooms_s = seconds(lambda: sides.store.index_text(3_600_000))
    blooms = sum(
        file.stat().st_size for file in Path(sides.store.root, text_blooms.FOLDER).rglob("*") if file.is_file()
    )
    rows = sides.conn.execute("select count(*) from hooks").fetchone()[0]
    print(f"plain executemany {rows / sides.plain_s:,.0f} rows/s")
    for name, took in (("FTS5 over the single file, rebuilt once", single_s), ("the days' indexes", ours_s)):
        print(f"{name}: {rows / took:,.0f} rows/s, {took / sides.plain_s:.2f} × executemany")
    print(
        f"filters of the days' words: {blooms / DAYS / 1e3:,.0f} kB and {blooms_s / DAYS * 1e3:,.0f} ms a day\n"
        f"days ÷ JSON lines ({lines / rows:,.0f} B a row): {without / lines:.2f} without, {whole / lines:.2f} with it\n"
    )


def build_single(conn: Any) -> None:
    with connect.transaction(conn):
        text_schema.create(conn)
        columns = ", ".join(text_schema.TEXT_COLUMNS)
        conn.execute(f"insert into hooks_fts (rowid, {columns}) select id, {columns} from hooks_text")
        conn.execute("insert into hooks_fts (hooks_fts) values ('optimize')")
    conn.execute("pragma wal_checkpoint(truncate)")


def questions(sides: Sides) -> dict[str, tuple[Side, Side]]:
    """Every kind of question: the single file's best way, and the library's call."""
    conn, store, prose = sides.conn, sides.store, sides.prose
    columns = ", ".join((*schema.COLUMNS, *schema.DERIVED))
    newest = f"""select {columns} from hooks where id in (
        select rowid from hooks_fts where hooks_fts match ? order by rowid desc limit 100) order by id desc"""
    best = f"""select {columns} from (
        select rowid as at, rank as rated from hooks_fts where hooks_fts match ? order by rank limit 100
    ) join hooks on id = at order by rated"""
    marked = """select rowid, snippet(hooks_fts, -1, char(2), char(3), '…', 24) from hooks_fts
        where hooks_fts match ? order by rowid desc limit 100"""

    def sql(statement: str, query: str) -> Side:
        return lambda: conn.execute(statement, (query,)).fetchall()

    def page(query: str) -> tuple[Side, Side]:
        return sql(newest, query), lambda: store.search(replace(MONTH, text=query), limit=100).rows

    count = "select count(*) from hooks_fts where hooks_fts match ?"
    near = f"NEAR({prose.common} {prose.second}, 5)"
    return {
        "a rare word, latest 100": page("needle"),
        "a common word, latest 100": page(prose.common),
        "a word that nothing holds": page("zzyzzyva"),
        "two common words, latest 100": page(f"{prose.common} {prose.second}"),
        "a common and a rare word": page(f"{prose.common} needle"),
        "a phrase, latest 100": page('"E11000 duplicate zephyrkey"'),
        "a prefix, latest 100": page("zephyrk*"),
        "NEAR, latest 100": page(near),
        "count of a rare word": (
            sql(count, "needle"),
            lambda: store.count(replace(MONTH, text="needle")).count,
        ),
        "count of a common word": (
            sql(count, prose.second),
            lambda: store.count(replace(MONTH, text=prose.second)).count,
        ),
        "a rare word, best 100": (
            sql(best, "needle"),
            lambda: store.search(replace(MONTH, text="needle"), limit=100, by_rank=True).rows,
        ),
        "a common word, best 100": (
            sql(best, prose.second),
            lambda: store.search(replace(MONTH, text=prose.second), limit=100, by_rank=True).rows,
        ),
        "a rare word, latest 100, with snippets": (
            sql(marked, "needle"),
            lambda: store.search(replace(MONTH, text="needle"), limit=100, snippets=True).rows,
        ),
    }


def substrings(sides: Sides, grep: list[str]) -> dict[str, tuple[Side, Side]]:
    """Exact text: the program over all JSON lines, and how many events hold it."""

    def both(text: str) -> tuple[Side, Side]:
        command = [*grep, "-c", "--", text, sides.lines]
        asked = replace(MONTH, text=text, exact=True)
        return lambda: subprocess.run(command, capture_output=True, check=False), lambda: sides.store.count(asked)

    return {
        "several words, rare": both("E11000 duplicate zephyrkey dup"),
        "a part of one word, rare": both("ephyrke"),
        "across words, rare": both("0 duplicate zeph"),
        "an option": both("--needle"),
        "what nothing holds": both("eedle--zzyz"),
        "common": both(sides.prose.second),
    }


def ask(name: str, other: Side, mine: Side, rounds: int) -> None:
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds + 1):
        for side, question in zip(times, (other, mine), strict=True):
            took = seconds(question)
            if number:  # the first one warms up
                side.append(took * 1000)
    ratio = statistics.median(mine / other for other, mine in zip(*times, strict=True))
    print(f"{name:44}{statistics.median(times[0]):10.2f}{statistics.median(times[1]):12.2f}{ratio:8.2f}", flush=True)


def seconds(work: Side) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


WRITER = """
import os, sys, time
from eyelet_ingest.events import Event
from eyelet_ingest.store.store import Store
root, first_us, events, data = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
print("ready", flush=True)
sys.stdin.read()
with Store(root) as store:
    for at in range(events):
        event = Event(hook_type="Note", uid=os.urandom(16), time_us=first_us + at, data=data)
        started = time.perf_counter()
        assert store.append([event]).stored == 1
        print(time.perf_counter() - started)
        time.sleep(0.02)
"""


def while_writing(folder: str, prose: Prose, rows: int) -> None:
    """16 processes that each write an event fifty times a second into a day that holds `rows`: how long one waits, with
    nobody else, and while that day's index is being built from nothing."""
    print(f"\n{WRITERS} writers of one day of {rows:,} rows, ms{'p50':>10}{'p99':>10}{'worst':>10}")
    for name, catches_up in (("nobody else", False), ("its index being built", True)):
        with Store(os.path.join(folder, name)) as store:
            made = list(islice(events(prose, rows * DAYS), rows))
            store.append(made)
            key = layout.key_for("default", START)
            done = threading.Event()
            building = threading.Thread(target=keep_building, args=(store, key, done))
            waits, took = written(store.root, prose.payload(1), building if catches_up else None)
            done.set()
            if catches_up:
                building.join()
            line = f"{statistics.median(waits) * 1e3:10.1f}{waits[int(len(waits) * 0.99)] * 1e3:10.1f}"
            print(f"{name:44}{line}{waits[-1] * 1e3:10.1f}   in {took:.1f} s")
            expected = rows + WRITERS * WRITES
            counted = store.count(MONTH)
            assert counted.count == expected, f"an event was lost, or not counted: {counted}, not {expected:,}"


def keep_building(store: Store, key: layout.PartitionKey, done: threading.Event) -> None:
    while not done.is_set():
        store.text_catch_up(key, deadline_ms=500)
        time.sleep(0.05)


def written(root: str, data: str, beside: threading.Thread | None) -> tuple[list[float], float]:
    """How long each write took, in order of length, and all of them together."""
    command = [sys.executable, "-c", WRITER, root]
    running = [
        subprocess.Popen(
            [*command, str(START + (at + 1) * 1_000_000_000), str(WRITES), data],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for at in range(WRITERS)
    ]  # fmt: skip
    for one in running:
        assert one.stdout
        assert one.stdout.readline() == "ready\n"
    started = time.perf_counter()
    if beside is not None:
        beside.start()
    for one in running:
        assert one.stdin
        one.stdin.close()
    waits = sorted(float(line) for one in running if one.stdout for line in one.stdout)
    assert [one.wait() for one in running] == [0] * WRITERS
    return waits, time.perf_counter() - started


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=100_000)
    options.add_argument("--rg", default=shutil.which("rg"), help="ripgrep; grep -rF where there is none")
    options.add_argument("--rounds", type=int, default=ROUNDS)
    asked = options.parse_args()
    folder = tempfile.mkdtemp(prefix="eyelet-bench-")
    try:
        sides = Sides(folder, asked.rows)
        built(sides)
        head = f"{'':44}{'single':>10}{'partitions':>12}{'ratio':>8}"
        print(f"{asked.rows:,} rows over {DAYS} days; ms, median of {asked.rounds}\n{head}")
        for name, (single, parts) in questions(sides).items():
            ask(name, single, parts, asked.rounds)
        grep = [asked.rg, "-F", "--no-filename"] if asked.rg else ["grep", "-rFh"]
        print(f"\nexact text: {' '.join(map(os.path.basename, grep))} over the JSON lines, and the count of events")
        for name, (other, mine) in substrings(sides, grep).items():
            ask(name, other, mine, asked.rounds)
        sides.conn.close()
        sides.store.close()
        while_writing(folder, sides.prose, asked.rows // 10)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
