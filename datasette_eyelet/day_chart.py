"""The hours of a day beside those of the day before, as numbers for a small SVG. Pure."""

from dataclasses import dataclass
from datetime import tzinfo

from datasette_eyelet import rows
from datasette_eyelet.links import Links
from eyelet_ingest.ranges import parse_instant

HOUR_US = 3_600_000_000
HEIGHT = 60
WIDTH = 24  # of an hour, in the units of the SVG


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour: its bar in two parts, what failed at its foot; `before` is how high it was on the day before, and `url`
    the search over it, "" where it holds nothing."""

    x: int
    label: str
    title: str
    url: str
    ok_y: float
    ok_height: float
    failed_y: float
    failed_height: float
    before_y: float


@dataclass(frozen=True, slots=True)
class DayChart:
    hours: tuple[Hour, ...]
    width: int
    height: int
    said: str


def bounds_of(day: str, tz: tzinfo) -> list[int]:
    """The edges of the hours of an ISO date in the zone, where it has 23 to 25 of them."""
    first = parse_instant(day, now_us=0, tz=tz)
    end = parse_instant(day, now_us=0, tz=tz, end=True)
    return [*range(first, end, HOUR_US), end]


def day_chart(
    bounds: list[int], events: list[int], errors: list[int], before: list[int], links: Links, tz: tzinfo
) -> DayChart:
    """`events` and `errors` of each hour, and `before` the events of those of the day before."""
    most = max([1, *events, *before])
    hours = []
    for at, count in enumerate(events):
        low, high = bounds[at : at + 2]
        then = before[at] if at < len(before) else 0
        failed = min(errors[at], count)
        clock = rows.moment(low, tz)[11:16]
        ok_height, failed_height = (_height(number, most) for number in (count - failed, failed))
        times = (("from", _iso(low)), ("to", _iso(high)))
        hours.append(
            Hour(
                x=at * WIDTH,
                label=clock if at % 6 == 0 else "",
                title=f"{clock}: {count:,} events, {failed:,} failed; the day before {then:,}",
                url=links.ranged(*times) if count else "",
                ok_y=HEIGHT - ok_height - failed_height,
                ok_height=ok_height,
                failed_y=HEIGHT - failed_height,
                failed_height=failed_height,
                before_y=HEIGHT - _height(then, most),
            )
        )
    said = f"{sum(events):,} events by hour, {sum(errors):,} failed; the day before {sum(before):,} as a line"
    return DayChart(tuple(hours), WIDTH * len(hours), HEIGHT, said)


def _height(number: int, most: int) -> float:
    return max(round(number / most * (HEIGHT - 2), 1), 1.0) if number else 0.0


def _iso(us: int) -> str:
    from datetime import datetime, timezone

    return f"{datetime.fromtimestamp(us // 1_000_000, timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
