"""Cells of a day, or of all days, in Datasette: times to read, ways back to our pages, excerpts of long payloads, and
no hostile character as it is.

None leaves a cell to Datasette. What is given is Markup made with `Markup.format`, which escapes every value.
"""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timezone
from typing import Any

from markupsafe import Markup

from datasette_eyelet import day_table, rows
from datasette_eyelet.json_text import pretty
from datasette_eyelet.links import Links, day_of_event, is_linkable
from datasette_eyelet.visible import one_line, visible
from eyelet_ingest.store.layout import DAY_US, LAST_YEAR, PartitionKey, safe_context
from eyelet_ingest.synopsis import synopsis

EXCERPT_CHARS = 200  # of a cell in a table of many columns
RESULT_CHARS = 500  # of a cell in the result of somebody's query
PRETTY_MAX_CHARS = 2_000_000  # more is shown whole, but as it was recorded
HEX_MAX_BYTES = 64
AROUND_US = 5 * 60 * 1_000_000
LAST_US = (LAST_YEAR - 1970) * 365 * DAY_US
_OF_DAY = (None, day_table.TABLE)

# Datasette 0.65 gives the hook neither the request nor the kind of page.
_on_row_page: ContextVar[bool] = ContextVar("eyelet_on_row_page", default=False)


@dataclass(frozen=True, slots=True)
class _Cell:
    """One cell of a page about the day `key`, or about all days, which are of `context` where that is known. `table` is
    None in the result of a query; `row` is Datasette's."""

    key: PartitionKey | None
    context: str | None
    links: Links
    row: Any
    value: Any
    table: str | None

    @property
    def is_whole(self) -> bool:
        return self.table is not None and _on_row_page.get()

    @property
    def most_chars(self) -> int:
        return EXCERPT_CHARS if self.table else RESULT_CHARS

    @property
    def event_id(self) -> int | None:
        """The event that the row is about: its `id`, where that is a moment of the day."""
        found = self.row["id"] if "id" in self.row.keys() else None  # noqa: SIM118  sqlite3.Row
        return found if self.holds(found) else None

    def holds(self, value: Any) -> bool:
        """Whether this is the id of an event that may be there."""
        if self.key is not None:
            return _moment_of_day(self.key, value) is not None
        return self.context is not None and isinstance(value, int) and day_of_event(self.context, value) is not None


def knowing_the_page(datasette: Any) -> Callable[[Any], Any]:
    """ASGI: remembers for the cells whether the request is for the page of one row, where everything is whole."""

    def wrap(app: Any) -> Any:
        async def wrapped(scope: dict[str, Any], receive: Any, send: Callable[..., Awaitable[None]]) -> None:
            token = _on_row_page.set(scope["type"] == "http" and _is_row_page(datasette, scope["path"]))
            try:
                await app(scope, receive, send)
            finally:
                _on_row_page.reset(token)

        return wrapped

    return wrap


def render(row: Any, value: Any, column: str, table: str | None, database: str, datasette: Any) -> Markup | None:
    """What a cell of `hooks`, of what stands beside it over all days, or of a query shows."""
    if value is None:
        return None
    shown = _SHOWN.get(column)
    if shown is None and not isinstance(value, str):
        return None
    cell = _cell(row, value, table, database, datasette)
    if cell is None:
        return None
    return (shown(cell) if shown else None) or _text(cell)


def _cell(row: Any, value: Any, table: str | None, database: str, datasette: Any) -> _Cell | None:
    """The cell, where it is one of ours: of a day others may have tables of their own."""
    key = day_table.day_of(datasette, database)
    if key is not None:
        return _Cell(key, key.context, Links(datasette, ()), row, value, table) if table in _OF_DAY else None
    over = day_table.scope_of_request(datasette, database)
    if over is None:
        return None
    context = over.context
    if context is None and "context_name" in row.keys():  # noqa: SIM118  sqlite3.Row
        said = row["context_name"]
        context = said if isinstance(said, str) and safe_context(said) == said else None
    return _Cell(None, context, Links(datasette, ()), row, value, table)


def event_of_row(datasette: Any, database: str, row: Any) -> tuple[str, int] | None:
    """Context and id of the event that a row of `hooks` is about; None where that is no event of ours."""
    cell = _cell(row, None, day_table.TABLE, database, datasette)
    if cell is None or cell.context is None or cell.event_id is None:
        return None
    return cell.context, cell.event_id


def around(links: Links, context: str, event_id: int) -> str:
    """The search of the minutes around an event, in its context."""
    since, until = day_table.iso_us(max(event_id - AROUND_US, 0)), day_table.iso_us(event_id + AROUND_US)
    return links.search((("context", context), ("from", since), ("to", until)))


def _id(cell: _Cell) -> Markup | None:
    event_id = cell.value
    if cell.context is None or not cell.holds(event_id):
        return None
    url = cell.links.event(cell.context, event_id)
    if cell.table is None and "time_utc" in cell.row.keys():  # noqa: SIM118  sqlite3.Row
        return Markup('<a href="{}">{}</a>').format(url, event_id)
    at = f"{rows.moment(event_id, timezone.utc)} UTC"
    shown = Markup('{} <a href="{}">{}</a>').format(event_id, url, at)
    if cell.is_whole:
        shown += Markup(' · <a href="{}">around it</a>').format(around(cell.links, cell.context, event_id))
        day = day_of_event(cell.context, event_id)
        if cell.key is None and day is not None:
            shown += Markup(' · <a href="{}">in its day</a>').format(cell.links.row(cell.context, event_id))
    return shown


def _timestamp(cell: _Cell) -> Markup | None:
    start_us, end_us = cell.key.bounds_us if cell.key is not None else (DAY_US, LAST_US - DAY_US)
    if not isinstance(cell.value, float) or not start_us - DAY_US <= cell.value * 1e6 < end_us + DAY_US:
        return None
    at = f"{rows.moment(round(cell.value * 1e6), timezone.utc)} UTC"
    if cell.event_id is None or cell.context is None:
        return Markup('<span title="{}">{}</span>').format(cell.value, at)
    url = cell.links.event(cell.context, cell.event_id)
    return Markup('<a href="{}" title="{}">{}</a>').format(url, cell.value, at)


def _session(cell: _Cell) -> Markup | None:
    url = cell.links.session(cell.value) if isinstance(cell.value, str) else ""
    return _link(url, cell.value) if url else None


def _src(cell: _Cell) -> Markup | None:
    if not isinstance(cell.value, str) or not is_linkable(cell.value):
        return None
    where = day_table.whole(cell.key) if cell.key is not None else day_table.everywhere(cell.context)
    return _link(cell.links.search((*where, ("src", cell.value))), cell.value)


def _context(cell: _Cell) -> Markup | None:
    """The name of a context, over all days of several: a link to its own."""
    if cell.key is not None or cell.table is None or cell.context is None or cell.value != cell.context:
        return None
    url = cell.links.over_days(cell.context)
    return _link(url, cell.value) if url else None


def _data(cell: _Cell) -> Markup | None:
    if cell.table is None or cell.is_whole:
        return _json(cell)
    head = cell.value[: rows.CUT_CHARS] if isinstance(cell.value, str) else cell.value
    said = synopsis({**dict(zip(cell.row.keys(), cell.row, strict=True)), "data": head})
    return _excerpt(cell, said, f" {rows.size(len(rows.text(cell.value)))}")


def _json(cell: _Cell) -> Markup | None:
    if not isinstance(cell.value, str):
        return None
    if cell.is_whole and len(cell.value) <= PRETTY_MAX_CHARS:
        return Markup('<pre class="wrapped-sql">{}</pre>').format(visible(pretty(cell.value)))
    return None


def _uid(cell: _Cell) -> Markup | None:
    if not isinstance(cell.value, bytes) or not 0 < len(cell.value) <= HEX_MAX_BYTES:
        return None
    return Markup("<code>{}</code>").format(cell.value.hex())


def _text(cell: _Cell) -> Markup | None:
    """Any other text: Datasette's, unless it is long or hides something."""
    value = cell.value
    if not isinstance(value, str):
        return None
    if not cell.is_whole and len(value) > cell.most_chars:
        return _excerpt(cell, value, "")
    shown = visible(value)
    return Markup.escape(shown) if shown != value else None


def _excerpt(cell: _Cell, text: str, size: str) -> Markup:
    """The beginning of a long text, which leads to where it is whole."""
    shown = one_line(text, cell.most_chars)
    if cell.event_id is None or cell.context is None:
        return Markup("{}<small>{}</small>").format(shown, size)
    url = cell.links.row(cell.context, cell.event_id)
    return Markup('<bdi>{}</bdi> <a href="{}" title="The whole row"><small>whole{}</small></a>').format(
        shown, url, size
    )


def _link(url: str, text: str) -> Markup:
    return Markup('<a href="{}"><bdi>{}</bdi></a>').format(url, one_line(text, EXCERPT_CHARS))


def _moment_of_day(key: PartitionKey, value: Any) -> int | None:
    start_us, end_us = key.bounds_us
    return value if isinstance(value, int) and start_us <= value < end_us else None


def _is_row_page(datasette: Any, path: str) -> bool:
    base = str(datasette.setting("base_url"))
    parts = path.removeprefix(base).strip("/").split("/")
    return len(parts) == 3 and parts[1] == day_table.TABLE


_SHOWN: dict[str, Callable[[_Cell], Markup | None]] = {
    "id": _id,
    "first_id": _id,
    "last_id": _id,
    "question_id": _id,
    "answer_id": _id,
    "context_name": _context,
    "timestamp": _timestamp,
    "session_id": _session,
    "src": _src,
    "data": _data,
    "meta": _json,
    "uid": _uid,
}
