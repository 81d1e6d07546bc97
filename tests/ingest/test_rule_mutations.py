"""Every rule, stem and probe of redaction is there for something: switched off, it is missed.

The short form tries a sample of them; with EYELET_SOAK set all (`python -m tests.ingest.mutants` names those that
nothing notices).
"""

import json
import os
from random import Random

import pytest

from eyelet_ingest import intake, redaction_providers
from eyelet_ingest.redaction import Redactor
from tests.corpus.generated import matching
from tests.ingest.mutants import Judge, Mutant, mutants, switched_off

pytestmark = pytest.mark.store

SOAK = bool(os.environ.get("EYELET_SOAK"))
TRIED = 16
# Whose absence changes nothing, and why it stays.
SPARE = {
    "_KEY_NAMES: b'secretkey'": "`secret` is asked for by itself",
    "_KEY_NAMES: b'cookiekey'": "`cookie` is asked for by itself",
    "_KEY_NAMES: b'presharedkey'": "it ends in `sharedkey`",
    "or b'key' in low": "of names alone, where the names of keys are asked for next",
    "or b'?' in raw and b'?sig=' in raw": "a signature is a long run besides, unless it is full of escapes",
    "or first == b'0' and second in b'9adAD'": "line ends and tabs, beside which others are escaped as a rule",
    "or ':\\\\' in text": "half of `:\\/\\/`, whose other half is asked for, too",
    "or b'-u' in low": "an option behind a blank is asked for with its command",
    "or b'--user' in low": "an option behind a blank is asked for with its command",
    "or b'-b' in low": "an option behind a blank is asked for with its command",
    "or low.startswith(b'\\\\t', end)": "a sign behind it is asked for as well",
}


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge()


@pytest.fixture(scope="module")
def tried() -> list[Mutant]:
    every = list(mutants())
    assert len(every) > 250
    return every if SOAK else Random(11).sample(every, TRIED)


def test_whatever_is_switched_off_is_missed(judge: Judge, tried: list[Mutant]) -> None:
    silent = [f"{mutant.module}: {mutant.gone}" for mutant in tried if not judge.notices(mutant)]
    assert [one for one in silent if one.split(": ", 1)[1] not in SPARE] == []


def test_with_nothing_switched_off_nothing_is_missed(judge: Judge) -> None:
    assert not judge.notices(Mutant("redaction_rules", "nothing", lambda tree: None))


def test_redaction_is_itself_again_afterwards() -> None:
    before = Redactor
    with switched_off(next(iter(mutants()))):
        pass
    from eyelet_ingest import redaction

    assert redaction.Redactor is before


@pytest.mark.parametrize("table", ["AT_RUNS", "BEFORE_RUNS", "SHAPES"])
def test_every_format_is_found_through_the_probes(table: str) -> None:
    """A token by each provider's format, within a payload: the probes let it through, and the rules find it."""
    rng, redactor, missed = Random(5), Redactor(b"k" * 32), []
    for first, second, third in getattr(redaction_providers, table):
        token = matching(third, rng) if table == "SHAPES" else first + matching(third, rng)
        for text in (f"use '{token}' there", token, f"X={token}\n"):
            value = {"tool_input": {"command": text}}
            if token in json.dumps(intake.clean(json.dumps(value), value, redactor)[0]):
                missed.append((first, second, text))
    assert missed == []
