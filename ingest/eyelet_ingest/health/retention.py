"""Rules of what is kept that are set and not carried out, or cannot be read.

They run by themselves, a little at a time, in the server and at the end of commands that write; never in a hook. What
became too old within the last day has time.
"""

from collections.abc import Iterator

from eyelet_ingest.commands import runnable
from eyelet_ingest.errors import RootError
from eyelet_ingest.health.finding import ERROR, OK, WARN, Finding, Patient
from eyelet_ingest.health.several import plural
from eyelet_ingest.store import layout, retention

DAY_US = 86_400_000_000
NAMED = 5


def check(patient: Patient) -> Iterator[Finding]:
    if patient.root.startswith(layout.MEMORY):
        yield Finding(OK, "nothing is retired: the root is in memory")
        return
    try:
        rules = retention.read(patient.root)
    except RootError as bad:
        message = f"the rules of what is kept cannot be read, so nothing is retired: {bad.path}: {bad.reason[:200]}"
        fix = f"mend it, or keep everything: {runnable('retention clear', patient.root)}"
        yield Finding(ERROR, message, fix, {"path": bad.path})
        return
    if rules.is_empty():
        yield Finding(OK, "everything is kept: there is no rule", "", {"rules": 0})
        return
    overdue, _ = retention.plan(patient.store.catalog, rules, patient.now_us - DAY_US)
    _, too_large = retention.plan(patient.store.catalog, rules, patient.now_us)
    size = sum(day.bytes for day in overdue)
    evidence: dict[str, object] = {"days_overdue": len(overdue), "bytes_overdue": size}
    if overdue:
        evidence["days"] = {day.key.mount_name: day.rule for day in overdue[:NAMED]}
        message = (
            f"{plural(len(overdue), 'day')} ({retention.spelt_bytes(size)}) should have been retired by the rules, and"
            f" {'is' if len(overdue) == 1 else 'are'} still there: {overdue[0].key.mount_name} is {overdue[0].rule}"
        )
        yield Finding(WARN, message, runnable("retention run", patient.root), evidence)
    for what in too_large:
        fix = f"make room, or allow more: {runnable('retention set --max-size SIZE', patient.root)}"
        yield Finding(WARN, f"there is {what}", fix, {"rule": what})
    if not overdue and not too_large:
        yield Finding(OK, "what is kept is as the rules say", "", evidence)
