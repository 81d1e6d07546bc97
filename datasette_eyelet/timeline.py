"""The picture of a session in time: how many calls when, what failed, where prompts were, when subagents ran. Pure.

The axis leaves pauses short, so that the work of several days can be seen; `scale` says which part of the width is
which time. Bounded whatever is recorded: COLUMNS columns, MARKS_MOST marks, LANES_MOST lanes.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt

from eyelet_ingest.store.session import Agent
from eyelet_ingest.store.steps import Step

WIDTH = 1_000
COLUMNS = 200
BARS_TOP, BARS_HEIGHT = 18, 60
LANE_HEIGHT = 9
MARKS_MOST = 200
LANES_MOST = 8
PAUSES_MOST = 30  # the longest of them are shortened
PAUSE_WIDTH = 0.012  # of the whole width, each


@dataclass(frozen=True, slots=True)
class Bar:
    """One column: `x`, and from the top down what failed, what else calls did, and what was said; `key` is that of its
    first step."""

    x: float
    width: float
    parts: tuple[tuple[str, float, float], ...]  # (class, y, height)
    steps: int
    failed: int
    key: str
    at_us: int


@dataclass(frozen=True, slots=True)
class Mark:
    """A prompt, a failure or a compaction, at `x`."""

    kind: str
    x: float
    key: str
    gist: str


@dataclass(frozen=True, slots=True)
class Lane:
    """A subagent's time."""

    agent: str
    name: str
    x: float
    width: float
    y: float
    failed: bool


@dataclass(frozen=True, slots=True)
class Timeline:
    """Everything the picture shows. `scale` are pairs of fraction of the width and µs, rising, straight between them;
    `pauses` are (x, width) of what was shortened; `stretches` the work between them."""

    since_us: int
    until_us: int
    height: int
    bars: tuple[Bar, ...]
    marks: tuple[Mark, ...]
    lanes: tuple[Lane, ...]
    more_lanes: int
    pauses: tuple[tuple[float, float], ...]
    stretches: tuple[tuple[int, int], ...]
    scale: tuple[tuple[float, int], ...]

    @property
    def scale_text(self) -> str:
        """For the script that zooms; "" where the axis is straight."""
        return " ".join(f"{part:.5f},{us}" for part, us in self.scale) if len(self.scale) > 2 else ""


def timeline(
    steps: Sequence[Step], agents: dict[str, Agent], pauses: Sequence[tuple[int, int]], since_us: int, until_us: int
) -> Timeline:
    """Of these steps, in order, from since to until, which is later."""
    shown = [(max(a, since_us), min(b, until_us)) for a, b in pauses if b > since_us and a < until_us]
    shortened = sorted(sorted(shown, key=lambda one: one[0] - one[1])[:PAUSES_MOST])
    scale = _scale(since_us, until_us, shortened)
    lanes = [agent for agent in agents.values() if agent.id and agent.last_us >= since_us and agent.first_us < until_us]
    lanes.sort(key=lambda agent: agent.first_us)
    drawn = lanes[:LANES_MOST]
    return Timeline(
        since_us=since_us,
        until_us=until_us,
        height=BARS_TOP + BARS_HEIGHT + 4 + LANE_HEIGHT * len(drawn),
        bars=tuple(_bars(steps, scale)),
        marks=tuple(_marks(steps, scale)),
        lanes=tuple(_lane(agent, at, scale, since_us, until_us) for at, agent in enumerate(drawn)),
        more_lanes=len(lanes) - len(drawn),
        pauses=tuple((_x(scale, a), _x(scale, b) - _x(scale, a)) for a, b in shortened),
        stretches=_stretches(since_us, until_us, shortened),
        scale=scale,
    )


def fraction(scale: Sequence[tuple[float, int]], us: int) -> float:
    """Where a time lies, from 0 to 1."""
    at = bisect_right(scale, us, key=lambda one: one[1])
    if at == 0:
        return 0.0
    if at == len(scale):
        return 1.0
    (low, first_us), (high, end_us) = scale[at - 1], scale[at]
    return low + (high - low) * (us - first_us) / max(end_us - first_us, 1)


def _scale(since_us: int, until_us: int, pauses: Sequence[tuple[int, int]]) -> tuple[tuple[float, int], ...]:
    paused = sum(b - a for a, b in pauses)
    worked = max(until_us - since_us - paused, 1)
    width = PAUSE_WIDTH if paused < until_us - since_us else 1 / max(len(pauses), 1)
    room = 1 - width * len(pauses)
    found: list[tuple[float, int]] = [(0.0, since_us)]
    at, last_us = 0.0, since_us
    for a, b in pauses:
        at += room * (a - last_us) / worked
        found.append((at, a))
        at += width
        found.append((at, b))
        last_us = b
    found.append((1.0, until_us))
    rising = [one for one, following in pairwise(found) if following[1] > one[1]]
    return (*rising, found[-1])


def _x(scale: Sequence[tuple[float, int]], us: int) -> float:
    return round(fraction(scale, us) * WIDTH, 2)


def _bars(steps: Sequence[Step], scale: Sequence[tuple[float, int]]) -> list[Bar]:
    columns: dict[int, list[Step]] = {}
    for step in steps:
        columns.setdefault(min(int(fraction(scale, step.at_us) * COLUMNS), COLUMNS - 1), []).append(step)
    most = max(map(len, columns.values()), default=1)
    width = WIDTH / COLUMNS
    return [_bar(columns[at], at * width, width, most) for at in sorted(columns)]


def _bar(steps: list[Step], x: float, width: float, most: int) -> Bar:
    failed = sum(step.failed for step in steps)
    calls = sum(step.kind == "call" and not step.failed for step in steps)
    height = BARS_HEIGHT * sqrt(len(steps) / most)  # a root: one failure beside hundreds of calls is still seen
    parts: list[tuple[str, float, float]] = []
    y = BARS_TOP + BARS_HEIGHT - height
    for name, count in (("failed", failed), ("call", calls), ("said", len(steps) - failed - calls)):
        if count:
            tall = height * count / len(steps)
            parts.append((name, round(y, 2), round(tall, 2)))
            y += tall
    return Bar(round(x, 2), round(width - 0.8, 2), tuple(parts), len(steps), failed, steps[0].key, steps[0].at_us)


def _marks(steps: Sequence[Step], scale: Sequence[tuple[float, int]]) -> list[Mark]:
    found = [
        Mark("failed" if step.failed else step.kind, _x(scale, step.at_us), step.key, step.gist or step.tool)
        for step in steps
        if step.failed or step.kind == "compaction" or (step.kind == "prompt" and not step.agent_id)
    ]
    if len(found) > MARKS_MOST:  # every so-many-th: the bars have them all
        found = found[:: len(found) // MARKS_MOST + 1]
    return found


def _lane(agent: Agent, at: int, scale: Sequence[tuple[float, int]], since_us: int, until_us: int) -> Lane:
    x, end = _x(scale, max(agent.first_us, since_us)), _x(scale, min(agent.last_us, until_us))
    y = BARS_TOP + BARS_HEIGHT + 4 + at * LANE_HEIGHT
    return Lane(agent.id, agent.name or agent.id, x, max(round(end - x, 2), 2.0), y, agent.failed > 0)


def _stretches(since_us: int, until_us: int, pauses: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """The times of work; none where there is no pause."""
    if not pauses:
        return ()
    edges = [since_us, *(us for pause in pauses for us in pause), until_us]
    return tuple((edges[at], edges[at + 1]) for at in range(0, len(edges), 2) if edges[at + 1] > edges[at])
