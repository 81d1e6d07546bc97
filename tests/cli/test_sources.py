"""`eyelet sources`, and what is read alongside: kept apart, found together."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from eyelet_ingest.cli import cli
from eyelet_ingest.errors import BadInput
from eyelet_ingest.events import Event
from eyelet_ingest.store import alongside, audit, identity
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store
from tests.ingest.old_databases import envelope, eyelet_db, logs_db, old_row

NOON_US = 1_774_008_000_000_000
MakeEvent = Callable[..., Event]


def run(root: str, *args: object) -> Result:
    return CliRunner().invoke(cli, [*map(str, args), "--root", root], prog_name="eyelet")


@pytest.fixture
def recorded(store: Store, make_event: MakeEvent) -> Store:
    for context, src, count in (
        ("a", "shop.orders", 3),
        ("a", "shop.orders.worker", 2),
        ("b", "shop", 1),
        ("b", "", 1),
    ):
        store.append([make_event(NOON_US + n, src=src, session_id="own") for n in range(count)], context)
    return store


def test_sources_are_listed_by_name_with_how_many_events_each_has(recorded: Store) -> None:
    done = run(recorded.root, "sources", "--json")
    assert [(one["src"], one["count"]) for one in json.loads(done.stdout)] == [
        ("", 1),
        ("shop", 1),
        ("shop.orders", 3),
        ("shop.orders.worker", 2),
    ]
    assert json.loads(done.stdout)[2]["newest_us"] == NOON_US + 2
    lines = run(recorded.root, "sources").stdout.splitlines()
    assert lines[0].split() == ["src", "events", "newest"]
    assert lines[1].startswith("(no src)") and lines[3].split()[:2] == ["shop.orders", "3"]


def test_a_tree_sums_what_is_below_each_part(recorded: Store) -> None:
    lines = run(recorded.root, "sources", "--tree").stdout.splitlines()
    assert [line.split()[:2] for line in lines[2:]] == [["shop", "6"], ["orders", "5"], ["worker", "2"]]
    assert lines[4].startswith("    worker")


def test_contexts_src_and_range_choose_the_sources(recorded: Store) -> None:
    def found(*args: str) -> list[str]:
        return [one["src"] for one in json.loads(run(recorded.root, "sources", "--json", *args).stdout)]

    assert found("--context", "b") == ["", "shop"]
    assert found("--src", "shop.orders") == ["shop.orders", "shop.orders.worker"]
    assert found("--since", "2026-03-21") == []
    assert run(recorded.root, "sources", "--since", "2026-03-21").stderr.startswith("no events found")


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return eyelet_db(tmp_path / "eyelet.db", [old_row(envelope(n)) for n in range(6)])


def test_what_is_alongside_is_found_with_the_rest_and_never_mixed_with_it(recorded: Store, old: Path) -> None:
    assert run(recorded.root, "ingest", "--alongside", "before", old).exit_code == 0
    assert recorded.count(Filter()).count == 7
    assert alongside.names_of(recorded.root) == ["before"]
    with Store(recorded.root, also=alongside.roots_of(recorded.root)) as both:
        assert both.count(Filter()).count == 13
        assert both.alone().count(Filter()).count == 7
    found = json.loads(run(recorded.root, "query", "search", "--json", "--session", "s1").stdout)
    assert {row["root"] for row in found} == {f"{recorded.root}/alongside/before"}
    assert "claude.posttooluse.bash.git.push" in run(recorded.root, "sources").stdout


def test_the_same_command_again_brings_what_is_new(recorded: Store, old: Path) -> None:
    counts = []
    for n in (6, 8):
        done = run(recorded.root, "ingest", "--alongside", "before", old, "--json")
        counts.append(json.loads(done.stdout)["stored"])
        eyelet_db(old, [old_row(envelope(n))])
    assert counts == [6, 1]


def test_dropping_it_leaves_the_root_as_it_was(recorded: Store, old: Path) -> None:
    before = sorted(os.listdir(recorded.root))
    run(recorded.root, "ingest", "--alongside", "before", old)
    refused = run(recorded.root, "ingest", "--alongside", "before", "--drop")
    assert refused.exit_code == 2 and "say --yes" in refused.stderr
    assert run(recorded.root, "ingest", "--alongside", "before", "--drop", "--yes").exit_code == 0
    left = sorted(name for name in os.listdir(recorded.root) if not name.startswith("audit."))
    assert (left, old.exists()) == (before, True)
    assert [line.action for line in audit.lines(recorded.root)] == ["alongside.drop"]
    gone = run(recorded.root, "ingest", "--alongside", "before", "--drop", "--yes")
    assert gone.exit_code == 2 and "there is nothing" in gone.stderr


def test_a_removal_that_was_stopped_is_not_read_and_goes_with_the_next(root: str, old: Path) -> None:
    run(root, "ingest", "--alongside", "one", old)
    os.rename(f"{root}/alongside/one", f"{root}/alongside/.going-one-1")
    assert alongside.roots_of(root) == []
    assert alongside.drop(root, "one") is False
    assert not os.path.exists(f"{root}/alongside")


@pytest.mark.parametrize("name", ["", "../up", "A b", "x" * 65, ".going-x", "a/b"])
def test_a_name_that_is_no_folder_of_its_own_is_refused(root: str, name: str) -> None:
    with pytest.raises(BadInput, match="a-z"):
        alongside.path_of(root, name)


def test_a_deletion_reaches_what_is_alongside_and_it_stays_away(recorded: Store, old: Path) -> None:
    run(recorded.root, "ingest", "--alongside", "before", old)
    assert recorded.delete(Filter(session_id=("s1",)), dry_run=True).events == 2
    assert recorded.delete(Filter(session_id=("s1",))).events == 2
    done = json.loads(run(recorded.root, "ingest", "--alongside", "before", old, "--json").stdout)
    assert (done["stored"], done["duplicates"], done["deleted"]) == (0, 4, 2)
    recorded.delete_older_than(NOON_US - 86_400_000_000)
    with Store(alongside.path_of(recorded.root, "before")) as side:
        assert side.count(Filter()).count == 0
    again = json.loads(run(recorded.root, "ingest", "--alongside", "before", old, "--json").stdout)
    assert (again["stored"], recorded.count(Filter()).count) == (0, 7)


def test_an_export_is_of_the_root_alone(recorded: Store, old: Path, tmp_path: Path) -> None:
    run(recorded.root, "ingest", "--alongside", "before", old)
    with Store(recorded.root, also=alongside.roots_of(recorded.root)) as both:
        assert len(list(both.alone().export(Filter()))) == 7


def test_databases_in_a_folder_are_told_and_left_alone(root: str, old: Path, tmp_path: Path) -> None:
    logs_db(tmp_path / "deep.sqlite3", [(1, "c", 1_774_015_402, "a", "info", 0, "x")])
    (tmp_path / "other.db").write_bytes(b"no database")
    (tmp_path / "a.jsonl").write_text('{"hook_event_name": "Stop", "session_id": "s", "timestamp": 1774015402}\n')
    done = run(root, "ingest", tmp_path)
    assert done.exit_code == 0 and "1 stored" in done.stdout
    told = [line.split(" is a database")[0] for line in done.stderr.splitlines()]
    assert told == [str(tmp_path / "deep.sqlite3"), str(old)]


def test_a_root_is_no_recording_of_its_own(recorded: Store, tmp_path: Path) -> None:
    identity.load_key(recorded.root)
    Path(recorded.root, "Stop").mkdir()
    Path(recorded.root, "Stop", "a.json").write_text(json.dumps(envelope(0)))
    Path(recorded.root, "tokens.json").write_text("{}")
    done = json.loads(run(recorded.root, "ingest", recorded.root, "--json").stdout)
    assert (done["read"], done["stored"]) == (1, 1)
