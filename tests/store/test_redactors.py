"""kill -9 in the middle of a redaction leaves each day and file old or new, and the next one finishes it."""

import os
import subprocess
import sys
from pathlib import Path

REDACTORS = Path(__file__).parent / "redactors.py"
SOAK = bool(os.environ.get("EYELET_SOAK"))
SEED = 20260320


def run(root: str, what: str, *numbers: int) -> str:
    command = [sys.executable, str(REDACTORS), root, str(SEED), what, *map(str, numbers)]
    path = os.pathsep.join(one for one in sys.path if one)
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path})
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_whoever_is_killed_redacting_leaves_old_or_new_and_the_next_one_finishes_it(root: str) -> None:
    """A sealed day, its archive, the spool and a JSON file, killed at any moment."""
    rounds = 2_000 if SOAK else 20
    assert int(run(root, "kill", rounds)) > rounds // 5


def test_writers_and_readers_go_on_while_their_day_is_redacted_and_nothing_is_lost(root: str) -> None:
    run(root, "together", 16 if SOAK else 3, 200 if SOAK else 20)
