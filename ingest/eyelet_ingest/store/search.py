"""Fan out over partitions, merge, page: the one search behind the page, the JSON and the command line.

Days do not overlap, so a search walks them in order and stops as soon as the page is full; within a day it merges
contexts and roots. Each partition first gives the ids that match, at most a page of them, and only the rows that make
the page are then read; they are read at once where nothing but time decides and the day has only one partition. Memory
is bounded by the page, whatever is recorded.

It is longer than other files: what a question is, and how a page of it is filled, are read together.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import groupby, islice
from operator import itemgetter, lt
from typing import TYPE_CHECKING, Any

from eyelet_ingest.errors import BadInput, PartitionUnreadable
from eyelet_ingest.store import choice, layout, select, tally
from eyelet_ingest.store.answers import CountResult, ErrorCodes, Row, SearchResult, Summary, ranked, text
from eyelet_ingest.store.catalog import Part
from eyelet_ingest.store.connect import remedy
from eyelet_ingest.store.cursor import Cursor
from eyelet_ingest.store.fanout import Answer, FanOut, Lent, OutOfTime, is_interruption
from eyelet_ingest.store.fetched import read_as, row_of
from eyelet_ingest.store.roots import Roots
from eyelet_ingest.store.select import Filter

if TYPE_CHECKING:  # imported where a text is asked for
    from eyelet_ingest.store.text_blooms import Known
    from eyelet_ingest.store.text_search import Asked, Text

FETCH_CHUNK = 500
LIMIT_MOST = 2**32  # of a page: what is more is all there is, and an integer of SQLite's
# Of a range that covers more of a day, its events are counted in an index rather than in the table, whose pages are
# full of payloads (an entry of an index is 1/16 of the cost of a row).
INDEX_SHARE = 16

_PLACE = itemgetter(0, 1, 2)

# One event that matches: its id, context and place of its root, which make the order of the answer; its partition; and
# (id,) or the whole row. Plain tuples: there are thousands.
_Match = tuple[int, str, int, Part, tuple[Any, ...]]


class Search(FanOut):
    """One question over the partitions of some roots. Reads only, gives back what it borrowed, raises for no bad day.

    After `deadline_ms` it asks no further and interrupts what runs: the answer is what there was by then, and says so.
    """

    READ: frozenset[str] | None = None  # the columns that a page reads, all where None; the others are null in it

    def __init__(self, roots: Roots, where: Filter, deadline_ms: float | None = None) -> None:
        super().__init__(roots, deadline_ms)
        self.where = select.bindable(told(where))
        # What cannot be asked is refused before any day is opened.
        self.clauses, self.params = select.conditions(replace(self.where, text=""))
        self.text: Text | None = None
        self.indexed: Known | None = None  # where a text is asked for
        if self.where.text:
            from eyelet_ingest.store import text_blooms, text_search

            self.text = text_search.of(self.where)
            if self.text:
                if not roots.blooms:
                    roots.blooms.append(text_blooms.Blooms())
                self.indexed = text_blooms.Known(roots.blooms[0], self.text.needed)
                self.lacks = self.indexed.lacks
        self.ways = select.ways(self.where)
        self.parts, self.skipped, self.troubles, self.archived = roots.chosen(self.where)

    def __enter__(self) -> "Search":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def page(
        self, limit: int, after: str | None, oldest_first: bool, cut_chars: int | None, snippets: bool = False
    ) -> SearchResult:
        """Up to `limit` rows beyond the cursor `after`; BadInput for a cursor this software did not make."""
        if limit < 1:
            raise BadInput("search", reason=f"a page of {limit} rows", hint="1 is the least")
        rows, more = self.rows(min(limit, LIMIT_MOST), Cursor.read(after) if after else None, oldest_first, cut_chars)
        if snippets:
            from eyelet_ingest.store import text_answers

            text_answers.show(self, rows)
        return SearchResult(rows, more.text if more else None, self.truth(), self.elapsed_ms())

    def rows(
        self, limit: int, beyond: Cursor | None, oldest_first: bool, cut_chars: int | None
    ) -> tuple[list[Row], Cursor | None]:
        """The rows of a page, and where the next one begins, if there is more or the deadline came first."""
        page = _Page(self, limit, beyond, oldest_first, cut_chars)
        found = page.fill()
        more = page.stopped_at if len(found) <= limit else Cursor(*found[limit - 1][:3])
        until, self.until = self.until, None  # what was found in time is also shown: at most a page is still to be read
        rows = self.rows_of(found[:limit], cut_chars)
        self.until = until
        return rows, more

    def count(self) -> CountResult:
        total = sum(found for _, found in self.counts())
        return CountResult(total, self.truth(), self.elapsed_ms())

    def counts(self) -> Iterator[tuple[Part, int]]:
        """How many events match in each partition."""
        return self.each(self.parts, self._count)

    def summary(self) -> Summary:
        sums = tally.Tally()
        for part, found in self.each(self.parts, self._summary):
            sums.take(part, found)
        return sums.summary(self.truth(), self.elapsed_ms())

    def error_codes(self) -> ErrorCodes:
        """Failures by their code, most frequent first; '' for those without one."""
        counts: dict[str, int] = {}
        for _, rows in self.each(self.parts, self._error_codes):
            for code, count in rows:
                counts[code] = counts.get(code, 0) + count
        return ErrorCodes(ranked(counts), self.truth())

    def event(self, part: Part, event_id: int) -> Row | None:
        """One whole row of a partition, or None."""
        rows = self.rows_of([(event_id, part.context, part.at, part, (event_id,))], None)
        return rows[0] if rows else None

    def in_range(self, part: Part, low: int | None = None, high: int | None = None) -> tuple[list[str], list[object]]:
        """Conditions for the filter's range, and within it for that from low to high; always within the day, as a page
        that ended at a row of another day's time would have the next one go on from there."""
        first, end = self.where.within(part.bounds_us)
        return select.id_range(first if low is None else max(first, low), end if high is None else min(end, high))

    def covers(self, lent: Lent, part: Part) -> bool:
        """Whether every row of the partition lies in the filter's range, so that no condition on time is needed."""
        from eyelet_ingest.store import statistics

        return self.where.within(part.bounds_us) == part.bounds_us and not statistics.strays(lent.conn, part.bounds_us)

    def walk(self, lent: Lent) -> tuple[str | None, list[str], list[object]]:
        """How to meet what matches in order of time: what stands behind `from hooks`, None where nothing can match, and
        the conditions that go with it."""
        source = choice.for_page(lent.conn, self.ways, lent.indexes)
        return self.used(source) if source is not None else None, self.clauses, self.params

    def how(self, lent: Lent, only_ids: bool = False, where: Filter | None = None) -> str:
        """How to find all that matches, or what another filter on the same days asks for: what stands behind `from
        hooks`. Where only ids are asked for, the index of a single condition knows them all, however many they are."""
        ways = self.ways if where is None else select.ways(where)
        if self.text:
            return self.used(choice.rare(lent.conn, ways, lent.indexes) or choice.BY_TIME)
        clauses = self.clauses if where is None else select.conditions(where)[0]
        if only_ids and len(clauses) == 1 and ways and ways[0].index in lent.indexes:
            return self.used(choice.INDEXED_BY + ways[0].index)
        return self.used(choice.for_all(lent.conn, ways, lent.indexes))

    def minus(self) -> tuple[Filter, Filter] | None:
        """What is counted, and what of it is taken away again: counts of either may be known, where those of what
        leaves something out are not. In one snapshot."""
        return None if self.text else self.where.minus()

    def asked(self, lent: Lent, clauses: list[str], params: list[object]) -> tuple[list[str], list[object]]:
        """These conditions and those of the filter, that on the text too, for the transaction they are made in."""
        clauses, params = clauses + self.clauses, params + self.params
        if self.text:
            clause, more = self.text.clause(lent.conn, clauses, params)
            return [*clauses, clause], params + more
        return clauses, params

    def beside_text(self, lent: Lent, clauses: list[str], params: list[object]) -> "Asked":
        """These conditions on the range and those of the filter, without that on the text, and how they are asked."""
        from eyelet_ingest.store.text_search import Asked

        if not self.clauses:
            return Asked(clauses, params, span=(int(str(params[0])), int(str(params[1]))))
        rare = choice.rare(lent.conn, self.ways, lent.indexes)
        return Asked(clauses + self.clauses, params + self.params, self.used(rare or choice.BY_TIME))

    def _count(self, lent: Lent, part: Part) -> int:
        from eyelet_ingest.store import statistics

        if self.text:
            return self._count_text(self.text, lent, part)
        both = self.minus()
        if both is None:
            return self._count_of(lent, part, self.where)
        with statistics.snapshot(lent.conn):
            return self._count_of(lent, part, both[0]) - self._count_of(lent, part, both[1])

    def _count_text(self, text: "Text", lent: Lent, part: Part) -> int:
        in_range, params = self.in_range(part)
        if self.indexed and not self.clauses:
            counted = text.count_whole(lent.conn, params)
            if counted is not None and self.indexed.is_still(part):
                return counted
        return text.count(lent.conn, self.beside_text(lent, in_range, params))

    def _count_of(self, lent: Lent, part: Part, where: Filter) -> int:
        from eyelet_ingest.store import counting

        known = counting.count(lent.conn, part.bounds_us, where)
        if known is not None:
            return known
        in_range, span = self.in_range(part)
        clauses, params = select.conditions(where)
        if not clauses:
            source = self._counted_by(lent, part)
            if self.covers(lent, part):
                source, in_range, span = "", [], []
        else:
            source = self.how(lent, True, where)
        sql = f"select count(*) from hooks{source}{select.where_sql(in_range + clauses)}"  # noqa: S608
        return int(lent.conn.execute(sql, span + params).fetchone()[0])

    def _counted_by(self, lent: Lent, part: Part) -> str:
        low, high = self.where.within(part.bounds_us)
        by_index = (high - low) * INDEX_SHARE > layout.DAY_US and "hooks_type" in lent.indexes
        return self.used(choice.INDEXED_BY + "hooks_type" if by_index else choice.BY_TIME)

    def _summary(self, lent: Lent, part: Part) -> tally.OfPart:
        in_range, params = self.in_range(part)
        from eyelet_ingest.store import counting, statistics

        if not self.clauses and not self.text:
            known = counting.summary(lent.conn, part.bounds_us, self.where)
            if known is not None:
                return known
            with statistics.snapshot(lent.conn):
                if self.covers(lent, part):
                    in_range, params = [], []
                return tally.count_all(lent.conn, select.where_sql(in_range), params)
        source = self.how(lent)
        with statistics.snapshot(lent.conn):
            clauses, params = self.asked(lent, in_range, params)
            return tally.count_matching(lent.conn, source, select.where_sql(clauses), params)

    def _error_codes(self, lent: Lent, part: Part) -> list[tuple[str, int]]:
        in_range, params = self.in_range(part)
        from eyelet_ingest.store import counting, statistics

        if not self.where.on_rows():
            known = counting.error_codes(lent.conn, part.bounds_us, self.where)
            if known is not None:
                return known
        failures = select.Way("hooks_error", "error = 1", [], True)
        ways = self.ways if self.where.errors else [failures, *self.ways]
        source = self.used(choice.for_all(lent.conn, ways, lent.indexes))
        with statistics.snapshot(lent.conn):
            clauses, params = self.asked(lent, [*in_range, "error = 1"], params)
            where = select.where_sql(clauses)
            sql = f"select coalesce(error_code, ''), count(*) from hooks{source}{where} group by 1"  # noqa: S608
            return [(text(code), events) for code, events in lent.conn.execute(sql, params)]

    def rows_of(self, found: list[_Match], cut_chars: int | None) -> list[Row]:
        """The rows of these matches; those that were deleted meanwhile are left out."""
        wanted: dict[Part, list[int]] = {}
        for event_id, _, _, part, row in found:
            if len(row) == 1:
                wanted.setdefault(part, []).append(event_id)
        fetched: dict[tuple[Part, int], tuple[Any, ...]] = {}
        columns = read_as(cut_chars, self.READ)
        for part, ids in wanted.items():
            for _, rows in self.each([part], partial(_fetch, ids=ids, columns=columns)):
                fetched.update({(part, row[0]): row for row in rows})
        made: list[Row] = []
        several = self.roots.several
        for event_id, context, _, part, row in found:
            whole = row if len(row) > 1 else fetched.get((part, event_id))
            if whole is not None:
                made.append(row_of(context, whole))
                if several:
                    made[-1]["root"] = part.root
        return made


class _Page:
    """One page in the making: day by day, until it has one match more than it may hold."""

    def __init__(
        self, search: Search, limit: int, beyond: Cursor | None, oldest_first: bool, cut_chars: int | None
    ) -> None:
        self.search, self.limit, self.beyond, self.oldest_first = search, limit, beyond, oldest_first
        self.only_src = bool(search.where.src) and len(search.clauses) == 1
        self.columns = read_as(cut_chars, search.READ)
        self.found: list[_Match] = []
        self.alone = False  # the day that is asked has only one partition
        self.stopped_at: Cursor | None = None  # where the deadline came first

    def fill(self) -> list[_Match]:
        """The first `limit` matches in the order of the answer, and one more where there is."""
        search, asked = self.search, 0
        parts = self._in_order()
        answers = search.stream(parts, self._ask)
        for _, group in groupby(parts, key=lambda part: part.first_us):
            day = list(group)
            self.alone = len(day) == 1
            matches: list[_Match] = []
            for answer in islice(answers, len(day)):
                if answer.late:
                    self._stop(answer, parts[asked:])
                    return self.found
                asked += 1
                if search.note(answer):
                    matches += self._matches(answer)
            if not self.alone:
                matches.sort(key=_PLACE, reverse=not self.oldest_first)
            self.found += matches[: self.limit + 1 - len(self.found)]
            if len(self.found) > self.limit:
                break
        answers.close()
        search.skipped += len(parts) - asked
        return self.found

    def _in_order(self) -> list[Part]:
        """The partitions in the order of the answer; those that the cursor has passed count as skipped."""
        parts = self.search.parts
        if beyond := self.beyond:
            parts = [part for part in parts if beyond.may_reach(part, self.oldest_first)]
            self.search.skipped += len(self.search.parts) - len(parts)
        return parts if self.oldest_first else parts[::-1]

    def _stop(self, answer: Answer, left: list[Part]) -> None:
        """The deadline came at this answer. Its day is not part of the page, as other contexts may have rows between
        those that are known; but for the beginning of a day that has only one partition."""
        self.search.unasked += len(left)
        some = self._matches(answer) if self.alone and answer.found else []
        self.found += some[: self.limit + 1 - len(self.found)]
        if some:
            self.stopped_at = Cursor(*self.found[-1][:3])
            return
        start = Cursor.before(answer.part, self.oldest_first)
        if (beyond := self.beyond) and (beyond.event_id < start.event_id) != self.oldest_first:
            start = beyond
        self.stopped_at = start

    def _matches(self, answer: Answer) -> list[_Match]:
        part = answer.part
        context, at = part.context, part.at
        return [(row[0], context, at, part, row) for row in answer.found]

    def _ask(self, lent: Lent, part: Part) -> list[tuple[Any, ...]]:
        """The partition's first matches in order: whole rows where they are surely wanted, else their ids alone."""
        search, most = self.search, self.limit + 1 - len(self.found)
        low, high = search.where.since_us, search.where.until_us
        if self.beyond:
            low, high = self.beyond.narrow(part, self.oldest_first, low, high)
        in_range, params = search.in_range(part, low, high)
        if search.text:
            return self._ask_text(search.text, lent, part, in_range, params, most)
        if self.only_src and search.ways[0].index in lent.indexes:
            ids = choice.rare_src_ids(lent.conn, search.ways[0], in_range, params, self.oldest_first, most)
            if ids is not None:
                search.used(choice.INDEXED_BY + search.ways[0].index)
                return self._of_ids(lent, part, ids)
            source, more, values = choice.BY_TIME, search.clauses, search.params
        else:
            way, more, values = search.walk(lent)
            if way is None:
                return []
            source = way
        # What has conditions may find nothing, and then describing 25 columns is the largest part of asking (15 µs).
        whole = self._whole(most) and not search.clauses
        where = select.where_sql(in_range + more)
        order = "asc" if self.oldest_first else "desc"
        # A bare parameter as LIMIT makes SQLite 3.53 prepare the statement anew each time: 2.5 to 15 µs (expmask in its
        # vdbe.c: the plan may depend on the value). An expression does not.
        sql = f"select {self.columns if whole else 'id'} from hooks{source}{where} order by id {order} limit 0 + ?"  # noqa: S608
        try:
            rows = _until_late(lent.conn, sql, [*params, *values, most])
        except OutOfTime as late:
            self._expect_order(part, late.found, params)
            raise
        self._expect_order(part, rows, params)
        return rows if whole else self._of_ids(lent, part, [row[0] for row in rows])

    def _ask_text(
        self, wanted: "Text", lent: Lent, part: Part, in_range: list[str], params: list[object], most: int
    ) -> list[tuple[Any, ...]]:
        """The same where a text is asked for."""
        if self.search.indexed is not None and not self.search.clauses:
            columns = self.columns if self._whole(most) else "id"
            rows = wanted.rows_whole(lent.conn, columns, params, self.oldest_first, most)
            if rows is not None and self.search.indexed.is_still(part):
                self._expect_order(part, rows, params)
                return rows
        try:
            ids = wanted.first(lent.conn, self.search.beside_text(lent, in_range, params), self.oldest_first, most)
        except OutOfTime as late:
            self._expect_order(part, late.found, params)
            raise
        self._expect_order(part, [(one,) for one in ids], params)
        return self._of_ids(lent, part, ids)

    def _expect_order(self, part: Part, rows: list[tuple[Any, ...]], span: list[Any]) -> None:
        """SQLite gives rows as they lie in its tree. Where that is damaged they may come twice, or from before the
        cursor, and pages would have no end."""
        ids = [row[0] for row in rows] if self.oldest_first else [row[0] for row in reversed(rows)]
        if ids and not (span[0] <= ids[0] and ids[-1] < span[1] and all(map(lt, ids, ids[1:]))):
            raise PartitionUnreadable("read", part.path, "its rows are out of order", remedy(part.path, None))

    def _whole(self, most: int) -> bool:
        """Whether rows are surely wanted as soon as their partition has found them."""
        return self.alone and most > 1 and not self.search.ahead

    def _of_ids(self, lent: Lent, part: Part, ids: list[int]) -> list[tuple[Any, ...]]:
        """The rows with these ids where they are surely wanted; (id,) for any other."""
        found: dict[int, tuple[Any, ...]] = {event_id: (event_id,) for event_id in ids}
        if not ids or not self._whole(len(ids) + 1):
            return list(found.values())
        try:
            found.update((row[0], row) for row in _fetch(lent, part, ids=ids, columns=self.columns))
        except lent.conn.OperationalError as bad:
            if is_interruption(bad):
                raise OutOfTime(list(found.values())) from bad
            raise
        return list(found.values())


def told(where: Filter) -> Filter:
    """The filter with what its text says of fields among its conditions; BadQuery where that cannot be meant."""
    if not where.text or where.exact:
        return where
    from eyelet_ingest.store import text_filters

    return text_filters.split(where)


def _until_late(conn: Any, sql: str, params: list[object]) -> list[tuple[Any, ...]]:
    """All rows; OutOfTime with those that came before the deadline."""
    rows: list[tuple[Any, ...]] = []
    try:
        for row in conn.execute(sql, params):
            rows.append(row)  # not at once: what came before an error has to stay
    except conn.OperationalError as bad:
        if is_interruption(bad):
            raise OutOfTime(rows) from bad
        raise
    return rows


def _fetch(lent: Lent, part: Part, *, ids: list[int], columns: str) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for some in _chunks(ids):
        marks = ", ".join("?" * len(some))
        rows += lent.conn.execute(f"select {columns} from hooks where id in ({marks})", some)  # noqa: S608
    return rows


def _chunks(ids: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(ids), FETCH_CHUNK):
        yield ids[start : start + FETCH_CHUNK]
