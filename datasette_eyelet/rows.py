"""Row → what a page shows of it. Everything recorded passes `visible` here; the templates escape it for HTML."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone, tzinfo
from itertools import groupby

from datasette_eyelet import day_table
from datasette_eyelet.json_text import pretty
from datasette_eyelet.links import Links, day_of_event, is_linkable
from datasette_eyelet.query import STATUSES
from datasette_eyelet.visible import one_line, visible
from eyelet_ingest import snippets
from eyelet_ingest.ranges import display_time
from eyelet_ingest.store.select import Filter
from eyelet_ingest.synopsis import synopsis

CUT_CHARS = 4_096
EVERYTHING = Filter()

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_SPACE = re.compile(r"\s+")
WHAT_MAX_CHARS = 240
CELL_MAX_CHARS = 120
SRC_MAX_CHARS = 160
FIELD_MAX_CHARS = 1_000
SNIPPET_MAX_CHARS = 2_000  # a token may be as long as a payload

# column → (label, URL name of the filter it can narrow the search by)
_FIELDS = {
    "context_name": ("context", "context"),
    "alongside": ("alongside", ""),
    "session_id": ("session", "session"),
    "src": ("src", "src"),
    "hook_type": ("type", "type"),
    "tool_name": ("tool", "tool"),
    "status": ("status", "status"),
    "outcome": ("outcome", ""),
    "error_code": ("error code", "error_code"),
    "agent": ("agent", "agent"),
    "agent_id": ("subagent", ""),
    "role": ("role", ""),
    "model": ("model", "model"),
    "git_branch": ("branch", "branch"),
    "project_dir": ("project", ""),
    "tool_use_id": ("tool use", ""),
    "loglevel": ("level", ""),
    "origin": ("origin", ""),
    "hostname": ("host", ""),
    "ip_address": ("address", ""),
}
_MORE_FIELDS = ("id", "uid", "arrived", "timestamp", "duration_ms", "error", "data_chars")

Row = Mapping[str, object]
Pieces = tuple[tuple[bool, str], ...]


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a row: its `url` is the search for this value, empty where there is none."""

    label: str
    value: str
    url: str


@dataclass(frozen=True, slots=True)
class RowView:
    """What the list shows of one event, and what it opens to.

    `src` is in two: where room is short, the first (agent and event) gives way. `what` and `snippet`, the text around
    its hits, are in pieces that each say whether they are a hit; where `what` has the hits itself, there is no snippet.
    `url` leads back to the search, the `permalink` is for others. `row_url` and `table_url` are Datasette's pages of
    its day; empty is no link.
    """

    at: str
    at_iso: str
    day: str
    context: str
    src: tuple[str, str]
    kind: str
    what: Pieces
    snippet: Pieces
    duration: str
    status: str
    failed: bool
    fields: tuple[Field, ...]
    payload: str
    payload_is_cut: bool
    payload_size: str
    url: str
    permalink: str
    json_url: str
    row_url: str
    session_url: str
    table_url: str


@dataclass(frozen=True, slots=True)
class DayView:
    """The rows of one day of the zone, newest first."""

    label: str
    rows: tuple[RowView, ...]


def days(
    rows: Iterable[Row], links: Links, tz: tzinfo, where: Filter = EVERYTHING, *, by_rank: bool = False
) -> list[DayView]:
    """The rows that `where` found, in the order given, under the days they belong to; `by_rank` all of them together,
    each with its date."""
    if by_rank:
        dated = tuple(replace(row_view(row, links, tz, where), at=moment(row["id"], tz)[:19]) for row in rows)
        return [DayView("Best match first", dated)] if dated else []
    views = [row_view(row, links, tz, where) for row in rows]
    return [DayView(day, tuple(group)) for day, group in groupby(views, key=lambda view: view.day)]


def row_view(row: Row, links: Links, tz: tzinfo, where: Filter = EVERYTHING) -> RowView:
    """`where` is the search that found it: the table of its day is shown with the same filters."""
    data, event_id, context = text(row["data"]), _number(row["id"]), text(row["context_name"])
    date, _, clock = moment(row["id"], tz).partition(" ")
    what, around = told(one_line(synopsis(row), WHAT_MAX_CHARS), snippet(row))
    return RowView(
        at=clock or date,
        at_iso=_iso(row["id"]),
        day=_day(row["id"], tz),
        context=one_line(context, CELL_MAX_CHARS),
        src=_halves(one_line(text(row["src"]), SRC_MAX_CHARS)),
        kind=one_line(text(row["tool_name"]) or text(row["hook_type"]), CELL_MAX_CHARS),
        what=what,
        snippet=around,
        duration=duration(row["duration_ms"]),
        status=one_line(text(row.get("outcome", row["status"])), CELL_MAX_CHARS),
        failed=bool(row["error"]),
        fields=fields(row, links.narrowed),
        payload=visible(pretty(data[:CUT_CHARS])),
        payload_is_cut=_number(row["data_chars"]) > min(len(data), CUT_CHARS),
        payload_size=size(_number(row["data_chars"])),
        url=links.event_from_here(context, event_id),
        permalink=links.event(context, event_id),
        json_url=links.event_json(context, event_id),
        row_url=row_url(row, links),
        session_url=links.session(text(row["session_id"])),
        table_url=table_url(row, links, where),
    )


def told(what: str, around: Pieces) -> tuple[Pieces, Pieces]:
    """What happened, in pieces, and the snippet beside it; one that what happened holds itself marks the hits there."""
    said = "".join(text for _, text in around)
    before, found, after = what.partition(said) if said else (what, "", "")
    if not found:
        return ((False, what),) if what else (), around
    return tuple(piece for piece in ((False, before), *around, (False, after)) if piece[1]), ()


def snippet(row: Row) -> Pieces:
    """The pieces of a row's snippet, safe to show, each with whether it is a hit; none where it has no snippet."""
    given = row.get("snippet")
    pieces = snippets.parts(given[:SNIPPET_MAX_CHARS]) if isinstance(given, str) else ()
    return tuple((is_hit, visible(_SPACE.sub(" ", text))) for is_hit, text in pieces)


def json_links(row: Row, links: Links, where: Filter = EVERYTHING) -> dict[str, str | None]:
    """What leads on from a row, as the JSON says it; None where nothing does."""
    context, event_id = text(row["context_name"]), _number(row["id"])
    found = {
        "event": links.event(context, event_id),
        "row": row_url(row, links),
        "session": links.session(text(row["session_id"])),
        "day": table_url(row, links, where),
    }
    return {name: url or None for name, url in found.items()}


def row_url(row: Row, links: Links) -> str:
    """The row's page in Datasette, "" where there is none: days beside the root are no databases there."""
    if "alongside" in row:
        return ""
    return links.row(text(row["context_name"]), _number(row["id"]))


def table_url(row: Row, links: Links, where: Filter) -> str:
    """The table of the row's day with the same filters, "" where there is none."""
    if "alongside" in row:
        return ""
    key = day_of_event(text(row["context_name"]), _number(row["id"]))
    return day_table.url(links, where, key) if key else ""


def fields(row: Row, narrowed: Callable[[str, str], str], *, every: bool = False) -> tuple[Field, ...]:
    """The columns that hold something, with `every` those too that only machines read."""
    found = []
    for column, (label, name) in _FIELDS.items():
        value = text(row.get(column))
        if column == "outcome" and value == text(row.get("status")):
            continue
        if value:
            shown = one_line(value, FIELD_MAX_CHARS if every else CELL_MAX_CHARS)
            linked = name and is_linkable(value) and (name != "status" or value in STATUSES)
            found.append(Field(label, shown, narrowed(name, value) if linked else ""))
    if every:
        found += (Field(name, one_line(text(row.get(name)), FIELD_MAX_CHARS), "") for name in _MORE_FIELDS)
    return tuple(field for field in found if field.value)


def text(value: object) -> str:
    """A column's value as text: nothing is empty, bytes and numbers a hand-made row may hold are written out."""
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else str(value)


def moment(event_id: object, tz: tzinfo) -> str:
    """`2026-03-20 14:03:22.123` in the zone; the number itself where it is no time."""
    try:
        return display_time(_number(event_id), tz)
    except (OverflowError, ValueError):
        return text(event_id)


def duration(milliseconds: object) -> str:
    """`12 ms`, `1.2 s`, `3 m 20 s`; empty for what is no duration."""
    if not isinstance(milliseconds, (int, float)) or not 0 <= milliseconds < 1e12:
        return ""
    if milliseconds < 1_000:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1_000
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} m {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} m"


def size(chars: int) -> str:
    """A number of characters for people, in powers of 1,024."""
    if chars < 1_024:
        return f"{chars} B"
    return f"{chars / 1_024:.1f} KB" if chars < 1_024**2 else f"{chars / 1_024**2:.1f} MB"


def _halves(src: str) -> tuple[str, str]:
    """`claude.posttooluse.bash.git` → `claude.posttooluse.`, `bash.git`; the second is never empty."""
    parts = src.split(".")
    first = min(2, len(parts) - 1)
    return "".join(f"{part}." for part in parts[:first]), ".".join(parts[first:])


def _number(value: object) -> int:
    return int(value) if isinstance(value, (int, float)) else 0


def _iso(event_id: object) -> str:
    try:
        return f"{_EPOCH + timedelta(microseconds=_number(event_id)):%Y-%m-%dT%H:%M:%S.%fZ}"
    except OverflowError:
        return ""


def _day(event_id: object, tz: tzinfo) -> str:
    try:
        then = _EPOCH + timedelta(microseconds=_number(event_id))
        return f"{then.astimezone(tz):%A %-d %B %Y}"
    except (OverflowError, ValueError):
        return "No day"
