"""Calls without a tool_use_id: question and answer of one session, tool and input, in order.

An answer belongs to the oldest question before it that has none yet; one that has no such question is a call by itself.
In a recording without times the order of questions and answers says nothing: there the n-th answer belongs to the n-th
question.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from eyelet_ingest.store.answers import Row, text
from eyelet_ingest.store.catalog import Part
from eyelet_ingest.store.layout import DAY_US
from eyelet_ingest.store.witnesses import (
    COLUMNS,
    INPUT,
    IS_UNNAMED,
    PHASE,
    QUESTION,
    TIMED,
    Fold,
    Key,
    Place,
    Witness,
    within,
)

if TYPE_CHECKING:
    from eyelet_ingest.store.fanout import Lent
    from eyelet_ingest.store.listing import Listing
    from eyelet_ingest.store.search import Search

AROUND_US = 7 * DAY_US  # how far from an event the other half of its call is looked for
ASK = 500
EVENTS_MOST = 200_000  # of one partition's that are looked at to find the halves of a page's calls
MARK = "\ud800"  # begins the name of a call that has none: no text that SQLite gives holds a surrogate

_Same = tuple[str, str, bytes, bool]  # session, tool, digest of the input, whether times are known
_At = tuple[Place, Part, bool]  # where an event is, and whether it asks


def of(listing: "Listing", rows: Mapping[Place, Row]) -> dict[Place, tuple[Key, Fold]] | None:
    """For each of these events the call it is of. `listing` knows every day there is, and which events are looked for.
    None where the time ran out."""
    if not rows:
        return {}
    around = listing.around
    days = {(part.context, part.at, part.first_us): part for part in around.parts}
    in_days: dict[Part, list[int]] = {}
    for event_id, context, at in rows:
        part = days.get((context, at, event_id - event_id % DAY_US))
        if part is not None:
            in_days.setdefault(part, []).append(event_id)
    wanted: dict[_Same, dict[Place, _At]] = {}
    for part, ids in in_days.items():
        for _, found in around.each([part], partial(_inputs, ids=ids)):
            for same in found.values():
                wanted.setdefault(same, {})
    _find(around, wanted, [place[0] for place in rows])
    if around.unasked:
        return None
    calls: list[tuple[str, list[_At]]] = []
    for same, events in wanted.items():
        some = sorted(events.values(), key=_timed if same[3] else _timeless)
        calls += [(same[0], call) for call in in_order(some) if _has(call, rows)]
    return _told(listing, calls)


def in_order(events: Sequence[_At]) -> Iterator[list[_At]]:
    """The calls that these events of one session, tool and input are, each one or two of them."""
    waiting: deque[list[_At]] = deque()
    for event in events:
        if event[2]:
            call = [event]
            waiting.append(call)
        elif waiting:
            yield [*waiting.popleft(), event]
        else:
            yield [event]
    yield from waiting


def _find(around: "Search", wanted: dict[_Same, dict[Place, _At]], at_us: list[int]) -> None:
    """Fill in the events of the same session, tool and input, a week before and after."""
    near = within(around.parts, at_us, AROUND_US, AROUND_US)
    sessions = sorted({same[0] for same in wanted})
    for first in range(0, len(sessions), ASK):
        ask = partial(_events, sessions=sessions[first : first + ASK], wanted=frozenset(wanted))
        for part, found in around.each(near, ask):
            for event_id, asks, same in found:
                place = (event_id, part.context, part.at)
                wanted[same][place] = (place, part, asks)


def _inputs(lent: "Lent", part: Part, *, ids: list[int]) -> dict[int, _Same]:
    found: dict[int, _Same] = {}
    for first in range(0, len(ids), ASK):
        some = ids[first : first + ASK]
        sql = (
            f"select id, session_id, tool_name, {INPUT}, {TIMED} from hooks where id in ({', '.join('?' * len(some))})"  # noqa: S608
        )
        found.update((row[0], _same(*row[1:])) for row in lent.conn.execute(sql, some))
    return found


def _events(
    lent: "Lent", part: Part, *, sessions: list[str], wanted: frozenset[_Same]
) -> list[tuple[int, bool, _Same]]:
    by_index = " indexed by hooks_session" if "hooks_session" in lent.indexes else ""
    sql = f"""
        select id, {PHASE}, session_id, tool_name, {INPUT}, {TIMED} from hooks{by_index}
        where session_id in ({", ".join("?" * len(sessions))}) and {IS_UNNAMED} limit {EVENTS_MOST}
    """  # noqa: S608  our own texts, bound values
    found = []
    known = {same: same for same in wanted}  # one of each, however many events have it
    for event_id, phase, *rest in lent.conn.execute(sql, sessions):
        same = known.get(_same(*rest))
        if same is not None:
            found.append((event_id, phase == QUESTION, same))
    return found


def _same(session: object, tool: object, given: object, timed: object) -> _Same:
    digest = blake2b(text(given).encode("utf-8", "replace"), digest_size=16).digest()
    return text(session), text(tool), digest, bool(timed)


def _told(listing: "Listing", calls: list[tuple[str, list[_At]]]) -> dict[Place, tuple[Key, Fold]] | None:
    """Each call's events read and folded, under the place of each of them."""
    around = listing.around
    in_days: dict[Part, list[int]] = {}
    for _, call in calls:
        for place, part, _ in call:
            in_days.setdefault(part, []).append(place[0])
    rows: dict[Place, tuple[Any, ...]] = {}
    for part, ids in in_days.items():
        for _, found in around.each([part], partial(_rows, ids=ids, listing=listing)):
            rows.update({(row[0], part.context, part.at): row for row in found})
    if around.unasked:
        return None
    told: dict[Place, tuple[Key, Fold]] = {}
    for session, call in calls:
        fold = Fold()
        for place, part, _ in call:
            if place in rows:
                low, high = listing.where.within(part.bounds_us)
                fold.take(Witness(*rows[place]), part, low <= place[0] < high)
        key = session, f"{MARK}{call[0][0]}"
        told.update((place, (key, fold)) for place, _, _ in call)
    return told


def _rows(lent: "Lent", part: Part, *, ids: list[int], listing: "Listing") -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    for first in range(0, len(ids), ASK):
        some = ids[first : first + ASK]
        marks = ", ".join("?" * len(some))
        sql = f"select {COLUMNS}, {listing.fits} from hooks where id in ({marks})"  # noqa: S608  our own, bound values
        found += listing.fitting(lent, lent.conn.execute(sql, [*listing.fit_params, *some]))
    return found


def _has(call: list[_At], rows: Mapping[Place, Row]) -> bool:
    return any(place in rows for place, _, _ in call)


def _timed(event: _At) -> Place:
    return event[0]


def _timeless(event: _At) -> tuple[bool, Place]:
    return not event[2], event[0]
