"""Partition keys → what a calendar shows of them: how many days a context has, and its days by year and month. Pure.

Keys come as the catalog lists them: sorted by time, then context.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from eyelet_ingest.store.layout import PartitionKey

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Span:
    """How many days a context has, and the first and the newest of them."""

    context: str
    days: int
    first: PartitionKey
    newest: PartitionKey


@dataclass(frozen=True, slots=True)
class Day:
    """A day in its month's grid of seven columns, Monday first. `place` is empty where the day follows the one before;
    else the classes of its row and column, `r1 c1` to `r6 c7`."""

    name: str
    date: str
    number: int
    place: str


@dataclass(frozen=True, slots=True)
class Month:
    name: str
    label: str
    days: list[Day]


def spans(keys: Iterable[PartitionKey]) -> list[Span]:
    """What each context has, by its name."""
    found: dict[str, tuple[int, PartitionKey]] = {}
    newest: dict[str, PartitionKey] = {}
    for key in keys:
        days, first = found.get(key.context, (0, key))
        found[key.context] = (days + 1, first)
        newest[key.context] = key
    return [Span(context, *found[context], newest[context]) for context in sorted(found)]


def by_context(keys: Iterable[PartitionKey]) -> dict[str, list[PartitionKey]]:
    found: dict[str, list[PartitionKey]] = {}
    for key in keys:
        found.setdefault(key.context, []).append(key)
    return found


def by_year(keys: Iterable[PartitionKey]) -> dict[int, list[PartitionKey]]:
    """The newest year first; within it the keys as they came."""
    found: dict[int, list[PartitionKey]] = {}
    for key in keys:
        found.setdefault(key.year, []).append(key)
    return {year: found[year] for year in sorted(found, reverse=True)}


def months(keys: Sequence[PartitionKey]) -> list[Month]:
    """The months that hold a day of these keys: of one context, oldest first."""
    found: dict[tuple[int, int], list[Day]] = {}
    before: date | None = None
    for key in keys:
        then = date(key.year, 1, 1) + timedelta(days=key.day - 1)
        follows = before is not None and before.month == then.month and before + timedelta(days=1) == then
        day = Day(key.mount_name, then.isoformat(), then.day, "" if follows else _place(then))
        found.setdefault((then.year, then.month), []).append(day)
        before = then
    return [Month(f"{MONTHS[month - 1]} {year}", MONTHS[month - 1], days) for (year, month), days in found.items()]


def shares(days: dict[str, int], budget: int) -> dict[str, int]:
    """How many days of each context are shown where `budget` are shown of all: what one leaves, the others get."""
    shown: dict[str, int] = {}
    for context, held in sorted(days.items(), key=lambda pair: pair[1]):
        shown[context] = min(held, budget // (len(days) - len(shown)))
        budget -= shown[context]
    return shown


def _place(day: date) -> str:
    row, column = divmod(day.replace(day=1).weekday() + day.day - 1, 7)
    return f"r{row + 1} c{column + 1}"
