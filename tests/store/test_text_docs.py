"""docs/text.md: what it says of plain SQL and of words is so."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from eyelet_ingest.events import Event
from eyelet_ingest.store import connect, layout, text_index, text_schema
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

DOCS = Path(__file__).resolve().parents[2] / "docs" / "text.md"
TEXT = DOCS.read_text(encoding="utf-8")
SQL = re.findall(r"```sql\n(.*?)```", TEXT, re.DOTALL)
START_US = layout.PartitionKey("default", 2026, 79).bounds_us[0]
KEY = layout.key_for("default", START_US)

MakeEvent = Callable[..., Event]


def test_every_piece_of_sql_runs_with_sqlite_alone(store: Store, make_event: MakeEvent) -> None:
    event = {"tool_input": {"command": "git push"}, "tool_response": {"stdout": "connection refused"}}
    store.append([make_event(START_US, data=json.dumps(event))])
    store.text_build(KEY)
    store.append([make_event(START_US + 1, data=json.dumps(event))])
    conn = connect.driver().connect(layout.db_path(store.root, KEY))
    answers = [conn.execute(sql).fetchall() for sql in SQL]
    conn.close()
    assert answers[0] == [(START_US, "", "[connection refused]")]
    assert answers[1] == [(START_US, "git [push]")]
    assert answers[2] == [(1,)]
    assert answers[3][0][0] == START_US + 1
    assert ("refused", 1) in answers[-1]


def test_the_index_can_be_made_anew_with_sqlite_alone(store: Store, make_event: MakeEvent) -> None:
    store.append([make_event(START_US + n, data=json.dumps({"prompt": f"word {n}"})) for n in range(5)])
    store.text_build(KEY)
    (block,) = re.findall(r"```\n(insert into hooks_fts\(hooks_fts\).*?)```", TEXT, re.DOTALL)
    conn = connect.driver().connect(layout.db_path(store.root, KEY))
    conn.executescript(block)
    conn.close()
    assert store.text_check(KEY) == []
    assert len(store.search(Filter(text="word")).rows) == 5


def test_sqlite_utils_finds_the_index(store: Store, make_event: MakeEvent) -> None:
    import sqlite_utils

    store.append([make_event(START_US, data='{"prompt": "refused"}')])
    store.text_build(KEY)
    database = sqlite_utils.Database(connect.driver().connect(layout.db_path(store.root, KEY)))
    assert database["hooks"].detect_fts() == "hooks_fts"  # type: ignore[union-attr]
    assert [row["id"] for row in database["hooks"].search("refused")] == [START_US]  # type: ignore[union-attr]
    database.conn.close()


def test_the_columns_stand_in_the_docs() -> None:
    for column in text_schema.TEXT_COLUMNS:
        assert f"| `{column}` |" in TEXT


WORDS = re.findall(r"^\| `([^`]+)`(?:, `([^`]+)`)? \| (`[^|]+) \|$", TEXT.partition("is found by")[2], re.MULTILINE)


@pytest.mark.parametrize("built", [False, True])
def test_code_finds_itself_as_the_docs_say(store: Store, make_event: MakeEvent, built: bool) -> None:
    assert len(WORDS) >= 4
    for number, (first, second, _) in enumerate(WORDS):
        store.append([make_event(START_US + number, data=json.dumps({"prompt": f"{first} {second}"}))])
    if built:
        text_index.build(store.root, KEY)
    for number, (*_, queries) in enumerate(WORDS):
        found, _, without = queries.partition("; not ")
        for query in re.findall("`([^`]+)`", found):
            assert START_US + number in {row["id"] for row in store.search(Filter(text=query)).rows}, query
        for query in re.findall("`([^`]+)`", without):
            assert START_US + number not in {row["id"] for row in store.search(Filter(text=query)).rows}, query
