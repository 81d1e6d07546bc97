"""Hooks among hostile files and impatient agents: silent, quick, nothing of a secret on the disk, no event lost."""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from eyelet_ingest import capture, compile_settings, faults, pause, posting, settings, settings_file, surroundings
from eyelet_ingest.errors import BadInput
from eyelet_ingest.install import launch
from eyelet_ingest.store import connect
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

LIGHT = [sys.executable, "-I", "-S", str(Path(capture.__file__))]
SECRET = "ghp_" + "Ab3dEf7hIj" * 4
KILLS = 400 if os.environ.get("EYELET_SOAK") else 25


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "work" / ".git").mkdir(parents=True)
    return tmp_path / "work"


def home() -> Path:
    return Path(surroundings.home())


def hook(cwd: Path, env: "dict[str, str] | None" = None, **fields: object) -> None:
    given = json.dumps({"session_id": "s1", "hook_event_name": "PostToolUse", "tool_name": "Bash", **fields})
    done = subprocess.run(
        LIGHT, input=given.encode(), capture_output=True, cwd=cwd, env={**os.environ, **(env or {})}, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def sessions(root: Path) -> "list[object]":
    if not root.is_dir():
        return []
    with Store(str(root)) as store:
        store.drain_spool()
        return [row["session_id"] for row in store.search(Filter(), limit=5_000).rows]


def all_bytes(folder: Path) -> bytes:
    found = sorted(folder.rglob("*"))
    names = "\0".join(str(path) for path in found).encode("utf-8", "surrogateescape")
    return names + b"".join(path.read_bytes() for path in found if path.is_file())


HOSTILE = {
    "an alias bomb": 'metadata:\n  custom_fields:\n    a: &a "' + "x" * 30_000 + '"\n'
    + "".join(f"    a{n}: *a\n" for n in range(99)),
    "more than a file of settings says": "x: [" + "a," * 100_000 + "]",
    "too many fields": "metadata: {custom_fields: {" + ",".join(f"a{n}: 1" for n in range(200)) + "}}",
    "lists in lists": "[" * 10_000,
    "a number too large": "a: " + "1:" * 400 + "1.5\n",
    "digits nobody says": "logging: {enabled: 0x" + "F" * 20_000 + "}",
    "a tag over no flag": "logging: {format: !!bool xyz}\n",
    "a tag over no number": 'context: !!int ""\n',
    "a tag over no time": "context: !!timestamp foo\n",
    "a context without end": "context: " + "x" * 5_000,
    "no YAML": "a: [\n",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_no_file_of_a_project_puts_the_users_own_settings_out_of_force(
    project: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    home().mkdir(mode=0o700)
    (home() / "eyelet.yaml").write_text(f"logging: {{global_path: {tmp_path}/own}}\nmetadata: {{include_ip: false}}\n")
    (project / "eyelet.yaml").write_text(HOSTILE[name])
    with pytest.raises(BadInput):
        settings.effective(str(project))
    monkeypatch.setattr(surroundings, "WAIT_MS", 30_000)  # a busy machine is not what is asked here
    held = surroundings.Surroundings(str(project))
    assert held.problem
    assert (held.settings["root"], held.settings["ip"]) == (f"{tmp_path}/own", False)
    hook(project)
    assert sessions(tmp_path / "own") == ["s1"]
    assert {fault.kind for fault in faults.read(str(home()))} == {"settings"}


def test_while_a_projects_settings_are_not_known_the_global_ones_hold(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home().mkdir(mode=0o700)
    (home() / "eyelet.yaml").write_text("context: mine\n")
    monkeypatch.setattr(surroundings, "WAIT_MS", 30_000)
    assert surroundings.Surroundings("/").context == "mine"
    (project / "eyelet.yaml").write_text("logging: {format: json}\n")
    monkeypatch.setattr(surroundings, "compiled_anew", lambda *_: None)
    assert surroundings.Surroundings(str(project)).context == "mine"


def test_a_pipe_in_place_of_settings_is_not_waited_for(project: Path) -> None:
    home().mkdir(mode=0o700)
    os.mkfifo(home() / "eyelet.yaml")
    os.mkfifo(project / "eyelet.yaml")
    os.mkfifo(project / ".git" / "HEAD")
    hook(project)
    assert sessions(home()) == ["s1"]
    with pytest.raises(BadInput, match="no regular file"):
        settings_file.read(str(home() / "eyelet.yaml"))


def test_answers_about_settings_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "cache"
    folder.mkdir()
    for number in range(20):
        (folder / f"{number:024x}").write_text("")
        os.utime(folder / f"{number:024x}", (number, number))
    for name in ("tmpabc", "0" * 24 + ".making", "address", "address.77"):
        (folder / name).write_text("")
        os.utime(folder / name, (1_000, 1_000))
    monkeypatch.setattr(compile_settings, "MOST_ANSWERS", 5)
    compile_settings._tidy(str(folder))
    left = {path.name for path in folder.iterdir()}
    assert "address" in left
    assert left - {"address"} <= {f"{number:024x}" for number in range(17, 20)}


@pytest.mark.parametrize("variable", ["EYELET_CONTEXT", "CLAUDE_PROJECT_DIR"])
def test_no_name_of_a_context_is_a_secret(project: Path, tmp_path: Path, variable: str) -> None:
    value = SECRET if variable == "EYELET_CONTEXT" else f"{tmp_path}/{SECRET}"
    env = {"EYELET_CONTEXT": "project", "EYELET_FORMAT": "both", variable: value}
    hook(project, env)
    assert sessions(home()) == ["s1"]
    assert SECRET.encode() not in all_bytes(home())


@pytest.mark.parametrize("end", ["logs.sqlite-wal", "logs.sqlite-shm", "logs.sqlite-journal", "logs.lock"])
def test_no_file_beside_a_projects_day_leads_out_of_it(project: Path, tmp_path: Path, end: str) -> None:
    """A repository cloned under umask 077 has folders that look like our own."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    hook(project, {"EYELET_SCOPE": "project"})
    root = project / ".eyelet-hooks"
    (day,) = root.rglob("logs.sqlite")
    for path in day.parent.iterdir():
        path.unlink()
    (day.parent / end).symlink_to(victim)
    hook(project, {"EYELET_SCOPE": "project"})
    assert victim.read_text() == "precious"
    assert sessions(home()) == ["s1"]


def test_no_folder_of_json_files_leads_out_of_the_project(project: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (project / ".eyelet-hooks" / "json").mkdir(parents=True, mode=0o700)
    (project / ".eyelet-hooks").chmod(0o700)
    (project / ".eyelet-hooks" / "json" / "PostToolUse").symlink_to(outside)
    hook(project, {"EYELET_SCOPE": "project", "EYELET_FORMAT": "both"})
    assert list(outside.iterdir()) == []
    assert sessions(home()) == ["s1"]


@pytest.mark.parametrize("name", ["plain", "a\u2028b", "a\x85b", "a\x1cb", "tab\there", "\udcff"])
def test_work_rests_below_a_paused_folder_whatever_it_is_called(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    inside = folder / "repository" / "src"
    (folder / "repository" / ".git").mkdir(parents=True)
    inside.mkdir()
    link = tmp_path / "link"
    link.symlink_to(folder)
    pause.rest(str(home()), str(folder), 0)
    for start in (folder, inside, link / "repository"):
        hook(tmp_path, {"CLAUDE_PROJECT_DIR": str(start)})
    assert sessions(home()) == []
    hook(tmp_path)
    assert sessions(home()) == ["s1"]
    pause.resume(str(home()), str(folder))
    assert not pause.rests(str(home()), (str(folder),))


def test_a_pause_that_cannot_be_read_is_one(tmp_path: Path) -> None:
    (tmp_path / pause.FILE_NAME).write_text("²\t\n")
    assert pause.rests(str(tmp_path), ("/x",))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_an_agent_that_asks_its_hooks_to_end_loses_no_event(project: Path, number: signal.Signals) -> None:
    hook(project)
    process = subprocess.Popen(LIGHT, stdin=subprocess.PIPE, cwd=project)
    assert process.stdin is not None
    ignored = Path(f"/proc/{process.pid}/status")
    mask = 1 << (number - 1)
    until = time.monotonic() + 10
    while not ignored.exists() or not int(ignored.read_text().split("SigIgn:")[1].split()[0], 16) & mask:
        assert time.monotonic() < until
        time.sleep(0.001)
    process.send_signal(number)
    process.stdin.write(b'{"session_id": "asked", "hook_event_name": "Stop"}')
    process.stdin.close()
    assert process.wait() == 0
    assert set(sessions(home())) == {"s1", "asked"}


def test_a_hook_that_is_shot_at_any_moment_leaves_no_secret_and_no_broken_day(project: Path) -> None:
    random.seed(6)
    given = {"hook_event_name": "PostToolUse", "tool_name": "Bash", "tool_input": {"command": f"echo {SECRET}"}}
    whole = 0
    for number in range(KILLS):
        process = subprocess.Popen(
            LIGHT, stdin=subprocess.PIPE, cwd=project, env={**os.environ, "EYELET_FORMAT": "both"}
        )
        assert process.stdin is not None
        process.stdin.write(json.dumps({**given, "session_id": str(number)}).encode())
        process.stdin.close()
        time.sleep(random.random() * 0.06)
        process.kill()
        whole += process.wait() == 0
    assert SECRET.encode() not in all_bytes(home())
    found = sessions(home())
    assert whole <= len(found) == len(set(found))
    for path in home().rglob("logs.sqlite"):
        check = connect.open_reader(str(path))
        assert check.execute("pragma integrity_check").fetchone() == ("ok",)
        check.close()


def test_what_a_hook_leaves_in_a_wal_any_sqlite_reads_also_where_it_cannot_write(project: Path, tmp_path: Path) -> None:
    for number in range(3):
        hook(project, session_id=str(number))
    (day,) = home().rglob("logs.sqlite")
    assert Path(f"{day}-wal").stat().st_size > 0
    code = (
        "import os, sys, sqlite3\n"
        "if os.getuid() == 0: os.setuid(65534)\n"
        "conn = sqlite3.connect('file:' + sys.argv[1] + '?mode=ro', uri=True)\n"
        "print(conn.execute('select count(*) from hooks').fetchone()[0])\n"
    )
    for names in (("logs.sqlite", "logs.sqlite-wal"), ("logs.sqlite", "logs.sqlite-wal", "logs.sqlite-shm")):
        copy = tmp_path / f"copy{len(names)}"
        copy.mkdir()
        for name in names:
            shutil.copy(day.parent / name, copy / name)
            (copy / name).chmod(0o444)
        copy.chmod(0o555 if len(names) == 3 else 0o777)
        for folder in (copy, *copy.parents):
            if folder.stat().st_uid == os.getuid() and folder != copy and len(folder.parts) > 2:
                folder.chmod(folder.stat().st_mode | 0o055)
        done = subprocess.run([sys.executable, "-c", code, str(copy / "logs.sqlite")], capture_output=True, check=False)
        assert (done.stdout, done.stderr) == (b"3\n", b"")


def test_what_is_deleted_after_a_hook_left_it_in_a_wal_is_in_no_byte(project: Path) -> None:
    hook(project, session_id="canary-of-the-wal", tool_input={"command": "canary-of-the-wal " * 50})
    hook(project, session_id="stays")
    assert b"canary-of-the-wal" in all_bytes(home() / "logs")
    with Store(str(home())) as store:
        store.delete(Filter(session_id=("canary-of-the-wal",)))
    assert sessions(home()) == ["stays"]
    assert b"canary-of-the-wal" not in all_bytes(home() / "logs")


@pytest.mark.parametrize("content", [b"from marsha", b"\0", b"import sys\nsys.stderr.write('x')\nsys.exit(2)\n"])
def test_what_breaks_off_before_it_is_a_hook_is_no_veto(project: Path, content: bytes) -> None:
    """Status 2 forbids an agent the tool; Python ends with it where it cannot open what it should run."""
    command = launch.write(str(home()))
    (home() / "bin" / "eyelet-hook.py").write_bytes(content)
    done = subprocess.run([command], input=b'{"a": 1}', capture_output=True, cwd=project, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_server_without_an_answer_was_told_which_event_the_hook_stores_itself(project: Path) -> None:
    home().mkdir(mode=0o700)
    (home() / posting.TOKEN_FILE).write_text("token")
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        command = [*LIGHT, "--agent", "codex", "--mode", "http", "--url", url]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, cwd=project)
        assert process.stdin is not None
        process.stdin.write(b'{"session_id": "s1"}')
        process.stdin.close()
        link, _ = server.accept()
        with link:
            head = link.recv(10_000).decode()
            assert process.wait() == 0
    (line,) = [line for line in head.splitlines() if line.startswith(posting.EVENT)]
    assert f"{posting.AGENT}: codex" in head.splitlines()
    uid, received_ns = line.split(": ")[1].split(" ")
    with Store(str(home())) as store:
        (row,) = store.search(Filter()).rows
    assert (row["uid"], row["id"], row["agent"]) == (uid, int(received_ns) // 1_000, "codex")


def test_no_context_writes_into_the_head_of_a_request(project: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        assert not posting.sent(b"{}", url, str(home()), "a\r\nX-Eyelet-Disabled: 1", b"\0" * 16, 1)
