"""How long calls took: as the list of calls has it, by tool and the slowest."""

import os
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from eyelet_ingest.events import Event
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

NOON = 1_774_008_000_000_000  # 2026-03-20 12:00 UTC
MS = 1_000

CALLS = st.lists(
    st.tuples(
        st.sampled_from(["Bash", "Edit", "AskUserQuestion"]),
        st.integers(0, 3_600_000),  # when it was asked, ms
        st.none() | st.integers(0, 60_000),  # how long it took, ms; None where it was not answered
        st.none() | st.integers(0, 60_000),  # and what the answer says of that
    ),
    max_size=12,
)


def stored(store: Store, calls: list[Any]) -> None:
    for at, (tool, asked_ms, took_ms, said_ms) in enumerate(calls):
        shared: dict[str, Any] = {"session_id": "s", "tool_name": tool, "tool_use_id": f"t{at}", "data": "{}"}
        asked_us = NOON + asked_ms * MS
        store.append([Event(time_us=asked_us, uid=os.urandom(16), hook_type="PreToolUse", status="pending", **shared)])
        if took_ms is not None:
            at_us = asked_us + took_ms * MS + 500
            store.append(
                [Event(time_us=at_us, uid=os.urandom(16), hook_type="PostToolUse", duration_ms=said_ms, **shared)]
            )


@settings(deadline=None, max_examples=40)
@given(calls=CALLS)
def test_durations_are_those_of_the_calls(calls: list[Any]) -> None:
    with Store.in_memory() as store:
        stored(store, calls)
        known = [one for one in store.calls(Filter(), limit=1_000).rows if one.duration_ms is not None]
        known = [one for one in known if one.tool_name != "AskUserQuestion"]  # a person's time
        found = store.durations(Filter(), limit=3)
        slowest = sorted((one.duration_ms or 0.0 for one in known), reverse=True)[:3]
        assert [one.ms for one in found.slowest] == slowest
        for took in found.tools:
            values = sorted(one.duration_ms or 0.0 for one in known if one.tool_name == took.tool)
            assert (took.calls, took.p50_ms) == (len(values), values[len(values) // 2])
            assert abs(took.total_ms - sum(values)) < 1e-3
        assert {took.tool for took in found.tools} == {one.tool_name for one in known}
        assert [one.total_ms for one in found.tools] == sorted((one.total_ms for one in found.tools), reverse=True)


def test_the_slowest_call_is_the_event_that_answered_it() -> None:
    with Store.in_memory() as store:
        stored(store, [("Bash", 0, 10, None), ("Edit", 5, 900, None)])
        slow = store.durations(Filter(), limit=1).slowest[0]
        row = store.event(slow.context, slow.id)
        assert row is not None and (row["tool_name"], row["hook_type"]) == ("Edit", "PostToolUse")
        assert not store.durations(Filter(), deadline_ms=0).partitions.complete
