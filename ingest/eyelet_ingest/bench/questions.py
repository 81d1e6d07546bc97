"""The questions that both layouts are asked, and how either is asked best: the days through the library, the single
file in SQL. What they answer must be the same: a comparison of different answers says nothing.
"""

# ruff: noqa: S608  the SQL is put together of names of our own; what is looked for is bound

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from eyelet_ingest.bench import generator
from eyelet_ingest.bench.generator import Generator
from eyelet_ingest.bench.single_file import COLUMNS, SingleFile
from eyelet_ingest.errors import EyeletError
from eyelet_ingest.store import layout, text_schema
from eyelet_ingest.store.answers import CountResult, SearchResult, Summary
from eyelet_ingest.store.facets import Facets
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

PAGE = 100
SESSION_NEWEST = 20
WEEK_DAYS = 7

# Both are given the number of the round, so that not every round asks for the same session and day.
Side = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Question:
    """`name` is kept in results: it is not renamed. `title` is for people."""

    name: str
    title: str
    days: Side
    single: Side


def plain(answer: object) -> object:
    """An answer without the shape that its layout gave it: of rows their ids in order, which no two contexts share.
    EyeletError where a day could not answer."""
    if isinstance(answer, (SearchResult, CountResult, Summary, Facets)) and (
        answer.partitions.unreadable or answer.partitions.unasked
    ):
        raise EyeletError("compare the layouts", reason=f"not all days answered: {answer.partitions.as_json()}")
    if isinstance(answer, SearchResult):
        return [row["id"] for row in answer.rows]
    if isinstance(answer, CountResult):
        return answer.count
    if isinstance(answer, Facets):
        return {name: dict(facet.values) for name, facet in answer.fields.items()}
    if isinstance(answer, Summary):
        return (answer.events, answer.errors, answer.sessions, answer.by_type, answer.by_tool, answer.by_status)
    if isinstance(answer, list) and answer and isinstance(answer[0], tuple):
        return [row[0] for row in answer]
    return answer


class Asking:
    """The questions about one scenario, put to its two layouts."""

    def __init__(self, store: Store, single: SingleFile, made: Generator) -> None:
        self.store, self.single, self.made = store, single, made
        self.first_us, self.end_us = generator.span_us(made.scenario)
        self.context = made.contexts[0]
        days = min(WEEK_DAYS, made.scenario.days)
        self.week = Filter(since_us=self.end_us - days * layout.DAY_US, until_us=self.end_us)
        if single.has_contexts:
            self.week = replace(self.week, contexts=(self.context,))
        self.day = replace(self.week, since_us=self.end_us - layout.DAY_US)
        where, self._session_params = self._where(self.week)
        self._session_sql = f"""select {COLUMNS} from hooks indexed by hooks_session
            where {where} and session_id = ? order by id desc limit {SESSION_NEWEST}"""

        self._by_context = "indexed by hooks_context" if single.has_contexts else ""
        clause, self.day_params = self._where(self.day)
        self.day_sql = f"select {COLUMNS} from hooks {self._by_context} where {clause} order by id desc limit {PAGE}"

    def all(self) -> list[Question]:
        common, rare = generator.common_src(self.made.scenario), generator.rare_src(self.made.scenario)
        under = "(src = ? or (src >= ? and src < ?))"
        found = [
            self._page("day", "latest 100 of a day", self.day),
            self._page("week", "latest 100 of 7 days", self.week),
            self._page("prefix", "a common src, 7 days, latest 100", replace(self.week, src=(common,)),
                       under.replace("src", "+src"), _under(common)),
            self._page("rare prefix", "a rare src, 7 days, latest 100", replace(self.week, src=(rare,)),
                       under, _under(rare), order="+id"),
            self._page("errors", "errors, 7 days, latest 100", replace(self.week, errors=True), "error = 1"),
            self._text(),
            self.session(),
            self._count(common),
            Question("count all", "count of everything",
                     lambda _: self.store.count(Filter()),
                     lambda _: self.single.ask("select count(*) from hooks")[0][0]),
            self._by_tool(),
            self._summary(),
        ]  # fmt: skip
        if self.single.has_contexts:
            everywhere = replace(self.week, contexts=())
            found.insert(2, self._page("all contexts", "latest 100 of 7 days, all contexts", everywhere))
        return found

    def session(self) -> Question:
        """The newest events of a session of the last 7 days, another one each round."""
        return Question(
            "session",
            f"newest {SESSION_NEWEST} of a session, 7 days",
            lambda number: self.newest_of(self.some_session(number)),
            lambda number: self.read_session(self.single.reader, self.some_session(number)),
        )

    def newest_of(self, session: str) -> object:
        """The days' side of `session`."""
        return self.store.search(replace(self.week, session_id=(session,)), limit=SESSION_NEWEST)

    def some_session(self, number: int) -> str:
        """One of the sessions of the last 7 days of the first context."""
        scenario = self.made.scenario
        day = scenario.days - 1 - number % min(WEEK_DAYS, scenario.days)
        return self.made.session(day, 0, number % self.made.sessions_a_day)

    def read_session(self, conn: Any, session: str) -> object:
        """The single file's side of `session`, by this connection."""
        return self.single.ask(self._session_sql, (*self._session_params, session), conn)

    def _page(
        self,
        name: str,
        title: str,
        where: Filter,
        condition: str = "",
        params: tuple[object, ...] = (),
        order: str = "id",
    ) -> Question:
        clause, bounds = self._where(where)
        also = f" and {condition}" if condition else ""
        index = self._by_context if where.contexts and order == "id" else ""
        sql = f"select {COLUMNS} from hooks {index} where {clause}{also} order by {order} desc limit {PAGE}"
        return Question(
            name, title,
            lambda _: self.store.search(where, limit=PAGE),
            lambda _: self.single.ask(sql, (*bounds, *params)),
        )  # fmt: skip

    def _text(self) -> Question:
        clause, bounds = self._where(self.week)
        index = text_schema.INDEX
        sql = f"""select {COLUMNS} from hooks
            where id in (select rowid from {index} where {index} match ?) and {clause} order by id desc limit {PAGE}"""
        where = replace(self.week, text=generator.RARE_WORD)
        return Question(
            "text", "a rare word, 7 days, latest 100",
            lambda _: self.store.search(where, limit=PAGE),
            lambda _: self.single.ask(sql, (generator.RARE_WORD, *bounds)),
        )  # fmt: skip

    def _count(self, src: str) -> Question:
        """The single file counts on its index on src, in two parts: with `or` it reads rows."""
        clause, bounds = self._where(self.week)
        one = f"select count(*) from hooks indexed by hooks_src where {clause} and"
        sql = f"select ({one} src = ?) + ({one} src >= ? and src < ?)"
        name, first, end = _under(src)
        where = replace(self.week, src=(src,))
        return Question(
            "count", "count under a common src, 7 days",
            lambda _: self.store.count(where),
            lambda _: self.single.ask(sql, (*bounds, name, *bounds, first, end))[0][0],
        )  # fmt: skip

    def _by_tool(self) -> Question:
        """An index holds tools and times of all days in fewer pages than rows of a week; but no contexts."""
        clause, bounds = self._where(self.week)
        index = self._by_context or "indexed by hooks_tool"
        sql = f"""select tool_name, count(*) from hooks {index} where {clause} and tool_name is not null
            group by tool_name order by 2 desc, 1 limit 20"""

        def single(_: int) -> object:
            return {"tool_name": dict(self.single.ask(sql, bounds))}

        return Question(
            "by tool", "count by tool, 7 days", lambda _: self.store.facets(self.week, ["tool_name"]), single
        )

    def _summary(self) -> Question:
        """What the predecessor calls analytics: totals, and counts by type, tool and status."""
        clause, bounds = self._where(self.week)
        groups = f"""select hook_type, tool_name, status, count(*), sum(error), min(id), max(id)
            from hooks {self._by_context} where {clause} group by 1, 2, 3"""
        sessions = (
            f"select count(distinct session_id) from hooks {self._by_context} where {clause} and session_id <> ''"
        )

        def single(_: int) -> object:
            rows = self.single.ask(groups, bounds)
            sums: list[dict[str, int]] = [{}, {}, {}]
            for row in rows:
                for at, by in enumerate(sums):
                    if row[at] is not None:
                        by[row[at]] = by.get(row[at], 0) + row[3]
            events, errors = sum(row[3] for row in rows), sum(row[4] for row in rows)
            return (events, errors, self.single.ask(sessions, bounds)[0][0], *sums)

        return Question("summary", "summary, 7 days", lambda _: self.store.summary(self.week), single)

    def _where(self, where: Filter) -> tuple[str, tuple[object, ...]]:
        clause, params = "id >= ? and id < ?", (where.since_us, where.until_us)
        if where.contexts:
            return f"context = ? and {clause}", (*where.contexts, *params)
        return clause, params


def _under(name: str) -> tuple[str, str, str]:
    return name, name + ".", name + "/"
