"""Calls of the last days that transcripts know and no hook caught, though one should have."""

from collections import Counter
from collections.abc import Iterator

from eyelet_ingest import lapses
from eyelet_ingest.commands import runnable
from eyelet_ingest.health.finding import OK, UNKNOWN, WARN, Finding, Patient
from eyelet_ingest.health.several import plural
from eyelet_ingest.health.silence import left_s
from eyelet_ingest.store.completeness import LOST
from eyelet_ingest.store.select import Filter

DAYS, DAY_US = 3, 86_400_000_000
SETTLED_US = 600_000_000  # a call may still be under way, and its hook in the spool
ASKED_S = 5.0
NAMED = 5


def check(patient: Patient) -> Iterator[Finding]:
    where = Filter(since_us=patient.now_us - DAYS * DAY_US, until_us=patient.now_us - SETTLED_US)
    rests, faults = lapses.known(patient.home)
    store = patient.store.alone()
    deadline_ms = left_s(patient, ASKED_S) * 1_000
    found = store.completeness(where, rests=rests, faults=faults, deadline_ms=deadline_ms, now_us=patient.now_us)
    evidence: dict[str, object] = {
        "days": DAYS,
        "calls_known": found.known,
        "calls_caught": found.caught,
        "missing": found.missing,
        "should_have_been_caught": found.lost,
    }
    lost = [one for one in found.calls if one.reason in LOST]
    if lost:
        sessions = Counter(one.session_id[:40] for one in lost)
        evidence["sessions"] = dict(sessions.most_common(NAMED))
        evidence["tools"] = dict(Counter(str(one.tool_name)[:40] for one in lost).most_common(NAMED))
    is_whole = found.partitions.complete
    if found.lost and found.lost >= patient.limit("missed_warn"):
        message = (
            f"{plural(found.lost, 'call')} of the last {DAYS} days of which transcripts tell were not caught by hooks,"
            f" and nothing says why ({found.caught:,} of {found.known:,} were)"
        )
        yield Finding(WARN, message, runnable("completeness --since 3d", patient.root), evidence)
    elif not is_whole:
        message = f"there was no time to compare transcripts and hooks of the last {DAYS} days"
        yield Finding(UNKNOWN, message, runnable("completeness --since 3d", patient.root), evidence)
    elif not found.known:
        yield Finding(
            OK, f"no transcript of the last {DAYS} days is stored that could tell what is missing", "", evidence
        )
    else:
        calls = f"{plural(found.known, 'call')} that transcripts of the last {DAYS} days know"
        caught = f"{found.caught:,} of {calls} were caught"
        known = f", and it is known why {found.known - found.caught:,} were not" if found.known > found.caught else ""
        yield Finding(OK, f"{caught}{known}", "", evidence)
