"""The list of sessions: each once, where an obvious list of all events has it, and with what that adds up to."""

import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyelet_ingest.errors import BadInput
from eyelet_ingest.events import Event
from eyelet_ingest.session_state import ENDED, IDLE, SILENT, WAITING, WORKING, failure_of, prompt_of, state_of
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.sessions import LIVE_US, Listed
from eyelet_ingest.store.store import Store

MIDNIGHT = 1_773_964_800_000_000  # 2026-03-20 00:00 UTC
DAY_US = 86_400_000_000
MINUTE_US = 60_000_000
LATER = MIDNIGHT + 3 * DAY_US

FIELDS = {
    "session_id": st.sampled_from(["", "a", "b", "c", "d"]),
    "hook_type": st.sampled_from(["PreToolUse", "PostToolUse", "UserPromptSubmit", "Stop"]),
    "tool_name": st.sampled_from([None, "Bash", "Edit"]),
    "agent": st.sampled_from(["claude", "codex"]),
    "agent_id": st.sampled_from([None, None, "sub"]),
    "project_dir": st.sampled_from([None, "/x", "/y"]),
    "src": st.sampled_from(["claude.a", "claude.b.c"]),
}
ROWS = st.lists(
    st.tuples(
        st.integers(-DAY_US * 9 // 20, DAY_US * 9 // 20),  # the witnesses of a call are looked for a day around
        st.sampled_from(["work", "home"]),
        st.fixed_dictionaries(FIELDS),
        st.sampled_from(["ok", "pending", "error"]),
        st.sampled_from([None, "t1", "t2", "t3"]),
    ),
    max_size=25,
)
FILTERS = st.builds(
    Filter,
    since_us=st.none() | st.integers(MIDNIGHT - DAY_US // 2, MIDNIGHT + DAY_US // 2),
    until_us=st.none() | st.integers(MIDNIGHT - DAY_US // 2, MIDNIGHT + DAY_US // 2),
    contexts=st.sampled_from([(), ("work",)]),
    tool_name=st.sampled_from([(), ("Bash",)]),
    agent=st.sampled_from([(), ("codex",)]),
    src=st.sampled_from([(), ("claude.b",)]),
    errors=st.booleans(),
)


def everything(store: Store, where: Filter, limit: int = 2) -> list[Listed]:
    """All pages, small ones, so that sessions lie on either side of their borders."""
    found: list[Listed] = []
    after: str | None = None
    for _ in range(1_000):
        page = store.sessions(where, limit=limit, after=after, now_us=LATER)
        assert page.complete
        found += page.rows
        if page.next is None:
            return found
        after = page.next
    raise AssertionError("pages without an end")


def fits(row: dict[str, Any], context: str, where: Filter) -> bool:
    below = row["src"] == "claude.b" or row["src"].startswith("claude.b.")
    return (
        (where.since_us is None or where.since_us <= row["time_us"])
        and (where.until_us is None or row["time_us"] < where.until_us)
        and (not where.contexts or context in where.contexts)
        and (not where.tool_name or row["tool_name"] in where.tool_name)
        and (not where.agent or row["agent"] in where.agent)
        and (not where.src or below)
        and (not where.errors or row["error"] == 1)
    )


@settings(deadline=None, max_examples=60)
@given(rows=ROWS, where=FILTERS)
def test_sessions_are_those_of_a_plain_list(rows: list[Any], where: Filter) -> None:
    kept: dict[int, tuple[dict[str, Any], str]] = {}
    for at, context, fields, status, use_id in rows:
        row = {"time_us": MIDNIGHT + at, "status": status, "error": int(status == "error"), **fields}
        row["tool_use_id"] = use_id if row["tool_name"] else None
        row["tool_name"] = row["tool_name"] if use_id else None
        kept.setdefault(row["time_us"], (row, context))  # ids are unique then, and order is plain
    with Store.in_memory() as store:
        for row, context in kept.values():
            store.append([Event(uid=os.urandom(16), data="{}", **row)], context)
        places: dict[str, int] = {}
        for row, context in kept.values():
            if row["session_id"] and fits(row, context, where):
                places[row["session_id"]] = max(row["time_us"], places.get(row["session_id"], 0))
        expected = sorted(((at, name) for name, at in places.items()), reverse=True)
        found = everything(store, where)
        assert [(one.place_us, one.session_id) for one in found] == expected
        for one in found:
            of_it = [(row, context) for row, context in kept.values() if row["session_id"] == one.session_id]
            times = [row["time_us"] for row, _ in of_it]
            calls = store.calls(Filter(session_id=(one.session_id,)), limit=1_000, now_us=LATER).rows
            facts = one.facts
            assert facts is not None
            assert (facts.first_us, facts.last_us, facts.events) == (min(times), max(times), len(times))
            assert facts.errors == sum(row["error"] for row, _ in of_it)
            assert (facts.calls, facts.failed) == (len(calls), sum(call.error for call in calls))
            assert set(facts.contexts) == {context for _, context in of_it}
            assert set(facts.names["agent"]) == {row["agent"] for row, _ in of_it}
            assert facts.subagents == {row["agent_id"] for row, _ in of_it if row["agent_id"]}
            wrote = [row["time_us"] for row, _ in of_it if row["hook_type"] == "UserPromptSubmit"]
            assert [row["id"] for row in facts.prompts] == sorted(wrote)[:8]


def event(at_us: int, session: str = "s", kind: str = "PostToolUse", data: str = "{}", **fields: Any) -> Event:
    return Event(time_us=at_us, uid=os.urandom(16), session_id=session, hook_type=kind, data=data, **fields)


def test_pages_neither_skip_nor_repeat_while_others_write() -> None:
    with Store.in_memory() as store:
        store.append([event(MIDNIGHT + at * MINUTE_US, f"s{at}") for at in range(5)])
        first = store.sessions(Filter(), limit=2, now_us=LATER)
        store.append([event(LATER + MINUTE_US, "s0"), event(LATER + MINUTE_US, "new")])
        second = store.sessions(Filter(), limit=9, after=first.next, now_us=LATER + 2 * MINUTE_US)
        named = [one.session_id for page in (first, second) for one in page.rows]
        assert named == ["s4", "s3", "s2", "s1", "s0"] and second.next is None


def test_a_call_over_midnight_is_one_call() -> None:
    with Store.in_memory() as store:
        store.append([event(MIDNIGHT - 1, kind="PreToolUse", status="pending", tool_name="Bash", tool_use_id="t")])
        store.append([event(MIDNIGHT + 1, status="error", error=1, tool_name="Bash", tool_use_id="t")])
        (one,) = store.sessions(Filter(since_us=MIDNIGHT), now_us=LATER).rows
        assert one.facts is not None and (one.facts.calls, one.facts.failed, one.facts.events) == (1, 1, 2)


def test_tokens_are_those_of_the_session() -> None:
    said = '{"message": {"id": "m", "usage": {"output_tokens": 7}}, "requestId": "r"}'
    with Store.in_memory() as store:
        store.append([event(MIDNIGHT, "s", "assistant", said, origin="transcript", agent="claude", role="assistant")])
        store.append([event(MIDNIGHT + 1, "other")])
        tokens = {one.session_id: one.tokens for one in store.sessions(Filter(), now_us=LATER).rows}
        assert tokens["s"] is not None and (tokens["s"].output, sum(tokens["s"])) == (7, 7)
        assert tokens["other"] is not None and not any(tokens["other"])
        assert store.sessions(Filter(), tokens=False, now_us=LATER).rows[0].tokens is None


def test_what_there_was_no_time_for_is_said() -> None:
    with Store.in_memory() as store:
        store.append([event(MIDNIGHT)])
        found = store.sessions(Filter(), deadline_ms=0, now_us=LATER)
        assert not found.complete and found.partitions.unasked == 1 and found.rows == []


def test_a_context_that_may_not_be_seen_adds_nothing() -> None:
    with Store.in_memory() as store:
        store.append([event(MIDNIGHT)], "work")
        store.append([event(MIDNIGHT + 1), event(MIDNIGHT + 2, "t")], "home")
        (one,) = store.limited_to(frozenset({"work"})).sessions(Filter(), now_us=LATER).rows
        assert one.facts is not None and (one.facts.events, one.facts.contexts) == (1, ("work",))


@pytest.mark.parametrize("after", ["x", "1~", "1.x~s", "1.2", "²~s", "12345678901234567.1~s"])
def test_a_cursor_that_is_not_ours_is_refused(after: str) -> None:
    with Store.in_memory() as store, pytest.raises(BadInput):
        store.sessions(Filter(), after=after, now_us=LATER)


def test_a_text_chooses_the_sessions_that_have_it() -> None:
    with Store.in_memory() as store:
        store.append([event(MIDNIGHT + at, f"s{at}", data=f'{{"prompt": "word{at}"}}') for at in range(3)])
        assert [one.session_id for one in store.sessions(Filter(text="word1"), now_us=LATER).rows] == ["s1"]


# What a session does


def told(*events: Event, at_us: int = MINUTE_US) -> Any:
    """The state that the last event leaves, `at_us` after it."""
    with Store.in_memory() as store:
        store.append(events)
        last = max(one.time_us for one in events)
        (one,) = store.sessions(Filter(), now_us=last + at_us).rows
        assert one.facts is not None
        return state_of(one.facts.latest, one.facts.last_us, last + at_us)


ASK = '{"tool_input": {"command": "rm -r x"}}'


@pytest.mark.parametrize(
    ("kinds", "state"),
    [
        (["UserPromptSubmit"], WORKING),
        (["PreToolUse", "PostToolUse"], WORKING),
        (["PreToolUse", "PermissionRequest"], WAITING),
        (["PreToolUse", "PermissionRequest", "Notification:permission_prompt"], WAITING),
        (["PreToolUse", "Notification:permission_prompt"], WAITING),
        (["PreToolUse", "PermissionRequest", "PostToolUse"], WORKING),
        (["PostToolUse", "Stop"], IDLE),
        (["Stop", "Notification:idle_prompt"], IDLE),
        (["Stop", "SessionEnd"], ENDED),
        (["SessionEnd", "SessionStart"], WORKING),
        (["afterAgentResponse", "stop"], IDLE),
        (["BeforeAgent", "AfterAgent"], IDLE),
        (["Stop", "system"], IDLE),
    ],
)
def test_the_latest_events_tell_what_a_session_does(kinds: list[str], state: str) -> None:
    events = []
    for at, kind in enumerate(kinds):
        name, _, notice = kind.partition(":")
        status = "pending" if name == "PreToolUse" else "ok"
        tool = "Bash" if "Tool" in name or "Permission" in name else None
        data = f'{{"notification_type": "{notice}", "permission_mode": "default"}}' if notice else ASK
        events.append(event(MIDNIGHT + at, "s", name, data, status=status, tool_name=tool))
    assert told(*events).name == state


def test_an_idle_session_tells_what_it_answered_last() -> None:
    stops = event(MIDNIGHT, "s", "Stop", '{"last_assistant_message": "The lexer borrows now."}')
    idle = event(MIDNIGHT + 9, "s", "Notification", '{"message": "Claude is waiting for your input"}')
    state = told(stops, idle)
    assert (state.name, state.what, state.since_us) == (IDLE, "The lexer borrows now.", MIDNIGHT)


def test_a_question_stays_one_while_a_subagent_goes_on() -> None:
    asks = event(MIDNIGHT, "s", "PermissionRequest", ASK, tool_name="Bash")
    on = event(MIDNIGHT + 5, "s", "PostToolUse", agent_id="sub", tool_name="Read")
    assert (told(asks, on).name, told(asks, on).what) == (WAITING, "rm -r x")


def test_who_is_not_heard_of_is_silent_and_after_long_of_no_interest() -> None:
    one = event(MIDNIGHT, "s", "PostToolUse", tool_name="Bash")
    assert told(one, at_us=16 * MINUTE_US).name == SILENT
    runs = event(MIDNIGHT, "s", "PreToolUse", status="pending", tool_name="Bash")
    assert told(runs, at_us=16 * MINUTE_US).name == WORKING
    assert told(runs, at_us=61 * MINUTE_US).name == SILENT
    assert told(one, at_us=LIVE_US + 1).row is None


def test_the_first_prompt_is_what_a_person_wrote() -> None:
    notes = ['{"isMeta": true, "message": {"content": "x"}}', '{"message": {"content": "<system-reminder>"}}']
    rows = [{"hook_type": "user", "origin": "transcript", "role": "user", "data": data} for data in notes]
    typed = {"hook_type": "UserPromptSubmit", "origin": "hook", "data": '{"prompt": "Mend\\n the lexer"}'}
    rows.append(typed)
    assert prompt_of(rows) == "Mend the lexer"
    long = '{"prompt": "' + "go on " * 1_000 + '"}'
    assert prompt_of([{**typed, "data": long[:4_096]}]).startswith("go on go on")
    assert prompt_of([]) == "" and failure_of([{"error": 0}, {"error": 1, "id": 7}]) == {"error": 1, "id": 7}
