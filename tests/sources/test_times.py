"""The time that a payload names, exact to the microsecond."""

import math
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyelet_ingest.sources.times import of_payload, payload_time_us

NEW_YEAR = 1_767_225_600  # 2026-01-01T00:00:00Z
NEW_YEAR_US = NEW_YEAR * 1_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

SPELLINGS = {
    "2026-01-01T00:00:00Z": 0,
    "2026-01-01T00:00:00.000Z": 0,
    "2026-01-01 00:00:00": 0,
    "2026-01-01T00:00": 0,
    "2026-01-01": 0,
    "2026-01-01t01:30:00+01:30": 0,
    "2025-12-31T19:00:00-0500": 0,
    "2025-12-31T19:00:00-05": 0,
    " 2026-01-01T00:00:00 UTC ": 0,
    "2026-01-01T00:00:00.1Z": 100_000,
    "2026-01-01T00:00:00,123456789Z": 123_456,
    "2025-12-31T23:59:60Z": 0,
    NEW_YEAR: 0,
    float(NEW_YEAR) + 0.25: 250_000,
    NEW_YEAR * 1_000 + 7: 7_000,
    NEW_YEAR * 1_000.0 + 0.5: 500,
    NEW_YEAR * 1_000_000 + 7: 7,
    NEW_YEAR * 1_000_000_000 + 7_999: 7,
    str(NEW_YEAR): 0,
    f"{NEW_YEAR}.000001": 1,
    f"{NEW_YEAR}123": 123_000,
    f"+{NEW_YEAR}": 0,
}

NO_TIMES = [
    *(None, True, False, "", " ", "now", "yesterday", [], {}, {"a": 1}, math.nan, math.inf, -math.inf, 1e300, 10**400),
    *("2026-13-01", "2026-00-01", "2026-02-29", "2026-01-32", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z"),
    *("2026-01-01T00:00:61Z", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00+25:00", "2026-01-01X00:00", "0000-01-01"),
    *("2026-01-01T00:00:00 PST", "1.2.3", "1e9", "0x10", "١٢٣", "2026-01-01T", "٢٠٢٦-01-01", "12345" * 50, "-", "."),
]


@pytest.mark.parametrize(("value", "after_us"), SPELLINGS.items())
def test_every_spelling_of_an_instant_is_that_instant(value: object, after_us: int) -> None:
    assert payload_time_us(value) == NEW_YEAR_US + after_us


@pytest.mark.parametrize("value", NO_TIMES, ids=repr)
def test_what_is_no_time_is_none(value: object) -> None:
    assert payload_time_us(value) is None


def test_times_far_away_are_told_as_they_are() -> None:
    assert payload_time_us(0) == 0
    assert payload_time_us("1970-01-01T00:00:01Z") == 1_000_000
    assert payload_time_us("2200-01-01") == 7_258_118_400_000_000
    assert payload_time_us(-5) == -5_000_000


@given(
    st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)),
    st.timedeltas(min_value=timedelta(hours=-23, minutes=-59), max_value=timedelta(hours=23, minutes=59)),
)
def test_iso_agrees_with_datetime(naive: datetime, offset: timedelta) -> None:
    zone = timezone(timedelta(minutes=offset // timedelta(minutes=1)))
    then = naive.replace(tzinfo=zone)
    expected = (then - EPOCH) // timedelta(microseconds=1)
    assert payload_time_us(then.isoformat()) == expected
    assert payload_time_us(then.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")) == expected


@given(st.one_of(st.text(), st.floats(), st.integers(), st.text(alphabet="0123456789-:TZ+. ", max_size=30)))
def test_no_value_raises(value: object) -> None:
    assert payload_time_us(value) is None or isinstance(payload_time_us(value), int)


def test_the_first_usable_key_tells_the_payloads_time() -> None:
    assert of_payload({"timestamp": "x", "time": None, "ts": NEW_YEAR}) == NEW_YEAR_US
    assert of_payload({"@timestamp": "2026-01-01"}) == NEW_YEAR_US
    assert of_payload({"timestamp": NEW_YEAR, "ts": 5}) == NEW_YEAR_US
    assert of_payload({"when": NEW_YEAR}) is None
