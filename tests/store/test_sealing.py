"""A sealed day is proven to be what it was, or told what became of it. Sealing loses nothing, whoever is killed."""

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from eyelet_ingest.errors import BadInput, PartitionBusy, PartitionUnreadable, RootError
from eyelet_ingest.events import Event
from eyelet_ingest.store import connect, layout, manifest, schema, sealing, verify
from eyelet_ingest.store.compact import compact
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

DAY = PartitionKey("default", 2026, 79)
NEXT = PartitionKey("default", 2026, 80)
LAST = PartitionKey("default", 2026, 81)
HOUR_US = 3_600_000_000
MakeEvent = Callable[..., Event]
VICTIMS = Path(__file__).parent / "keepers.py"
SOAK = bool(os.environ.get("EYELET_SOAK"))


@pytest.fixture
def filled(store: Store, make_event: MakeEvent) -> Store:
    """Three days of forty events each."""
    data = json.dumps({"text": "x" * 700})
    for key in (DAY, NEXT, LAST):
        first = key.bounds_us[0]
        store.append([make_event(first + n * HOUR_US // 2, src=f"a.b{n}", data=data) for n in range(40)])
    return store


@pytest.fixture
def sealed(filled: Store) -> Store:
    for key in (DAY, NEXT, LAST):
        filled.seal(key)
    return filled


def states(store: Store) -> list[str]:
    return [one.state for one in store.verify()]


def state(store: Store, key: PartitionKey = DAY) -> verify.Verified:
    return next(store.verify([key]))


def alter(store: Store, sql: str, key: PartitionKey = DAY) -> None:
    """As another program does, which knows nothing of locks."""
    conn = connect.driver().connect(layout.db_path(store.root, key), isolation_level=None)
    conn.execute(sql)
    conn.close()


def test_a_sealed_day_is_unchanged_and_a_plain_sha256_agrees(sealed: Store) -> None:
    assert states(sealed) == [verify.UNCHANGED] * 3
    said = json.loads(Path(manifest.path_of(sealed.root, DAY)).read_text())
    path = Path(layout.db_path(sealed.root, DAY))
    assert said["seals"][-1]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (said["day"], said["seals"][-1]["rows"], len(said["seals"])) == ("2026-03-20", 40, 1)
    assert not any(path.with_name(path.name + side).exists() for side in ("-wal", "-shm", "-journal"))


def test_the_digest_over_rows_is_what_the_docs_say(sealed: Store) -> None:
    seal = manifest.read(sealed.root, DAY).newest  # type: ignore[union-attr]
    conn = connect.open_reader(layout.db_path(sealed.root, DAY))
    rows = conn.execute(f"select {', '.join(seal.columns)} from hooks order by id").fetchall()
    conn.close()
    assert hashlib.sha256("".join(f"{row!a}\n" for row in rows).encode()).hexdigest() == seal.rows_sha256
    assert seal.columns == schema.COLUMNS


def test_sealing_an_unchanged_day_again_changes_nothing(sealed: Store) -> None:
    before = Path(manifest.path_of(sealed.root, DAY)).read_bytes()
    assert not sealed.seal(DAY).fresh
    assert Path(manifest.path_of(sealed.root, DAY)).read_bytes() == before


def test_no_recorded_text_stands_in_a_manifest_or_a_register(store: Store, make_event: MakeEvent) -> None:
    store.append([make_event(DAY.bounds_us[0], session_id="geheim", src="geheim", data='{"a": "geheim"}')])
    store.seal(DAY)
    for path in (manifest.path_of(store.root, DAY), manifest.register_path(store.root, "default")):
        assert "geheim" not in Path(path).read_text()
        assert os.stat(path).st_mode & 0o777 == 0o600


def test_a_day_that_is_not_over_cannot_be_sealed(store: Store, make_event: MakeEvent) -> None:
    now_us = time.time_ns() // 1_000
    store.append([make_event(now_us)])
    with pytest.raises(BadInput, match="not over"):
        store.seal(layout.key_for("default", now_us))


def test_a_day_that_is_not_there_cannot_be_sealed_and_is_not_made(store: Store) -> None:
    with pytest.raises(PartitionUnreadable, match="no such day"):
        store.seal(DAY)
    assert not os.path.exists(layout.logs_dir(store.root))


def test_a_day_that_others_sealed_while_its_lock_was_waited_for_is_sealed_and_not_changed(
    sealed: Store, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    count_first = sealing._count_first

    def with_others(root: str, key: PartitionKey) -> None:
        count_first(root, key)
        monkeypatch.setattr(sealing, "_count_first", count_first)
        assert sealing.seal(root, key).fresh

    sealed.append([make_event(DAY.bounds_us[0] + 7)])
    monkeypatch.setattr(sealing, "_count_first", with_others)
    done = sealed.seal(DAY)
    assert (done.fresh, done.seal.rows) == (False, 41)
    assert states(sealed) == [verify.UNCHANGED] * 3


def test_a_late_event_is_told_and_seals_again_with_the_reason(sealed: Store, make_event: MakeEvent) -> None:
    sealed.append([make_event(DAY.bounds_us[0] + 7)])
    found = state(sealed)
    assert (found.state, found.late, found.is_good) == (verify.LATE, 1, True)
    again = sealed.seal(DAY)
    assert (again.seal.reason, again.seal.rows, again.fresh) == ("late events", 41, True)
    assert states(sealed) == [verify.UNCHANGED] * 3


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("update hooks set data = '{}' where id = (select min(id) from hooks)", "events"),
        ("update hooks set src = 'other' where id = (select max(id) from hooks)", "events"),
        ("update hooks set uid = randomblob(16) where id = (select max(id) from hooks)", "events"),
        ("delete from hooks where id = (select max(id) from hooks)", "events"),
        ("create table notes (text)", "file"),
        ("drop index hooks_src", "file"),
    ],
    ids=lambda text: text.split(" where")[0],
)
def test_whatever_another_program_changed_is_told(sealed: Store, sql: str, what: str) -> None:
    alter(sealed, sql)
    found = state(sealed)
    assert (found.state, found.what, found.is_good) == (verify.CHANGED, what, False)
    with pytest.raises(sealing.Changed):
        sealed.seal(DAY)
    assert sealed.seal(DAY, force=True).seal.reason == "accepted as it is"
    assert states(sealed) == [verify.UNCHANGED] * 3


def test_any_single_byte_of_the_file_that_changed_is_told(sealed: Store) -> None:
    path = Path(layout.db_path(sealed.root, DAY))
    whole = path.read_bytes()
    chance = random.Random(20260320)
    for _ in range(400 if SOAK else 25):
        at = chance.randrange(len(whole))
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << chance.randrange(8)]) + whole[at + 1 :])
        assert state(sealed).state in (verify.CHANGED, verify.UNREADABLE), at
    path.write_bytes(whole[:-4096])
    assert not state(sealed).is_good
    path.write_bytes(whole)
    assert states(sealed) == [verify.UNCHANGED] * 3


def test_a_change_beside_a_late_event_is_told(sealed: Store, make_event: MakeEvent) -> None:
    sealed.append([make_event(DAY.bounds_us[0] + 7)])
    alter(sealed, "update hooks set data = '{}' where id = (select max(id) from hooks)")
    assert (state(sealed).state, state(sealed).what) == (verify.CHANGED, "events")


def test_a_day_that_went_without_us_is_missing(sealed: Store) -> None:
    os.unlink(layout.db_path(sealed.root, NEXT))
    assert states(sealed) == [verify.UNCHANGED, verify.MISSING, verify.UNCHANGED]
    os.unlink(manifest.path_of(sealed.root, NEXT))
    assert states(sealed) == [verify.UNCHANGED, verify.MISSING, verify.BROKEN]


def test_the_last_day_of_a_chain_is_missed_too(sealed: Store) -> None:
    folder = Path(layout.partition_dir(sealed.root, LAST))
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    assert states(sealed) == [verify.UNCHANGED, verify.UNCHANGED, verify.MISSING]


def test_a_manifest_that_is_gone_replaced_or_edited_breaks_the_chain(sealed: Store) -> None:
    path = Path(manifest.path_of(sealed.root, NEXT))
    kept = path.read_text()
    path.unlink()
    assert states(sealed) == [verify.UNCHANGED, verify.BROKEN, verify.BROKEN]
    path.write_text(kept.replace('"rows": 40', '"rows": 41'))
    assert states(sealed) == [verify.UNCHANGED, verify.BROKEN, verify.UNCHANGED]
    for garbage in ("", "[]", "{}", "\x00", '{"format": 1}', kept.replace("2026-03-21", "2026-03-22"), "[" * 100_000):
        path.write_text(garbage)
        assert state(sealed, NEXT).state == verify.BROKEN
    path.write_text(kept)
    assert states(sealed) == [verify.UNCHANGED] * 3
    path.unlink()
    sealed.seal(NEXT)  # a new one, which knows nothing of the old
    assert states(sealed) == [verify.UNCHANGED, verify.BROKEN, verify.BROKEN]


def test_a_day_whose_seals_are_lost_is_accepted_by_force_and_holds_for_the_days_after_it(sealed: Store) -> None:
    os.unlink(manifest.path_of(sealed.root, NEXT))
    assert sealed.seal(NEXT, force=True).seal.reason == "accepted as it is"
    assert states(sealed) == [verify.UNCHANGED] * 3
    path = Path(manifest.path_of(sealed.root, NEXT))
    path.write_text(path.read_text().replace('"rows": 40', '"rows": 41'))
    assert states(sealed)[1] == verify.BROKEN  # what was accepted is proven like any other


def test_a_backup_from_before_a_day_was_sealed_brings_it_back_unsealed(filled: Store, tmp_path: Path) -> None:
    saved = str(tmp_path / "saved")
    filled.backup(saved)
    for key in (DAY, NEXT, LAST):
        filled.seal(key)
    shutil.rmtree(layout.partition_dir(filled.root, NEXT))
    filled.restore(saved)
    assert states(filled) == [verify.UNCHANGED, verify.NOT_SEALED, verify.UNCHANGED]


def test_sealing_a_day_again_breaks_no_later_days_link(sealed: Store, make_event: MakeEvent) -> None:
    for _ in range(3):
        sealed.append([make_event(DAY.bounds_us[0] + 7)])
        sealed.seal(DAY)
    assert states(sealed) == [verify.UNCHANGED] * 3
    assert len(manifest.read(sealed.root, DAY).seals) == 4  # type: ignore[union-attr]


def test_days_sealed_in_any_order_make_a_chain_that_holds(filled: Store) -> None:
    for key in (LAST, DAY, NEXT):
        filled.seal(key)
    assert states(filled) == [verify.UNCHANGED] * 3


@pytest.mark.parametrize("lines_kept", range(6))
def test_a_register_that_was_cut_or_lost_is_told(sealed: Store, lines_kept: int) -> None:
    path = Path(manifest.register_path(sealed.root, "default"))
    lines = path.read_bytes().splitlines(keepends=True)
    assert len(lines) == 6  # each seal is announced, and remembered
    path.write_bytes(b"".join(lines[:lines_kept]))
    known = (lines_kept + 1) // 2
    assert states(sealed) == [verify.UNCHANGED] * known + [verify.BROKEN] * (3 - known)
    for key in (DAY, NEXT, LAST):
        sealed.seal(key)  # hides nothing of it
    assert states(sealed) == [verify.UNCHANGED] * known + [verify.BROKEN] * (3 - known)


def test_whoever_is_stopped_at_any_step_of_sealing_leaves_nothing_to_complain_of(
    filled: Store, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    for again in (False, True):
        for name in ("announce", "write", "remember"):
            with monkeypatch.context() as patched:
                patched.setattr(manifest, name, _stopped)
                with pytest.raises(KeyboardInterrupt):
                    filled.seal(DAY)
            expected = verify.UNCHANGED if name == "remember" else verify.LATE if again else verify.NOT_SEALED
            assert state(filled, DAY).state == expected
        filled.seal(DAY)
        assert state(filled, DAY).state == verify.UNCHANGED
        filled.append([make_event(DAY.bounds_us[0] + 7)])


def _stopped(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_register_whose_last_line_is_half_loses_nothing(filled: Store) -> None:
    filled.seal(DAY)
    path = Path(manifest.register_path(filled.root, "default"))
    with path.open("a") as file:
        file.write('{"day": "2026-')
    assert states(filled)[0] == verify.UNCHANGED
    filled.seal(NEXT)
    assert states(filled) == [verify.UNCHANGED, verify.UNCHANGED, verify.NOT_SEALED]
    path.write_text("garbage\n" + path.read_text())
    with pytest.raises(RootError, match="line 1 is damaged"):
        states(filled)


def test_deleting_seals_again_and_says_so(sealed: Store) -> None:
    sealed.delete(Filter(src=("a.b3",)))
    assert states(sealed) == [verify.UNCHANGED] * 3
    newest = manifest.read(sealed.root, DAY).newest  # type: ignore[union-attr]
    assert (newest.reason, newest.rows) == ("deleted", 39)


def test_a_day_deleted_whole_is_said_to_be_removed_and_breaks_no_link(sealed: Store) -> None:
    first, end = NEXT.bounds_us
    sealed.delete(Filter(since_us=first, until_us=end))
    assert states(sealed) == [verify.UNCHANGED, verify.GONE, verify.UNCHANGED]


def test_whoever_is_stopped_between_deleting_and_sealing_leaves_a_day_that_says_so(
    sealed: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise PartitionBusy("seal", "", "stopped")

    with monkeypatch.context() as patched:
        patched.setattr(sealing, "reseal_after", stopped)
        sealed.delete(Filter(src=("a.b3",), until_us=DAY.bounds_us[1]))
    found = state(sealed)
    assert (found.state, found.detail, found.is_good) == (verify.REOPENED, "deleted", True)
    assert sealed.seal(DAY).seal.reason == "deleted"
    assert states(sealed) == [verify.UNCHANGED] * 3


def test_writing_a_day_anew_or_bringing_it_up_leaves_it_sealed(sealed: Store) -> None:
    sealed.vacuum(DAY)
    sealed.migrate(NEXT)
    assert states(sealed) == [verify.UNCHANGED] * 3
    assert manifest.read(sealed.root, DAY).newest.reason == sealing.COMPACTED  # type: ignore[union-attr]


def test_what_reads_and_maintains_a_sealed_day_leaves_every_byte_of_it(store: Store, make_event: MakeEvent) -> None:
    store.append([make_event(DAY.bounds_us[0] + n) for n in range(600)])
    store.seal(DAY)
    with Store(store.root) as other:
        other.maintain(10_000)
        other.summary(Filter())
        other.search(Filter(src=("a",)))
        other.checkpoint(DAY, "truncate")
    assert store.summary(Filter()).events == 600
    assert states(store) == [verify.UNCHANGED]


def test_a_sealed_day_is_no_larger_and_has_statistics(store: Store, make_event: MakeEvent) -> None:
    for n in range(600):  # out of order, as many hooks write
        store.append([make_event(DAY.bounds_us[0] + (n * 7919 % 600) * 1_000_000, data='{"a":"%s"}' % ("x" * n))])
    store.checkpoint(DAY, "truncate")
    done = store.seal(DAY)
    assert done.seal.bytes < done.bytes_before
    conn = connect.open_reader(layout.db_path(store.root, DAY))
    assert conn.execute("select count(*) from eyelet_hours").fetchone() == (24,)
    assert conn.execute("pragma freelist_count").fetchone() == (0,)
    conn.close()


def test_a_damaged_day_is_not_sealed(filled: Store) -> None:
    path = Path(layout.db_path(filled.root, DAY))
    filled.checkpoint(DAY, "truncate")
    whole = bytearray(path.read_bytes())
    whole[4096 * 5 : 4096 * 6] = os.urandom(4096)
    path.write_bytes(whole)
    with pytest.raises(PartitionUnreadable):
        filled.seal(DAY)
    assert manifest.read(filled.root, DAY) is None


def test_a_reader_that_keeps_the_wal_is_waited_for_and_then_named(
    filled: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "READERS_WAIT_MS", 20)
    reader = connect.open_reader(layout.db_path(filled.root, DAY))
    reader.execute("begin")
    reader.execute("select count(*) from hooks").fetchone()
    with pytest.raises(PartitionBusy, match="reader"):
        filled.seal(DAY)
    assert reader.execute("select count(*) from hooks").fetchone() == (40,)
    reader.close()
    assert filled.seal(DAY).fresh


def test_maintenance_seals_by_itself_only_where_that_was_asked_for(filled: Store) -> None:
    assert filled.maintain(10_000).sealed == 0
    sealing.set_after_days(filled.root, 2)
    with Store(filled.root) as other:
        assert [other.maintain(10_000).sealed for _ in range(4)] == [1, 1, 1, 0]
    assert states(filled) == [verify.UNCHANGED] * 3
    sealing.set_after_days(filled.root, None)
    assert sealing.after_days(filled.root) is None


def test_a_setting_that_is_none_is_named_and_hinders_no_maintenance(filled: Store) -> None:
    for text in ("", "{}", '{"after_days": "2"}', '{"after_days": -1}', "[]"):
        Path(filled.root, sealing.SETTINGS).write_text(text)
        with pytest.raises(RootError, match="--after-days"):
            sealing.after_days(filled.root)
        assert filled.maintain(10_000).troubled == []


def test_maintenance_seals_a_day_with_late_events_when_it_has_been_quiet(
    sealed: Store, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed.append([make_event(DAY.bounds_us[0] + 7)])
    assert sealed.maintain(10_000).sealed == 0
    assert state(sealed).state == verify.LATE
    monkeypatch.setattr(sealing, "QUIET_US", 0)
    assert sealed.maintain(10_000).sealed == 1
    assert states(sealed) == [verify.UNCHANGED] * 3


def test_maintenance_hides_no_change(sealed: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "QUIET_US", 0)
    alter(sealed, "delete from hooks where id = (select max(id) from hooks)")
    sealed.maintain(10_000)
    assert state(sealed).state == verify.CHANGED


def test_a_root_in_memory_has_no_seals() -> None:
    with Store.in_memory() as store:
        with pytest.raises(BadInput):
            store.seal(DAY)
        with pytest.raises(BadInput):
            store.verify()


def test_text_that_is_no_utf8_is_part_of_what_is_proven(filled: Store) -> None:
    alter(filled, "update hooks set src = cast(x'ff61' as text) where id = (select min(id) from hooks)")
    filled.seal(DAY)
    assert state(filled).state == verify.UNCHANGED
    alter(filled, "update hooks set src = cast(x'fe61' as text) where id = (select min(id) from hooks)")
    assert (state(filled).state, state(filled).what) == (verify.CHANGED, "events")


def test_writing_anew_keeps_the_numbers_of_rows_that_have_no_key(filled: Store) -> None:
    path = layout.db_path(filled.root, DAY)
    conn = connect.open_writer(path)
    conn.execute("create table notes (text)")
    conn.executemany("insert into notes values (?)", [(f"word{n}",) for n in range(20)])
    conn.execute("create virtual table found using fts5(text, content=notes)")
    conn.execute("delete from notes where rowid % 2 = 0")
    conn.execute("insert into found (found) values ('rebuild')")
    before = conn.execute("select rowid, text from notes").fetchall()
    compact(conn, path)
    assert conn.execute("select rowid, text from notes").fetchall() == before
    assert conn.execute("select text from found where found match 'word8'").fetchall() == [("word8",)]
    conn.close()


def test_writing_anew_gives_way_to_a_program_that_writes_meanwhile(
    filled: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from eyelet_ingest.store import compact as module

    path = layout.db_path(filled.root, DAY)
    bring_back, number = module.bring_back, iter(range(100))

    def interrupted(name: str, conn: object, still: Callable[[int, int, int], None]) -> None:
        alter(filled, f"create table notes{next(number)} (text)")
        bring_back(name, conn, still)

    monkeypatch.setattr(module, "bring_back", interrupted)
    conn = connect.open_writer(path)
    with pytest.raises(PartitionBusy, match="another program wrote"):
        compact(conn, path)
    assert conn.execute("select count(*) from sqlite_master where name like 'notes%'").fetchone() == (3,)
    assert conn.execute("pragma integrity_check").fetchone() == ("ok",)
    conn.close()


def test_whoever_is_killed_while_days_are_kept_has_done_all_or_nothing(root: str) -> None:
    """Sealing, writing anew, archiving with removal, restoring and lending, each stopped at any moment."""
    rounds = 10_000 if SOAK else 80
    command = [sys.executable, str(VICTIMS), root, "kill", "20260320", str(rounds)]
    path = os.pathsep.join(one for one in sys.path if one)
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path})
    assert (done.returncode, done.stderr) == (0, "")


def test_many_write_and_read_while_days_are_sealed_written_anew_and_archived(root: str) -> None:
    """Nothing that was acknowledged is lost, and no reader meets an error."""
    writers, readers, events = (20, 20, 400) if SOAK else (20, 20, 15)
    command = [sys.executable, str(VICTIMS), root, "together", "7", str(writers), str(readers), str(events)]
    path = os.pathsep.join(one for one in sys.path if one)
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path})
    assert (done.returncode, done.stderr) == (0, "")
