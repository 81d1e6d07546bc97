"""`eyelet calls` and `eyelet usage`: what they print, for people and for programs."""

import csv
import io
import json
import os
from typing import Any

import pytest
from click.testing import CliRunner, Result

from eyelet_ingest.cli import cli
from eyelet_ingest.events import Event
from eyelet_ingest.store.store import Store

NOON = 1_774_008_000_000_000
MINUTE_US = 60_000_000


def event(time_us: int, use_id: str, **fields: Any) -> Event:
    named = {
        "tool_use_id": use_id,
        "tool_name": "Bash",
        "session_id": "s",
        "agent": "claude",
        "hook_type": "PreToolUse",
    }
    return Event(time_us=time_us, uid=os.urandom(16), **{**named, **fields})


@pytest.fixture
def recorded(store: Store) -> str:
    asked = {"status": "pending", "data": '{"tool_name": "Bash", "tool_input": {"command": "echo \\u001b[31m"}}'}
    failed = {"hook_type": "PostToolUse", "status": "error", "error": 1, "duration_ms": 1234.0}
    usage = '{"requestId": "r", "message": {"id": "m", "usage": {"input_tokens": 5, "output_tokens": 7}}}'
    store.append(
        [
            event(NOON, "a", **asked),
            event(NOON + 5_000, "a", meta={"execution": {"error_code": "exit:2"}}, **failed),
            event(NOON + MINUTE_US, "b", **asked),
            event(
                NOON + 1_000, "a", hook_type="assistant", role="assistant", origin="transcript", model="=m", data=usage
            ),
        ]
    )
    return store.root


def run(root: str, *args: str) -> Result:
    return CliRunner().invoke(cli, [*args, "--root", root])


def test_a_table_has_a_line_for_each_call_and_moves_no_cursor(recorded: str) -> None:
    done = run(recorded, "calls")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0] == ["time", "context", "tool", "status", "ms", "witnesses", "what"]
    assert [line[4] for line in lines[1:]] == ["unknown", "error"]
    assert lines[2][5:8] == ["1,234", "hook,", "transcript"]
    assert "\x1b" not in done.stdout and r"\x1b" in done.stdout


def test_json_and_csv_say_each_call_once(recorded: str) -> None:
    found = json.loads(run(recorded, "calls", "--json").stdout)
    assert [(call["tool_use_id"], call["status"], call["error_code"]) for call in found] == [
        ("b", "unknown", None),
        ("a", "error", "exit:2"),
    ]
    assert found[1]["question"]["id"] == NOON and found[1]["answer"]["duration_ms"] == 1234
    assert found[0]["answer"] is None and "root" not in found[0]
    assert [json.loads(line)["id"] for line in run(recorded, "calls", "--nl").stdout.splitlines()] == [
        call["id"] for call in found
    ]
    rows = list(csv.DictReader(io.StringIO(run(recorded, "calls", "--csv").stdout)))
    assert [(row["tool_use_id"], row["question_id"], row["model"]) for row in rows] == [
        ("b", str(NOON + MINUTE_US), ""),
        ("a", str(NOON), "'=m"),
    ]


def test_a_page_goes_on_where_it_stopped(recorded: str) -> None:
    first = run(recorded, "calls", "--limit", "1", "--nl")
    after = first.stderr.splitlines()[0].removeprefix("more: --after ")
    second = run(recorded, "calls", "--limit", "1", "--nl", "--after", after)
    assert [json.loads(done.stdout)["tool_use_id"] for done in (first, second)] == ["b", "a"]
    assert "more:" not in second.stderr


def test_a_status_is_the_calls_and_unknown_is_one_of_calls_alone(recorded: str) -> None:
    found = json.loads(run(recorded, "calls", "--status", "unknown", "--json").stdout)
    assert [call["tool_use_id"] for call in found] == ["b"]
    assert run(recorded, "calls", "--status", "fine").exit_code == 2
    assert run(recorded, "query", "search", "--status", "unknown").exit_code == 2
    nothing = run(recorded, "calls", "--status", "denied")
    assert (nothing.stdout, nothing.exit_code) == ("", 0) and "no calls found" in nothing.stderr


def test_the_help_of_calls_names_the_status_that_calls_alone_have(recorded: str) -> None:
    said = {name: " ".join(run(recorded, *name.split(), "--help").stdout.split()) for name in ("calls", "query search")}
    assert "denied, pending, unknown." in said["calls"]
    assert "denied, pending." in said["query search"]


def test_the_help_of_completeness_says_that_a_session_may_be_left_out(recorded: str) -> None:
    assert "[OPTIONS] [SESSION]" in run(recorded, "completeness", "--help").stdout


def test_a_list_of_events_shows_what_became_of_a_pending_one(recorded: str) -> None:
    shown = [
        line.split()[4] for line in run(recorded, "query", "search", "--type", "PreToolUse").stdout.splitlines()[1:]
    ]
    assert shown == ["unknown", "error"]
    stored = json.loads(run(recorded, "query", "search", "--type", "PreToolUse", "--json").stdout)
    assert {row["status"] for row in stored} == {"pending"}


def test_tokens_are_grouped_as_asked(recorded: str) -> None:
    table = [line.split() for line in run(recorded, "usage").stdout.splitlines()]
    assert table[1][:6] == ["claude", "=m", "1", "5", "7", "0"]
    rows = list(csv.DictReader(io.StringIO(run(recorded, "usage", "--by", "day, model", "--csv").stdout)))
    assert [(row["day"], row["model"], row["output"]) for row in rows] == [("2026-03-20", "'=m", "7")]
    whole = json.loads(run(recorded, "usage", "--by", "", "--json").stdout)
    assert whole["total"]["output"] == 7 and whole["rows"][0]["answers"] == 1
    wrong = run(recorded, "usage", "--by", "tool")
    assert wrong.exit_code == 2 and "session, agent, model, day, context" in wrong.stderr
    assert "no answers" in run(recorded, "usage", "--since", "2026-03-22").stderr
