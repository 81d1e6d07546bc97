"""What the events of one call add up to: its question and answer, how it ended, how long it took, and who saw it.

The views of a day say the same in SQL (`schema.py`, step 5), and a test compares them.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from eyelet_ingest.store.answers import text
from eyelet_ingest.store.catalog import Part

NAMES_MOST = 20  # witnesses of one call that are named, and codes that are kept: a call has four or five
UNKNOWN_AFTER_US = 3_600_000_000  # a call without an answer may still get one for so long
QUESTION, ANSWER, NOTE = "question", "answer", "note"
OUTCOMES = ("ok", "error", "interrupted", "denied")  # of several answers the last of these counts
UNANSWERED = ("pending", "unknown")
_LONE = re.compile("[\ud800-\udfff]")  # surrogates, which JSON can spell and no text of SQLite's holds

# Which part an event has in its call. A note is one that tells of it and answers nothing: a permission was asked for,
# a hook of the call ran, some of its output came.
PHASE = """case
    when status = 'pending' or role = 'assistant' then 'question'
    when lower(hook_type) glob '*permission*request*' then 'note'
    when origin = 'transcript' and hook_type in ('progress', 'attachment') then 'note'
    when lower(hook_type) glob '*tool_decision' and status = 'ok' then 'note'
    else 'answer'
end"""
# What a hook without a tool_use_id was given: what question and answer are paired by.
INPUT = """coalesce(
    json_extract(data, '$.tool_input'), json_extract(data, '$.toolArgs'), json_extract(data, '$.command'), ''
)"""
# Hooks without a tool_use_id that are of a call.
IS_UNNAMED = """tool_use_id is null and tool_name is not null and origin = 'hook' and (
    status = 'pending' or lower(hook_type) glob 'post*' or lower(hook_type) glob 'after*'
    or lower(hook_type) = 'permissiondenied'
)"""
IS_OF_ONE_CALL = "(origin = 'hook' or json_type(meta, '$.calls[0].id') is not 'text')"
IS_OF_SEVERAL = """(origin <> 'hook' and json_type(meta, '$.calls') is not null
    and json_type(meta, '$.calls[0].id') is 'text')"""
# The tool_use_id of one of several; nothing is taken out of what is no object, as SQLite would find it malformed.
ID_OF_ONE = "case one.type when 'object' then json_extract(one.value, '$.id') end"
MOST_MS = 1e12  # of a duration that is believed: 31 years

Place = tuple[int, str, int]  # id, context, place of the root: the order of every answer
Key = tuple[str, str]  # session, and tool_use_id or the place of an unnamed call


class Witness(NamedTuple):
    """One event of a call as a partition gives it, in the order of COLUMNS."""

    id: int
    session_id: object
    call: object
    tool_name: object
    phase: object
    status: object
    error_code: object
    duration_ms: object
    origin: object
    hook_type: object
    agent: object
    agent_id: object
    model: object
    project_dir: object
    git_branch: object
    timed: object
    fits: object


_TEXTS = ("tool_name", "agent", "agent_id", "model", "project_dir", "git_branch")
_OF_CALL = ("tool_use_id", "tool_name", PHASE, "status", "error_code", "duration_ms")
_SHARED = ("origin", "hook_type", "agent", "agent_id", "model", "project_dir", "git_branch")
TIMED = "json_type(meta, '$.timestamp_from') is null"  # whether the event's own time is known
COLUMNS = ", ".join(("hooks.id", "session_id", *_OF_CALL, *_SHARED, TIMED))
# The same of a record that names several calls, of `json_each(hooks.meta, '$.calls') as one`.
_NAMED = ("id", "tool", "phase", "status", "error_code", "duration_ms")
COLUMNS_OF_SEVERAL = ", ".join(
    ("hooks.id", "session_id", *(f"json_extract(one.value, '$.{name}')" for name in _NAMED), *_SHARED, TIMED)
)


class Fold:
    """A call in the making: takes its witnesses in any order, and keeps no more of them than it needs."""

    __slots__ = (
        *("answer", "codes", "events", "first_us", "fitting", "latest", "names", "question", "rank"),
        *("said_ms", "sides", "spans", "texts", "tools"),
    )

    def __init__(self) -> None:
        self.events = 0
        self.names: set[str] = set()
        self.codes: set[str] = set()
        self.tools: set[str] = set()  # as its witnesses name it
        self.texts: dict[str, str] = {}
        self.rank = -1  # of OUTCOMES
        self.said_ms: float | None = None
        self.sides: set[tuple[str, str]] = set()  # who witnessed what: ("hook" or "other", phase)
        self.spans: dict[str, int] = {}
        self.first_us = 0
        self.question: tuple[Place, Part] | None = None
        self.answer: tuple[Place, Part] | None = None
        self.latest: tuple[Place, Part] | None = None
        self.fitting: Place | None = None  # the latest that fits what is looked for

    def take(self, one: Witness, part: Part, in_range: bool) -> None:
        place = (one.id, part.context, part.at)
        self.events += 1
        origin = text(one.origin)
        if len(self.names) < NAMES_MOST:
            self.names.add(f"{origin}:{text(one.hook_type)}")
        self.first_us = one.id if self.events == 1 else min(self.first_us, one.id)
        if self.latest is None or place > self.latest[0]:
            self.latest = place, part
        if one.fits and in_range and (self.fitting is None or place > self.fitting):
            self.fitting = place
        texts = self.texts
        said = (one.tool_name, one.agent, one.agent_id, one.model, one.project_dir, one.git_branch)
        for name, value in zip(_TEXTS, said, strict=True):
            if value is not None and value != texts.get(name) and (told := text(value)) > texts.get(name, ""):
                texts[name] = told
        if one.tool_name is not None and one.tool_name not in self.tools and len(self.tools) < NAMES_MOST:
            self.tools.add(text(one.tool_name))
        if one.phase in (QUESTION, ANSWER):
            self.sides.add((_kind(origin), str(one.phase)))
        if one.phase == QUESTION:
            self._span(QUESTION, one)
            if self.question is None or place < self.question[0]:
                self.question = place, part
        elif one.phase == ANSWER:
            self._span(ANSWER, one)
            self._answered(one, place, part)

    def add(self, other: "Fold") -> None:
        """Take what another partition gave of the same call."""
        self.first_us = min(self.first_us, other.first_us) if self.events else other.first_us
        self.events += other.events
        self.names = set(sorted(self.names | other.names)[:NAMES_MOST])
        self.sides |= other.sides
        self.tools = set(sorted(self.tools | other.tools)[:NAMES_MOST])
        self.codes = set(sorted(self.codes | other.codes)[:NAMES_MOST])
        self.rank = max(self.rank, other.rank)
        self.said_ms = max((ms for ms in (self.said_ms, other.said_ms) if ms is not None), default=None)
        for name, at in other.spans.items():
            self.spans[name] = min(at, self.spans.get(name, at))
        for name, told in other.texts.items():
            self.texts[name] = max(told, self.texts.get(name, ""))
        self.question = min((one for one in (self.question, other.question) if one), key=_place, default=None)
        self.answer = max((one for one in (self.answer, other.answer) if one), key=_place, default=None)
        self.latest = max((one for one in (self.latest, other.latest) if one), key=_place, default=None)
        self.fitting = max((one for one in (self.fitting, other.fitting) if one), default=None)

    def status(self, now_us: int) -> str:
        """How the call ended; without an answer, whether one may still come."""
        if self.answer is not None:
            return OUTCOMES[self.rank]
        latest_us = self.latest[0][0] if self.latest else 0
        return "unknown" if latest_us < now_us - UNKNOWN_AFTER_US else "pending"

    def duration_ms(self) -> float | None:
        """As long as its answer says, else from the first question to the first answer whose times are known."""
        if self.said_ms is not None:
            return self.said_ms
        asked, answered = self.spans.get(QUESTION), self.spans.get(ANSWER)
        if asked is None or answered is None or answered < asked:
            return None
        return (answered - asked) / 1000

    def _answered(self, one: Witness, place: Place, part: Part) -> None:
        if self.answer is None or place > self.answer[0]:
            self.answer = place, part
        self.rank = max(self.rank, OUTCOMES.index(one.status) if one.status in OUTCOMES else 0)
        if one.error_code is not None and len(self.codes) < NAMES_MOST:
            self.codes.add(text(one.error_code))
        ms = one.duration_ms
        if isinstance(ms, (int, float)) and 0 <= ms <= MOST_MS and (self.said_ms is None or ms > self.said_ms):
            self.said_ms = ms

    def _span(self, what: str, one: Witness) -> None:
        if one.timed:
            self.spans[what] = min(one.id, self.spans.get(what, one.id))


def _kind(origin: str) -> str:
    return "hook" if origin == "hook" else "other"


def _place(one: tuple[Place, Part]) -> Place:
    return one[0]


def folded(rows: Iterable[tuple[Any, ...]], part: Part, since_us: int, until_us: int) -> dict[Key, Fold]:
    """Witnesses of one partition, call by call. `fits` of those outside since ≤ id < until does not count."""
    found: dict[Key, Fold] = {}
    for row in rows:
        one = Witness(*row)
        key = text(one.session_id), text(one.call)
        fold = found.get(key)
        if fold is None:
            fold = found[key] = Fold()
        fold.take(one, part, since_us <= one.id < until_us)
    return found


def named(meta: object) -> Iterator[str]:
    """The tool_use_ids in `meta.calls`, each once, in order; nothing where it has none, or its first has none."""
    from eyelet_ingest.errors import BadInput
    from eyelet_ingest.jsontext import parse

    if not isinstance(meta, str) or '"calls"' not in meta:
        return
    try:
        said = parse(meta)
    except BadInput:
        return
    calls = said.get("calls") if isinstance(said, dict) else None
    if not isinstance(calls, list):
        return
    ids = [one.get("id") if isinstance(one, dict) else None for one in calls]
    if isinstance(ids[0] if ids else None, str):
        yield from dict.fromkeys(use_id for use_id in ids if isinstance(use_id, str) and not _LONE.search(use_id))


def within(parts: Iterable[Part], times_us: Iterable[int], behind_us: int, ahead_us: int) -> list[Part]:
    """The parts that hold one of these times, or lie so far behind one or ahead of it."""
    times = sorted(times_us)
    found: list[Part] = []
    for part in parts:
        at = bisect_left(times, part.first_us - ahead_us)
        if at < len(times) and times[at] < part.end_us + behind_us:
            found.append(part)
    return found
