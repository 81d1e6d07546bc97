"""What `eyelet.yaml` says of root and context holds for commands as it does for hooks; flags, environment above."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from eyelet_ingest.cli import cli


def run(*args: str, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(cli, list(args), env=env, prog_name="eyelet")


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The global file of settings, not there yet."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    home = tmp_path / "home" / ".eyelet"
    home.mkdir(mode=0o700)
    return home / "eyelet.yaml"


def contexts(*flags: str) -> list[tuple[str, str]]:
    found = [json.loads(line) for line in run("query", "search", "--nl", *flags).stdout.splitlines()]
    return [(row["context_name"], row["data"]["content"]) for row in found]


def test_the_root_and_the_context_of_the_settings_hold_where_nothing_else_is_said(say: Path, tmp_path: Path) -> None:
    elsewhere, named = tmp_path / "elsewhere", tmp_path / "named"
    say.write_text(f"logging: {{global_path: {elsewhere}}}\ncontext: project\n")
    assert run("log", "one").exit_code == 0
    assert contexts() == [("project", "one")]
    assert (elsewhere / "logs").is_dir() and not (say.parent / "logs").exists()
    assert str(elsewhere) in run("status").stdout
    assert run("log", "two", "--root", str(named), "--context", "mine").exit_code == 0
    assert contexts("--root", str(named)) == [("mine", "two")]
    assert run("log", "three", env={"EYELET_ROOT": str(named), "EYELET_CONTEXT": "theirs"}).exit_code == 0
    assert contexts("--root", str(named)) == [("theirs", "three"), ("mine", "two")]
    assert contexts() == [("project", "one")]


def test_a_wrong_key_is_said_once_by_commands_that_ask_the_settings(say: Path, root: str) -> None:
    say.write_text("loging: {format: json}\n")
    done = run("log", "one")
    assert done.exit_code == 0 and done.stderr.count("did you mean logging") == 1 and f"{say}:1" in done.stderr
    assert run("query", "search", "--root", root).stderr.count("did you mean") == 0


def test_status_says_what_a_hook_does_with_a_file_that_is_wrong(say: Path) -> None:
    say.write_text("logging: {enabled: false}\n")
    assert "Recording is off" in run("status").stdout
    say.write_text("logging: {enabled: maybe}\n")  # what was said last holds
    done = run("status")
    assert "Recording is off (what the settings said last)" in done.stdout and done.exit_code == 1
    say.write_text("logging: {enabled: true}\n")
    assert "Recording is on" in run("status").stdout
    say.write_text("logging:\n  enabled: false\n  fromat: json\n")  # it seems to say so
    assert "Recording is off" in run("status").stdout


def test_status_says_where_events_of_a_project_go(say: Path) -> None:
    assert "go to" not in run("status").stdout
    say.write_text("logging: {scope: both}\n")
    said = run("status").stdout
    assert f"go to {say.parent} and {Path.cwd() / '.eyelet-hooks'}" in said
    assert json.loads(run("status", "--json").stdout)["goes_to"] == [str(say.parent), str(Path.cwd() / ".eyelet-hooks")]


@pytest.mark.parametrize("how", ["off", "EYELET_DISABLED", "paused"])
def test_log_records_nothing_where_recording_rests_and_reads_its_input_to_the_end(say: Path, how: str) -> None:
    env = {**os.environ, **({how: "1"} if how == "EYELET_DISABLED" else {})}
    if how == "off":
        say.write_text("logging: {enabled: false}\n")
    if how == "paused":
        run("pause")
    command = [sys.executable, "-c", "from eyelet_ingest.cli import main; main()", "log", "-"]
    done = subprocess.run(command, input="one\ntwo\n" * 50_000, env=env, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr.count("nothing is recorded")) == (0, "", 1)
    assert contexts() == []
