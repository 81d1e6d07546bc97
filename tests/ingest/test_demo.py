"""The demonstration: invented, repeatable, and alive up to now."""

import json
import time
from collections import Counter
from datetime import datetime, timezone
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from eyelet_ingest import demo
from eyelet_ingest.cli import cli
from eyelet_ingest.redaction import Redactor
from eyelet_ingest.store import layout
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

NOW_US = 1_774_015_402_123_456  # 2026-03-20T14:03:22.123456Z
DAY_US = 86_400_000_000
EVENTS_SEEN_IN_A_WEEK = {
    *("SessionStart", "SessionEnd", "UserPromptSubmit", "PreToolUse", "PostToolUse", "PostToolUseFailure"),
    *("PermissionRequest", "PermissionDenied", "SubagentStart", "SubagentStop", "Notification", "Stop"),
}


def time_us(payload: dict[str, object]) -> int:
    return round(datetime.fromisoformat(str(payload["timestamp"]).replace("Z", "+00:00")).timestamp() * 1e6)


def run(*args: str, root: str) -> Result:
    return CliRunner().invoke(cli, [*args, "--root", root])


def test_the_same_seed_and_now_give_the_same_events() -> None:
    assert list(demo.generate(NOW_US)) == list(demo.generate(NOW_US))
    assert list(demo.generate(NOW_US)) != list(demo.generate(NOW_US, seed=2))


def test_the_days_before_today_are_the_same_at_any_hour() -> None:
    yesterday = datetime.fromtimestamp(NOW_US / 1e6 - 86_400, timezone.utc).date().isoformat()
    early, late = (
        [payload for payload in demo.generate(now_us) if str(payload["timestamp"]).startswith(yesterday)]
        for now_us in (NOW_US, NOW_US + 3_600_000_000)
    )
    assert early == late and early


@pytest.mark.parametrize("days", [1, 7, 30])
@pytest.mark.parametrize("hour", [0, 9, 23])
def test_events_are_in_order_and_go_up_to_now(days: int, hour: int) -> None:
    now_us = NOW_US // DAY_US * DAY_US + hour * 3_600_000_000
    times = [time_us(payload) for payload in demo.generate(now_us, days)]
    assert times == sorted(times)
    assert now_us - days * DAY_US <= times[0] and times[-1] <= now_us
    assert now_us - times[-1] < 15 * 60_000_000


def test_a_week_has_everything_that_a_week_of_work_has() -> None:
    week = list(demo.generate(NOW_US))
    assert 1_500 <= len(week) <= 4_000
    assert {payload["hook_event_name"] for payload in week} >= EVENTS_SEEN_IN_A_WEEK
    tools = {str(payload.get("tool_name")) for payload in week}
    assert {"Bash", "Read", "Edit", "Write", "Grep", "Task", "WebFetch"} <= tools
    assert any(tool.startswith("mcp__") for tool in tools)
    assert len({payload["cwd"] for payload in week}) == 3
    assert any("agent_id" in payload for payload in week)
    hours = Counter(str(payload["timestamp"])[11:13] for payload in week)
    assert hours["03"] == 0 < hours["10"]


def test_every_answer_belongs_to_one_question_asked_before() -> None:
    asked: dict[object, dict[str, object]] = {}
    for payload in demo.generate(NOW_US):
        event, use_id = payload["hook_event_name"], payload.get("tool_use_id")
        if event == "PreToolUse":
            assert use_id not in asked
            asked[use_id] = payload
        elif use_id is not None:
            question = asked[use_id]
            assert question["tool_input"] == payload["tool_input"]
            assert question["session_id"] == payload["session_id"]
            assert time_us(question) < time_us(payload)


def test_nothing_in_it_looks_like_a_secret() -> None:
    week = list(demo.generate(NOW_US))
    assert all(Redactor().value(payload) == payload for payload in week)


def test_recording_twice_stores_once(store: Store) -> None:
    first = demo.record(store, NOW_US, days=2)
    second = demo.record(store, NOW_US, days=2)
    assert first.stored > 0 and not first.refused
    assert (second.stored, second.duplicates) == (0, first.stored)
    assert store.contexts() == [demo.CONTEXT]


def test_two_demonstrations_tell_no_session_twice(store: Store) -> None:
    """What is recorded an hour later has the same events of before, and one session more."""
    hour_us = 3_600_000_000
    told: dict[object, set[str]] = {}
    for now_us in (NOW_US, NOW_US + hour_us):
        demo.record(store, now_us, days=2)
        for payload in demo.generate(now_us, days=2):
            if payload["hook_event_name"] == "SessionStart":
                told.setdefault(payload["session_id"], set()).add(str(payload["timestamp"]))
    assert all(len(starts) == 1 for starts in told.values())
    rows = store.search(Filter(hook_type=("SessionStart",)), limit=1_000).rows
    assert len(rows) == len({row["session_id"] for row in rows}) == len(told)


def test_what_is_recorded_has_every_column_one_searches_by(store: Store) -> None:
    demo.record(store, NOW_US)
    found = store.summary(Filter())
    assert found.events == len(list(demo.generate(NOW_US)))
    assert {"ok", "error", "pending", "denied", "interrupted"} <= set(found.by_status)
    assert {"exit:1", "exit:101"} <= set(store.error_codes(Filter()))
    assert store.count(Filter(git_branch=("feature/threads",))).count > 0
    assert store.count(Filter(src=("claude.posttooluse.bash.git",))).count > 0
    assert store.count(Filter(src=("claude.posttooluse.mcp.database",))).count > 0
    (newest,) = store.search(Filter(), limit=1).rows
    assert json.loads(str(newest["meta"]))["demonstration"] is True


def test_importing_the_same_payloads_stores_nothing_new(store: Store, tmp_path: Path) -> None:
    recorded = demo.record(store, NOW_US, days=1)
    file = tmp_path / "demo.jsonl"
    file.write_text("".join(json.dumps(payload) + "\n" for payload in demo.generate(NOW_US, 1)))
    result = run("ingest", str(file), "--context", demo.CONTEXT, "--json", root=store.root)
    assert json.loads(result.stdout)["duplicates"] == recorded.stored
    assert json.loads(result.stdout)["stored"] == 0


def test_the_command_says_what_it_recorded_and_how_to_go_on(root: str) -> None:
    result = run("demo", "--days", "2", root=root)
    assert result.exit_code == 0
    for said in (
        "generated demonstration",
        "invented",
        "eyelet ingest ~/.claude/projects",
        "delete --context demo --root",
    ):
        assert said in result.stdout
    shown = run("query", "summary", "--json", "--context", "demo", root=root)
    events = json.loads(shown.stdout)["events"]
    assert f"{events:,} events of the last 2 days" in result.stdout
    assert run("query", "search", "--range", "1h", "--nl", root=root).stdout


def test_a_demonstration_that_cannot_be_stored_is_one_line_with_the_reason(root: str) -> None:
    with Store(root) as store:
        done = demo.record(store, time.time_ns() // 1_000, days=1)
    for key in done.partitions:
        Path(layout.db_path(root, key)).write_bytes(b"garbage, and no database " * 400)
    days = len(done.partitions)
    result = run("demo", "--days", "1", "--force", root=root)
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert f"the demonstration is not complete: {days} of {days} days could not be stored: " in line
    assert layout.db_path(root, min(done.partitions)) in line


def test_days_without_an_event_are_no_reason_to_record_none(root: str) -> None:
    empty = Path(layout.db_path(root, layout.key_for("demo", NOW_US)))
    empty.parent.mkdir(parents=True)
    empty.touch()
    assert "Recorded a generated demonstration" in run("demo", "--days", "1", root=root).stdout


def test_a_root_that_holds_events_is_left_as_it_is_unless_forced(root: str) -> None:
    run("demo", "--days", "1", root=root)
    before = run("query", "summary", "--json", root=root).stdout
    refused = run("demo", "--days", "3", root=root)
    assert refused.exit_code == 0 and "already holds events" in refused.stdout
    assert f"demo --force --root {root}\n" in refused.stdout
    assert json.loads(run("query", "summary", "--json", root=root).stdout)["events"] == json.loads(before)["events"]
    silent = run("demo", "--unless-used", root=root)
    assert (silent.exit_code, silent.output) == (0, "")
    assert run("demo", "--days", "3", "--force", root=root).exit_code == 0
    assert json.loads(run("query", "summary", "--json", root=root).stdout)["events"] > json.loads(before)["events"]


@pytest.mark.parametrize("days", ["0", "-1", "91", "many"])
def test_a_number_of_days_that_cannot_be_is_refused(days: str, root: str) -> None:
    assert run("demo", "--days", days, root=root).exit_code == 2


def test_it_reads_no_file_of_the_user(root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    history = tmp_path / "home" / ".claude" / "projects" / "secret.jsonl"
    history.parent.mkdir(parents=True)
    history.write_text(json.dumps({"hook_event_name": "Stop", "session_id": "private"}))
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(history.parent.parent))
    run("demo", root=root)
    assert run("query", "session", "private", root=root).exit_code == 1
