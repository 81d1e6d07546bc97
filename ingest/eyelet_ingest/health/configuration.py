"""Settings that do not count: files that cannot be read, variables that say what cannot be, what a project's file may
not set; and folders where nothing can be written."""

import os
import re
from collections.abc import Iterator
from difflib import get_close_matches

from eyelet_ingest import hot, posting, settings
from eyelet_ingest.errors import BadInput
from eyelet_ingest.health.finding import ERROR, OK, WARN, Finding, Patient
from eyelet_ingest.health.installation import project_of
from eyelet_ingest.store import layout, roles, text_room

# Variables that we read, beside those of settings.
VARIABLES = (
    *("EYELET_CONFIG", "EYELET_METRICS", "EYELET_SERVE_URL", "EYELET_SERVE_OPEN", "EYELET_COMPLETE"),
    settings.DISABLED,
    hot.SWITCH,
    posting.TOKEN_VARIABLE,
    text_room.KEPT_FREE,
    *(roles.PREFIX + role.upper() for role in roles.ROLES),
    *(setting.variable for setting in settings.SETTINGS if setting.variable),
)
NEAR = 0.85  # how alike a name must be to be held for a mistake


def check(patient: Patient) -> Iterator[Finding]:
    troubles = [*_of_files(patient), *_of_variables(), *_of_folders(patient)]
    yield from troubles
    if not troubles:
        held = patient.settings
        changed = sum(value.origin != "default" for value in held.values.values())
        message = f"the settings can be read: {changed} of {len(held.values)} are not the default"
        yield Finding(OK, message, "", {"changed": changed, "files": list(held.files)})


def _of_files(patient: Patient) -> Iterator[Finding]:
    config = os.path.join(patient.home, settings.FILE_NAME)
    if os.path.dirname(settings.global_file()) == patient.home:
        config = settings.global_file()
    project = settings.project_file(project_of(patient))
    for path, of_project in ((config, False), (project, True)):
        if not path or not os.path.lexists(path):
            continue
        try:
            held = settings.of_files("" if of_project else path, path if of_project else "")
        except BadInput as bad:
            yield _of_bad(bad, of_project)
            continue
        if of_project:
            yield from _narrowed(config, path, held)


def _of_bad(bad: BadInput, of_project: bool) -> Finding:
    evidence: dict[str, object] = {"where": bad.path, "of_project": of_project}
    if of_project and "cannot be set by a project" in bad.reason:
        message = f"a project's settings try what they may not: {bad.path}: {bad.reason}; none of them counts"
        return Finding(WARN, message, f"take it out, or {bad.hint}", evidence)
    what = "a project's settings do" if of_project else "the settings do"
    message = f"{what} not count, and what they said last holds: {bad.path}: {bad.reason}"
    return Finding(WARN if of_project else ERROR, message, f"mend {bad.path}: {bad.hint}", evidence)


def _narrowed(config: str, path: str, held: settings.Settings) -> Iterator[Finding]:
    """What a project's file switches on that the user's has off: it stays off."""
    try:
        both = settings.of_files(config, path)
    except BadInput:
        return  # that is told already
    for name, value in both.values.items():
        if value.value is False and held.values[name].value is True and held.values[name].origin != "default":
            message = f"a project's settings switch {name} on, which they may not; it stays off ({value.origin})"
            yield Finding(WARN, message, f"take {name} out of {path}", {"setting": name, "file": path})


def _of_variables() -> Iterator[Finding]:
    for bad in settings.wrong_variables():
        yield Finding(
            WARN, f"{bad.path} does not count: {bad.reason}", f"unset it, or give {bad.hint}", _variable(bad.path)
        )
    for read in (roles.check, text_room.setting):
        try:
            read()
        except BadInput as bad:
            message = f"{bad.path} is wrong, and nothing but hooks runs with it: {bad.reason}"
            yield Finding(ERROR, message, f"unset it, or give {bad.hint}", _variable(bad.path))
    for name in sorted(os.environ):
        if re.fullmatch(r"EYELET_[A-Z_]{2,40}", name) and name not in VARIABLES:
            near = get_close_matches(name, VARIABLES, 1, NEAR)
            if near:
                yield Finding(WARN, f"nothing reads {name}: is {near[0]} meant?", f"unset {name}", _variable(name))


def _variable(name: str) -> dict[str, object]:
    return {"variable": name}


def _of_folders(patient: Patient) -> Iterator[Finding]:
    """Where hooks and commands write: each folder, or the nearest one above it that is there."""
    folders = {} if patient.root.startswith(layout.MEMORY) else {patient.root: "events"}
    folders.setdefault(patient.home, "what hooks note")
    if patient.root in folders:
        folders.setdefault(os.path.join(patient.root, "spool"), "events that have to wait")
        folders.setdefault(os.path.join(patient.root, "logs"), "events")
    for folder, what in folders.items():
        there = folder
        while not os.path.lexists(there) and os.path.dirname(there) != there:
            there = os.path.dirname(there)
        reason = _why_not(there)
        if reason:
            fix = f"make {there} a folder that you may write, on a disk that may be written"
            yield Finding(ERROR, f"nothing can be stored of {what}: {there} {reason}", fix, {"folder": folder})
            return


def _why_not(folder: str) -> str:
    if os.path.islink(folder) and not os.path.exists(folder):
        return "is a link to nothing"
    if not os.path.isdir(folder):
        return "is no folder"
    return "" if os.access(folder, os.W_OK | os.X_OK) else "may not be written"
