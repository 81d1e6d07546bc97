"""The plugins that are there, and their hooks called so that none of them costs an event.

What goes wrong is noted once for each plugin and hook, in `faults` and in `Plugins.troubles`. None of this is loaded by
the hook, which has those plugins that say they may run in it (`hot.py`).
"""

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import entry_points
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType
from typing import Any, TypeVar

from pluggy import PluginManager, PluginValidationError

from eyelet_ingest import faults, hookspecs, hot, place, stamp, surroundings
from eyelet_ingest.errors import BadInput
from eyelet_ingest.events import Event
from eyelet_ingest.foreign import Guard
from eyelet_ingest.hookspecs import Check, CheckpointStrategy, Column, Embedder, Source, Wal
from eyelet_ingest.plugged import Plugged, Raised, TookTooLong

T = TypeVar("T")

GROUP = hookspecs.NAMESPACE
LOAD_S = 10.0  # for importing one, and for what it registers
CALL_S, CHARS_A_SECOND = 1.0, 1_000_000  # for all plugins that look at one event, and the more the longer it is
OFF_S = 60.0  # how long one that took too long is left alone
HOOKS: dict[str, type[Any]] = {
    "register_sources": Source,
    "register_columns": Column,
    "register_checks": Check,
    "register_checkpoint_strategies": CheckpointStrategy,
    "register_embedders": Embedder,
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """What went wrong in a plugin: while it was loaded (`hook` is ""), or in a hook."""

    plugin: str
    hook: str
    reason: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """One plugin: where it is from, its version ("" for a file), and the hooks it has."""

    name: str
    origin: str
    version: str
    hooks: tuple[str, ...]


class Plugins(Plugged):
    """The plugins of a process; may be shared by threads. Without any, every method does nothing at once."""

    def __init__(self, home: str = "", notes: bool = True) -> None:
        super().__init__()
        self.home, self.notes = home, notes
        self.loaded: list[Loaded] = []
        self.troubles: list[Trouble] = []
        self.registered: dict[str, list[tuple[str, Any]]] = {hook: [] for hook in HOOKS}
        self._manager = PluginManager(hookspecs.NAMESPACE)
        self._manager.add_hookspecs(hookspecs)
        self._guard = Guard()
        self._off: dict[tuple[str, str], float] = {}  # (plugin, hook) that took too long → until when

    @classmethod
    def load(cls, home: str = "", notes: bool = True) -> "Plugins":
        """Those of installed packages, then the files in `home`/plugins; none where EYELET_PLUGINS is 0.

        One that cannot be loaded is named in `troubles`, and with `notes` in `faults`, and the others are there.
        """
        made = cls(home or surroundings.home(), notes)
        if os.environ.get(hot.SWITCH) == "0":
            return made
        for entry in entry_points(group=GROUP):
            version = entry.dist.version if entry.dist is not None else ""
            made._add(entry.name, f"package {entry.dist.name if entry.dist else entry.value}", version, entry.load)
        for name, path in made._files():
            made._add(name, path, "", partial(_module_of, path))
        return made

    def add(self, name: str, module: object) -> None:
        """A plugin that is there already: a module, or an object with hooks."""
        self._add(name, "added", "", lambda: module)

    @property
    def sources(self) -> list[Source]:
        return [one for _, one in self.registered["register_sources"]]

    @property
    def columns(self) -> list[Column]:
        return [one for _, one in self.registered["register_columns"]]

    def close(self) -> None:
        self._guard.close()

    def _bounded(self, work: Callable[[], T], chars: int) -> T:
        return self._guard.run(work, CALL_S + chars / CHARS_A_SECOND)

    def source_of(self, record: "dict[str, Any]") -> tuple[str, Source] | None:
        """Who takes a record for one of its own, and as what."""
        for name, source in self.registered["register_sources"]:
            if self._asked(name, source.recognises, record) is True:
                return name, source
        return None

    def event_of(self, name: str, source: Source, payload: "dict[str, Any]", text: str) -> Event:
        """What the source makes of a redacted record; BadInput, which names the plugin, where it makes none."""
        made = self._asked(name, source.event, payload, text)
        if not isinstance(made, Event):
            raise BadInput(f"plugin {name}: no event was made of it")
        made.data = text
        return made

    def time_of(self, name: str, source: Source, record: "dict[str, Any]") -> int | None:
        found = self._asked(name, source.time_us, record) if source.time_us is not None else None
        return found if type(found) is int else None

    def checkpoint_mode(self, strategy: str, wal: Wal) -> str | None:
        """What the plugin's strategy of this name says; None where it fails, or says what is no mode."""
        hook = "register_checkpoint_strategies"
        for plugin, one in self.registered[hook]:
            if one.name != strategy or self._is_off(plugin, hook):
                continue
            try:
                mode = self._guard.run(partial(_mode_of, one, wal), CALL_S)
            except (TookTooLong, Raised) as bad:
                self._failed(plugin, hook, bad)
                return None
            if mode is None or mode in ("passive", "full", "restart", "truncate"):
                return str(mode) if mode else None
            self._note(plugin, hook, f"{mode!r:.60} is no mode of a checkpoint")
        return None

    def _asked(self, name: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """What it answers; None where it fails."""
        if self._is_off(name, "register_sources"):
            return None
        try:
            return self._guard.run(lambda: function(*arguments), CALL_S)
        except (TookTooLong, Raised) as bad:
            self._failed(name, "register_sources", bad)
        return None

    def _failed(self, name: str, hook: str, bad: Exception) -> None:
        if isinstance(bad, TookTooLong):
            self._off[(name, hook)] = time.monotonic() + OFF_S
        self._note(name, hook, bad.place if isinstance(bad, Raised) else str(bad))

    def _is_off(self, name: str, hook: str) -> bool:
        return self._off.get((name, hook), 0.0) > time.monotonic()

    def _add(self, name: str, origin: str, version: str, load: Callable[[], object]) -> None:
        try:
            module = self._guard.run(load, LOAD_S)
            if self._manager.has_plugin(name):
                raise Raised("there is a plugin of that name already")
            self._guard.run(lambda: self._register(name, module), LOAD_S)
        except (TookTooLong, Raised) as bad:
            self._note(name, "", str(bad))
            return
        hooks = {caller.name: caller for caller in self._manager.get_hookcallers(module) or []}
        self.loaded.append(Loaded(name, origin, version, tuple(sorted(hooks))))
        for hook in HOOKS:
            if hook in hooks:
                self._take(name, hook, _implementation(hooks[hook], name))
        for hook, into in (("redact", self._redactors), ("enrich", self._enrichers)):
            if hook in hooks:
                into.append((name, _implementation(hooks[hook], name)))

    def _register(self, name: str, module: object) -> None:
        try:
            self._manager.register(module, name)
            unknown = [caller.name for caller in self._manager.get_hookcallers(module) or [] if not caller.has_spec()]
            if unknown:
                raise ValueError(f"there is no hook {', '.join(unknown)}")
        except (PluginValidationError, ValueError):
            self._manager.unregister(name=name)
            raise

    def _take(self, name: str, hook: str, registers: Callable[..., Any]) -> None:
        kind = HOOKS[hook]
        try:
            found = self._guard.run(lambda: list(registers()), LOAD_S)
        except (TookTooLong, Raised) as bad:
            self._note(name, hook, str(bad))
            return
        known = {one.name for _, one in self.registered[hook]}
        for one in found:
            if not isinstance(one, kind):
                self._note(name, hook, f"it registers a {type(one).__name__}, no {kind.__name__}")
            elif one.name in known:
                self._note(name, hook, f"there is a {kind.__name__} {one.name} already")
            else:
                known.add(one.name)
                self.registered[hook].append((name, one))

    def _note(self, plugin: str, hook: str, reason: str) -> None:
        """Once for each plugin and hook: a plugin that fails, fails at every event."""
        if any((one.plugin, one.hook) == (plugin, hook) for one in self.troubles):
            return
        self.troubles.append(Trouble(plugin, hook, reason))
        if self.home and self.notes:
            faults.note(self.home, "plugin", f"{plugin}{f' ({hook})' if hook else ''}: {reason}")

    def _files(self) -> Iterator[tuple[str, str]]:
        """The files of the folder of plugins; none of a folder or a file that others may write."""
        folder = os.path.join(self.home, hot.FOLDER)
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            return
        for name in names:
            path = os.path.join(folder, name)
            if not name.endswith(".py") or name.startswith(("_", ".")):
                continue
            if hot.is_own(folder) and hot.is_own(path):
                yield name.removesuffix(".py"), path
            else:
                self._note(name.removesuffix(".py"), "", f"{path}: others may write it (chmod go-w)")


_IN_A_HOOK = """
import os, sys
sys.path.append(sys.argv[1])
from eyelet_ingest import hot
out = os.dup(1)
hot.silence()
found = hot.load(sys.argv[2])
if found is not None:
    lines = [*found.names, *("\\t".join(" ".join(text.split()) for text in one) for one in found.troubles)]
    os.write(out, "\\n".join(lines).encode("utf-8", "replace"))
"""


def in_hooks(home: str) -> tuple[list[str], list[Trouble]]:
    """The plugins that hooks run, and what goes wrong where they load them: in a Python without packages."""
    command = [stamp.interpreter(), "-I", "-S", "-c", _IN_A_HOOK, os.path.dirname(place.PACKAGE), home]
    try:
        done = subprocess.run(command, capture_output=True, timeout=LOAD_S, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as bad:
        return [], [Trouble("hot", "", f"hooks cannot load plugins: {bad}")]
    lines = [line.split("\t") for line in done.stdout.decode("utf-8", "replace").splitlines()]
    return [one[0] for one in lines if len(one) == 1], [Trouble(*one) for one in lines if len(one) == 3]


def _implementation(caller: Any, name: str) -> Callable[..., Any]:
    function: Callable[..., Any] = next(one.function for one in caller.get_hookimpls() if one.plugin_name == name)
    return function


def _module_of(path: str) -> ModuleType:
    """The module of a file, under a name that no other import has."""
    unique = f"eyelet_plugin_{hashlib.blake2b(path.encode('utf-8', 'surrogateescape'), digest_size=6).hexdigest()}"
    spec = spec_from_file_location(unique, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be loaded")
    module = module_from_spec(spec)
    sys.modules[unique] = module  # data classes look for their module there
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[unique]
        raise
    return module


def _mode_of(strategy: CheckpointStrategy, wal: Wal) -> Any:
    if strategy.of_wal is not None:
        return strategy.of_wal(wal)
    return strategy.mode(wal.file_bytes, wal.idle_s) if strategy.mode is not None else None
