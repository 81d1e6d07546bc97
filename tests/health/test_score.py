"""The score: nothing that gets worse raises it, the same findings give the same, and every point is accounted for."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from eyelet_ingest import settings
from eyelet_ingest.health import score
from eyelet_ingest.health.finding import AREAS, ERROR, OK, STATUSES, UNKNOWN, WARN, Finding
from eyelet_ingest.store.metrics import Timing

CHECKS = {f"{area}-{number}": area for area in AREAS for number in range(2)}
ALL_OK = [Finding(OK, "well", name=name) for name in CHECKS]

FOUND = some.lists(
    some.builds(Finding, some.sampled_from(STATUSES), some.just("so"), name=some.sampled_from(sorted(CHECKS))),
    max_size=30,
)


def measured(op: str = "search", count: int = 100, p99_ms: float | None = 10.0, errors: int = 0) -> Timing:
    return Timing(op, count, 1.0, 1.0, 1.0, 1.0, p99_ms, errors, 0, 0, {})


TIMED = some.lists(
    some.builds(
        measured,
        some.sampled_from(["search", "append", "capture"]),
        some.integers(1, 1_000),
        some.floats(0, 1e5),
        some.integers(0, 50),
    ),
    max_size=4,
    unique_by=lambda one: one.op,
)


def of(found: Sequence[Finding], timings: Sequence[Timing] = ()) -> score.Score:
    return score.of(found, timings, CHECKS)


def is_no_better(worse: score.Score, better: score.Score) -> bool:
    areas = zip(worse.areas, better.areas, strict=True)
    return worse.total <= better.total and all(one.score <= other.score for one, other in areas)


@given(found=FOUND, timings=TIMED, data=some.data())
def test_a_finding_that_gets_worse_never_raises_the_score(
    found: list[Finding], timings: list[Timing], data: some.DataObject
) -> None:
    if not found:
        return
    at = data.draw(some.integers(0, len(found) - 1))
    status = data.draw(some.sampled_from(STATUSES[STATUSES.index(found[at].status) :]))
    worse = [*found[:at], replace(found[at], status=status), *found[at + 1 :]]
    assert is_no_better(of(worse, timings), of(found, timings))


@given(found=FOUND, status=some.sampled_from(STATUSES), area=some.sampled_from(sorted(AREAS)))
def test_one_more_finding_of_a_check_never_raises_the_score(found: list[Finding], status: str, area: str) -> None:
    found = [one for one in found if one.name.endswith("-0")]
    found += [one for one in ALL_OK if one.name.endswith("-1")]  # every area was looked at
    assert is_no_better(of([*found, Finding(status, "more", name=f"{area}-0")]), of(found))


@given(found=FOUND, timings=TIMED, more_ms=some.floats(0, 1e5), more_errors=some.integers(0, 50))
def test_work_that_gets_slower_or_fails_more_never_raises_the_score(
    found: list[Finding], timings: list[Timing], more_ms: float, more_errors: int
) -> None:
    worse = [replace(one, p99_ms=(one.p99_ms or 0) + more_ms, errors=one.errors + more_errors) for one in timings]
    assert is_no_better(of(found, worse), of(found, timings))


@given(found=FOUND, timings=TIMED, order=some.randoms())
def test_the_score_does_not_depend_on_the_order_and_every_point_is_accounted_for(
    found: list[Finding], timings: list[Timing], order: object
) -> None:
    one = of(found, timings)
    shuffled = list(found)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    assert of(shuffled, timings) == one
    for area in one.areas:
        assert area.score == max(0, 100 - round(sum(part.lost for part in area.parts)))
        assert all(part.lost > 0 and part.what and part.why for part in area.parts)
    assert 0 <= min(area.score for area in one.areas) <= one.total <= max(area.score for area in one.areas) <= 100


def test_all_well_is_a_hundred_in_six_areas() -> None:
    found = of(ALL_OK, [measured()])
    assert (found.total, [area.name for area in found.areas]) == (100, list(AREAS))
    assert all(area.score == 100 and not area.parts and area.looked_at == 2 for area in found.areas)


@pytest.mark.parametrize(("status", "area_score", "total"), [(ERROR, 40, 65), (WARN, 80, 88), (UNKNOWN, 95, 97)])
def test_one_bad_area_does_not_hide_behind_five_good_ones(status: str, area_score: int, total: int) -> None:
    found = of([*ALL_OK, Finding(status, "a page is damaged", name="integrity-0")])
    integrity = found.areas[0]
    assert (integrity.score, found.total) == (area_score, total)
    assert [(part.what, part.why) for part in integrity.parts] == [("integrity-0", "a page is damaged")]
    assert [area.score for area in found.areas[1:]] == [100] * 5


def test_further_findings_of_a_check_count_ever_less_and_are_counted() -> None:
    days = [Finding(ERROR, f"day {number} is damaged", name="integrity-0") for number in range(2)]
    (part,) = of([*ALL_OK, *days]).areas[0].parts
    assert part == score.Part("integrity-0", 90.0, "day 0 is damaged; and 1 more")


def test_slow_questions_and_failures_lose_points_and_what_was_measured_too_rarely_does_not() -> None:
    def parts(**fields: object) -> list[tuple[str, float]]:
        recording = next(area for area in of(ALL_OK, [measured(**fields)]).areas if area.name == "recording")  # type: ignore[arg-type]
        return [(part.what, part.lost) for part in recording.parts]

    assert parts(p99_ms=2_000.0) == [("search: slow", 10.0)]
    assert parts(p99_ms=1e9) == [("search: slow", 40.0)]
    assert parts(op="append", p99_ms=1e9) == []
    assert parts(errors=5) == [("search: failed", 20.0)]
    assert parts(count=19, p99_ms=1e9, errors=19) == []


def test_an_area_that_nobody_looked_at_is_not_called_well() -> None:
    found = of([])
    assert [area.score for area in found.areas] == [95] * 6
    assert found.areas[0].parts == (score.Part("checks", 5.0, "nothing of it was looked at"),)


def test_a_check_of_a_plugin_with_no_area_of_ours_still_counts() -> None:
    assert score.of([Finding(ERROR, "bad", name="foreign")], (), {"foreign": "weather"}).total < 95


@pytest.mark.parametrize(("total", "status"), [(80, OK), (79, WARN), (50, WARN), (49, ERROR)])
def test_the_settings_say_which_score_is_an_alert(total: int, status: str) -> None:
    held = settings.of_files("", "")
    areas = tuple(score.AreaScore(name, title, total, (), 1) for name, title in AREAS.items())
    found = score.finding(score.Score(total, areas), held)
    assert (found.status, found.name, found.evidence["score"]) == (status, "score", total)
