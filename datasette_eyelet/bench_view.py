"""Results of the load generator as the page shows them: numbers for bars and lines that the server draws. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from eyelet_ingest.bench import predecessor
from eyelet_ingest.bench.measure import LATENCY, RATE, Measure
from eyelet_ingest.bench.results import LIMIT, Result
from eyelet_ingest.ranges import display_time, zone

BAR_WIDTH = 100
WIDEST = 32.0  # a ratio whose bar is half of the whole; beyond it is cut
WIDTH, HEIGHT, MARGIN = 600, 160, 6
# Measures whose ratios are drawn over time: something of each kind
DRAWN = ("batch", "single writes", "day", "prefix", "text", "session", "mixed", "readers")
MOST_DRAWN = 50  # results


@dataclass(frozen=True, slots=True)
class Bar:
    """One measure of a result: figures in words, and a bar that grows to the left where days are better than the single
    file, to the right where they are worse. `cpu` is the ratio of the processor's time, "" where it is not known;
    `earlier` the ratio in the result beside it, "" without one."""

    title: str
    days: str
    days_p99: str
    single: str
    single_p99: str
    ratio: str
    cpu: str
    is_better: bool
    x: float
    width: float
    stated: str
    earlier: str


@dataclass(frozen=True, slots=True)
class Line:
    """One measure over several results: `path` is of SVG, `number` the end of its class."""

    title: str
    number: int
    path: str
    last: str


@dataclass(frozen=True, slots=True)
class Chart:
    """`one_y` is where the ratio is 1; `least` and `most` are the ends of the scale, `said` all of it in words."""

    lines: tuple[Line, ...]
    one_y: float
    least: str
    most: str
    first: str
    last: str
    said: str


@dataclass(frozen=True, slots=True)
class Row:
    """A result in the list."""

    number: int
    at: str
    name: str
    what: str
    took: str
    load: str
    ratio: str
    is_cut: bool


def row(result: Result) -> Row:
    return Row(
        result.number,
        display_time(result.made_at_us, zone(""))[:16],
        result.scenario.name,
        f"{result.scenario.said()} rows, seed {result.seed}",
        f"{result.took_s:,.0f} s",
        f"{result.load[0]:g} → {result.load[1]:g}",
        f"{result.middle_ratio:.2f}" if result.measures else "",
        result.state == LIMIT,
    )


def bars(result: Result, beside: Result | None) -> tuple[Bar, ...]:
    return tuple(_bar(one, beside.measure(one.name) if beside else None) for one in result.measures)


def chart(results: Sequence[Result]) -> Chart | None:
    """How the ratios went, oldest first; None where there are fewer than two results to draw."""
    shown = results[-MOST_DRAWN:]
    if len(shown) < 2:
        return None
    known = [(name, [_ratio(one.measure(name)) for one in shown]) for name in DRAWN]
    drawn = [(name, ratios) for name, ratios in known if any(ratio is not None for ratio in ratios)]
    values = [ratio for _, ratios in drawn for ratio in ratios if ratio is not None]
    if not values:
        return None
    low, high = min(*values, 0.5), max(*values, 2.0)
    lines = tuple(
        Line(name, number, _path(ratios, low, high), f"{next(one for one in reversed(ratios) if one is not None):.2f}")
        for number, (name, ratios) in enumerate(drawn)
    )
    first, last = (display_time(one.made_at_us, zone(""))[:16] for one in (shown[0], shown[-1]))
    words = ", ".join(f"{line.title} {line.last}" for line in lines)
    said = f"Days ÷ single file of {len(shown)} results, {first} to {last} UTC; last {words}"
    return Chart(lines, _y(1.0, low, high), f"{low:.2g}", f"{high:.2g}", first, last, said)


def machine(result: Result) -> str:
    one = result.machine
    days, single = (size / 1e6 for size in result.bytes)
    on_disk = f"; days {days:,.1f} MB, single file {single:,.1f} MB" if single else ""
    return f"{one.cores} cores, {one.system}, Python {one.python}, SQLite {one.sqlite}, Eyelet {one.eyelet}{on_disk}"


def _bar(one: Measure, other: Measure | None) -> Bar:
    share = min(abs(math.log(max(one.ratio, 1e-9))) / math.log(WIDEST), 1.0)
    width, middle = round(share * BAR_WIDTH / 2, 1), BAR_WIDTH / 2
    is_better = one.ratio < 1
    return Bar(
        title=one.title,
        days=_said(one.days.p50, one.unit),
        days_p99=_p99(one.days.p99, one.unit),
        single=_said(one.single.p50, one.unit),
        single_p99=_p99(one.single.p99, one.unit),
        ratio=_times(one.ratio),
        cpu=_times(one.cpu_ratio) if one.cpu_ratio else "",
        is_better=is_better,
        x=round(middle - width, 1) if is_better else middle,
        width=width,
        stated=predecessor.STATED.get(one.name, ""),
        earlier=_times(other.ratio) if other else "",
    )


def _times(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio < 100 else f"{ratio:,.0f}"


def _said(value: float, unit: str) -> str:
    if unit == LATENCY:
        return f"{value:,.2f} ms"
    return f"{value:,.0f}/s" if unit == RATE else f"{value:,.1f} MiB"


def _p99(value: float, unit: str) -> str:
    return f"{value:,.2f}" if unit == LATENCY else ""


def _ratio(one: Measure | None) -> float | None:
    return one.ratio if one is not None and one.ratio > 0 else None


def _y(ratio: float, low: float, high: float) -> float:
    share = (math.log(ratio) - math.log(low)) / (math.log(high) - math.log(low))
    return round(HEIGHT - MARGIN - share * (HEIGHT - 2 * MARGIN), 1)


def _path(ratios: Sequence[float | None], low: float, high: float) -> str:
    """A lone point is a line of no length, which round ends make a dot."""
    wide = (WIDTH - 2 * MARGIN) / max(len(ratios) - 1, 1)
    pieces: list[str] = []
    goes_on = False
    for number, ratio in enumerate(ratios):
        if ratio is not None:
            pieces.append(f"{'L' if goes_on else 'M'}{round(MARGIN + number * wide, 1)} {_y(ratio, low, high)}")
            pieces.append("" if goes_on else "l0 0")
        goes_on = ratio is not None
    return "".join(pieces)
