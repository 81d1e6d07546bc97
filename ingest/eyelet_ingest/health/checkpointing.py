"""Checkpoints that nobody asks for: a look at the WALs of all days, and what the strategy says of each, tried.

By the server in its rounds and by a command that wrote at its end. A day's lock is tried, never waited for: where
somebody writes, he comes first, and the next round looks again. What fails is kept in `wal_metrics`, and fails nothing.
"""

import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from eyelet_ingest import metering, settings
from eyelet_ingest.errors import BadInput, EyeletError
from eyelet_ingest.health import strategies
from eyelet_ingest.health.strategies import Wal
from eyelet_ingest.store import checkpoint, connect, examined, layout
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.metrics import Checkpointing

if TYPE_CHECKING:
    from eyelet_ingest.plugins import Plugins
    from eyelet_ingest.store.checkpoint import Checkpointed
    from eyelet_ingest.store.store import Store

SETTING = "health.checkpoint_strategy"
Ask = Callable[[Wal], str | None]


def chosen() -> str:
    """The name of the strategy that the global settings say; the default's where they cannot be read."""
    with suppress(EyeletError):
        return str(settings.effective(os.sep)[SETTING])
    return strategies.DEFAULT


def strategy(name: str, plugins: "Callable[[], Plugins]") -> Ask:
    """The strategy of this name, built in or a plugin's; BadInput where there is none."""
    if name == strategies.OFF:
        return lambda wal: None
    if name in strategies.BUILT_IN:
        return strategies.BUILT_IN[name].mode
    loaded = plugins()
    known = [one.name for _, one in loaded.registered["register_checkpoint_strategies"]]
    if name not in known:
        names = ", ".join((*strategies.BUILT_IN, *known, strategies.OFF))
        raise BadInput("checkpoint", reason=f"there is no strategy {name!r}", hint=f"one of {names}")
    return lambda wal: loaded.checkpoint_mode(name, wal)


def look(store: "Store", key: PartitionKey, now_us: int) -> Wal | None:
    """The WAL of a day as a strategy is told it, all of it counted as waiting where anybody wrote since the last
    checkpoint; None where nothing is in it."""
    path = layout.db_path(store.root, key)
    try:
        wal = os.stat(layout.side_path(path, "-wal"))
        file = os.stat(path)
    except OSError:
        return None
    if not wal.st_size:
        return None
    now_s = now_us / 1e6
    return Wal(
        0 if file.st_mtime_ns > wal.st_mtime_ns else wal.st_size,
        wal.st_size,
        age_s=max(0.0, now_s - file.st_mtime),  # with a WAL, only a checkpoint writes to the file
        idle_s=max(0.0, now_s - wal.st_mtime),
        priority=strategies.priority_of(key.bounds_us[0], now_us),
        load=metering.load() / (os.cpu_count() or 1),
        lock_waits=store.timings.lock_waits(),
    )


def due(
    store: "Store", ask: Ask, now_us: int, keys: "Iterable[PartitionKey] | None" = None
) -> list[tuple[PartitionKey, str, Wal]]:
    """The days, of these or of all, whose WAL is due, with the mode, the largest first."""
    found = []
    for key in store.catalog.partitions() if keys is None else keys:
        wal = look(store, key, now_us)
        if wal is None or ask(wal) is None:
            continue
        wal = _exactly(store, key, wal)
        mode = ask(wal)
        if mode is not None and not connect.may_checkpoint(connect.driver().sqlite_version):
            mode = strategies.PASSIVE if wal.bytes else None  # it makes no others, however often they are due
        if mode in checkpoint.MODES:
            found.append((key, mode, wal))
    return sorted(found, key=lambda one: -one[2].bytes)


def _exactly(store: "Store", key: PartitionKey, wal: Wal) -> Wal:
    """With what really waits: a WAL that was begun anew is as long as before."""
    if not wal.bytes:
        return wal
    with suppress(EyeletError):  # the checkpoint says what is wrong with it
        return replace(wal, bytes=examined.waiting(layout.db_path(store.root, key)).bytes)
    return wal


def run(
    store: "Store", deadline_ms: float, plugins: "Callable[[], Plugins]", name: str | None = None
) -> list[Checkpointing]:
    """Do what the strategy says (of this name, else the settings'), for about `deadline_ms`; what became of each day
    that was due and come to. Nothing for a root in memory. BadInput for a strategy that is not there."""
    if store.root.startswith(layout.MEMORY):
        return []
    name = name or chosen()
    ask = strategy(name, plugins)
    until_s = time.monotonic() + deadline_ms / 1_000
    done = []
    for key, mode, wal in due(store, ask, time.time_ns() // 1_000):
        if time.monotonic() >= until_s:
            break
        done.append(measured(store, wal, name, lambda key=key, mode=mode: store.try_checkpoint(key, mode)))  # type: ignore[misc]
    return done


def measured(store: "Store", wal: Wal, by: str, work: "Callable[[], Checkpointed]") -> Checkpointing:
    """A checkpoint of a day with this WAL, as it is kept of it."""
    started_ns = time.perf_counter_ns()
    one = work()
    key = one.key
    took_us = (time.perf_counter_ns() - started_ns) // 1_000
    after = look(store, key, 0)
    left = after.file_bytes if after is not None else 0
    now_us = time.time_ns() // 1_000
    at = (now_us, key.context, key.date, by, one.mode)
    return Checkpointing(*at, wal.file_bytes, left, one.wal_frames, one.moved_frames, one.busy, took_us, one.error)
