"""What one session adds up to: asked of a day for many sessions at once, and put together over days."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from eyelet_ingest.store.answers import Row, text
from eyelet_ingest.store.catalog import Part
from eyelet_ingest.store.fanout import Lent
from eyelet_ingest.store.token_shapes import CLAUDE, CODEX, CURSOR, GEMINI, OPENCODE, OTLP, SHAPES, Shape
from eyelet_ingest.store.witnesses import IS_OF_ONE_CALL, IS_OF_SEVERAL, IS_UNNAMED, PHASE

PROMPTS_TRIED = 8  # of a session's first events that somebody wrote: the first may be the agent's own notes
LATEST = 24  # events of a session by which its state is told
NAMED_MOST = 5  # projects, branches, agents, models and contexts of one session that are named
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
NAMES = ("agent", "project_dir", "git_branch", "model", "origin")
# Whose records say how many tokens an answer took, and whether hooks do, or what else is kept of them.
_TELLERS = (
    ("claude", CLAUDE, False),
    ("codex", CODEX, False),
    ("gemini", GEMINI, False),
    ("opencode", OPENCODE, True),
    ("cursor", CURSOR, True),
)
_WROTE = f"(hook_type in ({', '.join('?' * len(PROMPTS))}) or (role = 'user' and tool_name is null))"
_COLUMNS = (
    *("id", "hook_type", "tool_name", "tool_use_id", "status", "error", "error_code", "role", "agent_id"),
    *NAMES,
)
_READ = f"{', '.join(_COLUMNS)}, substr(data, 1, {DATA_CHARS})"

# The calls that have a name, as the view `calls` has them, but without what only lists need (a fifth of the time).
_HOW = "case status when 'denied' then 4 when 'interrupted' then 3 when 'error' then 2 else 1 end"
_OF_ONE = "case one.type when 'object' then json_extract(one.value, '$.{}') end"
FAILED = 2  # how a call ended: the greatest of its answers' numbers
_NAMED = f"""
    select session_id, call, max(iif(phase = 'answer', {_HOW}, 0)) as how from (
        select session_id, tool_use_id as call, {PHASE} as phase, status
        from hooks indexed by hooks_session
        where session_id in ({{0}}) and tool_use_id is not null and {IS_OF_ONE_CALL}
        union all
        select session_id, {_OF_ONE.format("id")}, {_OF_ONE.format("phase")}, {_OF_ONE.format("status")}
        from hooks, json_each(hooks.meta, '$.calls') as one
        where session_id in ({{0}}) and {IS_OF_SEVERAL} and typeof({_OF_ONE.format("id")}) = 'text'
    )
    group by 1, 2
"""  # noqa: S608  our own texts
_COUNTED = f"select session_id, count(*), coalesce(sum(how = {FAILED}), 0) from ({_NAMED}) group by 1"  # noqa: S608
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

    `names` are the agents, projects, branches, models and origins there were. `wrote` are the places of the first
    events that somebody wrote, `prompts` these events; `latest` its last events, newest first, where it is still of
    interest: rows of _COLUMNS with `data` cut. `parts` are where it is, `unnamed` its calls without a name, and those
    of them that failed.
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
    parts: tuple[Part, ...] = ()
    unnamed: tuple[int, int] = (0, 0)

    def shapes(self) -> tuple[Shape, ...]:
        """The kinds of records it may have that say how many tokens an answer took."""
        agents, origins = set(self.names["agent"]), set(self.names["origin"])
        said = {OTLP} if "otlp" in origins else set()
        for agent, shape, by_hooks in _TELLERS:
            if agent in agents and (by_hooks or "transcript" in origins):
                said.add(shape)
        return tuple(shape for shape in SHAPES if shape in said)

    def together(self, other: "Facts") -> "Facts":
        """With what another day, or another context, holds of it. A call that is in both counts twice in it: `counted`
        puts that right."""
        early, late = (other, self) if other.last_us <= self.last_us else (self, other)
        named = {name: tuple(dict.fromkeys((*late.names[name], *early.names[name])))[:NAMED_MOST] for name in NAMES}
        return Facts(
            contexts=tuple(dict.fromkeys((*late.contexts, *early.contexts)))[:NAMED_MOST],
            first_us=min(self.first_us, other.first_us),
            last_us=late.last_us,
            events=self.events + other.events,
            errors=self.errors + other.errors,
            calls=self.calls + other.calls,
            failed=self.failed + other.failed,
            subagents=self.subagents | other.subagents,
            names=named,
            wrote=tuple(sorted((*self.wrote, *other.wrote), key=_time)[:PROMPTS_TRIED]),
            latest=tuple(sorted((*self.latest, *other.latest), key=_newest)[:LATEST]),
            parts=(*self.parts, *other.parts),
            unnamed=(self.unnamed[0] + other.unnamed[0], self.unnamed[1] + other.unnamed[1]),
        )

    def counted(self, ends: Sequence[dict[str, int]]) -> "Facts":
        """With its named calls counted once, whose ends its parts told (`calls_of_day`)."""
        whole: dict[str, int] = {}
        for some in ends:
            for call, how in some.items():
                whole[call] = max(how, whole.get(call, 0))
        failed = sum(how == FAILED for how in whole.values())
        return replace(self, calls=len(whole) + self.unnamed[0], failed=failed + self.unnamed[1])


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
        for name, named, unnamed in _calls(lent.conn, there[start : start + CHUNK]):
            calls, failed = named[0] + unnamed[0], named[1] + unnamed[1]
            found[name] = replace(found[name], calls=calls, failed=failed, unnamed=unnamed, parts=(part,))
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
    for name, first, last, events, errors, wrote, agents, *said in conn.execute(
        sql, [*PROMPTS, *names, *part.bounds_us]
    ):
        named = {name: _texts(one)[:NAMED_MOST] for name, one in zip(NAMES, said, strict=True)}
        places = tuple((event_id, part) for event_id in sorted(json.loads(wrote))[:PROMPTS_TRIED])
        subagents = frozenset(_texts(agents))
        found[text(name)] = Facts((part.context,), first, last, events, errors, 0, 0, subagents, named, places)
    return found


def calls_of_day(lent: Lent, part: Part, names: Sequence[str]) -> dict[str, dict[str, int]]:
    """Of these sessions the named calls on this day, and how each ended: 0 where it did not, else as _HOW says."""
    found: dict[str, dict[str, int]] = {name: {} for name in names}
    for start in range(0, len(names), CHUNK):
        some = list(names[start : start + CHUNK])
        for name, call, how in lent.conn.execute(_NAMED.format(", ".join("?" * len(some))), [*some, *some]):
            found[text(name)][text(call)] = how
    return found


def _calls(conn: Any, names: list[str]) -> list[tuple[str, tuple[int, int], tuple[int, int]]]:
    """Of each session its calls on this day and how many failed, those with a name and those without."""
    marks = ", ".join("?" * len(names))
    named = {
        text(name): (calls, failed) for name, calls, failed in conn.execute(_COUNTED.format(marks), [*names, *names])
    }
    unnamed: dict[str, tuple[int, int]] = {}
    for session, asked, answered, failed in conn.execute(_UNNAMED.format(marks), names):
        calls, before = unnamed.get(name := text(session), (0, 0))
        unnamed[name] = calls + max(asked, answered), before + failed
    return [(name, named.get(name, (0, 0)), unnamed.get(name, (0, 0))) for name in names]


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
