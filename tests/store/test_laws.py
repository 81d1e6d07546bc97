"""Laws of reading, whatever was written: every answer is what sorting, filtering and counting one plain list gives.

Most examples live in a root in memory, which is the same store without files; some are played on disk too.
"""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eyelet_ingest.events import Event
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store
from tests.store.plain_list import (
    CONTEXTS,
    DAY_US,
    FILTERS,
    NEW_YEAR_US,
    TO_DELETE,
    PlainList,
    events,
    expect_pages,
    expect_places,
    expect_rows,
    expect_sums,
    matches,
)

SOAK = bool(os.environ.get("EYELET_SOAK"))
PAIRS = st.lists(st.tuples(CONTEXTS, events()), max_size=30)
UNIQUE_PAIRS = st.lists(st.tuples(CONTEXTS, events()), max_size=30, unique_by=lambda pair: pair[1].uid)
ON_DISK = st.sampled_from([False, False, False, True])
BATCHES = st.lists(PAIRS, min_size=1, max_size=4)


def law(examples: int) -> settings:
    return settings(
        max_examples=examples * 40 if SOAK else examples,
        deadline=None,
        derandomize=not SOAK,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


@contextmanager
def opened(on_disk: bool) -> Iterator[Store]:
    if not on_disk:
        with Store.in_memory() as store:
            yield store
        return
    with TemporaryDirectory() as folder, Store(folder, max_open=2) as store:
        yield store


def filled(store: Store, batches: list[list[tuple[str, Event]]]) -> PlainList:
    plain = PlainList()
    for batch in batches:
        done = store.append_many(batch)
        assert (done.stored, done.duplicates, done.refused) == (*plain.append(batch), [])
    return plain


@law(40)
@given(BATCHES, st.lists(FILTERS, min_size=1, max_size=4), st.integers(1, 12), st.booleans(), ON_DISK)
def test_pages_in_either_order_are_one_sorted_list(
    batches: list[list[tuple[str, Event]]], filters: list[Filter], size: int, oldest_first: bool, on_disk: bool
) -> None:
    with opened(on_disk) as store:
        plain = filled(store, batches)
        for where in (Filter(), *filters):
            expect_pages(store, plain, where, size, oldest_first)


@law(30)
@given(BATCHES, st.lists(FILTERS, min_size=1, max_size=4))
def test_every_count_is_the_length_of_all_pages(batches: list[list[tuple[str, Event]]], filters: list[Filter]) -> None:
    with opened(False) as store:
        plain = filled(store, batches)
        expect_places(store, plain)
        for where in (Filter(), *filters):
            expect_sums(store, plain, where)


@law(30)
@given(st.lists(PAIRS, min_size=2, max_size=8), FILTERS, st.integers(1, 5), st.booleans())
def test_a_page_is_what_lies_beyond_the_one_before_whatever_came_or_went_meanwhile(
    batches: list[list[tuple[str, Event]]], where: Filter, size: int, oldest_first: bool
) -> None:
    """So no event that stays is skipped, and none is shown twice."""
    with opened(False) as store:
        plain = filled(store, batches[:1])
        later = iter(batches[1:])
        seen: list[tuple[int, str]] = []
        after = None
        while True:
            page = store.search(where, limit=size, after=after, oldest_first=oldest_first)
            left = plain.in_order(where, oldest_first)
            if seen:
                left = [one for one in left if (one.place > seen[-1]) == oldest_first and one.place != seen[-1]]
            expect_rows(page.rows, left[:size])
            seen += [one.place for one in left[:size]]
            after = page.next
            if after is None:
                break
            for batch in (next(later, []), next(later, [])):  # some come, some of the past and of the future go
                store.append_many(batch)
                plain.append(batch)
                for context, event in batch[:1]:
                    gone = Filter(contexts=(context,), src=(event.src,), since_us=NEW_YEAR_US - 2)
                    assert store.delete(gone).events == plain.delete(gone)
        assert len(seen) == len(set(seen))


@law(40)
@given(UNIQUE_PAIRS, st.randoms(use_true_random=False), st.lists(st.integers(0, 30), max_size=4))
def test_the_order_of_insertion_changes_no_answer(
    pairs: list[tuple[str, Event]], chance: random.Random, cuts: list[int]
) -> None:
    """The same places in time are taken, by the same events but for those of one time, whatever came first."""
    pairs = [
        (context, event) for context, event in pairs if event.time_us % DAY_US < DAY_US - 100
    ]  # not at a day's end
    shuffled = chance.sample(pairs, len(pairs))
    edges = sorted({0, len(pairs), *(min(cut, len(pairs)) for cut in cuts)})
    with opened(False) as one, opened(False) as other:
        one.append_many(pairs)
        for start, end in pairwise(edges):
            other.append_many(shuffled[start:end])
        rows = [store.search(Filter(), limit=100).rows for store in (one, other)]
        places = [[(row["id"], row["context_name"]) for row in some] for some in rows]
        assert places[0] == places[1]
        assert {row["uid"] for row in rows[0]} == {row["uid"] for row in rows[1]}
        for store in (one, other):
            assert store.append_many(shuffled).stored == 0
            assert store.count(Filter()).count == len(rows[0])


@law(25)
@given(BATCHES, BATCHES, FILTERS, st.integers(1, 8), st.booleans())
def test_several_roots_are_one_sorted_list(
    first: list[list[tuple[str, Event]]],
    second: list[list[tuple[str, Event]]],
    where: Filter,
    size: int,
    oldest_first: bool,
) -> None:
    with opened(False) as one, opened(False) as other, Store(one.root, also=[other.root]) as both:
        lists = filled(one, first), filled(other, second)
        wanted = sorted(
            ((kept.id, kept.context, at) for at in (0, 1) for kept in lists[at].kept if matches(where, kept)),
            reverse=not oldest_first,
        )
        seen, after = [], None
        while True:
            page = both.search(where, limit=size, after=after, oldest_first=oldest_first)
            assert len(page.rows) <= size
            seen += [(row["id"], row["context_name"], int(row["root"] != one.root)) for row in page.rows]
            after = page.next
            if after is None:
                break
        assert seen == wanted
        assert both.count(where).count == len(wanted)


@law(25)
@given(BATCHES, FILTERS)
def test_an_export_is_the_list_in_order_of_time(batches: list[list[tuple[str, Event]]], where: Filter) -> None:
    with opened(False) as store:
        plain = filled(store, batches)
        expect_rows(list(store.export(where)), plain.in_order(where, oldest_first=True))


@law(25)
@given(BATCHES, st.lists(TO_DELETE, min_size=1, max_size=3))
def test_deleting_takes_what_matches_and_nothing_else(
    batches: list[list[tuple[str, Event]]], filters: list[Filter]
) -> None:
    with opened(False) as store:
        plain = filled(store, batches)
        for where in filters:
            if replace(where, exact=False) == Filter():  # no condition: whether a text is exact, without a text
                continue
            assert store.delete(where, dry_run=True).events == len(plain.matching(where, stored=True))
            assert store.delete(where).events == plain.delete(where)
            expect_pages(store, plain, Filter(), 50, False)
            expect_places(store, plain)
