"""Entries of Datasette's menus on the pages of a day: the ways back to the search. Who sees the day sees them all."""

from typing import Any

from datasette_eyelet import cells, day_table
from datasette_eyelet.links import Links
from datasette_eyelet.visible import one_line

NAME_MAX_CHARS = 40

Actions = list[dict[str, str]]


def of_database(datasette: Any, database: str) -> Actions:
    links = Links(datasette, ())
    key = day_table.day_of(datasette, database)
    if key is not None:
        found = [_action(links.search(day_table.whole(key)), "Search this day in Eyelet", "Its events, newest first")]
        url = links.over_days(key.context)
        return [*found, _action(url, "All days of this context", "One table over every day")] if url else found
    over = day_table.scope_of_request(datasette, database)
    if over is None:
        return []
    url = links.search(day_table.everywhere(over.context))
    calendar = links.days(*((("context", over.context),) if over.context is not None else ()))
    return [
        _action(url, "Search in Eyelet", "All events, newest first"),
        _action(calendar, "Calendar of days", "Each day is a database of its own"),
    ]


def of_table(datasette: Any, database: str, table: str, request: Any) -> Actions:
    """The search with the filters of the table page, and what of them it leaves out."""
    key = day_table.day_of(datasette, database)
    over = key or day_table.scope_of_request(datasette, database)
    if over is None or table != day_table.TABLE:
        return []
    links = Links(datasette, ())
    found = day_table.reading(request.args, over)
    label = "Search in Eyelet" if key is None else "Search this day in Eyelet"
    if found.left_out:
        label += f", without the filter on {', '.join(one_line(name, NAME_MAX_CHARS) for name in found.left_out)}"
    elif found.is_filtered:
        label += " with these filters"
    return [_action(links.search(found.pairs), label, "The same events on the search page")]


def of_row(datasette: Any, database: str, table: str, row: Any) -> Actions:
    """Datasette 1.0. In 0.65 the cells of the row lead to the same pages."""
    event = cells.event_of_row(datasette, database, row) if table == day_table.TABLE else None
    if event is None:
        return []
    context, event_id = event
    links = Links(datasette, ())
    found = [
        _action(links.event(context, event_id), "This event in Eyelet", "What happened, with its payload"),
        _action(cells.around(links, context, event_id), "Search around it", "The minutes before and after"),
    ]
    session = row["session_id"] if "session_id" in row.keys() else None  # noqa: SIM118  sqlite3.Row
    url = links.session(session) if isinstance(session, str) else ""
    return [*found, _action(url, "Its session", "All of it, of any day, as a story")] if url else found


def _action(url: str, label: str, description: str) -> dict[str, str]:
    return {"href": url, "label": label, "description": description}
