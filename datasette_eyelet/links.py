"""URLs of our pages. What was recorded goes into them quoted, whatever it holds."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlencode

from datasette_eyelet.scope import Scope, scope_of
from eyelet_ingest.store.layout import PartitionKey, key_for

SEARCH = "/-/eyelet"
SEARCH_JSON = "/-/eyelet.json"
EVENT = "/-/eyelet/event"
ROW = "/-/eyelet/row"
OVERVIEW = "/-/eyelet/overview"
SESSIONS = "/-/eyelet/sessions"
SOURCES = "/-/eyelet/sources"
NOW = "/-/eyelet/now"
DAYS = "/-/eyelet/days"
DAYS_JSON = "/-/eyelet/days.json"
STATIC = "/-/static-plugins/datasette-eyelet"

Pairs = tuple[tuple[str, str], ...]

RANGE_NAMES = ("range", "from", "to")
VALUE_MAX_CHARS = 500  # a recorded value of 1 MB in every link to it would be a page of many MB


class Links:
    """The URLs of one request: `pairs` are its own parameters, without `_next`, which is `page`."""

    def __init__(self, datasette: Any, pairs: Pairs, page: str = "") -> None:
        self.path, self.pairs, self.page = datasette.urls.path, pairs, page
        self.tz = tuple(pair for pair in pairs if pair[0] == "tz")

    def search(self, pairs: Sequence[tuple[str, str]] = ()) -> str:
        return _with_query(str(self.path(SEARCH)), pairs)

    def here(self) -> str:
        """This search, on this page of it."""
        return self.search(self._here())

    def json(self) -> str:
        return _with_query(str(self.path(SEARCH_JSON)), self.pairs)

    def event(self, context: str, event_id: int) -> str:
        """One event, in the zone of this search."""
        return _with_query(self._event(context, event_id), self.tz)

    def event_from_here(self, context: str, event_id: int) -> str:
        """One event, from where a link leads back here."""
        return _with_query(self._event(context, event_id), self._here())

    def fragment(self, context: str, event_id: int, *more: str) -> str:
        """What an event opens to in the list, as HTML without a page around it; or a part of that."""
        path = "/".join((str(self.path(ROW)), quote(context, safe=""), str(event_id), *more))
        return _with_query(path, self._here())

    def event_json(self, context: str, event_id: int) -> str:
        return self._event(context, event_id) + ".json"

    def session(self, session_id: str) -> str:
        """A session, whenever it was: the one place that knows what shows a session. "" where it has no usable id."""
        if not is_linkable(session_id):
            return ""
        return self.search((("range", "all"), *self.tz, ("session", session_id)))

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

    def without(self, name: str, value: str) -> str:
        """This search with one condition less."""
        return self.search([pair for pair in self.pairs if pair != (name, value)])

    def excluded(self, name: str, value: str) -> str:
        """This search without what has `value` for `name`."""
        return self.search(
            (*(pair for pair in self.pairs if pair not in ((name, value), (f"-{name}", value))), (f"-{name}", value))
        )

    def dropped(self, *names: str) -> str:
        """This search without anything said of these names."""
        return self.search([pair for pair in self.pairs if pair[0] not in names])

    def ranged(self, *times: tuple[str, str]) -> str:
        """This search over another range."""
        return self.search((*(pair for pair in self.pairs if pair[0] not in RANGE_NAMES), *times))

    def _here(self) -> Pairs:
        return (*self.pairs, ("_next", self.page)) if self.page else self.pairs

    def _event(self, context: str, event_id: int) -> str:
        return f"{self.path(EVENT)}/{quote(context, safe='')}/{event_id}"


def is_linkable(value: str) -> bool:
    """Whether a search for this recorded value can be asked: a blank one would ask nothing."""
    return bool(value.strip()) and len(value) <= VALUE_MAX_CHARS


def day_of_event(context: str, event_id: int) -> PartitionKey | None:
    """The partition of an event by its id; None for a number that is no time of ours, as a broken row may have."""
    try:
        return key_for(context, event_id)
    except (ValueError, OverflowError, OSError):
        return None


def _with_query(path: str, pairs: Sequence[tuple[str, str]]) -> str:
    return f"{path}?{urlencode(pairs, errors='replace')}" if pairs else path
