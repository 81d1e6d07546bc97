"""One event whole, at an address that stays."""

import json
from typing import Any

import pytest


async def test_an_event_is_shown_whole_with_all_its_columns(site: Any, record: Any, now_us: int) -> None:
    payload = {"tool_name": "Bash", "tool_input": {"command": "make"}, "long": "x" * 10_000 + " the end"}
    [event_id] = record(
        now_us,
        hook_type="PostToolUse",
        tool_name="Bash",
        tool_use_id="toolu_1",
        session_id="s-1",
        hostname="box",
        data=json.dumps(payload),
        meta={"git": {"branch": "main", "commit": "abc123"}},
    )
    answer = await site.get(f"/-/eyelet/event/default/{event_id}")
    assert answer.status_code == 200
    for said in ("the end", "toolu_1", "box", "abc123", "PostToolUse", str(event_id), "← Search", "this session"):
        assert said in answer.text
    found = await site.json(f"/-/eyelet/event/default/{event_id}.json")
    assert found["ok"] is True
    assert found["row"]["data"] == payload
    assert found["row"]["truncated"] is False


@pytest.mark.parametrize(
    "path",
    [
        "default/1",
        "nobody/1",
        "default/abc",
        "default/-1",
        "default/99999999999999999999999999",
        "default/9999999999999999",
        "default/1e5",
        "default/%D9%A1",
        "%2e%2e%2f%2e%2e%2fetc/1",
        "Default/1",
        "%00/1",
        "%ff%fe/1",
    ],
)
async def test_an_unknown_event_is_404_in_both_forms(site: Any, record: Any, now_us: int, path: str) -> None:
    record(now_us)
    answer = await site.get(f"/-/eyelet/event/{path}")
    assert answer.status_code == 404
    beside = await site.get(f"/-/eyelet/event/{path}.json")
    assert beside.status_code == 404
    assert beside.json()["ok"] is False
