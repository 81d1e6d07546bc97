"""What waits in the spool is stored by whichever command comes first, once."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from eyelet_ingest.cli import cli
from eyelet_ingest.events import Event
from eyelet_ingest.store import layout, spool, writer
from eyelet_ingest.store.connect import FileLock

START_US = 1_773_792_000_000_000  # 2026-03-18T00:00:00Z


@pytest.fixture
def spooled(root: str, make_event: Callable[..., Event]) -> str:
    """A root with three events that wait; returns it."""
    for n in range(3):
        event = make_event(START_US + n, session_id="waited")
        key = layout.key_for("default", event.time_us)
        spool.put(root, key, "default", writer.row_of(event), "busy")
    return root


def run(*args: str, root: str) -> Result:
    return CliRunner().invoke(cli, [*args, "--root", root])


def test_a_query_finds_what_was_only_spooled(spooled: str) -> None:
    result = run("query", "session", "waited", "--nl", root=spooled)
    assert result.exit_code == 0 and len(result.stdout.splitlines()) == 3


def test_drain_stores_what_waits_once_and_says_so(spooled: str) -> None:
    first = run("drain", root=spooled)
    assert (first.exit_code, first.stdout) == (0, "3 events stored from the spool\n")
    second = run("drain", "--json", root=spooled)
    nothing = {"stored": 0, "known": 0, "deleted": 0, "set_aside": 0, "waiting": 0, "reasons": []}
    assert json.loads(second.stdout) == nothing
    assert len(run("query", "search", "--nl", root=spooled).stdout.splitlines()) == 3


def test_a_spooled_file_that_is_no_event_is_set_aside_and_named(spooled: str) -> None:
    bad = Path(spool.waiting(spooled)[0])
    bad.write_text("garbage")
    result = run("query", "search", "--nl", root=spooled)
    assert len(result.stdout.splitlines()) == 2
    assert "2 events stored from the spool, 1 set aside as unreadable" in result.stderr


def test_events_that_cannot_be_stored_keep_waiting_and_drain_fails(spooled: str) -> None:
    path = Path(layout.db_path(spooled, layout.key_for("default", START_US)))
    path.parent.mkdir(parents=True)
    path.write_bytes(b"this is no database" * 500)
    result = run("drain", root=spooled)
    assert result.exit_code == 1
    assert result.stdout == "0 events stored from the spool, 3 still waiting\n"
    assert str(path) in result.stderr
    asked = run("query", "search", root=spooled)
    assert asked.exit_code == 0 and "3 still waiting" in asked.stderr
    assert len(spool.waiting(spooled)) == 3


def test_drain_says_that_another_is_at_work(spooled: str) -> None:
    with FileLock(f"{spooled}/spool/drain.lock", 0):
        result = run("drain", "--json", root=spooled)
        asked = run("query", "search", root=spooled)
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert (told["waiting"], told["reasons"]) == (3, ["another drain is at work"])
    assert "another drain is at work" in result.stderr
    assert "3 still waiting; another drain is at work" in asked.stderr


def test_drain_says_why_a_root_takes_nothing(spooled: str) -> None:
    (Path(spooled) / "logs").write_text("a file")
    result = run("drain", root=spooled)
    assert result.exit_code == 1 and "3 still waiting" in result.stdout
    assert str(Path(spooled) / "logs") in result.stderr


def test_drain_of_a_root_that_is_not_there_says_so(root: str) -> None:
    result = run("drain", root=root)
    assert result.exit_code == 0 and f"(no such folder: {root})" in result.stderr
    assert not Path(root).exists()
