"""`--root` given several times: every query command reads all of them, and says of each row where it is from."""

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from eyelet_ingest.cli import cli
from eyelet_ingest.cli.output import EVENT_FIELDS, short_paths
from eyelet_ingest.events import Event
from eyelet_ingest.store import layout, spool, writer
from eyelet_ingest.store.store import Store

START_US = layout.PartitionKey("default", 2026, 79).bounds_us[0]
MakeEvent = Callable[..., Event]


@pytest.fixture
def roots(tmp_path: Path, make_event: MakeEvent) -> list[str]:
    """Two roots with the same times: of each event there is one of its id in the other."""
    made = [str(tmp_path / name) for name in ("mine", "laptop")]
    for at, root in enumerate(made):
        with Store(root) as store:
            events = [
                make_event(START_US + n, session_id="s", src=f"of.root{at}", error=n % 2, data='{"note": "a needle"}')
                for n in range(10)
            ]
            store.append(events)
    return made


def run(*args: str, roots: list[str], **given: object) -> Result:
    named = [word for root in roots for word in ("--root", root)]
    return CliRunner().invoke(cli, ["query", *args, *named], **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("command", "count"), [(["search"], 20), (["grep", "needle"], 20), (["errors"], 10), (["session", "s"], 20)]
)
def test_every_query_command_reads_all_roots_and_names_that_of_each_row(
    command: list[str], count: int, roots: list[str]
) -> None:
    found = [json.loads(line) for line in run(*command, "--nl", roots=roots).stdout.splitlines()]
    assert len(found) == count
    assert {(row["root"], row["src"]) for row in found} == {(roots[0], "of.root0"), (roots[1], "of.root1")}


def test_a_summary_is_of_all_roots(roots: list[str]) -> None:
    assert json.loads(run("summary", "--json", roots=roots).stdout)["events"] == 20


def test_json_and_csv_name_the_whole_root_and_a_table_what_tells_it_apart(roots: list[str]) -> None:
    assert {row["root"] for row in json.loads(run("search", "--json", roots=roots).stdout)} == set(roots)
    table = list(csv.DictReader(io.StringIO(run("search", "--csv", roots=roots).stdout)))
    assert {row["root"] for row in table} == set(roots)
    lines = run("search", roots=roots).stdout.splitlines()
    assert lines[0].split() == ["time", "root", "context", "src", "tool", "status", "what"]
    assert {line.split()[2] for line in lines[1:]} == {"mine", "laptop"}


@pytest.mark.parametrize("named", [1, 2])
def test_the_output_of_a_single_root_is_as_ever(named: int, roots: list[str]) -> None:
    one = [roots[0]] * named
    assert run("search", "--csv", roots=one).stdout.splitlines()[0] == ",".join(EVENT_FIELDS)
    assert "root" not in json.loads(run("search", "--json", roots=one).stdout)[0]
    assert "root" not in run("search", roots=one).stdout.splitlines()[0]


def test_a_cursor_goes_on_where_the_pages_of_several_roots_stopped(roots: list[str]) -> None:
    seen, after = [], []
    while True:
        result = run("search", "--nl", "--limit", "3", *after, roots=roots)
        seen += [(row["id"], row["root"]) for row in map(json.loads, result.stdout.splitlines())]
        if "--after " not in result.stderr:
            break
        after = ["--after", result.stderr.split("--after ")[1].split()[0]]
    assert len(seen) == len(set(seen)) == 20
    assert [row[0] for row in seen] == sorted((row[0] for row in seen), reverse=True)


def test_a_root_that_is_not_there_is_named_and_the_others_are_served(roots: list[str], tmp_path: Path) -> None:
    gone = str(tmp_path / "typo")
    for order in ([roots[0], gone], [gone, roots[0]]):
        result = run("search", "--nl", roots=order)
        assert (result.exit_code, len(result.stdout.splitlines())) == (0, 10)
        assert gone in result.stderr
    assert not Path(gone).exists()


@pytest.mark.parametrize("bad", [0, 1])
def test_a_root_that_cannot_be_read_is_named_and_the_others_are_served(bad: int, roots: list[str]) -> None:
    shutil.rmtree(layout.logs_dir(roots[bad]))
    Path(layout.logs_dir(roots[bad])).write_text("no folder")
    result = run("search", "--nl", roots=roots)
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, 10)
    assert f"1 unreadable: in {roots[bad]}" in result.stderr


def test_what_waits_in_the_spool_of_the_first_is_stored_and_of_others_left_alone(
    roots: list[str], make_event: MakeEvent
) -> None:
    key = layout.PartitionKey("default", 2026, 79)
    for root in roots:
        spool.put(root, key, "default", writer.row_of(make_event(START_US + 50)), "the day was busy")
    assert len(run("search", "--nl", roots=roots).stdout.splitlines()) == 21
    with Store(roots[1]) as other:
        assert other.drain_spool().stored == 1


def test_a_session_that_none_of_them_has_names_all_and_how_to_look(roots: list[str]) -> None:
    result = run("session", "nobody", roots=roots)
    assert result.exit_code == 1
    assert f"not under {roots[0]} or {roots[1]}" in result.stderr
    assert f"query search --root {roots[0]} --root {roots[1]}" in result.stderr


def test_eyelet_root_names_one_folder_whatever_its_name_holds(tmp_path: Path, make_event: MakeEvent) -> None:
    root = str(tmp_path / "a folder:of mine")
    with Store(root) as store:
        store.append([make_event(START_US)])
    result = run("search", "--nl", roots=[], env={"EYELET_ROOT": root})
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, 1), result.stderr


def test_paths_are_told_apart_by_as_few_parts_as_do() -> None:
    assert short_paths(["/a/x", "/b/y"]) == {"/a/x": "x", "/b/y": "y"}
    assert short_paths(["/a/x", "/b/x", "/b/y"]) == {"/a/x": "a/x", "/b/x": "b/x", "/b/y": "b/y"}
    assert short_paths(["/x", "/a/x"]) == {"/x": "/x", "/a/x": "a/x"}
    assert short_paths(["/"]) == {"/": ""}
