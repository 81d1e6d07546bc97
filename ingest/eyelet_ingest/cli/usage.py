"""`eyelet usage`: how many tokens the answers took, each answer counted once."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from eyelet_ingest.cli import output
from eyelet_ingest.cli.options import Chosen, filter_options, opened_store, roots_option
from eyelet_ingest.cli.query import format_options
from eyelet_ingest.errors import BadInput

if TYPE_CHECKING:
    from eyelet_ingest.store.usage import Usage

FLAGS = ("since", "until", "range", "tz", "contexts", "session_id", "agent", "model")
BY = ("session", "agent", "model", "day", "context")
COUNTS = ("answers", "input", "output", "cache_write_5m", "cache_write_1h", "cache_read")


@click.command()
@filter_options(only=FLAGS)
@click.option("--by", metavar="FIELDS", default="agent,model", help=f"Group by some of {', '.join(BY)}.")
@format_options(rows=False)
@roots_option
def usage(chosen: Chosen, by: str, form: str | None, roots: tuple[str, ...]) -> None:
    """How many tokens the answers took, each counted once, whoever witnessed it."""
    fields = tuple(dict.fromkeys(name.strip() for name in by.split(",") if name.strip()))
    for name in fields:
        if name not in BY:
            raise BadInput("there is no grouping by", repr(name), "", f"write some of {', '.join(BY)}")
    with opened_store(*roots, alongside=True) as store:
        found = store.usage(chosen.where, fields)
        output.write_lines(sys.stdout, _lines(found, fields, form))
        if not found.rows and form is None:
            click.echo(f"no answers with tokens found ({chosen.label})", err=True)
        click.echo(output.truth(found.partitions, found.elapsed_ms), err=True)


def _lines(found: "Usage", fields: tuple[str, ...], form: str | None) -> Iterator[str]:
    rows = [dict(zip((*fields, *COUNTS), cells, strict=True)) for cells in _cells(found, fields)]
    if form == "nl":
        yield from map(output.json_value, rows)
    elif form == "json":
        total = dict(zip(COUNTS, (found.answers, *found.tokens), strict=True))
        partitions = found.partitions.as_json()
        whole = {"rows": rows, "total": total, "partitions": partitions, "elapsed_ms": found.elapsed_ms}
        yield output.json_value(whole)
    elif form == "csv":
        yield from output.csv_lines((*fields, *COUNTS), rows)
    elif rows:
        yield from _table(found, fields)


def _cells(found: "Usage", fields: tuple[str, ...]) -> Iterator[list[object]]:
    for row in found.rows:
        yield [*(getattr(row, name) for name in fields), row.answers, *row.tokens]


def _table(found: "Usage", fields: tuple[str, ...]) -> Iterator[str]:
    columns = [output.Column(name, 8, 40) for name in fields]
    columns += [output.Column(name.replace("_", " "), 6, 18, right=True) for name in COUNTS]
    rows = [[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in cells] for cells in _cells(found, fields)]
    if fields and len(rows) > 1:
        total = [f"{count:,}" for count in (found.answers, *found.tokens)]
        rows.append(["total", *("" for _ in fields[1:]), *total])
    yield from output.Table(columns, output.terminal_width(sys.stdout)).lines(rows)
