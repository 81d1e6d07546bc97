"""Cursor's transcripts become events: the table of docs/events.md, the import, and any JSON at all."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyelet_ingest.pipeline import ingest
from eyelet_ingest.sources import cursor_transcripts, formats
from eyelet_ingest.sources.cursor_transcripts import Conversation
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store
from tests.sources.shapes import EXAMPLES, JSON, hold_to_columns, hold_to_table, said, table

SESSION = "4113a71f-0c4e-4b1c-9c2b-2f1f6f1c9a01"
LINES: list[dict[str, Any]] = [
    {"role": "user", "message": {"content": [{"type": "text", "text": "list"}]}},
    {"role": "assistant", "message": {"content": [{"type": "tool_use", "name": "Shell", "input": {"command": "ls"}}]}},
    {"role": "user", "message": {"content": "list"}},
    {"role": "user", "message": {"content": "list"}},
    {"type": "turn_ended", "status": "success"},
]


@pytest.mark.parametrize("line", table("Cursor transcripts"), ids=lambda line: f"{line['event']} {line['says'][:60]}")
def test_a_line_is_what_the_table_says(line: dict[str, str]) -> None:
    record = said(line)
    found = formats.of(record)
    assert found is not None and found.name == "cursor"
    event = Conversation().event(record, "{}")
    assert (event.hook_type, event.origin, event.agent) == (line["event"], "transcript", "cursor")
    hold_to_table(event, line)


def test_a_conversation_that_has_grown_adds_what_is_new_under_the_files_name(tmp_path: Path, root: str) -> None:
    path = tmp_path / f"{SESSION}.jsonl"
    for count, stored in ((3, 3), (5, 2), (5, 0)):
        path.write_text("".join(json.dumps(one) + "\n" for one in LINES[:count]), encoding="utf-8")
        done = ingest([str(path)], root)
        assert (done.read, done.stored, done.quarantined) == (count, stored, 0)
    with Store(root) as store:
        rows = store.search(Filter(), oldest_first=True).rows
    assert {row["session_id"] for row in rows} == {SESSION}
    assert [row["tool_name"] for row in rows] == [None, "Shell", None, None, None]


def test_what_others_write_is_not_cursors() -> None:
    others: list[dict[str, Any]] = [
        {"type": "user", "role": "user", "message": {"content": "x"}},
        {"role": "user", "message": "text"},
        {"role": "tool", "message": {"content": "x"}},
        {"type": "turn_ended"},
    ]
    assert not any(cursor_transcripts.recognises(one) for one in others)
    claude = formats.of({"role": "user", "message": {"content": "x"}, "uuid": "u", "sessionId": "s"})
    assert claude is not None and claude.name == "claude"


@settings(max_examples=EXAMPLES)
@given(st.dictionaries(st.sampled_from(["type", "role", "message", "status", "error"]), JSON, max_size=5), JSON, JSON)
def test_no_line_raises(record: dict[str, object], content: object, block: dict[str, object]) -> None:
    for one in (record, {"role": "user", "message": {"content": content}}, {**record, "type": "turn_ended"}):
        cursor_transcripts.recognises(one)
        hold_to_columns(Conversation().event(one, "{}"))
    blocks = [{"type": kind, "name": block, "id": block, "content": block} for kind in ("tool_use", "tool_result")]
    hold_to_columns(Conversation().event({"role": "user", "message": {"content": blocks}}, "{}"))
