"""The hook's hot path: one payload from stdin into its day, silently, exit status 0 whatever happens.

Runs as the console script `eyelet-hook`, or cheaper by path: `python -I -S …/eyelet_ingest/capture.py`. It loads
only plain modules beside it and CPython's own C modules: no json, re, typing, pathlib, datetime, sqlite3 package.

What cannot be stored in time is spooled; what waited is stored by the next capture that has time left.
"""

import os
import sys
import time

if not __package__:  # run by path: the package's folder is the one above this file's
    sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from eyelet_ingest import intake, live, redaction
from eyelet_ingest.errors import EyeletError
from eyelet_ingest.events import Event
from eyelet_ingest.store import connect, identity, layout, spool, writer

# From the first line of main to the spool: an agent's session end allows 1.5 s to all its hooks together.
LIFE_MS = 600  # the interpreter's own start and end are outside it: 0.8 s in all
IDLE_INPUT_MS = 500  # how long a silent, open stdin is waited for
DRAIN_MS = 100  # what a capture may spend on what others left behind
READ_BYTES = 1 << 20
INPUT_MAX_BYTES = 256 * 2**20  # more is kept up to here, as a payload cut short


def main() -> None:
    """Record the payload on stdin. Never raises, prints nothing, always exits 0."""
    started_ns = time.monotonic_ns()
    try:
        options = _options(sys.argv[1:])
        raw = _read_input()
        if raw.strip() and options["root"] and os.environ.get("EYELET_DISABLED", "0") in ("", "0"):
            record(raw, options["root"], options["context"], started_ns)
    except BaseException:  # noqa: BLE001, S110  the agent must never fail because we could not log
        pass
    os._exit(0)  # nothing is left to flush, and taking the interpreter down costs more than the insert


def record(raw: bytes, root: str, given: str, started_ns: int) -> None:
    """Store one payload of the context `given` under `root`, or spool it; then store what others spooled."""
    deadline_ns = started_ns + LIFE_MS * 1_000_000
    received_ns = time.time_ns()
    event = _event(raw, received_ns)
    event.uid = _uid(root, raw, received_ns)
    key = writer.key_of(layout.safe_context(given), event, received_ns // 1_000)
    row = writer.row_of(event)
    chosen = connect.light_driver()
    try:
        writer.insert(root, key, given, [row], deadline_ns, chosen=chosen)
    except Exception as bad:  # noqa: BLE001  whatever it was, the event waits and is tried again
        spool.put(root, key, given, row, str(bad))
        return
    left_ns = min(deadline_ns, time.monotonic_ns() + DRAIN_MS * 1_000_000)
    spool.drain(root, left_ns, chosen=chosen, quick=True)


def _event(raw: bytes, received_ns: int) -> Event:
    """What the payload says, and where it was recorded."""
    event, _ = live.event_of(raw, received_ns)
    event.hostname = os.uname().nodename if hasattr(os, "uname") else None
    project = os.environ.get("CLAUDE_PROJECT_DIR")
    if project and not redaction.may_hold_secret(project):  # else the payload's own, which is redacted
        event.project_dir = intake.decode(os.fsencode(project))[0]
    return event


def _uid(root: str, raw: bytes, received_ns: int) -> bytes:
    try:
        key = identity.load_key(root)
    except (EyeletError, OSError):
        return os.urandom(identity.UID_BYTES)  # nobody makes a live event's uid a second time
    return identity.live_uid(key, raw, received_ns, os.getpid())


def _read_input() -> bytes:
    """Everything on stdin until its end; what has come when it falls silent, trickles on for LIFE_MS or never ends."""
    if os.isatty(0):
        return b""
    from select import select

    parts, size_bytes = [], 0
    until_ns = time.monotonic_ns() + LIFE_MS * 1_000_000
    while select([0], [], [], IDLE_INPUT_MS / 1000)[0]:
        part = os.read(0, READ_BYTES)
        if not part:
            break
        parts.append(part)
        size_bytes += len(part)
        if size_bytes > INPUT_MAX_BYTES or (size_bytes < READ_BYTES and time.monotonic_ns() > until_ns):
            break
    return b"".join(parts)


def _options(args: "list[str]") -> "dict[str, str]":
    """`--root DIR` and `--context NAME`, before the environment's; what else is given is passed over."""
    options = {
        "root": os.environ.get("EYELET_ROOT") or os.path.join("~", ".eyelet"),
        "context": os.environ.get("EYELET_CONTEXT") or layout.DEFAULT_CONTEXT,
    }
    for at, arg in enumerate(args):
        name, equals, value = arg.lstrip("-").partition("=")
        if name in options and arg.startswith("--"):
            given = value if equals else args[at + 1] if at + 1 < len(args) else ""
            options[name] = given or options[name]
    root = os.path.expanduser(options["root"])
    options["root"] = "" if root.startswith("~") else os.path.abspath(root)  # "": nobody's home is nowhere to write
    return options


if __name__ == "__main__":
    main()
