"""What Datasette asks of its own accord over all rows of a table, answered without reading them all.

0.65 counts every table it shows, and looks at every row of every column to suggest facets; 1.0 looks at a thousand.
Over a year of days either is answered here from what is known of each day, from the days' statistics, or from a
sample. What a person writes is never changed: only statements in Datasette's very words are.
"""

import asyncio
import os
import re
import time
from typing import Any

from datasette_eyelet import compat
from eyelet_ingest.errors import EyeletError
from eyelet_ingest.store.catalog import Part
from eyelet_ingest.store.connect import driver
from eyelet_ingest.store.layout import side_path
from eyelet_ingest.store.select import Filter

COUNT_MS = 200  # for how many rows there are: who reads a table does not wait longer to hear it
SAMPLE_ROWS = 1_000  # as many as 1.0 looks at
GIVE_UP_S = 2.0  # what was too slow to be suggested is not tried again for each further column
SUGGESTED_S, SUGGESTED_MOST = 60.0, 500
SETTLED_NS = 2_000_000_000  # a file changed this recently may change again within the same tick of its clock
MANY = 2**53  # more than can be counted in the time

# `_next` of a page in order of id or time. Of "id < x or (id = x and …)" SQLite makes no range by itself, and would
# read all newer rows again for every page.
_AFTER = re.compile(
    r"\((id|timestamp) ([<>]) :(p\d+)(?: or \1 is null)? or \(\1 = :\3 and "
    r"\(\(context_name > :p\d+\)\s+or\s+\(context_name = :p\d+ and id > :p\d+\)"
    r"(?:\s+or\s+\(context_name = :p\d+ and id = :p\d+ and root > :p\d+\))?\)\)\)"
)
# The first page in some order: the pages after it tell equal ones apart by the key, and so must this one.
_FIRST = re.compile(
    r"(select ([\w, \"\[\]]+) from (hooks|partitions) (?:where .+ )?order by (\w+)(?: desc)?)( limit \d+)", re.DOTALL
)
_ROW = 'select * from hooks where "context_name"=:p0 AND "id"=:p1'
_COUNT_ALL = "select count(*) from hooks "
# 0.65 and 1.0, before they suggest facets
_COUNT_OF = re.compile(r"select count\(\*\) from \(select (?:\* from \(select |(?!.* limit ))", re.DOTALL)
_COUNT_FIRST = re.compile(r"select count\(\*\) from \(select \* from hooks\s+limit (\d+)\)")
_FACET = re.compile(r"\s*select [\w\"\[\]]+ as value, count\(\*\) as count from \(")
_OF = re.compile(r"\(\s*select (?!\* from \()")
_LIMITED = re.compile(r" limit \d+$")

State = tuple[int, ...] | None


class Counting:
    """Of one database over days. `_known` is guarded by the event loop's one call at a time: `_counting`."""

    def __init__(self, database: Any) -> None:
        self._database = database
        self._counting = asyncio.Lock()
        self._known: dict[str, tuple[State, int]] = {}  # of each file: what it was when it was counted, and its rows
        self._suggested: dict[str, tuple[float, Any]] = {}  # of each question: until when its answer holds, and that
        self._slow: tuple[str, float] = ("", 0.0)  # what was last too slow to be suggested, and when

    async def events(self, limit_ms: float) -> int | None:
        """How many rows `hooks` has; None where it takes longer to find out. What was found out meanwhile is kept."""
        if not await self._is_extended() or self._database.roots().several:
            return await self._asked("select count(*) from hooks", limit_ms)
        async with self._counting:
            total: int | None = await self._database.in_thread(self._sum, limit_ms)
            return total

    async def run(self, execute: Any, sql: str, params: Any, named: dict[str, Any]) -> Any:
        """The answer to a statement that `execute(sql, params, **named)` asks; QueryInterrupted where time ran out."""
        limit_ms = named.get("custom_time_limit")
        is_somebodys = bool(named.get("truncate"))  # so Datasette asks what a person wrote, and for the rows of a page
        if sql == _COUNT_ALL:
            return compat.one_value(await self.events(COUNT_MS), sql)
        if first := _COUNT_FIRST.fullmatch(sql):
            known = await self.events(COUNT_MS / 4)
            if known is not None:
                return compat.one_value(min(known, int(first[1])), sql)
        if is_somebodys:
            pass
        elif limit_ms == self._database.ds.setting("facet_time_limit_ms") and _FACET.match(sql):
            named = {**named, "custom_time_limit": None}  # somebody asked for it, and a year of days takes time to open
        elif limit_ms and limit_ms == self._database.ds.setting("facet_suggest_time_limit_ms"):
            return await self._suggestion(execute, sql, params, named)
        elif _COUNT_OF.match(sql):
            return await self._bounded(execute, sql, params, named)
        elif sql.startswith("select count(*) from "):
            named = {**named, "custom_time_limit": min(limit_ms or COUNT_MS, COUNT_MS)}
        several = self._database.roots().several
        is_hidden = several and await self._is_extended()
        return await execute(narrowed(sql, several, is_hidden), params, **named)

    async def _is_extended(self) -> bool:
        """Whether `hooks` is of every day: else the days' statistics tell of more than it shows."""
        covers = self._database.connections.covers()
        if covers is None:
            await self._database.read(lambda conn: None)
            covers = self._database.connections.covers()
        return bool(covers.extended)

    async def _asked(self, sql: str, limit_ms: float) -> int | None:
        try:
            found = await compat.ReadOnlyDatabase.execute(self._database, sql, custom_time_limit=limit_ms)
        except compat.QueryInterrupted:
            return None
        count: int = found.rows[0][0]
        return count

    async def _bounded(self, execute: Any, sql: str, params: Any, named: dict[str, Any]) -> Any:
        """Datasette counts once more, to suggest facets, where there was no time to count: it asks only whether there
        are fewer values than rows."""
        try:
            return await execute(sql, params, **{**named, "custom_time_limit": COUNT_MS / 4})
        except compat.QueryInterrupted:
            return compat.one_value(MANY, sql)

    async def _suggestion(self, execute: Any, sql: str, params: Any, named: dict[str, Any]) -> Any:
        """Of all rows it is remembered for a while: it says which columns are worth a facet, and no number."""
        sampled, of = _sampled(sql)
        slow, at_s = self._slow
        if of == slow and time.monotonic() - at_s < GIVE_UP_S:
            raise compat.QueryInterrupted(None, sql, params)
        until_s, answer = self._suggested.get(sql, (0.0, None))
        if until_s < time.monotonic():
            try:
                answer = await execute(sampled, params, **named)
            except compat.QueryInterrupted:
                self._slow = of, time.monotonic()
                raise
            except driver().OperationalError:
                answer = None  # a column that holds no JSON, say
            if not params:
                self._remember(sql, answer)
        if answer is None:
            raise compat.QueryInterrupted(None, sql, params)
        return answer

    def _remember(self, sql: str, answer: Any) -> None:
        if len(self._suggested) >= SUGGESTED_MOST:
            self._suggested.clear()
        self._suggested[sql] = time.monotonic() + SUGGESTED_S, answer

    def _sum(self, limit_ms: float) -> int | None:
        """Of each day what is known while its files stand, else counted now."""
        until_s = time.monotonic() + limit_ms / 1_000
        known: dict[str, tuple[State, int]] = {}
        total, all_known = 0, True
        for part in self._database.parts():
            state = _state(part.path)
            count = self._of_day(part, state, until_s)
            if count is None:
                all_known = False
            else:
                total += count
                if state is not None:
                    known[part.path] = state, count
        self._known = known
        return total if all_known else None

    def _of_day(self, part: Part, state: State, until_s: float) -> int | None:
        was, count = self._known.get(part.path, (None, 0))
        if was is not None and was == state:
            return count
        left_ms = (until_s - time.monotonic()) * 1_000
        if left_ms <= 0:
            return None
        where = Filter(since_us=part.first_us, until_us=part.end_us, contexts=(part.context,))
        try:
            found = self._database.store().count(where, deadline_ms=left_ms)
        except EyeletError:
            return 0  # a root that is gone: nothing is in the table either
        return found.count if found.partitions.complete else None


def narrowed(sql: str, several: bool = False, is_hidden: bool = False) -> str:
    """The same question with the range it implies, and an order without ties; of `several` roots a row says its own,
    in a column that may be hidden."""
    if first := _FIRST.fullmatch(sql):
        key = (
            ("context_name", "id", *(["root"] if several else [])) if first[3] == "hooks" else ("context_name", "date")
        )
        # A page has the whole key. What somebody wrote may be of several SELECTs, ordered by what they have in common.
        told = {name.strip(' "[]') for name in first[2].split(",")}
        return f"{first[1]}{''.join(f', {name}' for name in key if name in told - {first[4]})}{first[5]}"
    if is_hidden and sql.startswith(_ROW):
        return f"select *, root{sql.removeprefix('select *')}"
    return _AFTER.sub(r"(\1 \2= :\3 and \g<0>)", sql)


def _sampled(sql: str) -> tuple[str, str]:
    """A question for a suggestion asked of a sample, as 1.0 does by itself, and what it is asked of."""
    found = _OF.search(sql)
    if found is None:
        return sql, sql
    begin = found.start()
    end = _closing(sql, begin)
    of = sql[begin + 1 : end].strip()
    if end < 0 or "limited" in sql[:begin] or _LIMITED.search(of):
        return sql, of
    return f"{sql[: begin + 1]}{of} limit {SAMPLE_ROWS}{sql[end:]}", of


def _closing(sql: str, begin: int) -> int:
    """Where the parenthesis at `begin` closes; -1 where it does not."""
    depth = 0
    for at in range(begin, len(sql)):
        depth += {"(": 1, ")": -1}.get(sql[at], 0)
        if not depth:
            return at
    return -1


def _state(path: str) -> State:
    """What a day's files are like; None where they may change again without a sign of it."""
    try:
        there = os.stat(path)
        try:
            wal = os.stat(side_path(path, "-wal"))
        except FileNotFoundError:
            wal = None
    except OSError:
        return None
    newest_ns = max(there.st_mtime_ns, wal.st_mtime_ns if wal else 0)
    if newest_ns > time.time_ns() - SETTLED_NS:
        return None
    beside = (wal.st_ino, wal.st_size, wal.st_mtime_ns) if wal else ()
    return (there.st_dev, there.st_ino, there.st_size, there.st_mtime_ns, *beside)
