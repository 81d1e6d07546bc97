"""What a Store does to days as a whole: list, seal, verify, archive, write anew, bring up, lend to other programs."""

import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from eyelet_ingest.errors import BadInput, PartitionError
from eyelet_ingest.store import layout
from eyelet_ingest.store.catalog import Catalog
from eyelet_ingest.store.layout import PartitionKey

if TYPE_CHECKING:  # imported by the methods that need them: a query pays for none of them at its start
    from eyelet_ingest.store.archives import Archived, Restored
    from eyelet_ingest.store.connection import DayConnection
    from eyelet_ingest.store.inventory import Day
    from eyelet_ingest.store.sealing import Sealed
    from eyelet_ingest.store.text_index import CaughtUp, TextState
    from eyelet_ingest.store.text_rounds import Indexed, TextRounds
    from eyelet_ingest.store.timings import Timings
    from eyelet_ingest.store.verify import Verified


class Tending:
    """Part of `Store`. Errors are raised: each method is about one day, or says what it does with several."""

    root: str
    catalog: Catalog
    release: Callable[..., bool]
    _lent: "weakref.WeakSet[DayConnection]"
    _text_rounds: "TextRounds"
    timings: "Timings"

    def days(self, keys: Iterable[PartitionKey] | None = None) -> "Iterator[Day]":
        """What is known of these days, of all where None, oldest first: events, bytes, seal, archive. Days that cannot
        be read say so."""
        from eyelet_ingest.store.inventory import days

        return days(self.catalog, None if keys is None else set(keys))

    def seal(self, key: PartitionKey, *, force: bool = False) -> "Sealed":
        """Seal a finished day (docs/sealing.md); one that is as it was sealed stays as it is.

        BadInput for a day that is not over; sealing.Changed for one that was changed since, unless `force` accepts it.
        """
        from eyelet_ingest.store.sealing import seal

        return seal(self.root, key, force=force)

    def verify(self, keys: Iterable[PartitionKey] | None = None) -> "Iterator[Verified]":
        """How these days stand to their seals, one after another; without `keys` all that are there, and all that were
        ever sealed. Nothing is written."""
        from eyelet_ingest.store import verify

        if self.root.startswith(layout.MEMORY):
            raise BadInput("verify", self.root, "a root in memory has no seals", "name a root that is a folder")
        if keys is None:
            there = self.catalog.partitions()
            keys = sorted({*there, *verify.sealed_keys(self.root, verify.contexts(self.root, there))})
        return verify.verify(self.root, keys)

    def archive(self, key: PartitionKey, *, remove: bool = False) -> "Archived":
        """Make a compact copy of a finished day, read back before it is in place; with `remove` the day goes then."""
        from eyelet_ingest.store.archives import archive

        if remove:
            self.release(key)
        return archive(self.root, key, remove=remove)

    def restore_archive(self, key: PartitionKey) -> "Restored":
        """Bring an archived day back exactly: rows, uid, arrived, tables of others. Its archive stays."""
        from eyelet_ingest.store.archives import restore

        self.release(key)
        return restore(self.root, key)

    def vacuum(self, key: PartitionKey) -> tuple[int, int]:
        """Write a day anew without gaps; its bytes before and after. A sealed day is sealed again."""
        from eyelet_ingest.store.rewriting import vacuum

        return vacuum(self.root, key)

    def migrate(self, key: PartitionKey) -> tuple[int, int]:
        """Bring a day up to this version's schema; the version before and after. A sealed day is sealed again."""
        from eyelet_ingest.store.rewriting import migrate

        return migrate(self.root, key)

    def optimise(self, key: PartitionKey) -> int:
        """Tell SQLite's planner anew what is in a day; how many indexes it knows of. A sealed day is sealed again."""
        from eyelet_ingest.store.optimising import optimise

        return optimise(self.root, key)

    def index_text(
        self,
        deadline_ms: float,
        first: Iterable[PartitionKey] = (),
        before: "Callable[[PartitionKey], object] | None" = None,
    ) -> "Indexed":
        """Put what arrived since into the text indexes of days, those of `first` before the newest and these before
        others, for about `deadline_ms`. It yields to whoever writes, and may be stopped anywhere. To be called again
        and again: a day that has all it needs costs a look at its file. Nothing is raised. `before` is told of each
        day that is opened: a server lets go of it, as SQLite keeps the files of what is closed while another
        connection of the process reads the same day."""
        started_ns = time.perf_counter_ns()
        done = self._text_rounds.run(self.catalog.partitions(), deadline_ms, first, before)
        if done.rows or done.troubled:  # most rounds find nothing to do
            self.timings.add("text_index", (time.perf_counter_ns() - started_ns) // 1_000, bool(done.troubled))
        return done

    def text_catch_up(self, key: PartitionKey, deadline_ms: float) -> bool:
        """Bring the text index of one day up, for about `deadline_ms`; whether it holds all that arrived. False, too,
        where others keep the day, and where nobody may write to it: text is found there all the same, by reading."""
        from eyelet_ingest.store.text_index import catch_up

        try:
            return catch_up(self.root, key, deadline_ms).is_current
        except PartitionError:
            return False

    def text_build(self, key: PartitionKey, *, anew: bool = False) -> "CaughtUp":
        """Make the text index of a day complete, or `anew` from nothing. A sealed day is sealed again."""
        from eyelet_ingest.store import text_index

        return (text_index.rebuild if anew else text_index.build)(self.root, key)

    def text_state(self, key: PartitionKey) -> "TextState":
        """How the text index of a day stands."""
        from eyelet_ingest.store.text_index import read_state

        return read_state(self.root, key)

    def text_check(self, key: PartitionKey) -> list[str]:
        """What is wrong with the text index of a day, compared with its rows: nothing where it is as it has to be."""
        from eyelet_ingest.store.text_check import check

        return check(self.root, key)

    def connection(self, key: PartitionKey) -> "DayConnection":
        """A connection for tables of other programs in this day (docs/extensions.md has its rules).

        PartitionUnreadable where there is no such day. It is let go of when the day is removed through this Store.
        """
        from eyelet_ingest.store.connection import DayConnection

        lent = DayConnection(self.root, key)
        self._lent.add(lent)
        return lent

    def _take_back(self, key: PartitionKey | None = None) -> None:
        """Close what was lent of this day, or of every one."""
        for lent in list(self._lent):
            if key is None or lent.key == key:
                lent.close()
