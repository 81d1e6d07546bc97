"""What the program makes is its user's alone whatever the umask, and what was widened is closed or named."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from eyelet_ingest import bundle, capture, faults, tokens
from eyelet_ingest.cli import cli
from eyelet_ingest.events import Event
from eyelet_ingest.store import connect, layout, modes, spool
from eyelet_ingest.store.connect import FileLock
from eyelet_ingest.store.store import Store

pytestmark = [
    pytest.mark.store,
    pytest.mark.skipif(not hasattr(os, "getuid"), reason="rights are not in modes here"),
]

LIGHT = [sys.executable, "-I", "-S", str(Path(capture.__file__))]
STOP = b'{"hook_event_name": "Stop", "session_id": "s"}'
DAY_S = 86_400
Make = Callable[..., Event]


@pytest.fixture(params=[0o000, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def open_to_others(*folders: "str | Path") -> list[str]:
    """What under these folders is not 0600, or as a folder 0700."""
    found = []
    for folder in map(Path, folders):
        for path in [folder, *folder.rglob("*")]:
            wanted = 0o700 if path.is_dir() else 0o600
            if not path.is_symlink() and path.stat().st_mode & 0o777 != wanted:
                found.append(f"{path} {path.stat().st_mode & 0o777:o}")
    return found


def eyelet(*arguments: str, stdin: bytes | None = None) -> None:
    done = CliRunner().invoke(cli, list(arguments), input=stdin, prog_name="eyelet")
    assert done.exit_code in (0, 1), done.output


def test_a_hook_makes_nothing_that_others_may_use(root: str, umask: int) -> None:
    env = {**os.environ, "EYELET_FORMAT": "both"}
    for given in (STOP, STOP[:-5]):
        subprocess.run([*LIGHT, "--root", root], input=given, check=True, env=env)
    key = layout.key_for("default", time.time_ns() // 1_000)
    with FileLock(layout.lock_path(root, key), time.monotonic_ns() + 10**9):
        subprocess.run([*LIGHT, "--root", root], input=STOP, check=True, env=env)
        assert spool.waiting(root)
        assert open_to_others(root) == []
    assert list(Path(root, "json").rglob("*.json"))
    assert open_to_others(root) == []


def test_a_fault_is_noted_where_others_may_not_read(root: str, umask: int) -> None:
    home = Path.home() / ".eyelet"
    Path(root).write_bytes(b"a file in the place of the root")
    os.chmod(root, 0o600)
    subprocess.run([*LIGHT, "--root", root], input=STOP, check=True)
    assert faults.read(str(home)) and open_to_others(home) == []


def test_every_command_makes_nothing_that_others_may_use(root: str, tmp_path: Path, umask: int) -> None:
    given = tmp_path / "given.jsonl"
    given.write_text("\n".join([json.dumps({**json.loads(STOP), "timestamp": time.time() - 3 * DAY_S}), "bad", ""]))
    given.chmod(0o600)
    day = layout.key_for("default", int((time.time() - 3 * DAY_S) * 1e6)).date
    out = tmp_path / "out"
    out.mkdir()
    out.chmod(0o700)
    for command in (
        ("ingest", str(given)), ("log", "hello"), ("seal", day), ("archive", day), ("backup", str(out / "backup")),
        ("token", "create", "t"), ("export", "-o", str(out / "all.jsonl.gz")), ("delete", "--session", "x", "--yes"),
        ("retention", "set", "--older-than", "9000d", "--yes"), ("redact", "--pattern", "hello", "--yes"),
        ("archive", day, "--restore"), ("vacuum", day), ("checkpoint", "truncate"), ("quarantine",),
    ):  # fmt: skip
        eyelet(*command, "--root", root)
    other = str(tmp_path / "other")
    eyelet("sync", root, "--root", other)
    eyelet("restore", str(out / "backup"), "--root", other + "2")
    assert open_to_others(root, other, other + "2", out / "backup", out / "all.jsonl.gz") == []


def test_what_is_installed_is_not_writable_by_others(umask: int) -> None:
    home = Path.home() / ".eyelet"
    home.mkdir()
    home.chmod(0o700)
    bundle.write(str(home))
    assert not [path for path in home.rglob("*") if path.stat().st_mode & 0o077]


@pytest.fixture
def day(store: Store, root: str, make_event: Make) -> Path:
    """A day that was opened to all, with what SQLite keeps beside it."""
    store.append([make_event(time.time_ns() // 1_000)], "default")
    path = Path(layout.db_path(root, layout.key_for("default", time.time_ns() // 1_000)))
    for one in path.parent.glob("logs.sqlite*"):
        one.chmod(0o644)
    return path


def test_a_day_that_was_widened_is_closed_by_the_next_writer(day: Path, root: str) -> None:
    subprocess.run([*LIGHT, "--root", root], input=STOP, check=True)
    assert {path.stat().st_mode & 0o777 for path in day.parent.glob("logs.sqlite*")} == {0o600}


def test_a_day_of_somebody_else_is_left_as_it_is_and_still_written(day: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chmod", refused)
    connect.open_writer(str(day)).close()
    assert day.stat().st_mode & 0o777 == 0o644


def test_reading_changes_no_mode(day: Path) -> None:
    connect.open_reader(str(day)).close()
    assert day.stat().st_mode & 0o777 == 0o644


def test_what_was_widened_is_named_by_scan_and_status(day: Path, root: str, store: Store) -> None:
    store.close()
    key = Path(root, "secret.key")
    key.write_bytes(os.urandom(32))
    key.chmod(0o640)
    Path(root, "logs").chmod(0o755)
    (Path(root) / "link").symlink_to(day)
    assert {Path(one.path).name for one in modes.widened(root)} >= {"logs.sqlite", "secret.key", "logs"}
    assert not any(one.path.endswith("link") for one in modes.widened(root))
    done = CliRunner().invoke(cli, ["secrets", "scan", "--root", root])
    assert done.exit_code == 1 and f"chmod go= {key}" in done.stderr and "mode 0640" in done.stderr
    done = CliRunner().invoke(cli, ["status", "--root", root])
    assert "others may use" in done.output and "secrets scan" in done.output
    for path in [Path(root), *Path(root).rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o700 if path.is_dir() else 0o600)
    assert modes.widened(root) == []
    assert "others may use" not in CliRunner().invoke(cli, ["status", "--root", root]).output


def test_a_root_in_memory_or_that_is_not_there_has_nothing_open(tmp_path: Path) -> None:
    assert modes.widened(layout.MEMORY) == [] and modes.widened(str(tmp_path / "none")) == []


def test_a_list_of_what_is_open_ends(tmp_path: Path) -> None:
    for n in range(20):
        (tmp_path / str(n)).write_text("")
    assert len(modes.widened(str(tmp_path), most=7)) == 7


def test_tokens_are_stored_hashed_and_private(root: str, umask: int) -> None:
    said, token = tokens.create(root, "t")
    content = Path(root, tokens.FILE_NAME).read_text()
    assert said not in content and said[len(tokens.PREFIX) :] not in content and token.digest in content
    assert len(token.digest) == 64 and open_to_others(root) == []
