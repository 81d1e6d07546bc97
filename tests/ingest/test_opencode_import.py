"""`eyelet ingest opencode.db`: every message and part once, whatever is written meanwhile; the file stays as it is."""

import hashlib
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from eyelet_ingest.pipeline import Ingested, ingest
from eyelet_ingest.store import connect
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

SOAK = bool(os.environ.get("EYELET_SOAK"))
# The tables as session.sql.ts makes them (anomalyco/opencode), and those beside them that hold no events.
SCHEMA = """
create table project (id text primary key, worktree text not null);
create table session (
    id text primary key, project_id text not null, parent_id text, slug text not null, directory text not null,
    title text not null, version text not null, time_created integer not null, time_updated integer not null
);
create table message (
    id text primary key, session_id text not null, time_created integer not null, time_updated integer not null,
    data text not null
);
create table part (
    id text primary key, message_id text not null, session_id text not null, time_created integer not null,
    time_updated integer not null, data text not null
);
create table todo (session_id text not null, content text not null, position integer not null);
"""
AT_MS = 1_767_225_600_000
RUNNING = {
    "type": "tool",
    "callID": "call_1",
    "tool": "bash",
    "state": {"status": "running", "input": {"command": "ls"}},
}
DONE = {
    **RUNNING,
    "state": {
        "status": "completed",
        "input": {"command": "ls"},
        "output": "a\nb",
        "title": "ls",
        "metadata": {"exit": 0},
        "time": {"start": AT_MS + 30, "end": AT_MS + 80},
    },
}


class OpenCode:
    """Writes as OpenCode does: rows are made, and written again in place."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.conn = connect.driver().connect(str(path), isolation_level=None, check_same_thread=False)
        self.conn.executescript("pragma journal_mode = wal;" + SCHEMA)
        self.session("ses_1")
        self.message("msg_user", {"role": "user", "time": {"created": AT_MS}, "agent": "build"})
        told = {
            "role": "assistant",
            "modelID": "claude-x",
            "providerID": "p",
            "path": {"cwd": "/repo", "root": "/repo"},
        }
        times = {"time": {"created": AT_MS + 10, "completed": AT_MS + 99}}
        self.message("msg_answer", {**told, **times, "tokens": {"input": 3, "output": 5}}, at_ms=AT_MS + 10)
        self.part("prt_text", "msg_user", {"type": "text", "text": "list the files"})
        self.part("prt_tool", "msg_answer", RUNNING, at_ms=AT_MS + 30)

    def session(self, name: str, parent: str | None = None) -> None:
        values = (name, "p", parent, "slug", "/repo", "a title", "1.2.3", AT_MS, AT_MS)
        self.conn.execute("insert into session values (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)

    def message(self, name: str, data: Any, session: str = "ses_1", at_ms: int = AT_MS) -> None:
        said = json.dumps(data) if not isinstance(data, str) else data
        self.conn.execute("insert into message values (?, ?, ?, ?, ?)", (name, session, at_ms, at_ms, said))

    def part(self, name: str, message: str, data: Any, at_ms: int = AT_MS, updated_ms: int | None = None) -> None:
        said = json.dumps(data) if not isinstance(data, str) else data
        values = (name, message, "ses_1", at_ms, updated_ms or at_ms, said)
        self.conn.execute("insert or replace into part values (?, ?, ?, ?, ?, ?)", values)

    def again(self, name: str, data: Any, updated_ms: int) -> None:
        sql = "update part set data = ?, time_updated = ? where id = ?"
        self.conn.execute(sql, (json.dumps(data), updated_ms, name))


@pytest.fixture
def opencode(tmp_path: Path) -> OpenCode:
    return OpenCode(tmp_path / "opencode.db")


@pytest.fixture
def take(tmp_path: Path) -> Callable[[Path], Ingested]:
    return lambda path: ingest([str(path)], str(tmp_path / "root"))


def rows(tmp_path: Path, **where: Any) -> list[dict[str, Any]]:
    with Store(str(tmp_path / "root")) as store:
        return [dict(row) for row in store.search(Filter(**where), limit=1_000).rows]


def test_each_message_and_part_is_an_event(
    opencode: OpenCode, tmp_path: Path, take: Callable[[Path], Ingested]
) -> None:
    done = take(opencode.path)
    assert (done.read, done.stored, done.quarantined, done.notes) == (4, 4, 0, ())
    found = {row["hook_type"]: row for row in rows(tmp_path)}
    assert set(found) == {"user", "assistant", "text", "tool"}
    assert {row["session_id"] for row in found.values()} == {"ses_1"}
    assert {row["agent"] for row in found.values()} == {"opencode"}
    assert {row["project_dir"] for row in found.values()} == {"/repo"}
    tool = found["tool"]
    assert (tool["tool_name"], tool["tool_use_id"], tool["status"]) == ("bash", "call_1", "pending")
    assert (tool["model"], tool["src"], tool["origin"]) == ("claude-x", "opencode.transcript.tool.bash", "transcript")
    assert json.loads(tool["meta"])["source"] == {"file": str(opencode.path), "table": "part", "row": 2}
    assert json.loads(tool["data"]) == {"id": "prt_tool", "sessionID": "ses_1", "messageID": "msg_answer", **RUNNING}
    assert json.loads(found["assistant"]["data"])["tokens"] == {"input": 3, "output": 5}
    assert [row["id"] for row in rows(tmp_path)] == sorted((row["id"] for row in rows(tmp_path)), reverse=True)
    assert found["assistant"]["id"] == (AT_MS + 10) * 1_000


def test_a_tool_that_has_ended_since_is_one_more_event_and_nothing_is_twice(
    opencode: OpenCode, tmp_path: Path, take: Callable[[Path], Ingested]
) -> None:
    take(opencode.path)
    assert (take(opencode.path).stored, take(opencode.path).duplicates) == (0, 4)
    opencode.again("prt_tool", DONE, AT_MS + 80)
    done = take(opencode.path)
    assert (done.read, done.stored, done.duplicates) == (4, 1, 3)
    asked, answered = sorted(rows(tmp_path, tool_name=("bash",)), key=lambda row: str(row["status"]), reverse=True)
    assert (asked["status"], answered["status"], answered["duration_ms"]) == ("pending", "ok", 50)
    assert asked["tool_use_id"] == answered["tool_use_id"]
    opencode.again("prt_tool", {**DONE, "state": {**DONE["state"], "time": {"compacted": 1}}}, AT_MS + 900)  # type: ignore[dict-item]
    assert take(opencode.path).stored == 0


def test_what_is_being_written_is_left_for_the_next_import(
    opencode: OpenCode, tmp_path: Path, take: Callable[[Path], Ingested]
) -> None:
    now_ms = int(time.time() * 1_000)
    growing = {"type": "text", "text": "Hel", "time": {"start": now_ms - 5}}
    opencode.part("prt_grows", "msg_answer", growing, now_ms, now_ms)
    done = take(opencode.path)
    assert (done.read, done.stored) == (4, 4) and "1 messages or parts are being written" in done.notes[0]
    opencode.again("prt_grows", {**growing, "text": "Hello", "time": {"start": now_ms - 5, "end": now_ms}}, now_ms)
    assert take(opencode.path).stored == 1
    texts = [json.loads(row["data"])["text"] for row in rows(tmp_path, hook_type=("text",))]
    assert sorted(texts) == ["Hello", "list the files"]


def test_the_file_stays_as_it_is_and_is_never_locked(opencode: OpenCode, take: Callable[[Path], Ingested]) -> None:
    opencode.conn.execute("pragma wal_autocheckpoint = 0")  # then nobody but us could change the file
    opencode.conn.execute("begin")
    for n in range(1_200):
        opencode.part(f"prt_{n}", "msg_answer", {"type": "text", "text": "x" * 200})
    opencode.conn.execute("commit")
    before = hashlib.sha256(opencode.path.read_bytes()).digest()
    stop, written = threading.Event(), [0]

    def write_on() -> None:
        opencode.conn.execute("pragma busy_timeout = 0")  # a lock that is held would end it
        while not stop.is_set():
            opencode.part(f"prt_new_{written[0]}", "msg_answer", {"type": "text", "text": "y"})
            written[0] += 1
            stop.wait(0.001)

    writer = threading.Thread(target=write_on)
    writer.start()
    done = take(opencode.path)
    assert writer.is_alive() and written[0]
    stop.set()
    writer.join()
    assert done.stored >= 1_204 and done.quarantined == 0
    assert hashlib.sha256(opencode.path.read_bytes()).digest() == before


def test_a_row_that_is_no_json_is_kept_apart_and_stops_nothing(
    opencode: OpenCode, tmp_path: Path, take: Callable[[Path], Ingested]
) -> None:
    opencode.part("prt_bad", "msg_answer", '{"type": "tex')
    opencode.part("prt_list", "msg_answer", "[1]")
    opencode.part("prt_odd", "msg_gone", '{"type": 7, "time": [], "state": 1}')
    opencode.message("msg_bad", "no")
    done = take(opencode.path)
    assert (done.read, done.stored, done.quarantined) == (8, 5, 3)
    assert all(trouble.reason.startswith("table ") for trouble in done.troubles)


def test_secrets_of_parts_messages_and_sessions_reach_no_byte(
    opencode: OpenCode, tmp_path: Path, take: Callable[[Path], Ingested]
) -> None:
    secret = "hunter2hunter2hunter2"
    opencode.conn.execute("update session set directory = ?", (f"/x/password={secret}",))
    opencode.part("prt_s", "msg_answer", {"type": "text", "text": f"export DB_PASSWORD={secret}"})
    take(opencode.path)
    for path in (tmp_path / "root").rglob("*"):
        assert path.is_dir() or secret.encode() not in path.read_bytes(), path


def test_sessions_of_the_second_form_are_taken_once_and_not_beside_the_first(
    opencode: OpenCode, tmp_path: Path, take: Callable[[Path], Ingested]
) -> None:
    """A row holds a whole message (packages/core/src/session/sql.ts, message.ts)."""
    opencode.conn.execute(
        "create table session_message (id text primary key, session_id text not null, type text not null, seq integer,"
        " time_created integer not null, time_updated integer not null, data text not null)"
    )
    state = {
        "status": "error",
        "input": {"command": "ls"},
        "content": [],
        "error": {"type": "unknown", "message": "no"},
    }
    tools = [
        {"type": "text", "id": "t", "text": "I look"},
        {"type": "tool", "id": "call_a", "name": "bash", "state": {"status": "completed", "input": {}}},
        {"type": "tool", "id": "call_b", "name": "bash", "state": state},
    ]
    answer = {"model": {"id": "claude-x"}, "content": tools, "time": {"created": AT_MS, "completed": AT_MS + 7}}
    for session, name, kind, data in (
        ("ses_2", "msg_2a", "user", {"text": "hello", "time": {"created": AT_MS}}),
        ("ses_2", "msg_2b", "assistant", answer),
        ("ses_1", "msg_1x", "user", {"text": "the same as in `message`"}),
        ("ses_1", "msg_1y", "user", {"text": "written since"}),
    ):
        at_ms = AT_MS + 1_000 * (name == "msg_1y")
        values = (name, session, kind, 1, at_ms, at_ms, json.dumps(data))
        opencode.conn.execute("insert into session_message values (?, ?, ?, ?, ?, ?, ?)", values)
    done = take(opencode.path)
    assert (done.read, done.stored, done.quarantined) == (7, 7, 0)
    found = {row["hook_type"]: row for row in rows(tmp_path, session_id=("ses_2",))}
    assert (found["user"]["role"], found["assistant"]["role"], found["assistant"]["duration_ms"]) == (
        "user",
        "assistant",
        7,
    )
    calls = json.loads(found["assistant"]["meta"])["calls"]
    assert [(call["id"], call["phase"], call["status"]) for call in calls] == [
        ("call_a", "answer", "ok"),
        ("call_b", "answer", "error"),
    ]
    assert take(opencode.path).stored == 0


def anything(random: Random, depth: int = 3) -> Any:
    """Any JSON, often with the names and words that OpenCode uses."""
    names = (
        "type",
        "role",
        "time",
        "start",
        "end",
        "state",
        "status",
        "error",
        "data",
        "content",
        "model",
        "path",
        "id",
    )
    words = ("tool", "text", "assistant", "user", "running", "completed", "\0", "x" * 300, "\ud800", "2026-01-01")
    kind = random.randrange(8 if depth else 5)
    if kind < 5:
        return (random.choice(words), random.randrange(-(10**18), 10**18), random.random() * 1e300, None, True)[kind]
    if kind == 5:
        return [anything(random, depth - 1) for _ in range(random.randrange(4))]
    return {random.choice(names): anything(random, depth - 1) for _ in range(random.randrange(6))}


@pytest.mark.parametrize("seed", range(500) if SOAK else (0, 1, 79))
def test_any_rows_are_stored_or_kept_apart(seed: int, tmp_path: Path, take: Callable[[Path], Ingested]) -> None:
    random = Random(seed)
    path = tmp_path / "opencode.db"
    conn = connect.driver().connect(str(path), isolation_level=None)
    conn.executescript(SCHEMA.replace(" not null", "").replace(" primary key", ""))
    for table, columns in (("session", 9), ("message", 5), ("part", 6)):
        for _ in range(60):
            values = [random.choice((7, -1.5, None, b"\xff{", "msg_1", "ses_1", AT_MS, 10**17)) for _ in range(columns)]
            values[-1] = random.choice((json.dumps(anything(random)), json.dumps(anything(random)), values[-1]))
            conn.execute(f"insert into {table} values ({', '.join('?' * columns)})", values)
    done = take(path)
    assert done.read == 120 == done.stored + done.duplicates + done.quarantined
    again = take(path)
    assert (again.stored, again.quarantined) == (0, done.quarantined)


def storage_of(opencode: OpenCode, folder: Path) -> Path:
    """The folder that held the same before there was a database."""
    storage = folder / "storage"
    tables = {"session": "project_id", "message": "session_id", "part": "message_id"}
    for table, above in tables.items():
        (storage / table).mkdir(parents=True)
        for row in opencode.conn.execute(f"select * from {table}"):
            columns = [item[0] for item in opencode.conn.execute(f"select * from {table} limit 0").description]
            found = dict(zip(columns, row, strict=True))
            told = (
                json.loads(found["data"]) if "data" in found else {"directory": found["directory"], "version": "1.2.3"}
            )
            named = {"id": found["id"]} | ({"sessionID": found["session_id"]} if "session_id" in found else {})
            path = storage / table / found[above] / f"{found['id']}.json"
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps(named | told), encoding="utf-8")
    (storage / "project").mkdir()
    (storage / "project" / "p.json").write_text('{"id": "p", "worktree": "/repo"}', encoding="utf-8")
    return storage


def test_the_folder_it_had_before_is_the_same_history(
    opencode: OpenCode, tmp_path: Path, take: Callable[[Path], Ingested]
) -> None:
    opencode.again("prt_tool", DONE, AT_MS)
    storage = storage_of(opencode, tmp_path / "share")
    done = take(tmp_path / "share")
    assert (done.read, done.stored, done.quarantined) == (4, 4, 0)
    by_folder = {row["uid"]: row for row in rows(tmp_path)}
    tool = next(row for row in by_folder.values() if row["tool_name"])
    assert (tool["model"], tool["project_dir"]) == ("claude-x", "/repo")
    source = json.loads(tool["meta"])["source"]
    assert Path(source["file"]) == storage / "part" / "msg_answer" / "prt_tool.json" and source["line"] == 1
    assert take(tmp_path / "share").duplicates == 4
    done = ingest([str(opencode.path)], str(tmp_path / "other"))
    with Store(str(tmp_path / "other")) as store:
        of_database = [dict(row) for row in store.search(Filter(), limit=100).rows]
    wanted = ("hook_type", "session_id", "tool_name", "status", "model", "project_dir", "src", "role")
    assert sorted(str([row[name] for name in wanted]) for row in of_database) == sorted(
        str([row[name] for name in wanted]) for row in by_folder.values()
    )


def test_what_the_folder_and_the_database_both_have_is_once(
    opencode: OpenCode, tmp_path: Path, take: Callable[[Path], Ingested]
) -> None:
    opencode.again("prt_tool", DONE, AT_MS)
    opencode.conn.execute("delete from part where id = 'prt_text'")  # without a time of its own the folder tells none
    take(storage_of(opencode, tmp_path / "share"))
    done = take(opencode.path)
    assert (done.stored, done.duplicates) == (0, 3)


@pytest.mark.parametrize("name", ["../x", "a/b", "", "\0"])
def test_names_in_a_folder_lead_nowhere_else(tmp_path: Path, name: str, take: Callable[[Path], Ingested]) -> None:
    storage = tmp_path / "storage"
    for table in ("session", "message", "part"):
        (storage / table / "m").mkdir(parents=True)
    (storage / "message" / "m" / "msg.json").write_text("{", encoding="utf-8")
    part = {"type": "text", "sessionID": name, "messageID": name, "text": "x"}
    (storage / "part" / "m" / "prt.json").write_text(json.dumps(part), encoding="utf-8")
    done = take(storage)
    assert (done.stored, done.quarantined) == (1, 1)
