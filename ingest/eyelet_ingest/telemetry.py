"""Log records that a program exports over OTLP → redacted → Event → partition, or the spool where that is in trouble.

An exporter sends again what was not answered in time. A record that says its time is known by that and by all it says:
twice is once, and a collector's file of the same records adds nothing.
"""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from eyelet_ingest import live
from eyelet_ingest.clock import DAY_US, Clock
from eyelet_ingest.errors import BadInput
from eyelet_ingest.events import Event
from eyelet_ingest.jsontext import canonical, dumps
from eyelet_ingest.redaction import Redactor
from eyelet_ingest.sources import otlp
from eyelet_ingest.store import identity, spool, writer
from eyelet_ingest.store.store import Store

if TYPE_CHECKING:
    from eyelet_ingest.plugins import Plugins

DAYS_MAX = 400  # in one request: each new day is a file to make, 7 ms
DEADLINE_MS = 2_000  # for each partition; after that its events wait in the spool


@dataclass(slots=True)
class Received:
    """What became of the log records of a request: `refused` are why those are none that can be."""

    stored: int = 0
    known: int = 0
    spooled: int = 0
    refused: list[str] = field(default_factory=list)


def record(
    store: Store,
    context: str,
    records: Sequence[object],
    *,
    sender: str,
    redactor: Redactor,
    settings: "dict[str, Any] | None" = None,
    plugins: "Plugins | None" = None,
) -> Received:
    """Store the log records that `otlp.apart` found in a request, in the context given by name. `sender` is kept with
    each; `redactor` is that of the root, `settings` as `surroundings.DEFAULTS` has them say how long a payload may be.

    RootError where the root takes one of them nowhere, not even in a spool: then all may be sent again.
    """
    receiving = _Receiving(store, sender, redactor, settings, plugins)
    done = Received()
    for one in records:
        try:
            receiving.take(one)
        except BadInput as bad:
            done.refused.append(bad.reason)
    appended = store.append(receiving.events, context, deadline_ms=DEADLINE_MS)
    done.stored, done.known = appended.stored, appended.duplicates
    for refused in appended.refused:
        for event in refused.events:
            spool.put(store.root, refused.key, context, writer.row_of(event), str(refused.error))
            done.spooled += 1
    return done


class _Receiving:
    """The log records of one request on their way."""

    def __init__(
        self,
        store: Store,
        sender: str,
        redactor: Redactor,
        settings: "dict[str, Any] | None",
        plugins: "Plugins | None",
    ) -> None:
        self.sender, self.redactor, self.settings, self.plugins = sender, redactor, settings, plugins
        self.key = identity.load_key(store.root)
        self.clock, self.received_ns = Clock(), time.time_ns()
        self.events: list[Event] = []
        self.days: set[int] = set()

    def take(self, one: object) -> None:
        """One log record; BadInput with the reason for what is none."""
        if not isinstance(one, dict):
            raise BadInput("take", reason="a log record must be an object")
        own_us = otlp.time_us(one)
        usable_us = self.clock.usable(own_us)
        time_us = self.clock.now_us if usable_us is None else usable_us
        self._check_day(time_us // DAY_US)
        event, payload = live.event_of(
            _spelt(one), self.received_ns, self.redactor, self.settings, self.plugins, normalise=otlp.normalise
        )
        event.origin, event.time_us = otlp.ORIGIN, time_us
        if usable_us is None:
            event.meta["timestamp_from"] = "receipt"
            if own_us is not None:
                event.meta["timestamp_suspect"] = True
        same = canonical(otlp.same(one)).encode()
        is_known = own_us is not None
        event.uid = identity.timed_uid(self.key, same, own_us or 0) if is_known else os.urandom(identity.UID_BYTES)
        event.meta["source"] = {"sender": self.sender}
        if self.plugins is not None:
            self.plugins.enrich(event, payload, self.redactor)
        self.events.append(event)

    def _check_day(self, day: int) -> None:
        if day not in self.days and len(self.days) == DAYS_MAX:
            raise BadInput("take", reason=f"the request has log records of {DAYS_MAX} other days")
        self.days.add(day)


def _spelt(one: "dict[str, object]") -> bytes:
    """The record as JSON; BadInput for a number that Python cannot spell."""
    try:
        text = dumps(one)
    except ValueError:
        raise BadInput("take", reason="a number in it is too long") from None
    try:
        return text.encode()
    except UnicodeEncodeError:  # a lone surrogate: spelt as an escape it is found and replaced
        return canonical(one).encode()
