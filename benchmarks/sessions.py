"""The list of sessions, and the overview's parts, over thirty days, against the same questions on one file.

The rows are those of `page.py`. The single file is asked which sessions did something last, and what each adds up to,
with the best SQL for it; the store gives more (calls that count once, prompts, projects, what a session does).
`python benchmarks/sessions.py [--rows 100000] [--folder KEPT]`; the full size is 1,000,000.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from page import DAYS, fill

from eyelet_ingest.store import connect, layout
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

ROUNDS = 9
LISTED = 50
# The last sessions of one file, and what each adds up to: a look for each session, as the store does it.
SINGLE = """
    with recursive named(name) as (
        select min(session_id) from hooks where session_id > ''
        union all
        select (select min(session_id) from hooks where session_id > named.name) from named where name is not null
    ), latest(name, last) as (
        select name, (select max(id) from hooks where session_id = name) from named where name is not null
        order by 2 desc limit ?
    )
    select session_id, min(id), max(id), count(*), sum(error), count(distinct tool_use_id), max(project_dir)
    from hooks indexed by hooks_session where session_id in (select name from latest) group by session_id
"""


def measured(ask: Callable[[], Any]) -> float:
    """The median of some rounds, in ms, after one that warms up."""
    ask()
    times = []
    for _ in range(ROUNDS):
        before = time.perf_counter()
        ask()
        times.append((time.perf_counter() - before) * 1000)
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--folder")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or temporary
        said = Path(folder, "end_us")
        if not said.exists():
            os.makedirs(folder, exist_ok=True)
            fill(folder, given.rows, time.time_ns() // 1_000)
        conn = connect.open_reader(os.path.join(folder, "single.db"))
        with Store(os.path.join(folder, "root")) as store:
            report(store, conn, int(said.read_text("ascii")))
        conn.close()


def report(store: Store, conn: Any, end_us: int) -> None:
    month = Filter(since_us=end_us - DAYS * layout.DAY_US)

    def sessions(**conditions: Any) -> Callable[[], Any]:
        where = replace(month, **conditions)
        return lambda: store.sessions(where, limit=LISTED, tokens=False, now_us=end_us)

    single = measured(lambda: conn.execute(SINGLE, (LISTED,)).fetchall())
    print(f"{'the last ' + str(LISTED) + ' sessions, one file, SQL':52}{single:9.1f} ms")
    asked = {
        "the same, the store": sessions(),
        "with tokens": lambda: store.sessions(month, limit=LISTED, now_us=end_us),
        "of one project": sessions(project_dir=("/home/me/shop",)),
        "of a project that is not there": sessions(project_dir=("/none",)),
        "with failures": sessions(errors=True),
        "of a rare branch": sessions(git_branch=("topic-3",)),
        "all sources": lambda: store.sources(month, limit=2_000),
        "durations of a day": lambda: store.durations(replace(month, since_us=end_us - layout.DAY_US), limit=5),
    }
    for name, ask in asked.items():
        took = measured(ask)
        print(f"{name:52}{took:9.1f} ms {took / single:7.2f}")


if __name__ == "__main__":
    main()
