"""No byte under the root holds a secret that stood in a database of others: no column, no context, no time."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from eyelet_ingest.pipeline import ingest
from eyelet_ingest.store import connect
from tests.ingest.old_databases import LOGS, LOOSE, envelope
from tests.ingest.test_opencode_import import AT_MS, OpenCode

MARK = "Zq9Wx7"


class Secrets:
    """Tokens that redaction knows by their shape, each another one."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> str:
        self.count += 1
        return f"ghp_{MARK}{self.count:030d}"


def write(path: Path, schema: str, table: str, rows: "Iterable[dict[str, object]]") -> None:
    conn = connect.driver().connect(str(path))
    conn.executescript(schema)
    for row in rows:
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        conn.execute(f"insert into {table} ({names}) values ({marks})", list(row.values()))
    conn.commit()
    conn.close()


def a_log(path: Path, token: Secrets) -> None:
    told: list[dict[str, object]] = [
        {name: token() for name in ("context_name", "epoch", "src", "loglevel", "error", "content")},
        {"context_name": f"password=hunter2{MARK}", "epoch": 1_777_629_600, "content": token()},
    ]
    write(path, LOGS, "logs", told)


def an_old_eyelet(path: Path, token: Secrets) -> None:
    names = ("timestamp", "timestamp_iso", "session_id", "hook_type", "tool_name", "status", "hostname", "project_dir")
    said = envelope(1, tool_name=token(), tool_input={"command": token(), "password": f"hunter2{MARK}"})
    said["metadata"] = {"hostname": token(), "git": {"branch": token(), "remote": f"https://u:hunter2{MARK}@x/y"}}
    said["execution"] = {"status": "error", "error_message": token(), "error_code": token()}
    row = {name: token() for name in names}
    write(path, LOOSE, "hooks", [{**row, "data": json.dumps(said)}, {**row, "data": f"no JSON: {token()}"}])


def an_opencode(path: Path, token: Secrets) -> None:
    made = OpenCode(path)
    sql = "update session set directory = ?, title = ?, version = ?, slug = ?, parent_id = ?"
    made.conn.execute(sql, [token() for _ in range(5)])
    told = {"role": "assistant", "modelID": token(), "path": {"cwd": token()}, "error": {"name": token()}}
    made.message(token(), {**told, "time": {"created": AT_MS, "completed": AT_MS}})
    made.part(token(), "msg_answer", {"type": token(), "text": token(), "secret": f"hunter2{MARK}"})
    made.conn.execute("update part set time_created = ?, time_updated = ?", (token(), token()))
    made.conn.close()


@pytest.mark.parametrize("make", [a_log, an_old_eyelet, an_opencode])
def test_no_secret_of_a_database_reaches_the_root(tmp_path: Path, make: "Callable[[Path, Secrets], None]") -> None:
    root, old = tmp_path / "root", tmp_path / "old.db"
    make(old, Secrets())
    done = ingest([str(old)], str(root))
    assert done.stored, done
    found = [path.relative_to(root) for path in root.rglob("*")]
    assert not [path for path in found if MARK.lower() in str(path).lower()]
    for path in root.rglob("*"):
        if path.is_file():
            assert MARK.lower().encode() not in path.read_bytes().lower(), path.relative_to(root)
