"""What one session adds up to: asked of a day for many sessions at once, and put together over days."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from eyelet_ingest.store.answers import Row, text
from eyelet_ingest.store.catalog import Part
from eyelet_ingest.store.fanout import Lent
from eyelet_ingest.store.witnesses import IS_OF_ONE_CALL, IS_OF_SEVERAL, IS_UNNAMED, PHASE

PROMPTS_TRIED = 8  # of a session's first events that somebody wrote: the first may be the agent's own notes
LATEST = 24  # events of a session by which its state is told
NAMED_MOST = 5  # projects, branches, agents, models and contexts of one session that are named
HALVES_MOST = 1_000  # calls of one session and day that lack question or answer, and may be the same on the next day
DATA_CHARS = 4_096  # of an event that is read for what it says
CHUNK = 200  # sessions that a day is asked for at once

# Events that hold a prompt, as each agent names them (docs/events.md).
PROMPTS = (
    "UserPromptSubmit",
    "beforeSubmitPrompt",
    "BeforeAgent",
    "userPromptSubmitted",
    "user.message",
    "user_message",
    "claude_code.user_prompt",
    "codex.user_prompt",
)
NAMES = ("agent", "project_dir", "git_branch", "model")
_WROTE = f"(hook_type in ({', '.join('?' * len(PROMPTS))}) or (role = 'user' and tool_name is null))"
_COLUMNS = (
    *("id", "hook_type", "tool_name", "tool_use_id", "status", "error", "error_code", "origin", "role", "agent_id"),
    *NAMES,
)
_READ = f"{', '.join(_COLUMNS)}, substr(data, 1, {DATA_CHARS})"

# The calls that have a name, as the view `calls` has them, but without what only lists need (a fifth of the time).
_HOW = "case status when 'denied' then 4 when 'interrupted' then 3 when 'error' then 2 else 1 end"
_OF_ONE = "case one.type when 'object' then json_extract(one.value, '$.{}') end"
_NAMED = f"""
    select session_id, iif(asked and how is not null, null, call), count(*), coalesce(sum(how = 2), 0) from (
        select session_id, call, max(phase = 'question') as asked, max(iif(phase = 'answer', {_HOW}, null)) as how
        from (
            select session_id, tool_use_id as call, {PHASE} as phase, status
            from hooks indexed by hooks_session
            where session_id in ({{0}}) and tool_use_id is not null and {IS_OF_ONE_CALL}
            union all
            select session_id, {_OF_ONE.format("id")}, {_OF_ONE.format("phase")}, {_OF_ONE.format("status")}
            from hooks, json_each(hooks.meta, '$.calls') as one
            where session_id in ({{0}}) and {IS_OF_SEVERAL} and typeof({_OF_ONE.format("id")}) = 'text'
        )
        group by 1, 2
    )
    group by 1, 2
"""  # noqa: S608  our own texts
# Hooks without a name: as many calls of a tool as were asked for or answered, whichever are more.
_UNNAMED = f"""
    select session_id, coalesce(sum(status = 'pending'), 0), coalesce(sum(status <> 'pending'), 0),
        coalesce(sum(status = 'error'), 0)
    from hooks indexed by hooks_session where session_id in ({{0}}) and {IS_UNNAMED} group by session_id, tool_name
"""  # noqa: S608  our own texts

Place = tuple[int, Part]  # an event: its id, and where it is


@dataclass(frozen=True, slots=True)
class Facts:
    """One session, or what a day holds of it. Times are µs. `calls` and `failed` are calls, `errors` events.

    `names` are the agents, projects, branches and models there were. `wrote` are the places of the first events that
    somebody wrote, `prompts` these events; `latest` its last events, newest first, where it is still of interest: rows
    of _COLUMNS with `data` cut.
    """

    contexts: tuple[str, ...]
    first_us: int
    last_us: int
    events: int
    errors: int
    calls: int
    failed: int
    subagents: frozenset[str]
    names: dict[str, tuple[str, ...]]
    wrote: tuple[Place, ...] = ()
    prompts: tuple[Row, ...] = ()
    latest: tuple[Row, ...] = ()
    halves: frozenset[str] = field(default_factory=frozenset)

    def together(self, other: "Facts") -> "Facts":
        """With what another day, or another context, holds of it."""
        early, late = (other, self) if other.last_us <= self.last_us else (self, other)
        # A call over midnight is in both days, asked in one and answered in the other.
        twice = len(self.halves & other.halves)
        named = {name: tuple(dict.fromkeys((*late.names[name], *early.names[name])))[:NAMED_MOST] for name in NAMES}
        return Facts(
            contexts=tuple(dict.fromkeys((*late.contexts, *early.contexts)))[:NAMED_MOST],
            first_us=min(self.first_us, other.first_us),
            last_us=late.last_us,
            events=self.events + other.events,
            errors=self.errors + other.errors,
            calls=self.calls + other.calls - twice,
            failed=self.failed + other.failed,
            subagents=self.subagents | other.subagents,
            names=named,
            wrote=tuple(sorted((*self.wrote, *other.wrote), key=_time)[:PROMPTS_TRIED]),
            latest=tuple(sorted((*self.latest, *other.latest), key=_newest)[:LATEST]),
            halves=self.halves ^ other.halves,
        )


def facts_of_day(lent: Lent, part: Part, names: Sequence[str], live_us: int) -> dict[str, Facts]:
    """What one partition holds of these sessions; those it has nothing of are not in it. The latest events are read of
    those that did something after `live_us`."""
    if "hooks_session" not in lent.indexes:
        return {}
    found: dict[str, Facts] = {}
    for start in range(0, len(names), CHUNK):
        found.update(_spans(lent.conn, part, list(names[start : start + CHUNK])))
    there = list(found)
    for start in range(0, len(there), CHUNK):
        for name, calls, failed, halves in _calls(lent.conn, there[start : start + CHUNK]):
            found[name] = replace(found[name], calls=calls, failed=failed, halves=halves)
    for name, facts in list(found.items()):
        if facts.last_us >= live_us:
            found[name] = replace(facts, latest=_latest(lent.conn, part, name))
    return found


def events_at(lent: Lent, part: Part, ids: Sequence[int]) -> list[Row]:
    """These events of a partition, in order of time."""
    marks = ", ".join("?" * len(ids))
    sql = f"select {_READ} from hooks where id in ({marks}) order by id"  # noqa: S608  our own names
    return [_row(row) for row in lent.conn.execute(sql, list(ids))]


def _spans(conn: Any, part: Part, names: list[str]) -> dict[str, Facts]:
    sets = ", ".join(f"json_group_array(distinct {name}) filter (where {name} is not null)" for name in NAMES)
    sql = f"""
        select session_id, min(id), max(id), count(*), coalesce(sum(error = 1), 0),
            json_group_array(id) filter (where {_WROTE}),
            json_group_array(distinct agent_id) filter (where agent_id is not null), {sets}
        from hooks indexed by hooks_session
        where session_id in ({", ".join("?" * len(names))}) and id >= ? and id < ? group by session_id
    """  # noqa: S608  our own names, bound values
    found = {}
    for name, *sums, wrote, agents, a, b, c, d in conn.execute(sql, [*PROMPTS, *names, *part.bounds_us]):
        first, last, events, errors = sums
        named = {name: _texts(said)[:NAMED_MOST] for name, said in zip(NAMES, (a, b, c, d), strict=True)}
        places = tuple((event_id, part) for event_id in sorted(json.loads(wrote))[:PROMPTS_TRIED])
        subagents = frozenset(_texts(agents))
        found[text(name)] = Facts((part.context,), first, last, events, errors, 0, 0, subagents, named, places)
    return found


def _calls(conn: Any, names: list[str]) -> list[tuple[str, int, int, frozenset[str]]]:
    """Of each session its calls on this day, how many failed, and those of which only one half is here."""
    sums: dict[str, list[int]] = {name: [0, 0] for name in names}
    halves: dict[str, set[str]] = {name: set() for name in names}
    marks = ", ".join("?" * len(names))
    for name, half, calls, failed in conn.execute(_NAMED.format(marks), [*names, *names]):
        mine = sums[text(name)]
        mine[0] += calls
        mine[1] += failed
        if half is not None and len(halves[text(name)]) < HALVES_MOST:
            halves[text(name)].add(text(half))
    for name, asked, answered, failed in conn.execute(_UNNAMED.format(marks), names):
        mine = sums[text(name)]
        mine[0] += max(asked, answered)
        mine[1] += failed
    return [(name, sums[name][0], sums[name][1], frozenset(halves[name])) for name in names]


def _latest(conn: Any, part: Part, name: str) -> tuple[Row, ...]:
    sql = f"""
        select {_READ} from hooks indexed by hooks_session
        where session_id = ? and id >= ? and id < ? order by id desc limit {LATEST}
    """  # noqa: S608  our own names, bound values
    return tuple(_row(row) for row in conn.execute(sql, [name, *part.bounds_us]))


def _row(row: tuple[Any, ...]) -> Row:
    return dict(zip((*_COLUMNS, "data"), row, strict=True))


def _texts(said: str) -> tuple[str, ...]:
    return tuple(text(value) for value in json.loads(said))


def _time(place: Place) -> int:
    return place[0]


def _newest(row: Row) -> int:
    return -int(str(row["id"]))
