"""The ranges beside a range: the one before, the one after, the one twice as long around it, and itself fixed. Pure.

Times are written so that the URL says the same to everybody: whole days of the zone as dates, all else with the offset
of the zone.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo

from datasette_eyelet.links import Pairs
from eyelet_ingest.ranges import Range, zone
from eyelet_ingest.store.layout import FIRST_YEAR, LAST_YEAR, PartitionKey

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_END_US = PartitionKey("default", LAST_YEAR, 365).bounds_us[1]
_BEGIN_US = PartitionKey("default", FIRST_YEAR, 1).bounds_us[0]


@dataclass(frozen=True, slots=True)
class Beside:
    """`from` and `to` of the ranges beside one; empty where there is none, as of one that is open at an end."""

    earlier: Pairs
    later: Pairs
    wider: Pairs
    fixed: Pairs


def beside(range: Range, now_us: int) -> Beside:
    """What lies around the range. A range without an end is fixed up to now; one that has no beginning has no
    neighbours."""
    tz = zone(range.tz)
    since, until = range.since_us, range.until_us
    if since is None or (until is None and since >= now_us):
        return Beside((), (), (), between(since, now_us if until is None and since is None else until, tz))
    end = until if until is not None else now_us
    if end <= since:
        return Beside((), (), (), between(since, until, tz))
    days = _whole_days(since, end, tz)
    if days is not None:
        first, last = days
        count = (last - first).days + 1
        step, more = timedelta(days=count), timedelta(days=max(count // 2, 1))
        return Beside(
            _dates(first - step, last - step),
            _dates(first + step, last + step) if end <= now_us else (),
            _dates(first - more, last + more),
            _dates(first, last),
        )
    width = end - since
    return Beside(
        between(since - width, since, tz),
        between(end, end + width, tz) if end < now_us else (),
        between(since - width // 2, end + width // 2, tz),
        between(since, end, tz),
    )


def between(since_us: int | None, until_us: int | None, tz: tzinfo) -> Pairs:
    """The pairs of a URL that mean since ≤ event < until; whole days of the zone as dates."""
    if since_us is not None and until_us is not None:
        days = _whole_days(since_us, until_us, tz)
        if days is not None:
            return _dates(*days)
    named = (("from", since_us), ("to", until_us))
    return tuple((name, written(us, tz)) for name, us in named if us is not None)


def written(us: int, tz: tzinfo) -> str:
    """A time as a URL says it, with its offset: `2026-03-20T14:03:22+01:00`, `…Z` in UTC; to the microsecond."""
    then = _local(min(max(us, _BEGIN_US), _END_US), tz)
    return then.isoformat().removesuffix("+00:00") + ("Z" if then.utcoffset() == timedelta(0) else "")


def _whole_days(since_us: int, until_us: int, tz: tzinfo) -> tuple[datetime, datetime] | None:
    """The first and the last day where the range is made of whole days of the zone."""
    if not _BEGIN_US <= since_us < until_us <= _END_US:
        return None
    first, end = _local(since_us, tz), _local(until_us, tz)
    if any((one.hour, one.minute, one.second, one.microsecond) != (0, 0, 0, 0) for one in (first, end)):
        return None
    return first.replace(tzinfo=None), end.replace(tzinfo=None) - timedelta(days=1)


def _dates(first: datetime, last: datetime) -> Pairs:
    if first.year < FIRST_YEAR or last.year > LAST_YEAR:
        return ()
    return (("from", f"{first:%Y-%m-%d}"), ("to", f"{last:%Y-%m-%d}"))


def _local(us: int, tz: tzinfo) -> datetime:
    return (_EPOCH + timedelta(microseconds=us)).astimezone(tz)
