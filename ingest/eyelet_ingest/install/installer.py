"""Installing and uninstalling for several agents: what would be done, and doing it."""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace

from eyelet_ingest import posting
from eyelet_ingest.errors import BadInput
from eyelet_ingest.install import change, claude, edit, files, launch, record
from eyelet_ingest.install.agent import SCOPES, Agent
from eyelet_ingest.install.agents import AGENTS
from eyelet_ingest.install.change import Change
from eyelet_ingest.install.jsonc import NotJson

ALL = "all"
DEFAULT_URL = "http://127.0.0.1:8001"
PLUGIN_SCOPE = "plugin"
PLUGIN_FILE = os.path.join(".claude-plugin", "plugin.json")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be changed, and what else there is to say: `notes`, a sentence each."""

    changes: tuple[Change, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for: agents by name (`all`: those that are here), scope, project folder, home, mode, server."""

    agents: tuple[str, ...]
    scope: str
    project: str
    home: str
    mode: str = "direct"
    url: str = DEFAULT_URL
    native_http: bool = False


def to_install(wish: Wish) -> Plan:
    """BadInput where a settings file is broken, or another scope records the same already. Changes nothing."""
    known = record.read(wish.home)
    if wish.mode == "http":
        posting.server_of(wish.url)
    start = _launch(wish)
    changes: list[Change] = []
    notes: list[str] = []
    for agent in _chosen(wish, notes):
        _not_twice(agent, wish)
        events = None
        if agent is claude.AGENT:
            number = claude.version()
            events = claude.events_for(number)
            if len(events) < len(agent.events):
                said = ".".join(map(str, number))
                notes.append(f"Claude Code {said} knows few events; after an update install again to record all")
        one = change.install(agent, wish.scope, wish.project, start, known.get(_path(agent, wish)), events)
        changes.append(one)
        notes += [f"{one.path}: {note}" for note in one.notes]
        if agent.hint and not one.is_nothing:
            notes.append(agent.hint)
    if wish.mode == "http":
        notes += _token_notes(wish)
    return Plan(tuple(changes), tuple(notes))


def to_uninstall(wish: Wish) -> Plan:
    """BadInput where a settings file is broken. Changes nothing."""
    known = record.read(wish.home)
    notes: list[str] = []
    changes = []
    for agent in _chosen(wish, notes, only_here=False):
        path = _path(agent, wish)
        if wish.agents == (ALL,) and (not path or (path not in known and not os.path.lexists(path))):
            continue
        changes.append(change.uninstall(agent, wish.scope, wish.project, wish.home, known.get(path)))
    return Plan(tuple(changes), tuple(notes))


def perform(plan: Plan, home: str) -> list[str]:
    """Do all of it; a sentence for each file. What fails stops the rest, and what is done by then is recorded."""
    if not plan.changes:
        return []
    if any(one.done is not None for one in plan.changes):
        launch.write(home)
    said = []
    with record.changing(home) as known:
        for one in plan.changes:
            done, backup = change.apply(one)
            if done is not None:
                known[one.path] = done
            else:
                known.pop(one.path, None)
            said.append(_said(one, backup))
    return said


def plugin(folder: str, home: str, known: dict[str, record.Done]) -> Change:
    """The hooks of a plugin for Claude Code in `folder`: no path of this machine is in it."""
    start = launch.Launch(home, portable=True)
    path = os.path.join(folder, _PLUGIN.files[PLUGIN_SCOPE])
    return change.install(_PLUGIN, PLUGIN_SCOPE, folder, start, known.get(path))


def plugin_removed(folder: str, home: str, known: dict[str, record.Done]) -> Change:
    """The plugin's hooks gone again."""
    path = os.path.join(folder, _PLUGIN.files[PLUGIN_SCOPE])
    return change.uninstall(_PLUGIN, PLUGIN_SCOPE, folder, home, known.get(path))


def name_plugin(folder: str) -> None:
    """Write `plugin.json` where there is none. It does not name the hooks: they would be loaded twice."""
    before = files.read(os.path.join(folder, PLUGIN_FILE))
    if before.content is None:
        files.write(before, _plugin_json())


def unname_plugin(folder: str) -> None:
    """Remove `plugin.json` where it is as we wrote it."""
    path = os.path.join(folder, PLUGIN_FILE)
    if files.drop(path, _plugin_json()):
        files.remove_folders([folder, os.path.dirname(path)])


def _plugin_json() -> bytes:
    said = {"name": "eyelet", "version": "1.0.0", "description": "Records every hook event with datasette-eyelet"}
    return (json.dumps(said, indent=2) + "\n").encode()


_PLUGIN = replace(
    claude.AGENT,
    title="Claude Code, as a plugin",
    files={PLUGIN_SCOPE: os.path.join("hooks", "hooks.json")},
    beside={"description": "Records every hook event with datasette-eyelet"},
)


def _launch(wish: Wish) -> launch.Launch:
    default_home = os.path.abspath(os.path.expanduser(os.path.join("~", ".eyelet")))
    portable = wish.scope == "project" and os.path.abspath(wish.home) == default_home
    return launch.Launch(wish.home, wish.mode, wish.url.rstrip("/"), portable, wish.native_http)


def _chosen(wish: Wish, notes: list[str], only_here: bool = True) -> Iterable[Agent]:
    if ALL not in wish.agents:
        return [AGENTS[name] for name in dict.fromkeys(wish.agents)]
    chosen = []
    for agent in AGENTS.values():
        if wish.scope not in agent.files:
            continue
        if only_here and not agent.is_here():
            notes.append(f"{agent.title} is not on this machine: passed over")
            continue
        chosen.append(agent)
    if not chosen and only_here:
        raise BadInput("install", reason="none of the agents is on this machine", hint="name one with --agent")
    return chosen


def _path(agent: Agent, wish: Wish) -> str:
    return agent.path(wish.scope, wish.project)


def _not_twice(agent: Agent, wish: Wish) -> None:
    """BadInput where the agent would run our hook twice for one event."""
    marks = launch.launchers(wish.home)
    for scope in SCOPES:
        path = agent.path(scope, wish.project)
        if scope == wish.scope or not path or path == _path(agent, wish):
            continue
        try:
            there = edit.found(files.read(path).text, lambda handler: launch.is_ours(handler, marks))
        except (NotJson, BadInput):
            continue  # the agent cannot read it, either
        if there:
            hint = f"take that out first: eyelet uninstall --agent {agent.name} --scope {scope}"
            raise BadInput("install", _path(agent, wish), f"{path} records the same events already", hint)


def _token_notes(wish: Wish) -> list[str]:
    if os.environ.get(posting.TOKEN_VARIABLE) and wish.native_http:
        return []
    if wish.native_http:
        return [f"Claude Code needs a token in its environment: export {posting.TOKEN_VARIABLE}=…"]
    path = os.path.join(wish.home, posting.TOKEN_FILE)
    if os.path.exists(path) or os.environ.get(posting.TOKEN_VARIABLE):
        return []
    return [f"until a token is there, events are stored directly: (umask 77; eyelet token create hooks > {path})"]


def _said(one: Change, backup: str) -> str:
    title = f"{one.agent.title} ({one.scope})"
    if one.is_nothing:
        return f"{title}: nothing to do in {one.path}"
    if one.after is None:
        return f"{title}: {one.path} removed, as nothing else was in it"
    verb = "records now through" if one.done is not None else "no longer records through"
    return f"{title} {verb} {one.path}" + (f"; as it was before: {backup}" if backup else "")
