"""Two sides measured in turn, so that what else the machine does falls on both; and what their times add up to."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

from eyelet_ingest.bench.questions import Question, plain
from eyelet_ingest.errors import EyeletError

ROUNDS = (5, 40)  # at least, and at most
QUESTION_S = 1.5  # after which no further round of a question begins
LATENCY, RATE, SIZE = "ms", "/s", "MiB"  # units; of a rate more is better, of the others less


class Differs(EyeletError):
    """The two layouts answered differently: then no figure of this run means anything."""


class Took(NamedTuple):
    """Seconds by the clock, and of the processor by all of this process."""

    wall_s: float
    cpu_s: float


Times = tuple[list[Took], list[Took]]  # of the days, of the single file


@dataclass(frozen=True, slots=True)
class Side:
    """What one layout did: the median, and of latencies where 95 and 99 of a hundred lie; in the measure's unit."""

    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing measured on both. `ratio` is what the days take ÷ what the single file takes, the median over rounds:
    below 1 the days are better, of rates too. `cpu_ratio` is that of the processor's time, which other programs disturb
    least; 0 where it is not known. `samples` of each side."""

    name: str
    title: str
    unit: str
    days: Side
    single: Side
    ratio: float
    cpu_ratio: float
    samples: int

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def from_json(said: object) -> Measure:
    """What `as_json` told; ValueError for what is none."""
    if not isinstance(said, dict) or set(said) != set(Measure.__slots__):
        raise ValueError("no measure")
    texts, numbers = ("name", "title", "unit"), ("ratio", "cpu_ratio", "samples")
    if not all(isinstance(said[name], str) for name in texts) or not all(_is_number(said[name]) for name in numbers):
        raise ValueError("no measure")
    sides = {name: _side(said[name]) for name in ("days", "single")}
    return Measure(**{**said, **sides})


def latency(name: str, title: str, times: Times, *, in_pairs: bool = True, alone: bool = True) -> Measure:
    """Of what each round took on either side; where these are not of one moment `in_pairs`, the ratio is that of the
    medians. Where the process did other things meanwhile, not `alone`, its processor's time tells nothing."""
    days, single = ([one.wall_s for one in side] for side in times)
    ratio = ratio_of(days, single) if in_pairs else statistics.median(days) / max(statistics.median(single), 1e-9)
    mine, other = (_percentiles([took_s * 1000 for took_s in side]) for side in (days, single))
    return Measure(name, title, LATENCY, mine, other, ratio, _cpu_ratio(times) if alone else 0.0, len(days))


def rate(name: str, title: str, done: Sequence[int], times: Times) -> Measure:
    """Things a second over all rounds; of each round how many were `done`, and what it took on either side."""
    took = [[one.wall_s for one in side] for side in times]
    days, single = (sum(done) / max(sum(side), 1e-9) for side in took)
    sides = Side(days, days, days), Side(single, single, single)
    return Measure(name, title, RATE, *sides, ratio_of(*took), _cpu_ratio(times), len(done))


def size(name: str, title: str, days: float, single: float) -> Measure:
    """In MiB."""
    sides = Side(days, days, days), Side(single, single, single)
    return Measure(name, title, SIZE, *sides, days / max(single, 1e-9), 0.0, 1)


def ratio_of(days: Sequence[float], single: Sequence[float]) -> float:
    return statistics.median(mine / max(other, 1e-9) for mine, other in zip(days, single, strict=True))


def took(work: Callable[[], object]) -> Took:
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return Took(time.perf_counter() - wall, time.process_time() - cpu)


def summed(some: Sequence[Took]) -> Took:
    return Took(sum(one.wall_s for one in some), sum(one.cpu_s for one in some))


def asked(question: Question, check: Callable[[], None]) -> Measure:
    """Ask both in turn, who begins changing from round to round, and compare every answer; Differs where they are not
    the same. `check` is called between rounds, and may raise."""
    times: Times = ([], [])
    began = time.perf_counter()
    for number in range(ROUNDS[1] + 1):
        answers: list[object] = [None, None]
        for which in (0, 1) if number % 2 else (1, 0):
            side = (question.days, question.single)[which]
            cpu, wall = time.process_time(), time.perf_counter()
            answers[which] = side(number)
            one = Took(time.perf_counter() - wall, time.process_time() - cpu)
            if number:  # the first one warms up
                times[which].append(one)
        expect_same(question.name, *answers)
        check()
        if number >= ROUNDS[0] and time.perf_counter() - began > QUESTION_S:
            break
    return latency(question.name, question.title, times)


def expect_same(name: str, days: object, single: object) -> None:
    """Differs where the answers are not the same."""
    one, other = plain(days), plain(single)
    if one != other:
        said = f"the days say {_short(one)}, the single file {_short(other)}"
        raise Differs("compare the layouts", name, said, "one of them is wrong: please report this")


def _cpu_ratio(times: Times) -> float:
    days, single = (sum(one.cpu_s for one in side) for side in times)
    return days / single if single > 0 else 0.0


def _short(answer: object) -> str:
    length = f"{len(answer)} rows " if isinstance(answer, list) else ""
    text = repr(answer)
    return length + (text if len(text) <= 120 else text[:120] + "…")


def _percentiles(values: Sequence[float]) -> Side:
    ordered = sorted(values)
    return Side(
        statistics.median(ordered), *(ordered[min(int(len(ordered) * at), len(ordered) - 1)] for at in (0.95, 0.99))
    )


def _side(said: object) -> Side:
    if not isinstance(said, dict) or set(said) != set(Side.__slots__) or not all(map(_is_number, said.values())):
        raise ValueError("no side of a measure")
    return Side(**said)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == value and abs(value) < 1e15
