"""What stands around one event: those before and after it, and the calls it is of."""

import time
from dataclasses import dataclass

from eyelet_ingest.errors import BadInput
from eyelet_ingest.store import layout
from eyelet_ingest.store.answers import Partitions, Row
from eyelet_ingest.store.calls import Call, made
from eyelet_ingest.store.catalog import Part
from eyelet_ingest.store.cursor import Cursor
from eyelet_ingest.store.listing import Listing
from eyelet_ingest.store.roots import Roots
from eyelet_ingest.store.search import Search
from eyelet_ingest.store.select import Filter

AROUND_MOST = 1_000  # events on each side
# How far from an event others of its session are looked for: each day costs a look, however few of them it has.
SESSION_US = 31 * layout.DAY_US


@dataclass(frozen=True, slots=True)
class Around:
    """The event `row`, the rows `before` and `after` it, all oldest first: its neighbours in its context, or those of
    its session in any. Where the deadline came first, or a day cannot be read, they are fewer; `partitions` says so."""

    before: list[Row]
    row: Row
    after: list[Row]
    partitions: Partitions
    elapsed_ms: float


def around(
    roots: Roots,
    context: str,
    id: int,
    *,
    before: int,
    after: int,
    same_session: bool,
    cut_chars: int | None,
    deadline_ms: float | None,
) -> Around | None:
    """See `Store.around`."""
    for number in (before, after):
        if not 0 <= number <= AROUND_MOST:
            hint = f"0 to {AROUND_MOST:,} can be"
            raise BadInput("show what is around", reason=f"{number} events on one side", hint=hint)
    there = _there(roots, context, id, cut_chars)
    if there is None:
        return None
    row, part = there
    session = str(row["session_id"] or "")
    where = Filter(contexts=(part.context,))
    if same_session and session:
        where = Filter(since_us=id - SESSION_US, until_us=id + SESSION_US, session_id=(session,))
    with Search(roots, where, deadline_ms) as question:
        days, at = len(question.parts) + question.skipped, Cursor(id, part.context, part.at)
        older = question.rows(before, at, False, cut_chars)[0] if before else []
        newer = question.rows(after, at, True, cut_chars)[0] if after else []
        truth = question.truth()
        scanned, unasked, bad = truth.scanned, min(truth.unasked, days), truth.unreadable
        skipped = max(days - scanned - unasked - len(question.unreadable), 0)
        found = Partitions(scanned, skipped, bad, unasked, truth.archived)
        return Around(older[::-1], row, newer, found, question.elapsed_ms())


def calls_at(roots: Roots, context: str, id: int, now_us: int | None) -> list[Call]:
    """See `Store.calls_at`."""
    there = _there(roots, context, id, None)
    if there is None:
        return []
    listing = Listing(roots, Filter(), None, time.time_ns() // 1_000 if now_us is None else now_us)
    with listing:
        calls = (listing.met([there[0]]) or [[]])[0]
        return made(listing, [(fold.latest[0], key, fold) for key, fold in calls if fold.latest], None)


def _there(roots: Roots, context: str, id: int, cut_chars: int | None) -> tuple[Row, Part] | None:
    """The event, of the first root that has it, and its partition."""
    try:
        key = layout.key_for(layout.safe_context(context), id)
    except (ValueError, OverflowError, OSError):
        return None
    first_us, end_us = key.bounds_us
    with Search(roots, Filter(since_us=first_us, until_us=end_us, contexts=(key.context,))) as question:
        for part in sorted(question.parts, key=lambda part: part.at):
            rows = question.rows_of([(id, part.context, part.at, part, (id,))], cut_chars)
            if rows:
                return rows[0], part
    return None
