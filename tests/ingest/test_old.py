"""Old shapes: the original Eyelet's database and folders, and logs in one table, are imported once, never changed."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyelet_ingest.errors import BadInput
from eyelet_ingest.ledger import Ledger
from eyelet_ingest.pipeline import Ingested, ingest
from eyelet_ingest.sources.log import dotted
from eyelet_ingest.store import connect, foreign, layout
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store
from tests.ingest.old_databases import LOGS, NOON_S, envelope, eyelet_db, logs_db, old_row

Row = dict[str, Any]
SECRET = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"


def rows(root: str, **where: Any) -> list[Row]:
    with Store(root) as store:
        found = store.search(Filter(**where), limit=1_000, oldest_first=True).rows
    return [{**row, "data": json.loads(str(row["data"])), "meta": json.loads(str(row["meta"]))} for row in found]


def counts(done: Ingested) -> tuple[int, int, int]:
    assert done.read == done.stored + done.duplicates + done.quarantined + done.deleted
    return done.stored, done.duplicates, done.quarantined


def kept(root: str) -> list[Any]:
    with Ledger(root) as ledger:
        return ledger.quarantined()


# The original Eyelet


@pytest.mark.parametrize("binary", [False, True], ids=["text", "jsonb"])
def test_a_row_of_the_original_eyelet_becomes_the_event_it_was(root: str, tmp_path: Path, binary: bool) -> None:
    path = eyelet_db(tmp_path / "eyelet.db", [old_row(envelope(0), binary=binary)], check=not binary)
    assert counts(ingest([str(path)], root)) == (1, 0, 0)
    (row,) = rows(root)
    assert row["id"] == int(NOON_S * 1_000_000)
    assert row["data"] == envelope(0)["input_data"]
    said = {name: row[name] for name in ("session_id", "hook_type", "tool_name", "status", "src", "project_dir")}
    assert said == {
        "session_id": "s0",
        "hook_type": "PostToolUse",
        "tool_name": "Bash",
        "status": "ok",
        "src": "claude.posttooluse.bash.git.push",
        "project_dir": "/work/shop",
    }
    assert (row["hostname"], row["ip_address"], row["git_branch"]) == ("box", "10.0.0.7", "main")
    assert row["meta"]["source"] == {"file": str(path), "table": "hooks", "row": 1}


def test_what_stood_around_the_payload_is_kept_without_other_programs_environment(root: str, tmp_path: Path) -> None:
    path = eyelet_db(tmp_path / "eyelet.db", [old_row(envelope(0))])
    ingest([str(path)], root)
    (row,) = rows(root)
    assert row["meta"]["eyelet"]["transcript_path"] == "/t.jsonl"
    assert row["meta"]["eyelet"]["environment"] == {"platform": "linux", "env_vars": {"CLAUDE_X": "1"}}


def test_a_failure_that_only_eyelet_knew_is_a_failure(root: str, tmp_path: Path) -> None:
    failed = envelope(0) | {"execution": {"status": "error", "error_message": "ETIMEDOUT: no answer"}}
    path = eyelet_db(tmp_path / "eyelet.db", [old_row(failed, status="error")])
    ingest([str(path)], root)
    (row,) = rows(root, errors=True)
    assert (row["status"], row["error_code"], row["loglevel"]) == ("error", "timeout", "error")


def test_a_database_imported_twice_adds_nothing_and_a_grown_one_what_is_new(root: str, tmp_path: Path) -> None:
    path = eyelet_db(tmp_path / "eyelet.db", [old_row(envelope(n)) for n in range(20)])
    assert counts(ingest([str(path)], root)) == (20, 0, 0)
    assert counts(ingest([str(path)], root)) == (0, 20, 0)
    eyelet_db(path, [old_row(envelope(n)) for n in range(20, 23)])
    assert counts(ingest([str(path)], root)) == (3, 20, 0)


def test_equal_rows_of_one_database_are_as_many_events(root: str, tmp_path: Path) -> None:
    path = eyelet_db(tmp_path / "eyelet.db", [old_row(envelope(1))] * 3)
    assert counts(ingest([str(path)], root)) == (3, 0, 0)
    assert counts(ingest([str(path)], root)) == (0, 3, 0)


def test_the_json_files_and_the_database_of_the_same_events_are_stored_once(root: str, tmp_path: Path) -> None:
    path = eyelet_db(tmp_path / "eyelet.db", [old_row(envelope(n)) for n in range(4)])
    for n in range(5):
        file = tmp_path / f".eyelet-hooks/PostToolUse/Bash/2025-07-28/20250728_1400{n:02d}_250000_PostToolUse_Bash.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(envelope(n), indent=2))
    assert counts(ingest([str(tmp_path / ".eyelet-hooks")], root)) == (5, 0, 0)
    assert [row["id"] for row in rows(root)] == [int((NOON_S + n) * 1_000_000) for n in range(5)]
    assert counts(ingest([str(path)], root)) == (0, 4, 0)


def test_columns_stand_in_for_a_payload_that_says_nothing(root: str, tmp_path: Path) -> None:
    plain = [
        old_row(envelope(0), data='{"x": 1}', session_id="s9", hook_type="Stop", tool_name=None),
        old_row(envelope(1), data="[1, 2]", session_id="unknown", hook_type="Odd", tool_name="T"),
    ]
    path = eyelet_db(tmp_path / "eyelet.db", plain)
    assert counts(ingest([str(path)], root)) == (2, 0, 0)
    first, second = rows(root)
    assert (first["session_id"], first["hook_type"], first["data"]) == ("s9", "Stop", {"x": 1})
    assert (second["session_id"], second["hook_type"], second["tool_name"], second["data"]) == ("", "Odd", "T", [1, 2])


def test_secrets_of_an_old_database_never_reach_the_root(root: str, tmp_path: Path) -> None:
    with_token = envelope(0, tool_input={"command": f"curl -H 'Authorization: Bearer {SECRET}'"})
    old = eyelet_db(tmp_path / "eyelet.db", [old_row(with_token)], check=False)
    eyelet_db(old, [old_row(envelope(1), data='{"broken: ' + SECRET)])
    logs = logs_db(tmp_path / "logs.db", [(1, "c", 1_774_015_402, "a.b", "info", 0, f"token {SECRET}")])
    assert counts(ingest([str(old), str(logs)], root)) == (2, 0, 1)
    for folder, _, files in os.walk(root):
        assert not [name for name in files if SECRET.encode() in Path(folder, name).read_bytes()]


def test_a_broken_row_is_quarantined_with_table_and_row_and_leaves_when_it_is_mended(root: str, tmp_path: Path) -> None:
    broken = [old_row(envelope(0)), old_row(envelope(1), data='{"cut": '), old_row(envelope(2), data=None)]
    path = eyelet_db(tmp_path / "eyelet.db", broken, check=False)
    assert counts(ingest([str(path)], root)) == (1, 0, 2)
    assert [(entry.file, entry.line, entry.reason.split(":")[0]) for entry in kept(root)] == [
        (str(path), 2, "table hooks, row 2"),
        (str(path), 3, "table hooks, row 3"),
    ]
    conn = connect.driver().connect(str(path))
    conn.execute("update hooks set data = ? where id = 2", (json.dumps(envelope(1)),))
    conn.commit()
    conn.close()
    assert counts(ingest([str(path)], root)) == (1, 1, 1)
    assert [entry.line for entry in kept(root)] == [3]


# Files that are in use, damaged, or something else


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


WRITES_AND_DIES = """
import os, signal, sys
from eyelet_ingest.store import connect
conn = connect.driver().connect(sys.argv[1], isolation_level=None)
conn.execute("insert into logs values (2, 'c', 1774015403, 'a.c', 'info', 0, 'in the WAL')")
if len(sys.argv) > 2:
    conn.execute("pragma cache_size = 1")
    conn.execute("begin")
    for n in range(2000):
        conn.execute("insert into logs values (null, 'c', 1, 'x', 'info', 0, ?)", ("x" * 500,))
    conn.execute("update logs set content = 'changed' where logid = 1")
os.kill(os.getpid(), signal.SIGKILL)
"""


def writer_that_dies(path: Path, *flags: str) -> None:
    done = subprocess.run([sys.executable, "-c", WRITES_AND_DIES, str(path), *flags], check=False)
    assert done.returncode == -signal.SIGKILL


def test_what_waits_in_a_hot_wal_is_read_and_the_file_is_not_changed(root: str, tmp_path: Path) -> None:
    path = logs_db(tmp_path / "logs.db", [(1, "c", 1_774_015_402, "a.b", "info", 0, "x")])
    conn = connect.driver().connect(str(path))
    conn.execute("pragma journal_mode = wal")
    conn.close()
    writer_that_dies(path)
    files = [path, Path(f"{path}-wal")]
    before = [digest(file) for file in files]
    assert counts(ingest([str(path)], root)) == (2, 0, 0)
    assert [digest(file) for file in files] == before


def test_a_database_whose_writer_died_in_the_middle_is_named_and_not_changed(
    root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreign, "JOURNAL_WAIT_S", 0.1)
    path = logs_db(tmp_path / "logs.db", [(1, "c", 1_774_015_402, "a.b", "info", 0, "x")])
    writer_that_dies(path, "in a transaction")
    before = digest(path)
    with pytest.raises(BadInput, match=r"died while it wrote.*sqlite3 logs\.db \.tables"):
        ingest([str(path)], root)
    assert digest(path) == before


def test_a_writer_is_not_kept_from_a_database_that_is_being_read(
    root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreign, "PAGE_ROWS", 10)
    path = logs_db(tmp_path / "logs.db", [(n, "c", 1_774_015_402 + n, "a", "info", 0, "x") for n in range(1, 101)])
    writer = connect.driver().connect(str(path), isolation_level=None, timeout=0.5)
    with foreign.Foreign(str(path)) as old:
        read = 0
        for at, page in enumerate(old.pages()):
            read += len(page)
            if at < 5:
                writer.execute("insert into logs values (null, 'c', 1774015600, 'late', 'info', 0, 'y')")
    writer.close()
    assert read == 105


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            b"SQLite format 3\0" + b"\x10\0\x01\x01\0\x40\x20\x20" + bytes(range(256)) * 16,
            "unsupported|malformed|not a database",
        ),
        (bytes((byte * 37 + 11) % 256 for byte in range(4096)), "encrypted"),
        (b"SQLite format 3\0" + b"\xff" * 100, "encrypted|malformed"),
    ],
    ids=["garbage behind the header", "encrypted", "header alone"],
)
def test_what_is_no_readable_database_is_named_with_a_remedy(
    root: str, tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "eyelet.db"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=said) as bad:
        ingest([str(path)], root)
    assert bad.value.path == str(path) and bad.value.hint


def test_a_database_of_something_else_is_named_with_its_tables(root: str, tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    conn = connect.driver().connect(str(path))
    conn.execute("create table orders (id)")
    conn.execute("create view hooks as select 1 as timestamp, 2 as session_id, 3 as hook_type, 4 as data")
    conn.close()
    with pytest.raises(BadInput, match=r"orders.*--map"):
        ingest([str(path)], root)


def test_a_day_of_a_root_is_no_old_database(root: str, tmp_path: Path, make_event: Callable[..., Any]) -> None:
    with Store(str(tmp_path / "other")) as store:
        (key,) = store.append([make_event(int(NOON_S * 1e6))]).partitions
    with pytest.raises(BadInput, match="eyelet sync"):
        ingest([layout.db_path(str(tmp_path / "other"), key)], root)


def test_what_stands_before_the_damage_is_read_and_the_damage_is_told(root: str, tmp_path: Path) -> None:
    path = logs_db(
        tmp_path / "logs.db", [(n, "c", 1_774_015_402 + n, "a", "info", 0, "x" * 500) for n in range(1, 401)]
    )
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2 : len(raw) // 2 + 40_960] = b"\xee" * 40_960
    path.write_bytes(raw)
    done = ingest([str(path)], root)
    stored, _, quarantined = counts(done)
    assert 50 < stored < 400 and quarantined == 1
    assert ".recover" in done.notes[0]
    assert kept(root)[0].reason.startswith("table logs, row ")


def test_old_files_in_a_root_disturb_nothing_there(root: str, tmp_path: Path, make_event: Callable[..., Any]) -> None:
    with Store(root) as store:
        store.append([make_event(int(NOON_S * 1e6))])
        for folder in ("", "logs", "logs/default", "logs/default/2025"):
            eyelet_db(Path(root, folder, "eyelet.db"), [old_row(envelope(0))])
        Path(root, "PostToolUse/Bash/2025-07-28").mkdir(parents=True)
        Path(root, "PostToolUse/Bash/2025-07-28/a.json").write_text(json.dumps(envelope(0)))
    with Store(root) as store:
        found = store.search(Filter())
        assert (len(found.rows), found.partitions.unreadable, store.contexts()) == (1, (), ["default"])


# Logs in one table


def test_a_row_of_a_log_is_found_by_its_context_time_src_and_level(root: str, tmp_path: Path) -> None:
    path = logs_db(
        tmp_path / "logs.db",
        [
            (1, "shop", 1_774_015_402, "shop.orders.worker", "warn", 0, "order 17 is late"),
            (2, "Shop Two", 1_774_015_402_500, "shop.search", "error", 1, '{"code": "ECONNREFUSED", "n": 2}'),
            (3, None, "2026-03-20T14:03:22Z", "x", "loud", None, None),
        ],
    )
    done = ingest([str(path)], root)
    assert counts(done) == (3, 0, 0)
    assert "'loud' (1)" in done.notes[0]
    assert counts(ingest([str(path)], root)) == (0, 3, 0)
    (first,) = rows(root, contexts=("shop",), src=("shop.orders",), since_us=1_774_015_402_000_000)
    assert (first["id"], first["loglevel"], first["error"]) == (1_774_015_402_000_000, "warn", 0)
    assert first["data"]["content"] == "order 17 is late"
    assert (first["data"]["logid"], first["origin"], first["hook_type"]) == (1, "log", "log")
    (second,) = rows(root, contexts=("Shop Two",))
    assert (second["id"], second["error"], second["status"]) == (1_774_015_402_500_000, 1, "error")
    assert second["data"]["content"] == {"code": "ECONNREFUSED", "n": 2}
    (third,) = rows(root, contexts=("default",))
    assert (third["loglevel"], third["meta"]["original_level"]) == ("info", "loud")


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
old_rows = st.tuples(
    st.sampled_from(["", "shop", "Shop One", "../up", "é"]),
    st.one_of(
        st.integers(946_684_800, 1_790_000_000),
        st.integers(946_684_800_000, 1_790_000_000_000),
        st.integers(946_684_800_000_000, 1_790_000_000_000_000),
    ),
    st.lists(st.sampled_from(["shop", "Orders", "worker 1", "x-y", ""]), max_size=4).map(".".join),
    st.sampled_from(["debug", "info", "WARN", "error", "fatal", "trace"]),
    st.sampled_from([0, 1, None]),
    st.one_of(texts, st.none(), st.sampled_from(['{"a": [1, 2.5]}', "[1", "{}", '"x"'])),
)
LEVELS = {"warn": "warn", "fatal": "error", "trace": "debug"}


@settings(max_examples=int((os.environ.get("EYELET_SOAK") and 500) or 15), deadline=None)
@given(st.lists(old_rows, max_size=12))
def test_every_row_of_any_log_is_found_again_by_context_time_src_and_level(
    tmp_path_factory: pytest.TempPathFactory, found: list[tuple[Any, ...]]
) -> None:
    folder = tmp_path_factory.mktemp("old")
    path = logs_db(folder / "old.sqlite", [(n, *row) for n, row in enumerate(found)])
    root = str(folder / "root")
    before = digest(path)
    assert counts(ingest([str(path)], root)) == (len(found), 0, 0)
    assert counts(ingest([str(path)], root)) == (0, len(found), 0)
    assert digest(path) == before
    with Store(root) as store:
        for logid, (context, epoch, src, level, error, content) in enumerate(found):
            time_us = epoch * {10: 1_000_000, 9: 1_000_000, 12: 1_000, 13: 1_000}.get(len(str(epoch)), 1)
            name = dotted(src)
            where = Filter(
                since_us=time_us,
                until_us=time_us + len(found),
                contexts=(layout.safe_context(context),),
                src=(name,) if name else (),
            )
            (row,) = [
                row for row in store.search(where, limit=100).rows if json.loads(str(row["data"]))["logid"] == logid
            ]
            assert row["loglevel"] == LEVELS.get(level.lower(), level.lower())
            assert row["src"] == name
            assert row["error"] == (int(row["loglevel"] == "error") if error is None else error)
            kept_content = json.loads(str(row["data"]))["content"]
            assert kept_content == content or kept_content == json.loads(content)


def test_a_table_without_rowids_is_read_by_its_number(root: str, tmp_path: Path) -> None:
    made = LOGS.rstrip().removesuffix(")") + ") without rowid"
    path = logs_db(tmp_path / "l.db", [(n, "c", 1_774_015_402, "a", "info", 0, "x") for n in (3, 7)], made)
    assert counts(ingest([str(path)], root)) == (2, 0, 0)
    assert [row["meta"]["source"]["row"] for row in rows(root)] == [3, 7]


def test_rows_without_a_time_that_is_believed_are_marked_and_stay_where_they_were_put(
    root: str, tmp_path: Path
) -> None:
    path = logs_db(
        tmp_path / "logs.db",
        [(1, "c", None, "a", "info", 0, "x"), (2, "c", 5, "a", "info", 0, "y"), (3, "c", "soon", "a", "info", 0, "z")],
    )
    assert counts(ingest([str(path)], root)) == (3, 0, 0)
    time.sleep(0.01)
    assert counts(ingest([str(path)], root)) == (0, 3, 0)
    marks = {row["data"]["logid"]: row["meta"] for row in rows(root)}
    assert marks[1]["timestamp_from"] == "receipt" and "timestamp_suspect" not in marks[1]
    assert marks[2]["timestamp_suspect"] is True
    assert marks[3]["original_timestamp"] == "soon"
