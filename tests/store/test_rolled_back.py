"""A day with a roll-back journal, as on network file systems, is kept and written anew like any other."""

from collections.abc import Callable

import pytest

from eyelet_ingest.errors import PartitionBusy
from eyelet_ingest.events import Event
from eyelet_ingest.store import compact, connect, layout, verify
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

START_US = 1_773_792_000_000_000  # 2026-03-18T00:00:00Z
DAY = layout.key_for("default", START_US)
MakeEvent = Callable[..., Event]


@pytest.fixture
def rolled(store: Store, make_event: MakeEvent) -> Store:
    for number in range(99):
        text = "abandoned " if number % 2 else "kept "
        store.append([make_event(START_US + number, session_id=f"s{number % 2}", data=f'"{text * 400}"')])
    _roll_back(store)
    return store


def _roll_back(store: Store) -> None:
    store.release(DAY)
    conn = connect.driver().connect(layout.db_path(store.root, DAY))
    assert conn.execute("pragma journal_mode = delete").fetchone() == ("delete",)
    conn.close()


def test_it_is_sealed_written_anew_archived_and_brought_back(rolled: Store, make_event: MakeEvent) -> None:
    rolled.vacuum(DAY)
    rolled.seal(DAY)
    assert [one.state for one in rolled.verify()] == [verify.UNCHANGED]
    rolled.archive(DAY, remove=True)
    rolled.append([make_event(START_US + 1_000)])
    _roll_back(rolled)
    assert rolled.restore_archive(DAY).kept == 1
    assert rolled.count(Filter()).count == 100


def test_what_is_deleted_of_it_is_erased(rolled: Store) -> None:
    rolled.delete(Filter(session_id=("s1",)))
    with open(layout.db_path(rolled.root, DAY), "rb") as file:
        content = file.read()
    assert b"abandoned" not in content and b"kept" in content
    conn = connect.open_reader(layout.db_path(rolled.root, DAY))
    assert conn.execute("pragma freelist_count").fetchone() == (0,)
    conn.close()


@pytest.mark.parametrize("times", [1, 100])
def test_what_another_program_writes_meanwhile_is_not_lost(
    rolled: Store, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    path = layout.db_path(rolled.root, DAY)
    bring_back, number = compact.bring_back, iter(range(100))

    def interrupted(name: str, conn: object, still: Callable[[int, int, int], None]) -> None:
        if (at := next(number)) < times:
            other = connect.driver().connect(path)
            other.execute(f"create table notes{at} (text)")
            other.close()
        bring_back(name, conn, still)

    monkeypatch.setattr(compact, "bring_back", interrupted)
    if times == 1:
        rolled.vacuum(DAY)
    else:
        with pytest.raises(PartitionBusy, match="another program wrote"):
            rolled.vacuum(DAY)
    conn = connect.open_reader(path)
    assert conn.execute("select count(*) from sqlite_master where name like 'notes%'").fetchone() == (min(times, 3),)
    assert conn.execute("select count(*) from hooks").fetchone() == (99,)
    assert conn.execute("pragma integrity_check").fetchone() == ("ok",)
    conn.close()
