"""The door `sqlite-utils eyelet …`: the same commands inside sqlite-utils."""

import click
import pluggy

hookimpl = pluggy.HookimplMarker("sqlite_utils")


@hookimpl
def register_commands(cli: click.Group) -> None:
    """Adds the group `eyelet` to sqlite-utils' own."""
    from eyelet_ingest.cli import cli as eyelet

    cli.add_command(eyelet, "eyelet")
