"""How a figure went over time, as numbers for a small SVG that the server draws. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from eyelet_ingest.health.several import mib

WIDTH, HEIGHT = 300, 64
HOUR_US = 3_600_000_000
MARGIN = 3  # above and below, so that a line is not cut
BRIDGED = 2  # points without a value that a line goes across: it was not looked at more often
Points = Sequence[tuple[int, float | None]]


@dataclass(frozen=True, slots=True)
class Line:
    """One series: `path` is of SVG, `number` the end of its class."""

    label: str
    number: int
    path: str
    last: str


@dataclass(frozen=True, slots=True)
class Trend:
    """One chart: `said` is all of it in words, `most` the top of its scale."""

    title: str
    lines: tuple[Line, ...]
    most: str
    since: str
    until: str
    said: str


def ms(value: float) -> str:
    return f"{value:,.0f} ms" if value >= 10 else f"{value:.2g} ms"


def count(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"


SAID: dict[str, Callable[[float], str]] = {"ms": ms, "bytes": mib, "count": count, "score": count}


def trend(title: str, unit: str, series: Sequence[tuple[str, Points]]) -> Trend | None:
    """Of series over the same points; None where none of them has a value. A score goes to 100."""
    said = SAID[unit]
    known = [(label, points) for label, points in series if any(value is not None for _, value in points)]
    if not known:
        return None
    values = [value for _, points in known for _, value in points if value is not None]
    top = 100.0 if unit == "score" else max(*values, 0.0)
    lines = tuple(
        Line(label, number, _path(points, top or 1.0), said(_last(points)))
        for number, (label, points) in enumerate(known)
    )
    times = [at for at, _ in known[0][1]]
    end = times[-1] + (times[1] - times[0] if len(times) > 1 else 0)
    since, until = _clock(times[0], end - times[0]), _clock(end, end - times[0])
    words = "; ".join(f"{line.label} {line.last}" if len(lines) > 1 else line.last for line in lines)
    whole = f"{title}, {since} to {until}: last {words}, at most {said(max(values))}"
    return Trend(title, lines, said(top), since, until, whole)


def _path(points: Points, top: float) -> str:
    """Beginning anew after a gap. A lone point is a line of no length, which round ends make a dot."""
    wide = WIDTH / max(len(points) - 1, 1)
    pieces: list[str] = []
    before: int | None = None
    for number, (_, value) in enumerate(points):
        if value is None:
            continue
        share = min(max(value / top, 0.0), 1.0)
        x, y = round(number * wide, 1), round(HEIGHT - MARGIN - share * (HEIGHT - 2 * MARGIN), 1)
        is_new = before is None or number - before > BRIDGED + 1
        pieces.append(f"M{x} {y}l0 0" if is_new else f"L{x} {y}")
        before = number
    return "".join(pieces)


def _last(points: Points) -> float:
    return next(value for _, value in reversed(points) if value is not None)


def _clock(us: int, span_us: int) -> str:
    at = datetime.fromtimestamp(us // 1_000_000, timezone.utc)
    if span_us <= 12 * HOUR_US:
        return f"{at:%H:%M}"
    return f"{at:%m-%d %H:%M}" if span_us <= 72 * HOUR_US else f"{at:%m-%d}"
