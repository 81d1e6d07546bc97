"""How long calls took: by tool, and the slowest. Calls that have a name, of which a day holds question and answer."""

import heapq
from dataclasses import dataclass

from eyelet_ingest.store import select
from eyelet_ingest.store.answers import Partitions, text
from eyelet_ingest.store.catalog import Part
from eyelet_ingest.store.fanout import Lent
from eyelet_ingest.store.roots import Roots
from eyelet_ingest.store.search import Search
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.witnesses import IS_OF_ONE_CALL, MOST_MS, PHASE, TIMED

VALUES_MOST = 50_000  # durations of one tool that are kept for its percentiles
TOOLS_MOST = 200
# Tools whose time is that of a person who thinks.
OF_PEOPLE = ("AskUserQuestion", "ExitPlanMode", "ask_user", "request_user_input", "question")


@dataclass(frozen=True, slots=True)
class Took:
    """The calls of one tool: how many, the median and the 95th percentile, and all together, in ms."""

    tool: str
    calls: int
    p50_ms: float
    p95_ms: float
    total_ms: float


@dataclass(frozen=True, slots=True)
class Slow:
    """One call by the event that answered it."""

    ms: float
    tool: str
    context: str
    id: int


@dataclass(frozen=True, slots=True)
class Durations:
    """Those tools first whose calls took longest together; the slowest calls, slowest first."""

    tools: list[Took]
    slowest: list[Slow]
    partitions: Partitions
    elapsed_ms: float


def durations(roots: Roots, where: Filter, limit: int, deadline_ms: float | None) -> Durations:
    """Of the calls whose events match, `limit` tools and as many of the slowest; a deadline as for `count`."""
    values: dict[str, list[float]] = {}
    totals: dict[str, tuple[int, float]] = {}
    slowest: list[tuple[float, int, str, str]] = []
    with _Timing(roots, where, deadline_ms) as question:
        for part, rows in question.each(question.parts, question.of_part):
            for tool, ms, event_id in rows:
                name = text(tool)
                if name not in values and len(values) == TOOLS_MOST:
                    continue
                kept = values.setdefault(name, [])
                if len(kept) < VALUES_MOST:
                    kept.append(ms)
                calls, total = totals.get(name, (0, 0.0))
                totals[name] = calls + 1, total + ms
                one = (ms, event_id, part.context, name)
                if len(slowest) < limit:
                    heapq.heappush(slowest, one)
                elif one > slowest[0]:
                    heapq.heapreplace(slowest, one)
        tools = [_took(name, values[name], *totals[name]) for name in values]
        tools.sort(key=lambda one: (-one.total_ms, one.tool))
        worst = [Slow(ms, name, context, event_id) for ms, event_id, context, name in sorted(slowest, reverse=True)]
        return Durations(tools[:limit], worst, question.truth(), question.elapsed_ms())


def _took(name: str, values: list[float], calls: int, total: float) -> Took:
    values.sort()
    return Took(name, calls, values[len(values) // 2], values[min(len(values) * 95 // 100, len(values) - 1)], total)


class _Timing(Search):
    """A question whose answer is durations."""

    def __enter__(self) -> "_Timing":
        return self

    def of_part(self, lent: Lent, part: Part) -> list[tuple[object, float, int]]:
        from eyelet_ingest.store import statistics

        in_range, params = self.in_range(part)
        with statistics.snapshot(lent.conn):
            clauses, values = self.asked(lent, in_range, params)
            people = f"(tool_name is null or tool_name not in ({', '.join('?' * len(OF_PEOPLE))}))"
            where = select.where_sql([*clauses, "tool_use_id is not null", IS_OF_ONE_CALL, people])
            sql = f"""
                select tool, ms, last from (
                    select tool, coalesce(said, iif(answered >= asked, (answered - asked) / 1000.0, null)) as ms, last
                    from (
                        select max(tool_name) as tool, max(iif(answers, id, null)) as last,
                            max(iif(answers and duration_ms between 0 and {MOST_MS}, duration_ms, null)) as said,
                            min(iif(phase = 'question' and timed, id, null)) as asked,
                            min(iif(answers and timed, id, null)) as answered
                        from (
                            select *, phase = 'answer' as answers from (
                                select id, session_id, tool_use_id, tool_name, duration_ms, {PHASE} as phase,
                                    {TIMED} as timed
                                from hooks not indexed{where}
                            )
                        )
                        group by session_id, tool_use_id
                    )
                )
                where ms is not null and tool is not null
            """  # noqa: S608  our own texts, bound values
            rows: list[tuple[object, float, int]] = lent.conn.execute(sql, [*values, *OF_PEOPLE]).fetchall()
            return rows
