"""`eyelet export`: events in a file that `eyelet import` brings back exactly."""

import os
import sys
from contextlib import suppress

import click

from eyelet_ingest.cli import moving
from eyelet_ingest.cli.options import Chosen, filter_options, opened_store, root_option
from eyelet_ingest.errors import EyeletError

STDOUT = "-"


@click.command()
@filter_options()
@click.option(
    "-o",
    "--output",
    "path",
    metavar="FILE",
    required=True,
    help="The file to write, as gzip where its name ends in .gz; - is standard output.",
)
@click.option("--json", "as_json", is_flag=True, help="The numbers as one JSON object (with -o - on stderr).")
@root_option
@click.pass_context
def export(ctx: click.Context, chosen: Chosen, path: str, as_json: bool, root: str) -> None:
    """Write events to a file, whole and exact, for `eyelet import`.

    Without a filter all of them. The file is there when it is whole.
    """
    from eyelet_ingest.store import account
    from eyelet_ingest.store.export import expect_place, write_file, write_to

    path = path if path == STDOUT else os.path.expanduser(path)
    if path != STDOUT:
        expect_place(path)
    with opened_store(root) as store:
        there = os.path.isdir(root)
        if there:
            moving.audited(root, "export.begin", account.asked(chosen.where))
        with moving.day_progress("Exporting", as_json) as progress:
            exported = store.export_lines(chosen.where, progress)
            if path == STDOUT:
                write_to(exported, sys.stdout.buffer, packed=False)
                sys.stdout.buffer.flush()
            else:
                write_file(exported, path)
        if there:
            with suppress(EyeletError):  # it is written, and its beginning is in the audit
                moving.audited(root, "export.end", exported.end())
    _report(exported.end(), path, as_json)
    bad = [f"{one.name}: {one.error}" for one in exported.unreadable]
    moving.list_troubles(bad, len(bad))
    if bad:
        ctx.exit(moving.INCOMPLETE)


def _report(end: dict[str, object], path: str, as_json: bool) -> None:
    sentence = f"{moving.number(int(str(end['events'])), 'event')} exported to {path}"
    if path != STDOUT:
        moving.answer(as_json, {**end, "file": path}, sentence)
    elif as_json:
        from eyelet_ingest.cli import output

        click.echo(output.json_value(end), err=True)
    else:
        moving.say(sentence.replace(" to -", ""))
