"""`eyelet calls`: the calls of tools, each once, with how they ended, how long they took and who witnessed them."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING

import click

from eyelet_ingest.cli import output
from eyelet_ingest.cli.options import Chosen, filter_options, opened_store, roots_option
from eyelet_ingest.cli.pages import Pages
from eyelet_ingest.cli.query import LIMIT, NARROW, ROOT_COLUMN, format_options, page_options
from eyelet_ingest.ranges import display_time
from eyelet_ingest.synopsis import synopsis

if TYPE_CHECKING:
    from eyelet_ingest.store.answers import Row
    from eyelet_ingest.store.calls import Call, Calls

COLUMNS = (
    output.Column("time", 19, 23),
    output.Column("context", 7, 20),
    output.Column("tool", 8, 24),
    output.Column("status", 7, 11),
    output.Column("ms", 4, 11, right=True),
    output.Column("witnesses", 9, 24),
    output.Column("what", 30, 200),
)
EVENTS = ("question", "answer")


@click.command()
@filter_options(statuses=("unknown",))
@page_options(LIMIT, "calls")
@format_options()
@roots_option
def calls(chosen: Chosen, limit: int, after: str | None, form: str | None, roots: tuple[str, ...]) -> None:
    """The calls of tools, newest first, each once: question and answer joined, whoever witnessed them."""
    with opened_store(*roots, alongside=True) as store:
        pages = _Pages(store, chosen.where, limit, after, whole=form is not None)
        if form is None:
            _table(pages, chosen)
        else:
            output.write_lines(sys.stdout, _lines(pages, form))
        if pages.next:
            click.echo(f"more: --after {pages.next}", err=True)
        if pages.partitions:
            click.echo(output.truth(pages.partitions, pages.elapsed_ms, pages.count), err=True)


class _Pages(Pages["Call"]):
    """Calls instead of events."""

    def _page(self, rows: int) -> "Calls":
        return self._store.calls(self._where, limit=rows, after=self.next, cut_chars=self._cut_chars)


def _table(pages: _Pages, chosen: Chosen) -> None:
    width = output.terminal_width(sys.stdout)
    columns = (COLUMNS[0], ROOT_COLUMN, *COLUMNS[1:]) if pages.roots else COLUMNS
    drawn, shown = output.Table(columns, width), 0
    for page in pages:
        cells = [[_cell(column.title, call, pages.roots, chosen, width) for column in columns] for call in page]
        shown += len(page)
        if not cells:
            continue
        lines = list(drawn.lines(cells))
        titles, body = lines[: len(lines) - len(page)], lines[len(lines) - len(page) :]
        marked = [{"error": call.error, "status": call.status} for call in page]
        coloured = [output.coloured(line, row, sys.stdout) for line, row in zip(body, marked, strict=True)]
        output.write_lines(sys.stdout, titles + coloured)
    if not shown:
        click.echo(f"no calls found ({chosen.label})", err=True)


def _cell(title: str, call: "Call", roots: Mapping[str, str], chosen: Chosen, width: int) -> str:
    if title == "time":
        time = display_time(call.id, chosen.tz)
        return time[:19] if width < NARROW else time
    if title == "root":
        return roots[call.root]
    if title == "tool":
        return call.tool_name or ""
    if title == "ms":
        return "" if call.duration_ms is None else f"{call.duration_ms:,.0f}"
    if title == "witnesses":
        return ", ".join(sorted({name.partition(":")[0] for name in call.witnesses}))
    if title == "what":
        event = call.question or call.answer
        return synopsis(event) if event else ""
    return call.context_name if title == "context" else call.status


def _lines(pages: _Pages, form: str) -> Iterator[str]:
    if form == "csv":
        names = [field.name for field in fields(_call_type()) if field.name not in EVENTS]
        if not pages.roots:
            names.remove("root")
        yield from output.csv_lines([*names, "question_id", "answer_id"], (_flat(call) for call in pages.rows()))
    elif form == "nl":
        yield from map(_json, pages.rows())
    else:
        yield from output.json_lines(map(_json, pages.rows()))


def _call_type() -> "type[Call]":
    from eyelet_ingest.store.calls import Call

    return Call


def _flat(call: "Call") -> dict[str, object]:
    row = asdict(replace(call, question=None, answer=None))
    row["witnesses"] = " ".join(call.witnesses)
    for name in EVENTS:
        event = getattr(call, name)
        row[f"{name}_id"] = event["id"] if event else None
    return row


def _json(call: "Call") -> str:
    """A call as a JSON object on one line, with its question and its answer as whole events."""
    row = asdict(replace(call, question=None, answer=None))
    if not call.root:
        del row["root"]
    members = [f'"{name}": {output.json_value(value)}' for name, value in row.items() if name not in EVENTS]
    members += [f'"{name}": {_event(getattr(call, name))}' for name in EVENTS]
    return "{" + ", ".join(members) + "}"


def _event(event: "Row | None") -> str:
    return "null" if event is None else output.json_row(event)
