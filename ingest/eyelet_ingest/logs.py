"""Log events that a program hands over → redacted → Event → partition, or the spool where that is in trouble.

Nothing counts as taken that is not committed: each event is stored, known already, spooled, or refused with a reason.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eyelet_ingest import intake, redactors
from eyelet_ingest.clock import DAY_US, Clock
from eyelet_ingest.errors import BadInput, RootError
from eyelet_ingest.events import Event
from eyelet_ingest.jsontext import canonical, parse
from eyelet_ingest.ledger import Ledger
from eyelet_ingest.redaction import Redactor
from eyelet_ingest.sources import log
from eyelet_ingest.store import identity, layout, spool, writer
from eyelet_ingest.store.store import Refused, Store

if TYPE_CHECKING:
    from eyelet_ingest.plugins import Plugins

DAYS_MAX = 400  # in one request: each new day is a file to make, 7 ms
DEADLINE_MS = 2_000  # for each partition; after that its events wait in the spool


@dataclass(slots=True)
class Recorded:
    """What became of events by their index: counts of those stored and known, and the reason for each other one.

    `events` are those that are events, by their index, as they were stored or spooled.
    """

    stored: int = 0
    known: int = 0
    spooled: list[tuple[int, str]] = field(default_factory=list)
    refused: list[tuple[int, str]] = field(default_factory=list)
    events: dict[int, Event] = field(default_factory=dict)


def record(
    store: Store,
    context: str,
    texts: Sequence[str],
    *,
    sender: str,
    deadline_ms: int = DEADLINE_MS,
    plugins: "Plugins | None" = None,
    redactor: Redactor | None = None,
) -> Recorded:
    """Store events, each the JSON text of one object, in the context given by name. `sender` is kept with each.

    RootError where the root takes nothing at all; BadInput where no `redactor` is given and the settings are wrong.
    """
    batch = _Batch(store, context, sender, plugins, redactor or redactors.of_root(store.root))
    done = Recorded()
    for index, text in enumerate(texts):
        try:
            batch.take(index, text)
        except BadInput as bad:
            done.refused.append((index, batch.redactor.text(str(bad))))  # it may quote what it refuses
        except RecursionError:
            done.refused.append((index, "nested too deep"))
    batch.settle_times()
    appended = store.append(batch.events, context, deadline_ms=deadline_ms)
    done.stored, done.known = appended.stored, appended.duplicates
    done.events = {batch.index[id(event)]: event for event in batch.events}
    for refused in appended.refused:
        batch.spool(refused, done)
    done.spooled.sort()
    done.refused.sort()
    return done


class _Batch:
    """The events of one request on their way."""

    def __init__(self, store: Store, context: str, sender: str, plugins: "Plugins | None", redactor: Redactor) -> None:
        self.plugins = plugins
        self.store, self.context, self.sender = store, context, sender
        redactors.check_context(context, redactor)
        self.safe_context = layout.safe_context(context)
        self.key = identity.load_key(store.root)
        self.redactor = redactor
        self.clock = Clock()
        self.events: list[Event] = []
        self.index: dict[int, int] = {}  # id() of an event → its index in the request
        self.days: set[int] = set()
        self.named_late: list[Event] = []  # named by their sender, with the time of receipt

    def take(self, index: int, text: str) -> None:
        """One event of the request; BadInput for what is none."""
        value = parse(text)
        if not isinstance(value, dict):
            raise BadInput("an event is a JSON object")
        self._check_context(value)
        own_us = log.time_us(value)
        clean, data = intake.clean(text, value, self.redactor)
        failed: list[str] = []
        if self.plugins is not None:
            clean, data, failed = self.plugins.redacted(clean, data)
        payload = clean if isinstance(clean, dict) else {}
        event = log.normalise(payload, data)
        if failed:
            event.meta["redaction_failed"] = failed
        usable_us = self.clock.usable(own_us)
        event.time_us = self.clock.now_us if usable_us is None else usable_us
        if usable_us is None:
            event.meta["timestamp_from"] = "receipt"
            if own_us is not None:
                event.meta["timestamp_suspect"] = True
        self._check_day(event.time_us // DAY_US)
        if log.name_of(value):
            same = canonical(value).encode()  # however it is spelt
            if own_us is not None:
                event.uid = identity.timed_uid(self.key, same, own_us)
            else:
                event.uid = identity.timeless_uid(self.key, same, 0)
            if usable_us is None:
                self.named_late.append(event)
        else:
            event.uid = os.urandom(identity.UID_BYTES)  # two equal events are two events
        event.meta["source"] = {"sender": self.sender}
        if self.plugins is not None:
            self.plugins.enrich(event, payload, self.redactor)
        self.index[id(event)] = index
        self.events.append(event)

    def settle_times(self) -> None:
        """What is named and has no time of its own keeps that of its first receipt: the same day, so the same row."""
        if not self.named_late:
            return
        with Ledger(self.store.root) as ledger:
            times_us, _ = ledger.times(self.safe_context, [(event.uid, event.time_us) for event in self.named_late])
        for event in self.named_late:
            event.time_us = times_us[event.uid]

    def spool(self, refused: Refused, done: Recorded) -> None:
        """Keep what a partition could not take; only what no disk takes is refused."""
        why = f"{refused.error.reason} ({refused.error.hint})".replace(self.store.root, "the root")
        for event in refused.events:
            index = self.index[id(event)]
            try:
                spool.put(self.store.root, refused.key, self.context, writer.row_of(event), str(refused.error))
            except RootError as bad:
                done.refused.append((index, bad.reason))
            else:
                done.spooled.append((index, why))

    def _check_day(self, day: int) -> None:
        if day not in self.days and len(self.days) == DAYS_MAX:
            raise BadInput("time", reason=f"the request has events of {DAYS_MAX} other days", hint="send it in parts")
        self.days.add(day)

    def _check_context(self, value: "dict[str, object]") -> None:
        for name in ("context", "context_name"):
            given = value.get(name)
            if given is not None and not (isinstance(given, str) and layout.safe_context(given) == self.safe_context):
                raise BadInput(f"{name}: a request records into one context, {self.safe_context}")
