"""What an import stores at a time: events on their way into partitions, and records that cannot be, into quarantine.

Recordings and old databases fill the same batch.
"""

from dataclasses import dataclass, field
from hashlib import blake2b

from eyelet_ingest import redactors
from eyelet_ingest.clock import Clock
from eyelet_ingest.events import Event
from eyelet_ingest.ledger import CONTENT_MAX_CHARS, Ledger, Quarantined
from eyelet_ingest.store import identity, layout
from eyelet_ingest.store.store import Refused, Store
from eyelet_ingest.store.tombstones import Tombstones

BATCH_EVENTS = 5_000
BATCH_CHARS = 16 * 2**20
TROUBLES_KEPT = 10


@dataclass(slots=True)
class Tally:
    """What became of the records so far; `troubles` are the first ten of those that were quarantined. `deleted` were
    deleted or retired earlier, and stayed away."""

    stored: int = 0
    duplicates: int = 0
    quarantined: int = 0
    deleted: int = 0
    partitions: set[layout.PartitionKey] = field(default_factory=set)
    troubles: list[Quarantined] = field(default_factory=list)


class Batch:
    """Events and quarantined records of one import, until `flush` stores them; `tally` counts those of all batches.

    What was deleted or retired earlier stays away, unless `force`.
    """

    def __init__(self, store: Store, ledger: Ledger, force: bool = False) -> None:
        self.store, self.ledger, self.force = store, ledger, force
        self.key = identity.load_key(store.root)
        self.redactor = redactors.of_root(store.root)
        self.clock = Clock()
        self.tally = Tally()
        self.events: list[tuple[str, Event]] = []  # each with the given name of its context
        self.chars = 0
        self.timeless: list[tuple[str, Event]] = []  # those whose time the ledger decides
        self.bad: list[tuple[bytes, Quarantined]] = []
        self.bad_files: set[str] = set()  # those that anything in quarantine is of
        self.days_of: dict[str, set[layout.PartitionKey]] | None = None  # where what a file holds was put, if asked for

    def add(self, context: str, event: Event, *, is_timeless: bool = False) -> None:
        """One event of the context given by name; `is_timeless`: it keeps the time it was given when first seen."""
        self.events.append((context, event))
        self.chars += len(event.data)
        if is_timeless:
            self.timeless.append((context, event))

    def is_full(self) -> bool:
        return len(self.events) >= BATCH_EVENTS or len(self.bad) >= BATCH_EVENTS or self.chars >= BATCH_CHARS

    def quarantine(self, context: str, file: str, line: int, reason: str, text: str, content: str) -> None:
        """Keep a record that cannot be stored: `text` is what it was, `content` what may be kept of it, redacted."""
        safe_context = layout.safe_context(context)
        parts = (safe_context, file, str(line), text)
        uid = blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), key=self.key, digest_size=16).digest()
        entry = Quarantined(
            safe_context,
            file,
            line,
            self.redactor.text(reason),
            content[:CONTENT_MAX_CHARS],
            len(text),
            self.clock.now_us,
        )
        self.tally.quarantined += 1
        self.bad_files.add(file)
        self.bad.append((uid, entry))
        self.chars += len(entry.content)
        if len(self.tally.troubles) < TROUBLES_KEPT:
            self.tally.troubles.append(entry)

    def flush(self) -> list[Event]:
        """Store the batch. The times the ledger gives are committed before any row.

        Returns the timeless events that were known from an earlier import.
        """
        known_again = self._settle_times()
        if self.events:
            appended = self.store.append_many(self.events, deleted="forget" if self.force else "respect")
            self.tally.stored += appended.stored
            self.tally.duplicates += appended.duplicates
            self.tally.deleted += appended.dead
            self.tally.partitions |= appended.partitions
            for refused in appended.refused:
                self._refuse(refused)
            self._note_days()
        if self.bad:
            self.ledger.quarantine(self._allowed())
        self.events, self.timeless, self.bad, self.chars = [], [], [], 0
        return known_again

    def _note_days(self) -> None:
        for context, event in self.events if self.days_of is not None else ():
            source = event.meta["source"]
            if isinstance(source, dict) and self.days_of is not None:
                key = layout.key_for(layout.safe_context(context), event.time_us)
                self.days_of.setdefault(source["file"], set()).add(key)

    def _allowed(self) -> list[tuple[bytes, Quarantined]]:
        """Of what cannot be stored, that which nobody deleted from the quarantine."""
        stones = Tombstones.of(self.store.root)
        if not stones.are_there():
            return self.bad
        dead: set[bytes] = set()
        for context in {entry.context for _, entry in self.bad}:
            uids = [uid for uid, entry in self.bad if entry.context == context]
            if self.force:
                stones.forget(context, uids)
            else:
                dead |= stones.dead(context, [(uid, self.clock.now_us) for uid in uids])
                dead |= stones.redacted(context, uids)
        allowed = [(uid, entry) for uid, entry in self.bad if uid not in dead]
        gone = len(self.bad) - len(allowed)
        self.tally.quarantined -= gone
        self.tally.deleted += gone
        self.tally.troubles = [entry for entry in self.tally.troubles if not _is_of(entry, self.bad, dead)]
        return allowed

    def _settle_times(self) -> list[Event]:
        known_again: list[Event] = []
        by_context: dict[str, list[Event]] = {}
        for context, event in self.timeless:
            by_context.setdefault(layout.safe_context(context), []).append(event)
        for safe_context, events in by_context.items():
            times_us, known = self.ledger.times(safe_context, [(event.uid, event.time_us) for event in events])
            for event in events:
                event.time_us = times_us[event.uid]
                if event.uid in known:
                    known_again.append(event)
        return known_again

    def _refuse(self, refused: Refused) -> None:
        """Keep what a partition could not take; a later import of the same file stores it, once the partition can."""
        for event in refused.events:
            source = event.meta["source"]
            if isinstance(source, dict):
                line = source["line"] if "line" in source else source["row"]
                self.quarantine(refused.key.context, source["file"], line, str(refused.error), event.data, event.data)


def _is_of(entry: Quarantined, bad: list[tuple[bytes, Quarantined]], dead: set[bytes]) -> bool:
    return any(other is entry and uid in dead for uid, other in bad) if dead else False
