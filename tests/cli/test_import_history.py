"""`eyelet import-history` as one types it, in a home folder of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

COMMAND = [sys.executable, "-c", "from eyelet_ingest.cli import main; main()", "import-history"]
SESSION = "0a0b0c0d-1111-4222-8333-{:012d}"


def record(number: int, session: int = 1, **said: Any) -> dict[str, Any]:
    return {
        "type": "user",
        "uuid": f"{session:08d}-0000-4000-8000-{number:012d}",
        "sessionId": SESSION.format(session),
        "timestamp": f"2026-05-04T10:{number // 60:02d}:{number % 60:02d}.000Z",
        "cwd": "/work/somewhere",
        "message": {"role": "user", "content": f"say {number}"},
        **said,
    }


def transcript(home: Path, session: int = 1, count: int = 3, project: str = "-work-somewhere", **said: Any) -> Path:
    path = home / ".claude" / "projects" / project / f"{SESSION.format(session)}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record(n, session, **said)) + "\n" for n in range(count)), encoding="utf-8")
    return path


@pytest.fixture
def home() -> Path:
    return Path(os.environ["HOME"])


def run(root: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*COMMAND, "--root", root, *arguments], capture_output=True, text=True, timeout=60)


def counts(done: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def sessions(root: str) -> list[str]:
    with Store(root) as store:
        return [str(row["session_id"]) for row in store.search(Filter(), limit=1000).rows]


def test_it_says_what_there_is_before_it_imports_and_again_nothing_is_new(home: Path, root: str) -> None:
    transcript(home, 1, 3)
    transcript(home, 2, 2, "-work-else")
    done = run(root, "--dry-run")
    assert done.returncode == 0 and "Claude Code" in done.stdout and not os.path.exists(root)
    done = run(root, "--json")
    found = json.loads(done.stdout.splitlines()[0])["found"]
    assert [(one["agent"], one["files"], one["sessions"]) for one in found] == [("claude", 2, 2)]
    assert counts(done)["records"]["stored"] == 5
    again = counts(run(root, "--json"))
    assert again["files"] == {"read": 0, "known": 2, "off": 0, "awaited": 0, "unreadable": 0}
    assert again["records"]["read"] == 0 and len(sessions(root)) == 5
