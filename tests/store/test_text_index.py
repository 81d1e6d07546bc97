"""The text index of a day: what is found with it is exact, whoever writes, deletes, changes rows or is stopped."""

import json
import os
import random
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from eyelet_ingest.events import Event
from eyelet_ingest.past import Pattern
from eyelet_ingest.store import (
    archives,
    connect,
    journal,
    layout,
    manifest,
    schema,
    text_index,
    text_schema,
    text_slices,
    verify,
)
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

MakeEvent = Callable[..., Event]
NOON_US = 1_774_008_000_000_000  # 2026-03-20T12:00:00Z
DAY = layout.key_for("default", NOON_US)
WORDS = ("apple", "birch", "cedar", "elder", "fir", "日本語")
IS_SOAK = bool(os.environ.get("EYELET_SOAK"))


def said(make_event: MakeEvent, n: int, text: str, **fields: object) -> Event:
    return make_event(NOON_US + n, data=json.dumps({"prompt": text}, ensure_ascii=False), **fields)


def some(chance: random.Random) -> str:
    return " ".join(chance.choices(WORDS, k=3))


def writer(root: str) -> Any:
    return connect.open_writer(layout.db_path(root, DAY))


def as_found(conn: Any, word: str) -> list[int]:
    """What the index and what is beside it find together: the contract that every search is built on."""
    upto = text_index.watermark(conn)
    texts = {row[0]: " ".join(filter(None, row[1:])) for row in conn.execute(text_schema.TEXT_SELECT)}
    rows = dict(conn.execute("select id, arrived from hooks"))
    if upto is None:
        tail, hits = set(rows), set()
    else:
        gone = {id for (id,) in conn.execute("select id from eyelet_text_gone")}
        tail = {id for id, arrived in rows.items() if type(arrived) is not int or arrived > upto or id in gone}
        sql = "select rowid from hooks_fts where hooks_fts match ?"
        hits = {id for (id,) in conn.execute(sql, (f'"{word}"',)) if id not in gone and id in rows}
    return sorted(hits | {id for id in tail if word in re.split(r"\W+", texts[id])})


def as_true(conn: Any, word: str) -> list[int]:
    rows = conn.execute("select id, data from hooks order by id").fetchall()
    return [id for id, data in rows if word in re.split(r"\W+", json.loads(data)["prompt"])]


def hold(root: str) -> None:
    """Every word is found where it stands, whatever part of that is in the index."""
    conn = connect.open_reader(layout.db_path(root, DAY))
    try:
        for word in WORDS:
            assert as_found(conn, word) == as_true(conn, word)
        if text_index.watermark(conn) is not None:
            known = {id for (id,) in conn.execute("select id from eyelet_text_wide")}
            gone = {id for (id,) in conn.execute("select id from eyelet_text_gone")}
            upto = text_index.watermark(conn)
            rows = conn.execute("select id from hooks where data glob '*日本*' and arrived <= ?", (upto,))
            assert {id for (id,) in rows} <= known | gone
    finally:
        conn.close()


def insert(conn: Any, chance: random.Random, how: str = "insert", **fields: object) -> None:
    row = {
        "id": NOON_US + chance.randrange(400),
        "uid": chance.randbytes(16),
        "arrived": NOON_US * 2 + chance.randrange(10**9),
        "timestamp": NOON_US / 1e6,
        "hook_type": "Note",
        "data": json.dumps({"prompt": some(chance)}, ensure_ascii=False),
    } | fields
    sql = f"{how} into hooks ({', '.join(row)}) values ({', '.join('?' * len(row))})"
    conn.execute(sql, list(row.values()))


def any_row(conn: Any, chance: random.Random) -> tuple[int, bytes, Any]:
    rows = conn.execute("select id, uid, arrived from hooks order by id").fetchall()
    return chance.choice(rows)  # type: ignore[no-any-return]


def others(conn: Any, chance: random.Random) -> None:
    """What other programs may do to rows, one thing at a time."""
    id, uid, arrived = any_row(conn, chance)
    text = json.dumps({"prompt": some(chance)}, ensure_ascii=False)
    what = chance.randrange(9)
    if what == 0:
        conn.execute("update hooks set data = ? where id = ?", (text, id))
    elif what == 1:
        conn.execute("delete from hooks where id = ?", (id,))
    elif what == 2:
        conn.execute("update or replace hooks set id = id + 1 where id = ?", (id,))
    elif what == 3:
        insert(conn, chance, "insert or replace", id=id)
    elif what == 4:
        insert(conn, chance, "insert or replace", uid=uid)
    elif what == 5:
        insert(conn, chance, "insert or replace", arrived=arrived)
    elif what == 6:
        insert(conn, chance, "insert or ignore", arrived=chance.randrange(10**6))
    elif what == 7:
        insert(conn, chance, "insert or replace", uid=None, arrived=None)
    else:
        (newest,) = conn.execute("select id from hooks order by typeof(arrived) <> 'integer', arrived desc").fetchone()
        when = chance.choice([None, 7.5, "x", chance.randrange(9)])
        conn.execute("update or ignore hooks set arrived = ? where id = ?", (when, chance.choice([id, newest])))


@pytest.mark.parametrize("seed", range(60 if IS_SOAK else 6))
def test_every_word_is_found_where_it_stands_whatever_happens_to_the_rows(
    seed: int, root: str, store: Store, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    monkeypatch.setattr(text_slices, "GONE_LEAST", chance.choice([2, 1_000]))
    monkeypatch.setattr(text_index, "MOST_ROWS", chance.choice([1, 7, 2_000]))
    store.append([said(make_event, n, some(chance)) for n in range(60)])
    for round in range(12):
        act = chance.randrange(5)
        if act == 0:
            store.append([said(make_event, 500 + round * 10 + n, some(chance)) for n in range(8)])
        elif act == 1:
            store.text_catch_up(DAY, chance.choice([0.001, 1, 60_000]))
        elif act == 2:
            store.text_build(DAY, anew=chance.random() < 0.3)
        else:
            conn = writer(root)
            if chance.random() < 0.3:
                conn.execute("pragma recursive_triggers = on")  # as another program may have it
            with connect.transaction(conn):
                for _ in range(chance.randrange(1, 4)):
                    others(conn, chance)
            conn.close()
        hold(root)
    store.text_build(DAY)
    hold(root)
    assert store.text_check(DAY) == []


def test_a_day_that_is_over_gets_its_whole_index_and_its_terms_and_a_late_event_is_added(
    root: str, store: Store, make_event: MakeEvent
) -> None:
    chance = random.Random(1)
    store.append([said(make_event, n, some(chance)) for n in range(200)])
    assert store.text_state(DAY) == text_index.TextState(0, 0, 200, 0, False, 0)
    caught = store.text_build(DAY)
    assert (caught.rows, caught.is_current, caught.is_finished) == (200, True, True)
    conn = connect.open_reader(layout.db_path(root, DAY))
    terms = {term for (term,) in conn.execute("select term from eyelet_text_terms")}
    assert terms == set(WORDS)
    conn.close()
    state = store.text_state(DAY)
    assert (state.version, state.rows, state.behind, state.is_finished) == (text_schema.TEXT_VERSION, 200, 0, True)
    store.append([said(make_event, 900, "larch")])
    assert (store.text_state(DAY).behind, store.text_build(DAY).rows) == (1, 1)
    assert store.text_state(DAY).is_finished and store.text_check(DAY) == []
    assert store.text_build(DAY).rows == 0


def test_a_text_in_a_script_without_spaces_is_known_also_behind_a_nul(store: Store, make_event: MakeEvent) -> None:
    texts = ["plain", "naïve café", "said 日本", "\0日本", "สวัสดี", "한국", "x\0y 🎉", "\U00020000"]
    store.append([said(make_event, n, text) for n, text in enumerate(texts)])
    store.text_build(DAY)
    conn = writer(store.root)
    known = {id - NOON_US for (id,) in conn.execute("select id from eyelet_text_wide")}
    conn.close()
    assert known >= {2, 3, 4, 5, 7} and not known & {0, 1}
    assert store.text_check(DAY) == []


def test_a_day_that_goes_on_is_indexed_and_not_finished(root: str, store: Store, make_event: MakeEvent) -> None:
    now_us = time.time_ns() // 1_000
    key = layout.key_for("default", now_us)
    store.append([make_event(now_us, data='{"prompt": "larch"}')])
    assert store.text_catch_up(layout.key_for("default", now_us), 10_000)
    state = store.text_state(key)
    assert (state.rows, state.behind, state.is_finished) == (1, 0, False)


def test_a_catch_up_that_is_stopped_at_any_slice_goes_on_where_it_stopped(
    root: str, store: Store, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_index, "MOST_ROWS", 5)
    chance = random.Random(2)
    store.append([said(make_event, n, some(chance)) for n in range(43)])
    steps = 0
    while not store.text_catch_up(DAY, 0.0001):
        steps += 1
        assert 0 < store.text_state(DAY).rows < 43
        hold(root)
    assert steps >= 8 and store.text_check(DAY) == []


def test_rounds_come_to_every_day_and_then_only_look(store: Store, make_event: MakeEvent) -> None:
    for day in range(4):
        store.append([said(make_event, day * layout.DAY_US + n, "apple") for n in range(9)])
    assert store.index_text(60_000).rows == 36
    assert all(store.text_state(key).is_finished for key in store.catalog.partitions())
    done = store.index_text(60_000)
    assert (done.rows, done.left, done.troubled) == (0, 0, [])
    store.append([said(make_event, 100, "late")])
    assert store.index_text(60_000).rows == 1


def test_deleted_and_redacted_words_leave_no_byte_and_the_index_is_made_anew(
    root: str, store: Store, make_event: MakeEvent
) -> None:
    secrets = [f"zebra{n:03d}quagga" for n in range(60)]
    store.append([said(make_event, n, f"apple {word}") for n, word in enumerate(secrets)])
    store.append([said(make_event, 100, "apple zebrasquagga")])
    store.text_build(DAY)
    assert store.delete(Filter(session_id=("",), text="zebra0", exact=True)).events == 60
    left = [path for path in Path(root).rglob("*") if path.is_file() and b"zebra0" in path.read_bytes()]
    assert left == [] and store.text_state(DAY).version == 0
    store.text_build(DAY)
    assert store.text_state(DAY).rows == 1
    store.redact(Pattern("zebrasquagga"))
    left = [path for path in Path(root).rglob("*") if path.is_file() and b"zebra" in path.read_bytes()]
    assert left == []
    hold(root)
    store.text_build(DAY)
    assert store.text_check(DAY) == []


def test_a_sealed_day_has_its_index_inside_and_nobody_writes_to_it(
    root: str, store: Store, make_event: MakeEvent
) -> None:
    store.append([said(make_event, n, "apple") for n in range(50)])
    store.seal(DAY)
    state = store.text_state(DAY)
    assert (state.rows, state.behind, state.is_finished) == (50, 0, True)
    assert store.index_text(60_000).rows == 0 and store.text_build(DAY).rows == 0
    assert [one.state for one in store.verify([DAY])] == ["unchanged"]
    store.append([said(make_event, 100, "late")])
    assert not store.text_catch_up(DAY, 60_000)
    hold(root)
    store.seal(DAY)
    assert store.text_state(DAY).rows == 51 and store.text_check(DAY) == []


def test_a_day_that_was_sealed_without_an_index_is_left_alone_until_it_is_asked_for(
    root: str, store: Store, make_event: MakeEvent
) -> None:
    store.append([said(make_event, n, "apple") for n in range(50)])
    store.seal(DAY)
    manifest.reopen(root, DAY, "as by an older version")
    conn = writer(root)
    with connect.transaction(conn):
        text_schema.drop(conn)
    conn.close()
    known = manifest.read(root, DAY)
    assert known is not None
    size, digest = os.path.getsize(layout.db_path(root, DAY)), file_digest(root)
    seal = known.newest.__class__(**{**as_dict(known.newest), "bytes": size, "sha256": digest})
    manifest.write(root, manifest.Manifest(DAY, (*known.seals[:-1], seal)))
    assert store.index_text(60_000).rows == 0 and store.text_state(DAY).version == 0
    assert store.text_build(DAY).rows == 50
    assert store.text_state(DAY).is_finished
    sealed = manifest.read(root, DAY)
    assert sealed is not None and sealed.newest.reason == "its text indexed anew" and not sealed.reopened


def as_dict(seal: Any) -> dict[str, Any]:
    return {name: getattr(seal, name) for name in seal.__slots__}


def file_digest(root: str) -> str:
    import hashlib

    return hashlib.sha256(Path(layout.db_path(root, DAY)).read_bytes()).hexdigest()


def test_an_archive_leaves_the_index_out_and_the_day_gets_it_again(
    root: str, store: Store, make_event: MakeEvent
) -> None:
    chance = random.Random(4)
    store.append([said(make_event, n, some(chance)) for n in range(300)])
    plain = store.archive(DAY).archive_bytes
    store.text_build(DAY)
    assert store.archive(DAY, remove=True).archive_bytes <= plain + 200
    assert store.restore_archive(DAY).rows == 300
    assert store.text_state(DAY).version == 0
    hold(root)
    assert store.index_text(60_000, [DAY]).rows == 300
    assert store.text_check(DAY) == []
    assert archives.is_archived(root, DAY)


@pytest.mark.parametrize(
    "harm",
    [
        "delete from hooks_fts_data where id > 10",
        "update hooks_fts_data set block = x'00' where id > 10",
        "drop trigger eyelet_text_deleted",
        "drop view hooks_text",
        "delete from eyelet_text_wide",
        "update eyelet_partition set value = (select max(arrived) from hooks) where key = 'text:arrived'",
        "update eyelet_partition set value = 'x' where key = 'text:arrived'",
        "update eyelet_partition set value = 99 where key = 'text:version'",
        "drop table hooks_fts",
    ],
)
def test_a_damaged_index_is_named_or_not_believed_and_can_be_made_anew(
    harm: str, root: str, store: Store, make_event: MakeEvent
) -> None:
    chance = random.Random(5)
    store.append([said(make_event, n, some(chance)) for n in range(50)])
    store.text_build(DAY)
    store.append([said(make_event, 100 + n, "apple") for n in range(20)])
    conn = writer(root)
    conn.execute(harm)
    believed = text_index.watermark(conn)
    conn.close()
    assert believed is None or store.text_check(DAY) != []
    assert store.text_build(DAY, anew=True).is_finished
    assert store.text_check(DAY) == [] and store.text_state(DAY).rows == 70
    hold(root)


def test_an_index_whose_pages_are_damaged_is_begun_anew_by_catch_up(
    root: str, store: Store, make_event: MakeEvent
) -> None:
    store.append([said(make_event, n, "apple") for n in range(50)])
    store.text_build(DAY)
    conn = writer(root)
    conn.execute("delete from hooks_fts_data where id = 10")  # what says which pages there are
    conn.close()
    store.append([said(make_event, 100, "late")])
    assert store.text_catch_up(DAY, 60_000)
    assert store.text_check(DAY) == [] and store.text_state(DAY).rows == 51


def test_an_index_of_sqlite_utils_that_has_the_name_of_ours_is_let_be_and_text_is_found_by_reading(
    root: str, store: Store, make_event: MakeEvent
) -> None:
    from sqlite_utils import Database

    chance = random.Random(7)
    store.append([said(make_event, n, some(chance)) for n in range(20)])
    store.text_build(DAY)
    conn = writer(root)
    Database(conn)["hooks"].enable_fts(["data"], create_triggers=True, replace=True)
    assert "hooks_fts" in schema.names_of_others(conn) and text_index.watermark(conn) is None
    conn.close()
    store.append([said(make_event, 100 + n, some(chance)) for n in range(20)])
    assert not store.text_catch_up(DAY, 60_000)
    assert "sqlite-utils disable-fts" in store.index_text(60_000).troubled[0][1]
    hold(root)
    store.redact(Pattern("apple"))
    conn = writer(root)
    sql = "select count(*) from hooks where id in (select rowid from hooks_fts where hooks_fts match ?)"
    assert conn.execute(sql, ("birch",)).fetchone()[0] and not conn.execute(sql, ("apple",)).fetchone()[0]
    conn.close()
    store.seal(DAY)
    manifest.reopen(root, DAY, "by the test")
    conn = writer(root)
    Database(conn)["hooks"].disable_fts()
    conn.close()
    assert store.text_build(DAY).rows == 40 and store.text_check(DAY) == []


@pytest.mark.parametrize(
    "definition",
    [
        "table hooks_text (a)",
        "table Hooks_Text (a)",
        "view hooks_text as select 'apple' as a",
        "table hooks_fts_data (a)",
        "table hooks_fts_config (a)",
    ],
)
@pytest.mark.parametrize("indexed", [False, True])
def test_what_others_call_by_a_name_of_ours_is_let_be_and_redacted(
    root: str, store: Store, make_event: MakeEvent, definition: str, indexed: bool
) -> None:
    store.append([said(make_event, n, "apple") for n in range(3)])
    conn = writer(root)
    if indexed:
        store.text_build(DAY)
        with connect.transaction(conn):
            text_schema.drop(conn)
    kind, name = definition.split()[:2]
    conn.execute(f"create {definition}")
    if kind == "table":
        conn.execute(f"insert into {name} values ('an apple')")
    conn.close()
    assert not store.text_catch_up(DAY, 60_000)
    assert name.lower() in store.index_text(60_000).troubled[0][1]
    assert len(store.text_ids(DAY, "apple")) == 3
    store.delete(Filter(text="no such", since_us=DAY.bounds_us[0]))
    store.redact(Pattern("apple"))
    conn = writer(root)
    assert name in schema.names_of_others(conn)
    (found,) = conn.execute(f"select a from {name}").fetchall()
    assert kind == "view" or found[0].startswith("an [redacted")
    conn.close()
    store.seal(DAY)
    assert store.text_ids(DAY, "apple") == []


def test_a_rebuilt_table_gets_a_new_index(root: str, store: Store, make_event: MakeEvent) -> None:
    store.append([said(make_event, n, "apple") for n in range(20)])
    store.text_build(DAY)
    conn = writer(root)
    assert schema.rebuild(conn, layout.db_path(root, DAY)) == 20
    conn.close()
    hold(root)
    assert store.text_build(DAY).rows == 20 and store.text_check(DAY) == []


def test_text_that_others_index_and_keep_in_a_day_is_theirs_and_ours_is_ours(
    root: str, store: Store, make_event: MakeEvent
) -> None:
    store.append([said(make_event, n, "apple") for n in range(5)])
    store.text_build(DAY)
    conn = writer(root)
    assert schema.names_of_others(conn) == set()
    conn.execute("create virtual table notes using fts5(text)")
    assert "hooks_fts" not in schema.names_of_others(conn) and "notes" in schema.names_of_others(conn)
    conn.close()


def test_a_copy_of_a_root_has_its_indexes(root: str, store: Store, make_event: MakeEvent, tmp_path: Path) -> None:
    store.append([said(make_event, n, "apple") for n in range(5)])
    store.text_build(DAY)
    assert store.backup(str(tmp_path / "saved")).failed == []
    assert store.restore(str(tmp_path / "saved"), replace=True, force=True).failed == []
    assert store.text_state(DAY).rows == 5 and store.text_check(DAY) == []
    with Store(str(tmp_path / "other")) as other:
        assert other.sync([root])[0].stored == 5
        assert other.text_state(DAY).version == 0 and other.index_text(60_000).rows == 5


def test_a_root_in_memory_and_a_day_with_a_roll_back_journal_have_indexes_too(
    root: str, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store.in_memory() as store:
        store.append([said(make_event, n, "apple") for n in range(5)])
        assert store.index_text(60_000).rows == 5 and store.text_check(DAY) == []
        assert store.index_text(60_000).rows == 0
    monkeypatch.setattr(journal, "on_network", lambda path: True)
    with Store(root) as store:
        store.append([said(make_event, n, "apple") for n in range(5)])
        assert store.index_text(60_000).rows == 5 and store.text_check(DAY) == []
        hold(root)


def test_a_day_of_a_newer_version_or_in_trouble_is_left_and_named(
    root: str, store: Store, make_event: MakeEvent
) -> None:
    store.append([said(make_event, n, "apple") for n in range(5)])
    conn = writer(root)
    conn.execute(f"pragma user_version = {schema.VERSION + 1}")
    conn.close()
    assert not store.text_catch_up(DAY, 1_000)
    done = store.index_text(1_000)
    assert [key for key, _ in done.troubled] == [DAY] and "upgrade" in done.troubled[0][1]
    assert store.index_text(1_000).troubled == []  # it is not tried again until somebody writes there
    Path(layout.db_path(root, DAY)).write_bytes(b"no database" * 1_000)
    assert not store.text_catch_up(DAY, 1_000) and len(store.index_text(1_000).troubled) == 1


def test_a_day_that_another_keeps_is_left_for_the_next_time(root: str, store: Store, make_event: MakeEvent) -> None:
    store.append([said(make_event, n, "apple") for n in range(5)])
    with connect.FileLock(layout.lock_path(root, DAY), time.monotonic_ns() + 10**9):
        assert not store.text_catch_up(DAY, 1_000)
        assert store.index_text(1_000).left == 1
    assert store.index_text(60_000).rows == 5


@pytest.fixture
def short_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_index, "MOST_ROWS", 20)


def test_catching_up_while_many_write_loses_nothing_and_ends_current(
    root: str, store: Store, make_event: MakeEvent, short_slices: None
) -> None:
    chance = random.Random(6)
    times: Iterator[int] = iter(range(10**6))
    ends = threading.Event()
    trouble: list[BaseException] = []

    def write() -> None:
        try:
            with Store(root) as own:
                for _ in range(15):
                    own.append([said(make_event, next(times), some(chance)) for _ in range(3)])
        except BaseException as bad:
            trouble.append(bad)
            raise

    def catch_up() -> None:
        while not ends.is_set():
            store.index_text(50)

    writers = [threading.Thread(target=write) for _ in range(6)]
    keeper = threading.Thread(target=catch_up)
    for thread in (keeper, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    ends.set()
    keeper.join()
    assert trouble == [] and store.count(Filter()).count == 6 * 15 * 3
    hold(root)
    store.text_build(DAY)
    assert store.text_state(DAY).rows == 270 and store.text_check(DAY) == []


_BUILDS = """
import sys
from eyelet_ingest.store import layout, text_index, text_slices
from eyelet_ingest.store.store import Store
text_index.MOST_ROWS, text_slices.MERGE_PAGES = 7, 1
with Store(sys.argv[1]) as store:
    print("on", flush=True)
    while True:
        store.text_build(layout.key_from_mount_name(sys.argv[2]), anew=True)
"""


def test_whoever_is_killed_while_an_index_is_made_leaves_one_that_is_exact(
    root: str, store: Store, make_event: MakeEvent
) -> None:
    chance = random.Random(8)
    store.append([said(make_event, n, some(chance)) for n in range(150)])
    for _ in range(40 if IS_SOAK else 4):
        command = [sys.executable, "-c", _BUILDS, root, DAY.mount_name]
        child = subprocess.Popen(
            command, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        )
        assert child.stdout is not None and child.stdout.readline() == b"on\n"
        time.sleep(chance.random() * 0.2)
        child.kill()
        child.wait()
        child.stdout.close()
        hold(root)
        store.text_catch_up(DAY, 1)
        hold(root)
    store.text_build(DAY)
    assert store.text_state(DAY).rows == 150 and store.text_check(DAY) == []


@pytest.mark.skipif(not IS_SOAK, reason="minutes: EYELET_SOAK=1")
def test_a_hundred_thousand_rows_are_indexed_while_sixteen_processes_write(
    root: str, store: Store, make_event: MakeEvent
) -> None:
    chance = random.Random(9)
    for at in range(0, 100_000, 10_000):
        store.append([said(make_event, at + n, some(chance)) for n in range(10_000)])
    writes = [subprocess.Popen([sys.executable, "-c", _WRITES, root, str(n)], env=os.environ) for n in range(16)]
    while any(child.poll() is None for child in writes):
        store.index_text(200)
    assert [child.returncode for child in writes] == [0] * 16
    store.text_build(DAY)
    state = store.text_state(DAY)
    assert (state.rows, state.behind) == (100_000 + 16 * 300, 0) and store.text_check(DAY) == []


_WRITES = """
import os, sys
from eyelet_ingest.events import Event
from eyelet_ingest.store.store import Store
with Store(sys.argv[1]) as store:
    for n in range(300):
        at = 1_774_008_000_000_000 + 10**9 + int(sys.argv[2]) * 10**6 + n
        event = Event(uid=os.urandom(16), time_us=at, hook_type="Note", data='{"prompt": "apple birch"}')
        assert store.append([event]).stored == 1
"""


def test_what_seals_say_holds_with_an_index(root: str, store: Store, make_event: MakeEvent) -> None:
    store.append([said(make_event, n, "apple") for n in range(30)])
    store.seal(DAY)
    store.text_build(DAY, anew=True)
    assert [one.state for one in verify.verify(root, [DAY])] == ["unchanged"]
    store.delete(Filter(text="apple", exact=True, session_id=("",)))


BIG = "apple " * 30_000


def test_nobody_waits_while_a_large_payload_is_taken_apart(
    tmp_path: Path, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store(str(tmp_path)) as store:
        store.append([said(make_event, 1, "birch"), said(make_event, 2, BIG + "cedar"), said(make_event, 3, "elder")])
        taken_apart, seen = text_slices.taken_apart, []

        def free(reader: Any, id: int) -> Any:
            with connect.FileLock(layout.lock_path(store.root, DAY), time.monotonic_ns()):
                seen.append(id)
            return taken_apart(reader, id)

        monkeypatch.setattr(text_index, "taken_apart", free)
        assert text_index.catch_up(store.root, DAY, 60_000).rows == 3
        assert seen == [NOON_US + 2]
        hold(store.root)


@pytest.mark.parametrize("then", ['update hooks set data = \'{"prompt": "fir"}\'', "delete from hooks"])
def test_a_large_payload_that_changes_while_it_is_taken_apart_is_indexed_as_it_is(
    tmp_path: Path, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    with Store(str(tmp_path)) as store:
        store.append([said(make_event, 1, BIG + "cedar"), said(make_event, 2, "elder"), said(make_event, 3, BIG)])
        taken_apart = text_slices.taken_apart

        def overtaken(reader: Any, id: int) -> Any:
            found = taken_apart(reader, id)
            conn = writer(store.root)
            conn.execute(f"{then} where id = ?", (id,))
            conn.close()
            return found

        monkeypatch.setattr(text_index, "taken_apart", overtaken)
        assert text_index.catch_up(store.root, DAY, 60_000).is_current
        hold(store.root)


def test_a_large_payload_that_cannot_be_taken_apart_is_indexed_under_the_lock(
    tmp_path: Path, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_index, "taken_apart", lambda _, id: text_slices.Apart(id))
    with Store(str(tmp_path)) as store:
        store.append([said(make_event, 1, BIG + "cedar"), said(make_event, 2, BIG + "elder")])
        assert text_index.catch_up(store.root, DAY, 60_000).rows == 2
        hold(store.root)
