"""A day is an ordinary sqlite-utils database: what its command and library do to one, and that nothing is harmed."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlite_utils
from click.testing import CliRunner, Result
from sqlite_utils.cli import cli as sqlite_utils_cli

from eyelet_ingest.cli import cli
from eyelet_ingest.errors import PartitionUnreadable
from eyelet_ingest.events import Event
from eyelet_ingest.store import connect, layout, schema
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

DAY = layout.PartitionKey("default", 2026, 79)
TABLES = ["eyelet_counts", "eyelet_hours", "eyelet_partition", "hooks"]
NOON = DAY.bounds_us[0] + layout.DAY_US // 2
NOON_S = NOON // 1_000_000
BIN = Path(sys.executable).parent
DOCS = (Path(__file__).resolve().parents[2] / "docs" / "sqlite-utils.md").read_text("utf-8")

MakeEvent = Callable[..., Event]


@pytest.fixture
def day(store: Store, make_event: MakeEvent) -> str:
    """The path of a day with one recorded event, at noon."""
    store.append([make_event(NOON, hook_type="First")])
    return layout.db_path(store.root, DAY)


def run(*args: str, given: object = None) -> Result:
    """One sqlite-utils command; `given` as JSON on its stdin."""
    text = given if isinstance(given, str) else json.dumps(given)
    return CliRunner().invoke(sqlite_utils_cli, list(args), input=None if given is None else text)


def did(*args: str, given: object = None) -> str:
    done = run(*args, given=given)
    assert done.exit_code == 0, done.output
    return done.stdout


def note(seconds: float, **fields: object) -> dict[str, object]:
    return {"timestamp": NOON_S + seconds, "hook_type": "Note", "data": {"at": seconds}, **fields}


def types(store: Store) -> list[str]:
    return [str(row["hook_type"]) for row in store.search(Filter(), oldest_first=True).rows]


def works(store: Store, make_event: MakeEvent, path: str) -> None:
    """Capture, append, a row by hand, search and SQLite's own check, as on any day."""
    before = store.count(Filter()).count
    hook(store.root, {"hook_event_name": "Stop", "timestamp": "2026-03-20T13:00:00Z"}, moved_to_day=True)
    assert store.append([make_event(NOON + 7)]).stored == 1
    did("insert", path, "hooks", "-", given=note(9))
    found = store.count(Filter())
    assert (found.count, found.partitions.unreadable) == (before + 3, ())
    assert sqlite_utils.Database(path).execute("pragma integrity_check").fetchall() == [("ok",)]
    assert spooled(store.root) == []


def spooled(root: str) -> list[str]:
    folder = os.path.join(root, "spool")
    return sorted(name for name in os.listdir(folder) if name.endswith(".json")) if os.path.isdir(folder) else []


def hook(root: str, payload: dict[str, object], *, moved_to_day: bool = False) -> None:
    """One `capture.record` in a process of its own; `moved_to_day` has it receive the event at its own time."""
    clock = f"time.time_ns = lambda: {(NOON + 3_600_000_000) * 1_000}\n" if moved_to_day else ""
    code = (
        "import sys, time\n"
        f"{clock}"
        "from eyelet_ingest import capture\n"
        "capture.record(sys.stdin.buffer.read(), sys.argv[1], 'default', time.monotonic_ns())\n"
    )
    subprocess.run([sys.executable, "-c", code, root], input=json.dumps(payload).encode(), check=True)


def test_sqlite_utils_reads_a_day(day: str) -> None:
    assert sorted(row["table"] for row in json.loads(did("tables", day))) == TABLES
    assert json.loads(did("rows", day, "hooks", "-c", "hook_type")) == [{"hook_type": "First"}]
    assert json.loads(did("query", day, "select count(*) as n from hooks")) == [{"n": 1}]
    assert "git_branch text generated always" in did("schema", day, "hooks")


def test_a_minimal_row_is_completed_and_found_by_every_search(day: str, store: Store) -> None:
    did("insert", day, "hooks", "-", given=note(1.5))
    newest, first = store.search(Filter()).rows
    assert (newest["id"], newest["timestamp"]) == (NOON + 1_500_000, NOON_S + 1.5)
    assert (newest["data"], newest["meta"]) == ('{"at": 1.5}', "{}")
    assert (newest["src"], newest["session_id"], newest["status"], newest["error"]) == ("", "", "ok", 0)
    assert len(str(newest["uid"])) == 32 and int(str(newest["arrived"])) > int(str(first["arrived"]))
    shown = CliRunner().invoke(cli, ["query", "search", "--type", "Note", "--json", "--root", store.root])
    assert [row["data"] for row in json.loads(shown.stdout)] == [{"at": 1.5}]
    assert store.count(Filter(text="1.5", hook_type=("Note",))).count == 1


def test_rows_of_the_library_and_of_json_lines_stand_in_order_of_time(day: str, store: Store) -> None:
    sqlite_utils.Database(day)["hooks"].insert_all([note(3), note(-3, hook_type="Before")])
    lines = "\n".join(json.dumps(note(seconds, hook_type=f"T{seconds}")) for seconds in (2, 1, 4))
    did("insert", day, "hooks", "-", "--nl", given=lines)
    assert types(store) == ["Before", "First", "T1", "T2", "Note", "T4"]


def test_many_rows_of_one_time_follow_each_other(day: str, store: Store) -> None:
    sqlite_utils.Database(day)["hooks"].insert_all(note(0, data={"n": n}) for n in range(3_000))
    rows = store.search(Filter(hook_type=("Note",)), limit=5_000, oldest_first=True).rows
    assert [row["id"] for row in rows] == list(range(NOON + 1, NOON + 3_001))
    assert [json.loads(str(row["data"]))["n"] for row in rows] == list(range(3_000))
    arrived = [int(str(row["arrived"])) for row in rows]
    assert arrived == sorted(set(arrived))


def test_rows_of_few_times_mixed_have_each_an_id_of_its_own(day: str, store: Store) -> None:
    sqlite_utils.Database(day)["hooks"].insert_all(note(n % 3 / 1e6) for n in range(300))
    ids = {row["id"] for row in store.search(Filter(), limit=1_000).rows}
    assert ids == set(range(NOON, NOON + 301))


def test_a_row_at_the_very_end_of_the_day_stays_in_it(day: str, store: Store) -> None:
    end = DAY.bounds_us[1]
    table = sqlite_utils.Database(day)["hooks"]
    for _ in range(4):
        table.insert(note(0, timestamp=(end - 2) / 1e6))
    ids = sorted(int(str(row["id"])) for row in store.search(Filter(hook_type=("Note",))).rows)
    assert ids == [end - 4, end - 3, end - 2, end - 1]


def test_an_id_that_was_given_gives_way_to_the_time(day: str, store: Store) -> None:
    did("insert", day, "hooks", "-", given=note(1, id=5))
    assert store.search(Filter()).rows[0]["id"] == NOON + 1_000_000


def test_a_row_with_a_uid_of_its_own_is_stored_once_and_in_its_place(day: str, store: Store) -> None:
    table = sqlite_utils.Database(day)["hooks"]
    table.insert(note(-5, uid=b"0123456789abcdef"))
    oldest = store.search(Filter(), oldest_first=True).rows[0]
    assert (oldest["id"], oldest["uid"]) == (NOON - 5_000_000, b"0123456789abcdef".hex())
    assert oldest["arrived"] is not None
    with pytest.raises(connect.driver().IntegrityError, match=r"UNIQUE constraint failed: hooks\.uid"):
        table.insert(note(-4, uid=b"0123456789abcdef"))
    table.insert(note(-4, uid=b"0123456789abcdef"), ignore=True)
    assert store.count(Filter()).count == 2


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (note(layout.DAY_US / 1e6), "timestamp lies outside the UTC day of this partition"),
        (note(-layout.DAY_US / 1e6), "timestamp lies outside the UTC day of this partition"),
        ({**note(0), "timestamp": "2026-03-20T12:00:00Z"}, "timestamp is in seconds since 1970 UTC"),
        ({**note(0), "timestamp": None}, "NOT NULL constraint failed: hooks.timestamp"),
        (note(0, data="{bad"), "data is JSON"),
        (note(0, meta="[1,"), "malformed JSON"),
        (note(0, hook_type=None), "NOT NULL constraint failed: hooks.hook_type"),
        (note(0, uid="mine"), "uid is 16 bytes, or left out"),
        (note(0, error_code="exit:1"), "cannot INSERT into generated column"),
    ],
    ids=["tomorrow", "yesterday", "ISO", "null", "bad data", "bad meta", "no type", "text uid", "generated"],
)
def test_a_row_that_cannot_be_is_refused_with_the_reason_and_stores_nothing(
    day: str, store: Store, row: dict[str, object], reason: str
) -> None:
    done = run("insert", day, "hooks", "-", given=[{"meta": "{}", **note(1)} if "meta" in row else note(1), row])
    assert done.exit_code == 1 and reason in done.output
    assert types(store) == ["First"]


@pytest.mark.parametrize(
    "reason",
    [
        "timestamp lies outside the UTC day of this partition",
        "CHECK constraint failed: timestamp is in seconds since 1970 UTC",
        "CHECK constraint failed: data is JSON",
        "NOT NULL constraint failed: hooks.hook_type",
        "uid is 16 bytes, or left out",
    ],
)
def test_the_docs_name_the_reasons_for_a_refusal(reason: str) -> None:
    assert f"`{reason}`" in DOCS


def test_the_docs_name_commands_that_are_there() -> None:
    table = DOCS[DOCS.index("| command | on a day |") : DOCS.index("## transform")]
    cells = [line.split("|")[1] for line in table.splitlines()[2:] if line.startswith("|")]
    named = {code.split()[0] for cell in cells for code in cell.split("`")[1::2] if code not in ("hooks", "table")}
    assert len(named) > 15 and named <= set(sqlite_utils_cli.commands)
    typed = {line.split()[1] for line in DOCS.splitlines() if line.startswith("sqlite-utils ")}
    assert typed - {"logs.sqlite"} <= set(sqlite_utils_cli.commands)


def test_rows_of_one_batch_may_lack_what_the_others_have(day: str, store: Store) -> None:
    """sqlite-utils gives null to what a row lacks."""
    given = {"status": "error", "error": 1, "loglevel": "error", "origin": "mine", "model": "m"}
    did("insert", day, "hooks", "-", given=[note(1, **given), note(2)])
    newest, marked, _ = store.search(Filter()).rows
    assert [marked[name] for name in given] == list(given.values())
    assert [newest[name] for name in given] == ["ok", 0, "info", "log", None]


def test_an_event_can_be_changed_by_upsert_and_update(day: str, store: Store) -> None:
    changed = {"id": NOON, "hook_type": "First", "status": "error"}
    did("upsert", day, "hooks", "-", "--pk", "id", given=changed)
    did(day, "update hooks set error = 1 where status = 'error'")
    (row,) = store.search(Filter(errors=True)).rows
    assert (row["id"], row["status"]) == (NOON, "error")
    refused = run("upsert", day, "hooks", "-", "--pk", "id", given={"id": NOON, "hook_type": "x", "data": "{"})
    assert refused.exit_code == 1 and "data is JSON" in refused.output


def test_extension_tables_live_in_a_day_and_outlive_our_opens(day: str, store: Store, make_event: MakeEvent) -> None:
    did("insert", day, "notes", "-", "--pk", "id", given=[{"id": 1, "text": "the first", "event_id": NOON}])
    did("add-foreign-key", day, "notes", "event_id", "hooks", "id")
    did("add-column", day, "notes", "author", "text")
    did("transform", day, "notes", "--rename", "author", "writer")
    did("enable-fts", day, "notes", "text", "--create-triggers")  # last: sqlite-utils drops a table's triggers
    did("create-view", day, "latest", "select id, hook_type from hooks order by id desc")
    before = others_schema(day)
    works(store, make_event, day)
    assert others_schema(day) == before
    did("insert", day, "notes", "-", given=[{"id": 2, "text": "the second", "event_id": NOON}])
    assert [row["id"] for row in json.loads(did("search", day, "notes", "second"))] == [2]


def others_schema(path: str) -> list[tuple[str, str]]:
    ours = f"tbl_name not in ({', '.join(map(repr, (*TABLES, *schema.VIEWS)))})"
    found = sqlite_utils.Database(path).execute(f"select name, sql from sqlite_master where {ours} order by name")
    rows: list[tuple[str, str]] = found.fetchall()
    return rows


def test_extension_tables_outlive_an_upgrade_which_ends_as_a_fresh_day_begins(
    tmp_path: Path, store: Store, make_event: MakeEvent
) -> None:
    path = layout.db_path(store.root, DAY)
    for known in range(1, schema.VERSION):
        older(path, known)
        did("insert", path, "notes", "-", "--pk", "id", given=[{"id": 1, "text": "mine"}])
        did("enable-fts", path, "notes", "text", "--create-triggers")
        before = others_schema(path)
        assert store.append([make_event(NOON + known)]).stored == 1
        assert others_schema(path) == before
        fresh = tmp_path / "fresh" / f"{known}.sqlite"
        conn = connect.open_writer(str(fresh))
        schema.bring_up(conn, str(fresh), "default", "default", DAY.bounds_us)
        conn.close()
        assert our_schema(path) == our_schema(str(fresh))
        os.unlink(path)


def older(path: str, version: int) -> None:
    """A day as the software of that version made it."""
    conn = connect.open_writer(path)
    with connect.transaction(conn):
        for step in schema.STEPS[:version]:
            for statement in step:
                conn.execute(statement)
        facts = [("start_us", DAY.bounds_us[0]), ("end_us", DAY.bounds_us[1])]
        conn.executemany("insert into eyelet_partition values (?, ?)", facts)
        conn.execute(f"pragma user_version = {version}")
    conn.close()


def our_schema(path: str) -> dict[str, str]:
    found = sqlite_utils.Database(path).execute(
        f"select name, sql from sqlite_master where tbl_name in ({', '.join(map(repr, TABLES))})"
    )
    return dict(found.fetchall())


@pytest.mark.parametrize(
    "command",
    [
        ["enable-fts", "hooks", "data"],
        ["enable-fts", "hooks", "data", "hook_type", "--create-triggers"],
        ["enable-counts"],
        ["optimize"],
        ["vacuum"],
        ["analyze"],
        ["analyze-tables", "hooks"],
        ["create-index", "hooks", "model"],
        ["add-column", "hooks", "mood", "text"],
        ["duplicate", "hooks", "copy"],
        ["disable-wal"],
    ],
    ids=" ".join,
)
def test_what_the_docs_call_harmless_is(command: list[str], day: str, store: Store, make_event: MakeEvent) -> None:
    did(command[0], day, *command[1:])
    works(store, make_event, day)


def test_a_text_index_on_hooks_finds_rows_of_every_kind(day: str, store: Store, make_event: MakeEvent) -> None:
    did("enable-fts", day, "hooks", "data", "--create-triggers")
    store.append([make_event(NOON + 5, data='{"a": "xylophone"}')])
    did("insert", day, "hooks", "-", given=[note(1, data={"b": "xylophone"}), note(0, data={"c": "xylophone"})])
    ids = sorted(row["id"] for row in json.loads(did("search", day, "hooks", "xylophone", "-c", "id")))
    assert ids == [NOON + 1, NOON + 5, NOON + 1_000_000]
    sqlite_utils.Database(day).execute("insert into hooks_fts(hooks_fts, rank) values ('integrity-check', 1)")


def test_an_old_text_index_on_hooks_with_triggers_keeps_no_hook_from_recording(day: str, store: Store) -> None:
    """sqlite-utils' triggers for FTS4 refuse every update, and so rows made by hand: the docs advise against them."""
    did("enable-fts", day, "hooks", "data", "--create-triggers", "--fts4")
    hook(store.root, {"hook_event_name": "Stop", "timestamp": "2026-03-20T13:00:00Z"}, moved_to_day=True)
    assert types(store) == ["First", "Stop"] and spooled(store.root) == []
    assert run("insert", day, "hooks", "-", given=note(1)).exit_code == 1
    assert "--fts4" in DOCS


def transformed(path: str) -> None:
    """What only who follows sqlite-utils' advice arrives at."""
    database = sqlite_utils.Database(path)
    for index in ("hooks_error_code", "hooks_branch"):
        database.execute(f"drop index {index}")
    database["hooks"].transform(types={"duration_ms": int})
    assert "error_code" not in database["hooks"].columns_dict and not database["hooks"].triggers


@pytest.mark.parametrize(
    "command",
    [
        ["transform", "hooks"],
        ["transform", "hooks", "--rename", "model", "kind"],
        ["transform", "hooks", "--drop", "loglevel"],
        ["extract", "hooks", "hostname"],
        ["add-foreign-key", "hooks", "session_id", "eyelet_partition", "key"],
    ],
    ids=" ".join,
)
def test_a_transform_of_hooks_fails_and_changes_nothing(
    command: list[str], day: str, store: Store, make_event: MakeEvent
) -> None:
    before = our_schema(day)
    assert run(command[0], day, *command[1:]).exit_code != 0
    assert our_schema(day) == before
    works(store, make_event, day)


def test_a_transformed_day_is_named_with_the_remedy_and_loses_no_event(
    day: str, store: Store, make_event: MakeEvent
) -> None:
    did("insert", day, "notes", "-", "--pk", "id", given=[{"id": 1, "event_id": NOON}])
    did("add-foreign-key", day, "notes", "event_id", "hooks", "id")
    did("add-column", day, "hooks", "mood", "text")
    did("create-index", day, "hooks", "mood")
    transformed(day)
    did("insert", day, "hooks", "-", given=note(1, mood="calm"))

    (bad,) = store.search(Filter()).partitions.unreadable
    assert "changed by another program" in bad.error and f"eyelet rebuild {day}" in bad.error
    (refused,) = store.append([make_event(NOON + 2)]).refused
    assert isinstance(refused.error, PartitionUnreadable) and f"eyelet rebuild {day}" in str(refused.error)
    hook(store.root, {"hook_event_name": "Stop", "timestamp": "2026-03-20T13:00:00Z"}, moved_to_day=True)
    assert len(spooled(store.root)) == 1
    drained = store.drain_spool()
    assert (drained.left, drained.stored) == (1, 0) and "eyelet rebuild" in drained.reasons[0]

    done = CliRunner().invoke(cli, ["rebuild", day])
    assert (done.exit_code, done.stdout) == (0, f"{os.path.realpath(day)}: 2 events in a table made anew\n")
    assert store.drain_spool().stored == 1
    assert types(store) == ["First", "Note", "Stop"]
    assert all(row["uid"] and row["arrived"] for row in store.search(Filter()).rows)
    database = sqlite_utils.Database(day)
    assert [row["mood"] for row in database["hooks"].rows_where(order_by="id")] == [None, "calm", None]
    assert "idx_hooks_mood" in our_schema(day)
    assert database.execute("pragma foreign_key_check").fetchall() == []
    assert "references" in database["notes"].schema.lower() and "hooks" in database["notes"].schema
    works(store, make_event, day)


def test_a_rebuilt_table_is_that_of_a_fresh_day(day: str, store: Store, make_event: MakeEvent) -> None:
    before, rows = our_schema(day), list(sqlite_utils.Database(day)["hooks"].rows)
    transformed(day)
    for _ in range(2):  # the second finds nothing wrong
        assert CliRunner().invoke(cli, ["rebuild", day]).exit_code == 0
        assert our_schema(day) == before
        assert list(sqlite_utils.Database(day)["hooks"].rows) == rows


def test_a_rebuild_that_cannot_be_leaves_the_file_as_it_is(day: str, tmp_path: Path) -> None:
    transformed(day)
    database = sqlite_utils.Database(day)
    database["hooks"].transform(not_null={"hook_type": False})
    database.execute("update hooks set hook_type = null")
    database.conn.commit()
    before = our_schema(day), list(database["hooks"].rows)
    done = CliRunner().invoke(cli, ["rebuild", day])
    assert done.exit_code == 1 and "NOT NULL constraint failed" in done.stderr and len(done.stderr.splitlines()) == 1
    assert (our_schema(day), list(sqlite_utils.Database(day)["hooks"].rows)) == before
    (tmp_path / "other.sqlite").write_bytes(b"")
    for path, code in ((tmp_path / "other.sqlite", 2), (Path(day.replace("079", "078")), 1)):
        done = CliRunner().invoke(cli, ["rebuild", str(path)])
        assert done.exit_code == code and len(done.stderr.splitlines()) == 1
        assert not os.path.exists(day.replace("079", "078"))


def test_a_day_without_its_table_is_named_and_its_events_wait(day: str, store: Store) -> None:
    did("rename-table", day, "hooks", "mine")
    (bad,) = store.search(Filter()).partitions.unreadable
    assert "no such table: hooks" in bad.error and "back-up" in bad.error
    hook(store.root, {"hook_event_name": "Stop", "timestamp": "2026-03-20T13:00:00Z"}, moved_to_day=True)
    assert len(spooled(store.root)) == 1
    did("rename-table", day, "mine", "hooks")
    assert store.drain_spool().stored == 1


def test_a_day_that_sqlite_utils_made_up_is_named_and_its_events_wait(store: Store) -> None:
    path = layout.db_path(store.root, DAY)
    os.makedirs(os.path.dirname(path))
    did("insert", path, "hooks", "-", given=note(0))
    (bad,) = store.search(Filter()).partitions.unreadable
    assert "not made by this software" in bad.error
    hook(store.root, {"hook_event_name": "Stop", "timestamp": "2026-03-20T13:00:00Z"}, moved_to_day=True)
    assert len(spooled(store.root)) == 1 and len(list(sqlite_utils.Database(path)["hooks"].rows)) == 1


def insert_in_a_process(path: str, table: str, lines: str) -> None:
    """`sqlite-utils insert`, again where the day was locked: it reads before it makes a table, and cannot wait then."""
    for _ in range(20):
        command = [str(BIN / "sqlite-utils"), "insert", path, table, "-", "--nl"]
        done = subprocess.run(command, input=lines, capture_output=True, text=True, check=False)
        if not done.returncode:
            return
        assert "Error: database is locked" in done.stderr, done.stderr
    raise AssertionError("the day stayed locked")


def test_hooks_and_sqlite_utils_write_at_once_and_neither_loses_a_row(store: Store) -> None:
    """Eight recorders in turn, against sqlite-utils: a row a command, a batch a command, a table made."""
    hooks_each, rounds, batch = 6, 4, 200
    subprocess.run([BIN / "eyelet-hook", "--root", store.root], input=b'{"hook_event_name": "Start"}', check=True)
    key = store.catalog.partitions()[-1]
    path, at = layout.db_path(store.root, key), time.time()
    loop = (
        "import subprocess, sys\n"
        "for n in range(int(sys.argv[2])):\n"
        "    subprocess.run([sys.argv[1], '--root', sys.argv[3]], input=sys.argv[4].encode(), check=True)\n"
    )
    stop = json.dumps({"hook_event_name": "Stop"})
    recorders = [
        subprocess.Popen([sys.executable, "-c", loop, str(BIN / "eyelet-hook"), str(hooks_each), store.root, stop])
        for _ in range(8)
    ]
    for number in range(rounds):
        lines = [json.dumps({"timestamp": at, "hook_type": "Note", "data": {"n": n}}) for n in range(batch)]
        for given in (lines[:1], lines):
            insert_in_a_process(path, "hooks", "\n".join(given))
        insert_in_a_process(path, f"own{number}", '{"a": 1}')
    for recorder in recorders:
        assert recorder.wait() == 0
    store.drain_spool()
    assert spooled(store.root) == []
    counts = store.summary(Filter()).by_type
    assert counts == {"Note": rounds * (batch + 1), "Stop": 8 * hooks_each, "Start": 1}
    database = sqlite_utils.Database(path)
    assert database.execute("pragma integrity_check").fetchall() == [("ok",)]
    assert [database[f"own{number}"].count for number in range(rounds)] == [1] * rounds
