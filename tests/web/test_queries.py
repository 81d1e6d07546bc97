"""The canned queries of a day and what Datasette says of it: the SQL against a count in Python, and the pages."""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from datasette.app import Datasette

from datasette_eyelet import describe, instance, mounts, queries
from eyelet_ingest.events import Event
from eyelet_ingest.store import layout, text_index
from eyelet_ingest.store.connect import driver, open_reader
from eyelet_ingest.store.layout import DAY_US
from eyelet_ingest.store.select import Filter, conditions, where_sql
from eyelet_ingest.store.store import Store

# The site and the recorder are fixtures of tests/web/conftest.py.
Site = Any
OpenSite = Any
Record = Any

IS_1_0 = hasattr(Datasette, "allowed")
DAY_START_US = 1_773_964_800_000_000  # 2026-03-20
NAME = "default-2026-079"
ALICE = {"id": "alice"}
BOB = {"id": "bob"}
QUERIES = {query.name: query for query in queries.QUERIES}
ALL_ROWS = "1000000"

SRCS = (
    "hero.proc",
    "hero.process",
    "hero.proc.worker",
    "hero.proc.worker.a",
    "hero.proc-x",
    "hero.proc/x",
    "hero.proc_x",
    "hero",
    "HERO.proc",
    "a*b",
    "",
)
PATTERNS = (
    *SRCS[:-1],
    "hero.proc*",
    "hero.*",
    "hero.",
    "*",
    "her",
    "zz",
    "zz*",
    "%",
    "hero%",
    "'",
    "\U0010ffff*",
    "**",
)


def matches(src: str, pattern: str) -> bool:
    """What docs/search.md says of src."""
    if pattern.endswith("*"):
        return src.startswith(pattern[:-1])
    return src == pattern or src.startswith(pattern + ".")


@pytest.fixture
def events(make_event: Callable[..., Event]) -> list[Event]:
    """A day of events, the same in every run but for their uids."""
    chosen = random.Random(79)
    made = []
    for number in range(600):
        tool = chosen.choice(["Bash", "Edit", "mcp__x__y", None])
        made.append(
            make_event(
                DAY_START_US + chosen.randrange(DAY_US),
                hook_type=chosen.choice(["PreToolUse", "PostToolUse"]),
                src=chosen.choice(SRCS),
                error=int(number % 7 == 0),
                session_id=chosen.choice(["", "s-1", "s-2"]),
                tool_name=tool,
                tool_use_id=f"call-{chosen.randrange(200)}" if tool and number % 5 else None,
                duration_ms=round(chosen.random() * 9_000, 3) if number % 3 else None,
                data=json.dumps({"tool_input": {"command": f"echo {number}\nls"}}),
                meta={"execution": {"error_code": "exit:1", "error_message": "it broke"}} if number % 7 == 0 else None,
            )
        )
    return made


@pytest.fixture
def day(store: Store, root: str, events: list[Event]) -> Iterator[Any]:
    """A connection that reads the partition of these events."""
    assert store.append(events).stored == len(events)
    conn = open_reader(layout.db_path(root, layout.PartitionKey("default", 2026, 79)))
    yield conn
    conn.close()


def run(conn: Any, name: str, **given: str) -> list[dict[str, Any]]:
    """The rows; what is not given is '', as Datasette binds it."""
    asked = {**dict.fromkeys(QUERIES[name].parameters, ""), **given}
    cursor = conn.execute(QUERIES[name].sql, asked)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def plan(conn: Any, name: str, **given: str) -> str:
    asked = {**dict.fromkeys(QUERIES[name].parameters, ""), **given}
    return "\n".join(str(row[3]) for row in conn.execute(f"explain query plan {QUERIES[name].sql}", asked))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_by_prefix_finds_what_a_count_in_python_finds(day: Any, pattern: str) -> None:
    everything = day.execute("select id, src from hooks order by id desc").fetchall()
    expected = [id_ for id_, src in everything if matches(src, pattern)]
    assert [row["id"] for row in run(day, "by_prefix", src=pattern, limit=ALL_ROWS)] == expected


@pytest.mark.parametrize("pattern", PATTERNS)
def test_by_prefix_means_what_the_search_means_by_src(day: Any, pattern: str) -> None:
    clauses, params = conditions(Filter(src=(pattern,)))
    sought = day.execute(f"select id from hooks{where_sql(clauses)} order by id desc", params).fetchall()
    assert [(row["id"],) for row in run(day, "by_prefix", src=pattern, limit=ALL_ROWS)] == sought


def test_by_prefix_without_src_shows_the_newest_events(day: Any) -> None:
    newest = day.execute("select id from hooks order by id desc limit 100").fetchall()
    assert [(row["id"],) for row in run(day, "by_prefix")] == newest


def test_errors_are_the_newest_failures(day: Any, events: list[Event]) -> None:
    found = run(day, "errors", limit=ALL_ROWS)
    assert len(found) == sum(event.error or 0 for event in events)
    assert [row["id"] for row in found] == sorted((row["id"] for row in found), reverse=True)
    assert {(row["error_code"], row["error_message"]) for row in found} == {("exit:1", "it broke")}
    assert all(row["what"].startswith("echo ") and "\n" not in row["what"] for row in found)
    assert run(day, "errors", limit="3") == found[:3]


def test_a_session_is_told_in_order_and_goes_on_after_an_id(day: Any, events: list[Event]) -> None:
    whole = run(day, "session", session_id="s-1")
    assert len(whole) == sum(event.session_id == "s-1" for event in events)
    assert [row["id"] for row in whole] == sorted(row["id"] for row in whole)
    told: list[dict[str, Any]] = []
    while page := run(day, "session", session_id="s-1", limit="50", after=str(told[-1]["id"] if told else "")):
        told += page
    assert told == whole


def test_without_session_id_the_session_of_the_last_event_is_told(day: Any) -> None:
    (latest,) = day.execute("select session_id from hooks where session_id <> '' order by id desc limit 1").fetchone()
    assert run(day, "session") == run(day, "session", session_id=latest) != []


def test_tools_tell_events_from_calls(day: Any, events: list[Event]) -> None:
    found = {row["tool_name"]: row for row in run(day, "tools")}
    assert found.keys() == {"Bash", "Edit", "mcp__x__y"}
    for tool, row in found.items():
        of_tool = [event for event in events if event.tool_name == tool]
        durations = [event.duration_ms for event in of_tool if event.duration_ms is not None]
        failed = [event for event in of_tool if event.error]
        assert row["events"] == len(of_tool)
        assert row["error_events"] == len(failed)
        assert row["calls"] == len({event.tool_use_id for event in of_tool} - {None})
        assert row["failed_calls"] == len({event.tool_use_id for event in failed} - {None})
        assert row["max_duration_ms"] == max(durations)
        assert row["avg_duration_ms"] == pytest.approx(sum(durations) / len(durations), abs=0.06)


def test_the_slowest_come_first(day: Any, events: list[Event]) -> None:
    durations = sorted((event.duration_ms for event in events if event.duration_ms is not None), reverse=True)
    assert [row["duration_ms"] for row in run(day, "slowest", limit="40")] == durations[:40]


def test_every_hour_of_the_day_is_there_with_its_counts(day: Any, events: list[Event]) -> None:
    hour = {event: datetime.fromtimestamp(event.time_us // 10**6, timezone.utc).hour for event in events}
    all_events, errors = Counter(hour.values()), Counter(hour[event] for event in events if event.error)
    expected = [(f"2026-03-20 {number:02d}:00", all_events[number], errors[number]) for number in range(24)]
    assert [tuple(row.values()) for row in run(day, "hourly")] == expected


@pytest.mark.parametrize("name", [name for name, query in QUERIES.items() if "limit" in query.parameters])
@pytest.mark.parametrize("limit", ["0", "-1", "many", "1e3x", " ", "'; drop table hooks"])
def test_a_limit_that_is_none_is_the_default(day: Any, name: str, limit: str) -> None:
    if limit == "1e3x":  # SQLite reads the number it begins with
        assert len(run(day, name, limit=limit)) == 1
    else:
        assert run(day, name, limit=limit) == run(day, name)


@pytest.mark.parametrize("analysed", [False, True])
def test_queries_go_by_an_index(store: Store, root: str, day: Any, analysed: bool) -> None:
    if analysed:
        from eyelet_ingest.store.connect import driver

        writer = driver().connect(layout.db_path(root, layout.PartitionKey("default", 2026, 79)))
        writer.execute("analyze")
        writer.commit()
        writer.close()
    for pattern in ("hero.proc", "hero.proc*", ""):
        assert "INDEX hooks_src (src>? AND src<?)" in plan(day, "by_prefix", src=pattern)
    assert "INDEX hooks_error (error=?)" in plan(day, "errors")
    assert "TEMP B-TREE" not in plan(day, "errors")
    assert "INDEX hooks_session (session_id=? AND rowid>?)" in plan(day, "session", session_id="s-1")
    assert "TEMP B-TREE" not in plan(day, "session", session_id="s-1")
    assert "hooks_tool" in plan(day, "tools")
    assert "SCAN hooks USING COVERING INDEX" in plan(day, "hourly")
    assert "COVERING INDEX hooks_error" in plan(day, "hourly")


def test_only_columns_that_a_day_has_are_described(day: Any, root: str) -> None:
    text_index.catch_up(root, layout.PartitionKey("default", 2026, 79), 1_000)
    for table, said in describe.database(NAME)["tables"].items():
        there = {row[1] for row in day.execute(f"pragma table_xinfo({table})")}
        assert set(said["columns"]) <= there


@pytest.mark.parametrize("query", queries.QUERIES, ids=lambda query: query.name)
async def test_each_query_is_a_page_with_title_form_and_rows(site: Site, day: Any, query: queries.Query) -> None:
    front = (await site.get(f"/{NAME}")).text
    if IS_1_0:  # which shows five there, and a link to all
        assert f'href="/{NAME}/-/queries"' in front
        front = (await site.get(f"/{NAME}/-/queries")).text
    assert f'href="/{NAME}/{query.name}"' in front and query.title in front
    answer = await site.get(f"/{NAME}/{query.name}")
    assert answer.status_code == 200
    assert query.title in answer.text and query.description.split(".")[0] in answer.text
    for parameter in query.parameters:
        assert f'name="{parameter}"' in answer.text
    assert answer.text.count("<tr>") > 3
    rows = (await site.json(f"/{NAME}/{query.name}.json?_shape=objects"))["rows"]
    assert rows == run(day, query.name)


async def test_what_a_query_is_asked_reaches_it(site: Site, day: Any) -> None:
    for path, expected in (
        ("by_prefix.json?src=hero.proc&limit=5", run(day, "by_prefix", src="hero.proc", limit="5")),
        ("session.json?session_id=s-2&limit=7", run(day, "session", session_id="s-2", limit="7")),
        ("errors.json?limit=x", run(day, "errors")),
    ):
        assert (await site.json(f"/{NAME}/{path}&_shape=objects"))["rows"] == expected
    assert len((await site.get(f"/{NAME}/errors.csv?limit=4")).text.splitlines()) == 5


async def test_a_result_says_the_time_of_an_event_once_and_its_id_leads_to_it(site: Site, record: Record) -> None:
    (event_id,) = record(DAY_START_US + 5, src="hero.proc")
    page = (await site.get(f"/{NAME}/by_prefix")).text
    assert f'<a href="/-/eyelet/event/default/{event_id}">{event_id}</a>' in page
    assert page.count("2026-03-20 00:00:00.000") == 1


async def test_recorded_text_stays_text_in_the_result(site: Site, record: Record) -> None:
    record(DAY_START_US, data='{"prompt": "<script>alert(1)</script>"}', error=1)
    assert "<script>alert(1)" not in (await site.get(f"/{NAME}/errors")).text


async def test_whoever_may_see_the_day_may_run_its_queries_and_no_other_sql(open_site: OpenSite, day: Any) -> None:
    site = await open_site(contexts={"default": {"allow": ALICE}}, datasette={"settings": {"default_allow_sql": False}})
    for name in QUERIES:
        assert (await site.get(f"/{NAME}/{name}", ALICE)).status_code == 200
    free = f"/{NAME}/-/query?sql=select+1" if IS_1_0 else f"/{NAME}?sql=select+1"
    assert (await site.get(free, ALICE)).status_code == 403


async def test_whoever_may_not_see_the_day_sees_no_query(open_site: OpenSite, record: Record, day: Any) -> None:
    site = await open_site(contexts={"work": {"allow": BOB}})
    record(DAY_START_US, context="work")
    assert (await site.get(f"/{NAME}/errors")).status_code == 200, "mounted by root"
    assert (await site.get("/work-2026-079/errors", BOB)).status_code == 200
    for actor in (BOB, None):
        for name in QUERIES:
            for end in ("", ".json", ".csv"):
                assert (await site.get(f"/{NAME}/{name}{end}", actor)).status_code == 403
        for path in (
            "/",
            "/-/queries",
            "/-/queries.json",
            "/-/jump.json?q=errors",
            "/-/metadata.json",
            "/-/config.json",
        ):
            assert NAME not in (await site.get(path, actor)).text


async def test_a_day_without_its_table_offers_no_query_until_it_has_one(site: Site, root: str, record: Record) -> None:
    path = Path(layout.db_path(root, layout.key_from_mount_name(NAME)))
    path.parent.mkdir(parents=True)
    conn = driver().connect(path)
    conn.execute("create table others (what text)")
    conn.close()
    assert f'href="/{NAME}/errors' not in (await site.get(f"/{NAME}")).text
    assert (await site.get(f"/{NAME}/errors")).status_code == 404
    path.unlink()
    record(DAY_START_US + 5)
    assert f'href="/{NAME}/errors' in (await site.get(f"/{NAME}")).text
    assert (await site.get(f"/{NAME}/errors")).status_code == 200


async def test_a_database_that_is_no_day_has_no_query_of_ours(site: Site, day: Any) -> None:
    assert (await site.get(f"/{NAME}/errors")).status_code == 200
    assert (await site.get("/_memory/errors")).status_code == 404


async def test_a_day_says_what_it_is_and_shows_the_newest_first(site: Site, day: Any) -> None:
    front = (await site.get(f"/{NAME}")).text
    assert "default · 2026-03-20" in front and "in the context default" in front
    assert f'href="/{NAME}/eyelet_partition"' not in front, "hidden"
    table = (await site.get(f"/{NAME}/hooks")).text
    assert "Every event, whole." in table
    assert describe.database(NAME)["tables"]["hooks"]["columns"]["status"] in table
    ids = [row["id"] for row in (await site.json(f"/{NAME}/hooks.json?_shape=objects"))["rows"]]
    assert ids == sorted(ids, reverse=True)
    ids = [row["id"] for row in (await site.json(f"/{NAME}/hooks.json?_shape=objects&_sort=id"))["rows"]]
    assert ids == sorted(ids)


async def test_what_a_site_says_of_a_day_counts(root: str, day: Any) -> None:
    said = {
        "databases": {
            NAME: {
                "title": "Moving house",
                "tables": {"hooks": {"sort": "id", "columns": {"model": "Which one"}}},
            }
        },
        "plugins": {"datasette-eyelet": {"root": root, "allow": True}},
    }
    datasette = Datasette(memory=True, metadata=said)
    await datasette.invoke_startup()
    front = (await datasette.client.get(f"/{NAME}")).text
    assert "Moving house" in front and "in the context default" in front
    table = (await datasette.client.get(f"/{NAME}/hooks")).text
    assert "Which one" in table and "Joins the events of one call" in table
    rows = (await datasette.client.get(f"/{NAME}/hooks.json?_shape=objects")).json()["rows"]
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)


@pytest.mark.skipif(not IS_1_0, reason="0.65 keeps nothing")
async def test_nothing_of_an_unmounted_day_stays_in_datasette(open_site: OpenSite, day: Any, record: Record) -> None:
    site = await open_site(max_mounted_days=1)
    internal = site.datasette.get_internal_database()

    async def held(name: str) -> dict[str, int]:
        tables = ("queries", "metadata_databases", "metadata_resources", "metadata_columns")
        counted = {}
        for table in tables:
            found = await internal.execute(f"select count(*) from {table} where database_name = ?", [name])
            counted[table] = found.first()[0]
        return counted

    assert (await site.get(f"/{NAME}")).status_code == 200
    once = await held(NAME)
    assert once["queries"] == len(QUERIES) and all(once.values())
    await queries.add_to(site.datasette, NAME)
    assert await held(NAME) == once, "twice is once"
    record(DAY_START_US + DAY_US)
    assert (await site.get("/default-2026-080")).status_code == 200
    assert await held(NAME) == dict.fromkeys(once, 0)
    assert list(instance.of(site.datasette).days.mounted) == ["default-2026-080"]


@pytest.mark.skipif(not IS_1_0, reason="0.65 stores no queries")
async def test_a_query_that_somebody_stored_on_a_day_is_theirs(site: Site, day: Any) -> None:
    await site.datasette.add_query(NAME, "errors", "select 'mine'", title="Mine", is_trusted=True, source="user")
    assert (await site.json(f"/{NAME}/errors.json?_shape=arrays"))["rows"] == [["mine"]]
    await queries.remove_from(site.datasette, NAME)
    assert (await site.datasette.get_query(NAME, "errors")).title == "Mine"
    assert await site.datasette.get_query(NAME, "tools") is None


@pytest.mark.skipif(not IS_1_0, reason="0.65 has one kind of metadata")
async def test_other_plugins_keep_their_settings_on_a_day(root: str, day: Any) -> None:
    plugins = {"datasette-eyelet": {"root": root, "allow": True}, "datasette-other": {"colour": "red"}}
    datasette = Datasette(memory=True, config={"plugins": plugins})
    await datasette.invoke_startup()
    days = instance.of(datasette).days
    mounted = await days.mount(layout.PartitionKey("default", 2026, 79))
    with mounts.showing(mounted):
        for where in ({}, {"database": NAME}, {"database": NAME, "table": "hooks"}):
            assert datasette.plugin_config("datasette-other", **where) == {"colour": "red"}


def test_the_documentation_names_every_query_and_parameter() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "queries.md").read_text("utf-8")
    for query in queries.QUERIES:
        assert f"## {query.name}" in text
        section = text.split(f"## {query.name}\n")[1].split("\n## ")[0]
        assert all(f"`{parameter}`" in section for parameter in query.parameters)
