"""Plugins in the hook: the files of `plugins/` beside the settings that say `hot = True`, and hooks of theirs that run
there (`redact`, `enrich`). Light: the hook imports it where there is such a file.

`bundle.py` puts them into the bundle, compiled. A timer interrupts what takes too long. Who took too long, or has just
been noted, is remembered in files of `cache/`, as every event has a process of its own.
"""

import marshal
import sys
import time

from eyelet_ingest import faults, place
from eyelet_ingest.plugged import Interrupted, Plugged, Raised, TookTooLong, called
from eyelet_ingest.store.identity import make_private_dir
from eyelet_ingest.system import os

TYPE_CHECKING = False  # importing typing costs the hook more than its insert
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType
    from typing import Any, TypeVar

    T = TypeVar("T")
    Text = tuple[str, str, str]  # a plugin's name, its file, what that holds

FOLDER = "plugins"
SWITCH = "EYELET_PLUGINS"  # 0: none of them
RUN_MS = 250  # of a hook's 600, for all of them at one event, loading included
AGAIN_MS = 20  # an interruption that a plugin has swallowed comes again
OFF_S = 60  # how long one that took too long is left alone, and one fault stands for all of its kind
TEXT_BYTES = 1 << 18  # a longer file is no plugin for a hook
MARK = "eyelet_impl"  # what pluggy's marker of that namespace leaves on a function


def hookimpl(function: "T") -> "T":
    """Mark a function as a hook, as `hookspecs.hookimpl` does, without what that imports."""
    setattr(function, MARK, {})
    return function


def load(home: str) -> "Hot | None":
    """The plugins of the bundle; else, where nothing is bundled, of the folder. None where there are none."""
    if place.HOT == () or os.environ.get(SWITCH) == "0":
        return None
    if place.HOT is None:
        codes: list[tuple[str, str, str, CodeType | None]] = [(*one, None) for one in found(home)]
    else:
        codes = [
            (name, path, text, marshal.loads(code) if code and version == sys.hexversion else None)
            for name, path, text, version, code in place.HOT
        ]
    return Hot(home, codes) if codes else None


def silence() -> None:
    """Let nothing that a plugin prints reach the agent."""
    handle = os.open(os.devnull, os.O_WRONLY)
    for one in (1, 2):
        os.dup2(handle, one)


def found(home: str) -> "list[Text]":
    """The files that say `hot = True`, in order of name; none that others may write."""
    folder = os.path.join(home, FOLDER)
    texts = []
    try:
        names = sorted(os.listdir(folder)) if is_own(folder) else []
    except OSError:
        return []
    for name in names:
        path = os.path.join(folder, name)
        if not name.endswith(".py") or name.startswith(("_", ".")):
            continue
        try:
            text = _read(path) if is_own(path) else ""
        except (OSError, UnicodeError):
            continue
        if any(line.split("#")[0].rstrip() == "hot = True" for line in text.splitlines()):
            texts.append((name[:-3], path, text))
    return texts


def bundled(home: str) -> "tuple[tuple[str, str, str, int, bytes], ...]":
    """`place.HOT` for the bundle; where one cannot be compiled, the hook finds out and says so."""
    made = []
    for name, path, text in found(home):
        try:
            code = marshal.dumps(compile(text, path, "exec", dont_inherit=True))
        except (SyntaxError, ValueError):
            code = b""
        made.append((name, path, text, sys.hexversion, code))
    return tuple(made)


def is_own(path: str) -> bool:
    """Whether nobody but this user and root may write there; OSError where it is not there."""
    there = os.stat(path)
    return not hasattr(os, "getuid") or (there.st_uid in (0, os.getuid()) and not there.st_mode & 0o022)


class Hot(Plugged):
    """The plugins of one hook, loaded. One that cannot be loaded and seems to redact counts as a redactor that fails.

    `troubles`: plugin, hook and reason of what went wrong in this process.
    """

    def __init__(self, home: str, codes: "list[tuple[str, str, str, CodeType | None]]") -> None:
        super().__init__()
        self.home = home
        self.troubles: list[tuple[str, str, str]] = []
        self._unloaded: set[str] = set()
        self._at_work = False
        self._until_ns = time.monotonic_ns() + RUN_MS * 1_000_000
        for name, path, text, code in codes:
            try:
                if self._is_off(name, "load"):
                    raise Raised("it took too long a moment ago")
                self._bounded(lambda one=(name, path, text, code): self._load(*one), len(text))  # type: ignore[misc]
            except (TookTooLong, Raised) as bad:
                self._failed(name, "load", bad)
                self._redactors = [one for one in self._redactors if one[0] != name]
                if "def redact(" in text:
                    self._unloaded.add(name)
                    self._redactors.append((name, len))

    @property
    def names(self) -> "list[str]":
        """Those that were loaded and have something to do here."""
        return sorted({name for name, _ in (*self._redactors, *self._enrichers)} - self._unloaded)

    def _load(self, name: str, path: str, text: str, code: "CodeType | None") -> None:
        module: Any = type(sys)(f"eyelet_plugin_{name}")
        module.__file__ = path
        sys.modules[module.__name__] = module  # classes of the plugin look for their module there
        exec(code or compile(text, path, "exec", dont_inherit=True), module.__dict__)
        for hook, into in (("redact", self._redactors), ("enrich", self._enrichers)):
            function = getattr(module, hook, None)
            if function is not None and isinstance(getattr(function, MARK, None), dict):
                into.append((name, function))

    def _bounded(self, work: "Callable[[], T]", chars: int) -> "T":
        import _signal  # type: ignore[import-not-found]  # the C module under `signal`, which would load enum

        has_timer = hasattr(_signal, "setitimer")
        left_s = (self._until_ns - time.monotonic_ns()) / 1e9
        if left_s <= 0:
            raise TookTooLong(f"{RUN_MS} ms were over before it")
        try:
            try:
                self._at_work = True
                if has_timer:
                    _signal.signal(_signal.SIGALRM, self._interrupt)
                    _signal.setitimer(_signal.ITIMER_REAL, left_s, AGAIN_MS / 1_000)
                return called(work)
            finally:
                self._at_work = False  # an alarm that comes now is passed over
                if has_timer:
                    _signal.setitimer(_signal.ITIMER_REAL, 0)
        except Interrupted:
            self._at_work = False  # it came between two of the lines above
            if has_timer:
                _signal.setitimer(_signal.ITIMER_REAL, 0)
            raise TookTooLong(f"all plugins together took longer than {RUN_MS} ms") from None

    def _interrupt(self, number: int, frame: object) -> None:
        if self._at_work:
            raise Interrupted

    def _note(self, plugin: str, hook: str, reason: str) -> None:
        """In `faults`, once in a while: a plugin that fails, fails at every event."""
        self.troubles.append((plugin, hook, reason))
        if not self._is_marked(plugin, hook, "noted"):
            self._mark(plugin, hook, "noted")
            faults.note(self.home, "plugin", f"{plugin} ({hook}, in the hook): {reason}")

    def _failed(self, plugin: str, hook: str, bad: Exception) -> None:
        if isinstance(bad, TookTooLong):
            self._mark(plugin, hook, "slow")
        self._note(plugin, hook, bad.place if isinstance(bad, Raised) and hook != "load" else str(bad))

    def _is_off(self, plugin: str, hook: str) -> bool:
        return plugin in self._unloaded or self._is_marked(plugin, hook, "slow")

    def _is_marked(self, plugin: str, hook: str, what: str) -> bool:
        try:
            return abs(time.time() - os.stat(self._mark_of(plugin, hook, what)).st_mtime) < OFF_S
        except OSError:
            return False

    def _mark(self, plugin: str, hook: str, what: str) -> None:
        path = self._mark_of(plugin, hook, what)
        try:
            make_private_dir(os.path.dirname(path))
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600))
            os.utime(path)
        except Exception:  # noqa: BLE001, S110  the next event finds out by itself
            pass

    def _mark_of(self, plugin: str, hook: str, what: str) -> str:
        return os.path.join(self.home, "cache", f"plugin-{plugin}.{hook}.{what}")


def _read(path: str) -> str:
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    try:
        content = os.read(handle, TEXT_BYTES + 1)
    finally:
        os.close(handle)
    return content.decode() if len(content) <= TEXT_BYTES else ""
