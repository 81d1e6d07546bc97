"""Each check of WALs, disks, modes and open files finds the bad thing that was made for it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import pytest

from eyelet_ingest.health import disk, growth, handles, readers
from eyelet_ingest.store import connect, examined
from eyelet_ingest.store.layout import DAY_US
from eyelet_ingest.store.metrics import Checkpointing, Metrics, Sample
from eyelet_ingest.store.retention import Rule, Rules
from eyelet_ingest.store.store import Store
from tests.health.patients import (
    FIXED,
    NOW_US,
    aged,
    bad,
    day,
    filled,
    path_of,
    patient,
    reading,
    repaired,
    said,
)

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
    assert (
        found.status == "error"
        and f"process {reader.pid}" in found.message
        and f"end process {reader.pid}, then: " in found.fix
    )
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


# disk, growth


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A disk of one MiB with room for 200 files: a real one, where one may mount it; else a lie told by statvfs."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if _is_mounted(folder, "size=1m,nr_inodes=200,mode=0700"):
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


def _is_mounted(folder: Path, options: str) -> bool:
    mount = shutil.which("mount")
    command = [mount or "", "-t", "tmpfs", "-o", options, "none", str(folder)]
    return mount is not None and subprocess.run(command, capture_output=True).returncode == 0


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
