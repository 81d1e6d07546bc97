"""Every call of a range that has an identifier, met day by day rather than page by page: each event is read once.

Days are read newest first. A call is given when the day before its first event was read, too; one without its question
when a week before was. So memory is bounded by the calls of two days, and by what has no question in a week's.
"""

from collections.abc import Iterator
from functools import partial
from itertools import groupby
from typing import Any

from eyelet_ingest.store import select
from eyelet_ingest.store.catalog import Part
from eyelet_ingest.store.fanout import Lent
from eyelet_ingest.store.listing import AROUND_US, NEAR_US, Listing
from eyelet_ingest.store.witnesses import (
    COLUMNS,
    COLUMNS_OF_SEVERAL,
    ID_OF_ONE,
    IS_OF_ONE_CALL,
    IS_OF_SEVERAL,
    Fold,
    Key,
    folded,
)


def sweep(listing: Listing) -> Iterator[tuple[Key, Fold]]:
    """The calls that have an event that fits, about newest first; those that were whole when the time ran out."""
    low, high = listing.where.since_us, listing.where.until_us
    parts = [
        part
        for part in reversed(listing.around.parts)
        if (low is None or part.end_us > low - AROUND_US) and (high is None or part.first_us <= high + NEAR_US)
    ]
    held: dict[Key, Fold] = {}
    given: set[Key] = set()  # those that had no question, which may still come: they were counted
    for first_us, day in groupby(parts, key=lambda part: part.first_us):
        for _, folds in listing.around.each(list(day), partial(_witnesses, listing=listing)):
            for key, fold in folds.items():
                if key in held:
                    held[key].add(fold)
                elif key not in given:
                    held[key] = fold
        if listing.around.unasked:
            return
        yield from _ripe(listing, held, given, first_us)
    yield from _ripe(listing, held, given, None)


def _ripe(listing: Listing, held: dict[Key, Fold], given: set[Key], day_us: int | None) -> Iterator[tuple[Key, Fold]]:
    """Take out what no day before this one has a part in: all that is left where None."""
    ripe: dict[Key, Fold] = {}
    for key, fold in list(held.items()):
        wait_us = 0 if fold.question is not None else AROUND_US - NEAR_US
        if day_us is None or fold.first_us >= day_us + NEAR_US + wait_us:
            ripe[key] = held.pop(key)
            if fold.question is None and day_us is not None:
                given.add(key)
    ripe = {key: fold for key, fold in ripe.items() if fold.fitting is not None}
    unanswered = {key: fold.first_us for key, fold in ripe.items() if fold.answer is None}
    if unanswered and listing.where.until_us is not None:  # an answer may lie beyond the days that were read
        ripe.update(listing.folds(unanswered) or {})
    yield from sorted(ripe.items(), key=lambda one: one[1].first_us, reverse=True)


def _witnesses(lent: Lent, part: Part, *, listing: Listing) -> dict[Key, Fold]:
    low, high = listing.where.within(part.bounds_us)
    return folded(_rows(lent, listing), part, low, high)


def _rows(lent: Lent, listing: Listing) -> Iterator[tuple[Any, ...]]:
    sessions = select.bindable(listing.where).session_id
    of_sessions = f"session_id in ({', '.join('?' * len(sessions))})" if sessions else "session_id >= ''"
    by_session = " indexed by hooks_session" if sessions and "hooks_session" in lent.indexes else " not indexed"
    values = [*listing.fit_params, *sessions]
    sql = f"""
        select {COLUMNS}, {listing.fits} from hooks{by_session}
        where {of_sessions} and tool_use_id is not null and {IS_OF_ONE_CALL}
    """  # noqa: S608  our own texts, bound values
    yield from lent.conn.execute(sql, values)
    if "hooks_several" not in lent.indexes:
        return  # a day of before there were such records
    sql = f"""
        select {COLUMNS_OF_SEVERAL}, {listing.fits}
        from hooks indexed by hooks_several, json_each(hooks.meta, '$.calls') as one
        where {of_sessions} and {IS_OF_SEVERAL} and {ID_OF_ONE} is not null
    """  # noqa: S608  our own texts, bound values
    yield from lent.conn.execute(sql, values)
