"""Installing, recording with agents that behave like the real ones, and uninstalling: nothing lost, nothing left."""

import json
import os
import re
import socket
import stat
import subprocess
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from eyelet_ingest import faults
from eyelet_ingest.errors import BadInput
from eyelet_ingest.install import claude, edit, installer, launch, record, state
from eyelet_ingest.install.agents import AGENTS
from eyelet_ingest.install.installer import Wish
from eyelet_ingest.install.jsonc import parse
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store
from tests.ingest.standin import PAYLOADS, StandIn, payload

SOAK = bool(os.environ.get("EYELET_SOAK"))
MINE = """{
    // what I like
    "model": "opus",
    "hooks": {
        "PreToolUse": [
            {"matcher": "Bash", "hooks": [{"type": "command", "command": "exit 0"}]}, // keep
        ],
        "Elsewhere": []
    },
    "version": 1, /* the last */
}
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"  # conftest's


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


def wish(home: Path, project: Path, *agents: str, scope: str = "user", **more: Any) -> Wish:
    return Wish(agents=agents, scope=scope, project=str(project), home=str(home / ".eyelet"), **more)


def install(asked: Wish) -> list[str]:
    return installer.perform(installer.to_install(asked), asked.home)


def uninstall(asked: Wish) -> list[str]:
    return installer.perform(installer.to_uninstall(asked), asked.home)


def settings_of(name: str, home: Path) -> Path:
    return Path(AGENTS[name].path("user", "/nowhere"))


def stand_in(name: str, home: Path, project: Path, **more: str) -> StandIn:
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "TMPDIR": os.environ["TMPDIR"], **more}
    if name == "cursor":
        environment["CURSOR_VERSION"] = "3.7.21"
    return StandIn(name, home, project, environment)


def recorded(home: Path) -> list[dict[str, Any]]:
    """Every payload that was stored, the spool's among them."""
    with Store(str(home / ".eyelet")) as store:
        store.drain_spool()
        return [json.loads(str(row["data"])) for row in store.search(Filter(), limit=1_000).rows]


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("name", sorted(AGENTS))
@pytest.mark.parametrize("has_settings", [True, False], ids=["beside others'", "alone"])
def test_a_session_is_recorded_whole_and_the_settings_are_as_before(
    name: str, has_settings: bool, home: Path, project: Path
) -> None:
    path = settings_of(name, home)
    if has_settings:
        path.parent.mkdir(parents=True)
        path.write_text(MINE, "utf-8")
    before = {key: value for key, value in files_of(home).items() if ".eyelet" not in key}
    folders = sorted(str(one) for one in home.rglob("*") if one.is_dir())
    install(wish(home, project, name))
    agent = stand_in(name, home, project)
    sent = [payload(name, event, "s1", project, number) for number, event in enumerate(PAYLOADS[name])]
    for one in sent:
        answers = agent.fire(one["hook_event_name"], one)
        assert answers and not any(map(agent.refuses, [one for one in answers if name != "cursor"]))
        ours = [one for one in answers if name == "cursor" and one.out]
        assert not any(map(agent.refuses, ours)) and (ours or name != "cursor")
    stored = recorded(home)
    assert sorted(one["number"] for one in stored) == [one["number"] for one in sent]
    uninstall(wish(home, project, name))
    after = {key: value for key, value in files_of(home).items() if f"{home}/.eyelet" not in key}
    assert after == before
    left = sorted(str(one) for one in home.rglob("*") if one.is_dir() and f"{home}/.eyelet" not in str(one))
    assert left == [one for one in folders if f"{home}/.eyelet" not in one]


def test_sessions_at_once_with_parallel_tools_late_hooks_and_kills_lose_nothing(home: Path, project: Path) -> None:
    """Whatever hook came to its end has stored its event, once; only a hook that was shot may have nothing to show."""
    path = settings_of("claude", home)
    path.parent.mkdir()
    slow = {"hooks": [{"type": "command", "command": "sleep 30", "timeout": 1}]}
    path.write_text(json.dumps({"hooks": {"Stop": [slow], "SessionEnd": [{"hooks": [slow["hooks"][0]]}]}}), "utf-8")
    before = path.read_bytes()
    install(wish(home, project, "claude"))
    sessions, tools = (8, 40) if SOAK else (3, 4)
    agent = stand_in("claude", home, project)
    agent.kill = {(f"s{number}", 1) for number in range(0, sessions, 2)}

    def session(name: str) -> None:
        agent.fire("SessionStart", payload("claude", "SessionStart", name, project, 0), 0)
        parallel = [
            threading.Thread(
                target=agent.fire,
                args=("PostToolUse", payload("claude", "PostToolUse", name, project, number), number),
            )
            for number in range(1, tools + 1)
        ]
        for thread in parallel:
            thread.start()
        for thread in parallel:
            thread.join()
        agent.fire("Stop", payload("claude", "Stop", name, project, tools + 1), tools + 1)
        agent.fire("SessionEnd", payload("claude", "SessionEnd", name, project, tools + 2), tools + 2)

    threads = [threading.Thread(target=session, args=(f"s{number}",)) for number in range(sessions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stored = Counter((one["session_id"], one["number"]) for one in recorded(home))
    sent = {(f"s{session}", number) for session in range(sessions) for number in range(tools + 3)}
    assert set(stored) <= sent and set(stored.values()) == {1}
    assert sent - set(stored) <= agent.kill
    late = [answer for answer in agent.answers if answer.status is None]
    assert len(late) == 2 * sessions  # the others' slow hooks, none of ours
    uninstall(wish(home, project, "claude"))
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", sorted(AGENTS))
def test_where_interpreter_or_recorder_is_gone_no_agent_has_trouble(name: str, home: Path, project: Path) -> None:
    install(wish(home, project, name))
    agent = stand_in(name, home, project, PATH="/usr/bin:/bin")
    folder = home / ".eyelet" / "bin"
    script = (folder / launch.NAME).read_text("utf-8")
    for break_it in (
        lambda: (folder / launch.NAME).write_text(script.replace("command -v python3", "echo"), "utf-8"),
        lambda: [one.unlink() for one in folder.iterdir() if one.name != launch.NAME],
        lambda: (folder / launch.NAME).unlink() if name != "claude" else None,
    ):
        break_it()
        for event in PAYLOADS[name]:
            answers = agent.fire(event, payload(name, event, "s", project))
            assert answers and not any(map(agent.refuses, answers))
    said = faults.read(str(home / ".eyelet"))
    assert {one.kind for one in said} == {"launcher"} and "eyelet install" in said[0].reason
    assert len(said) == (2 if name == "claude" else 1) * len(PAYLOADS[name])  # while the launcher itself is there
    assert os.stat(home / ".eyelet" / faults.FILE_NAME).st_mode & 0o777 == 0o600


def test_cursor_running_claudes_hooks_is_answered_and_nothing_it_says_is_run(home: Path, project: Path) -> None:
    """Cursor runs `command` alone, without `args`, with the payload on stdin."""
    install(wish(home, project, "claude"))
    cursor = stand_in("cursor", home, project)
    [handler] = stand_in("claude", home, project).handlers("PreToolUse")
    told = payload("cursor", "preToolUse", "s", project, 7)
    told["tool_input"]["command"] = f"$(touch {home}/executed) `touch {home}/executed`"
    answer = cursor.run({"command": handler["command"]}, "preToolUse", told, 7)
    assert not cursor.refuses(answer) and json.loads(answer.out)["permission"] == "allow"
    assert not (home / "executed").exists()
    assert [one["number"] for one in recorded(home)] == [7]


def test_cursors_event_is_stored_once_where_both_are_installed(home: Path, project: Path) -> None:
    install(wish(home, project, "claude", "cursor"))
    cursor = stand_in("cursor", home, project)
    [imported] = stand_in("claude", home, project).handlers("PreToolUse")
    [own] = cursor.handlers("preToolUse")
    told = payload("cursor", "preToolUse", "s", project, 1)
    for handler in ({"command": imported["command"]}, own, imported):
        assert not cursor.refuses(cursor.run(handler, "preToolUse", told, 1))
    assert [one["number"] for one in recorded(home)] == [1]
    uninstall(wish(home, project, "cursor"))
    assert not cursor.refuses(cursor.run({"command": imported["command"]}, "preToolUse", told, 1))
    assert len(recorded(home)) == 2


def test_installing_twice_is_once_and_another_mode_takes_the_entries_place(home: Path, project: Path) -> None:
    path = settings_of("claude", home)
    path.parent.mkdir()
    path.write_text(MINE, "utf-8")
    install(wish(home, project, "claude"))
    once = path.read_bytes()
    backups = sorted(path.parent.glob("*.bak"))
    assert "nothing to do" in install(wish(home, project, "claude"))[0]
    assert path.read_bytes() == once and sorted(path.parent.glob("*.bak")) == backups
    install(wish(home, project, "claude", mode="spool"))
    said = path.read_text("utf-8")
    assert said.count("eyelet-hook") == len(claude.EVENTS) == said.count('"spool"')
    uninstall(wish(home, project, "claude"))
    assert path.read_text("utf-8") == MINE and list(path.parent.iterdir()) == [path]


def test_what_the_user_edited_after_installing_stays(home: Path, project: Path) -> None:
    path = settings_of("claude", home)
    path.parent.mkdir()
    path.write_text(MINE, "utf-8")
    install(wish(home, project, "claude"))
    edited = path.read_text("utf-8").replace('"opus"', '"sonnet", // cheaper\n    "theme": "dark"')
    path.write_text(edited, "utf-8")
    assert "nothing to do" in install(wish(home, project, "claude"))[0]
    uninstall(wish(home, project, "claude"))
    assert path.read_text("utf-8") == MINE.replace('"opus"', '"sonnet", // cheaper\n    "theme": "dark"')


def test_without_the_record_ours_are_found_all_the_same(home: Path, project: Path) -> None:
    path = settings_of("claude", home)
    path.parent.mkdir()
    path.write_text('{\n  "model": "opus"\n}\n', "utf-8")
    install(wish(home, project, "claude"))
    (home / ".eyelet" / record.NAME).unlink()
    uninstall(wish(home, project, "claude"))
    assert path.read_text("utf-8") == '{\n  "model": "opus"\n}\n'


def test_a_broken_file_is_named_with_its_line_and_left(home: Path, project: Path) -> None:
    path = settings_of("claude", home)
    path.parent.mkdir()
    for content, line in ((b'{\n  "a": 1\n  "b": 2\n}', 3), (b'{\n\n"a": "\xff"}', 3), (b'{"hooks":\n [1]}', 2)):
        path.write_bytes(content)
        for act in (install, uninstall):
            with pytest.raises(BadInput, match=f"settings.json:{line}: .*nothing was changed"):
                act(wish(home, project, "claude"))
        assert path.read_bytes() == content and len(list(path.parent.iterdir())) == 1


def test_a_link_stays_a_link_and_the_files_mode_stays(home: Path, project: Path, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles" / "claude.json"
    real.parent.mkdir()
    real.write_text(MINE, "utf-8")
    real.chmod(0o640)
    path = settings_of("claude", home)
    path.parent.mkdir()
    path.symlink_to(real)
    install(wish(home, project, "claude"))
    assert path.is_symlink() and "eyelet-hook" in real.read_text("utf-8")
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    [backup] = path.parent.glob("*.bak")
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600 and backup.read_text("utf-8") == MINE
    uninstall(wish(home, project, "claude"))
    assert path.is_symlink() and real.read_text("utf-8") == MINE and sorted(path.parent.iterdir()) == [path]


def test_a_write_protected_file_is_named_and_left(home: Path, project: Path) -> None:
    path = settings_of("claude", home)
    path.parent.mkdir()
    path.write_text(MINE, "utf-8")
    path.chmod(0o444)
    with pytest.raises(BadInput, match="write-protected"):
        install(wish(home, project, "claude"))
    assert path.read_text("utf-8") == MINE and list(path.parent.iterdir()) == [path]


def test_what_another_program_wrote_meanwhile_is_not_overwritten(home: Path, project: Path) -> None:
    path = settings_of("claude", home)
    path.parent.mkdir()
    path.write_text(MINE, "utf-8")
    asked = wish(home, project, "claude")
    plan = installer.to_install(asked)
    path.write_text("{}", "utf-8")
    with pytest.raises(BadInput, match="changed it just now"):
        installer.perform(plan, asked.home)
    assert path.read_text("utf-8") == "{}" and list(path.parent.iterdir()) == [path]


def test_a_second_scope_for_the_same_work_is_refused(home: Path, project: Path) -> None:
    install(wish(home, project, "claude"))
    with pytest.raises(BadInput, match="uninstall --agent claude --scope user"):
        install(wish(home, project, "claude", scope="local"))


def test_settings_that_are_shared_name_nothing_of_this_machine_and_fail_nobody(home: Path, project: Path) -> None:
    for name in ("claude", "codex", "gemini", "copilot", "cursor"):
        install(wish(home, project, name, scope="project"))
        text = Path(AGENTS[name].path("project", str(project))).read_text("utf-8")
        assert str(home) not in text and "$HOME/.eyelet/bin/eyelet-hook" in text
        event = next(iter(PAYLOADS[name]))
        agent = stand_in(name, home, project)
        assert not any(map(agent.refuses, agent.fire(event, payload(name, event, name, project, 3))))
        agent.environment["HOME"] = "/nonexistent"  # a colleague's, who has no eyelet
        assert not any(map(agent.refuses, agent.fire(event, payload(name, event, "colleague", project, 4))))
    assert [one["number"] for one in recorded(home)] == [3] * 5
    uninstall(wish(home, project, *sorted(AGENTS), scope="project"))
    assert list(project.iterdir()) == []


def test_an_entry_made_by_hand_is_pointed_out(home: Path, project: Path) -> None:
    path = settings_of("claude", home)
    path.parent.mkdir()
    path.write_text('{"hooks": {"Stop": [{"hooks": [{"command": "/venv/bin/eyelet-hook"}]}]}}', "utf-8")
    notes = installer.to_install(wish(home, project, "claude")).notes
    assert any("Stop" in note and "twice" in note for note in notes)


@pytest.mark.parametrize(
    ("said", "events"), [("2.1.100 (Claude Code)", 9), ("2.1.240 (Claude Code)", 30), ("what?", 30)]
)
def test_a_claude_that_would_drop_its_settings_gets_only_names_it_knows(
    said: str, events: int, home: Path, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "programs" / "claude"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho '{said}'\n", "utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    install(wish(home, project, "claude"))
    assert len(json.loads(settings_of("claude", home).read_text("utf-8"))["hooks"]) == events


def test_time_outs_are_in_each_agents_unit(home: Path) -> None:
    start = launch.Launch(str(home / ".eyelet"))
    said = {
        name: {event: edit.handlers(entry)[0] for event, entry in agent.wanted(start).items()}
        for name, agent in AGENTS.items()
    }
    assert said["claude"]["PreToolUse"]["timeout"] == 10 and said["claude"]["SessionEnd"]["timeout"] == 5
    assert said["codex"]["Stop"]["timeout"] == 10 and said["codex"]["SessionEnd"]["timeout"] == 3
    assert said["gemini"]["BeforeTool"]["timeout"] == 10_000
    assert said["copilot"]["PreToolUse"]["timeoutSec"] == 10
    assert said["cursor"]["preToolUse"]["timeout"] == 10


@pytest.mark.parametrize("name", sorted(AGENTS))
def test_what_harms_is_never_registered(name: str) -> None:
    assert not set(AGENTS[name].events) & set(AGENTS[name].never)
    assert {"WorktreeCreate", "MessageDisplay", "PostToolBatch"} <= set(claude.AGENT.never)


def test_claude_posts_by_itself_only_where_it_may(home: Path) -> None:
    start = launch.Launch(str(home / ".eyelet"), mode="http", url="http://127.0.0.1:8001", native_http=True)
    for event, entry in claude.AGENT.wanted(start).items():
        [handler] = entry["hooks"]
        assert handler["type"] == ("command" if event in ("SessionStart", "Setup") else "http")
        if handler["type"] == "http":
            assert "EYELET_TOKEN" in handler["allowedEnvVars"] and "eyelet_" not in json.dumps(handler)


def test_the_plugin_is_whole_and_goes_whole(home: Path, project: Path) -> None:
    folder, known = str(project / "plugin"), record.read(str(home / ".eyelet"))
    plan = installer.Plan((installer.plugin(folder, str(home / ".eyelet"), known),), ())
    installer.perform(plan, str(home / ".eyelet"))
    installer.name_plugin(folder)
    manifest = json.loads((project / "plugin/.claude-plugin/plugin.json").read_text("utf-8"))
    assert manifest["name"] == "eyelet" and "hooks" not in manifest
    hooks = json.loads((project / "plugin/hooks/hooks.json").read_text("utf-8"))["hooks"]
    assert set(hooks) == set(claude.EVENTS)
    assert str(home) not in json.dumps(hooks)
    [handler] = hooks["Stop"][0]["hooks"]
    agent = stand_in("claude", home, project)
    assert not agent.refuses(agent.run(handler, "Stop", payload("claude", "Stop", "s", project, 1), 1))
    assert len(recorded(home)) == 1
    gone = installer.plugin_removed(folder, str(home / ".eyelet"), record.read(str(home / ".eyelet")))
    installer.perform(installer.Plan((gone,), ()), str(home / ".eyelet"))
    installer.unname_plugin(folder)
    assert list(project.iterdir()) == []


def test_the_state_names_what_is_there_and_what_is_missing(home: Path, project: Path) -> None:
    root = str(home / ".eyelet")
    assert state.of(root, str(project)).installed == ()
    install(wish(home, project, "claude"))
    found = state.of(root, str(project))
    [one] = found.installed
    assert (one.agent, one.events, one.missing, one.mode) == ("claude", 30, (), "direct")
    assert found.works and found.recording == "on" and not found.problems
    assert recorded(home) == []  # the trial went elsewhere
    path = settings_of("claude", home)
    top = parse(path.read_text("utf-8"))
    assert top is not None
    fewer = top.plain()
    del fewer["hooks"]["Stop"]
    path.write_text(json.dumps(fewer), "utf-8")
    assert state.of(root, str(project)).installed[0].missing == ("Stop",)
    path.unlink()
    assert "gone" in state.of(root, str(project)).problems[0]


def test_the_state_says_that_the_hook_does_not_work(home: Path, project: Path) -> None:
    install(wish(home, project, "claude"))
    for one in (home / ".eyelet" / "bin").iterdir():
        if one.name != launch.NAME:
            one.unlink()
    found = state.of(str(home / ".eyelet"), str(project))
    assert found.works is False and any("install` again" in problem for problem in found.problems)


def test_the_launcher_passes_its_arguments_on_as_they_are(home: Path, project: Path) -> None:
    path = launch.write(str(home / ".eyelet"))
    given = json.dumps(payload("claude", "Stop", "s", project)).encode()
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "TMPDIR": os.environ["TMPDIR"]}
    done = subprocess.run([path, "--context", "a b'c"], input=given, env=environment, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    with Store(str(home / ".eyelet")) as store:
        [row] = store.search(Filter(), limit=2).rows
    assert str(row["context_name"]).startswith("a_b_c")


def test_a_record_that_was_tampered_with_is_no_record(home: Path, project: Path) -> None:
    install(wish(home, project, "claude"))
    path = home / ".eyelet" / record.NAME
    content = json.loads(path.read_text("utf-8"))
    assert len(record.read(str(home / ".eyelet"))) == 1
    for spoilt in ({**content["files"][0], "pieces": [1]}, {"path": "x"}, {**content["files"][0], "before": None}):
        path.write_text(json.dumps({"files": [spoilt]}), "utf-8")
        assert record.read(str(home / ".eyelet")) == {}
    path.write_bytes(b"\xff")
    assert record.read(str(home / ".eyelet")) == {}
    uninstall(wish(home, project, "claude"))
    assert "eyelet-hook" not in "".join(one.read_text("utf-8") for one in (home / ".claude").glob("*.json"))


def test_a_hook_posts_to_the_server_and_stores_itself_where_there_is_none(home: Path, project: Path) -> None:
    got: list[tuple[str, str, bytes]] = []
    answers = iter([200, 503, 200])

    class Server(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append((self.path, self.headers["Authorization"], body))
            self.send_response(next(answers))
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        asked = wish(home, project, "claude", mode="http", url=f"http://localhost:{server.server_port}/")
        plan = installer.to_install(asked)
        assert any("token" in note for note in plan.notes)
        installer.perform(plan, asked.home)
        agent = stand_in("claude", home, project, EYELET_TOKEN="eyelet_secret")
        for number in range(2):
            [answer] = agent.fire("Stop", payload("claude", "Stop", "s", project, number))
            assert not agent.refuses(answer)
        server.shutdown()
    agent.fire("Stop", payload("claude", "Stop", "s", project, 2))
    assert [(path, token) for path, token, _ in got] == [("/-/eyelet/hook", "Bearer eyelet_secret")] * 2
    assert json.loads(got[0][2])["number"] == 0
    assert sorted(one["number"] for one in recorded(home)) == [1, 2]


def test_without_a_token_or_with_a_silent_server_the_hook_stores_itself(home: Path, project: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        install(wish(home, project, "claude", mode="http", url=url))
        for number, token in enumerate(("", "eyelet_secret")):
            agent = stand_in("claude", home, project, EYELET_TOKEN=token)
            [answer] = agent.fire("Stop", payload("claude", "Stop", "s", project, number))
            assert not agent.refuses(answer)
    assert sorted(one["number"] for one in recorded(home)) == [0, 1]


@pytest.mark.parametrize("url", ["https://127.0.0.1:1", "http://example.org:80", "http://127.0.0.1:x", "", "http://"])
def test_a_server_that_cannot_be_is_refused(url: str, home: Path, project: Path) -> None:
    with pytest.raises(BadInput, match="by number"):
        installer.to_install(wish(home, project, "claude", mode="http", url=url))


def test_in_the_mode_spool_events_wait_for_the_next_command(home: Path, project: Path) -> None:
    install(wish(home, project, "claude", mode="spool"))
    agent = stand_in("claude", home, project)
    agent.fire("Stop", payload("claude", "Stop", "s", project, 5))
    assert state.of(str(home / ".eyelet"), str(project)).waiting == 1
    assert [one["number"] for one in recorded(home)] == [5]


@pytest.mark.parametrize("name", sorted(AGENTS))
def test_the_docs_list_what_is_registered_and_what_never_is(name: str) -> None:
    agents = (Path(__file__).resolve().parents[2] / "docs" / "agents.md").read_text("utf-8")
    title = {"claude": "Claude Code", "codex": "Codex CLI", "gemini": "Gemini CLI"}.get(name)
    title = title or {"copilot": "Copilot CLI", "cursor": "Cursor"}[name]
    section = agents.split(f"\n## {title}\n")[1].split("\n## ")[0]
    registered = section.split("Registered: ")[1].split(".\n")[0]
    assert set(re.findall(r"`(\w+)`", registered)) == set(AGENTS[name].events)
    for event in AGENTS[name].never:
        assert f"`{event}`" in section


def test_a_launcher_of_another_version_is_renewed_by_looking(home: Path, project: Path) -> None:
    path = Path(launch.write(str(home / ".eyelet")))
    now = path.read_text("utf-8")
    assert not launch.refresh(str(home / ".eyelet"))
    path.write_text("#!/bin/sh\nexit 0\n", "utf-8")
    state.of(str(home / ".eyelet"), str(project))
    assert path.read_text("utf-8") == now and os.access(path, os.X_OK)
    path.unlink()
    assert not launch.refresh(str(home / ".eyelet")) and not path.exists()
