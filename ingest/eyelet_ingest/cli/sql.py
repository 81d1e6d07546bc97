"""`eyelet sql`: one read-only statement of SQL over every day, as a table for people or JSON and CSV for programs.

Rows go to stdout and nothing else does; which days they are of goes to stderr.
"""

import math
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, NamedTuple

import click

from eyelet_ingest import open_files
from eyelet_ingest.cli import output, recorded
from eyelet_ingest.cli.options import opened_store, roots_option, utf8
from eyelet_ingest.cli.query import format_options, number
from eyelet_ingest.errors import BadInput, EyeletError

if TYPE_CHECKING:
    from eyelet_ingest.store.across import Across
    from eyelet_ingest.store.answers import Row
    from eyelet_ingest.store.statement import Statement

BATCH = 100  # rows by which the widths of a table's columns are chosen
LEAST = 8  # columns of a terminal for one of the table's
STATEMENT_BYTES = 1_000_000  # which SQLite takes


def _seconds(ctx: click.Context, param: click.Parameter, value: float | None) -> float | None:
    if value is not None and not (0 < value < math.inf):
        raise click.BadParameter("write a number of seconds above 0", ctx, param)
    return value


@click.command()
@click.argument("statement", metavar="SQL", required=False)
@click.option("--query", "name", metavar="NAME", default="", show_default=False, help="Run one of the ready queries.")
@click.option("-p", "--param", "given", nargs=2, multiple=True, metavar="NAME VALUE", help="The value of :NAME.")
@click.option(
    "--context", "contexts", multiple=True, metavar="NAME", shell_complete=recorded.contexts, help="Only this context."
)
@click.option(
    "--timeout",
    "timeout_s",
    type=float,
    callback=_seconds,
    metavar="S",
    help="Stop after so many seconds.",
)
@click.option("--strict", is_flag=True, help="Exit with 1 where a day could not be read.")
@click.option("--explain", is_flag=True, help="Print how SQLite would go about it, and run nothing.")
@click.option("--queries", "list_queries", is_flag=True, help="List the ready queries and their parameters.")
@click.option("--tables", "list_tables", is_flag=True, help="List the tables and their columns.")
@click.option("--script", is_flag=True, help="Print what makes the same tables in a shell of SQLite.")
@format_options(what="every column")
@roots_option
def sql(
    statement: str | None,
    name: str,
    given: tuple[tuple[str, str], ...],
    contexts: tuple[str, ...],
    timeout_s: float | None,
    strict: bool,
    explain: bool,
    list_queries: bool,
    list_tables: bool,
    script: bool,
    form: str | None,
    roots: tuple[str, ...],
) -> None:
    """Ask every recorded day at once in SQL; SQL from stdin where it is `-` or left out."""
    if list_queries:
        output.write_lines(sys.stdout, _queries(form))
        return
    open_files.allow()
    with opened_store(*roots, alongside=True) as store:
        from eyelet_ingest.store import ready
        from eyelet_ingest.store.across import Across
        from eyelet_ingest.store.layout import safe_context

        chosen = frozenset(safe_context(utf8("context", context)) for context in contexts) or None
        if script:
            output.write_lines(sys.stdout, _script([one.root for one in store.roots.catalogs], sorted(chosen or ())))
            return
        across = Across(store.limited_to(chosen).roots, chosen)
        try:
            _name_missing(contexts, store.contexts())
            if list_tables:
                output.write_lines(sys.stdout, _tables(across))
                return
            wanted = _Wanted(_statement(statement, name), _values(given), bool(name), timeout_s)
            if name:
                ready.check(across.conn, wanted.values)
            complete = _explain(across, wanted) if explain else _ask(across, wanted, form)
            if strict and not complete:
                raise click.exceptions.Exit(1)
        finally:
            across.close()


def _name_missing(asked: tuple[str, ...], there: list[str]) -> None:
    """On stderr, the contexts that were asked for and have no day: tables without rows say nothing of a slip."""
    from eyelet_ingest.store import mistakes
    from eyelet_ingest.store.layout import safe_context

    for context in asked:
        if safe_context(context) not in there:
            near = mistakes.nearest(context, there)
            hint = f": did you mean {near}?" if near else f"; there are {', '.join(there)}" if there else ""
            click.echo(output.visible(f"nothing is recorded in the context {context!r}{hint}"), err=True)


class _Wanted(NamedTuple):
    """What is to be run, and how."""

    text: str
    values: Mapping[str, str]
    lenient: bool
    timeout_s: float | None

    def on(self, across: "Across") -> "Statement":
        from eyelet_ingest.store.statement import Statement

        return Statement(across.conn, self.text, self.values, lenient=self.lenient, timeout_s=self.timeout_s)


def _explain(across: "Across", wanted: _Wanted) -> bool:
    plan = wanted.on(across).plan()
    output.write_lines(sys.stdout, (f"{'  ' * line.depth}{output.visible(line.text)}" for line in plan))
    return _tell(across, "")


def _ask(across: "Across", wanted: _Wanted, form: str | None) -> bool:
    """Runs the statement, and says what it was about; False where a day could not be read."""
    started_s = time.monotonic()
    asked = wanted.on(across)
    rows = _Counted(asked.rows())
    output.write_lines(sys.stdout, _lines(asked, rows, form))
    return _tell(across, f"{number(rows.count, 'row')}, {(time.monotonic() - started_s) * 1000:.0f} ms")


class _Counted:
    """An iterator that knows how many it gave."""

    def __init__(self, rows: Iterator[tuple[object, ...]]) -> None:
        self._rows, self.count = rows, 0

    def __iter__(self) -> Iterator[tuple[object, ...]]:
        for row in self._rows:
            self.count += 1
            yield row


def _lines(asked: "Statement", rows: _Counted, form: str | None) -> Iterator[str]:
    names = asked.columns
    if form is None:
        yield from _table(names, iter(rows))
        return
    yield from _formed(names, (dict(zip(names, row, strict=True)) for row in rows), form)


def _formed(names: Sequence[str], objects: "Iterable[Row]", form: str) -> Iterator[str]:
    """The lines of these rows for programs."""
    if form == "csv":
        yield from output.csv_lines(names, objects)
    elif form == "nl":
        yield from map(output.json_row, objects)
    else:
        yield from output.json_array(objects)


def _table(names: list[str], rows: Iterator[tuple[object, ...]]) -> Iterator[str]:
    """A line a row, or a line a value where the columns do not fit beside each other; nothing for no rows."""
    first = list(islice(rows, BATCH))
    if not first:
        return
    width = output.terminal_width(sys.stdout)
    if len(names) * (output.NARROWEST + len(output.GAP)) > width + len(output.GAP):
        yield from _records(names, chain(first, rows), width)
        return
    columns = [
        output.Column(output.visible(name), min(LEAST, width), width, right=_is_number(row[at] for row in first))
        for at, name in enumerate(names)
    ]
    drawn = output.Table(columns, width)
    batch = first
    while batch:
        yield from drawn.lines([[_cell(value) for value in row] for row in batch])
        batch = list(islice(rows, BATCH))


def _records(names: list[str], rows: Iterator[tuple[object, ...]], width: int) -> Iterator[str]:
    labels = [output.visible(name) for name in names]
    widest = max(map(output.shown_width, labels))
    for count, row in enumerate(rows):
        if count:
            yield ""
        for label, value in zip(labels, row, strict=True):
            space = " " * (widest - output.shown_width(label))
            yield output.fit(f"{label}{space}{output.GAP}{output.visible(_cell(value))}", width).rstrip()


def _cell(value: object) -> str:
    if value is None:
        return ""
    return value.hex() if isinstance(value, bytes) else str(value)


def _is_number(values: Iterator[object]) -> bool:
    known = [value for value in values if value is not None]
    return bool(known) and all(isinstance(value, int | float) for value in known)


def _tell(across: "Across", done: str) -> bool:
    """On stderr, what the rows are of: all days, or the newest, and why; False where a day could not be read."""
    covers = across.covers
    parts = [done] if done else []
    if not covers.extended:
        days = number(len(covers.attached), "day")
        if covers.left_out:
            parts.append(f"of the newest {days}: {covers.left_out} older are not asked, as {covers.reason}")
        else:
            parts.append(f"of {days}")
    unreadable = _unreadable(across)
    parts += [f"unreadable: {name} ({error})" for name, error in unreadable.items()]
    if parts:
        click.echo(output.visible("; ".join(parts)), err=True)
    return not unreadable


def _unreadable(across: "Across") -> dict[str, str]:
    """What could not be read, by its name: folders and days that were met while the statement ran."""
    found = {bad.name: bad.error for bad in (*across.troubles, *across.covers.troubles)}
    if across.covers.extended:
        across.conn.set_progress_handler(None, 0)  # the statement's time may be over
        sql = "select context_name, date, path, error from eyelet_trouble"
        for context, date, path, error in across.conn.execute(sql):
            found.setdefault(" ".join(filter(None, (context, date))) or str(path), str(error))
    return found


def _statement(given: str | None, name: str) -> str:
    """What is to be run: the argument, a ready query's SQL, or what stands on stdin."""
    if name:
        if given:
            raise click.UsageError("give SQL or --query, not both")
        return _ready(name)
    if given is None and sys.stdin.isatty():
        raise click.UsageError("no SQL was given: write it as one argument, or to stdin")
    if given not in (None, "-"):
        return utf8("SQL", str(given))
    read = sys.stdin.buffer.read(STATEMENT_BYTES + 1)
    if len(read) > STATEMENT_BYTES:
        raise BadInput("SQL on stdin", reason=f"it is longer than {STATEMENT_BYTES:,} bytes", hint="write it shorter")
    try:
        return read.decode("utf-8-sig")
    except UnicodeDecodeError as bad:
        raise BadInput("SQL on stdin", reason=f"it is not UTF-8 at byte {bad.start}", hint="write it in UTF-8") from bad


def _values(given: tuple[tuple[str, str], ...]) -> dict[str, str]:
    values = {}
    for name, value in given:
        bare = name.lstrip(":@$")
        if not bare.isidentifier():
            raise BadInput(
                "cannot bind a value to", repr(name), "that is no name", "write -p NAME VALUE for :NAME in the SQL"
            )
        if bare in values:
            raise BadInput("SQL", reason=f":{bare} has two values", hint="give -p once for each name")
        values[bare] = utf8(f"value of :{bare}", value)
    return values


def _ready(name: str) -> str:
    from eyelet_ingest.store import mistakes, ready

    known = {query.name: query for query in ready.QUERIES}
    if name in known:
        return known[name].sql
    near = mistakes.nearest(name, known)
    hint = f"did you mean {near}?" if near else f"there are {', '.join(known)}"
    raise BadInput("there is no query", repr(name), "", hint)


def _queries(form: str | None) -> Iterator[str]:
    from eyelet_ingest.store import ready

    if form is not None:
        yield from _formed(ready.Query._fields, (query._asdict() for query in ready.QUERIES), form)
        return
    for query in ready.QUERIES:
        yield " ".join((query.name, *(f"-p {name} …" for name in query.parameters)))
        yield f"    {query.description}"


def _tables(across: "Across") -> Iterator[str]:
    """Each table with its columns: the catalogue of `main`, which has them all."""
    from eyelet_ingest.store import mistakes

    for table, columns in mistakes.tables(across.conn).items():
        yield f"{table} ({', '.join(map(output.visible, columns))})"


def _script(roots: list[str], contexts: list[str]) -> list[str]:
    """What a shell of SQLite reads to have the tables; EyeletError where the extension is not there."""
    from eyelet_ingest import extension
    from eyelet_ingest.store import all_days

    path = extension.path_of_built()
    if reason := extension.why_not(path):
        raise EyeletError("make the script", reason=f"the extension cannot be loaded: {reason}")
    return all_days.script(str(path), roots, contexts)
