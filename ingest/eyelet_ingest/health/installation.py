"""What is installed to record: each agent's entries in its own settings, the hook they run, and the switch.

Nothing is started here, and no agent is asked for its version: `hook.py` tries the hook, `silence.py` asks when each
agent last recorded.
"""

import os
import re
import shlex
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from eyelet_ingest import pause, stamp
from eyelet_ingest.commands import runnable
from eyelet_ingest.errors import BadInput
from eyelet_ingest.health.finding import ERROR, OK, WARN, Finding, Patient
from eyelet_ingest.health.several import plural
from eyelet_ingest.health.since import spelt_s
from eyelet_ingest.install import edit, files, installer, launch, state
from eyelet_ingest.install.agents import AGENTS
from eyelet_ingest.install.jsonc import NotJson
from eyelet_ingest.install.state import Installed
from eyelet_ingest.settings import FILE_NAME

SCRIPT_BYTES = 1 << 16
SHORT_REST_S = 86_400
SHOWN_CHARS = 200
_NAMED = re.compile(r"(?P<path>/[^\"'`;&|<>]*?/" + re.escape(launch.NAME) + r")(?![\w.-])")


@dataclass(frozen=True, slots=True)
class Launcher:
    """The launcher under a home, and what it runs. `trouble` is why it cannot, or ""."""

    path: str
    python: str
    hook: str
    trouble: str


def check(patient: Patient) -> Iterator[Finding]:
    installed = installations(patient)
    yield from _switch(patient)
    yield from _strangers(patient)
    if not installed:
        yield _of_none(patient)
        return
    for one in installed:
        yield _of(patient, one)
    yield _of_launcher(patient, command_of(installed[0]))


def _of_none(patient: Patient) -> Finding:
    """Where nothing is installed. A machine without agents that keeps what came from elsewhere needs no hook."""
    here = [agent.name for agent in AGENTS.values() if agent.is_here()]
    evidence: dict[str, object] = {"installed": 0, "agents_here": here}
    if not here and patient.store.catalog.partitions():
        return Finding(OK, "no agent is on this machine, and what is stored came another way", "", evidence)
    message = "no agent is set up to record here: what agents do leaves no hook events"
    fix = runnable(f"install --agent {here[0] if len(here) == 1 else 'all'}")
    if not here:
        fix = f"{runnable('install --agent claude')}, or with the name of another: {', '.join(list(AGENTS)[1:])}"
    return Finding(WARN, message, fix, evidence)


def installations(patient: Patient) -> list[Installed]:
    """Our entries in settings files: the user's, the project's, and those that the record of installs knows."""
    return state.where(patient.home, project_of(patient), asks_agents=False)


def project_of(patient: Patient) -> str:
    """The project that the settings are about, else the home folder, whose project files are the user's."""
    return patient.settings.project or os.path.expanduser("~")


def command_of(one: Installed) -> str:
    """What installs these entries anew."""
    if one.scope == installer.PLUGIN_SCOPE:
        return runnable(f"install --as-plugin {shlex.quote(os.path.dirname(os.path.dirname(one.path)))}")
    scope = f" --scope {one.scope}" if one.scope != "user" else ""
    file = AGENTS[one.agent].files.get(one.scope, "")
    if scope and file and one.path.endswith(os.sep + file):
        scope += f" --project {shlex.quote(one.path.removesuffix(os.sep + file))}"
    mode = f" --mode {one.mode}" if one.mode not in ("", "direct") else ""
    return runnable(f"install --agent {one.agent}{scope}{mode}")


def _of(patient: Patient, one: Installed) -> Finding:
    title = AGENTS[one.agent].title
    evidence: dict[str, object] = {"agent": one.agent, "scope": one.scope, "file": one.path, "mode": one.mode}
    if one.problem:
        message = f"{title} does not record through {one.path}: {one.problem}"
        return Finding(ERROR, message, command_of(one), evidence)
    evidence["events"] = one.events
    if one.missing:
        evidence["missing"] = list(one.missing)
        message = f"{title} is not told to record {plural(len(one.missing), 'event')} that it has: {_few(one.missing)}"
        return Finding(WARN, message, command_of(one), evidence)
    other = _written_otherwise(patient, one)
    if other:
        evidence["differs"] = other
        message = f"the hook of {title} in {one.path} is not as this version writes it ({_few(other)})"
        return Finding(WARN, message, command_of(one), evidence)
    return Finding(OK, f"{title} records {plural(one.events, 'event')} through {one.path}", "", evidence)


def _few(names: "tuple[str, ...] | list[str]") -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _written_otherwise(patient: Patient, one: Installed) -> list[str]:
    """The events whose handler runs something else than this version would write; how long it may take is for the user
    to say."""
    agent = AGENTS[one.agent]
    if one.scope not in agent.files:
        return []  # a plugin's: it names no path of this machine
    marks = launch.launchers(patient.home)
    try:
        found = edit.found(files.read(one.path).text, lambda handler: launch.is_ours(handler, marks))
    except (BadInput, NotJson):
        return []  # that is told already
    default_home = os.path.abspath(os.path.expanduser(os.path.join("~", ".eyelet")))
    portable = one.scope == "project" and os.path.abspath(patient.home) == default_home
    differing = []
    for event, handlers in found.items():
        url, is_native = _server(handlers[-1])
        start = launch.Launch(patient.home, one.mode, url, portable, is_native)
        if event in agent.events and not all(_same(one, agent.handler(start, event, 0)) for one in handlers):
            differing.append(event)
    return differing


def _server(handler: Any) -> tuple[str, bool]:
    """The server that a handler of the mode http posts to, and whether the agent does it by itself."""
    url = handler.get("url")
    if isinstance(url, str):
        return url.split("/-/")[0], True
    words = handler.get("args")
    if not isinstance(words, list):
        line = next((handler[name] for name in ("command", "bash", "exec") if isinstance(handler.get(name), str)), "")
        try:
            words = shlex.split(line.replace(";", " ; "))
        except ValueError:
            return "", False
    at = words.index("--url") + 1 if "--url" in words else len(words)
    return (str(words[at]) if at < len(words) else ""), False


def _same(handler: Any, wanted: dict[str, Any]) -> bool:
    return all(handler.get(name) == wanted.get(name) for name in ("type", "command", "args", "bash", "exec", "url"))


def launcher_of(home: str) -> Launcher:
    """The launcher under `home` and whether it can run, by the files there are."""
    path = launch.path_of(home)
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read(SCRIPT_BYTES)
    except OSError as bad:
        return Launcher(path, "", "", f"{path}: {bad.strerror or bad}")
    said = dict(re.findall(r"^(python|hook)=(.*)$", text, re.MULTILINE))
    try:
        python, hook = (next(iter(shlex.split(said.get(name, ""))), "") for name in ("python", "hook"))
    except ValueError:
        python = hook = ""
    trouble = ""
    if not os.access(path, os.X_OK):
        trouble = f"{path} may not be run"
    elif not os.access(hook, os.R_OK):
        trouble = f"what it runs is gone: {hook or 'it names nothing'}"
    elif not os.access(python, os.X_OK) and shutil.which("python3") is None:
        trouble = f"Python is gone: {python}"
    return Launcher(path, python, hook, trouble)


def _of_launcher(patient: Patient, again: str) -> Finding:
    """Of the one hook that all entries run; `again` installs one of them anew, and the hook with it."""
    found = launcher_of(patient.home)
    evidence: dict[str, object] = {"launcher": found.path, "python": found.python}

    def renewed() -> str:
        return f"written anew: {launch.write(patient.home)}"

    if found.trouble:
        message = f"the hook that agents run is dead: {found.trouble}; nothing is recorded"
        return Finding(ERROR, message, again, evidence, renewed)
    if not os.access(found.python, os.X_OK):
        message = f"the hook's Python is gone ({found.python}): another one stands in for it, and hooks are slower"
        return Finding(WARN, message, again, evidence, renewed)
    if stamp.is_stale(patient.home):
        message = "the hook is of another version of this software, or of its plugins; the next command renews it"
        return Finding(WARN, message, runnable("status"), evidence, renewed)
    return Finding(OK, f"the hook is {found.path}, and of this version", "", evidence)


def _switch(patient: Patient) -> Iterator[Finding]:
    """Whether recording is on; what is wrong with settings is another check's."""
    word, origin, _ = state.switch(patient.home, project_of(patient))
    evidence: dict[str, object] = {"recording": word, "by": origin}
    if word == "paused":
        ends_s: list[float] = []
        with suppress(OSError):
            ends_s = [until_s for until_s, _ in pause.read(patient.home)]
        evidence["ends"] = len(ends_s)
        left_s = max(ends_s, default=0.0) - patient.now_us / 1e6
        if ends_s and min(ends_s) > 0 and left_s <= SHORT_REST_S:  # by itself, soon
            yield Finding(OK, f"recording is paused, for {spelt_s(left_s)} from now", "", evidence)
        else:
            yield Finding(WARN, f"recording is paused ({origin})", runnable("resume"), evidence)
    elif word == "off":
        home = os.path.join(patient.home, FILE_NAME)
        fix = f"unset {origin}" if origin.isupper() else f"set logging.enabled to true in {home}"
        yield Finding(WARN, f"recording is off ({origin})", fix, evidence)


def _strangers(patient: Patient) -> Iterator[Finding]:
    """Entries in agents' settings that run a hook of ours at a place where there is none: a home that was moved."""
    marks = launch.launchers(patient.home)
    seen: set[str] = set()  # in the home folder the project's file is the user's
    for agent in AGENTS.values():
        for scope in agent.files:
            path = agent.path(scope, project_of(patient))
            for dead in _dead_in(path, marks) if path not in seen else ():
                message = f"{agent.title} is told to run {dead[:SHOWN_CHARS]}, which is not there ({path})"
                again = runnable(f"install --agent {agent.name}{f' --scope {scope}' if scope != 'user' else ''}")
                fix = f"take that entry out of {path}, then: {again}"
                yield Finding(ERROR, message, fix, {"agent": agent.name, "file": path, "hook": dead[:SHOWN_CHARS]})
            seen.add(path)


def _dead_in(path: str, marks: frozenset[str]) -> list[str]:
    try:
        found = edit.found(files.read(path).text, lambda handler: not launch.is_ours(handler, marks))
    except (BadInput, NotJson):
        return []
    dead: dict[str, None] = {}
    for handler in (one for handlers in found.values() for one in handlers if isinstance(one, dict)):
        for line in (handler.get(name) for name in ("command", "bash", "exec")):
            if isinstance(line, str):
                for match in _NAMED.finditer(line[:4_096]):
                    if not os.path.lexists(match["path"]):
                        dead[match["path"]] = None
    return list(dead)
