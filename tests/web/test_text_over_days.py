"""Text on the tables over all days: `_q` finds what the search finds, `_search` what words say."""

import json
import re
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest
from datasette.utils import MultiParams

from datasette_eyelet import day_table, text_function
from datasette_eyelet.scope import Scope
from eyelet_ingest.store import alongside, connect, layout
from eyelet_ingest.store.layout import DAY_US
from eyelet_ingest.store.store import Store

BOB = {"id": "bob"}
HOSTILE = ("<script>alert(1)</script>", "' or 1=1 --", "100%", "\u202e\x00x", ":eyelet_0 ?")


def bash(command: str, output: str = "") -> str:
    return json.dumps({"tool_input": {"command": command}, "tool_response": {"stdout": output}})


@pytest.fixture(params=["attached", "extended"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways: ten days attached, or all days by the extension."""
    conn = connect.open_memory()
    reason = connect.load_extension(conn)
    conn.close()
    if request.param == "attached":
        monkeypatch.setattr(connect, "load_extension", lambda conn: "it is not built")
    elif reason:
        pytest.skip(reason)
    return str(request.param)


async def found(site: Any, query: str, table: str = "/eyelet/hooks") -> list[tuple[str, int]]:
    answer = await site.get(f"{table}.json?_shape=array&_size=max&{query}")
    assert answer.status_code == 200, answer.text
    return sorted((row["context_name"], row["id"]) for row in answer.json())


def write(record: Any, noon_us: int) -> None:
    record(noon_us, noon_us - 3 * DAY_US, context="one", data=bash("git push", "Connection refused"))
    record(noon_us, context="two", data=bash("make"), tool_name="Bash")
    record(noon_us + 1, context="two", data=bash("git status 日本語テキスト"), error=True, status="error")


async def test_a_text_finds_on_the_table_what_the_search_finds(way: str, site: Any, record: Any, noon_us: int) -> None:
    write(record, noon_us)
    old, new = ("one", noon_us - 3 * DAY_US), ("one", noon_us)
    for text, expected in (
        ("git", [old, new, ("two", noon_us + 1)]),
        ("git -status", [old, new]),
        ('="ction ref"', [old, new]),
        ("本語", [("two", noon_us + 1)]),
        ("nothing", []),
        ("make", [("two", noon_us)]),
    ):
        params = MultiParams({"_q": [text]})
        searched = await site.json(f"/-/eyelet.json?range=all&q={text}")
        assert sorted((row["context_name"], row["id"]) for row in searched["rows"]) == sorted(expected), text
        assert await found(site, f"_q={text}") == sorted(expected), text
        for context in ("one", "two"):
            own = sorted(one for one in expected if one[0] == context)
            assert await found(site, f"_q={text}", f"/eyelet-{context}/hooks") == own
        assert dict(day_table.reading(params, Scope(None)).pairs)["q"] == text
    assert await found(site, f"_q=git&id__gte={noon_us}&context_name=one") == [new]
    assert await found(site, "_q=git&error=1") == [("two", noon_us + 1)]
    counted = await site.get("/eyelet/hooks?_q=git&_facet=context_name")
    assert counted.status_code == 200 and "3 rows" in counted.text


async def test_a_text_that_cannot_be_meant_is_a_page_that_says_where(
    way: str, site: Any, record: Any, noon_us: int
) -> None:
    write(record, noon_us)
    wrong = await site.get('/eyelet/hooks?_q="git')
    assert wrong.status_code == 400 and "character 1" in wrong.text
    for text in HOSTILE:
        answer = await site.get("/eyelet/hooks", None)
        assert answer.status_code in (302, 403)
        answer = await site.datasette.client.get(
            "/eyelet/hooks",
            params={"_q": text},
            cookies={"ds_actor": site.datasette.sign({"a": {"id": "root"}}, "actor")},
        )
        assert answer.status_code in (200, 400) and "<script>alert" not in answer.text, text


async def test_more_than_a_page_can_be_about_is_an_error_that_says_so_and_never_a_part(
    way: str, site: Any, record: Any, noon_us: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(record, noon_us)
    monkeypatch.setattr(text_function, "FOUND_MOST", 2)
    refused = await site.get("/eyelet/hooks?_q=git")
    assert refused.status_code == 400 and "more than 2 events" in refused.text
    assert await found(site, f"_q=git&id__gte={noon_us}&id__lte={noon_us}") == [("one", noon_us)]


async def test_the_function_gives_anybodys_sql_the_events_of_its_scope(
    way: str, site: Any, record: Any, noon_us: int
) -> None:
    write(record, noon_us)
    sql = "select count(*) from json_each(eyelet_text('git'))"
    for name, count in (("eyelet", 3), ("eyelet-one", 2)):
        await site.get(f"/{name}")
        if name == "eyelet":
            rows = (await site.datasette.databases[name].execute(sql)).rows
            assert rows[0][0] == count
    page = await site.get(f"/eyelet-one.json?sql={sql}&_shape=arrays")
    if page.status_code == 302:
        page = await site.get(f"/eyelet-one/-/query.json?sql={sql}&_shape=arrays")
    assert page.json()["rows"] == [[2]]


async def test_the_search_box_finds_words_of_every_day_at_once_or_is_not_there(
    way: str, site: Any, record: Any, noon_us: int
) -> None:
    write(record, noon_us)
    page = await site.get("/eyelet/hooks")
    asked = await site.get("/eyelet/hooks.json?_search=git&_shape=array")
    if way == "attached":
        assert 'name="_search"' not in page.text
        assert asked.status_code == 400 and "_q in the place" in asked.text, "not all rows, as found"
        return
    assert 'name="_search"' in page.text
    assert await found(site, "_search=git") == [
        ("one", noon_us - 3 * DAY_US),
        ("one", noon_us),
        ("two", noon_us + 1),
    ]
    assert await found(site, "_search=git", "/eyelet-two/hooks") == [("two", noon_us + 1)]
    assert await found(site, "_search_output=git") == []
    record(noon_us + 9, context="two", data=bash("git tag"))
    assert await found(site, "_search=tag") == [("two", noon_us + 9)]
    raw = await site.get("/eyelet/hooks?_search=a(&_searchmode=raw")
    assert raw.status_code == 400 and "SQLite cannot read the text" in raw.text


async def test_a_search_leads_to_the_table_of_all_days_with_its_filters_and_back(
    way: str, site: Any, record: Any, noon_us: int
) -> None:
    write(record, noon_us)
    for query, count in (
        ("range=all&q=git", 3),
        ("range=all&context=one&q=git", 2),
        ("range=all&context=one&context=two&status=error", 1),
        (f"from={day_table.iso_us(noon_us)}&q=git", 2),
    ):
        page = (await site.get(f"/-/eyelet?{query}")).text
        (url,) = re.findall(r'<a href="([^"]+)" title="The table over all days', page)
        path, _, asked = unescape(url).partition("?")
        assert path == ("/eyelet-one/hooks" if query.count("context=") == 1 else "/eyelet/hooks")
        assert len(await found(site, asked, path)) == count, query
        reading = day_table.reading(MultiParams(parse_qs(asked)), Scope("one" if "one" in path else None))
        assert not reading.left_out
        back = await site.json(f"/-/eyelet.json?{urlencode(reading.pairs)}")
        assert len(back["rows"]) == count, query


async def test_an_event_leads_to_its_session_or_what_led_up_to_it_and_nobody_to_what_he_may_not_see(
    open_site: Any, record: Any, noon_us: int
) -> None:
    record(noon_us, noon_us - DAY_US, context="one", session_id="s 1")
    record(noon_us + 1, noon_us + 2, context="two", session_id="")
    site = await open_site(contexts={"one": {"allow": BOB}})
    for context, event_id, actor, expected in (
        ("one", noon_us, BOB, 2),
        ("one", noon_us, {"id": "root"}, 2),
        ("two", noon_us + 1, {"id": "root"}, 1),
    ):
        page = (await site.get(f"/-/eyelet/event/{context}/{event_id}", actor)).text
        (url,) = re.findall(r'<a href="([^"]+)" title="[^"]+, in the table over all days', page)
        path, _, asked = unescape(url).partition("?")
        assert path == f"/eyelet-{context}/hooks"
        assert len((await site.get(f"{path}.json?_shape=array&{asked}", actor)).json()) == expected
    page = (await site.get("/-/eyelet?range=all", BOB)).text
    assert "/eyelet-one/hooks?" in page and "/eyelet/hooks" not in page and "eyelet-two" not in page


async def test_each_root_is_known_by_its_number_and_has_the_texts_that_are_its_own(
    way: str, open_site: Any, root: str, store: Store, make_event: Any, noon_us: int
) -> None:
    side = alongside.path_of(root, "before")
    for path, said in ((root, "git push"), (side, "git pull")):
        with Store(path) as one:
            one.append([make_event(noon_us + number, data=bash(said)) for number in range(5)])
    site = await open_site()
    for text, count in (("git", 10), ("pull", 5), ("push", 5)):
        assert len(await found(site, f"_q={text}")) == count, text
    rows: list[dict[str, Any]] = []
    url: str | None = "/eyelet/hooks.json?_shape=objects&_size=3"
    while url:
        page = await site.json(url)
        rows += page["rows"]
        url = (page.get("next_url") or "").replace("http://localhost", "") or None
    told = [(row["id"], row["root"]) for row in rows]
    assert sorted(told) == [(noon_us + number, at) for number in range(5) for at in ("1", "2")], "none skipped"
    for at, said in (("1", "push"), ("2", "pull")):
        one = await site.json(f"/eyelet/hooks/default,{noon_us},{at}.json?_shape=objects")
        assert said in one["rows"][0]["data"]


async def test_nobodys_sql_learns_where_the_root_is(site: Any, root: str, record: Any, noon_us: int) -> None:
    conn = connect.open_memory()
    if reason := connect.load_extension(conn):
        pytest.skip(reason)
    conn.close()
    record(noon_us, noon_us - DAY_US)
    with open(layout.db_path(root, layout.key_for("default", noon_us - DAY_US)), "wb") as file:
        file.write(b"no database" * 1_000)
    database = site.datasette.databases["eyelet"]
    for sql, count in (
        ("select root, context_name from hooks", 1),
        ("select error, path from eyelet_trouble", 1),
        ("select * from sqlite_master", 10),
        ("select * from pragma_database_list", 1),
    ):
        rows = [tuple(row) for row in (await database.execute(sql)).rows]
        assert len(rows) >= count and root not in repr(rows), sql
    with pytest.raises(connect.driver().OperationalError, match="already"):
        await database.execute("select eyelet_root('/etc')")


@pytest.mark.parametrize(
    ("asked", "left_out"),
    [("context_name__exact=other", ("context_name",)), ("context_name__exact=one", ()), ("tool_name__exact=Bash", ())],
)
def test_the_way_back_from_one_contexts_table_asks_for_no_other_context(asked: str, left_out: tuple[str, ...]) -> None:
    """A search takes several contexts for alternatives; the table, which is of one, has both conditions."""
    found = day_table.reading(MultiParams(parse_qs(asked)), Scope("one"))
    assert [value for name, value in found.pairs if name == "context"] == ["one"]
    assert found.left_out == left_out
