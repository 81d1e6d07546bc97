"""The hook's hot path: one payload from stdin into its day, silently, exit status 0 whatever happens.

Runs out of the bundle that `eyelet install` writes (`bundle.py`), as the console script `eyelet-hook`, or by path:
`python -I -S …/eyelet_ingest/capture.py`. It loads only plain modules beside it and CPython's own C modules: no json,
re, typing, pathlib, datetime, sqlite3 package.

What cannot be stored in time is spooled; what waited is stored by the next capture that has time left. What went wrong
is counted in `faults.py`.
"""

import sys
import time

if not __package__:  # run by path: the package's folder is the one above this file's
    above, here, _ = __file__.rpartition("/eyelet_ingest/capture.py")
    if not here:  # spelt in another way
        from os.path import abspath, dirname

        above = dirname(dirname(abspath(__file__)))
    sys.path.append(above or "/")

from eyelet_ingest import intake, live, place
from eyelet_ingest.events import Event
from eyelet_ingest.redaction import Redactor
from eyelet_ingest.store import layout, rows, samples
from eyelet_ingest.surroundings import Surroundings, key_of
from eyelet_ingest.system import os

TYPE_CHECKING = False  # importing typing costs the hook more than its insert
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from eyelet_ingest.hot import Hot

# From the first line of main to the spool: an agent's session end allows 1.5 s to all its hooks together.
LIFE_MS = 600  # the interpreter's own start and end are outside it: 0.8 s in all
IDLE_INPUT_MS = 500  # how long a silent, open stdin is waited for
DRAIN_MS = 100  # what a capture may spend on what others left behind
READ_BYTES = 1 << 20
PIPE_BYTES = 1 << 16
INPUT_MAX_BYTES = 256 * 2**20  # more is kept up to here, as a payload cut short
UID_BYTES = 16


def main() -> None:
    """Record the payload on stdin, or of `--notify`. Never raises, prints nothing, always exits 0."""
    started_ns = time.monotonic_ns()
    try:
        _outlive_the_agent()
        flags = _flags(sys.argv[1:])
        raw = os.fsencode(flags["notify"]) if "notify" in flags else _read_input()
        if raw.strip():
            around = _surroundings(flags)
            uid, received_ns = os.urandom(UID_BYTES), time.time_ns()
            if around is not None and not _posted(around, raw, flags, uid, received_ns):
                left_open: list[Any] = []  # closing would checkpoint; the process ends instead
                only_spool = flags.get("mode") == "spool"
                agent = flags.get("agent", "")
                event, key = _event(raw, received_ns, around, around.redactor, around.context, uid, agent)
                record_around(around, event, key, started_ns, only_spool=only_spool, left_open=left_open)
    except BaseException as bad:  # noqa: BLE001  the agent must never fail because we could not log
        _note(None, "lost", f"{type(bad).__name__}: {bad}")
    os._exit(0)  # nothing is left to flush, and taking the interpreter down costs more than the insert


def record(raw: bytes, root: str, given: str, started_ns: int) -> None:
    """Store one payload of the context `given` under `root`, or spool it; then store what others spooled."""
    event, key = _event(raw, time.time_ns(), None, Redactor(lambda: key_of(root)), given, os.urandom(UID_BYTES))
    _Keeping(event, key, given, started_ns).keep(root)


def record_around(
    around: Surroundings,
    event: Event,
    key: layout.PartitionKey,
    started_ns: int,
    *,
    only_spool: bool = False,
    left_open: "list[Any] | None" = None,
) -> None:
    """Store one event as the settings want it: where, and as what."""
    if around.problem:
        _note(around, "settings", around.problem)
    roots = _roots(around, key, event)
    for root in roots:
        one = event if around.settings["scope"] == "global" else _for_root(event, around, root)
        _Keeping(one, key, around.context, started_ns, around, only_spool, left_open).keep(root)
    if not roots:
        _note(around, "lost", "there is no home folder, and no root is named (EYELET_ROOT)")


def _for_root(event: Event, around: Surroundings, root: str) -> Event:
    from eyelet_ingest import remarked

    return remarked.event_for(event, around.redactor, lambda: key_of(root))


class _Keeping:
    """One event on its way into each root, in each format; what fails in one costs no other."""

    __slots__ = ("around", "event", "form", "given", "key", "left_open", "only_spool", "row", "started_ns", "told")

    def __init__(
        self,
        event: Event,
        key: layout.PartitionKey,
        given: str,
        started_ns: int,
        around: "Surroundings | None" = None,
        only_spool: bool = False,
        left_open: "list[Any] | None" = None,
    ) -> None:
        self.event, self.key, self.given, self.started_ns = event, key, given, started_ns
        self.around, self.only_spool, self.left_open = around, only_spool, left_open
        self.form = around.settings["format"] if around is not None else "sqlite"
        self.row = rows.row_of(event)
        self.told = [0, 0]  # tries anew, locks that others had

    def keep(self, root: str) -> None:
        failure, lost = "", 0
        if self.form != "sqlite":
            failure = self._write_json(root)
            if failure:
                _note(self.around, "json", failure)
        if self.form != "json":
            failure = "it is stored later" if self.only_spool else self._insert(root)
        if failure:
            lost = self._spool(root, failure)
        samples.put(root, "capture", (time.monotonic_ns() - self.started_ns) // 1_000, lost, *self.told)

    def _write_json(self, root: str) -> str:
        """Why the event has no JSON file, or ""."""

        def write() -> None:
            from eyelet_ingest import json_files

            json_files.write(root, self.given, self.event)

        return _tried(write)

    def _insert(self, root: str) -> str:
        """Store the row, then what waited before it; why it could not be stored, or ""."""
        deadline_ns = self.started_ns + LIFE_MS * 1_000_000

        def insert() -> None:
            from eyelet_ingest.store import connect, writer

            chosen = connect.light_driver()
            writer.insert(
                root,
                self.key,
                self.given,
                [self.row],
                deadline_ns,
                chosen=chosen,
                left_open=self.left_open,
                told=self.told,
            )

        def drain() -> None:
            from eyelet_ingest.store import connect, spool

            left_ns = min(deadline_ns, time.monotonic_ns() + DRAIN_MS * 1_000_000)
            spool.drain(root, left_ns, chosen=connect.light_driver(), quick=True)

        failure = _tried(insert)
        if not failure:
            _tried(drain)  # this event is safe, and the others wait on
        return failure

    def _spool(self, root: str, failure: str) -> int:
        """Let the event wait where it can; how many events are lost."""
        paths: list[str] = []

        def put() -> None:
            from eyelet_ingest.store import spool

            paths.append(spool.put(root, self.key, self.given, self.row, _message(self.around, failure)))

        again = _tried(put)
        if again:
            _note(self.around, "lost", f"{failure}; {again}")
            return 1
        if not self.only_spool:
            is_own = paths[0].startswith(root + os.sep)
            _note(self.around, "spooled" if is_own else "elsewhere", failure)
        return 0


def _message(around: "Surroundings | None", text: str) -> str:
    """What is kept of why something failed."""
    return text if around is None else around.redactor.text(text)


def _tried(work: "Callable[[], object]") -> str:
    """Do it; why it failed, or "". An event is kept in another way then, whatever it was."""
    try:
        work()
    except Exception as bad:  # noqa: BLE001  a step that nobody foresaw must not cost the event
        return str(bad) or type(bad).__name__
    return ""


def _roots(around: Surroundings, key: layout.PartitionKey, event: Event) -> "list[str]":
    """The roots to record into; the global one in place of a project's that cannot be trusted."""
    if around.settings["scope"] == "global":
        return around.roots()
    from eyelet_ingest import project_root

    root = around.project_root
    inside = [layout.db_path(root, key), layout.lock_path(root, key)]
    if around.settings["format"] != "sqlite":
        from eyelet_ingest import json_files

        inside.append(json_files.place_of(root, event)[0])
    problem = project_root.prepare(around.project, root, inside, around.settings)
    if not problem:
        return around.roots()
    _note(around, "project", problem)
    return around.global_roots()


def _event(
    raw: bytes,
    received_ns: int,
    around: "Surroundings | None",
    redactor: Redactor,
    given: str,
    uid: bytes,
    agent: str = "",
) -> "tuple[Event, layout.PartitionKey]":
    """What the payload says, where it was recorded, and the partition it is for."""
    plugins = _plugins(around)
    settings = around.settings if around is not None else None
    event, payload = live.event_of(raw, received_ns, redactor, settings, plugins, agent)
    project = os.environ.get("CLAUDE_PROJECT_DIR")
    if project and not redactor.may_hold(project):  # else the payload's own, which is redacted
        project = intake.decode(os.fsencode(project))[0]
        event.project_dir = project if plugins is None else plugins.redacted_text(project)[0]
    if around is not None:
        from eyelet_ingest import metadata

        failure = _tried(lambda: metadata.add(event, around))
        if failure:
            _note(around, "metadata", failure)
    if plugins is not None:
        plugins.redact_metadata(event)
        plugins.enrich(event, payload, redactor)
    # Nobody makes a live event's uid a second time, so it is made of nothing; its copy in another root, and the one
    # that a server took without answering in time, has the same.
    event.uid = uid
    return event, rows.key_of(layout.safe_context(given), event, received_ns // 1_000)


def _plugins(around: "Surroundings | None") -> "Hot | None":
    """The plugins that run in hooks; None where there are none, as nearly always."""
    if around is None or place.HOT == ():
        return None
    if place.HOT is None and not os.path.isdir(os.path.join(around.home, "plugins")):
        return None
    from eyelet_ingest import hot

    hot.silence()
    return hot.load(around.home)


def _read_input() -> bytes:
    """Everything on stdin until its end; what has come when it falls silent, trickles on for LIFE_MS or never ends.

    A timer ends the waiting: for `select` a file would have to be found and loaded.
    """
    if os.isatty(0):
        return b""
    import _signal  # type: ignore[import-not-found]  # the C module under `signal`, which would load enum

    has_timer = hasattr(_signal, "setitimer")
    if has_timer:
        _signal.signal(_signal.SIGALRM, _fall_silent)
    parts: list[bytes] = []
    size_bytes = 0
    until_ns = time.monotonic_ns() + LIFE_MS * 1_000_000
    while True:
        part = _read_or_silence(_signal) if has_timer else os.read(0, READ_BYTES)
        if not part:
            break
        parts.append(part)
        size_bytes += len(part)
        if size_bytes > INPUT_MAX_BYTES or (size_bytes < READ_BYTES and time.monotonic_ns() > until_ns):
            break
    return b"".join(parts)


def _read_or_silence(signals: "Any") -> bytes:
    """What comes next on stdin; b"" at its end, and where nothing comes for IDLE_INPUT_MS.

    A process that was stopped, or got no processor, hears the alarm before it looks, or between the reading and what
    is done with it: so what is read lies in a buffer already, and what has come meanwhile is looked for once more.
    """
    buffer = bytearray(PIPE_BYTES)
    try:
        signals.setitimer(signals.ITIMER_REAL, IDLE_INPUT_MS / 1000)
        size_bytes = os.readv(0, [buffer])
        signals.setitimer(signals.ITIMER_REAL, 0)
        return bytes(buffer[:size_bytes])
    except _SilentInput:
        return bytes(buffer).rstrip(b"\0") or _at_hand()  # no payload ends in zeros


def _at_hand() -> bytes:
    """What lies on stdin, without waiting for it."""
    os.set_blocking(0, False)
    try:
        return os.read(0, PIPE_BYTES)
    except BlockingIOError:
        return b""
    finally:
        os.set_blocking(0, True)


class _SilentInput(Exception):
    """Nothing came for IDLE_INPUT_MS."""


def _fall_silent(number: int, frame: object) -> None:
    raise _SilentInput


def _outlive_the_agent() -> None:
    """An agent that ends, or whose user presses Ctrl-C, asks all its processes to end: this one does, LIFE_MS later."""
    import _signal

    for name in ("SIGTERM", "SIGINT", "SIGHUP"):
        number = getattr(_signal, name, None)
        if number is not None:
            _signal.signal(number, _signal.SIG_IGN)


def _surroundings(flags: "dict[str, str]") -> "Surroundings | None":
    """Where the hook runs and what the settings say, the command line above all; None: nothing is to be recorded."""
    try:
        start = os.environ.get("CLAUDE_PROJECT_DIR") or os.getcwd()
    except OSError:  # the folder is gone
        start = os.sep
    around = Surroundings(start)
    for name in ("root", "context"):
        if name in flags:
            around.settings[name] = flags[name]
    if not around.settings["enabled"]:
        return None
    if around.may_rest:
        from eyelet_ingest import pause

        if pause.rests(around.home, around.folders()):
            return None
    return around


def _posted(around: Surroundings, raw: bytes, flags: "dict[str, str]", uid: bytes, received_ns: int) -> bool:
    """Whether the local server has taken the payload, as `--mode http --url URL` wants it."""
    if flags.get("mode") != "http" or around.settings["scope"] != "global" or around.settings["format"] != "sqlite":
        return False  # the server stores into its own root, as rows
    from eyelet_ingest import posting

    url, agent = flags.get("url", ""), flags.get("agent", "")
    return posting.sent(raw, url, around.home, around.context, uid, received_ns, agent)


def _flags(args: "list[str]") -> "dict[str, str]":
    """`--root DIR`, `--context NAME`, `--agent NAME`, `--mode direct|spool|http`, `--url URL`, and `--notify JSON` in
    place of an input; what else is given is passed over."""
    flags: dict[str, str] = {}
    for at, arg in enumerate(args):
        name, equals, value = arg.lstrip("-").partition("=")
        if name in ("root", "context", "agent", "mode", "url", "notify") and arg.startswith("--"):
            given = value if equals else args[at + 1] if at + 1 < len(args) else ""
            if given:
                flags[name] = given
    return flags


def _note(around: "Surroundings | None", kind: str, reason: str) -> None:
    """Count what went wrong; it must not make anything worse."""
    try:
        from eyelet_ingest import faults, surroundings

        if around is None:
            faults.note(surroundings.home(), kind, reason)
        else:
            faults.note(around.home, kind, reason, around.redactor)
    except BaseException:  # noqa: BLE001, S110  there is nobody left to tell
        pass


if __name__ == "__main__":
    main()
