"""No input makes any source raise. The long form has atheris look for one, guided by what the code does with each."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sources.fuzzed import samples, take, words
from tests.sources.shapes import EXAMPLES

RUNS = 10_000_000
SEEDS = list(samples())
REPOSITORY = Path(__file__).resolve().parents[2]


def test_every_sample_of_the_documentation_becomes_events() -> None:
    assert len(SEEDS) > 500
    for raw in SEEDS:
        assert take(raw), raw


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.sampled_from(SEEDS), st.lists(st.tuples(st.integers(0, 500), st.sampled_from(sorted(words())))))
def test_no_sample_raises_whatever_stands_in_it(raw: bytes, changes: list[tuple[int, str]]) -> None:
    text = raw.decode()
    for at, word in changes:
        strings = text.split('"')
        strings[at % len(strings)] = word
        text = '"'.join(strings)
    take(text.encode())


@pytest.mark.skipif(not os.environ.get("EYELET_SOAK"), reason="ten million inputs take hours: EYELET_SOAK=1")
@pytest.mark.skipif(not importlib.util.find_spec("atheris"), reason="atheris is not here: pip install '.[fuzz]'")
def test_nothing_that_atheris_finds_raises(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number, raw in enumerate(SEEDS):
        (corpus / str(number)).write_bytes(raw)
    escaped = (word.replace("\\", "\\\\").replace('"', '\\"') for word in sorted(words()))
    (tmp_path / "words").write_text("".join(f'"{word}"\n' for word in escaped), encoding="utf-8")
    runs = os.environ.get("EYELET_FUZZ_RUNS", RUNS)
    command = [sys.executable, "-m", "tests.sources.fuzzing", str(corpus), f"-runs={runs}", f"-dict={tmp_path}/words"]
    command += ["-max_len=4096", "-timeout=60", f"-artifact_prefix={tmp_path}/"]
    path = os.pathsep.join((str(REPOSITORY / "ingest"), str(REPOSITORY), *filter(None, sys.path)))
    done = subprocess.run(
        command, capture_output=True, text=True, errors="replace", env={**os.environ, "PYTHONPATH": path}
    )
    assert done.returncode == 0, done.stderr[-4_000:]
