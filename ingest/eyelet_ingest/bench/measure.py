"""Two sides measured in turn, so that what else the machine does falls on both; and what their times add up to."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from eyelet_ingest.bench.questions import Question, plain
from eyelet_ingest.errors import EyeletError

ROUNDS = (5, 40)  # at least, and at most
QUESTION_S = 1.5  # after which no further round of a question begins
LATENCY, RATE, SIZE = "ms", "/s", "MiB"  # units; of a rate more is better, of the others less


class Differs(EyeletError):
    """The two layouts answered differently: then no figure of this run means anything."""


@dataclass(frozen=True, slots=True)
class Side:
    """What one layout did: the median, and of latencies where 95 and 99 of a hundred lie; in the measure's unit."""

    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing measured on both. `ratio` is what the days take ÷ what the single file takes, the median over rounds:
    below 1 the days are better, of rates too. `samples` of each side."""

    name: str
    title: str
    unit: str
    days: Side
    single: Side
    ratio: float
    samples: int

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def from_json(said: object) -> Measure:
    """What `as_json` told; ValueError for what is none."""
    if not isinstance(said, dict) or set(said) != set(Measure.__slots__):
        raise ValueError("no measure")
    texts, numbers = ("name", "title", "unit"), ("ratio", "samples")
    if not all(isinstance(said[name], str) for name in texts) or not all(_is_number(said[name]) for name in numbers):
        raise ValueError("no measure")
    sides = {name: _side(said[name]) for name in ("days", "single")}
    return Measure(**{**said, **sides})


def latency(
    name: str, title: str, days_s: Sequence[float], single_s: Sequence[float], *, in_pairs: bool = True
) -> Measure:
    """Of the seconds that each round took on either side; where they are not of one moment `in_pairs`, the ratio is
    that of the medians."""
    return Measure(
        name, title, LATENCY,
        _percentiles([took * 1000 for took in days_s]),
        _percentiles([took * 1000 for took in single_s]),
        ratio_of(*(days_s, single_s) if in_pairs else ([statistics.median(days_s)], [statistics.median(single_s)])),
        len(days_s),
    )  # fmt: skip


def rate(name: str, title: str, done: Sequence[int], days_s: Sequence[float], single_s: Sequence[float]) -> Measure:
    """Things a second over all rounds; of each round how many were `done`, and the seconds it took on either side."""
    days, single = (sum(done) / max(sum(took), 1e-9) for took in (days_s, single_s))
    return Measure(
        name, title, RATE, Side(days, days, days), Side(single, single, single), ratio_of(days_s, single_s), len(done)
    )


def size(name: str, title: str, days: float, single: float) -> Measure:
    """In MiB."""
    return Measure(name, title, SIZE, Side(days, days, days), Side(single, single, single), days / max(single, 1e-9), 1)


def ratio_of(days: Sequence[float], single: Sequence[float]) -> float:
    return statistics.median(mine / max(other, 1e-9) for mine, other in zip(days, single, strict=True))


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def asked(question: Question, check: Callable[[], None]) -> Measure:
    """Ask both in turn, who begins changing from round to round, and compare every answer; Differs where they are not
    the same. `check` is called between rounds, and may raise."""
    times: tuple[list[float], list[float]] = ([], [])
    began = time.perf_counter()
    for number in range(ROUNDS[1] + 1):
        answers: list[object] = [None, None]
        for which in (0, 1) if number % 2 else (1, 0):
            side = (question.days, question.single)[which]
            started = time.perf_counter()
            answers[which] = side(number)
            took = time.perf_counter() - started
            if number:  # the first one warms up
                times[which].append(took)
        expect_same(question.name, *answers)
        check()
        if number >= ROUNDS[0] and time.perf_counter() - began > QUESTION_S:
            break
    return latency(question.name, question.title, *times)


def expect_same(name: str, days: object, single: object) -> None:
    """Differs where the answers are not the same."""
    one, other = plain(days), plain(single)
    if one != other:
        said = f"the days say {_short(one)}, the single file {_short(other)}"
        raise Differs("compare the layouts", name, said, "one of them is wrong: please report this")


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
