"""What another program wrote into a day is answered for as one plain list of its rows would be, and stops no question.

Rows are changed and made here behind the store's back: bytes where text belongs, text that is no UTF-8, numbers that no
JSON can hold, times of another day, statistics that nobody counted, indexes that are not what their names say.
"""

import json
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eyelet_ingest.errors import BadInput
from eyelet_ingest.events import Event
from eyelet_ingest.store import choice, connect, fanout, layout, schema
from eyelet_ingest.store.facets import FIELDS
from eyelet_ingest.store.maintenance import Maintenance
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

SOAK = bool(os.environ.get("EYELET_SOAK"))
DAY = layout.PartitionKey("default", 2024, 79)
START, END = DAY.bounds_us
HOUR = 3_600_000_000
TEXTS = ("session_id", "hook_type", "tool_name", "status", "src", "loglevel", "agent", "model", "project_dir")
MakeEvent = Callable[..., Event]


def by_hand(store: Store, sql: str, *values: object, key: layout.PartitionKey = DAY) -> list[Any]:
    conn = connect.driver().connect(layout.db_path(store.root, key), isolation_level=None)
    try:
        return list(conn.execute(sql, values))
    finally:
        conn.close()


def add_up(store: Store) -> None:
    Maintenance(store.root, least_events=1).run([DAY], 60_000)


@pytest.fixture
def day(store: Store, make_event: MakeEvent) -> Store:
    """Five events, an hour apart, the first at the day's first microsecond."""
    store.append([make_event(START + at * HOUR, src=f"a.b{at % 2}", tool_name="Bash") for at in range(5)])
    return store


def every_row(store: Store, where: Filter, size: int, oldest_first: bool = False) -> list[dict[str, Any]]:
    """Of all pages; there are not many."""
    rows: list[dict[str, Any]] = []
    after = None
    for _ in range(500):
        page = store.search(where, limit=size, after=after, oldest_first=oldest_first)
        rows += page.rows
        after = page.next
        if after is None:
            return rows
    raise AssertionError("the pages have no end")


def every_source(store: Store, where: Filter, size: int) -> Counter[str]:
    counts: Counter[str] = Counter()
    after = None
    for _ in range(500):
        page = store.sources(where, limit=size, after=after)
        for one in page.sources:
            counts[one.src] += one.count
        after = page.next
        if after is None:
            return counts
    raise AssertionError("the pages have no end")


def expect_all(store: Store, where: Filter, rows: list[dict[str, Any]]) -> None:
    """Every question's answer is that of the list; and JSON can hold all of it."""
    json.dumps(rows, allow_nan=False)
    assert store.count(where).count == len(rows)
    summary = store.summary(where)
    assert (summary.events, summary.errors) == (len(rows), sum(row["error"] == 1 for row in rows))
    ids = [row["id"] for row in rows]
    assert (summary.first_us, summary.last_us) == (min(ids, default=None), max(ids, default=None))
    for name, found in (("hook_type", summary.by_type), ("tool_name", summary.by_tool), ("status", summary.by_status)):
        assert found == Counter(row[name] for row in rows if row[name] is not None)
    codes = Counter(row["error_code"] or "" for row in rows if row["error"] == 1)
    assert dict(store.error_codes(where)) == codes
    for by in (None, "status", "hook_type", "loglevel"):
        histogram = store.histogram(where, by=by, buckets=7)
        assert sum(histogram.counts) == len(rows)
        if by:
            sums = {name: sum(counts) for name, counts in histogram.by.items()}
            assert sums == Counter(row[by] or "" for row in rows)
    facets = store.facets(where, [name for name in FIELDS if name != "context"], limit=1_000).fields
    for name, facet in facets.items():
        if name != "src" and not getattr(where, name, ()):
            assert dict(facet.values) == Counter(row[name] for row in rows if row[name] is not None), name


# Values that do not belong


@pytest.mark.parametrize("counted", [False, True], ids=["rows", "statistics"])
@pytest.mark.parametrize("column", TEXTS)
def test_bytes_where_text_belongs_are_shown_as_text(day: Store, column: str, counted: bool) -> None:
    by_hand(day, f"update hooks set {column} = ? where id = ?", b"A\xff", START)
    by_hand(day, f"update hooks set {column} = cast(? as text) where id = ?", b"A\xfe", START + HOUR)
    by_hand(day, f"update hooks set {column} = ? where id = ?", "A\ufffd", START + 2 * HOUR)
    if counted:
        add_up(day)
    rows = day.search(Filter()).rows
    assert [row[column] for row in rows].count("A\ufffd") == 3
    expect_all(day, Filter(), rows)
    assert len(list(day.export(Filter()))) == 5


@pytest.mark.parametrize("counted", [False, True], ids=["rows", "statistics"])
@pytest.mark.parametrize(
    ("column", "value"),
    [("timestamp", float("inf")), ("duration_ms", float("-inf")), ("duration_ms", "long"), ("duration_ms", b"\xff"),
     ("error", "yes"), ("error", None), ("status", None), ("loglevel", None), ("uid", 5), ("uid", "text"),
     ("uid", None), ("arrived", "late"), ("arrived", b"\xff"), ("arrived", 1.5), ("data", b'{"a": 1}'),
     ("meta", b"{}")],
)  # fmt: skip
def test_a_value_of_another_kind_stops_no_question(day: Store, column: str, value: object, counted: bool) -> None:
    if counted:
        add_up(day)
    by_hand(day, f"update hooks set {column} = ? where id = ?", value, START)
    if counted:
        add_up(day)
    expect_all(day, Filter(), day.search(Filter()).rows)
    expect_all(day, Filter(), day.search(Filter(), cut_chars=1).rows)


def test_one_that_arrived_between_two_whole_numbers_is_counted(day: Store, make_event: MakeEvent) -> None:
    add_up(day)
    (newest,) = by_hand(day, "select max(arrived) from hooks")
    sql = "insert into hooks (id, uid, arrived, timestamp, hook_type) values (?, randomblob(16), ?, 1.0, 'x')"
    by_hand(day, sql, START + 1, newest[0] + 0.5)
    expect_all(day, Filter(), day.search(Filter()).rows)


def test_a_table_that_lost_its_rules_is_read_as_far_as_it_can_be(day: Store) -> None:
    """As some programs make a table anew: the columns are there, what they may hold is not said."""
    for sql in (
        "drop view calls",  # or SQLite would not let `hooks` be renamed
        "drop view call_witnesses",
        "create table other as select * from hooks",
        "update other set hook_type = null, session_id = null, data = null where rowid = 1",
        "drop table hooks",
        "alter table other rename to hooks",
    ):
        by_hand(day, sql)
    rows = day.search(Filter()).rows
    assert len(rows) == 5
    expect_all(day, Filter(), rows)
    by_hand(day, "update hooks set id = 'number ' || id where rowid > 2")
    assert len(every_row(day, Filter(), 1)) == 2
    expect_all(day, Filter(), day.search(Filter()).rows)


# Names


NAMES = [b"\xff\x41", b"\x80\x41", "é".encode(), b"\xff\x42", b"a", b"a.b", b"\xf5", b"hex:61", b"hex:", b"a\0b",
         "\U0010ffff".encode(), "\ufffdA".encode(), b"", b"a\xff"]  # fmt: skip


@pytest.mark.parametrize("counted", [False, True], ids=["rows", "statistics"])
@pytest.mark.parametrize("size", [1, 3, 100])
def test_sources_that_are_no_utf8_are_listed_once_and_hide_no_other(
    store: Store, make_event: MakeEvent, size: int, counted: bool
) -> None:
    store.append([make_event(START + at) for at in range(len(NAMES))])
    for at, name in enumerate(NAMES):
        by_hand(store, "update hooks set src = cast(? as text) where id = ?", name, START + at)
    if counted:
        add_up(store)
    wanted = Counter(name.decode("utf-8", "replace") for name in NAMES)
    assert every_source(store, Filter(), size) == wanted
    assert every_source(store, Filter(src=("a*",)), size) == Counter(["a", "a.b", "a\0b", "a\ufffd"])
    assert store.count(Filter(src=("*",))).count == len(NAMES)


@pytest.mark.parametrize("prefix", ["", "a", "\ud7ff", "\U0010ffff", "a\U0010ffff"])
def test_a_prefix_is_all_that_begins_like_it(store: Store, make_event: MakeEvent, prefix: str) -> None:
    """The greatest of all characters too."""
    names = ["a", "b", "\U0010ffffx", "a\U0010ffffx", "a\U0010ffff\U0010ffff", "\ud7ff", "\ud7ff\U0010ffff", "\ue000"]
    store.append([make_event(START + at, src=name) for at, name in enumerate(names)])
    where = Filter(src=(prefix + "*",))
    wanted = sorted(name for name in names if name.startswith(prefix))
    assert sorted(str(row["src"]) for row in store.search(where).rows) == wanted
    assert store.count(where).count == len(wanted)
    assert [one.src for one in store.sources(where).sources] == wanted


@pytest.mark.parametrize("after", ["hex:6", "hex:xyz", "\udcff"])
def test_an_after_of_sources_that_nobody_gave_is_refused(day: Store, after: str) -> None:
    with pytest.raises(BadInput, match="after"):
        day.sources(Filter(), after=after)


@pytest.mark.parametrize("limit", [0, -1])
def test_a_page_of_no_sources_is_refused(day: Store, limit: int) -> None:
    with pytest.raises(BadInput, match="1 is the least"):
        day.sources(Filter(), limit=limit)


def test_a_context_whose_name_is_no_utf8_is_found_by_that_name(store: Store, make_event: MakeEvent) -> None:
    store.append([make_event(START)], "a\udcff")
    store.append([make_event(START), make_event(START)], "a?")
    assert store.count(Filter(contexts=("a\udcff",))).count == 1
    assert len(store.contexts()) == 2


# Times and numbers


@pytest.mark.parametrize("at_us", [-5, 0, 5, START - 1, END, END + 5 * layout.DAY_US, 2**62, -(2**63)])
@pytest.mark.parametrize("counted", [False, True], ids=["rows", "statistics"])
def test_a_row_of_another_days_time_is_in_no_answer_and_ends_no_page(
    day: Store, make_event: MakeEvent, at_us: int, counted: bool
) -> None:
    """A page that ended there would send the next one to where it came from."""
    day.append([make_event(START + days * layout.DAY_US + at) for days in (-1, 1) for at in (3, 4)])
    by_hand(day, "update hooks set id = ? where id = ?", at_us, START)
    if counted:
        add_up(day)
    for oldest_first in (False, True):
        for size in (1, 2, 3, 100):
            rows = every_row(day, Filter(), size, oldest_first)
            assert len(rows) == len({row["id"] for row in rows}) == 8
            assert rows == sorted(rows, key=lambda row: row["id"], reverse=not oldest_first)
    for where in (Filter(), Filter(tool_name=("Bash",)), Filter(src=("a",)), Filter(agent=("x",), errors=True)):
        expect_all(day, where, day.search(where).rows)
    assert sum(every_source(day, Filter(), 2).values()) == 8
    assert len(list(day.export(Filter()))) == 8


@pytest.mark.parametrize(
    ("since_us", "until_us"),
    [(-(2**70), 2**70), (-(2**70), None), (None, 2**70), (2**70, None), (None, -(2**70)), (-1, 2**63),
     (START + 9, START + 3)],
)  # fmt: skip
def test_a_range_may_reach_beyond_all_numbers(day: Store, since_us: int | None, until_us: int | None) -> None:
    for where in (Filter(), Filter(tool_name=("Bash",)), Filter(tool_name=("Bash",), hook_type=("PreToolUse",))):
        asked = replace(where, since_us=since_us, until_us=until_us)
        rows = every_row(day, asked, 2)
        assert len(rows) in (0, 5)
        expect_all(day, asked, rows)
        assert day.count(asked).partitions.unreadable == ()


def test_a_page_may_be_longer_than_any_number(day: Store) -> None:
    for limit in (2**63 - 1, 2**70):
        assert len(day.search(Filter(), limit=limit).rows) == len(day.search(Filter(src=("a",)), limit=limit).rows) == 5
        assert len(day.sources(Filter(), limit=limit).sources) == 2


@pytest.mark.parametrize("shape", [{"bucket_us": 2**70}, {"bounds": [-(2**70), 2**70]}, {"bounds": [START, 2**64]}])
def test_stretches_beyond_all_numbers_are_refused(day: Store, shape: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="beyond all days"):
        day.histogram(Filter(), **shape)


@pytest.mark.parametrize("deadline_ms", [None, 0])
def test_the_first_microsecond_there_is_comes_after_the_beginning(
    store: Store, make_event: MakeEvent, deadline_ms: float | None
) -> None:
    store.append([make_event(at) for at in (0, 1, 5)])
    after = store.search(Filter(), oldest_first=True, limit=2, deadline_ms=0).next if deadline_ms is not None else None
    rows: list[dict[str, Any]] = []
    for _ in range(9):
        page = store.search(Filter(), oldest_first=True, limit=1, after=after)
        rows, after = rows + page.rows, page.next
        if after is None:
            break
    assert [row["id"] for row in rows] == [0, 1, 5]


# Statistics and indexes


@pytest.mark.parametrize(
    "sql",
    ["update eyelet_hours set events = 'many'", "update eyelet_hours set arrived = 'late'",
     "update eyelet_hours set errors = x'00' where hour = 3", "delete from eyelet_hours where hour in (0, 3)",
     "update eyelet_hours set hour = hour + 90", "update eyelet_hours set hour = -1 - hour"],
)  # fmt: skip
def test_statistics_that_are_no_numbers_or_of_no_hour_are_not_believed(day: Store, sql: str) -> None:
    add_up(day)
    by_hand(day, sql)
    expect_all(day, Filter(), day.search(Filter()).rows)


def test_counts_of_names_that_are_no_numbers_are_not_believed(day: Store) -> None:
    add_up(day)
    by_hand(day, "update eyelet_counts set last_id = 'x'")
    assert every_source(day, Filter(), 1) == Counter({"a.b0": 3, "a.b1": 2})


SHAPES = {
    "hooks_session": "create index hooks_session on hooks (session_id) where session_id <> ''",
    "hooks_src": "create index hooks_src on hooks (id)",
    "hooks_type": "create index hooks_type on hooks (hook_type collate nocase)",
    "hooks_error": "create index hooks_error on hooks (error) where error = 2",
    "hooks_arrived": "create index hooks_arrived on hooks (id)",
    "hooks_tool": "create index hooks_tool on hooks (tool_name) where error = 1",
}


@pytest.mark.parametrize("counted", [False, True], ids=["rows", "statistics"])
@pytest.mark.parametrize("name", SHAPES)
def test_an_index_that_is_not_what_its_name_says_costs_time_and_no_answer(day: Store, name: str, counted: bool) -> None:
    """Of a newer version it may be, or of somebody's own making."""
    if counted:
        add_up(day)
    filters = [Filter(), Filter(session_id=("",)), Filter(src=("a",)), Filter(hook_type=("PreToolUse",)),
               Filter(errors=True), Filter(tool_name=("Bash",)),
               Filter(since_us=START + 5, until_us=END - 5)]  # fmt: skip
    wanted = [day.search(where).rows for where in filters]
    by_hand(day, f"drop index {name}")
    by_hand(day, SHAPES[name])
    if counted:
        day.append([])
    for where, rows in zip(filters, wanted, strict=True):
        assert day.search(where).rows == rows
        expect_all(day, where, rows)
        for answer in (day.count(where), day.summary(where), day.histogram(where), day.facets(where, FIELDS)):
            assert answer.partitions.unreadable == ()


# All at once


def odd_values(chance: random.Random) -> Iterator[tuple[str, tuple[object, ...]]]:
    """What other programs do to a row of the day."""
    text = chance.choice([b"A\xff", b"\xfe", "A\ufffd", "x\0y", "\U0010ffff", "é", 7, 1.5, None, b""])
    column = chance.choice(("tool_name", "agent", "model", "status", "loglevel", "project_dir"))
    yield f"update hooks set {column} = ? where id = ?", (text,)
    yield "update hooks set src = cast(? as text) where id = ?", (chance.choice(NAMES),)
    yield "update hooks set hook_type = ? where id = ?", (chance.choice(["Stop", b"\xff", "s\0", "\U0010ffff"]),)
    yield (
        "update hooks set error = ?, meta = ? where id = ?",
        (
            chance.choice([1, 0, 2, "1", None, "yes"]),
            chance.choice(
                ['{"execution":{"error_code":7}}', '{"git":{"branch":["a"]}}', '{"git":{"branch":"\\ud800"}}']
            ),
        ),
    )
    yield "update or ignore hooks set id = ? where id = ?", (chance.choice([-1, START - 1, END, END + 9, 2**60]),)
    yield "update or replace hooks set arrived = ? where id = ?", (chance.choice([None, -5, 2**40, "x", 0.5]),)
    yield "update hooks set duration_ms = ? where id = ?", (chance.choice([float("inf"), "x", b"\xff", None]),)
    yield "delete from hooks where id = ?", ()


FILTERS = [
    Filter(),
    Filter(tool_name=("Bash", "é")),
    Filter(src=("a",)),
    Filter(src=("*",)),
    Filter(errors=True),
    Filter(hook_type=("Stop", "s\0"), contexts=("b",)),
    Filter(agent=("7",)),
]


@pytest.mark.parametrize("seed", range(400 if SOAK else 12))
def test_whatever_others_do_to_days_of_several_roots_every_answer_is_that_of_one_list(
    tmp_path: Path, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = random.Random(seed)
    monkeypatch.setattr(choice, "COMMON_EVENTS", 3)
    if seed % 2:
        monkeypatch.setattr(fanout, "SCAN_MS", -1.0)
        monkeypatch.setattr(fanout, "_threads", lambda: 3)
    roots = [str(tmp_path / name) for name in ("one", "two")]
    for root in roots:
        with Store(root) as store:
            for context in ("default", "b"):
                times = [START + chance.randrange(2 * layout.DAY_US) for _ in range(12)] + [START, END - 1, END]
                store.append(
                    [make_event(at, tool_name="Bash", src=chance.choice(["a", "a.b"])) for at in times], context
                )
            for key in store.catalog.partitions():
                ids = [one for (one,) in by_hand(store, "select id from hooks", key=key)]
                for _ in range(4):
                    for sql, values in odd_values(chance):
                        by_hand(store, sql, *values, chance.choice(ids), key=key)
                if chance.random() < 0.5:
                    Maintenance(store.root, least_events=1).run([key], 60_000)
    with Store(roots[0], also=roots[1:], max_open=chance.choice([1, 64])) as store:
        spans = [(None, None), (START, END), (START + HOUR, END + HOUR), (START + 5, START + 2 * HOUR)]
        for where in FILTERS:
            asked = replace(where, since_us=(span := chance.choice(spans))[0], until_us=span[1])
            rows = wanted_rows(store, asked)
            for oldest_first in (False, True):
                found = every_row(store, asked, chance.randint(1, 9), oldest_first)
                assert [place(row) for row in found] == sorted(map(place, rows), reverse=not oldest_first)
            expect_all(store, asked, found)


def place(row: dict[str, Any]) -> tuple[int, str, str]:
    return row["id"], row["context_name"], row["root"]


def wanted_rows(store: Store, where: Filter) -> list[dict[str, Any]]:
    """What the filter means, over every row of every day as SQLite gives them."""
    wanted = []
    for catalog in store.roots.catalogs:
        for part in catalog.parts():
            conn = connect.driver().connect(part.path)
            conn.text_factory = bytes
            names = ("id", "src", "tool_name", "hook_type", "agent", "error")
            for values in conn.execute(f"select {', '.join(names)} from hooks"):
                row = dict(zip(names, values, strict=True))
                row |= {"context_name": part.context, "root": part.root}
                if part.first_us <= row["id"] < part.end_us and means(where, row, conn):
                    wanted.append(row)
            conn.close()
    return wanted


def means(where: Filter, row: dict[str, Any], conn: Any) -> bool:
    kinds = "select typeof(src), typeof(tool_name), typeof(hook_type), typeof(agent) from hooks where id = ?"
    is_text = dict(
        zip(("src", "tool_name", "hook_type", "agent"), conn.execute(kinds, (row["id"],)).fetchone(), strict=True)
    )

    def is_below(wanted: bytes) -> bool:
        src: bytes = row["src"]
        return src.startswith(wanted[:-1]) if wanted.endswith(b"*") else src == wanted or src.startswith(wanted + b".")

    def is_one_of(name: str) -> bool:
        values = [value.encode() for value in getattr(where, name)]
        return not values or (is_text[name] == b"text" and row[name] in values)

    return (
        (where.since_us is None or row["id"] >= where.since_us)
        and (where.until_us is None or row["id"] < where.until_us)
        and (not where.contexts or row["context_name"] in where.contexts)
        and (not where.src or any(is_below(wanted.encode()) for wanted in where.src))
        and all(is_one_of(name) for name in ("tool_name", "hook_type", "agent"))
        and (not where.errors or row["error"] == 1)
    )


# What is said of one moment


class Meddled:
    """A connection beside which another program does something after the first reading."""

    def __init__(self, conn: Any, meddle: Callable[[], object]) -> None:
        self.conn, self.meddle = conn, meddle

    def execute(self, sql: str, *values: object) -> Any:
        found = self.conn.execute(sql, *values)
        if "count(*)" in sql:
            rows = found.fetchall()
            self.meddle()
            return Rows(rows)
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self.conn, name)


class Rows(list[Any]):
    def fetchall(self) -> "Rows":
        return self

    def fetchone(self) -> Any:
        return self[0]


@pytest.mark.parametrize("where", [Filter(), Filter(hook_type=("PreToolUse",))], ids=["all", "some"])
@pytest.mark.parametrize(
    "sql", ["delete from hooks", "insert into hooks (timestamp, hook_type) values (?, 'PreToolUse')"]
)
def test_a_summary_is_of_one_moment_whatever_is_written_beside_it(
    day: Store, monkeypatch: pytest.MonkeyPatch, where: Filter, sql: str
) -> None:
    values = ((START + 7) / 1e6,) if "?" in sql else ()
    asked = fanout._asked

    def meddled(handle: Any, part: Any, ask: Any) -> Any:
        def between(lent: Any, part: Any) -> Any:
            return ask(lent._replace(conn=Meddled(lent.conn, lambda: by_hand(day, sql, *values))), part)

        return asked(handle, part, between)

    monkeypatch.setattr(fanout, "_asked", meddled)
    found = day.summary(where)
    assert found.events == sum(found.by_type.values()) == sum(found.by_status.values())
    assert found.first_us is not None or not found.events


def test_every_column_is_one_that_these_tests_know(day: Store) -> None:
    assert set(TEXTS) <= set(schema.COLUMNS)
