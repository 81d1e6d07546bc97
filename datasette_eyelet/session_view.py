"""A session → what its page shows. Everything recorded passes `visible` here; the templates escape it for HTML."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import tzinfo

from datasette_eyelet import rows
from datasette_eyelet.rows import duration
from datasette_eyelet.session_query import SessionLinks, anchor
from datasette_eyelet.visible import one_line, visible
from eyelet_ingest import said, speech, synopsis
from eyelet_ingest.store.answers import Row
from eyelet_ingest.store.session import REST_US, Agent, Session, rows_of
from eyelet_ingest.store.session_rows import SAID_CHARS
from eyelet_ingest.store.steps import CALL, Step
from eyelet_ingest.store.steps import one_line as first_line
from eyelet_ingest.store.store import Store
from eyelet_ingest.store.witnesses import Place

CALL_CHARS = 8_192  # of a call's payload
EDIT_CHARS = 500_000  # where the line says how many lines of a file were changed
TEXT_CHARS = 12_000  # of a text in the story
GIST_CHARS = 240
NAME_CHARS = 120
INDEXED_MOST = 200  # prompts, failures and files that are listed
AGENTS_MOST = 200
PATH_CHARS = 400  # of a file that is linked to
LABELS = {
    "prompt": "Prompt",
    "answer": "Answer",
    "thought": "Thought",
    "subagent": "Subagent",
    "permission": "Permission asked",
    "compaction": "Context compacted",
    "error": "Error",
    "stopped": "Stopped",
    "session": "Session",
    "note": "Note",
}
STATUSES = ("ok", "error", "interrupted", "denied", "pending")


@dataclass(frozen=True, slots=True)
class AgentView:
    """A subagent and those that it started; `url` is its own story, `at_url` where it was started."""

    id: str
    name: str
    steps: int
    calls: int
    failed: int
    took: str
    url: str
    part_url: str
    at_url: str
    is_current: bool
    children: tuple["AgentView", ...] = ()


@dataclass(frozen=True, slots=True)
class StepView:
    """One step. `text` is whole unless `is_cut`; of a call there is only the `gist`, and it opens to `part_url`.
    `pause` is how long nothing had happened, "" where work went on; `day` is said where it is another than before."""

    anchor: str
    key: str
    kind: str
    label: str
    at: str
    at_iso: str
    day: str
    pause: str
    gist: str
    text: str
    is_cut: bool
    status: str
    is_known_status: bool
    failed: bool
    took: str
    error_code: str
    witnesses: tuple[str, ...]
    url: str
    part_url: str
    child: AgentView | None


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the index: what, when, and where it stands."""

    gist: str
    at: str
    url: str
    note: str = ""


def steps_view(
    store: Store,
    told: Session,
    steps: Sequence[Step],
    links: SessionLinks,
    tz: tzinfo,
    before: Step | None = None,
    text_chars: int = TEXT_CHARS,
) -> list[StepView]:
    """These steps of the story, in order; those whose event is gone are left out. `before` is the one that precedes
    them. Reads their events: not for the event loop."""
    found = _rows(store, steps)
    agents = {agent.id: agent for agent in told.agents.values()}
    views: list[StepView] = []
    day = "" if before is None else rows.moment(before.at_us, tz)[:10]
    last = before
    for step in steps:
        row = found.get(step.row[0])
        if row is None:
            continue
        view = _step(step, row, found.get(step.answer[0]) if step.answer else None, links, tz, text_chars)
        here = rows.moment(step.at_us, tz)[:10]
        child = agents.get(step.child) if step.child else None
        views.append(
            StepView(
                **view,  # type: ignore[arg-type]
                day=rows.day_name(step.at_us, tz) if here != day else "",
                pause=_pause(last, step),
                child=agent_view(child, view["gist"] or step.child, links, ()) if child is not None else None,  # type: ignore[arg-type]
            )
        )
        day, last = here, step
    return views


def _rows(store: Store, steps: Iterable[Step]) -> dict[Place, Row]:
    """The events that say these steps: as much of each as its view takes."""
    asked = [step for step in steps if step.kind == CALL]
    spoken = [step for step in steps if step.kind != CALL]
    found = rows_of(store.roots, (step.row for step in asked), CALL_CHARS)
    edits = [
        step.row
        for step in asked
        if (row := found.get(step.row[0])) is not None
        and synopsis.counts_lines(row)
        and CALL_CHARS < int(str(row["data_chars"])) <= EDIT_CHARS
    ]
    found.update(rows_of(store.roots, edits, None))
    found.update(rows_of(store.roots, (step.answer for step in asked if step.failed and step.answer), CALL_CHARS))
    found.update(rows_of(store.roots, (step.row for step in spoken), SAID_CHARS))
    return found


def _step(
    step: Step, row: Row, answer: Row | None, links: SessionLinks, tz: tzinfo, text_chars: int
) -> dict[str, object]:
    context, event_id = rows.text(row["context_name"]), step.row[0][0]
    text = "" if step.kind == CALL else said_in(step, row)
    gist = call_gist(step, row, answer) if step.kind == CALL else step.gist
    if not text and step.kind not in (CALL, "subagent"):
        gist = gist or synopsis.synopsis(row)
    label = step.tool or "call" if step.kind == CALL else LABELS.get(step.kind, step.kind)
    return {
        "anchor": anchor(step.key),
        "key": step.key,
        "kind": step.kind,
        "label": one_line(label, NAME_CHARS),
        "at": rows.moment(step.at_us, tz).partition(" ")[2],
        "at_iso": rows.iso(step.at_us),
        "gist": one_line(gist, GIST_CHARS),
        "text": visible(text[:text_chars]),
        "is_cut": len(text) > text_chars or (bool(text) and int(str(row["data_chars"])) > SAID_CHARS),
        "status": one_line(step.status, NAME_CHARS),
        "is_known_status": step.status in STATUSES,
        "failed": step.failed,
        "took": duration(step.duration_ms) if step.duration_ms else "",
        "error_code": one_line(step.error_code, NAME_CHARS),
        "witnesses": tuple(one_line(name, NAME_CHARS) for name in step.witnesses),
        "url": links.links.event(context, event_id),
        "part_url": links.links.fragment(context, event_id),
    }


def said_in(step: Step, row: Row) -> str:
    """What the step's event says, whole: that of its kind, and of several the one that begins as the step does."""
    payload = synopsis.payload_of(row["data"])
    texts = [
        one.text
        for one in speech.told(rows.text(row["origin"]), rows.text(row["hook_type"]), rows.text(row["role"]), payload)
        if one.kind == step.kind
    ]
    return next((text for text in texts if first_line(text) == step.gist), texts[0] if texts else "")


def call_gist(step: Step, row: Row, answer: Row | None) -> str:
    """What a call was asked to do, in one line, and why it failed where it did."""
    asked: dict[str, object] = dict(row)
    if step.tool and row["tool_name"] != step.tool:  # one of several in a record, which names the first
        payload = synopsis.payload_of(row["data"])
        asked = {**row, "tool_name": step.tool, "data": {"tool_input": said.said(payload, step.tool_use_id).given}}
    return synopsis.of_call(asked, answer) if answer is not None else synopsis.synopsis(asked)


def _pause(last: Step | None, step: Step) -> str:
    if last is None:
        return ""
    rested_us = step.at_us - last.last_us
    return span(rested_us) if rested_us > REST_US else ""


def span(us: int) -> str:
    """A time for people: `12 min`, `3 h 20 min`, `2 d 4 h`."""
    minutes = us // 60_000_000
    if minutes < 1:
        return f"{us / 1_000_000:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def agent_view(
    agent: Agent, name: str, links: SessionLinks, children: tuple[AgentView, ...], current: str = "-"
) -> AgentView:
    """`name` is what it is called; those without one by the beginning of their id."""
    own = {"agent": agent.id, "kind": "", "file": "", "failed": "", "from_": "", "to": ""}
    return AgentView(
        id=one_line(agent.id, NAME_CHARS),
        name=one_line(agent.name or name or agent.id, NAME_CHARS),
        steps=agent.steps,
        calls=agent.calls,
        failed=agent.failed,
        took=span(agent.last_us - agent.first_us),
        url=links.here(**own),
        part_url=links.part(**own),
        at_url=links.at(agent.call, agent=agent.parent, from_="", to="") if agent.call else "",
        is_current=agent.id == current,
        children=children,
    )


def agents_view(store: Store, told: Session, links: SessionLinks) -> tuple[AgentView, ...]:
    """The tree of subagents, AGENTS_MOST at most, by when they began. Reads what started them."""
    some = sorted((one for one in told.agents.values() if one.id), key=lambda one: one.first_us)[:AGENTS_MOST]
    calls = {one.id: step for one in some if one.call and (step := told.step(one.call)) is not None}
    found = rows_of(store.roots, (step.row for step in calls.values()), CALL_CHARS)
    shown = {one.id for one in some}

    def below(parent: str) -> tuple[AgentView, ...]:
        mine = [one for one in some if one.parent == parent or (not parent and one.parent not in shown)]
        return tuple(
            agent_view(one, _name(calls.get(one.id), found), links, below(one.id), links.asked.agent) for one in mine
        )

    return below("")


def _name(step: Step | None, found: dict[Place, Row]) -> str:
    row = found.get(step.row[0]) if step is not None else None
    return call_gist(step, row, None) if step is not None and row is not None and step.kind == CALL else ""


def title_of(told: Session) -> str:
    """What a session is called: by its agent, else by its first prompt, else by its id."""
    prompt = next((step.gist for step in told.steps if step.kind == "prompt" and step.gist), "")
    return told.title or prompt or told.id


def prompts_view(told: Session, links: SessionLinks, tz: tzinfo) -> list[Entry]:
    """The prompts of people, in order."""
    prompts = [step for step in told.steps if step.kind == "prompt" and not step.agent_id]
    return [
        Entry(one_line(step.gist, NAME_CHARS), _when(step, tz), links.at(step.key, agent="", from_="", to=""))
        for step in prompts[:INDEXED_MOST]
    ]


def failures_view(store: Store, told: Session, links: SessionLinks, tz: tzinfo) -> list[Entry]:
    """What failed, in order, of whichever agent. Reads it."""
    failed = [step for step in told.steps if step.failed][:INDEXED_MOST]
    found = rows_of(store.roots, (step.row for step in failed if step.kind == CALL), 2_048)
    entries = []
    for step in failed:
        row = found.get(step.row[0])
        gist = call_gist(step, row, None) if row is not None else step.gist
        place = links.at(step.key, agent=step.agent_id, from_="", to="")
        label = f"{step.tool}: {gist}" if step.tool and gist else gist or step.tool or "error"
        entries.append(Entry(one_line(label, NAME_CHARS), _when(step, tz), place, one_line(step.error_code, 40)))
    return entries


def files_view(told: Session, links: SessionLinks) -> list[Entry]:
    """The files that calls were about, the most changed first, each leading to what was done to it."""
    folders = told.names["projects"]
    found = []
    for one in told.files[:INDEXED_MOST]:
        count = ", ".join(
            f"{number} {what}" for number, what in ((one.writes, "changed"), (one.reads, "read")) if number
        )
        url = (
            links.here(file=one.path, agent="*", kind="", failed="", from_="", to="")
            if len(one.path) <= PATH_CHARS
            else ""
        )
        found.append(Entry(one_line(inside(one.path, folders), NAME_CHARS), count, url))
    return found


def inside(path: str, folders: Iterable[str]) -> str:
    """The path as seen from the innermost of these folders that holds it."""
    for folder in sorted(folders, key=len, reverse=True):
        beginning = folder.rstrip("/") + "/"
        if len(beginning) > 1 and path.startswith(beginning):
            return path[len(beginning) :]
    return path


def _when(step: Step, tz: tzinfo) -> str:
    return rows.moment(step.at_us, tz)[5:19] if step.is_timed else ""
