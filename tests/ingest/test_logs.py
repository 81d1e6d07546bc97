"""Log events: normalised, redacted, each stored, known, spooled or refused, and never acknowledged for nothing."""

import json
import time
from pathlib import Path

import pytest

from eyelet_ingest import clock, logs
from eyelet_ingest.errors import BadInput
from eyelet_ingest.sources import log
from eyelet_ingest.store import layout, spool
from eyelet_ingest.store.connect import FileLock
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

SECONDS = 1_774_015_402  # 2026-03-20T14:03:22Z
TOKEN = "ghp_" + "a1B2c3D4e5F6g7H8i9J0" * 2


def record(store: Store, *events: object, context: str = "default") -> logs.Recorded:
    return logs.record(store, context, [json.dumps(event) for event in events], sender="token:ci")


def rows(store: Store) -> list[dict[str, object]]:
    return store.search(Filter(), limit=100).rows


def test_an_event_keeps_all_it_says_and_its_columns_say_it_too(store: Store) -> None:
    event = {
        "src": "Hero.Proc.Work er",
        "loglevel": "WARNING",
        "timestamp": SECONDS,
        "content": "disk almost full",
        "session_id": "s",
        "tool_name": "Bash",
        "tool_use_id": "t",
        "agent": "robot",
        "agent_id": "7",
        "role": "user",
        "model": "m",
        "duration_ms": 12.5,
        "project_dir": "/p",
        "hostname": "h",
        "ip_address": "::1",
        "git_branch": "main",
        "unheard_of": {"deep": [1, 1.10, "ü"]},
    }
    assert record(store, event).stored == 1
    (row,) = rows(store)
    assert json.loads(str(row["data"])) == event
    assert (row["src"], row["loglevel"], row["origin"]) == ("hero.proc.work_er", "warn", "log")
    assert row["hook_type"] == "log" and row["id"] == SECONDS * 1_000_000
    for name in set(event) - {"src", "loglevel", "timestamp", "content", "unheard_of"}:
        assert row[name] == event[name], name
    assert json.loads(str(row["meta"]))["source"] == {"sender": "token:ci"}


@pytest.mark.parametrize(
    ("event", "error", "status", "level", "code"),
    [
        ({"message": "fine"}, 0, "ok", "info", None),
        ({"error": True, "message": "Exit code 3"}, 1, "error", "error", "exit:3"),
        ({"error": 1, "loglevel": "warn"}, 1, "error", "warn", None),
        ({"error": "timed out"}, 1, "error", "error", "timeout"),
        ({"error": {"message": "ENOENT: no such file"}}, 1, "error", "error", "ENOENT"),
        ({"level": "fatal"}, 1, "error", "error", None),
        ({"level": "error", "error": False}, 0, "ok", "error", None),
        ({"status": "denied"}, 0, "denied", "info", None),
        ({"error": ""}, 0, "ok", "info", None),
    ],
)
def test_what_failed_is_told_as_of_any_event(
    store: Store, event: dict[str, object], error: int, status: str, level: str, code: str | None
) -> None:
    assert record(store, event).stored == 1
    (row,) = rows(store)
    assert (row["error"], row["status"], row["loglevel"], row["error_code"]) == (error, status, level, code)


@pytest.mark.parametrize("name", log.TIMES)
def test_a_time_may_have_any_of_its_names(store: Store, name: str) -> None:
    record(store, {name: "2026-03-20T14:03:22.5Z"})
    assert rows(store)[0]["id"] == SECONDS * 1_000_000 + 500_000


def test_a_time_that_no_clock_could_have_is_kept_and_marked(store: Store) -> None:
    now_us = time.time_ns() // 1_000
    assert record(store, {"time": 5}).stored == 1
    (row,) = rows(store)
    assert abs(int(str(row["id"])) - now_us) < 60_000_000
    assert json.loads(str(row["meta"]))["timestamp_suspect"] is True
    assert json.loads(str(row["data"])) == {"time": 5}


@pytest.mark.parametrize(
    ("event", "named"),
    [
        (5, "object"),
        ([], "object"),
        (None, "object"),
        ({"time": "soon"}, "time: 'soon'"),
        ({"epoch": []}, "epoch"),
        ({"loglevel": "loud"}, "loglevel: 'loud'"),
        ({"level": 5}, "level"),
        ({"error": []}, "error"),
        ({"error": 2}, "error"),
        ({"status": "broken"}, "status: 'broken'"),
        ({"src": ["a"]}, "src"),
        ({"session_id": {}}, "session_id"),
        ({"duration_ms": "long"}, "duration_ms: 'long'"),
        ({"context": "elsewhere"}, "context"),
        ({"context_name": 5}, "context_name"),
    ],
)
def test_a_field_that_is_not_its_kind_is_refused_by_index_and_name(store: Store, event: object, named: str) -> None:
    done = record(store, {"message": "good"}, event, {"message": "good"})
    assert done.stored == 2
    assert [index for index, _ in done.refused] == [1]
    assert named in done.refused[0][1]


@pytest.mark.parametrize("text", ["", "{", '{"a": NaN}', '{"a": 1} {}', "[" * 2_000, '{"a":' * 950 + "1" + "}" * 950])
def test_what_is_no_json_is_refused_alone(store: Store, text: str) -> None:
    done = logs.record(store, "default", [text, '{"message": "good"}'], sender="x")
    assert (done.stored, [index for index, _ in done.refused]) == (1, [0])


def test_secrets_reach_neither_column_nor_disk(root: str, store: Store) -> None:
    record(store, {"src": f"a.{TOKEN}", "message": f"use {TOKEN}", "hostname": TOKEN, "password": "hunter2hunter2"})
    for path in Path(root).rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert TOKEN.encode() not in content and b"hunter2" not in content
            assert TOKEN.lower().encode() not in content


def test_equal_events_are_two_unless_they_carry_a_name(store: Store) -> None:
    event = {"time": SECONDS, "message": "tick"}
    assert record(store, event, event).stored == 2
    assert record(store, event).stored == 1
    named = {**event, "uid": "7f"}
    assert (record(store, named, named).stored, record(store, named).known) == (1, 1)
    by_id = {**event, "id": 12}
    assert (record(store, by_id).stored, record(store, by_id).known) == (1, 1)


def test_a_name_alone_does_not_swallow_another_event(store: Store) -> None:
    record(store, {"time": SECONDS, "id": 5, "message": "logged in"})
    assert record(store, {"time": SECONDS, "id": 5, "message": "logged out"}).stored == 1
    assert record(store, {"time": SECONDS + 1, "id": 5, "message": "logged in"}).stored == 1


def test_a_named_event_without_a_time_is_known_again_on_another_day(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(store, {"uid": "x", "message": "m"})
    later_ns = time.time_ns() + 3 * 86_400 * 10**9
    monkeypatch.setattr(clock.time, "time_ns", lambda: later_ns)
    assert record(store, {"uid": "x", "message": "m"}).known == 1
    assert len(rows(store)) == 1


def test_what_a_day_cannot_take_in_time_is_spooled_and_said(root: str, store: Store) -> None:
    key = layout.key_for("default", SECONDS * 1_000_000)
    with FileLock(layout.lock_path(root, key), time.monotonic_ns() + 10**9):
        texts = [json.dumps({"time": SECONDS, "message": "held"}), json.dumps({"message": "today"})]
        done = logs.record(store, "default", texts, sender="x", deadline_ms=20)
    assert done.stored == 1
    assert [index for index, _ in done.spooled] == [0]
    assert root not in done.spooled[0][1]
    assert len(rows(store)) == 1
    assert store.drain_spool().stored == 1
    assert len(rows(store)) == 2


def test_what_nothing_takes_is_refused_and_not_acknowledged(
    root: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(layout.db_path(root, layout.key_for("default", SECONDS * 1_000_000)))
    path.parent.mkdir(parents=True)
    path.write_bytes(b"this is no database" * 500)
    Path(root, "spool").write_text("a file")
    monkeypatch.setattr(spool, "folders", lambda of: [str(Path(of, "spool"))])
    done = record(store, {"time": SECONDS, "message": "m"})
    assert (done.stored, done.spooled, [index for index, _ in done.refused]) == (0, [], [0])


def test_content_is_the_first_that_is_there() -> None:
    assert log.content({"message": "m", "data": 5}) == "m"
    assert log.content({"content": None, "data": {"a": 1}}) == {"a": 1}
    assert log.content({}) is None


def test_a_wrong_field_names_itself() -> None:
    with pytest.raises(BadInput, match="duration_ms"):
        log.normalise({"duration_ms": -1}, "{}")


def test_events_of_more_days_than_a_request_may_have_are_refused_by_name(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "DAYS_MAX", 2)
    events = [{"timestamp": SECONDS + day * 86_400} for day in (0, 1, 2, 1, 0)]
    done = record(store, *events)
    assert done.stored == 4
    ((index, reason),) = done.refused
    assert index == 2 and "send it in parts" in reason
