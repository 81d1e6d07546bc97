"""Where a run works: a folder of its own, with room for it, which is gone afterwards whatever happens.

One run at a time, by a lock in the settings' folder: two would measure each other. What runs says so in a file beside
the lock (`bench.running`), where pages and commands read it; after a run that was killed the next one finds there which
folder to remove.
"""

import json
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace

from eyelet_ingest.bench.scenario import Scenario
from eyelet_ingest.errors import BadInput, EyeletError, PartitionBusy
from eyelet_ingest.store import connect, identity

LOCK, RUNNING = "bench.lock", "bench.running"
PREFIX = ".eyelet-bench-"
MARK = "eyelet-bench"  # a file in the folder, without which nothing there is removed
SPARE_BYTES = 2**30  # of the disk, left to others
LOOK_NS = 200_000_000  # for who only looks whether a run goes on, and holds the lock meanwhile
TELL_S = 0.25  # between two tellings of how far it is
MOST_BYTES = 100_000  # of what is told


@dataclass(frozen=True, slots=True)
class Running:
    """A run at this moment: `part` of 1 is done; `folder` is what to remove when its process dies, "" where it is to
    be kept. `limit_s` is 0 without a limit."""

    pid: int
    folder: str
    scenario: str
    rows: int
    begun_us: int
    limit_s: float
    stage: str = "begins"
    part: float = 0.0


class Turn:
    """The turn of one run: held as long as its process lives. `tell` says how far it is."""

    def __init__(self, home: str, running: Running) -> None:
        self.home, self.running = home, running
        self._told_s = 0.0

    def tell(self, stage: str, part: float) -> None:
        """From time to time: the rest costs a look at the clock."""
        now_s = time.monotonic()
        changed, self.running = stage != self.running.stage, replace(self.running, stage=stage, part=round(part, 3))
        if changed or now_s - self._told_s >= TELL_S:
            self._told_s = now_s
            _write(self.home, self.running)


def running(home: str) -> Running | None:
    """The run that goes on now, whoever began it; None where there is none."""
    if not os.path.exists(os.path.join(home, RUNNING)):
        return None
    try:
        with connect.FileLock(os.path.join(home, LOCK), time.monotonic_ns()):
            return None  # it died
    except PartitionBusy:
        return _read(home)
    except EyeletError:
        return None


@contextmanager
def turn(home: str, about: Running) -> Generator[Turn, None, None]:
    """Alone until its end; BadInput where another run goes on. What a killed one left is removed first."""
    identity.make_private_dir(home)
    try:
        lock = connect.FileLock(os.path.join(home, LOCK), time.monotonic_ns() + LOOK_NS).__enter__()
    except PartitionBusy as busy:
        other = _read(home)
        who = f"process {other.pid} is at {other.scenario}" if other else "another run goes on"
        raise BadInput("measure", reason=who, hint="wait for it: two would measure each other") from busy
    try:
        clear(home)
        _write(home, about)
        try:
            yield Turn(home, about)
        finally:
            if not (about.folder and os.path.exists(about.folder)):  # else the next run removes what is left
                with suppress(FileNotFoundError):
                    os.unlink(os.path.join(home, RUNNING))
    finally:
        lock.__exit__(None, None, None)


def make_home(home: str) -> None:
    """The settings' folder, where it is not there yet."""
    identity.make_private_dir(home)


def clear(home: str) -> str:
    """Remove what a killed run left; the folder, or "". The caller holds the lock."""
    left = _read(home)
    if left is None or not left.folder:
        return ""
    removed = left.folder if remove(left.folder) else ""
    with suppress(FileNotFoundError):
        os.unlink(os.path.join(home, RUNNING))
    return removed


def remove(folder: str) -> bool:
    """Remove a folder that `made` made; False for what is none."""
    if not os.path.basename(folder).startswith(PREFIX) or os.path.islink(folder) or not os.path.isdir(folder):
        return False
    if not os.path.isfile(os.path.join(folder, MARK)):
        with suppress(OSError):  # killed before it was marked: then it is empty
            os.rmdir(folder)
        return not os.path.exists(folder)
    shutil.rmtree(folder, ignore_errors=True)
    return not os.path.exists(folder)


def place_beside(root: str) -> str:
    """The path of a new folder beside the root, on the same disk; of a root in memory, among temporary ones."""
    above = tempfile.gettempdir() if root.startswith("file:") else os.path.dirname(os.path.abspath(root))
    while not os.path.isdir(above) and os.path.dirname(above) != above:
        above = os.path.dirname(above)
    return os.path.join(above, PREFIX + secrets.token_hex(4))


def expect_room(folder: str, scenario: Scenario) -> None:
    """BadInput where the disk has not the room that the scenario takes, with both figures."""
    above = folder if os.path.isdir(folder) else os.path.dirname(folder)
    free, needed = shutil.disk_usage(above).free, scenario.needed_bytes + SPARE_BYTES
    if free < needed:
        reason = f"{scenario.said()} take about {_gb(needed)}, {_gb(free)} are free"
        raise BadInput("measure in", above, reason, "take a smaller --scale, fewer rows, or --keep a folder elsewhere")


@contextmanager
def made(folder: str, *, kept: bool) -> Generator[str, None, None]:
    """The folder, new or empty, and removed at the end unless it is to be `kept`. BadInput where it cannot be."""
    try:
        os.makedirs(folder, mode=0o700, exist_ok=kept)
        if os.listdir(folder):
            raise BadInput("measure in", folder, "something is in it", "name a new or empty folder")
        with open(os.path.join(folder, MARK), "w", encoding="utf-8") as mark:
            mark.write("made by eyelet bench\n")
    except OSError as bad:
        raise BadInput("measure in", folder, bad.strerror or str(bad), "may you write in this folder?") from bad
    try:
        yield folder
    finally:
        if not kept:
            remove(folder)


def _gb(size: int) -> str:
    return f"{size / 1e9:,.1f} GB"


def _read(home: str) -> Running | None:
    try:
        with open(os.path.join(home, RUNNING), encoding="utf-8") as file:
            said = json.loads(file.read(MOST_BYTES))
        found = Running(**said)
        texts, numbers = (found.folder, found.scenario, found.stage), (found.begun_us, found.limit_s, found.part)
        if not all(isinstance(text, str) for text in texts) or not all(
            isinstance(one, (int, float)) for one in numbers
        ):
            return None
        return found if isinstance(found.pid, int) and isinstance(found.rows, int) else None
    except (OSError, ValueError, TypeError):
        return None


def _write(home: str, told: Running) -> None:
    """In one step: who reads it meanwhile sees the one before."""
    path = os.path.join(home, RUNNING)
    fresh = f"{path}.new"
    try:
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(handle, "w", encoding="utf-8") as file:
            json.dump(asdict(told), file)
        os.replace(fresh, path)
    except OSError as bad:
        raise EyeletError("write", path, bad.strerror or str(bad), "may you write in this folder?") from bad
