"""`eyelet query …`: what was recorded, found by the one vocabulary, as a table for people or JSON and CSV for programs.

Rows go to stdout and nothing else does; how the search went (what was scanned, what could not be read, how to go
on) goes to stderr. A partition that cannot be read is named there and the exit code stays 0: rows were given.
"""

import functools
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from eyelet_ingest.cli import output
from eyelet_ingest.cli.options import (
    Chosen,
    WholeNumber,
    filter_options,
    index_text,
    opened_store,
    roots_option,
    runnable,
    utf8,
)
from eyelet_ingest.cli.pages import Pages
from eyelet_ingest.errors import BadInput, EyeletError
from eyelet_ingest.ranges import display_time
from eyelet_ingest.store.select import Filter
from eyelet_ingest.synopsis import synopsis

if TYPE_CHECKING:
    from eyelet_ingest.store.answers import Partitions, SearchResult, Summary
    from eyelet_ingest.store.store import Store

LIMIT = 100
NARROW = 100  # a terminal below this shows whole seconds
SUMMARY_LINES = 15
ORDERS = ("time", "rank")
RANKED_MOST = 1_000

EVENT_COLUMNS = (
    output.Column("time", 19, 23),
    output.Column("context", 7, 20),
    output.Column("src", 16, 40),
    output.Column("tool", 8, 24),
    output.Column("status", 7, 11),
    output.Column("what", 30, 200),
)
ROOT_COLUMN = output.Column("root", 8, 40)  # where several are read
FAILURE_COLUMNS = (*EVENT_COLUMNS[:4], output.Column("code", 6, 24), EVENT_COLUMNS[5])


@click.group()
def query() -> None:
    """Find what was recorded."""


def format_options(*, rows: bool = True, what: str = "") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """`--json`, `--nl`, `--csv`: what comes out, in the argument `form`; without one, a table. Two: usage error."""
    what = what or ("every column, data and meta whole" if rows else "one object")

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def with_form(*args: Any, **given: Any) -> Any:
            asked = [form for form in ("json", "nl", "csv") if given.pop(f"as_{form}")]
            if len(asked) > 1:
                raise click.UsageError("--json, --nl and --csv exclude each other: give one of them")
            return command(*args, form=asked[0] if asked else None, **given)

        flag = functools.partial(click.option, is_flag=True)
        decorated: Callable[..., Any] = flag("--csv", "as_csv", help="CSV with a header.")(with_form)
        decorated = flag("--nl", "as_nl", help=f"JSON, one line each: {what}.")(decorated)
        return flag("--json", "as_json", help=f"JSON: {what}.")(decorated)

    return decorate


def page_options(default: int, what: str = "events") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """`--limit` and `--after`: how many rows, and where to go on."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        command = click.option("--after", metavar="CURSOR", help="Go on where a search stopped.")(command)
        text = f"At most so many {what}; 0 is all of them."
        return click.option("--limit", type=WholeNumber(min=0), default=default, metavar="N", help=text)(command)

    return decorate


def by_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--by rank`, in the argument `by`."""
    text = "In which order: the newest first, or what fits the text best (rank)."
    return click.option("--by", type=click.Choice(ORDERS), default=ORDERS[0], metavar="ORDER", help=text)(command)


@query.command()
@filter_options()
@by_option
@page_options(LIMIT)
@format_options()
@roots_option
def search(chosen: Chosen, by: str, limit: int, after: str | None, form: str | None, roots: tuple[str, ...]) -> None:
    """The events that match, newest first.

    TEXT: words that must all be there; "a phrase", begin*, AND, OR, NOT, -without, NEAR(a b, 5), command:word,
    ="exact".
    """
    by_rank = by == "rank"
    if by_rank:
        _expect_rank(chosen.where, limit, after)
    with opened_store(*roots, alongside=True) as store:
        _show(_Found(store, chosen.where, limit, after, whole=form is not None, by_rank=by_rank), form, chosen)
    if chosen.where.text:
        index_text(roots[0])


def _expect_rank(where: Filter, limit: int, after: str | None) -> None:
    """BadInput where an order by rank makes no sense."""
    if not where.text:
        raise BadInput("search", reason="without a text all events fit alike", hint="give --text, or leave --by out")
    if after or not 0 < limit <= RANKED_MOST:
        reason = f"by rank there is one page of at most {RANKED_MOST:,} events"
        raise BadInput("search", reason=reason, hint=f"give --limit 1 to {RANKED_MOST}, and no --after")


@query.command()
@click.argument("wanted", metavar="TEXT")
@filter_options(without="--text")
@page_options(LIMIT)
@format_options()
@roots_option
def grep(wanted: str, chosen: Chosen, limit: int, after: str | None, form: str | None, roots: tuple[str, ...]) -> None:
    """The events that hold exactly TEXT, every character of it, newest first."""
    if not wanted:
        raise BadInput("grep", reason="the text to look for is empty")
    with opened_store(*roots, alongside=True) as store:
        where = replace(chosen.where, text=utf8("text", wanted), exact=True)
        _show(_Found(store, where, limit, after, whole=form is not None), form, chosen)
    index_text(roots[0])


@query.command()
@filter_options(without="--errors")
@page_options(LIMIT)
@format_options()
@roots_option
def errors(chosen: Chosen, limit: int, after: str | None, form: str | None, roots: tuple[str, ...]) -> None:
    """Which errors there were, most frequent first, and the newest failures."""
    with opened_store(*roots, alongside=True) as store:
        where = replace(chosen.where, errors=True)
        pages = _Found(store, where, limit, after, whole=form is not None)
        codes = {} if form else {code or "(no code)": n for code, n in store.error_codes(where).items()}
        _show(pages, form, chosen, FAILURE_COLUMNS, _counted("error code", codes))


@query.command()
@click.argument("wanted", metavar="ID")
@filter_options(without="--session")
@page_options(0)
@format_options()
@roots_option
def session(
    wanted: str, chosen: Chosen, limit: int, after: str | None, form: str | None, roots: tuple[str, ...]
) -> None:
    """The story of the session ID, oldest event first."""
    with opened_store(*roots, alongside=True) as store:
        whole = Filter(contexts=chosen.where.contexts, session_id=(utf8("session", wanted),))
        known = store.search(whole, limit=1, cut_chars=0)
        if not known.rows:
            _name_unreadable(known.partitions)
            hint = f"{runnable('query search', *roots)} lists what there is"
            raise EyeletError("there is no session", repr(wanted), f"not under {' or '.join(roots)}", hint)
        where = replace(chosen.where, session_id=(wanted,))
        pages = _Found(store, where, limit, after, whole=form is not None, oldest_first=True)
        head = [] if form else _story_head(store.summary(where), known.rows[0], chosen)
        _show(pages, form, chosen, EVENT_COLUMNS, head)


@query.command()
@filter_options()
@format_options(rows=False)
@roots_option
def summary(chosen: Chosen, form: str | None, roots: tuple[str, ...]) -> None:
    """How many events, errors and sessions there are, by type, tool, status and context."""
    with opened_store(*roots, alongside=True) as store:
        found = store.summary(chosen.where)
    if form is None:
        lines: Iterator[str] = _summary_lines(found, chosen)
    elif form == "csv":
        lines = _summary_csv(found)
    else:
        lines = iter([output.json_value(_summary_object(found))])
    output.write_lines(sys.stdout, lines)
    click.echo(output.truth(found.partitions, found.elapsed_ms), err=True)


class _Found(Pages[dict[str, object]]):
    """Events; with `by_rank` the best matches of the text, all on one page."""

    def __init__(
        self,
        store: "Store",
        where: Filter,
        limit: int,
        after: str | None,
        *,
        whole: bool,
        oldest_first: bool = False,
        by_rank: bool = False,
    ) -> None:
        super().__init__(store, where, limit, after, whole=whole, oldest_first=oldest_first)
        self._by_rank = by_rank

    def resolve(self, page: Sequence[dict[str, object]]) -> None:
        self._store.resolve(page)

    def _page(self, rows: int) -> "SearchResult":
        return self._store.search(
            self._where,
            limit=self._limit if self._by_rank else rows,
            after=self.next,
            oldest_first=self._oldest_first,
            cut_chars=self._cut_chars,
            by_rank=self._by_rank,
            snippets=bool(self._where.text),
        )


def _show(
    pages: _Found,
    form: str | None,
    chosen: Chosen,
    columns: Sequence[output.Column] = EVENT_COLUMNS,
    head: Iterable[str] = (),
) -> None:
    """The rows on stdout in the form asked for, `head` before a table; how the search went on stderr."""
    out = sys.stdout
    if form == "json":
        output.write_lines(out, output.json_array(pages.rows()))
    elif form == "nl":
        output.write_lines(out, map(output.json_row, pages.rows()))
    elif form == "csv":
        fields = ("root", *output.EVENT_FIELDS) if pages.roots else output.EVENT_FIELDS
        output.write_lines(out, output.csv_lines(fields, pages.rows()))
    else:
        _show_table(pages, chosen, columns, head)
    if pages.next:
        click.echo(f"more: --after {pages.next}", err=True)
    if pages.partitions:
        click.echo(output.truth(pages.partitions, pages.elapsed_ms, pages.count), err=True)


def _show_table(pages: _Found, chosen: Chosen, columns: Sequence[output.Column], head: Iterable[str]) -> None:
    out, shown = sys.stdout, 0
    width = output.terminal_width(out)
    if pages.roots:
        columns = (columns[0], ROOT_COLUMN, *columns[1:])
    drawn = output.Table(columns, width)
    for page in pages:
        output.write_lines(out, head)
        head = ()
        pages.resolve(page)
        shown += len(page)
        named = [{**row, "root": pages.roots[str(row["root"])]} for row in page] if pages.roots else page
        cells = [[cell(column.title, row, chosen, width) for column in columns] for row in named]
        if not cells:
            continue
        lines = list(drawn.lines(cells))
        titles, body = lines[: len(lines) - len(page)], lines[len(lines) - len(page) :]
        coloured = [output.coloured(line, row, out) for line, row in zip(body, page, strict=True)]
        output.write_lines(out, titles + coloured)
    if not shown:
        click.echo(f"no events found ({chosen.label})", err=True)


def cell(title: str, row: Mapping[str, object], chosen: Chosen, width: int) -> str:
    """What a table says of a row under this title."""
    if title == "time":
        time = display_time(int(str(row["id"])), chosen.tz)
        return time[:19] if width < NARROW else time
    if title == "what":
        snippet = row.get("snippet")
        return output.Marked.of(snippet) if isinstance(snippet, str) else synopsis(row)
    column = {"context": "context_name", "tool": "tool_name", "code": "error_code"}.get(title, title)
    value = row.get("outcome", row.get(column)) if title == "status" else row.get(column)
    return "" if value is None else str(value)


def _story_head(found: "Summary", row: Mapping[str, object], chosen: Chosen) -> Iterator[str]:
    """What a session was, in a line or two before its events."""
    facts = [number(found.events, "event"), number(found.errors, "error")]
    for name in ("project_dir", "git_branch", "model"):
        if row.get(name):
            facts.append(str(row[name]))
    yield output.visible(f"session {row['session_id']}: {', '.join(facts)}")
    if found.first_us is not None and found.last_us is not None:
        first, last = display_time(found.first_us, chosen.tz), display_time(found.last_us, chosen.tz)
        yield f"{first} to {last}, {chosen.tz_name}"
    yield ""


def _counted(title: str, counts: Mapping[str, int], most: int = SUMMARY_LINES) -> Iterator[str]:
    """A table of counts, the largest first, with a line for the rest; nothing for no counts."""
    if not counts:
        return
    listed = list(counts.items())
    cells = [[name, f"{count:,}"] for name, count in listed[:most]]
    drawn = output.Table((output.Column(title, 20, 60), output.Column("events", 6, 15, right=True)), 80)
    yield from drawn.lines(cells)
    if len(listed) > most:
        rest = sum(count for _, count in listed[most:])
        yield f"… and {len(listed) - most:,} more with {number(rest, 'event')}"
    yield ""


def _summary_lines(found: "Summary", chosen: Chosen) -> Iterator[str]:
    totals = (found.events, "event"), (found.errors, "error"), (found.sessions, "session")
    yield f"{', '.join(number(*total) for total in totals)} ({chosen.label})"
    if found.first_us is not None and found.last_us is not None:
        first, last = display_time(found.first_us, chosen.tz), display_time(found.last_us, chosen.tz)
        yield f"{first} to {last}, {chosen.tz_name}"
    yield ""
    for title, counts in _groups(found).items():
        yield from _counted(title, counts)


def _groups(found: "Summary") -> dict[str, dict[str, int]]:
    return {
        "type": found.by_type,
        "tool": found.by_tool,
        "status": found.by_status,
        "context": found.by_context,
    }


def _summary_object(found: "Summary") -> dict[str, object]:
    return {
        "events": found.events,
        "errors": found.errors,
        "sessions": found.sessions,
        "first_us": found.first_us,
        "last_us": found.last_us,
        **{f"by_{title}": counts for title, counts in _groups(found).items()},
        "partitions": found.partitions.as_json(),
        "elapsed_ms": found.elapsed_ms,
    }


def _summary_csv(found: "Summary") -> Iterator[str]:
    yield output.csv_line(("group", "value", "events"))
    for title, counts in _groups(found).items():
        for name, count in counts.items():
            yield output.csv_line((title, output.csv_safe(name), count))


def number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _name_unreadable(partitions: "Partitions") -> None:
    if partitions.unreadable:
        click.echo(output.truth(partitions, 0.0), err=True)
