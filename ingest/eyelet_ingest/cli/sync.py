"""`eyelet sync`: what is new in other roots comes into this one."""

import sys
from typing import TYPE_CHECKING

import click

from eyelet_ingest.cli import moving
from eyelet_ingest.cli.options import maintain, opened_store, root_option, utf8
from eyelet_ingest.errors import BadInput

if TYPE_CHECKING:
    from eyelet_ingest.store.sync import Synced


@click.command()
@click.argument("sources", nargs=-1, metavar="FROM...")
@click.option("--context", "contexts", metavar="NAME", multiple=True, help="Only this context.")
@click.option("--force", is_flag=True, help="Read all again, and bring back what was deleted or retired here, too.")
@click.option("--dry-run", is_flag=True, help="Change nothing; say what would come.")
@click.option("--ssh", metavar="COMMAND", default="ssh", help="What reaches another machine.")
@click.option("--program", metavar="COMMAND", default="eyelet", help="How eyelet is called on the other machine.")
@click.option("--send", is_flag=True, help="Be the other machine: answer on standard output what stdin asks for.")
@click.option("--json", "as_json", is_flag=True, help="The numbers of each source as a JSON array.")
@root_option
@click.pass_context
def sync(
    ctx: click.Context,
    sources: tuple[str, ...],
    contexts: tuple[str, ...],
    force: bool,
    dry_run: bool,
    ssh: str,
    program: str,
    send: bool,
    as_json: bool,
    root: str,
) -> None:
    """Store what is new in other roots; twice is once.

    FROM is the folder of a root, or ssh://[user@]host[:port]/path.
    """
    from eyelet_ingest.incoming import Incoming
    from eyelet_ingest.store import sync as syncing

    if send == bool(sources):
        raise BadInput("sync", reason="name the roots to sync from, or --send alone", hint="eyelet sync --help")
    if send:
        with opened_store(root):
            sys.stdout.buffer.writelines(syncing.sender(root, sys.stdin.buffer.readline()))
            sys.stdout.buffer.flush()
        return
    names = [utf8("context", context) for context in contexts]
    done = syncing.sync(
        root,
        sources,
        contexts=names,
        force=force,
        dry_run=dry_run,
        ssh=ssh,
        program=program,
        progress=_shown(as_json),
        clean=None if dry_run else Incoming(root),
    )
    _report(done, as_json)
    if not dry_run:
        maintain(root, {day for one in done for day in one.days})
    failed = [f"{bad.name}: {bad.error}" for one in done for bad in one.failed]
    moving.list_troubles(failed, len(failed))
    if failed:
        ctx.exit(moving.INCOMPLETE)


def _shown(quiet: bool) -> "moving.Counted | None":
    return None if quiet or not sys.stderr.isatty() else moving.Counted("Syncing")


def _report(results: "list[Synced]", as_json: bool) -> None:
    from eyelet_ingest.cli import output

    if as_json:
        output.write_lines(sys.stdout, [output.json_value([_counts(one) for one in results])])
        return
    for one in results:
        would = "would be stored" if one.dry_run else "stored"
        days = moving.number(len(one.days), "partition")
        line = f"{one.source}: {moving.number(one.stored, 'event')} {would} ({days}), {one.known:,} known already"
        output.write_lines(sys.stdout, [output.visible(line)])
        if one.dead:
            said = moving.number(one.dead, "event")
            moving.say(f"{said} not stored: deleted, retired or redacted here before (--force brings them)")


def _counts(one: "Synced") -> dict[str, object]:
    failed = [{"context": bad.context, "day": bad.day, "error": bad.error} for bad in one.failed]
    return {
        "source": one.source,
        "stored": one.stored,
        "known": one.known,
        "deleted_before": one.dead,
        "partitions": len(one.days),
        "failed": failed,
        "dry_run": one.dry_run,
    }
