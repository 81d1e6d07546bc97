"""Calls: what several events of one call add up to, listed once each, across pages, days, contexts and roots.

A call is (session_id, tool_use_id). Where a hook's payload has none, question and answer pair by session, tool and
input, in order (`pairs.py`). A list of calls walks the events that fit, newest first, and gives a call where it meets
the latest of those; so a page costs what a search costs, and the look for the other witnesses of the calls on it.

A list is of what had arrived when its first page was made. The cursor says when that was, so that every call that
was there comes once, whatever is written meanwhile.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from eyelet_ingest.errors import BadInput
from eyelet_ingest.store import pairs
from eyelet_ingest.store.answers import Partitions, Row
from eyelet_ingest.store.listing import Listing, Start
from eyelet_ingest.store.roots import Roots
from eyelet_ingest.store.search import LIMIT_MOST
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.witnesses import OUTCOMES, UNANSWERED, Fold, Key, Place

STATUSES = (*OUTCOMES, *UNANSWERED)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a tool. `id` and `context_name` (and `root`, where there are several) are those of the latest of its
    events that fits, by which calls are in order; times are microseconds since 1970 UTC.

    `status` is resolved: ok, error, interrupted or denied where it was answered, else pending, and unknown an hour
    after its last event. `duration_ms` is what the answer says, else the time from question to answer. `tool_use_id` is
    None where the payloads have none. `witnesses` are origins and types of its events (`hook:PreToolUse`), `events` how
    many they are. `question` and `answer` are whole events, `data` cut as was asked for; None where there is none.
    """

    id: int
    context_name: str
    root: str
    session_id: str
    tool_use_id: str | None
    tool_name: str | None
    status: str
    error: int
    error_code: str | None
    first_us: int
    last_us: int
    duration_ms: float | None
    agent: str | None
    agent_id: str | None
    model: str | None
    project_dir: str | None
    git_branch: str | None
    events: int
    witnesses: tuple[str, ...]
    question: Row | None
    answer: Row | None


@dataclass(frozen=True, slots=True)
class Calls:
    """One page of calls; `next`, where there is more, is the `after` of the following one. Where the deadline came
    first a page may hold fewer than were asked for, even none, and `next` goes on there."""

    rows: list[Call]
    next: str | None
    partitions: Partitions
    elapsed_ms: float


def calls(
    roots: Roots,
    where: Filter,
    *,
    limit: int,
    after: str | None,
    oldest_first: bool,
    cut_chars: int | None,
    deadline_ms: float | None,
    now_us: int | None = None,
) -> Calls:
    """One page of the calls of which an event fits; `status`, `errors` and `error_code` are asked of the call itself.
    BadInput for a status that no call has, a page of nothing, and an `after` that this software did not give."""
    if limit < 1:
        raise BadInput("list calls", reason=f"a page of {limit} calls", hint="1 is the least")
    for status in where.status:
        if status not in STATUSES:
            raise BadInput("list calls", status, "there is no such status", f"write one of {', '.join(STATUSES)}")
    clock_us = time.time_ns() // 1_000
    start = Start.read(after, clock_us)
    listing = Listing(roots, where, deadline_ms, clock_us if now_us is None else now_us, start.as_of_us)
    with listing:
        found, following = listing.found(min(limit, LIMIT_MOST), start, oldest_first)
        listing.until = listing.around.until = None  # what was found in time is also shown
        shown = made(listing, found, cut_chars)
        truth = listing.truth_about(following)
        return Calls(shown, following.text if following else None, truth, listing.elapsed_ms())


def resolve(roots: Roots, rows: Sequence[Row], now_us: int | None = None) -> None:
    """Give each event its `outcome`: of one that is pending how its call ended, as far as that is known from the week
    after it, and `unknown` an hour after it where nothing is; of any other its status. Raises nothing for bad days."""
    now_us = time.time_ns() // 1_000 if now_us is None else now_us
    for row in rows:
        row["outcome"] = row["status"]
    pending = [row for row in rows if row["status"] == "pending"]
    if not pending:
        return
    listing = Listing(roots, Filter(), None, now_us)
    with listing:
        for row, outcome in zip(pending, listing.outcomes(pending), strict=True):
            row["outcome"] = outcome


def made(listing: Listing, found: list[tuple[Place, Key, Fold]], cut_chars: int | None) -> list[Call]:
    """The calls of these folds, each at its place, with its question and answer."""
    wanted = dict.fromkeys(one for _, _, fold in found for one in (fold.question, fold.answer) if one is not None)
    matches = [(*place, part, (place[0],)) for place, part in wanted]
    rows = {listing.place(row): row for row in listing.around.rows_of(matches, cut_chars)}
    return [_call(listing, place, key, fold, rows) for place, key, fold in found]


def _call(listing: Listing, place: Place, key: Key, fold: Fold, events: dict[Place, Row]) -> Call:
    status = fold.status(listing.now_us)
    root = next((one.root for one in listing.roots.catalogs if one.at == place[2]), "") if listing.roots.several else ""
    return Call(
        id=place[0],
        context_name=place[1],
        root=root,
        session_id=key[0],
        tool_use_id=None if key[1].startswith(pairs.MARK) else key[1],
        tool_name=fold.texts.get("tool_name"),
        status=status,
        error=int(status == "error"),
        error_code=max(fold.codes, default=None),
        first_us=fold.first_us,
        last_us=fold.latest[0][0] if fold.latest else place[0],
        duration_ms=fold.duration_ms(),
        agent=fold.texts.get("agent"),
        agent_id=fold.texts.get("agent_id"),
        model=fold.texts.get("model"),
        project_dir=fold.texts.get("project_dir"),
        git_branch=fold.texts.get("git_branch"),
        events=fold.events,
        witnesses=tuple(sorted(fold.names)),
        question=events.get(fold.question[0]) if fold.question else None,
        answer=events.get(fold.answer[0]) if fold.answer else None,
    )
