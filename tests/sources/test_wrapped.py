"""A payload that somebody's log has put into a record of its own is the event that it is by itself."""

import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from eyelet_ingest.errors import BadInput
from eyelet_ingest.pipeline import ingest
from eyelet_ingest.sources import formats
from eyelet_ingest.sources.hook_records import INSIDE, Wrapped, is_wrapped
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store
from tests.sources.shapes import EXAMPLES, JSON, hold_to_columns

PAYLOAD: dict[str, Any] = {
    "session_id": "s",
    "hook_event_name": "PostToolUse",
    "tool_name": "Bash",
    "tool_use_id": "t",
    "tool_input": {"command": "git push"},
    "tool_response": {"exit_code": 3},
}
AT = "2026-05-01T10:00:00Z"


def test_a_wrapped_payload_is_its_own_event_and_what_is_around_it_stays(tmp_path: Path, root: str) -> None:
    records = [{"timestamp": AT, "app": f"a {name}", name: {**PAYLOAD, "tool_use_id": name}} for name in INSIDE]
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in records), encoding="utf-8")
    done = ingest([str(path)], root)
    assert (done.stored, done.quarantined) == (len(INSIDE), 0)
    with Store(root) as store:
        rows = store.search(Filter(), oldest_first=True).rows
    assert {row["tool_use_id"] for row in rows} == set(INSIDE)
    for row in rows:
        assert (row["hook_type"], row["status"], row["src"]) == (
            "PostToolUse",
            "error",
            "claude.posttooluse.bash.git.push",
        )
        assert json.loads(row["data"]) == {**PAYLOAD, "tool_use_id": row["tool_use_id"]}
        assert json.loads(row["meta"])["recorded"] == {"timestamp": AT, "app": f"a {row['tool_use_id']}"}
        assert int(row["timestamp"]) == 1_777_629_600
    again = ingest([str(path)], root)
    assert (again.stored, again.duplicates) == (0, len(INSIDE))


def test_the_payload_alone_says_what_is_the_same() -> None:
    one, other = ({"timestamp": AT, "host": host, "payload": PAYLOAD} for host in ("a", "b"))
    assert Wrapped().same(one) == Wrapped().same(other) == PAYLOAD


def test_what_is_none_is_not_taken_for_one() -> None:
    others: list[dict[str, Any]] = [
        PAYLOAD,
        {"payload": {"type": "message"}, "type": "response_item"},
        {"data": {"hook_event_name": 5}},
        {"data": "text"},
    ]
    assert not any(is_wrapped(one) for one in others)
    found = formats.of({"type": "response_item", "payload": {"type": "message"}})
    assert found is not None and found.name == "codex"


@settings(max_examples=EXAMPLES)
@given(st.dictionaries(st.sampled_from(INSIDE) | st.text(max_size=4), JSON, max_size=4), JSON)
def test_no_record_raises(record: dict[str, object], inner: object) -> None:
    for one in (record, {**record, "payload": {"hook_event_name": "Stop", "tool_input": inner}}):
        reader = Wrapped()
        reader.time_us(one)
        reader.same(one)
        try:
            hold_to_columns(reader.event(one, "{}"))
        except BadInput:
            continue


def test_a_number_beyond_json_around_a_payload_is_quarantined_and_the_rest_is_read(tmp_path: Path, root: str) -> None:
    inner = '{"session_id": "s", "hook_event_name": "Stop"}'
    lines = [
        f'{{"timestamp": "{AT}", "x": 1e999, "payload": {inner}}}',
        f'{{"timestamp": "{AT}", "x": 1e999, "hook_type": "Stop", "input_data": {inner}}}',
        f'{{"timestamp": "{AT}", "x": 1e999, "hook_type": "Stop", "input_data": {{"session_id": "s"}}}}',
        inner,
    ]
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    done = ingest([str(path)], root)
    assert (done.stored, done.quarantined) == (1, 3)
