"""A dry run changes not a byte and not a time, of the root or of what it is pointed at."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from eyelet_ingest.cli import cli
from eyelet_ingest.events import Event
from eyelet_ingest.store import identity, layout, spool, sync, writer
from eyelet_ingest.store.export import write_file
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

START_US = 1_773_792_000_000_000  # 2026-03-18T00:00:00Z
DAY_US = layout.DAY_US
COMMANDS = [
    "seal --all-finished",
    "seal --after-days 3",
    "archive --older-than 1d",
    "archive --older-than 1d --remove",
    "archive --restore 2026-03-19",
    "vacuum",
    "migrate",
    "text build",
    "text rebuild",
    "checkpoint truncate",
    "import ../export.gz",
    "restore ../saved",
    "restore ../saved --replace --force",
    "backup ../saved",
    "backup ../new",
    "sync ../other",
    "sync ../other --force",
]


@pytest.fixture
def folder(tmp_path: Path, make_event: Callable[..., Event]) -> Path:
    root, other = str(tmp_path / "root"), str(tmp_path / "other")
    identity.make_private_dir(root)
    identity.load_key(root)
    with Store(root) as store, Store(other) as theirs:
        theirs.append([make_event(START_US + 50)], "shop")
        for day in range(3):
            store.append([make_event(START_US + day * DAY_US + n) for n in range(5)], "shop")
        keys = store.catalog.partitions()
        store.seal(keys[0])
        store.archive(keys[1])
        store.backup(str(tmp_path / "saved"))
        write_file(store.export_lines(Filter()), str(tmp_path / "export.gz"))
        sync.sync(root, [other])
        theirs.append([make_event(START_US + 60)], "shop")
    waits = make_event(START_US + 70)
    spool.put(root, keys[0], "shop", writer.row_of(waits), "busy")
    return tmp_path


def tree(folder: Path) -> dict[str, object]:
    """All that is in a folder, and when it was last changed; without what SQLite lays beside a database to read it, and
    so without the times of folders that hold one."""
    found: dict[str, object] = {}
    for path in folder.rglob("*"):
        if not path.name.endswith(("-wal", "-shm")):
            content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            holds_database = path.is_dir() and any(one.suffix == ".sqlite" for one in path.iterdir())
            found[str(path)] = (content, 0 if holds_database else os.lstat(path).st_mtime_ns)
    return found


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("as_json", [False, True])
def test_a_dry_run_changes_nothing(folder: Path, command: str, as_json: bool) -> None:
    words = [str(folder / word[3:]) if word.startswith("../") else word for word in command.split()]
    before = tree(folder)
    done = CliRunner().invoke(
        cli, [*words, "--dry-run", *(["--json"] if as_json else []), "--root", str(folder / "root")]
    )
    assert (done.exit_code, done.exception) == (0, None), done.output
    assert tree(folder) == before
    if as_json:
        json.loads(done.stdout)


@pytest.mark.parametrize(
    "command", ["seal --all-finished", "archive --older-than 1d", "vacuum", "checkpoint", "migrate"]
)
def test_json_says_whether_it_was_only_said(command: str, root: str) -> None:
    for flags, said in ((["--dry-run"], True), ([], False)):
        done = CliRunner().invoke(cli, [*command.split(), "--root", root, "--json", *flags], catch_exceptions=False)
        assert json.loads(done.stdout) == {"dry_run": said, "days": [], "failed": []}


def test_a_command_for_one_root_refuses_a_second(root: str) -> None:
    done = CliRunner().invoke(cli, ["delete", "--root", root, "--root", root + "2", "--session", "x", "--yes"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "delete works on one root: give --root once." in done.stderr
