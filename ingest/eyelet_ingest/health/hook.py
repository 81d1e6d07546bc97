"""The hook as agents run it, really started with an event of its own into a folder of its own; and its SQLite."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace

from eyelet_ingest import place, stamp
from eyelet_ingest.health import sqlite
from eyelet_ingest.health.finding import ERROR, OK, UNKNOWN, WARN, Finding, Patient
from eyelet_ingest.health.installation import command_of, installations, launcher_of, project_of
from eyelet_ingest.install import launch, state
from eyelet_ingest.install.agents import AGENTS

ASKED_S = 10
TRIED_AGAIN = 2
# As the hook finds its SQLite (store/connect.py), in a Python without packages; the package's folder and the C module
# that was there when the hook was installed are handed over.
_ASK = """
import sys
sys.path.append(sys.argv[1])
from eyelet_ingest import place
from eyelet_ingest.store import connect
place.EXTENSION = sys.argv[2]
module = connect.light_driver()
print(module.sqlite_version, getattr(module, "__file__", "") or "built in", sep="\\n")
"""


def check(patient: Patient) -> Iterator[Finding]:
    installed = installations(patient)
    if not installed:
        yield Finding(OK, "no hook is installed that could be tried", evidence={"installed": 0})
        return
    found = launcher_of(patient.home)
    slow_ms = patient.limit("capture_p99_warn_ms")
    works, said, took_ms = (False, found.trouble, 0.0) if found.trouble else state.tried(found.path)
    for _ in range(TRIED_AGAIN):  # what was slow once, met a busy moment
        if works and took_ms > slow_ms and not patient.is_late:
            works, said, again_ms = state.tried(found.path)
            took_ms = min(took_ms, again_ms)
    evidence: dict[str, object] = {"launcher": found.path, "took_ms": round(took_ms)}
    if not works:
        message = f"the hook that agents run does not record: {said}"
        repair = lambda: f"written anew: {launch.write(patient.home)}"  # noqa: E731  as short as what it does
        yield Finding(ERROR, message, command_of(installed[0]), evidence, repair)
        return
    if took_ms > slow_ms:
        message = f"the hook works, and took {took_ms:,.0f} ms for a trial event, whenever tried: agents wait for it"
        fix = f"see what keeps the machine busy; a little is saved by {command_of(replace(installed[0], mode='spool'))}"
        yield Finding(WARN, message, fix, evidence)
    else:
        yield Finding(OK, f"the hook works: {said}, {took_ms:,.0f} ms", "", evidence)
    yield _its_sqlite(found.python)
    yield from _new_events(patient)


def _new_events(patient: Patient) -> Iterator[Finding]:
    """Events that an agent of its version has, and is not told to record; those of every version are told already."""
    known = {one.path for one in installations(patient) if one.missing}
    for one in state.where(patient.home, project_of(patient)):
        if one.missing and one.path not in known:
            names = ", ".join(one.missing[:3]) + (f" and {len(one.missing) - 3} more" if len(one.missing) > 3 else "")
            message = f"{AGENTS[one.agent].title} has events by now that it is not told to record: {names}"
            yield Finding(WARN, message, command_of(one), {"agent": one.agent, "missing": list(one.missing)})


def _its_sqlite(python: str) -> Finding:
    """Which SQLite hooks write with: pysqlite3's where its module can be loaded, else that of their Python."""
    from eyelet_ingest.bundle import extension

    command = [python or stamp.interpreter(), "-I", "-S", "-c", _ASK, os.path.dirname(place.PACKAGE), extension()]
    try:
        done = subprocess.run(command, capture_output=True, timeout=ASKED_S, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as bad:
        return Finding(UNKNOWN, f"which SQLite hooks use could not be asked: {bad}")
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    if done.returncode or len(lines) != 2:
        return Finding(UNKNOWN, "which SQLite hooks use could not be asked: their Python cannot load it")
    folder = os.path.basename(os.path.dirname(lines[1]))
    return sqlite.judged(lines[0], "pysqlite3" if folder == "pysqlite3" else "sqlite3", "hooks use")
