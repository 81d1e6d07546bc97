"""Retention: how long, and how much, is kept. `retention.json` at the root says so; without it everything stays.

Whole days go, the oldest first: one whose end is older than its context may be, and as many as it takes for the days
(of a context, or all together) to be no larger than they may be; today's never. Where a day was retired a horizon is
left, so that no import brings anything of that time back. Archived days stay and do not count, unless the rules say
that they go: then they count, and go as days do. It runs by itself, a little at a time: in the server, at the end of
commands that write; never in the hook. A day in trouble is named, and stays: nobody has looked at it yet.
"""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

from eyelet_ingest.errors import BadInput, EyeletError, PartitionBusy, PartitionUnreadable, RootError
from eyelet_ingest.store import audit, identity, layout, removal
from eyelet_ingest.store.answers import Unreadable
from eyelet_ingest.store.catalog import Catalog
from eyelet_ingest.store.connect import FileLock
from eyelet_ingest.store.deletion import DAYS, BeforeRemoval, DayByDay
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.tombstones import Tombstones
from eyelet_ingest.store.wanted import Wanted

FILE_NAME = "retention.json"
VERSION = 1
Held = tuple[PartitionKey, str]  # a day, and whether it is held as one or as an archive
LEAST_AGE_S = 3_600
LEAST_BYTES = 2**20
LOCK_MS = 30_000  # for the lock of one day, where somebody waits for the answer
SLICE_LOCK_MS = 20  # and where nobody does: who works there comes first
_HINT = "mend it, or remove it with `eyelet retention clear`; until then nothing is retired"


@dataclass(frozen=True, slots=True)
class Rule:
    """What may be kept: events no older than `max_age_s` seconds, days no larger than `max_bytes`; None for any.

    Of a context, `own_age` says that its age is its own, also where that is None: for ever.
    """

    max_age_s: int | None = None
    max_bytes: int | None = None
    own_age: bool = False


@dataclass(frozen=True, slots=True)
class Rules:
    """The rule for everything, and those of single contexts by their safe names. A context's age takes the place of the
    general one; sizes hold beside each other. `archives`: archived days count and go as days do."""

    general: Rule = field(default_factory=Rule)
    contexts: Mapping[str, Rule] = field(default_factory=dict)
    archives: bool = False

    def is_empty(self) -> bool:
        """Whether nothing ever goes."""
        return self.general == Rule() and not self.contexts

    def age_of(self, context: str) -> int | None:
        own = self.contexts.get(context)
        return own.max_age_s if own is not None and own.own_age else self.general.max_age_s


@dataclass(frozen=True, slots=True)
class DayRetired:
    """A day that goes, or went: its events (None where not counted), its bytes, and which rule says so. `place`
    tells the day itself from its archive."""

    key: PartitionKey
    events: int | None
    bytes: int
    rule: str
    place: str = DAYS


@dataclass(frozen=True, slots=True)
class Retained:
    """What retention did, or would do: the days, those in trouble, how many are still to go, and what is too large even
    so, because what is left is of today."""

    dry_run: bool
    days: list[DayRetired]
    failed: list[Unreadable]
    left: int
    too_large: list[str]


def read(root: str) -> Rules:
    """The rules of a root; none where there is no file. RootError for a file that says no rules: it names the field."""
    path = os.path.join(root, FILE_NAME)
    try:
        with open(path, encoding="utf-8") as file:
            said = json.load(file)
    except (FileNotFoundError, NotADirectoryError):
        return Rules()
    except OSError as bad:
        raise RootError("read", path, bad.strerror or str(bad), _HINT) from bad
    except (ValueError, RecursionError) as bad:
        raise RootError("read", path, f"it is no JSON: {bad}", _HINT) from bad
    try:
        return _rules(said)
    except BadInput as bad:
        raise RootError("read", path, bad.reason, _HINT) from bad


def write(root: str, rules: Rules) -> None:
    """Put the rules in their place in one step, mode 0600; without any the file goes. RootError where it cannot be."""
    path = os.path.join(root, FILE_NAME)
    identity.make_private_dir(root)
    try:
        if rules == Rules():
            with suppress(FileNotFoundError):
                os.unlink(path)
            return
        made = f"{path}.{os.getpid()}.{time.time_ns()}"
        handle = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(handle, "w", encoding="utf-8") as file:
            json.dump(as_json(rules), file, indent=1)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(made, path)
    except OSError as bad:
        raise RootError("write", path, bad.strerror or str(bad), "is the disk full? May you write there?") from bad


def as_json(rules: Rules) -> dict[str, object]:
    contexts = {name: _said(rule) for name, rule in sorted(rules.contexts.items())}
    return {"version": VERSION, "general": _said(rules.general), "contexts": contexts, "archives": rules.archives}


def retain(
    catalog: Catalog,
    *,
    deadline_ms: float | None = None,
    dry_run: bool = False,
    before_removal: BeforeRemoval | None = None,
    now_us: int | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Retained:
    """Retire what the rules of the root say, for about `deadline_ms` or all of it; `dry_run`: only say what that is.

    RootError for rules that cannot be read: nothing is deleted then. Days in trouble are named in the result.
    """
    rules = read(catalog.root)
    if not dry_run:
        removal.clean(catalog.root)
    if rules.is_empty():
        return Retained(dry_run, [], [], 0, [])
    until = None if deadline_ms is None else time.monotonic() + deadline_ms / 1_000
    going, too_large = plan(catalog, rules, time.time_ns() // 1_000 if now_us is None else now_us)
    done: list[DayRetired] = []
    failed: list[Unreadable] = []
    for at, day in enumerate(going):
        if at and until is not None and time.monotonic() >= until:  # never nothing, however slow the machine
            return Retained(dry_run, done, failed, len(going) - at, too_large)
        try:
            gone = _retire(catalog.root, day, dry_run, deadline_ms is not None, before_removal)
        except PartitionBusy:
            continue
        except EyeletError as bad:
            failed.append(Unreadable(day.key.context, day.key.date, f"{bad.reason} ({bad.hint})"))
            continue
        if gone is not None:
            done.append(gone)
        if progress is not None:
            progress(at + 1, len(going))
    return Retained(dry_run, done, failed, len(going) - len(done) - len(failed), too_large)


def plan(catalog: Catalog, rules: Rules, now_us: int) -> tuple[list[DayRetired], list[str]]:
    """The days that go, oldest first, events not counted; and which sizes are exceeded even so."""
    there = _there(catalog, rules)
    going: dict[Held, DayRetired] = {}
    for held in there:
        age_s = rules.age_of(held[0].context)
        if age_s is not None and held[0].bounds_us[1] <= now_us - age_s * 1_000_000:
            going[held] = _retired(held, there, f"older than {spelt_age(age_s)}")
    too_large = []
    for name, rule, some in _sized(rules, list(there)):
        if rule.max_bytes is None:
            continue
        total = sum(there[held] for held in some if held not in going)
        what = f"more than {spelt_bytes(rule.max_bytes)} {name}"
        for held in some:
            if total <= rule.max_bytes:
                break
            if held not in going and held[0].bounds_us[1] <= now_us:
                going[held] = _retired(held, there, what)
                total -= there[held]
        if total > rule.max_bytes:
            too_large.append(f"{what}: what is left is of today")
    return [going[held] for held in there if held in going], too_large


def _there(catalog: Catalog, rules: Rules) -> dict[Held, int]:
    """What counts, with its bytes, oldest first: the days, and where archives go, too, those of these contexts."""
    found = {(key, DAYS): size_of(catalog.root, key) for key in catalog.partitions()}
    if rules.archives:
        from eyelet_ingest.store.archived_deletion import NAME

        found |= {(key, NAME): archived_size_of(catalog.root, key) for key in catalog.archived()}
    return dict(sorted(found.items(), key=lambda one: (one[0][0].bounds_us, one[0][0].context, one[0][1])))


def _retired(held: Held, there: dict[Held, int], rule: str) -> DayRetired:
    key, place = held
    return DayRetired(key, None, there[held], rule, place)


def archived_size_of(root: str, key: PartitionKey) -> int:
    """The bytes of a day's archive; 0 where it has none."""
    with suppress(OSError):
        return os.path.getsize(layout.archive_path(root, key))
    return 0


def size_of(root: str, key: PartitionKey) -> int:
    """The bytes of a day: its database and the WAL."""
    path, total = layout.db_path(root, key), 0
    for side in ("", "-wal", "-journal"):
        with suppress(OSError):
            total += os.path.getsize(path + side)
    return total


def spelt_age(age_s: int | None) -> str:
    """An age as `--older-than` takes it: `90d`, `36h`, `forever`."""
    if age_s is None:
        return "forever"
    for unit, seconds in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if age_s % seconds == 0:
            return f"{age_s // seconds}{unit}"
    return f"{age_s}s"


def spelt_bytes(size: int) -> str:
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:,.1f} {unit}"
    return f"{size} bytes"


def _sized(rules: Rules, there: list[Held]) -> Iterator[tuple[str, Rule, list[Held]]]:
    for context, rule in sorted(rules.contexts.items()):
        yield f"in {context}", rule, [held for held in there if held[0].context == context]
    yield "in all", rules.general, there


def _retire(
    root: str, day: DayRetired, dry_run: bool, is_slice: bool, before_removal: BeforeRemoval | None
) -> DayRetired | None:
    """Let one day go; None where it had gone. PartitionUnreadable where it cannot be read."""
    end_us = day.key.bounds_us[1]
    lock_ms = SLICE_LOCK_MS if is_slice else LOCK_MS
    if day.place != DAYS:
        return _retire_archive(root, day, dry_run, lock_ms)
    wanted = Wanted(Filter(until_us=end_us), frozenset((day.key.context,)), by_age=True)
    days = DayByDay(root, wanted, before_removal, lock_ms)
    planned = days.planned(day.key)
    if planned is None:
        return None
    if planned.events is None:
        path = layout.db_path(root, day.key)
        raise PartitionUnreadable("retire", path, "it cannot be read", "mend it, or delete it with `eyelet delete`")
    if not dry_run:
        with FileLock(layout.lock_path(root, day.key), time.monotonic_ns() + days.deadline_ms * 1_000_000, make=False):
            pass  # who works there comes first: PartitionBusy before anything is said of it
        _remember(root, day, planned.events)
        if days.done(day.key) is None:
            return None
    return replace(day, events=planned.events)


def _retire_archive(root: str, day: DayRetired, dry_run: bool, lock_ms: int) -> DayRetired | None:
    """Let one archive go; None where it had gone. Its events are not counted: it would have to be unpacked."""
    from eyelet_ingest.store.archived_deletion import Archives
    from eyelet_ingest.store.archives import is_archived

    if not is_archived(root, day.key):
        return None
    if dry_run or Archives(root).remove(day.key, lock_ms, lambda: _remember(root, day, None)):
        return day
    return None


def _remember(root: str, day: DayRetired, events: int | None) -> None:
    """What goes now, in the audit; and that nothing of that time comes back."""
    said = {"day": day.key.mount_name, "place": day.place, "events": events, "bytes": day.bytes, "rule": day.rule}
    audit.record(root, "retention", "retention.day", said)
    Tombstones.of(root).retire(day.key.context, day.key.bounds_us[1])


def _said(rule: Rule) -> dict[str, object]:
    said: dict[str, object] = {}
    if rule.max_age_s is not None or rule.own_age:
        said["max_age_s"] = rule.max_age_s
    if rule.max_bytes is not None:
        said["max_bytes"] = rule.max_bytes
    return said


def _rules(said: object) -> Rules:
    """BadInput, which names the field, for what says no rules."""
    if not isinstance(said, dict):
        raise BadInput("read", reason="it is no object")
    if said.get("version") != VERSION or type(said["version"]) is not int:
        raise BadInput("read", reason=f"`version` is {said.get('version')!r}, this software knows {VERSION}")
    _known(said, "", ("version", "general", "contexts", "archives"))
    contexts, archives = said.get("contexts", {}), said.get("archives", False)
    if not isinstance(contexts, dict):
        raise BadInput("read", reason="`contexts` is no object")
    if not isinstance(archives, bool):
        raise BadInput("read", reason="`archives` is neither true nor false")
    for name in contexts:
        if layout.safe_context(name) != name:
            raise BadInput("read", reason=f"`contexts` names {name!r}, which is no safe name of a context")
    each = {name: _rule(rule, f"contexts.{name}", own=True) for name, rule in contexts.items()}
    return Rules(_rule(said.get("general", {}), "general"), each, archives)


def _rule(said: object, where: str, *, own: bool = False) -> Rule:
    if not isinstance(said, dict):
        raise BadInput("read", reason=f"`{where}` is no object")
    _known(said, f"{where}.", ("max_age_s", "max_bytes"))
    for name, least in (("max_age_s", LEAST_AGE_S), ("max_bytes", LEAST_BYTES)):
        value = said.get(name)
        is_free = value is None and (name == "max_age_s" or name not in said)
        if not is_free and (type(value) is not int or value < least):
            raise BadInput("read", reason=f"`{where}.{name}` is no whole number from {least:,} on")
    return Rule(said.get("max_age_s"), said.get("max_bytes"), own and "max_age_s" in said)


def _known(said: Mapping[str, object], where: str, names: tuple[str, ...]) -> None:
    for name in said:
        if name not in names:
            raise BadInput("read", reason=f"`{where}{name}` is unknown, there is {', '.join(names)}")
