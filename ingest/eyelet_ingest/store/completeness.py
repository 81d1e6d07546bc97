"""How much of what agents did the hooks caught: of the calls that transcripts know, which are missing, and why.

A reason is given where something that is recorded says so; `REASONS` lists them in the order in which they are tried.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

from eyelet_ingest.errors import BadInput
from eyelet_ingest.store.answers import Partitions, text
from eyelet_ingest.store.catalog import Part
from eyelet_ingest.store.fanout import Lent
from eyelet_ingest.store.listing import Listing
from eyelet_ingest.store.roots import Roots
from eyelet_ingest.store.search import Search, told
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.sweep import sweep
from eyelet_ingest.store.witnesses import ANSWER, IS_UNNAMED, PHASE, QUESTION, Fold, Key

# Why a call is missing, in the order in which it is asked.
REASONS = {
    "rejected": "the tool refused what it was given: the agent runs no hook then",
    "server": "the model's own server ran the tool: the agent runs no hook then",
    "paused": "recording was paused",
    "fault": "the hook failed at that time",
    "not_installed": "it was before the first hook of this agent that is recorded",
    "no_hooks": "no hook of its session is recorded: none was installed where it ran, or recording was off",
    "before_first": "it was before the first hook of its session that is recorded",
    "after_last": "it was after the last hook of its session that is recorded",
    "denied": "it was not allowed",
    "interrupted": "it was stopped",
    "subagent": "a subagent made it, and no hook of one is recorded in its session",
    "unknown": "nothing that is recorded says why",
}
LOST = ("fault", "unknown")  # what a recorder that was installed and on should have caught
NAMED_MOST = 1_000  # missing calls that are named one by one
FAULT_BEFORE_US, FAULT_AFTER_US = 5_000_000, 60_000_000  # how far from a call a fault may lie that explains it
_SERVER = "srvtoolu_"  # how identifiers of tools begin that Anthropic's servers run


@dataclass(frozen=True, slots=True)
class Missing:
    """A call that no hook caught, and why: one of REASONS. Times are microseconds since 1970 UTC."""

    session_id: str
    tool_use_id: str
    tool_name: str | None
    agent: str | None
    agent_id: str | None
    status: str
    first_us: int
    reason: str


@dataclass(slots=True)
class OfSession:
    """What is known of one session: calls that transcripts know, those of them that hooks caught, as a whole, or only
    the question or the answer; missing ones by reason."""

    session_id: str
    agent: str
    known: int = 0
    caught: int = 0
    only_question: int = 0
    only_answer: int = 0
    missing: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Completeness:
    """The sessions of which a transcript knows calls, newest first; the missing calls, newest first, NAMED_MOST at
    most. `lost` is how many should have been caught, as far as is known."""

    sessions: list[OfSession]
    calls: list[Missing]
    known: int
    caught: int
    missing: dict[str, int]
    lost: int
    partitions: Partitions
    elapsed_ms: float

    def as_json(self) -> dict[str, object]:
        """As JSON documents it."""
        sessions = [asdict(one) | {"missing": dict(one.missing)} for one in self.sessions]
        return {
            "known": self.known,
            "caught": self.caught,
            "missing": self.missing,
            "lost": self.lost,
            "sessions": sessions,
            "calls": [asdict(one) for one in self.calls],
            "partitions": self.partitions.as_json(),
            "elapsed_ms": self.elapsed_ms,
        }


class Rest(NamedTuple):
    """Recording rested: from ≤ time < to (µs), for work in `project` or below, or anywhere where it is ""."""

    from_us: int
    to_us: int
    project: str


class Fault(NamedTuple):
    """A hook failed."""

    time_us: int
    kind: str


def completeness(
    roots: Roots,
    where: Filter,
    *,
    rests: Sequence[Rest],
    faults: Sequence[Fault],
    deadline_ms: float | None,
    now_us: int,
) -> Completeness:
    """Of the calls with an event in the range. BadInput for a condition beyond range, contexts, sessions and agents."""
    where = told(where)
    if replace(where, session_id=(), agent=()).on_rows():
        reason = "calls are chosen by range, context, session and agent"
        raise BadInput("tell how complete", reason=reason, hint="leave out the other conditions")
    listing = Listing(roots, where, deadline_ms, now_us)
    with listing:
        hooks = _Hooks(roots, where, listing.until)
        return _Judge(listing, hooks, rests, faults, now_us).verdict()


class _Hooks:
    """What the hooks of each session say of themselves, whatever the range is."""

    def __init__(self, roots: Roots, where: Filter, until: float | None) -> None:
        self.spans: dict[str, tuple[int, int]] = {}  # session → the first and last hook
        self.of_subagents: set[str] = set()  # sessions
        self.unnamed: Counter[tuple[str, str]] = Counter()  # (session, tool) → calls without a tool_use_id
        self.first_of: dict[str, int] = {}  # agent → its first hook
        question = Search(roots, Filter(contexts=where.contexts, session_id=where.session_id, without=where.without))
        question.until = until
        with question:
            for _, (spans, unnamed) in question.each(question.parts, partial(_hooks, question=question)):
                for session, first, last, subagents in spans:
                    self._span(text(session), first, last, bool(subagents))
                for session, tool, calls in unnamed:
                    self.unnamed[text(session), text(tool)] += calls
        with Search(roots, Filter(contexts=where.contexts, without=where.without)) as everything:
            everything.until = until
            for _, firsts in everything.each(everything.parts, _first_of_agents):
                for agent, first in firsts:
                    self.first_of.setdefault(text(agent), first)

    def _span(self, session: str, first: int, last: int, of_subagents: bool) -> None:
        known = self.spans.get(session, (first, last))
        self.spans[session] = min(known[0], first), max(known[1], last)
        if of_subagents:
            self.of_subagents.add(session)


def _hooks(lent: Lent, part: Part, *, question: Search) -> tuple[list[Any], list[Any]]:
    source = question.how(lent)
    where = " and ".join(["origin = 'hook'", *question.clauses])
    spans = f"""
        select session_id, min(id), max(id), max(agent_id is not null) from hooks{source} where {where}
        group by session_id
    """  # noqa: S608  our own texts, bound values
    unnamed = f"""
        select session_id, tool_name, max(sum({PHASE} = 'question'), sum({PHASE} = 'answer'))
        from hooks{source} where {where} and {IS_UNNAMED} group by session_id, tool_name
    """  # noqa: S608  our own texts, bound values
    conn = lent.conn
    return conn.execute(spans, question.params).fetchall(), conn.execute(unnamed, question.params).fetchall()


def _first_of_agents(lent: Lent, part: Part) -> list[tuple[object, int]]:
    sql = "select agent, min(id) from hooks where origin = 'hook' and agent is not null group by agent"
    found: list[tuple[object, int]] = lent.conn.execute(sql).fetchall()
    return found


class _Judge:
    def __init__(
        self, listing: Listing, hooks: _Hooks, rests: Sequence[Rest], faults: Sequence[Fault], now_us: int
    ) -> None:
        self.listing, self.hooks, self.rests, self.now_us = listing, hooks, rests, now_us
        self.faults = sorted(faults)
        self.sessions: dict[str, OfSession] = {}
        self.calls: list[Missing] = []

    def verdict(self) -> Completeness:
        for key, fold in sweep(self.listing):
            if any(name.startswith("transcript:") for name in fold.names):
                self._take(key, fold)
        sessions = list(self.sessions.values())
        missing = sum((one.missing for one in sessions), Counter[str]())
        known, caught = sum(one.known for one in sessions), sum(one.caught for one in sessions)
        in_order = {reason: missing[reason] for reason in REASONS if missing[reason]}
        lost = sum(missing[reason] for reason in LOST)
        truth, took_ms = self.listing.truth_about(), self.listing.elapsed_ms()
        return Completeness(sessions, self.calls, known, caught, in_order, lost, truth, took_ms)

    def _take(self, key: Key, fold: Fold) -> None:
        session = key[0]
        of = self.sessions.get(session)
        if of is None:
            of = self.sessions[session] = OfSession(session, fold.texts.get("agent", ""))
        of.known += 1
        asked, answered = ("hook", QUESTION) in fold.sides, ("hook", ANSWER) in fold.sides
        unnamed = session, fold.texts.get("tool_name", "")
        if asked or answered:
            of.caught += 1
            of.only_question += asked and not answered and fold.answer is not None
            of.only_answer += answered and not asked
        elif self.hooks.unnamed[unnamed] > 0:  # hooks that cannot be told apart: as many as there are
            self.hooks.unnamed[unnamed] -= 1
            of.caught += 1
        else:
            reason = self._reason(key, fold)
            of.missing[reason] += 1
            if len(self.calls) < NAMED_MOST:
                self.calls.append(self._missing(key, fold, reason))

    def _missing(self, key: Key, fold: Fold, reason: str) -> Missing:
        get = fold.texts.get
        status = fold.status(self.now_us)
        return Missing(key[0], key[1], get("tool_name"), get("agent"), get("agent_id"), status, fold.first_us, reason)

    def _reason(self, key: Key, fold: Fold) -> str:
        return next(self._reasons(key, fold))

    def _reasons(self, key: Key, fold: Fold) -> Iterator[str]:
        """All that apply, in the order of REASONS."""
        session, status = key[0], fold.status(self.now_us)
        first_us, last_us = fold.first_us, fold.latest[0][0] if fold.latest else fold.first_us
        if "tool_use_error" in fold.codes:
            yield "rejected"
        if key[1].startswith(_SERVER):
            yield "server"
        if any(_rested(rest, first_us, fold.texts.get("project_dir", "")) for rest in self.rests):
            yield "paused"
        if any(first_us - FAULT_BEFORE_US <= fault.time_us <= last_us + FAULT_AFTER_US for fault in self.faults):
            yield "fault"
        first_ever = self.hooks.first_of.get(fold.texts.get("agent", ""))
        span = self.hooks.spans.get(session)
        if first_ever is None or last_us < first_ever:
            yield "not_installed"
        if span is None:
            yield "no_hooks"
        elif last_us < span[0]:
            yield "before_first"
        elif first_us > span[1]:
            yield "after_last"
        if status in ("denied", "interrupted"):
            yield status
        if fold.texts.get("agent_id") and session not in self.hooks.of_subagents:
            yield "subagent"
        yield "unknown"


def _rested(rest: Rest, at_us: int, project_dir: str) -> bool:
    inside = not rest.project or project_dir == rest.project or project_dir.startswith(rest.project.rstrip("/") + "/")
    return inside and rest.from_us <= at_us < rest.to_us
