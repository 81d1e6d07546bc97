"""One command group behind three doors: `eyelet …`, `datasette eyelet …`, `sqlite-utils eyelet …`."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from datasette.cli import cli as datasette_cli
from sqlite_utils.cli import cli as sqlite_utils_cli

from eyelet_ingest import __version__
from eyelet_ingest.cli import cli
from eyelet_ingest.events import Event
from eyelet_ingest.store.store import Store

BIN = Path(sys.executable).parent
NOON_US = 1_774_008_000_000_000

# door → (the group one enters by, what is typed before the command)
DOORS: dict[str, tuple[click.Command, list[str]]] = {
    "eyelet": (cli, []),
    "datasette eyelet": (datasette_cli, ["eyelet"]),
    "sqlite-utils eyelet": (sqlite_utils_cli, ["eyelet"]),
}
every_door = pytest.mark.parametrize("door", DOORS)


def enter(door: str, *args: str) -> Result:
    """One command through a door, in this process."""
    group, before = DOORS[door]
    return CliRunner().invoke(group, [*before, *args], prog_name=door.split()[0])


def typed(door: str, *args: str, **given: object) -> "subprocess.CompletedProcess[str]":
    """The same as somebody types it."""
    program, *before = door.split()
    command = [str(BIN / program), *before, *args]
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **given}
    return subprocess.run(command, text=True, check=False, **given)  # type: ignore[call-overload, no-any-return]


def every_command(group: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The group itself, each command and each command of a group in it."""
    yield path
    if isinstance(group, click.Group):
        with click.Context(group) as ctx:
            for name in group.list_commands(ctx):
                inner = group.get_command(ctx, name)
                assert inner is not None
                yield from every_command(inner, (*path, name))


COMMANDS = list(every_command(cli))
ids = [" ".join(path) or "the group" for path in COMMANDS]


@every_door
def test_every_door_leads_to_the_same_commands(door: str) -> None:
    group, before = DOORS[door]
    for name in before:
        assert isinstance(group, click.Group)
        group = group.commands[name]
    assert list(every_command(group)) == COMMANDS


@pytest.mark.parametrize("path", COMMANDS, ids=ids)
@every_door
def test_every_command_helps_alike_and_is_called_as_it_was_typed(door: str, path: tuple[str, ...]) -> None:
    for flag in ("--help", "-h"):
        done, plain = enter(door, *path, flag), enter("eyelet", *path, flag)
        assert done.exit_code == 0
        assert done.stdout.startswith(f"Usage: {' '.join((door, *path))} ")
        assert done.stdout.split("\n\n", 1)[1] == plain.stdout.split("\n\n", 1)[1]


@pytest.mark.parametrize("path", COMMANDS, ids=ids)
@every_door
def test_every_command_refuses_an_unknown_flag_alike(door: str, path: tuple[str, ...]) -> None:
    done = enter(door, *path, "--nonsense")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "\nError: No such option '--nonsense'." in done.stderr
    assert "Traceback" not in done.stderr


@every_door
def test_the_version_is_ours_behind_each_door(door: str) -> None:
    done = typed(door, "--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"eyelet, version {__version__}\n", "")


@every_door
def test_an_unknown_command_is_a_usage_error_behind_each_door(door: str) -> None:
    done = enter(door, "qurey")
    assert done.exit_code == 2 and "No such command 'qurey'" in done.stderr


@pytest.mark.parametrize("form", [[], ["--json"], ["--nl"], ["--csv"]], ids=" ".join)
def test_a_query_says_the_same_behind_each_door(
    form: list[str], store: Store, make_event: Callable[..., Event]
) -> None:
    store.append([make_event(NOON_US + n, session_id=f"s{n}") for n in range(3)])
    for args in (["search"], ["search", "--limit", "1"], ["session", "s1"], ["grep", "nothing"], ["errors"]):
        said = {enter(door, "query", *args, *form, "--root", store.root).stdout for door in DOORS}
        assert len(said) == 1
    said = {typed(door, "query", "search", *form, "--root", store.root).stdout for door in DOORS}
    assert len(said) == 1 and "PreToolUse" in said.pop()


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["query", "search", "--root", "{file}"], 1),
        (["query", "session", "nobody"], 1),
        (["query", "search", "--since", "someday"], 2),
        (["query", "search", "--after", "nowhere"], 2),
        (["ingest", "{file}/nothing"], 2),
        (["drain", "--root", "{file}"], 1),
        (["rebuild", "{file}"], 2),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, list) else "",
)
def test_trouble_is_one_line_with_the_same_exit_code_behind_each_door(args: list[str], code: int, root: str) -> None:
    file = f"{root}.txt"
    Path(file).write_text("")
    os.mkdir(root)
    args = [arg.replace("{file}", file) for arg in args]
    args += [] if "--root" in args or args[0] == "rebuild" else ["--root", root]
    said = {(done.exit_code, done.stdout, done.stderr) for door in DOORS if (done := enter(door, *args))}
    assert len(said) == 1
    exit_code, stdout, stderr = said.pop()
    assert (exit_code, stdout) == (code, "")
    assert stderr.startswith("Error: ") and len(stderr.splitlines()) == 1


@every_door
def test_trouble_in_a_process_is_one_line_behind_each_door(door: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = typed(door, "query", "search", "--root", str(tmp_path / "file"))
    assert done.returncode == 1
    assert (
        done.stderr
        == f"Error: open {tmp_path}/file: it is a file, not a folder (name a folder with --root or EYELET_ROOT)\n"
    )


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
@pytest.mark.parametrize("args", [["--help"], ["--version"], ["query", "search"]], ids=" ".join)
@every_door
def test_an_output_that_is_full_is_one_line_behind_each_door(
    door: str, args: list[str], store: Store, make_event: Callable[..., Event]
) -> None:
    store.append([make_event(NOON_US)])
    with open("/dev/full", "w") as full:
        done = typed(door, *args, stdout=full, env={**os.environ, "EYELET_ROOT": store.root})
    assert (done.returncode, done.stderr) == (1, "Error: standard output: No space left on device\n")


def test_the_docs_name_the_doors() -> None:
    docs = (Path(__file__).resolve().parents[2] / "docs" / "commands.md").read_text("utf-8")
    assert all(f"`{door} " in docs for door in DOORS)
