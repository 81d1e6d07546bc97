"""How well a root is, as one number from 0 to 100, and what it lost where and why. Pure: the same findings, the same
score; nothing that gets worse ever raises it.

Each of the six AREAS begins with 100. A check loses it points by its findings: an error ERROR_LOSES, a warning
WARN_LOSES, what could not be looked at UNKNOWN_LOSES; of several findings of one check the worst counts whole, the next
half, the next a quarter. What was measured loses points, too: questions that are slow, and things that failed. The
whole is half the mean of the areas, and half the worst of them: one bad area cannot hide behind five good ones.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eyelet_ingest.health.finding import AREAS, ERROR, OK, STATUSES, UNKNOWN, WARN, Finding
from eyelet_ingest.settings import BY_NAME, Settings

if TYPE_CHECKING:
    from eyelet_ingest.store.metrics import Timing

BEST = 100
ERROR_LOSES, WARN_LOSES, UNKNOWN_LOSES = 60.0, 20.0, 5.0
LOSES = {OK: 0.0, UNKNOWN: UNKNOWN_LOSES, WARN: WARN_LOSES, ERROR: ERROR_LOSES}
SLOW_LOSES, SLOW_MOST = 10.0, 40.0  # for questions that take twice as long as they may, and each time more; at most
FAILED_LOSES, FAILED_MOST = 400.0, 40.0  # for all of them failing, at most: one in ten is enough
# What people wait for; what hooks may take is a check's.
ASKED = ("search", "count", "facets", "histogram", "session", "text")
LEAST_COUNT = 20  # fewer were measured: that says nothing
MEASURED = "recording"  # the area of latency and errors
OTHER_AREA = "recording"  # of a check that names no area of ours


@dataclass(frozen=True, slots=True)
class Part:
    """What lost how many points, and why: `what` is a check's name, or what was measured."""

    what: str
    lost: float
    why: str


@dataclass(frozen=True, slots=True)
class AreaScore:
    """One area: 100 less what its parts lost, never below 0. `looked_at` is how many checks said anything of it."""

    name: str
    title: str
    score: int
    parts: tuple[Part, ...]
    looked_at: int


@dataclass(frozen=True, slots=True)
class Score:
    """The whole, and the six areas it is of, in the order of AREAS."""

    total: int
    areas: tuple[AreaScore, ...]

    def as_json(self) -> dict[str, object]:
        """As pages and commands give it to programs."""
        return {
            "score": self.total,
            "areas": [
                {
                    "name": area.name,
                    "title": area.title,
                    "score": area.score,
                    "checks": area.looked_at,
                    "lost": [{"what": part.what, "points": part.lost, "why": part.why} for part in area.parts],
                }
                for area in self.areas
            ],
        }


def of(
    findings: Iterable[Finding],
    timings: "Sequence[Timing]" = (),
    areas: Mapping[str, str] | None = None,
    *,
    slow_ms: float | None = None,
) -> Score:
    """The score of what was found and measured. `areas` says the area of each check by its name; without it, those of
    our own checks. `slow_ms` is what 99 of 100 questions may take: the setting `health.query_p99_warn_ms`."""
    if areas is None:
        from eyelet_ingest.health.checks import built_in

        areas = {check.name: check.area for check in built_in()}
    found: dict[str, dict[str, list[Finding]]] = {name: {} for name in AREAS}
    for one in findings:
        area = areas.get(one.name, OTHER_AREA)
        found[area if area in AREAS else OTHER_AREA].setdefault(one.name, []).append(one)
    limit_ms = float(BY_NAME["health.query_p99_warn_ms"].default) if slow_ms is None else slow_ms
    scored = []
    for name, title in AREAS.items():
        parts = [part for check, said in found[name].items() if (part := _part(check, said)).lost]
        if name == MEASURED:
            parts += _measured(timings, limit_ms)
        scored.append(_area(name, title, parts, len(found[name])))
    return Score(_total([area.score for area in scored]), tuple(scored))


def level(total: int, settings: Settings) -> str:
    """Whether a score is ok, warn or error by the settings."""
    if total < settings["health.score_error"]:
        return ERROR
    return WARN if total < settings["health.score_warn"] else OK


def finding(found: Score, settings: Settings, fix: str = "eyelet doctor") -> Finding:
    """The score as a finding, what alerts are made of; `fix` is the command that says more."""
    weakest = min(found.areas, key=lambda area: area.score)
    said = f"the score is {found.total} of {BEST}"
    evidence = {"score": found.total, **{area.name: area.score for area in found.areas}}
    status = level(found.total, settings)
    if status != OK:
        said += f"; the weakest area is {weakest.title} with {weakest.score}"
    return Finding(status, said, "" if status == OK else fix, evidence, name="score")


def _area(name: str, title: str, parts: list[Part], looked_at: int) -> AreaScore:
    if not looked_at:
        parts = [Part("checks", UNKNOWN_LOSES, "nothing of it was looked at"), *parts]
    parts.sort(key=lambda part: (-part.lost, part.what))
    lost = sum(part.lost for part in parts)
    return AreaScore(name, title, max(0, BEST - round(lost)), tuple(parts), looked_at)


def _part(check: str, said: Sequence[Finding]) -> Part:
    """The sum is of falling losses by falling weights: worsening any one finding can only raise it."""
    bad = sorted(said, key=lambda one: (-STATUSES.index(one.status), one.message))
    lost = sum(LOSES[one.status] / 2**at for at, one in enumerate(bad[:50]))
    more = sum(one.status != OK for one in bad) - 1
    why = bad[0].message + (f"; and {more:,} more" if more > 0 else "")
    return Part(check, round(min(lost, float(BEST)), 1), why)


def _measured(timings: "Sequence[Timing]", limit_ms: float) -> list[Part]:
    """What slow and failing work loses: of each kind of work by itself."""
    parts = []
    for one in sorted(timings, key=lambda timing: timing.op):
        if one.count < LEAST_COUNT:
            continue
        slow = _slow(one.p99_ms, limit_ms) if one.op in ASKED else 0.0
        if slow:
            parts.append(Part(f"{one.op}: slow", slow, f"one in a hundred took more than {one.p99_ms:,.0f} ms"))
        failed = round(min(FAILED_MOST, FAILED_LOSES * min(one.errors / one.count, 1.0)), 1)
        if failed:
            parts.append(Part(f"{one.op}: failed", failed, f"{one.errors:,} of {one.count:,} failed"))
    return parts


def _slow(p99_ms: float | None, limit_ms: float) -> float:
    if p99_ms is None or limit_ms <= 0 or p99_ms <= limit_ms:
        return 0.0
    return round(min(SLOW_MOST, SLOW_LOSES * (p99_ms / limit_ms - 1)), 1)


def _total(scores: Sequence[int]) -> int:
    return int((sum(scores) / len(scores) + min(scores)) / 2)
