"""Alerts: what checks found wrong, with a memory. Evaluated by a server's rounds and by `eyelet doctor`, who share it.

One alert a check, and one for the score. It fires at once, and tells of a change only: that it began, got worse, eased
or is over. It is over, or eased, when that has lasted HOLD_US, and twice as long for each time it began within
FLAPPING_US before: what comes and goes stays one alert. What could not be looked at changes nothing.
"""

import json
import math
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from eyelet_ingest.commands import runnable
from eyelet_ingest.errors import BadInput, EyeletError
from eyelet_ingest.health import score as scoring
from eyelet_ingest.health import telling
from eyelet_ingest.health.finding import ERROR, OK, STATUSES, UNKNOWN, WARN, Finding, Patient, worst
from eyelet_ingest.settings import Settings
from eyelet_ingest.store import alert_rows
from eyelet_ingest.store.alert_rows import FIRING, RESOLVED, Alert
from eyelet_ingest.store.metrics import Metrics

if TYPE_CHECKING:
    from eyelet_ingest.health.score import Score

HOLD_US = 10 * 60_000_000
HOLD_DOUBLINGS = 5  # 5 h 20 min at most
FLAPPING_US = 6 * 3_600_000_000
LATELY_US = 7 * 86_400_000_000
MOST = 200  # alerts that are looked at in one evaluation, and listed
MESSAGE_MOST_CHARS, LINE_MOST_CHARS = 1_000, 200
TELLING = "alerts"  # the name of the alert, and of the check, that somebody could not be told


@dataclass(frozen=True, slots=True)
class Seen:
    """What the findings of one check come to: `status` is the worst, the rest is of the worst finding."""

    status: str
    message: str = ""
    evidence: str = "{}"
    fix: str = ""


def evaluate(
    root: str,
    findings: Iterable[Finding],
    score: "Score | None",
    settings: Settings,
    now_us: int,
    known: Collection[str] | None = None,
) -> list[Alert]:
    """Bring the alerts of a root up to what was found now, tell of what changed, and answer those that are open.

    `known` names the checks there are: an alert of one that is gone is over. Where the alerts cannot be kept, those are
    answered that these findings would raise, and nobody is told: without a memory it would be told again and again.
    """
    seen = _seen([*findings, *([scoring.finding(score, settings, runnable("doctor", root))] if score else [])])
    try:
        changed = _applied(root, seen, now_us, known, claims=bool(telling.channels(settings)))
        _tell(root, changed, score, settings, now_us)
        return current(root)
    except EyeletError:
        return [_begun(name, one, now_us) for name, one in seen.items() if one.status in (WARN, ERROR)]


def current(root: str) -> list[Alert]:
    """The alerts that are open: errors first, then the oldest. None where nothing was ever evaluated; EyeletError where
    they cannot be read."""
    with Metrics(root) as metrics:
        return alert_rows.read_open(metrics, MOST)


def lately(root: str, now_us: int) -> list[Alert]:
    """Those that were over within LATELY_US, newest first. EyeletError likewise."""
    with Metrics(root) as metrics:
        return alert_rows.read_resolved(metrics, now_us - LATELY_US, MOST)


def acknowledge(root: str, name: str, who: str) -> None:
    """Say that somebody knows of an alert: audited, and not told any more until it gets worse. BadInput where none of
    the name fires."""
    from eyelet_ingest.store import audit

    if name not in {one.name for one in current(root) if one.state == FIRING}:
        raise BadInput("acknowledge", name, "no alert of this name fires", "`eyelet alerts` lists them")
    audit.record(root, who, "alert.acknowledge", {"name": name})
    with Metrics(root) as metrics, metrics.writing() as conn:
        alert_rows.acknowledge(conn, name, who)


def test(settings: Settings, now_us: int) -> list[str]:
    """Tell by every way that this is a test; what went wrong. BadInput where the settings name no way."""
    if not telling.channels(settings):
        hint = "set health.alert_webhook or health.alert_command in eyelet.yaml"
        raise BadInput("test alerts", reason="no way to tell them is set", hint=hint)
    return telling.tell(settings, telling.body([], None, now_us, is_test=True))


def line(root: str) -> str:
    """One line about what fires, for a terminal; "" where nothing does, or it cannot be read."""
    with suppress(EyeletError):
        firing = [one for one in current(root) if one.state == FIRING]
        if firing:
            more = f", and {len(firing) - 1:,} more" if len(firing) > 1 else ""
            first = firing[0]
            said = first.message if len(first.message) <= LINE_MOST_CHARS else first.message[:LINE_MOST_CHARS] + "…"
            return f"alert: {first.name} ({first.level}): {said}{more}; see `{runnable('alerts', root)}`"
    return ""


def as_json(alert: Alert) -> dict[str, object]:
    """One alert as pages and commands give it to programs."""
    return {
        "name": alert.name,
        "level": alert.level,
        "state": alert.state,
        "message": alert.message,
        "evidence": json.loads(alert.evidence),
        "fix": alert.fix,
        "since_us": alert.since_us,
        "changed_us": alert.changed_us,
        "told_us": alert.told_us,
        "acknowledged_by": alert.acknowledged_by or None,
    }


def check(patient: Patient) -> Iterable[Finding]:
    """The check of telling itself."""
    return findings(patient.root)


def findings(root: str) -> Iterable[Finding]:
    """Whether those who are to be told of alerts could be."""
    try:
        found = [one for one in current(root) if one.name == TELLING]
    except EyeletError as bad:
        yield Finding(UNKNOWN, f"alerts cannot be read: {bad.reason}", bad.hint)
        return
    for one in found:
        yield Finding(one.level, one.message, one.fix, {"since_us": one.since_us})
    if not found:
        yield Finding(OK, "whoever is to be told of alerts was told")


def judged(held: Alert, seen: Seen, now_us: int, hold_us: int) -> Alert:
    """What an open alert becomes by what was seen now. Pure."""
    if seen.status == UNKNOWN:
        return held
    bad = STATUSES.index(seen.status) - STATUSES.index(held.level)
    said = replace(held, message=seen.message, evidence=seen.evidence, fix=seen.fix) if bad >= 0 else held
    if bad > 0:
        return replace(said, level=seen.status, state=FIRING, changed_us=now_us, eased_us=None, acknowledged_by="")
    if bad == 0:
        return replace(said, eased_us=None)
    eased_us = now_us if held.eased_us is None else min(held.eased_us, now_us)  # a clock may go back
    if now_us - eased_us < hold_us:
        return replace(held, eased_us=eased_us)
    if seen.status == OK:
        return replace(held, state=RESOLVED, changed_us=now_us, eased_us=eased_us)
    eased = replace(held, level=seen.status, message=seen.message, evidence=seen.evidence, fix=seen.fix)
    return replace(eased, changed_us=now_us, eased_us=None)


def hold_us(begun: int) -> int:
    """How long something must be better to count, where it began so often lately."""
    return HOLD_US << min(max(begun - 1, 0), HOLD_DOUBLINGS)


def _applied(
    root: str, seen: Mapping[str, Seen], now_us: int, known: Collection[str] | None, claims: bool
) -> list[Alert]:
    """Write what changed; with `claims` the alerts whose change is this caller's to tell."""
    if not any(one.status in (WARN, ERROR) for one in seen.values()) and not current(root):
        return []  # all is well, and was: nothing is written
    with Metrics(root) as metrics, metrics.writing() as conn:
        held = {one.name: one for one in alert_rows.open_alerts(conn)}
        begun = alert_rows.begun_since(conn, now_us - FLAPPING_US)
        for name, one in seen.items():
            before = held.get(name)
            if before is None and one.status in (WARN, ERROR):
                alert_rows.add(conn, _begun(name, one, now_us))
            elif before is not None:
                after = judged(before, one, now_us, hold_us(begun.get(name, 0)))
                if after != before:
                    alert_rows.change(conn, after)
        for name, before in held.items():
            if known is not None and name not in (*known, *seen, TELLING):
                alert_rows.change(conn, replace(before, state=RESOLVED, changed_us=now_us))
        alert_rows.forget(conn, now_us)
        return alert_rows.claim(conn, now_us, MOST) if claims else []


def _tell(root: str, changed: list[Alert], score: "Score | None", settings: Settings, now_us: int) -> None:
    """Tell these, and keep whether that went well. Told by one way is told: another that fails must not have the first
    told again."""
    ways, failed = telling.channels(settings), []
    if changed:
        failed = telling.tell(settings, telling.body(changed, score.total if score else None, now_us))
        with Metrics(root) as metrics, metrics.writing() as conn:
            if len(failed) < len(ways):
                alert_rows.told(conn, changed, now_us)
            else:
                alert_rows.release(conn, changed)
    elif ways and not any(one.name == TELLING and one.eased_us is not None for one in current(root)):
        return  # nothing was to be told: that says nothing of whether it could be
    said = Seen(OK)
    if failed:
        said = Seen(WARN, "; ".join(failed), json.dumps({"failed": len(failed)}), runnable("alerts test", root))
    _applied(root, {TELLING: said}, now_us, None, claims=False)


def _seen(found: Iterable[Finding]) -> dict[str, Seen]:
    """What the findings come to, check by check."""
    by_name: dict[str, list[Finding]] = {}
    for one in found:
        if one.name and one.name != TELLING:
            by_name.setdefault(one.name, []).append(one)
    return {name: _together(some) for name, some in list(by_name.items())[:MOST]}


def _together(found: list[Finding]) -> Seen:
    status = worst(found)
    bad = [one for one in found if one.status in (WARN, ERROR)]
    if not bad:
        # Something could not be looked at: what was wrong there may still be.
        return Seen(status)
    chief = next(one for one in bad if one.status == status)
    more = f"; and {len(bad) - 1:,} more" if len(bad) > 1 else ""
    evidence = {**_plain(chief.evidence), "findings": len(bad)}
    message = chief.message.encode("utf-8", "replace").decode()
    fix = chief.fix.encode("utf-8", "replace").decode()
    return Seen(status, message[:MESSAGE_MOST_CHARS] + more, json.dumps(evidence), fix)


def _plain(evidence: Mapping[str, object]) -> dict[str, object]:
    """What of the evidence is kept: numbers and short texts."""
    kept: dict[str, object] = {}
    for name, value in list(evidence.items())[:50]:
        if isinstance(value, float) and not math.isfinite(value):
            continue
        if isinstance(value, (bool, int, float)) or value is None or (isinstance(value, str) and len(value) <= 200):
            kept[str(name)] = value
    return kept


def _begun(name: str, seen: Seen, now_us: int) -> Alert:
    return Alert(name, seen.status, seen.message, seen.evidence, seen.fix, since_us=now_us, changed_us=now_us)
