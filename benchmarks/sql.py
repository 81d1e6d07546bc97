"""SQL over all days against the same SQL on one single-file database of the same rows, the same schema and indexes.

Each question goes in turn to the single file, to the virtual table of the extension in C, to a view of the newest ten
days that SQLite attaches (what there is without the extension; shown where the question needs no more days), and to the
store's own search in Python where that has such a question. Milliseconds, median; the ratios are to the single file in
the same round. `python benchmarks/sql.py [--rows 100000] [--days 30 365 1000] [--page]`

`--page`: the page of the table `eyelet/hooks` in Datasette against that of the newest day, as a browser asks for it.
"""

import argparse
import asyncio
import os
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import search as searching

from eyelet_ingest.store import connect, layout, schema, writer
from eyelet_ingest.store.across import Across
from eyelet_ingest.store.maintenance import Maintenance
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

START = searching.START
ROUNDS = 9
# `arrived` is when the root stored it, which no two stores share.
ROWS = f"select {', '.join(name for name in (*schema.COLUMNS, *schema.DERIVED) if name != 'arrived')} from hooks"
SESSION, GIT, RARE = "session-000123", "claude.posttooluse.bash.git", "claude.posttooluse.bash.rare"
Side = Callable[[], object]


@dataclass
class Question:
    """The SQL, its parameters, and the most that the ratio to the single file may be. `counted` is the SQL for the
    virtual table where a day's statistics answer; `attached` says that the newest ten days hold the answer."""

    name: str
    sql: str
    params: tuple[Any, ...] = ()
    target: float = 1.5
    counted: str = ""
    attached: bool = False
    search: Callable[[Store], object] | None = None
    times: dict[str, list[float]] = field(default_factory=dict)


def questions(end: int, days: int) -> list[Question]:
    week, whole = max(START, end - 7 * layout.DAY_US), Filter(since_us=START, until_us=end)
    seven = Filter(since_us=week, until_us=end)
    latest = "order by id desc limit 100"
    tools = "select tool_name, count(*) from hooks where tool_name is not null group by 1"
    counted = "select {}, sum(events) from daily_counts where field = '{}' group by 1"
    under = f"{ROWS} where src glob ? and id >= ? {latest}"
    counting = "select count(*) from hooks where src glob ? and id >= ?"
    bytes_by_tool = "select tool_name, sum(length(data)) from hooks group by 1"
    middle = START + (end - START) // 2
    return [
        Question("one row by its id", f"{ROWS} where id = ?", (end - 1,)),
        Question(f"latest 100 of {days} days", f"{ROWS} {latest}", attached=True,
                 search=lambda store: store.search(whole, limit=100).rows),
        Question("a later page of 100", f"{ROWS} where id < ? {latest}", (middle,)),
        Question("a common prefix, 7 d, latest 100", under, (GIT + "*", week), attached=True,
                 search=lambda store: store.search(replace(seven, src=(GIT,)), limit=100).rows),
        Question("a rare prefix, 7 d, latest 100", under, (RARE + "*", week), attached=True,
                 search=lambda store: store.search(replace(seven, src=(RARE,)), limit=100).rows),
        Question("count under a prefix, 7 d", counting, (GIT + "*", week),
                 attached=True, search=lambda store: store.count(replace(seven, src=(GIT,))).count),
        Question("one session", f"{ROWS} where session_id = ? order by id", (SESSION,),
                 search=lambda store: store.search(replace(whole, session_id=(SESSION,)), limit=1000).rows),
        Question("errors, latest 100", f"{ROWS} where error = 1 {latest}", attached=True,
                 search=lambda store: store.search(replace(whole, errors=True), limit=100).rows),
        Question("count of all", "select count(*) from hooks", (), 2.5, search=lambda store: store.count(whole).count),
        Question("count by tool, read", tools, (), 2.5),
        Question("count by tool, statistics", tools, (), 0.1, counted.format("value", "tool_name"),
                 search=lambda store: store.facets(whole, ["tool_name"])),
        Question("count by src, statistics", "select src, count(*) from hooks group by 1", (), 0.1,
                 counted.format("value", "src"), search=lambda store: store.sources(whole)),
        Question("events per hour, read", "select id / 3600000000, count(*) from hooks group by 1", (), 2.5,
                 search=(lambda store: store.histogram(whole, bucket_us=3_600_000_000)) if days <= 400 else None),
        Question("bytes by tool, reads every row", bytes_by_tool, (), 2.5),
        Question("a word, latest 100 (LIKE)", f"{ROWS} where data like '%needle%' {latest}", (), 2.5,
                 search=lambda store: store.search(replace(whole, text="needle"), limit=100).rows),
    ]  # fmt: skip


def fill(folder: str, rows: int, days: int) -> str:
    """The same rows in one file and in a root whose finished days have statistics; the file's path."""
    end = START + days * layout.DAY_US
    path = os.path.join(folder, "single", "logs.sqlite")
    conn = connect.open_writer(path)
    schema.bring_up(conn, path, "default", "default", (START, end))
    made = searching.events(rows, random.Random(7), START, days)
    with Store(os.path.join(folder, "root")) as store:
        while some := list(islice(made, 10_000)):
            of_file = [(row[1], row[0], row[1], row[1] / 1e6, *row[2:]) for row in map(writer.row_of, some)]
            with connect.transaction(conn):
                conn.executemany(schema.INSERT, of_file)
            store.append(some)
        Maintenance(store.root).run(store.catalog.partitions(), 1e9)
        last = store.catalog.partitions()[-1].bounds_us[1]
    conn.execute("analyze")
    conn.execute("pragma wal_checkpoint(truncate)")
    conn.close()
    assert last == end
    return path


def compare(folder: str, rows: int, days: int) -> None:
    single = fill(folder, rows, days)
    time.sleep(2.1)  # until then a folder that was just written is looked into again
    with Store(os.path.join(folder, "root")) as store:
        over, newest = Across(store.roots), Across(store.roots, may_extend=False)
        conn = connect.open_reader(single)
        print(f"\n{rows:,} rows over {days} days; ms (median of {ROUNDS}); ÷ single file in the same round")
        if not over.covers.extended:
            print(f"no figures of the virtual table: {over.covers.reason}")
        print(f"{'':34}{'single':>9}{'virtual':>9}{'÷':>7}{'target':>8}{'attached':>10}{'÷':>7}{'search':>9}{'÷':>7}")
        for one in questions(START + days * layout.DAY_US, days):
            if one.name.startswith("one row"):
                one.params = tuple(conn.execute("select max(id) from hooks").fetchone())
            ask(one, conn, over, newest, store)
        conn.close()
        over.close()
        newest.close()


def ask(one: Question, conn: Any, over: Across, newest: Across, store: Store) -> None:
    """Each side in turn, some rounds; the first one is not measured. What all days give has to be the same."""
    sides: dict[str, Side] = {"single": lambda: conn.execute(one.sql, one.params).fetchall()}
    if over.covers.extended:
        sql, params = one.counted or one.sql, () if one.counted else one.params
        sides["virtual"] = lambda: over.refresh().execute(sql, params).fetchall()
        mine, theirs = sides["virtual"](), sides["single"]()
        assert sorted(map(repr, mine)) == sorted(map(repr, theirs)), one.name  # type: ignore[call-overload]
    if one.attached:
        sides["attached"] = lambda: newest.refresh().execute(one.sql, one.params).fetchall()
    if one.search is not None:
        sides["search"] = lambda: one.search(store)  # type: ignore[misc]
    one.times = {name: [] for name in sides}
    for number in range(ROUNDS + 1):
        for name, side in sides.items():
            started = time.perf_counter()
            side()
            if number:
                one.times[name].append((time.perf_counter() - started) * 1000)
    print(
        f"{one.name:34}{_median(one, 'single')}{_median(one, 'virtual')}{_ratio(one, 'virtual')}{one.target:8.2f}"
        f" {_median(one, 'attached')}{_ratio(one, 'attached')}{_median(one, 'search')}{_ratio(one, 'search')}"
    )


def _median(one: Question, side: str) -> str:
    return f"{statistics.median(one.times[side]):9.2f}" if side in one.times else f"{'–':>9}"


def _ratio(one: Question, side: str) -> str:
    if side not in one.times:
        return f"{'':7}"
    pairs = zip(one.times[side], one.times["single"], strict=True)
    return f"{statistics.median(mine / other for mine, other in pairs):7.2f}"


def pages(folder: str, days: int) -> None:
    """The page of the table over all days ÷ the page of the newest day, the same Datasette, in turn."""
    from datasette.app import Datasette

    async def asked() -> None:
        root = os.path.join(folder, "root")
        datasette = Datasette(memory=True, metadata={"plugins": {"datasette-eyelet": {"root": root}}})
        if hasattr(datasette, "root_enabled"):  # 1.0
            datasette.root_enabled = True
        await datasette.invoke_startup()
        cookies = {"ds_actor": datasette.sign({"a": {"id": "root"}}, "actor")}
        with Store(root) as store:
            day = store.catalog.partitions()[-1].mount_name
        times: dict[str, list[float]] = {"/eyelet/hooks": [], f"/{day}/hooks": []}
        for number in range(ROUNDS + 1):
            for url, side in times.items():
                started = time.perf_counter()
                answer = await datasette.client.get(url, cookies=cookies)
                if number:
                    side.append((time.perf_counter() - started) * 1000)
                assert answer.status_code == 200, (url, answer.status_code)
        mine, other = times.values()
        ratio = statistics.median(one / two for one, two in zip(mine, other, strict=True))
        shown = [statistics.median(side) for side in (mine, other)]
        said = f"of {days} days {shown[0]:.1f} ms, of one day {shown[1]:.1f} ms"
        print(f"the page of the table hooks {said}: {ratio:.2f} (target 2)")

    asyncio.run(asked())


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=100_000)
    options.add_argument("--days", type=int, nargs="+", default=[30, 365, 1000])
    options.add_argument("--page", action="store_true")
    given = options.parse_args()
    for days in given.days:
        folder = tempfile.mkdtemp(prefix="eyelet-bench-")
        try:
            compare(folder, given.rows, days)
            if given.page:
                pages(folder, days)
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
