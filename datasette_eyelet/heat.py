"""Days as a calendar in which colours say how much each holds, or how it is. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

from datasette_eyelet import calendar
from eyelet_ingest.health.finding import ERROR, OK, STATUSES, UNKNOWN, WARN
from eyelet_ingest.health.several import mib
from eyelet_ingest.store.day_figures import Figures
from eyelet_ingest.store.layout import PartitionKey

MEASURES = {"size": "size", "rows": "rows", "errors": "errors", "health": "health"}
STEPS = 4  # of a colour; each is for a quarter of the square root of the largest
_WORDS = {OK: "well", UNKNOWN: "unknown", WARN: "a warning", ERROR: "an error"}


@dataclass(frozen=True, slots=True)
class Cell:
    """One day: `kind` is the end of a class of CSS, `url` its page."""

    date: str
    number: int
    kind: str
    title: str
    url: str


@dataclass(frozen=True, slots=True)
class Month:
    """Every day of a month, None for one that is not there; `column` of seven is where it begins."""

    name: str
    label: str
    column: int
    days: list[Cell | None]


@dataclass(frozen=True, slots=True)
class Heat:
    """The days by context and year, newest year first; `legend` is what the colours mean: kind, words. `unread` days
    were not come to in time."""

    sections: list[tuple[int, list[tuple[str, list[Month]]]]]
    legend: list[tuple[str, str]]
    unread: int


def heat(
    keys: Sequence[PartitionKey],
    figures: Mapping[PartitionKey, Figures],
    health: Mapping[PartitionKey, str],
    measure: str,
    url: Callable[[PartitionKey], str],
) -> Heat:
    """Of days as the catalog lists them. `health` is the worst status of each day of which something was found."""
    values = {key: _value(figures[key], measure) for key in keys if key in figures}
    most = max((value for value in values.values() if value), default=0)
    cells: dict[str, Cell] = {}
    for key in keys:
        one = figures.get(key)
        status = _status(one, health.get(key, OK))
        kind = status if measure == "health" else _kind(measure, values.get(key), most)
        cells[key.mount_name] = Cell(key.date, 0, kind, _title(key, one, status), url(key))
    years = calendar.by_year(reversed(keys))
    sections = [
        (year, [(context, _months(held[::-1], cells)) for context, held in sorted(calendar.by_context(held).items())])
        for year, held in years.items()
    ]
    unread = sum(one.events is None and not one.trouble for one in figures.values())
    return Heat(sections, _legend(measure, most), unread)


def worst_of_days(found: Iterable[tuple[PartitionKey | None, str]]) -> dict[PartitionKey, str]:
    """The worst status said of each day."""
    worst: dict[PartitionKey, str] = {}
    for key, status in found:
        if key is not None and STATUSES.index(status) >= STATUSES.index(worst.get(key, OK)):
            worst[key] = status
    return worst


def _months(keys: Sequence[PartitionKey], cells: Mapping[str, Cell]) -> list[Month]:
    return [
        Month(
            month.name,
            month.label,
            month.column,
            [
                None
                if day is None
                else Cell(day.date, day.number, cells[day.name].kind, cells[day.name].title, cells[day.name].url)
                for day in month.days
            ],
        )
        for month in calendar.months(keys)
    ]


def _value(figures: Figures, measure: str) -> int | None:
    if measure == "rows":
        return figures.events
    return figures.errors if measure == "errors" else figures.bytes + figures.wal_bytes


def _kind(measure: str, value: int | None, most: int) -> str:
    if value is None:
        return "unknown"
    step = min(STEPS, 1 + int(STEPS * sqrt(value / most))) if value and most else 0
    return f"{'bad' if measure == 'errors' else 'much'}-{step}"


def _status(figures: Figures | None, found: str) -> str:
    return ERROR if figures is not None and figures.trouble else found


def _title(key: PartitionKey, figures: Figures | None, status: str) -> str:
    if figures is None:
        return f"{key.date}: not there"
    size = mib(figures.bytes + figures.wal_bytes)
    if figures.trouble:
        return f"{key.date}: cannot be read, {size}"
    if figures.events is None:
        return f"{key.date}: {size}, not counted yet; {_WORDS[status]}"
    return f"{key.date}: {size}, {figures.events:,} rows, {figures.errors or 0:,} errors; {_WORDS[status]}"


def _legend(measure: str, most: int) -> list[tuple[str, str]]:
    if measure == "health":
        return [(status, _WORDS[status]) for status in STATUSES]
    if not most:
        return []
    said = mib if measure == "size" else "{:,.0f}".format
    prefix = "bad" if measure == "errors" else "much"
    # int(STEPS × √(value ÷ most)) + 1 is the step: so each ends where its square says.
    steps = [(f"{prefix}-{step}", f"up to {said(most * (step / STEPS) ** 2)}") for step in range(1, STEPS + 1)]
    return [(f"{prefix}-0", "none"), *steps]
