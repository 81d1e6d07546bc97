"""URL → Query: the vocabulary of the decisions, and every wrong word refused with its reason."""

import re
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from datasette.utils import MultiParams

from datasette_eyelet.query import ONCE, SEVERAL, STATUSES, BadParameter, Query, day_of, parse
from eyelet_ingest.errors import BadInput

NOW_US = 1_774_015_402_123_456  # 2026-03-20 14:03:22.123456 UTC
HOUR_US = 3_600_000_000


def asked(query_string: str) -> Query:
    return parse(MultiParams(parse_qs(query_string, keep_blank_values=True)), NOW_US)


def test_every_word_of_the_vocabulary_becomes_its_field() -> None:
    where = asked(
        "context=work&context=home&src=claude.posttooluse&type=PostToolUse&tool=Bash&session=s1&status=error"
        "&branch=main&error_code=exit:1&agent=claude&model=opus&errors=1&q=needle&range=1h"
    ).where
    assert where.contexts == ("work", "home")
    assert (where.src, where.hook_type, where.tool_name) == (("claude.posttooluse",), ("PostToolUse",), ("Bash",))
    assert (where.session_id, where.status, where.git_branch) == (("s1",), ("error",), ("main",))
    assert where.error_code == ("exit:1",)
    assert (where.agent, where.model, where.errors, where.text) == (("claude",), ("opus",), True, "needle")
    assert (where.since_us, where.until_us) == (NOW_US - HOUR_US, NOW_US + 1)


def test_without_a_range_it_is_today_and_nobody_asked_for_it() -> None:
    found = asked("")
    assert not found.range_asked
    assert (found.range.since_us, found.range.until_us) == (1_773_964_800_000_000, 1_774_051_200_000_000)


def test_today_is_the_day_of_the_zone_asked_for() -> None:
    found = asked("tz=Pacific/Auckland")
    assert found.range.since_us == 1_774_004_400_000_000  # 2026-03-21 00:00 there
    assert found.range.tz == "Pacific/Auckland"


def test_from_alone_and_to_alone_leave_the_other_end_open() -> None:
    assert asked("from=2026-03-01").range.until_us is None
    assert asked("to=2026-03-01").range.since_us is None
    assert asked("to=2026-03-01").range.until_us == asked("from=2026-03-02").range.since_us


def test_empty_parameters_say_nothing() -> None:
    assert asked("q=&src=&range=&from=&to=&tz=&_size=&_next=&errors=&context=") == asked("")


@pytest.mark.parametrize("value", ["1", "on", "true"])
def test_errors_is_a_switch(value: str) -> None:
    assert asked(f"errors={value}").where.errors
    assert not asked("errors=0").where.errors


@pytest.mark.parametrize(
    "query_string",
    [
        "_size=1001",
        "_size=0",
        "_size=-1",
        "_size=abc",
        "_size=1e9",
        "_size=99999999999999999999999",
        "_size=%D9%A1",
        "range=never",
        "range=1h&range=2h",
        "q=a&q=b",
        "from=2026-13-45",
        "from=yesteryear",
        "from=2026-03-02&to=2026-03-01",
        "to=1e400",
        "from=99999999999999999999999999",
        "tz=Mars/Olympus",
        "tz=../../etc/passwd",
        "tz=%00",
        "errors=perhaps",
        "full=maybe",
        "status=unknown",
        "status=ok&status=fine",
        "since=6h",
        "nothing=x",
        "nothing=",
        "_next=w5-3.1.default",
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_reason(query_string: str) -> None:
    with pytest.raises(BadInput) as refused:
        asked(query_string)
    assert len(str(refused.value)) > 15


@pytest.mark.parametrize(
    ("query_string", "name"),
    [
        ("from=never&to=2026-03-01", "from"),
        ("from=2026-03-01&to=never", "to"),
        ("from=2026-03-02&to=2026-03-01", "from"),
        ("from=2026-03-02&tz=Mars/Olympus", "tz"),
        ("range=never", "range"),
        ("status=fine", "status"),
        ("errors=perhaps", "errors"),
        ("q=a&q=b", "q"),
        ("_size=0", "_size"),
    ],
)
def test_a_refusal_names_its_parameter(query_string: str, name: str) -> None:
    with pytest.raises(BadParameter) as refused:
        asked(query_string)
    assert refused.value.name == name


def test_the_largest_page_has_a_thousand_rows() -> None:
    assert asked("_size=1000").size == asked("_size=max").size == 1_000


def test_a_moving_range_is_frozen_in_the_cursor() -> None:
    """Between two pages of the last hour time goes on; the second page still is of the first one's hour."""
    first = asked("range=1h")
    cursor = first.cursor("1774015402000000.default")
    later = parse(MultiParams({"range": ["1h"], "_next": [cursor]}), NOW_US + HOUR_US)
    assert later.after == "1774015402000000.default"
    assert (later.where.since_us, later.where.until_us) == (first.where.since_us, first.where.until_us)


def test_a_fixed_range_needs_no_frozen_cursor() -> None:
    for query_string in ("from=2026-03-01", "to=2026-03-01", "range=all"):
        assert asked(query_string).cursor("5.default") == "5.default"


def test_a_page_of_today_by_default_is_asked_for() -> None:
    assert asked("_next=w1-2.5.default").range_asked


def test_the_day_of_a_moment_is_the_zones() -> None:
    day = day_of(NOW_US, "America/New_York")
    assert day.since_us == 1_773_979_200_000_000
    assert day.until_us == 1_773_979_200_000_000 + 24 * HOUR_US


def test_every_parameter_and_status_is_documented_and_no_other() -> None:
    docs = (Path(__file__).resolve().parents[2] / "docs" / "search.md").read_text("utf-8")
    table = docs[docs.index("| parameter | means |") : docs.index("may be given several times")]
    named = {name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    assert named == {*ONCE, *SEVERAL} - {"full"}, "full is of the JSON alone"
    assert "`full=1`" in docs
    [status] = re.findall(r"^\| `status` \| (.*) \|$", table, re.MULTILINE)
    assert tuple(re.findall(r"`(\w+)`", status)) == (*STATUSES, "unknown"), "unknown is of calls alone"
