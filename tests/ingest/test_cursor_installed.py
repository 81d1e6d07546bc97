"""A whole session of Cursor's, run by the entries that `eyelet install` writes: its own, and Claude Code's, which it
runs too. Each event is a row of Cursor's, and once, wherever Eyelet is installed."""

import json
from pathlib import Path
from typing import Any

import pytest

from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store
from tests.ingest.standin import PAYLOADS, payload
from tests.ingest.test_install import install, stand_in, wish

# Which of Claude Code's events Cursor runs for one of its own (cursor.com/docs/reference/third-party-hooks).
OF_CLAUDE = {
    "sessionStart": "SessionStart",
    "beforeSubmitPrompt": "UserPromptSubmit",
    "preToolUse": "PreToolUse",
    "postToolUse": "PostToolUse",
    "stop": "Stop",
    "sessionEnd": "SessionEnd",
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"  # conftest's


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


def rows(home: Path) -> list[dict[str, Any]]:
    with Store(str(home / ".eyelet")) as store:
        store.drain_spool()
        return [dict(row) for row in store.search(Filter(), limit=1_000).rows]


def run_session(home: Path, project: Path) -> None:
    """Every event of a session, all entries of it, as Cursor runs them: `command` alone, the payload on stdin."""
    cursor, claude = stand_in("cursor", home, project), stand_in("claude", home, project)
    for number, event in enumerate(PAYLOADS["cursor"]):
        told = {**payload("cursor", event, "s", project, number), "tool_use_id": "call-1", "model": "composer-2"}
        entries = cursor.handlers(event) + [{"command": one["command"]} for one in claude.handlers(OF_CLAUDE[event])]
        assert entries
        for entry in entries:
            assert not cursor.refuses(cursor.run(entry, event, told, number)), event


@pytest.mark.parametrize(
    "installed",
    [
        (("user", "cursor"),),
        (("user", "claude"),),
        (("user", "claude"), ("user", "cursor")),
        (("project", "claude"), ("user", "cursor")),
        (("project", "claude"), ("project", "cursor")),
        (("user", "claude"), ("project", "cursor")),
    ],
    ids=str,
)
def test_each_event_is_one_row_of_cursors(
    home: Path,
    project: Path,
    installed: tuple[tuple[str, str], ...],
) -> None:
    for scope, agent in installed:
        install(wish(home, project, agent, scope=scope))
    run_session(home, project)
    found = sorted(rows(home), key=lambda row: int(json.loads(row["data"])["number"]))
    assert [row["hook_type"] for row in found] == list(PAYLOADS["cursor"])
    assert {row["agent"] for row in found} == {"cursor"} and {row["session_id"] for row in found} == {"s"}
    assert {row["project_dir"] for row in found} == {str(project)} and {row["model"] for row in found} == {"composer-2"}
    asked, answered = (row for row in found if row["tool_name"])
    assert (asked["status"], answered["status"], answered["duration_ms"]) == ("pending", "ok", 3)
    assert (asked["src"], answered["src"]) == ("cursor.pretooluse.shell.ls", "cursor.posttooluse.shell.ls")


def test_claudes_own_session_beside_it_stays_claudes(home: Path, project: Path) -> None:
    install(wish(home, project, "claude", "cursor"))
    claude = stand_in("claude", home, project)
    claude.fire("PreToolUse", payload("claude", "PreToolUse", "s", project))
    [row] = rows(home)
    assert (row["agent"], row["src"]) == ("claude", "claude.pretooluse.bash.git.status")


def test_copilot_running_a_projects_hooks_of_claude_is_known_as_itself(home: Path, project: Path) -> None:
    install(wish(home, project, "claude", scope="project"))
    copilot, claude = stand_in("copilot", home, project), stand_in("claude", home, project)
    [handler] = claude.handlers("PreToolUse")
    told = {**payload("copilot", "PreToolUse", "s", project), "timestamp": "2026-01-01T00:00:00.000Z"}
    assert not copilot.refuses(copilot.run({"bash": handler["command"]}, "PreToolUse", told, 0))
    [row] = rows(home)
    assert (row["agent"], row["src"]) == ("copilot", "copilot.pretooluse.bash.git.status")
