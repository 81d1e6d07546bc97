"""Datasette's own search box on a day's table: there at the first look, current when it is asked, in its own words when
it cannot be."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from datasette.utils import MultiParams

from datasette_eyelet import day_table, day_text
from eyelet_ingest.store import connect, layout, text_index
from eyelet_ingest.store.store import Store

NOON_US = 1_774_008_000_000_000  # 2026-03-20T12:00:00Z
KEY = layout.key_for("default", NOON_US)
TABLE = "/default-2026-079/hooks"


def bash(command: str, output: str = "") -> str:
    return json.dumps({"tool_input": {"command": command}, "tool_response": {"stdout": output}})


async def found(site: Any, query: str) -> list[int]:
    rows = await site.get(f"{TABLE}.json?_shape=array&_size=max&{query}")
    assert rows.status_code == 200, rows.text
    return sorted(row["id"] - NOON_US for row in rows.json())


def has_box(page: str) -> bool:
    return 'name="_search"' in page


async def test_the_box_is_there_at_the_first_look_and_finds_words(site: Any, record: Any) -> None:
    record(NOON_US, data=bash("git push", "Connection refused"))
    record(NOON_US + 1, data=bash("git status", "all Zoë's"))
    assert has_box((await site.get(TABLE)).text)
    for query, expected in (
        ("refused", [0]),
        ("GIT", [0, 1]),
        ("zoe", [1]),
        ('"git push"', [0]),
        ("git refused", [0]),
        ("nothing", []),
    ):
        assert await found(site, f"_search={query}") == expected, query
    assert await found(site, "_search_command=git&tool_name__isnull=1") == [0, 1]
    assert await found(site, "_search_output=git") == []
    assert await found(site, "_search=push+OR+status&_searchmode=raw") == [0, 1]


async def test_what_arrived_changed_or_went_since_is_known_to_the_next_search(
    site: Any, record: Any, store: Store
) -> None:
    record(NOON_US, NOON_US + 1, data=bash("first"))
    assert await found(site, "_search=first") == [0, 1]
    record(NOON_US + 2, data=bash("second, of the first"))
    conn = connect.open_writer(layout.db_path(store.root, KEY))
    with connect.transaction(conn):
        conn.execute("update hooks set data = ? where id = ?", (bash("third"), NOON_US))
        conn.execute("delete from hooks where id = ?", (NOON_US + 1,))
    conn.close()
    page = (await site.get(f"{TABLE}?_search=first")).text
    assert "1 row where" in page and "1 event changed since" in page, "an old text is no hit"
    answer = await site.get(f"{TABLE}.json?_search=third")
    assert answer.status_code == 503, "a program is not given half an answer"
    assert "_q in the place" in answer.text
    assert (await found(site, "_q=first"), await found(site, "_q=third")) == ([2], [0])
    text_index.rebuild(store.root, KEY)
    assert (await found(site, "_search=first"), await found(site, "_search=third")) == ([2], [0])


@pytest.mark.parametrize("query", ["a+OR&_searchmode=raw", "nope:x&_searchmode=raw", '"', "a(&_searchmode=raw"])
async def test_what_sqlite_cannot_read_is_said_with_what_helps(site: Any, record: Any, query: str) -> None:
    record(NOON_US)
    page = await site.get(f"{TABLE}?_search={query}")
    assert page.status_code == 400
    assert "SQLite cannot read the text" in page.text and "_q" in page.text
    answer = await site.get(f"{TABLE}.json?_search={query}")
    assert (answer.status_code, answer.json()["ok"]) == (400, False)


async def test_an_error_that_is_not_the_search_s_stays_datasettes(site: Any, record: Any) -> None:
    record(NOON_US)
    page = await site.get(f"{TABLE}?_search=x&_where=nope=1")
    assert page.status_code == 400
    assert "SQLite cannot read the text" not in page.text and "nope" in page.text


async def test_an_index_that_cannot_be_finished_in_time_is_said_to_be_behind(
    site: Any, record: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(NOON_US, data=bash("git push"))
    assert has_box((await site.get(TABLE)).text)
    record(*range(NOON_US + 1, NOON_US + 200), data=bash("git push"))  # more than one step puts in
    monkeypatch.setattr(day_text, "ASKED_MS", 0)
    monkeypatch.setattr(day_text, "PROGRAM_MS", 0)
    page = await site.get(f"{TABLE}?_search=push")
    assert page.status_code == 200
    assert "still being built" in page.text
    for form in ("json", "csv"):
        answer = await site.get(f"{TABLE}.{form}?_search=push")
        assert answer.status_code == 503
        assert "still being built" in answer.text
    assert (await site.get(f"{TABLE}.json?_q=push&_shape=array")).status_code == 200, "it needs no index"


async def test_a_day_that_may_not_be_written_is_shown_and_searched_without_the_box(
    site: Any, record: Any, store: Store
) -> None:
    record(NOON_US, data=bash("git push"))
    folder = Path(layout.db_path(store.root, KEY)).parent
    if os.geteuid() == 0:
        lock = Path(layout.lock_path(store.root, KEY))
        lock.unlink()
        lock.mkdir()  # root may write everything: what keeps it out is that this is no file
    else:
        folder.chmod(0o500)
    try:
        page = await site.get(TABLE)
        assert page.status_code == 200
        assert not has_box(page.text)
        refused = await site.get(f"{TABLE}?_search=other")
        assert refused.status_code == 503, "Datasette would show every row"
        assert "_q in the place" in refused.text
        assert await found(site, "_q=push") == [0]
    finally:
        folder.chmod(0o700)


async def test_nothing_is_built_for_who_may_not_see_the_day(site: Any, record: Any, store: Store) -> None:
    record(NOON_US)
    assert (await site.get(f"{TABLE}?_search=x", actor=None)).status_code == 403
    reader = connect.open_reader(layout.db_path(store.root, KEY))
    assert reader.execute("select count(*) from sqlite_master where name = 'hooks_fts'").fetchone() == (0,)
    reader.close()


async def test_our_tables_are_hidden_and_the_view_is_described(site: Any, record: Any) -> None:
    record(NOON_US)
    assert has_box((await site.get(TABLE)).text)
    page = (await site.get("/default-2026-079")).text
    assert not re.search(r"<h3><a[^>]*>(eyelet_text|hooks_fts)", page)
    assert (await site.get("/default-2026-079/hooks_text?_size=1")).status_code == 200


async def test_the_language_of_the_search_finds_on_the_table_what_it_finds_in_sql(site: Any, record: Any) -> None:
    record(NOON_US, data=bash("git push --force"))
    record(NOON_US + 1, data=bash("git push"))
    for query, expected in (("push -force", [1]), ("command:force OR nothing", [0]), ('="push --f"', [0])):
        assert await found(site, f"_q={query}") == expected, query
        sql = "select id from hooks where id in (select value from json_each(eyelet_text(:q)))"
        rows = await site.get(f"/default-2026-079.json?sql={sql}&q={query}&_shape=array")
        if rows.status_code in (302, 404):  # 1.0 has a page for queries
            rows = await site.get(f"/default-2026-079/-/query.json?sql={sql}&q={query}&_shape=array")
        assert [row["id"] - NOON_US for row in rows.json()] == expected, rows.text
    wrong = await site.get(f'{TABLE}?_q="git')
    assert wrong.status_code == 400
    assert "character" in wrong.text


@pytest.mark.parametrize(
    ("asked", "text", "left_out"),
    [
        ("_search=git+push", '"git" "push"', ()),
        ('_search="git push" x', '"git push" "x"', ()),
        ("_search=a-b", '"a-b"', ()),
        ('_search="open', '"open"', ()),
        ("_search_command=git+push", 'command:("git" "push")', ()),
        ("_search=git&_q=a OR b", '(a OR b) "git"', ()),
        ("_search=git&_searchmode=raw", None, ("_search",)),
        ("_search_data=x", None, ("_search",)),
        ("_search=文字", None, ("_search",)),
        ("_search==>", None, ("_search",)),
        ("_search=", None, ()),
    ],
)
def test_what_the_box_asks_is_what_the_search_asks(asked: str, text: str | None, left_out: tuple[str, ...]) -> None:
    pairs = [part.partition("=")[::2] for part in asked.replace("+", " ").split("&")]
    reading = day_table.reading(MultiParams(pairs), KEY)
    assert (dict(reading.pairs).get("q"), reading.left_out) == (text, left_out)
