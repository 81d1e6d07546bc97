"""Recordings of Codex and Gemini CLI through the import: each record once, however the file is written."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from eyelet_ingest.pipeline import STILL_US, Ingested, ingest
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store
from tests.sources.test_codex import META, TIME, item, line
from tests.sources.test_gemini import HEAD, TOKENS, message

ROLLOUT = f"rollout-2026-05-31T16-22-08-{META['id']}.jsonl"


def lines(path: Path, records: list[Any]) -> str:
    path.write_text("".join(json.dumps(one) + "\n" for one in records), encoding="utf-8")
    return str(path)


def whole(path: Path, messages: list[Any], **said: Any) -> str:
    path.write_text(json.dumps({**HEAD, **said, "messages": messages}, indent=2), encoding="utf-8")
    return str(path)


def rows(root: str) -> list[dict[str, Any]]:
    with Store(root) as store:
        return store.search(Filter(), oldest_first=True, limit=1000).rows


def counts(done: Ingested) -> tuple[int, int, int]:
    return done.stored, done.duplicates, done.quarantined


def test_a_rollout_that_has_grown_adds_what_is_new(tmp_path: Path, root: str) -> None:
    call = item("function_call", name="exec_command", call_id="c", arguments="{}")
    answer = item("function_call_output", call_id="c", output="Exit code: 1\nWall time: 1 seconds\nOutput:\nno")
    later = {**answer, "timestamp": "2026-05-31T16:22:10.000Z"}
    path = tmp_path / ROLLOUT
    assert counts(ingest([lines(path, [line("session_meta", META), call])], root)) == (2, 0, 0)
    assert counts(ingest([lines(path, [line("session_meta", META), call, later])], root)) == (1, 2, 0)
    last = rows(root)[-1]
    assert (last["tool_name"], last["status"], last["error_code"]) == ("exec_command", "error", "exit:1")
    assert {row["session_id"] for row in rows(root)} == {META["id"]}


def test_a_rollout_keeps_lines_of_tomorrow_and_has_its_session_without_its_head(tmp_path: Path, root: str) -> None:
    unknown = {"timestamp": TIME, "type": "a_line_of_tomorrow", "payload": {"x": 1}}
    records = [item("message", role="user"), unknown, {"timestamp": TIME, "odd": True}]
    assert counts(ingest([lines(tmp_path / ROLLOUT, records)], root)) == (3, 0, 0)
    found = rows(root)
    assert {row["session_id"] for row in found} == {META["id"]}
    assert "a_line_of_tomorrow" in {row["hook_type"] for row in found}


def test_each_message_is_an_event_once_though_its_file_is_written_anew(tmp_path: Path, root: str) -> None:
    path = tmp_path / "session-2026-03-01T10-00-6f1c2c1e.json"
    first, second, third = message(1, "user", content="hi"), message(2), message(3, "user", content="more")
    assert counts(ingest([whole(path, [first, second])], root)) == (2, 0, 0)  # the head and what was asked
    second = {**second, "tokens": TOKENS, "model": "gemini-x"}
    done = ingest([whole(path, [first, second, third], lastUpdated="2026-03-01T11:00:00Z", summary="s")], root)
    assert counts(done) == (2, 2, 0)
    assert counts(ingest([whole(path, [first, second, third])], root)) == (0, 4, 0)
    found = rows(root)
    assert [row["hook_type"] for row in found] == ["session", "user", "gemini", "user"]
    assert json.loads(found[2]["data"]) == second
    assert {row["session_id"] for row in found} == {HEAD["sessionId"]}


def test_a_session_moved_to_lines_is_the_same_session(tmp_path: Path, root: str) -> None:
    messages = [message(1, "user"), message(2, tokens=TOKENS)]
    ingest([whole(tmp_path / "session-1.json", messages)], root)
    moved = [HEAD, *messages, {"$set": {"lastUpdated": "x"}}, message(3, "info", content="on")]
    assert counts(ingest([lines(tmp_path / "session-1.jsonl", moved)], root)) == (1, 3, 0)


def test_what_is_missing_at_the_end_is_taken_as_it_is_once_the_file_is_still(tmp_path: Path, root: str) -> None:
    path = lines(tmp_path / "session-2.jsonl", [HEAD, message(1)])
    assert counts(ingest([path], root)) == (1, 0, 0)
    before_s = os.stat(path).st_mtime - STILL_US / 1e6 - 1
    os.utime(path, (before_s, before_s))
    assert counts(ingest([path], root)) == (1, 1, 0)


def thread(
    name: str, head_s: float, records: list[dict[str, Any]], *inherited: dict[str, Any], **said: Any
) -> list[Any]:
    """A rollout: its head at a second of the day, what it was forked from, and its own lines a second apart."""
    head = {**line("session_meta", {**META, "id": name, **said}), "timestamp": at(head_s)}
    own = [{**one, "timestamp": at(head_s + 2 + n)} for n, one in enumerate(records)]
    return [head, *inherited, *own]


def at(second: float) -> str:
    return f"2026-05-31T16:22:{second:06.3f}Z"


def tokens(total: int, last: int) -> dict[str, Any]:
    sums = {"input_tokens": total, "output_tokens": 0, "cached_input_tokens": 0, "total_tokens": total}
    info = {"total_token_usage": sums, "last_token_usage": {**sums, "input_tokens": last, "total_tokens": last}}
    return line("event_msg", {"type": "token_count", "info": info})


@pytest.mark.parametrize("newest_first", [False, True], ids=["oldest first", "newest first"])
@pytest.mark.parametrize(
    "said", [{"forked_from_id": "parent"}, {"source": {"subagent": "review"}}], ids=["fork", "sub"]
)
@pytest.mark.parametrize("is_verbatim", [True, False], ids=["as they were", "with new times"])
def test_a_forks_copies_are_counted_once(
    tmp_path: Path, root: str, is_verbatim: bool, said: dict[str, Any], newest_first: bool
) -> None:
    call = item("function_call", name="shell", call_id="c", arguments="{}")
    answer = item("function_call_output", call_id="c", output="Exit code: 1\nOutput:\n")
    parent = thread("parent", 1, [call, answer, tokens(5, 5), tokens(12, 7)])
    copies = parent if is_verbatim else [{**one, "timestamp": at(30 + n / 1000)} for n, one in enumerate(parent)]
    fork = thread("fork", 30, [item("message", role="user"), tokens(15, 3)], *copies, **said)
    paths = [lines(tmp_path / "rollout-1.jsonl", parent), lines(tmp_path / "rollout-2.jsonl", fork)]
    for path in reversed(paths) if newest_first else paths:
        ingest([path], root)
    with Store(root) as store:
        assert store.usage(Filter()).tokens.input == 15
        assert [one.session_id for one in store.calls(Filter()).rows] == ["parent"]
        assert store.count(Filter(errors=True)).count == 1
        own = store.search(Filter(session_id=("fork",)), limit=100).rows
    kept = [row for row in own if '"copied"' not in str(row["meta"])]
    assert [row["hook_type"] for row in kept] == ["token_count", "message", "session_meta"]
    assert len(own) - len(kept) == (0 if is_verbatim else len(parent))
