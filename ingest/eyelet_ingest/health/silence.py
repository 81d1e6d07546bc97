"""When each agent that is installed last recorded. One that says nothing, while it is used, has a hook that is not run.

That an agent is used is known by the recordings that it keeps itself. What nobody used needs no alarm.
"""

import os
import time
from collections.abc import Iterator, Sequence

from eyelet_ingest.health.finding import OK, UNKNOWN, WARN, Finding, Patient
from eyelet_ingest.health.installation import command_of, installations
from eyelet_ingest.health.since import ago, spelt_s
from eyelet_ingest.install import record
from eyelet_ingest.install.agents import AGENTS
from eyelet_ingest.install.state import Installed
from eyelet_ingest.sources.places import PLACES
from eyelet_ingest.store.newest import last_hooks

HOUR_US = 3_600_000_000
GRACE_US = HOUR_US  # between the last event and what the agent itself kept since
ASKED_S = 2.0
MOST_ENTRIES, WALK_S = 20_000, 0.5  # of one agent's folder
LEAST_S = 0.02  # however late it is: who is at work is found at once
NOT_ALL_KEPT = ("cursor",)  # its editor keeps what it does elsewhere


def check(patient: Patient) -> Iterator[Finding]:
    installed = {one.agent: one for one in installations(patient) if not one.problem}
    if not installed:
        yield Finding(OK, "no agent is set up to record, so none is silent", evidence={"installed": 0})
        return
    if patient.root != patient.settings.root or patient.settings["logging.scope"] == "project":
        yield Finding(OK, f"hooks record elsewhere than here, by the settings: {patient.settings.root}")
        return
    since_us = max(patient.now_us - patient.limit("silent_warn_hours") * HOUR_US, 0)
    newest, is_whole = _newest(patient, list(installed), since_us)
    silent = [agent for agent in installed if agent not in newest]
    older, is_known = _newest(patient, silent, 0) if silent else ({}, True)
    for agent, one in installed.items():
        title, last_us = AGENTS[agent].title, newest.get(agent)
        evidence: dict[str, object] = {"agent": agent, "last_event_us": last_us}
        if last_us is not None:
            yield Finding(OK, f"{title} last recorded {ago(patient.now_us, last_us)}", "", evidence)
        elif not is_whole:
            yield Finding(UNKNOWN, f"there was no time to find when {title} last recorded", "", evidence)
        else:
            yield _of_silent(patient, one, older.get(agent), is_known)


def _newest(patient: Patient, agents: Sequence[str], since_us: int) -> tuple[dict[str, int], bool]:
    return last_hooks(patient.store.roots, agents, since_us, left_s(patient, ASKED_S) * 1_000)


def _of_silent(patient: Patient, one: Installed, last_us: int | None, is_known: bool) -> Finding:
    """Of an agent that recorded nothing for long; `is_known`: that there is no `last_us`, there was time to see."""
    title, now_us = AGENTS[one.agent].title, patient.now_us
    hours = patient.limit("silent_warn_hours")
    silent_us = hours * HOUR_US
    evidence: dict[str, object] = {"agent": one.agent, "last_event_us": last_us}
    installed_us = _installed_us(patient.home, one)
    if installed_us is not None and installed_us >= now_us - silent_us:
        evidence["installed_us"] = installed_us
        since = f"since it was set up {ago(now_us, installed_us)}" if last_us is None else "since it was set up anew"
        return Finding(OK, f"{title} recorded nothing {since}", "", evidence)
    used_us, is_all = _used_us(one.agent, left_s(patient, WALK_S))
    evidence["used_us"] = used_us
    was = "it never recorded here" if is_known else f"it recorded nothing for {spelt_s(hours * 3_600)} and more"
    if last_us is not None:
        was = f"its last event is {spelt_s((now_us - last_us) / 1e6)} old"
    since_us = max(last_us or 0, installed_us or 0, 0 if is_known else now_us - silent_us)
    if used_us is not None and used_us > since_us + GRACE_US:
        message = f"{title} was used {ago(now_us, used_us)}, and {was}: its hook is not run"
        return Finding(WARN, message, _fix(one, "see whether it may run hooks"), evidence)
    if used_us is not None and is_all and one.agent not in NOT_ALL_KEPT:
        return Finding(OK, f"{title} was not used for {spelt_s((now_us - used_us) / 1e6)}; {was}", "", evidence)
    message = f"{title} is set up to record, and {was}"
    return Finding(WARN, message, _fix(one, "if it was used since"), evidence)


def _fix(one: Installed, first: str) -> str:
    hint = AGENTS[one.agent].hint.rstrip(".")  # what its user has to do once
    return f"{first}: {f'{hint}; ' if hint else ''}set it up anew: {command_of(one)}"


def _installed_us(home: str, one: Installed) -> int | None:
    """When the settings file, or the record of installs, was last written: not before it was installed."""
    times = []
    for path in (one.path, os.path.join(home, record.NAME)):
        try:
            times.append(os.stat(path).st_mtime_ns // 1_000)
        except OSError:
            continue
    return min(times, default=None)


def left_s(patient: Patient, most_s: float) -> float:
    """How long something may take: no more than `most_s`, nor than there is left."""
    return max(min(most_s, patient.until_s - time.monotonic()), LEAST_S)


def _used_us(agent: str, seconds: float) -> tuple[int | None, bool]:
    """When the newest of the recordings that the agent itself keeps was last written, None where it has none; and
    whether there was time for all of them."""
    place = PLACES.get(agent)
    if place is None:
        return None, True
    newest = 0
    until_s = time.monotonic() + seconds
    left = MOST_ENTRIES
    for home in place.folders(os.environ):
        folders = [os.path.join(home, one.folders.split("/")[0]) for one in place.files if one.folders]
        while folders:
            if left <= 0 or time.monotonic() >= until_s:
                return newest or None, False
            try:
                with os.scandir(folders.pop()) as entries:
                    for entry in entries:
                        left -= 1
                        if entry.is_dir(follow_symlinks=False):
                            folders.append(entry.path)
                        elif entry.name.endswith((".jsonl", ".json")):
                            newest = max(newest, entry.stat(follow_symlinks=False).st_mtime_ns // 1_000)
            except OSError:
                continue
    return newest or None, True
