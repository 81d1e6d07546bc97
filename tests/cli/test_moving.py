"""The commands that move events: what they print, how they end, and that nobody sees a traceback."""

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from eyelet_ingest.cli import cli
from eyelet_ingest.events import Event
from eyelet_ingest.store import audit, layout
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

START_US = 1_773_792_000_000_000  # 2026-03-18T00:00:00Z


def run(*args: str, root: str, given: bytes | None = None) -> Result:
    result = CliRunner().invoke(cli, [*args, "--root", root], input=given)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture
def filled(root: str, make_event: Callable[..., Event]) -> str:
    with Store(root) as store:
        store.append([make_event(START_US + n, session_id=f"s{n % 2}") for n in range(10)], "shop")
    return root


@pytest.fixture
def target(tmp_path: Path) -> str:
    return str(tmp_path / "target")


def count(root: str) -> int:
    with Store(root) as store:
        return store.count(Filter()).count


def test_export_and_import_by_file_and_by_pipe(filled: str, target: str, tmp_path: Path) -> None:
    path = str(tmp_path / "out.jsonl.gz")
    done = run("export", "--session", "s1", "-o", path, root=filled)
    assert (done.exit_code, done.stdout) == (0, f"5 events exported to {path}\n")
    assert gzip.decompress(Path(path).read_bytes()).count(b"\n") == 7
    assert json.loads(run("import", path, "--json", root=target).stdout)["stored"] == 5
    piped = run("export", "-o", "-", root=filled)
    assert "10 events exported" in piped.stderr
    came = run("import", "-", root=target, given=piped.stdout_bytes)
    assert (came.exit_code, came.stdout) == (0, "5 events stored (1 partition), 5 known already\n")


def test_exports_and_restores_are_audited_without_what_was_searched_for(filled: str, tmp_path: Path) -> None:
    run("export", "--text", "hunter2", "--session", "secret-session", "-o", str(tmp_path / "x"), root=filled)
    run("backup", str(tmp_path / "saved"), root=filled)
    run("restore", str(tmp_path / "saved"), root=filled)
    lines = audit.lines(filled)
    assert [line.action for line in lines] == ["restore", "backup", "export.end", "export.begin"]
    assert not any("hunter2" in line.what or "secret-session" in line.what for line in lines)
    assert {line.who.split(":")[0] for line in lines} == {"user"}


def test_a_place_that_takes_no_export_is_named_before_anything_is_done(filled: str, tmp_path: Path) -> None:
    for place, why in ((str(tmp_path), "it is a folder"), (str(tmp_path / "no" / "x.gz"), "there is no folder")):
        done = run("export", "-o", place, root=filled)
        assert done.exit_code == 2 and why in done.stderr and place in done.stderr
    assert run("backup", str(Path(filled) / "inside"), root=filled).exit_code == 2
    assert audit.lines(filled) == []


def test_recordings_are_no_exports_and_where_they_belong_is_said(target: str, tmp_path: Path) -> None:
    (tmp_path / "hooks.jsonl").write_text('{"hook_event_name": "Stop"}\n')
    done = run("import", str(tmp_path / "hooks.jsonl"), root=target)
    assert done.exit_code == 1 and "hooks.jsonl:1: " in done.stderr and "eyelet ingest" in done.stderr


def test_a_root_that_is_a_file_takes_no_sync_not_even_a_dry_one(filled: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("sync", filled, "--dry-run", root=str(tmp_path / "file"))
    assert done.exit_code == 1 and "it is a file, not a folder" in done.stderr


@pytest.mark.parametrize("day", ["2026-03-18", "shop-2026-077", "shop/2026-03-18"])
def test_a_day_is_backed_up_and_restored_by_each_of_its_names(
    filled: str, target: str, tmp_path: Path, day: str
) -> None:
    saved = str(tmp_path / "saved")
    assert json.loads(run("backup", saved, "--day", day, "--json", root=filled).stdout)["copied"] == 1
    assert json.loads(run("restore", saved, "--day", day, "--json", root=target).stdout)["placed"] == 1
    for command in ("backup", "restore"):
        done = run(command, saved, "--day", "2020-01-01", root=filled)
        assert done.exit_code == 2 and "there is no day" in done.stderr


def test_import_names_file_and_line_of_what_it_cannot_take(filled: str, target: str, tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    run("export", "-o", str(path), root=filled)
    path.write_bytes(path.read_bytes().replace(b'"hook_type": "PreToolUse"', b'"hook_type": null', 1) + b"\x1b[2J\n")
    done = run("import", str(path), str(tmp_path / "none"), root=target)
    assert done.exit_code == 1 and done.stdout.startswith("9 events stored")
    assert (
        f"{path}:2: " in done.stderr
        and f"{path}:13: " in done.stderr
        and "none: No such file" in done.stderr
        and "eyelet export" in done.stderr
    )
    assert "\x1b" not in done.stderr


def test_import_into_another_context_and_dry(filled: str, target: str, tmp_path: Path) -> None:
    path = str(tmp_path / "x.jsonl")
    run("export", "-o", path, root=filled)
    assert "10 events would be stored" in run("import", path, "--dry-run", root=target).stdout
    assert not os.path.exists(target)
    run("import", path, "--context", "all of it", root=target)
    with Store(target) as store:
        assert store.contexts() == [layout.safe_context("all of it")]


def test_what_was_deleted_is_counted_and_the_remedy_said(filled: str, tmp_path: Path) -> None:
    path = str(tmp_path / "x.jsonl")
    run("export", "-o", path, root=filled)
    with Store(filled) as store:
        store.delete(Filter(session_id=("s1",)))
    done = run("import", path, root=filled)
    assert "5 events not stored" in done.stderr and "--force" in done.stderr
    assert run("import", path, "--force", root=filled).stdout.startswith("5 events stored")


def test_backup_verify_and_restore(filled: str, target: str, tmp_path: Path) -> None:
    saved = str(tmp_path / "saved")
    assert run("backup", saved, "--dry-run", root=filled).stdout.startswith("1 day would be copied")
    assert not os.path.exists(saved)
    assert run("backup", saved, root=filled).stdout.startswith("1 day copied")
    assert json.loads(run("backup", saved, "--verify", "--json", root=filled).stdout)["events"] == 10
    assert run("restore", saved, "--dry-run", root=target).stdout.startswith("10 events would come: 1 day whole")
    assert run("restore", saved, root=target).exit_code == 0 and count(target) == 10
    Path(layout.db_path(saved, layout.key_for("shop", START_US))).write_bytes(b"damaged")
    checked = run("backup", saved, "--verify", root=filled)
    assert checked.exit_code == 1 and "shop 2026-03-18" in checked.stderr


def test_replacing_asks_and_days_can_be_chosen(filled: str, tmp_path: Path) -> None:
    saved = str(tmp_path / "saved")
    run("backup", saved, "--day", "2026-03-18", "--context", "shop", "--since", "2026-03-18", root=filled)
    asked = run("restore", saved, "--replace", root=filled)
    assert asked.exit_code == 2 and "--yes" in asked.stderr
    done = run("restore", saved, "--replace", "--yes", "--json", root=filled)
    assert json.loads(done.stdout)["replaced"] == 1
    assert "there is no day" in run("backup", saved, "--day", "2026-03-19", root=filled).stderr
    assert run("backup", saved, "--day", "tomorrow", root=filled).exit_code == 2


def test_sync_and_its_refusals(filled: str, target: str) -> None:
    assert "10 events would be stored" in run("sync", filled, "--dry-run", root=target).stdout
    assert run("sync", filled, root=target).stdout == f"{filled}: 10 events stored (1 partition), 0 known already\n"
    (counts,) = json.loads(run("sync", filled, "--json", root=target).stdout)
    assert (counts["stored"], counts["failed"]) == (0, [])
    assert run("sync", "/nowhere", root=target).exit_code == 1
    for args in ([], ["--send", filled], [target]):
        assert run("sync", *args, root=target).exit_code == 2
    assert run("sync", "--send", root=filled, given=b"nonsense\n").exit_code == 2
