"""Tables of other programs live through all that is done to their day; the connection they are lent keeps rules."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlite_utils

from eyelet_ingest.errors import BadInput, PartitionBusy, PartitionUnreadable
from eyelet_ingest.events import Event
from eyelet_ingest.store import connect, layout, schema, verify
from eyelet_ingest.store.connect import FileLock
from eyelet_ingest.store.connection import DayConnection
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

DAY = PartitionKey("default", 2026, 79)
MakeEvent = Callable[..., Event]

THEIRS = (
    "create table notes (id integer primary key, hook integer references hooks(id) on delete cascade, text)",
    "create index notes_of on notes (hook)",
    "create table plain (text)",  # neither key nor index: VACUUM would number its rows anew
    "create table pairs (a, b, primary key (a, b)) without rowid",
    "create table counted (id integer primary key autoincrement, a)",
    "create virtual table words using fts5(text, content=plain)",
    "create virtual table own using fts5(text)",
    "create trigger plain_words after insert on plain begin"
    " insert into words (rowid, text) values (new.rowid, new.text); end",
    "create trigger seen after insert on hooks begin insert into pairs values (new.id, 'seen'); end",
    "create view failures as select id, src from hooks where error = 1",
    "create index theirs_on_hooks on hooks (duration_ms, agent)",
    "insert into plain values ('one'), ('two'), ('three'), ('four'), ('five')",
    "delete from plain where text in ('one', 'three')",
    "insert into words (words) values ('rebuild')",
    "insert into own values ('alpha'), ('beta')",
    "insert into pairs values (1, 'x'), (2, 'y')",
    "insert into counted (a) values (1), (2), (3)",
    "delete from counted where id = 3",
    "insert into notes (hook, text) select id, 'on ' || src from hooks",
)


@pytest.fixture
def day(store: Store, make_event: MakeEvent) -> Store:
    """A day of six events, with tables of another program."""
    store.append([make_event(DAY.bounds_us[0] + n, src=f"a.b{n}", session_id=f"s{n % 2}") for n in range(6)])
    with store.connection(DAY) as lent, lent.writing() as conn:
        for sql in THEIRS:
            conn.execute(sql)
    return store


def theirs(store: Store) -> dict[str, object]:
    """All that the other program made, and what it finds."""
    conn = connect.open_reader(layout.db_path(store.root, DAY))
    names = sorted(schema.names_of_others(conn))
    marks = ",".join("?" * len(names))
    found: dict[str, object] = {
        "schema": sorted(conn.execute(f"select name, sql from sqlite_master where name in ({marks})", names)),
        "plain": conn.execute("select rowid, text from plain order by 1").fetchall(),
        "pairs": conn.execute("select * from pairs order by 1").fetchall(),
        "counted": conn.execute("select * from counted order by 1").fetchall(),
        "sequence": conn.execute("select * from sqlite_sequence").fetchall(),
        "notes": conn.execute("select * from notes order by 1").fetchall(),
        "words": conn.execute("select rowid from words where words match 'four'").fetchall(),
        "own": conn.execute("select rowid, text from own where own match 'beta'").fetchall(),
        "check": conn.execute("pragma integrity_check").fetchall()
        + conn.execute("pragma foreign_key_check").fetchall(),
    }
    conn.close()
    return found


def vacuum(store: Store) -> None:
    store.vacuum(DAY)


def seal(store: Store) -> None:
    store.seal(DAY)


def archive_and_restore(store: Store) -> None:
    store.archive(DAY, remove=True)
    store.restore_archive(DAY)


def maintain(store: Store) -> None:
    store.maintain(10_000)


def check_point(store: Store) -> None:
    store.checkpoint(DAY, "truncate")


def bring_up(store: Store) -> None:
    conn = connect.open_writer(layout.db_path(store.root, DAY))
    conn.execute("drop trigger hooks_counted_delete")
    conn.execute("drop trigger hooks_counted_update")
    conn.execute("drop trigger hooks_counted_insert")
    conn.execute("drop table eyelet_counts")
    conn.execute("drop table eyelet_hours")
    conn.execute("pragma user_version = 2")
    conn.close()
    assert store.migrate(DAY) == (2, schema.VERSION)


def rebuild(store: Store) -> None:
    from click.testing import CliRunner

    from eyelet_ingest.cli import cli

    assert CliRunner().invoke(cli, ["rebuild", layout.db_path(store.root, DAY)]).exit_code == 0


def delete_others(store: Store) -> None:
    with store.connection(DAY) as lent, lent.writing() as conn:
        conn.execute("delete from notes where hook in (select id from hooks where src = 'a.b5')")
    before = theirs(store)
    store.delete(Filter(src=("a.b5",)))
    assert theirs(store) == before


def index_text(store: Store) -> None:
    assert store.text_build(DAY, anew=True).is_finished and store.text_check(DAY) == []


LIVES_THROUGH = (index_text, vacuum, seal, archive_and_restore, maintain, check_point, bring_up, rebuild)


@pytest.mark.parametrize("work", LIVES_THROUGH, ids=lambda work: work.__name__)
def test_tables_of_others_live_through(day: Store, work: Callable[[Store], None]) -> None:
    before = theirs(day)
    assert before["words"] and before["own"] and before["check"] == [("ok",)]
    work(day)
    assert theirs(day) == before
    work(day)
    assert theirs(day) == before


def test_tables_of_others_live_through_all_of_it_in_turn(day: Store) -> None:
    delete_others(day)
    before = theirs(day)
    for work in LIVES_THROUGH:
        work(day)
    assert theirs(day) == before
    assert [one.state for one in day.verify()] == [verify.UNCHANGED]


def test_appending_calls_their_triggers_and_touches_nothing_else(day: Store, make_event: MakeEvent) -> None:
    before = theirs(day)
    event = make_event(DAY.bounds_us[0] + 77)
    day.append([event])
    after = theirs(day)
    assert after.pop("pairs") == [*before.pop("pairs"), (event.time_us, "seen")]  # type: ignore[misc]
    assert after == before


def test_deleting_an_event_takes_along_what_refers_to_it_with_cascade(day: Store) -> None:
    day.delete(Filter(session_id=("s1",)))
    notes = theirs(day)["notes"]
    assert len(notes) == 3  # type: ignore[arg-type]


def test_an_event_that_is_held_without_cascade_stays_and_its_day_is_named(day: Store) -> None:
    with day.connection(DAY) as lent, lent.writing() as conn:
        conn.execute("create table held (hook integer references hooks(id))")
        conn.execute("insert into held select id from hooks where src = 'a.b1'")
    done = day.delete(Filter(src=("a.b1",)))
    assert [(one.day, "FOREIGN KEY" in one.error) for one in done.failed] == [("2026-03-20", True)]
    assert day.count(Filter()).count == 6


def test_the_connection_reads_at_any_time_and_writes_in_its_block_alone(day: Store) -> None:
    with day.connection(DAY) as lent:
        assert lent.execute("select count(*) from hooks").fetchone() == (6,)
        with pytest.raises(lent.conn.OperationalError, match="readonly"):
            lent.execute("insert into plain values ('no')")
        with lent.writing() as conn:
            conn.execute("insert into plain values ('yes')")
        with pytest.raises(ZeroDivisionError), lent.writing() as conn:
            conn.execute("insert into plain values ('taken back')")
            raise ZeroDivisionError
        assert [text for (text,) in lent.execute("select text from plain order by rowid")] == [
            *("two", "four", "five", "yes")
        ]
        assert lent.execute("select rowid from words where words match 'yes'").fetchall() == [(6,)]


@pytest.mark.parametrize(
    "sql",
    [
        "insert into hooks (timestamp, hook_type) values (1.0, 'x')",
        "update hooks set data = '{}'",
        "delete from hooks",
        "drop table hooks",
        "drop index hooks_src",
        "drop trigger hooks_by_hand",
        "alter table hooks add column mine",
        "alter table eyelet_partition rename to mine",
        "delete from eyelet_hours",
        "update eyelet_partition set value = 1",
        "pragma journal_mode = delete",
        "pragma foreign_keys = off",
        "pragma user_version = 99",
        "pragma query_only = off",
        "attach ':memory:' as other",
        "detach main",
    ],
)
def test_what_the_rules_forbid_is_refused(day: Store, sql: str) -> None:
    with day.connection(DAY) as lent:
        with pytest.raises(lent.conn.DatabaseError, match="not authorized"):
            lent.execute(sql)
        with pytest.raises(lent.conn.DatabaseError, match="not authorized"), lent.writing() as conn:
            conn.execute(sql)
    assert day.count(Filter()).count == 6


def test_no_end_of_a_transaction_inside_the_block_ends_it(day: Store) -> None:
    with day.connection(DAY) as lent:
        with pytest.raises(ZeroDivisionError), lent.writing() as conn:
            conn.execute("insert into plain values ('a')")
            conn.commit()
            conn.execute("commit")
            raise ZeroDivisionError
        assert lent.execute("select count(*) from plain").fetchone() == (3,)


def test_sqlite_utils_works_on_it(day: Store) -> None:
    with day.connection(DAY) as lent:
        with lent.writing() as conn:
            database = sqlite_utils.Database(conn)
            database["tags"].insert_all([{"id": 1, "tag": "good"}, {"id": 2, "tag": "bad"}], pk="id")
            database["tags"].update(2, {"tag": "better"})
        assert [row["tag"] for row in sqlite_utils.Database(lent.conn)["tags"].rows] == ["good", "better"]


def test_a_day_that_is_not_there_is_not_made(store: Store) -> None:
    with pytest.raises(PartitionUnreadable, match="no such day"):
        store.connection(DAY)
    assert not os.path.exists(store.root)


def test_it_is_let_go_of_when_its_day_is_removed(day: Store) -> None:
    lent = day.connection(DAY)
    first, end = DAY.bounds_us
    day.delete(Filter(since_us=first, until_us=end))
    assert lent.closed
    with pytest.raises(PartitionUnreadable, match="closed"):
        lent.execute("select 1")
    with pytest.raises(PartitionUnreadable), lent.writing():
        pass
    assert not os.path.exists(layout.partition_dir(day.root, DAY))


def test_it_says_that_it_is_closed_when_another_process_removed_its_day(day: Store, make_event: MakeEvent) -> None:
    with day.connection(DAY) as lent:
        with Store(day.root) as other:
            other.archive(DAY, remove=True)
            other.append([make_event(DAY.bounds_us[0])])
        assert lent.closed
        with pytest.raises(PartitionUnreadable), lent.writing():
            pass


def test_closing_twice_is_closing_once_and_a_store_closes_what_it_lent(day: Store) -> None:
    lent = day.connection(DAY)
    lent.close()
    lent.close()
    assert lent.closed
    with Store(day.root) as other:
        more = other.connection(DAY)
    assert more.closed


def test_one_that_writes_is_closed_when_it_is_done(day: Store) -> None:
    lent = day.connection(DAY)
    wrote, go = threading.Event(), threading.Event()

    def write() -> None:
        with lent.writing() as conn:
            conn.execute("insert into plain values ('in time')")
            wrote.set()
            go.wait(10)

    thread = threading.Thread(target=write)
    thread.start()
    wrote.wait(10)
    day.release(DAY)
    assert not lent.closed
    go.set()
    thread.join()
    assert lent.closed
    with day.connection(DAY) as again:
        assert again.execute("select count(*) from plain where text = 'in time'").fetchone() == (1,)


def test_it_waits_for_the_days_lock_and_no_longer_than_asked(day: Store) -> None:
    lock = FileLock(layout.lock_path(day.root, DAY), time.monotonic_ns() + 10**9)
    with day.connection(DAY) as lent:
        with lock, pytest.raises(PartitionBusy), lent.writing(deadline_ms=30):
            pass
        with lent.writing():
            with pytest.raises(BadInput), lent.writing():
                pass
            with pytest.raises(PartitionBusy), FileLock(lock.path, time.monotonic_ns() + 10**7):
                pass


def test_writing_to_a_sealed_day_is_told_and_its_events_stay_proven(day: Store) -> None:
    day.seal(DAY)
    with day.connection(DAY) as lent, lent.writing() as conn:
        conn.execute("insert into plain values ('more')")
    found = next(day.verify([DAY]))
    assert (found.state, found.detail) == (verify.REOPENED, "tables of other programs")
    conn = connect.driver().connect(layout.db_path(day.root, DAY), isolation_level=None)
    conn.execute("update hooks set src = 'forged' where src = 'a.b1'")
    conn.close()
    assert next(day.verify([DAY])).state == verify.CHANGED


def test_a_day_in_memory_can_be_lent_too(make_event: MakeEvent) -> None:
    with Store.in_memory() as store:
        store.append([make_event(DAY.bounds_us[0])])
        with store.connection(DAY) as lent:
            with lent.writing() as conn:
                conn.execute("create table mine (a)")
            assert lent.execute("select count(*) from mine").fetchone() == (0,)


def test_backing_up_and_restoring_keeps_tables_of_others(day: Store, tmp_path: Path) -> None:
    from click.testing import CliRunner

    from eyelet_ingest.cli import cli

    before = theirs(day)
    copy, other = str(tmp_path / "backup"), str(tmp_path / "other")
    done = CliRunner().invoke(cli, ["backup", copy, "--root", day.root])
    assert done.exit_code == 0, done.output
    done = CliRunner().invoke(cli, ["restore", copy, "--root", other])
    assert done.exit_code == 0, done.output
    with Store(other) as restored:
        assert theirs(restored) == before


def test_the_connection_is_of_one_process(day: Store) -> None:
    lent = DayConnection(day.root, DAY)
    lent._pid = -1
    assert lent.closed
    lent._pid = os.getpid()
    lent.close()
