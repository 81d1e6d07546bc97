"""A look at a root as pages show it: the score and its parts, alerts, findings; and the line over every page."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from datasette_eyelet import instance
from datasette_eyelet.links import HEALTH
from datasette_eyelet.visible import one_line, visible
from eyelet_ingest.health import alerts as alerting
from eyelet_ingest.health.finding import ERROR, OK, STATUSES, WARN, Finding
from eyelet_ingest.health.looking import Look
from eyelet_ingest.store.alert_rows import FIRING, RESOLVED, Alert
from eyelet_ingest.store.layout import PartitionKey

MESSAGE_CHARS, FIX_CHARS, NAME_CHARS = 600, 600, 100
TOLD_MOST, TOLD_CHARS = 3, 300
WORDS = {OK: "well", "unknown": "unknown", WARN: "warning", ERROR: "error"}


@dataclass(frozen=True, slots=True)
class Banner:
    """What fires, over every page of who may do something about it."""

    level: str
    count: int
    message: str
    url: str


@dataclass(frozen=True, slots=True)
class FindingView:
    """One finding. `about` is its day's name, for the form that repairs it; `day_url` its page."""

    status: str
    word: str
    check: str
    title: str
    message: str
    fix: str
    is_command: bool
    is_repairable: bool
    about: str
    day_url: str


@dataclass(frozen=True, slots=True)
class AlertView:
    name: str
    level: str
    state: str
    message: str
    fix: str
    is_command: bool
    since: str
    since_iso: str
    changed: str
    told: str
    by: str
    may_acknowledge: bool


@dataclass(frozen=True, slots=True)
class AreaView:
    """One area: `level` says how its score is shown; `parts` are what, points, why."""

    title: str
    score: int
    level: str
    checks: int
    parts: tuple[tuple[str, str, str], ...]


async def banner(datasette: Any) -> Banner | None:
    """For who may administer all of it; None where nothing fires."""
    firing = [one for one in await instance.of(datasette).health.alerts() if one.state == FIRING]
    if not firing:
        return None
    worst = firing[0]  # errors are first
    said = one_line(f"{worst.name}: {worst.message}", 160)
    return Banner(worst.level, len(firing), said, f"{datasette.urls.path(HEALTH)}#alerts")


def level_of(score: int, look: Look) -> str:
    """How a score, of all or of an area, is by the settings."""
    if score < look.error_below:
        return ERROR
    return WARN if score < look.warn_below else OK


def areas(look: Look) -> list[AreaView]:
    return [
        AreaView(
            area.title,
            area.score,
            level_of(area.score, look),
            area.looked_at,
            tuple((one_line(part.what, NAME_CHARS), f"{part.lost:g}", shown(part.why)) for part in area.parts),
        )
        for area in look.score.areas
    ]


def findings(look: Look, day_url: Any) -> list[FindingView]:
    """The worst first, else in their order."""
    ordered = sorted(look.findings, key=lambda one: -STATUSES.index(one.status))
    return [finding(one, look.titles, day_url) for one in ordered]


def finding(one: Finding, titles: Mapping[str, str], day_url: Any) -> FindingView:
    return FindingView(
        status=one.status,
        word=WORDS[one.status],
        check=one_line(one.name, NAME_CHARS),
        title=one_line(titles.get(one.name, one.name), NAME_CHARS),
        message=shown(one.message),
        fix=one_line(one.fix, FIX_CHARS),
        is_command=is_command(one.fix),
        is_repairable=one.repair is not None and one.status != OK,
        about=one.day.mount_name if one.day is not None else "",
        day_url=day_url(one.day) if one.day is not None else "",
    )


def alerts(found: Iterable[Alert]) -> list[AlertView]:
    return [
        AlertView(
            name=one_line(one.name, NAME_CHARS),
            level=one.level,
            state=one.state,
            message=shown(one.message),
            fix=one_line(one.fix, FIX_CHARS),
            is_command=is_command(one.fix),
            since=moment(one.since_us)[:16],
            since_iso=moment(one.since_us).replace(" ", "T") + "Z",
            changed=moment(one.changed_us)[:16],
            told=moment(one.told_us)[:16] if one.told_us is not None else "",
            by=one_line(one.acknowledged_by, NAME_CHARS),
            may_acknowledge=one.state == FIRING,
        )
        for one in found
    ]


def as_json(look: Look, open_alerts: Sequence[Alert], old: Sequence[Alert]) -> dict[str, object]:
    return {
        **look.score.as_json(),
        "at_us": look.at_us,
        "took_ms": look.took_ms,
        "alerts": [alerting.as_json(one) for one in (*open_alerts, *(one for one in old if one.state == RESOLVED))],
        "findings": [finding_json(one) for one in look.findings],
    }


def finding_json(one: Finding, may_change: bool = True) -> dict[str, object]:
    """Who may not change anything is not told what would help: that names the root."""
    if not may_change:
        return {"check": one.name, "status": one.status, "message": one.message, **day_json(one.day)}
    return {
        "check": one.name,
        "status": one.status,
        "message": one.message,
        "fix": one.fix or None,
        "evidence": dict(one.evidence),
        **day_json(one.day),
        "repairable": one.repair is not None,
    }


def day_json(key: PartitionKey | None) -> dict[str, object]:
    return {"context": key.context if key else None, "day": key.date if key else None}


def is_command(fix: str) -> bool:
    """Whether what helps is a command that can be copied: ours begin with the program's name or its path."""
    first = fix.split(" ", 1)[0]
    return first in ("eyelet", "sudo", "chmod", "rm", "mv", "pip", "python", "python3", "ulimit") or first.startswith(
        ("/", "'/")
    )


def moment(us: int) -> str:
    """The time in UTC, to the second."""
    return f"{datetime.fromtimestamp(us // 1_000_000, timezone.utc):%Y-%m-%d %H:%M:%S}"


def told(datasette: Any, request: Any, said: Sequence[str], is_bad: bool = False) -> None:
    """What came of a button, for the page that follows: it goes by a cookie, which must be short."""
    kind = datasette.WARNING if is_bad else datasette.INFO
    for one in said[:TOLD_MOST]:
        datasette.add_message(request, one_line(one, TOLD_CHARS), kind)
    if len(said) > TOLD_MOST:
        datasette.add_message(request, f"and {len(said) - TOLD_MOST:,} more", kind)


def shown(text: str) -> str:
    """A sentence of ours that may quote what was recorded."""
    return visible(text if len(text) <= MESSAGE_CHARS else text[: MESSAGE_CHARS - 1] + "…")
