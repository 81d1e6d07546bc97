"""A question of any length, a page at a time: what `eyelet query` and `eyelet calls` print of."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from eyelet_ingest.cli import output
from eyelet_ingest.store.select import Filter

if TYPE_CHECKING:
    from eyelet_ingest.store.answers import Partitions, Unreadable
    from eyelet_ingest.store.store import Store

PAGE_ROWS = 100  # at a time, so that a result of any length takes the memory of one page
CUT_CHARS = 4_096  # of a payload: enough for its one line in a table

_Row_co = TypeVar("_Row_co", covariant=True)


class _Page(Protocol[_Row_co]):
    """One answer of the store's: some rows, and where to go on."""

    @property
    def rows(self) -> Sequence[_Row_co]: ...
    @property
    def next(self) -> str | None: ...
    @property
    def partitions(self) -> "Partitions": ...
    @property
    def elapsed_ms(self) -> float: ...


class Pages(ABC, Generic[_Row_co]):
    """The rows of a question of any length, a page at a time, and afterwards the truth about all of its pages."""

    def __init__(
        self,
        store: "Store",
        where: Filter,
        limit: int,
        after: str | None,
        *,
        whole: bool,
        oldest_first: bool = False,
    ) -> None:
        self._store, self._where, self._limit = store, where, limit
        self._oldest_first, self._cut_chars = oldest_first, None if whole else CUT_CHARS
        self.next, self.count, self.elapsed_ms = after, 0, 0.0
        self.partitions: Partitions | None = None
        roots = [catalog.root for catalog in store.roots.catalogs]
        self.roots = output.short_paths(roots) if store.roots.several else {}  # what a table says of each

    def __iter__(self) -> "Iterator[Sequence[_Row_co]]":
        shown = 0
        unreadable: dict[tuple[str, str, str], Unreadable] = {}
        while True:
            found = self._page(min(self._limit - shown, PAGE_ROWS) if self._limit else PAGE_ROWS)
            page = found.partitions
            bad = {(day.root, day.context, day.day): day for day in page.unreadable}
            passed = sum(day not in bad for day in unreadable)  # of these, this page says that it skipped them
            unreadable |= bad
            self.partitions = replace(
                page, skipped=max(page.skipped - passed, 0), unreadable=tuple(unreadable.values())
            )
            self.count += 1
            self.elapsed_ms += found.elapsed_ms
            self.next = found.next
            yield found.rows
            shown += len(found.rows)
            if found.next is None or (self._limit and shown >= self._limit):
                return

    @abstractmethod
    def _page(self, rows: int) -> "_Page[_Row_co]":
        """The next `rows` of them."""

    def rows(self) -> "Iterator[_Row_co]":
        for page in self:
            yield from page
