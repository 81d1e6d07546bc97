"""Laws of the partition's name: key ↔ path, contexts, days."""

import os
import subprocess
import sys
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyelet_ingest.store import layout

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
TIMES = st.integers(0, int((datetime(2255, 1, 1, tzinfo=timezone.utc) - EPOCH).total_seconds()) * 1_000_000 - 1)


def utc_us(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=timezone.utc).timestamp()) * 1_000_000  # type: ignore[misc,arg-type]


@given(st.text(), TIMES)
def test_a_key_and_its_path_say_the_same(given_name: str, time_us: int) -> None:
    key = layout.key_for(layout.safe_context(given_name), time_us)
    path = layout.db_path("/some/root", key)
    assert layout.key_from_path(path) == key
    assert layout.key_from_mount_name(key.mount_name) == key
    first, end = key.bounds_us
    assert first <= time_us < end == first + layout.DAY_US
    then = EPOCH + timedelta(microseconds=time_us)
    assert (key.year, key.day, key.date) == (then.year, then.timetuple().tm_yday, then.date().isoformat())
    assert time_us < 2**53


@given(st.text())
def test_a_context_is_safe_whatever_is_given(given_name: str) -> None:
    safe = layout.safe_context(given_name)
    assert 1 <= len(safe) <= 64
    assert set(safe) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-")
    assert layout.safe_context(safe) == safe
    path = layout.db_path("/some/root", layout.PartitionKey(safe, 2026, 79))
    assert os.path.normpath(path) == path


ANY_TEXT = (
    st.text() | st.text("./\\\0~-_aB0", max_size=12) | st.sampled_from([".", "..", "/", "a/../b", "~", "-", "C:"])
)


@given(
    ANY_TEXT, TIMES, st.sampled_from(["/some/root", "relative", "/", "/logs/logs/2026/079", "file:/eyelet-memory/x"])
)
def test_a_path_lies_below_logs_and_is_the_only_spelling_of_its_key(given_name: str, time_us: int, root: str) -> None:
    key = layout.key_for(layout.safe_context(given_name), time_us)
    path = layout.db_path(root, key)
    logs = layout.logs_dir(root)
    assert os.path.commonpath([os.path.abspath(path), os.path.abspath(logs)]) == os.path.abspath(logs)
    parts = os.path.relpath(path, logs).split(os.sep)
    assert parts == [key.context, f"{key.year:04d}", f"{key.day:03d}", "logs.sqlite"]
    assert os.path.dirname(layout.lock_path(root, key)) == os.path.dirname(path) == layout.partition_dir(root, key)
    assert layout.key_from_parts(*parts[:3]) == key


@given(st.lists(ANY_TEXT | st.from_regex(r"[0-9]{1,4}", fullmatch=True), min_size=3, max_size=3))
def test_names_of_folders_are_a_key_only_where_they_are_spelt_as_we_do(names: list[str]) -> None:
    key = layout.key_from_parts(*names)
    if key is not None:
        assert names == [key.context, f"{key.year:04d}", f"{key.day:03d}"]
        assert layout.key_for(key.context, key.bounds_us[0]) == key == layout.key_for(key.context, key.bounds_us[1] - 1)


@given(TIMES, TIMES, st.sampled_from(["a", "b"]), st.sampled_from(["a", "b"]))
def test_keys_are_in_order_of_time_and_then_of_context(one: int, other: int, mine: str, yours: str) -> None:
    first, second = layout.key_for(mine, one), layout.key_for(yours, other)
    assert (first < second) == ((one // layout.DAY_US, mine) < (other // layout.DAY_US, yours))
    assert (first == second) == ((one // layout.DAY_US, mine) == (other // layout.DAY_US, yours))
    assert first != second or hash(first) == hash(second)


def test_days_follow_one_another_without_a_gap_for_three_centuries() -> None:
    at = 0
    for year in range(layout.FIRST_YEAR, layout.LAST_YEAR + 1):
        for day in range(1, 367):
            key = layout.key_from_parts("c", f"{year:04d}", f"{day:03d}")
            assert (key is None) == (day == 366 and (year % 4 != 0 or (year % 100 == 0 and year % 400 != 0)))
            if key is not None:
                assert key.bounds_us == (at, at + layout.DAY_US)
                at += layout.DAY_US
    assert at < 2**53


@given(st.text(), st.text())
def test_two_names_never_share_a_folder_unless_one_is_the_others_safe_name(one: str, other: str) -> None:
    if one and other and one != other and layout.safe_context(one) == layout.safe_context(other):
        assert layout.safe_context(one) in (one, other)


@pytest.mark.parametrize(
    ("given_name", "start"),
    [("../../etc", "______etc-"), ("My Project", "my_project-"), ("Ümläut", "_ml_ut-"), ("x" * 100, "x" * 57 + "-")],
)
def test_a_changed_name_carries_a_hash(given_name: str, start: str) -> None:
    safe = layout.safe_context(given_name)
    assert safe.startswith(start)
    assert len(safe) == len(start) + 6


def test_a_safe_name_is_kept_and_nothing_is_default() -> None:
    assert layout.safe_context("work_2-b") == "work_2-b"
    assert layout.safe_context("") == "default"


def test_the_documented_day_is_where_it_is_said_to_be() -> None:
    key = layout.key_for("default", utc_us(2026, 3, 20, 12))
    assert layout.db_path("r", key) == os.path.join("r", "logs", "default", "2026", "079", "logs.sqlite")
    assert key.mount_name == "default-2026-079"


def test_event_at_midnight_utc_lands_in_the_new_day() -> None:
    midnight = utc_us(2026, 3, 21)
    assert layout.key_for("c", midnight).day == 80
    assert layout.key_for("c", midnight - 1).day == 79


def test_a_leap_year_has_a_day_366_and_others_have_not() -> None:
    assert layout.key_for("c", utc_us(2024, 12, 31)).day == 366
    assert layout.key_from_parts("c", "2024", "366") is not None
    assert layout.key_from_parts("c", "2023", "366") is None


@pytest.mark.parametrize(
    "name", ["", "2026-079", "c-2026-000", "c-2026-79", "C-2026-079", "c-1969-001", "c-2255-001", "c-２０２６-079"]
)
def test_what_is_no_mount_name_is_none(name: str) -> None:
    assert layout.key_from_mount_name(name) is None


def test_a_context_with_dashes_and_digits_is_read_from_the_right() -> None:
    key = layout.key_from_mount_name("a-2026-001-2026-079")
    assert key == layout.PartitionKey("a-2026-001", 2026, 79)


@pytest.mark.parametrize("year", [1969, 2255, 9999])
def test_a_year_without_a_folder_is_refused(year: int) -> None:
    with pytest.raises(ValueError, match=str(year)):
        layout.key_for("c", utc_us(year, 6, 1))


def test_the_calendar_is_that_of_the_standard_library_to_the_day() -> None:
    first, last = datetime(1970, 1, 1, tzinfo=timezone.utc), datetime(2254, 12, 31, tzinfo=timezone.utc)
    for days in range((last - first).days + 1):
        then = first + timedelta(days=days)
        key = layout.key_for("default", days * layout.DAY_US + layout.DAY_US - 1)
        assert (key.year, key.day, key.date) == (then.year, then.timetuple().tm_yday, then.date().isoformat())
        assert key.bounds_us == (days * layout.DAY_US, (days + 1) * layout.DAY_US)


LEAP_SECONDS = """
import os, time
os.environ["TZ"] = "right/UTC"
time.tzset()
from eyelet_ingest.store import layout
for year in (1975, 1990, 2016, 2026):
    for day in (1, 100, 365):
        key = layout.PartitionKey("default", year, day)
        first, end = key.bounds_us
        for time_us in (first, first + 10_000_000, end - 10_000_000, end - 1):
            assert layout.key_for("default", time_us) == key, (time_us, layout.key_for("default", time_us))
assert layout.PartitionKey("default", 2026, 79).date == "2026-03-20"
"""


def test_a_zone_that_counts_leap_seconds_moves_no_day() -> None:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(one for one in sys.path if one)}
    subprocess.run([sys.executable, "-c", LEAP_SECONDS], env=env, check=True)
