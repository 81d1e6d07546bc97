"""`/-/eyelet.json`: the same search for programs, in exactly the shape that is documented."""

import json
from typing import Any

import pytest

from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

ALL = "/-/eyelet.json?range=all"
DEEP = "[" * 800 + "]" * 800


async def test_the_answer_has_exactly_the_documented_members(site: Any, record: Any, now_us: int) -> None:
    record(now_us)
    found = await site.json(ALL)
    assert list(found) == ["ok", "rows", "next", "partitions", "elapsed_ms"]
    assert found["ok"] is True
    assert list(found["partitions"]) == ["scanned", "skipped", "unreadable"]
    assert found["next"] is None
    assert isinstance(found["elapsed_ms"], (int, float))


async def test_a_row_has_every_column_with_data_and_meta_parsed(
    site: Any, store: Store, record: Any, now_us: int
) -> None:
    record(
        now_us,
        hook_type="PostToolUse",
        tool_name="Bash",
        session_id="s",
        data='{"a": [1, 2.50, "ü"], "b": null}',
        meta={"git": {"branch": "main"}},
    )
    [row] = (await site.json(ALL))["rows"]
    [stored] = store.search(Filter()).rows
    assert set(row) == {*stored, "outcome", "truncated", "links"}
    assert row["data"] == {"a": [1, 2.5, "ü"], "b": None}
    assert row["meta"]["git"] == {"branch": "main"}
    assert row["truncated"] is False
    assert row["context_name"] == "default"
    assert row["git_branch"] == "main"
    assert row["id"] == stored["id"] and row["uid"] == stored["uid"]


async def test_long_data_is_a_cut_string_unless_full_is_asked_for(site: Any, record: Any, now_us: int) -> None:
    payload = json.dumps({"prompt": "x" * 10_000})
    record(now_us, data=payload)
    [cut] = (await site.json(ALL))["rows"]
    assert (cut["data"], cut["truncated"], cut["data_chars"]) == (payload[:4_096], True, len(payload))
    [full] = (await site.json(ALL + "&full=1"))["rows"]
    assert (full["data"], full["truncated"]) == (json.loads(payload), False)


async def test_long_meta_is_cut_likewise(site: Any, record: Any, now_us: int) -> None:
    record(now_us, meta={"custom": "y" * 10_000})
    [cut] = (await site.json(ALL))["rows"]
    assert isinstance(cut["meta"], str) and len(cut["meta"]) == 4_096 and cut["truncated"] is True
    [full] = (await site.json(ALL + "&full=1"))["rows"]
    assert full["meta"]["custom"] == "y" * 10_000


@pytest.mark.parametrize("data", [DEEP, '{"n": 123456789012345678901234567890}', '{"n": 1e999}', '"\\ud800"', "null"])
async def test_whatever_sqlite_holds_as_json_comes_out_as_it_is(site: Any, record: Any, now_us: int, data: str) -> None:
    record(now_us, data=data)
    answer = await site.get(ALL)
    assert answer.status_code == 200
    assert f'"data": {data}' in answer.text


async def test_pages_by_next_give_every_row_once(site: Any, store: Store, record: Any, noon_us: int) -> None:
    record(*range(noon_us, noon_us + 25))
    seen: list[int] = []
    path = ALL + "&_size=10"
    while path:
        found = await site.json(path)
        seen += [row["id"] for row in found["rows"]]
        path = f"{ALL}&_size=10&_next={found['next']}" if found["next"] else ""
    assert seen == [row["id"] for row in store.search(Filter(), limit=1_000).rows]


async def test_pages_of_a_moving_range_do_not_move(site: Any, record: Any, now_us: int) -> None:
    """What arrives between two pages, and what leaves the last quarter of an hour meanwhile, changes neither."""
    ids = record(*range(now_us - 20, now_us))
    first = await site.json("/-/eyelet.json?range=15m&_size=10")
    record(now_us + 1_000)
    second = await site.json(f"/-/eyelet.json?range=15m&_size=10&_next={first['next']}")
    assert [row["id"] for row in first["rows"] + second["rows"]] == sorted(ids, reverse=True)
    assert second["next"] is None


async def test_the_page_and_the_json_agree_on_an_empty_today(site: Any, record: Any, noon_us: int) -> None:
    record(*range(noon_us, noon_us + 5))
    first = await site.json("/-/eyelet.json?_size=3")
    assert len(first["rows"]) == 3
    second = await site.json(f"/-/eyelet.json?_size=3&_next={first['next']}")
    assert len(second["rows"]) == 2 and second["next"] is None


@pytest.mark.parametrize(
    "query",
    [
        "_size=1001",
        "_size=1e9",
        "_size=abc",
        "_next=forged",
        "_next=1.",
        "_next=1.../../etc",
        "_next=w1-2.forged",
        "_next=" + "9" * 5_000,
        "range=nope",
        "from=2026-03-02&to=2026-03-01",
        "from=%00",
        "tz=Nowhere",
        "errors=x",
        "status=fine",
        "unknown=1",
        "&&&===",
        "%00=%00",
        "Tool=Bash",
        "type=" + "&type=".join(str(number) for number in range(300)),
    ],
)
async def test_wrong_input_is_400_with_the_reason(site: Any, record: Any, now_us: int, query: str) -> None:
    record(now_us)
    answer = await site.get(f"/-/eyelet.json?{query}")
    assert answer.status_code == 400
    assert answer.json()["ok"] is False
    assert len(answer.json()["error"]) > 15
    beside = await site.get(f"/-/eyelet?{query}")
    assert beside.status_code == 400
    assert beside.text.count('role="alert"') == 1
    assert "<form action=" in beside.text


@pytest.mark.parametrize(
    "query",
    [
        "q=%00%ff%fe&range=all",
        "context=../../etc&range=all",
        "context=" + "x" * 3_000,
        "src=%25_%27%22&range=all",
        "q=%25&range=all",
        "session=%ed%a0%80",
        "type=" + "&type=".join(str(number) for number in range(200)),
        "from=1970-01-01&to=2254",
        "_shape=array",
        "full=0&_size=1&_labels=on",
    ],
)
async def test_odd_input_that_means_something_is_answered(site: Any, record: Any, now_us: int, query: str) -> None:
    record(now_us)
    for path in ("/-/eyelet", "/-/eyelet.json"):
        assert (await site.get(f"{path}?{query}")).status_code == 200


@pytest.mark.parametrize(
    ("query", "meant"),
    [
        ("sesion=zzz", "session"),
        ("since=6h", "from"),
        ("until=today", "to"),
        ("hook_type=Stop", "type"),
        ("tool_name=Bash", "tool"),
        ("limit=5", "_size"),
        ("text=x", "q"),
    ],
)
@pytest.mark.parametrize("path", ["/-/eyelet", "/-/eyelet.json"])
async def test_a_parameter_that_is_none_is_refused_with_the_nearest_that_is(
    site: Any, record: Any, now_us: int, path: str, query: str, meant: str
) -> None:
    record(now_us)
    answer = await site.get(f"{path}?{query}")
    assert answer.status_code == 400
    assert query.partition("=")[0] in answer.text
    assert f"did you mean {meant}?" in answer.text


async def test_a_status_that_is_none_is_refused_with_those_there_are(site: Any) -> None:
    answer = await site.get("/-/eyelet.json?status=failed")
    assert answer.status_code == 400
    assert "failed" in answer.json()["error"]
    for status in ("pending", "ok", "error", "denied", "interrupted"):
        assert status in answer.json()["error"]


async def test_rows_calls_lists_each_call_once_with_what_it_adds_up_to(site: Any, record: Any, now_us: int) -> None:
    common = {"session_id": "s", "tool_name": "Bash", "tool_use_id": "t1"}
    data = '{"tool_input": {"command": "make"}}'
    record(now_us - 9, hook_type="PreToolUse", status="pending", data=data, **common)
    record(now_us - 5, hook_type="PostToolUse", status="error", error=1, data=data, **common)
    record(now_us - 3, hook_type="Notification")
    found = await site.json(f"{ALL}&rows=calls&_size=1")
    assert [(row["hook_type"], row["call"]) for row in found["rows"]] == [("Notification", None)]
    [row] = (await site.json(f"{ALL}&rows=calls&_size=1&_next={found['next']}"))["rows"]
    assert (row["said"], row["outcome"], row["data"]) == ("make", "error", {"tool_input": {"command": "make"}})
    call = row["call"]
    assert (call["status"], call["events"], call["tool_use_id"]) == ("error", 2, "t1")
    assert call["question"] == {"context_name": "default", "id": now_us - 9}
    assert (await site.json(f"{ALL}&rows=calls&status=unknown"))["rows"] == []
    assert len((await site.json(f"{ALL}&rows=events"))["rows"]) == 3
    assert (await site.get(f"{ALL}&rows=lines")).status_code == 400
