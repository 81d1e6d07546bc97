"""A maker of a day that is killed or stopped at any line of the program: the next one makes the day, nothing is lost.

The trace function of Python stops the victim before its n-th line. A few lines are tried in `make test`, every third in
`make soak`.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from eyelet_ingest.events import Event
from eyelet_ingest.store import connect, layout
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

SOAK = bool(os.environ.get("EYELET_SOAK"))
DAY = layout.PartitionKey("default", 2026, 79)
NOON = DAY.bounds_us[0] + layout.DAY_US // 2
LINES = 230  # between two that are tried
ENV = {**os.environ, "PYTHONPATH": os.pathsep.join(one for one in sys.path if one)}

VICTIM = """
import os, sys
from eyelet_ingest.events import Event
from eyelet_ingest.store import checkpoint, connect, journal, layout, schema, spool, writer, writers
from eyelet_ingest.store.store import Store
connect.driver()
root, flavour, at, sign, noon = *sys.argv[1:3], *map(int, sys.argv[3:])
if flavour == "network":
    journal.on_network = lambda path: True
elif flavour == "noflock":
    connect.fcntl = None
left = at
def traced(frame, what, argument):
    global left
    if "eyelet_ingest" not in frame.f_code.co_filename:
        return None
    left -= 1
    if left == 0:
        sys.settrace(None)
        os.kill(os.getpid(), sign)
    return traced
event = Event(hook_type="Note", uid=b"victim's uid 16b", time_us=noon)
with Store(root) as store:
    sys.settrace(traced)
    if flavour == "bulk":
        with store.bulk():
            done = store.append([event])
    else:
        done = store.append([event])
    sys.settrace(None)
assert not done.refused, done.refused
print("to the end" if left > 0 else "stopped")
"""


def victim(root: str, flavour: str, at: int, sign: signal.Signals) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", VICTIM, root, flavour, str(at), str(int(sign)), str(NOON)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENV)


def is_intact(root: str) -> bool:
    conn = connect.open_reader(layout.db_path(root, DAY))
    try:
        return bool(conn.execute("pragma integrity_check").fetchall() == [("ok",)])
    finally:
        conn.close()


def event(name: bytes) -> Event:
    return Event(hook_type="Note", uid=name.ljust(16), time_us=NOON)


@pytest.mark.parametrize("flavour", ["wal", "network", "bulk", "noflock"])
def test_the_maker_of_a_day_may_be_killed_at_any_line(tmp_path: Path, flavour: str) -> None:
    at, is_done = 1, False
    while not is_done:
        root = str(tmp_path / str(at))
        said, wrong = victim(root, flavour, at, signal.SIGKILL).communicate()
        assert wrong == ""
        is_done = said == "to the end\n"
        with Store(root) as store:
            found = store.search(Filter())
            assert found.partitions.unreadable == ()
            assert is_done <= (len(found.rows) == 1)  # what it acknowledged is there
            done = store.append([Event(hook_type="Note", uid=b"victim's uid 16b", time_us=NOON), event(b"next")])
            assert (done.refused, done.duplicates) == ([], len(found.rows))
            assert store.count(Filter()).count == 2
        assert is_intact(root)
        at += 3 if SOAK else LINES


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs SIGSTOP")
@pytest.mark.parametrize("flavour", ["wal", "network", "bulk", "noflock"])
def test_the_maker_of_a_day_may_be_stopped_at_any_line_and_go_on(tmp_path: Path, flavour: str) -> None:
    """Meanwhile others write there, or give up in time; both are there in the end."""
    at, is_done = 1, False
    while not is_done:
        root = str(tmp_path / str(at))
        with victim(root, flavour, at, signal.SIGSTOP) as process:
            _, status = os.waitpid(process.pid, os.WUNTRACED)
            with Store(root) as store:
                done = store.append([event(b"other")], deadline_ms=20)
                if os.WIFSTOPPED(status):
                    os.kill(process.pid, signal.SIGCONT)
                    os.waitpid(process.pid, 0)
                process.returncode = 0  # waited for above
                assert process.stdout is not None and process.stderr is not None
                assert process.stderr.read() == ""
                is_done = process.stdout.read() == "to the end\n"
                assert store.append([one for refused in done.refused for one in refused.events]).refused == []
                assert sorted(bytes.fromhex(str(row["uid"])) for row in store.search(Filter()).rows) == sorted(
                    [b"victim's uid 16b", b"other".ljust(16)]
                )
        assert is_intact(root)
        at += 3 if SOAK else LINES - 37


HOOK = [sys.executable, "-I", "-S", "-B", str(Path(connect.__file__).parent.parent / "capture.py")]


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs SIGSTOP")
def test_a_hook_that_is_stopped_beyond_its_time_keeps_its_event(root: str) -> None:
    hooks = [subprocess.Popen([*HOOK, "--root", root], stdin=subprocess.PIPE) for _ in range(8)]
    for at, process in enumerate(hooks):
        assert process.stdin is not None
        process.stdin.write(b'{"hook_event_name":"Stop","session_id":"s"}')
        process.stdin.close()
        time.sleep(0.004 * at)
        process.send_signal(signal.SIGSTOP)
    time.sleep(0.7)
    for process in hooks:
        process.send_signal(signal.SIGCONT)
    assert [process.wait() for process in hooks] == [0] * len(hooks)
    with Store(root) as store:
        store.drain_spool()
        assert store.count(Filter()).count == len(hooks)


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs SIGSTOP")
@pytest.mark.parametrize("payload", [b'{"hook_event_name":"Stop","session_id":"s"}', b'{"a":"' + b"x" * 60_000 + b'"}'])
def test_what_came_while_a_hook_stood_still_is_read_before_it_believes_in_silence(root: str, payload: bytes) -> None:
    """The time for its input ends while it is stopped, with the input there: it hears the alarm first."""
    with subprocess.Popen([*HOOK, "--root", root], stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        time.sleep(0.25)  # by now it waits for its input
        process.send_signal(signal.SIGSTOP)
        writing = threading.Thread(target=lambda: (process.stdin.write(payload), process.stdin.close()))  # type: ignore[union-attr]
        writing.start()
        time.sleep(0.6)
        process.send_signal(signal.SIGCONT)
        writing.join()
        assert process.wait() == 0
    with Store(root) as store:
        store.drain_spool()
        (row,) = store.search(Filter()).rows
        assert row["data"] == payload.decode()
