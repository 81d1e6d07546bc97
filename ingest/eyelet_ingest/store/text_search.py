"""One query asked of a day: what its index answers, and what arrived since, read with the very same meaning.

A day's index is believed up to its watermark, but for rows that changed since (`eyelet_text_gone`); those and what
arrived later are read. What the index cannot tell, it narrows, and the text decides. A day without an index, or with
one that is damaged, is read whole: rows that cannot be right by the payload as it is stored are passed over, the others
are taken apart. Little is held at a time: a few hundred rows, or CHUNK_BYTES of payload.
"""

import json
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from heapq import merge
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from eyelet_ingest.store import select, text_plan, text_query
from eyelet_ingest.store.fanout import OutOfTime, is_interruption
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.text_match import Matcher, TextRow
from eyelet_ingest.store.text_schema import GONE, INDEX, TERMS, TEXT_COLUMNS, TEXT_SELECT, VIEW, WIDE

Found = TypeVar("Found")

CHUNK_ROWS = 200
SHOWN_ROWS = 50  # whose texts are held at once to be shown
CHUNK_BYTES = 2 * 2**20
TERMS_MOST = 400  # words that hold a fragment; with more of them the rows are read
_LIST = ", ".join(TEXT_COLUMNS)
_BELIEVED = f"rowid not in (select id from {GONE})"  # noqa: S608  our own names
_UNCHANGED = f"id not in (select id from {GONE})"  # noqa: S608  our own name
# What an index does not answer for: what arrived since, what never will be in it, and what changed.
_TAIL = f"""id in (
    select id from hooks where arrived > ? union all select id from hooks where arrived is null
    union all select id from {GONE}
)"""  # noqa: S608  our own names


_BY_TIME = " not indexed"


class Known(NamedTuple):
    """The index of a day, and how it is asked: the newest `arrived` in it."""

    upto: int
    plan: text_plan.Plan


class Asked(NamedTuple):
    """Conditions on rows of `hooks` beside the text, and what stands behind `from hooks` to find them."""

    clauses: list[str]
    params: list[object]
    source: str = _BY_TIME


class Text:
    """A query that any day can be asked; BadQuery where it cannot be meant. Holds nothing of a day."""

    def __init__(self, text: str, exact: bool = False) -> None:
        self.node = text_query.exactly(text) if exact else text_query.parse(text)
        self.rough = text_plan.rough(self.node)

    def first(
        self, conn: Any, clauses: list[str], params: list[object], by: str | None, oldest_first: bool, most: int
    ) -> list[int]:
        """The ids of the first rows that match and meet the clauses, in order; at most so many. `by` is an index that
        finds few rows, where there is one. Inside a transaction, that all of it is of one moment.

        OutOfTime, with those that came before the deadline, as rows of one column.
        """
        asked = Asked(clauses, params, by or _BY_TIME)
        return self._tried(conn, lambda known: self._first(conn, known, asked, oldest_first, most, by is not None))

    def clause(self, conn: Any, clauses: list[str], params: list[object]) -> tuple[str, list[object]]:
        """A condition on rows of `hooks` that says the same of those that meet the clauses. It holds for the moment of
        the transaction it was made in."""
        return self._tried(conn, lambda known: self._clause(conn, known, Asked(clauses, params)))

    def among(self, conn: Any, ids: Sequence[int]) -> set[int]:
        """Which of these rows match, by their text alone."""
        found: set[int] = set()
        with Matcher(self.node) as matcher:
            source = _source(conn)
            for at in range(0, len(ids), CHUNK_ROWS):
                found |= matcher.of(texts(conn, ids[at : at + CHUNK_ROWS], source))
        return found

    def best(self, conn: Any, clauses: list[str], params: list[object], most: int) -> list[TextRow]:
        """The texts of the rows that match and are most about it, as far as the day can tell; at most so many. Inside a
        transaction."""
        asked = Asked(clauses, params)
        ids = self._tried(conn, lambda known: self._best(conn, known, asked, most))
        return texts(conn, ids, _source(conn)) if ids else []

    def shown(self, conn: Any, ids: Sequence[int]) -> dict[int, str]:
        """Snippets of these rows."""
        from eyelet_ingest.store.text_snippets import snippets

        source, found = _source(conn), {}
        for at in range(0, len(ids), SHOWN_ROWS):
            found.update(snippets(self.node, texts(conn, ids[at : at + SHOWN_ROWS], source)))
        return found

    def _best(self, conn: Any, known: Known | None, asked: Asked, most: int) -> list[int]:
        if known is None or not known.plan.exact or known.plan.without:
            return self._first(conn, known, asked, False, most, False)
        from eyelet_ingest.store.text_rank import BM25

        sql = f"""
            select id from (
                select rowid as hit, bm25({INDEX}, {BM25}) as weight from {INDEX} where {INDEX} match ?
            ) cross join hooks on id = hit {_where([*asked.clauses, _UNCHANGED])} order by weight, id desc limit ?
        """  # noqa: S608  our own names
        found = list(_ids(conn, sql, [known.plan.match, *asked.params, most]))
        return found + list(islice(self._since(conn, known, asked, "id desc"), most))

    def arrived(self, conn: Any, clauses: list[str], params: list[object], by: str, most: int) -> list[int]:
        """The ids of the first rows that match and meet the clauses, in order of arrival; `by` is the index of that."""
        return list(islice(self._matching(conn, Asked(clauses, params, by), "arrived"), most))

    def _tried(self, conn: Any, ask: "Callable[[Known | None], Found]") -> Found:
        """The answer by the index; where that is damaged, or this SQLite has no FTS5, by reading."""
        known = self._known(conn)
        if known is None:
            return ask(None)
        try:
            return ask(known)
        except conn.DatabaseError as bad:
            if is_interruption(bad) or "locked" in str(bad) or "busy" in str(bad):
                raise
            return ask(None)  # where the day itself is damaged, this says so

    def _known(self, conn: Any) -> Known | None:
        upto = _watermark(conn)
        if upto is None:
            return None
        found = text_plan.plan(self.node, lambda fragment: _terms(conn, fragment))
        return Known(upto, found)

    def _clause(self, conn: Any, known: Known | None, asked: Asked) -> tuple[str, list[object]]:
        if known is None or not known.plan.exact:
            ids = self._first(conn, known, asked, True, -1, False)
            return "id in (select value from json_each(?))", [json.dumps(ids)]
        tail = json.dumps(list(self._since(conn, known, asked, "id")))
        match = known.plan.match
        # Once through what matches: a damaged index says so here, where it can still be done without.
        conn.execute(f"select count(*) from {INDEX} where {INDEX} match ?", (match,)).fetchone()  # noqa: S608
        if known.plan.without:
            sql = f"(+arrived <= ? and id not in ({_hits()} union all select id from {GONE}) or {_IN_LIST})"  # noqa: S608
            return sql, [known.upto, match, tail]
        sql = f"id in ({_hits()} and {_BELIEVED} union all select value from json_each(?))"  # noqa: S608  our own names
        return sql, [match, tail]

    def _first(
        self, conn: Any, known: Known | None, asked: Asked, oldest_first: bool, most: int, rare: bool
    ) -> list[int]:
        order = f"id {'asc' if oldest_first else 'desc'}"
        if known is not None and known.plan.exact and (rare or known.plan.without):
            clause, params = self._clause(conn, known, asked)
            sql = f"select id from hooks{asked.source}{_where([*asked.clauses, clause])} order by {order} limit ?"  # noqa: S608
            streams: list[Generator[int, None, None]] = [_ids(conn, sql, [*asked.params, *params, most])]
        elif known is None or (known.plan.match is None and not text_plan.needs_wide(self.node)):
            streams = [self._matching(conn, asked, order)]
        else:
            streams = [self._by_index(conn, known, asked, order), self._since(conn, known, asked, order)]
        found: list[int] = []
        try:
            for one in islice(merge(*streams, reverse=not oldest_first), None if most < 0 else most):
                found.append(one)
        except conn.OperationalError as bad:
            if is_interruption(bad):
                raise OutOfTime([(one,) for one in found]) from bad
            raise
        finally:
            for stream in streams:
                stream.close()
        return found

    def _by_index(self, conn: Any, known: Known, asked: Asked, order: str) -> Generator[int, None, None]:
        """What matches of what the index answers for: it gives ids in order, and is read only as far as wanted."""
        plan, clauses = known.plan, [*asked.clauses, _UNCHANGED]
        if plan.match is None:
            narrowed = Asked([*clauses, f"id in (select id from {WIDE})"], asked.params, _BY_TIME)  # noqa: S608
            return self._matching(conn, narrowed, order)
        columns = "id" if plan.exact else f"id, {_SIZE}"
        sql = f"""
            select {columns} from (select rowid as hit from {INDEX} where {INDEX} match ?) cross join hooks on id = hit
            {_where(clauses)} order by hit {order.removeprefix("id ")}
        """  # noqa: S608  our own names
        params = [plan.match, *asked.params]
        return _ids(conn, sql, params) if plan.exact else self._verified(conn, sql, params)

    def _since(self, conn: Any, known: Known, asked: Asked, order: str) -> Generator[int, None, None]:
        """What matches of what the index does not answer for."""
        clauses, params = [*asked.clauses, _TAIL], [*asked.params, known.upto]
        return self._matching(conn, Asked(clauses, params, _BY_TIME), order)

    def _matching(self, conn: Any, asked: Asked, order: str) -> Generator[int, None, None]:
        """What matches of the rows that meet the conditions, read one after the other."""
        clauses, params = list(asked.clauses), list(asked.params)
        if self.rough is not None:
            clauses.append(self.rough.sql)
            params += self.rough.params
        sql = f"select id, {_SIZE} from hooks{asked.source}{_where(clauses)} order by {order}"  # noqa: S608  our names
        return self._verified(conn, sql, params)

    def _verified(self, conn: Any, sql: str, params: list[object]) -> Generator[int, None, None]:
        """Of the rows that `sql` gives with their sizes, the ids of those whose text matches, in its order."""
        source = _source(conn)
        with Matcher(self.node) as matcher, closing(conn.execute(sql, params)) as rows:
            for ids in _chunks(rows):
                found = matcher.of(texts(conn, ids, source))
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
    from eyelet_ingest.store.text_index import watermark  # which writes; what asks has no need of it until here

    return watermark(conn)


_SIZE = "length(cast(data as blob))"
_IN_LIST = "id in (select value from json_each(?))"


def _hits() -> str:
    return f"select rowid from {INDEX} where {INDEX} match ?"  # noqa: S608  our own names


def _where(clauses: list[str]) -> str:
    return select.where_sql(clauses)


def _ids(conn: Any, sql: str, params: list[object]) -> Generator[int, None, None]:
    with closing(conn.execute(sql, params)) as rows:
        for (one,) in rows:
            yield one


def _chunks(rows: Any) -> Iterator[list[int]]:
    """Ids of (id, size): few at first, as a page may need no more."""
    ids: list[int] = []
    size, most = 0, CHUNK_ROWS // 4
    for one, bytes_long in rows:
        ids.append(one)
        size += bytes_long or 0
        if len(ids) >= most or size >= CHUNK_BYTES:
            yield ids
            ids, size, most = [], 0, CHUNK_ROWS
    if ids:
        yield ids


def _terms(conn: Any, fragment: str) -> list[str] | None:
    """The day's words that hold the fragment; None where there is no list of them, or too many do."""
    there = conn.execute("select 1 from sqlite_master where type = 'table' and name = ?", (TERMS,)).fetchone()
    if there is None:
        return None
    sql = f"select term from {TERMS} where instr(term, ?) > 0 limit ?"  # noqa: S608  our own name
    found = [str(term) for (term,) in conn.execute(sql, (fragment, TERMS_MOST + 1))]
    return found if len(found) <= TERMS_MOST else None
