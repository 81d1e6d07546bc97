"""Entries: what a list shows. A call of a tool is one, however many events witness it; any other event is one itself.

A list of entries walks the events that fit, newest first, and gives a call where it meets the latest of those, as a
list of calls does (`calls.py`); what it meets of no call it gives as it is. So a page costs what a search costs, and
where there are calls the look for their other events. Like a list of calls it is of what had arrived when its first
page was made: pages neither skip nor repeat while others write.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from eyelet_ingest.errors import BadInput
from eyelet_ingest.store import pairs, select
from eyelet_ingest.store.answers import Partitions, Row, text
from eyelet_ingest.store.calls import STATUSES
from eyelet_ingest.store.catalog import Part
from eyelet_ingest.store.layout import DAY_US
from eyelet_ingest.store.listing import FAILED, Listing, Start, marks
from eyelet_ingest.store.roots import Roots
from eyelet_ingest.store.search import LIMIT_MOST
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.witnesses import IS_OF_ONE_CALL, IS_OF_SEVERAL, PHASE, UNKNOWN_AFTER_US, Fold, Key, Place
from eyelet_ingest.synopsis import counts_lines, of_call, synopsis

RANKED_MOST = 1_000  # events of which a page by rank is made
RANKED_EVENTS = 4  # of one entry, about
LINES_OF_CHARS = 262_144  # a payload up to this length is read whole for the number of lines that it changes
SAID_CHARS = 4_096  # of a payload that is read only for what it says in a line

# What may be left out of a call rather than of its events: else it would come back at one that does not say it.
_OF_CALL = ("agent", "model", "git_branch")
# What may be of a call that nothing answered, as far as its day can tell: most calls were, and need not be folded.
_WAITING = f"""({IS_OF_SEVERAL} or case
    when tool_use_id is null then status = 'pending'
    else {PHASE} <> 'answer' and not exists (
        select 1 from hooks answers
        where answers.tool_use_id = hooks.tool_use_id and answers.session_id = hooks.session_id
            and {PHASE} = 'answer' and {IS_OF_ONE_CALL}
    )
end)"""  # noqa: S608  our own texts
_FAILED_OR_WAITING = f"(status in ({', '.join(map(repr, FAILED))}) or {_WAITING})"
_ALONE: Key = ("", "")  # of what is of no call


class At(NamedTuple):
    """Where an event is; `root` is "" where there is only one."""

    context: str
    id: int
    root: str = ""


@dataclass(frozen=True, slots=True)
class EntryCall:
    """What the events of a call add up to, as `calls.Call` has it; `question` and `answer` are where they are."""

    session_id: str
    tool_use_id: str | None
    tool_name: str | None
    status: str
    error: int
    error_code: str | None
    first_us: int
    last_us: int
    duration_ms: float | None
    agent: str | None
    agent_id: str | None
    model: str | None
    project_dir: str | None
    git_branch: str | None
    events: int
    witnesses: tuple[str, ...]
    question: At | None
    answer: At | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a list. `row` is the event it stands at, as a search gives it, with its `outcome`; `call` what it is
    of, None where it is of none. `said` says in one line what happened (`synopsis.py`), the question's words where the
    event itself has only an answer: recorded text, to be escaped. `key` is this entry's alone among those of an answer:
    a record of several calls may be a line of each.
    """

    row: Row
    call: EntryCall | None
    said: str
    key: str


@dataclass(frozen=True, slots=True)
class Entries:
    """One page of entries; `next`, where there is more, is the `after` of the following one. Where the deadline came
    first a page may hold fewer than were asked for, even none, and `next` goes on there."""

    rows: list[Entry]
    next: str | None
    partitions: Partitions
    elapsed_ms: float


class _Alone(Fold):
    """In place of a call, for an event that is of none."""

    __slots__ = ()

    def __init__(self, place: Place) -> None:
        self.fitting = place


_Found = tuple[Place, Key, Fold]


class EntryListing(Listing):
    """The walk over all events that fit."""

    OF_CALLS = ""
    EVENTS_A_CALL = 1

    def __init__(
        self, roots: Roots, where: Filter, deadline_ms: float | None, now_us: int, as_of_us: int | None = None
    ) -> None:
        super().__init__(roots, where, deadline_ms, now_us, as_of_us)
        where = select.bindable(self.asked_for)
        self.without: dict[str, frozenset[str]] = {
            name: frozenset(where.left_out(name)) for name in dict.fromkeys(name for name, _ in where.without)
        }
        self.days_by_place = {(part.context, part.at, part.first_us): part for part in self.around.parts}

    def on_events(self, where: Filter) -> Filter:
        """Failures and their codes are those of events. A status or a tool that is left out is left out of calls."""
        on_events = where.but("status", "tool_name")
        allowed = _allowed(where)
        return replace(on_events, status=FAILED) if allowed and allowed <= set(FAILED) else on_events

    def more_conditions(self) -> tuple[list[str], list[object]]:
        clauses, params = super().more_conditions()
        left_out = select.bindable(self.asked_for).left_out("tool_name")
        if left_out:
            clauses = [*clauses, f"(ifnull(tool_name not in ({marks(left_out)}), 1) or {IS_OF_SEVERAL})"]
            params = [*params, *left_out]
        allowed = _allowed(self.asked_for)
        if "ok" not in allowed and not allowed <= set(FAILED):
            clauses = [*clauses, _FAILED_OR_WAITING if allowed & set(FAILED) else _WAITING]
        return clauses, params

    def met(self, rows: list[Row]) -> list[list[tuple[Key, Fold]]] | None:
        met = super().met(rows)
        if met is None:
            return None
        pairs_of_rows = zip(rows, met, strict=True)
        return [calls or [(_ALONE, _Alone(self.place(row)))] for row, calls in pairs_of_rows]

    def is_asked_for(self, fold: Fold, row: Row) -> bool:
        asked = self.asked_for
        alone = isinstance(fold, _Alone)
        status = self.outcome(row) if alone else fold.status(self.now_us)
        if (asked.status and status not in asked.status) or status in self.without.get("status", ()):
            return False
        tools = {text(row["tool_name"])} if alone else fold.tools
        if (self.tools and tools.isdisjoint(self.tools)) or not tools.isdisjoint(self.without.get("tool_name", ())):
            return False
        return alone or self._has_what_events_say(fold, row, status)

    def _has_what_events_say(self, fold: Fold, row: Row, status: str) -> bool:
        """Whether the call is one of those for whose sake the event was found, and none that is left out."""
        asked, several = self.asked_for, '"calls"' in text(row["meta"])
        if several and asked.errors and status not in FAILED:
            return False
        if several and asked.error_code and fold.codes.isdisjoint(asked.error_code):
            return False
        if not fold.codes.isdisjoint(self.without.get("error_code", ())):
            return False
        if "errors" in self.without and status == "error":
            return False
        return not any(fold.texts.get(name) in self.without.get(name, ()) for name in _OF_CALL)

    def outcome(self, row: Row) -> str:
        """How an event of no call ended: one that asks was answered by nothing."""
        if row["status"] != "pending":
            return text(row["status"])
        return "unknown" if int(str(row["id"])) < self.now_us - UNKNOWN_AFTER_US else "pending"

    def part_of(self, place: Place) -> Part:
        return self.days_by_place[place[1], place[2], place[0] - place[0] % DAY_US]

    def whole(self, places: Iterable[Place], cut_chars: int | None) -> dict[Place, Row]:
        """The rows of these places; those that were deleted meanwhile are left out."""
        matches = [(*place, self.part_of(place), (place[0],)) for place in dict.fromkeys(places)]
        return {self.place(row): row for row in self.around.rows_of(matches, cut_chars)}

    def root_of(self, at: int) -> str:
        return next(one.root for one in self.roots.catalogs if one.at == at) if self.roots.several else ""


def entries(
    roots: Roots,
    where: Filter,
    *,
    limit: int,
    after: str | None,
    oldest_first: bool,
    cut_chars: int | None,
    deadline_ms: float | None,
    by_rank: bool,
    snippets: bool,
    now_us: int | None = None,
) -> Entries:
    """One page of entries; see `Store.entries`."""
    _check(where, limit)
    clock_us = time.time_ns() // 1_000
    start = Start.read(after, clock_us)
    listing = EntryListing(roots, where, deadline_ms, clock_us if now_us is None else now_us, start.as_of_us)
    with listing:
        if by_rank:
            made, following = _ranked(listing, limit, cut_chars), None
        else:
            found, following = listing.found(min(limit, LIMIT_MOST), start, oldest_first)
            listing.until = listing.around.until = None  # what was found in time is also shown
            made = _made(listing, found, cut_chars)
        if snippets:
            from eyelet_ingest.store import text_answers

            text_answers.show(listing, [entry.row for entry in made])
        truth = listing.truth_about(following)
        return Entries(made, following.text if following else None, truth, listing.elapsed_ms())


def entries_of(roots: Roots, rows: Sequence[Row], now_us: int | None = None) -> list[Entry]:
    """The entries that these events, whole rows of a search or tail, are lines of, in their order: a call once, where
    its first row stands. The deadline is none; raises nothing for bad days."""
    listing = EntryListing(roots, Filter(), None, time.time_ns() // 1_000 if now_us is None else now_us)
    with listing:
        return _of_rows(listing, list(rows), LIMIT_MOST, None)


def _allowed(where: Filter) -> set[str]:
    """The statuses that a call may have."""
    return set(where.status or STATUSES).difference(where.left_out("status"))


def _check(where: Filter, limit: int) -> None:
    if limit < 1:
        raise BadInput("list entries", reason=f"a page of {limit} entries", hint="1 is the least")
    for status in where.status:
        if status not in STATUSES:
            raise BadInput("list entries", status, "there is no such status", f"write one of {', '.join(STATUSES)}")


def _ranked(listing: EntryListing, limit: int, cut_chars: int | None) -> list[Entry]:
    """What is most about the text first, each call at the event that is most about it."""
    from eyelet_ingest.store import text_answers

    listing.READ = None
    rows = text_answers.ranked(listing, min(RANKED_MOST, RANKED_EVENTS * limit), cut_chars, snippets=False).rows
    listing.until = listing.around.until = None
    return _of_rows(listing, rows, limit, cut_chars)


def _of_rows(listing: EntryListing, rows: list[Row], limit: int, cut_chars: int | None) -> list[Entry]:
    """The first entries that these rows are lines of."""
    lines: list[tuple[Row, Key, Fold]] = []
    seen: set[Key] = set()
    for row, calls in zip(rows, listing.met(rows) or (), strict=True):
        for key, fold in calls:
            if (key != _ALONE and key in seen) or not listing.is_asked_for(fold, row):
                continue
            seen.add(key)
            lines.append((row, key, fold))
    return _lines(listing, lines[:limit], cut_chars)


def _made(listing: EntryListing, found: list[_Found], cut_chars: int | None) -> list[Entry]:
    rows = listing.whole((place for place, _, _ in found), cut_chars)
    return _lines(listing, [(rows[place], key, fold) for place, key, fold in found if place in rows], cut_chars)


def _lines(listing: EntryListing, lines: list[tuple[Row, Key, Fold]], cut_chars: int | None) -> list[Entry]:
    elsewhere = [asked for row, _, fold in lines if (asked := _asked_elsewhere(listing, row, fold))]
    questions = listing.whole(elsewhere, SAID_CHARS if cut_chars is None else min(cut_chars, SAID_CHARS))
    made: list[Entry] = []
    taken: dict[Place, int] = {}
    for row, key, fold in lines:
        place = listing.place(row)
        number = taken[place] = taken.get(place, -1) + 1
        name = f"{place[1]}-{place[0]}" + (f"-r{place[2]}" if place[2] else "") + (f"-{number}" if number else "")
        alone = isinstance(fold, _Alone)
        call = None if alone else _call(listing, key, fold)
        question = None if alone else questions.get(fold.question[0]) if fold.question else None
        row = {**row, "outcome": listing.outcome(row)}
        if call is not None and row["status"] == "pending":
            row["outcome"] = call.status
        made.append(Entry(row, call, _said(listing, row, question, key[1]), name))
    return made


def _asked_elsewhere(listing: EntryListing, row: Row, fold: Fold) -> Place | None:
    """Where the question is, if the event itself does not repeat it: hooks do."""
    if isinstance(fold, _Alone) or fold.question is None or row["origin"] == "hook":
        return None
    return None if fold.question[0] == listing.place(row) else fold.question[0]


def _said(listing: EntryListing, row: Row, question: Row | None, use_id: str) -> str:
    about = row if question is None else question
    length = int(str(about["data_chars"] or 0))
    if len(text(about["data"])) < length <= LINES_OF_CHARS and counts_lines(about):
        place = listing.place(about)
        about = listing.whole([place], None).get(place, about)
    use_id = use_id if '"calls"' in text(about["meta"]) else ""
    return synopsis(about, use_id) if question is None else of_call(about, row, use_id)


def _call(listing: EntryListing, key: Key, fold: Fold) -> EntryCall:
    status = fold.status(listing.now_us)
    ends = [
        At(one[0][1], one[0][0], listing.root_of(one[0][2])) if one is not None else None
        for one in (fold.question, fold.answer)
    ]
    return EntryCall(
        session_id=key[0],
        tool_use_id=None if key[1].startswith(pairs.MARK) else key[1],
        tool_name=fold.texts.get("tool_name"),
        status=status,
        error=int(status == "error"),
        error_code=max(fold.codes, default=None),
        first_us=fold.first_us,
        last_us=fold.latest[0][0] if fold.latest else fold.first_us,
        duration_ms=fold.duration_ms(),
        agent=fold.texts.get("agent"),
        agent_id=fold.texts.get("agent_id"),
        model=fold.texts.get("model"),
        project_dir=fold.texts.get("project_dir"),
        git_branch=fold.texts.get("git_branch"),
        events=fold.events,
        witnesses=tuple(sorted(fold.names)),
        question=ends[0],
        answer=ends[1],
    )
