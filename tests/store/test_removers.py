"""kill -9 in the middle of a deletion leaves each day before or after it, and the next one leaves no byte."""

import os
import subprocess
import sys
from pathlib import Path

REMOVERS = Path(__file__).parent / "removers.py"
SOAK = bool(os.environ.get("EYELET_SOAK"))
SEED = 20260320


def run(root: str, what: str, *numbers: int) -> str:
    command = [sys.executable, str(REMOVERS), root, str(SEED), what, *map(str, numbers)]
    path = os.pathsep.join(one for one in sys.path if one)
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path})
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_whoever_is_killed_deleting_has_done_all_of_a_day_or_nothing(root: str) -> None:
    """A session, a project, a whole day and a retired one, killed at any moment; the next deletion finishes it."""
    rounds = 10_000 if SOAK else 60
    assert int(run(root, "kill", rounds)) > rounds // 5


def test_writers_and_readers_go_on_while_their_day_is_removed_and_nothing_is_lost(root: str) -> None:
    run(root, "together", 20 if SOAK else 4, 200 if SOAK else 25)
