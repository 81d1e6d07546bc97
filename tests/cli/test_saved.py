"""`eyelet saved`: names a search by its address, lists, removes, leaves a trace and no secret."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from eyelet_ingest.cli import cli
from eyelet_ingest.store import audit, saved


def run(*args: str, root: str) -> Result:
    return CliRunner().invoke(cli, ["saved", *args, "--root", root])


@pytest.mark.parametrize(
    "given",
    ["http://127.0.0.1:8001/-/eyelet?tool=Bash&range=7d&_next=1.a&live=1", "?tool=Bash&range=7d", "tool=Bash&range=7d"],
)
def test_a_search_is_saved_by_its_address_or_what_stands_behind_it(root: str, given: str) -> None:
    assert run("add", "failed builds", given, root=root).exit_code == 0
    assert run("list", root=root).stdout == "failed builds: tool=Bash&range=7d\n"
    (one,) = json.loads(run("list", "--json", root=root).stdout)
    assert set(one) == {"name", "query", "made_by", "made_at_us"}
    (line,) = audit.lines(root)
    assert (line.action, json.loads(line.what)["name"]) == ("saved.add", "failed builds")


def test_a_name_that_is_taken_is_replaced_only_when_told(root: str) -> None:
    run("add", "x", "tool=Bash", root=root)
    refused = run("add", "x", "tool=Read", root=root)
    assert refused.exit_code == 2 and "there is one of this name" in refused.stderr
    assert saved.named(root, "x").query == "tool=Bash"
    assert run("add", "x", "tool=Read", "--replace", root=root).exit_code == 0
    assert saved.named(root, "x").query == "tool=Read"
    assert run("remove", "x", root=root).exit_code == 0
    assert saved.known(root) == []
    assert run("remove", "x", root=root).exit_code == 2


def test_no_secret_is_saved(root: str) -> None:
    refused = run("add", "x", "q=ghp_0123456789abcdefghijABCDEFGHIJ012345", root=root)
    assert refused.exit_code == 2 and "looks like a secret" in refused.stderr and "ghp_" not in refused.stderr
    assert saved.known(root) == []


def test_a_name_cannot_forge_the_terminal(root: str) -> None:
    run("add", "x", "q=%1b[2J", root=root)
    assert "\x1b" not in run("list", root=root).stdout


def test_there_is_a_most(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved, "MOST", 2)
    for name in "ab":
        assert run("add", name, "tool=Bash", root=root).exit_code == 0
    assert "remove one first" in run("add", "c", "tool=Bash", root=root).stderr
    assert run("add", "b", "tool=Read", "--replace", root=root).exit_code == 0


def test_a_backup_takes_them_along(root: str, tmp_path: Path) -> None:
    run("add", "x", "tool=Bash", root=root)
    done = CliRunner().invoke(cli, ["backup", f"{tmp_path}/copy", "--root", root])
    assert done.exit_code == 0
    done = CliRunner().invoke(cli, ["restore", f"{tmp_path}/copy", "--root", f"{tmp_path}/again"])
    assert done.exit_code == 0, done.stderr
    assert [one.query for one in saved.known(f"{tmp_path}/again")] == ["tool=Bash"]


def test_a_damaged_file_is_one_line(root: str) -> None:
    run("add", "x", "tool=Bash", root=root)
    with open(f"{root}/{saved.FILE_NAME}", "r+b") as file:
        file.write(b"nothing" * 1_000)
    for done in (run("list", root=root), run("add", "y", "tool=Bash", root=root)):
        assert done.exit_code == 1 and done.stderr.count("\n") == 1 and "saved searches" in done.stderr
