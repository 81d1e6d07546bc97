"""The databases over all days, `eyelet` and `eyelet-<context>`, with the extension and without it."""

import asyncio
import json
import os
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from datasette_eyelet import describe, eyelet_connections, eyelet_database, instance, queries
from datasette_eyelet.scope import Scope, scope_of
from eyelet_ingest.store import connect, layout
from eyelet_ingest.store.layout import DAY_US, key_for
from eyelet_ingest.store.store import Store

BOB = {"id": "bob"}
HOSTILE = "\u202e<script>alert(1)</script>\x1b[2J"
Json = dict[str, Any]


def why_not() -> str:
    conn = connect.open_memory()
    try:
        return connect.load_extension(conn)
    finally:
        conn.close()


@pytest.fixture(params=["attached", "extended"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways: ten days attached, or all days by the extension."""
    if request.param == "attached":
        monkeypatch.setattr(connect, "load_extension", lambda conn: "it is not built")
    elif reason := why_not():
        pytest.skip(reason)
    return str(request.param)


@pytest.fixture
def attached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect, "load_extension", lambda conn: "it is not built")


async def rows_of(site: Any, path: str) -> list[Json]:
    """All rows, page after page as `next_url` leads."""
    found: list[Json] = []
    url: str | None = path + ("&" if "?" in path else "?") + "_shape=objects&_size=3"
    while url:
        page = await site.json(url)
        found += page["rows"]
        url = (page.get("next_url") or "").replace("http://localhost", "") or None
    return found


async def count(site: Any, database: str, where: str = "1") -> int:
    found = await site.datasette.databases[database].execute(f"select count(*) from hooks where {where}")
    number: int = found.rows[0][0]
    return number


async def test_every_event_of_every_day_is_on_one_page_after_another_once_newest_first(
    way: str, site: Any, record: Any, noon_us: int
) -> None:
    times = [noon_us - day * DAY_US + number for day in range(4) for number in range(3)]
    record(*times, context="one")
    record(*(time for time in times if time % 2), context="two")
    rows = await rows_of(site, "/eyelet/hooks.json")
    got = [(row["id"], row["context_name"]) for row in rows]
    expected = [(time, "one") for time in times] + [(time, "two") for time in times if time % 2]
    assert got == sorted(expected, key=lambda event: (-event[0], event[1]))
    assert [row["id"] for row in await rows_of(site, "/eyelet/hooks.json?_sort=id")] == [
        *sorted(time for time, _ in got)
    ]
    by_key = await rows_of(site, "/eyelet/hooks.json?context_name=two&id__lte=" + str(times[1]))
    assert [row["id"] for row in by_key] == sorted((t for t in times if t % 2 and t <= times[1]), reverse=True)


async def test_a_row_of_any_day_has_its_page_with_ways_to_its_event_and_its_day(
    way: str, site: Any, record: Any, noon_us: int
) -> None:
    record(noon_us - 2 * DAY_US, context="work", data=json.dumps({"prompt": HOSTILE}))
    event_id = noon_us - 2 * DAY_US
    for database in ("eyelet", "eyelet-work"):
        found = await site.json(f"/{database}/hooks/work,{event_id}.json?_shape=objects")
        assert [(row["context_name"], row["id"]) for row in found["rows"]] == [("work", event_id)]
        html = (await site.get(f"/{database}/hooks/work,{event_id}")).text
        day = key_for("work", event_id).mount_name
        for href in (f"/-/eyelet/event/work/{event_id}", f"/{day}/hooks/{event_id}"):
            assert f'href="{href}"' in html
        assert "<script>alert" not in html and "\u202e" not in html and "\x1b" not in html
    assert (await site.get(f"/eyelet/hooks/work,{event_id + 1}")).status_code == 404
    assert (await site.get("/eyelet/hooks/work")).status_code in (400, 404), "half a key"
    assert (await site.get(f"/eyelet/hooks/other,{event_id}")).status_code == 404


async def test_the_database_of_a_context_holds_that_context_alone(
    way: str, site: Any, record: Any, noon_us: int
) -> None:
    record(noon_us, noon_us + 1, context="mine")
    record(noon_us, context="other", session_id="gnu")
    assert {row["context_name"] for row in await rows_of(site, "/eyelet-mine/hooks.json")} == {"mine"}
    days = await site.json("/eyelet-mine/partitions.json?_shape=objects")
    assert [row["context_name"] for row in days["rows"]] == ["mine"]
    database = await mounted(site, "mine")
    for sql in (
        "select count(*) from hooks where context_name = 'other'",
        "select count(*) from hooks where session_id = 'gnu'",
        "select count(*) from partitions where context_name <> 'mine'",
        "select count(*) from sources where context_name <> 'mine'",
        "select count(*) from pragma_database_list where file like '%/other/%'",
    ):
        assert (await database.execute(sql)).rows[0][0] == 0, sql
    for sql in ("attach database ? as x", "create virtual table x using eyelet_partitions(table='hooks')"):
        with pytest.raises(connect.driver().DatabaseError):
            await database.execute(sql, [layout.db_path("/", key_for("other", noon_us))][: sql.count("?")])


async def mounted(site: Any, context: str) -> Any:
    assert (await site.get(f"/eyelet-{context}")).status_code == 200
    return instance.of(site.datasette).days.over_days[f"eyelet-{context}"]


async def test_who_may_see_one_context_has_its_table_and_no_other(
    way: str, open_site: Any, record: Any, noon_us: int
) -> None:
    site = await open_site(contexts={"mine": {"allow": {"id": "bob"}}})
    record(noon_us, context="mine")
    record(noon_us, context="other")

    async def status(path: str, actor: Any) -> int:
        return int((await site.get(path, actor)).status_code)

    for path in ("/eyelet-mine", "/eyelet-mine/hooks", "/eyelet-mine/hooks.json", f"/eyelet-mine/hooks/mine,{noon_us}"):
        assert await status(path, BOB) == 200, path
        assert await status(path, None) == 403, path
    for path in ("/eyelet", "/eyelet/hooks.json", "/eyelet-other", "/eyelet-other/hooks.json", "/eyelet-ghost/hooks"):
        assert await status(path, BOB) == 403, path
    assert await status("/eyelet-ghost/hooks", {"id": "root"}) == 404
    for path in ("/-/databases.json", "/.json"):
        for actor in (BOB, {"id": "root"}, None):
            assert "eyelet-mine" not in (await site.get(path, actor)).text, "it is there for who asks for it alone"
    assert "eyelet-other" not in (await site.get("/", BOB)).text
    assert "eyelet-" not in (await site.get("/", None)).text.replace("eyelet-front", "")


def test_names_part_from_the_right() -> None:
    assert scope_of("eyelet") == Scope(None)
    assert scope_of("eyelet-x") == Scope("x")
    assert scope_of("eyelet-x-2026-001") is None, "a day of the context eyelet-x"
    assert scope_of("eyelet-x-2026-999") == Scope("x-2026-999")
    for name in ("eyelets", "eyelet-", "eyelet-X", "eyelet-../x", "x-eyelet", ""):
        assert scope_of(name) is None, name
    assert Scope("x").name == "eyelet-x" and Scope(None).name == "eyelet"


async def test_a_new_day_is_there_at_once_and_a_removed_one_gone(
    way: str, site: Any, record: Any, store: Any, noon_us: int
) -> None:
    record(noon_us)
    assert await count(site, "eyelet") == 1
    record(noon_us - DAY_US)
    record(noon_us + 1)
    assert await count(site, "eyelet") == 3
    instance.of(site.datasette).days.release(key_for("default", noon_us))
    remove(store, noon_us)
    assert await count(site, "eyelet") == 1
    assert [row["id"] for row in await rows_of(site, "/eyelet/hooks.json")] == [noon_us - DAY_US]


def remove(store: Any, time_us: int) -> None:
    folder = layout.partition_dir(store.root, key_for("default", time_us))
    for name in os.listdir(folder):
        os.unlink(os.path.join(folder, name))
    os.rmdir(folder)


async def test_a_day_that_cannot_be_read_is_left_out_and_said(
    way: str, site: Any, record: Any, root: str, noon_us: int
) -> None:
    record(noon_us, noon_us - DAY_US)
    path = layout.db_path(root, key_for("default", noon_us - 2 * DAY_US))
    os.makedirs(os.path.dirname(path))
    with open(path, "wb") as file:
        file.write(b"no database" * 500)
    foreign = layout.db_path(root, key_for("default", noon_us - 3 * DAY_US))
    os.makedirs(os.path.dirname(foreign))
    conn = connect.driver().connect(foreign)
    conn.execute("create view hooks as select 1 as id, 'x' as src")
    conn.close()
    assert await count(site, "eyelet") == 2
    html = (await site.get("/eyelet/hooks")).text
    for time_us in (noon_us - 2 * DAY_US, noon_us - 3 * DAY_US):
        assert key_for("default", time_us).date in html.split("cannot be read")[1]


async def test_rows_outside_their_day_are_in_no_answer(
    way: str, site: Any, record: Any, root: str, noon_us: int
) -> None:
    record(noon_us, noon_us + 1, noon_us - DAY_US)
    conn = connect.open_writer(layout.db_path(root, key_for("default", noon_us)))
    conn.execute("update hooks set id = ? where id = ?", [noon_us - DAY_US + 7, noon_us + 1])
    conn.close()
    assert [row["id"] for row in await rows_of(site, "/eyelet/hooks.json")] == [noon_us, noon_us - DAY_US]


async def test_without_the_extension_the_newest_days_are_there_and_the_page_says_so(
    attached: None, site: Any, record: Any, noon_us: int
) -> None:
    record(*(noon_us - day * DAY_US for day in range(13)))
    assert len(await rows_of(site, "/eyelet/hooks.json")) == 10
    for page in ("/eyelet", "/eyelet/hooks", "/eyelet-default/hooks"):
        html = (await site.get(page)).text
        html = (await site.get(page)).text
        said = html.split('class="eyelet-warning"')[1].split("</p>")[0]
        assert "newest 10" in said and "3 others" in said and "it is not built" in said, page
        assert "/-/eyelet/days" in said
    assert len((await site.json("/eyelet/partitions.json?_size=max"))["rows"]) == 13


async def test_the_text_index_of_one_attached_day_is_not_taken_for_that_of_all(
    attached: None, site: Any, record: Any, store: Any, noon_us: int
) -> None:
    record(noon_us, noon_us - DAY_US, data=json.dumps({"prompt": "zebra"}))
    store.text_build(key_for("default", noon_us))
    path = "/eyelet/-/query.json?sql=" if hasattr(site.datasette, "allowed") else "/eyelet.json?sql="
    refused = await site.get(path + quote("select rowid from hooks_fts where hooks_fts match 'zebra'"))
    assert refused.status_code == 400
    assert "hooks_fts at character 19 is there with the extension in C only" in refused.json()["error"]
    found = await site.get(path + quote("select json_array_length(eyelet_text('zebra'))") + "&_shape=arrays")
    assert found.json()["rows"] == [[2]], "what the refusal names instead"


async def test_what_a_person_asks_is_asked_as_it_is_written(
    way: str, site: Any, record: Any, noon_us: int, capfd: pytest.CaptureFixture[str]
) -> None:
    record(*range(noon_us, noon_us + 1_100))
    path = "/eyelet/-/query.json?sql=" if hasattr(site.datasette, "allowed") else "/eyelet.json?sql="

    async def ask(sql: str, more: str = "") -> Any:
        return await site.get(f"{path}{quote(sql)}&_shape=arrays{more}")

    for limit_ms in (50, 200):  # the times that Datasette gives to what it asks of its own accord
        found = await ask("select count(*) from (select id from hooks)", f"&_timelimit={limit_ms}")
        assert found.status_code == 400 or found.json()["rows"] == [[1_100]], "no sample, whatever the time"
    both = f"select id from hooks where id < {noon_us + 2} union all select id from hooks where id > {noon_us + 1_098}"
    found = await ask(f"{both} order by id desc limit 2")
    assert found.json()["rows"] == [[noon_us + 1_099], [noon_us + 1]], found.text
    for wrong, said in (("select 1; select 2", "one statement"), ("select '\0'", "null character")):
        found = await ask(wrong)
        assert found.status_code == 400 and said in found.text, wrong
    assert "Record not found" not in (await ask("select ?1, :a")).text
    for wrong in ("_facet_array=hook_type", "_where=nothing", "hook_type__arraycontains=x"):
        for kind in ("", ".json", ".csv"):
            assert (await site.get(f"/eyelet/hooks{kind}?{wrong}")).status_code in (200, 400), (wrong, kind)
    assert "Traceback" not in "".join(capfd.readouterr())


async def test_what_takes_too_long_is_a_page_and_no_traceback(
    way: str, open_site: Any, record: Any, noon_us: int, capfd: pytest.CaptureFixture[str]
) -> None:
    secret = "lost-password"
    record(noon_us)
    site = await open_site(datasette={"settings": {"sql_time_limit_ms": 100}})
    endless = f"(with recursive t(n) as (select 1 union all select n + 1 from t) select max(n) from t) <> '{secret}'"
    slow = f"_nocount=1&_where={quote(endless)}"
    for table in ("/eyelet/hooks", f"/{key_for('default', noon_us).mount_name}/hooks"):
        for path in (f"{table}?{slow}", f"{table}.json?{slow}", f"{table}.csv?_stream=1&{slow}"):
            answer = await site.get(path)
            assert answer.status_code == 400 and "took too long" in answer.text, (path, answer.text[-300:])
    said = "".join(capfd.readouterr())
    assert "Traceback" not in said and secret not in said


async def test_facets_and_counts_are_those_of_all_rows(way: str, site: Any, record: Any, noon_us: int) -> None:
    for day in range(3):
        record(*(noon_us - day * DAY_US + n for n in range(4)), tool_name="Bash", hook_type="PostToolUse")
    record(noon_us + 9, tool_name="Edit", hook_type="PostToolUse", context="work")
    for path, expected in (
        ("/eyelet/hooks.json?_facet=tool_name", {"Bash": 12, "Edit": 1}),
        ("/eyelet/hooks.json?_facet=context_name", {"default": 12, "work": 1}),
        ("/eyelet/hooks.json?_facet=tool_name&context_name=work", {"Edit": 1}),
        ("/eyelet-default/hooks.json?_facet=tool_name", {"Bash": 12}),
    ):
        found = (await site.json(path))["facet_results"]
        found = found.get("results", found)
        [facet] = found.values()
        assert {one["value"]: one["count"] for one in facet["results"]} == expected, path
    database = site.datasette.databases["eyelet"]
    assert await database.table_counts(1_000) == {"hooks": 13, "partitions": 4}
    record(noon_us + 10, context="work")
    assert (await database.table_counts(1_000))["hooks"] == 14


async def test_what_is_remembered_of_a_days_rows_ends_with_its_files(
    site: Any, record: Any, root: str, noon_us: int
) -> None:
    if reason := why_not():
        pytest.skip(reason)
    path = layout.db_path(root, key_for("default", noon_us))

    def age() -> None:
        """Long ago is when a file is trusted to show its next change."""
        for name in (path, path + "-wal"):
            if os.path.exists(name):
                before_ns = os.stat(name).st_mtime_ns - 60_000_000_000
                os.utime(name, ns=(before_ns, before_ns))

    counting = site.datasette.databases["eyelet"].counting
    record(noon_us, noon_us - DAY_US)
    assert await counting.events(1_000) == 2
    age()  # with what reading has put beside it
    assert await counting.events(1_000) == 2
    assert path in counting._known
    record(noon_us + 1)
    assert await counting.events(1_000) == 3
    age()
    assert await counting.events(1_000) == 3
    remove(Store(root), noon_us)
    assert await counting.events(1_000) == 1


async def test_the_csv_stream_holds_every_row_once(way: str, site: Any, record: Any, noon_us: int) -> None:
    times = [noon_us - day * DAY_US + number for day in range(4) for number in range(300)]
    record(*times)
    expected = [str(time) for time in sorted(times, reverse=True)]
    for path in ("/eyelet/hooks.csv?_stream=1&_col=id&_size=max", "/eyelet-default/hooks.csv?_stream=1&_size=max"):
        answer = await site.get(path)
        ids = [line.split(",")[1] for line in answer.text.splitlines()[1:] if line]
        assert ids == expected, path
    assert len((await site.get("/eyelet/hooks.csv?_size=7")).text.splitlines()) == 8


async def test_our_own_filters_work_on_all_days(way: str, site: Any, record: Any, noon_us: int) -> None:
    record(noon_us, src="claude.posttooluse.bash.git.push")
    record(noon_us - DAY_US, src="claude.posttooluse.bashful", data='{"said": "100%"}')
    found = await rows_of(site, "/eyelet/hooks.json?_src=claude.posttooluse.bash")
    assert [row["id"] for row in found] == [noon_us]
    found = await rows_of(site, "/eyelet/hooks.json?_q=100%25")
    assert [row["id"] for row in found] == [noon_us - DAY_US]
    html = (await site.get("/eyelet/hooks?_src=claude.posttooluse.bash&context_name=default")).text
    assert "/-/eyelet?range=all&amp;context=default&amp;src=" in html or "context=default" in html


async def test_the_connections_go_when_a_day_is_to_go(way: str, site: Any, record: Any, noon_us: int) -> None:
    record(noon_us)
    assert await count(site, "eyelet") == 1
    await site.json("/eyelet-default/hooks.json")
    held = instance.of(site.datasette)
    over = [site.datasette.databases["eyelet"], held.days.over_days["eyelet-default"]]
    assert all(database.connections.waiting for database in over)
    held.days.release(key_for("default", noon_us))
    assert not any(database.connections.waiting for database in over)


async def test_few_connections_wait_however_many_contexts_are_asked(
    way: str, site: Any, record: Any, noon_us: int
) -> None:
    """Each holds days open, an eighth of all files that the process may open."""
    names = [f"c{number}" for number in range(eyelet_connections.MOST_WAITING + 3)]
    for name in names:
        record(noon_us, context=name)
        assert len((await site.json(f"/eyelet-{name}/hooks.json"))["rows"]) == 1
    over = instance.of(site.datasette).days.over_days
    waiting = {name: over[f"eyelet-{name}"].connections.waiting for name in names}
    assert sum(waiting.values()) <= eyelet_connections.MOST_WAITING and waiting[names[-1]]


async def test_damage_found_late_is_a_page_and_no_traceback(
    site: Any, record: Any, root: str, noon_us: int, capfd: pytest.CaptureFixture[str], make_page: Callable[..., None]
) -> None:
    record(*range(noon_us, noon_us + 400), data=json.dumps({"said": "x" * 400}))
    path = layout.db_path(root, key_for("default", noon_us))
    make_page(path)
    answer = await site.get(f"/{key_for('default', noon_us).mount_name}/hooks?_size=max")
    assert answer.status_code == 503 and "That day cannot be read" in answer.text
    said = capfd.readouterr()
    assert "Traceback" not in said.out + said.err


@pytest.fixture
def make_page() -> Callable[[str], None]:
    def damage(path: str) -> None:
        """Writes over a page of the table in the middle of the file."""
        conn = connect.open_writer(path)
        conn.execute("pragma wal_checkpoint(truncate)")
        conn.close()
        size = os.path.getsize(path)
        with open(path, "r+b") as file:
            for page in range(size // 8192, size // 4096 - 1):
                file.seek(page * 4096)
                file.write(b"\xff" * 4096)

    return damage


async def test_a_hundred_at_once_each_hear_the_truth_while_days_come(
    way: str, site: Any, record: Any, noon_us: int
) -> None:
    for context in ("one", "two"):
        record(*(noon_us - day * DAY_US + number for day in range(4) for number in range(5)), context=context)

    async def ask(number: int) -> None:
        context = ("one", "two")[number % 2]
        if number % 25 == 0:
            await asyncio.to_thread(record, noon_us - 5 * DAY_US - number, context="three")
        found = await site.json(f"/eyelet-{context}/hooks.json?_shape=objects&_size=max&_col=id&_nosuggest=1")
        assert [row["context_name"] for row in found["rows"]] == [context] * 20
        every = await site.json("/eyelet/hooks.json?_shape=objects&_size=max&_col=id&_nosuggest=1")
        ids = [row["id"] for row in every["rows"]]
        assert len(ids) >= 40 and ids == sorted(ids, reverse=True)

    await asyncio.gather(*map(ask, range(100)))
    assert await count(site, "eyelet") == 44
    assert len(await rows_of(site, "/eyelet-three/hooks.json")) == 4


async def test_no_hostile_character_of_any_day_reaches_a_cell(way: str, site: Any, record: Any, noon_us: int) -> None:
    hostile = {"session_id": HOSTILE, "tool_name": HOSTILE, "src": HOSTILE, "model": HOSTILE, "agent": HOSTILE}
    record(noon_us, data=json.dumps({"prompt": HOSTILE}), tool_use_id=HOSTILE, status="pending", **hostile)
    sql = "select+*+from+hooks+union+all+select+*+from+hooks"
    query = "/eyelet/-/query?sql=" if hasattr(site.datasette, "allowed") else "/eyelet?sql="
    pages = ["/eyelet/hooks", "/eyelet/hooks?_facet=tool_name", f"/eyelet/hooks/default,{noon_us}", "/eyelet/calls"]
    for page in [*pages, "/eyelet/sources", "/eyelet/counts", "/eyelet-default/hooks?_q=alert", query + sql]:
        answer = await site.get(page)
        assert answer.status_code == 200, page
        assert "<script>alert" not in answer.text, page
        cells = re.findall(r"<td[^>]*>(.*?)</td>", answer.text, re.DOTALL)
        assert cells and any("\\u202e" in cell for cell in cells), page
        for bad in ("\u202e", "\x1b"):
            assert not any(bad in cell for cell in cells), (page, bad)


async def test_the_front_page_leads_to_the_table_of_each_context(open_site: Any, record: Any, noon_us: int) -> None:
    site = await open_site(contexts={"mine": {"allow": {"id": "bob"}}})
    record(noon_us, context="mine")
    record(noon_us, context="other")
    for actor, expected in ((BOB, {"mine"}), ({"id": "root"}, {"mine", "other"})):
        html = (await site.get("/", actor)).text
        assert set(re.findall(r'href="/eyelet-([a-z]+)/hooks"', html)) == expected
        for context in expected:
            assert (await site.get(f"/eyelet-{context}/hooks", actor)).status_code == 200


async def test_nothing_leads_to_the_table_of_a_context_whose_name_ends_as_a_days(
    site: Any, record: Any, noon_us: int
) -> None:
    """`/eyelet-x-2026-001` is a day of another context, which may be there."""
    record(noon_us, context="x-2026-001")
    day = key_for("x-2026-001", noon_us).mount_name
    pages = [(await site.get(path)).text for path in ("/", f"/{day}", "/eyelet/hooks", "/eyelet/sources")]
    assert all("x-2026-001" in page and "/eyelet-x-2026-001" not in page for page in pages)


async def test_every_table_over_days_is_described_and_hidden_by_no_query(
    way: str, site: Any, record: Any, noon_us: int
) -> None:
    record(noon_us)
    database = site.datasette.databases["eyelet"]
    listed = set(await database.table_names()) - set(await database.hidden_table_names())
    names = listed | set(await database.view_names())
    assert names == set(describe.database("eyelet")["tables"])
    assert not names & {query.name for query in queries.queries_of("eyelet")}, "0.65 shows the query in its place"


async def test_how_a_name_is_spelled_is_known_without_asking_the_days(
    way: str, site: Any, record: Any, noon_us: int
) -> None:
    """0.65 asks it before each look at who may see a table: 26 times for the front page."""
    record(noon_us)
    database = site.datasette.databases["eyelet"]
    for name in ("hooks", "HOOKS", "sessions", "partitions", "eyelet_values", "hooks_fts", "nothing"):
        asked = (eyelet_database._SPELLED, (name,))
        told = [tuple(row) for row in (await database.execute(*asked)).rows]
        assert told == await database.read(lambda conn, asked=asked: [tuple(row) for row in conn.execute(*asked)]), name


async def test_a_start_counts_no_day(
    way: str, site: Any, record: Any, noon_us: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Datasette gives it an hour as it starts: with a thousand days it answered two seconds later."""
    record(*(noon_us - day * DAY_US for day in range(3)))
    counted: list[float] = []
    database = site.datasette.databases["eyelet"]

    async def events(limit_ms: float) -> int | None:
        counted.append(limit_ms)
        return None

    monkeypatch.setattr(database.counting, "events", events)
    for limit in (10, 60 * 60 * 1000):
        assert await database.table_counts(limit) == {"hooks": None, "partitions": 3}
    assert counted == [10, 0]
