"""Each check finds the bad thing that was made for it, and is quiet on the good."""

import json
import os
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eyelet_ingest.health import doctor, indexes, integrity
from eyelet_ingest.store import connect, examined, layout, manifest, schema, select
from eyelet_ingest.store.layout import DAY_US
from eyelet_ingest.store.metrics import Metrics, Sample
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store
from tests.health import patients
from tests.health.patients import (
    FIXED,
    NOW_US,
    bad,
    day,
    execute,
    filled,
    path_of,
    patient,
    repaired,
    said,
)

OURS = ("integrity", "schema", "wal", "checkpoints", "fragmentation", "disk", "growth", "indexes", "modes", "handles")


def damage(path: Path, page: int = 3) -> None:
    """Overwrite a page in the middle of a database that nobody has open."""
    content = bytearray(path.read_bytes())
    content[4096 * (page - 1) + 8 : 4096 * page] = b"\xff" * 4088
    path.write_bytes(bytes(content))


@pytest.fixture
def asked(store: Store) -> Store:
    """A store of five days that is well, with figures of the questions that it was asked."""
    filled(store, [day(n) for n in range(5)])
    with Metrics(store.root) as metrics:
        names = dict.fromkeys(schema.index_statements(), 200)
        metrics.write(Sample(NOW_US - DAY_US, "server", indexes=names))
    return store


@FIXED
def test_every_check_is_quiet_on_a_root_that_is_well(asked: Store) -> None:
    found = said(patient(asked), *OURS)
    assert [(one.name, one.status) for one in found] == [(name, "ok") for name in OURS]
    assert all(one.evidence and not one.fix and one.repair is None for one in found)


@FIXED
def test_every_check_is_quiet_on_a_root_without_days_and_on_one_in_memory(store: Store) -> None:
    assert bad(patient(store), *OURS) == []
    with Store.in_memory("checked") as memory:
        filled(memory, [day(1)])
        whose = replace(patient(store), store=memory)
        assert bad(whose, *OURS) == []


# integrity


def test_a_damaged_page_is_found_and_named_with_the_day_and_the_way_back(store: Store) -> None:
    filled(store, [day(1), day(2)], events=500)
    damage(path_of(store, day(2)))
    (found,) = bad(patient(store), "integrity")
    assert found.status == "error" and "default/2026-04-08 is damaged" in found.message and found.day == day(2)
    assert "restore" in found.fix and "2026-04-08" in found.fix and found.evidence["damages"]


def test_only_a_full_look_sees_an_index_that_lacks_a_row(store: Store) -> None:
    filled(store, [day(1)], events=50)
    path = path_of(store, day(1))
    # The index is told to be one on another column: its entries are then not those of the rows.
    execute(path, "pragma writable_schema = on", "update sqlite_master set sql = replace(sql, '(src)', '(hook_type)') "
            "where name = 'hooks_src'")  # fmt: skip
    assert bad(patient(store), "integrity") == []
    (found,) = bad(replace(patient(store), is_full=True), "integrity")
    assert found.status == "error" and "hooks_src" in found.message


def test_what_was_looked_at_is_not_read_again_until_it_changes_or_a_month_is_over(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(store, [day(n) for n in range(4)])
    looked: list[str] = []
    look = examined.damages
    monkeypatch.setattr(examined, "damages", lambda path, **how: looked.append(path) or look(path, **how))
    days = {str(path_of(store, day(n))) for n in range(4)}
    whose = patient(store)
    said(whose, "integrity")
    assert days <= set(looked)
    looked.clear()
    (found,) = said(whose, "integrity")
    assert not days & set(looked) and found.evidence["remembered"] == 4
    filled(store, [day(2)], events=1)
    said(whose, "integrity")
    assert days & set(looked) == {str(path_of(store, day(2)))}
    looked.clear()
    said(replace(whose, now_us=NOW_US + 31 * DAY_US), "integrity")
    assert days <= set(looked)


def test_a_full_look_that_is_stopped_is_gone_on_with(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(store, [day(n) for n in range(1, 6)])
    looked: list[str] = []
    look = examined.damages
    monkeypatch.setattr(examined, "damages", lambda path, **how: looked.append(path) or look(path, **how))
    moments = iter([False] * 2 + [True] * 1_000)
    monkeypatch.setattr(patients.Patient, "is_late", property(lambda self: next(moments)))
    monkeypatch.setattr(integrity.root_files, "look", lambda *_: None)
    whose = replace(patient(store), is_full=True)
    (found,) = said(whose, "integrity")
    assert found.status == "unknown" and found.message.startswith("2 of 5 files") and "--full" in found.fix
    assert looked == [str(path_of(store, day(n))) for n in (1, 2)]  # the newest first
    moments = iter([False] * 1_000)
    (found,) = said(whose, "integrity")
    assert found.status == "ok" and len(looked) == 5 and len(set(looked)) == 5


def test_what_was_written_to_while_it_was_looked_at_is_looked_at_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(store, [day(1)])
    look = examined.damages

    def slow(path: str, **how: Any) -> list[str]:
        found = look(path, **how)
        filled(store, [day(1)], events=1)
        return found

    monkeypatch.setattr(examined, "damages", slow)
    said(patient(store), "integrity")
    monkeypatch.setattr(examined, "damages", look)
    assert said(patient(store), "integrity")[0].evidence["remembered"] == 0


def test_a_file_that_is_no_database_is_remembered_as_damaged(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(store, [day(1), day(2)])
    path_of(store, day(1)).write_bytes(b"garbage" * 9_000)
    whose = patient(store)
    (first,) = bad(whose, "integrity")
    monkeypatch.setattr(patients.Patient, "is_late", property(lambda self: True))
    (again,) = bad(whose, "integrity")  # without any time
    assert first.message == again.message and "not a database" in first.message and "restore" in first.fix


def test_damage_that_is_remembered_is_told_again(store: Store) -> None:
    filled(store, [day(1)], events=500)
    damage(path_of(store, day(1)))
    whose = patient(store)
    first = bad(whose, "integrity")
    assert first and [one.message for one in first] == [one.message for one in bad(whose, "integrity")]
    assert all("\n" not in one.message for one in first)


@pytest.mark.parametrize("name", ["audit.sqlite", "saved.sqlite", "tombstones.sqlite", "ingest.sqlite", "sync.sqlite"])
def test_a_database_of_the_root_that_is_garbage_is_found(store: Store, name: str) -> None:
    filled(store, [day(1)])
    Path(store.root, name).write_bytes(b"no database at all" * 400)
    (found,) = bad(patient(store), "integrity")
    assert found.status == "error" and name in found.message


@pytest.mark.parametrize(
    ("name", "content"),
    [("secret.key", b"short"), ("sealing.json", b"[]"), ("tokens.json", b"no")],
)
def test_a_file_of_the_root_that_cannot_be_used_is_found(store: Store, name: str, content: bytes) -> None:
    filled(store, [day(1)])
    path = Path(store.root, name)
    path.write_bytes(content)
    path.chmod(0o600)
    (found,) = bad(patient(store), "integrity")
    assert found.status == "error" and name in found.message


def test_a_full_look_compares_sealed_days_with_their_seals_and_unpacks_archives(store: Store) -> None:
    filled(store, [day(3), day(2)])
    store.seal(day(3))
    archived = store.archive(day(2))
    whose = replace(patient(store), is_full=True)
    assert bad(whose, "integrity") == []
    execute(path_of(store, day(3)), "delete from hooks where id = (select min(id) from hooks)")
    (found,) = bad(whose, "integrity")
    assert "not what was sealed" in found.message and "1 of 20 are gone" in found.message
    path = Path(layout.archive_path(store.root, day(2)))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content))
    assert archived.rows == 20
    assert sorted("archive" in one.message for one in bad(whose, "integrity")) == [False, True]


def test_a_sealed_day_that_is_gone_is_missed_by_a_quick_look_too(store: Store) -> None:
    filled(store, [day(3), day(2)])
    store.seal(day(3))
    for path in path_of(store, day(3)).parent.iterdir():
        path.unlink()
    path_of(store, day(3)).parent.rmdir()
    (found,) = bad(patient(store), "integrity")
    assert found.status == "error" and "its folder is gone" in found.message
    store.delete_older_than(day(1).bounds_us[0])  # what a command of ours removes is not missed
    assert not [one for one in bad(patient(store), "integrity") if one.day == day(2)]


def test_one_day_can_be_asked_for_by_itself(store: Store) -> None:
    filled(store, [day(1), day(2)], events=500)
    damage(path_of(store, day(2)))
    whose = patient(store)
    assert integrity.check_day(whose, day(1), full=True).status == "ok"
    assert integrity.check_day(whose, day(2), full=False).status == "error"
    assert integrity.check_day(whose, day(9), full=False).status == "unknown"


# schema


@pytest.mark.parametrize(
    "drop", ["drop index hooks_src", "drop trigger hooks_by_hand", "drop view calls", "drop index hooks_several"]
)
def test_what_another_program_dropped_is_found_and_made_again(store: Store, drop: str) -> None:
    filled(store, [day(1), day(2)])
    name = drop.split()[-1]
    fresh = definitions(store, day(2))
    execute(path_of(store, day(2)), drop)
    whose = patient(store)
    (found,) = bad(whose, "schema")
    assert found.status == "warn" and name in found.message and found.day == day(2)
    assert repaired(whose, "schema") == [f"made {name} again"]
    assert bad(whose, "schema") == [] and definitions(store, day(2)) == fresh


def definitions(store: Store, key: layout.PartitionKey) -> set[tuple[str, str]]:
    conn = connect.open_reader(str(path_of(store, key)))
    try:
        return set(conn.execute("select name, sql from sqlite_master"))
    finally:
        conn.close()


def test_an_index_of_our_name_on_something_else_is_found_and_made_again(store: Store) -> None:
    filled(store, [day(1)])
    execute(path_of(store, day(1)), "drop index hooks_src", "create index hooks_src on hooks (model)")
    whose = patient(store)
    (found,) = bad(whose, "schema")
    assert "has another hooks_src" in found.message
    repaired(whose, "schema")
    assert bad(whose, "schema") == []


def test_a_sealed_day_that_was_changed_is_not_mended_behind_anybodys_back(store: Store) -> None:
    filled(store, [day(3)])
    store.seal(day(3))
    execute(path_of(store, day(3)), "drop index hooks_src")
    whose = patient(store)
    (found,) = bad(whose, "schema")
    assert found.repair is None and "sealed" in found.message and "verify" in found.fix
    assert [one.is_good for one in store.verify([day(3)])] == [False]


def test_a_sealed_day_of_an_older_version_is_left_to_who_asks_for_it(store: Store) -> None:
    filled(store, [day(3), day(2)])
    store.seal(day(3))
    for n in (2, 3):
        execute(path_of(store, day(n)), "drop view calls", "drop view call_witnesses", "drop index hooks_several",
                f"pragma user_version = {schema.VERSION - 1}")  # fmt: skip
    sealed = path_of(store, day(3)).read_bytes()
    whose = patient(store)
    (what,) = repaired(whose, "schema")
    assert what.startswith("brought 1 day up") and "1 day, sealed or busy, left" in what
    assert path_of(store, day(3)).read_bytes() == sealed


def test_statistics_that_may_have_missed_a_change_end_with_the_trigger_that_is_made_again(store: Store) -> None:
    filled(store, [day(1)], events=600)
    store.maintain(60_000)
    path = path_of(store, day(1))
    assert counted(path) > 0
    execute(path, "drop trigger hooks_counted_delete", "delete from hooks where id % 2 = 0")
    repaired(patient(store), "schema")
    assert counted(path) == 0


def counted(path: Path) -> int:
    with closing(connect.open_reader(str(path))) as conn:
        return int(conn.execute("select count(*) from eyelet_hours").fetchone()[0])


def test_a_day_whose_columns_are_gone_is_an_error_with_the_way_to_rebuild_it(store: Store) -> None:
    filled(store, [day(1)])
    execute(
        path_of(store, day(1)),
        "drop view calls",
        "drop view call_witnesses",
        "drop index hooks_error_code",
        "alter table hooks drop column error_code",
    )
    (found,) = bad(patient(store), "schema")
    assert found.status == "error" and "error_code" in found.message and "eyelet rebuild" in found.fix


def test_older_days_are_brought_up_and_newer_ones_named(store: Store) -> None:
    filled(store, [day(1), day(2), day(3)])
    for n in (2, 3):
        path = path_of(store, day(n))
        execute(path, "drop view calls", "drop view call_witnesses", "drop index hooks_several",
                f"pragma user_version = {schema.VERSION - 1}")  # fmt: skip
    execute(path_of(store, day(1)), f"pragma user_version = {schema.VERSION + 1}")
    whose = patient(store)
    older, newer = sorted(bad(whose, "schema"), key=lambda one: "newer" in one.message)
    assert older.evidence["days"] == 2 and "migrate" in older.fix and newer.day == day(1)
    assert [what[:14] for what in repaired(whose, "schema")] == ["brought 2 days"]
    assert [one.day for one in bad(whose, "schema")] == [day(1)]


@pytest.mark.parametrize("version", range(1, schema.VERSION))
def test_a_day_that_was_brought_up_from_any_version_is_whole(store: Store, version: int) -> None:
    """Also one that `eyelet rebuild` made anew: what is expected is what a fresh file has."""
    path = path_of(store, day(1))
    conn = connect.open_writer(str(path))
    try:
        schema.make(conn, version)
        conn.execute(f"pragma user_version = {version}")
        for fact in (("context", "default"), ("start_us", day(1).bounds_us[0]), ("end_us", day(1).bounds_us[1])):
            conn.execute("insert into eyelet_partition values (?, ?)", fact)
        assert [one.evidence.get("days") for one in bad(patient(store), "schema")] == [1]
        store.migrate(day(1))
        assert bad(patient(store), "schema") == []
        schema.rebuild(conn, str(path))
    finally:
        conn.close()
    assert bad(patient(store), "schema") == []


def test_a_foreign_index_is_told_and_is_no_trouble(store: Store) -> None:
    filled(store, [day(1)])
    execute(path_of(store, day(1)), "create index theirs on hooks (hostname)")
    (found,) = said(patient(store), "schema")
    assert found.status == "ok" and found.evidence["foreign_indexes"] == ["theirs"]


def test_a_database_of_nobody_we_know_is_an_error(store: Store) -> None:
    path = path_of(store, day(1))
    execute(path, "create table other (a)", "pragma user_version = -7")
    (found,) = bad(patient(store), "schema")
    assert found.status == "error" and "not made by this software" in found.message


# fragmentation


def test_a_day_of_empty_pages_is_found_and_vacuum_ends_it(store: Store) -> None:
    filled(store, [day(1), day(2)], events=400, chars=10_000)
    whose = patient(store)
    assert bad(whose, "fragmentation") == []
    execute(path_of(store, day(2)), "delete from hooks where id % 2 = 0")
    (found,) = bad(whose, "fragmentation")
    assert found.status == "warn" and found.day == day(2) and "vacuum default/2026-04-08" in found.fix
    assert found.repair is None
    store.vacuum(day(2))
    assert bad(whose, "fragmentation") == []


def test_a_small_day_is_not_worth_writing_anew(store: Store) -> None:
    filled(store, [day(1)], events=40, chars=10_000)
    execute(path_of(store, day(1)), "delete from hooks where id % 2 = 0")
    (found,) = said(patient(store), "fragmentation")
    assert found.status == "ok" and found.evidence["empty_bytes"] > 0  # type: ignore[operator]


# indexes


def test_without_a_record_nothing_is_said_of_which_indexes_are_used(store: Store) -> None:
    filled(store, [day(1)])
    (found,) = said(patient(store), "indexes")
    assert found.status == "ok" and "no question was recorded yet" in found.message and "unused" not in found.evidence


def test_figures_that_cannot_be_read_leave_it_unknown_which_indexes_are_used(store: Store) -> None:
    filled(store, [day(1)])
    Path(store.root, "health.sqlite").write_bytes(b"no database at all" * 400)
    assert [one.status for one in said(patient(store), "indexes")] == ["unknown"]
    assert [one.status for one in said(patient(store), "integrity")] == ["error"]


def test_an_index_that_no_question_used_is_told_with_what_it_costs(store: Store) -> None:
    filled(store, [day(1)], events=400)
    used = dict.fromkeys(schema.index_statements(), 500)
    del used["hooks_src"], used["hooks_arrived"]
    with Metrics(store.root) as metrics:
        metrics.write(Sample(NOW_US - DAY_US, "server", indexes=used))
    (found,) = said(patient(store), "indexes")
    assert found.status == "ok" and found.evidence["unused"] == ["hooks_src"]
    cost = found.evidence["bytes_in_newest_day"]["hooks_src"]  # type: ignore[index]
    assert 400 * 15 < cost < 400 * 60


def test_an_index_that_filters_can_use_is_counted_and_no_other_is_called_unused() -> None:
    where = Filter(
        src=("a",), session_id=("s",), hook_type=("t",), tool_name=("n",), status=("error",), errors=True,
        error_code=("e",), git_branch=("b",),
    )  # fmt: skip
    ways = {way.index for way in select.ways(where)}
    assert ways | {"hooks_error"} == set(schema.index_statements()) - indexes.NOT_COUNTED


def test_what_an_index_takes_is_about_what_it_takes(store: Store) -> None:
    """Compared with the pages that a file has more with the index than without."""
    filled(store, [day(1)], events=3_000)
    path = path_of(store, day(1))
    guess = examined.index_bytes(str(path))
    for name in ("hooks_src", "hooks_arrived"):
        execute(path, "vacuum")
        before = examined.pages(str(path))
        execute(path, f"drop index {name}", "vacuum")
        taken = (before.count - examined.pages(str(path)).count) * before.bytes_each
        assert taken / 2 < guess[name] < 2 * taken


def test_few_questions_say_nothing_of_unused_indexes(store: Store) -> None:
    with Metrics(store.root) as metrics:
        metrics.write(Sample(NOW_US - DAY_US, "server", indexes={"hooks_src": 7}))
    (found,) = said(patient(store), "indexes")
    assert found.status == "ok" and "too few" in found.message


def test_a_missing_index_is_a_warning_of_what_questions_pay(asked: Store) -> None:
    for n in (1, 2):
        execute(path_of(asked, day(n)), "drop index hooks_session")
    (found,) = bad(patient(asked), "indexes")
    assert found.status == "warn" and "hooks_session" in found.message and found.evidence["days"] == 2


def test_many_findings_of_one_kind_are_counted_and_repaired_together(store: Store) -> None:
    keys = [day(n) for n in range(25)]
    filled(store, keys, events=1)
    for key in keys:
        execute(path_of(store, key), "drop index hooks_src")
    whose = patient(store)
    found = bad(whose, "schema")
    assert len(found) == 21 and found[-1].message == "… and 5 more days like these"
    doctor.repair(whose, found, "user:test")
    assert bad(whose, "schema") == []


def test_what_is_found_can_be_told_to_programs(store: Store) -> None:
    filled(store, [day(1)], events=500)
    damage(path_of(store, day(1)))
    for one in said(patient(store), *OURS):
        json.dumps(dict(one.evidence))


@FIXED
def test_looking_while_others_write_seal_and_remove_raises_no_alarm(store: Store) -> None:
    """A short form; EYELET_SOAK makes it a minute."""
    filled(store, [day(n) for n in range(12)])
    stop = threading.Event()

    def others() -> None:
        with Store(store.root) as mine:
            while not stop.is_set():
                for n in range(12):
                    filled(mine, [day(n)], events=3)
                    mine.checkpoint(day(n), "truncate")
                    if n > 8:
                        mine.seal(day(n))
                    elif n > 5:
                        mine.delete(Filter(since_us=day(n).bounds_us[0], until_us=day(n).bounds_us[1]))
                    elif n > 3:
                        mine.vacuum(day(n))

    writer = threading.Thread(target=others)
    writer.start()
    try:
        end = time.monotonic() + (60 if os.environ.get("EYELET_SOAK") else 1.5)
        while time.monotonic() < end:
            for full in (False, True):
                found = bad(replace(patient(store, wal_age_warn_s=10**9), is_full=full), *OURS)
                assert found == []
    finally:
        stop.set()
        writer.join()


def test_looking_writes_to_no_day(store: Store) -> None:
    filled(store, [day(1), day(2)])
    before = {path: path.stat().st_mtime_ns for path in Path(store.root, "logs").rglob("logs.sqlite")}
    said(replace(patient(store), is_full=True), *OURS)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert manifest.read(store.root, day(1)) is None
