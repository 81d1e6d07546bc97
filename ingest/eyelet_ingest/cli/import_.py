"""`eyelet import`: the events of exports come in, exactly and once."""

import sys
from typing import TYPE_CHECKING

import click

from eyelet_ingest.cli import moving
from eyelet_ingest.cli.options import maintain, root_option, utf8

if TYPE_CHECKING:
    from eyelet_ingest.store.importing import Trouble


@click.command("import")
@click.argument("paths", nargs=-1, required=True, metavar="FILE...")
@click.option("--context", metavar="NAME", help="Put all events into this context; else each into its own.")
@click.option("--force", is_flag=True, help="Bring back what was deleted or retired here, too.")
@click.option("--dry-run", is_flag=True, help="Change nothing; say what would come.")
@click.option("--json", "as_json", is_flag=True, help="The numbers as one JSON object.")
@root_option
@click.pass_context
def import_(
    ctx: click.Context,
    paths: tuple[str, ...],
    context: str | None,
    force: bool,
    dry_run: bool,
    as_json: bool,
    root: str,
) -> None:
    """Bring events in that `eyelet export` wrote; each once.

    FILE is an export, gzip or plain; - is standard input. Recordings of agents are for `eyelet ingest`.
    """
    from eyelet_ingest.incoming import Incoming
    from eyelet_ingest.store.importing import Importing, import_files, total_bytes
    from eyelet_ingest.store.store import Store

    if context is not None:
        utf8("context", context)
    with Store(root) as store:
        store.contexts()  # RootError where it is none
    clean = None if dry_run else Incoming(root)
    importing = Importing(root, context=context, force=force, dry_run=dry_run, clean=clean)
    if as_json or not sys.stderr.isatty():
        done = import_files(importing, paths, sys.stdin.buffer)
    else:
        with click.progressbar(length=total_bytes(paths), label="Importing", file=sys.stderr) as bar:
            done = import_files(importing, paths, sys.stdin.buffer, bar.update)
    counts: dict[str, object] = {name: getattr(done, name) for name in ("read", "stored", "known")}
    counts |= {"deleted_before": done.dead, "failed": done.failed, "partitions": len(done.days), "dry_run": dry_run}
    would = "would be stored" if dry_run else "stored"
    days = moving.number(len(done.days), "partition")
    sentence = f"{moving.number(done.stored, 'event')} {would} ({days}), {done.known:,} known already"
    moving.answer(as_json, counts, sentence)
    if done.dead:
        why = "deleted, retired or redacted here before (--force brings them)"
        moving.say(f"{moving.number(done.dead, 'event')} not stored: {why}")
    moving.list_troubles((_told(one) for one in done.troubles), done.failed)
    if not dry_run:
        maintain(root, done.days)
    if done.failed:
        ctx.exit(moving.INCOMPLETE)


def _told(one: "Trouble") -> str:
    where = f"{one.file}:{one.line}" if one.line else one.file  # line 0 is of a whole file
    return f"{where}: {one.reason}"
