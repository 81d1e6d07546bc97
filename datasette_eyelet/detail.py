"""What an event opens to: what its tool was given and answered, what changed in files, the payloads, and the ways on.

Everything recorded passes `visible` here and is cut to what a browser shows at once.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import tzinfo

from datasette_eyelet import rows
from datasette_eyelet.json_text import pretty
from datasette_eyelet.links import Links
from datasette_eyelet.rows import Field, Row
from datasette_eyelet.visible import one_line, visible
from eyelet_ingest import limits
from eyelet_ingest.edits import Edit, edits
from eyelet_ingest.errors import BadInput
from eyelet_ingest.jsontext import parse
from eyelet_ingest.said import plain, said
from eyelet_ingest.store.calls import Call
from eyelet_ingest.store.select import Filter

SECTION_CHARS = 20_000  # of each text in a row that is opened
CALLS_SHOWN = 10  # of one record
MEMBERS_SHOWN = 30
LINE_MAX_CHARS = 2_000  # of a line of a diff
LABEL_MAX_CHARS = 60
PATH_MAX_CHARS = 300
# Where there is a diff it says what these say
_IN_DIFF = frozenset(
    (
        *("old_string", "new_string", "oldString", "newString", "old_str", "new_str", "edits", "content", "file_text"),
        *("originalFile", "structuredPatch", "new_source", "input", "patch"),
        *("file_path", "filePath", "path", "notebook_path", "userModified", "replaceAll", "replace_all"),
    )
)
_CLASS = {"+": "added", "-": "removed", "@": "hunk", " ": "same"}


@dataclass(frozen=True, slots=True)
class Section:
    """A labelled text; `size` is that of the whole where it is cut, else ""."""

    label: str
    text: str
    size: str


@dataclass(frozen=True, slots=True)
class Diff:
    """The change of one file: lines as (class, mark, text)."""

    path: str
    added: int
    removed: int
    is_cut: bool
    lines: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Part:
    """One call of the event; `title` and `witnesses` are empty where it is of none."""

    title: str
    given: tuple[Section, ...]
    answered: tuple[Section, ...]
    diffs: tuple[Diff, ...]
    witnesses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Detail:
    """Everything an opened event shows. `payloads` are the events of its call, or it alone. Empty URLs are no links."""

    parts: tuple[Part, ...]
    more_parts: int
    fields: tuple[Field, ...]
    payloads: tuple[Section, ...]
    meta: str
    url: str
    permalink: str
    json_url: str
    around_urls: tuple[tuple[str, str], ...]
    session_url: str
    row_url: str
    table_url: str


def detail(
    row: Row, calls: Sequence[Call], links: Links, tz: tzinfo, where: Filter, most: int = SECTION_CHARS
) -> Detail:
    """`row` is the whole event, `calls` are those it is of, with their events whole; `where` the search it was opened
    in. No text is longer than `most` characters."""
    context, event_id = rows.text(row["context_name"]), int(str(row["id"]))
    parts = tuple(_part(call, row, most) for call in calls[:CALLS_SHOWN]) or (_alone(row, most),)
    shown = (one for call in calls[:CALLS_SHOWN] for one in (call.question, call.answer) if one)
    events: dict[tuple[int, str], Row] = {_key(one): one for one in shown}
    events[_key(row)] = row
    return Detail(
        parts=tuple(part for part in parts if part.given or part.answered or part.diffs or part.witnesses),
        more_parts=max(len(calls) - CALLS_SHOWN, 0),
        fields=rows.fields(row, links.only, links.excluded),
        payloads=tuple(_payload(events[key], tz, most) for key in sorted(events)),
        meta=visible(pretty(rows.text(row["meta"])[:most])),
        url=links.event_from_here(context, event_id),
        permalink=links.event(context, event_id),
        json_url=links.event_json(context, event_id),
        around_urls=_around(row, links),
        session_url=links.session(rows.text(row["session_id"])),
        row_url=rows.row_url(row, links),
        table_url=rows.table_url(row, links, where),
    )


def _around(row: Row, links: Links) -> tuple[tuple[str, str], ...]:
    """Where the events around it are, all of them and those of its session."""
    context, event_id = rows.text(row["context_name"]), int(str(row["id"]))
    found = [("Events around it", links.fragment(context, event_id, "around"))]
    if rows.text(row["session_id"]):
        found.append(("Its session around it", links.fragment(context, event_id, "around", "session")))
    return tuple(found)


def whole(row: Row) -> str:
    """The payload of a whole event as it was, with what is kept once put back in its places."""
    return limits.whole(rows.text(row["data"]), rows.text(row["meta"]))


def _part(call: Call, row: Row, most: int) -> Part:
    asked, got = (_value(one) for one in (call.question or row, call.answer or row))
    told = call.tool_use_id or ""
    given, answered = said(asked, told).given, said(got, told).answered if call.answer else None
    if given is None:
        given = said(got, told).given
    kept = said(got, told).answered
    sections, replies, diffs = _told(call.tool_name or "", given, answered if answered is not None else kept, got, most)
    names = tuple(one_line(name, LABEL_MAX_CHARS) for name in call.witnesses)
    return Part(one_line(call.tool_name or "", LABEL_MAX_CHARS), sections, replies, diffs, names)


def _alone(row: Row, most: int) -> Part:
    value = _value(row)
    found = said(value, rows.text(row["tool_use_id"]))
    return Part("", *_told(rows.text(row["tool_name"]), found.given, found.answered, value, most), ())


def _told(
    tool: str, given: object, answered: object, payload: object, most: int
) -> tuple[tuple[Section, ...], tuple[Section, ...], tuple[Diff, ...]]:
    beside = payload.get("toolUseResult") if isinstance(payload, dict) else None
    changed = edits(tool, given, beside if isinstance(beside, dict) else answered)
    hidden = _IN_DIFF if changed else frozenset[str]()
    return (
        tuple(_sections("input", given, hidden, most)),
        tuple(_sections("output", answered, hidden, most)),
        tuple(_diff(edit) for edit in changed),
    )


def _sections(label: str, value: object, hidden: frozenset[str], most: int) -> Iterator[Section]:
    """A value as texts: members of an object that are texts by themselves, all that is short together."""
    if value is None or (hidden and isinstance(value, str) and label == "input"):
        return
    text = plain(value)
    if text is not None or not isinstance(value, dict):
        yield from _section(label, text if text is not None else _json(value), most)
        return
    short: list[str] = []
    for name, inner in list(value.items())[:MEMBERS_SHOWN]:
        said_plainly = plain(inner)
        if name in hidden or inner in (None, "", [], {}):
            continue
        if said_plainly is None:
            short.append(f"{name}: {_json(inner)}")
        elif len(said_plainly) < LABEL_MAX_CHARS and "\n" not in said_plainly:
            short.append(f"{name}: {said_plainly}")
        else:
            yield from _section(f"{label}: {name}", said_plainly, most)
    if len(value) > MEMBERS_SHOWN:
        short.append(f"… and {len(value) - MEMBERS_SHOWN} more")
    yield from _section(label, "\n".join(short), most)


def _section(label: str, text: str, most: int) -> Iterable[Section]:
    if not text:
        return ()
    cut = rows.size(len(text)) if len(text) > most else ""
    return (Section(one_line(label, LABEL_MAX_CHARS), visible(text[:most]), cut),)


def _diff(edit: Edit) -> Diff:
    lines = tuple(
        (_CLASS[mark], "" if mark == "@" else mark, _line(text)) for mark, text in edit.lines if mark in _CLASS
    )
    return Diff(one_line(edit.path, PATH_MAX_CHARS), edit.added, edit.removed, edit.is_cut, lines)


def _line(text: str) -> str:
    return visible(text[:LINE_MAX_CHARS] + ("…" if len(text) > LINE_MAX_CHARS else ""))


def _payload(row: Row, tz: tzinfo, most: int) -> Section:
    label = f"{rows.text(row['hook_type'])} at {rows.moment(row['id'], tz)}"
    text = whole(row)
    cut = rows.size(len(text)) if len(text) > most else ""
    return Section(one_line(label, 2 * LABEL_MAX_CHARS), visible(pretty(text[:most])), cut)


def _value(row: Row) -> object:
    try:
        return parse(whole(row))
    except BadInput:
        return None


def _json(value: object) -> str:
    try:
        return pretty(json.dumps(value, ensure_ascii=False))
    except RecursionError:
        return "nested too deep to be shown here: see the payload"


def _key(row: Row) -> tuple[int, str]:
    return int(str(row["id"])), rows.text(row["context_name"])
