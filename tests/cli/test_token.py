"""`eyelet token`: prints a token once, lists and revokes by name, and is audited."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from eyelet_ingest import tokens
from eyelet_ingest.cli import cli
from eyelet_ingest.cli.token import GRANTS
from eyelet_ingest.store import audit


def run(*args: str, root: str) -> Result:
    return CliRunner().invoke(cli, ["token", *args, "--root", root])


def test_create_prints_the_token_alone_on_stdout(root: str) -> None:
    done = run("create", "ci", "--context", "work", "--allow", "view", "--allow", "write", root=root)
    assert done.exit_code == 0
    said = done.stdout.removesuffix("\n")
    found = tokens.find(root, said)
    assert found is not None and (found.name, found.contexts, found.allow) == ("ci", ("work",), ("view", "write"))
    assert "not shown again" in done.stderr and said not in done.stderr


def test_a_token_may_write_everywhere_unless_told(root: str) -> None:
    made = json.loads(run("create", "ci", "--json", root=root).stdout)
    assert (made["allow"], made["contexts"]) == (["write"], None)
    assert tokens.find(root, made["token"]) is not None


def test_list_shows_rights_and_no_token(root: str) -> None:
    said = run("create", "ci", "--context", "b", "--context", "a", root=root).stdout.strip()
    shown = run("list", root=root).stdout
    assert shown.startswith("ci may write in a, b, made 20") and said not in shown
    listed = json.loads(run("list", "--json", root=root).stdout)
    assert [(one["name"], one["contexts"], one["allow"]) for one in listed] == [("ci", ["a", "b"], ["write"])]
    assert set(listed[0]) == {"name", "contexts", "allow", "created_at_us"}


def test_revoke_ends_it(root: str) -> None:
    said = run("create", "ci", root=root).stdout.strip()
    assert run("revoke", "ci", root=root).exit_code == 0
    assert tokens.find(root, said) is None
    again = run("revoke", "ci", root=root)
    assert again.exit_code == 2 and "none of that name" in again.stderr


def test_creating_and_revoking_are_audited_without_the_token(root: str) -> None:
    said = run("create", "ci", root=root).stdout.strip()
    run("revoke", "ci", root=root)
    lines = audit.lines(root)
    assert [line.action for line in lines] == ["token.revoke", "token.create"]
    assert {line.who.split(":")[0] for line in lines} == {"user"}
    assert not any(said[4:] in line.what for line in lines)


def test_what_cannot_be_audited_is_not_done(root: str) -> None:
    Path(root).mkdir()
    Path(root, audit.FILE_NAME).write_bytes(b"this is no database" * 500)
    done = run("create", "ci", root=root)
    assert done.exit_code == 1 and done.stdout == ""
    assert tokens.known(root) == []


def test_listing_makes_no_root(root: str) -> None:
    done = run("list", root=root)
    assert (done.exit_code, done.stdout) == (0, "")
    assert not Path(root).exists()


@pytest.mark.parametrize("bad", ["delete", ""])
def test_a_right_that_does_not_exist_is_refused(root: str, bad: str) -> None:
    assert run("create", "ci", "--allow", bad, root=root).exit_code == 2


def test_the_rights_are_those_that_tokens_know() -> None:
    assert GRANTS == tokens.GRANTS
