"""What was acknowledged is there exactly once, whoever writes at the same time and whoever is killed at what moment."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from eyelet_ingest.store import connect, layout, spool
from eyelet_ingest.store.store import Store

VICTIMS = Path(__file__).parent / "victims.py"
SOAK = bool(os.environ.get("EYELET_SOAK"))
SEED = 20260320


def run(root: str, flavour: str, what: str, *numbers: int, seed: int = SEED) -> set[str]:
    """Let the processes loose; the uids that they acknowledged, in hexadecimal."""
    command = [sys.executable, str(VICTIMS), root, flavour, str(seed), what, *map(str, numbers)]
    path = os.pathsep.join(one for one in sys.path if one)
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path})
    assert (done.returncode, done.stderr) == (0, "")
    return set(done.stdout.split())


def stored(root: str) -> list[str]:
    """The uid of every row of every day, each day intact and its ids and arrivals in order."""
    found: list[str] = []
    with Store(root) as store:
        keys = list(store.catalog.partitions())
    for key in keys:
        if not os.path.exists(layout.db_path(root, key)):
            continue  # its maker was killed between the folder and the file
        conn = connect.open_reader(layout.db_path(root, key))
        assert conn.execute("pragma integrity_check").fetchall() == [("ok",)], key
        if not conn.execute("select count(*) from sqlite_master").fetchone()[0]:
            conn.close()  # its maker was killed before the first commit
            continue
        outside = conn.execute("select count(*) from hooks where id < ? or id >= ?", key.bounds_us)
        assert outside.fetchone() == (0,)
        found += [uid for (uid,) in conn.execute("select lower(hex(uid)) from hooks")]
        conn.close()
    return found


def drained(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing waits any more, not even what nobody could give its name."""
    monkeypatch.setattr(spool, "ADOPTED_AFTER_S", -1)
    with Store(root) as store:
        while (done := store.drain_spool()).left:
            assert done.stored + done.known, done.reasons
    folder = Path(root) / "spool"
    assert [path.name for path in folder.iterdir() if path.name not in ("drain.lock", "bad")] == []


@pytest.mark.parametrize(
    ("flavour", "share"), [("wal", 0.6), ("network", 0.2), ("old", 0.1), ("noflock", 0.1)], ids=lambda one: str(one)
)
def test_whoever_is_killed_at_whatever_moment_takes_nothing_acknowledged_with_him(
    root: str, monkeypatch: pytest.MonkeyPatch, flavour: str, share: float
) -> None:
    """kill -9 in append, drain, create, schema step, spool and checkpoint, several at work at once."""
    acknowledged = run(root, flavour, "kill", int((10_000 if SOAK else 200) * share), 4)
    drained(root, monkeypatch)
    found = stored(root)
    assert len(found) == len(set(found))
    assert acknowledged - set(found) == set()
    assert len(acknowledged) > 100


@pytest.mark.parametrize("flavour", ["wal", "network"])
def test_sixty_four_writers_lose_nothing_and_double_nothing_at_midnight(root: str, flavour: str) -> None:
    each = 500 if SOAK else 60 if flavour == "wal" else 20
    acknowledged = run(root, flavour, "storm", 64, each)
    assert len(acknowledged) == 64 * each
    with Store(root) as store:
        store.drain_spool()
        assert [key.day for key in store.catalog.partitions()] == [79, 80]
    assert sorted(stored(root)) == sorted(acknowledged)


@pytest.mark.parametrize("flavour", ["wal", "network", "old", "noflock"])
def test_sixty_four_who_make_the_same_new_day_make_one(root: str, flavour: str) -> None:
    for number in range(20 if SOAK else 1):
        acknowledged = run(f"{root}-{number}", flavour, "create", 64)
        assert len(acknowledged) == 64
        with Store(f"{root}-{number}") as store:
            store.drain_spool()  # without flock, on a busy machine, a few may not have got through in their time
        assert spool.waiting(f"{root}-{number}") == []
        assert sorted(stored(f"{root}-{number}")) == sorted(acknowledged)


@pytest.mark.parametrize("flavour", ["wal", "network"])
def test_a_hundred_readers_hinder_no_writer_and_see_nothing_go_away(root: str, flavour: str) -> None:
    run(root, flavour, "storm", 1, 200)
    acknowledged = run(root, flavour, "read", 100, 100 if SOAK else 4, 4, 2_000 if SOAK else 100, seed=SEED + 1)
    assert len(acknowledged) == 4 * (2_000 if SOAK else 100)
    with Store(root) as store:
        store.drain_spool()
    found = stored(root)
    assert len(found) == len(set(found)) == 200 + len(acknowledged)
    assert acknowledged <= set(found)
