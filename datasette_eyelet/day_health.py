"""What is known of one day's health, and what can be done about it: for its page. Not for the event loop."""

import json
import time
from dataclasses import dataclass
from typing import Any

from datasette_eyelet import health_view
from datasette_eyelet.instance import Instance
from eyelet_ingest.errors import BadInput, EyeletError
from eyelet_ingest.health import integrity, looking
from eyelet_ingest.health.finding import OK, Finding
from eyelet_ingest.health.looking import Look
from eyelet_ingest.health.remembering import Remembered
from eyelet_ingest.health.several import day_name, mib, plural
from eyelet_ingest.store import audit, connect, examined, layout, schema
from eyelet_ingest.store.checkpoint import MODES
from eyelet_ingest.store.inventory import Day
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.maintenance import state_of
from eyelet_ingest.store.metrics import Metrics
from eyelet_ingest.store.text_index import TextState

CHECK_S = 60.0  # of a full check by button; `eyelet doctor --full` has no end
TEXT_MS = 30_000
FIGURES_MS = 5_000
ACTIONS = ("check-quick", "check-full", "checkpoint", "text", "optimise", "seal")


@dataclass(frozen=True, slots=True)
class DayHealth:
    """Everything the page shows of a day; None for what could not be read, which `day.error` or `troubles` say."""

    day: Day
    errors: int | None
    pages: examined.Pages | None
    waiting: examined.Waiting | None
    text: TextState | None
    full_us: int | None  # when a full integrity check of this state was, and a quick one
    quick_us: int | None
    damages: tuple[str, ...]
    findings: tuple[Finding, ...]
    looked_us: int | None  # when these were found
    troubles: tuple[str, ...]


def of(held: Instance, key: PartitionKey, look: Look | None) -> DayHealth | None:
    """None where there is no such day. `look` is the last there was: its findings about the day are shown."""
    day = next(iter(held.store.days([key])), None)
    if day is None:
        return None
    path = layout.db_path(held.root, key)
    troubles: list[str] = []
    pages = waiting = text = None
    if not day.only_archived:
        pages = _asked(lambda: examined.pages(path), troubles)
        waiting = _asked(lambda: examined.waiting(path), troubles)
        text = _asked(lambda: held.store.text_state(key), troubles)
    figures = held.health.days.of([key], FIGURES_MS).get(key)
    full, quick = _remembered(held.root, key, path)
    said = full or quick
    return DayHealth(
        day=day,
        errors=figures.errors if figures is not None else None,
        pages=pages,
        waiting=waiting,
        text=text,
        full_us=full[0] if full else None,
        quick_us=quick[0] if quick else None,
        damages=said[1] if said else (),
        findings=tuple(one for one in look.findings if one.day == key) if look is not None else (),
        looked_us=look.at_us if look is not None else None,
        troubles=tuple(dict.fromkeys(troubles)),
    )


def facts(found: DayHealth) -> list[tuple[str, str, str]]:
    """What the page lists: label, value, and the level of its colour ("" for none)."""
    day = found.day
    listed = [("state", day.state, "error" if day.error else "")]
    if not day.only_archived:
        listed += _of_files(found)
    if day.archive_bytes:
        listed.append(("archive", mib(day.archive_bytes), ""))
    sealed = "no" if day.sealed_us is None else health_view.moment(day.sealed_us) + " UTC"
    listed.append(("seal", sealed + (f", {plural(day.late, 'event')} since" if day.late else ""), ""))
    bad = "error" if found.damages else ""
    listed.append(("checked whole", _when(found.full_us, bad), bad if found.full_us else ""))
    listed.append(("checked quickly", _when(found.quick_us, bad), bad if found.quick_us else ""))
    return listed


def error_of(found: DayHealth, may_change: bool) -> str:
    """Why the day cannot be read: with what helps, which names the root, for who may change it alone."""
    return health_view.shown(found.day.error if may_change or not found.day.error else "it cannot be read")


def as_json(found: DayHealth, may_change: bool) -> dict[str, object]:
    day, pages, waiting, text = found.day, found.pages, found.waiting, found.text
    return {
        **health_view.day_json(day.key),
        "state": day.state,
        "events": day.events,
        "errors": found.errors,
        "bytes": day.bytes,
        "wal_bytes": day.wal_bytes,
        "wal_frames": waiting.frames if waiting else None,
        "wal_waiting_bytes": waiting.bytes if waiting else None,
        "pages": pages.count if pages else None,
        "empty_pages": pages.empty if pages else None,
        "schema_version": day.schema_version,
        "schema_newest": schema.VERSION,
        "sealed_us": day.sealed_us,
        "late": day.late,
        "archive_bytes": day.archive_bytes,
        "text_rows": text.rows if text else None,
        "text_behind": text.behind if text else None,
        "text_changed": text.changed if text else None,
        "checked_full_us": found.full_us,
        "checked_quick_us": found.quick_us,
        "damages": [health_view.shown(one) for one in found.damages],
        "error": error_of(found, may_change) or None,
        "findings": [health_view.finding_json(one, may_change) for one in found.findings],
    }


def do(held: Instance, key: PartitionKey, action: str, mode: str, who: str) -> tuple[str, bool]:
    """One of ACTIONS, audited before it is done; a sentence about what came of it, and whether that is bad.

    BadInput for another; EyeletError where it cannot be done."""
    if action not in ACTIONS:
        raise BadInput("do", repr(action[:60]), "there is no such button", ", ".join(ACTIONS))
    if action == "checkpoint" and mode not in MODES:
        raise BadInput("checkpoint", repr(mode[:60]), "there is no such mode", ", ".join(MODES))
    what = {"days": [key.mount_name], **({"mode": mode} if action == "checkpoint" else {})}
    audit.record(held.root, who, f"page.{action}", what)
    if action.startswith("check-"):
        patient = looking.patient_of(held.store, is_full=action == "check-full", seconds=CHECK_S)
        found = integrity.check_day(patient, key, patient.is_full)
        return f"{found.message}.", found.status != OK
    held.let_go(key)  # what is open here would be in the way
    if action == "checkpoint":
        (done,) = held.store.checkpoint(key, mode)
        if done.error:
            return f"The checkpoint failed: {done.error}", True
        pages = f"{done.moved_frames:,} of {plural(done.wal_frames, 'page')} in the file"
        return f"Checkpoint {done.mode}: {pages}{', others were in its way' if done.busy else ''}.", done.busy
    if action == "text":
        is_whole = held.store.text_catch_up(key, TEXT_MS)
        said = "The text index holds all that arrived." if is_whole else "The text index is not done yet: press again."
        return said, not is_whole
    if action == "optimise":
        return f"The planner knows {plural(held.store.optimise(key), 'index')}.", False
    return ("It is sealed." if held.store.seal(key).fresh else "It is as it was sealed."), False


def _of_files(found: DayHealth) -> list[tuple[str, str, str]]:
    day, pages, waiting, text = found.day, found.pages, found.waiting, found.text
    unread = "unknown"
    rows = unread if day.events is None else f"{day.events:,}"
    errors = unread if found.errors is None else f"{found.errors:,}"
    fragments = unread if pages is None else f"{pages.empty_percent:.0f} % of {plural(pages.count, 'page')} are empty"
    frames = "" if waiting is None else f", {plural(waiting.frames, 'page')}, {mib(waiting.bytes)} not in the file yet"
    version = unread if day.schema_version is None else f"{day.schema_version} of {schema.VERSION}"
    is_old = day.schema_version is not None and day.schema_version < schema.VERSION
    index = unread
    if text is not None:
        index = "none" if not text.version else f"{text.rows:,} rows, {mib(text.bytes)}"
        index += f", {text.behind:,} not yet" if text.behind else ""
        index += f", {text.changed:,} changed since" if text.changed else ""
    return [
        ("rows", rows, ""),
        ("errors", errors, ""),
        ("bytes", mib(day.bytes), ""),
        ("write-ahead log", mib(day.wal_bytes) + (frames if day.wal_bytes else ""), ""),
        ("fragmentation", fragments, ""),
        ("schema", version, "warn" if is_old else ""),
        ("text index", index, ""),
    ]


def _asked(ask: Any, troubles: list[str]) -> Any:
    try:
        return ask()
    except EyeletError as bad:
        troubles.append(health_view.shown(bad.reason))
    except connect.driver().Error as bad:
        troubles.append(health_view.shown(str(bad)))
    return None


def _remembered(
    root: str, key: PartitionKey, path: str
) -> tuple[tuple[int, tuple[str, ...]] | None, tuple[int, tuple[str, ...]] | None]:
    """When this state of the day was checked whole and quickly, and what was wrong with it."""
    state = state_of(path)
    with Metrics(root) as metrics:
        known = Remembered(metrics, time.time_ns() // 1_000)
        full, quick = (known.of(day_name(key), state, is_full) for is_full in (True, False))
    return (full.at_us, full.bad) if full else None, (quick.at_us, quick.bad) if quick else None


def _when(at_us: int | None, bad: str) -> str:
    if at_us is None:
        return "not since it was last written to"
    return f"{health_view.moment(at_us)} UTC, {'damaged' if bad else 'nothing wrong'}"


def text_of(found: DayHealth, may_change: bool) -> str:
    return json.dumps({"ok": True, **as_json(found, may_change)})
