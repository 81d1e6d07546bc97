"""`eyelet ingest` brings recordings in; `eyelet quarantine` shows what could not be."""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from eyelet_ingest.cli.options import context_option, root_option

if TYPE_CHECKING:
    from eyelet_ingest.ledger import Quarantined
    from eyelet_ingest.pipeline import Ingested

SOMETHING_QUARANTINED = 1  # the exit status
COUNTS = ("read", "stored", "duplicates", "quarantined", "partitions", "seconds")
CONTENT_SHOWN_CHARS = 200


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@root_option
@context_option
@click.option("--json", "as_json", is_flag=True, help="Print the counts as one JSON object.")
@click.pass_context
def ingest(ctx: click.Context, paths: tuple[str, ...], root: str, context: str, as_json: bool) -> None:
    """Import recordings: hook payloads and Claude Code transcripts.

    PATH is a file, a folder, a quoted pattern like '~/logs/**/*.jsonl', or - for standard input; gzip is
    recognised. Importing the same recording again stores only what is new.
    """
    from eyelet_ingest import pipeline, recordings

    files = recordings.find(paths)
    total_bytes = sum(os.path.getsize(file) for file in files if file != recordings.STDIN and os.path.isfile(file))
    if as_json or not sys.stderr.isatty():
        done = pipeline.ingest(files, root, context)
    else:
        with click.progressbar(length=total_bytes, label="Importing", file=sys.stderr) as bar:
            done = pipeline.ingest(files, root, context, progress=bar.update)
    _report(done, context, as_json)
    if done.quarantined:
        ctx.exit(SOMETHING_QUARANTINED)


@click.command()
@root_option
@click.option("--limit", default=100, type=click.IntRange(min=0), help="How many at most, newest first; 0 for all.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def quarantine(root: str, limit: int, as_json: bool) -> None:
    """Show the records that could not be stored, where they stand and why.

    A record leaves the list when the same line of the same file is imported well.
    """
    from eyelet_ingest.ledger import FILE_NAME, Ledger

    kept: list[Quarantined] = []
    if os.path.exists(os.path.join(root, FILE_NAME)):
        with Ledger(root) as ledger:
            kept = ledger.quarantined(limit or -1)
    if as_json:
        click.echo(json.dumps([asdict(entry) for entry in kept], indent=2))
    elif not kept:
        click.echo("Nothing is in quarantine.")
    else:
        from eyelet_ingest.cli.output import visible

        for entry in kept:
            _say(f"{_place(entry)}: {entry.reason}")
            _say(f"    {visible(entry.content[:CONTENT_SHOWN_CHARS])}")


def _report(done: "Ingested", context: str, as_json: bool) -> None:
    if done.troubles:
        _list_troubles(done.troubles, done.quarantined)
    if as_json:
        counts: dict[str, Any] = {name: getattr(done, name) for name in COUNTS}
        click.echo(json.dumps(counts))
        return
    days = "1 partition" if done.partitions == 1 else f"{done.partitions:,} partitions"
    _say(
        f"Read {done.read:,} records in {done.seconds:.1f} s: {done.stored:,} stored in context {context} ({days}), "
        f"{done.duplicates:,} known already, {done.quarantined:,} quarantined."
    )


def _list_troubles(troubles: "Sequence[Quarantined]", count: int) -> None:
    for entry in troubles:
        _say(f"{_place(entry)}: {entry.reason}", err=True)
    if count > len(troubles):
        _say(f"… and {count - len(troubles):,} more", err=True)
    _say("`eyelet quarantine` shows what could not be stored.", err=True)


def _place(entry: "Quarantined") -> str:
    return f"{entry.file}:{entry.line}"


def _say(text: str, *, err: bool = False) -> None:
    from eyelet_ingest.cli.output import visible, write_lines

    write_lines(sys.stderr if err else sys.stdout, [visible(text)])
