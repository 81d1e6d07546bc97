"""Statistics are never believed where they could be wrong: whatever happens to a day, and whenever they are made,
counts, summaries, histograms, facets and sources are what adding up every row by hand says."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from eyelet_ingest.events import Event
from eyelet_ingest.store import connect, layout, maintenance, schema, statistics
from eyelet_ingest.store.facets import FIELDS
from eyelet_ingest.store.maintenance import Maintenance
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

MakeEvent = Callable[..., Event]
SOAK = bool(os.environ.get("EYELET_SOAK"))
DAY = layout.PartitionKey("default", 2024, 79)  # long finished
START = DAY.bounds_us[0]
HOUR = statistics.HOUR_US
SRC = ["", "a", "a.b", "a.b.c", "a.bc", "b.x", "c"]
FILTERS = [
    Filter(),
    Filter(errors=True),
    Filter(status=("ok",)),
    Filter(status=("error", "denied"), errors=True),
    Filter(hook_type=("PreToolUse",)),
    Filter(src=("a",)),
    Filter(src=("a.b*", "c")),
    Filter(model=("m1", "m2")),
    Filter(git_branch=("main",)),
    Filter(error_code=("exit:1",)),
    Filter(agent=("claude",), tool_name=("Bash",)),
    Filter(text="needle"),
    Filter(project_dir=("/p",)),
    Filter(without=(("hook_type", "Stop"),)),
    Filter(without=(("tool_name", "Bash"),), errors=True),
    Filter(without=(("src", "a.b"), ("src", "c"))),
    Filter(without=(("status", "ok"), ("model", "m1")), session_id=("s1",)),
    Filter(without=(("errors", "1"),), hook_type=("Stop", "PreToolUse")),
    Filter(without=(("contexts", "other"), ("loglevel", "warn"))),
    Filter(without=(("project_dir", "p"),), text="needle"),
]


def others_open(path: str, **options: Any) -> Any:
    """As another program opens it that knows nothing of statistics (through this process's one SQLite)."""
    return connect.driver().connect(path, **options)


def made(make_event: MakeEvent, chance: random.Random, at_us: int) -> Event:
    failed = chance.random() < 0.2
    branch = chance.choice(["main", "dev", None])
    meta: dict[str, Any] = {"git": {"branch": branch}} if branch else {}
    if failed and chance.random() < 0.7:
        meta["execution"] = {"error_code": chance.choice(["exit:1", "timeout"])}
    return make_event(
        at_us,
        hook_type=chance.choice(["PreToolUse", "PostToolUse", "Stop"]),
        tool_name=chance.choice(["Bash", "Read", None]),
        status="error" if failed else chance.choice(["ok", "denied"]),
        error=int(failed),
        src=chance.choice(SRC),
        session_id=chance.choice(["", "s1", "s2", "s3"]),
        loglevel=chance.choice(["info", "warn"]),
        model=chance.choice(["m1", "m2", None]),
        agent=chance.choice(["claude", None]),
        project_dir=chance.choice(["/p", None]),
        data='{"text":"needle"}' if chance.random() < 0.1 else "{}",
        meta=meta,
    )


def add_up(store: Store, key: layout.PartitionKey = DAY) -> maintenance.Maintained:
    """Statistics now, however few events there are."""
    return Maintenance(store.root, least_events=1).run([key], 60_000)


def hours_known(store: Store) -> int:
    conn = others_open(layout.db_path(store.root, DAY))
    found = conn.execute("select count(*) from eyelet_hours").fetchone()[0]
    assert found or conn.execute("select count(*) from eyelet_counts").fetchone() == (0,)
    conn.close()
    return int(found)


def rows_of(store: Store, where: Filter) -> list[dict[str, Any]]:
    return store.search(where, limit=100_000).rows


def values(rows: list[dict[str, Any]], name: str) -> dict[Any, int]:
    return dict(Counter(row[name] for row in rows if row[name] is not None))


def expect_all_right(store: Store, where: Filter) -> None:
    """Every aggregate against the rows themselves."""
    rows = rows_of(store, where)
    assert store.count(where).count == len(rows)
    summary = store.summary(where)
    assert (summary.events, summary.errors) == (len(rows), sum(row["error"] == 1 for row in rows))
    assert summary.sessions == len({(row["context_name"], row["session_id"]) for row in rows if row["session_id"]})
    ids = [row["id"] for row in rows]
    assert (summary.first_us, summary.last_us) == (min(ids, default=None), max(ids, default=None))
    for name, found in (("hook_type", summary.by_type), ("tool_name", summary.by_tool), ("status", summary.by_status)):
        assert found == values(rows, name)
    assert dict(store.error_codes(where)) == dict(Counter(row["error_code"] or "" for row in rows if row["error"] == 1))
    expect_histogram(store, where, rows)
    expect_facets(store, where)
    if not replace(where, src=()).on_rows():
        named = {one.src: (one.count, one.newest_us) for one in store.sources(where).sources}
        newest = {src: max(row["id"] for row in rows if row["src"] == src) for src in values(rows, "src")}
        assert named == {src: (count, newest[src]) for src, count in values(rows, "src").items()}


def expect_histogram(store: Store, where: Filter, rows: list[dict[str, Any]]) -> None:
    uneven = [START - HOUR, START + HOUR // 2, START + 3 * HOUR, START + 20 * HOUR, START + layout.DAY_US]
    shapes: list[dict[str, Any]] = [{}, {"bucket_us": HOUR}, {"bucket_us": 90 * 60_000_000}, {"bounds": uneven}]
    for shape in shapes:
        for by in (None, "status", "hook_type", "loglevel"):
            found = store.histogram(where, by=by, **shape)
            assert len(found.counts) == len(found.bounds) - 1
            places = list(zip(found.bounds, found.bounds[1:], strict=False))
            within = [[row for row in rows if low <= row["id"] < high] for low, high in places]
            assert found.counts == [len(some) for some in within]
            if by:
                names = {row[by] or "" for some in within for row in some}
                stacks = {name: [sum((row[by] or "") == name for row in some) for some in within] for name in names}
                assert found.by == stacks
            else:
                assert found.by == {}


def expect_facets(store: Store, where: Filter) -> None:
    found = store.facets(where, FIELDS, limit=1_000)
    for name in FIELDS:
        column = "context_name" if name == "context" else name
        rows = rows_of(store, where.but("contexts" if name == "context" else name))
        counts = values(rows, column)
        if name == "src":
            counts = dict(Counter(src.split(".")[0] for src, count in counts.items() for _ in range(count)))
        assert dict(found.fields[name].values) == counts, name


def test_statistics_say_what_the_rows_say(store: Store, make_event: MakeEvent) -> None:
    chance = random.Random(4)
    store.append([made(make_event, chance, START + chance.randrange(layout.DAY_US)) for _ in range(400)])
    store.append([made(make_event, chance, START + chance.randrange(layout.DAY_US)) for _ in range(50)], "other")
    assert add_up(store) == maintenance.Maintained(1, 24, 0, [])
    assert hours_known(store) == 24
    for where in FILTERS:
        for span in (
            (None, None),
            (START + 2 * HOUR + 5, None),
            (START + HOUR, START + 7 * HOUR),
            (START + 9, START + 99),
        ):
            expect_all_right(store, replace(where, since_us=span[0], until_us=span[1]))


STEPS = [
    "add",
    "late",
    "delete",
    "update",
    "by hand",
    "replace",
    "upsert",
    "delete by hand",
    "maintain",
    "move",
    "unarrive",
]


@settings(max_examples=400 if SOAK else 40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 2**16)), min_size=1, max_size=12),
    where=st.sampled_from(FILTERS),
    since=st.none() | st.integers(0, 24 * 60),
    until=st.none() | st.integers(1, 24 * 60),
)
@example(steps=[("add", 1), ("maintain", 0), ("replace", 3), ("replace", 4)], where=Filter(), since=None, until=None)
@example(steps=[("add", 1), ("maintain", 0), ("by hand", 3), ("upsert", 4)], where=Filter(), since=None, until=None)
@example(steps=[("add", 1), ("unarrive", 0), ("maintain", 3), ("update", 4)], where=Filter(), since=60, until=None)
def test_whatever_happens_to_a_day_its_counts_are_right(
    tmp_path: Path,
    make_event: MakeEvent,
    steps: list[tuple[str, int]],
    where: Filter,
    since: int | None,
    until: int | None,
) -> None:
    with Store(str(tmp_path / os.urandom(8).hex())) as store:
        store.append([made(make_event, random.Random(n), START + n * HOUR) for n in range(6)])
        for step, seed in steps:
            happens(store, make_event, step, random.Random(seed))
        minute = 60_000_000
        expect_all_right(
            store,
            replace(
                where,
                since_us=None if since is None else START + since * minute,
                until_us=None if until is None else START + until * minute,
            ),
        )


def happens(store: Store, make_event: MakeEvent, step: str, chance: random.Random) -> None:
    if step in ("add", "late"):
        span = layout.DAY_US if step == "add" else 3 * HOUR
        store.append([made(make_event, chance, START + chance.randrange(span)) for _ in range(5)])
    elif step == "delete":
        store.delete(Filter(session_id=(chance.choice(["s1", "s2"]),), since_us=START, until_us=START + 12 * HOUR))
    elif step == "maintain":
        add_up(store)
    else:
        by_hand(store, step, chance)


def by_hand(store: Store, step: str, chance: random.Random) -> None:
    conn = others_open(layout.db_path(store.root, DAY), isolation_level=None)
    some = conn.execute(
        "select id, uid, arrived from hooks order by id limit 1 offset ?", (chance.randrange(9),)
    ).fetchone()
    at_s = (START + chance.randrange(layout.DAY_US)) / 1e6
    if step == "by hand":
        conn.execute("insert into hooks (timestamp, hook_type, status) values (?, 'Mine', 'ok')", (at_s,))
    elif some is None:
        pass
    elif step == "update":
        conn.execute("update hooks set status = 'denied', error = 1, src = 'c', meta = '{}' where id = ?", some[:1])
    elif step == "delete by hand":
        conn.execute("delete from hooks where id = ?", some[:1])
    elif step == "move":
        moved = START + chance.randrange(layout.DAY_US)
        conn.execute("update or replace hooks set id = ?, timestamp = ? where id = ?", (moved, moved / 1e6, some[0]))
    elif step == "unarrive":
        conn.execute("update hooks set arrived = null where id = ?", some[:1])
    elif step == "upsert":
        conn.execute(
            "insert into hooks (id, timestamp, hook_type) values (?, ?, 'Up') "
            "on conflict (id) do update set status = 'up'",
            (some[0], some[0] / 1e6),
        )
    elif step == "replace":
        replaced(conn, chance, some)
    conn.close()


def replaced(conn: Any, chance: random.Random, some: tuple[Any, ...]) -> None:
    """A whole row again, in place of one that has its id, its uid or its arrival: no trigger for deletes is called."""
    newest = conn.execute("select max(arrived) from hooks").fetchone()[0]
    other = START + chance.randrange(layout.DAY_US)
    event_id, uid, arrived = chance.choice(
        [
            some,
            (some[0], os.urandom(16), newest + 5),
            (other, some[1], newest + 5),
            (other, os.urandom(16), some[2]),
            (other, os.urandom(16), 1),
            (some[0], None, None),
        ]
    )
    conn.execute(
        "insert or replace into hooks (id, uid, arrived, timestamp, hook_type, src, status) "
        "values (?, ?, ?, ?, 'Re', 'c', 'ok')",
        (event_id, uid, arrived, event_id / 1e6),
    )


ROW = "insert or replace into hooks (id, uid, arrived, timestamp, hook_type, status) "
CHANGES = {
    "status": "update hooks set status = 'denied', error = 1 where id = :id",
    "what is generated": "update hooks set meta = '{}' where id = :id",
    "time": "update hooks set id = :free, timestamp = :free / 1e6 where id = :id",
    "onto another": "update or replace hooks set id = :other, timestamp = :other / 1e6 where id = :id",
    "another's uid": "update or replace hooks set uid = (select uid from hooks where id = :other) where id = :id",
    "deleted": "delete from hooks where id = :id",
    "all deleted": "delete from hooks",
    "replaced by id": f"{ROW} values (:id, randomblob(16), :late, :id / 1e6, 'New', 'ok')",
    "replaced by uid": f"{ROW} select :free, uid, :late, :free / 1e6, 'New', 'ok' from hooks where id = :id",
    "replaced by arrival": f"{ROW} select :free, randomblob(16), arrived, :free / 1e6, 'New', 'ok' from hooks "
    "where id = :id",
    "replaced as it was": f"{ROW} select id, uid, arrived, timestamp, 'New', 'ok' from hooks where id = :id",
    "replaced by hand": "insert or replace into hooks (id, timestamp, hook_type) values (:id, :id / 1e6, 'New')",
    "came earlier": f"{ROW} values (:free, randomblob(16), 1, :free / 1e6, 'New', 'ok')",
    "came later": f"{ROW} values (:free, randomblob(16), :late, :free / 1e6, 'New', 'ok')",
    "upsert": "insert into hooks (id, timestamp, hook_type) values (:id, :id / 1e6, 'Up') on conflict (id) do update "
    "set status = 'up'",
    "never arrived": "update hooks set arrived = null where id = :id",
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changes_a_counted_row_ends_the_statistics(store: Store, make_event: MakeEvent, change: str) -> None:
    """By any program, in the same transaction; and a new row alone ends nothing."""
    chance = random.Random(7)
    store.append([made(make_event, chance, START + n * HOUR) for n in range(5)])
    add_up(store)
    conn = others_open(layout.db_path(store.root, DAY), isolation_level=None)
    late = conn.execute("select max(arrived) + 9 from hooks").fetchone()[0]
    facts = {"id": START + HOUR, "other": START + 3 * HOUR, "free": START + 9 * HOUR, "late": late}
    conn.execute(CHANGES[change], facts)
    conn.close()
    assert hours_known(store) == (24 if change == "came later" else 0)
    expect_all_right(store, Filter())
    if change == "never arrived":
        assert add_up(store).hours == 0, "such a row could change unnoticed"


def test_late_events_are_counted_on_top_and_many_of_them_anew(
    store: Store, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "LATE_MOST", 10)
    chance = random.Random(2)
    store.append([made(make_event, chance, START + chance.randrange(layout.DAY_US)) for _ in range(100)])
    add_up(store)
    store.append([made(make_event, chance, START + 3 * HOUR + n) for n in range(10)])
    assert hours_known(store) == 24
    assert add_up(store).hours == 0
    expect_all_right(store, Filter())
    store.append([made(make_event, chance, START + 3 * HOUR + n) for n in range(10)])
    assert add_up(store).hours == 1
    conn = connect.open_reader(layout.db_path(store.root, DAY))
    assert statistics.cover(conn, DAY.bounds_us, None, None).pieces == []
    conn.close()
    expect_all_right(store, Filter())


def test_a_day_still_being_written_gets_none(store: Store, make_event: MakeEvent) -> None:
    now_us = time.time_ns() // 1_000
    store.append([make_event(now_us - n) for n in range(10)])
    keys = store.catalog.partitions()
    assert Maintenance(store.root, least_events=1).run(keys, 1_000) == maintenance.Maintained(0, 0, 0, [])


def test_a_small_day_gets_none_and_a_large_one_is_analysed(store: Store, make_event: MakeEvent) -> None:
    small = layout.PartitionKey("default", 2024, 80)
    store.append([make_event(START + n) for n in range(maintenance.LEAST_EVENTS)])
    store.append([make_event(small.bounds_us[0] + n) for n in range(maintenance.LEAST_EVENTS - 1)])
    assert store.maintain(60_000) == maintenance.Maintained(1, 24, 0, [])
    assert store.maintain(60_000) == maintenance.Maintained(0, 0, 0, [])
    tables = [
        name for (name,) in others_open(layout.db_path(store.root, DAY)).execute("select name from sqlite_master")
    ]
    assert "sqlite_stat1" in tables
    tables = [
        name for (name,) in others_open(layout.db_path(store.root, small)).execute("select name from sqlite_master")
    ]
    assert "sqlite_stat1" not in tables


def test_an_older_day_is_brought_up_and_a_newer_one_is_left_alone(store: Store, make_event: MakeEvent) -> None:
    store.append([make_event(START + n) for n in range(10)])
    path = layout.db_path(store.root, DAY)
    conn = others_open(path)
    for name in schema.STATISTICS:
        conn.execute(f"drop {'table' if name.startswith('eyelet') else 'trigger'} {name}")
    conn.execute("pragma user_version = 2")
    conn.commit()
    assert store.count(Filter()).count == 10
    assert add_up(store).hours == 24
    assert conn.execute("pragma user_version").fetchone() == (schema.VERSION,)
    conn.execute("delete from hooks where id = ?", (START,))
    conn.execute(f"pragma user_version = {schema.VERSION + 1}")
    conn.commit()
    conn.close()
    before = Path(path).read_bytes()
    assert add_up(store) == maintenance.Maintained(0, 0, 0, [])
    assert Path(path).read_bytes() == before


def test_statistics_without_their_triggers_are_not_believed(store: Store, make_event: MakeEvent) -> None:
    store.append([make_event(START + n) for n in range(10)])
    add_up(store)
    conn = others_open(layout.db_path(store.root, DAY))
    conn.execute("drop trigger hooks_counted_delete")
    conn.execute("delete from hooks where id = ?", (START,))
    conn.commit()
    assert conn.execute("select sum(events) from eyelet_hours").fetchone() == (10,)
    conn.close()
    expect_all_right(store, Filter())


def test_nothing_deleted_stays_in_statistics(store: Store, make_event: MakeEvent) -> None:
    store.append([make_event(START + n, session_id=f"secret-{n % 7}", src=f"src{n % 7}.x") for n in range(2_000)])
    store.maintain(60_000)
    path = Path(layout.db_path(store.root, DAY))
    conn = others_open(str(path))
    conn.execute("pragma analysis_limit = 0")
    conn.execute("analyze")  # with samples of values, where this SQLite is built for it
    conn.close()
    assert b"secret-3" in path.read_bytes()
    store.delete(Filter(session_id=("secret-3",)))
    assert hours_known(store) == 0
    for side in path.parent.iterdir():
        assert b"secret-3" not in side.read_bytes(), side
    store.maintain(60_000)
    assert hours_known(store) == 24
    expect_all_right(store, Filter())


def test_text_that_is_no_utf_8_is_counted_as_it_is(store: Store, make_event: MakeEvent) -> None:
    store.append([make_event(START + n) for n in range(4)])
    conn = others_open(layout.db_path(store.root, DAY))
    conn.execute("update hooks set model = cast(x'ff41' as text) where id < ?", (START + 2,))
    conn.commit()
    conn.close()
    add_up(store)
    (counted,) = store.facets(Filter(), ["model"]).fields["model"].values
    assert counted == ("�A", 2)
    assert store.count(Filter(model=("�A",))).count == len(rows_of(store, Filter(model=("�A",)))) == 0


def test_maintenance_yields_to_whoever_writes(store: Store, make_event: MakeEvent) -> None:
    store.append([make_event(START + n) for n in range(50)])
    path = layout.db_path(store.root, DAY)
    with connect.FileLock(layout.lock_path(store.root, DAY), time.monotonic_ns() + 10**9):
        assert add_up(store) == maintenance.Maintained(0, 0, 1, [])
    others = others_open(path, isolation_level=None)
    others.execute("begin immediate")
    assert add_up(store) == maintenance.Maintained(0, 0, 1, [])
    others.execute("rollback")
    others.close()
    assert hours_known(store) == 0
    assert add_up(store).days == 1


def test_what_was_written_while_rows_were_added_up_undoes_it(
    store: Store, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.append([make_event(START + n) for n in range(50)])
    others = others_open(layout.db_path(store.root, DAY))
    write = Maintenance._write

    def after_others(self: Maintenance, *args: Any) -> None:
        others.execute("delete from hooks where id = ?", (START,))
        others.commit()
        write(self, *args)

    monkeypatch.setattr(Maintenance, "_write", after_others)
    assert add_up(store) == maintenance.Maintained(0, 0, 1, [])
    assert hours_known(store) == 0


def test_a_day_made_anew_meanwhile_does_not_get_the_old_ones_statistics(
    store: Store, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.append([make_event(START + n) for n in range(50)])
    write = Maintenance._write

    def after_removal(self: Maintenance, *args: Any) -> None:
        store.delete(Filter(until_us=START + 2 * layout.DAY_US))
        store.append([make_event(START)])
        write(self, *args)

    monkeypatch.setattr(Maintenance, "_write", after_removal)
    assert add_up(store) == maintenance.Maintained(0, 0, 1, [])
    expect_all_right(store, Filter())


def test_a_broken_day_is_named_once_and_hinders_no_other(store: Store, make_event: MakeEvent) -> None:
    broken = layout.PartitionKey("default", 2024, 81)
    store.append([make_event(START + n) for n in range(600)])
    store.append([make_event(broken.bounds_us[0])])
    Path(layout.db_path(store.root, broken)).write_bytes(b"this is no database" * 500)
    done = store.maintain(60_000)
    assert done.days == 1 and [key for key, _ in done.troubled] == [broken]
    assert store.maintain(60_000) == maintenance.Maintained(0, 0, 0, [])


def test_slices_finish_what_one_call_has_no_time_for(store: Store, make_event: MakeEvent) -> None:
    for day in range(3):
        store.append([make_event(START + day * layout.DAY_US + n * HOUR // 30) for n in range(600)])
    keys = store.catalog.partitions()
    workers = [Maintenance(store.root) for _ in range(2)]  # two processes, which remember nothing of each other
    for turn in range(200):  # a slow machine may only open a day in 1 ms
        if all(worker.run(keys, 1 + turn / 10).left == 0 for worker in workers):
            break
    assert workers[0].run(keys, 60_000) == maintenance.Maintained(0, 0, 0, [])
    assert store.count(Filter(status=("ok",))).count == len(rows_of(store, Filter(status=("ok",))))
    for key in keys:
        conn = connect.open_reader(layout.db_path(store.root, key))
        assert len(statistics.cover(conn, key.bounds_us, None, None).hours) == 24
        conn.close()


KILLED = """
import sys
from eyelet_ingest.store import layout
from eyelet_ingest.store.maintenance import Maintenance
key = layout.PartitionKey("default", 2024, 79)
print("on", flush=True)
while True:
    Maintenance(sys.argv[1], least_events=1).run([key], 60_000)
"""


def test_maintenance_may_be_killed_anywhere(store: Store, make_event: MakeEvent) -> None:
    chance = random.Random(11)
    store.append([made(make_event, chance, START + chance.randrange(layout.DAY_US)) for _ in range(300)])
    path = layout.db_path(store.root, DAY)
    for _ in range(200 if SOAK else 8):
        conn = others_open(path, isolation_level=None, timeout=30)
        conn.execute("update hooks set loglevel = 'warn' where id = (select min(id) from hooks)")
        assert conn.execute("select count(*) from eyelet_counts").fetchone() == (0,)
        conn.close()
        running = subprocess.Popen([sys.executable, "-c", KILLED, store.root], stdout=subprocess.PIPE)
        assert running.stdout is not None and running.stdout.readline() == b"on\n"
        time.sleep(chance.random() * 0.08)
        running.send_signal(signal.SIGKILL)
        running.wait()
        running.stdout.close()
        expect_all_right(store, Filter(since_us=START + HOUR // 2))
    assert add_up(store).left == 0
    assert others_open(path).execute("pragma integrity_check").fetchone() == ("ok",)


def test_counts_are_of_one_moment_while_others_write_and_delete(store: Store, make_event: MakeEvent) -> None:
    """A writer adds and takes away by tens, while statistics come and go: nobody ever counts something between."""
    store.append([make_event(START + n * HOUR // 20, status="ok") for n in range(200)])
    done = threading.Event()
    seen: list[int] = []

    def change() -> None:
        with Store(store.root) as mine:
            for turn in range(40 if SOAK else 8):
                mine.append([make_event(START + 5 * HOUR + n, src="more") for n in range(10)])
                Maintenance(store.root, least_events=1).run([DAY], 1_000)
                mine.delete(Filter(src=("more",)))
                Maintenance(store.root, least_events=1).run([DAY], 1_000 if turn % 2 else 0)
        done.set()

    changer = threading.Thread(target=change)
    changer.start()
    while not done.is_set():
        seen.append(store.count(Filter(status=("ok",))).count)
        seen.append(sum(store.histogram(Filter(), by="status").counts))
        seen.append(store.summary(Filter()).events)
    changer.join()
    assert set(seen) <= {200, 210}


def test_the_commands_that_write_maintain_what_they_wrote(store: Store, tmp_path: Path, make_event: MakeEvent) -> None:
    """An import of old recordings finds its days finished; so does a drain of what was left over."""
    lines = [
        f'{{"hook_event_name":"Stop","session_id":"s","timestamp":"2024-03-19T10:00:{n % 60:02}.{n:06}Z"}}\n'
        for n in range(600)
    ]
    (tmp_path / "old.jsonl").write_text("".join(lines))
    command = [sys.executable, "-m", "eyelet_ingest.cli"]
    subprocess.run([*command, "ingest", "--root", store.root, str(tmp_path)], check=True, capture_output=True)
    assert store.count(Filter()).count == 600
    assert hours_known(store) == 24
    conn = others_open(layout.db_path(store.root, DAY))
    conn.execute("update hooks set status = 'ok'")
    conn.commit()
    conn.close()
    assert hours_known(store) == 0
    subprocess.run([*command, "drain", "--root", store.root], check=True, capture_output=True)
    assert hours_known(store) == 24
