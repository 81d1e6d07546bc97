"""`eyelet ingest` brings recordings in; `eyelet quarantine` shows what could not be, or forgets it."""

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from eyelet_ingest.cli.options import WholeNumber, context_option, maintain, root_option, runnable, say_if_missing
from eyelet_ingest.errors import BadInput
from eyelet_ingest.store.layout import safe_context

if TYPE_CHECKING:
    from eyelet_ingest.ledger import Ledger, Quarantined
    from eyelet_ingest.pipeline import Ingested
    from eyelet_ingest.plugins import Plugins
    from eyelet_ingest.sources.mapped import Mapping

SOMETHING_QUARANTINED = 1  # the exit status
COUNTS = ("read", "stored", "duplicates", "quarantined", "deleted", "partitions", "seconds")
CONTENT_SHOWN_CHARS = 200


def _absolute(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """A file's path; `-` for standard input."""
    from eyelet_ingest import recordings

    return value if value is None or value == recordings.STDIN else recordings.absolute(value)


def _listed(file: str | None, root: str) -> str | None:
    """A file as the quarantine of the root lists it: without secrets."""
    from eyelet_ingest import pipeline, redactors

    return file and pipeline.shown_path(file, redactors.of_root(root))


@click.command()
@click.argument("paths", nargs=-1, metavar="PATH...")
@root_option
@context_option
@click.option(
    "--map",
    "maps",
    multiple=True,
    metavar="FIELD=PATH,…",
    help="Where the fields of JSON lines stand: time=ts,src=logger,level=severity,message=msg.",
)
@click.option("--alongside", metavar="NAME", help="Keep it apart, under this name: read with the rest, never mixed.")
@click.option("--drop", is_flag=True, help="Remove what is kept --alongside under this name.")
@click.option("--yes", is_flag=True, help="Drop without asking.")
@click.option("--force", is_flag=True, help="Store again what was deleted or retired earlier.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as one JSON object.")
@click.pass_context
def ingest(
    ctx: click.Context,
    paths: tuple[str, ...],
    root: str,
    context: str,
    maps: tuple[str, ...],
    alongside: str | None,
    drop: bool,
    yes: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Import recordings: hook payloads, Claude Code transcripts, logs as JSON lines, and old databases.

    PATH is a file, a folder, a quoted pattern like '~/logs/**/*.jsonl', or - for standard input; gzip and databases
    are recognised. Importing the same again stores only what is new; what was deleted stays away.
    """
    if drop:
        _drop(root, alongside, paths, yes, as_json)
        return
    if not paths:
        raise click.UsageError("Missing argument 'PATH...'.")
    if alongside is not None:
        from eyelet_ingest.store.alongside import path_of

        root = path_of(root, alongside)
    mapping = None
    if maps:
        from eyelet_ingest.sources import mapped

        mapping = mapped.parse(maps)
    done = _import(paths, root, context, mapping, force, as_json)
    _report(done, context, as_json)
    maintain(root, done.days)
    if done.quarantined:
        ctx.exit(SOMETHING_QUARANTINED)


def _import(
    paths: tuple[str, ...], root: str, context: str, mapping: "Mapping | None", force: bool, as_json: bool
) -> "Ingested":
    """Import, with progress on a terminal, and say on stderr what a person should know."""
    from eyelet_ingest import pipeline, recordings
    from eyelet_ingest.plugins import Plugins

    _name_databases(paths)
    plugins = Plugins.load()
    endings = pipeline.endings_of(plugins)
    for path in paths:
        if not recordings.find([path], endings):
            names = ", ".join(f"*{ending}" for ending in (*recordings.ENDINGS, *endings))
            _say(f"nothing to import in {path}: no file there is {names} or one of these with .gz or .zst", err=True)
    files = recordings.find(paths, endings)
    total_bytes = sum(os.path.getsize(file) for file in files if file != recordings.STDIN and os.path.isfile(file))
    if as_json or not sys.stderr.isatty():
        done = pipeline.ingest(files, root, context, mapping=mapping, force=force, plugins=plugins)
    else:
        with click.progressbar(length=total_bytes, label="Importing", file=sys.stderr) as bar:
            done = pipeline.ingest(
                files, root, context, mapping=mapping, progress=bar.update, force=force, plugins=plugins
            )
    settle(plugins, root, done)
    if files and not done.read:
        _say(f"there is no record in {files[0] if len(files) == 1 else f'any of {len(files):,} files'}", err=True)
    for note in done.notes:
        _say(note, err=True)
    if done.troubles:
        list_troubles(done.troubles, done.quarantined, root)
    return done


def _name_databases(paths: tuple[str, ...]) -> None:
    """Old databases in folders are left alone, and told: a folder of recordings need not be one of those."""
    from eyelet_ingest import databases, recordings
    from eyelet_ingest.store import foreign

    for file in recordings.databases(paths, foreign.ENDINGS):
        kind = foreign.kind_of(file)
        if kind:
            _say(databases.hint(file, kind), err=True)


def _drop(root: str, name: str | None, paths: tuple[str, ...], yes: bool, as_json: bool) -> None:
    """Remove what is kept alongside; what it was imported from stays as it is."""
    from eyelet_ingest.cli.moving import audited
    from eyelet_ingest.store import alongside

    if name is None or paths:
        raise click.UsageError("--drop removes what is kept under the name of --alongside, and takes no PATH")
    path = alongside.path_of(root, name)
    if not os.path.isdir(path):
        there = ", ".join(alongside.names_of(root)) or "nothing"
        raise BadInput("there is nothing alongside under the name", repr(name), hint=f"there is {there}")
    if not yes:
        if not sys.stdin.isatty():
            raise BadInput("drop", path, "there is nobody to ask", "say --yes")
        click.confirm(f"Remove {path}? What it was imported from stays as it is.", abort=True, err=True)
    audited(root, "alongside.drop", {"name": name})
    alongside.drop(root, name)
    _say(json.dumps({"dropped": name}) if as_json else f"Dropped {path}.")


@click.command()
@root_option
@click.option("--limit", default=100, type=WholeNumber(min=0), help="How many at most, newest first; 0 for all.")
@click.option("--file", metavar="FILE", callback=_absolute, help="Only records of this file; - is standard input.")
@click.option("--clear", is_flag=True, help="Forget the records, all of them or those of --file.")
@click.option("--yes", is_flag=True, help="Clear without asking.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array; with --clear how many went.")
def quarantine(root: str, limit: int, file: str | None, clear: bool, yes: bool, as_json: bool) -> None:
    """Show the records that could not be stored, where they stand and why.

    A record leaves the list when the same line of the same file is imported well, or with --clear.
    """
    with _ledger_of(root) as ledger:
        file = _listed(file, root) if ledger else file
        if clear:
            count = ledger.count_quarantined(file) if ledger else 0
            if count and not yes:
                _ask(count)
            gone = ledger.clear_quarantine(file) if ledger else 0
            _say(json.dumps({"cleared": gone}) if as_json else f"{_records(gone)} cleared from quarantine.")
            return
        kept = ledger.quarantined(min(limit, sys.maxsize) or -1, file) if ledger else []
    if as_json:
        _say_lines(json.dumps([asdict(entry) for entry in kept], indent=2).splitlines())
    elif not kept:
        _say("Nothing is in quarantine." if file is None else f"Nothing of {file} is in quarantine.")
    else:
        for entry in kept:
            _say(f"{_place(entry)}: {entry.reason}")
            _say(f"    {entry.content[:CONTENT_SHOWN_CHARS]}")


def settle(plugins: "Plugins", root: str, done: "Ingested") -> None:
    """The columns of plugins for the days that were written; and what went wrong in plugins, on stderr."""
    from eyelet_ingest.store.store import Store

    troubles = [f"plugin {one.plugin}{f' ({one.hook})' if one.hook else ''}: {one.reason}" for one in plugins.troubles]
    if plugins.columns:
        with Store(root) as store:
            _, bad = store.make_columns(plugins.columns, done.days)
        troubles += [str(error) for error in bad]
    plugins.close()
    for trouble in troubles:
        _say(trouble, err=True)


@contextmanager
def _ledger_of(root: str) -> "Iterator[Ledger | None]":
    """The ledger of the root, None where there is none yet. RootError for a root that no other command takes either."""
    from eyelet_ingest.ledger import FILE_NAME, Ledger
    from eyelet_ingest.store.store import Store

    with Store(root) as store:
        store.contexts()
    say_if_missing(root)
    if not os.path.exists(os.path.join(root, FILE_NAME)):
        yield None
        return
    with Ledger(root) as ledger:
        yield ledger


def _ask(count: int) -> None:
    """Go on, or end the command where the person, or nobody, says so."""
    if not sys.stdin.isatty():
        raise BadInput("clear the quarantine", reason="there is nobody to ask", hint="say --yes")
    click.confirm(f"Forget {_records(count)}? What they are of stays as it is.", abort=True, err=True)


def _report(done: "Ingested", context: str, as_json: bool) -> None:
    if as_json:
        counts: dict[str, Any] = {name: getattr(done, name) for name in COUNTS}
        _say(json.dumps(counts))
        return
    if done.deleted:
        _say(
            f"{_records(done.deleted)} stayed away, deleted, retired or redacted earlier: --force brings them back.",
            err=True,
        )
    days = "1 partition" if done.partitions == 1 else f"{done.partitions:,} partitions"
    contexts = sorted({key.context for key in done.days})
    where = f"context {context}" if len(contexts) < 2 else f"{len(contexts):,} contexts"
    if len(contexts) == 1 and contexts[0] != safe_context(context):
        where = f"context {contexts[0]}"
    _say(
        f"Read {done.read:,} records in {done.seconds:.1f} s: {done.stored:,} stored in {where} ({days}), "
        f"{done.duplicates:,} known already, {done.quarantined:,} quarantined."
    )


def list_troubles(troubles: "Sequence[Quarantined]", count: int, root: str) -> None:
    for entry in troubles:
        _say(f"{_place(entry)}: {entry.reason}", err=True)
    if count > len(troubles):
        _say(f"… and {count - len(troubles):,} more", err=True)
    _say(f"`{runnable('quarantine', root)}` shows what could not be stored.", err=True)


def _place(entry: "Quarantined") -> str:
    return f"{entry.file}:{entry.line}"


def _records(count: int) -> str:
    return "1 record" if count == 1 else f"{count:,} records"


def _say(text: str, *, err: bool = False) -> None:
    _say_lines([text], err=err)


def _say_lines(lines: "Iterable[str]", *, err: bool = False) -> None:
    from eyelet_ingest.cli.output import visible, write_lines

    write_lines(sys.stderr if err else sys.stdout, map(visible, lines))
