"""Tokens: what the answers of a range took, each counted once, whoever witnessed it.

One answer is several lines of a transcript, of which the largest counts; a fork's copies are the same records, or have
the same identifiers; Codex adds up over a thread, so that what it says is the difference to what it said before. A
transcript and telemetry witness the same answer: telemetry counts where it names a request that no transcript knows,
and without a name where the session has no other witness. docs/calls.md says so, too.

Day after day, each with what the day before left open: memory is bounded by two days' answers and by the groups.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from math import inf
from typing import Any, NamedTuple

from eyelet_ingest.errors import BadInput
from eyelet_ingest.store import layout, select
from eyelet_ingest.store import token_shapes as shapes
from eyelet_ingest.store.answers import Partitions, text
from eyelet_ingest.store.catalog import Part
from eyelet_ingest.store.fanout import Lent
from eyelet_ingest.store.roots import Roots
from eyelet_ingest.store.search import Search, told
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.token_shapes import Shape, Tokens, added

FIELDS = ("session", "agent", "model", "day", "context")
SYNTHETIC = "<synthetic>"  # the model of answers that Claude Code made up itself
BEFORE_US, AFTER_US = layout.DAY_US, 3_600_000_000  # read beyond the range: an answer's lines may lie on both sides

_Group = tuple[str, ...]  # session, agent, model, day, context: the order of FIELDS


@dataclass(frozen=True, slots=True)
class Used:
    """What the answers of one group took. A field that was not grouped by is "". `day` is an ISO date, UTC."""

    session: str
    agent: str
    model: str
    day: str
    context: str
    answers: int
    tokens: Tokens


@dataclass(frozen=True, slots=True)
class Usage:
    """Every group, in order of its fields, and the sum of all."""

    rows: list[Used]
    answers: int
    tokens: Tokens
    partitions: Partitions
    elapsed_ms: float


def usage(
    roots: Roots,
    where: Filter,
    by: Sequence[str],
    deadline_ms: float | None,
    kinds: Sequence[Shape] = shapes.SHAPES,
) -> Usage:
    """Tokens of the answers that began within the range, of these contexts, sessions, agents and models; BadInput for
    other conditions, and for a field that there is no grouping by. `kinds` are those of the records that there may be,
    in the order of SHAPES."""
    where = told(where)
    if replace(where, session_id=(), agent=(), model=()).on_rows():
        reason = "answers are chosen by range, context, session, agent and model"
        raise BadInput("count tokens", reason=reason, hint="leave out the other conditions")
    for name in by:
        if name not in FIELDS:
            raise BadInput("count tokens", name, "there is no grouping by it", f"name some of {', '.join(FIELDS)}")
    with _Counting(roots, where, deadline_ms, kinds) as question:
        return question.usage(tuple(by))


class _Line(NamedTuple):
    """A row that says tokens: as SQLite gave it, and where it was."""

    id: int
    uid: object
    session: str
    agent: str
    model: str
    agent_id: str
    hook_type: str
    said: list[Any]
    context: str
    day: str


class _Answer:
    """One answer while its lines come in: the largest counts, under the names of the first."""

    __slots__ = ("at_us", "group", "tokens")

    def __init__(self, at_us: int, group: _Group, tokens: Tokens) -> None:
        self.at_us, self.group, self.tokens = at_us, group, tokens

    def take(self, at_us: int, group: _Group, tokens: Tokens) -> None:
        if at_us < self.at_us:
            self.at_us, self.group = at_us, group
        self.tokens = max(self.tokens, tokens, key=lambda one: (one.output, sum(one)))


class _Counting(Search):
    def __init__(self, roots: Roots, where: Filter, deadline_ms: float | None, kinds: Sequence[Shape]) -> None:
        self.asked_for, self.kinds = where, kinds
        wider = replace(
            where,
            since_us=None if where.since_us is None else where.since_us - BEFORE_US,
            until_us=None if where.until_us is None else where.until_us + AFTER_US,
            model=(),
        )
        super().__init__(roots, wider, deadline_ms)
        self.answers: dict[tuple[str, ...], _Answer] = {}
        self.said_before: dict[tuple[str, str], Tokens] = {}  # a thread of Codex → its sum
        self.told: set[str] = set()  # sessions with a witness of their own
        self.nameless: set[str] = set()  # those whose answers name no request
        self.guessed: dict[str, list[tuple[str, ...]]] = {}  # session → answers of telemetry alone, so far
        self.requests: set[str] = set()
        self.sums: dict[_Group, tuple[int, Tokens]] = {}
        self.by: tuple[str, ...] = ()

    def __enter__(self) -> "_Counting":
        return self

    def usage(self, by: tuple[str, ...]) -> Usage:
        self.by = by
        for first_us, day in groupby(self.parts, key=lambda part: part.first_us):
            if self.is_late():
                self.unasked += len(list(day))
                continue
            self._day(list(day))
            self._settle(first_us)  # what began before this day is over
            self.guessed = {session: kept for session, keys in self.guessed.items() if (kept := self._open(keys))}
            self.requests = {key[2] for key in self.answers if key[0] == "claude"}
        self._settle(None)
        rows = [_used(group, *self.sums[group]) for group in sorted(self.sums)]
        total = Tokens()
        for row in rows:
            total = added(total, row.tokens)
        return Usage(rows, sum(row.answers for row in rows), total, self.truth(), self.elapsed_ms())

    def _day(self, parts: list[Part]) -> None:
        for shape in self.kinds:
            lines: list[_Line] = []
            for part, found in self.each(parts, partial(self._lines, shape=shape)):
                lines += [_line(row, part) for row in found]
            for line in sorted(lines, key=lambda one: one.id):
                self._take(shape, line)

    def _lines(self, lent: Lent, part: Part, *, shape: Shape) -> list[tuple[Any, ...]]:
        in_range, params = self.in_range(part)
        types = f"hook_type in ({', '.join('?' * len(shape.types))})"
        where = select.where_sql([*in_range, *self.clauses, types, shape.where])
        index = "hooks_session" if self.where.session_id else "hooks_type"
        by_index = f" indexed by {index}" if index in lent.indexes else ""
        places = ", ".join(f"'{place}'" for place in shape.places)
        sql = f"""
            select id, uid, session_id, agent, model, agent_id, hook_type,
                iif(json_valid(data), json_extract(data, {places}), null)
            from hooks{by_index}{where}
        """  # noqa: S608  our own texts, bound values
        found: list[tuple[Any, ...]] = lent.conn.execute(sql, [*params, *self.params, *shape.types]).fetchall()
        return found

    def _take(self, shape: Shape, line: _Line) -> None:
        said = line.said
        if not said:
            return
        if shape is shapes.CLAUDE:
            self._take_claude(line, *said)
        elif shape is shapes.CODEX:
            self._take_codex(line, said[0] if isinstance(said[0], dict) else said[1])
        elif shape is shapes.GEMINI:
            self._add(("gemini", line.session, _name(said[0], line)), line, shapes.gemini(said[1]))
        elif shape is shapes.OPENCODE:
            name_of, tokens = (said[0], said[1]) if said[1] is not None else (said[2], said[3])
            self._add(("opencode", line.session, _name(name_of, line)), line, shapes.opencode(tokens))
        elif shape is shapes.CURSOR:
            self._add(("cursor", line.session, _name(said[0], line)), line, shapes.cursor(*said[1:5]))
        else:
            self._take_otlp(line, said[0])

    def _take_claude(self, line: _Line, message: object, request: object, usage: object, model: object) -> None:
        tokens = shapes.claude(usage)
        if model == SYNTHETIC or tokens is None:
            return
        name = request if isinstance(request, str) else ""
        self._add(("claude", _name(message, line), name), line, tokens)
        if name:
            self.requests.add(name)
            self.answers.pop(("otlp", name), None)  # telemetry said it on the day before
        else:
            self.nameless.add(line.session)

    def _take_codex(self, line: _Line, info: object) -> None:
        if not isinstance(info, dict):
            return
        total, last = shapes.codex(info.get("total_token_usage")), shapes.codex(info.get("last_token_usage"))
        thread = line.session, line.agent_id
        before = self.said_before.get(thread)
        took = last
        if total is not None:
            self.said_before[thread] = total
            if before is not None and sum(total) >= sum(before):
                took = Tokens(*(max(a - b, 0) for a, b in zip(total, before, strict=True)))
            elif took is None:
                took = total
        if took is not None and any(took):
            self._add(("codex", line.session, line.agent_id, str(line.id)), line, took)
        self._tell(line.session)

    def _take_otlp(self, line: _Line, attributes: object) -> None:
        tokens = shapes.otlp(line.hook_type, attributes)
        if tokens is None or not isinstance(attributes, dict):
            return
        request = attributes.get("request_id")
        if isinstance(request, str) and request:
            if request not in self.requests and line.session not in self.nameless:
                self._add(("otlp", request), line, tokens, is_own=False)
        elif line.session not in self.told:
            key = ("otlp", "", _name(None, line))
            self.guessed.setdefault(line.session, []).append(key)
            self._add(key, line, tokens, is_own=False)

    def _tell(self, session: str) -> None:
        """A session speaks for itself: what telemetry alone said of it on the day before does not count."""
        self.told.add(session)
        for key in self.guessed.pop(session, ()):
            self.answers.pop(key, None)

    def _add(self, key: tuple[str, ...], line: _Line, tokens: Tokens | None, is_own: bool = True) -> None:
        if tokens is None:
            return
        if is_own:
            self._tell(line.session)
        group = (line.session, line.agent, line.model, line.day, line.context)
        known = self.answers.get(key)
        if known is None:
            self.answers[key] = _Answer(line.id, group, tokens)
        else:
            known.take(line.id, group, tokens)

    def _open(self, keys: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
        return [key for key in keys if key in self.answers]

    def _settle(self, before_us: int | None) -> None:
        """Add up the answers that began before this time, all of them where None."""
        since, until, models = self.asked_for.since_us, self.asked_for.until_us, self.asked_for.model
        for key, answer in list(self.answers.items()):
            if before_us is not None and answer.at_us >= before_us:
                continue
            del self.answers[key]
            in_range = (since is None or since <= answer.at_us) and (until is None or answer.at_us < until)
            if in_range and (not models or answer.group[2] in models):
                group = tuple(
                    value if name in self.by else "" for name, value in zip(FIELDS, answer.group, strict=True)
                )
                answers, tokens = self.sums.get(group, (0, Tokens()))
                self.sums[group] = answers + 1, added(tokens, answer.tokens)


def _used(group: _Group, answers: int, tokens: Tokens) -> Used:
    session, agent, model, day, context = group
    return Used(session, agent, model, day, context, answers, tokens)


def _line(row: tuple[Any, ...], part: Part) -> _Line:
    event_id, uid, *names, hook_type, said = row
    session, agent, model, agent_id = ("" if value is None else text(value) for value in names)
    found = _parsed(said) if isinstance(said, str) else []
    return _Line(event_id, uid, session, agent, model, agent_id, text(hook_type), found, part.context, part.key.date)


def _parsed(said: str) -> list[Any]:
    """The array of what a row says; empty for one so deep that only SQLite can hold it."""
    try:
        found: list[Any] = json.loads(said)
    except RecursionError:
        return []
    except ValueError:  # of thousands of digits, which Python refuses
        found = json.loads(said, parse_int=_number)
    return found


def _number(digits: str) -> float:
    return float(digits) if len(digits) < 20 else inf


def _name(said: object, line: _Line) -> str:
    """The answer's own name, else that of the record: equal in all copies of it."""
    if isinstance(said, str) and said:
        return said
    return line.uid.hex() if isinstance(line.uid, bytes) else str(line.id)
