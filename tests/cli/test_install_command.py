"""`eyelet install`, `uninstall` and `status` as one types them."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from eyelet_ingest.cli import cli
from eyelet_ingest.install.agents import AGENTS


@pytest.fixture(autouse=True)
def in_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")  # none of the agents


def run(*args: str) -> Result:
    return CliRunner().invoke(cli, list(args))


def settings(tmp_path: Path) -> Path:
    return tmp_path / "home" / ".claude" / "settings.json"


def test_a_dry_run_shows_the_diff_and_changes_nothing(tmp_path: Path) -> None:
    done = run("install", "--agent", "claude", "--dry-run")
    assert done.exit_code == 0 and "+++ " in done.stdout and '"PreToolUse": [' in done.stdout
    assert list((tmp_path / "home").iterdir()) == []


def test_nobody_to_ask_is_a_refusal_that_names_yes(tmp_path: Path) -> None:
    done = run("install", "--agent", "claude")
    assert done.exit_code == 2 and "--yes" in done.stderr and not settings(tmp_path).exists()


def test_installed_and_uninstalled_it_leaves_nothing_behind(tmp_path: Path) -> None:
    done = run("install", "--agent", "claude", "--agent", "gemini", "--yes")
    assert done.exit_code == 0, done.output
    assert "Claude Code (user) records now" in done.stdout and "Gemini CLI (user) records now" in done.stdout
    assert "nothing to do" in run("install", "--agent", "claude", "--yes").stdout
    assert "removed" in run("uninstall", "--yes").stdout
    assert [one.name for one in (tmp_path / "home").iterdir()] == [".eyelet"]
    assert "Nothing is installed there" in run("uninstall", "--yes").stdout


def test_all_are_those_that_are_on_this_machine(tmp_path: Path) -> None:
    none = run("install", "--yes")
    assert none.exit_code == 2 and "--agent" in none.stderr
    (tmp_path / "home" / ".cursor").mkdir()
    done = run("install", "--yes")
    assert "Cursor (user)" in done.stdout and "Claude Code is not on this machine" in done.stderr


def test_the_diff_shows_no_control_character_of_somebodys_settings(tmp_path: Path) -> None:
    settings(tmp_path).parent.mkdir()
    settings(tmp_path).write_text('{\n  "a": "\u202e"\n}\n', "utf-8")
    assert "\u202e" not in run("install", "--agent", "claude", "--dry-run").stdout


@pytest.mark.parametrize(
    ("args", "word"),
    [
        (["--agent", "codex", "--scope", "local"], "no settings of the scope local"),
        (["--agent", "claude", "--native-http"], "--mode http"),
        (["--agent", "claude", "--mode", "http", "--url", "ftp://x"], "by number"),
    ],
)
def test_what_cannot_be_is_refused_in_words(args: list[str], word: str) -> None:
    done = run("install", *args, "--yes")
    assert done.exit_code == 2 and word in done.stderr and "Traceback" not in done.stderr


def test_a_broken_settings_file_is_named_with_its_line(tmp_path: Path) -> None:
    settings(tmp_path).parent.mkdir()
    settings(tmp_path).write_text('{\n"a": oops\n}', "utf-8")
    for command in ("install", "uninstall"):
        done = run(command, "--agent", "claude", "--yes")
        assert done.exit_code == 2 and f"{settings(tmp_path)}:2" in done.stderr


def test_a_plugin_is_made_and_taken_away(tmp_path: Path) -> None:
    folder = tmp_path / "made" / "plugin"
    assert run("install", "--as-plugin", str(folder), "--yes").exit_code == 0
    assert sorted(str(one.relative_to(folder)) for one in folder.rglob("*.json")) == [
        ".claude-plugin/plugin.json",
        "hooks/hooks.json",
    ]
    assert run("uninstall", "--as-plugin", str(folder), "--yes").exit_code == 0
    assert not list(folder.rglob("*.json"))


def test_status_says_what_records_and_whether_it_works(tmp_path: Path) -> None:
    before = run("status")
    assert before.exit_code == 0 and "No agent records" in before.stdout
    run("install", "--agent", "claude", "--yes")
    done = run("status")
    assert done.exit_code == 0, done.output
    assert f"claude (user): {settings(tmp_path)}: 30 events, direct" in done.stdout
    assert "Recording is on (default)." in done.stdout and "The hook works" in done.stdout
    said = json.loads(run("status", "--json").stdout)
    assert said["works"] is True and said["installed"][0]["events"] == len(AGENTS["claude"].events)
    assert (said["waiting"], said["quarantined"], said["newest_event_us"]) == (0, 0, None)


def test_status_calls_the_users_settings_the_users_also_in_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("install", "--agent", "claude", "--yes")
    monkeypatch.chdir(tmp_path / "home")
    assert f"claude (user): {settings(tmp_path)}" in run("status").stdout


def test_status_says_that_recording_is_off_and_by_what(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home" / ".eyelet"
    home.mkdir()
    (home / "eyelet.yaml").write_text("# mine\nlogging:\n  enabled: false\n", "utf-8")
    assert f"Recording is off ({home}/eyelet.yaml:3)." in run("status").stdout
    monkeypatch.setenv("EYELET_DISABLED", "1")
    assert "Recording is off (EYELET_DISABLED)." in run("status").stdout
    monkeypatch.delenv("EYELET_DISABLED")
    (home / "eyelet.yaml").write_text("", "utf-8")
    (home / "paused").write_text("0\t\n", "utf-8")
    assert f"Recording is paused ({home}/paused)." in run("status").stdout


def test_status_says_what_is_wrong_with_the_settings(tmp_path: Path) -> None:
    home = tmp_path / "home" / ".eyelet"
    home.mkdir()
    (home / "eyelet.yaml").write_text("loging:\n  enabled: true\n", "utf-8")
    done = run("status")
    assert done.exit_code == 1 and f"{home}/eyelet.yaml:1" in done.stdout
