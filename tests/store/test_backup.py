"""A backup is whole at every moment, verified by reading, and restores to the byte; what is there already stays."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from eyelet_ingest.errors import BadInput, RootError
from eyelet_ingest.events import Event
from eyelet_ingest.store import connect, copier, identity, layout, sealing
from eyelet_ingest.store.backup import verify
from eyelet_ingest.store.catalog import Catalog
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store
from eyelet_ingest.store.tombstones import Tombstones
from eyelet_ingest.store.verify import verify as verify_seals
from tests.store.test_transfer import whole

SOAK = bool(os.environ.get("EYELET_SOAK"))
MOVERS = Path(__file__).parent / "movers.py"
DAY_US = 86_400_000_000
START_US = 1_773_792_000_000_000  # 2026-03-18T00:00:00Z
MakeEvent = Callable[..., Event]


@pytest.fixture
def filled(store: Store, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(copier, "SETTLED_NS", 0)
    identity.load_key(store.root)
    for day in range(3):
        store.append([make_event(START_US + day * DAY_US + n, data=f'{{"n": {n}}}') for n in range(20)], "My Shop")
    return store


@pytest.fixture
def saved(tmp_path: Path) -> str:
    return str(tmp_path / "saved")


def day_of(store: Store, number: int) -> PartitionKey:
    return store.catalog.partitions()[number]


def run_movers(folder: Path, what: str, rounds: int, seed: int = 20260320) -> None:
    """Let the proof run in a process of its own, for ever more rounds with EYELET_SOAK."""
    path = os.pathsep.join(one for one in sys.path if one)
    command = [sys.executable, str(MOVERS), str(folder), str(seed), str(rounds * 250 if SOAK else rounds), what]
    repository = str(Path(__file__).parents[2])
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": f"{repository}{os.pathsep}{path}"}
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(("what", "rounds"), [("import", 15), ("backup", 15), ("restore", 15)])
def test_whoever_is_killed_at_whatever_moment_leaves_what_was_or_what_is_to_be(
    tmp_path: Path, what: str, rounds: int
) -> None:
    run_movers(tmp_path, what, rounds)


def test_into_an_empty_root_a_backup_restores_to_the_byte(filled: Store, saved: str, tmp_path: Path) -> None:
    made = filled.backup(saved)
    assert (len(made.copied), made.failed) == (3, [])
    target = str(tmp_path / "target")
    with Store(target) as store:
        done = store.restore(saved)
    assert (len(done.placed), done.events, done.failed) == (3, 60, [])
    assert whole(target) == whole(filled.root)
    for key in filled.catalog.partitions():
        mine, theirs = layout.db_path(filled.root, key), layout.db_path(target, key)
        assert Path(mine).read_bytes() == Path(theirs).read_bytes()
        assert os.stat(theirs).st_mode & 0o777 == 0o600
    assert identity.load_key(target) == identity.load_key(filled.root)


def test_a_second_backup_copies_only_what_changed(filled: Store, saved: str, make_event: MakeEvent) -> None:
    filled.backup(saved)
    again = filled.backup(saved)
    assert (again.copied, again.unchanged) == ([], 3)
    filled.append([make_event(START_US + DAY_US + 500)], "My Shop")
    plan = filled.backup(saved, dry_run=True)
    assert plan.copied == [day_of(filled, 1)]
    assert filled.backup(saved).copied == plan.copied
    assert verify(saved).events == 61


def test_what_was_written_a_moment_ago_is_copied_again(
    filled: Store, saved: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files' times do not tell one write from the next in the same tick."""
    monkeypatch.setattr(copier, "SETTLED_NS", 10**12)
    filled.backup(saved)
    assert len(filled.backup(saved).copied) == 3


def test_a_day_that_is_open_for_writing_is_copied_with_what_is_committed(
    filled: Store, saved: str, make_event: MakeEvent
) -> None:
    with filled.bulk():
        filled.append([make_event(START_US + 999)], "My Shop")
        assert os.path.getsize(layout.db_path(filled.root, day_of(filled, 0)) + "-wal")
        filled.backup(saved)
        filled.append([make_event(START_US + 1000)], "My Shop")
    assert verify(saved).events == 61


def test_tables_of_others_and_what_makes_a_root_whole_come_along(filled: Store, saved: str, tmp_path: Path) -> None:
    path = layout.db_path(filled.root, day_of(filled, 0))
    conn = connect.open_writer(path)
    conn.execute("create table notes (about integer references hooks (id), note text)")
    conn.execute("insert into notes select id, 'mine' from hooks limit 1")
    conn.close()
    Tombstones.of(filled.root).remember("other", [b"x" * 16])
    (Path(filled.root) / "retention.json").write_text("{}")
    (Path(filled.root) / "archive" / "x").mkdir(parents=True)
    (Path(filled.root) / "archive" / "x" / "1.xz").write_bytes(b"packed")
    filled.backup(saved)
    target = str(tmp_path / "target")
    with Store(target) as store:
        done = store.restore(saved)
    assert {"retention.json", "archive/x/1.xz", "secret.key", "tombstones.sqlite"} <= set(done.files)
    assert Tombstones.of(target).counts() == {"other": 1}
    assert (Path(target) / "archive" / "x" / "1.xz").read_bytes() == b"packed"
    conn = connect.open_reader(layout.db_path(target, day_of(filled, 0)))
    assert conn.execute("select note from notes join hooks on id = about").fetchall() == [("mine",)]
    conn.close()


def test_into_a_used_root_missing_days_come_whole_and_others_get_what_they_lack(
    filled: Store, saved: str, tmp_path: Path, make_event: MakeEvent
) -> None:
    filled.backup(saved)
    with Store(str(tmp_path / "target")) as store:
        mine = make_event(START_US, data='{"mine": true}')
        store.append([mine], "My Shop")
        plan = store.restore(saved, dry_run=True)
        assert (plan.events, len(plan.placed), len(plan.merged)) == (60, 2, 1)
        assert store.count(Filter()).count == 1
        done = store.restore(saved)
        assert (done.events, len(done.placed), len(done.merged)) == (60, 2, 1)
        assert store.count(Filter()).count == 61
        assert (store.restore(saved).known, store.count(Filter()).count) == (60, 61)


def test_replacing_a_day_puts_the_backups_in_its_place_a_broken_one_too(
    filled: Store, saved: str, tmp_path: Path, make_event: MakeEvent
) -> None:
    before = whole(filled.root)
    filled.backup(saved)
    filled.append([make_event(START_US + 7_000)], "My Shop")
    Path(layout.db_path(filled.root, day_of(filled, 1))).write_bytes(b"this is no database" * 500)
    assert filled.count(Filter()).count == 41  # and its connections stay open
    done = filled.restore(saved, [day_of(filled, 0), day_of(filled, 1)], replace=True)
    assert (len(done.replaced), done.failed) == (2, [])
    assert whole(filled.root) == before
    assert filled.count(Filter()).count == 60


def test_what_was_deleted_since_stays_away_unless_it_is_forced(filled: Store, saved: str) -> None:
    filled.backup(saved)
    filled.delete(Filter(contexts=("My Shop",), since_us=START_US, until_us=START_US + DAY_US))
    filled.delete(Filter(contexts=("My Shop",), since_us=START_US + DAY_US, until_us=START_US + DAY_US + 5))
    done = filled.restore(saved)
    assert (done.events, done.dead) == (0, 25)
    assert filled.restore(saved, force=True).events == 25
    assert filled.count(Filter()).count == 60
    assert Tombstones.of(filled.root).counts().get(layout.safe_context("My Shop"), 0) == 0


@pytest.mark.parametrize("damage", ["bytes", "gone", "other", "file"])
def test_verify_names_what_is_not_as_it_was_and_restore_takes_the_rest(
    filled: Store, saved: str, tmp_path: Path, damage: str
) -> None:
    filled.backup(saved)
    assert verify(saved).failed == []
    path = Path(layout.db_path(saved, day_of(filled, 1)))
    if damage == "bytes":
        content = bytearray(path.read_bytes())
        content[5000] ^= 1
        path.write_bytes(content)
    elif damage == "gone":
        path.unlink()
    elif damage == "other":
        shutil.copy(layout.db_path(saved, day_of(filled, 0)), path)
    else:
        (Path(saved) / "secret.key").write_bytes(b"x" * 32)
    checked = verify(saved)
    assert len(checked.failed) == 1
    with Store(str(tmp_path / "target")) as store:
        done = store.restore(saved)
        assert len(done.failed) == (damage != "gone")
        assert store.count(Filter()).count == (60 if damage == "file" else 40)
    assert (tmp_path / "target" / "secret.key").exists() == (damage != "file")


def test_a_broken_day_is_named_and_the_backups_older_copy_stays(filled: Store, saved: str) -> None:
    filled.backup(saved)
    path = Path(layout.db_path(filled.root, day_of(filled, 1)))
    path.write_bytes(b"this is no database" * 500)
    made = filled.backup(saved)
    assert [bad.day for bad in made.failed] == ["2026-03-19"]
    assert (verify(saved).events, verify(saved).failed) == (60, [])


def test_a_folder_that_can_be_no_backup_is_refused(filled: Store, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter").write_text("dear")
    (tmp_path / "file").write_text("dear")
    for target in (filled.root, f"{filled.root}/in", str(tmp_path), str(tmp_path / "full"), str(tmp_path / "file")):
        with pytest.raises(BadInput):
            filled.backup(target)
    with pytest.raises(BadInput):
        filled.restore(str(tmp_path / "full"))
    with pytest.raises(BadInput):
        verify(str(tmp_path / "full"))


def test_a_manifest_that_is_none_is_named_and_nothing_is_restored(filled: Store, saved: str) -> None:
    filled.backup(saved)
    for content in ("{", "[]", json.dumps({"eyelet_backup": 99}), json.dumps({"eyelet_backup": 1, "files": 3})):
        (Path(saved) / "backup.json").write_text(content)
        with pytest.raises(RootError):
            verify(saved)


def test_a_backup_is_a_root_that_can_be_searched(filled: Store, saved: str) -> None:
    filled.backup(saved)
    with Store(saved) as store:
        assert store.count(Filter()).count == 60


def test_only_the_days_asked_for_are_copied(filled: Store, saved: str) -> None:
    filled.backup(saved, [day_of(filled, 1)])
    assert Catalog(saved).partitions() == [day_of(filled, 1)]
    filled.backup(saved, [day_of(filled, 2)])
    assert (verify(saved).days, verify(saved).failed) == (2, [])


def states(root: str) -> list[str]:
    """What `verify` says of each day."""
    with Store(root) as store:
        return [one.state for one in verify_seals(root, store.catalog.partitions())]


def test_sealed_days_are_unchanged_in_an_empty_root_and_after_each_way_back(
    filled: Store, saved: str, tmp_path: Path, make_event: MakeEvent
) -> None:
    for key in filled.catalog.partitions():
        sealing.seal(filled.root, key)
    filled.backup(saved)
    target = str(tmp_path / "target")
    with Store(target) as store:
        store.restore(saved)
        assert states(target) == ["unchanged"] * 3
        store.append([make_event(START_US + 5_000)], "My Shop")
        store.restore(saved)  # merges
        assert states(target) == ["late events", "unchanged", "unchanged"]
        sealing.seal(target, day_of(store, 0))
        store.restore(saved, replace=True)
        assert states(target) == ["unchanged"] * 3
        store.delete(Filter(contexts=("My Shop",), until_us=START_US + DAY_US))
        store.restore(saved, force=True)
        assert states(target) == ["unchanged"] * 3
        assert store.count(Filter()).count == 60


def test_a_sealed_day_that_was_lost_comes_back_from_an_older_backup(
    filled: Store, saved: str, make_event: MakeEvent
) -> None:
    sealing.seal(filled.root, day_of(filled, 0))
    filled.backup(saved)
    filled.append([make_event(START_US + 5_000)], "My Shop")
    sealing.seal(filled.root, day_of(filled, 0))
    shutil.rmtree(layout.partition_dir(filled.root, day_of(filled, 0)))
    filled.restore(saved)
    assert states(filled.root)[0] == "unchanged"


@pytest.mark.parametrize("at", range(8))
@pytest.mark.parametrize("is_first", [True, False])
def test_whoever_is_stopped_between_a_day_and_its_seal_leaves_a_day_that_is_proven(
    filled: Store, saved: str, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch, at: int, is_first: bool
) -> None:
    for round_ in range(1 if is_first else 2):
        filled.append([make_event(START_US + day * DAY_US + 5_000 + round_) for day in range(3)], "My Shop")
        for key in filled.catalog.partitions():
            sealing.seal(filled.root, key, reason="again", force=True)
        if not is_first and round_ == 0:
            filled.backup(saved)
    replace, left = os.replace, [at]

    def stop(source: str, target: str) -> None:
        if target.startswith(saved) and os.path.basename(target) != "backup.json":
            if not left[0]:
                raise KeyboardInterrupt
            left[0] -= 1
        replace(source, target)

    monkeypatch.setattr(os, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        filled.backup(saved)
    monkeypatch.setattr(os, "replace", replace)
    if os.path.exists(os.path.join(saved, ".backup.jsonl")):  # else it was stopped before there was anything
        expect_proven(saved, f"{saved}-1", is_whole=not is_first)
    filled.backup(saved)
    assert filled.backup(saved).copied == []
    expect_proven(saved, f"{saved}-2")
    assert len(list(Path(saved).rglob("manifest.json"))) == 3 and not list(Path(saved).rglob("*.next"))


def expect_proven(saved: str, target: str, is_whole: bool = True) -> None:
    """What a backup has of sealed days is as it was sealed, and comes back so."""
    assert {one.error for one in verify(saved).failed} <= (set() if is_whole else {"No such file or directory"})
    with Store(target) as store:
        assert store.restore(saved).failed == []
    assert set(states(target)) <= {"unchanged"}


def test_the_seal_beside_a_day_goes_with_it(filled: Store, saved: str, tmp_path: Path) -> None:
    sealing.seal(filled.root, day_of(filled, 0))
    beside = Path(layout.partition_dir(filled.root, day_of(filled, 0))) / "manifest.json"
    was = beside.read_bytes()
    filled.backup(saved)
    target = str(tmp_path / "target")
    with Store(target) as store:
        store.restore(saved)
    there = Path(layout.partition_dir(target, day_of(filled, 0))) / "manifest.json"
    assert there.read_bytes() == was
    beside.unlink()
    Path(layout.db_path(filled.root, day_of(filled, 0))).touch()
    filled.backup(saved)
    assert verify(saved).failed == []
    assert not (Path(layout.partition_dir(saved, day_of(filled, 0))) / "manifest.json").exists()
