"""The search page over seven of thirty days, against Datasette's table page of one file that holds the same rows.

Both are asked over HTTP of real servers, in turn: the page with histogram, facets and entries; the table page as stock
Datasette gives it, and with the same columns as facets. Beside it what the store takes for each part, and how soon a
browser shows the first rows (where Playwright and Chromium are there).
`python benchmarks/page.py [--rows 100000] [--folder KEPT]`; the full size is 1,000,000.
"""

import argparse
import json
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from many_days import Server
from painted import first_paint_ms
from search import WORDS

from eyelet_ingest.events import Event
from eyelet_ingest.store import connect, layout, schema, writer
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

DAYS = 30
WEEK_US = 7 * layout.DAY_US
ROUNDS = 15
TOOLS = ("Bash", "Bash", "Bash", "Read", "Read", "Edit", "Grep", "Write", "Task", "mcp__github__list_issues")
PROGRAMS = ("git.push", "git.status", "npm.test", "make", "ls", "pytest", "rg")
MODELS = ("claude-opus-4", "claude-sonnet-4", "claude-haiku-4")
PROJECTS = tuple(f"/home/me/{name}" for name in ("eyelet", "shop", "site", "notes", "api"))
FIELDS = ("context", "src", "hook_type", "tool_name", "status", "model", "project_dir", "git_branch", "agent")
CALLS_A_SESSION = 80
# With its own limit of a second Datasette refuses the table page at the full size.
SQL_TIME = ("--setting", "sql_time_limit_ms", "20000", "--setting", "facet_time_limit_ms", "20000")


def events(rows: int, chance: random.Random, start_us: int, end_us: int) -> Iterator[Event]:
    """What agents do: sessions of calls, each of two hooks and, in every second session, two lines of a transcript;
    prompts and notices between. Payloads of 1 KB in the middle, 2 KB on average, up to 100 KB; 3 % of calls fail."""
    step_us = (end_us - start_us) // rows
    made = session = 0
    while made < rows:
        session += 1
        witnessed = session % 2 == 0
        common = {"session_id": f"session-{session:06d}", "agent": "claude", "project_dir": chance.choice(PROJECTS)}
        branch = chance.choice(("main", "main", "dev", f"topic-{session % 50}"))
        for call in range(CALLS_A_SESSION):
            for one in _call(f"toolu_{session}_{call}", chance, witnessed, prompt=call % 20 == 0):
                if made == rows:
                    return
                time_us = start_us + made * step_us
                fields = {**common, **one, "meta": {"git": {"branch": branch}, **one.get("meta", {})}}  # type: ignore[dict-item]
                yield Event(time_us=time_us, uid=time_us.to_bytes(16, "big"), **fields)  # type: ignore[arg-type]
                made += 1


def _call(use_id: str, chance: random.Random, witnessed: bool, prompt: bool) -> Iterator[dict[str, object]]:
    tool = chance.choice(TOOLS)
    failed = chance.random() < 0.03
    text = " ".join(chance.choices(WORDS, k=min(25_000, int(chance.lognormvariate(5.2, 1.1)))))
    given = {"command": f"{chance.choice(PROGRAMS).replace('.', ' ')} {text[:60]}", "file_path": f"/src/{text[:9]}.py"}
    below = f"{tool.lower()}.{chance.choice(PROGRAMS)}" if tool == "Bash" else tool.lower().replace("__", ".")
    of_call = {"tool_name": tool, "tool_use_id": use_id}
    ended = {"status": "error", "error": 1, "meta": {"execution": {"error_code": "exit:1"}}} if failed else {}
    if prompt:
        yield _event("UserPromptSubmit", "claude.userpromptsubmit", {"prompt": text[:400]})
        yield _event("Notification", "claude.notification", {"message": "Claude is waiting for your input"})
    said = {"tool_input": given}
    yield _event("PreToolUse", f"claude.pretooluse.{below}", said, **of_call, status="pending")
    if witnessed:
        block = {"type": "tool_use", "id": use_id, "name": tool, "input": given}
        seen = {"origin": "transcript", "role": "assistant", "model": chance.choice(MODELS)}
        yield _event(
            "assistant", f"claude.transcript.assistant.{below}", {"message": {"content": [block]}}, **of_call, **seen
        )
    whole = {**said, "tool_response": {"stdout": text}}
    yield _event(
        "PostToolUse", f"claude.posttooluse.{below}", whole, **of_call, **ended, duration_ms=chance.random() * 9_000
    )
    if witnessed:
        block = {"type": "tool_result", "tool_use_id": use_id, "content": text}
        seen = {"origin": "transcript", "role": "user"}
        yield _event(
            "user", f"claude.transcript.user.{below}", {"message": {"content": [block]}}, **of_call, **seen, **ended
        )


def _event(hook_type: str, src: str, data: Mapping[str, object], **fields: object) -> dict[str, object]:
    return {"hook_type": hook_type, "src": src, "data": json.dumps(data), "status": "ok", "origin": "hook", **fields}


def fill(folder: str, rows: int, end_us: int) -> None:
    """The same rows into one file and into a root, whose finished days get their statistics as in a server."""
    single = os.path.join(folder, "single.db")
    start_us = end_us - DAYS * layout.DAY_US
    conn = connect.open_writer(single)
    schema.bring_up(conn, single, "default", "default", (start_us, end_us))
    made = events(rows, random.Random(7), start_us, end_us)
    with Store(os.path.join(folder, "root")) as store:
        while some := list(islice(made, 10_000)):
            tuples = [(row[1], row[0], row[1], row[1] / 1e6, *row[2:]) for row in map(writer.row_of, some)]
            with connect.transaction(conn):
                conn.executemany(schema.INSERT, tuples)
            store.append(some)
        conn.execute("pragma wal_checkpoint(truncate)")
        conn.close()
        while store.maintain(10_000).hours:
            pass
        store.checkpoint(mode="truncate")
    Path(folder, "end_us").write_text(str(end_us), "ascii")


def parts_of_the_page(store: Store, end_us: int) -> dict[str, Callable[[], object]]:
    """What the page asks of the store, and the same page as events."""
    week = Filter(since_us=end_us - WEEK_US, until_us=end_us)
    failed = Filter(since_us=end_us - WEEK_US, until_us=end_us, errors=True)
    bash = Filter(since_us=end_us - WEEK_US, until_us=end_us, tool_name=("Bash",))
    return {
        "events, 100": lambda: store.search(week, limit=100, cut_chars=4_096),
        "entries, 100": lambda: store.entries(week, limit=100, cut_chars=4_096),
        "entries that failed": lambda: store.entries(failed, limit=100, cut_chars=4_096),
        "entries of one tool": lambda: store.entries(bash, limit=100, cut_chars=4_096),
        "entries with a word": lambda: store.entries(
            Filter(week.since_us, end_us, text="again"), limit=100, cut_chars=4_096
        ),
        "histogram by status": lambda: store.histogram(week, by="status"),
        "histogram by status, failed": lambda: store.histogram(failed, by="status"),
        "facets": lambda: store.facets(week, FIELDS),
        "facets, failed": lambda: store.facets(failed, FIELDS),
        "facets, one tool": lambda: store.facets(bash, FIELDS),
    }


def timed(ask: Callable[[], object]) -> float:
    started = time.perf_counter()
    ask()
    return (time.perf_counter() - started) * 1000


def measure_parts(root: str, end_us: int) -> None:
    with Store(root) as store:
        print(f"{'what the store takes':40}{'ms':>8}")
        for name, ask in parts_of_the_page(store, end_us).items():
            ask()
            print(f"{name:40}{statistics.median(timed(ask) for _ in range(ROUNDS)):8.1f}")


def measure_pages(folder: str, end_us: int) -> None:
    since_us = end_us - WEEK_US
    span = f"from={since_us}&to={end_us}"
    page = f"/-/eyelet?{span}&_size=100"
    table = f"/single/hooks?_sort_desc=id&_size=100&id__gte={since_us}&id__lt={end_us}"
    faceted = table + "".join(f"&_facet={name}" for name in FIELDS[1:])
    ours = Server(os.path.join(folder, "root"))
    stock = Server(folder, [os.path.join(folder, "single.db"), *SQL_TIME], stock=True)
    try:
        sides: dict[str, tuple[Server, str]] = {
            "search page, 7 d": (ours, page),
            "search page of what failed, 7 d": (ours, page + "&errors=1"),
            "search page of one tool, 7 d": (ours, page + "&tool=Bash"),
            "search page without histogram and facets": (ours, page + "&histogram=0&facets=0"),
            "table page of one file": (stock, table),
            "table page with the same facets": (stock, faceted),
        }
        times: dict[str, list[float]] = {name: [] for name in sides}
        for number in range(ROUNDS + 1):
            for name, (server, path) in sides.items():
                took = timed(lambda server=server, path=path: _asked(server, path))  # type: ignore[misc]
                if number:
                    times[name].append(took)
        base = statistics.median(times["table page of one file"])
        print(f"\n{'over HTTP (median of ' + str(ROUNDS) + ')':44}{'ms':>8}{'÷ table':>9}")
        for name, all_ms in times.items():
            print(f"{name:44}{statistics.median(all_ms):8.1f}{statistics.median(all_ms) / base:9.2f}")
        measure_browser(ours, page)
    finally:
        ours.close()
        stock.close()


def _asked(server: Server, path: str) -> None:
    server.connect_anew()
    status = server.get(path)
    if status != 200:
        raise SystemExit(f"{path} answers {status}")


def measure_browser(server: Server, path: str) -> None:
    """From the answer's first byte to the first paint that has rows."""
    took_ms = first_paint_ms(server, path, "tr.eyelet-row")
    if took_ms is not None:
        print(f"{'first paint after the first byte':44}{took_ms:8.1f}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=100_000)
    options.add_argument("--folder", help="keep the data here, and use it again")
    asked = options.parse_args()
    folder = asked.folder or tempfile.mkdtemp(prefix="eyelet-bench-")
    os.makedirs(folder, exist_ok=True)
    try:
        if not os.path.exists(os.path.join(folder, "end_us")):
            started = time.perf_counter()
            fill(folder, asked.rows, time.time_ns() // 1_000)
            print(f"filled in {time.perf_counter() - started:.0f} s")
        end_us = int(Path(folder, "end_us").read_text("ascii"))
        print(f"{asked.rows:,} rows over {DAYS} days, SQLite {connect.driver().sqlite_version}")
        measure_parts(os.path.join(folder, "root"), end_us)
        measure_pages(folder, end_us)
    finally:
        if not asked.folder:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
