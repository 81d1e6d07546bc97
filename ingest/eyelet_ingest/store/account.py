"""What a deletion says of itself, for programs and for the audit, which keeps it for ever."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict

from eyelet_ingest.store.deletion import DayDeleted, Deleted
from eyelet_ingest.store.select import Filter

_PLAIN = ("since_us", "until_us", "errors", "contexts", "status", "hook_type")  # no text that somebody recorded


def asked(where: Filter, projects: Sequence[str] = (), prompts: Sequence[str] = ()) -> dict[str, object]:
    """The conditions by name; of what people typed, how much: it may be the secret that is to go."""
    said: dict[str, object] = {name: value for name, value in asdict(where).items() if value}
    for name, value in said.items():
        if name not in _PLAIN:
            said[name] = f"{len(value)} characters" if isinstance(value, str) else _given(value)
    for name, given in (("projects", projects), ("prompts", prompts)):
        if given:
            said[name] = _given(given)
    return said


def went(done: Deleted) -> dict[str, object]:
    """What went: of which days and places, and how much."""
    days = {day.key.mount_name: day.events for day in done.days}
    elsewhere = {f"{one.place} {one.key.mount_name}": one.events for one in done.elsewhere}
    failed = [f"{bad.context} {bad.day}" for bad in done.failed]
    return {"events": done.events, "days": days, "elsewhere": elsewhere, "failed": failed}


def of_day(one: DayDeleted) -> dict[str, object]:
    """What goes of one day in one place."""
    return {
        "place": one.place,
        "context": one.key.context,
        "day": one.key.date,
        "events": one.events,
        "whole": one.whole,
    }


def failures(done: Deleted) -> list[dict[str, str]]:
    """What could not be served, and why."""
    return [{"context": bad.context, "day": bad.day, "error": bad.error} for bad in done.failed]


def _given(values: object) -> str:
    return f"{len(list(values)) if isinstance(values, Iterable) else 1} given"
