"""What short-lived processes measured, a line each in `times` at the root, until somebody keeps it in `health.sqlite`.

A line is the time in seconds, how long it took in µs, the kind of work (`timings.OPS`), how many errors, tries anew
and waits for a lock there were, and how often it was so, where that was more than once. One `os.write`
appends it, so lines of many processes do not mix, and one that dies leaves a whole line or none. At MOST_BYTES nothing
is added until the lines are taken: figures are lost, and nothing else. Light: hooks write it.
"""

import time

from eyelet_ingest.system import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    Line = tuple[int, int, str, int, int, int, int]  # in s, in µs, the kind of work, errors, tries anew, waits, times

FILE_NAME, TAKEN = "times", "times.taken"
MOST_BYTES = 1 << 20  # some 30,000 lines
SWITCH = "EYELET_METRICS"  # 0: nothing is measured, nor kept
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT
_SAFE = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
LATE_S = 0.01  # for a line that is on its way when the file is taken


def put(
    root: str, op: str, took_us: int, errors: int = 0, retries: int = 0, lock_waits: int = 0, *, more: str = ""
) -> None:
    """Leave one line; never raises. Nothing where the root is not there. `more` says how often it was so
    (" 3"), where it was more than once."""
    if os.environ.get(SWITCH) == "0":
        return
    line = f"{time.time_ns() // 1_000_000_000} {took_us} {op} {errors} {retries} {lock_waits}{more}\n"
    try:
        handle = os.open(f"{root}/{FILE_NAME}", _FLAGS | _SAFE, 0o600)
        try:
            if os.fstat(handle).st_size < MOST_BYTES:
                os.write(handle, line.encode())
        finally:
            os.close(handle)
    except (OSError, ValueError):
        pass  # in memory, or the disk is full


def take(root: str) -> "tuple[str, list[Line]]":
    """The lines that are there, and what to call them together; ("", []) of none. They stay until `taken`: whoever is
    stopped before takes the same ones again, by the same name. Of one taker at a time."""
    taken = os.path.join(root, TAKEN)
    try:
        if not os.path.lexists(taken):
            os.rename(os.path.join(root, FILE_NAME), taken)
            time.sleep(LATE_S)
        handle = os.open(taken, os.O_RDONLY | _SAFE)
        try:
            state = os.fstat(handle)
            content = os.read(handle, 2 * MOST_BYTES)
        finally:
            os.close(handle)
    except OSError:
        return "", []
    lines = [one for one in map(_parsed, content.split(b"\n")) if one is not None]
    return f"{state.st_ino}-{state.st_mtime_ns}", lines


def taken(root: str) -> None:
    """What `take` gave is kept."""
    try:  # noqa: SIM105  contextlib is not for the hook
        os.unlink(os.path.join(root, TAKEN))
    except OSError:
        pass


def _parsed(line: bytes) -> "Line | None":
    """One line; None of what is none: a project's root lies where others may write."""
    parts = line.split()
    if len(parts) == 6:
        parts.append(b"1")
    numbers = [int(part) for part in (*parts[:2], *parts[3:]) if part.isdigit() and len(part) <= 12]
    if len(parts) != 7 or len(numbers) != 6:
        return None
    at_s, took_us, errors, retries, lock_waits, times = numbers
    return at_s, took_us, parts[2].decode("ascii", "replace"), errors, retries, lock_waits, times
