"""`eyelet migrate`: days of an older version brought up now, instead of when they are next written."""

from typing import TYPE_CHECKING

import click

from eyelet_ingest.cli import days
from eyelet_ingest.cli.days import Asked, Facts, day_options
from eyelet_ingest.cli.options import root_option

if TYPE_CHECKING:
    from eyelet_ingest.store.layout import PartitionKey


@click.command()
@day_options(argument=True)
@click.option("--dry-run", is_flag=True, help="Only say which days are of an older version.")
@click.option("--json", "as_json", is_flag=True, help="One object.")
@root_option
def migrate(asked: Asked, dry_run: bool, as_json: bool, root: str) -> None:
    """Bring days of an older version up to this one; all of them where none is named."""
    from eyelet_ingest.store import inventory, schema

    with days.opened(root, dry_run) as store:

        def act(key: "PartitionKey") -> tuple[Facts, str] | None:
            version = inventory.version(root, key)
            if version is None or version >= schema.VERSION:
                return None
            if dry_run:
                facts: Facts = {"from": version, "to": schema.VERSION}
                return facts, f"version {version} would become {schema.VERSION}"
            before, after = store.migrate(key)
            return {"from": before, "to": after}, f"version {before} is now {after}"

        outcome = days.walk(asked.keys(days.there(store)), "bringing up", act)
    days.say(outcome, as_json, f"every day is of version {schema.VERSION}, or newer")
