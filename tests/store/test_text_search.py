"""What a search for text finds is what reading every row finds: with an index, with a part of one, with none."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from eyelet_ingest.events import Event
from eyelet_ingest.store import connect, layout, text_blooms, text_index, text_search
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store
from tests.store.words import QUESTIONS, SAID, Question, Said, payload

Law = TypeVar("Law", bound=Callable[..., None])

SOAK = bool(os.environ.get("EYELET_SOAK"))
DAY = layout.PartitionKey("default", 2026, 79)
START = DAY.bounds_us[0]
ROWS = st.lists(SAID, min_size=1, max_size=8)


def law(examples: int) -> Callable[[Law], Law]:
    return settings(
        max_examples=examples * 40 if SOAK else examples,
        deadline=None,
        derandomize=not SOAK,
        phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink) if SOAK else (Phase.generate,),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )


def add(store: Store, said: list[Said], first: int = 0) -> None:
    events = []
    for at, row in enumerate(said, first):
        data, meta = payload(row)
        events.append(
            Event(time_us=START + at, uid=b"%16d" % at, data=data, meta=meta, hook_type="Note", tool_name="AB"[at % 2])
        )
    store.append(events, DAY.context)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times of files are told apart by 10 ms here, some ticks of the system's clock."""
    monkeypatch.setattr(text_blooms, "SETTLED_NS", 10_000_000)
    monkeypatch.setattr(text_blooms, "LOOK_AGAIN_S", 0.0)


def catch_up(store: Store) -> None:
    """The index, and the filter of its words."""
    assert text_index.catch_up(store.root, DAY, 60_000).is_current
    making = text_blooms.Making(store.root)
    for _ in range(20):
        time.sleep(0.012)
        if making.make(DAY, time.perf_counter() + 60):
            return
    pytest.fail("the day is never settled")


@contextmanager
def day_of(store: Store) -> Iterator[Any]:
    """The day as another program has it open."""
    conn = connect.open_writer(layout.db_path(store.root, DAY))
    try:
        yield conn
    finally:
        conn.close()


def said_at(store: Store, at: int, row: Said) -> None:
    """Another program changes what a row says."""
    data, meta = payload(row)
    import json

    with day_of(store) as conn:
        conn.execute("update hooks set data = ?, meta = ? where id = ?", (data, json.dumps(meta), START + at))


def expect(store: Store, rows: dict[int, Said], questions: list[Question]) -> None:
    for asked, means in questions:
        wanted = [START + at for at, said in sorted(rows.items()) if means(said)]
        where = Filter(text=asked)
        for oldest_first in (False, True):
            found, after = [], None
            while True:
                page = store.search(where, limit=3, after=after, oldest_first=oldest_first, snippets=True)
                assert not page.partitions.unreadable, page.partitions
                found += [row["id"] for row in page.rows]
                after = page.next
                if after is None:
                    break
            assert found == (wanted if oldest_first else wanted[::-1]), asked
        assert store.count(where).count == len(wanted), asked
        assert store.text_ids(DAY, asked) == wanted, asked
        assert sum(store.histogram(where).counts) == len(wanted), asked
        assert sum(count for _, count in store.facets(where, ["hook_type"]).fields["hook_type"].values) == len(wanted)
        ranked = store.search(where, limit=100, by_rank=True)
        assert sorted(row["id"] for row in ranked.rows) == wanted, asked
        of_a = store.search(Filter(text=asked, tool_name=("A",)), limit=100)
        assert [row["id"] for row in of_a.rows] == [one for one in wanted[::-1] if not (one - START) % 2], asked


@pytest.mark.parametrize("index", ["none", "part", "whole", "empty"])
@law(12)
@given(ROWS, ROWS, st.lists(QUESTIONS, min_size=1, max_size=4), st.booleans())
def test_a_search_finds_what_reading_every_row_finds(
    index: str, before: list[Said], later: list[Said], questions: list[Question], few: bool
) -> None:
    with TemporaryDirectory() as root, Store(root) as store, pytest.MonkeyPatch.context() as patch:
        if few:
            patch.setattr(text_search, "CHUNK_ROWS", 4)
            patch.setattr(text_search, "TERMS_MOST", 1)
        if index == "empty":
            add(store, [{"command": "x"}], -1 + layout.DAY_US // 2)
            catch_up(store)
            store.delete(Filter(since_us=START + layout.DAY_US // 4))
        add(store, before)
        if index == "part":
            catch_up(store)
        add(store, later, len(before))
        if index == "whole":
            catch_up(store)
        expect(store, dict(enumerate(before + later)), questions)


@law(25)
@given(
    ROWS, st.lists(st.tuples(st.sampled_from(["say", "drop", "replace", "move"]), st.integers(0, 7), SAID), max_size=4),
    st.lists(QUESTIONS, min_size=1, max_size=4), st.booleans(),
)  # fmt: skip
def test_a_search_knows_what_other_programs_change(
    before: list[Said], changes: list[tuple[str, int, Said]], questions: list[Question], again: bool
) -> None:
    with TemporaryDirectory() as root, Store(root) as store:
        add(store, before)
        catch_up(store)
        rows = dict(enumerate(before))
        for what, at, said in changes:
            if at not in rows:
                continue
            if what == "say":
                said_at(store, at, said)
                rows[at] = said
            elif what == "drop":
                with day_of(store) as conn:
                    conn.execute("delete from hooks where id = ?", (START + at,))
                del rows[at]
            elif what == "move":
                with day_of(store) as conn:
                    conn.execute("update hooks set id = id + 1000000 where id = ?", (START + at,))
                rows[at + 1_000_000] = rows.pop(at)
            else:
                with day_of(store) as conn:
                    columns = "id, uid, arrived, timestamp, hook_type, tool_name, data"
                    sql = f"insert or replace into hooks ({columns}) select {columns.replace('data', '?')} from hooks "
                    data, _ = payload({name: text for name, text in said.items() if name != "error"})
                    conn.execute(sql + "where id = ?", (data, START + at))
                rows[at] = {name: text for name, text in said.items() if name != "error"}
        if again:
            catch_up(store)
        expect(store, rows, questions)
