"""Partition keys → what a calendar shows of them: how many days a context has, and its days by year and month. Pure.

Keys come as the catalog lists them: sorted by time, then context.
"""

from calendar import monthrange
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
    name: str
    date: str
    number: int


@dataclass(frozen=True, slots=True)
class Month:
    """Every day of a month, None for one that is not among the keys. `column` of seven, Monday the first, is where it
    begins."""

    name: str
    label: str
    column: int
    days: list[Day | None]


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
    found: dict[tuple[int, int], list[Day | None]] = {}
    for key in keys:
        then = date(key.year, 1, 1) + timedelta(days=key.day - 1)
        days = found.setdefault((then.year, then.month), [None] * monthrange(then.year, then.month)[1])
        days[then.day - 1] = Day(key.mount_name, then.isoformat(), then.day)
    return [
        Month(f"{MONTHS[month - 1]} {year}", MONTHS[month - 1], monthrange(year, month)[0] + 1, days)
        for (year, month), days in found.items()
    ]


def whole_months(keys: Sequence[PartitionKey], newest: int) -> Sequence[PartitionKey]:
    """The newest `newest` of these keys, without those of a month that would begin in its middle, unless it is all
    there is. Keys of one context, oldest first."""
    shown = keys[max(len(keys) - newest, 0) :]
    if not shown or len(shown) == len(keys) or _month(shown[0]) != _month(keys[-len(shown) - 1]):
        return shown
    return [key for key in shown if _month(key) != _month(shown[0])] or shown


def shares(days: dict[str, int], budget: int) -> dict[str, int]:
    """How many days of each context are shown where `budget` are shown of all: what one leaves, the others get."""
    shown: dict[str, int] = {}
    for context, held in sorted(days.items(), key=lambda pair: pair[1]):
        shown[context] = min(held, budget // (len(days) - len(shown)))
        budget -= shown[context]
    return shown


def _month(key: PartitionKey) -> str:
    return key.date[:7]
