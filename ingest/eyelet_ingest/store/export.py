"""Every event that a filter finds, oldest first, a page at a time: memory is bounded by the page and the largest event.

What is recorded meanwhile at a later time than has been passed comes too; nothing comes twice.
"""

from collections.abc import Iterator

from eyelet_ingest.store import layout
from eyelet_ingest.store.answers import Row, Unreadable
from eyelet_ingest.store.catalog import Part
from eyelet_ingest.store.roots import Roots
from eyelet_ingest.store.search import Search
from eyelet_ingest.store.select import Filter

PAGE_EVENTS = 200
# Payloads are read with the page up to here, longer ones alone: 200 of the longest would be gigabytes.
CUT_CHARS = 64 * 1024


class Export:
    """Iterate once, for whole rows; after that `events` says how many, `unreadable` what is missing and why."""

    def __init__(self, roots: Roots, where: Filter) -> None:
        self.roots, self.where = roots, where
        self.events = 0
        self.unreadable: dict[tuple[str, ...], Unreadable] = {}
        with Search(roots, where):
            pass  # BadInput for what cannot be asked is raised here, before the first row

    def __iter__(self) -> Iterator[Row]:
        after: str | None = None
        while True:
            with Search(self.roots, self.where) as question:
                page = question.page(PAGE_EVENTS, after, True, CUT_CHARS)
            self._note(page.partitions.unreadable)
            for row in page.rows:
                whole = self._whole(row)
                if whole is not None:
                    self.events += 1
                    yield whole
            after = page.next
            if after is None:
                return

    def _whole(self, row: Row) -> Row | None:
        """The row with its payload uncut; None where it was deleted meanwhile."""
        chars = row["data_chars"]
        if not isinstance(chars, int) or chars <= CUT_CHARS:
            return row
        event_id, context = int(str(row["id"])), str(row["context_name"])
        root = str(row.get("root", self.roots.first.root))
        at = next(catalog.at for catalog in self.roots.catalogs if catalog.root == root)
        with Search(self.roots, Filter(contexts=(context,))) as question:
            whole = question.event(Part(root, at, layout.key_for(context, event_id)), event_id)
            self._note(question.truth().unreadable)
        return whole

    def _note(self, unreadable: tuple[Unreadable, ...]) -> None:
        for bad in unreadable:
            self.unreadable.setdefault((bad.context, bad.day, *([bad.root] if bad.root else [])), bad)
