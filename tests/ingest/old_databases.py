"""Old databases as the tests need them: the original Eyelet's, and a log in one table."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from eyelet_ingest.store import connect

NOON_S = 1_753_704_000.25  # 2025-07-28 12:00:00.25 UTC

_COLUMNS = """
    id integer primary key autoincrement, timestamp real not null, timestamp_iso text, session_id text not null,
    hook_type text not null, tool_name text, status text, duration_ms integer, hostname text, ip_address text,
    project_dir text
"""
EYELET = f"""
create table hooks (
    {_COLUMNS},
    data blob not null check(json_valid(data)),
    error_code text generated always as (json_extract(data, '$.execution.error_message')) stored,
    git_branch text generated always as (json_extract(data, '$.metadata.git_branch')) stored
)
"""
LOOSE = f"create table hooks ({_COLUMNS}, data)"
LOGS = """
create table logs (
    logid integer primary key, context_name text, epoch integer, src text, loglevel text, error integer, content text
)
"""


def envelope(n: int, **fields: Any) -> dict[str, Any]:
    """What the original Eyelet wrote of the n-th event; `fields` go into the hook's payload."""
    payload = {
        "session_id": f"s{n % 3}",
        "hook_event_name": "PostToolUse",
        "tool_name": "Bash",
        "tool_input": {"command": f"git push {n}"},
        "tool_response": {"stdout": "done"},
        "cwd": "/work/shop",
        **fields,
    }
    return {
        "timestamp": "2025-07-28T14:00:00.250000",  # local, two hours east of UTC
        "timestamp_unix": NOON_S + n,
        "hook_type": payload["hook_event_name"],
        "tool_name": payload.get("tool_name", ""),
        "session_id": payload["session_id"],
        "transcript_path": "/t.jsonl",
        "cwd": "/work/shop",
        "environment": {"platform": "linux", "env_vars": {"CLAUDE_X": "1", "ANTHROPIC_API_KEY": "k" * 30}},
        "input_data": payload,
        "metadata": {"hostname": "box", "ip_address": "10.0.0.7", "git": {"branch": "main"}, "git_branch": "main"},
        "execution": None,
        "completed_at": None,
    }


def old_row(found: dict[str, Any], *, binary: bool = False, **columns: Any) -> dict[str, Any]:
    """The row of an envelope as Eyelet's logger wrote it."""
    return {
        "timestamp": found["timestamp_unix"],
        "timestamp_iso": found["timestamp"],
        "session_id": found["session_id"],
        "hook_type": found["hook_type"],
        "tool_name": found["tool_name"] or None,
        "status": "unknown",
        "hostname": "box",
        "ip_address": "10.0.0.7",
        "project_dir": found["cwd"],
        "data": json.dumps(found),
        "_binary": binary,
        **columns,
    }


def eyelet_db(path: Path, rows: Iterable[dict[str, Any]], *, check: bool = True) -> Path:
    """`eyelet.db` with these rows, made where it is not there."""
    is_new = not path.exists()
    conn = connect.driver().connect(str(path))
    if is_new:
        conn.execute(EYELET if check else LOOSE)
        conn.execute("pragma user_version = 1")
    for row in rows:
        names = [name for name in row if name != "_binary"]
        marks = ["jsonb(?)" if name == "data" and row.get("_binary") else "?" for name in names]
        sql = f"insert into hooks ({', '.join(names)}) values ({', '.join(marks)})"
        conn.execute(sql, [row[name] for name in names])
    conn.commit()
    conn.close()
    return path


def logs_db(path: Path, rows: Iterable[Sequence[Any]], made: str = LOGS) -> Path:
    """A log in one table with these rows: logid, context_name, epoch, src, loglevel, error, content."""
    is_new = not path.exists()
    conn = connect.driver().connect(str(path))
    if is_new:
        conn.execute(made)
    conn.executemany("insert into logs values (?, ?, ?, ?, ?, ?, ?)", rows)
    conn.commit()
    conn.close()
    return path
