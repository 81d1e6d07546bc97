"""`eyelet drain`: what captures could not store in time goes from the spool into its partitions."""

import sys
from typing import TYPE_CHECKING

import click

from eyelet_ingest.cli.options import maintain, root_option, say_if_missing, spool_story

if TYPE_CHECKING:
    from eyelet_ingest.store.spool import Drained


@click.command()
@click.option("--json", "as_json", is_flag=True, help="The numbers as one JSON object.")
@root_option
def drain(as_json: bool, root: str) -> None:
    """Store what waits in the spool. Every other command does it first as well."""
    from eyelet_ingest.cli import output
    from eyelet_ingest.store.store import Store

    with Store(root) as store:
        say_if_missing(root)
        drained = store.drain_spool()
    output.write_lines(sys.stdout, [output.json_value(_counts(drained)) if as_json else spool_story(drained)])
    for reason in drained.reasons:
        click.echo(f"eyelet: {output.visible(reason)}", err=True)
    maintain(root)
    if drained.left:
        click.get_current_context().exit(1)


def _counts(drained: "Drained") -> dict[str, object]:
    """The numbers of one drain by name."""
    return {
        "stored": drained.stored,
        "known": drained.known,
        "deleted": drained.dead,
        "set_aside": drained.bad,
        "waiting": drained.left,
        "reasons": list(drained.reasons),
    }
