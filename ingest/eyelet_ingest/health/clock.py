"""The machine's clock against what was recorded, against the time that passes, and against the disk's.

A clock that goes back lays new events among old ones; one that stands still lays all at one time; one that is ahead
makes days of tomorrow. What is recorded is stored all the same.
"""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator

from eyelet_ingest.health.finding import ERROR, OK, WARN, Finding, Patient
from eyelet_ingest.health.since import spelt_s
from eyelet_ingest.store import layout, newest, spool

DAY_US = 86_400_000_000
NEWEST_DAYS = 8  # are asked for their latest times
WATCHED_S = 0.02  # that the clock is watched
STANDS = 0.5  # of the time that passes: a clock that goes slower stands still
FIRST_US = 1_735_689_600_000_000  # 2025-01-01: this software is younger


def check(patient: Patient) -> Iterator[Finding]:
    troubles = [
        found
        for found in (
            _is_set(patient),
            *_of_recordings(patient),
            goes(time.time_ns, time.monotonic_ns),
            of_disk(patient, time.time_ns),
        )
        if found is not None
    ]
    if not troubles:
        troubles += [one for one in (_since_begun(patient),) if one is not None]
    yield from troubles
    if not troubles:
        yield Finding(OK, "the clock goes, and nothing was recorded later than it says", "", {"now_us": patient.now_us})


def goes(wall_ns: Callable[[], int], steady_ns: Callable[[], int]) -> Finding | None:
    """What is wrong with a clock that is watched for a moment beside one that only counts; None where nothing is."""
    began_wall, began = wall_ns(), steady_ns()
    while (passed := steady_ns() - began) < WATCHED_S * 1e9:
        time.sleep(WATCHED_S / 4)
    moved = wall_ns() - began_wall
    evidence: dict[str, object] = {"watched_ms": round(passed / 1e6, 1), "clock_moved_ms": round(moved / 1e6, 1)}
    if abs(moved) < passed * STANDS:
        return Finding(ERROR, "the clock stands still: all events get one time", set_clock(), evidence)
    if abs(moved - passed) > 1e9:  # a step in the very moment, too
        message = f"the clock jumped by {spelt_s(abs(moved - passed) / 1e9)} while it was watched"
        return Finding(WARN, message, set_clock(), evidence)
    return None


def set_clock() -> str:
    """What sets the clock of this machine."""
    if sys.platform == "darwin":
        return "sudo sntp -sS time.apple.com"
    if shutil.which("timedatectl"):
        return "sudo timedatectl set-ntp true"
    return "set the machine's clock, and have it kept by NTP"


def _is_set(patient: Patient) -> Finding | None:
    if patient.now_us >= FIRST_US:
        return None
    said = time.strftime("%Y-%m-%d", time.gmtime(max(patient.now_us, 0) / 1e6))
    return Finding(ERROR, f"the clock is not set: it says {said}", set_clock(), {"now_us": patient.now_us})


def _of_recordings(patient: Patient) -> Iterator[Finding]:
    """What was recorded later than the clock says: it went back since, or was ahead then."""
    now_us, most_us = patient.now_us, patient.limit("clock_warn_s") * 1_000_000
    arrived_us, event_us, day = _latest(patient)
    for path in spool.waiting(patient.root, most=1_000):
        received = spool.received_ns(path)
        if received is not None and received // 1_000 > arrived_us:
            arrived_us = received // 1_000
    ahead_us = arrived_us - now_us
    if ahead_us > most_us:
        message = (
            f"the newest event came at a time that is {spelt_s(ahead_us / 1e6)} ahead of the clock:"
            " the clock went back, stands still, or was ahead then"
        )
        evidence: dict[str, object] = {
            "now_us": now_us,
            "newest_arrived_us": arrived_us,
            "ahead_s": ahead_us // 1_000_000,
        }
        yield Finding(ERROR if ahead_us > DAY_US else WARN, message, set_clock(), evidence)
    elif event_us - now_us > most_us:
        ahead = spelt_s((event_us - now_us) / 1e6)
        message = f"the newest event of a hook bears a time that is {ahead} ahead of the clock{day}"
        evidence = {"now_us": now_us, "newest_event_us": event_us, "ahead_s": (event_us - now_us) // 1_000_000}
        fix = f"set the clock of the machine it came from, or of this one: {set_clock()}"
        yield Finding(WARN, message, fix, evidence)


def _latest(patient: Patient) -> tuple[int, int, str]:
    """The latest time of arrival in the newest days, the latest that an event of a hook bears, where that is yet to
    come, and the newest day's name in words. Recordings may say what they like: a log may be in local time."""
    arrived_us = event_us = 0
    keys = sorted(patient.store.catalog.partitions(), key=lambda key: key.bounds_us, reverse=True)
    written = sorted(keys, key=lambda key: _written_ns(patient.root, key), reverse=True)  # late events, too
    for at, key in enumerate(dict.fromkeys((*keys[: NEWEST_DAYS // 2], *written[: NEWEST_DAYS // 2]))):
        if at and patient.is_late:
            break
        arrived, event = newest.latest_times(patient.root, key, patient.now_us)
        arrived_us, event_us = max(arrived_us, arrived or 0), max(event_us, event or 0)
    return arrived_us, event_us, f" ({keys[0].mount_name})" if keys else ""


def _written_ns(root: str, key: layout.PartitionKey) -> int:
    path = layout.db_path(root, key)
    found = 0
    for side in (path, layout.side_path(path, "-wal")):
        try:
            found = max(found, os.stat(side).st_mtime_ns)
        except (OSError, ValueError):
            continue
    return found


def _since_begun(patient: Patient) -> Finding | None:
    """Of an examination that began a moment ago: the clock must not be far from when it began."""
    moved_us = time.time_ns() // 1_000 - patient.now_us
    most_us = patient.limit("clock_warn_s") * 1_000_000
    if -most_us <= moved_us <= max(most_us, 3_600_000_000):
        return None
    message = f"the clock is {spelt_s(abs(moved_us) / 1e6)} from what it said when this examination began"
    return Finding(WARN, message, set_clock(), {"now_us": patient.now_us, "moved_s": moved_us // 1_000_000})


def of_disk(patient: Patient, wall_ns: Callable[[], int]) -> Finding | None:
    """A file that is written now, by the file system's time: a disk on the network has a clock of its own."""
    folder = patient.root if os.path.isdir(patient.root) else patient.home
    if not os.path.isdir(folder):
        return None
    try:
        with tempfile.TemporaryFile(prefix=".eyelet-clock-", dir=folder) as file:
            file.write(b"now")
            file.flush()
            said_us = os.fstat(file.fileno()).st_mtime_ns // 1_000
    except OSError:
        return None  # that nothing can be written there is another check's
    off_us = said_us - wall_ns() // 1_000
    if abs(off_us) <= patient.limit("clock_warn_s") * 1_000_000:
        return None
    way = "ahead of" if off_us > 0 else "behind"
    message = f"the disk's time is {spelt_s(abs(off_us) / 1e6)} {way} the clock's ({folder}): one of the two is wrong"
    return Finding(WARN, message, set_clock(), {"folder": folder, "off_s": off_us // 1_000_000})
