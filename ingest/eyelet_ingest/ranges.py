"""What people write for a time or a range → microseconds since 1970 UTC. Pure: the caller says what "now" is.

A range is half-open: since ≤ event < until. Days, months and years are those of the zone asked for, so
"today" on the day the clocks go back is 25 hours long. A duration (`6h`, `now-7d`) is elapsed time, and a day
of it 24 hours.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone, tzinfo

from eyelet_ingest.errors import BadInput
from eyelet_ingest.store.layout import FIRST_YEAR, LAST_YEAR, PartitionKey

RANGES = {
    "15m": "last 15 minutes",
    "1h": "last hour",
    "6h": "last 6 hours",
    "24h": "last 24 hours",
    "7d": "last 7 days",
    "30d": "last 30 days",
    "today": "today",
    "yesterday": "yesterday",
    "all": "all time",
}
FORMS = (
    "write now, now-6h, 15m, 7d, today, yesterday, 2026-07-31, 2026-07, 2026-07-31 14:03, "
    "2026-07-31T14:03:22Z, or seconds since 1970"
)

_RANGE_FORMS = f"write one of {', '.join(RANGES)}, or another number of s, m, h, d or w, such as 3h or 10d"
_END_US = PartitionKey("default", LAST_YEAR, 365).bounds_us[1]
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)
_UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_UNIT_NAMES = {"s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week"}
# Every second of 1970–2254 is below 10**10, so each further factor of 1,000 is the next finer unit.
_EPOCH_UNITS = ((10**10, 1_000_000_000), (10**13, 1_000_000), (10**16, 1_000), (10**19, 1))

# Compiled when they are first asked for (`re` remembers): most commands name no time, and start-up time is a promise.
_DURATION = r"(?a)(\d{1,12})([smhdw])"
_NOW = r"(?a)now(?:([+-])(\d{1,12})([smhdw]))?"
_NUMBER = r"(?a)(-?\d{1,24})(?:\.(\d+))?"
_CALENDAR = r"(?a)(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?|(\d{4})(\d{2})(\d{2})"
_EXACT = (
    r"(?ai)(\d{4})-(\d{1,2})-(\d{1,2})[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d+))?)?"
    r" ?(Z|UTC|([+-])(\d{2}):?(\d{2})?)?"
)


@dataclass(frozen=True, slots=True)
class Range:
    """Half-open; None is open. `label` says it to people ("today, UTC"), `tz` is the zone's name."""

    since_us: int | None
    until_us: int | None
    label: str
    tz: str


def zone(name: str) -> tzinfo:
    """The zone of an IANA name; nothing and "UTC" are UTC. BadInput for one this machine does not know."""
    if name.upper() in ("", "UTC", "Z"):
        return timezone.utc
    import zoneinfo

    try:
        return zoneinfo.ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        hint = "write a name like Europe/Berlin, or UTC"
        if not zoneinfo.available_timezones():
            hint = "this machine has no time zone data: install the package tzdata, or use UTC"
        raise BadInput("cannot use the time zone", _quoted(name), "it is not known here", hint) from error


def parse_instant(text: str, *, now_us: int, tz: tzinfo, end: bool = False) -> int:
    """Microseconds since 1970 UTC of what `text` says; raises BadInput, naming the text and the valid forms.

    Takes `now`, `now-6h`, `15m` (ago), `today`, `yesterday`, ISO dates and times (those without a zone are in
    `tz`), months, years, and epochs in s, ms, µs or ns (told apart by size). With `end`, a day, month or year
    means its end; an exact time is itself. Where the clocks go back and a time happens twice, `end` takes the
    second.
    """
    plain = text.strip()
    word = plain.lower()
    found = _relative(word, now_us)
    if found is None:
        found = _calendar(word, now_us, tz, end)
    if found is None:
        found = _exact(plain, tz, end)
    if found is None:
        found = _epoch(plain)
    if found is None:
        raise BadInput("cannot read the time", _quoted(text), "", FORMS)
    if not 0 <= found <= _END_US:
        raise _outside(text)
    return found


def resolve(*, range: str = "", since: str = "", until: str = "", tz: str = "", now_us: int) -> Range:
    """The range that a name of RANGES (or a duration), or a start and an end, spell; else raises BadInput.

    `since` and `until` win over `range`. With neither, everything. A start after the end is BadInput.
    """
    where = zone(tz)
    zone_name = "UTC" if where is timezone.utc else tz
    if since.strip() or until.strip():
        start = parse_instant(since, now_us=now_us, tz=where) if since.strip() else None
        stop = parse_instant(until, now_us=now_us, tz=where, end=True) if until.strip() else None
        # From the 31st to the 30th ends where it starts, and is not what anybody means.
        turned = start is not None and stop is not None and start >= stop
        if start is not None and turned and start > parse_instant(until, now_us=now_us, tz=where):
            said = f"since {_quoted(since)} is later than until {_quoted(until)}"
            raise BadInput("the range ends before it starts", reason=said, hint="exchange them")
        return Range(start, stop, f"{_between(start, stop, where)}, {zone_name}", zone_name)
    return _named(range.strip().lower(), now_us, where, zone_name)


def display_time(us: int, tz: tzinfo) -> str:
    """`us` in the zone, to the millisecond, rounded down: `2026-03-20 14:03:22.123`."""
    then = (_EPOCH + timedelta(microseconds=us)).astimezone(tz)
    return f"{then:%Y-%m-%d %H:%M:%S}.{then.microsecond // 1000:03d}"


def _named(name: str, now_us: int, tz: tzinfo, zone_name: str) -> Range:
    if name in ("", "all"):
        return Range(None, None, RANGES["all"], zone_name)
    if name in ("today", "yesterday"):
        start = parse_instant(name, now_us=now_us, tz=tz)
        stop = parse_instant(name, now_us=now_us, tz=tz, end=True)
        return Range(start, stop, f"{name}, {zone_name}", zone_name)
    found = re.fullmatch(_DURATION, name)
    if found is None:
        raise BadInput("there is no range", _quoted(name), "", _RANGE_FORMS)
    start = parse_instant(name, now_us=now_us, tz=tz)
    label = RANGES.get(name)
    if label is None:
        count = int(found[1])
        label = f"last {count} {_UNIT_NAMES[found[2]]}{'' if count == 1 else 's'}"
    # The event that happens this very microsecond is in the range.
    return Range(start, now_us + 1, label, zone_name)


def _relative(word: str, now_us: int) -> int | None:
    ago = re.fullmatch(_DURATION, word)
    if ago:
        return now_us - int(ago[1]) * _UNITS_S[ago[2]] * 1_000_000
    found = re.fullmatch(_NOW, word)
    if found is None:
        return None
    if found[1] is None:
        return now_us
    distance_us = int(found[2]) * _UNITS_S[found[3]] * 1_000_000
    return now_us + distance_us if found[1] == "+" else now_us - distance_us


def _calendar(word: str, now_us: int, tz: tzinfo, end: bool) -> int | None:
    """The start, or with `end` the end, of a day, a month or a year in the zone."""
    if word in ("today", "yesterday"):
        first = (_EPOCH + timedelta(microseconds=now_us)).astimezone(tz).date()
        if word == "yesterday":
            first -= timedelta(days=1)
        return _midnight_us(first + timedelta(days=1 if end else 0), tz)
    found = re.fullmatch(_CALENDAR, word)
    if found is None:
        return None
    year, month, day = found[1] or found[4], found[2] or found[5], found[3] or found[6]
    first = _date(word, int(year), int(month or 1), int(day or 1))
    if end and day:
        first += timedelta(days=1)
    elif end and month:
        first = (first + timedelta(days=31)).replace(day=1)
    elif end:
        first = date(first.year + 1, 1, 1)
    return _midnight_us(first, tz)


def _exact(text: str, tz: tzinfo, end: bool) -> int | None:
    found = re.fullmatch(_EXACT, text)
    if found is None:
        return None
    day = _date(text, int(found[1]), int(found[2]), int(found[3]))
    fraction_us = int((found[7] or "0")[:6].ljust(6, "0"))
    where = tz
    try:
        if found[9]:
            if int(found[10]) > 23 or int(found[11] or 0) > 59:
                raise ValueError("the zone's offset must be below 24:00")
            offset = timedelta(hours=int(found[10]), minutes=int(found[11] or 0))
            where = timezone(offset if found[9] == "+" else -offset)
        elif found[8]:
            where = timezone.utc
        clock = (int(found[4]), int(found[5]), int(found[6] or 0))
        then = datetime(day.year, day.month, day.day, *clock, fraction_us, where, fold=int(end))
    except ValueError as error:
        raise BadInput("cannot read the time", _quoted(text), str(error), FORMS) from error
    # Half an hour of 1970 may lie in 1969 elsewhere: the year that was written decides, the edge is cut.
    return min(max((then - _EPOCH) // _MICROSECOND, 0), _END_US)


def _epoch(text: str) -> int | None:
    found = re.fullmatch(_NUMBER, text)
    if found is None:
        return None
    whole = int(found[1])
    fraction_ns = int((found[2] or "")[:9].ljust(9, "0"))
    for limit, unit_ns in _EPOCH_UNITS:
        if 0 <= whole < limit:
            return (whole * unit_ns + fraction_ns * unit_ns // 1_000_000_000) // 1_000
    raise _outside(text)


def _date(text: str, year: int, month: int, day: int) -> date:
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise _outside(text)
    try:
        return date(year, month, day)
    except ValueError as error:
        raise BadInput("cannot read the time", _quoted(text), str(error), FORMS) from error


def _midnight_us(day: date, tz: tzinfo) -> int:
    """When the day begins: the first of two midnights; where there is none, the moment the clocks go on."""
    begins = datetime(day.year, day.month, day.day, tzinfo=tz)
    return min(max((begins - _EPOCH) // _MICROSECOND, 0), _END_US)


def _between(since_us: int | None, until_us: int | None, tz: tzinfo) -> str:
    start = None if since_us is None else _short(since_us, tz)
    stop = None if until_us is None else _short(until_us, tz)
    if start is None:
        return f"until {stop}"
    return f"since {start}" if stop is None else f"{start} to {stop}"


def _short(us: int, tz: tzinfo) -> str:
    """The time without the parts that are zero."""
    text = display_time(us, tz)
    return text.removesuffix(".000").removesuffix(":00")


def _outside(text: str) -> BadInput:
    reason = f"only the years {FIRST_YEAR} to {LAST_YEAR} are kept"
    return BadInput("cannot use the time", _quoted(text), reason)


def _quoted(text: str) -> str:
    """The text as people wrote it, on one line, its control characters visible."""
    return repr(text if len(text) <= 60 else text[:59] + "…")
