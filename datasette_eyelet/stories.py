"""The sessions that were looked at last, each told once while nothing changes: the parts of a long one cost no telling.

A story holds for as long as no file of a day has changed, and a part of it, which belongs to a page that was shown, for
a minute in any case: so its parts are those of that page, whatever is recorded meanwhile.
"""

import threading
import time
from collections import OrderedDict

from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.session import Session, signature
from eyelet_ingest.store.store import Store
from eyelet_ingest.store.usage import Usage

KEPT = 4
STEPS_MOST = 60_000  # of all that are kept: some 40 MB
PART_S = 60.0
USAGE_MS = 1_000
DEADLINE_MS = 10_000  # nobody waits longer for a page; what is left out is said

_Key = tuple[str, frozenset[str] | None]


def usage_of(store: Store, told: Session) -> Usage | None:
    """Tokens of the session, within the days it has, counted once for as long as it is kept; None where that took too
    long to be sure. Not for the event loop."""
    if told.usage is None:
        where = Filter(session_id=(told.id,), since_us=told.totals.first_us, until_us=told.totals.last_us + 1)
        told.usage = store.usage(where, ("model",), deadline_ms=USAGE_MS)
    return told.usage if told.usage.partitions.complete else None


class Stories:
    """May be shared by threads: `_lock` guards `_kept`. Each is known by the session and by who sees which contexts."""

    def __init__(self) -> None:
        self._kept: OrderedDict[_Key, tuple[object, float, Session]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, store: Store, seen: frozenset[str] | None, session_id: str, *, is_part: bool = False) -> Session:
        """The session as it is now; of a part as it was when its page was shown. Not for the event loop."""
        key = session_id, seen
        now = signature(store.roots)
        with self._lock:
            known = self._kept.get(key)
            if known is not None:
                self._kept.move_to_end(key)
        if known is not None:
            is_young = is_part and time.monotonic() - known[1] < PART_S
            if is_young or (now is not None and now == known[0]):
                return known[2]
        found = store.session(session_id, deadline_ms=DEADLINE_MS)
        if found.steps and found.partitions.complete:
            self._keep(key, now, found)
        return found

    def _keep(self, key: _Key, now: object, found: Session) -> None:
        if len(found.steps) > STEPS_MOST:
            return
        with self._lock:
            self._kept[key] = now, time.monotonic(), found
            self._kept.move_to_end(key)
            while len(self._kept) > KEPT or sum(len(one[2].steps) for one in self._kept.values()) > STEPS_MOST:
                self._kept.popitem(last=False)
