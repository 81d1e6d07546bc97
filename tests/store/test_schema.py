"""The laws of the schema: steps are added, never edited; each is whole or not there; a newer file is left as it is."""

import hashlib
import os
import shutil
import signal
import sqlite3  # a user's own shell, and older and newer software
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from eyelet_ingest.errors import PartitionNewer, PartitionUnreadable
from eyelet_ingest.events import Event
from eyelet_ingest.store import connect, layout, schema
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

DAY = layout.PartitionKey("default", 2026, 79)
NOON = DAY.bounds_us[0] + layout.DAY_US // 2

MakeEvent = Callable[..., Event]
# What was released. A step is never edited: a file that took it then must be the one that takes it now.
RELEASED = (
    "7adc614d8e8d8508",
    "8b39d655a17991fe",
    "207a2b029bc97c9f",
    "c61c0bab5838a1e7",
    "a374e17162fec879",
)


def plain(path: str) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


def older(path: str, version: int) -> None:
    """A day as the software of that version made it, with one event."""
    conn = connect.open_writer(path)
    with connect.transaction(conn):
        for step in schema.STEPS[:version]:
            for statement in step:
                conn.execute(statement)
        facts = {"context": "default", "given": "default", "start_us": DAY.bounds_us[0], "end_us": DAY.bounds_us[1]}
        conn.executemany("insert into eyelet_partition values (?, ?)", list(facts.items()))
        conn.execute(f"pragma application_id = {schema.APPLICATION_ID}")
        conn.execute(f"pragma user_version = {version}")
    conn.execute("insert into hooks (timestamp, hook_type) values (?, 'Old')", (NOON / 1e6,))
    conn.close()


def shape(path: str) -> tuple[object, ...]:
    """All that the schema says of itself."""
    conn = plain(path)
    master = conn.execute("select type, name, tbl_name, sql from sqlite_master order by name").fetchall()
    tables = [name for kind, name, *_ in master if kind == "table"]
    columns = {name: conn.execute(f"pragma table_xinfo({name})").fetchall() for name in tables}
    header = [conn.execute(f"pragma {name}").fetchone() for name in ("user_version", "application_id")]
    conn.close()
    return master, columns, header


def test_a_released_step_is_never_edited() -> None:
    digests = [hashlib.blake2b("\0".join(step).encode(), digest_size=8).hexdigest() for step in schema.STEPS]
    assert tuple(digests) == RELEASED


@pytest.mark.parametrize("version", range(1, schema.VERSION))
def test_an_upgraded_day_is_a_fresh_one(tmp_path: Path, version: int, store: Store, make_event: MakeEvent) -> None:
    fresh = str(tmp_path / "fresh.sqlite")
    conn = connect.open_writer(fresh)
    schema.bring_up(conn, fresh, "default", "default", DAY.bounds_us)
    conn.close()
    path = layout.db_path(store.root, DAY)
    older(path, version)
    assert store.append([make_event(NOON + 1)]).stored == 1
    assert shape(path) == shape(fresh)
    assert store.count(Filter()).count == 2


@pytest.mark.parametrize("version", range(1, schema.VERSION))
def test_reading_upgrades_nothing(version: int, store: Store) -> None:
    path = layout.db_path(store.root, DAY)
    older(path, version)
    before = shape(path)
    assert store.count(Filter()).count == len(store.search(Filter()).rows) == 1
    assert store.summary(Filter()).by_type == {"Old": 1}
    assert shape(path) == before


def test_what_others_added_outlives_an_upgrade(store: Store, make_event: MakeEvent) -> None:
    path = layout.db_path(store.root, DAY)
    older(path, 1)
    conn = plain(path)
    for statement in (
        "create table notes (id integer primary key, event_id integer references hooks (id), text)",
        "create index notes_text on notes (text)",
        "create view latest as select * from hooks order by id desc",
        "create trigger noted after insert on notes begin update notes set text = text || '!' where id = new.id; end",
        "create index mine on hooks (model)",
        "insert into notes values (1, null, 'mine')",
    ):
        conn.execute(statement)
    names = "('notes', 'notes_text', 'latest', 'noted', 'mine')"
    mine = f"select name, sql from sqlite_master where name in {names} order by name"
    before = conn.execute(mine).fetchall()
    assert len(before) == 5
    store.append([make_event(NOON + 1)])
    assert conn.execute(mine).fetchall() == before
    assert conn.execute("select text from notes").fetchall() == [("mine!",)]


STOPPED = """
import os, signal, sys
from eyelet_ingest.store import connect, schema
path, at = sys.argv[1], int(sys.argv[2])
statements = [statement for step in schema.STEPS for statement in step]
conn = connect.open_writer(path)
done = 0

def counted(statement):
    global done
    if statement.strip().lower().startswith(("create", "drop", "insert", "pragma user_version =", "commit")):
        done += 1
        if done > at:
            os.kill(os.getpid(), signal.SIGKILL)

conn.set_trace_callback(counted)
schema.bring_up(conn, path, "default", "default", (0, 1))
"""


@pytest.mark.parametrize("version", [0, 1, 2])
def test_a_step_is_whole_or_not_there_wherever_it_is_stopped(tmp_path: Path, version: int) -> None:
    for at in range(0, 30, 1 if os.environ.get("EYELET_SOAK") else 7):
        path = str(tmp_path / f"{version}-{at}.sqlite")
        if version:
            older(path, version)
        done = subprocess.run([sys.executable, "-c", STOPPED, path, str(at)], capture_output=True, text=True)
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        conn = plain(path)
        found = conn.execute("pragma user_version").fetchone()[0]
        assert found == (version if done.returncode else schema.VERSION)
        assert conn.execute("pragma integrity_check").fetchone() == ("ok",)
        names = {name for (name,) in conn.execute("select name from sqlite_master")}
        assert ("eyelet_hours" in names) == (found >= 3)
        assert ("hooks" in names) == (found >= 1)
        conn.close()


def newer(store: Store, make_event: MakeEvent, *changes: str) -> str:
    store.append([make_event(NOON)])
    path = layout.db_path(store.root, DAY)
    conn = plain(path)
    conn.execute("pragma legacy_alter_table = on")  # a newer software would make its views anew
    for change in (*changes, f"pragma user_version = {schema.VERSION + 1}"):
        conn.execute(change)
    conn.close()
    return path


def test_a_newer_day_is_read_and_takes_rows_and_stays_what_it_is(store: Store, make_event: MakeEvent) -> None:
    path = newer(store, make_event, "alter table hooks add column mood text default 'calm'", "create table more (x)")
    before = shape(path)
    assert store.append([make_event(NOON)]).stored == 1
    assert shape(path) == before
    assert store.count(Filter()).count == len(store.search(Filter()).rows) == 2
    assert plain(path).execute("select distinct mood from hooks").fetchall() == [("calm",)]


@pytest.mark.parametrize(
    "change",
    [
        "alter table hooks rename column agent to recorder",
        f"insert into eyelet_partition values ('insert_from', {schema.VERSION + 1})",
    ],
    ids=["no place for a column of ours", "its maker forbids it"],
)
def test_events_of_a_newer_day_that_cannot_take_them_come_back(
    store: Store, make_event: MakeEvent, change: str
) -> None:
    path = newer(store, make_event, change)
    before = "\n".join(plain(path).iterdump())
    (refused,) = store.append([make_event(NOON)]).refused
    assert isinstance(refused.error, PartitionNewer) and "upgrade eyelet" in str(refused.error)
    assert "\n".join(plain(path).iterdump()) == before


def test_a_newer_day_that_wants_more_of_a_row_than_we_know_gives_it_back(store: Store, make_event: MakeEvent) -> None:
    more = "create trigger wants before insert on hooks begin select raise(abort, 'mood is missing'); end"
    newer(store, make_event, more)
    (refused,) = store.append([make_event(NOON)]).refused
    assert "mood is missing" in str(refused.error)


def test_nothing_is_deleted_from_a_newer_day(store: Store, make_event: MakeEvent) -> None:
    newer(store, make_event)
    done = store.delete(Filter(hook_type=("PreToolUse",)))
    assert not done.days and "upgrade eyelet" in done.failed[0].error
    assert store.count(Filter()).count == 1


def test_a_newer_day_that_cannot_be_read_is_named(store: Store, make_event: MakeEvent) -> None:
    newer(store, make_event, "alter table hooks rename column agent to recorder")
    (bad,) = store.search(Filter()).partitions.unreadable
    assert (bad.context, bad.day) == ("default", "2026-03-20")
    assert "upgrade eyelet" in bad.error


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("alter table hooks drop column hostname", "hostname"),
        ("drop table eyelet_hours", "eyelet_hours"),
        ("drop table eyelet_counts", "eyelet_counts"),
    ],
)
def test_what_a_day_lacks_is_named_with_what_to_run(
    store: Store, make_event: MakeEvent, change: str, named: str
) -> None:
    store.append([make_event(NOON)])
    path = layout.db_path(store.root, DAY)
    conn = plain(path)
    conn.execute(change)
    (refused,) = store.append([make_event(NOON)]).refused
    assert named in str(refused.error) and f"eyelet rebuild {path}" in str(refused.error)
    writing = connect.open_writer(path)
    assert schema.rebuild(writing, path) == 1
    writing.close()
    assert store.append([make_event(NOON)]).stored == 1


def test_a_table_being_made_anew_is_looked_at_again(
    store: Store, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.append([make_event(NOON)])
    path = layout.db_path(store.root, DAY)
    others = plain(path)
    others.execute("alter table hooks rename to hooks_new")
    sleep = "eyelet_ingest.store.schema.time.sleep"
    monkeypatch.setattr(sleep, lambda _: others.execute("alter table hooks_new rename to hooks"))
    conn = connect.open_writer(path)
    schema.bring_up(conn, path, "default", "default", DAY.bounds_us)
    monkeypatch.setattr(sleep, lambda _: None)
    others.execute("alter table hooks rename to hooks_new")
    with pytest.raises(PartitionUnreadable, match="no such table: hooks"):
        schema.bring_up(conn, path, "default", "default", DAY.bounds_us)
    conn.close()


FOREIGN = {
    "a newer file's number, nothing of ours": (schema.VERSION, "create table notes (x)"),
    "an older file's number, nothing of ours": (1, "create table notes (x)"),
    "an older file's number, and a table of our name": (2, "create table hooks (a, b)"),
    "the same, and a second one": (2, "create table hooks (a, b)", "create table eyelet_partition (key, value)"),
    "a number below nought": (-1, "create table hooks (a, b)"),
    "no number, and a table of our name": (0, "create table hooks (a, b)"),
    "no number, and a view of our name": (0, "create view hooks as select 1"),
    "no number, and our name in capitals": (0, "create table HOOKS (a, b)"),
    "no number, and an index of ours": (0, "create table notes (x)", "create index hooks_src on notes (x)"),
    "no number, and our second table alone": (0, "create table eyelet_partition (key, value)"),
    "another program's mark": (0, "create table notes (x)", "pragma application_id = 7"),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_the_database_of_another_program_is_named_and_nothing_in_it_changes(
    store: Store, make_event: MakeEvent, what: str
) -> None:
    version, *statements = FOREIGN[what]
    path = layout.db_path(store.root, DAY)
    os.makedirs(os.path.dirname(path))
    conn = plain(path)
    for statement in statements:
        conn.execute(str(statement))
    conn.execute(f"pragma user_version = {version}")
    before = shape(path)
    (refused,) = store.append([make_event(NOON)]).refused
    assert "move" in str(refused.error) or "eyelet rebuild" in str(refused.error)
    assert shape(path) == before


@pytest.mark.parametrize("version", range(1, schema.VERSION))
@pytest.mark.parametrize(
    ("change", "named"),
    [
        (("drop index hooks_branch", "alter table hooks drop column git_branch"), "lacks git_branch"),
        (("alter table hooks drop column hostname",), "lacks hostname"),
        (("drop table eyelet_partition",), "no such table: eyelet_partition"),
        (("create table eyelet_hours (mine)",), "table eyelet_hours already exists"),
    ],
)
def test_an_older_day_that_another_program_changed_is_not_brought_up(
    store: Store, make_event: MakeEvent, version: int, change: tuple[str, ...], named: str
) -> None:
    if version >= 3 and "create table eyelet_hours" in change[0]:
        pytest.skip("it has that table")
    path = layout.db_path(store.root, DAY)
    older(path, version)
    for statement in change:
        plain(path).execute(statement)
    before = shape(path)
    for _ in range(2):
        (refused,) = store.append([make_event(NOON)]).refused
        assert named in str(refused.error)
    assert shape(path) == before


def test_a_day_that_lost_its_own_table_is_named(store: Store, make_event: MakeEvent) -> None:
    store.append([make_event(NOON)])
    plain(layout.db_path(store.root, DAY)).execute("drop table eyelet_partition")
    (refused,) = store.append([make_event(NOON)]).refused
    assert "no such table: eyelet_partition (restore the day from a back-up" in str(refused.error)


@pytest.mark.parametrize("found", [schema.VERSION, schema.VERSION + 2])
def test_whoever_is_brought_up_by_another_meanwhile_is_never_brought_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: int
) -> None:
    """Where there is no flock, newer software may be at the same day at the same moment."""
    path = str(tmp_path / "day.sqlite")
    take_steps = schema._take_steps

    def late(*given: object) -> bool:
        monkeypatch.setattr(schema, "_take_steps", take_steps)
        other = connect.open_writer(path)
        schema.bring_up(other, path, "default", "default", DAY.bounds_us)
        other.execute(f"pragma user_version = {found}")
        other.close()
        return take_steps(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(schema, "_take_steps", late)
    conn = connect.open_writer(path)
    schema.bring_up(conn, path, "default", "default", DAY.bounds_us, inserting=True)
    conn.close()
    assert plain(path).execute("pragma user_version").fetchone() == (found,)


def test_who_may_insert_into_a_newer_day_is_understood_however_it_is_written(
    store: Store, make_event: MakeEvent
) -> None:
    newer(store, make_event, f"insert into eyelet_partition values ('insert_from', '{schema.VERSION + 1}')")
    (refused,) = store.append([make_event(NOON)]).refused
    assert isinstance(refused.error, PartitionNewer)


@pytest.mark.parametrize("version", range(1, schema.VERSION + 1))
def test_a_wal_left_hot_by_any_version_loses_nothing(
    tmp_path: Path, root: str, make_event: MakeEvent, version: int
) -> None:
    """Its writer was killed with everything in the WAL; whoever writes next brings the day up."""
    path = str(tmp_path / "hot.sqlite")
    conn = connect.open_writer(path)
    conn.execute("pragma wal_autocheckpoint = 0")
    older(path, version)  # not the last to close: all of it stays in the WAL
    target = Path(layout.db_path(root, DAY))
    target.parent.mkdir(parents=True)
    for side in ("", "-wal"):
        shutil.copy(path + side, str(target) + side)
    conn.close()
    assert target.stat().st_size <= connect.EMPTY_BYTES
    with Store(root) as store:
        assert store.count(Filter()).count == 1
        assert store.append([make_event(NOON + 1)]).stored == 1
        assert store.count(Filter()).count == 2
    assert plain(str(target)).execute("pragma user_version").fetchone() == (schema.VERSION,)
