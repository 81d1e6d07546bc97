"""How recording stands: what is installed where, whether it works, whether it is on, and what waits or went wrong."""

import os
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from eyelet_ingest import faults, pause, settings, surroundings
from eyelet_ingest.errors import BadInput, EyeletError
from eyelet_ingest.install import claude, edit, files, launch, record
from eyelet_ingest.install.agent import SCOPES, Agent
from eyelet_ingest.install.agents import AGENTS
from eyelet_ingest.install.jsonc import NotJson, line_of
from eyelet_ingest.surroundings import Surroundings

TRIAL_S = 10
OPEN_COUNTED = 1_000  # files that others may use: what they are, the scan says
TRIAL = b'{"hook_event_name": "Notification", "session_id": "eyelet-status", "message": "a trial of eyelet status"}'


@dataclass(frozen=True, slots=True)
class Installed:
    """Our entries in one settings file: for how many events of those there should be, and in which mode."""

    agent: str
    scope: str
    path: str
    mode: str
    events: int
    missing: tuple[str, ...]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """What `eyelet status` says. `problems` are sentences that ask for something to be done."""

    installed: tuple[Installed, ...]
    command: str
    works: bool | None  # None: nothing is installed to be tried
    trial: str
    trial_ms: float
    recording: str  # on, off or paused
    origin: str
    goes_to: tuple[str, ...]  # the roots into which hooks record
    root: str
    faults: dict[str, int]
    newest_fault: str
    waiting: int
    quarantined: int
    newest_event_us: int | None
    problems: tuple[str, ...]


def of(root: str, start: str) -> State:
    """The state as work in the folder `start` sees it. Stores nothing, drains nothing; a hook of another version of
    this package is renewed."""
    home = os.path.dirname(settings.global_file())
    with suppress(EyeletError, OSError):  # what cannot be renewed is tried as it is
        launch.refresh(home)
    installed = where(home, settings.project_of(start))
    problems = [f"{one.path}: {one.problem}" for one in installed if one.problem]
    recording, origin, trouble = switch(home, start)
    problems += [trouble] if trouble else []
    works, trial, trial_ms = None, "", 0.0
    if installed:
        works, trial, trial_ms = tried(launch.path_of(home))
        problems += [] if works else [f"the hook does not record: {trial}; run `eyelet install` again"]
    kinds = faults.read(home)
    waiting, quarantined, newest_us, trouble = of_root(root)
    problems += [trouble] if trouble else []
    problems += open_to_others(root)
    return State(
        installed=tuple(installed),
        command=launch.path_of(home),
        works=works,
        trial=trial,
        trial_ms=trial_ms,
        recording=recording,
        origin=origin,
        goes_to=tuple(Surroundings(start).roots()),
        root=root,
        faults=dict(Counter(one.kind for one in kinds)),
        newest_fault=kinds[-1].reason if kinds else "",
        waiting=waiting,
        quarantined=quarantined,
        newest_event_us=newest_us,
        problems=tuple(problems),
    )


def open_to_others(root: str) -> list[str]:
    """That others may use something of the root, where it is so."""
    from eyelet_ingest.store import modes

    found = modes.widened(root, most=OPEN_COUNTED)
    if not found:
        return []
    number = f"{len(found):,} or more" if len(found) == OPEN_COUNTED else f"{len(found):,}"
    more = "" if len(found) == 1 else f" and more ({number}); `eyelet secrets scan` lists them"
    return [f"others may use {found[0].path}{more}: chmod -R go= {root}"]


def where(home: str, project: str, asks_agents: bool = True) -> list[Installed]:
    """Every settings file that runs our hook, of the user, of the project, and of those that were recorded. Without
    `asks_agents` no agent's program is run for its version: only events that each version knows can be missing."""
    places: dict[str, tuple[Agent, str]] = {}
    for agent in AGENTS.values():
        for scope in SCOPES:
            if agent.path(scope, project):  # in the home folder the project's file is the user's: what it is first
                places.setdefault(agent.path(scope, project), (agent, scope))
    for done in record.read(home).values():
        if done.agent in AGENTS:
            places.setdefault(done.path, (AGENTS[done.agent], done.scope))
    found = [_installed(agent, scope, path, home, asks_agents) for path, (agent, scope) in places.items()]
    return [one for one in found if one is not None]


def switch(home: str, start: str) -> tuple[str, str, str]:
    """Whether events are recorded for work in `start`: on, off or paused; by what; and what is wrong with settings."""
    trouble = ""
    try:
        enabled = settings.effective(start).values["logging.enabled"]
        word, origin = ("on" if enabled.value else "off"), enabled.origin
    except BadInput as bad:  # a hook goes by what was said last, and by what a broken file seems to say
        is_on = Surroundings(start).settings["enabled"]
        trouble, word, origin = str(bad), ("on" if is_on else "off"), "what the settings said last"
        if os.environ.get(settings.DISABLED, "0") not in ("", "0"):
            origin = settings.DISABLED
    if word == "on" and pause.rests(home, surroundings.Surroundings(start).folders()):
        word, origin = "paused", os.path.join(home, pause.FILE_NAME)
    return word, origin, trouble


def tried(command: str) -> tuple[bool, str, float]:
    """Run the hook with a harmless payload into a folder of its own: whether the event arrived, what came, and in how
    many milliseconds."""
    folder = tempfile.mkdtemp(prefix="eyelet-status-")
    try:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("EYELET_", "CURSOR_"))}
        root = os.path.join(folder, "root")
        environment = {**kept, "EYELET_ROOT": root, "EYELET_CONFIG": os.path.join(folder, settings.FILE_NAME)}
        started = time.monotonic()
        try:
            done = subprocess.run(
                [command], input=TRIAL, capture_output=True, timeout=TRIAL_S, cwd=folder, env=environment
            )
        except (OSError, subprocess.TimeoutExpired) as bad:
            reason = bad.strerror if isinstance(bad, OSError) and bad.strerror else f"no end within {TRIAL_S} s"
            return False, f"{command}: {reason}", 0.0
        took_ms = (time.monotonic() - started) * 1_000
        if done.returncode or done.stdout or done.stderr:
            return False, f"{command} ended with {done.returncode} and said something", took_ms
        return (*_arrived(root), took_ms)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def of_root(root: str) -> tuple[int, int, int | None, str]:
    """What waits in the spool, how much is in quarantine, the newest event's time, and what could not be read."""
    from eyelet_ingest.ledger import FILE_NAME, Ledger
    from eyelet_ingest.store import spool
    from eyelet_ingest.store.select import Filter
    from eyelet_ingest.store.store import Store

    waiting, quarantined, newest_us = 0, 0, None
    try:
        waiting = len(spool.waiting(root))
        if os.path.exists(os.path.join(root, FILE_NAME)):
            with Ledger(root) as ledger:
                quarantined = ledger.count_quarantined()
        with Store(root) as store:
            newest_us = store.newest_event_us(Filter())
    except EyeletError as bad:
        return waiting, quarantined, newest_us, str(bad)
    return waiting, quarantined, newest_us, ""


def _arrived(root: str) -> tuple[bool, str]:
    waiting, _, newest_us, trouble = of_root(root)
    if newest_us is not None:
        return True, "a trial event was stored"
    if waiting:
        return True, "a trial event went to the spool"
    return False, trouble or "a trial event did not arrive"


def _installed(agent: Agent, scope: str, path: str, home: str, asks_agents: bool) -> Installed | None:
    marks = launch.launchers(home)
    try:
        before = files.read(path)
        found = edit.found(before.text, lambda handler: launch.is_ours(handler, marks))
    except BadInput as bad:
        return Installed(agent.name, scope, path, "", 0, (), bad.reason) if os.path.lexists(path) else None
    except NotJson as bad:
        known = path in record.read(home)
        reason = f"line {line_of(before.text, bad.at)}: {bad.reason}"
        return Installed(agent.name, scope, path, "", 0, (), reason) if known else None
    if not found:
        gone = path in record.read(home)
        problem = "our entries are gone: install again, or uninstall"
        return Installed(agent.name, scope, path, "", 0, (), problem) if gone else None
    expected: Collection[str] = agent.events
    if agent is claude.AGENT:
        expected = claude.events_for(claude.version()) if asks_agents else claude.KNOWN_TO_ALL
    missing = tuple(event for event in expected if event not in found)
    return Installed(agent.name, scope, path, _mode(found), len(found), missing)


def _mode(found: dict[str, list[Any]]) -> str:
    said = str(list(found.values())[-1])
    if '"http"' in said or "'type': 'http'" in said:
        return "http"
    return next((mode for mode in launch.MODES if f"--mode {mode}" in said or f"'--mode', '{mode}'" in said), "direct")
