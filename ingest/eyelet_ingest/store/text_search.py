"""One query asked of a day: what its index answers, and what arrived since, read with the very same meaning.

A day's index is believed up to its watermark, but for rows that changed since (`eyelet_text_gone`); those and what
arrived later are read. What the index cannot tell, it narrows, and the text decides. A day without an index, or with
one that is damaged, is read whole: rows that cannot be right by the payload as it is stored are passed over, the others
are taken apart. Little is held at a time: a few hundred rows, or CHUNK_BYTES of payload.

It is longer than other files: each way of answering stands beside the one that it must equal.
"""

import json
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from heapq import merge
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from eyelet_ingest.store import select, statistics, text_plan, text_proof, text_query
from eyelet_ingest.store.fanout import OutOfTime, is_interruption
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.text_match import Matcher, TextRow
from eyelet_ingest.store.text_schema import (
    GONE,
    INDEX,
    KEYS,
    TERMS,
    TEXT_COLUMNS,
    TEXT_SELECT,
    TEXT_VERSION,
    TRIGGERS,
    VERSION_KEY,
    VIEW,
    WATERMARK,
    WIDE,
)

Found = TypeVar("Found")
Ids = Generator[int, None, None]

CHUNK_ROWS = 200
SHOWN_ROWS = 50  # whose texts are held at once to be shown
CHUNK_BYTES = 2 * 2**20
TERMS_MOST = 400  # words that hold a fragment; with more of them the rows are read
OUT_OF_ORDER = "the text index is malformed: its rows are out of order"
_LIST = ", ".join(TEXT_COLUMNS)
# What an index does not answer for: what arrived since, what never will be in it, and what changed.
_TAIL = f"""(
    select id from hooks where arrived > ? union all select id from hooks where arrived is null
    union all select id from {GONE}
)"""  # noqa: S608  our own names


_BY_TIME = " not indexed"


# What an index must have to be believed: where a trigger is gone, nobody has said what changed; and a table of its name
# that does not read our view is another program's.
PARTS = (INDEX, VIEW, KEYS, GONE, WIDE, *TRIGGERS)
_STANDING = f"""
    select
        (select value from eyelet_partition where key = ?1), (select value from eyelet_partition where key = ?2),
        (
            select count(*) from sqlite_master
            where name in ({", ".join(f"'{name}'" for name in PARTS)})
                and (name <> '{INDEX}' or instr(sql, '{VIEW}')) and (name <> '{VIEW}' or instr(sql, '{KEYS}'))
        ),
        exists (select 1 from hooks where arrived > (select value from eyelet_partition where key = ?1))
            or exists (select 1 from hooks where arrived is null) or exists (select 1 from {GONE})
"""  # noqa: S608  our own names
_STANDING_PARAMS = (WATERMARK, VERSION_KEY)


class Known(NamedTuple):
    """The index of a day, and how it is asked: the newest `arrived` in it, whether there is anything that it does not
    answer for, and where the day's texts are read."""

    upto: int
    is_behind: bool
    plan: text_plan.Plan


class Asked(NamedTuple):
    """Conditions on rows of `hooks` beside the text, and what stands behind `from hooks` to find them. Where `span` is
    given, low ≤ id < high is all they say."""

    clauses: list[str]
    params: list[object]
    source: str = _BY_TIME
    span: tuple[int, int] | None = None

    @property
    def is_rare(self) -> bool:
        return self.source != _BY_TIME


class Text:
    """A query that any day can be asked; BadQuery where it cannot be meant. Holds nothing of a day."""

    def __init__(self, text: str, exact: bool = False) -> None:
        self.node = text_query.exactly(text) if exact else text_query.parse(text)
        self.rough = text_plan.rough(self.node)
        self.needed = text_plan.needed(self.node)
        settled = text_plan.plan(self.node, lambda _: None)
        self.settled = settled if settled.exact else None  # the same in every day, whatever its words
        self.proof, self.is_proven = text_proof.of_any(self.node), text_proof.of_hit(self.node)

    def first(self, conn: Any, asked: Asked, oldest_first: bool, most: int) -> list[int]:
        """The ids of the first rows that match and meet the conditions, in order; at most so many, all where -1. An
        index that is named as their source is one that finds few.

        OutOfTime, with those that came before the deadline, as rows of one column.
        """
        return self._tried(conn, lambda known: self._first(conn, known, asked, oldest_first, most))

    def count(self, conn: Any, asked: Asked) -> int:
        """How many rows match and meet the conditions."""
        return self._tried(conn, lambda known: self._count(conn, known, asked))

    def rows_whole(
        self, conn: Any, columns: str, span: list[object], oldest_first: bool, most: int
    ) -> list[tuple[Any, ...]] | None:
        """These columns of the first rows of low ≤ id < high that match, in order, of a day whose index answers for all
        of it; None where the index cannot tell, or is damaged. OutOfTime with those that came before the deadline."""
        if self.settled is None or self.settled.without:
            return None
        order = "asc" if oldest_first else "desc"
        sql = f"""
            select {columns} from ({_HITS} and rowid >= ? and rowid < ?) cross join hooks on id = hit
            order by hit {order} limit 0 + ?
        """  # noqa: S608  our own names
        rows: list[tuple[Any, ...]] = []
        try:
            for row in conn.execute(sql, (self.settled.match, *span, most)):
                rows.append(row)  # not at once: what came before the deadline has to stay
        except conn.DatabaseError as bad:
            if is_interruption(bad):
                raise OutOfTime(rows) from bad
            return None  # who asks on is told what is wrong
        return rows

    def count_whole(self, conn: Any, span: list[object]) -> int | None:
        """How many of low ≤ id < high match, where the day's index answers for all of it; None as of `rows_whole`."""
        if self.settled is None or self.settled.without:
            return None
        sql = f"select count(*) from {INDEX} where {INDEX} match ? and rowid >= ? and rowid < ?"  # noqa: S608  ours
        try:
            return _number(conn, sql, [self.settled.match, *span])
        except conn.DatabaseError as bad:
            if is_interruption(bad):
                raise
            return None

    def clause(self, conn: Any, clauses: list[str], params: list[object]) -> tuple[str, list[object]]:
        """A condition on rows of `hooks` that says the same of those that meet these. It holds for the moment of the
        transaction that it is made in."""
        return self._tried(conn, lambda known: self._clause(conn, known, Asked(clauses, params)))

    def best(self, conn: Any, asked: Asked, most: int) -> list[TextRow]:
        """The texts of the rows that match and are most about it, as far as the day can tell: so many of its index, and
        as many of what came since."""
        ids = self._tried(conn, lambda known: self._best(conn, known, asked, most))
        return texts(conn, ids, _source(conn)) if ids else []

    def arrived(self, conn: Any, clauses: list[str], params: list[object], by: str, most: int) -> list[int]:
        """The ids of the first rows that match and meet the clauses, in order of arrival; `by` is the index of that."""
        return list(islice(self._matching(conn, Asked(clauses, params, by), "arrived"), most))

    def among(self, conn: Any, ids: Sequence[int]) -> set[int]:
        """Which of these rows match, by their text alone."""
        found: set[int] = set()
        with Matcher(self.node) as matcher:
            source = _source(conn)
            for at in range(0, len(ids), CHUNK_ROWS):
                found |= matcher.of(texts(conn, ids[at : at + CHUNK_ROWS], source))
        return found

    def shown(self, conn: Any, ids: Sequence[int]) -> dict[int, str]:
        """Snippets of these rows."""
        from eyelet_ingest.store.text_snippets import snippets

        source, found = _source(conn), {}
        for at in range(0, len(ids), SHOWN_ROWS):
            found.update(snippets(self.node, texts(conn, ids[at : at + SHOWN_ROWS], source)))
        return found

    def _tried(self, conn: Any, ask: "Callable[[Known | None], Found]") -> Found:
        """The answer by the index; where that is damaged, or this SQLite has no FTS5, by reading. All of it is of one
        moment: another process may begin the index anew between the look at it and the question."""
        if not conn.in_transaction:
            with statistics.snapshot(conn):
                return self._tried(conn, ask)
        known = self._known(conn)
        return ask(None) if known is None else self._believing(conn, known, ask)

    def _believing(self, conn: Any, known: Known, ask: "Callable[[Known | None], Found]") -> Found:
        try:
            return ask(known)
        except conn.DatabaseError as bad:
            if is_interruption(bad) or "locked" in str(bad) or "busy" in str(bad):
                raise
            return ask(None)  # where the day itself is damaged, this says so

    def _known(self, conn: Any) -> Known | None:
        try:
            upto, version, parts, is_behind = conn.execute(_STANDING, _STANDING_PARAMS).fetchone()
        except conn.DatabaseError as bad:
            if is_interruption(bad):
                raise
            return None
        if type(upto) is not int or version != TEXT_VERSION or parts != len(PARTS):
            return None
        plan = self.settled or text_plan.plan(self.node, lambda fragment: _terms(conn, fragment))
        return Known(upto, bool(is_behind), plan)

    def _clause(self, conn: Any, known: Known | None, asked: Asked) -> tuple[str, list[object]]:
        if known is None or not known.plan.exact:
            ids = self._first(conn, known, asked._replace(source=_BY_TIME), True, -1)
            return _IN_LIST, [json.dumps(ids)]
        tail = json.dumps(list(self._since(conn, known, asked, "id")))
        match = known.plan.match
        # Once through what matches: a damaged index says so here, where it can still be done without.
        conn.execute(f"select count(*) from {INDEX} where {INDEX} match ?", (match,)).fetchone()  # noqa: S608
        if known.plan.without:
            sql = f"(id not in {_TAIL} and id not in ({_HITS}) or {_IN_LIST})"
            return sql, [known.upto, match, tail]
        sql = f"id in ({_HITS} and rowid not in {_TAIL} union all select value from json_each(?))"  # noqa: S608  ours
        return sql, [match, known.upto, tail]

    def _count(self, conn: Any, known: Known | None, asked: Asked) -> int:
        if known is None or not known.plan.exact:
            return len(self._first(conn, known, asked, True, -1))
        if asked.span is None:
            clause, params = self._clause(conn, known, asked)
            sql = f"select count(*) from hooks{asked.source}{_where([*asked.clauses, clause])}"  # noqa: S608  our names
            return _number(conn, sql, [*asked.params, *params])
        sql, params = _spanned(known, asked.span)
        hits = _number(conn, f"select count(*) from ({sql})", params)  # noqa: S608  our own names
        since = sum(1 for _ in self._since(conn, known, asked, "id"))
        if not known.plan.without:
            return hits + since
        both = "select count(*) from hooks where +id >= ? and +id < ?"
        rows = _number(conn, both, [*asked.span])
        late = _number(conn, f"{both} and id in {_TAIL}", [*asked.span, known.upto]) if known.is_behind else 0
        return rows - late - hits + since

    def _best(self, conn: Any, known: Known | None, asked: Asked, most: int) -> list[int]:
        from eyelet_ingest.store.text_rank import BM25

        if known is None or not known.plan.exact or known.plan.without:
            return self._first(conn, known, asked, False, most)
        weight = f"bm25({INDEX}, {BM25})"
        if asked.span is not None:
            sql, params = _spanned(known, asked.span)
            sql += f" order by {weight}, rowid desc limit 0 + ?"
        else:
            clauses, params = [*asked.clauses, f"id not in {_TAIL}"], [known.plan.match, *asked.params, known.upto]
            sql = f"""
                select id from (
                    select rowid as hit, {weight} as weight from {INDEX} where {INDEX} match ?
                ) cross join hooks on id = hit {_where(clauses)} order by weight, id desc limit 0 + ?
            """  # noqa: S608  our own names
        found = list(_ids(conn, sql, [*params, most]))
        return found + list(islice(self._since(conn, known, asked, "id desc"), most))

    def _first(self, conn: Any, known: Known | None, asked: Asked, oldest_first: bool, most: int) -> list[int]:
        order = f"id {'asc' if oldest_first else 'desc'}"
        if known is not None and known.plan.exact and (asked.is_rare or known.plan.without):
            clause, params = self._clause(conn, known, asked)
            sql = f"select id from hooks{asked.source}{_where([*asked.clauses, clause])} order by {order} limit 0 + ?"  # noqa: S608
            streams = [_ids(conn, sql, [*asked.params, *params, most])]
        elif known is None or (known.plan.match is None and not text_plan.needs_wide(self.node)):
            streams = [self._matching(conn, asked, order)]
        else:
            streams = [self._by_index(conn, known, asked, order)]
            if known.is_behind:
                streams.append(self._since(conn, known, asked, order))
        found: list[int] = []
        merged = merge(*streams, reverse=not oldest_first) if len(streams) > 1 else streams[0]
        try:
            for one in islice(merged, None if most < 0 else most):
                if known is not None and found and (one <= found[-1] if oldest_first else one >= found[-1]):
                    raise conn.DatabaseError(OUT_OF_ORDER)
                found.append(one)
        except conn.OperationalError as bad:
            if is_interruption(bad):
                raise OutOfTime([(one,) for one in found]) from bad
            raise
        finally:
            for stream in streams:
                stream.close()
        return found

    def _by_index(self, conn: Any, known: Known, asked: Asked, order: str) -> Ids:
        """What matches of what the index answers for: it gives ids in order, and is read only as far as wanted."""
        plan = known.plan
        clauses, params = [*asked.clauses, f"id not in {_TAIL}"], [*asked.params, known.upto]
        if plan.match is None:
            narrowed = Asked([*clauses, f"id in (select id from {WIDE})"], params)  # noqa: S608  our own name
            return self._matching(conn, narrowed, order)
        if plan.exact and asked.span is not None:
            sql, params = _spanned(known, asked.span)
            return _ids(conn, f"{sql} order by row{order}", params)
        proof, values = ("cast(data as blob), cast(meta as blob)", []) if self.is_proven else self.proof
        columns = "id" if plan.exact else f"id, {_SIZE}, {proof}"
        sql = f"""
            select {columns} from (select rowid as hit from {INDEX} where {INDEX} match ?) cross join hooks on id = hit
            {_where(clauses)} order by hit {order.removeprefix("id ")}
        """  # noqa: S608  our own names
        params = [plan.match, *params]
        return _ids(conn, sql, params) if plan.exact else self._verified(conn, sql, [*values, *params], self.is_proven)

    def _since(self, conn: Any, known: Known, asked: Asked, order: str) -> Ids:
        """What matches of what the index does not answer for."""
        clauses, params = [*asked.clauses, f"id in {_TAIL}"], [*asked.params, known.upto]
        return self._matching(conn, Asked(clauses, params), order) if known.is_behind else _none()

    def _matching(self, conn: Any, asked: Asked, order: str) -> Ids:
        """What matches of the rows that meet the conditions, read one after the other."""
        clauses, params = list(asked.clauses), list(asked.params)
        if self.rough is not None:
            clauses.append(self.rough.sql)
            params += self.rough.params
        columns = f"id, {_SIZE}, {self.proof[0]}"
        sql = f"select {columns} from hooks{asked.source}{_where(clauses)} order by {order}"  # noqa: S608  our names
        return self._verified(conn, sql, [*self.proof[1], *params])

    def _verified(self, conn: Any, sql: str, params: list[object], is_proven: text_proof.OfHit | None = None) -> Ids:
        """Of the rows that `sql` gives with their sizes, and whether they are proven, or what proves them, the ids of
        those whose text matches, in its order."""
        source = _source(conn)
        with Matcher(self.node) as matcher, closing(conn.execute(sql, params)) as rows:
            told = rows if is_proven is None else ((id, size, is_proven(*stored)) for id, size, *stored in rows)
            for ids, proven in _chunks(told):
                unsure = [one for one in ids if one not in proven]
                found = proven | (matcher.of(texts(conn, unsure, source)) if unsure else set())
                yield from (one for one in ids if one in found)


def of(where: Filter) -> Text | None:
    """The text that a filter asks for."""
    return Text(where.text, where.exact) if where.text else None


def conditions(conn: Any, where: Filter, clauses: list[str], params: list[object]) -> tuple[list[str], list[object]]:
    """The filter's conditions, those on the text among them, for rows of this day that meet `clauses`. Inside the
    transaction in which they are asked."""
    asked, values = select.conditions(replace(where, text=""))
    if text := of(where):
        clause, more = text.clause(conn, [*clauses, *asked], [*params, *values])
        return [*asked, clause], [*values, *more]
    return asked, values


def texts(conn: Any, ids: Sequence[int], source: str) -> list[TextRow]:
    """The text of these rows, column by column; None where a column has none. In no order."""
    sql = f"select id, {_LIST} from {source} where id in ({', '.join('?' * len(ids))})"  # noqa: S608  our own names
    found: list[TextRow] = conn.execute(sql, ids).fetchall()
    return found


def _source(conn: Any) -> str:
    """Where the texts of a day are read from: its view, or the same rules where it has none, or another version's."""
    return f"({TEXT_SELECT})" if _watermark(conn) is None else VIEW


def _watermark(conn: Any) -> int | None:
    from eyelet_ingest.store.text_slices import watermark  # which writes; what asks has no need of it until here

    return watermark(conn)


_SIZE = "length(cast(data as blob))"
_IN_LIST = "id in (select value from json_each(?))"


_HITS = f"select rowid as hit from {INDEX} where {INDEX} match ?"  # noqa: S608  our own names


def _spanned(known: Known, span: tuple[int, int]) -> tuple[str, list[object]]:
    """The ids that match, of low ≤ id < high and of what the index answers for."""
    sql = f"{_HITS} and rowid >= ? and rowid < ?"
    params: list[object] = [known.plan.match, *span]
    return (f"{sql} and rowid not in {_TAIL}", [*params, known.upto]) if known.is_behind else (sql, params)


def _number(conn: Any, sql: str, params: list[object]) -> int:
    return int(conn.execute(sql, params).fetchone()[0])


def _none() -> Ids:
    yield from ()


def _where(clauses: list[str]) -> str:
    return select.where_sql(clauses)


def _ids(conn: Any, sql: str, params: list[object]) -> Ids:
    with closing(conn.execute(sql, params)) as rows:
        for (one,) in rows:
            yield one


def _chunks(rows: Any) -> Iterator[tuple[list[int], set[int]]]:
    """Ids of (id, size, whether it is proven), and those that are: few at first, as a page may need no more."""
    ids: list[int] = []
    proven: set[int] = set()
    size, most = 0, CHUNK_ROWS // 4
    for one, bytes_long, is_proven in rows:
        ids.append(one)
        if is_proven:
            proven.add(one)
        else:
            size += bytes_long or 0
        if len(ids) >= most or size >= CHUNK_BYTES:
            yield ids, proven
            ids, proven, size, most = [], set(), 0, CHUNK_ROWS
    if ids:
        yield ids, proven


def _terms(conn: Any, fragment: str) -> list[str] | None:
    """The day's words that hold the fragment; None where there is no list of them, or too many do."""
    there = conn.execute("select 1 from sqlite_master where type = 'table' and name = ?", (TERMS,)).fetchone()
    if there is None:
        return None
    sql = f"select term from {TERMS} where instr(term, ?) > 0 limit 0 + ?"  # noqa: S608  our own name
    found = [str(term) for (term,) in conn.execute(sql, (fragment, TERMS_MOST + 1))]
    return found if len(found) <= TERMS_MOST else None
