"""What questions are asked of: one root or several read as one, their connections, and what reading them has cost."""

import os
from collections.abc import Sequence
from contextlib import suppress
from copy import copy
from typing import TYPE_CHECKING

from eyelet_ingest.errors import RootError
from eyelet_ingest.store.answers import Unreadable
from eyelet_ingest.store.catalog import IN_ORDER, Catalog, Part
from eyelet_ingest.store.counters import Asked
from eyelet_ingest.store.handles import Handles
from eyelet_ingest.store.layout import MEMORY, PartitionKey, safe_context
from eyelet_ingest.store.select import Filter

if TYPE_CHECKING:  # imported where a text is asked for
    from eyelet_ingest.store.text_blooms import Blooms


class Roots:
    """The catalogs of roots that are read as one, the first being the one that is written. May be shared by threads.

    Rows come in order of (id, context, the root's place). Of several roots one that cannot be read is named in the
    answer; of a single one RootError is raised.
    """

    def __init__(self, catalogs: Sequence[Catalog], handles: Handles, asked: Asked) -> None:
        self.catalogs, self.handles, self.asked = tuple(catalogs), handles, asked
        self.blooms: list[Blooms] = []  # one, as soon as a text was asked for; shared with what is copied from this

    @property
    def first(self) -> Catalog:
        return self.catalogs[0]

    @property
    def several(self) -> bool:
        return len(self.catalogs) > 1

    def limited_to(self, contexts: frozenset[str]) -> "Roots":
        """These roots, of these safe contexts alone, through the same connections."""
        limited = copy(self)
        limited.catalogs = tuple(catalog.limited_to(contexts) for catalog in self.catalogs)
        return limited

    def alone(self) -> "Roots":
        """The first of these roots, through the same connections."""
        first = copy(self)
        first.catalogs = self.catalogs[:1]
        return first

    def between(
        self, since_us: int | None, until_us: int | None, contexts: Sequence[str]
    ) -> tuple[list[Part], int, list[Unreadable]]:
        """The parts that may hold since ≤ event < until of these safe contexts, oldest first; how many cannot; and
        the roots and folders that could not be looked into."""
        if not self.several:
            parts, others = self.first.between(since_us, until_us, contexts)
            return parts, others, self._troubles(self.first)
        found: list[Part] = []
        skipped = 0
        troubles: list[Unreadable] = []
        for catalog in self.catalogs:
            try:
                if catalog.at and not catalog.root.startswith(MEMORY) and not os.path.isdir(catalog.root):
                    raise RootError("read", catalog.root, "it is not there", "is the folder mounted?")
                parts, others = catalog.between(since_us, until_us, contexts)
            except RootError as bad:
                troubles.append(Unreadable("", "", f"{bad.reason} ({bad.hint})", catalog.root))
                continue
            found += parts
            skipped += others
            troubles += self._troubles(catalog)
        return sorted(found, key=IN_ORDER), skipped, troubles

    def only_archived(self, since_us: int | None, until_us: int | None, contexts: Sequence[str]) -> int:
        """How many days of this range are in an archive and nowhere else; of roots that cannot be read none."""
        count = 0
        for catalog in self.catalogs:
            with suppress(RootError):
                count += catalog.only_archived(since_us, until_us, contexts)
        return count

    def chosen(self, where: Filter) -> "tuple[list[Part], int, list[Unreadable], int]":
        """What the filter's range and contexts leave of `between`, and how many days of it `only_archived` counts."""
        since_us, until_us = where.since_us, where.until_us
        contexts = [safe_context(context) for context in where.contexts]
        parts, skipped, troubles = self.between(since_us, until_us, contexts)
        archived = self.only_archived(since_us, until_us, contexts)
        out = {safe_context(context) for context in where.left_out("contexts")}
        if not out:
            return parts, skipped, troubles, archived
        kept = [part for part in parts if part.context not in out]
        if also := [context for context in out if not contexts or context in contexts]:
            archived -= self.only_archived(since_us, until_us, also)
        return kept, skipped + len(parts) - len(kept), troubles, archived

    def days(self) -> list[PartitionKey]:
        """Which days there are, once each, in order of time and context."""
        if not self.several:
            return self.first.partitions()
        parts, _, _ = self.between(None, None, ())
        return sorted({part.key for part in parts})

    def name_of(self, part: Part) -> str:
        """What a row says of its root: nothing where there is only one."""
        return part.root if self.several else ""

    def _troubles(self, catalog: Catalog) -> list[Unreadable]:
        root = catalog.root if self.several else ""
        return [Unreadable(context, year, f"{why} (its folder)", root) for context, year, why in catalog.troubles()]
