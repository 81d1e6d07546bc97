"""`eyelet demo`: a generated week of an agent's work, to look around in before there is anything of one's own."""

import os
import shlex
import sys
from collections.abc import Iterator

import click

from eyelet_ingest.cli.options import DEFAULT_ROOT, now_us, opened_store, root_option


@click.command()
@click.option("--days", type=click.IntRange(1, 90), default=7, metavar="N", help="How many days up to now.")
@click.option("--force", is_flag=True, help="Also where something is recorded already.")
@click.option("--unless-used", is_flag=True, help="Say nothing where something is recorded already.")
@root_option
def demo(days: int, force: bool, unless_used: bool, root: str) -> None:
    """Record a generated demonstration into the context demo. It reads no file of yours."""
    from eyelet_ingest import demo as demonstration
    from eyelet_ingest.cli import output

    with opened_store(root) as store:
        if store.newest_day() is not None and not force:
            if not unless_used:
                click.echo(f"{output.visible(root)} already holds events: no demonstration was recorded.")
                click.echo("To add one all the same: eyelet demo --force")
            return
        done = demonstration.record(store, now_us(), days)
    output.write_lines(sys.stdout, map(output.visible, _told(root, days, done.stored)))
    for refused in done.refused:
        click.echo(f"eyelet: {output.visible(str(refused.error))}", err=True)
    if done.refused:
        click.get_current_context().exit(1)


def _told(root: str, days: int, stored: int) -> Iterator[str]:
    at = "" if root == os.path.expanduser(DEFAULT_ROOT) else f" --root {shlex.quote(root)}"
    period = "day" if days == 1 else f"{days} days"
    yield f"Recorded a generated demonstration: {stored:,} events of the last {period}, in the context demo."
    yield "All of it is invented; none of your files was read."
    yield ""
    yield f"  Look around:               eyelet query search --context demo{at}"
    yield f"  Import your own history:   eyelet ingest ~/.claude/projects{at}"
    yield f"  Remove the demonstration:  rm -r {shlex.quote(os.path.join(root, 'logs', 'demo'))}"
