"""What comes from another root is redacted by the rules of today; what needs none comes as it is, byte for byte.

No string here is a credential, or looks like one to a scanner: prefixes and bodies are joined at run time.
"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from eyelet_ingest.cli import cli
from eyelet_ingest.events import Event
from eyelet_ingest.incoming import Incoming
from eyelet_ingest.redactors import of_root
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

TOKEN = "gh" + "p_" + "aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zC" + "1234"
NOON_US = 1_767_268_800_000_000
OLD = {"a": "[redacted:password]", "b": "[redacted:token:a1b2c3]"}


@pytest.fixture
def other(tmp_path: Path, make_event: Callable[..., Event]) -> str:
    """A root whose version knew no rule."""
    root = str(tmp_path / "other")
    with Store(root) as store:
        data = json.dumps({"tool_input": {"command": f"echo {TOKEN}", "password": "hunter22"}, **OLD})
        store.append(
            [
                make_event(NOON_US, data=data, meta={"git": {"remote": f"https://x:{TOKEN}@e.org"}}, project_dir=TOKEN),
                make_event(NOON_US + 1, data='{ "spaced":  1.50, "text": "the password is long" }'),
            ]
        )
    return root


def rows(root: str) -> list[dict[str, object]]:
    with Store(root) as store:
        return store.search(Filter(), limit=10).rows[::-1]


@pytest.mark.parametrize("way", ["import", "sync"])
def test_what_comes_in_is_redacted_and_the_rest_of_it_is_exact(way: str, other: str, root: str, tmp_path: Path) -> None:
    words = [["sync", other]]
    if way == "import":
        words = [["export", "-o", str(tmp_path / "x.jsonl"), "--root", other], ["import", str(tmp_path / "x.jsonl")]]
    for one in words:
        done = CliRunner().invoke(cli, one if "--root" in one else [*one, "--root", root])
        assert done.exit_code == 0, done.stderr
    (theirs, plain), (mine, same) = rows(other), rows(root)
    assert plain == {**same, "partition": plain.get("partition")} or plain["data"] == same["data"]
    marker = of_root(root).marker("github-token", TOKEN)
    payload = json.loads(str(mine["data"]))
    assert payload == {
        "tool_input": {"command": f"echo {marker}", "password": of_root(root).marker("password", "hunter22")},
        **OLD,
    }
    assert mine["project_dir"] == marker and mine["uid"] == theirs["uid"] and mine["id"] == theirs["id"]
    content = b"".join(path.read_bytes() for path in Path(root).rglob("*") if path.is_file())
    assert TOKEN.encode() not in content and b"hunter22" not in content
    again = CliRunner().invoke(cli, [*words[-1], "--root", root, "--json"])
    assert len(rows(root)) == 2 and again.exit_code == 0


def test_rows_without_a_secret_are_the_same_objects(root: str) -> None:
    clean = Incoming(root)
    from eyelet_ingest.store import schema

    row = tuple({"data": '{"a": 1}', "meta": "{}", "uid": b"x" * 16}.get(name) for name in schema.COLUMNS)
    assert clean([row])[0] is row


def test_a_trial_makes_no_key(other: str, root: str, tmp_path: Path) -> None:
    with Store(root) as store:
        store.contexts()
    CliRunner().invoke(cli, ["sync", other, "--root", root, "--dry-run"])
    assert not Path(root, "secret.key").exists()
