"""URLs of our pages. What was recorded goes into them quoted, whatever it holds."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlencode

from datasette_eyelet.scope import Scope, scope_of
from eyelet_ingest.store.layout import PartitionKey, key_for

SEARCH = "/-/eyelet"
SEARCH_JSON = "/-/eyelet.json"
EVENT = "/-/eyelet/event"
ROW = "/-/eyelet/row"
LIVE = "/-/eyelet/live"
SAVED = "/-/eyelet/saved"
OVERVIEW = "/-/eyelet/overview"
SESSION = "/-/eyelet/session"
SESSIONS = "/-/eyelet/sessions"
SOURCES = "/-/eyelet/sources"
NOW = "/-/eyelet/now"
VALUES = "/-/eyelet/values.json"
DAYS = "/-/eyelet/days"
HEALTH = "/-/eyelet/health"
BENCH = "/-/eyelet/bench"
METRICS = "/-/eyelet/metrics"
ALIVE = "/-/eyelet/alive"
DAYS_JSON = "/-/eyelet/days.json"
STATIC = "/-/static-plugins/datasette-eyelet"

EXPORT = "/-/eyelet/export"
SQL = "/-/eyelet/sql"

Pairs = tuple[tuple[str, str], ...]

RANGE_NAMES = ("range", "from", "to")
# What chooses no events, or only some of those that are found
NOT_EXPORTED = ("_size", "_next", "by", "full", "rows", "stack", "open", "more", "histogram", "facets", "live")
PAIRS_MAX_CHARS = 2_000  # of a search that every row repeats
VALUE_MAX_CHARS = 500  # a recorded value of 1 MB in every link to it would be a page of many MB


class Links:
    """The URLs of one request: `pairs` are its own parameters, without `_next`, which is `page`."""

    def __init__(self, datasette: Any, pairs: Pairs, page: str = "") -> None:
        self.path, self.pairs, self.page = datasette.urls.path, pairs, page
        self.tz = tuple(pair for pair in pairs if pair[0] == "tz")

    def search(self, pairs: Sequence[tuple[str, str]] = ()) -> str:
        return _with_query(str(self.path(SEARCH)), pairs)

    def to(self, path: str, pairs: Sequence[tuple[str, str]] = ()) -> str:
        """Another page of ours, by its path."""
        return _with_query(str(self.path(path)), pairs)

    def here(self) -> str:
        """This search, on this page of it."""
        return self.search(self._here())

    def json(self, *more: tuple[str, str]) -> str:
        names = [name for name, _ in more]
        return _with_query(str(self.path(SEARCH_JSON)), [*(one for one in self.pairs if one[0] not in names), *more])

    def event(self, context: str, event_id: int) -> str:
        """One event, in the zone of this search."""
        return _with_query(self._event(context, event_id), self.tz)

    def event_from_here(self, context: str, event_id: int) -> str:
        """One event, from where a link leads back here."""
        return self._event(context, event_id) + self._query_here

    def live(self, after: str) -> str:
        """What arrives from this position on and matches this search, as server-sent events."""
        return _with_query(
            str(self.path(LIVE)), (*(pair for pair in self.pairs if pair[0] != "live"), ("_after", after))
        )

    def fragment(self, context: str, event_id: int, *more: str) -> str:
        """What an event opens to in the list, as HTML without a page around it; or a part of that."""
        path = "/".join((str(self.path(ROW)), quote(context, safe=""), str(event_id), *more))
        return path + self._query_here if self._is_short else _with_query(path, self.tz)

    def event_json(self, context: str, event_id: int) -> str:
        return self._event(context, event_id) + ".json"

    def session(self, session_id: str) -> str:
        """A session, whenever it was: the one place that knows what shows a session. "" where it has no usable id."""
        if not is_linkable(session_id):
            return ""
        path = self.session_path(session_id)
        return _with_query(path, self.tz) if path else self.session_search(session_id)

    def session_path(self, session_id: str) -> str:
        """The page of a session; "" for `.` and `..`, which browsers take for folders, however they are written."""
        if session_id.strip() in (".", ".."):
            return ""
        name = quote(session_id, safe="", errors="replace")
        name = f"{name[:-5]}%2Ejson" if name.endswith(".json") else name  # which would be taken for ours
        return f"{self.path(SESSION)}/{name}"

    def session_search(self, session_id: str, more: Sequence[tuple[str, str]] = ()) -> str:
        """The events of a session, whenever they were, in the search."""
        return self.search((("range", "all"), *self.tz, ("session", session_id), *more))

    def table(self, key: PartitionKey, arguments: Pairs = ()) -> str:
        """The page of a day's table in Datasette; the day need not be mounted."""
        return _with_query(str(self.path(f"/{key.mount_name}/hooks")), arguments)

    def over_days(self, context: str | None = None, arguments: Pairs = ()) -> str:
        """The table of all days in Datasette, of one context or of all; "" for a context that has none, as its name
        ends as a day's does."""
        scope = Scope(context or None)
        return _with_query(str(self.path(f"/{scope.name}/hooks")), arguments) if scope_of(scope.name) == scope else ""

    def days(self, *pairs: tuple[str, str]) -> str:
        """The calendar, of all contexts and years or of those given."""
        return _with_query(str(self.path(DAYS)), pairs)

    def days_json(self, *pairs: tuple[str, str]) -> str:
        return _with_query(str(self.path(DAYS_JSON)), pairs)

    def row(self, context: str, event_id: int) -> str:
        """The row page of an event in Datasette, "" where no day can hold it."""
        key = day_of_event(context, event_id)
        return f"{self.table(key)}/{event_id}" if key else ""

    def next(self, cursor: str) -> str:
        return self.search((*self.pairs, ("_next", cursor)))

    def narrowed(self, name: str, value: str) -> str:
        """This search with only `value` for `name`."""
        return self.search((*(pair for pair in self.pairs if pair[0] != name), (name, value)))

    def only(self, name: str, value: str) -> str:
        """This search with `value` as the one of `name`, and nothing left out of it."""
        return self.search((*(pair for pair in self.pairs if pair[0] not in (name, f"-{name}")), (name, value)))

    def with_value(self, name: str, value: str) -> str:
        """This search with `value` as one more alternative of `name`."""
        return self.search(_with(self.pairs, (name, value), (f"-{name}", value)))

    def excluded(self, name: str, value: str) -> str:
        """This search without what has `value` for `name`."""
        return self.search(_with(self.pairs, (f"-{name}", value), (name, value)))

    def sql(self, kind: str = "") -> str:
        """The SQL of this search, as a page or `.json`."""
        pairs = [pair for pair in self.pairs if pair[0] not in NOT_EXPORTED or pair[0] == "_size"]
        return with_query(str(self.path(SQL)) + kind, pairs)

    def values(self, *times: tuple[str, str]) -> str:
        """The values there are in the contexts and the time of this search, or in `times`."""
        named = (*RANGE_NAMES, "tz", "context", "-context")
        kept = [pair for pair in self.pairs if pair[0] in named and not (times and pair[0] in RANGE_NAMES)]
        return _with_query(str(self.path(VALUES)), (*kept, *times))

    def export(self, kind: str) -> str:
        """The whole result of this search as a file: csv, json or jsonl."""
        pairs = [pair for pair in self.pairs if pair[0] not in NOT_EXPORTED]
        return _with_query(str(self.path(f"{EXPORT}.{kind}")), pairs)

    def without(self, name: str, value: str) -> str:
        """This search with one condition less."""
        return self.search([pair for pair in self.pairs if pair != (name, value)])

    def dropped(self, *names: str) -> str:
        """This search without anything said of these names."""
        return self.search([pair for pair in self.pairs if pair[0] not in names])

    def ranged(self, *times: tuple[str, str]) -> str:
        """This search over another range."""
        return self.search((*(pair for pair in self.pairs if pair[0] not in RANGE_NAMES), *times))

    @cached_property
    def _query_here(self) -> str:
        return _with_query("", self._here())

    @cached_property
    def _is_short(self) -> bool:
        """Whether this search may stand in several links of each row."""
        return sum(len(value) for _, value in self.pairs) <= PAIRS_MAX_CHARS

    def _here(self) -> Pairs:
        return (*self.pairs, ("_next", self.page)) if self.page else self.pairs

    def _event(self, context: str, event_id: int) -> str:
        return f"{self.path(EVENT)}/{quote(context, safe='')}/{event_id}"


def _with(pairs: Pairs, one: tuple[str, str], against: tuple[str, str]) -> Pairs:
    """The pairs with one more, and without what contradicts it."""
    return (*(pair for pair in pairs if pair not in (one, against)), one)


def is_linkable(value: str) -> bool:
    """Whether a search for this recorded value can be asked: a blank one would ask nothing."""
    return bool(value.strip()) and len(value) <= VALUE_MAX_CHARS


def day_of_event(context: str, event_id: int) -> PartitionKey | None:
    """The partition of an event by its id; None for a number that is no time of ours, as a broken row may have."""
    try:
        return key_for(context, event_id)
    except (ValueError, OverflowError, OSError):
        return None


def with_query(path: str, pairs: Sequence[tuple[str, str]]) -> str:
    """The path with these parameters."""
    return _with_query(path, pairs)


def _with_query(path: str, pairs: Sequence[tuple[str, str]]) -> str:
    return f"{path}?{urlencode(pairs, errors='replace')}" if pairs else path
