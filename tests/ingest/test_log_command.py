"""`eyelet log` records what a program or a person says, keeps it where its day is in trouble, and loses nothing."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from eyelet_ingest import logs
from eyelet_ingest.cli import cli
from eyelet_ingest.store import layout
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store


def log(root: str, *args: str) -> Result:
    return CliRunner().invoke(cli, ["log", *args, "--root", root], prog_name="eyelet")


def rows(root: str) -> list[dict[str, Any]]:
    with Store(root) as store:
        store.drain_spool()
        return store.search(Filter(), limit=10_000, oldest_first=True).rows


def test_an_event_is_what_the_flags_say(root: str) -> None:
    given = ["--src", "Shop.Orders", "--level", "warning", "--time", "2026-03-20 14:03:22.5", "--session", "s1"]
    done = log(root, *given, "--data", '{"order": 17}', "--context", "shop", "--json", "order", "17 is late")
    told = json.loads(done.stdout)
    (row,) = rows(root)
    assert told == {"id": 1_774_015_402_500_000, "context": "shop", "uid": row["uid"], "spooled": False}
    assert (row["id"], row["src"], row["loglevel"], row["error"]) == (told["id"], "shop.orders", "warn", 0)
    assert (row["context_name"], row["session_id"], row["origin"]) == ("shop", "s1", "log")
    data = json.loads(row["data"])
    assert (data["content"], data["order"]) == ("order 17 is late", 17)


def test_nothing_is_printed_of_what_went_well(root: str) -> None:
    done = log(root, "hello")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "")


def test_a_failure_is_an_error(root: str) -> None:
    log(root, "--error", "ECONNREFUSED: no answer")
    (row,) = rows(root)
    assert (row["error"], row["status"], row["loglevel"], row["error_code"]) == (1, "error", "error", "ECONNREFUSED")


def test_two_equal_events_are_two_events(root: str) -> None:
    for _ in range(2):
        log(root, "--time", "2026-03-20T14:03:22Z", "same")
    assert [row["id"] for row in rows(root)] == [1_774_015_402_000_000, 1_774_015_402_000_001]


def test_secrets_are_redacted(root: str) -> None:
    secret = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    log(root, "token", secret, "--data", json.dumps({"password": secret}))
    for folder, _, files in os.walk(root):
        assert not [name for name in files if secret.encode() in Path(folder, name).read_bytes()]
    assert len(rows(root)) == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "There is nothing to record"),
        (["--level", "wran", "x"], "did you mean warn?"),
        (["--data", "[1]", "x"], "it is no JSON object"),
        (["--data", "{", "x"], "read --data"),
        (["--data", '{"msg": "a"}', "x"], "say it once"),
        (["--data", '{"ts": 1}', "--time", "today", "x"], "say it once"),
        (["--time", "someday", "x"], "cannot read the time"),
        (["--time", "1985-01-01", "x"], "before 2000"),
    ],
)
def test_what_cannot_be_recorded_is_one_line_and_leaves_nothing(root: str, given: list[str], said: str) -> None:
    done = log(root, *given)
    assert done.exit_code == 2 and said in done.stderr and "Traceback" not in done.stderr
    assert rows(root) == []


def test_an_event_whose_day_is_kept_waits_in_the_spool(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs.record, "__kwdefaults__", {"deadline_ms": 50})
    log(root, "--time", "2026-03-20", "first")
    key = layout.key_for("default", 1_773_964_800_000_000)
    held = subprocess.Popen(
        [sys.executable, "-c", HOLDS_THE_LOCK, layout.lock_path(root, key)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert held.stdout is not None and held.stdout.readline() == "held\n"
        done = log(root, "--time", "2026-03-20", "second", "--json")
    finally:
        held.kill()
        held.wait()
        if held.stdout is not None:
            held.stdout.close()
    assert done.exit_code == 0 and "1 waiting in the spool" in done.stderr
    assert json.loads(done.stdout)["spooled"] is True and json.loads(done.stdout)["id"] is None
    assert [json.loads(row["data"])["content"] for row in rows(root)] == ["first", "second"]


HOLDS_THE_LOCK = """
import sys, time
from eyelet_ingest.store.connect import FileLock
with FileLock(sys.argv[1], time.monotonic_ns() + 10**10):
    print("held", flush=True)
    time.sleep(60)
"""


def piped(root: str, *args: str) -> "subprocess.Popen[bytes]":
    code = "from eyelet_ingest.cli import main; main()"
    command = [sys.executable, "-c", code, "log", "-", *args, "--root", root]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_each_line_of_standard_input_is_an_event_and_blank_ones_are_none(root: str) -> None:
    with piped(root, "--src", "a", "--json") as run:
        out, err = run.communicate("one\n\n  \r\ntwo\r\n\xe9\xff\nlast".encode("latin-1"))
    assert (run.returncode, err) == (0, b"")
    assert [json.loads(row["data"])["content"] for row in rows(root)] == ["one", "two", "\ufffd\ufffd", "last"]
    assert [json.loads(line)["id"] for line in out.splitlines()] == [row["id"] for row in rows(root)]


def test_a_line_is_recorded_when_it_comes_not_when_the_pipe_ends(root: str) -> None:
    with piped(root) as run:
        assert run.stdin is not None
        run.stdin.write(b"now\nhalf")
        run.stdin.flush()
        until_s = time.monotonic() + 20
        while not rows(root) and time.monotonic() < until_s:
            time.sleep(0.05)
        assert [json.loads(row["data"])["content"] for row in rows(root)] == ["now"]
        run.stdin.close()
        run.wait()
    assert len(rows(root)) == 2


def test_a_line_without_end_is_cut_and_what_follows_is_taken(root: str) -> None:
    with piped(root) as run:
        run.communicate(b"x" * 3_000_000 + b"\nnext\n")
    first, second = (json.loads(row["data"])["content"] for row in rows(root))
    assert (len(first), second) == (2**20, "next")
