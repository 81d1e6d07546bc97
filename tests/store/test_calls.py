"""Calls: each once wherever its witnesses are, as an obvious list of all events has it, and as the days' views do."""

import json
import os
import re
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyelet_ingest.errors import BadInput
from eyelet_ingest.events import Event
from eyelet_ingest.pipeline import ingest
from eyelet_ingest.store import connect, layout
from eyelet_ingest.store.calls import Call
from eyelet_ingest.store.listing import Listing, Start
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store
from eyelet_ingest.store.sweep import sweep

MakeEvent = Callable[..., Event]
NOON = 1_773_964_800_000_000  # 2026-03-20 00:00 UTC: midnight is where calls are cut in two
DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000
LATER = NOON + 400 * DAY_US


def everything(store: Store, where: Filter = Filter(), **given: Any) -> list[Call]:  # noqa: B008  frozen
    """All pages, small ones, so that calls lie on either side of their borders."""
    found: list[Call] = []
    after: str | None = None
    for _ in range(10_000):
        page = store.calls(where, after=after, now_us=LATER, **{"limit": 2, "cut_chars": 0, **given})
        found += page.rows
        if page.next is None:
            return found
        assert page.next != after
        after = page.next
    raise AssertionError("pages without an end")


def asked(time_us: int, use_id: str | None = "t1", **fields: Any) -> Event:
    data = json.dumps({"tool_input": fields.pop("given", "x")})
    fields = {"hook_type": "PreToolUse", "status": "pending", "tool_name": "Bash", "session_id": "s", **fields}
    return Event(time_us=time_us, uid=os.urandom(16), tool_use_id=use_id, data=data, agent="claude", **fields)


def answered(time_us: int, use_id: str | None = "t1", **fields: Any) -> Event:
    return asked(time_us, use_id, **{"hook_type": "PostToolUse", "status": "ok", **fields})


SHOWN = ("id", "session_id", "tool_use_id", "tool_name", "status", "question_id", "answer_id", "duration_ms", "events")


def views(store: Store) -> list[tuple[object, ...]]:
    """What the days' views say, newest first: of calls that lie in one day."""
    found: list[tuple[object, ...]] = []
    for key in store.catalog.partitions():
        conn = connect.driver().connect(layout.db_path(store.root, key))
        found += conn.execute(f"select {', '.join(SHOWN)} from calls").fetchall()
        conn.close()
    return sorted(found, key=repr, reverse=True)


def as_view(call: Call) -> tuple[object, ...]:
    ids = (call.question["id"] if call.question else None, call.answer["id"] if call.answer else None)
    named = (call.id, call.session_id, call.tool_use_id, call.tool_name, call.status)
    return (*named, *ids, call.duration_ms, call.events)


def test_question_and_answer_are_one_call_across_midnight_contexts_and_roots(tmp_path: Path) -> None:
    other = str(tmp_path / "other")
    with Store(other) as store:
        store.append([answered(NOON + 50_000, hook_type="user", origin="transcript", role="user")], "theirs")
    with Store(str(tmp_path / "mine"), also=[other]) as store:
        store.append([asked(NOON - 1_000_000, model="m")])
        store.append([answered(NOON + 30_000, duration_ms=7.0)], "work")
        (call,) = everything(store)
        assert (call.id, call.context_name, call.root) == (NOON + 50_000, "theirs", other)
        assert (call.status, call.duration_ms, call.events, call.model) == ("ok", 7.0, 3, "m")
        assert call.witnesses == ("hook:PostToolUse", "hook:PreToolUse", "transcript:user")
        assert call.question and call.question["id"] == NOON - 1_000_000
        assert call.answer and call.answer["root"] == other
        (only,) = everything(store, Filter(contexts=("default",)))
        assert (only.status, only.context_name, only.events) == ("unknown", "default", 1)


def test_a_call_is_at_the_latest_of_its_events_that_fits(store: Store) -> None:
    store.append([asked(NOON), answered(NOON + 5), asked(NOON + 2, "t2"), answered(NOON + 9, "t2", status="error")])
    assert [call.id for call in everything(store)] == [NOON + 9, NOON + 5]
    assert [call.id for call in everything(store, oldest_first=True)] == [NOON + 5, NOON + 9]
    assert [call.id for call in everything(store, Filter(hook_type=("PreToolUse",)))] == [NOON + 2, NOON]
    assert [call.id for call in everything(store, Filter(until_us=NOON + 6))] == [NOON + 5, NOON + 2]
    assert [call.status for call in everything(store, Filter(until_us=NOON + 6))] == ["ok", "error"]


def test_a_call_without_an_answer_is_pending_for_an_hour_and_then_unknown(store: Store) -> None:
    store.append([asked(NOON)])
    said = {now: store.calls(Filter(), now_us=NOON + now).rows[0].status for now in (0, HOUR_US, HOUR_US + 1)}
    assert said == {0: "pending", HOUR_US: "pending", HOUR_US + 1: "unknown"}
    store.append([answered(NOON + 9 * DAY_US)])
    (call,) = everything(store)
    assert (call.status, call.id) == ("ok", NOON + 9 * DAY_US)


@pytest.mark.parametrize(
    ("statuses", "resolved"),
    [
        (("ok", "ok"), "ok"),
        (("ok", "error"), "error"),
        (("interrupted", "error"), "interrupted"),
        (("error", "denied", "ok"), "denied"),
    ],
)
def test_of_several_answers_the_worst_counts(store: Store, statuses: tuple[str, ...], resolved: str) -> None:
    store.append([asked(NOON), *(answered(NOON + n + 1, status=status) for n, status in enumerate(statuses))])
    assert [call.status for call in everything(store)] == [resolved]
    assert [row[4] for row in views(store)] == [resolved]


def test_the_status_asked_for_is_the_calls_own(store: Store) -> None:
    store.append([asked(NOON), answered(NOON + 1), asked(NOON + 2, "t2"), asked(NOON + 3, "t3")])
    store.append([answered(NOON + 4, "t3", status="error", meta={"execution": {"error_code": "exit:1"}})])
    found = {
        status: [call.tool_use_id for call in everything(store, Filter(status=(status,)))]
        for status in ("ok", "pending", "unknown", "error", "denied")
    }
    assert found == {"ok": ["t1"], "pending": [], "unknown": ["t2"], "error": ["t3"], "denied": []}
    assert [call.tool_use_id for call in everything(store, Filter(errors=True))] == ["t3"]
    assert [call.tool_use_id for call in everything(store, Filter(error_code=("exit:1",)))] == ["t3"]
    assert everything(store, Filter(error_code=("exit:2",))) == []


def test_a_permission_that_is_asked_for_answers_nothing(store: Store) -> None:
    store.append([asked(NOON), asked(NOON + 1, hook_type="PermissionRequest", status="ok")])
    (call,) = everything(store)
    assert (call.status, call.events) == ("unknown", 2)


def test_a_record_of_several_calls_is_a_witness_of_each(store: Store) -> None:
    calls = [{"id": f"t{n}", "tool": "Read", "phase": "question", "status": "ok"} for n in (1, 2, 3)]
    statuses = ("ok", "error", "denied")
    ended = [{**one, "phase": "answer", "status": status} for one, status in zip(calls, statuses, strict=True)]
    fields: dict[str, Any] = {"origin": "transcript", "status": "ok"}
    store.append([asked(NOON, hook_type="assistant", role="assistant", meta={"calls": calls}, **fields)])
    store.append([asked(NOON + 1_000, hook_type="user", role="user", meta={"calls": ended}, **fields)])
    found = everything(store, limit=1)
    assert [(call.tool_use_id, call.status, call.id) for call in found] == [
        (f"t{n}", status, NOON + 1_000) for n, status in ((1, "ok"), (2, "error"), (3, "denied"))
    ]
    assert sorted(map(as_view, found), key=repr, reverse=True) == views(store)


def test_pre_and_post_without_an_identifier_pair_by_session_tool_and_input_in_order(store: Store) -> None:
    store.append(
        [
            answered(NOON, None),  # its question came before the recorder
            asked(NOON + 1_000, None),
            asked(NOON + 2_000, None),
            answered(NOON + 3_000, None),
            answered(NOON + 5_000, None),
            asked(NOON + 6_000, None, given="y"),
            asked(NOON + 7_000, None, session_id="s2"),
        ]
    )
    found = [(call.question and call.question["id"], call.answer and call.answer["id"]) for call in everything(store)]
    assert found == [
        (NOON + 7_000, None),
        (NOON + 6_000, None),
        (NOON + 2_000, NOON + 5_000),
        (NOON + 1_000, NOON + 3_000),
        (None, NOON),
    ]
    assert sorted(map(as_view, everything(store)), key=repr, reverse=True) == views(store)


def test_where_a_recording_has_no_times_the_nth_answer_belongs_to_the_nth_question(store: Store) -> None:
    timeless = {"meta": {"timestamp_from": "file"}}
    store.append([answered(NOON, None, **timeless), asked(NOON + 1, None, **timeless)])
    (call,) = everything(store)
    assert (call.status, call.duration_ms) == ("ok", None)
    assert [as_view(call)] == views(store)


SESSIONS, IDS = st.sampled_from(["s", "t"]), st.sampled_from(["t1", "t2", None])


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, Event]]:
    """Events of few calls, close to midnight, in two contexts."""
    events = []
    for at in sorted(draw(st.sets(st.integers(-6, 6), min_size=1, max_size=12))):
        use_id = draw(IDS)
        kind = draw(st.sampled_from(["ask", "answer", "fail", "note"] if use_id else ["ask", "answer", "fail"]))
        fields: dict[str, Any] = {"session_id": draw(SESSIONS), "given": draw(st.sampled_from("xy"))}
        if kind == "ask":
            event = asked(NOON + at * 1_000, use_id, **fields)
        elif kind == "note":
            event = answered(NOON + at * 1_000, use_id, hook_type="PermissionRequest", **fields)
        else:
            event = answered(NOON + at * 1_000, use_id, status="ok" if kind == "answer" else "error", **fields)
        events.append((draw(st.sampled_from(["default", "work"])), event))
    return events


def obvious(events: list[tuple[str, Event]]) -> list[tuple[object, ...]]:
    """The calls of these events by going through them in order, newest first."""
    groups: dict[object, list[Event]] = defaultdict(list)
    waiting: dict[object, list[object]] = defaultdict(list)
    for number, (_, event) in enumerate(sorted(events, key=lambda pair: pair[1].time_us)):
        if event.tool_use_id:
            groups[event.session_id, event.tool_use_id].append(event)
            continue
        same = event.session_id, event.data
        if event.status == "pending":
            waiting[same].append(number)
            groups[number].append(event)
        else:
            groups[waiting[same].pop(0) if waiting[same] else number].append(event)
    found = []
    for group in groups.values():
        answers = [one for one in group if one.status != "pending" and one.hook_type != "PermissionRequest"]
        status = (
            "unknown"
            if not answers
            else "error"
            if any(one.error or one.status == "error" for one in answers)
            else "ok"
        )
        found.append((max(one.time_us for one in group), group[0].tool_use_id, status, len(group)))
    return sorted(found, key=lambda one: one[0], reverse=True)


@settings(max_examples=40, deadline=None)
@given(histories(), st.integers(1, 4))
def test_calls_are_those_that_going_through_all_events_finds(events: list[tuple[str, Event]], limit: int) -> None:
    with Store.in_memory() as store:
        store.append_many(events)
        found = everything(store, limit=limit)
        assert [(call.id, call.tool_use_id, call.status, call.events) for call in found] == obvious(events)
        assert everything(store, limit=limit, oldest_first=True) == found[::-1]


@settings(max_examples=40, deadline=None)
@given(histories())
def test_the_view_of_a_day_says_the_same(
    tmp_path_factory: pytest.TempPathFactory, events: list[tuple[str, Event]]
) -> None:
    with Store(str(tmp_path_factory.mktemp("root"))) as store:
        store.append(event for _, event in events if event.time_us >= NOON)
        assert sorted(map(as_view, everything(store)), key=repr, reverse=True) == views(store)


def test_every_call_of_real_transcripts_is_paired_and_its_failure_known(real: Path, root: str) -> None:
    """The files are read once more here, by nothing of ours."""
    asked_for: dict[str, str] = {}
    ended: dict[str, str] = {}
    for path in sorted((real / "transcripts").rglob("*.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            record = json.loads(line)
            content = (record.get("message") or {}).get("content")
            for block in content if isinstance(content, list) else []:
                if block.get("type") == "tool_use":
                    asked_for[block["id"]] = block["name"]
                elif block.get("type") == "tool_result":
                    ended[block["tool_use_id"]] = how_it_ended(block, record.get("toolUseResult"))
    ingest([str(real / "transcripts")], root)
    with Store(root) as store:
        found = {call.tool_use_id: call for call in everything(store, limit=100)}
        assert {use_id: call.status for use_id, call in found.items()} == ended
        assert {use_id: call.tool_name for use_id, call in found.items()} == asked_for
        for call in found.values():
            assert call.question and call.answer and call.duration_ms is not None
        assert {row[2]: row[4] for row in views(store)} == ended
    assert len(ended) > 400
    assert sum(status == "error" for status in ended.values()) > 15
    assert sum(status == "denied" for status in ended.values()) == 3


def how_it_ended(block: dict[str, Any], result: object) -> str:
    said = block.get("content")
    text = said if isinstance(said, str) else "".join(part.get("text", "") for part in said or [])
    if isinstance(result, dict) and result.get("interrupted"):
        return "interrupted"
    if not block.get("is_error"):
        return "ok"
    if "doesn't want to proceed" in text:
        return "denied"
    return "interrupted" if "interrupted by user" in text else "error"


def test_a_page_takes_the_memory_of_a_page_however_often_a_call_was_witnessed(store: Store) -> None:
    import tracemalloc

    store.append([asked(NOON), *(answered(NOON + n) for n in range(1, 5_000))])
    store.calls(Filter(), limit=1)
    tracemalloc.start()
    try:
        (call,) = everything(store, limit=1)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert call.events == 5_000
    assert peak < 3_000_000  # all of them as rows are five times that


def test_a_day_that_cannot_be_read_is_named_and_the_others_give_theirs(store: Store) -> None:
    store.append([asked(NOON), asked(NOON + DAY_US, "t2")])
    path = layout.db_path(store.root, layout.key_for("default", NOON))
    store.release(layout.key_for("default", NOON))
    with open(path, "r+b") as file:
        file.write(b"nothing of a database" * 40)
    page = store.calls(Filter())
    assert [call.tool_use_id for call in page.rows] == ["t2"]
    assert [bad.day for bad in page.partitions.unreadable] == ["2026-03-20"]


def test_a_deadline_that_is_over_leaves_a_cursor_that_goes_on(store: Store) -> None:
    store.append([asked(NOON), asked(NOON + DAY_US, "t2")])
    page = store.calls(Filter(), deadline_ms=0)
    assert page.rows == [] and not page.partitions.complete
    assert [call.tool_use_id for call in store.calls(Filter(), after=page.next).rows] == ["t2", "t1"]


@pytest.mark.parametrize(
    "after", ["x", "1.default~", "1.default~x~1", "~1~1", "1.default~1", "1~1~1", "1.default~0~" + "9" * 19]
)
def test_a_cursor_that_is_none_is_refused(store: Store, after: str) -> None:
    with pytest.raises(BadInput, match="cursor"):
        store.calls(Filter(), after=after)


@pytest.mark.parametrize("where", [Filter(status=("fine",))])
def test_a_status_that_no_call_has_is_refused(store: Store, where: Filter) -> None:
    with pytest.raises(BadInput, match="no such status"):
        store.calls(where)


def test_a_pending_event_reads_as_its_call_ended_and_stays_pending_in_the_store(store: Store) -> None:
    store.append([asked(NOON), asked(NOON + 1, "t2"), asked(NOON + 2, None), answered(NOON + 3, None, status="error")])
    store.append([answered(NOON + DAY_US, status="denied"), asked(NOON + 2 * HOUR_US, "t4"), asked(NOON + 4, None)])
    rows = store.search(Filter(status=("pending",))).rows
    store.resolve(rows, now_us=NOON + HOUR_US + 60_000_000)
    assert [(row["tool_use_id"], row["outcome"]) for row in rows] == [
        ("t4", "pending"),
        (None, "unknown"),
        (None, "error"),
        ("t2", "unknown"),
        ("t1", "denied"),
    ]
    assert {row["status"] for row in rows} == {"pending"}
    others = store.search(Filter(status=("denied",))).rows
    store.resolve(others)
    assert [row["outcome"] for row in others] == ["denied"]


DOCS = (Path(__file__).resolve().parents[2] / "docs" / "calls.md").read_text("utf-8")
DOCUMENTED = [
    sql for block in re.findall(r"```sql\n(.*?)```", DOCS, re.DOTALL) for sql in block.split(";") if sql.strip()
]


@pytest.mark.parametrize("sql", DOCUMENTED)
def test_the_documented_sql_finds_what_it_says(store: Store, sql: str) -> None:
    named = {"session_id": "s-1", "origin": "transcript"}
    store.append([asked(NOON, **named), answered(NOON + 1, status="error", **named), asked(NOON + 2, "t2", **named)])
    conn = connect.driver().connect(layout.db_path(store.root, layout.key_for("default", NOON)))
    rows = conn.execute(sql).fetchall()
    conn.close()
    assert 1 <= len(rows) <= 2


def test_a_condition_on_a_session_is_asked_of_its_index(store: Store) -> None:
    """Not of the whole day: SQLite takes it down into both halves of the view."""
    store.append([asked(NOON), answered(NOON + 1)])
    conn = connect.driver().connect(layout.db_path(store.root, layout.key_for("default", NOON)))
    plan = " / ".join(row[3] for row in conn.execute("explain query plan select * from calls where session_id = 's'"))
    conn.close()
    assert "SCAN hooks" not in plan, plan


@pytest.mark.parametrize("oldest_first", [False, True], ids=["newest first", "oldest first"])
@pytest.mark.parametrize("limit", [1, 7, 100])
def test_every_call_comes_once_while_others_answer_what_is_listed(store: Store, limit: int, oldest_first: bool) -> None:
    ids = [f"t{number}" for number in range(20)]
    store.append(asked(NOON + at * 10, use_id) for at, use_id in enumerate(ids))
    found: list[str | None] = []
    after: str | None = None
    for at in range(25):
        page = store.calls(Filter(), limit=limit, after=after, oldest_first=oldest_first)
        found += [call.tool_use_id for call in page.rows]
        after = page.next
        if after is None:
            break
        answers = [answered(NOON + 5_000 + 100 * at + n, use_id) for n, use_id in enumerate(ids)]
        store.append([*answers, asked(NOON + 5 + at * 10, f"later {at}"), asked(NOON + DAY_US + at, f"new {at}")])
    assert found == (ids if oldest_first else ids[::-1])


def test_what_arrived_in_times_to_come_is_listed_all_the_same(store: Store) -> None:
    store.append([asked(NOON), answered(NOON + 1), asked(NOON + 2, "t2")])
    by_hand(store, "update hooks set arrived = 1 << 61 where tool_use_id = 't2'")
    by_hand(store, "update hooks set arrived = null where status = 'ok'")
    assert [call.tool_use_id for call in everything(store, limit=1)] == ["t2", "t1"]


def by_hand(store: Store, sql: str, *values: object) -> None:
    """Change the day as another program may."""
    conn = connect.driver().connect(layout.db_path(store.root, layout.key_for("default", NOON)), isolation_level=None)
    conn.execute("pragma ignore_check_constraints = 1")
    conn.execute(sql, values)
    conn.close()


def test_a_call_is_found_under_each_name_that_its_witnesses_have_for_the_tool(store: Store) -> None:
    store.append([asked(NOON), answered(NOON + 1, tool_name="run_shell"), asked(NOON + 2, "t2", tool_name="Read")])
    for name in ("Bash", "run_shell"):
        assert [call.tool_use_id for call in everything(store, Filter(tool_name=(name,)))] == ["t1"]


def test_what_is_left_out_of_calls_is_left_out_by_what_they_came_to(store: Store) -> None:
    store.append([asked(NOON), answered(NOON + 1), asked(NOON + 2, "t2", tool_name="Read"), asked(NOON + 3, "t3")])
    failed = {"status": "error", "meta": {"execution": {"error_code": "exit:1"}}}
    store.append([answered(NOON + 4, "t3", tool_name="run_shell", **failed)])
    for left_out, found in {
        ("status", "ok"): ["t3", "t2"],
        ("status", "unknown"): ["t3", "t1"],
        ("errors", "1"): ["t2", "t1"],
        ("error_code", "exit:1"): ["t2", "t1"],
        ("tool_name", "run_shell"): ["t2", "t1"],
        ("tool_name", "Read"): ["t3", "t1"],
        ("hook_type", "PostToolUse"): ["t3", "t2", "t1"],
        ("contexts", "default"): [],
        ("contexts", "other"): ["t3", "t2", "t1"],
    }.items():
        assert [call.tool_use_id for call in everything(store, Filter(without=(left_out,)))] == found, left_out


def test_a_call_is_found_under_its_tool_where_its_record_is_of_several(store: Store) -> None:
    calls = [{"id": f"t{n}", "tool": tool, "phase": "question"} for n, tool in enumerate(("Bash", "Read", "Edit"))]
    store.append([asked(NOON, "t0", origin="transcript", meta={"calls": calls}), asked(NOON + 1, "t9")])
    assert [call.tool_use_id for call in everything(store, Filter(tool_name=("Read", "Edit")))] == ["t1", "t2"]
    assert [call.tool_use_id for call in everything(store, Filter(tool_name=("Bash",)))] == ["t9", "t0"]


@pytest.mark.parametrize("said", [-5.0, float("inf"), 1e300, "slow", b"3"])
def test_a_duration_that_cannot_be_is_not_believed(store: Store, said: object) -> None:
    store.append([asked(NOON), answered(NOON + 3_000)])
    by_hand(store, "update hooks set duration_ms = ? where status = 'ok'", said)
    assert [call.duration_ms for call in everything(store)] == [3.0]
    assert views(store) == [as_view(call) for call in everything(store)]


@pytest.mark.parametrize("use_id", ["", "\0", "\0" + str(NOON), "x" * 1_000_000, "12", "'; --", "\u202e"], ids=repr)
def test_any_identifier_names_a_call_of_its_session(store: Store, use_id: str) -> None:
    store.append([asked(NOON, use_id), answered(NOON + 1, use_id), asked(NOON + 2, None)])
    store.append([asked(NOON + 3, use_id, session_id="t")])
    found = [(call.session_id, call.tool_use_id, call.events) for call in everything(store, limit=1)]
    assert found == [("t", use_id, 1), ("s", None, 1), ("s", use_id, 2)]


SEVERAL = {
    '{"calls": "x"}': ["t1"],
    '{"calls": []}': ["t1"],
    '{"calls": [5, {"id": "a"}]}': ["t1"],
    '{"calls": {"id": "a"}}': ["t1"],
    '{"calls": [{"id": "a"}, "b", 7, null, {"id": 5}, {"id": ["c"]}]}': ["a"],
    '{"calls": [{"id": "a", "tool": 5, "phase": {"a": 1}, "status": [1], "duration_ms": "x"}, {"id": "b"}]}': [
        "b",
        "a",
    ],
    "5": ["t1"],
    "[]": ["t1"],
    "null": ["t1"],
}


@pytest.mark.parametrize("meta", SEVERAL)
def test_a_record_is_of_several_calls_where_it_names_them_and_else_of_its_own(store: Store, meta: str) -> None:
    store.append([asked(NOON, origin="transcript", hook_type="assistant", role="assistant")])
    by_hand(store, "update hooks set meta = ?", meta)
    assert {call.tool_use_id for call in everything(store)} == set(SEVERAL[meta])
    assert {row[2] for row in views(store)} == set(SEVERAL[meta])


def test_an_identifier_that_no_text_can_hold_hides_no_other(store: Store) -> None:
    store.append([asked(NOON, "a", origin="transcript", hook_type="assistant", role="assistant")])
    by_hand(store, "update hooks set meta = ?", '{"calls": [{"id": "a"}, {"id": "\\ud800"}, {"id": "b"}]}')
    assert {call.tool_use_id for call in everything(store)} == {"a", "b"}


@settings(max_examples=20, deadline=None)
@given(
    histories(), st.sampled_from([Filter(), Filter(since_us=NOON), Filter(until_us=NOON), Filter(session_id=("s",))])
)
def test_going_through_the_days_meets_the_calls_that_pages_list(events: list[tuple[str, Event]], where: Filter) -> None:
    with Store.in_memory() as store:
        store.append_many(events)
        store.append([asked(NOON - 3 * DAY_US, "far"), answered(NOON + DAY_US, "far"), asked(NOON - 9 * DAY_US, "old")])
        listed = [(call.session_id, call.tool_use_id, call.status, call.events) for call in everything(store, where)]
        listing = Listing(store.roots, where, None, LATER)
        with listing:
            met = [(*key, fold.status(LATER), fold.events) for key, fold in sweep(listing)]
        assert sorted(met) == sorted(one for one in listed if one[1] is not None)


def test_only_days_around_a_call_are_asked_for_its_witnesses(store: Store) -> None:
    far = 40 * DAY_US
    store.append([asked(NOON), answered(NOON + 1), asked(NOON + far, "t2"), answered(NOON + far + 1, "t2")])
    store.append(asked(NOON + day * DAY_US, f"other {day}", session_id="t") for day in range(40))
    listing = Listing(store.roots, Filter(session_id=("s",)), None, LATER)
    with listing:
        found, _ = listing.found(10, Start(LATER), False)
    assert [key[1] for _, key, _ in found] == ["t2", "t1"]
    assert len(listing.around.scanned) == 4
