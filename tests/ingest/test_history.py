"""What agents left on this machine: found wherever it lies, brought in once, kept when it is gone there."""

import json
import os
import shutil
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from eyelet_ingest import history, history_import, pipeline
from eyelet_ingest.errors import BadInput
from eyelet_ingest.history_import import Brought, bring_in
from eyelet_ingest.history_watch import REST_PART, Watch
from eyelet_ingest.ledger import Ledger
from eyelet_ingest.pipeline import STILL_US
from eyelet_ingest.sources.places import PLACES
from eyelet_ingest.store import connect
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store
from tests.cli.test_import_history import SESSION, record, transcript
from tests.ingest.test_opencode_import import AT_MS, OpenCode
from tests.sources.test_codex import META, item, line
from tests.sources.test_gemini import HEAD, TOKENS, message

STILL_S = STILL_US // 1_000_000


@pytest.fixture
def home() -> Path:
    return Path(os.environ["HOME"])


def put(path: Path, *records: Any, age_s: float = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(one) + "\n" for one in records), encoding="utf-8")
    return aged(path, age_s)


def aged(path: Path, age_s: float) -> Path:
    os.utime(path, (time.time() - age_s,) * 2)
    return path


def bring(root: str, *agents: str, context: str | None = None, force: bool = False) -> Brought:
    return bring_in(history.find(agents, root=root).left, root, context, force=force)


def stored(done: Brought) -> tuple[int, int, int, int]:
    return done.read, done.known, done.ingested.stored, done.ingested.quarantined


def rows(root: str) -> list[dict[str, Any]]:
    with Store(root) as store:
        return store.search(Filter(), oldest_first=True, limit=1000).rows


def contexts(root: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for row in rows(root):
        found[row["context_name"]] = found.get(row["context_name"], 0) + 1
    return found


ROLLOUT = f"rollout-2026-05-31T16-22-08-{META['id']}.jsonl"
CALL = item("function_call", name="exec_command", call_id="c", arguments="{}")
ANSWER = {
    **item("function_call_output", call_id="c", output="Exit code: 1\nWall time: 1 seconds\nOutput:\nno"),
    "timestamp": "2026-05-31T16:22:10.000Z",
}
PLACED = {
    "claude": [
        ".claude/projects/-a/s.jsonl",
        ".claude/projects/-a/s/subagents/agent-1.jsonl",
        ".config/claude/projects/-b/t.jsonl",
    ],
    "codex": [f".codex/sessions/2026/05/31/{ROLLOUT}", ".codex/archived_sessions/r.jsonl.gz", ".codex/history.jsonl"],
    "gemini": [".gemini/tmp/x/chats/session-1.json", ".gemini/tmp/x/chats/s/sub.jsonl", ".gemini/tmp/x/logs.json"],
    "copilot": [
        ".copilot/session-state/s/events.jsonl",
        ".copilot/session-state/s.jsonl",
        ".copilot/history-session-state/session_1.json",
    ],
    "cursor": [
        ".cursor/projects/x/agent-transcripts/s/s.jsonl",
        ".cursor/projects/x/agent-transcripts/s/subagents/t.jsonl",
    ],
    "opencode": [".local/share/opencode/opencode.db", ".local/share/opencode/opencode-dev.db"],
}
NONE_OF_THEM = [
    *(".claude/settings.json", ".claude/projects/-a/sessions-index.json", ".claude/projects/-a/memory/x.md"),
    *(".codex/auth.json", ".gemini/tmp/x/checkpoint-a.json", ".gemini/settings.json", ".copilot/config.json"),
    *(".copilot/session-state/s/files/made.json", ".local/share/opencode/auth.json"),
]


def test_every_agent_s_places_are_looked_into_and_nothing_else(home: Path) -> None:
    assert set(PLACED) == set(PLACES)
    for name in (*(name for names in PLACED.values() for name in names), *NONE_OF_THEM):
        put(home / name, {})
    found = history.find()
    assert not found.passed
    for agent, names in PLACED.items():
        assert {one.path for one in found.left if one.agent == agent} == {str(home / name) for name in names}
    assert {one.agent for one in history.find(["codex"]).left} == {"codex"}
    with pytest.raises(BadInput, match="there are claude"):
        history.find(["nobody"])


@pytest.mark.parametrize(
    ("variable", "said", "name"),
    [
        ("CLAUDE_CONFIG_DIR", "moved", "moved/projects/-a/s.jsonl"),
        ("CODEX_HOME", "moved", "moved/sessions/2026/r.jsonl"),
        ("GEMINI_CLI_HOME", "moved", "moved/.gemini/tmp/x/chats/session-1.json"),
        ("COPILOT_HOME", "moved", "moved/session-state/s/events.jsonl"),
        ("XDG_DATA_HOME", "moved", "moved/opencode/opencode.db"),
    ],
)
def test_a_variable_moves_a_place(home: Path, variable: str, said: str, name: str) -> None:
    for names in PLACED.values():
        put(home / names[0], {})
    put(home / name, {})
    place = next(place for place in PLACES.values() if place.variable == variable)
    found = history.find([place.agent], environ={variable: str(home / said)}).left
    assert [one.path for one in found] == [str(home / name)]


def test_what_was_written_to_last_comes_first_and_sessions_are_counted(home: Path) -> None:
    old, new = aged(transcript(home, 1), 9_000), transcript(home, 2)
    middle = put(new.with_suffix("") / "subagents" / "agent-1.jsonl", record(0), age_s=100)
    found = history.find().left
    assert [one.path for one in found] == [str(new), str(middle), str(old)]
    assert [one.sessions for one in found] == [1, 0, 1]
    since_us = (time.time_ns() // 1_000) - 3_600_000_000
    assert [one.path for one in history.find(since_us=since_us).left] == [str(new), str(middle)]


def test_what_cannot_be_read_is_named_and_the_rest_comes_in(
    home: Path, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = transcript(home, 1, 3)
    folder = path.parent
    (folder / "around").symlink_to(home / ".claude" / "projects")
    (folder / "gone.jsonl").symlink_to(folder / "nothing.jsonl")
    (folder / "self.jsonl").symlink_to(folder / "self.jsonl")
    (folder / "twice.jsonl").symlink_to(path)
    (folder / "directory.jsonl").mkdir()
    os.mkfifo(folder / "pipe.jsonl")
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket.jsonl")
        found = history.find(root=root)
    reasons = {os.path.basename(one.path): one.reason for one in found.passed}
    assert set(reasons) == {"around", "gone.jsonl", "self.jsonl", "pipe.jsonl", "socket.jsonl"}
    assert "a socket" in reasons["socket.jsonl"] and "a pipe" in reasons["pipe.jsonl"]
    assert [one.path for one in found.left] == [str(path)]
    assert stored(bring(root)) == (1, 0, 3, 0)


@pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="no file here that opens and cannot be read")
def test_a_file_that_fails_while_it_is_read_stops_no_other(home: Path, root: str) -> None:
    path = aged(transcript(home, 1, 3), 100)
    (path.parent / "broken.jsonl").symlink_to("/proc/self/mem")
    for _ in range(2):  # it is tried again
        done = bring(root)
        assert [os.path.basename(one.path) for one in done.passed] == ["broken.jsonl"]
    assert len(rows(root)) == 3


def test_a_root_is_none_of_what_agents_left(home: Path) -> None:
    root = str(home / ".claude" / "projects" / "mine")
    put(home / ".claude" / "projects" / "mine" / "logs" / "x.jsonl", {})
    put(home / ".claude" / "projects" / "other" / "x.jsonl", {})
    assert [Path(one.path).parent.name for one in history.find(root=root).left] == ["other"]
    put(home / ".claude" / "projects" / "mine" / "secret.key", {})
    assert [Path(one.path).parent.name for one in history.find().left] == ["other"]


def test_what_was_brought_in_outlives_its_source(home: Path, root: str) -> None:
    folder = transcript(home, 1, 3).parent
    bring(root)
    before = rows(root)
    shutil.rmtree(folder)
    assert stored(bring(root)) == (0, 0, 0, 0)
    assert rows(root) == before and len(before) == 3


def test_a_file_that_is_known_is_not_opened_and_one_that_grew_is_read_from_its_beginning(home: Path, root: str) -> None:
    path = put(home / ".codex" / "sessions" / ROLLOUT, line("session_meta", META), CALL)
    put(home / ".codex" / "sessions" / "other.jsonl", line("session_meta", {**META, "id": SESSION.format(7)}), age_s=50)
    assert stored(bring(root)) == (2, 0, 3, 0)
    assert stored(bring(root)) == (0, 2, 0, 0)
    put(path, line("session_meta", META), CALL, ANSWER)
    assert stored(bring(root)) == (1, 1, 1, 0)
    last = rows(root)[-1]
    assert (last["tool_name"], last["status"], last["session_id"]) == ("exec_command", "error", META["id"])
    assert bring(root, force=True).read == 2


def test_a_line_without_its_end_waits_until_it_has_one_or_nobody_writes_any_more(home: Path, root: str) -> None:
    path = transcript(home, 1, 3)
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])
    done = bring(root)
    assert stored(done) == (1, 0, 2, 0) and done.awaited == 1
    assert stored(bring(root)) == (0, 1, 0, 0)
    path.write_bytes(whole)
    assert stored(bring(root)) == (1, 0, 1, 0)
    path.write_bytes(whole + whole[:50])
    aged(path, STILL_S + 60)
    for _ in range(2):  # what is in quarantine is looked at again
        assert stored(bring(root)) == (1, 0, 0, 1)


def test_what_was_awaited_is_taken_when_the_file_is_still(
    home: Path, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = home / ".gemini" / "tmp" / "x" / "chats" / "session-1.jsonl"
    put(path, HEAD, message(1, "user"), message(2))
    assert stored(bring(root)) == (1, 0, 2, 0)
    assert stored(bring(root)) == (0, 1, 0, 0)
    with monkeypatch.context() as later:
        for module in (pipeline, history_import):
            later.setattr(module, "STILL_US", 0)
        assert stored(bring(root)) == (1, 0, 1, 0)
        assert stored(bring(root)) == (0, 1, 0, 0)
    put(path, HEAD, message(1, "user"), message(2, tokens=TOKENS), message(3, "user"))
    assert stored(bring(root)) == (1, 0, 1, 0)


def test_a_day_that_is_gone_is_brought_in_again(home: Path, root: str) -> None:
    transcript(home, 1, 3)
    bring(root)
    (folder,) = Path(root, "logs", "default").glob("*/*")
    shutil.rmtree(folder)
    assert stored(bring(root)) == (1, 0, 3, 0)


@pytest.mark.parametrize("is_git", [True, False])
def test_each_session_goes_into_the_context_of_its_project_and_stays_there(
    home: Path, root: str, tmp_path: Path, is_git: bool
) -> None:
    put(home / ".eyelet" / "eyelet.yaml").write_text("context: project\n", encoding="utf-8")
    project = tmp_path / "work" / "one"
    (project / "src").mkdir(parents=True)
    if is_git:
        (project / ".git").mkdir()
    path = transcript(home, 1, 2, cwd=str(project / "src"))
    transcript(home, 2, 3, cwd=str(tmp_path / "two"))
    chats = home / ".gemini" / "tmp" / "x"
    put(chats / "chats" / "session-1.jsonl", HEAD, message(1, "user"))
    (chats / ".project_root").write_text(str(tmp_path / "three"), encoding="utf-8")
    put(home / ".codex" / "history.jsonl", {"session_id": SESSION.format(9), "ts": 1_777_000_000, "text": "hi"})
    bring(root)
    expected = {"one" if is_git else "src": 2, "two": 3, "three": 2, "default": 1}
    assert contexts(root) == expected
    shutil.rmtree(project)
    with path.open("a", encoding="utf-8") as out:
        out.write(json.dumps(record(9, 1, cwd=str(project))) + "\n")
    assert stored(bring(root))[2] == 1
    assert contexts(root) == {**expected, "one" if is_git else "src": 3}
    assert bring(root, context="all").ingested.stored == 9
    with path.open("a", encoding="utf-8") as out:
        out.write(json.dumps(record(10, 1, cwd=str(project))) + "\n")
    bring(root)
    assert contexts(root) == {**expected, "one" if is_git else "src": 4, "all": 9}


def test_nothing_is_brought_in_of_a_project_that_says_so(home: Path, root: str, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "eyelet.yaml").write_text("logging:\n  enabled: false\n", encoding="utf-8")
    transcript(home, 1, 2, cwd=str(tmp_path / "secret"))
    transcript(home, 2, 3)
    done = bring(root)
    assert (done.off, done.read, len(rows(root))) == (1, 1, 3)
    assert bring(root, context="x").off == 1
    (tmp_path / "secret" / "eyelet.yaml").unlink()
    assert stored(bring(root)) == (1, 1, 2, 0)


def test_what_a_database_s_log_holds_is_a_change_of_it(home: Path) -> None:
    folder = home / ".local" / "share" / "opencode"
    folder.mkdir(parents=True)
    conn = connect.driver().connect(folder / "opencode.db")
    conn.execute("pragma journal_mode = wal")
    conn.execute("create table part (id, message_id, session_id, data)")
    conn.commit()
    (before,) = history.find().left
    conn.execute("insert into part values (1, 1, 1, '{}')")
    conn.commit()
    (after,) = history.find().left
    conn.close()
    assert before.mark != after.mark and after.size_bytes > before.size_bytes


def test_each_session_of_a_database_goes_into_the_context_of_its_project(home: Path, root: str) -> None:
    put(home / ".eyelet" / "eyelet.yaml").write_text("context: project\n", encoding="utf-8")
    folder = home / ".local" / "share" / "opencode"
    folder.mkdir(parents=True)
    opencode = OpenCode(folder / "opencode.db")
    opencode.session("ses_2")
    opencode.conn.execute("update session set directory = '/work/other' where id = 'ses_2'")
    opencode.message("msg_other", {"role": "user", "time": {"created": AT_MS}}, "ses_2")
    assert bring(root).read == 1
    assert contexts(root) == {"other": 1, "repo": 4}
    assert stored(bring(root)) == (0, 1, 0, 0)
    opencode.message("msg_more", {"role": "user", "time": {"created": AT_MS + 5}}, "ses_2")
    assert stored(bring(root)) == (1, 0, 1, 0)
    assert contexts(root) == {"other": 2, "repo": 4}


def test_a_ledger_of_before_is_brought_up_and_keeps_what_it_knows(root: str) -> None:
    with Ledger(root) as ledger:
        path = ledger.path
    conn = connect.driver().connect(path)
    conn.execute("drop table recordings")
    conn.execute("pragma user_version = 1")
    conn.execute("insert into timeless values ('x', x'00', 5)")
    conn.commit()
    conn.close()
    with Ledger(root) as ledger:
        assert ledger.recording(b"x") is None
        assert ledger.times("x", [(b"\0", 9)])[0] == {b"\0": 5}


def test_a_long_recording_that_grows_rests_between_two_readings() -> None:
    def left(mark: str, age_s: float = 0) -> history.Left:
        return history.Left("claude", "/a", 10, time.time_ns() - int(age_s * 1e9), mark, 1)

    watch = Watch()
    assert watch.news([left("1")], 0)
    watch.took([left("1")], 10, 100)
    assert not watch.news([left("1")], 100 + 10 * REST_PART)
    assert not watch.news([left("2")], 99 + 10 * REST_PART)
    assert watch.news([left("2")], 100 + 10 * REST_PART)
    assert watch.news([left("1", STILL_S + 1)], 1_000)  # what was awaited of it comes now
