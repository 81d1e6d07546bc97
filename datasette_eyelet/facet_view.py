"""The facets beside the rows: which values there are and how many events have each, with the searches that take one of
them alone or leave it out; and the tree of src, opened at its dots."""

from dataclasses import dataclass

from datasette_eyelet import words
from datasette_eyelet.links import Links
from datasette_eyelet.query import can_be_asked
from datasette_eyelet.visible import one_line
from eyelet_ingest.store.facets import Facet, Facets

# URL name → field of the store, in the order of the page
FIELDS = {
    "context": "context",
    "src": "src",
    "type": "hook_type",
    "tool": "tool_name",
    "status": "status",
    "model": "model",
    "project": "project_dir",
    "branch": "git_branch",
    "agent": "agent",
    "level": "loglevel",
}
SHOWN = 7
COUNTED = 20  # of each field; of the one that is opened with `more` MORE
MORE = 200
DEADLINE_MS = 1_000
VALUE_MAX_CHARS = 60
# Events that are pending are the questions of calls, which may be answered by now: counts of events say so.
ASKED = "asked (pending)"


@dataclass(frozen=True, slots=True)
class Value:
    """One value: `only` is the search for it alone, or without this condition where `is_chosen`; `without` the one that
    leaves it out, or takes it back where `is_excluded`; `below` the tree opened there. Empty is no link. `word` is how
    the search text asks for it, "" where people could not see what they ask for."""

    text: str
    whole: str
    count: int | None
    only: str
    without: str
    below: str
    is_chosen: bool
    is_excluded: bool
    word: str


@dataclass(frozen=True, slots=True)
class FacetView:
    """`more_url` shows more values of it, "" where there are none or they are shown; `is_capped` where there are more
    than are ever shown. `path` leads back up the tree: (part, URL)."""

    name: str
    values: tuple[Value, ...]
    more_url: str
    is_capped: bool
    path: tuple[tuple[str, str], ...]


def views(found: Facets, links: Links, opened: str, more: str) -> list[FacetView]:
    """Those that have something to choose, in the order of the page."""
    chosen: dict[str, list[str]] = {}
    for name, value in links.pairs:
        chosen.setdefault(name, []).append(value)
    made = [
        _view(name, found.fields[field], links, chosen, opened, is_open=name == more)
        for name, field in FIELDS.items()
        if field in found.fields
    ]
    return [view for view in made if view.values or view.path]


def _view(
    name: str, facet: Facet, links: Links, chosen: dict[str, list[str]], opened: str, *, is_open: bool
) -> FacetView:
    only, gone = chosen.get(name, []), chosen.get(f"-{name}", [])
    most = MORE if is_open else SHOWN
    counted = dict(facet.values)
    shown = facet.values[:most]
    named = {value for value, _ in shown}
    kept = [(value, counted.get(value)) for value in dict.fromkeys((*only, *gone)) if value not in named]
    values = tuple(_value(name, value, count, links, only, gone, opened) for value, count in (*shown, *kept))
    has_more = len(facet.values) > most or facet.more
    path = _path(opened, links) if name == "src" and opened else ()
    return FacetView(
        name,
        values,
        links.narrowed("more", name) if has_more and not is_open else "",
        has_more and is_open,
        path,
    )


def _value(
    name: str, value: str, count: int | None, links: Links, only: list[str], gone: list[str], opened: str
) -> Value:
    usable = can_be_asked(name, value)
    is_chosen, is_excluded = value in only, value in gone
    narrowed = links.without(name, value) if is_chosen else links.only(name, value)
    excluded = links.without(f"-{name}", value) if is_excluded else links.excluded(name, value)
    return Value(
        text=one_line(_told(name, value, opened), VALUE_MAX_CHARS),
        whole=one_line(value, 500),
        count=count,
        only=narrowed if usable else "",
        without=excluded if usable else "",
        below=links.narrowed("open", value) if usable and name == "src" and value != opened else "",
        is_chosen=is_chosen,
        is_excluded=is_excluded,
        word=f"{name}:{words.written(name, value)}" if usable and words.is_plain(value) else "",
    )


def _told(name: str, value: str, opened: str) -> str:
    """What of a value tells it apart where room is short: of a folder its end, of a src what lies below the one that
    is opened; and what the status of an event means among counts of events."""
    if name == "status" and value == "pending":
        return ASKED
    if name == "src" and opened and value.startswith(f"{opened}."):
        return value[len(opened) + 1 :]
    if name == "project" and len(value) > VALUE_MAX_CHARS // 2:
        return "…/" + "/".join(value.rstrip("/").split("/")[-2:])
    return value


def _path(opened: str, links: Links) -> tuple[tuple[str, str], ...]:
    """The way from the top of the tree to what is opened, the last part without a link."""
    root = links.dropped("open")
    parts = opened.split(".")
    steps = [("all", root)]
    for at, part in enumerate(parts, 1):
        steps.append(
            (one_line(part, VALUE_MAX_CHARS), links.narrowed("open", ".".join(parts[:at])) if at < len(parts) else "")
        )
    return tuple(steps)
