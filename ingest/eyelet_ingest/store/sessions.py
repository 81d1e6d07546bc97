"""The list of sessions: which there are, newest first, and what each of them adds up to.

A session stands in the list where the latest of its events that fit is. Which sessions a day has is read from the
index on sessions, a look for each, so that a page costs what it shows, however many events there are; only where a
condition has few events are these looked through instead. What a session adds up to is that of the whole session, not
of the range: it is followed over the days around, until a week has nothing of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import Any

from eyelet_ingest.errors import BadInput
from eyelet_ingest.store import choice, layout, select, statistics
from eyelet_ingest.store.answers import Partitions, Row, text
from eyelet_ingest.store.catalog import Part
from eyelet_ingest.store.fanout import Lent
from eyelet_ingest.store.roots import Roots
from eyelet_ingest.store.search import FETCH_CHUNK, LIMIT_MOST, Search
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.session_facts import Facts, calls_of_day, events_at, facts_of_day
from eyelet_ingest.store.token_shapes import SHAPES, Tokens

GAP_US = 7 * layout.DAY_US  # a session that is silent for longer is taken for two where it is added up
_UNINDEXED = ("project_dir", "agent", "model", "loglevel")
LIVE_US = layout.DAY_US // 2  # a session that did something since is of interest for what it does now


@dataclass(frozen=True, slots=True)
class Listed:
    """One session. `place_us` is the time of the latest of its events that fit: the list's order. All else is of the
    whole session: `facts` are None where the time ran out, `tokens` where they were not asked for or not counted."""

    session_id: str
    place_us: int
    facts: Facts | None
    tokens: Tokens | None


@dataclass(frozen=True, slots=True)
class Sessions:
    """One page; `next`, where there is more, is the `after` of the following one. `complete` is whether there was time
    for all that a page shows."""

    rows: list[Listed]
    next: str | None
    complete: bool
    partitions: Partitions
    elapsed_ms: float


@dataclass(frozen=True, slots=True)
class _Start:
    """Where a page begins: beyond the session of this time and name, of what happened before `as_of_us`."""

    as_of_us: int
    place: tuple[int, str] | None

    @classmethod
    def read(cls, after: str | None, now_us: int) -> "_Start":
        if after is None:
            return cls(now_us + 1, None)
        numbers, _, name = after.partition("~")
        as_of, _, place = numbers.partition(".")
        if not (name and all(one.isascii() and one.isdigit() and len(one) <= 16 for one in (as_of, place))):
            reason = "the cursor is not one this software gave"
            raise BadInput("list sessions", reason=reason, hint="start at the first page")
        return cls(int(as_of), (int(place), name))

    def behind(self, place: tuple[int, str]) -> str:
        return f"{self.as_of_us}.{place[0]}~{place[1]}"


def sessions(
    roots: Roots,
    where: Filter,
    *,
    limit: int,
    after: str | None,
    tokens: bool,
    deadline_ms: float | None,
    now_us: int,
) -> Sessions:
    """One page of the sessions that have an event that fits, each once, newest first. What arrives meanwhile with a
    later time moves no session from one page to another. BadInput for a page of nothing, and an `after` that this
    software did not give; partitions that cannot be read are named in the result."""
    if limit < 1:
        raise BadInput("list sessions", reason=f"a page of {limit} sessions", hint="1 is the least")
    start = _Start.read(after, now_us)
    until_us = start.as_of_us if where.until_us is None else min(where.until_us, start.as_of_us)
    with _Listing(roots, replace(where, until_us=until_us), deadline_ms) as question:
        found = question.found(start.place, min(limit, LIMIT_MOST))
        page = found[:limit]
        truth = question.truth()
        facts = question.facts(page, now_us - LIVE_US)
        left_ms = question.left_ms()
        used = _tokens(roots, facts, left_ms) if tokens and (left_ms is None or left_ms > 0) else None
        rows = [Listed(name, at, facts.get(name), _of(used, name)) for at, name in page]
        following = start.behind(page[-1]) if len(found) > limit else None
        complete = truth.complete and len(facts) == len(page) and (used is not None or not tokens)
        truth = replace(truth, unreadable=question.truth().unreadable)  # days around are looked at besides
        return Sessions(rows, following, complete, truth, question.elapsed_ms())


def _of(used: dict[str, Tokens] | None, name: str) -> Tokens | None:
    return None if used is None else used.get(name, Tokens())


def _tokens(roots: Roots, facts: dict[str, Facts], deadline_ms: float | None) -> dict[str, Tokens] | None:
    """What each session took; None where there was no time to count."""
    from eyelet_ingest.store.usage import usage

    told = {name: one for name, one in facts.items() if one.shapes()}
    shapes = tuple(shape for shape in SHAPES if any(shape in one.shapes() for one in told.values()))
    found: dict[str, Tokens] = {}
    names = list(told)
    for start in range(0, len(names), select.VALUES_MAX):
        some = names[start : start + select.VALUES_MAX]
        first, last = min(told[name].first_us for name in some), max(told[name].last_us for name in some)
        where = Filter(since_us=first, until_us=last + 1, session_id=tuple(some))
        counted = usage(roots, where, ("session",), deadline_ms, shapes)
        if not counted.partitions.complete:
            return None
        found.update((row.session, row.tokens) for row in counted.rows)
    return found


class _Listing(Search):
    """A question whose answer is sessions."""

    def __enter__(self) -> "_Listing":
        return self

    def left_ms(self) -> float | None:
        return None if self.until is None else (self.until - self.started) * 1000 - self.elapsed_ms()

    def found(self, beyond: tuple[int, str] | None, limit: int) -> list[tuple[int, str]]:
        """The first `limit` sessions behind `beyond`, (time, name), and one more where there is."""
        seen: set[str] = set()
        page: list[tuple[int, str]] = []
        days = [list(group) for _, group in groupby(self.parts, key=lambda part: part.first_us)]
        while days and len(page) <= limit and not self.is_late():
            latest: dict[str, int] = {}
            for _, rows in self.each(days.pop(), self._of_day):
                for name, last in rows:
                    latest[name] = max(last, latest.get(name, 0))
            places = sorted(((last, name) for name, last in latest.items() if name not in seen), reverse=True)
            seen.update(latest)
            page += [place for place in places if beyond is None or place < beyond]
        left = sum(len(day) for day in days)
        if len(page) > limit:
            self.skipped += left
        else:
            self.unasked += left
        return page[: limit + 1]

    def facts(self, places: Sequence[tuple[int, str]], live_us: int) -> dict[str, Facts]:
        """What these sessions add up to, over all days near their places; nothing where the time runs out."""
        if not places:
            return {}
        names = [name for _, name in places]
        self.lacks = None  # a text that was asked for stands in one day of a session, and not in others
        found: dict[str, Facts] = {}
        oldest, newest = min(places)[0], max(places)[0]
        for part in reversed([one for one in self.roots.between(None, None, [])[0] if one.first_us <= newest + GAP_US]):
            if part.end_us < oldest - GAP_US:
                break
            for _, rows in self.each([part], partial(facts_of_day, names=names, live_us=live_us)):
                for name, facts in rows.items():
                    found[name] = facts.together(found[name]) if name in found else facts
                    oldest = min(oldest, facts.first_us)
            if self.is_late():
                return {}
        return self._with_prompts(self._counted(found))

    def _with_prompts(self, found: dict[str, Facts]) -> dict[str, Facts]:
        wanted: dict[Part, list[int]] = {}
        for facts in found.values():
            for event_id, part in facts.wrote:
                wanted.setdefault(part, []).append(event_id)
        rows: dict[tuple[Part, int], Row] = {}
        for part, ids in wanted.items():
            for start in range(0, len(ids), FETCH_CHUNK):
                some = ids[start : start + FETCH_CHUNK]
                for _, read in self.each([part], partial(events_at, ids=some)):
                    rows.update({(part, int(str(row["id"]))): row for row in read})
        return {
            name: replace(
                facts, prompts=tuple(rows[part, at] for at, part in facts.wrote if (part, at) in rows), wrote=()
            )
            for name, facts in found.items()
        }

    def _counted(self, found: dict[str, Facts]) -> dict[str, Facts]:
        """A call over midnight, or seen in two contexts, counts once: the few sessions of several parts are asked for
        their calls by name."""
        wanted: dict[Part, list[str]] = {}
        for name, facts in found.items():
            for part in facts.parts if len(facts.parts) > 1 else ():
                wanted.setdefault(part, []).append(name)
        ends: dict[str, list[dict[str, int]]] = {}
        for part, names in wanted.items():
            for _, calls in self.each([part], partial(calls_of_day, names=names)):
                for name in names:
                    ends.setdefault(name, []).append(calls[name])
        return {name: facts.counted(ends[name]) if name in ends else facts for name, facts in found.items()}

    def _of_day(self, lent: Lent, part: Part) -> list[tuple[str, int]]:
        rare = choice.rare(lent.conn, self.ways, lent.indexes) if self.ways else None
        with statistics.snapshot(lent.conn):
            span = self._span(lent.conn, part)
            if span[0] >= span[1]:
                return []
            clauses, values = self.asked(lent, *self.in_range(part, *span))
            if rare is not None or self.text or "hooks_session" not in lent.indexes:
                where = select.where_sql([*clauses, "session_id <> ''"])
                source = rare or choice.BY_TIME
                sql = f"select session_id, max(id) from hooks{source}{where} group by session_id"  # noqa: S608
            else:
                sql = _by_session(clauses)
            rows = lent.conn.execute(sql, values).fetchall()
        return [(text(name), last) for name, last in rows if isinstance(last, int)]

    def _span(self, conn: Any, part: Part) -> tuple[int, int]:
        """The part of the day that may hold what is asked for by columns that have no index, as its statistics know:
        a value that the day does not have would be looked for in all of its rows."""
        low, high = self.where.within(part.bounds_us)
        for name in _UNINDEXED:
            values = getattr(self.where, name)
            if not values or low >= high:
                continue
            covered = statistics.cover(conn, part.bounds_us, low, high)
            if any(piece.bounds_us is None for piece in covered.pieces):
                continue  # what came late may have it
            there: dict[str, Any] = {name: values}
            known = statistics.values_of(conn, covered, name, Filter(**there), "hour, sum(events)", "hour")
            begins = [part.first_us + hour * statistics.HOUR_US for hour, events in known if events]
            spans = [(at, at + statistics.HOUR_US) for at in begins]
            spans += [piece.bounds_us for piece in covered.pieces if piece.bounds_us is not None]
            if not spans:
                return low, low
            low = max(low, min(at for at, _ in spans))
            high = min(high, max(end for _, end in spans))
        return low, high


def _by_session(clauses: list[str]) -> str:
    """Each session of the day, and the latest of its events that fit: a look into the index for each session, and at
    its events as far back as to the first that fits."""
    fits = "".join(f" and {one}" for one in clauses)
    return f"""
        with recursive named(name) as (
            select min(session_id) from hooks where session_id > ''
            union all
            select (select min(session_id) from hooks where session_id > named.name) from named
            where named.name is not null
        )
        select name, (
            select id from hooks indexed by hooks_session where session_id = named.name{fits} order by id desc limit 1
        )
        from named where name is not null
    """  # noqa: S608  checked names, bound values
