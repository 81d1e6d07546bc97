"""An archived day comes back exactly; what it held is never lost, and what is deleted leaves it too."""

import json
import lzma
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from eyelet_ingest.errors import BadInput, PartitionBusy, PartitionUnreadable
from eyelet_ingest.events import Event
from eyelet_ingest.store import archives, connect, layout, manifest, verify
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

DAY = PartitionKey("default", 2026, 79)
NEXT = PartitionKey("default", 2026, 80)
MakeEvent = Callable[..., Event]


@pytest.fixture
def filled(store: Store, make_event: MakeEvent) -> Store:
    for key in (DAY, NEXT):
        first = key.bounds_us[0]
        store.append([make_event(first + n // 3, src=f"a.b{n}", session_id=f"s{n % 7}") for n in range(600)])
    conn = connect.open_writer(layout.db_path(store.root, DAY))
    conn.execute("update hooks set src = cast(x'ff61' as text) where id = (select min(id) from hooks)")
    conn.execute("create table notes (text, hook integer references hooks(id) on delete cascade)")
    conn.execute("insert into notes select 'note ' || id, id from hooks limit 30")
    conn.execute("delete from notes where rowid % 2")
    conn.execute("create virtual table found using fts5(text, content=notes)")
    conn.execute("insert into found (found) values ('rebuild')")
    conn.execute("create trigger notes_too after insert on hooks begin insert into notes values ('new', new.id); end")
    conn.execute("create view failures as select * from hooks where error = 1")
    conn.execute("create table pairs (a, b, primary key (a, b)) without rowid")
    conn.execute("insert into pairs values (1, 'x')")
    conn.execute("create index mine on hooks (duration_ms)")
    conn.close()
    return store


def everything(store: Store, key: PartitionKey = DAY) -> dict[str, object]:
    """All that is in a day but statistics, byte for byte."""
    conn = connect.open_reader(layout.db_path(store.root, key))
    conn.text_factory = bytes
    found: dict[str, object] = {
        "schema": sorted(
            conn.execute("select type, name, tbl_name, sql from sqlite_master where name not like '%stat%'")
        ),
        "version": conn.execute("pragma user_version").fetchone(),
        "application": conn.execute("pragma application_id").fetchone(),
        "journal": conn.execute("pragma journal_mode").fetchone(),
        "check": conn.execute("pragma integrity_check").fetchall(),
    }
    tables = conn.execute("select name from sqlite_master where type = 'table'").fetchall()
    for name in sorted(name.decode() for (name,) in tables):
        if not name.startswith(("sqlite_", "eyelet_counts", "eyelet_hours")):
            rowid = "" if name in ("pairs", "eyelet_partition", "found_idx", "found_config") else "rowid, "
            found[name] = conn.execute(f"select {rowid}* from {name} order by 1, 2").fetchall()
    conn.close()
    return found


def names(folder: str) -> list[str]:
    return sorted(name for _, folders, files in os.walk(folder) for name in (*folders, *files))


def test_a_day_that_was_archived_and_removed_comes_back_exactly(filled: Store) -> None:
    before = everything(filled)
    done = filled.archive(DAY, remove=True)
    assert (done.rows, done.removed) == (600, True)
    assert not os.path.exists(layout.partition_dir(filled.root, DAY))
    assert filled.count(Filter()).count == 600
    assert filled.restore_archive(DAY) == archives.Restored(DAY, 600, 0)
    assert everything(filled) == before
    assert names(archives.path_of(filled.root, DAY).rsplit("/", 3)[0]) == ["079.sqlite.xz", "2026", "default"]
    assert os.stat(layout.db_path(filled.root, DAY)).st_mode & 0o777 == 0o600
    assert not [name for name in names(layout.logs_dir(filled.root)) if name.startswith(".")]


def test_an_archive_is_a_plain_sqlite_database_in_xz(filled: Store, tmp_path: Path) -> None:
    filled.archive(DAY)
    plain = tmp_path / "day.db"
    plain.write_bytes(lzma.decompress(Path(archives.path_of(filled.root, DAY)).read_bytes()))
    conn = connect.open_reader(str(plain))
    assert conn.execute("select count(*) from hooks where src >= 'a.b'").fetchone()[0] == 600
    conn.close()


def test_archiving_leaves_the_day_unless_its_removal_is_asked_for(filled: Store) -> None:
    before = everything(filled)
    filled.archive(DAY)
    assert everything(filled) == before
    assert filled.search(Filter()).partitions.archived == 0


def test_answers_say_how_many_days_of_their_range_are_only_archived(filled: Store) -> None:
    filled.archive(DAY, remove=True)
    assert filled.count(Filter()).partitions.as_json()["archived"] == 1
    assert filled.search(Filter(contexts=("default",))).partitions.archived == 1
    assert filled.search(Filter(contexts=("other",))).partitions.archived == 0
    assert filled.search(Filter(since_us=NEXT.bounds_us[0])).partitions.archived == 0
    limited = filled.limited_to(frozenset({"other"}))
    assert limited.summary(Filter()).partitions.archived == 0
    filled.restore_archive(DAY)
    assert "archived" not in filled.count(Filter()).partitions.as_json()


def test_events_that_came_after_the_removal_stay_beside_those_that_come_back(
    filled: Store, make_event: MakeEvent
) -> None:
    filled.archive(NEXT, remove=True)
    late = [make_event(NEXT.bounds_us[0] + n, src="late") for n in range(5)]  # at times that are taken in the archive
    filled.append(late)
    assert filled.restore_archive(NEXT) == archives.Restored(NEXT, 600, 5)
    assert filled.count(Filter(since_us=NEXT.bounds_us[0])).count == 605
    assert filled.restore_archive(NEXT).kept == 5


def test_no_archive_loses_what_the_one_before_held(filled: Store, make_event: MakeEvent) -> None:
    filled.archive(NEXT, remove=True)
    filled.append([make_event(NEXT.bounds_us[0] + 7, src="late")])
    assert filled.archive(NEXT, remove=True).rows == 601
    filled.restore_archive(NEXT)
    assert filled.count(Filter(since_us=NEXT.bounds_us[0])).count == 601


def test_a_day_with_tables_of_others_is_not_written_over(filled: Store, make_event: MakeEvent) -> None:
    filled.archive(DAY, remove=True)
    filled.append([make_event(DAY.bounds_us[0] + 7)])
    conn = connect.open_writer(layout.db_path(filled.root, DAY))
    conn.execute("create table mine (a)")
    conn.close()
    with pytest.raises(PartitionUnreadable, match="mine"):
        filled.restore_archive(DAY)
    assert filled.count(Filter(until_us=DAY.bounds_us[1])).count == 1


def test_the_seals_of_a_day_come_back_with_it(filled: Store) -> None:
    filled.seal(DAY)
    filled.seal(NEXT)
    filled.archive(DAY, remove=True)
    assert [one.state for one in filled.verify()] == [verify.GONE, verify.UNCHANGED]
    filled.restore_archive(DAY)
    assert [one.state for one in filled.verify()] == [verify.UNCHANGED] * 2
    seals = manifest.read(filled.root, DAY).seals  # type: ignore[union-attr]
    assert [one.reason for one in seals] == ["finished", "restored"]
    assert seals[0].rows_sha256 == seals[1].rows_sha256


def test_an_archive_that_was_brought_from_elsewhere_comes_back_with_seals_that_hold(
    filled: Store, tmp_path: Path
) -> None:
    key = filled.catalog.partitions()[0]
    filled.seal(key)
    filled.archive(key)
    target = str(tmp_path / "elsewhere")
    os.makedirs(os.path.dirname(archives.path_of(target, key)))
    os.rename(archives.path_of(filled.root, key), archives.path_of(target, key))
    with Store(target) as store:
        store.restore_archive(key)
        assert [one.state for one in store.verify()] == [verify.UNCHANGED]


def test_what_is_deleted_leaves_the_archive_too(filled: Store) -> None:
    filled.archive(DAY, remove=True)
    filled.delete(Filter(session_id=("s3",)))
    filled.restore_archive(DAY)
    assert filled.count(Filter(session_id=("s3",))).count == 0
    assert filled.count(Filter(until_us=DAY.bounds_us[1])).count == 600 - len(range(3, 600, 7))


def test_a_day_that_is_brought_back_while_events_are_deleted_does_not_keep_them(
    filled: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from eyelet_ingest.store import archived_deletion

    filled.archive(NEXT, remove=True)
    walk = archived_deletion.Archives._walk

    def meanwhile(place: archived_deletion.Archives, *args: object, **given: object) -> object:
        with Store(filled.root) as other:
            other.restore_archive(NEXT)
        return walk(place, *args, **given)  # type: ignore[arg-type]

    monkeypatch.setattr(archived_deletion.Archives, "_walk", meanwhile)
    filled.delete(Filter(session_id=("s3",)))
    assert filled.count(Filter(session_id=("s3",))).count == 0


def test_what_a_stopped_archiver_or_restorer_left_goes_with_the_next_deletion(filled: Store) -> None:
    filled.archive(NEXT)
    left = [
        Path(filled.root, "archive", "default", "2026", ".archive-079-abc"),
        Path(filled.root, "logs", "default", ".restore-2026-080-abc"),
    ]
    for folder in left:
        folder.mkdir()
        (folder / "day.db").write_bytes(b"what is deleted")
    filled.delete(Filter(session_id=("s3",)))
    assert not any(folder.exists() for folder in left)


def test_a_damaged_archive_is_named_and_nothing_is_restored(filled: Store) -> None:
    filled.archive(DAY, remove=True)
    path = Path(archives.path_of(filled.root, DAY))
    whole = path.read_bytes()
    chance = random.Random(20260320)
    cases = [whole[:200], b"", b"garbage" * 100, lzma.compress(b"no database"), whole[:-1]]
    for _ in range(10):
        at = chance.randrange(len(whole))
        cases.append(whole[:at] + bytes([whole[at] ^ 1 << chance.randrange(8)]) + whole[at + 1 :])
    for case in cases:
        path.write_bytes(case)
        with pytest.raises(PartitionUnreadable):
            filled.restore_archive(DAY)
        assert not connect.is_there(layout.db_path(filled.root, DAY))
        assert not [name for name in names(filled.root) if name.startswith(".")]
    path.write_bytes(whole)
    filled.restore_archive(DAY)


def test_an_archive_whose_events_were_changed_is_refused(filled: Store, tmp_path: Path) -> None:
    filled.archive(DAY)
    path = Path(archives.path_of(filled.root, DAY))
    plain = tmp_path / "day.db"
    for sql in (
        "update hooks set src = 'x' where id = (select max(id) from hooks)",
        "delete from eyelet_partition where key = 'archive'",
        "update eyelet_partition set value = '{}' where key = 'archive'",
        "pragma application_id = 7",
    ):
        plain.write_bytes(lzma.decompress(path.read_bytes()))
        conn = connect.driver().connect(str(plain), isolation_level=None)
        conn.execute(sql)
        conn.close()
        kept = path.read_bytes()
        path.write_bytes(lzma.compress(plain.read_bytes()))
        with pytest.raises(PartitionUnreadable, match="damaged"):
            filled.restore_archive(DAY)
        path.write_bytes(kept)


def test_a_day_that_is_not_over_not_there_or_in_memory_is_not_archived(store: Store, make_event: MakeEvent) -> None:
    import time

    now_us = time.time_ns() // 1_000
    store.append([make_event(now_us)])
    with pytest.raises(BadInput, match="not over"):
        store.archive(layout.key_for("default", now_us))
    with pytest.raises(PartitionUnreadable, match="no such day"):
        store.archive(DAY)
    with pytest.raises(PartitionUnreadable, match="no such archive"):
        store.restore_archive(DAY)
    with Store.in_memory() as other:
        with pytest.raises(BadInput):
            other.archive(DAY)
        with pytest.raises(BadInput):
            other.restore_archive(DAY)
    assert not os.path.exists(os.path.join(store.root, "archive"))


def test_a_day_that_is_written_on_and_on_is_neither_archived_nor_removed(
    filled: Store, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    compressed = archives.compressed

    def meanwhile(small: str, target: str) -> str:
        filled.append([make_event(NEXT.bounds_us[0] + 7)])
        return compressed(small, target)

    monkeypatch.setattr(archives, "compressed", meanwhile)
    with pytest.raises(PartitionBusy):
        filled.archive(NEXT, remove=True)
    assert filled.count(Filter(since_us=NEXT.bounds_us[0])).count == 603
    assert not archives.is_archived(filled.root, NEXT)


def test_an_archive_is_small(store: Store, make_event: MakeEvent) -> None:
    words = [f"word{n}" for n in range(300)]
    chance = random.Random(20260320)
    raw = [json.dumps({"tool": "Bash", "text": " ".join(chance.choices(words, k=200))}) for _ in range(300)]
    store.append([make_event(DAY.bounds_us[0] + n, data=data) for n, data in enumerate(raw)])
    assert store.archive(DAY).archive_bytes < 0.35 * sum(map(len, raw))  # of random words; recordings: 0.08 to 0.13


def test_a_recording_is_archived_in_a_fifth_of_its_bytes(real: Path, root: str) -> None:
    from click.testing import CliRunner

    from eyelet_ingest.cli import cli

    files = sorted((real / "transcripts").rglob("*.jsonl"))
    assert CliRunner().invoke(cli, ["ingest", str(real / "transcripts"), "--root", root]).exit_code == 0
    with Store(root) as store:
        total = sum(store.archive(key).archive_bytes for key in store.catalog.partitions())
    assert total <= 0.2 * sum(file.stat().st_size for file in files)


@pytest.mark.parametrize("pages", [1, 2, 2**31])
def test_an_archive_that_holds_more_than_it_says_fills_no_disk(filled: Store, pages: int) -> None:
    key = filled.catalog.partitions()[0]
    filled.archive(key)
    path = archives.path_of(filled.root, key)
    with lzma.open(path, "rb") as packed:
        head = bytearray(packed.read(100))
    head[16:18], head[28:32] = b"\x00\x01", pages.to_bytes(4, "big")
    with lzma.open(path, "wb", preset=0) as bomb:
        bomb.write(head)
        for _ in range(64):
            bomb.write(bytes(2**20))
    with pytest.raises(PartitionUnreadable, match=r"more than its database|no room on the disk"):
        filled.restore_archive(key)


def test_an_archive_that_is_no_file_or_no_archive_is_named(filled: Store) -> None:
    key = filled.catalog.partitions()[0]
    filled.archive(key)
    path = Path(archives.path_of(filled.root, key))
    for content in (lzma.compress(b"hello"), lzma.compress(b""), b"", b"hello", lzma.compress(bytes(5_000))):
        path.write_bytes(content)
        with pytest.raises(PartitionUnreadable, match="it is damaged"):
            filled.restore_archive(key)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(PartitionUnreadable, match="no such archive"):
        filled.restore_archive(key)
