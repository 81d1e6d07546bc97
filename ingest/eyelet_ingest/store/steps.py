"""The steps of a story, made of the rows of a session: what several witnesses say of one thing is one step.

A prompt that a hook, a transcript and telemetry have is one: of equal texts, within two minutes, each witness's n-th is
the other's n-th; where both name the prompt, the names decide. Answers, thoughts, compactions and questions for leave
likewise. Calls are folded as everywhere (`witnesses.py`, `pairs.py`).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import blake2b

from eyelet_ingest import speech
from eyelet_ingest.store import pairs
from eyelet_ingest.store.answers import text
from eyelet_ingest.store.catalog import Part
from eyelet_ingest.store.session_rows import STARTERS, WRITES, Told
from eyelet_ingest.store.witnesses import ANSWER, NOTE, QUESTION, Fold, Key, Place, Witness
from eyelet_ingest.synopsis import payload_of

GIST_CHARS = 200
CALL = "call"
AGENT_CHARS = 300  # of a subagent's id: it stands in addresses
FILES_MOST = 50  # of one call
ENTRANCE = 1_000_000  # behind all that one event says
OPEN_MOST = 50  # steps of equal text that another witness may still join
NAMES_MOST = 50  # of models, projects and the like that are named
_NEAR_US = {
    **dict.fromkeys((speech.PROMPT, speech.ANSWER, speech.THOUGHT, speech.ERROR), 120_000_000),
    **dict.fromkeys((speech.PERMISSION, speech.STOPPED, speech.SESSION), 60_000_000),
    speech.COMPACTION: 600_000_000,
}
_BY_TEXT = (speech.PROMPT, speech.ANSWER, speech.THOUGHT)
_START_CHARS = 120  # of a text: those that begin alike are compared
_PATCHED = re.compile(r"\*\*\* (?:Add|Update|Delete) File: ([^\n\\]{1,1000})")
_FAILED = ("error",)


@dataclass(slots=True)
class Step:
    """One step of a story. `kind` is `call` or one of `speech`; `status` that of the call, resolved, or of the event.

    `row` is the event that says it, of a call the question, else the answer; `answer` the call's answer. `gist` is the
    beginning of what is said, on one line, "" of a call. `child` is the subagent that it started. `witnesses` are
    origins and types of its events.
    """

    at_us: int
    nth: int
    root: int
    context: str
    kind: str
    status: str
    last_us: int
    row: tuple[Place, Part]
    agent_id: str = ""
    gist: str = ""
    name: str = ""  # of the prompt, where it has one
    chars: int = 0
    tool: str = ""
    tool_use_id: str = ""
    error_code: str = ""
    duration_ms: float | None = None
    model: str = ""
    witnesses: tuple[str, ...] = ()
    answer: tuple[Place, Part] | None = None
    files: tuple[str, ...] = ()
    changes: bool = False
    child: str = ""
    is_timed: bool = True

    @property
    def position(self) -> tuple[int, int, int, str]:
        """Its place in the order of the story."""
        return self.at_us, self.nth, self.root, self.context

    @property
    def key(self) -> str:
        """Its place as text: `session.read_position` reads it."""
        return f"{self.at_us}-{self.nth}-{self.root}-{self.context}"

    @property
    def failed(self) -> bool:
        return self.status in _FAILED or self.kind == speech.ERROR


@dataclass(slots=True)
class _Call:
    """A call in the making, and what its fold does not keep."""

    fold: Fold
    agent_id: str = ""
    files: tuple[str, ...] = ()
    child: str = ""
    is_asked: bool = False  # a question of it was met
    unsaid: int = 0  # rows of it that say nothing besides


class Story:
    """Takes the rows of a session, partition by partition in order of time; after `end` it has its `steps`."""

    def __init__(self, session_id: str, now_us: int) -> None:
        self.session_id, self.now_us = session_id, now_us
        self.steps: list[Step] = []
        self.events = self.quiet = 0
        self.title = ""
        self.agent_names: dict[str, str] = {}
        self.names: dict[str, set[str]] = {
            name: set() for name in ("contexts", "agents", "models", "projects", "branches", "roots")
        }
        self._named: tuple[object, ...] = ()
        self._calls: dict[Key, _Call] = {}
        self._unnamed: dict[tuple[str, bytes, bool], list[tuple[Place, Part, bool]]] = {}
        self._waiting: dict[Place, tuple[Part, Told]] = {}  # of calls without a name, until all are known
        self._open: dict[tuple[str, str, str], list[Step]] = {}  # steps that another witness may join

    def take(self, part: Part, rows: Iterable[Told], several: Iterable[Witness]) -> None:
        """The session's rows of one partition, and the calls that rows with several of them name."""
        for told in rows:
            one = told.one
            self.events += 1
            self._name(part, one)
            is_call = self._take_call(part, told)
            if self._take_said(part, told):
                continue
            if not is_call:
                self.quiet += 1
            elif call := self._calls.get((text(one.session_id), text(one.call))):
                call.unsaid += 1
        for one in several:
            self._call((text(one.session_id), text(one.call)), part, one)

    def end(self) -> None:
        """Every row was given: make steps of the calls, and put all of them in order."""
        for (_, _, is_timed), events in self._unnamed.items():
            events.sort(key=(lambda one: one[0]) if is_timed else (lambda one: (not one[2], one[0])))
            for call in pairs.in_order(events):
                self._take_pair(call)
        self.steps += [_step_of(key, call, self.now_us) for key, call in self._calls.items() if _is_whole(call)]
        self.quiet += sum(call.unsaid for call in self._calls.values() if not _is_whole(call))
        self.steps.sort(key=lambda step: step.position)
        self._number()
        self._adopt()
        for held in (self._unnamed, self._waiting, self._calls, self._open):
            held.clear()

    def _name(self, part: Part, one: Witness) -> None:
        found = (part.context, one.agent, one.model, one.project_dir, one.git_branch, part.root)
        if found == self._named:
            return  # mostly those of the row before
        self._named = found
        for known, value in zip(self.names.values(), found, strict=True):
            if value is not None and value != "" and value not in known and len(known) < NAMES_MOST:
                known.add(text(value))

    # Calls

    def _take_call(self, part: Part, told: Told) -> bool:
        """Whether the row is of a call, which it is then added to."""
        one = told.one
        if told.given is not None and one.call is None:
            digest = blake2b(text(told.given).encode("utf-8", "replace"), digest_size=16).digest()
            same = text(one.tool_name), digest, bool(one.timed)
            place = one.id, part.context, part.at
            self._unnamed.setdefault(same, []).append((place, part, one.phase == QUESTION))
            self._waiting[place] = part, told
            return True
        if one.call is None or not told.is_of_one:
            return one.call is not None
        call = self._call((text(one.session_id), text(one.call)), part, one)
        _add_to(call, told)
        agent_id = self._agent(one)
        if one.phase == NOTE and agent_id and agent_id != call.agent_id and not call.child:
            call.child = agent_id  # the progress of a subagent that the call has started
        return True

    def _call(self, key: Key, part: Part, one: Witness) -> _Call:
        call = self._calls.get(key)
        if call is None:
            call = self._calls[key] = _Call(Fold())
        call.fold.take(one, part, True)
        self._own(call, one)
        return call

    def _own(self, call: _Call, one: Witness) -> None:
        """Say whose call it is: who asked, else who answered; hooks of old versions do not say it."""
        if one.phase == QUESTION and not call.is_asked:
            call.is_asked, call.agent_id = True, self._agent(one)
        elif not call.agent_id and (one.phase == QUESTION or (one.phase == ANSWER and not call.is_asked)):
            call.agent_id = self._agent(one)

    def _agent(self, one: Witness) -> str:
        """The subagent whose event it is, "" where it is the session's own: some agents name the session there."""
        agent_id = "" if one.agent_id is None else text(one.agent_id)[:AGENT_CHARS]
        return "" if agent_id == self.session_id else agent_id

    def _take_pair(self, events: list[tuple[Place, Part, bool]]) -> None:
        session = ""
        call = _Call(Fold())
        for place, part, _ in events:
            told = self._waiting[place][1]
            session = text(told.one.session_id)
            call.fold.take(told.one, part, True)
            self._own(call, told.one)
            _add_to(call, told)
        place = events[0][0]
        self._calls[session, f"{pairs.MARK}{place}"] = call

    # What is said

    def _take_said(self, part: Part, told: Told) -> bool:
        """Whether the row says something that a person would read."""
        if told.said is None:
            return False
        one = told.one
        payload = payload_of(text(told.said))
        found = False
        for said in speech.told(text(one.origin), text(one.hook_type), text(told.role or ""), payload):
            if said.kind == speech.TITLE:
                self.title = one_line(said.text) or self.title
            elif said.kind != speech.QUIET and (said.kind != speech.NOTE or one.call is None):
                found = True
                self._say(part, one, said)
        if not found and text(one.status) in ("error", "interrupted") and one.call is None:
            self._say(part, one, speech.Said(speech.ERROR if one.status == "error" else speech.STOPPED))
            found = True
        return found

    def _say(self, part: Part, one: Witness, said: speech.Said) -> None:
        witness = f"{text(one.origin)}:{text(one.hook_type)}"
        agent_id = self._agent(one)
        if said.kind == speech.SUBAGENT and agent_id:
            self.agent_names[agent_id] = one_line(said.text)
        words = speech.digest(said.text)
        same = said.kind, agent_id, words[:_START_CHARS] if said.kind in _BY_TEXT else ""
        place = one.id, part.context, part.at
        waiting = self._open.setdefault(same, [])
        for step in waiting:
            if _is_same(step, said, words, one, witness):
                _join(step, place, part, said, witness)
                return
        near_us = _NEAR_US.get(said.kind, 0)
        if bool(one.timed):
            waiting[:] = [step for step in waiting if one.id - step.last_us <= near_us or not step.is_timed]
        of_calls = said.kind in _BY_TEXT and one.tool_name is not None  # what its calls came to is said there
        step = Step(
            at_us=one.id,
            nth=0,
            root=part.at,
            context=part.context,
            kind=said.kind,
            status="ok" if of_calls else text(one.status),
            last_us=one.id,
            row=(place, part),
            agent_id=agent_id,
            gist=one_line(said.text),
            name=said.name,
            chars=len(said.text),
            tool=text(one.tool_name) if one.tool_name is not None else "",
            error_code=text(one.error_code) if one.error_code is not None and not of_calls else "",
            model=text(one.model) if one.model is not None else "",
            witnesses=(witness,),
            is_timed=bool(one.timed),
        )
        self.steps.append(step)
        waiting.append(step)
        del waiting[:-OPEN_MOST]

    def _number(self) -> None:
        """Give steps of one event and moment their order, so that each has a place of its own."""
        before: tuple[int, int, str] | None = None
        nth = 0
        for step in self.steps:
            here = step.at_us, step.root, step.context
            nth = nth + 1 if here == before else 0
            before, step.nth = here, nth
        self.steps.sort(key=lambda step: step.position)

    def _adopt(self) -> None:
        """Say of each subagent that no call names which call has started it: the last that was open when it began."""
        named = {step.child for step in self.steps if step.kind == CALL and step.child}
        open_calls: list[Step] = []
        alone: list[Step] = []
        for step in self.steps:
            if step.kind == CALL and step.tool in STARTERS and not step.child:
                open_calls.append(step)
            agent_id = step.agent_id
            if agent_id and agent_id not in named:
                named.add(agent_id)
                fitting = [one for one in open_calls if one.last_us >= step.at_us and one.agent_id != agent_id]
                if fitting:
                    fitting[-1].child = agent_id
                    open_calls.remove(fitting[-1])
                else:
                    alone.append(_entrance(step))
        self.steps += alone
        self.steps.sort(key=lambda step: step.position)


def _entrance(first: Step) -> Step:
    """Where a subagent that nobody is known to have started stands in the story of the session itself."""
    return replace(
        first, nth=ENTRANCE, kind=speech.SUBAGENT, agent_id="", child=first.agent_id, gist="", status="ok", answer=None
    )


def one_line(said: str) -> str:
    """The beginning of a text, on one line."""
    line = " ".join(said[: GIST_CHARS * 10].split())
    return line if len(line) <= GIST_CHARS else line[: GIST_CHARS - 1].rstrip() + "…"


def _add_to(call: _Call, told: Told) -> None:
    if told.child is not None and not call.child:
        call.child = text(told.child)[:AGENT_CHARS]
    if told.file is None:
        return
    said = text(told.file)
    paths = _PATCHED.findall(said) if "*** " in said else [] if said[:1] in "{[" else [said]
    for path in paths:
        if path.strip() and path not in call.files and len(call.files) < FILES_MOST:
            call.files = (*call.files, path[:1_000])


def _is_whole(call: _Call) -> bool:
    """Whether more than notes tell of it."""
    return call.fold.question is not None or call.fold.answer is not None


def _step_of(key: Key, call: _Call, now_us: int) -> Step:
    fold = call.fold
    row = fold.question or fold.answer
    assert row is not None and fold.latest is not None  # `_is_whole` was asked
    tool = fold.texts.get("tool_name", "")
    duration_ms = fold.duration_ms()
    last_us = max(fold.latest[0][0] if fold.answer is None else fold.answer[0][0], fold.first_us)
    return Step(
        at_us=row[0][0],
        nth=0,
        root=row[0][2],
        context=row[0][1],
        kind=CALL,
        status=fold.status(now_us),
        last_us=last_us,
        row=row,
        agent_id=call.agent_id,
        tool=tool,
        tool_use_id="" if key[1].startswith(pairs.MARK) else key[1],
        error_code=max(fold.codes, default=""),
        duration_ms=duration_ms,
        model=fold.texts.get("model", ""),
        witnesses=tuple(sorted(fold.names)),
        answer=fold.answer if fold.answer != row else None,
        files=call.files,
        changes=tool.lower() in WRITES,
        child=call.child if call.child != call.agent_id else "",
        is_timed=bool(fold.spans),
    )


def _is_same(step: Step, said: speech.Said, words: str, one: Witness, witness: str) -> bool:
    """Whether an event witnesses this step, too."""
    if witness in step.witnesses:
        return False
    if said.name and step.name:
        return said.name == step.name
    if said.kind in _BY_TEXT:
        mine = speech.digest(step.gist)
        if not (words.startswith(mine.rstrip("…")) or mine.startswith(words)):
            return False
    if not (step.is_timed and one.timed):
        return True
    return abs(one.id - step.last_us) <= _NEAR_US.get(said.kind, -1)


def _join(step: Step, place: Place, part: Part, said: speech.Said, witness: str) -> None:
    step.witnesses = (*step.witnesses, witness)
    step.last_us = max(step.last_us, place[0])
    step.name = step.name or said.name
    if len(said.text) > step.chars:
        step.row, step.gist, step.chars = (place, part), one_line(said.text), len(said.text)
