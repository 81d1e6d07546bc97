"""The commands about whole days: which days they take, what they say to people and to programs, and how they end."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from eyelet_ingest.cli import cli
from eyelet_ingest.events import Event
from eyelet_ingest.store import audit, connect, layout, schema, sealing
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.store import Store

FIRST = PartitionKey("default", 2026, 79)
SECOND = PartitionKey("default", 2026, 80)
OTHER = PartitionKey("work", 2026, 79)


@pytest.fixture
def days(root: str, make_event: Callable[..., Event]) -> str:
    """Two contexts, three days, five events each; returns the root."""
    with Store(root) as store:
        for key in (FIRST, SECOND, OTHER):
            store.append([make_event(key.bounds_us[0] + n * 1_000_000) for n in range(5)], key.context)
    return root


def run(*args: str, root: str) -> Result:
    return CliRunner().invoke(cli, [*args, "--root", root])


def told(*args: str, root: str) -> Any:
    done = run(*args, "--json", root=root)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_partitions_lists_every_day_and_what_is_known_of_it(days: str) -> None:
    run("seal", "2026-03-20", "--context", "work", root=days)
    run("archive", "default/2026-03-20", "--remove", "--yes", root=days)
    rows = told("partitions", root=days)
    assert [(row["name"], row["state"], row["events"]) for row in rows] == [
        ("default-2026-079", "archived", None),
        ("work-2026-079", "sealed", 5),
        ("default-2026-080", "open", 5),
    ]
    assert rows[2]["first_us"] == SECOND.bounds_us[0] and rows[2]["schema_version"] == schema.VERSION
    shown = run("partitions", root=days)
    assert "2026-03-20" in shown.stdout and "archived" in shown.stdout and "3 days, 10 events" in shown.stderr


def test_a_day_that_cannot_be_read_is_listed_with_its_reason(days: str) -> None:
    Path(layout.db_path(days, FIRST)).write_bytes(b"garbage" * 1_000)
    rows = told("partitions", root=days)
    assert [row["state"] for row in rows] == ["unreadable", "open", "open"]
    assert "not a database" in rows[0]["error"]


@pytest.mark.parametrize("name", ["default/2026-03-20", "default-2026-079"])
def test_a_day_is_named_in_several_ways(days: str, name: str) -> None:
    assert [row["day"] for row in told("partitions", "--day", name, root=days)] == ["2026-03-20"]
    assert [row["context"] for row in told("seal", name, root=days)["days"]] == ["default"]


@pytest.mark.parametrize("command", ["seal", "verify", "archive", "vacuum", "migrate"])
def test_a_day_that_is_none_is_named(days: str, command: str) -> None:
    for name in ("2026-03-25", "yesterday", "../../etc", "\x1b[31m"):
        done = run(command, name, root=days)
        assert done.exit_code == 2 and "there is no day" in done.stderr and "\x1b" not in done.stderr


def test_seal_wants_to_be_told_which_days(days: str) -> None:
    assert run("seal", root=days).exit_code == 2
    planned = told("seal", "--all-finished", "--dry-run", root=days)
    assert [row["why"] for row in planned["days"]] == ["not sealed yet"] * 3
    assert not os.path.exists(f"{days}/seals")
    assert [row["fresh"] for row in told("seal", "--all-finished", root=days)["days"]] == [True] * 3
    assert [row["fresh"] for row in told("seal", "--all-finished", root=days)["days"]] == [False] * 3
    assert told("seal", "--all-finished", "--dry-run", root=days)["days"] == []


def test_a_folder_without_a_database_is_no_day(days: str) -> None:
    os.makedirs(layout.partition_dir(days, PartitionKey("default", 2026, 81)))
    for command in (["seal", "--all-finished"], ["archive", "--older-than", "1d"], ["vacuum"], ["migrate"], ["verify"]):
        assert run(*command, root=days).exit_code == 0, command
    for name in ("status", "build", "check", "rebuild"):
        assert run("text", name, root=days).exit_code == 0, name


def test_seal_by_itself_is_set_in_one_place(days: str) -> None:
    assert run("seal", "--after-days", "2", root=days).exit_code == 0
    assert sealing.after_days(days) == 2
    assert run("seal", "--after-days", "never", root=days).exit_code == 0
    assert sealing.after_days(days) is None
    assert run("seal", "--after-days", "soon", root=days).exit_code == 2


def test_verify_ends_with_1_where_something_is_wrong_or_a_named_day_has_no_seal(days: str) -> None:
    assert told("verify", root=days)["states"] == {"not sealed": 3}
    assert run("verify", "2026-03-21", root=days).exit_code == 1
    run("seal", "--all-finished", root=days)
    assert told("verify", root=days)["states"] == {"unchanged": 3}
    assert run("verify", root=days).stdout == "3 unchanged\n"
    conn = connect.driver().connect(layout.db_path(days, SECOND), isolation_level=None)
    conn.execute("update hooks set src = 'forged'")
    conn.close()
    done = run("verify", root=days)
    assert done.exit_code == 1 and "default 2026-03-21: changed: its events are not what they were" in done.stdout
    refused = run("seal", "2026-03-21", root=days)
    assert refused.exit_code == 1 and "verify" in refused.stderr
    assert run("seal", "2026-03-21", "--force", root=days).exit_code == 0
    assert run("verify", root=days).exit_code == 0


def test_archive_asks_before_it_removes_and_is_audited(days: str) -> None:
    assert run("archive", root=days).exit_code == 2
    assert run("archive", "2026-03-21", "--remove", root=days).exit_code == 2
    assert run("archive", "2026-03-21", "--remove", "--restore", root=days).exit_code == 2
    assert run("archive", "--older-than", "long", root=days).exit_code == 2
    assert len(told("archive", "--older-than", "1d", "--dry-run", root=days)["days"]) == 3
    assert not os.path.exists(f"{days}/archive")
    done = told("archive", "2026-03-21", "--remove", "--yes", root=days)
    assert (done["days"][0]["removed"], done["failed"]) == (True, [])
    found = run("query", "search", "--nl", root=days)
    assert len(found.stdout.splitlines()) == 10 and "1 day is only in the archive" in found.stderr
    assert told("archive", "2026-03-21", "--restore", root=days)["days"][0]["events"] == 5
    assert [line.action for line in audit.lines(days)] == ["archive.restore", "archive.remove"]


def test_vacuum_checkpoint_and_migrate_say_what_they_did(days: str) -> None:
    assert len(told("vacuum", "--dry-run", root=days)["days"]) == 3
    assert all(row["bytes"] <= row["bytes_before"] for row in told("vacuum", root=days)["days"])
    reader = connect.open_reader(layout.db_path(days, FIRST))
    reader.execute("select count(*) from hooks").fetchone()
    with Store(days) as store, store.connection(FIRST) as lent, lent.writing() as conn:
        conn.execute("create table mine (a)")
    assert [row["day"] for row in told("checkpoint", "--dry-run", root=days)["days"]] == ["2026-03-20"]
    assert told("checkpoint", "truncate", root=days)["days"][0]["moved"] > 0
    reader.close()
    assert told("migrate", root=days)["days"] == []
    conn = connect.open_writer(layout.db_path(days, FIRST))
    for statement in schema.STEPS[2]:
        name = statement.split()[2]
        if statement.split()[1] == "trigger":
            conn.execute(f"drop trigger {name}")
    conn.execute("drop table eyelet_hours")
    conn.execute("drop table eyelet_counts")
    conn.execute("pragma user_version = 2")
    conn.close()
    assert told("migrate", "--dry-run", root=days)["days"][0]["from"] == 2
    assert told("migrate", root=days)["days"][0]["to"] == schema.VERSION


def test_text_says_how_the_indexes_stand_and_puts_them_right(days: str) -> None:
    assert [row["version"] for row in told("text", "status", root=days)["days"]] == [0, 0, 0]
    assert "no index, 5 events are found by reading" in run("text", "status", root=days).stdout
    assert len(told("text", "build", "--dry-run", root=days)["days"]) == 3
    assert [row["indexed"] for row in told("text", "build", root=days)["days"]] == [5, 5, 5]
    assert run("text", "build", "--dry-run", root=days).stdout == "nothing is lacking\n"
    assert [row["wrong"] for row in told("text", "check", root=days)["days"]] == [[], [], []]
    conn = connect.open_writer(layout.db_path(days, FIRST))
    conn.execute("insert into hooks_fts (hooks_fts) values ('delete-all')")
    conn.close()
    done = run("text", "check", root=days)
    assert done.exit_code == 1 and "eyelet text rebuild default-2026-079" in done.stdout
    assert told("text", "rebuild", "2026-03-20", root=days)["days"][0]["rows"] == 5
    assert run("text", "check", root=days).exit_code == 0


def test_a_day_in_trouble_hinders_no_other(days: str) -> None:
    Path(layout.db_path(days, FIRST)).write_bytes(b"garbage" * 1_000)
    for command in (["seal", "--all-finished"], ["archive", "--older-than", "1d"], ["vacuum"], ["migrate"]):
        done = run(*command, "--json", root=days)
        said = json.loads(done.stdout)
        assert (done.exit_code, [row["day"] for row in said["failed"]]) == (1, ["2026-03-20"]), command
        assert "Traceback" not in done.output and "2026/079" in done.stderr
    assert [row["state"] for row in told("partitions", root=days)] == ["unreadable", "sealed", "sealed"]


@pytest.mark.parametrize("command", ["partitions", "verify", "vacuum", "checkpoint", "migrate"])
def test_a_root_that_is_not_there_is_said_and_not_made(root: str, command: str) -> None:
    done = run(command, root=root)
    assert done.exit_code == 0 and f"(no such folder: {root})" in done.stderr
    assert not os.path.exists(root)
