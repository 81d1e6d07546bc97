"""`eyelet checkpoint`: what stands in the WALs of days brought into their files."""

from typing import TYPE_CHECKING

import click

from eyelet_ingest.cli import days
from eyelet_ingest.cli.days import Asked, Facts, day_options
from eyelet_ingest.cli.options import root_option

if TYPE_CHECKING:
    from eyelet_ingest.store.layout import PartitionKey

MODES = ("passive", "full", "restart", "truncate")


@click.command()
@click.argument("mode", type=click.Choice(MODES), default="passive")
@day_options()
@click.option("--dry-run", is_flag=True, help="Only say which days have a WAL.")
@click.option("--json", "as_json", is_flag=True, help="One object.")
@root_option
def checkpoint(mode: str, asked: Asked, dry_run: bool, as_json: bool, root: str) -> None:
    """Bring what stands in the WALs of days into their files. MODE is passive unless told."""
    with days.opened(root, dry_run) as store:
        keys = [day.key for day in store.days(asked.keys(store.catalog.partitions())) if day.wal_bytes]
        if keys and not dry_run:
            days.audited(root, "checkpoint", keys, mode=mode)

        def planned(key: "PartitionKey") -> tuple[Facts, str]:
            wal_bytes = next(store.days([key])).wal_bytes
            return {"wal_bytes": wal_bytes}, f"{days.sized(wal_bytes)} in its WAL"

        def done(key: "PartitionKey") -> tuple[Facts, str]:
            (one,) = store.checkpoint(key, mode)
            facts: Facts = {"mode": one.mode, "busy": one.busy, "frames": one.wal_frames, "moved": one.moved_frames}
            hindered = ", others were in its way" if one.busy else ""
            failed = f", {one.error}" if one.error else ""
            said = f"{one.mode}, {one.moved_frames:,} of {one.wal_frames:,} pages{hindered}{failed}"
            return facts | {"error": one.error or None}, said

        outcome = days.walk(keys, "checkpointing", planned if dry_run else done)
    days.say(outcome, as_json, "no day has a WAL")
