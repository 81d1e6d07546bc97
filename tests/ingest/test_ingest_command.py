"""`eyelet ingest` and `eyelet quarantine`, as people and programs run them."""

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

STOP = '{"hook_event_name": "Stop", "session_id": "s", "timestamp": "2026-05-28T12:00:00Z"}'
COUNTS = ["read", "stored", "duplicates", "quarantined", "deleted", "partitions", "seconds"]
DOCS = Path(__file__).resolve().parents[2] / "docs"

Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]


@pytest.fixture
def eyelet(root: str) -> Run:
    def run(*args: object, given: str = "", env: dict[str, str] | None = None) -> Done:
        code = "from eyelet_ingest.cli import main; main()"
        command = [sys.executable, "-c", code, *map(str, args)]
        surroundings = {**os.environ, "EYELET_ROOT": root, **(env or {})}
        return subprocess.run(command, input=given, capture_output=True, text=True, env=surroundings, check=False)

    return run


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "a.jsonl"
    path.write_text(f"{STOP}\n{STOP.replace('Stop', 'SessionEnd')}\n")
    return path


def test_json_prints_exactly_the_counts(eyelet: Run, log: Path) -> None:
    done = eyelet("ingest", log, "--json")
    counts = json.loads(done.stdout)
    assert list(counts) == COUNTS
    assert isinstance(counts.pop("seconds"), float)
    assert counts == {"read": 2, "stored": 2, "duplicates": 0, "quarantined": 0, "deleted": 0, "partitions": 1}
    assert (done.returncode, done.stderr) == (0, "")
    again = json.loads(eyelet("ingest", log, "--json").stdout)
    assert (again["stored"], again["duplicates"], again["partitions"]) == (0, 2, 1)


def test_people_read_a_sentence(eyelet: Run, log: Path) -> None:
    done = eyelet("ingest", log)
    assert re.fullmatch(
        r"Read 2 records in [\d.]+ s: 2 stored in context default \(1 partition\), 0 known already, 0 quarantined\.\n",
        done.stdout,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_quarantined_records_are_told_on_stderr_and_exit_1(eyelet: Run, log: Path, root: str) -> None:
    log.write_text(log.read_text() + "oops\n" * 12)
    done = eyelet("ingest", log, "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["quarantined"] == 12
    told = done.stderr.splitlines()
    assert told[0].startswith(f"{log}:3: not JSON")
    assert len(told) == 12
    assert told[10] == "… and 2 more"
    assert f"eyelet quarantine --root {root}" in told[11]


def test_standard_input_is_a_dash(eyelet: Run) -> None:
    assert json.loads(eyelet("ingest", "-", "--json", given=STOP).stdout)["stored"] == 1
    assert json.loads(eyelet("ingest", "-", "--json", given=f"[{STOP}]").stdout)["duplicates"] == 1


def test_root_and_context_are_options(eyelet: Run, log: Path, tmp_path: Path) -> None:
    eyelet("ingest", log, "--root", tmp_path / "other", "--context", "../../etc")
    (context,) = (tmp_path / "other" / "logs").iterdir()
    assert re.fullmatch(r"______etc-[0-9a-f]{6}", context.name)
    assert not (tmp_path / "etc").exists()
    eyelet("ingest", log, env={"EYELET_ROOT": str(tmp_path / "third"), "EYELET_CONTEXT": "mine"})
    assert (tmp_path / "third" / "logs" / "mine").is_dir()


def test_where_nothing_was_found_to_import_is_told(eyelet: Run, log: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text(STOP)
    done = eyelet("ingest", tmp_path / "empty", log, "--json")
    assert (done.returncode, json.loads(done.stdout)["read"]) == (0, 2)
    assert f"nothing to import in {tmp_path / 'empty'}: " in done.stderr and "*.jsonl" in done.stderr
    log.write_text("\n")
    done = eyelet("ingest", log)
    assert (done.returncode, done.stderr) == (0, f"there is no record in {log}\n")
    assert "any of 2 files" in eyelet("ingest", log, "-").stderr


def test_utf16_is_told_and_leaves_the_quarantine_when_it_is_converted(eyelet: Run, log: Path) -> None:
    text = log.read_text()
    log.write_text(text, encoding="utf-16")
    done = eyelet("ingest", log)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{log}:1: looks like UTF-16: convert it to UTF-8\n")
    log.write_text(text)
    assert json.loads(eyelet("ingest", log, "--json").stdout)["stored"] == 2
    assert eyelet("quarantine").stdout == "Nothing is in quarantine.\n"


def test_a_missing_path_is_one_line_that_names_it(eyelet: Run, log: Path, root: str) -> None:
    done = eyelet("ingest", log, log.parent / "gone.jsonl")
    assert done.returncode == 2
    assert "gone.jsonl" in done.stderr and "Traceback" not in done.stderr
    assert not os.path.exists(root)


def test_no_path_is_wrong_usage(eyelet: Run) -> None:
    assert eyelet("ingest").returncode == 2


def test_a_root_that_is_a_file_is_one_line(eyelet: Run, log: Path) -> None:
    done = eyelet("ingest", log, "--root", log)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1 and str(log) in done.stderr


def test_quarantine_shows_what_was_kept(eyelet: Run, log: Path) -> None:
    assert eyelet("quarantine").stdout == "Nothing is in quarantine.\n"
    assert json.loads(eyelet("quarantine", "--json").stdout) == []
    log.write_text("oops \x1b[31m\n" + STOP)
    eyelet("ingest", log)
    shown = eyelet("quarantine")
    assert f"{log}:1: not JSON" in shown.stdout
    assert "\x1b" not in shown.stdout and "\\x1b[31m" in shown.stdout
    (entry,) = json.loads(eyelet("quarantine", "--json").stdout)
    assert (entry["file"], entry["line"], entry["content"]) == (str(log), 1, "oops \x1b[31m")


def test_quarantine_makes_nothing_where_nothing_is(eyelet: Run, root: str) -> None:
    assert eyelet("quarantine").returncode == 0
    assert not os.path.exists(root)


@pytest.mark.parametrize("name", ["--root", "--context", "--json", "eyelet quarantine", *COUNTS])
def test_the_docs_name_every_option_and_count(name: str) -> None:
    assert name in (DOCS / "ingest.md").read_text(encoding="utf-8")


def test_the_commands_say_what_they_do(eyelet: Run) -> None:
    for command in ("ingest", "quarantine"):
        shown = eyelet(command, "--help")
        assert shown.returncode == 0 and "--root" in shown.stdout


def test_quarantine_of_a_root_that_is_none_is_the_error_of_every_command(eyelet: Run, log: Path, root: str) -> None:
    done = eyelet("quarantine", "--root", log)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == eyelet("query", "search", "--root", log).stderr
    assert eyelet("quarantine").stderr == f"eyelet: (no such folder: {root})\n"


def test_what_cannot_be_imported_again_is_cleared_by_file_or_all_at_once(eyelet: Run, log: Path) -> None:
    log.write_text("oops\nmore\n")
    eyelet("ingest", log)
    eyelet("ingest", "-", given="oops\n")
    listed = json.loads(eyelet("quarantine", "--json", "--file", "-").stdout)
    assert [(entry["file"], entry["line"]) for entry in listed] == [("-", 1)]
    asked = eyelet("quarantine", "--clear")
    assert asked.returncode == 2 and "--yes" in asked.stderr
    assert len(json.loads(eyelet("quarantine", "--json", "--limit", "0").stdout)) == 3
    relative = os.path.relpath(log)
    assert eyelet("quarantine", "--clear", "--yes", "--file", relative).stdout == "2 records cleared from quarantine.\n"
    assert f"Nothing of {log} is in quarantine." in eyelet("quarantine", "--file", log).stdout
    assert json.loads(eyelet("quarantine", "--clear", "--yes", "--json").stdout) == {"cleared": 1}
    assert eyelet("quarantine", "--clear").stdout == "0 records cleared from quarantine.\n"


@pytest.mark.parametrize(("answer", "left", "code"), [("y", 0, 0), ("n", 1, 1)])
def test_on_a_terminal_clearing_asks_first(
    eyelet: Run, log: Path, root: str, answer: str, left: int, code: int
) -> None:
    eyelet("ingest", "-", given="oops\n")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "eyelet_ingest.cli", "quarantine", "--clear", "--root", root]
    started = subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    os.close(theirs)
    os.write(ours, f"{answer}\n".encode())
    stdout, stderr = started.communicate()
    os.close(ours)
    assert started.returncode == code and "Forget 1 record?" in stderr
    assert stdout == ("" if left else "1 record cleared from quarantine.\n")
    assert len(json.loads(eyelet("quarantine", "--json").stdout)) == left


def test_a_log_begun_anew_is_said_on_stderr(tmp_path: Path, eyelet: Run) -> None:
    path = tmp_path / "hooks.jsonl"
    stop = '{"hook_event_name":"Stop","session_id":"s"}\n'
    for first in ("a", "b"):
        path.write_text(f'{{"hook_event_name":"SessionStart","session_id":"{first}"}}\n' + stop)
        done = eyelet("ingest", path)
        assert done.returncode == 0
    assert "hooks.jsonl" in done.stderr


def test_the_quarantine_of_a_name_that_is_no_utf8_can_be_asked_for(tmp_path: Path, root: str) -> None:
    name = os.fsencode(tmp_path) + b"/f\xff.jsonl"
    with open(name, "wb") as file:
        file.write(b"no json\n")
    for command in (["ingest", name], ["quarantine", "--file", name]):
        done = subprocess.run(
            [str(Path(sys.executable).parent / "eyelet"), *command, "--root", root], capture_output=True, check=False
        )
        assert b"Traceback" not in done.stderr
    assert b"not JSON" in done.stdout
