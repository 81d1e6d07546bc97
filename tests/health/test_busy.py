"""Readers by the hundred, writers and automatic checkpoints at once: nothing is lost, nobody turned away, WALs have an
end. `benchmarks/busy.py` does it, and says how long everybody took; under EYELET_SOAK for a minute, with more of them.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from eyelet_ingest.health.strategies import BUILT_IN

BUSY = Path(__file__).resolve().parents[2] / "benchmarks" / "busy.py"
IS_LONG = bool(os.environ.get("EYELET_SOAK"))
READERS, WRITERS, SECONDS = (200, 8, 60) if IS_LONG else (104, 3, 1)
SQLITES_OWN_BYTES = 1_000 * (4_096 + 24)  # SQLite brings a WAL in at the commit that makes it longer
SLACK_BYTES = 8 * 2**20  # of readers that need what stands in it: it goes on growing until they are done


@pytest.mark.parametrize("strategy", BUILT_IN if IS_LONG else ["LowLatency"])
def test_readers_writers_and_checkpoints_are_not_in_each_others_way(strategy: str, tmp_path: Path) -> None:
    command = [sys.executable, str(BUSY), "--json", "--rounds", "1", "--seconds", str(SECONDS)]
    command += ["--readers", str(READERS), "--writers", str(WRITERS), "--strategy", strategy]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "TMPDIR": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)[0]
    kept = said["checkpoints"]
    assert said["lost"] == 0
    assert said["bad"] == 0  # every question was answered whole, and every event taken
    assert kept["failed"] == 0
    assert kept["ran"] >= 1
    assert kept["at_rest_bytes"] == 0  # the day that nobody wrote to was emptied meanwhile
    assert len(said["writes_ms"]) >= WRITERS
    assert len(said["reads_ms"]) >= READERS
    assert kept["longest_wal_bytes"] <= max(SQLITES_OWN_BYTES, BUILT_IN[strategy].always_bytes) + SLACK_BYTES
