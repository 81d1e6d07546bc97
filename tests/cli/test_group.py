"""One group behind three doors: quick to start, and never a traceback."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from eyelet_ingest import __version__
from eyelet_ingest.cli import COMMANDS, cli, options, sqlite_utils_plugin
from eyelet_ingest.errors import BadInput, EyeletError
from eyelet_ingest.events import Event
from eyelet_ingest.store.store import Store

HEAVY = ("sqlite_utils", "datasette", "pysqlite3", "sqlite3", "eyelet_ingest.store", "jinja2", "asyncio", "zoneinfo")


def loaded_by(*args: str) -> list[str]:
    """The modules that one command leaves loaded, in a process of its own."""
    program = (
        "import sys, json\n"
        "from eyelet_ingest.cli import cli\n"
        "try: cli(sys.argv[1:])\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "print(json.dumps(sorted(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, *args], capture_output=True, text=True, check=True)
    found: list[str] = json.loads(done.stderr.splitlines()[-1])
    return found


def test_the_version_loads_neither_the_store_nor_sqlite_nor_datasette() -> None:
    loaded = loaded_by("--version")
    assert [name for name in HEAVY if name in loaded] == []
    assert [name for name in loaded if name.startswith("eyelet_ingest.")] == [
        "eyelet_ingest.cli",
        "eyelet_ingest.errors",
    ]


def test_a_query_loads_neither_datasette_nor_sqlite_utils(root: str) -> None:
    loaded = loaded_by("query", "search", "--root", root)
    assert not {"datasette", "sqlite_utils", "jinja2", "asyncio"} & set(loaded)
    assert "eyelet_ingest.store.search" in loaded


def test_one_command_does_not_load_the_others() -> None:
    loaded = loaded_by("query", "search", "--help")
    assert not {COMMANDS[name].split(":")[0] for name in COMMANDS if name != "query"} & set(loaded)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_there_and_helps(name: str) -> None:
    result = CliRunner().invoke(cli, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert result.output.startswith("Usage:")


def test_help_lists_every_command() -> None:
    result = CliRunner().invoke(cli, ["--help"])
    assert result.exit_code == 0
    assert all(f"  {name} " in result.output for name in COMMANDS)


def test_an_unknown_command_is_a_usage_error() -> None:
    result = CliRunner().invoke(cli, ["qurey"])
    assert result.exit_code == 2 and "No such command" in result.stderr


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (EyeletError("open", "/x", "no\x1b[2Jway", "try y"), 1, "Error: open /x: no\\x1b[2Jway (try y)"),
        (BadInput("the range", "'q'", "", "write today"), 2, "Error: the range 'q' (write today)"),
        (OSError(28, "No space left on device"), 1, "Error: [Errno 28] No space left on device"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_trouble_is_one_clear_line_and_no_traceback(
    error: BaseException, code: int, line: str, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    os.mkdir(root)
    monkeypatch.setattr(Store, "search", fail)
    result = CliRunner().invoke(cli, ["query", "search", "--root", root])
    assert (result.exit_code, result.stdout, result.stderr) == (code, "", line + "\n")


def test_a_reader_that_goes_away_ends_a_query_quietly(root: str, store: Store, make_event: object) -> None:
    assert callable(make_event)
    store.append([make_event(1_774_000_000_000_000 + n, data=json.dumps({"n": "x" * 900})) for n in range(500)])
    command = [sys.executable, "-m", "eyelet_ingest.cli", "query", "search", "--limit", "0", "--nl", "--root", root]
    started = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert started.stdout and started.stderr
    started.stdout.readline()
    started.stdout.close()
    said = started.stderr.read().decode()
    started.stderr.close()
    started.wait()
    assert "Traceback" not in said and "BrokenPipe" not in said


@pytest.mark.parametrize("given", ["~/elsewhere", "elsewhere"])
def test_the_root_is_expanded_and_absolute(given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    expected = (tmp_path / "home" if given[0] == "~" else tmp_path) / "elsewhere"
    expected.write_text("a file")
    for args, env in ((["--root", given], {}), ([], {"EYELET_ROOT": given})):
        result = CliRunner().invoke(cli, ["query", "search", *args], env=env)
        assert result.exit_code == 1
        assert str(expected) in result.stderr and "it is a file" in result.stderr


def test_the_root_is_in_the_home_folder_unless_named(tmp_path: Path) -> None:
    (tmp_path / "home" / ".eyelet").write_text("a file")
    result = CliRunner().invoke(cli, ["query", "search"])
    assert result.exit_code == 1 and str(tmp_path / "home" / ".eyelet") in result.stderr


def test_a_root_without_a_name_is_refused() -> None:
    result = CliRunner().invoke(cli, ["query", "search", "--root", " "])
    assert result.exit_code == 2 and "the name of the folder is empty" in result.stderr


def test_looking_makes_no_folder(root: str) -> None:
    result = CliRunner().invoke(cli, ["query", "search", "--root", root])
    assert result.exit_code == 0 and not os.path.exists(root)


def test_sqlite_utils_gets_the_same_group() -> None:
    group = click.Group("sqlite-utils")
    sqlite_utils_plugin.register_commands(group)
    assert group.commands == {"eyelet": cli}


def test_sqlite_utils_has_the_door_when_installed() -> None:
    command = [sys.executable, "-m", "sqlite_utils", "eyelet", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert __version__ in done.stdout


def test_trouble_behind_the_door_of_sqlite_utils_is_one_line_too(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    command = [sys.executable, "-m", "sqlite_utils", "eyelet", "query", "search", "--root", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1


def eyelet(*args: str, shell: str = "", **given: Any) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own; `shell` is what a shell does before it becomes the command."""
    command = [sys.executable, "-m", "eyelet_ingest.cli", *args]
    if shell:
        command = ["sh", "-c", f"{shell}; exec {shlex.join(command)}"]
    given = {"stdout": subprocess.PIPE, "stdin": subprocess.DEVNULL, **given}
    return subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False, **given)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
@pytest.mark.parametrize(
    "args", [("query", "search"), ("query", "summary", "--json"), ("quarantine",), ("drain", "--json"), ("--help",)]
)
def test_an_output_that_is_full_is_named(args: tuple[str, ...], store: Store, make_event: Callable[..., Event]) -> None:
    store.append([make_event(1_774_000_000_000_000)])
    at = () if args == ("--help",) else ("--root", store.root)
    with open("/dev/full", "w") as full:
        done = eyelet(*args, *at, stdout=full)
    assert (done.returncode, done.stderr) == (1, "Error: standard output: No space left on device\n")


def test_a_relative_path_in_a_folder_that_is_gone_is_named(tmp_path: Path, root: str) -> None:
    gone = tmp_path / "gone"
    for args, code in (
        (("query", "search", "--root", "here"), 1),
        (("ingest", "here", "--root", root), 2),
        (("quarantine", "--file", "here", "--root", root), 2),
    ):
        gone.mkdir()
        done = eyelet(*args, shell=f"cd {gone} && rmdir {gone}")
        assert done.returncode == code and len(done.stderr.splitlines()) == 1
        assert " here: " in done.stderr and "the folder you are in is gone" in done.stderr


@pytest.mark.parametrize("on_path", ["nothing", "mine", "a link to mine", "another"])
def test_a_command_that_is_shown_runs_this_installation(
    on_path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bin_dir, path_dir = tmp_path / "an env" / "bin", tmp_path / "path"
    for folder in (bin_dir, path_dir):
        folder.mkdir(parents=True)
    mine, other = bin_dir / "eyelet", path_dir / "eyelet"
    for script in (mine, other):
        script.write_text("#!/bin/sh\n")
        script.chmod(0o700)
    if on_path == "a link to mine":
        other.unlink()
        other.symlink_to(mine)
    search = {"nothing": tmp_path, "mine": bin_dir}.get(on_path, path_dir)
    monkeypatch.setattr(sys, "executable", str(bin_dir / "python"))
    monkeypatch.setenv("PATH", str(search))
    program = "eyelet" if on_path in ("mine", "a link to mine") else f"'{mine}'"
    assert options.runnable("demo", str(tmp_path / "home" / ".eyelet")) == f"{program} demo"
    assert options.runnable("demo", "/a b") == f"{program} demo --root '/a b'"
    mine.unlink()
    if on_path == "nothing":
        assert options.runnable("demo", "/x") == f"'{bin_dir}/python' -m eyelet_ingest.cli demo --root /x"
