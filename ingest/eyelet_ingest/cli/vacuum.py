"""`eyelet vacuum`: days written anew without gaps."""

from typing import TYPE_CHECKING

import click

from eyelet_ingest.cli import days
from eyelet_ingest.cli.days import Asked, Facts, day_options, sized
from eyelet_ingest.cli.options import root_option

if TYPE_CHECKING:
    from eyelet_ingest.store.layout import PartitionKey


@click.command()
@day_options(argument=True)
@click.option("--dry-run", is_flag=True, help="Only say which days, and how large they are.")
@click.option("--json", "as_json", is_flag=True, help="One object.")
@root_option
def vacuum(asked: Asked, dry_run: bool, as_json: bool, root: str) -> None:
    """Write days anew without gaps; all of them where none is named."""
    with days.opened(root, dry_run) as store:

        def planned(key: "PartitionKey") -> tuple[Facts, str]:
            day = next(store.days([key]))
            size = day.bytes + day.wal_bytes
            return {"bytes_before": size}, f"would be written anew, {sized(size)}"

        def done(key: "PartitionKey") -> tuple[Facts, str]:
            before, after = store.vacuum(key)
            return {"bytes_before": before, "bytes": after}, f"{sized(before)} → {sized(after)}"

        keys = asked.keys(days.there(store))
        outcome = days.walk(keys, "writing anew", planned if dry_run else done)
    days.say(outcome, as_json, "no day")
