"""What is kept: by age, by size, by context. Whole days, the oldest first; one in trouble is named and stays."""

import json
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from eyelet_ingest.errors import RootError
from eyelet_ingest.events import Event
from eyelet_ingest.store import archives, audit, layout, retention
from eyelet_ingest.store.connect import FileLock
from eyelet_ingest.store.retention import Rule, Rules
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store
from eyelet_ingest.store.tombstones import Tombstones

DAY_US = 86_400_000_000
START_US = 1_773_792_000_000_000  # 2026-03-18T00:00:00Z
NOW_US = START_US + 10 * DAY_US + DAY_US // 2  # noon of the eleventh day
DAY_S = 86_400


@pytest.fixture
def days(store: Store, make_event: Callable[..., Event], monkeypatch: pytest.MonkeyPatch) -> Store:
    """Two contexts, eleven days, the last of them today; one event a day of 20 kB."""
    monkeypatch.setattr(retention, "LEAST_BYTES", 1)
    for context in ("one", "two"):
        data = '{"x": "' + "x" * 20_000 + '"}'
        store.append([make_event(START_US + n * DAY_US, data=data) for n in range(11)], context)
    return store


def retained(store: Store, rules: Rules, **given: object) -> retention.Retained:
    store.set_retention(rules)
    return retention.retain(store.catalog, now_us=NOW_US, **given)  # type: ignore[arg-type]


def left(store: Store, context: str) -> list[int]:
    """Which of the eleven days are still there."""
    first = layout.key_for(context, START_US).day
    return [key.day - first for key in store.catalog.partitions() if key.context == context]


def test_without_rules_everything_stays(days: Store) -> None:
    done = retained(days, Rules())
    assert (done.days, left(days, "one")) == ([], list(range(11)))
    assert not os.path.exists(os.path.join(days.root, "retention.json"))


def test_a_day_goes_when_all_of_it_is_older(days: Store) -> None:
    done = retained(days, Rules(Rule(max_age_s=3 * DAY_S)))
    assert left(days, "one") == left(days, "two") == [7, 8, 9, 10]  # noon of the 7th is three days ago
    assert len(done.days) == 14 and {day.events for day in done.days} == {1}
    assert Tombstones.of(days.root).horizons() == {"one": START_US + 7 * DAY_US, "two": START_US + 7 * DAY_US}


def test_a_contexts_age_takes_the_place_of_the_general_one(days: Store) -> None:
    contexts = {"one": Rule(None, None, own_age=True), "two": Rule(DAY_S, None, own_age=True)}
    retained(days, Rules(Rule(max_age_s=5 * DAY_S), contexts))
    assert (left(days, "one"), left(days, "two")) == (list(range(11)), [9, 10])


def test_by_size_the_oldest_days_go_first_across_contexts(days: Store) -> None:
    size = retention.size_of(days.root, layout.key_for("one", START_US))
    done = retained(days, Rules(Rule(max_bytes=size * 19)))
    assert [(day.key.context, day.key.date) for day in done.days] == [
        *(("one", "2026-03-18"), ("two", "2026-03-18"), ("one", "2026-03-19"))
    ]
    assert done.days[0].rule.endswith("in all") and done.too_large == []


def test_by_size_of_a_context_its_own_days_go(days: Store) -> None:
    size = retention.size_of(days.root, layout.key_for("one", START_US))
    retained(days, Rules(contexts={"two": Rule(max_bytes=size * 4)}))
    assert (left(days, "one"), left(days, "two")) == (list(range(11)), [7, 8, 9, 10])


def test_todays_days_never_go_and_what_is_too_large_even_so_is_said(days: Store) -> None:
    done = retained(days, Rules(Rule(max_age_s=3_600, max_bytes=1)))
    assert left(days, "one") == left(days, "two") == [10]
    assert done.too_large == ["more than 1 bytes in all: what is left is of today"]


def test_a_dry_run_says_the_same_and_changes_nothing(days: Store) -> None:
    rules = Rules(Rule(max_age_s=3 * DAY_S))
    planned = retained(days, rules, dry_run=True)
    assert left(days, "one") == list(range(11))
    assert planned.days == retained(days, rules).days
    assert retained(days, rules).days == []


def test_a_slice_does_what_it_has_time_for_and_the_next_goes_on(days: Store) -> None:
    rules = Rules(Rule(max_age_s=3 * DAY_S))
    assert len((done := retained(days, rules, deadline_ms=0)).days) == 1 and done.left == 13
    while retained(days, rules, deadline_ms=1).left:
        pass
    assert left(days, "one") == left(days, "two") == [7, 8, 9, 10]


def test_a_day_in_trouble_is_named_and_stays(days: Store) -> None:
    path = Path(layout.db_path(days.root, layout.key_for("one", START_US)))
    path.write_bytes(b"this is no database" * 500)
    done = retained(days, Rules(Rule(max_age_s=3 * DAY_S)))
    assert [(bad.context, bad.day) for bad in done.failed] == [("one", "2026-03-18")]
    assert left(days, "one") == [0, 7, 8, 9, 10]


def test_a_slice_lets_a_day_be_that_somebody_works_on(days: Store) -> None:
    with FileLock(layout.lock_path(days.root, layout.key_for("one", START_US)), 0):
        done = retained(days, Rules(Rule(max_age_s=3 * DAY_S)), deadline_ms=60_000)
    assert (done.failed, done.left, left(days, "one")) == ([], 1, [0, 7, 8, 9, 10])


def test_archived_days_stay_and_do_not_count_unless_the_rules_say_that_they_go(days: Store) -> None:
    for n in range(10):
        archives.archive(days.root, layout.key_for("one", START_US + n * DAY_US), remove=n < 5)
    rules = Rules(Rule(max_age_s=3 * DAY_S))
    assert {day.place for day in retained(days, rules).days} == {"days"}
    assert len(archives.keys(days.root)) == 10

    going = replace(rules, archives=True)
    planned = retained(days, going, dry_run=True)
    assert len(archives.keys(days.root)) == 10
    done = retained(days, going)
    assert done.days == planned.days
    assert [(day.place, day.key.date) for day in done.days] == [("archive", f"2026-03-{18 + n}") for n in range(7)]
    assert all(day.bytes for day in done.days)
    assert [key.date for key in archives.keys(days.root)] == ["2026-03-25", "2026-03-26", "2026-03-27"]
    assert not os.path.exists(os.path.join(days.root, "archive", "two"))


def test_bytes_of_archives_count_where_they_go_and_the_oldest_goes_first(days: Store) -> None:
    for n in range(4):
        archives.archive(days.root, layout.key_for("two", START_US + n * DAY_US), remove=True)
    sizes = [retention.archived_size_of(days.root, key) for key in archives.keys(days.root)]
    left_bytes = sum(retention.size_of(days.root, key) for key in days.catalog.partitions() if key.context == "two")
    rules = Rules(contexts={"two": Rule(max_bytes=left_bytes + sum(sizes[2:]))})
    assert retained(days, rules).days == []
    done = retained(days, replace(rules, archives=True))
    assert [(day.place, day.key.date, day.bytes) for day in done.days] == [
        *(("archive", "2026-03-18", sizes[0]), ("archive", "2026-03-19", sizes[1]))
    ]
    assert Tombstones.of(days.root).horizons() == {"two": START_US + 2 * DAY_US}
    said = [json.loads(line.what) for line in audit.lines(days.root)]
    assert [(one["day"], one["place"]) for one in said] == [*(("two-2026-078", "archive"), ("two-2026-077", "archive"))]


def test_a_slice_lets_an_archive_be_that_somebody_works_on(days: Store) -> None:
    key = layout.key_for("one", START_US)
    archives.archive(days.root, key, remove=True)
    rules = Rules(contexts={"one": Rule(9 * DAY_S, None, True)}, archives=True)
    with archives.alone(days.root, key):
        done = retained(days, rules, deadline_ms=60_000)
    assert (done.days, done.failed, done.left) == ([], [], 1)
    assert len(retained(days, rules, deadline_ms=60_000).days) == 1 and archives.keys(days.root) == []


def test_what_is_said_of_archives_alone_is_kept_for_a_later_rule(store: Store) -> None:
    store.set_retention(Rules(archives=True))
    assert store.retention() == Rules(archives=True)


def test_each_day_is_let_go_of_and_stands_in_the_audit(days: Store) -> None:
    told: list[layout.PartitionKey] = []
    done = retained(days, Rules(Rule(max_age_s=9 * DAY_S)), before_removal=told.append)
    assert told == [day.key for day in done.days]
    lines = [line for line in audit.lines(days.root) if line.action == "retention.day"]
    assert [json.loads(line.what)["day"] for line in lines] == [key.mount_name for key in reversed(told)]


def test_the_file_is_private_and_says_what_was_set(store: Store) -> None:
    rules = Rules(Rule(90 * DAY_S, 10**9), {"one": Rule(None, None, True), "two": Rule(None, 10**7)}, archives=True)
    store.set_retention(rules)
    assert store.retention() == rules
    path = os.path.join(store.root, "retention.json")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert os.listdir(store.root) == ["retention.json"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("{", "no JSON"),
        ("[]", "no object"),
        ("{}", "version"),
        ('{"version": 2}', "version"),
        ('{"version": true}', "version"),
        ('{"version": 1, "ages": {}}', "ages"),
        ('{"version": 1, "general": {"max_age_s": "90d"}}', "general.max_age_s"),
        ('{"version": 1, "general": {"max_age_s": 5}}', "general.max_age_s"),
        ('{"version": 1, "general": {"max_bytes": true}}', "general.max_bytes"),
        ('{"version": 1, "general": {"max_bytes": null}}', "general.max_bytes"),
        ('{"version": 1, "contexts": {"Über": {}}}', "contexts"),
        ('{"version": 1, "contexts": {"one": {"days": 1}}}', "contexts.one.days"),
        ('{"version": 1, "archives": 1}', "archives"),
    ],
)
def test_a_broken_file_is_named_with_the_field_and_nothing_is_deleted(days: Store, text: str, named: str) -> None:
    Path(days.root, "retention.json").write_text(text)
    with pytest.raises(RootError, match=r"retention\.json") as bad:
        retention.retain(days.catalog, now_us=NOW_US)
    assert named in str(bad.value)
    assert days.count(Filter()).count == 22
