"""How calls are found: the walk over the events that fit, and beside it the look for the other events of their calls.

Witnesses are looked for a day around the event that was met; a question that is lacking in the week before, an answer
in all that came later.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from eyelet_ingest.errors import BadInput
from eyelet_ingest.store import choice, pairs, select
from eyelet_ingest.store.answers import Partitions, Row, text
from eyelet_ingest.store.catalog import Part
from eyelet_ingest.store.cursor import Cursor
from eyelet_ingest.store.fanout import Lent
from eyelet_ingest.store.layout import DAY_US
from eyelet_ingest.store.roots import Roots
from eyelet_ingest.store.search import Search, told
from eyelet_ingest.store.select import TIME_MOST_US, Filter
from eyelet_ingest.store.witnesses import (
    COLUMNS,
    COLUMNS_OF_SEVERAL,
    ID_OF_ONE,
    IS_OF_ONE_CALL,
    IS_OF_SEVERAL,
    IS_UNNAMED,
    UNKNOWN_AFTER_US,
    Fold,
    Key,
    Place,
    folded,
    named,
    within,
)

if TYPE_CHECKING:  # imported where a text is asked for
    from eyelet_ingest.store.text_search import Asked

NEAR_US = DAY_US  # how far from an event the other witnesses of its call are looked for
AROUND_US = 7 * DAY_US  # and how far back its question, where it lacks one
CHUNK_ROWS = 500  # events that are looked at together
CALLS_REMEMBERED = 2_000  # while a list goes on
ASK_CALLS = 500  # calls that a partition is asked for at once
DIGITS_MOST = 18  # of a number in a cursor: an integer of SQLite's
PAGE_TAKES_US = 10_000_000  # what arrives while a page is made comes later than its list
FAILED = ("error", "interrupted", "denied")
ASKED_OF_CALLS = ("status", "errors", "error_code", "tool_name")  # all else is asked of their events
# By the indexes of both, which an `or` of them would not be.
_OF_TOOLS = f"""id in (
    select id from hooks where tool_name in ({{}})
    union all select id from hooks where session_id >= '' and {IS_OF_SEVERAL}
)"""  # noqa: S608  our own texts


class Start:
    """Where a page begins: beyond an event, or at one of whose calls `done` were given already. All pages of a list are
    of the events that had arrived at `as_of_us`: a call stays where it was while others go on writing."""

    def __init__(self, as_of_us: int, beyond: Cursor | None = None, done: int = 0) -> None:
        self.as_of_us, self.beyond, self.done = as_of_us, beyond, done

    def cursor(self, oldest_first: bool) -> Cursor | None:
        """The cursor that the first event to look at lies beyond."""
        at = self.beyond
        if at is None or not self.done:
            return at
        return Cursor(at.event_id, at.context, at.at + (-1 if oldest_first else 1))

    def at(self, beyond: Cursor | None, done: int = 0) -> "Start":
        """Another place in the same list."""
        return Start(self.as_of_us, beyond, done)

    @property
    def text(self) -> str:
        return f"{self.beyond.text if self.beyond else ''}~{self.done}~{self.as_of_us}"

    @classmethod
    def read(cls, after: str | None, now_us: int) -> "Start":
        """BadInput for what `text` did not give; the beginning where nothing is given."""
        if not after:
            return cls(now_us)
        beyond, *rest = after.split("~")
        numbers = [int(one) for one in rest if one.isascii() and one.isdigit() and len(one) <= DIGITS_MOST]
        if len(rest) != 2 or len(numbers) != 2 or (numbers[0] and not beyond):
            hint = "start at the first page"
            raise BadInput("list calls", reason="the cursor is not one this software gave", hint=hint)
        return cls(numbers[1], Cursor.read(beyond) if beyond else None, numbers[0])


class Listing(Search):
    """One question about calls: a search for events that are of one, and beside it the look for their witnesses."""

    READ: frozenset[str] | None = frozenset(
        ("id", "session_id", "hook_type", "tool_name", "tool_use_id", "status", "origin", "meta")
    )
    EVENTS_A_CALL = 4  # that are met, about
    OF_CALLS = f"(tool_use_id is not null or {IS_UNNAMED})"  # what is met at all; everything where ""

    def __init__(
        self, roots: Roots, where: Filter, deadline_ms: float | None, now_us: int, as_of_us: int | None = None
    ) -> None:
        where = told(where)
        self.asked_for, self.now_us = where, now_us
        super().__init__(roots, self.on_events(where), deadline_ms)
        self.tools = select.bindable(where).tool_name
        more, params = self.more_conditions()
        self.clauses, self.params = [*self.clauses, *more], [*self.params, *params]
        if as_of_us is not None:
            # Up to now, and not beyond: where a clock was wrong, events may have arrived in times to come.
            self.clauses = [*self.clauses, "not ifnull(arrived > ? and arrived <= ?, 0)"]
            self.params = [*self.params, as_of_us, time.time_ns() // 1_000 + PAGE_TAKES_US]
        self.fits, self.fit_params = " and ".join(self.clauses) or "1", list(self.params)
        if self.OF_CALLS:
            self.clauses = [*self.clauses, self.OF_CALLS]
        out = tuple(pair for pair in where.without if pair[0] == "contexts")
        self.around = Search(roots, Filter(contexts=where.contexts, without=out))
        self.around.until = self.until
        self.known: dict[Key, Fold] = {}
        self.days = len(self.parts) + self.skipped

    def on_events(self, where: Filter) -> Filter:
        """What is asked of the events that are met; the rest is asked of their calls."""
        failed = where.errors or where.error_code or (where.status and set(where.status) <= set(FAILED))
        return replace(where.but(*ASKED_OF_CALLS), status=FAILED if failed else ())

    def more_conditions(self) -> tuple[list[str], list[object]]:
        """Conditions on the events beside those of the filter. Of a record of several calls the column names the first
        one's tool."""
        if not self.tools:
            return [], []
        return [f"(tool_name in ({marks(self.tools)}) or {IS_OF_SEVERAL})"], list(self.tools)

    def walk(self, lent: Lent) -> tuple[str | None, list[str], list[object]]:
        source, clauses, params = super().walk(lent)
        if source != choice.BY_TIME or not self._are_rare(lent):
            return source, clauses, params
        return source, [*clauses, _OF_TOOLS.format(marks(self.tools))], [*params, *self.tools]

    def beside_text(self, lent: Lent, clauses: list[str], params: list[object]) -> "Asked":
        asked = super().beside_text(lent, clauses, params)
        if asked.is_rare or not self._are_rare(lent):
            return asked
        of_tools = _OF_TOOLS.format(marks(self.tools))
        return asked._replace(clauses=[*asked.clauses, of_tools], params=[*asked.params, *self.tools])

    def _are_rare(self, lent: Lent) -> bool:
        """Whether the tools that are asked for have few events here: they are then not looked for one by one."""
        if not self.tools:
            return False
        way = select.Way("hooks_tool", f"tool_name in ({marks(self.tools)})", list(self.tools), False)
        return choice.rare(lent.conn, [way], lent.indexes) is not None

    def found(self, limit: int, start: Start, oldest_first: bool) -> tuple[list[tuple[Place, Key, Fold]], Start | None]:
        """The calls of a page, and where the next one begins: nothing where there is no more."""
        found: list[tuple[Place, Key, Fold]] = []
        following: Start | None = start
        size = min(CHUNK_ROWS, self.EVENTS_A_CALL * limit + 20)
        while following is not None:
            rows, more = self.rows(size, following.cursor(oldest_first), oldest_first, 0)
            met = self.met(rows)
            if met is None:
                break
            full_at = self._take(rows, met, following, limit, found)
            following = full_at or (start.at(more) if more else None)
            if full_at or self.is_late():
                break
            size = min(CHUNK_ROWS, 2 * size)
        return found, following

    def folds(self, times_us: Mapping[Key, int], *, only_week_after: bool = False) -> dict[Key, Fold] | None:
        """What is known of these calls, each with the time of an event of it; None where the time ran out."""
        found: dict[Key, Fold] = {}
        behind_us = 0 if only_week_after else NEAR_US
        near = within(self.around.parts, times_us.values(), behind_us, NEAR_US)
        if not self._gather(near, list(times_us), found):
            return None
        lacking = [key for key in times_us if key not in found or None in (found[key].question, found[key].answer)]
        before = [] if only_week_after else within(self.around.parts, [times_us[key] for key in lacking], AROUND_US, 0)
        seen = set(near)
        before = [part for part in before if part not in seen]
        seen.update(before)
        unanswered = [key for key in lacking if key not in found or found[key].answer is None]
        ahead_us = AROUND_US if only_week_after else TIME_MOST_US
        after = within(self.around.parts, [times_us[key] for key in unanswered], 0, ahead_us)
        after = [part for part in after if part not in seen]
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
            where tool_use_id in ({marks(ids)}) and {IS_OF_ONE_CALL}
        """  # noqa: S608  checked names, bound values
        yield from self.fitting(lent, lent.conn.execute(sql, [*self.fit_params, *ids]))
        if "hooks_several" not in lent.indexes:
            return  # a day of before there were such records
        sql = f"""
            select {COLUMNS_OF_SEVERAL}, {self.fits}
            from hooks indexed by hooks_several, json_each(hooks.meta, '$.calls') as one
            where session_id in ({marks(sessions)}) and {IS_OF_SEVERAL}
                and {ID_OF_ONE} in ({marks(ids)})
        """  # noqa: S608  checked names, bound values
        yield from self.fitting(lent, lent.conn.execute(sql, [*self.fit_params, *sessions, *ids]))

    def fitting(self, lent: Lent, rows: Iterator[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        """Rows that begin with their id and end with whether they fit, where a text is asked for by that too."""
        if self.text is None:
            yield from rows
            return
        while some := list(islice(rows, CHUNK_ROWS)):
            found = self.text.among(lent.conn, [row[0] for row in some if row[-1]])
            yield from ((*row[:-1], row[0] in found) for row in some)

    def outcomes(self, rows: list[Row]) -> list[str]:
        """For each of these pending events how its call ended."""
        keys = [[(text(row["session_id"]), use_id) for use_id in _ids(row)] for row in rows]
        times = {key: _id(row) for row, some in zip(rows, keys, strict=True) for key in some}
        known = self.folds(times, only_week_after=True) or {}
        alone = {self.place(row): row for row in rows if _is_unnamed(row)}
        unnamed = pairs.of(self, alone) or {}
        found: list[str] = []
        for row, some in zip(rows, keys, strict=True):
            pair = unnamed.get(self.place(row))
            fold = pair[1] if pair else next((known[key] for key in some if key in known), None)
            late = _id(row) < self.now_us - UNKNOWN_AFTER_US
            found.append(fold.status(self.now_us) if fold else "unknown" if late else "pending")
        return found

    def met(self, rows: list[Row]) -> "list[list[tuple[Key, Fold]]] | None":
        """For each row the calls it is of, with what is known of them; None where the time ran out."""
        if not rows:
            return []
        keys = [[(text(row["session_id"]), use_id) for use_id in _ids(row)] for row in rows]
        both = zip(rows, keys, strict=True)
        told = self.folds({key: _id(row) for row, some in both for key in some if key not in self.known})
        alone = {self.place(row): row for row in rows if _is_unnamed(row)}
        unnamed = pairs.of(self, alone)
        if told is None or unnamed is None:
            return None
        known = {key: self.known[key] for some in keys for key in some if key in self.known} | told
        met: list[list[tuple[Key, Fold]]] = []
        for row, some in zip(rows, keys, strict=True):
            if _is_unnamed(row):
                pair = unnamed.get(self.place(row))
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
        start: Start,
        limit: int,
        found: list[tuple[Place, Key, Fold]],
    ) -> Start | None:
        """Add the calls whose latest fitting event is among these rows; where the next page begins, if there is a call
        more than the page holds."""
        before, first = start, start.beyond
        for row, some in zip(rows, met, strict=True):
            place = self.place(row)
            done = start.done if first and place == (first.event_id, first.context, first.at) else 0
            for at, (key, fold) in enumerate(some):
                if at < done or fold.fitting != place or not self.is_asked_for(fold, row):
                    continue
                if len(found) == limit:
                    return start.at(Cursor(*place), at) if at else before
                found.append((place, key, fold))
            before = start.at(Cursor(*place))
        return None

    def is_asked_for(self, fold: Fold, row: Row) -> bool:
        """Whether the call, met at this event, is what was asked for."""
        asked = self.asked_for
        status = fold.status(self.now_us)
        if (asked.status and status not in asked.status) or (asked.errors and status != "error"):
            return False
        if asked.tool_name and fold.tools.isdisjoint(asked.tool_name):
            return False
        if asked.error_code and fold.codes.isdisjoint(asked.error_code):
            return False
        return not asked.without or not self._is_left_out(fold, status)

    def _is_left_out(self, fold: Fold, status: str) -> bool:
        out = self.asked_for.left_out
        return (
            status in out("status")
            or (status == "error" and bool(out("errors")))
            or not fold.tools.isdisjoint(out("tool_name"))
            or not fold.codes.isdisjoint(out("error_code"))
        )

    def place(self, row: Row) -> Place:
        at = 0
        if self.roots.several:
            at = next(catalog.at for catalog in self.roots.catalogs if catalog.root == row["root"])
        return _id(row), text(row["context_name"]), at

    def truth_about(self, following: Start | None = None) -> Partitions:
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
    """As IS_UNNAMED says it in SQL."""
    if row["tool_use_id"] is not None or row["tool_name"] is None or row["origin"] != "hook":
        return False
    kind = text(row["hook_type"]).lower()
    return row["status"] == "pending" or kind.startswith(("post", "after")) or kind == "permissiondenied"


def _id(row: Row) -> int:
    return int(str(row["id"]))


def marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
