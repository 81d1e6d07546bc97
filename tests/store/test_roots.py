"""Several roots read as one."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from eyelet_ingest.errors import RootError
from eyelet_ingest.events import Event
from eyelet_ingest.store import layout
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

START = layout.PartitionKey("default", 2026, 79).bounds_us[0]
DAY = layout.DAY_US
MakeEvent = Callable[..., Event]


@pytest.fixture
def roots(tmp_path: Path, make_event: MakeEvent) -> list[str]:
    """Three roots with the same times: every event has one of its id in each."""
    made = [str(tmp_path / name) for name in ("mine", "laptop", "server")]
    for root in made:
        with Store(root) as store:
            for context in ("a", "b"):
                store.append([make_event(START + day * DAY + 5, src="x.y") for day in range(3)], context)
    return made


@pytest.mark.parametrize("oldest_first", [False, True])
@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_rows_come_in_order_of_id_context_and_root_over_any_pages(
    roots: list[str], size: int, oldest_first: bool
) -> None:
    with Store(roots[0], also=roots[1:]) as store:
        seen: list[tuple[int, str, int]] = []
        after = None
        while True:
            page = store.search(Filter(), limit=size, after=after, oldest_first=oldest_first)
            seen += [(int(str(r["id"])), str(r["context_name"]), roots.index(str(r["root"]))) for r in page.rows]
            after = page.next
            if after is None:
                break
        every = [(START + day * DAY + 5, context, at) for day in range(3) for context in "ab" for at in range(3)]
        assert seen == sorted(every, reverse=not oldest_first)


def test_questions_are_of_all_roots(roots: list[str]) -> None:
    with Store(roots[0], also=roots[1:]) as store:
        assert store.count(Filter()).count == 18
        assert store.summary(Filter(contexts=("a",))).events == 9
        assert store.contexts() == ["a", "b"]
        assert [one.count for one in store.sources(Filter()).sources] == [18]
        assert len(list(store.export(Filter()))) == 18
        assert store.count(Filter(until_us=START + DAY)).partitions.skipped == 12


def test_an_event_of_another_root_is_found(roots: list[str], make_event: MakeEvent) -> None:
    with Store(roots[2]) as other:
        other.append([make_event(START + 77, src="only.there")], "a")
    with Store(roots[0], also=roots[1:]) as store:
        row = store.event("a", START + 77)
        assert row is not None
        assert (row["src"], row["root"]) == ("only.there", roots[2])


def test_events_are_written_to_and_deleted_from_the_first_alone(roots: list[str], make_event: MakeEvent) -> None:
    with Store(roots[0], also=roots[1:]) as store:
        store.append([make_event(START + 9)], "a")
        store.delete(Filter(contexts=("b",)))
        assert store.count(Filter()).count == 3 + 1 + 12
    with Store(roots[1]) as other:
        assert other.count(Filter()).count == 6


@pytest.mark.parametrize("gone", [0, 1])
def test_a_root_that_cannot_be_read_is_named_and_the_others_answer(roots: list[str], gone: int) -> None:
    with Store(roots[0], also=roots[1:]) as store:
        shutil.rmtree(layout.logs_dir(roots[gone]))
        Path(layout.logs_dir(roots[gone])).write_text("no folder")
        found = store.search(Filter())
        assert len(found.rows) == 12
        assert [bad.name for bad in found.partitions.unreadable] == [f"in {roots[gone]}"]
        assert store.contexts() == ["a", "b"]


def test_a_further_root_that_is_not_there_is_named(roots: list[str], tmp_path: Path) -> None:
    with Store(roots[0], also=[str(tmp_path / "typo")]) as store:
        found = store.count(Filter())
    assert (found.count, [bad.root for bad in found.partitions.unreadable]) == (6, [str(tmp_path / "typo")])


def test_a_broken_day_says_in_which_root_it_is(roots: list[str]) -> None:
    Path(layout.db_path(roots[1], layout.PartitionKey("a", 2026, 79))).write_bytes(b"no database" * 500)
    with Store(roots[0], also=roots[1:]) as store:
        found = store.count(Filter())
    assert (found.count, [bad.name for bad in found.partitions.unreadable]) == (17, [f"a 2026-03-20 in {roots[1]}"])


def test_a_store_of_some_contexts_shows_no_other_of_any_root(roots: list[str]) -> None:
    with Store(roots[0], also=roots[1:]) as store:
        limited = store.limited_to(frozenset({"a"}))
        assert (limited.count(Filter()).count, limited.contexts()) == (9, ["a"])
        assert limited.event("b", START + 5) is None
        assert limited.count(Filter()).partitions.skipped == 0


def test_one_root_named_twice_is_read_once(roots: list[str]) -> None:
    with Store(roots[0], also=[roots[0], roots[1], roots[1] + "/."]) as store:
        assert store.count(Filter()).count == 12


def test_rows_of_a_single_root_do_not_name_it(roots: list[str]) -> None:
    with Store(roots[0]) as store:
        assert "root" not in store.search(Filter()).rows[0]


def test_more_roots_than_a_cursor_can_tell_apart_are_refused(roots: list[str]) -> None:
    with pytest.raises(RootError, match="99"):
        Store(roots[0], also=[f"{roots[1]}{number}" for number in range(100)])
