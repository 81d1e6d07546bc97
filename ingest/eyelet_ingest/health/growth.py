"""How fast the root grows, by its last finished days, and when the disk is full if it goes on like that."""

from collections.abc import Iterator
from dataclasses import dataclass

from eyelet_ingest.errors import EyeletError, PartitionError, RootError
from eyelet_ingest.health import disk
from eyelet_ingest.health.finding import OK, UNKNOWN, WARN, Finding, Patient
from eyelet_ingest.health.memory import NOTHING, is_in_memory
from eyelet_ingest.health.several import command, mib, plural
from eyelet_ingest.store import examined, layout
from eyelet_ingest.store.layout import DAY_US, PartitionKey
from eyelet_ingest.store.metrics import Metrics
from eyelet_ingest.store.retention import Rules, size_of

DAYS = 30  # finished ones that the forecast goes by
LEAST_DAYS = 3  # of fewer nothing can be told
LEAST_KNOWN = 7  # days of which it is known how much room there was
FREE = "free_bytes"  # the figure of it (`looking.py`)


@dataclass(frozen=True, slots=True)
class Growth:
    """What came on average on each of `days` finished days: bytes and events (None where they were not counted); of
    them `held_days` hold any. `free_bytes` are left, which last for `days_left` days as the root grows, and for
    `disk_days_left` as the disk fills, where others write, too (None: as long as one likes, or not known)."""

    days: int
    held_days: int
    bytes_a_day: float
    events_a_day: float | None
    free_bytes: int
    days_left: float | None
    disk_days_left: float | None


def measure(patient: Patient) -> Growth | None:
    """The growth of the root over its last DAYS finished days, those without events among them; None where fewer than
    LEAST_DAYS have gone by since it began. OSError where the disk cannot be asked."""
    today_us = patient.now_us // DAY_US * DAY_US
    keys = [key for key in patient.store.catalog.partitions() if key.bounds_us[1] <= today_us]
    if not keys:
        return None
    days = min(DAYS, (today_us - keys[0].bounds_us[0]) // DAY_US)
    if days < LEAST_DAYS:
        return None
    lately = [key for key in keys if key.bounds_us[0] >= today_us - days * DAY_US]
    size = sum(size_of(patient.root, key) for key in lately) / days
    events = _events(patient, lately)
    free = disk.free_bytes(patient.root)
    dates = {key.bounds_us[0] for key in lately}
    a_day = None if events is None else events / days
    lost = _lost_a_day(patient)
    return Growth(days, len(dates), size, a_day, free, free / size if size else None, free / lost if lost else None)


def _lost_a_day(patient: Patient) -> float | None:
    """How many bytes the disk loses a day, by what was kept of its free room in the last DAYS days: the slope of the
    line that fits it best. None where it does not lose any, or where there are figures of fewer than LEAST_KNOWN."""
    try:
        with Metrics(patient.root) as metrics:
            trend = metrics.trend(FREE, patient.now_us - DAYS * DAY_US, patient.now_us, DAYS)
    except RootError:
        return None
    known = [(day, value) for day, (_, value) in enumerate(trend) if value is not None]
    if len(known) < LEAST_KNOWN:
        return None
    middle = sum(day for day, _ in known) / len(known)
    mean = sum(value for _, value in known) / len(known)
    slope = sum((day - middle) * (value - mean) for day, value in known) / sum((day - middle) ** 2 for day, _ in known)
    return -slope if slope < 0 else None


def check(patient: Patient) -> Iterator[Finding]:
    if is_in_memory(patient):
        yield NOTHING
        return
    try:
        growth = measure(patient)
    except OSError as bad:
        yield Finding(UNKNOWN, f"the disk cannot be asked: {bad.strerror}")
        return
    if growth is None:
        yield Finding(OK, f"fewer than {LEAST_DAYS} days are over: no forecast yet", evidence={"days": 0})
        return
    yield _found(patient, growth)


def _found(patient: Patient, growth: Growth) -> Finding:
    events = "" if growth.events_a_day is None else f", {growth.events_a_day:,.0f} events"
    said = f"{mib(growth.bytes_a_day)}{events} a day over {plural(growth.days, 'day')}"
    evidence = {
        "days": growth.days,
        "held_days": growth.held_days,
        "bytes_a_day": round(growth.bytes_a_day),
        "events_a_day": None if growth.events_a_day is None else round(growth.events_a_day, 1),
        "free_bytes": growth.free_bytes,
        "days_left": None if growth.days_left is None else round(growth.days_left, 1),
        "disk_days_left": None if growth.disk_days_left is None else round(growth.disk_days_left, 1),
    }
    if growth.disk_days_left is not None and growth.disk_days_left < patient.limit("days_left_warn"):
        message = f"the disk is full in {_spelt(growth.disk_days_left)} as it fills: of that, {said} are the recorder's"
        return Finding(WARN, message, "make room: see what else writes there", evidence)
    if growth.days_left is None or growth.days_left >= patient.limit("days_left_warn"):
        years = "" if growth.days_left is None else f"; room for {_spelt(growth.days_left)}"
        return Finding(OK, f"{said}{years}", evidence=evidence)
    ends = _ends_by_itself(patient, growth)
    if ends:
        return Finding(OK, f"{said}; {ends}", evidence=evidence)
    fix = f"make room; or keep less: {command(patient, 'retention', 'set', '--older-than', '90d')}"
    return Finding(WARN, f"the disk is full in {_spelt(growth.days_left)}: {said}", fix, evidence)


def _ends_by_itself(patient: Patient, growth: Growth) -> str:
    """Why it does not grow on until the disk is full, if retention sees to that; else ""."""
    try:
        rules: Rules = patient.store.retention()
    except EyeletError:
        return ""
    age_s = rules.general.max_age_s
    keys = patient.store.catalog.partitions()
    held_us = patient.now_us - keys[0].bounds_us[0]
    is_enough = age_s is not None and not any(rules.age_of(context) is None for context in {k.context for k in keys})
    if age_s is not None and is_enough:
        oldest_s = max([age_s, *(rules.age_of(key.context) or 0 for key in keys)])
        more = max(0.0, oldest_s - held_us / 1e6) / 86_400 * growth.bytes_a_day
        if more < growth.free_bytes:
            return "retention ends that before the disk is full"
    return ""


def _events(patient: Patient, keys: list[PartitionKey]) -> int | None:
    """The events of these days; None where there was no time to count all of them."""
    total = 0
    for key in keys:
        if patient.is_late:
            return None
        try:
            total += examined.events(layout.db_path(patient.root, key))
        except PartitionError:
            continue
    return total


def _spelt(days: float) -> str:
    if days >= 730:
        return plural(min(int(days // 365), 10_000), "year")
    return plural(int(days), "day")
