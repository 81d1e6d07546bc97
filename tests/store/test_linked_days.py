"""A day whose database is a link to another disk's: what is committed there stands in a WAL beside the file itself."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eyelet_ingest.events import Event
from eyelet_ingest.store import connect, copier, layout, maintenance, sealing, session, tail, text_blooms
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

DAY = layout.PartitionKey("default", 2026, 79)


@pytest.fixture
def linked(store: Store, tmp_path: Path) -> Path:
    """A recorded day that was moved away; where it is."""
    said = '{"prompt": "push"}'
    store.append([Event(time_us=DAY.bounds_us[0], uid=b"%16d" % 1, hook_type="Note", session_id="s", data=said)])
    store.release(DAY)
    away = tmp_path / "away.sqlite"
    path = layout.db_path(store.root, DAY)
    os.rename(path, away)
    os.symlink(away, path)
    return away


@pytest.fixture
def writing(linked: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Another program that has the day open, and leaves what it commits in the WAL."""
    monkeypatch.setattr(text_blooms, "SETTLED_NS", 10_000_000)
    for _ in range(2):
        time.sleep(0.02)
        assert store.index_text(60_000).troubled == []
    conn = connect.open_writer(layout.db_path(store.root, DAY))
    conn.execute("pragma wal_autocheckpoint = 0")
    yield conn
    conn.close()


def insert(conn: Any) -> None:
    sql = "insert into hooks (timestamp, hook_type, session_id, data) values (?, 'Note', 's', ?)"
    conn.execute(sql, (DAY.bounds_us[0] / 1_000_000 + 5, '{"prompt": "zzyzzyva"}'))


def test_a_filter_of_words_hides_nothing_of_it(writing: Any, store: Store) -> None:
    assert os.path.exists(text_blooms.path_of(store.root, DAY))
    assert store.count(Filter(text="zzyzzyva")).count == 0
    insert(writing)
    assert store.count(Filter(text="zzyzzyva")).count == 1
    assert len(store.search(Filter(text="zzyzzyva")).rows) == 1


def test_a_backup_holds_what_its_wal_does(writing: Any, store: Store, tmp_path: Path) -> None:
    insert(writing)
    made = store.backup(str(tmp_path / "copies"))
    assert made.failed == []
    with Store(str(tmp_path / "restored")) as restored:
        restored.restore(str(tmp_path / "copies"))
        assert restored.count(Filter()).count == 2


def test_whoever_looks_for_changes_sees_them(writing: Any, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (session, copier):
        monkeypatch.setattr(module, "SETTLED_NS", -(10**18))
    path = layout.db_path(store.root, DAY)
    looks = [
        lambda: text_blooms.state_of(path),
        lambda: tail.look_at(path),
        lambda: maintenance.state_of(path),
        lambda: copier.state_of(path),
        lambda: session.signature(store.roots),
        lambda: sealing.is_settled(store.root, DAY),
    ]
    before = [look() for look in looks]
    insert(writing)
    assert [n for n, look in enumerate(looks) if look() == before[n]] == []
