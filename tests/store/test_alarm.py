"""How the hook waits for a day: asleep, woken by the lock or by its alarm, which never rings later.

In processes of their own, as a process has one alarm.
"""

import fcntl
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from eyelet_ingest.errors import PartitionBusy
from eyelet_ingest.store import alarm
from eyelet_ingest.store.connect import FileLock

BEFORE = f"""
import fcntl, os, sys, threading, time
sys.path.append({str(Path(alarm.__file__).parents[2])!r})
from eyelet_ingest.errors import PartitionBusy
from eyelet_ingest.store import alarm
from eyelet_ingest.store.connect import FileLock
path = sys.argv[1]
"""


def run(code: str, path: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-I", "-c", BEFORE + code, str(path)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def said(process: "subprocess.Popen[str]") -> str:
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    return out


LATE = """
try:
    FileLock(path, time.monotonic_ns() + 50_000_000, alarm=True).__enter__()
except PartitionBusy as late:
    print(late.reason)
print(len(os.listdir("/dev/fd")))
"""
IN_TIME = """
print("waits", flush=True)
with FileLock(path, time.monotonic_ns() + 60 * 10**9, alarm=True):
    print("has it")
"""


def test_the_alarm_ends_the_wait_and_leaves_no_file_open(tmp_path: Path) -> None:
    free = said(run("print(len(os.listdir('/dev/fd')))", tmp_path / "lock"))
    with (tmp_path / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert said(run(LATE, tmp_path / "lock")) == f"others kept it until the deadline\n{free}"


def test_the_alarm_rings_where_who_started_the_hook_had_blocked_it(tmp_path: Path) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
    try:
        with (tmp_path / "lock").open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            assert said(run(LATE, tmp_path / "lock")).startswith("others kept it")
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM])


def test_who_waits_is_woken_by_the_lock(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        waiting = run(IN_TIME, tmp_path / "lock")
        assert waiting.stdout
        assert waiting.stdout.readline() == "waits\n"
        time.sleep(0.1)
    assert said(waiting) == "has it\n"


RACE = """
def others() -> None:
    for at in range(4_000):
        with open(path) as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            time.sleep(at % 7 * 0.0001)

thread = threading.Thread(target=others, daemon=True)
thread.start()
taken = missed = sums = 0
for at in range(600):
    mine = os.open(path, os.O_RDWR)
    try:
        alarm.flock(mine, 0.00001 + at % 13 * 0.0001, TimeoutError())
        taken += 1
    except TimeoutError:
        missed += 1
    sums += sum(range(500))  # an alarm that rings here ends the program
    os.close(mine)
time.sleep(0.03)
print(taken + missed)
"""


def test_the_alarm_never_rings_after_the_wait(tmp_path: Path) -> None:
    """However near the lock and the deadline come to each other."""
    (tmp_path / "lock").touch()
    assert said(run(RACE, tmp_path / "lock")) == "600\n"


def test_who_asks_for_no_alarm_keeps_the_signal(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGALRM)
    with FileLock(str(tmp_path / "lock"), 0), pytest.raises(PartitionBusy):
        FileLock(str(tmp_path / "lock"), time.monotonic_ns() + 5_000_000).__enter__()
    assert signal.getsignal(signal.SIGALRM) is before
