"""A day's lock, and whatever stands in its place: named in time, waited for no longer than said, never a traceback."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from eyelet_ingest.errors import PartitionBusy, PartitionUnreadable
from eyelet_ingest.events import Event
from eyelet_ingest.store import connect, layout
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

DAY = layout.PartitionKey("default", 2026, 79)
NOON = DAY.bounds_us[0] + layout.DAY_US // 2
MakeEvent = Callable[..., Event]


def instead(path: Path, what: str) -> None:
    path.unlink()
    if what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    elif what == "link to itself":
        path.symlink_to(path)
    elif what == "link to nothing":
        path.symlink_to(path.parent / "nowhere" / "lock")
    elif what == "link to a file":
        (path.parent / "elsewhere").touch()
        path.symlink_to(path.parent / "elsewhere")


@pytest.mark.parametrize("in_bulk", [False, True], ids=["one by one", "in bulk"])
@pytest.mark.parametrize(
    ("what", "hint"),
    [("folder", "move away what is there"), ("link to itself", "move away what is there"),
     ("link to nothing", "move away what is there"), ("link to a file", ""), ("pipe", ""), ("nothing", "")],
)  # fmt: skip
def test_what_stands_in_place_of_the_lock_is_a_lock_or_is_named(
    store: Store, make_event: MakeEvent, what: str, hint: str, in_bulk: bool
) -> None:
    path = Path(layout.lock_path(store.root, DAY))
    with store.bulk() if in_bulk else store:
        store.append([make_event(NOON)])
        instead(path, what)
        done = store.append([make_event(NOON)], deadline_ms=500)
        if hint:
            assert isinstance(done.refused[0].error, PartitionUnreadable)
            assert hint in str(done.refused[0].error)
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            assert store.append(done.refused[0].events).stored == 1
    assert store.count(Filter()).count == 2


def test_a_lock_is_given_up_at_the_deadline_where_files_change_their_number(
    root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on some file systems in user space: what is opened is never what is looked at."""
    monkeypatch.setattr(connect, "_same_file", lambda handle, path: False)
    until_ns = time.monotonic_ns() + 20_000_000
    with pytest.raises(PartitionBusy), connect.FileLock(layout.lock_path(root, DAY), until_ns):
        pass
    assert time.monotonic_ns() >= until_ns


@pytest.mark.parametrize("in_bulk", [False, True], ids=["one by one", "in bulk"])
def test_a_day_that_goes_between_the_lock_and_the_file_is_made_anew(
    store: Store, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch, in_bulk: bool
) -> None:
    """Removed by somebody who takes no lock."""
    store.append([make_event(NOON)])
    stat = os.stat

    def gone(path: str, **how: bool) -> os.stat_result:
        if sys._getframe(1).f_code is connect.open_writer.__code__:
            monkeypatch.setattr(connect.os, "stat", stat)
            shutil.rmtree(layout.partition_dir(store.root, DAY))
        return stat(path, **how)

    monkeypatch.setattr(connect.os, "stat", gone)
    with store.bulk() if in_bulk else store:
        assert store.append([make_event(NOON, session_id="second")]).refused == []
    assert [row["session_id"] for row in store.search(Filter()).rows] == ["second"]


def test_a_file_that_takes_the_place_of_the_folder_while_one_waits_is_named(
    store: Store, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(layout.partition_dir(store.root, DAY))
    store.append([make_event(NOON)])
    take = connect.FileLock._take

    def meanwhile(lock: connect.FileLock, handle: int) -> None:
        take(lock, handle)
        if folder.is_dir():
            shutil.rmtree(folder)
            folder.touch()

    monkeypatch.setattr(connect.FileLock, "_take", meanwhile)
    (refused,) = store.append([make_event(NOON)], deadline_ms=200).refused
    assert "Not a directory" in str(refused.error)


FILES = """
import os, resource, sys
from eyelet_ingest.events import Event
from eyelet_ingest.store import connect, layout
from eyelet_ingest.store.store import Store
connect.driver()
root, how = sys.argv[1:]
used = len(os.listdir("/proc/self/fd")) - 1
limits = resource.getrlimit(resource.RLIMIT_NOFILE)
def event():
    return Event(hook_type="Note", uid=os.urandom(16), time_us=10**15)
said, more = [], 0
while not said or said[-1]:
    with Store(f"{root}-{more}") as store, store.bulk() if how == "in bulk" else store:
        if how != "a new day":
            store.append([event()])
            if how == "in bulk":
                store.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (used + more, limits[1]))
        done = store.append([event()])
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        said.append(str(done.refused[0].error) if done.refused else "")
        store.append([one for refused in done.refused for one in refused.events])
    more += 1
print("\\n".join(said[:-1]))
"""


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
@pytest.mark.parametrize("how", ["a new day", "a known day", "in bulk"])
def test_too_many_open_files_are_named_wherever_the_limit_is_met(root: str, how: str) -> None:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(one for one in sys.path if one)}
    done = subprocess.run([sys.executable, "-c", FILES, root, how], capture_output=True, text=True, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    said = done.stdout.splitlines()
    assert len(said) >= 2
    assert all("too many files are open: raise the limit" in one for one in said), said


HOLDER = """
import sys, time
from eyelet_ingest.store import connect
with connect.FileLock(sys.argv[1], time.monotonic_ns() + 10**10):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP], ids=lambda one: one.name)
def test_a_lock_dies_with_its_holder_and_is_kept_by_one_that_is_stopped(
    store: Store, make_event: MakeEvent, how: signal.Signals
) -> None:
    store.append([make_event(NOON)])
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(one for one in sys.path if one)}
    command = [sys.executable, "-c", HOLDER, layout.lock_path(store.root, DAY)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=env) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        holder.send_signal(how)
        if how == signal.SIGSTOP:
            (refused,) = store.append([make_event(NOON)], deadline_ms=50).refused
            assert isinstance(refused.error, PartitionBusy)
            holder.kill()
        holder.wait()
        assert store.append([make_event(NOON)], deadline_ms=5_000).stored == 1


@pytest.mark.parametrize("call", ["open", "mkdir"])
def test_folders_that_others_make_at_the_same_moment_are_taken_as_they_are(
    store: Store, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Between the answer that a folder is not there, and the making of it."""
    real = getattr(os, call)

    def late(path: str, *more: int) -> object:
        try:
            return real(path, *more)
        except FileNotFoundError:
            if store.root in path:
                os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            raise

    monkeypatch.setattr(os, call, late)
    assert store.append([make_event(NOON)]).refused == []


def test_folders_that_others_remove_again_and_again_are_not_made_for_ever(
    store: Store, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = connect.make_private_dir

    def never_there(path: str) -> None:
        make(path)
        shutil.rmtree(path)

    monkeypatch.setattr(connect, "make_private_dir", never_there)
    (refused,) = store.append([make_event(NOON)]).refused
    assert "No such file" in str(refused.error)
