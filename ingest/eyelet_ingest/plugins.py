"""The plugins that are there, and their hooks called so that none of them costs an event.

What goes wrong is noted once for each plugin and hook, in `faults` and in `Plugins.troubles`. A redactor fails closed:
a text that it could not look at is withheld, and the event says so. None of this is loaded by the hook.
"""

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import entry_points
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType
from typing import Any

from pluggy import PluginManager, PluginValidationError

from eyelet_ingest import faults, hookspecs, intake, redaction, surroundings
from eyelet_ingest.errors import BadInput
from eyelet_ingest.events import Event
from eyelet_ingest.foreign import Guard, Raised, TookTooLong, called
from eyelet_ingest.hookspecs import Check, CheckpointStrategy, Column, Embedder, Seen, Source
from eyelet_ingest.jsontext import has_duplicate_keys, parse_numbers_as_text

GROUP = hookspecs.NAMESPACE
FOLDER = "plugins"
SWITCH = "EYELET_PLUGINS"  # 0: none of them
LOAD_S = 10.0  # for importing one, and for what it registers
CALL_S, CHARS_A_SECOND = 1.0, 1_000_000  # for all plugins that look at one event, and the more the longer it is
OFF_S = 60.0  # how long one that took too long is left alone
ENRICHED_MAX_CHARS = 64 * 1024
# What an event keeps of a payload that a redactor could not look at: names that agents make, no text of anybody's.
STRUCTURE = ("hook_event_name", "type", "session_id", "sessionId", "tool_name", "tool_use_id", "timestamp", "uuid")
HOOKS: dict[str, type[Any]] = {
    "register_sources": Source,
    "register_columns": Column,
    "register_checks": Check,
    "register_checkpoint_strategies": CheckpointStrategy,
    "register_embedders": Embedder,
}

Safe = tuple[object, str, list[str]]  # the value, its JSON text, and the plugins that failed


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


class Plugins:
    """The plugins of a process; may be shared by threads. Without any, every method does nothing at once."""

    def __init__(self, home: str = "") -> None:
        self.home = home
        self.loaded: list[Loaded] = []
        self.troubles: list[Trouble] = []
        self.registered: dict[str, list[tuple[str, Any]]] = {hook: [] for hook in HOOKS}
        self._manager = PluginManager(hookspecs.NAMESPACE)
        self._manager.add_hookspecs(hookspecs)
        self._guard = Guard()
        self._redactors: list[tuple[str, Callable[..., Any]]] = []
        self._enrichers: list[tuple[str, Callable[..., Any]]] = []
        self._off: dict[tuple[str, str], float] = {}  # (plugin, hook) that took too long → until when

    @classmethod
    def load(cls, home: str = "") -> "Plugins":
        """Those of installed packages, then the files in `home`/plugins; none where EYELET_PLUGINS is 0.

        One that cannot be loaded is named in `troubles`, and the others are there.
        """
        made = cls(home or surroundings.home())
        if os.environ.get(SWITCH) == "0":
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

    @property
    def redacts(self) -> bool:
        """Whether any of them redacts."""
        return bool(self._redactors)

    def close(self) -> None:
        self._guard.close()

    def redacted(self, value: object, text: str) -> Safe:
        """A payload that was redacted already, and its text, after every redactor looked at each text in it.

        Keys are not looked at. A text that a redactor raises on is withheld; where one takes too long, all of the
        payload but STRUCTURE is, of this event and of those that follow.
        """
        if not self._redactors:
            return value, text, []
        off = [name for name, _ in self._redactors if self._is_off(name, "redact")]
        if off:
            return *_withheld(value), off
        failed: list[str] = []
        at_work = [""]

        def change(one: str) -> str:
            for name, redact in self._redactors:
                at_work[0] = name
                try:
                    found = called(redact, one)
                    if found is not None and not isinstance(found, str):
                        raise Raised(f"it answered a {type(found).__name__}, no text")
                except Raised as bad:
                    self._note(name, "redact", str(bad))
                    if name not in failed:
                        failed.append(name)
                    return redaction.marker("withheld", one)
                one = one if found is None else found
            return one

        try:
            return *self._guard.run(lambda: _changed(value, text, change), _seconds(text)), failed
        except (TookTooLong, Raised) as bad:
            self._failed(at_work[0], "redact", bad)
            return *_withheld(value), [at_work[0]]

    def redacted_text(self, text: str) -> tuple[str, list[str]]:
        """The same of a text that is no JSON; withheld as a whole where a redactor fails."""
        value, _, failed = self.redacted(text, json.dumps(text))
        return value if isinstance(value, str) else redaction.marker("withheld", text), failed

    def enrich(self, event: Event, payload: "dict[str, object]") -> None:
        """Let each enricher add what it knows, redacted, in `meta.plugins`; one that fails adds nothing."""
        enrichers = [one for one in self._enrichers if not self._is_off(one[0], "enrich")]
        if not enrichers:
            return
        seen = Seen(
            payload, event.hook_type, event.src, event.session_id, event.tool_name, event.status, event.origin,
            event.project_dir, event.time_us,
        )  # fmt: skip
        found: dict[str, object] = {}
        at_work = [""]

        def ask() -> None:
            for name, enrich in enrichers:
                at_work[0] = name
                try:
                    said = _plain(called(enrich, seen))
                except (Raised, ValueError, TypeError, RecursionError) as bad:
                    self._note(name, "enrich", str(bad))
                    continue
                if said:
                    found[name] = said

        try:
            self._guard.run(ask, _seconds(event.data))
        except (TookTooLong, Raised) as bad:
            self._failed(at_work[0], "enrich", bad)
        if found:
            event.meta["plugins"] = redaction.redact_value(dict(found))

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
        self._note(name, hook, str(bad))

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
        if self.home:
            faults.note(self.home, "plugin", f"{plugin}{f' ({hook})' if hook else ''}: {reason}")

    def _files(self) -> Iterator[tuple[str, str]]:
        """The files of the folder of plugins; none of a folder or a file that others may write."""
        folder = os.path.join(self.home, FOLDER)
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            return
        for name in names:
            path = os.path.join(folder, name)
            if not name.endswith(".py") or name.startswith(("_", ".")):
                continue
            if _is_own(folder) and _is_own(path):
                yield name.removesuffix(".py"), path
            else:
                self._note(name.removesuffix(".py"), "", f"{path}: others may write it (chmod go-w)")


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


def _is_own(path: str) -> bool:
    there = os.stat(path)
    return not hasattr(os, "getuid") or (there.st_uid in (0, os.getuid()) and not there.st_mode & 0o022)


def _changed(value: object, text: str, change: Callable[[str], str]) -> tuple[object, str]:
    """The value with every text changed, and its JSON text; both the same where nothing changed."""
    is_same = True

    def noted(one: str) -> str:
        nonlocal is_same
        changed = change(one)
        is_same = is_same and changed == one
        return changed

    new = mapped(value, noted)
    if is_same and not has_duplicate_keys(text):  # what the value left out of the text was not looked at
        return value, text
    try:
        return new, json.dumps(new, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except ValueError:  # a number beyond what Python holds: as text it is whole
        new = mapped(parse_numbers_as_text(text), change)
        return new, json.dumps(new, ensure_ascii=False, separators=(",", ":"))


def _seconds(text: str) -> float:
    return CALL_S + len(text) / CHARS_A_SECOND


def mapped(value: object, change: Callable[[str], str]) -> object:
    """A copy of parsed JSON in which every text, but no key, is what `change` makes of it. Does not recurse."""
    top: list[Any] = [value]
    stack: list[Any] = [top]
    while stack:
        box = stack.pop()
        for at, item in list(box.items() if isinstance(box, dict) else enumerate(box)):
            if isinstance(item, str):
                box[at] = change(item)
            elif isinstance(item, (dict, list)):
                box[at] = item.copy()
                stack.append(box[at])
    return top[0]


def _withheld(value: object) -> tuple[object, str]:
    """What is kept of a payload that nobody could look at."""
    kept: dict[str, object] = {}
    if isinstance(value, dict):
        kept = {name: value[name] for name in STRUCTURE if isinstance(value.get(name), (str, int, float))}
    kept["_withheld"] = "a plugin that redacts failed"
    return kept, json.dumps(kept, ensure_ascii=False, separators=(",", ":"))


def _plain(said: object) -> "dict[str, object] | None":
    """What an enricher answered, as JSON can hold it; ValueError, TypeError for what it cannot."""
    if said is None:
        return None
    if not isinstance(said, dict) or not all(isinstance(name, str) for name in said):
        raise TypeError(f"it answered a {type(said).__name__}, no dict with names")
    text = json.dumps(said, allow_nan=False)
    if len(text) > ENRICHED_MAX_CHARS:
        raise ValueError(f"it answered more than {ENRICHED_MAX_CHARS} characters")
    clean, _ = intake.clean(text, json.loads(text))
    return clean if isinstance(clean, dict) else None
