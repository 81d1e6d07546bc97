"""`eyelet tail`: the newest events, and with `-f` those that arrive from now on, until one has seen enough."""

import select
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from eyelet_ingest.cli import INTERRUPTED, output
from eyelet_ingest.cli.options import Chosen, WholeNumber, filter_options, opened_store, roots_option
from eyelet_ingest.cli.pages import CUT_CHARS
from eyelet_ingest.cli.query import EVENT_COLUMNS, ROOT_COLUMN, cell
from eyelet_ingest.errors import EyeletError

if TYPE_CHECKING:
    from eyelet_ingest.store.answers import Row, Unreadable
    from eyelet_ingest.store.store import Store
    from eyelet_ingest.store.tail import Tail

COUNT = 10
LOOK_S = 0.3  # between two looks
DRAIN_S = 5.0  # between two looks into the spool, while it is followed
# How wide columns are, as nobody knows what comes: this row is never shown.
_USUAL = {
    "time": "2026-07-31 14:03:22.123",
    "root": "x" * 12,
    "context": "x" * 12,
    "src": "claude.posttooluse.bash.git.push",
    "tool": "x" * 10,
    "status": "interrupted",
    "what": "x" * 200,
}


@click.command()
@click.option("-f", "--follow", is_flag=True, help="Go on with what arrives, until Ctrl-C.")
@click.option("-n", "--lines", default=COUNT, type=WholeNumber(min=0), metavar="N", help="So many newest events first.")
@filter_options()
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, data and meta whole.")
@roots_option
@click.pass_context
def tail(ctx: click.Context, follow: bool, lines: int, chosen: Chosen, as_json: bool, roots: tuple[str, ...]) -> None:
    """The newest events, oldest of them first; with -f also what arrives from now on, late events and new days too."""
    try:
        with opened_store(*roots) as store:
            show = _lines_of(store, chosen, as_json)
            cut_chars = None if as_json else CUT_CHARS
            news = store.tail(chosen.where, cut_chars=cut_chars) if follow else None
            named: set[object] = set()  # days that could not be read
            shown = _newest(store, chosen, lines, cut_chars, named)
            output.write_lines(sys.stdout, show(shown))
            if news is not None:
                _follow(store, news, {_name_of(row) for row in shown}, named, show)
    except KeyboardInterrupt:
        ctx.exit(INTERRUPTED)


def _newest(store: "Store", chosen: Chosen, lines: int, cut_chars: int | None, named: "set[object]") -> "list[Row]":
    """The newest events, the oldest of them first."""
    found: list[Row] = []
    after = None
    while len(found) < lines:
        page = store.search(chosen.where, limit=min(lines - len(found), 1_000), after=after, cut_chars=cut_chars)
        _name_unreadable(page.partitions.unreadable, named)
        found += page.rows
        after = page.next
        if after is None:
            break
    return found[::-1]


def _follow(
    store: "Store",
    news: "Tail",
    shown: "set[object]",
    named: "set[object]",
    show: "Callable[[list[Row]], Iterable[str]]",
) -> None:
    """Until nobody reads any more."""
    drained_s = time.monotonic()
    while True:
        found = news.more()
        rows = [row for row in found if _name_of(row) not in shown] if shown else found
        shown.difference_update([_name_of(row) for row in found])  # each was between the two first looks only once
        output.write_lines(sys.stdout, show(rows))
        _name_unreadable(news.unreadable, named)
        if not found and _has_left(LOOK_S):
            return
        if time.monotonic() - drained_s > DRAIN_S:
            with suppress(EyeletError):  # said when the command began; what waits is stored when that is put right
                store.drain_spool()
            drained_s = time.monotonic()


def _lines_of(store: "Store", chosen: Chosen, as_json: bool) -> "Callable[[list[Row]], Iterable[str]]":
    """What rows are printed as: JSON, or the lines of one table that is as wide as the terminal."""
    if as_json:
        return lambda rows: map(output.json_row, rows)
    roots = [catalog.root for catalog in store.roots.catalogs]
    names = output.short_paths(roots) if store.roots.several else {}
    columns = (EVENT_COLUMNS[0], ROOT_COLUMN, *EVENT_COLUMNS[1:]) if names else EVENT_COLUMNS
    width = output.terminal_width(sys.stdout)
    drawn = output.Table(columns, width)
    head = list(drawn.lines([[_USUAL[column.title] for column in columns]]))[:1]

    def lines(rows: "list[Row]") -> Iterable[str]:
        for row in rows:
            if head:
                yield head.pop()
            shown = {**row, "root": names[str(row["root"])]} if names else row
            (line,) = drawn.lines([[cell(column.title, shown, chosen, width) for column in columns]])
            yield output.coloured(line, row, sys.stdout)

    return lines


def _name_of(row: "Row") -> object:
    return row.get("root"), row["context_name"], row["id"], row["uid"]


def _name_unreadable(unreadable: "Iterable[Unreadable]", named: "set[object]") -> None:
    """A line on stderr for each day that cannot be read, once."""
    for bad in unreadable:
        if bad not in named:
            named.add(bad)
            click.echo(output.visible(f"eyelet: {bad.name}: {bad.error}"), err=True)


def _has_left(wait_s: float) -> bool:
    """Wait so long; whether the reader of standard output went away meanwhile (`| head`)."""
    try:
        number = sys.stdout.fileno()
    except (OSError, ValueError):  # no file at all
        number = -1
    if number < 0 or not hasattr(select, "poll"):
        time.sleep(wait_s)
        return False
    reader = select.poll()
    reader.register(number, 0)  # of errors and ends one is told unasked
    return bool(reader.poll(int(wait_s * 1000)))
