"""Roots in memory: the same store, of one process, without a file."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eyelet_ingest.errors import PartitionBusy, RootError
from eyelet_ingest.events import Event
from eyelet_ingest.store import audit, connect, identity, layout
from eyelet_ingest.store.handles import Handles
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

DAY = layout.PartitionKey("default", 2026, 79)
START = DAY.bounds_us[0]
MakeEvent = Callable[..., Event]


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.in_memory() as opened:
        yield opened


def test_it_appends_finds_counts_and_deletes_and_leaves_no_file(
    store: Store, make_event: MakeEvent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.rglob("*"))
    events = [make_event(START + day * layout.DAY_US, src=f"a.{day}") for day in range(3)]
    assert store.append(events + events, "My Context").stored == 3
    safe = layout.safe_context("My Context")
    assert (store.contexts(), store.count(Filter(src=("a.1",))).count) == ([safe], 1)
    assert store.event("My Context", START) is not None
    assert store.delete(Filter(src=("a.2",))).events == 1
    assert [day.whole for day in store.delete(Filter(until_us=START + layout.DAY_US)).days] == [True]
    assert [row["id"] for row in store.search(Filter()).rows] == [START + layout.DAY_US]
    assert (store.drain_spool().left, store.checkpoint(), store.maintain(100).troubled) == (0, [], [])
    assert set(tmp_path.rglob("*")) == before


def test_a_name_is_shared_until_its_last_store_is_closed(make_event: MakeEvent) -> None:
    one, other = Store.in_memory("shared / ünï?"), Store("file:shared%20%2F%20%C3%BCn%C3%AF%3F?mode=memory")
    one.append([make_event(START)])
    one.close()
    one.close()
    assert other.count(Filter()).count == 1
    with Store.in_memory("shared / ünï?") as third:
        other.close()
        assert third.append([make_event(START)]).stored == 1
        assert third.count(Filter()).count == 2


def test_what_the_last_store_closes_is_gone(make_event: MakeEvent) -> None:
    with Store.in_memory("gone") as store:
        store.append([make_event(START)])
    assert store.count(Filter()).count == 0
    with pytest.raises(RootError, match="closed"):
        store.append([make_event(START)])
    with Store.in_memory("gone") as again:
        assert again.count(Filter()).count == 0


def test_without_a_name_nothing_is_shared(store: Store, make_event: MakeEvent) -> None:
    store.append([make_event(START)])
    with Store.in_memory() as other:
        assert other.count(Filter()).count == 0
    assert store.count(Filter()).count == 1


def test_a_file_uri_names_a_folder(tmp_path: Path, make_event: MakeEvent) -> None:
    folder = tmp_path / "with space?"
    with Store(folder.as_uri()) as store, Store(str(folder)) as same:
        assert store.root == str(folder)
        store.append([make_event(START)])
        assert same.count(Filter()).count == 1


@pytest.mark.parametrize("uri", ["file://far/away", "file:x?mode=ro", "file:x?mode=memory&cache=shared", "file:x#y"])
def test_a_file_uri_that_asks_for_anything_else_is_refused(uri: str) -> None:
    with pytest.raises(RootError, match="understood"):
        Store(uri)


def test_a_day_made_again_is_not_read_through_what_was_open_on_the_old_one(store: Store, make_event: MakeEvent) -> None:
    store.append([make_event(START, src="old")])
    path = layout.db_path(store.root, DAY)
    handles = Handles()
    with handles.reader(path) as conn:
        store.delete(Filter(until_us=START + layout.DAY_US))
        store.append([make_event(START, src="new")])
        assert conn.execute("select src from hooks").fetchall() == [("old",)]
    with handles.reader(path) as conn:
        assert conn.execute("select src from hooks").fetchall() == [("new",)]
    assert [row["src"] for row in store.search(Filter()).rows] == ["new"]
    handles.close()


def test_threads_write_read_and_delete_at_once(make_event: MakeEvent) -> None:
    wrong: list[str] = []

    def work(name: str) -> None:
        with Store.in_memory("threads") as mine:
            for at in range(30):
                done = mine.append([make_event(START + at, src=name)])
                if done.stored != 1 or mine.count(Filter(src=(name,))).count != at + 1:
                    wrong.append(f"{name} {at} {done}")
                mine.delete(Filter(src=("nobody",)))

    with Store.in_memory("threads") as store:
        threads = [threading.Thread(target=work, args=(f"t{number}",)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []
        assert store.count(Filter()).count == 180


def test_a_bulk_keeps_its_writers_open_and_others_write_meanwhile(make_event: MakeEvent) -> None:
    with Store.in_memory("bulk") as store, Store.in_memory("bulk") as other, store.bulk():
        for at in range(20):
            store.append([make_event(START + at)])
            other.append([make_event(START + at)])
        assert other.delete(Filter(until_us=START + layout.DAY_US)).events == 40
        assert store.append([make_event(START)]).stored == 1
        assert other.count(Filter()).count == 1


def test_the_lock_of_a_day_is_waited_for_until_the_deadline(store: Store) -> None:
    path = layout.lock_path(store.root, DAY)
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with connect.FileLock(path, 2**62):
            held.set()
            done.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(10)
    with pytest.raises(PartitionBusy), connect.FileLock(path, 0):
        pass
    done.set()
    thread.join()
    with connect.FileLock(path, 2**62):
        pass


def test_a_root_in_memory_is_read_together_with_a_folder(store: Store, make_event: MakeEvent, tmp_path: Path) -> None:
    with Store(str(tmp_path / "root")) as on_disk:
        on_disk.append([make_event(START)])
        store.append([make_event(START + 1)])
        with Store(on_disk.root, also=[store.root]) as both:
            assert [row["root"] for row in both.search(Filter()).rows] == [store.root, on_disk.root]


def test_its_key_and_its_audit_are_in_memory_too(store: Store) -> None:
    assert identity.load_key(store.root) == identity.load_key(store.root)
    assert audit.lines(store.root) == []
    audit.record(store.root, "me", "delete", {"events": 1})
    assert [line.who for line in audit.lines(store.root)] == ["me"]
    assert not os.path.exists("file:")
