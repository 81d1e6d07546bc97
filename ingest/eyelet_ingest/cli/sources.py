"""`eyelet sources`: which src were recorded, how often, and when last, as a list or a tree."""

import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from eyelet_ingest.cli import output
from eyelet_ingest.cli.options import Chosen, filter_options, opened_store, root_option
from eyelet_ingest.ranges import display_time

if TYPE_CHECKING:
    from eyelet_ingest.store.answers import Partitions
    from eyelet_ingest.store.sources import Source
    from eyelet_ingest.store.store import Store

PAGE = 1_000
NO_SRC = "(no src)"
FLAGS = ("since", "until", "range", "tz", "contexts", "src")
COLUMNS = (
    output.Column("src", 16, 80),
    output.Column("events", 6, 15, right=True),
    output.Column("newest", 19, 23),
)


@click.command()
@filter_options(only=FLAGS)
@click.option("--tree", "as_tree", is_flag=True, help="A line for each part of a name, with the sum of what is below.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array: src, count, newest_us.")
@root_option
def sources(chosen: Chosen, as_tree: bool, as_json: bool, root: str) -> None:
    """List the sources there are, with how many events each has."""
    if as_tree and as_json:
        raise click.UsageError("--tree and --json exclude each other: give one of them")
    with opened_store(root, alongside=True) as store:
        found = _Found(store, chosen)
        if as_json:
            output.write_lines(sys.stdout, output.json_array(asdict(one) for one in found))
        else:
            entries = _tree(found) if as_tree else ((one.src or NO_SRC, one.count, one.newest_us) for one in found)
            cells = [[name, f"{count:,}", _time(newest_us, chosen)] for name, count, newest_us in entries]
            if cells:
                output.write_lines(sys.stdout, output.Table(COLUMNS, output.terminal_width(sys.stdout)).lines(cells))
            else:
                click.echo(f"no events found ({chosen.label})", err=True)
        found.tell()


class _Found:
    """Every source in order of name, a page at a time, and afterwards what of it could not be read."""

    def __init__(self, store: "Store", chosen: Chosen) -> None:
        self._store, self._where = store, chosen.where
        self._elapsed_ms = 0.0
        self._partitions: Partitions | None = None

    def __iter__(self) -> "Iterator[Source]":
        after: str | None = None
        while True:
            page = self._store.sources(self._where, limit=PAGE, after=after)
            self._elapsed_ms += page.elapsed_ms
            self._partitions = page.partitions
            yield from page.sources
            after = page.next
            if after is None:
                return

    def tell(self) -> None:
        if self._partitions is not None:
            click.echo(output.truth(self._partitions, self._elapsed_ms), err=True)


def _tree(found: "_Found") -> "Iterator[tuple[str, int, int]]":
    """Each part of a name on a line of its own, indented below what it belongs to, with the sum of both."""
    sums: dict[tuple[str, ...], tuple[int, int]] = {}
    for one in found:
        parts = tuple(one.src.split(".")) if one.src else (NO_SRC,)
        for depth in range(1, len(parts) + 1):
            count, newest_us = sums.get(parts[:depth], (0, 0))
            sums[parts[:depth]] = count + one.count, max(newest_us, one.newest_us)
    for parts in sorted(sums):
        yield "  " * (len(parts) - 1) + parts[-1], *sums[parts]


def _time(newest_us: int, chosen: Chosen) -> str:
    return display_time(newest_us, chosen.tz)
