"""Row → what a page shows of it. Everything recorded passes `visible` here; the templates escape it for HTML."""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone, tzinfo
from itertools import groupby
from typing import TYPE_CHECKING

from markupsafe import Markup

from datasette_eyelet import day_table
from datasette_eyelet.json_text import pretty
from datasette_eyelet.links import Links, day_of_event
from datasette_eyelet.query import can_be_asked
from datasette_eyelet.visible import one_line, visible
from eyelet_ingest import snippets
from eyelet_ingest.ranges import display_time
from eyelet_ingest.store.select import Filter
from eyelet_ingest.synopsis import synopsis

if TYPE_CHECKING:
    from eyelet_ingest.store.entries import Entry, EntryCall

CUT_CHARS = 4_096
PREVIEW_CHARS = 600  # of a payload in the list; all of it is fetched when a row is opened
EVERYTHING = Filter()
NO_HTML = Markup()

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
    "project_dir": ("project", "project"),
    "tool_use_id": ("tool use", ""),
    "loglevel": ("level", "level"),
    "origin": ("origin", ""),
    "hostname": ("host", ""),
    "ip_address": ("address", ""),
}
_MORE_FIELDS = ("id", "uid", "arrived", "timestamp", "duration_ms", "error", "data_chars")

Row = Mapping[str, object]
Pieces = tuple[tuple[bool, str], ...]


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a row: `url` is the search for this value alone, `without` the one that leaves it out; empty where
    there is none."""

    label: str
    value: str
    url: str
    without: str = ""


@dataclass(frozen=True, slots=True)
class RowView:
    """What the list shows of one entry, and the beginning of what it opens to.

    `src` is in two: where room is short, the first (agent and event) gives way. `what` and `snippet`, the text around
    its hits, are in pieces that each say whether they are a hit; where `what` has the hits itself, there is no snippet.
    `call` tells the rows of one call apart from those of others, "" where it is of none, `witnesses` who saw it.
    `url` leads back to the search, the `permalink` is for others; at `fragment_url` is all of it, as HTML. Empty is no
    link.
    """

    key: str
    at: str
    at_iso: str
    at_us: int
    day: str
    date: str
    context: str
    alongside: str
    event_id: int
    session_id: str
    call: str
    src: tuple[str, str]
    kind: str
    what: Pieces
    snippet: Pieces
    duration: str
    status: str
    failed: bool
    events: int
    witnesses: tuple[str, ...]
    preview: str
    preview_is_cut: bool
    payload_size: str
    url: str
    permalink: str
    json_url: str
    fragment_url: str
    session_url: str


@dataclass(frozen=True, slots=True)
class DayView:
    """The rows of one day of the zone, newest first; `date` is its name for programs, "" where it is none; `html` are
    the rows as the list has them, where they are rendered already."""

    label: str
    date: str
    rows: tuple[RowView, ...]
    html: Markup = NO_HTML


def days(entries: Iterable["Entry"], links: Links, tz: tzinfo, *, by_rank: bool = False) -> list[DayView]:
    """The entries in the order given, under the days they belong to; `by_rank` all of them together, each with its
    date."""
    views = [row_view(entry.row, links, tz, entry) for entry in entries]
    if by_rank:
        dated = tuple(replace(view, at=moment(view.at_us, tz)[:19]) for view in views)
        return [DayView("Best match first", "", dated)] if dated else []
    grouped = ((label, tuple(group)) for label, group in groupby(views, key=lambda view: view.day))
    return [DayView(label, group[0].date, group) for label, group in grouped]


def row_view(row: Row, links: Links, tz: tzinfo, entry: "Entry | None" = None) -> RowView:
    """The row as the list shows it; where it is an `entry` of a list, with what its call adds up to."""
    call = entry.call if entry else None
    data, event_id, context = text(row["data"]), _number(row["id"]), text(row["context_name"])
    date, _, clock = moment(row["id"], tz).partition(" ")
    what, around = told(one_line(entry.said if entry else synopsis(row), WHAT_MAX_CHARS), snippet(row))
    session = text(row["session_id"])
    status = call.status if call else text(row.get("outcome", row["status"]))
    return RowView(
        key=visible(entry.key) if entry else f"{visible(context)}-{event_id}",
        at=clock or date,
        at_iso=iso(row["id"]),
        at_us=event_id,
        day=day_name(row["id"], tz),
        date=date if clock else "",
        context=one_line(context, CELL_MAX_CHARS),
        alongside=one_line(text(row.get("alongside")), CELL_MAX_CHARS),
        event_id=event_id,
        session_id=visible(session[:CELL_MAX_CHARS]),
        call=_call_key(call),
        src=_halves(one_line(text(row["src"]), SRC_MAX_CHARS)),
        kind=one_line(text((call and call.tool_name) or row["tool_name"]) or text(row["hook_type"]), CELL_MAX_CHARS),
        what=what,
        snippet=around,
        duration=duration(call.duration_ms if call else row["duration_ms"]),
        status=one_line(status, CELL_MAX_CHARS),
        failed=bool(call.error if call else row["error"]),
        events=call.events if call else 1,
        witnesses=tuple(one_line(name, CELL_MAX_CHARS) for name in call.witnesses) if call else (),
        preview=visible(pretty(data[:PREVIEW_CHARS])),
        preview_is_cut=_number(row["data_chars"]) > min(len(data), PREVIEW_CHARS),
        payload_size=size(_number(row["data_chars"])),
        url=links.event_from_here(context, event_id),
        permalink=links.event(context, event_id),
        json_url=links.event_json(context, event_id),
        fragment_url=links.fragment(context, event_id),
        session_url=links.session(session),
    )


def _call_key(call: "EntryCall | None") -> str:
    """What all events of a call have in common, short and safe in an attribute; "" where nothing tells."""
    if call is None:
        return ""
    told = call.tool_use_id or (f"{call.question.context}-{call.question.id}" if call.question else "")
    return (
        hashlib.blake2b(f"{call.session_id}\0{told}".encode("utf-8", "replace"), digest_size=9).hexdigest()
        if told
        else ""
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


def fields(
    row: Row, narrowed: Callable[[str, str], str], without: Callable[[str, str], str], *, every: bool = False
) -> tuple[Field, ...]:
    """The columns that hold something, with `every` those too that only machines read."""
    found = []
    for column, (label, name) in _FIELDS.items():
        value = text(row.get(column))
        if column == "outcome" and value == text(row.get("status")):
            continue
        if value:
            shown = one_line(value, FIELD_MAX_CHARS if every else CELL_MAX_CHARS)
            linked = name and can_be_asked(name, value)
            urls = (narrowed(name, value), without(name, value)) if linked else ("", "")
            found.append(Field(label, shown, *urls))
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


def iso(event_id: object) -> str:
    try:
        return f"{_EPOCH + timedelta(microseconds=_number(event_id)):%Y-%m-%dT%H:%M:%S.%fZ}"
    except OverflowError:
        return ""


def day_name(event_id: object, tz: tzinfo) -> str:
    try:
        then = _EPOCH + timedelta(microseconds=_number(event_id))
        return f"{then.astimezone(tz):%A %-d %B %Y}"
    except (OverflowError, ValueError):
        return "No day"
