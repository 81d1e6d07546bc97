"""`eyelet secrets scan`: what slipped through redaction, or was stored before a rule was known. Never says a secret."""

import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from eyelet_ingest.cli import output
from eyelet_ingest.cli.options import Chosen, WholeNumber, filter_options, opened_store, root_option, runnable

if TYPE_CHECKING:
    from eyelet_ingest.store.modes import Widened
    from eyelet_ingest.store.scanning import Finding, Scan

FILES = "files"  # scanning.FILES
FOUND = 1  # the exit status: secrets, files that others may use, or something that could not be looked at
LIMIT = 100
WIDENED_SHOWN = 20
COLUMNS = (
    output.Column("place", 5, 10),
    output.Column("context", 7, 20),
    output.Column("day", 10, 10),
    output.Column("event or file", 16, 60),
    output.Column("field", 10, 60),
    output.Column("kind", 8, 32),
    output.Column("count", 5, 8, right=True),
)


@click.group()
def secrets() -> None:
    """Secrets in what is stored."""


@secrets.command()
@filter_options(of_payload=True)
@click.option("--suspicions", is_flag=True, help="Also words that only look as if they were random.")
@click.option("--limit", type=WholeNumber(min=0), default=LIMIT, metavar="N", help="Show so many; 0 is all of them.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@root_option
def scan(chosen: Chosen, suspicions: bool, limit: int, as_json: bool, root: str) -> None:
    """Look for secrets in all that is stored: days, archives, spool, JSON files, quarantine and the root's own files.

    Says where one is and of what kind, never what it is, and which files others may read. Ends with 1 where there is
    something to be done.
    """
    from eyelet_ingest.looking import Looker
    from eyelet_ingest.store import modes

    with opened_store(root, drain=False) as store:
        scanned = store.scan_secrets(Looker(), chosen.where, suspicions=suspicions)
        counted = _Counted(limit)
        kept = list(counted.first(scanned))
    open_ones = modes.widened(root)
    if as_json:
        output.write_lines(sys.stdout, [output.json_value(_facts(kept, counted, scanned, open_ones))])
    else:
        drawn = output.Table(list(COLUMNS), output.terminal_width(sys.stdout))
        output.write_lines(sys.stdout, drawn.lines([_cells(one) for one in kept]) if kept else [])
    _say(counted, scanned, open_ones, root)
    if counted.sure or counted.suspected or open_ones or scanned.failed:
        click.get_current_context().exit(FOUND)


class _Counted:
    """What was found, counted whole and kept as far as it is to be shown (0: all of it)."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.shown = self.sure = self.suspected = self.elsewhere = 0

    def first(self, scanned: "Scan") -> "Iterator[Finding]":
        for one in scanned:
            if one.is_sure:
                self.sure += one.count
                self.elsewhere += one.place == FILES
            else:
                self.suspected += one.count
            if not self.limit or self.shown < self.limit:
                self.shown += 1
                yield one


def _cells(one: "Finding") -> list[str]:
    where = one.name if one.id is None else f"{one.id} {one.name}".rstrip()
    kind = one.kind if one.is_sure else f"{one.kind}?"
    return [one.place, one.context, one.day, where, one.field, kind, f"{one.count:,}"]


def _facts(kept: "list[Finding]", counted: _Counted, scanned: "Scan", open_ones: "list[Widened]") -> dict[str, object]:
    return {
        "looked": scanned.looked,
        "secrets": counted.sure,
        "suspicions": counted.suspected,
        "findings": [asdict(one) for one in kept],
        "widened": [{"path": one.path, "mode": f"{one.mode:04o}"} for one in open_ones],
        "failed": [{"context": bad.context, "day": bad.day, "error": bad.error} for bad in scanned.failed],
    }


def _say(counted: _Counted, scanned: "Scan", open_ones: "list[Widened]", root: str) -> None:
    found = [f"{counted.sure:,} secret" + ("" if counted.sure == 1 else "s")]
    if counted.suspected:
        found.append(f"{counted.suspected:,} that only look random")
    _err(f"{' and '.join(found)} in {scanned.looked:,} events")
    if counted.sure:
        _err(f"take them out with: {runnable('redact --rules', root)}")
    if counted.elsewhere:
        _err("what stands in `files` is no place of events: change or remove these files yourself")
    for bad in scanned.failed:
        _err(f"{' '.join(filter(None, (bad.context, bad.day)))}: {bad.error}".removeprefix(": "))
    for one in open_ones[:WIDENED_SHOWN]:
        _err(f"others may use {one.path} (mode {one.mode:04o}): {one.remedy}")
    if len(open_ones) > WIDENED_SHOWN:
        _err(f"and {len(open_ones) - WIDENED_SHOWN:,} more: chmod -R go= {root}")


def _err(text: str) -> None:
    click.echo(f"eyelet: {output.visible(text)}", err=True)
