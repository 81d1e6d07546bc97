"""One session as a story: what was asked and answered, its calls, its subagents, and what went wrong, in order.

Made of every event of the session, of whichever day, context, root and agent, in one pass that reads no payload but
where something is said. Hooks, transcripts and telemetry witness the same things: a prompt that several of them have is
one step, and so is a call. `docs/session.md` says what is taken for the same.
"""

import os
import time
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from eyelet_ingest.errors import BadInput
from eyelet_ingest.store.answers import Partitions, Row
from eyelet_ingest.store.catalog import Part
from eyelet_ingest.store.layout import MEMORY, side_path
from eyelet_ingest.store.roots import Roots
from eyelet_ingest.store.search import Search
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.session_rows import of_session
from eyelet_ingest.store.steps import Step, Story
from eyelet_ingest.store.usage import Usage
from eyelet_ingest.store.witnesses import Place

EVENTS_MOST = 100_000  # of one story: 30 MB of steps
SETTLED_NS = 2_000_000_000  # of the file system's clock: what changed before is seen by its time
RUNS_US = 3_600_000_000  # a call that takes longer is taken to have waited
REST_US = 300_000_000  # a longer time without an event is a pause, not work


@dataclass(slots=True)
class Agent:
    """One subagent: `id` is its own, "" that of the session itself. `parent` is the subagent that started it, `call`
    the key of the step that did, "" where nothing tells. `name` is its kind or its task, as far as is known."""

    id: str
    parent: str = ""
    call: str = ""
    name: str = ""
    first_us: int = 0
    last_us: int = 0
    steps: int = 0
    calls: int = 0
    failed: int = 0


@dataclass(slots=True)
class Touched:
    """A file that calls were about: how often it was looked at and changed, and the first step that did."""

    path: str
    reads: int = 0
    writes: int = 0
    first: str = ""


@dataclass(slots=True)
class Totals:
    """What a session adds up to. `active_us` is its time without pauses of more than five minutes. `known` are the
    calls that a transcript knows, `caught` those of them that a hook saw. `outcomes` are calls by status, `tools` by
    tool; `prompts` are those of people, not the tasks of subagents."""

    first_us: int = 0
    last_us: int = 0
    active_us: int = 0
    events: int = 0
    quiet: int = 0
    prompts: int = 0
    answers: int = 0
    calls: int = 0
    failed: int = 0
    errors: int = 0
    permissions: int = 0
    compactions: int = 0
    known: int = 0
    caught: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    tools: Counter[str] = field(default_factory=Counter)
    failed_tools: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Session:
    """A session and its story. `steps` are in order of time; `is_cut` where it has more than EVENTS_MOST events, of
    which the first are told. `title` is what the agent called it."""

    id: str
    steps: list[Step]
    agents: dict[str, Agent]
    files: list[Touched]
    totals: Totals
    title: str
    names: dict[str, tuple[str, ...]]  # contexts, agents, models, projects, branches
    pauses: list[tuple[int, int]]
    is_cut: bool
    partitions: Partitions
    elapsed_ms: float
    usage: Usage | None = None  # for who counted its tokens, and keeps them
    _at: dict[str, int] = field(default_factory=dict)

    def step(self, key: str) -> Step | None:
        """The step of this key."""
        at = self._places().get(key)
        return None if at is None else self.steps[at]

    def _places(self) -> dict[str, int]:
        if not self._at:
            self._at = {step.key: at for at, step in enumerate(self.steps)}
        return self._at


def session(
    roots: Roots,
    session_id: str,
    *,
    contexts: Sequence[str] = (),
    since_us: int | None = None,
    until_us: int | None = None,
    deadline_ms: float | None = None,
    now_us: int | None = None,
) -> Session:
    """The story of all events of this session in the range; one without steps where there is none. BadInput for a blank
    name. Days that cannot be read, and those that the deadline left out, are named in `partitions`."""
    if not session_id.strip():
        raise BadInput("tell a session", reason="it has no name", hint="give its id")
    now_us = time.time_ns() // 1_000 if now_us is None else now_us
    where = Filter(since_us=since_us, until_us=until_us, contexts=tuple(contexts), session_id=(session_id,))
    with Search(roots, where, deadline_ms) as question:
        story = Story(session_id, now_us)
        left, is_cut = EVENTS_MOST, False
        for part, found in question.each(question.parts, of_session(question, EVENTS_MOST)):
            is_cut = found.is_cut or len(found.rows) > left
            if is_cut and not left:
                break
            story.take(part, found.rows[:left], found.several)
            left -= min(left, len(found.rows))
            if is_cut:
                break
        story.end()
        return _made(session_id, story, is_cut, question)


def signature(roots: Roots) -> tuple[object, ...] | None:
    """What changes whenever something is recorded, removed or changed: the files of all days as they are. None where
    one changed so recently that another change would look the same, and for roots that have no files."""
    parts, _, troubles = roots.between(None, None, ())
    settled_ns = time.time_ns() - SETTLED_NS
    found: list[object] = [len(troubles)]
    for part in parts:
        if part.path.startswith(MEMORY):
            return None
        for path in (part.path, side_path(part.path, "-wal")):
            try:
                status = os.stat(path)
            except OSError:
                found.append(None)
                continue
            if status.st_mtime_ns > settled_ns:
                return None
            found.append((path, status.st_mtime_ns, status.st_size, status.st_ino))
    return tuple(found)


def rows_of(
    roots: Roots, events: Iterable[tuple[Place, Part]], cut_chars: int | None, deadline_ms: float | None = None
) -> dict[Place, Row]:
    """These events, `data` cut as asked; those that are gone or cannot be read are left out."""
    wanted = list(dict.fromkeys(events))
    if not wanted:
        return {}
    with Search(roots, Filter(contexts=tuple({place[1] for place, _ in wanted})), deadline_ms) as question:
        rows = question.rows_of([(*place, part, (place[0],)) for place, part in wanted], cut_chars)
    by_root = {catalog.root: catalog.at for catalog in roots.catalogs}
    return {(int(str(row["id"])), str(row["context_name"]), by_root.get(str(row.get("root")), 0)): row for row in rows}


def _made(session_id: str, story: Story, is_cut: bool, question: Search) -> Session:
    steps = story.steps
    agents = _agents(story)
    pauses = _pauses(steps)
    totals = _totals(story, pauses)
    names = {name: tuple(sorted(values)) for name, values in story.names.items()}
    return Session(
        id=session_id,
        steps=steps,
        agents=agents,
        files=_files(steps),
        totals=totals,
        title=story.title,
        names=names,
        pauses=pauses,
        is_cut=is_cut,
        partitions=question.truth(),
        elapsed_ms=question.elapsed_ms(),
    )


def _pauses(steps: Sequence[Step]) -> list[tuple[int, int]]:
    """The times of more than REST_US in which nothing happened and no call ran. A call of hours waits for somebody:
    of that its beginning and end count."""
    found: list[tuple[int, int]] = []
    spans = sorted(
        span
        for step in steps
        for span in (
            [(step.at_us, step.last_us)]
            if step.last_us - step.at_us <= RUNS_US
            else [(step.at_us, step.at_us), (step.last_us, step.last_us)]
        )
    )
    busy_us = spans[0][1] if spans else 0
    for first_us, last_us in spans:
        if first_us - busy_us > REST_US:
            found.append((busy_us, first_us))
        busy_us = max(busy_us, last_us)
    return found


def _totals(story: Story, pauses: list[tuple[int, int]]) -> Totals:
    found = Totals(events=story.events, quiet=story.quiet)
    for step in story.steps:
        found.first_us = min(found.first_us or step.at_us, step.at_us)
        found.last_us = max(found.last_us, step.last_us)
        if step.kind == "call":
            _count_call(found, step)
        elif step.kind == "prompt":
            found.prompts += not step.agent_id
        elif step.kind == "answer":
            found.answers += 1
        found.errors += step.kind != "call" and step.failed
        found.permissions += step.kind == "permission"
        found.compactions += step.kind == "compaction"
    found.active_us = found.last_us - found.first_us - sum(b - a for a, b in pauses)
    return found


def _count_call(found: Totals, step: Step) -> None:
    found.calls += 1
    found.outcomes[step.status] += 1
    found.tools[step.tool] += 1
    if step.failed:
        found.failed += 1
        found.failed_tools[step.tool] += 1
    if any(name.startswith("transcript:") for name in step.witnesses):
        found.known += 1
        found.caught += any(name.startswith("hook:") for name in step.witnesses)


def _agents(story: Story) -> dict[str, Agent]:
    """The subagents and the session itself, each with what its steps add up to."""
    found: dict[str, Agent] = {"": Agent("")}
    for step in story.steps:
        agent = found.get(step.agent_id)
        if agent is None:
            agent = found[step.agent_id] = Agent(step.agent_id)
        agent.first_us = min(agent.first_us or step.at_us, step.at_us)
        agent.last_us = max(agent.last_us, step.last_us)
        agent.steps += 1
        agent.calls += step.kind == "call"
        agent.failed += step.failed
    for step in story.steps:
        child = found.get(step.child) if step.child else None
        if child is not None and child.id and not child.call and child.id != step.agent_id:
            child.call, child.parent, child.name = step.key, step.agent_id, step.gist
    for agent_id, name in story.agent_names.items():
        if agent_id in found and name:
            found[agent_id].name = name
    _without_circles(found)
    return found


def _without_circles(agents: dict[str, Agent]) -> None:
    """What was recorded may say that two subagents started each other: then neither has a parent."""
    for agent in agents.values():
        seen, one = {agent.id}, agent
        while one.id and one.parent in agents:
            one = agents[one.parent]
            if one.id in seen and one.id:
                agent.parent = ""
                break
            seen.add(one.id)


def _files(steps: list[Step]) -> list[Touched]:
    """Every file that calls were about, the most changed first."""
    found: dict[str, Touched] = {}
    for step in steps:
        for path in step.files:
            one = found.get(path)
            if one is None:
                one = found[path] = Touched(path, first=step.key)
            if step.changes:
                one.writes += 1
            else:
                one.reads += 1
    return sorted(found.values(), key=lambda one: (-one.writes, -one.reads, one.path))


@dataclass(frozen=True, slots=True)
class Choice:
    """Which steps of a story are shown: those of one agent ("" is the session itself, None all of them), of these
    kinds, about a file, within a range, only what failed. `quiet` too where that is asked for."""

    agent: str | None = ""
    kinds: tuple[str, ...] = ()
    file: str = ""
    since_us: int | None = None
    until_us: int | None = None
    failed: bool = False

    def has(self, step: Step) -> bool:
        if self.agent is not None and step.agent_id != self.agent:
            return False
        if (self.kinds and step.kind not in self.kinds) or (self.failed and not step.failed):
            return False
        if self.file and self.file not in step.files:
            return False
        after_start = self.since_us is None or step.last_us >= self.since_us
        return after_start and (self.until_us is None or step.at_us < self.until_us)


@dataclass(frozen=True, slots=True)
class Pages:
    """Some steps of those that were chosen, and whether there are steps before and after them."""

    steps: list[Step]
    before: bool
    after: bool
    chosen: int


def page(steps: Sequence[Step], size: int, *, after: str = "", before: str = "", at: str = "", lead: int = 3) -> Pages:
    """The first `size` of these steps in order; those after or before a position, or from `lead` before the step of the
    key `at`. A position is `Step.position` as text; BadInput for one that is none."""
    places = [step.position for step in steps]
    start = 0
    if after:
        start = bisect_right(places, read_position(after))
    elif before:
        start = max(bisect_left(places, read_position(before)) - size, 0)
    elif at:
        start = max(bisect_left(places, read_position(at)) - lead, 0)
    end = bisect_left(places, read_position(before)) if before else start + size
    some = list(steps[start:end])
    return Pages(some, start > 0, end < len(steps), len(steps))


def read_position(said: str) -> tuple[int, int, int, str]:
    """The position that a URL says; BadInput for what says none."""
    *numbers, context = said.split("-", 3)
    if len(numbers) == 3 and all(one.isascii() and one.isdigit() and len(one) < 19 for one in numbers):
        at_us, nth, root = (int(one) for one in numbers)
        return at_us, nth, root, context
    raise BadInput("tell a session", repr(said[:60]), "it is no place in it", "start at the beginning")
