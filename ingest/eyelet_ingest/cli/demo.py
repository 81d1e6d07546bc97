"""`eyelet demo`: a generated week of an agent's work, to look around in before there is anything of one's own."""

import sys
from collections.abc import Iterator

import click

from eyelet_ingest.cli.options import WholeNumber, now_us, opened_store, root_option, runnable
from eyelet_ingest.errors import EyeletError


@click.command()
@click.option("--days", type=WholeNumber(1, 90), default=7, metavar="N", help="How many days up to now.")
@click.option("--force", is_flag=True, help="Also where something is recorded already.")
@click.option("--unless-used", is_flag=True, help="Say nothing where something is recorded already.")
@root_option
def demo(days: int, force: bool, unless_used: bool, root: str) -> None:
    """Record a generated demonstration into the context demo. It reads no file of yours."""
    from eyelet_ingest import demo as demonstration
    from eyelet_ingest.cli import output
    from eyelet_ingest.store.select import Filter

    with opened_store(root, only_reads=False) as store:
        # Not whether there is a day: a demonstration that met a full disk leaves empty ones.
        newest = store.search(Filter(), limit=1, cut_chars=0)
        if (newest.rows or newest.partitions.unreadable) and not force:
            if not unless_used:
                said = [
                    f"{root} already holds events: no demonstration was recorded.",
                    f"To add one all the same: {runnable('demo --force', root)}",
                ]
                output.write_lines(sys.stdout, map(output.visible, said))
            return
        done = demonstration.record(store, now_us(), days)
    if done.refused:
        asked = len(done.partitions) + len(done.refused)
        failed = f"{len(done.refused)} of {asked} days could not be stored: {done.refused[0].error}"
        raise EyeletError("the demonstration is not complete", reason=failed)
    output.write_lines(sys.stdout, map(output.visible, _told(root, days, done.stored)))


def _told(root: str, days: int, stored: int) -> Iterator[str]:
    period = "day" if days == 1 else f"{days} days"
    yield f"Recorded a generated demonstration: {stored:,} events of the last {period}, in the context demo."
    yield "All of it is invented; none of your files was read."
    yield ""
    yield f"  Look around:               {runnable('query search --context demo', root)}"
    yield f"  Import your own history:   {runnable('ingest ~/.claude/projects', root)}"
    yield f"  Remove the demonstration:  {runnable('delete --context demo', root)}"
