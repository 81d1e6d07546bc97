"""Query → answer: the search behind the page and the JSON, with the newest day in place of an empty today."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from datasette_eyelet.query import Query, day_of
from eyelet_ingest.store.answers import Partitions, SearchResult
from eyelet_ingest.store.entries import Entries, Entry
from eyelet_ingest.store.store import Store
from eyelet_ingest.synopsis import synopsis

NEWEST_MS = 4_000  # for the newest day that has something, which a rare condition makes long

Page = TypeVar("Page", SearchResult, Entries)


@dataclass(frozen=True, slots=True)
class Answer(Generic[Page]):
    """`query` as it was answered: over another day than asked where `moved`. `next` is ready for the URL."""

    query: Query
    result: Page
    moved: bool

    @property
    def next(self) -> str | None:
        return self.query.cursor(self.result.next) if self.result.next else None


def answer(store: Store, query: Query, cut_chars: int | None) -> Answer[SearchResult]:
    """One page of events. Where nobody asked for a range and today holds nothing, the newest day that holds something.

    "Something" are the conditions without the text: whether a text occurs at all would take reading everything.
    """
    return _answer(store, query, lambda asked: _page(store, asked, cut_chars))


def entries(
    store: Store, query: Query, cut_chars: int | None, *, calls: bool, deadline_ms: float | None
) -> Answer[Entries]:
    """The same as a list shows it: each call once, or, without `calls`, every event. After `deadline_ms` the page is
    what was found by then."""
    page = _entries if calls else _events
    return _answer(store, query, lambda asked: page(store, asked, cut_chars, deadline_ms))


def settled(store: Store, query: Query) -> Query:
    """The question over the range in which it is answered."""
    return _answer(store, query, lambda asked: store.search(asked.where, limit=1, cut_chars=0)).query


def _answer(store: Store, query: Query, page: Callable[[Query], Page]) -> Answer[Page]:
    result = page(query)
    if result.rows or query.range_asked:
        return Answer(query, result, moved=False)
    where = replace(query.where, since_us=None, until_us=None, text="")
    newest_us = store.newest_event_us(where, deadline_ms=NEWEST_MS)
    if newest_us is None or _holds(query, newest_us):
        return Answer(query, result, moved=False)
    moved = query.over(day_of(newest_us, query.range.tz))
    found = page(moved)
    return Answer(moved, replace(found, partitions=_both(result, found), elapsed_ms=_sum_ms(result, found)), moved=True)


def _page(store: Store, query: Query, cut_chars: int | None, deadline_ms: float | None = None) -> SearchResult:
    found = store.search(
        query.where,
        limit=query.size,
        after=query.after,
        cut_chars=cut_chars,
        by_rank=query.by_rank,
        snippets=bool(query.where.text),
        deadline_ms=deadline_ms,
    )
    store.resolve(found.rows)
    return replace(found, rows=[placed(row, store.root) for row in found.rows])


def _entries(store: Store, query: Query, cut_chars: int | None, deadline_ms: float | None) -> Entries:
    found = store.entries(
        query.where,
        limit=query.size,
        after=query.after,
        cut_chars=cut_chars,
        by_rank=query.by_rank,
        snippets=bool(query.where.text),
        deadline_ms=deadline_ms,
    )
    return replace(found, rows=[replace(entry, row=placed(entry.row, store.root)) for entry in found.rows])


def _events(store: Store, query: Query, cut_chars: int | None, deadline_ms: float | None) -> Entries:
    found = _page(store, query, cut_chars, deadline_ms)
    each = [Entry(row, None, synopsis(row), f"{row['context_name']}-{row['id']}") for row in found.rows]
    return Entries(each, found.next, found.partitions, found.elapsed_ms)


def placed(row: dict[str, object], root: str) -> dict[str, object]:
    """The row without its root, which is nobody's business; one of an old log beside the root says of which."""
    if "root" not in row:
        return row
    rest = {name: value for name, value in row.items() if name != "root"}
    return rest if row["root"] == root else {**rest, "alongside": os.path.basename(str(row["root"]))}


def _holds(query: Query, us: int) -> bool:
    return (query.range.since_us or 0) <= us and (query.range.until_us is None or us < query.range.until_us)


def _both(first: Page, second: Page) -> Partitions:
    """The second search's partitions, and what today could not be read: an unreadable today is not an empty one."""
    more = tuple(bad for bad in first.partitions.unreadable if bad not in second.partitions.unreadable)
    found = second.partitions
    return replace(found, skipped=max(found.skipped - len(more), 0), unreadable=found.unreadable + more)


def _sum_ms(first: Page, second: Page) -> float:
    return round(first.elapsed_ms + second.elapsed_ms, 3)
