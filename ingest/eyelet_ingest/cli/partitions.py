"""`eyelet partitions`: the days there are, and what is known of each."""

import sys
from typing import TYPE_CHECKING

import click

from eyelet_ingest.cli.days import Asked, day_options, instant, sized
from eyelet_ingest.cli.options import opened_store, root_option

if TYPE_CHECKING:
    from eyelet_ingest.store.inventory import Day


@click.command()
@day_options()
@click.option("--json", "as_json", is_flag=True, help="An array of objects.")
@root_option
def partitions(asked: Asked, as_json: bool, root: str) -> None:
    """The days there are: events, bytes, first and last event, version, and whether sealed or archived."""
    from eyelet_ingest.cli import output
    from eyelet_ingest.store import archives

    with opened_store(root) as store:
        keys = asked.keys(sorted({*store.catalog.partitions(), *archives.keys(store.root)}))
        days = list(store.days(keys))
    if as_json:
        output.write_lines(sys.stdout, [output.json_value([_facts(day) for day in days])])
        return
    columns = [
        output.Column("context", 7, 30),
        output.Column("day", 10, 10),
        output.Column("events", 6, 14, right=True),
        output.Column("bytes", 5, 10, right=True),
        output.Column("wal", 3, 10, right=True),
        output.Column("first", 8, 19),
        output.Column("last", 8, 19),
        output.Column("schema", 6, 6, right=True),
        output.Column("state", 8, 400),
    ]
    drawn = output.Table(columns, output.terminal_width(sys.stdout))
    output.write_lines(sys.stdout, drawn.lines([_cells(day) for day in days]))
    bad = sum(1 for day in days if day.error)
    events = sum(day.events or 0 for day in days)
    click.echo(f"{len(days):,} days, {events:,} events" + (f", {bad} unreadable" if bad else ""), err=True)


def _cells(day: "Day") -> list[str]:
    state = f"{day.state}: {day.error}" if day.error else day.state
    if day.archive_bytes:
        state = f"{state} ({sized(day.archive_bytes)})" if day.only_archived else f"{state}, archived"
    return [
        day.key.context,
        day.key.date,
        "" if day.events is None else f"{day.events:,}",
        sized(day.bytes) if not day.only_archived else "",
        sized(day.wal_bytes) if day.wal_bytes else "",
        instant(day.first_id)[11:],
        instant(day.last_id)[11:],
        "" if day.schema_version is None else str(day.schema_version),
        state,
    ]


def _facts(day: "Day") -> dict[str, object]:
    return {
        "context": day.key.context,
        "day": day.key.date,
        "name": day.key.mount_name,
        "state": day.state,
        "events": day.events,
        "bytes": day.bytes,
        "wal_bytes": day.wal_bytes,
        "first_us": day.first_id,
        "last_us": day.last_id,
        "schema_version": day.schema_version,
        "sealed_us": day.sealed_us,
        "late": day.late,
        "archive_bytes": day.archive_bytes,
        "error": day.error or None,
    }
