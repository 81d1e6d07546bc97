"""`eyelet checkpoint`: what stands in the WALs of days brought into their files."""

import time
from typing import TYPE_CHECKING

import click

from eyelet_ingest.cli import days
from eyelet_ingest.cli.days import Asked, Facts, day_options
from eyelet_ingest.cli.options import root_option

if TYPE_CHECKING:
    from eyelet_ingest.store.checkpoint import Checkpointed
    from eyelet_ingest.store.layout import PartitionKey
    from eyelet_ingest.store.metrics import Checkpointing
    from eyelet_ingest.store.store import Store

MODES = ("passive", "full", "restart", "truncate")
BY_HAND = "command"


@click.command()
@click.argument("mode", type=click.Choice(MODES), required=False)
@day_options()
@click.option(
    "--strategy",
    metavar="NAME",
    help="Only days that are due by this strategy, each in the mode that it says, as a server does by itself.",
)
@click.option("--dry-run", is_flag=True, help="Only say which days have a WAL.")
@click.option("--json", "as_json", is_flag=True, help="One object.")
@root_option
def checkpoint(mode: str | None, asked: Asked, strategy: str | None, dry_run: bool, as_json: bool, root: str) -> None:
    """Bring what stands in the WALs of days into their files. MODE is passive unless told."""
    if strategy is not None and mode is not None:
        raise click.UsageError("A strategy says the mode of each day: name one of the two.")
    with days.opened(root, dry_run) as store:
        asked_keys = asked.keys(store.catalog.partitions())
        if strategy is None:
            modes = {day.key: mode or "passive" for day in store.days(asked_keys) if day.wal_bytes}
        else:
            modes = _due(store, strategy, asked_keys)
        if modes and not dry_run:
            days.audited(root, "checkpoint", modes, mode=mode or "passive", strategy=strategy or "")
        kept: list[Checkpointing] = []

        def planned(key: "PartitionKey") -> tuple[Facts, str]:
            wal_bytes = next(store.days([key])).wal_bytes
            said = f"{days.sized(wal_bytes)} in its WAL"
            return {"wal_bytes": wal_bytes, "mode": modes[key]}, f"{said}, {modes[key]}" if strategy else said

        def done(key: "PartitionKey") -> tuple[Facts, str]:
            return _told(_one(store, key, modes[key], strategy, kept))

        nothing = "no day has a WAL" if strategy is None else "no day is due"
        outcome = days.walk(list(modes), "checkpointing", planned if dry_run else done)
        _keep(store, kept)
    days.say(outcome, as_json, nothing)


def _due(store: "Store", name: str, keys: "list[PartitionKey]") -> "dict[PartitionKey, str]":
    """The days that this strategy says are due, with their modes."""
    from eyelet_ingest.health import checkpointing
    from eyelet_ingest.plugins import Plugins

    ask = checkpointing.strategy(name, Plugins.load)
    return {key: mode for key, mode, _ in checkpointing.due(store, ask, time.time_ns() // 1_000, keys)}


def _one(
    store: "Store", key: "PartitionKey", mode: str, strategy: str | None, kept: "list[Checkpointing]"
) -> "Checkpointed":
    """One checkpoint, and what is kept of it: by hand it waits for its turn, by a strategy it gives way."""
    from eyelet_ingest.health import checkpointing
    from eyelet_ingest.health.strategies import Wal

    wal = checkpointing.look(store, key, time.time_ns() // 1_000) or Wal(0, 0, 0.0, 0.0)
    results: list[Checkpointed] = []

    def work() -> "Checkpointed":
        results.append(store.try_checkpoint(key, mode) if strategy else store.checkpoint(key, mode)[0])
        return results[0]

    kept.append(checkpointing.measured(store, wal, strategy or BY_HAND, work))
    return results[0]


def _told(one: "Checkpointed") -> tuple[Facts, str]:
    facts: Facts = {"mode": one.mode, "busy": one.busy, "frames": one.wal_frames, "moved": one.moved_frames}
    hindered = ", others were in its way" if one.busy else ""
    failed = f", {one.error}" if one.error else ""
    said = f"{one.mode}, {one.moved_frames:,} of {one.wal_frames:,} pages{hindered}{failed}"
    if not one.mode:
        said = "somebody writes there now: another time"
    return facts | {"error": one.error or None}, said


def _keep(store: "Store", kept: "list[Checkpointing]") -> None:
    """What became of them stands beside those that nobody asked for."""
    if kept:
        from eyelet_ingest import metering, surroundings

        metering.Meter(store, surroundings.home(), "command").keep(checkpoints=kept)
