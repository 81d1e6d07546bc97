"""What went wrong in hooks, which stay silent: a line for each, in `faults` beside the settings. Light: hooks write it.

A line is the time in microseconds, the kind and the reason, separated by tabs. One `os.write` appends it, so lines of
many hooks do not mix. At MOST_BYTES the file becomes `faults.old`, and what that held goes: the newest are what counts.
"""

import time

from eyelet_ingest.redaction import Redactor
from eyelet_ingest.system import os

FILE_NAME = "faults"
MOST_BYTES = 1 << 18
REASON_CHARS = 300

# What `eyelet status` says of each kind.
KINDS = {
    "spooled": "an event could not be stored in time, and waits",
    "elsewhere": "an event was kept in another place than it should be",
    "json": "an event has no JSON file",
    "settings": "a file of settings does not count",
    "project": "a project's root cannot be used",
    "metadata": "an event has no metadata",
    "lost": "an event is nowhere",
    "plugin": "a plugin failed; its events are there without it",
    "metrics": "figures could not be kept; recording and searching went on",
    "launcher": "an event came, and the hook could not run",
}


class Fault:
    """One line: `time_us` since 1970 UTC, `kind` of KINDS, `reason`."""

    __slots__ = ("kind", "reason", "time_us")

    def __init__(self, time_us: int, kind: str, reason: str) -> None:
        self.time_us, self.kind, self.reason = time_us, kind, reason


def note(home: str, kind: str, reason: str, redactor: "Redactor | None" = None) -> None:
    """Keep one fault, the reason redacted, by `redactor` where there is one at hand. Never raises: a hook that cannot
    say what went wrong goes on."""
    line = f"{time.time_ns() // 1_000}\t{kind}\t{_plain(reason, redactor or Redactor())}\n"
    path = os.path.join(home, FILE_NAME)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        if not os.path.isdir(home):
            from eyelet_ingest.store.identity import make_private_dir

            make_private_dir(home)
        handle = os.open(path, flags | getattr(os, "O_CLOEXEC", 0), 0o600)
        try:
            if os.fstat(handle).st_size >= MOST_BYTES:
                os.replace(path, path + ".old")  # this line still goes into it
            os.write(handle, line.encode("utf-8", "replace"))
        finally:
            os.close(handle)
    except Exception:  # noqa: BLE001, S110  the agent must never fail because we could not log, nor because of this
        pass


def read(home: str) -> "list[Fault]":
    """What went wrong, oldest first, as far as it is kept; nothing where nothing did."""
    found = []
    for name in (FILE_NAME + ".old", FILE_NAME):
        try:
            with open(os.path.join(home, name), "rb") as file:
                content = file.read(2 * MOST_BYTES)
        except OSError:
            continue
        for line in content.decode("utf-8", "replace").splitlines():
            time_us, _, rest = line.partition("\t")
            kind, tab, reason = rest.partition("\t")
            if tab and time_us.isdigit():
                found.append(Fault(int(time_us), kind, reason))
    return sorted(found, key=lambda fault: fault.time_us)


def clear(home: str) -> None:
    """Forget them all."""
    for name in (FILE_NAME, FILE_NAME + ".old"):
        try:  # noqa: SIM105  contextlib is not for the hook
            os.unlink(os.path.join(home, name))
        except FileNotFoundError:
            pass


def _plain(reason: str, redactor: Redactor) -> str:
    """One line of redacted text; what cannot be redacted is not said."""
    try:
        safe = redactor.text(reason)
    except Exception:  # noqa: BLE001  a reason that no rule foresaw
        return "the reason could not be redacted"
    return " ".join(safe.split())[:REASON_CHARS]
