"""URL → what is asked: the one reading of the vocabulary for the page and the JSON. Pure."""

import re
from dataclasses import dataclass, replace
from typing import Any

from datasette_eyelet.links import RANGE_NAMES, Pairs
from eyelet_ingest.errors import BadInput
from eyelet_ingest.ranges import Range, resolve, zone
from eyelet_ingest.store.select import Filter

DEFAULT_SIZE = 100
MAX_SIZE = 1_000
DEFAULT_RANGE = "today"

# URL name → field of Filter that takes several values
SEVERAL = {
    "context": "contexts",
    "src": "src",
    "type": "hook_type",
    "tool": "tool_name",
    "session": "session_id",
    "status": "status",
    "branch": "git_branch",
    "agent": "agent",
    "model": "model",
}
ONCE = (*RANGE_NAMES, "tz", "errors", "q", "_size", "_next", "full")
# Conditions that can be dropped, as the page lists them
CONDITIONS = (*SEVERAL, "errors", "q")

_TRUE, _FALSE = ("1", "on", "true", "yes"), ("", "0", "off", "false", "no")
_WINDOW = re.compile(r"w(\d{0,16})-(\d{0,16})\.(.+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Query:
    """`where` holds the range too. `pairs` are the URL's own parameters that mean something, without `_next`.

    `range_asked` tells whether the URL chose the range (or a page of one) or it is today by default.
    """

    where: Filter
    range: Range
    range_asked: bool
    size: int
    after: str | None
    full: bool
    pairs: Pairs

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


def parse(args: Any, now_us: int) -> Query:
    """What a URL's parameters ask; BadInput, with the reason, for what cannot be meant. Empty ones say nothing."""
    pairs = _pairs(args)
    given = {name: value for name, value in pairs if name in ONCE}
    asked = any(name in given for name in (*RANGE_NAMES, "_next"))
    found = resolve(
        range=given.get("range", "") or ("" if "from" in given or "to" in given else DEFAULT_RANGE),
        since=given.get("from", ""),
        until=given.get("to", ""),
        tz=given.get("tz", ""),
        now_us=now_us,
    )
    after = given.get("_next")
    if after:
        after, found = _thawed(after, found)
    several = {field: tuple(value for key, value in pairs if key == name) for name, field in SEVERAL.items()}
    where = Filter(
        since_us=found.since_us,
        until_us=found.until_us,
        errors=_flag("errors", given),
        text=given.get("q", ""),
        **several,
    )
    rest = tuple(pair for pair in pairs if pair[0] != "_next")
    return Query(where, found, asked, _size(given.get("_size")), after, _flag("full", given), rest)


def day_of(us: int, tz_name: str) -> Range:
    """The day in the zone that holds this moment."""
    from datetime import datetime, timezone

    then = datetime.fromtimestamp(us // 1_000_000, timezone.utc).astimezone(zone(tz_name))
    date = f"{then:%Y-%m-%d}"
    return resolve(since=date, until=date, tz=tz_name, now_us=us)


def _pairs(args: Any) -> Pairs:
    """The parameters we know that are not empty, those given once checked to be so."""
    pairs: list[tuple[str, str]] = []
    for name in (*ONCE, *SEVERAL):
        values = [value for value in args.getlist(name) if value.strip()]
        if name in ONCE and len(values) > 1:
            raise BadInput("cannot read the address", name, f"{len(values)} values", "give it once")
        pairs += ((name, value) for value in dict.fromkeys(values))
    return tuple(pairs)


def _size(given: str | None) -> int:
    if given is None:
        return DEFAULT_SIZE
    if given == "max":
        return MAX_SIZE
    size = int(given) if given.isascii() and given.isdigit() and len(given) < 10 else 0
    if not 1 <= size <= MAX_SIZE:
        raise BadInput("cannot use _size", repr(given), "", f"a page has 1 to {MAX_SIZE:,} rows")
    return size


def _flag(name: str, given: dict[str, str]) -> bool:
    value = given.get(name, "").lower()
    if value not in _TRUE + _FALSE:
        raise BadInput(f"cannot use {name}", repr(given[name]), "", "write 1, or leave it out")
    return value in _TRUE


def _thawed(after: str, asked: Range) -> tuple[str, Range]:
    """The store's cursor in a `_next` of ours, and the range that was frozen there."""
    found = _WINDOW.fullmatch(after)
    if found is None:
        return after, asked
    since_us, until_us = (int(text) if text else None for text in found.group(1, 2))
    if since_us is not None and until_us is not None and since_us > until_us:
        raise BadInput("cannot use _next", repr(after), "it is not one of ours", "start at the first page")
    return found[3], Range(since_us, until_us, asked.label, asked.tz)
