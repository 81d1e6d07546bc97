"""A session as a story: what several witnesses say of one thing is told once, in order, whole, and in parts."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyelet_ingest import pipeline
from eyelet_ingest.errors import BadInput
from eyelet_ingest.events import Event
from eyelet_ingest.store import layout
from eyelet_ingest.store import session as sessions
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.session import Choice, page, read_position, signature
from eyelet_ingest.store.steps import Step
from eyelet_ingest.store.store import Store

NOON_US = 1_774_008_000_000_000
SECOND_US = 1_000_000
DAY_US = layout.DAY_US
Make = Callable[..., Event]


def hook(at_us: int, kind: str, make: Make, **fields: Any) -> Event:
    data = fields.pop("data", {})
    fields = {"session_id": "s", "origin": "hook", "agent": "claude", **fields}
    return make(at_us, hook_type=kind, data=json.dumps(data), **fields)


def record(at_us: int, kind: str, make: Make, content: object, **fields: Any) -> Event:
    data = {"type": kind, "message": {"role": kind, "content": content}, **fields.pop("more", {})}
    fields = {"session_id": "s", "origin": "transcript", "agent": "claude", "role": kind, **fields}
    return make(at_us, hook_type=kind, data=json.dumps(data), **fields)


def call(at_us: int, use_id: str, make: Make, **fields: Any) -> list[Event]:
    """A call with its four witnesses, of one second."""
    both: dict[str, Any] = {"tool_name": "Bash", "tool_use_id": use_id, **fields}
    ended: dict[str, Any] = {"status": "ok", **{name: fields[name] for name in ("status", "error") if name in fields}}
    asked = [{"type": "tool_use", "id": use_id, "name": "Bash", "input": {"command": "make"}}]
    got = [{"type": "tool_result", "tool_use_id": use_id, "content": "done"}]
    return [
        record(at_us, "assistant", make, asked, **(both | {"status": "ok", "error": 0})),
        hook(at_us + 1, "PreToolUse", make, **(both | {"status": "pending", "error": 0})),
        hook(at_us + SECOND_US, "PostToolUse", make, **(both | ended)),
        record(at_us + SECOND_US + 1, "user", make, got, **(both | ended)),
    ]


def told(store: Store, **asked: Any) -> list[tuple[str, str]]:
    return [(step.kind, step.gist or step.tool) for step in store.session("s", **asked).steps]


def test_a_prompt_that_hook_and_transcript_have_is_told_once(store: Store, make_event: Make) -> None:
    for at_us in (NOON_US, NOON_US + 10 * SECOND_US):  # twice the same words, by both
        store.append([hook(at_us, "UserPromptSubmit", make_event, data={"prompt": "go on"})])
        store.append([record(at_us + 400_000, "user", make_event, "go  on\n")])
    store.append([record(NOON_US + 20 * SECOND_US, "user", make_event, "go on")])  # a hook missed this one
    found = store.session("s")
    assert [step.gist for step in found.steps] == ["go on"] * 3
    assert [len(step.witnesses) for step in found.steps] == [2, 2, 1]
    assert (found.totals.prompts, found.totals.events) == (3, 5)


def test_prompts_that_name_themselves_are_told_apart_by_their_names(store: Store, make_event: Make) -> None:
    def prompts(name: str, at_us: int) -> list[Event]:
        return [
            hook(at_us, "UserPromptSubmit", make_event, data={"prompt": "go on", "prompt_id": name}),
            record(at_us + SECOND_US, "user", make_event, "go on", more={"promptId": name}),
        ]

    store.append([*prompts("b", NOON_US + SECOND_US // 2), *prompts("a", NOON_US)])
    assert [(step.name, len(step.witnesses)) for step in store.session("s").steps] == [("a", 2), ("b", 2)]


def test_an_answer_that_the_stop_hook_repeats_is_told_once(store: Store, make_event: Make) -> None:
    text = "It is done. " * 40
    store.append([record(NOON_US, "assistant", make_event, [{"type": "text", "text": text}])])
    store.append([hook(NOON_US + SECOND_US, "Stop", make_event, data={"last_assistant_message": text.strip()})])
    store.append([hook(NOON_US + 2 * SECOND_US, "Stop", make_event, data={"last_assistant_message": "Another."})])
    found = store.session("s").steps
    assert [(step.kind, len(step.witnesses)) for step in found] == [("answer", 2), ("answer", 1)]


def test_a_call_is_one_step_whoever_saw_it(store: Store, make_event: Make) -> None:
    store.append(call(NOON_US, "toolu_1", make_event))
    store.append(call(NOON_US + 5 * SECOND_US, "toolu_2", make_event, status="error", error=1))
    found = store.session("s")
    first, second = found.steps
    assert (first.kind, first.tool, first.status, first.tool_use_id) == ("call", "Bash", "ok", "toolu_1")
    assert set(first.witnesses) == {
        *("hook:PreToolUse", "hook:PostToolUse"),
        *("transcript:assistant", "transcript:user"),
    }
    assert (second.status, second.failed) == ("error", True)
    totals = found.totals
    assert (totals.calls, totals.failed, totals.known, totals.caught) == (2, 1, 2, 2)


def test_a_pause_is_when_nothing_happened_and_no_call_ran(store: Store, make_event: Make) -> None:
    asked, answered = call(NOON_US, "t", make_event)[1:3]
    answered.time_us += 600 * SECOND_US
    later = hook(NOON_US + 2_000 * SECOND_US, "Stop", make_event, data={"last_assistant_message": "done"})
    store.append([asked, answered, later])
    found = store.session("s")
    assert found.pauses == [(answered.time_us, later.time_us)]
    assert found.totals.active_us == answered.time_us - asked.time_us


def test_hooks_without_an_identifier_pair_in_order(store: Store, make_event: Make) -> None:
    data = {"tool_input": {"command": "make"}}
    for at, kind in enumerate(("PreToolUse", "PostToolUse", "PreToolUse", "PostToolUse")):
        status = "pending" if kind == "PreToolUse" else "ok"
        store.append([hook(NOON_US + at * SECOND_US, kind, make_event, tool_name="Bash", status=status, data=data)])
    found = store.session("s").steps
    assert [(step.kind, step.status, step.at_us) for step in found] == [
        ("call", "ok", NOON_US),
        ("call", "ok", NOON_US + 2 * SECOND_US),
    ]


def test_a_story_goes_over_days_contexts_and_roots(root: str, tmp_path: Path, make_event: Make) -> None:
    other = str(tmp_path / "other")
    with Store(root, also=[other]) as store, Store(other) as second:
        ask, answer = call(NOON_US, "toolu_1", make_event)[1:3]
        answer.time_us += DAY_US
        store.append([ask], "work")
        store.append([answer], "home")
        second.append([hook(NOON_US + 2 * DAY_US, "UserPromptSubmit", make_event, data={"prompt": "again"})])
        found = store.session("s")
        assert [(step.kind, step.status) for step in found.steps] == [("call", "ok"), ("prompt", "ok")]
        assert found.names["contexts"] == ("default", "home", "work")
        assert len(found.pauses) == 2  # a call of a day waited
        assert store.limited_to(frozenset({"work"})).session("s").totals.events == 1


def test_subagents_hang_on_the_calls_that_started_them(store: Store, make_event: Make) -> None:
    task = {"tool_name": "Task", "tool_use_id": "t1"}
    store.append(
        [
            hook(NOON_US, "PreToolUse", make_event, status="pending", **task),
            hook(NOON_US + 1, "SubagentStart", make_event, agent_id="a", data={"agent_type": "Explore"}),
            *call(NOON_US + SECOND_US, "inner", make_event, agent_id="a"),
            hook(NOON_US + 3 * SECOND_US, "SubagentStart", make_event, agent_id="c"),
            hook(
                NOON_US + 9 * SECOND_US,
                "PostToolUse",
                make_event,
                **task,
                status="ok",
                data={"tool_response": {"agentId": "a"}},
            ),
        ]
    )
    found = store.session("s")
    assert found.agents["a"].call.startswith(f"{NOON_US}-")
    assert (found.agents["a"].name, found.agents["a"].calls, found.agents["a"].parent) == ("Explore", 1, "")
    main = [step for step in found.steps if Choice().has(step)]
    assert [(step.kind, step.child) for step in main] == [("call", "a"), ("subagent", "c")]
    assert len([step for step in found.steps if Choice(agent="a").has(step)]) == 2
    assert len([step for step in found.steps if Choice(agent=None).has(step)]) == len(found.steps)


def test_subagents_that_say_they_started_each_other_end_no_question(store: Store, make_event: Make) -> None:
    for mine, theirs in (("a", "b"), ("b", "a")):
        fields = {"tool_name": "Task", "tool_use_id": mine, "agent_id": mine}
        data = {"tool_response": {"agentId": theirs}}
        store.append([hook(NOON_US, "PostToolUse", make_event, status="ok", data=data, **fields)])
    agents = store.session("s").agents
    parents = [agents["a"].parent, agents["b"].parent]
    assert "" in parents


def test_what_failed_beside_calls_is_an_error_of_its_own(store: Store, make_event: Make) -> None:
    store.append([hook(NOON_US, "StopFailure", make_event, status="error", error=1, data={"error": "rate_limit"})])
    found = store.session("s")
    assert [(step.kind, step.failed, step.gist) for step in found.steps] == [("error", True, "rate_limit")]
    assert (found.totals.errors, found.totals.failed) == (1, 0)


def test_compactions_and_questions_for_leave_are_told_once_each(store: Store, make_event: Make) -> None:
    store.append(
        [
            hook(NOON_US, "PreCompact", make_event, data={"trigger": "auto"}),
            record(NOON_US + SECOND_US, "user", make_event, "so far", more={"isCompactSummary": True}),
            hook(NOON_US + 20 * SECOND_US, "PermissionRequest", make_event, tool_name="Bash"),
            hook(
                NOON_US + 21 * SECOND_US,
                "Notification",
                make_event,
                data={"message": "needs your permission", "notification_type": "permission_prompt"},
            ),
        ]
    )
    assert told(store) == [("compaction", "so far"), ("permission", "needs your permission")]


def test_files_are_listed_by_how_often_they_were_changed(store: Store, make_event: Make) -> None:
    for at, (tool, path) in enumerate([("Read", "/w/a"), ("Edit", "/w/b"), ("Edit", "/w/b"), ("Bash", "/w/c")]):
        data = {"tool_input": {"file_path": path}}
        fields = {"tool_name": tool, "tool_use_id": str(at), "status": "ok"}
        store.append([hook(NOON_US + at, "PostToolUse", make_event, data=data, **fields)])
    found = store.session("s")
    assert [(one.path, one.writes, one.reads) for one in found.files] == [("/w/b", 2, 0), ("/w/a", 0, 1)]
    assert [step.tool for step in found.steps if Choice(file="/w/b").has(step)] == ["Edit", "Edit"]


@settings(max_examples=25, deadline=None)
@given(
    moments=st.lists(st.integers(0, 5), min_size=1, max_size=30),
    size=st.integers(1, 7),
)
def test_the_parts_of_a_story_are_the_story(moments: list[int], size: int) -> None:
    steps = [
        Step(at_us=us, nth=0, root=0, context="c-1", kind="note", status="ok", last_us=us, row=None)  # type: ignore[arg-type]
        for us in sorted(moments)
    ]
    for nth, step in enumerate(steps):
        step.nth = nth
    steps.sort(key=lambda step: step.position)
    forward: list[Step] = []
    after = ""
    while True:
        part = page(steps, size, after=after)
        forward += part.steps
        if not part.after:
            break
        after = part.steps[-1].key
    assert forward == steps
    last = page(steps, size, after=steps[-1].key)
    assert (last.steps, last.after) == ([], False)
    backward, before = [steps[-1]], steps[-1].key
    while (part := page(steps, size, before=before)).steps:
        backward = part.steps + backward
        before = part.steps[0].key
    assert backward == steps
    middle = steps[len(steps) // 2]
    assert middle in page(steps, size + 3, at=middle.key).steps
    assert read_position(middle.key) == middle.position


@pytest.mark.parametrize("said", ["", "x", "1-2", "1-2-3", "1-2-x-c", "-1-0-0-c", "9" * 30 + "-0-0-c", "\u0661-0-0-c"])
def test_a_place_that_is_none_is_refused(said: str) -> None:
    with pytest.raises(BadInput):
        read_position(said)


def test_a_day_that_cannot_be_read_is_named_and_the_others_are_told(store: Store, make_event: Make) -> None:
    for day in range(2):
        store.append([hook(NOON_US + day * DAY_US, "UserPromptSubmit", make_event, data={"prompt": f"day {day}"})])
    path = Path(layout.db_path(store.root, layout.key_for("default", NOON_US)))
    store.release(layout.key_for("default", NOON_US))
    path.write_bytes(b"not a database" * 100)
    found = store.session("s")
    assert [step.gist for step in found.steps] == ["day 1"]
    assert [bad.day for bad in found.partitions.unreadable] == ["2026-03-20"]


def test_more_events_than_are_told_at_once_are_said(
    store: Store, make_event: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "EVENTS_MOST", 5)
    store.append(
        [hook(NOON_US + at, "UserPromptSubmit", make_event, data={"prompt": f"number {at}"}) for at in range(8)]
    )
    found = store.session("s")
    assert (found.is_cut, found.totals.events, found.steps[-1].gist) == (True, 5, "number 4")
    later = store.session("s", since_us=NOON_US + 5)
    assert (later.is_cut, [step.gist for step in later.steps]) == (False, ["number 5", "number 6", "number 7"])


@pytest.mark.parametrize(("days", "events"), [(1, 6), (2, 3), (3, 2)])
def test_a_session_of_just_as_many_events_as_are_told_is_whole(
    store: Store, make_event: Make, monkeypatch: pytest.MonkeyPatch, days: int, events: int
) -> None:
    monkeypatch.setattr(sessions, "EVENTS_MOST", 6)
    for day in range(days):
        store.append([hook(NOON_US + day * DAY_US + at, "Stop", make_event) for at in range(events)])
    store.append([hook(NOON_US + day * DAY_US, "Stop", make_event, session_id="another") for day in range(5)])
    found = store.session("s")
    assert (found.is_cut, found.totals.events, found.partitions.complete) == (False, 6, True)
    store.append([hook(NOON_US + 4 * DAY_US, "Stop", make_event)])
    found = store.session("s")
    assert (found.is_cut, found.totals.events) == (True, 6)


def test_a_session_that_is_not_there_has_no_steps_and_a_blank_one_is_refused(store: Store, make_event: Make) -> None:
    store.append([hook(NOON_US, "Stop", make_event)])
    assert store.session("nobody").steps == []
    with pytest.raises(BadInput):
        store.session("  ")


def test_the_signature_changes_with_every_write(store: Store, make_event: Make, monkeypatch: Any) -> None:
    monkeypatch.setattr(sessions, "SETTLED_NS", -(10**18))
    store.append([hook(NOON_US, "Stop", make_event)])
    before = signature(store.roots)
    assert before is not None and signature(store.roots) == before
    store.append([hook(NOON_US + 1, "Stop", make_event)])
    assert signature(store.roots) != before
    monkeypatch.setattr(sessions, "SETTLED_NS", 10**18)
    assert signature(store.roots) is None, "what changed a moment ago may change again unseen"


def test_every_event_of_real_recordings_has_its_place(tmp_path: Path, real: Path) -> None:
    root = str(tmp_path / "real")
    pipeline.ingest([str(real / "transcripts"), str(real / "hooks" / "jcode.jsonl")], root)
    with Store(root) as store:
        names = {str(row["session_id"]) for row in store.export(Filter())} - {""}
        for name in names:
            found = store.session(name)
            assert found.totals.events == store.count(Filter(session_id=(name,))).count
            assert [step.position for step in found.steps] == sorted({step.position for step in found.steps})
            calls = store.calls(Filter(session_id=(name,)), limit=10_000).rows
            assert found.totals.calls == len(calls)
            assert sorted(one.status for one in calls) == sorted(
                step.status for step in found.steps if step.kind == "call"
            )


def test_an_event_that_only_notes_a_call_is_counted_as_saying_nothing(store: Store, make_event: Make) -> None:
    """Of a call whose question and answer nobody recorded; beside it a whole one with a note of its own."""
    for use_id, at_us in (("lost", NOON_US), ("whole", NOON_US + SECOND_US)):
        named = {"tool_name": "Bash", "tool_use_id": use_id, "status": "ok", "origin": "transcript"}
        store.append([hook(at_us, "progress", make_event, **named, data={"type": "progress"})])
    store.append(call(NOON_US + SECOND_US + 1, "whole", make_event))
    found = store.session("s")
    assert [step.tool_use_id for step in found.steps] == ["whole"]
    assert (found.totals.events, found.totals.quiet) == (6, 1)
