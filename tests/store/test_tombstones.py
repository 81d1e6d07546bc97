"""What was deleted is remembered, of each context by itself, and nothing else is."""

import os
import stat
import threading
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

from eyelet_ingest.errors import RootError
from eyelet_ingest.events import Event
from eyelet_ingest.store import layout, spool, tombstones, writer
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store
from eyelet_ingest.store.tombstones import Tombstones

NOON_US = 1_774_008_000_000_000
DAY_US = 86_400_000_000
A, B, C = b"a" * 16, b"b" * 16, b"c" * 16


def test_where_nothing_was_deleted_nothing_is_dead_and_no_file_is_made(root: str) -> None:
    stones = Tombstones.of(root)
    assert stones.dead("one", [(A, 1), (B, 2)]) == set()
    stones.forget("one", [A])
    assert (stones.horizons(), stones.counts(), stones.are_there()) == ({}, {}, False)
    assert not os.path.exists(root)


def test_a_deleted_uid_is_dead_in_its_context_alone(root: str) -> None:
    stones = Tombstones.of(root)
    stones.remember("one", [A, B])
    assert stones.dead("one", [(A, 1), (C, 1)]) == {A}
    assert stones.dead("two", [(A, 1), (C, 1)]) == set()
    assert stones.counts() == {"one": 2}


def test_what_lies_before_a_horizon_is_dead_and_what_lies_on_it_is_not(root: str) -> None:
    stones = Tombstones.of(root)
    stones.retire("one", 100)
    assert stones.dead("one", [(A, 99), (B, 100), (C, 101)]) == {A}
    assert stones.dead("two", [(A, 99)]) == set()


def test_a_horizon_only_ever_rises_until_it_is_cleared(root: str) -> None:
    stones = Tombstones.of(root)
    for before_us in (100, 50, 120, 119):
        stones.retire("one", before_us)
    assert (stones.horizon_us("one"), stones.horizon_us("two")) == (120, None)
    stones.clear_horizon("one")
    assert stones.dead("one", [(A, 1)]) == set()


def test_remembering_twice_is_remembering_once_and_what_is_forgotten_may_return(root: str) -> None:
    stones = Tombstones.of(root)
    stones.remember("one", [A, A])
    stones.remember("one", iter([A]))
    assert stones.counts() == {"one": 1}
    stones.forget("one", [A, C])
    assert stones.dead("one", [(A, 1)]) == set()


def test_many_are_asked_for_at_once(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tombstones, "BATCH", 700)
    stones = Tombstones.of(root)
    uids = [os.urandom(16) for _ in range(3_000)]
    stones.remember("one", uids[::2])
    assert stones.dead("one", [(uid, 1) for uid in uids]) == set(uids[::2])


def test_the_files_are_private_and_the_wal_is_empty_afterwards(root: str) -> None:
    Tombstones.of(root).remember("one", [A])
    assert sorted(os.listdir(root)) == ["tombstones.sqlite", "tombstones.sqlite.lock"]
    for name in os.listdir(root):
        assert stat.S_IMODE(os.stat(os.path.join(root, name)).st_mode) == 0o600


def test_a_root_in_memory_remembers_too() -> None:
    with Store.in_memory() as store:
        stones = Tombstones.of(store.root)
        assert stones.dead("one", [(A, 1)]) == set()
        stones.remember("one", [A])
        assert stones.dead("one", [(A, 1)]) == {A}
        assert store.contexts() == []


def test_a_broken_file_is_named_and_takes_nobody_for_alive(root: str) -> None:
    os.makedirs(root)
    Path(root, "tombstones.sqlite").write_bytes(b"no database at all" * 500)
    with pytest.raises(RootError, match=r"tombstones\.sqlite.*could come back"):
        Tombstones.of(root).dead("one", [(A, 1)])


def test_two_threads_that_make_the_file_both_succeed(root: str) -> None:
    uids = [os.urandom(16) for _ in range(16)]
    threads = [threading.Thread(target=Tombstones.of(root).remember, args=("one", [uid])) for uid in uids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Tombstones.of(root).dead("one", [(uid, 1) for uid in uids]) == set(uids)


def test_an_event_that_was_deleted_while_it_waited_does_not_come_out_of_the_spool(
    root: str, store: Store, make_event: Callable[..., Event]
) -> None:
    event, other = make_event(NOON_US), make_event(NOON_US + 1)
    for one in (event, other):
        spool.put(root, layout.key_for("default", one.time_us), "default", writer.row_of(one), "busy")
    Tombstones.of(root).remember("default", [event.uid])
    drained = store.drain_spool()
    assert (drained.stored, drained.known, drained.dead, drained.left) == (1, 0, 1, 0)
    assert store.count(Filter()).count == 1


@pytest.mark.parametrize("bulk", [False, True])
def test_what_was_deleted_stays_away_until_it_is_forced(
    root: str, store: Store, make_event: Callable[..., Event], bulk: bool
) -> None:
    events = [make_event(NOON_US + n, session_id="gone" if n % 2 else "stays") for n in range(10)]
    store.append(events)
    store.delete(Filter(session_id=("gone",)))
    with store.bulk() if bulk else nullcontext():
        again = store.append(events, deleted="respect")
        assert (again.stored, again.duplicates, again.dead) == (0, 5, 5)
        forced = store.append(events, deleted="forget")
        assert (forced.stored, forced.duplicates, forced.dead) == (5, 5, 0)
        assert store.append(events, deleted="respect").dead == 0
    assert Tombstones.of(root).counts() == {}


def test_a_day_of_which_everything_stays_away_is_not_made(
    root: str, store: Store, make_event: Callable[..., Event]
) -> None:
    events = [make_event(NOON_US + n) for n in range(3)]
    store.append(events)
    assert store.delete_older_than(NOON_US + DAY_US).events == 3
    done = store.append(events, deleted="respect")
    assert (done.stored, done.dead, done.partitions) == (0, 3, frozenset())
    assert store.contexts() == []
    assert Tombstones.of(root).horizon_us("default") == NOON_US + DAY_US
    assert Tombstones.of(root).counts() == {}


def test_what_is_recorded_live_is_never_kept_out(store: Store, make_event: Callable[..., Event]) -> None:
    events = [make_event(NOON_US)]
    store.append(events)
    store.delete(Filter(hook_type=("PreToolUse",)))
    assert store.append(events).stored == 1


def test_what_was_recorded_live_comes_out_of_the_spool_whatever_the_horizon(
    root: str, store: Store, make_event: Callable[..., Event]
) -> None:
    """The clock may have been wrong when something was retired, or be wrong now."""
    event = make_event(NOON_US)
    Tombstones.of(root).retire("default", NOON_US + DAY_US)
    spool.put(root, layout.key_for("default", NOON_US), "default", writer.row_of(event), "busy")
    drained = store.drain_spool()
    assert (drained.stored, drained.dead) == (1, 0)
    assert store.append([make_event(NOON_US)], deleted="respect").dead == 1


@pytest.mark.parametrize("whole", [True, False])
def test_what_a_killed_hook_left_half_way_goes_with_a_deletion_and_does_not_come_back(
    root: str, store: Store, make_event: Callable[..., Event], whole: bool
) -> None:
    event = make_event(NOON_US, session_id="going")
    path = Path(spool.put(root, layout.key_for("default", NOON_US), "default", writer.row_of(event), "busy"))
    partial = path.with_name(f".{path.name}")
    text = path.read_bytes()
    partial.write_bytes(text if whole else text[:-5])
    path.unlink()
    done = store.delete(Filter(session_id=("going",)))
    assert [(one.place, one.events) for one in done.elsewhere] == [("spool", 1)]
    assert not partial.exists()
    path.write_bytes(text)  # its writer was still there
    assert store.drain_spool().dead == whole
