"""`--exclude`, `--project`, `--level`, and fields in `--text`."""

import json
from collections.abc import Callable

import pytest
from click.testing import CliRunner

from eyelet_ingest.cli import cli
from eyelet_ingest.events import Event
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

START_US = 1_773_792_000_000_000


@pytest.fixture
def filled(root: str, make_event: Callable[..., Event]) -> str:
    with Store(root) as store:
        for n, (tool, level) in enumerate([("Bash", "info"), ("Edit", "warn"), (None, "info")]):
            fields = {"tool_name": tool, "loglevel": level, "project_dir": f"/w/p{n}/x", "data": '{"prompt": "word"}'}
            store.append([make_event(START_US + n, **fields)], "one" if n else "two")
    return root


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        (["--exclude", "tool:Bash"], [2, 1]),
        (["--exclude", "tool=Bash", "--exclude", "level:warn"], [2]),
        (["--exclude", "context:one"], [0]),
        (["--project", "/w/p1"], [1]),
        (["--project", "p2"], [2]),
        (["--level", "warn"], [1]),
        (["--text", "word -tool:Bash"], [2, 1]),
        (["--text", "-tool:(Bash OR Edit)"], [2]),
        (["--exclude", "is:error", "--text", "context:two"], [0]),
    ],
)
def test_a_flag_leaves_out_what_it_names(flags: list[str], found: list[int], filled: str) -> None:
    done = CliRunner().invoke(cli, ["query", "search", "--root", filled, "--nl", *flags])
    assert done.exit_code == 0, done.output
    assert [json.loads(line)["id"] - START_US for line in done.stdout.splitlines()] == found


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--exclude", "tol:Bash"], "did you mean tool:Bash?"),
        (["--exclude", "hook_type:Stop"], "did you mean type:Stop?"),
        (["--exclude", "Bash"], "before it"),
        (["--exclude", "status:bad"], "write one of ok, error"),
        (["--text", "tol:Bash"], "did you mean tool?"),
        (["--text", "status:bad"], "there is no status bad at character 1"),
    ],
)
def test_what_is_no_field_is_said_with_what_was_meant(flags: list[str], says: str, filled: str) -> None:
    done = CliRunner().invoke(cli, ["query", "search", "--root", filled, *flags])
    assert done.exit_code == 2 and says in done.output and "Traceback" not in done.output


def test_a_deletion_takes_what_is_not_left_out(filled: str) -> None:
    refused = CliRunner().invoke(cli, ["delete", "--root", filled, "--exclude", "context:one", "--yes"])
    assert refused.exit_code == 2 and "contexts cannot be left out" in refused.output
    done = CliRunner().invoke(cli, ["delete", "--root", filled, "--exclude", "tool:Bash", "--yes"])
    assert done.exit_code == 0, done.output
    with Store(filled) as store:
        assert [row["tool_name"] for row in store.export(Filter())] == ["Bash"]
