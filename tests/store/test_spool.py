"""What waits in the spool comes out exactly once, in order, whatever happens in between."""

import json
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from eyelet_ingest.errors import PartitionBusy, PartitionUnreadable
from eyelet_ingest.events import Event
from eyelet_ingest.store import connect, layout, spool, writer
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

DAY = layout.PartitionKey("default", 2026, 79)
NOON = DAY.bounds_us[0] + layout.DAY_US // 2
MakeEvent = Callable[..., Event]


def put(root: str, event: Event, key: layout.PartitionKey = DAY, given: str = "default") -> str:
    return spool.put(root, key, given, writer.row_of(event), "the reason")


def test_what_was_spooled_is_stored_whole_and_in_order(store: Store, make_event: MakeEvent) -> None:
    events = [make_event(NOON - at, session_id=f"s{at}", data=f'{{"é\\n":{at}}}', meta={"a": [at]}) for at in range(20)]
    for event in events:
        put(store.root, event)
    done = store.drain_spool()
    assert (done.stored, done.known, done.bad, done.left) == (20, 0, 0, 0)
    rows = sorted(store.search(Filter()).rows, key=lambda row: int(str(row["arrived"])))
    assert [row["session_id"] for row in rows] == [f"s{at}" for at in range(20)]
    assert [(row["data"], row["meta"]) for row in rows] == [
        (e.data, json.dumps(e.meta).replace(" ", "")) for e in events
    ]
    assert store.drain_spool().stored == 0


def test_a_crash_between_commit_and_unlink_doubles_nothing(
    store: Store, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store.root, make_event(NOON))

    def die(path: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(spool.os, "unlink", die)
        with pytest.raises(KeyboardInterrupt):
            store.drain_spool()
    done = store.drain_spool()
    assert (done.stored, done.known, done.left) == (0, 1, 0)
    assert store.count(Filter()).count == 1


def test_the_spool_is_private(store: Store, make_event: MakeEvent) -> None:
    path = put(store.root, make_event(NOON))
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o700


def test_a_file_that_is_no_event_is_set_aside_with_the_reason(store: Store, make_event: MakeEvent) -> None:
    folder = Path(put(store.root, make_event(NOON))).parent
    contents = [b"", b"{", b"[]", b'{"v":1}', b'{"v":1,"given":"x","uid":"zz","time_us":1,"row":[]}', b"\xff\x00"]
    for at, content in enumerate(contents):
        (folder / f"{at:020d}-1-default-2026-079.json").write_bytes(content)
    (folder / "whatever.json").write_bytes(b"{}")
    done = store.drain_spool()
    assert (done.stored, done.bad, done.left) == (1, 7, 0)
    kept = sorted((folder / "bad").iterdir())
    assert len([path for path in kept if path.suffix == ".json"]) == 7
    assert all(path.read_text().strip() for path in kept if path.suffix == ".why")


def test_a_day_that_cannot_take_its_events_leaves_them_waiting_and_hinders_no_other(
    store: Store, make_event: MakeEvent
) -> None:
    store.append([make_event(NOON)])
    Path(layout.db_path(store.root, DAY)).write_bytes(b"garbage " * 1000)
    next_day = layout.PartitionKey("default", 2026, 80)
    for at in range(3):
        put(store.root, make_event(NOON + at))
        put(store.root, make_event(NOON + layout.DAY_US + at), next_day)
    done = store.drain_spool()
    assert (done.stored, done.left) == (3, 3)
    assert "not a database" in done.reasons[0]
    os.unlink(layout.db_path(store.root, DAY))
    assert store.drain_spool().stored == 3


def test_two_drains_at_once_do_the_work_once(store: Store, make_event: MakeEvent) -> None:
    put(store.root, make_event(NOON))
    with connect.FileLock(os.path.join(store.root, "spool", "drain.lock"), time.monotonic_ns()):
        waits = store.drain_spool()
        assert (waits.stored, waits.left, waits.reasons) == (0, 1, ["another drain is at work"])
    assert store.drain_spool().stored == 1


def test_a_root_that_takes_nothing_sends_its_events_to_another_disk_and_gets_them_back(
    tmp_path: Path, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    (tmp_path / "run").mkdir()
    root = tmp_path / "root"
    root.mkdir()
    (root / "spool").write_text("a file where the folder should be")
    path = put(str(root), make_event(NOON))
    assert path.startswith(str(tmp_path / "run"))
    assert put(str(tmp_path / "other"), make_event(NOON)).startswith(str(tmp_path / "other"))
    (root / "spool").unlink()
    with Store(str(root)) as store:
        assert store.drain_spool().stored == 1
        assert store.count(Filter()).count == 1


def test_a_folder_that_another_user_prepared_is_not_used(tmp_path: Path) -> None:
    folder = tmp_path / "eyelet-0-abc"
    folder.mkdir(mode=0o755)
    folder.chmod(0o777)
    with pytest.raises(PermissionError):
        spool.make_own_dir(str(folder))


def test_a_busy_day_is_given_up_at_the_deadline_and_named(store: Store, make_event: MakeEvent) -> None:
    store.append([make_event(NOON)])
    row = writer.row_of(make_event(NOON))
    with connect.FileLock(layout.lock_path(store.root, DAY), time.monotonic_ns()), pytest.raises(PartitionBusy):
        writer.insert(store.root, DAY, "default", [row], time.monotonic_ns() + 10_000_000)


def test_a_day_that_another_program_keeps_locked_is_busy_not_broken(store: Store, make_event: MakeEvent) -> None:
    store.append([make_event(NOON)])
    other = connect.open_writer(layout.db_path(store.root, DAY))
    other.execute("begin immediate")
    row = writer.row_of(make_event(NOON))
    with pytest.raises(PartitionBusy):
        writer.insert(store.root, DAY, "default", [row], time.monotonic_ns() + 10_000_000)
    other.execute("rollback")
    other.close()
    assert writer.insert(store.root, DAY, "default", [row], time.monotonic_ns() + 10**9) == 1


def test_a_full_disk_refuses_the_events_and_stores_them_later(store: Store, make_event: MakeEvent) -> None:
    """A limit on the file's pages is what a full disk looks like to SQLite: SQLITE_FULL."""
    store.append([make_event(NOON)])
    path = layout.db_path(store.root, DAY)
    opened = connect.open_writer

    def full(path: str, **options: object) -> object:
        conn = opened(path, **options)  # type: ignore[arg-type]
        conn.execute("pragma max_page_count = 1")
        return conn

    big = make_event(NOON + 1, data=json.dumps({"a": "x" * 200_000}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "open_writer", full)
        (refused,) = store.append([big]).refused
    assert isinstance(refused.error, PartitionUnreadable)
    assert "the disk is full: make room" in str(refused.error)
    assert os.path.exists(path)
    assert store.append(refused.events).stored == 1


def forged(folder: Path, make_event: MakeEvent) -> None:
    """A well-formed event, as anyone on the machine could put it where it would be looked for."""
    source = Path(put(str(folder.parent / "source"), make_event(NOON)))
    folder.mkdir(exist_ok=True)
    source.rename(folder / source.name)


@pytest.mark.parametrize("trap", ["open to all", "a link", "another user's"])
def test_what_another_user_could_have_put_there_is_never_stored(
    store: Store, make_event: MakeEvent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trap: str
) -> None:
    (tmp_path / "run").mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    folder = Path(spool.folders(store.root)[1])
    assert folder.parent == tmp_path / "run"
    if trap == "a link":
        forged(tmp_path / "elsewhere", make_event)
        (tmp_path / "elsewhere").chmod(0o700)
        folder.symlink_to(tmp_path / "elsewhere")
    else:
        forged(folder, make_event)
        folder.chmod(0o777 if trap == "open to all" else 0o700)
        if trap == "another user's":
            if os.getuid() != 0:
                pytest.skip("only root may give a folder away")
            os.chown(folder, 65534, 65534)
    done = store.drain_spool()
    assert (done.stored, done.left, done.reasons) == (0, 0, [])


def test_a_folder_named_twice_is_drained_once(
    store: Store, make_event: MakeEvent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("XDG_RUNTIME_DIR", "TMPDIR"):
        monkeypatch.setenv(name, str(tmp_path))
    assert len(spool.folders(store.root)) == len(set(spool.folders(store.root)))
    folder = Path(spool.folders(store.root)[1])
    source = Path(put(store.root, make_event(NOON)))
    folder.mkdir(mode=0o700)
    source.rename(folder / source.name)
    done = store.drain_spool()
    assert (done.stored, done.left, done.reasons) == (1, 0, [])


def test_a_link_to_the_root_finds_the_same_spool(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert spool.folders(str(tmp_path / "real"))[1:] == spool.folders(str(tmp_path / "link"))[1:]


@pytest.mark.parametrize(
    ("column", "value"),
    [("hook_type", None), ("data", []), ("src", {"a": 1}), ("error", True), ("meta", "{"), ("session_id", 5)],
)
def test_a_waiting_row_of_wrong_types_is_set_aside_and_hinders_no_other(
    store: Store, make_event: MakeEvent, column: str, value: object
) -> None:
    path = Path(put(store.root, make_event(NOON)))
    for at in range(5):
        put(store.root, make_event(NOON + at))
    record = json.loads(path.read_text())
    record["row"][writer.ROW_COLUMNS.index(column)] = value
    path.write_text(json.dumps(record))
    done = store.drain_spool()
    assert (done.stored, done.bad, done.left) == (5, 1, 0)


def test_many_events_of_a_bad_day_starve_no_other_in_a_capture(store: Store, make_event: MakeEvent) -> None:
    store.append([make_event(NOON)])
    Path(layout.db_path(store.root, DAY)).write_bytes(b"garbage " * 1000)
    for at in range(300):
        put(store.root, make_event(NOON + at))
    put(store.root, make_event(NOON + layout.DAY_US), layout.PartitionKey("default", 2026, 80))
    done = spool.drain(store.root, time.monotonic_ns() + 10**10, quick=True)
    assert done.stored == 1


def cut_short(folder: str, content: bytes, age_s: float = 3600, name: str = "") -> Path:
    """What a capture leaves that was killed before it could give its file the name."""
    path = Path(folder) / (name or f".{time.time_ns():020d}-1-default-2026-079.json")
    path.write_bytes(content)
    os.utime(path, (time.time() - age_s, time.time() - age_s))
    return path


def test_what_a_killed_capture_had_written_whole_is_stored_after_all(store: Store, make_event: MakeEvent) -> None:
    source = Path(put(store.root, make_event(NOON)))
    half = source.read_bytes()
    cut_short(str(source.parent), half[:-20])
    cut_short(str(source.parent), b"")
    young = cut_short(str(source.parent), half, age_s=0)
    source.rename(source.with_name("." + source.name))
    os.utime(source.with_name("." + source.name), (1e9, 1e9))
    done = store.drain_spool()
    assert (done.stored, done.bad, done.left) == (1, 1, 0)
    left = {path.name for path in source.parent.iterdir()} - {"bad", "drain.lock"}
    assert left == {young.name}  # whoever writes it may still be at it


def test_a_writer_whose_file_was_adopted_meanwhile_doubles_nothing(
    store: Store, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "ADOPTED_AFTER_S", -1)
    replace = os.replace

    def late(source: str, target: str) -> None:
        monkeypatch.setattr(spool.os, "replace", replace)
        assert store.drain_spool().stored == 1
        replace(source, target)

    monkeypatch.setattr(spool.os, "replace", late)
    put(store.root, make_event(NOON))
    store.drain_spool()
    assert store.count(Filter()).count == 1


def test_events_of_one_moment_take_no_name_from_each_other(
    store: Store, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A coarse clock, or one that stands still: each gets a name of its own, and the order is kept."""
    monkeypatch.setattr(spool.time, "time_ns", lambda: 1_700_000_000_000_000_000)
    paths = [put(store.root, make_event(NOON, session_id=f"s{at}")) for at in range(20)]
    assert paths == sorted(set(paths))
    monkeypatch.undo()
    assert store.drain_spool().stored == 20
    rows = sorted(store.search(Filter()).rows, key=lambda row: int(str(row["arrived"])))
    assert [row["session_id"] for row in rows] == [f"s{at}" for at in range(20)]


def test_a_clock_before_1970_spools_into_the_right_context(
    store: Store, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(spool.time, "time_ns", lambda: -5_000_000_000)
        put(store.root, make_event(NOON))
    assert store.drain_spool().stored == 1
    assert store.contexts() == ["default"]


def test_values_that_sqlite_does_not_take_hinder_no_other(store: Store, make_event: MakeEvent) -> None:
    events = [make_event(NOON + at) for at in range(4)]
    events[0].duration_ms = 10**30
    events[1].session_id = "half \ud83d of a pair"
    events[2].hostname = os.fsdecode(b"host\xff")
    put(store.root, events[0])
    assert store.append(events[1:]).stored == 3
    assert store.drain_spool().stored == 1
    rows = {int(str(row["id"])) - NOON: row for row in store.search(Filter()).rows}
    assert rows[0]["duration_ms"] == 1e30
    assert rows[1]["session_id"] == "half ? of a pair"
    assert rows[2]["hostname"] == "host?"


@pytest.mark.parametrize("what", ["pipe", "folder", "link", "link to nothing", "socket", "more than memory"])
@pytest.mark.parametrize("quick", [False, True], ids=["a command", "a capture"])
def test_what_is_no_file_is_set_aside_unread_and_waited_for_by_nobody(
    store: Store, make_event: MakeEvent, tmp_path: Path, what: str, quick: bool
) -> None:
    path = Path(put(store.root, make_event(NOON)))
    trap = path.with_name(f"{0:020d}-1-default-2026-079.json")
    if what == "pipe":
        os.mkfifo(trap)
    elif what == "folder":
        trap.mkdir()
    elif what == "link":
        trap.symlink_to(put(str(tmp_path / "other"), make_event(NOON)))
    elif what == "link to nothing":
        trap.symlink_to(tmp_path / "nowhere" / "event")
    elif what == "socket":
        os.mknod(trap, stat.S_IFSOCK | 0o600)
    else:
        with trap.open("wb") as file:
            file.truncate(2**40)  # no byte of it is on the disk
    done = spool.drain(store.root, time.monotonic_ns() + 10**10, quick=quick)
    assert (done.stored, done.bad) == (1, 1)
    assert os.path.lexists(trap.parent / "bad" / trap.name)
    assert (trap.parent / "bad" / (trap.name + ".why")).read_text()
    assert spool.waiting(store.root) == []


def test_what_is_too_large_for_the_time_of_a_capture_waits_for_a_command(store: Store, make_event: MakeEvent) -> None:
    put(store.root, make_event(NOON, data=json.dumps({"x": "x" * spool.BATCH_BYTES})))
    put(store.root, make_event(NOON))
    assert spool.drain(store.root, time.monotonic_ns() + 10**10, quick=True).stored == 1
    assert len(spool.waiting(store.root)) == 1
    assert store.drain_spool().stored == 1


def test_what_cannot_be_set_aside_is_said_and_hinders_no_other(store: Store, make_event: MakeEvent) -> None:
    folder = Path(put(store.root, make_event(NOON))).parent
    (folder / "bad").touch()
    (folder / "x.json").write_text("{")
    done = store.drain_spool()
    assert (done.stored, done.bad, done.left) == (1, 1, 1)
    assert "could not be set aside" in done.reasons[0]


def test_captures_keep_the_order_of_thousands(store: Store, make_event: MakeEvent) -> None:
    """Whatever order the file system names them in."""
    row = writer.row_of(make_event(NOON))
    for at in range(2_500):
        spool.put(store.root, DAY, "default", (at.to_bytes(16, "big"), NOON + at, *row[2:]), "the reason")
    while spool.drain(store.root, time.monotonic_ns() + 10**10, quick=True).stored:
        pass
    conn = connect.open_reader(layout.db_path(store.root, DAY))
    order = [int.from_bytes(uid, "big") for (uid,) in conn.execute("select uid from hooks order by arrived")]
    conn.close()
    assert order == list(range(2_500))


def test_a_capture_looks_at_no_more_names_than_it_may_in_all_folders_together(
    store: Store, make_event: MakeEvent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    other = Path(spool.folders(store.root)[1])
    other.mkdir(mode=0o700)
    for at in range(5):
        put(store.root, make_event(NOON))
        (other / f"{at:020d}-1-default-2026-079.json").touch()
    assert len(spool.waiting(store.root, 3)) == 3
    assert len(spool.waiting(store.root, 7)) == 7


def test_a_part_of_a_file_from_a_clock_that_ran_ahead_is_adopted_too(store: Store, make_event: MakeEvent) -> None:
    source = Path(put(store.root, make_event(NOON)))
    cut_short(str(source.parent), source.read_bytes(), age_s=-(10**8))
    source.unlink()
    assert store.drain_spool().stored == 1
