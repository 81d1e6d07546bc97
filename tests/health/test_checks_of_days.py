"""Each check finds the bad thing that was made for it, and is quiet on the good."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eyelet_ingest.health import disk, doctor, growth, handles, indexes, integrity, readers
from eyelet_ingest.store import connect, examined, layout, manifest, schema, select
from eyelet_ingest.store.layout import DAY_US
from eyelet_ingest.store.metrics import Checkpointing, Metrics, Sample
from eyelet_ingest.store.retention import Rule, Rules
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store
from tests.health import patients
from tests.health.patients import NOW_US, aged, bad, day, execute, filled, path_of, patient, reading, said

OURS = ("integrity", "schema", "wal", "checkpoints", "fragmentation", "disk", "growth", "indexes", "modes", "handles")
FIXED = pytest.mark.skipif(
    not connect.may_checkpoint(connect.driver().sqlite_version), reason="this SQLite is one that is warned of"
)


def damage(path: Path, page: int = 3) -> None:
    """Overwrite a page in the middle of a database that nobody has open."""
    content = bytearray(path.read_bytes())
    content[4096 * (page - 1) + 8 : 4096 * page] = b"\xff" * 4088
    path.write_bytes(bytes(content))


def repaired(whose: patients.Patient, *names: str) -> list[str]:
    return [what for _, what in doctor.repair(whose, said(whose, *names), "user:test")]


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


# WAL, checkpoints


@pytest.fixture
def reader(store: Store) -> Iterator[subprocess.Popen[str]]:
    """A process that reads the newest day and does not end its transaction."""
    filled(store, [day(0)])
    code = (
        "import sys; from eyelet_ingest.store import connect\n"
        "conn = connect.open_reader(sys.argv[1]); conn.execute('begin')\n"
        "conn.execute('select count(*) from hooks').fetchone(); print('reads', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(path_of(store, day(0)))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None and child.stdout.readline() == "reads\n"
        yield child
        child.communicate()


@FIXED
@pytest.mark.skipif(not os.path.exists(readers.LOCKS), reason="who holds a lock is told by Linux only")
def test_a_long_wal_is_found_with_who_keeps_it_and_brought_in_when_he_is_gone(
    store: Store, reader: subprocess.Popen[str]
) -> None:
    filled(store, [day(0)], events=200, chars=10_000)
    whose = patient(store, wal_warn_mib=1, wal_error_mib=2)
    (found,) = bad(whose, "wal")
    assert found.status == "error" and f"process {reader.pid}" in found.message and "end " in found.fix
    assert "others kept it" in repaired(whose, "wal")[0]
    assert [one.evidence["wal_bytes"] for one in bad(whose, "wal")] == [found.evidence["wal_bytes"]]
    reader.communicate()
    with reading(path_of(store, day(0))) as other:  # so that the last to close does not bring it in
        other.execute("rollback")
        (found,) = bad(whose, "wal")
        assert found.evidence["readers"] == []
        assert "pages into the file" in repaired(whose, "wal")[0]
        assert bad(whose, "wal") == []


def test_a_wal_below_the_limits_is_quiet_and_one_that_waits_too_long_is_not(store: Store) -> None:
    filled(store, [day(1)])
    other = reading(path_of(store, day(1)))
    try:
        filled(store, [day(1)])
        wal = Path(f"{path_of(store, day(1))}-wal")
        assert wal.stat().st_size > 0
        aged(wal, 60)
        assert bad(patient(store), "wal") == []
        aged(wal, 3 * 86_400)
        (found,) = bad(patient(store), "wal")
        assert found.status == "warn" and "waits for 3 days" in found.message
    finally:
        other.close()


def test_a_long_wal_beside_the_days_is_found(store: Store) -> None:
    filled(store, [day(1)])
    Path(store.root, "ingest.sqlite-wal").write_bytes(b"\0" * 2 * 2**20)
    (found,) = bad(patient(store, wal_warn_mib=1), "wal")
    assert "ingest.sqlite" in found.message and found.repair is None


@FIXED
def test_frames_that_are_not_in_the_file_are_counted_and_a_checkpoint_ends_them(store: Store) -> None:
    filled(store, [day(1)])
    other = reading(path_of(store, day(1)))
    try:
        filled(store, [day(1)], events=300, chars=10_000)
        whose = patient(store, wal_warn_mib=1)
        (found,) = bad(whose, "checkpoints")
        waits = examined.waiting(str(path_of(store, day(1))))
        assert found.status == "warn" and waits.bytes == found.evidence["waiting_bytes"] > 2**20
        other.execute("rollback")
        store.checkpoint(day(1))
        assert bad(whose, "checkpoints") == [] and examined.waiting(str(path_of(store, day(1)))).bytes == 0
    finally:
        other.close()


@FIXED
def test_a_checkpoint_that_failed_is_told_until_one_of_that_day_succeeds(store: Store) -> None:
    def ran(at_us: int, error: str) -> Sample:
        one = Checkpointing(at_us, "default", day(1).date, "command", "passive", 1, 1, 1, 0, False, 9, error)
        return Sample(at_us, "server", checkpoints=[one])

    with Metrics(store.root) as metrics:
        metrics.write(ran(NOW_US - 9_000_000, "disk I/O error"))
    (found,) = bad(patient(store), "checkpoints")
    assert found.status == "warn" and "disk I/O error" in found.message
    with Metrics(store.root) as metrics:
        metrics.write(ran(NOW_US - 1_000_000, ""))
    (found,) = said(patient(store), "checkpoints")
    assert found.status == "ok" and found.evidence["ran_in_24_h"] == 2


def test_a_sqlite_that_loses_rows_at_checkpoints_is_named(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    real = connect.driver()

    class Old:
        sqlite_version = "3.40.1"
        Error = real.Error

    monkeypatch.setattr(connect, "driver", lambda: Old)
    (found,) = bad(patient(store), "checkpoints")
    assert found.status == "warn" and "SQLite 3.40.1" in found.message and "pysqlite3" in found.fix


def test_a_sqlite_that_does_not_tell_what_was_moved_counts_all_frames(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(store, [day(1)])
    path = str(path_of(store, day(1)))
    other = reading(path)
    try:
        filled(store, [day(1)])
        known = examined.waiting(path)
        monkeypatch.setattr(examined, "NOOP_SINCE", (99, 0, 0))
        assert examined.waiting(path) == replace(known, moved=None, bytes=known.frames * 4096)
    finally:
        other.close()


@pytest.mark.parametrize(
    ("kind", "first", "is_reader"), [("READ", 124, True), ("WRITE", 124, False), ("READ", 128, False)]
)
def test_only_who_holds_a_lock_of_readers_is_one(
    store: Store, tmp_path: Path, kind: str, first: int, is_reader: bool
) -> None:
    """The lock on byte 128 is held by everybody who has the file open."""
    filled(store, [day(1)])
    with closing(reading(path_of(store, day(1)))):
        shm = os.stat(f"{path_of(store, day(1))}-shm")
        device = f"{os.major(shm.st_dev):02x}:{os.minor(shm.st_dev):02x}:{shm.st_ino}"
        (tmp_path / "locks").write_text(f"9: POSIX  ADVISORY  {kind} {os.getpid()} {device} {first} {first}\n")
        found = readers.of(str(path_of(store, day(1))), str(tmp_path / "locks"))
        assert [one.pid for one in found] == [os.getpid()] * is_reader


@pytest.mark.parametrize(
    "line",
    ["", "1: POSIX", "1: POSIX ADVISORY READ x 00:1b:1 123 123", "1: FLOCK ADVISORY READ 1 00:1b:1 123 123", "\x00"],
)
def test_locks_that_cannot_be_read_name_nobody(store: Store, tmp_path: Path, line: str) -> None:
    filled(store, [day(1)])
    other = reading(path_of(store, day(1)))
    try:
        (tmp_path / "locks").write_text(line)
        assert readers.of(str(path_of(store, day(1))), str(tmp_path / "locks")) == []
    finally:
        other.close()


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


# disk, growth


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A disk of one MiB with room for 200 files: a real one, where one may mount it; else a lie told by statvfs."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,nr_inodes=200,mode=0700", "none", str(folder)],
                          capture_output=True)  # fmt: skip
    if made.returncode == 0:
        yield folder
        subprocess.run(["umount", "-l", str(folder)], check=True)
        return
    real = os.statvfs

    def told(path: str) -> os.statvfs_result:
        if not str(path).startswith(str(folder)):
            return real(path)
        used = sum(-(-one.stat().st_size // 4096) for one in folder.rglob("*"))
        files = len(list(folder.rglob("*")))
        return os.statvfs_result((4096, 4096, 256, 256 - used, 256 - used, 200, 200 - files, 200 - files, 0, 255))

    monkeypatch.setattr(os, "statvfs", told)
    yield folder


def test_a_disk_that_fills_up_is_a_warning_and_then_an_error(small_disk: Path, tmp_path: Path) -> None:
    with Store(str(small_disk / "root")) as store:
        whose = patient(store, tmp_path)
        assert bad(whose, "disk") == []
        (small_disk / "fill").write_bytes(b"x" * 960 * 1024)  # 1,024 KiB are all there is
        (found,) = bad(whose, "disk")
        assert found.status == "warn" and "retention set" in found.fix and found.evidence["free_bytes"] == 64 * 1024
        (small_disk / "more").write_bytes(b"x" * 60 * 1024)
        assert [one.status for one in bad(whose, "disk")] == ["error"]


def test_a_disk_without_room_for_files_is_an_error_though_it_has_room(small_disk: Path, tmp_path: Path) -> None:
    for n in range(196):
        (small_disk / str(n)).touch()
    with Store(str(small_disk / "root")) as store:
        (found,) = bad(patient(store, tmp_path), "disk")
        assert found.status == "error" and "files" in found.message


def test_a_disk_that_can_only_be_read_is_an_error(small_disk: Path, tmp_path: Path) -> None:
    if not os.path.ismount(small_disk):
        pytest.skip("only root may mount a disk to be read")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with Store(str(small_disk / "root")) as store:
        (found,) = bad(patient(store, tmp_path), "disk")
        assert found.status == "error" and "only be read" in found.message


def test_growth_goes_by_the_last_thirty_days_alone(store: Store) -> None:
    filled(store, [day(40), day(31), day(30), day(1)], events=30)
    found = growth.measure(patient(store))
    assert found is not None and (found.days, found.held_days, found.events_a_day) == (30, 2, 2)


def test_growth_is_measured_over_finished_days_empty_ones_too(store: Store) -> None:
    filled(store, [day(10), day(2), day(1), day(0)], events=50)
    found = growth.measure(patient(store))
    assert found is not None and (found.days, found.held_days) == (10, 3)
    assert found.events_a_day == 15
    sizes = [path_of(store, day(n)).stat().st_size for n in (10, 2, 1)]
    assert found.bytes_a_day == pytest.approx(sum(sizes) / 10)
    assert found.days_left == pytest.approx(found.free_bytes / found.bytes_a_day)


def test_a_disk_that_is_soon_full_is_told_unless_retention_sees_to_it(small_disk: Path, tmp_path: Path) -> None:
    with Store(str(small_disk / "root")) as store:
        filled(store, [day(n) for n in range(1, 4)], events=30)
        whose = patient(store, tmp_path, days_left_warn=30)
        (found,) = bad(whose, "growth")
        assert found.status == "warn" and "full in" in found.message and found.evidence["days"] == 3
        store.set_retention(Rules(Rule(max_age_s=4 * 86_400)))
        assert bad(whose, "growth") == []
        store.set_retention(Rules(Rule(max_age_s=40 * 86_400)))
        assert [one.status for one in bad(whose, "growth")] == ["warn"]
        assert bad(patient(store, tmp_path, days_left_warn=1), "growth") == []


@pytest.mark.parametrize(("lost_a_day", "statuses"), [(1 / 50, ["warn"]), (0, []), (-1 / 50, [])])
def test_a_disk_that_others_fill_is_told(store: Store, lost_a_day: float, statuses: list[str]) -> None:
    """It is full in fifty days; what the recorder itself writes would fit for years."""
    filled(store, [day(n) for n in range(1, 5)])
    free = disk.free_bytes(store.root)
    with Metrics(store.root) as metrics:
        for n in range(10):
            metrics.write(Sample(NOW_US - n * DAY_US, "server", gauges={growth.FREE: free * (1 + n * lost_a_day)}))
    found = bad(patient(store, days_left_warn=60), "growth")
    assert [one.status for one in found] == statuses
    assert all("full in 49 days" in one.message or "full in 50 days" in one.message for one in found)
    assert bad(patient(store, days_left_warn=40), "growth") == []


def test_two_days_are_no_forecast(store: Store) -> None:
    filled(store, [day(1), day(2)])
    (found,) = said(patient(store, days_left_warn=10**9), "growth")
    assert found.status == "ok" and "no forecast" in found.message


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


# modes


def test_a_file_that_the_world_may_read_is_found_and_closed(store: Store) -> None:
    filled(store, [day(1)])
    path = path_of(store, day(1))
    path.chmod(0o644)
    whose = patient(store)
    (found,) = bad(whose, "modes")
    assert found.status == "warn" and str(path) in found.message and f"chmod go= {path}" in found.fix
    assert repaired(whose, "modes") == ["made 1 file yours alone"]
    assert path.stat().st_mode & 0o777 == 0o600 and bad(whose, "modes") == []


def test_what_is_copied_at_the_moment_behind_a_closed_door_is_nobodys_trouble(store: Store) -> None:
    filled(store, [day(1)])
    made = path_of(store, day(1)).parent / ".copy-x"
    made.mkdir(mode=0o700)
    (made / "0.db").touch(mode=0o644)
    (made / "0.db").chmod(0o644)
    assert bad(patient(store), "modes") == []
    made.chmod(0o755)
    assert [one.evidence["closed"] for one in bad(patient(store), "modes")] == [True]


@pytest.mark.parametrize("name", ["secret.key", "tokens.json"])
def test_a_key_that_others_may_read_is_an_error_where_the_root_lets_them_in(store: Store, name: str) -> None:
    filled(store, [day(1)])
    path = Path(store.root, name)
    path.write_bytes(os.urandom(32))
    path.chmod(0o640)
    assert [one.status for one in bad(patient(store), "modes")] == ["warn"]  # they do not get there
    Path(store.root).chmod(0o755)
    assert [one.status for one in bad(patient(store), "modes")] == ["error"]


def test_the_folder_of_settings_is_looked_at_too(store: Store, tmp_path: Path) -> None:
    filled(store, [day(1)])
    home = tmp_path / "settings"
    home.mkdir(mode=0o700)
    (home / "eyelet.yaml").touch()
    (home / "eyelet.yaml").chmod(0o666)
    whose = patient(store, home)
    assert "eyelet.yaml" in bad(whose, "modes")[0].message
    repaired(whose, "modes")
    assert bad(whose, "modes") == []


def test_a_link_to_what_others_may_change_is_found_and_left_alone(store: Store, tmp_path: Path) -> None:
    filled(store, [day(1)])
    theirs = tmp_path / "theirs"
    theirs.touch()
    theirs.chmod(0o666)
    Path(store.root, "link").symlink_to(theirs)
    whose = patient(store)
    (found,) = bad(whose, "modes")
    assert "link" in found.message and found.repair is None
    theirs.chmod(0o600)
    assert bad(whose, "modes") == []


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root may give files away")
def test_a_file_of_another_owner_is_found_and_not_changed(store: Store) -> None:
    filled(store, [day(1)])
    path = path_of(store, day(1))
    os.chown(path, 12345, 12345)
    path.chmod(0o644)
    whose = patient(store)
    assert sorted("another owner" in one.message for one in bad(whose, "modes")) == [False, True]
    assert repaired(whose, "modes") == []
    assert path.stat().st_mode & 0o777 == 0o644


# handles


def test_many_open_files_are_found(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bad(patient(store), "handles") == []
    there = handles.open_now()
    assert there is not None
    monkeypatch.setattr(handles, "limit_of_files", lambda: there * 2)
    with ExitStack() as stack:
        for _ in range(there):
            stack.enter_context(open(os.devnull))
        (found,) = bad(patient(store), "handles")
        assert found.status == "warn" and "ulimit -n" in found.fix
    assert bad(patient(store), "handles") == []


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
