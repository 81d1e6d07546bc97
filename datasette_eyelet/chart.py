"""The histogram over the rows: what it shows, as numbers for an SVG that the server draws. Pure."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone, tzinfo

from datasette_eyelet import spans
from datasette_eyelet.links import Links
from datasette_eyelet.query import can_be_asked
from datasette_eyelet.rows import moment
from datasette_eyelet.visible import one_line
from eyelet_ingest.store.histogram import Histogram
from eyelet_ingest.store.layout import DAY_US

STACKS = {"status": "status", "type": "hook_type", "level": "loglevel"}  # URL → column
BUCKETS = 60
DEADLINE_MS = 1_000
WIDTH, HEIGHT = 1_000, 100
SERIES_MOST = 7  # beyond them all others together
LABEL_MAX_CHARS = 40
_TICKS = 4
# What a value is called; of a value that is missing `none`.
_SAID = {"": "none", "pending": "asked"}
_MEANING = {
    "ok": "ok",
    "pending": "pending",
    "unknown": "pending",
    "interrupted": "interrupted",
    "denied": "denied",
    "error": "error",
    "debug": "pending",
    "info": "ok",
    "warn": "denied",
}
# What is bad stands on top, where it is seen.
_ORDER = ("pending", "ok", "interrupted", "denied", "error")


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a bar: of which series (the end of a class of CSS), from where and how high, in the SVG's units."""

    series: str
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """One stretch of time. `url` is the search over it, "" where it holds nothing; `is_missing` where no day of it is
    there, `is_unreadable` where one cannot be read."""

    x: float
    width: float
    since_us: int
    until_us: int
    title: str
    url: str
    pieces: tuple[Piece, ...]
    is_missing: bool
    is_unreadable: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """`legend` is (series, name, events, the search for it alone, the search without it), those with most events first;
    `stacks` the other ways to stack: name, URL, whether it is this one. `late`: days that the time did not reach."""

    bars: tuple[Bar, ...]
    width: int
    height: int
    since_us: int
    until_us: int
    plot: tuple[float, float]
    most: int
    total: int
    ticks: tuple[str, ...]
    legend: tuple[tuple[str, str, int, str, str], ...]
    stacks: tuple[tuple[str, str, bool], ...]
    missing: int
    late: int
    said: str


def chart(
    found: Histogram,
    stack: str,
    links: Links,
    tz: tzinfo,
    span_us: tuple[int, int],
    days_us: Sequence[int],
) -> Chart | None:
    """`span_us` is the range in question, `days_us` are the beginnings of the days that are there, rising. None where
    there is nothing to draw."""
    if len(found.bounds) < 2:
        return None
    first, end = found.bounds[0], found.bounds[-1]
    series = _series(found)
    bars = _bars(found, series, links, tz, days_us)
    scale = WIDTH / (end - first)
    since = max(span_us[0], first)
    until = max(min(span_us[1], end), since + 1)
    name = STACKS.get(stack, STACKS["status"])
    shown = next(said for said, column in STACKS.items() if column == name)
    return Chart(
        bars=bars,
        width=WIDTH,
        height=HEIGHT,
        since_us=since,
        until_us=until,
        plot=(round((since - first) * scale, 2), round((until - since) * scale, 2)),
        most=max(found.counts),
        total=sum(found.counts),
        ticks=tuple(_tick(first + (end - first) * at // _TICKS, end - first, tz) for at in range(_TICKS + 1)),
        legend=_legend(found, series, shown, links),
        stacks=tuple((said, links.narrowed("stack", said), said == shown) for said in STACKS),
        missing=sum(bar.is_missing for bar in bars),
        late=found.partitions.unasked,
        said=f"{sum(found.counts):,} events by {shown}, in {len(bars)} stretches of {_width(found.bounds)}",
    )


def _bars(
    found: Histogram, series: dict[str, str], links: Links, tz: tzinfo, days_us: Sequence[int]
) -> tuple[Bar, ...]:
    first, scale = found.bounds[0], WIDTH / (found.bounds[-1] - found.bounds[0])
    most = max([1, *found.counts])
    unreadable = {one.day for one in found.partitions.unreadable if one.day}
    bars = []
    for at, count in enumerate(found.counts):
        low, high = found.bounds[at : at + 2]
        bars.append(
            Bar(
                x=round((low - first) * scale, 2),
                width=round((high - low) * scale, 2),
                since_us=low,
                until_us=high,
                title=_title(low, high, tz, count, found, series, at),
                url=links.ranged(*spans.between(low, high, tz)) if count else "",
                pieces=_pieces(found, series, at, most),
                is_missing=not count and not _has_day(days_us, low, high),
                is_unreadable=bool(unreadable and _dates(low, high) & unreadable),
            )
        )
    return tuple(bars)


def _series(found: Histogram) -> dict[str, str]:
    """Value → the class of its pieces: by its meaning where it has one, else by its place."""
    if all(value in _MEANING or not value for value in found.by):
        order = sorted(found.by, key=lambda value: _ORDER.index(_MEANING.get(value, "ok")))
        return {value: _MEANING.get(value, "ok") for value in order}
    return {value: f"s{min(at, SERIES_MOST)}" for at, value in enumerate(found.by)}


def _pieces(found: Histogram, series: dict[str, str], at: int, most: int) -> tuple[Piece, ...]:
    """Of a bar: what is there, however little, can be seen."""
    pieces: list[Piece] = []
    top = float(HEIGHT)
    for value, name in series.items():
        count = found.by[value][at]
        if count:
            height = max(round(count / most * (HEIGHT - 4), 2), 1.0)
            top = max(top - height, 0.0)
            pieces.append(Piece(name, round(top, 2), height))
    return tuple(pieces)


def _title(low: int, high: int, tz: tzinfo, count: int, found: Histogram, series: dict[str, str], at: int) -> str:
    named = ((one_line(_SAID.get(value, value), LABEL_MAX_CHARS), found.by[value][at]) for value in series)
    parts = ", ".join(f"{name} {events:,}" for name, events in named if events)
    more = f" ({parts})" if parts else ""
    return f"{moment(low, tz)[:19]} to {moment(high, tz)[11:19]}: {count:,} event{'' if count == 1 else 's'}{more}"


def _legend(
    found: Histogram, series: dict[str, str], name: str, links: Links
) -> tuple[tuple[str, str, int, str, str], ...]:
    known = [(series[value], value, sum(counts)) for value, counts in found.by.items()]
    legend = [
        (
            kind,
            one_line(_SAID.get(value, value), LABEL_MAX_CHARS),
            events,
            links.only(name, value) if can_be_asked(name, value) else "",
            links.excluded(name, value) if can_be_asked(name, value) else "",
        )
        for kind, value, events in known[:SERIES_MOST]
    ]
    others = known[SERIES_MOST:]
    if others:
        legend.append((f"s{SERIES_MOST}", f"{len(others)} others", sum(events for *_, events in others), "", ""))
    return tuple(legend)


def _has_day(days_us: Sequence[int], low: int, high: int) -> bool:
    at = bisect_left(days_us, low - DAY_US + 1)
    return at < len(days_us) and days_us[at] < high


def _dates(low: int, high: int) -> set[str]:
    first = low // DAY_US
    last = min((high - 1) // DAY_US, first + 4_000)
    return {f"{datetime.fromtimestamp(day * 86_400, timezone.utc):%Y-%m-%d}" for day in range(max(first, 0), last + 1)}


def _tick(us: int, span_us: int, tz: tzinfo) -> str:
    """The time of a tick, as exact as the span makes it worth."""
    text = moment(us, tz)
    if span_us > 10 * DAY_US:
        return text[5:10] if span_us <= 300 * DAY_US else text[:10]
    if span_us > DAY_US:
        return text[5:16]
    return text[11:16] if span_us > 600_000_000 else text[11:19]


def _width(bounds: Sequence[int]) -> str:
    """The width of the first stretch for people."""
    seconds = (bounds[1] - bounds[0]) / 1e6
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= size:
            count = round(seconds / size, 1)
            return f"{count:g} {unit}{'' if count == 1 else 's'}"
    return f"{seconds * 1_000:g} ms"
