"""Calls: what several events of one call add up to, listed once each, across pages, days, contexts and roots.

A call is (session_id, tool_use_id). Where a hook's payload has none, question and answer pair by session, tool and
input, in order (`pairs.py`). A list of calls walks the events that fit, newest first, and gives a call where it meets
the latest of those; so a page costs what a search costs, and the look for the other witnesses of the calls on it.

Witnesses are looked for a day around the event that was met; a question that is lacking in the week before, an answer
in all that came later.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any

from eyelet_ingest.errors import BadInput
from eyelet_ingest.store import pairs
from eyelet_ingest.store.answers import Partitions, Row, text
from eyelet_ingest.store.catalog import Part
from eyelet_ingest.store.cursor import Cursor
from eyelet_ingest.store.fanout import Lent
from eyelet_ingest.store.layout import DAY_US
from eyelet_ingest.store.roots import Roots
from eyelet_ingest.store.search import LIMIT_MOST, Search
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.witnesses import (
    COLUMNS,
    COLUMNS_OF_SEVERAL,
    IS_OF_ONE_CALL,
    IS_UNNAMED,
    OUTCOMES,
    UNANSWERED,
    UNKNOWN_AFTER_US,
    Fold,
    Key,
    Place,
    folded,
    named,
)

NEAR_US = DAY_US  # how far from an event the other witnesses of its call are looked for
AROUND_US = 7 * DAY_US  # and how far back its question, where it lacks one
CHUNK_ROWS = 500  # events that are looked at together
CALLS_REMEMBERED = 2_000  # while a list goes on
ASK_CALLS = 500  # calls that a partition is asked for at once
STATUSES = (*OUTCOMES, *UNANSWERED)
_FAILED = ("error", "interrupted", "denied")


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
    now_us = time.time_ns() // 1_000 if now_us is None else now_us
    listing = Listing(roots, where, deadline_ms, now_us)
    with listing:
        return listing.listed(min(limit, LIMIT_MOST), _read(after), oldest_first, cut_chars)


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


class _Start:
    """Where a page begins: beyond an event, or at one of whose calls `done` were given already."""

    def __init__(self, beyond: Cursor | None, done: int = 0) -> None:
        self.beyond, self.done = beyond, done

    def cursor(self, oldest_first: bool) -> Cursor | None:
        """The cursor that the first event to look at lies beyond."""
        at = self.beyond
        if at is None or not self.done:
            return at
        return Cursor(at.event_id, at.context, at.at + (-1 if oldest_first else 1))

    @property
    def text(self) -> str:
        told = self.beyond.text if self.beyond else ""
        return f"{told}~{self.done}" if self.done else told


def _read(after: str | None) -> _Start:
    if not after:
        return _Start(None)
    told, mark, done = after.partition("~")
    if mark and not (done.isascii() and done.isdigit() and 0 < len(done) <= 6):
        raise BadInput("list calls", reason="the cursor is not one this software gave", hint="start at the first page")
    return _Start(Cursor.read(told), int(done) if mark else 0)


class Listing(Search):
    """One question about calls: a search for events that are of one, and beside it the look for their witnesses."""

    def __init__(self, roots: Roots, where: Filter, deadline_ms: float | None, now_us: int) -> None:
        self.asked_for, self.now_us = where, now_us
        failed = where.errors or where.error_code or (where.status and set(where.status) <= set(_FAILED))
        on_events = replace(where, status=_FAILED if failed else (), errors=False, error_code=())
        super().__init__(roots, on_events, deadline_ms)
        self.fits = " and ".join(self.clauses) or "1"
        self.clauses.append(f"(tool_use_id is not null or {IS_UNNAMED})")
        self.around = Search(roots, Filter(contexts=where.contexts))
        self.around.until = self.until
        self.known: dict[Key, Fold] = {}
        self.days = len(self.parts) + self.skipped

    def listed(self, limit: int, start: _Start, oldest_first: bool, cut_chars: int | None) -> Calls:
        found, following = self._found(limit, start, oldest_first)
        self.until = self.around.until = None
        made = self._made(found, cut_chars)
        return Calls(made, following.text if following else None, self.truth_about(following), self.elapsed_ms())

    def walk(self) -> Iterator[tuple[Place, Key, Fold]]:
        """Every call, newest first, with what is known of it, in the memory of a page; until the deadline."""
        following: _Start | None = _Start(None)
        while following is not None and not self.is_late():
            found, following = self._found(CHUNK_ROWS, following, False)
            yield from found

    def _found(
        self, limit: int, start: _Start, oldest_first: bool
    ) -> tuple[list[tuple[Place, Key, Fold]], _Start | None]:
        """The calls of a page, and where the next one begins."""
        found: list[tuple[Place, Key, Fold]] = []
        following: _Start | None = start
        size = min(CHUNK_ROWS, 4 * limit + 20)
        while following is not None:
            rows, more = self.rows(size, following.cursor(oldest_first), oldest_first, 0)
            met = self._met(rows)
            if met is None:
                break
            full_at = self._take(rows, met, following, limit, found)
            following = full_at or (_Start(more) if more else None)
            if full_at or self.is_late():
                break
            size = min(CHUNK_ROWS, 2 * size)
        return found, following

    def folds(
        self, keys: Iterable[Key], span_us: tuple[int, int], *, only_week_after: bool = False
    ) -> dict[Key, Fold] | None:
        """What is known of these calls, of which events lie within the span; None where the time ran out."""
        found: dict[Key, Fold] = {}
        keys, parts = list(keys), self.around.parts
        low, high = span_us[0] - (0 if only_week_after else NEAR_US), span_us[1] + NEAR_US
        near = [part for part in parts if part.end_us > low and part.first_us <= high]
        if not self._gather(near, keys, found):
            return None
        lacking = [key for key in keys if key not in found or None in (found[key].question, found[key].answer)]
        first, last = span_us[0] - AROUND_US, span_us[1] + AROUND_US
        before = [part for part in parts if first < part.end_us <= low and not only_week_after]
        after = [part for part in parts if high < part.first_us and (part.first_us <= last or not only_week_after)]
        unanswered = [key for key in lacking if key not in found or found[key].answer is None]
        if not (self._gather(before, lacking, found) and self._gather(after, unanswered, found)):
            return None
        return found

    def _gather(self, parts: Sequence[Part], keys: list[Key], found: dict[Key, Fold]) -> bool:
        for at in range(0, len(keys), ASK_CALLS):
            some = keys[at : at + ASK_CALLS]
            for _, folds in self.around.each(parts, partial(self._witnesses, keys=frozenset(some))):
                for key, fold in folds.items():
                    if key in found:
                        found[key].add(fold)
                    else:
                        found[key] = fold
        return not self.around.unasked

    def _witnesses(self, lent: Lent, part: Part, *, keys: frozenset[Key]) -> dict[Key, Fold]:
        low, high = self.where.within(part.bounds_us)
        return {key: fold for key, fold in folded(self._rows_of(lent, keys), part, low, high).items() if key in keys}

    def _rows_of(self, lent: Lent, keys: frozenset[Key]) -> Iterator[tuple[Any, ...]]:
        ids, sessions = [call for _, call in keys], sorted({session for session, _ in keys})
        by_id = " indexed by hooks_tool_use" if "hooks_tool_use" in lent.indexes else ""
        sql = f"""
            select {COLUMNS}, {self.fits} from hooks{by_id}
            where tool_use_id in ({_marks(ids)}) and {IS_OF_ONE_CALL}
        """  # noqa: S608  checked names, bound values
        yield from lent.conn.execute(sql, [*self.params, *ids])
        if "hooks_several" not in lent.indexes:
            return  # a day of before there were such records
        sql = f"""
            select {COLUMNS_OF_SEVERAL}, {self.fits}
            from hooks indexed by hooks_several, json_each(hooks.meta, '$.calls') as one
            where session_id in ({_marks(sessions)}) and origin <> 'hook' and json_type(meta, '$.calls') is not null
                and json_type(meta, '$.calls') = 'array' and one.type = 'object'
                and json_extract(one.value, '$.id') in ({_marks(ids)})
        """  # noqa: S608  checked names, bound values
        yield from lent.conn.execute(sql, [*self.params, *sessions, *ids])

    def outcomes(self, rows: list[Row]) -> list[str]:
        """For each of these pending events how its call ended."""
        span = min(_id(row) for row in rows), max(_id(row) for row in rows)
        keys = [[(text(row["session_id"]), use_id) for use_id in _ids(row)] for row in rows]
        known = self.folds({key: None for some in keys for key in some}, span, only_week_after=True) or {}
        alone = {self._place(row): row for row in rows if _is_unnamed(row) and row["tool_name"] is not None}
        unnamed = pairs.of(self.around, self.fits, self.params, self.where, alone) or {}
        found: list[str] = []
        for row, some in zip(rows, keys, strict=True):
            pair = unnamed.get(self._place(row))
            fold = pair[1] if pair else next((known[key] for key in some if key in known), None)
            late = _id(row) < self.now_us - UNKNOWN_AFTER_US
            found.append(fold.status(self.now_us) if fold else "unknown" if late else "pending")
        return found

    def _met(self, rows: list[Row]) -> "list[list[tuple[Key, Fold]]] | None":
        """For each row the calls it is of, with what is known of them; None where the time ran out."""
        if not rows:
            return []
        keys = [[(text(row["session_id"]), use_id) for use_id in _ids(row)] for row in rows]
        span = min(_id(row) for row in rows), max(_id(row) for row in rows)
        fresh = dict.fromkeys(key for some in keys for key in some if key not in self.known)
        told = self.folds(fresh, span)
        alone = {self._place(row): row for row in rows if _is_unnamed(row)}
        unnamed = pairs.of(self.around, self.fits, self.params, self.where, alone)
        if told is None or unnamed is None:
            return None
        known = {key: self.known[key] for some in keys for key in some if key in self.known} | told
        met: list[list[tuple[Key, Fold]]] = []
        for row, some in zip(rows, keys, strict=True):
            if _is_unnamed(row):
                pair = unnamed.get(self._place(row))
                met.append([pair] if pair else [])
            else:
                met.append([(key, known[key]) for key in some if key in known])
        self._remember(told)
        return met

    def _remember(self, told: dict[Key, Fold]) -> None:
        """Keep what was found out: a call whose events are many is met again and again."""
        self.known.update(told)
        for key in list(islice(self.known, max(len(self.known) - CALLS_REMEMBERED, 0))):
            del self.known[key]

    def _take(
        self,
        rows: list[Row],
        met: "list[list[tuple[Key, Fold]]]",
        start: _Start,
        limit: int,
        found: list[tuple[Place, Key, Fold]],
    ) -> _Start | None:
        """Add the calls whose latest fitting event is among these rows; where the next page begins, if there is a call
        more than the page holds."""
        before, done = start, start.done
        for row, some in zip(rows, met, strict=True):
            place = self._place(row)
            for at, (key, fold) in enumerate(some):
                if at < done or fold.fitting != place or not self._is_asked_for(fold):
                    continue
                if len(found) == limit:
                    return _Start(Cursor(*place), at) if at else before
                found.append((place, key, fold))
            before, done = _Start(Cursor(*place)), 0
        return None

    def _is_asked_for(self, fold: Fold) -> bool:
        asked = self.asked_for
        status = fold.status(self.now_us)
        if (asked.status and status not in asked.status) or (asked.errors and status != "error"):
            return False
        if asked.tool_name and fold.texts.get("tool_name") not in asked.tool_name:
            return False
        return not asked.error_code or not fold.codes.isdisjoint(asked.error_code)

    def _place(self, row: Row) -> Place:
        at = 0
        if self.roots.several:
            at = next(catalog.at for catalog in self.roots.catalogs if catalog.root == row["root"])
        return _id(row), text(row["context_name"]), at

    def _made(self, found: list[tuple[Place, Key, Fold]], cut_chars: int | None) -> list[Call]:
        wanted = dict.fromkeys(one for _, _, fold in found for one in (fold.question, fold.answer) if one is not None)
        matches = [(*place, part, (place[0],)) for place, part in wanted]
        events = {self._place(row): row for row in self.around.rows_of(matches, cut_chars)}
        return [self._call(place, key, fold, events) for place, key, fold in found]

    def _call(self, place: Place, key: Key, fold: Fold, events: dict[Place, Row]) -> Call:
        status = fold.status(self.now_us)
        root = next((one.root for one in self.roots.catalogs if one.at == place[2]), "") if self.roots.several else ""
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

    def truth_about(self, following: _Start | None = None) -> Partitions:
        unreadable = {**self.around.unreadable, **self.unreadable}
        beyond = self.scanned | self.around.scanned
        mine = [part for part in self.parts if part in beyond or part in unreadable]
        late = max(self.unasked, int(bool(self.around.unasked)), int(following is not None and self.is_late()))
        skipped = max(self.days - len(mine) - late, 0)
        bad = (*unreadable.values(), *self.troubles)
        scanned = sum(part not in unreadable for part in mine)
        return Partitions(scanned, skipped, bad, late, self.archived)


def _ids(row: Row) -> list[str]:
    """The calls that a row is of."""
    several = list(named(row["meta"])) if row["origin"] != "hook" else []
    if several or row["tool_use_id"] is None:
        return several
    return [text(row["tool_use_id"])]


def _is_unnamed(row: Row) -> bool:
    return row["tool_use_id"] is None and row["origin"] == "hook"


def _id(row: Row) -> int:
    return int(str(row["id"]))


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
