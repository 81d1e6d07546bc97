"""What people write for a time, and what it means in which zone."""

import zoneinfo
from datetime import date, datetime, timedelta, timezone

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from eyelet_ingest.errors import BadInput
from eyelet_ingest.ranges import RANGES, Range, display_time, parse_instant, resolve, zone
from eyelet_ingest.store.layout import FIRST_YEAR, LAST_YEAR, PartitionKey

SECOND_US = 1_000_000
HOUR_US = 3_600 * SECOND_US
END_US = PartitionKey("default", LAST_YEAR, 365).bounds_us[1]
NOW_US = 1_774_015_402_123_456  # 2026-03-20T14:03:22.123456Z
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia")

instants_us = st.integers(0, END_US - 1)
zones = st.sampled_from(ZONES)
days = st.dates(date(FIRST_YEAR, 1, 2), date(LAST_YEAR, 12, 30))


def utc_us(*parts: int) -> int:
    return (datetime(*parts, tzinfo=timezone.utc) - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(
        microseconds=1
    )


def instant(text: str, tz: str = "UTC", *, end: bool = False, now_us: int = NOW_US) -> int:
    return parse_instant(text, now_us=now_us, tz=zone(tz), end=end)


# Before March 1973 a count of seconds has eight digits, and those are read as a date.
@given(st.integers(10**14, END_US - 1))
def test_an_epoch_is_told_by_its_size_whatever_its_unit(us: int) -> None:
    assert instant(str(us)) == us
    assert instant(str(us * 1_000 + 999)) == us
    assert instant(str(us // 1_000)) == us // 1_000 * 1_000
    assert instant(str(us // SECOND_US)) == us // SECOND_US * SECOND_US


@given(instants_us)
def test_an_epoch_of_seconds_keeps_its_fraction_exactly(us: int) -> None:
    assert instant(f"{us // SECOND_US}.{us % SECOND_US:06d}") == us


@given(instants_us, zones)
def test_an_iso_time_with_its_offset_is_the_same_instant_in_every_zone(us: int, tz: str) -> None:
    then = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=us)
    assert instant(then.isoformat(), tz) == us
    assert instant(then.isoformat(" ").replace("+00:00", "Z"), tz, end=True) == us


@given(instants_us, zones)
def test_a_time_that_was_displayed_reads_back_to_the_millisecond(us: int, tz: str) -> None:
    shown = display_time(us, zone(tz))
    assume(str(FIRST_YEAR) <= shown[:4] <= str(LAST_YEAR))
    # An hour that happens twice reads back as its first or, as the end of a range, its second.
    whole_ms = us // 1_000 * 1_000
    assert whole_ms in (instant(shown, tz), instant(shown, tz, end=True))


@given(days, zones)
def test_days_tile_time_without_gap_or_overlap(day: date, tz: str) -> None:
    following = day + timedelta(days=1)
    assert instant(day.isoformat(), tz, end=True) == instant(following.isoformat(), tz)


@given(days, zones)
def test_a_day_has_23_to_25_hours_and_its_first_instant_is_of_that_day(day: date, tz: str) -> None:
    assume((day, tz) != (date(2011, 12, 30), "Pacific/Apia"))  # Samoa left this day out
    start, end = instant(day.isoformat(), tz), instant(day.isoformat(), tz, end=True)
    assert 23 * HOUR_US <= end - start <= 25 * HOUR_US
    assert display_time(start, zone(tz))[:10] == day.isoformat()
    assert display_time(end - 1, zone(tz))[:10] == day.isoformat()


@given(st.integers(FIRST_YEAR, LAST_YEAR), st.integers(1, 12), zones)
def test_a_month_ends_where_the_next_begins(year: int, month: int, tz: str) -> None:
    following = f"{year}-{month + 1:02d}" if month < 12 else f"{year + 1}-01"
    assume(following[:4] <= str(LAST_YEAR))
    assert instant(f"{year}-{month:02d}", tz, end=True) == instant(following, tz)


@given(st.integers(0, 10_000), st.sampled_from("smhdw"))
def test_a_duration_is_elapsed_time_before_now(count: int, unit: str) -> None:
    seconds = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}[unit]
    expected = NOW_US - count * seconds * SECOND_US
    assume(expected >= 0)
    assert instant(f"{count}{unit}") == instant(f"now-{count}{unit}") == expected


@given(st.text(max_size=40))
def test_any_text_is_an_instant_within_the_years_that_are_kept_or_bad_input(text: str) -> None:
    for end in (False, True):
        try:
            assert 0 <= instant(text, "Europe/Berlin", end=end) <= END_US
        except BadInput as bad:
            assert "\n" not in str(bad)


@pytest.mark.parametrize(
    ("text", "end", "expected"),
    [
        ("now", False, NOW_US),
        (" NOW ", True, NOW_US),
        ("now+1h", False, NOW_US + HOUR_US),
        ("today", False, utc_us(2026, 3, 20)),
        ("today", True, utc_us(2026, 3, 21)),
        ("yesterday", False, utc_us(2026, 3, 19)),
        ("yesterday", True, utc_us(2026, 3, 20)),
        ("2026-07-31", False, utc_us(2026, 7, 31)),
        ("2026-07-31", True, utc_us(2026, 8, 1)),
        ("20260731", True, utc_us(2026, 8, 1)),
        ("2026-7-3", False, utc_us(2026, 7, 3)),
        ("2026-07", True, utc_us(2026, 8, 1)),
        ("2026-12", True, utc_us(2027, 1, 1)),
        ("2026", False, utc_us(2026, 1, 1)),
        ("2026", True, utc_us(2027, 1, 1)),
        ("2254", True, END_US),
        ("2026-07-31 14:03", True, utc_us(2026, 7, 31, 14, 3)),
        ("2026-07-31T14:03:22.1234567Z", False, utc_us(2026, 7, 31, 14, 3, 22, 123_456)),
        ("2026-07-31t14:03:22,5z", False, utc_us(2026, 7, 31, 14, 3, 22, 500_000)),
        ("2026-07-31T14:03+02:00", False, utc_us(2026, 7, 31, 12, 3)),
        ("2026-07-31T14:03-0330", False, utc_us(2026, 7, 31, 17, 33)),
        ("2026-07-31 14:03 +02", False, utc_us(2026, 7, 31, 12, 3)),
    ],
)
def test_each_form_means_what_it_says(text: str, end: bool, expected: int) -> None:
    assert instant(text, end=end) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "tomorrow-ish", "2026-13", "2026-02-30", "2026-07-31T25:00", "2026-07-31T14:61", "1e5", "6 h", "-6h"),
        *("2026-07-31T14:03+99:00", "now-", "nan", "٢٠٢٦", "2026-07-31T14:03:22Zz", "\x1b[31m"),
    ],
)
def test_what_is_no_time_is_refused_with_the_text_and_the_valid_forms(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        instant(text)
    assert repr(text) in str(refused.value) and "now-6h" in str(refused.value)


@pytest.mark.parametrize("text", ["1969", "2255", "0001-01-01", "-5", "99999999999d", "9" * 24])
def test_years_that_no_partition_has_are_refused(text: str) -> None:
    with pytest.raises(BadInput, match=f"{FIRST_YEAR} to {LAST_YEAR}"):
        instant(text)


def test_the_edge_of_the_calendar_is_cut_rather_than_refused() -> None:
    assert instant("1970-01-01", "Europe/Berlin") == 0
    assert instant("2254-12-31", "America/New_York", end=True) == END_US


def test_today_in_berlin_is_25_hours_long_when_the_clocks_go_back() -> None:
    noon_us = utc_us(2026, 10, 25, 12)
    found = resolve(range="today", tz="Europe/Berlin", now_us=noon_us)
    assert (found.since_us, found.until_us) == (utc_us(2026, 10, 24, 22), utc_us(2026, 10, 25, 23))
    assert found.label == "today, Europe/Berlin"


def test_today_is_the_day_of_the_zone_and_not_of_utc() -> None:
    late_us = utc_us(2026, 3, 20, 23, 30)
    assert resolve(range="today", now_us=late_us).since_us == utc_us(2026, 3, 20)
    assert resolve(range="today", tz="Asia/Tokyo", now_us=late_us).since_us == utc_us(2026, 3, 20, 15)
    assert resolve(range="yesterday", tz="Asia/Tokyo", now_us=late_us).until_us == utc_us(2026, 3, 20, 15)


def test_a_day_without_midnight_begins_when_the_clocks_have_gone_on() -> None:
    # Beirut, 29 March 2026: 00:00 does not exist, the day begins at 01:00 (22:00 UTC).
    assert instant("2026-03-29", "Asia/Beirut") == utc_us(2026, 3, 28, 22)


def test_a_time_that_happens_twice_is_its_first_as_a_start_and_its_second_as_an_end() -> None:
    text = "2026-10-25 02:30"
    assert instant(text, "Europe/Berlin") == utc_us(2026, 10, 25, 0, 30)
    assert instant(text, "Europe/Berlin", end=True) == utc_us(2026, 10, 25, 1, 30)


@pytest.mark.parametrize("name", RANGES)
@pytest.mark.parametrize("tz", ZONES)
def test_every_named_range_holds_the_event_it_is_about(name: str, tz: str) -> None:
    found = resolve(range=name, tz=tz, now_us=NOW_US)
    inside_us = NOW_US - 24 * HOUR_US if name == "yesterday" else NOW_US
    assert (found.since_us or 0) <= inside_us < (found.until_us or END_US)
    assert found.tz == tz and found.label


def test_any_duration_is_a_range() -> None:
    found = resolve(range="3h", now_us=NOW_US)
    assert found == Range(NOW_US - 3 * HOUR_US, NOW_US + 1, "last 3 hours", "UTC")


def test_a_start_or_an_end_wins_over_the_range() -> None:
    found = resolve(range="15m", since="2026-07-01", until="2026-07-31", now_us=NOW_US)
    assert (found.since_us, found.until_us) == (utc_us(2026, 7, 1), utc_us(2026, 8, 1))
    assert found.label == "2026-07-01 00:00 to 2026-08-01 00:00, UTC"
    assert resolve(range="nonsense", since="today", now_us=NOW_US).until_us is None
    assert resolve(until="today", now_us=NOW_US).since_us is None


def test_nothing_asked_for_is_everything() -> None:
    assert resolve(now_us=NOW_US) == Range(None, None, "all time", "UTC")
    assert resolve(range="all", since=" ", now_us=NOW_US).since_us is None


def test_a_range_that_ends_before_it_starts_is_refused() -> None:
    for since, until in (("2026-07-31", "2026-07-30"), ("now", "6h"), ("2026-08", "2026-07-31")):
        with pytest.raises(BadInput, match="ends before it starts") as refused:
            resolve(since=since, until=until, now_us=NOW_US)
        assert f"since {since!r} is later than until {until!r} (exchange them)" in str(refused.value)


def test_a_range_of_no_length_is_empty_and_allowed() -> None:
    found = resolve(since="2026-07-31T10:00", until="2026-07-31T10:00", now_us=NOW_US)
    assert found.since_us == found.until_us


@pytest.mark.parametrize("name", ["fortnight", "7", "-7d", "7d ago", "../7d", "5y"])
def test_an_unknown_range_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(BadInput, match="yesterday") as refused:
        resolve(range=name, now_us=NOW_US)
    assert "such as 3h or 10d" in str(refused.value)


@pytest.mark.parametrize("name", ["", "UTC", "utc", "Z"])
def test_nothing_and_utc_are_utc(name: str) -> None:
    assert zone(name) is timezone.utc


@pytest.mark.parametrize(
    "name", ["Mars/Olympus", "Europe", "../../etc/passwd", "/etc/passwd", "\0", "a" * 9_999, "\ud800"]
)
def test_an_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match="Europe/Berlin"):
        zone(name)


def test_a_machine_without_time_zone_data_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise zoneinfo.ZoneInfoNotFoundError(name)

    monkeypatch.setattr(zoneinfo, "ZoneInfo", missing)
    monkeypatch.setattr(zoneinfo, "available_timezones", set)
    with pytest.raises(BadInput, match="install the package tzdata"):
        zone("Europe/Berlin")
    assert zone("") is timezone.utc
