"""Events that wait in the spool: how many, since when, of which days, why; and files there that are no event.

Hooks leave events there all the time, and the next hook, command or server stores them: what came a moment ago is no
trouble. With the mode `spool` waiting is the rule, until somebody looks.
"""

import os
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence

from eyelet_ingest.clock import EARLIEST_US
from eyelet_ingest.commands import runnable
from eyelet_ingest.errors import BadInput
from eyelet_ingest.health.finding import ERROR, OK, WARN, Finding, Patient
from eyelet_ingest.health.several import plural
from eyelet_ingest.health.since import spelt_s
from eyelet_ingest.store import layout, spool

YOUNG_S, PLANNED_S = 60, 86_400  # the next hook stores what is no older; of the mode `spool`, the next command
PLANNED = "it is stored later"  # what a hook of that mode gives for its reason (capture.py)
MOST = 200_000  # names that are listed, a fifth of a second
LOOKED_INTO = 20  # files that are read for the reason
READ_BYTES = 1 << 20  # of each of these, at most
REASON_CHARS = 120
NAMED = 5


def check(patient: Patient) -> Iterator[Finding]:
    if patient.root.startswith(layout.MEMORY):
        yield Finding(OK, "nothing can wait: the root is in memory")
        return
    waiting = spool.waiting(patient.root, MOST)
    yield _of_waiting(patient, waiting)
    aside = spool.set_aside(patient.root)
    if aside:
        yield _of_set_aside(aside)
    for folder in spool.strangers(patient.root):
        yield Finding(
            WARN,
            f"{folder} is not a private folder of this user: no event can wait there when the disk is full",
            fix=f"look at what it is, and move it away: ls -ld {shlex.quote(folder)}",
            evidence={"folder": folder},
        )


def _of_waiting(patient: Patient, waiting: Sequence[str]) -> Finding:
    if not waiting:
        return Finding(OK, "no event waits in the spool", evidence={"waiting": 0})
    now_ns = patient.now_us * 1_000
    received = [one for one in map(spool.received_ns, waiting) if one is not None and one > EARLIEST_US * 1_000]
    ages_s = [max(now_ns - one, 0) / 1e9 for one in received]
    oldest_s = int(max(ages_s, default=0))
    days = Counter(map(spool.mount_of, waiting))
    reasons, unreadable = _reasons(waiting)
    young_s = PLANNED_S if set(reasons) == {PLANNED} else YOUNG_S
    old = sum(age > young_s for age in ages_s) + len(waiting) - len(ages_s)
    evidence: dict[str, object] = {
        "waiting": len(waiting),
        f"waiting_longer_than_{young_s}_s": old,
        "oldest_s": oldest_s,
        "days": dict(days.most_common(NAMED)),
        "reasons": dict(reasons.most_common(NAMED)),
    }
    if unreadable:
        evidence["unreadable"] = unreadable[:NAMED]
    events, status = plural(len(waiting), "event"), OK
    if len(waiting) == MOST:
        events += " or more"
    if len(waiting) >= patient.limit("spool_error"):
        status = ERROR
    elif old >= patient.limit("spool_warn") or unreadable:
        status = WARN
    if status == OK:
        next_ = "command" if young_s == PLANNED_S else "hook"
        message = f"{events} in the spool, since {spelt_s(oldest_s)} at most: the next {next_} stores them"
        return Finding(OK, message, "", evidence)
    why = f"; mostly: {reasons.most_common(1)[0][0]}" if reasons else ""
    if unreadable:
        why += f"; {'some' if reasons else 'those looked at'} cannot be read: {unreadable[0]}"
    message = f"{events} of {plural(len(days), 'day')} wait in the spool, the oldest for {spelt_s(oldest_s)}{why}"
    return Finding(status, message, runnable("drain", patient.root), evidence, lambda: _drained(patient))


def _reasons(waiting: Sequence[str]) -> tuple[Counter[str], list[str]]:
    """Why some of them wait, as far as that can be read, and the names of files that cannot be."""
    reasons: Counter[str] = Counter()
    unreadable = []
    step = max(len(waiting) // LOOKED_INTO, 1)
    for path in waiting[::step][:LOOKED_INTO]:
        try:
            spool.read(path, READ_BYTES)
            reasons[" ".join(spool.why(path, READ_BYTES).split())[:REASON_CHARS]] += 1
        except BadInput as bad:
            unreadable.append(f"{os.path.basename(path)}: {bad.reason}"[:REASON_CHARS])
        except FileNotFoundError:
            pass  # it was stored meanwhile
        except OSError as bad:
            if os.path.exists(path) and not os.access(path, os.R_OK):
                unreadable.append(f"{os.path.basename(path)}: {bad.strerror or bad}"[:REASON_CHARS])
    del reasons[""]
    return reasons, unreadable


def _of_set_aside(aside: Sequence[str]) -> Finding:
    why = f"{aside[0]}.why"
    return Finding(
        WARN,
        f"{len(aside):,} files in the spool are no events, and were set aside: {aside[0]}"
        f"{' and more' if len(aside) > 1 else ''}",
        fix=f"see {why}; what is worth nothing may be removed: rm -r {shlex.quote(os.path.dirname(aside[0]))}",
        evidence={"set_aside": len(aside), "files": [os.path.basename(path) for path in aside[:NAMED]]},
    )


def _drained(patient: Patient) -> str:
    done = patient.store.drain_spool()
    said = f"{plural(done.stored, 'event')} stored, {done.known:,} known already, {done.bad:,} set aside"
    said += f", {done.left:,} wait on" if done.left else ""
    return f"{said}: {done.reasons[0]}" if done.left and done.reasons else said
