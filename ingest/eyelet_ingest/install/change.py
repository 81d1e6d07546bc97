"""What installing and uninstalling would change in a settings file, and doing it."""

import difflib
import os
from dataclasses import dataclass, replace
from typing import Any

from eyelet_ingest.errors import BadInput
from eyelet_ingest.install import edit, files
from eyelet_ingest.install.agent import Agent
from eyelet_ingest.install.jsonc import NotJson, line_of
from eyelet_ingest.install.launch import NAME, Launch, is_ours, launchers
from eyelet_ingest.install.record import Done, digest

UNKNOWN = "unknown"  # no digest: what a file was before us, where no record says


@dataclass(frozen=True, slots=True)
class Change:
    """One settings file before and after; `after` None: no file. `known` is what the record says, `done` what it will
    say, None to forget; `notes` are for the user."""

    agent: Agent
    scope: str
    before: files.Snapshot
    after: bytes | None
    done: Done | None
    known: Done | None
    notes: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        return self.before.path

    @property
    def is_nothing(self) -> bool:
        return self.after == self.before.content

    def diff(self) -> list[str]:
        """A unified diff, line by line."""
        old, new = (
            [] if content is None else content.decode("utf-8", "replace").splitlines()
            for content in (self.before.content, self.after)
        )
        was = os.devnull if self.before.content is None else self.path
        becomes = os.devnull if self.after is None else self.path
        return list(difflib.unified_diff(old, new, was, becomes, lineterm=""))


def install(
    agent: Agent, scope: str, project: str, launch: Launch, known: Done | None, events: dict[str, int] | None = None
) -> Change:
    """How the file would record `events` (or all worth it). BadInput with file and line for a file that is broken."""
    before = _snapshot(agent, scope, project)
    wanted = agent.wanted(launch, events)
    marks = launchers(launch.home)

    def ours(handler: Any) -> bool:
        return is_ours(handler, marks)

    with _NamedErrors(before):
        text = before.text
        there = edit.found(text, ours)
        if not there or (known is not None and known.after == digest(before.content)):
            made = edit.add(_bare(text, ours, known) if there else text, wanted, agent.beside)
            origin = known.before if there and known else digest(before.content)
        else:  # somebody wrote in it since: entries are put right where they stand
            kept = (known.pieces, known.empty) if known else ((), ())
            made = edit.Edited(edit.renew(text, wanted, ours), *kept)
            origin = known.before if known else UNKNOWN
        if not edit.keeps(text, made.text, ours, agent.beside):  # no known text leads here; it is not ours to spoil
            hint = "nothing was changed: add the hook by hand (docs/install.md)"
            raise BadInput("change settings", before.path, "it would not say afterwards what it says now", hint)
        notes = _by_hand(edit.found(text, lambda one: _looks_like_us(one) and not ours(one)))
    after = made.text.encode("utf-8")
    done = Done(
        path=before.path,
        agent=agent.name,
        scope=scope,
        mode=launch.mode,
        before=origin,
        after=digest(after),
        pieces=made.pieces,
        empty=made.empty,
        folders=known.folders if known else (),
        backup=known.backup if known else "",
    )
    return Change(agent, scope, before, after, done, known, notes)


def uninstall(agent: Agent, scope: str, project: str, home: str, known: Done | None) -> Change:
    """How the file would be without us. BadInput with file and line for a file that is broken."""
    before = _snapshot(agent, scope, project)
    marks = launchers(home)

    def ours(handler: Any) -> bool:
        return is_ours(handler, marks)

    with _NamedErrors(before):
        text = before.text
        there = edit.found(text, ours)
        bare = _bare(text, ours, known) if there else text
        top = edit.checked(bare)
        left = top.plain() if top else {}
    after: bytes | None = bare.encode("utf-8")
    we_made_it = known is not None and known.before == ""
    if there and we_made_it and set(left) <= {*agent.beside, edit.HOOKS} and not left.get(edit.HOOKS):
        after = None
    if before.content is None:
        after = None
    return Change(agent, scope, before, after, None, known)


def apply(change: Change) -> tuple[Done | None, str]:
    """Do it; what to record, and the backup's path ("" where none was needed). BadInput where the file changed."""
    if change.is_nothing:
        return change.done, ""
    files.check_writable(change.before)
    known, done = change.known, change.done
    if done is None:
        return None, _take_out(change)
    as_we_left_it = known is not None and known.after == digest(change.before.content)
    backup = "" if as_we_left_it else files.back_up(change.before)  # else it holds nothing that no copy has
    try:
        made = files.write(change.before, change.after)
    except BaseException:
        if backup:
            files.drop(backup, change.before.content)
        raise
    folders = (*(known.folders if known else ()), *made)
    goes_on = known is not None and known.before == done.before  # the first copy is the one without us
    return replace(done, folders=folders, backup=known.backup if known and goes_on else backup), backup


def _take_out(change: Change) -> str:
    known = change.known
    exact = known is not None and digest(change.after) == known.before
    backup = "" if exact else files.back_up(change.before)
    files.write(change.before, change.after)
    if known is not None:
        if exact and known.backup:
            files.drop(known.backup, change.after)  # it says what the file says again
        if change.after is None:
            files.remove_folders(list(known.folders))
    return backup


def _bare(text: str, ours: edit.Ours, known: Done | None) -> str:
    return edit.remove(text, ours, known.pieces if known else (), known.empty if known else ())


def _snapshot(agent: Agent, scope: str, project: str) -> files.Snapshot:
    path = agent.path(scope, project)
    if not path:
        scopes = ", ".join(agent.files)
        raise BadInput("install", agent.title, f"it has no settings of the scope {scope}", f"it has: {scopes}")
    return files.read(path)


def _looks_like_us(handler: Any) -> bool:
    said = [handler.get(name) for name in ("command", "bash", "exec")] if isinstance(handler, dict) else []
    return any(isinstance(text, str) and NAME in text for text in said)


def _by_hand(found: dict[str, list[Any]]) -> tuple[str, ...]:
    if not found:
        return ()
    names = ", ".join(found)
    return (f"a hook that is not from `eyelet install` runs {NAME}, too, at {names}: remove it, or events come twice",)


class _NamedErrors:
    """NotJson as BadInput with the file's name and the line."""

    def __init__(self, before: files.Snapshot) -> None:
        self.before = before

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, bad: BaseException | None, trace: object) -> None:
        if isinstance(bad, NotJson):
            where = f"{self.before.path}:{line_of(self.before.text, bad.at)}"
            raise BadInput("read settings", where, bad.reason, "put it right first; nothing was changed") from bad
