"""Redaction on the labelled corpus of `tests/corpus/`: what it must find, and what it must leave.

The short form of `benchmarks/redaction.py`; with EYELET_SOAK set on ten times as many samples of another seed.
"""

import json
import os
import re

import pytest

from eyelet_ingest.intake import clean
from eyelet_ingest.redaction import Redactor
from tests.corpus.make import Sample, make
from tests.corpus.measure import MARKER, Outcome, measure

pytestmark = pytest.mark.store

SOAK = bool(os.environ.get("EYELET_SOAK"))
SEED, ROUNDS = (20261121, 20) if SOAK else (1, 2)
RECALL, PRECISION = 0.99, 0.95
KIND_FLOOR = 0.9  # of any single kind, recall and precision; those below with their reason
FLOORS: dict[str, tuple[float, float]] = {}


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return list(make(SEED, ROUNDS))


@pytest.fixture(scope="module")
def outcome(samples: list[Sample]) -> Outcome:
    redactor = Redactor(b"k" * 32)
    return measure(samples, lambda value: clean(json.dumps(value), value, redactor)[0])


def test_of_a_hundred_planted_secrets_at_most_one_is_missed(outcome: Outcome) -> None:
    assert outcome.whole().recall >= RECALL, [(sample.kind, sample.where) for sample, _ in outcome.missed[:40]]


def test_of_a_hundred_markers_at_most_five_stand_for_what_was_no_secret(outcome: Outcome) -> None:
    assert outcome.whole().precision >= PRECISION, [(sample.kind, text) for sample, text in outcome.taken[:40]]


def test_no_kind_is_far_below_the_others(outcome: Outcome) -> None:
    for kind, tally in outcome.kinds.items():
        recall, precision = FLOORS.get(kind, (KIND_FLOOR, 0.0 if kind.startswith("near:") else KIND_FLOOR))
        assert tally.recall >= recall, (kind, tally.missed_where)
        assert tally.precision >= precision, (kind, [text for sample, text in outcome.taken if sample.kind == kind])


def test_of_a_hundred_near_misses_at_most_three_are_touched(samples: list[Sample], outcome: Outcome) -> None:
    near = [sample for sample in samples if not sample.secrets]
    touched = {id(sample) for sample, _ in outcome.taken if not sample.secrets}
    assert len(touched) <= 0.03 * len(near)


def test_the_same_seed_makes_the_same_corpus() -> None:
    assert list(make(5, 1)) == list(make(5, 1)) != list(make(6, 1))


def test_every_secret_of_the_corpus_stands_in_a_string_of_its_sample(samples: list[Sample]) -> None:
    for sample in samples:
        held = "\n".join(_strings(sample.value))
        assert all(secret in held for secret in sample.secrets), (sample.kind, sample.where)


def test_a_redactor_that_does_nothing_or_takes_all_is_told_so(samples: list[Sample]) -> None:
    nothing = measure(samples, lambda value: value).whole()
    assert (nothing.found, nothing.right, nothing.false) == (0, 0, 0)
    everything = measure(samples, _blotted).whole()
    assert everything.recall == 1
    assert everything.precision < 0.5


def _blotted(value: object) -> object:
    if isinstance(value, dict):
        return {
            f"{key}" if key == "seen" else f"[redacted:all]#{at}": _blotted(item)
            for at, (key, item) in enumerate(value.items())
        }
    if isinstance(value, list):
        return [_blotted(item) for item in value]
    return "[redacted:all]" if isinstance(value, str) else value


def _strings(value: object) -> list[str]:
    if isinstance(value, dict):
        return [*map(str, value), *(text for item in value.values() for text in _strings(item))]
    if isinstance(value, list):
        return [text for item in value for text in _strings(item)]
    return [value] if isinstance(value, str) else []


def test_both_forms_of_a_marker_are_known_to_the_measure() -> None:
    for text in ("[redacted:password]", "[redacted:github-token:9f2c61]", "[redacted:github-token:9f2c61]#1"):
        assert MARKER.fullmatch(text)
    assert not re.fullmatch(MARKER, "[redacted]")
