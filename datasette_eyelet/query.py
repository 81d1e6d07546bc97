"""URL → what is asked: the one reading of the vocabulary for the page and the JSON. Pure."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from datasette_eyelet.links import RANGE_NAMES, Pairs, is_linkable
from eyelet_ingest.errors import BadInput
from eyelet_ingest.ranges import Range, parse_instant, resolve, zone
from eyelet_ingest.store import text_filters, text_query
from eyelet_ingest.store.select import NAMES, Filter

DEFAULT_SIZE = 100
MAX_SIZE = 1_000
DEFAULT_RANGE = "today"

SEVERAL = NAMES  # URL name → field of Filter that takes several values
EXCLUDED = {f"-{name}": field for name, field in SEVERAL.items()}  # URL name → the field whose values are left out
# What the page looks like, and no condition: pages check the values (`look.py`)
LOOK = ("rows", "stack", "open", "more", "histogram", "facets", "live")
ONCE = (*RANGE_NAMES, "tz", "errors", "q", "by", "_size", "_next", "full", *LOOK)
# Conditions that can be dropped, as the page lists them
CONDITIONS = (*SEVERAL, *EXCLUDED, "errors", "q")
ORDERS = ("time", "rank")
STATUSES = ("ok", "error", "interrupted", "denied", "pending")

# What the command line calls it
_ELSEWHERE = {"since": "from", "until": "to", "text": "q", "hook-type": "type", "limit": "_size", "after": "_next"}

_TRUE, _FALSE = ("1", "on", "true", "yes"), ("", "0", "off", "false", "no")
_WINDOW = re.compile(r"w(\d{0,16})-(\d{0,16})\.(.+)", re.ASCII)


class BadParameter(BadInput):
    """What the parameter `name` says cannot be meant."""

    def __init__(self, name: str, why: BadInput) -> None:
        self.name, self.why = name, why
        super().__init__(why.operation, why.path, why.reason, why.hint)


@dataclass(frozen=True, slots=True)
class Query:
    """`where` holds the range too. `pairs` are the URL's own parameters that mean something, without `_next`;
    `page` is `_next` as the URL has it.

    Of `where` the text is only what is text: what `q` says of fields is among the conditions.
    `range_asked` tells whether the URL chose the range (or a page of one) or it is today by default. `by_rank`: the
    best matches of the text first, on one page.
    """

    where: Filter
    range: Range
    range_asked: bool
    size: int
    after: str | None
    full: bool
    pairs: Pairs
    page: str = ""
    by_rank: bool = False

    def over(self, range: Range) -> "Query":
        """The same question over another range."""
        return replace(self, range=range, where=replace(self.where, since_us=range.since_us, until_us=range.until_us))

    def cursor(self, after: str) -> str:
        """The `_next` of the page that follows `after`.

        A range that moves (`1h`, today by default) is frozen in it, so that pages neither skip nor repeat;
        `from`, `to` and `all` stand in the URL already.
        """
        given = dict(self.pairs)
        if any(given.get(name) for name in ("from", "to")) or given.get("range") == "all":
            return after
        since, until = ("" if us is None else us for us in (self.range.since_us, self.range.until_us))
        return f"w{since}-{until}.{after}"


def parse(args: Any, now_us: int, statuses: tuple[str, ...] = STATUSES, *, as_it_stands: bool = False) -> Query:
    """What a URL's parameters ask; BadInput, with the reason, for what cannot be meant. Empty ones say nothing.
    `statuses` are those that there are of what is asked for. With `as_it_stands` nothing is read into the text."""
    pairs = checked_pairs(args)
    given = {name: value for name, value in pairs if name in ONCE}
    asked = any(name in given for name in (*RANGE_NAMES, "_next"))
    found = _range(given, now_us)
    page = given.get("_next", "")
    after: str | None = None
    if page:
        after, found = _thawed(page, found)
    several: dict[str, Any] = {
        field: tuple(value for key, value in pairs if key == name) for name, field in SEVERAL.items()
    }
    without = tuple((EXCLUDED[name], value) for name, value in pairs if name in EXCLUDED)
    for name in ("status", "-status"):
        for status in (value for key, value in pairs if key == name and value not in statuses):
            raise BadParameter(name, text_filters.no_such_status(status, statuses))
    where = Filter(
        since_us=found.since_us,
        until_us=found.until_us,
        errors=_flag("errors", given),
        text=given.get("q", ""),
        without=without,
        **several,
    )
    with _naming("q"):
        where = where if as_it_stands else _told(where, statuses)
    rest = tuple(pair for pair in pairs if pair[0] != "_next")
    size, full = _size(given.get("_size")), _flag("full", given)
    return Query(where, found, asked, size, after, full, rest, page, _by_rank(given, where.text))


def checked_pairs(args: Any) -> Pairs:
    """The parameters that are not empty; BadInput for a name that is none of ours, and for two values where one counts.

    Names with an underscore in front are Datasette's to add.
    """
    for name in args:
        if name not in ONCE and name not in SEVERAL and name not in EXCLUDED and not name.startswith("_"):
            raise _no_such_parameter(name)
    pairs = known_pairs(args)
    names = [name for name, _ in pairs]
    for name in ONCE:
        if names.count(name) > 1:
            why = BadInput("cannot read the address", name, f"{names.count(name)} values", "give it once")
            raise BadParameter(name, why)
    return pairs


def known_pairs(args: Any) -> Pairs:
    """The parameters we know that are not empty, whatever they say."""
    return tuple(
        (name, value)
        for name in (*ONCE, *SEVERAL, *EXCLUDED)
        for value in dict.fromkeys(args.getlist(name))
        if value.strip()
    )


def day_of(us: int, tz_name: str) -> Range:
    """The day in the zone that holds this moment."""
    from datetime import datetime, timezone

    then = datetime.fromtimestamp(us // 1_000_000, timezone.utc).astimezone(zone(tz_name))
    date = f"{then:%Y-%m-%d}"
    return resolve(since=date, until=date, tz=tz_name, now_us=us)


def _no_such_parameter(name: str) -> BadInput:
    stripped = name.strip()
    minus = "-" if stripped.startswith("-") else ""
    plain = stripped.removeprefix("-").lower().replace("_", "-")
    known = tuple(SEVERAL) if minus else (*SEVERAL, *ONCE)
    near = [_ELSEWHERE[plain]] if plain in _ELSEWHERE else get_close_matches(plain, known, n=1, cutoff=0.5)
    near = [one for one in near if one in known and not (minus and plain in ONCE)]
    hint = f"did you mean {minus}{near[0]}?" if near else f"there are {', '.join(minus + one for one in known)}"
    return BadInput("there is no parameter", repr(name[:60]), "", hint)


@contextmanager
def _naming(name: str) -> Iterator[None]:
    """What cannot be meant within is what the parameter `name` says."""
    try:
        yield
    except BadInput as error:
        raise BadParameter(name, error) from error


def _range(given: dict[str, str], now_us: int) -> Range:
    """The range of `range`, `from`, `to` and `tz`; BadParameter names the one of them that cannot be meant."""
    since, until, tz = (given.get(name, "") for name in ("from", "to", "tz"))
    with _naming("tz"):
        where = zone(tz)
    for name, text in (("from", since), ("to", until)):
        if text:
            with _naming(name):
                parse_instant(text, now_us=now_us, tz=where)
    with _naming("from" if since or until else "range"):
        name = given.get("range", "") or ("" if since or until else DEFAULT_RANGE)
        return resolve(range=name, since=since, until=until, tz=tz, now_us=now_us)


def _size(given: str | None) -> int:
    if given is None:
        return DEFAULT_SIZE
    if given == "max":
        return MAX_SIZE
    size = int(given) if given.isascii() and given.isdigit() and len(given) < 10 else 0
    if not 1 <= size <= MAX_SIZE:
        why = BadInput("cannot use _size", repr(given), "", f"a page has 1 to {MAX_SIZE:,} rows")
        raise BadParameter("_size", why)
    return size


def _told(where: Filter, statuses: tuple[str, ...]) -> Filter:
    """The filter with the fields of its text as conditions; BadQuery for a text that cannot be meant."""
    split = text_filters.split(where, statuses)
    if split.text:
        text_query.parse(split.text)
    return split


def _by_rank(given: dict[str, str], text: str) -> bool:
    by = given.get("by", ORDERS[0])
    if by not in ORDERS:
        raise BadParameter("by", BadInput("there is no order", repr(by[:60]), "", f"write one of {', '.join(ORDERS)}"))
    if by == "rank" and not text:
        hint = "search for a text (q), or leave it out"
        raise BadParameter("by", BadInput("cannot order by rank", reason="without a text all match alike", hint=hint))
    return by == "rank"


def _flag(name: str, given: dict[str, str]) -> bool:
    value = given.get(name, "").lower()
    if value not in _TRUE + _FALSE:
        raise BadParameter(name, BadInput(f"cannot use {name}", repr(given[name]), "", "write 1, or leave it out"))
    return is_on(value)


def is_of_calls(where: Filter) -> bool:
    """Whether this asks for a status that only calls have, and no event."""
    asked = (*where.status, *where.left_out("status"))
    return any(status not in STATUSES for status in asked)


def is_on(value: str) -> bool:
    """Whether a switch that says this is on."""
    return value.lower() in _TRUE


def can_be_asked(name: str, value: str) -> bool:
    """Whether a search for this recorded value of `name` can be meant: a row may say a status that is none."""
    return is_linkable(value) and (name != "status" or value in (*STATUSES, "unknown"))


def is_switch(value: str) -> bool:
    """Whether this says on or off."""
    return value.lower() in _TRUE + _FALSE


def _thawed(after: str, asked: Range) -> tuple[str, Range]:
    """The store's cursor in a `_next` of ours, and the range that was frozen there."""
    found = _WINDOW.fullmatch(after)
    if found is None:
        return after, asked
    since_us, until_us = (int(text) if text else None for text in found.group(1, 2))
    if since_us is not None and until_us is not None and since_us > until_us:
        raise BadInput("cannot use _next", repr(after), "it is not one of ours", "start at the first page")
    return found[3], Range(since_us, until_us, asked.label, asked.tz)
