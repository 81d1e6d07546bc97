"""How hooks fared in the last day: events lost or kept elsewhere, what else they noted, and how long they took."""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

from eyelet_ingest import faults, stamp
from eyelet_ingest.commands import runnable
from eyelet_ingest.errors import EyeletError
from eyelet_ingest.health.finding import ERROR, OK, UNKNOWN, WARN, Finding, Patient
from eyelet_ingest.health.several import plural
from eyelet_ingest.health.since import ago
from eyelet_ingest.install import launch
from eyelet_ingest.store.metrics import Metrics

S_US = 1_000_000  # a launcher notes whole seconds
HOUR_US, DAY_US = 3_600_000_000, 86_400_000_000
GRAVE = ("lost", "launcher")  # the event is nowhere
SPOOLED_WARN = 100  # in a day: now and then an event has to wait, and is stored a moment later
LEAST_HOOKS = 20  # of which the slowest of a hundred can be told
REASON_CHARS = 200


def check(patient: Patient) -> Iterator[Finding]:
    yield from _of_faults(patient)
    yield from _of_latency(patient)


def _of_faults(patient: Patient) -> Iterator[Finding]:
    since_us = patient.now_us - DAY_US
    recent = [
        one
        for one in faults.read(patient.home)
        if since_us <= one.time_us <= patient.now_us + DAY_US and not _is_of_loading(one)
    ]
    kinds = Counter(one.kind if one.kind in faults.KINDS else "another kind" for one in recent)
    spooled = kinds.pop("spooled", 0)
    newest = {one.kind: one for one in recent}
    for kind, count in kinds.items():
        one = newest.get(kind)
        if one is None:
            continue
        reason = one.reason[:REASON_CHARS]
        times = f"{plural(count, 'time')}, last {ago(patient.now_us, one.time_us)}"
        who = "in the last day" if kind == "metrics" else "hooks of the last day"
        message = f"{who}: {faults.KINDS[kind]}; {times}: {reason}"
        evidence: dict[str, object] = {"kind": kind, "times": count, "newest_us": one.time_us, "newest": reason}
        is_grave = kind in GRAVE and not _is_over(patient, one)
        yield Finding(ERROR if is_grave else WARN, message, _fix(patient, kind), evidence)
    if spooled >= SPOOLED_WARN:
        one = newest["spooled"]
        message = (
            f"{plural(spooled, 'event')} of the last day had to wait, as they could not be stored in time:"
            f" {one.reason[:REASON_CHARS]}"
        )
        fix = f"see which program keeps the day busy; {runnable('drain', patient.root)} stores what waits"
        yield Finding(WARN, message, fix, {"kind": "spooled", "times": spooled})
    elif not kinds:
        waited = f", and {plural(spooled, 'event')} waited a moment" if spooled else ""
        yield Finding(OK, f"hooks noted no trouble in the last day{waited}", "", {"faults": 0, "spooled": spooled})


def _is_of_loading(fault: faults.Fault) -> bool:
    """Whether a plugin could not be loaded, which whatever loads plugins notes: another check's."""
    return fault.kind == "plugin" and "(" not in fault.reason.partition(": ")[0]


def _is_over(patient: Patient, fault: faults.Fault) -> bool:
    """Whether it is an hour ago and more, or the hook was written anew since."""
    if fault.time_us < patient.now_us - HOUR_US:
        return True
    return fault.kind == "launcher" and _written_us(patient.home) > fault.time_us + S_US


def _written_us(home: str) -> int:
    """When the hook was last written."""
    written = 0
    for path in (launch.path_of(home), os.path.join(home, stamp.FOLDER, stamp.STAMP)):
        with suppress(OSError):
            written = max(written, os.stat(path).st_mtime_ns // 1_000)
    return written


def _fix(patient: Patient, kind: str) -> str:
    """What helps against this kind of fault."""
    if kind == "lost":
        return f"see what the reason says; what is missing says {runnable('completeness', patient.root)}"
    if kind == "elsewhere":
        return f"make room on the root's disk, or make it writable; then {runnable('drain', patient.root)}"
    if kind == "json":
        return f"make {os.path.join(patient.root, 'json')} writable, or set logging.format to sqlite"
    if kind == "project":
        return "make the project's root one that you alone may write, or set logging.scope to global"
    if kind == "metadata":
        return "see what the reason says; the events are there without it"
    if kind == "metrics":
        return (
            f"make room and {os.path.join(patient.root, 'health.sqlite')} writable; where it is damaged, move it away"
        )
    if kind == "launcher":
        return runnable("doctor --check installation --fix", patient.root)
    return {"settings": runnable("config show"), "plugin": runnable("plugins")}.get(kind, "")


def _of_latency(patient: Patient) -> Iterator[Finding]:
    try:
        with Metrics(patient.root) as metrics:
            timings = metrics.timings(patient.now_us - DAY_US, patient.now_us + 1, None)
    except EyeletError as bad:
        yield Finding(UNKNOWN, f"how long hooks took cannot be read: {bad.reason}", evidence={"path": bad.path})
        return
    mine = next((one for one in timings if one.op == "capture"), None)
    if mine is None or not mine.count:
        return
    p99_ms, count = mine.p99_ms or 0.0, mine.count
    evidence: dict[str, object] = {
        "hooks": count,
        "p50_ms": mine.p50_ms,
        "p99_ms": mine.p99_ms,
        "max_ms": mine.max_ms,
        "errors": mine.errors,
        "retries": mine.retries,
        "lock_waits": mine.lock_waits,
    }
    most_ms = patient.limit("capture_p99_warn_ms")
    if p99_ms > most_ms and count >= LEAST_HOOKS:
        message = (
            f"hooks are slow: one in a hundred took {p99_ms:,.0f} ms or more in the last day, and agents wait for them"
        )
        fix = f"let hooks only note events, and commands store them: {runnable('install --mode spool')}"
        yield Finding(WARN, message, fix, evidence)
    else:
        message = f"of {plural(count, 'hook')} of the last day 99 in a hundred took {p99_ms:,.0f} ms at most"
        yield Finding(OK, message, "", evidence)
