"""A roll-back journal where WAL cannot work: found out once, remembered by the file, respected by everybody."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eyelet_ingest import capture
from eyelet_ingest.errors import PartitionBusy
from eyelet_ingest.events import Event
from eyelet_ingest.store import connect, journal, layout, writer
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

DAY = layout.PartitionKey("default", 2026, 79)
NOON = DAY.bounds_us[0] + layout.DAY_US // 2
MakeEvent = Callable[..., Event]

MOUNTS = """\
22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
30 22 0:26 / /home rw,relatime shared:12 - nfs4 server:/home rw,vers=4.2
31 22 0:27 / /home/local rw - xfs /dev/sdb rw
32 22 0:28 / /mnt/two\\040words rw - cifs //server/share rw
33 22 0:29 / /over rw - nfs server:/over rw
34 22 0:30 / /over rw - tmpfs none rw
broken line
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/x", "ext4"), ("/home", "nfs4"), ("/home/me/.eyelet", "nfs4"), ("/homely", "ext4"), ("/home/local/x", "xfs"),
     ("/mnt/two words/x", "cifs"), ("/over/x", "tmpfs")],
)  # fmt: skip
def test_the_file_system_is_that_of_the_nearest_mount(path: str, kind: str) -> None:
    assert journal.file_system_of(path, MOUNTS) == kind


def test_a_system_that_tells_no_mounts_is_taken_for_a_local_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert journal.file_system_of("/x", "") == ""
    monkeypatch.setattr(journal, "MOUNTS", str(tmp_path / "nothing"))
    assert not journal.on_network(str(tmp_path))
    (tmp_path / "mounts").write_text("1 0 0:1 / / rw - nfs server:/ rw\n")
    monkeypatch.setattr(journal, "MOUNTS", str(tmp_path / "mounts"))
    assert journal.on_network(str(tmp_path))


def refuse(root: str, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A place where WAL cannot work: a network file system, or one without shared memory."""
    if how == "network":
        monkeypatch.setattr(journal, "on_network", lambda path: True)
    elif how == "no shared memory":  # a folder stands where it would be
        os.makedirs(layout.db_path(root, DAY) + "-shm", mode=0o700)
    else:
        chosen = connect.driver()

        class Refusing(chosen.Connection):  # type: ignore[misc, name-defined]
            def execute(self, sql: str, *values: object) -> object:
                return super().execute("pragma journal_mode" if sql == "pragma journal_mode = wal" else sql, *values)

        connected = chosen.connect
        monkeypatch.setattr(chosen, "connect", lambda *args, **more: connected(*args, **more, factory=Refusing))


def header_says_wal(root: str) -> bool:
    with open(layout.db_path(root, DAY), "rb") as file:
        return file.read(20)[18:20] == b"\x02\x02"


@pytest.mark.parametrize("how", ["network", "no shared memory", "refused"])
@pytest.mark.parametrize("in_bulk", [False, True], ids=["one by one", "in bulk"])
def test_a_day_where_wal_cannot_work_is_written_and_read_all_the_same(
    store: Store, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch, how: str, in_bulk: bool
) -> None:
    refuse(store.root, how, monkeypatch)
    with store.bulk() if in_bulk else store:
        for at in range(5):
            done = store.append([make_event(NOON + at)])
            assert (done.stored, done.refused) == (1, [])
            assert store.count(Filter()).count == at + 1
        assert not header_says_wal(store.root)
        assert not os.path.isfile(layout.db_path(store.root, DAY) + "-wal")
        (checked,) = store.checkpoint(DAY, "truncate")
        assert (checked.busy, checked.wal_frames, checked.error) == (False, 0, "")


def test_the_file_remembers_its_journal(store: Store, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        refuse(store.root, "network", patch)
        store.append([make_event(NOON)])
    store.append([make_event(NOON)])
    assert not header_says_wal(store.root)
    store.append([make_event(NOON + layout.DAY_US)])
    with monkeypatch.context() as patch:
        refuse(store.root, "network", patch)
        store.append([make_event(NOON + layout.DAY_US)])
    with open(layout.db_path(store.root, layout.PartitionKey("default", 2026, 80)), "rb") as file:
        assert file.read(20)[18:20] == b"\x02\x02"
    assert store.count(Filter()).count == 4


def test_a_capture_respects_it(root: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where the mounts say so, the hook makes a day with a roll-back journal, and every later one follows the file."""
    (tmp_path / "mounts").write_text("1 0 0:1 / / rw - nfs server:/ rw\n")
    light = [sys.executable, "-I", "-S"]
    code = (
        f"import sys; sys.path.append({str(Path(capture.__file__).parent.parent)!r})\n"
        "from eyelet_ingest import capture\nfrom eyelet_ingest.store import journal\n"
        f"journal.MOUNTS = {str(tmp_path / 'mounts')!r}\nsys.argv = ['hook', '--root', {root!r}]\ncapture.main()"
    )
    given = json.dumps({"session_id": "s", "hook_event_name": "Stop"}).encode()
    for command in ([*light, "-c", code], [*light, str(capture.__file__), "--root", root]):
        assert subprocess.run(command, input=given, capture_output=True, check=True).stderr == b""
    with Store(root) as store:
        assert store.count(Filter()).count == 2
        assert store.drain_spool().known == 0
        (key,) = store.catalog.partitions()
    with open(layout.db_path(root, key), "rb") as file:
        assert file.read(20)[18:20] == b"\x01\x01"


KILLED = """
import os, sys
from eyelet_ingest.store import connect
conn = connect.open_writer(sys.argv[1])
conn.execute("pragma cache_size = 1")  # so that the pages of an open transaction go to the file
conn.execute("begin immediate")
conn.execute("delete from hooks")
data = "json_object('x', hex(zeroblob(300000)))"
conn.execute(f"insert into hooks (timestamp, hook_type, data) values (?, 'half', {data})", (float(sys.argv[2]),))
os.kill(os.getpid(), 9)
"""


def test_a_reader_takes_back_what_a_killed_writer_left_half_done(
    store: Store, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(store.root, "network", monkeypatch)
    store.append([make_event(NOON + at, data='{"a":"' + "x" * 3000 + '"}') for at in range(200)])
    path = layout.db_path(store.root, DAY)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(one for one in sys.path if one)}
    done = subprocess.run([sys.executable, "-c", KILLED, path, str(NOON / 1e6)], env=env)
    assert done.returncode == -9
    assert os.path.getsize(path + "-journal") > 0
    found = store.search(Filter(), limit=1000)
    assert (len(found.rows), found.partitions.unreadable) == (200, ())
    assert {row["hook_type"] for row in found.rows} == {"PreToolUse"}


def test_a_reader_changes_nothing(store: Store, make_event: MakeEvent) -> None:
    store.append([make_event(NOON)])
    conn = connect.open_reader(layout.db_path(store.root, DAY))
    with pytest.raises(conn.OperationalError, match="readonly"):
        conn.execute("delete from hooks")
    conn.close()


@pytest.mark.parametrize("in_bulk", [False, True], ids=["one by one", "in bulk"])
def test_waiting_twice_is_not_waiting_twice_as_long(
    store: Store, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch, in_bulk: bool
) -> None:
    """With a roll-back journal one waits for the writer, and then, at the commit, for readers: until one deadline."""
    refuse(store.root, "network", monkeypatch)
    store.append([make_event(NOON)])
    path = layout.db_path(store.root, DAY)
    writing, reading = connect.open_writer(path), connect.open_reader(path)
    reading.execute("begin")
    reading.execute("select count(*) from hooks").fetchone()
    writing.execute("begin immediate")
    letting_go = threading.Timer(0.3, lambda: writing.execute("rollback"))
    asked: list[int] = []
    shortened = writer.shortened

    def noted(conn: Any, busy_ms: int, deadline_ns: int) -> int:
        asked.append(shortened(conn, busy_ms, deadline_ns))
        return asked[-1]

    monkeypatch.setattr(writer, "shortened", noted)
    with store.bulk() if in_bulk else store:
        letting_go.start()
        (refused,) = store.append([make_event(NOON)], deadline_ms=1_500).refused
        letting_go.join()
        assert isinstance(refused.error, PartitionBusy)
        assert len(asked) == 2 and asked[1] <= 1_200
        reading.execute("rollback")
        assert store.append([make_event(NOON)], deadline_ms=20_000).stored == 1
    writing.close()
    reading.close()
