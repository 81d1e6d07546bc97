"""Entries: each call once and every other event, as going through all events in order finds them."""

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyelet_ingest.errors import BadInput
from eyelet_ingest.events import Event
from eyelet_ingest.pipeline import ingest
from eyelet_ingest.store import layout
from eyelet_ingest.store.entries import Entry
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

NOON = 1_773_964_800_000_000  # 2026-03-20 00:00 UTC: midnight is where calls are cut in two
DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000
LATER = NOON + 400 * DAY_US
FAILED = ("error", "interrupted", "denied")

Seen = tuple[int, str, str | None, str, int]  # id, context, tool_use_id, status, events of the call


def everything(store: Store, where: Filter = Filter(), **given: Any) -> list[Entry]:  # noqa: B008  frozen
    """All pages, small ones, so that calls lie on either side of their borders."""
    found: list[Entry] = []
    after: str | None = None
    for _ in range(10_000):
        page = store.entries(where, after=after, now_us=LATER, **{"limit": 2, "cut_chars": 200, **given})
        found += page.rows
        if page.next is None:
            return found
        assert page.next != after
        after = page.next
    raise AssertionError("pages without an end")


_numbers = iter(range(1, 10**9))


def event(time_us: int, use_id: str | None = "t1", **fields: Any) -> Event:
    """A question of a call; with other fields any event."""
    data = json.dumps({"tool_input": {"command": fields.pop("given", "x")}, "text": fields.pop("text", "")})
    common = {"hook_type": "PreToolUse", "status": "pending", "tool_name": "Bash", "session_id": "s", "origin": "hook"}
    uid = next(_numbers).to_bytes(16, "big")
    common["agent"] = "claude"
    return Event(time_us=time_us, uid=uid, tool_use_id=use_id, data=data, **{**common, **fields})


def answer(time_us: int, use_id: str | None = "t1", **fields: Any) -> Event:
    return event(time_us, use_id, **{"hook_type": "PostToolUse", "status": "ok", **fields})


def note(time_us: int, **fields: Any) -> Event:
    """An event of no call."""
    return event(time_us, None, **{"hook_type": "Notification", "status": "ok", "tool_name": None, **fields})


def seen(entry: Entry) -> Seen:
    row, call = entry.row, entry.call
    status = call.status if call else str(row["outcome"])
    use_id = call.tool_use_id if call else None
    return int(str(row["id"])), str(row["context_name"]), use_id, status, call.events if call else 0


def test_a_call_is_one_line_at_its_latest_witness_among_the_events_of_none(store: Store) -> None:
    store.append([note(NOON), event(NOON + 1), answer(NOON + 5, duration_ms=3.0), note(NOON + 3)])
    store.append([answer(NOON + 9, origin="transcript", hook_type="user", role="user")], "work")
    found = everything(store)
    assert [seen(entry)[:4] for entry in found] == [
        (NOON + 9, "work", "t1", "ok"),
        (NOON + 3, "default", None, "ok"),
        (NOON, "default", None, "ok"),
    ]
    call = found[0].call
    assert call and call.witnesses == ("hook:PostToolUse", "hook:PreToolUse", "transcript:user")
    assert (call.duration_ms, call.question, call.answer) == (3.0, ("default", NOON + 1, ""), ("work", NOON + 9, ""))
    assert [entry.row["id"] for entry in everything(store, oldest_first=True)] == [NOON, NOON + 3, NOON + 9]


def test_an_entry_says_what_the_question_asked_wherever_it_stands(store: Store) -> None:
    store.append([event(NOON, given="git push")])
    said = {"hook_type": "user", "origin": "transcript", "role": "user"}
    refused = answer(NOON + 5, status="error", error=1, **said)
    refused.data = json.dumps({"message": {"content": [{"type": "tool_result", "content": "rejected by the server"}]}})
    store.append([refused])
    assert [entry.said for entry in everything(store)] == ["git push — rejected by the server"]


def test_a_row_is_as_a_search_gives_it(store: Store) -> None:
    store.append([note(NOON), event(NOON + 1), answer(NOON + 2)])
    by_id = {row["id"]: row for row in store.search(Filter(), cut_chars=30).rows}
    for entry in everything(store, cut_chars=30):
        outcome = entry.row.pop("outcome")
        assert entry.row == by_id[entry.row["id"]]
        assert outcome == entry.row["status"]


def test_a_record_of_several_calls_is_a_line_of_each(store: Store) -> None:
    calls = [{"id": f"t{n}", "tool": "Read", "phase": "question", "status": "ok"} for n in (1, 2)]
    ended = [{**one, "phase": "answer", "status": how} for one, how in zip(calls, ("ok", "error"), strict=True)]
    fields: dict[str, Any] = {"origin": "transcript", "status": "ok", "tool_name": "Read"}
    store.append([event(NOON, hook_type="assistant", role="assistant", meta={"calls": calls}, **fields)])
    last = {**fields, "status": "error", "error": 1}
    store.append([event(NOON + 9, hook_type="user", role="user", meta={"calls": ended}, **last)])
    found = everything(store, limit=1)
    assert [seen(entry)[:4] for entry in found] == [
        (NOON + 9, "default", "t1", "ok"),
        (NOON + 9, "default", "t2", "error"),
    ]
    assert len({entry.key for entry in everything(store, limit=10)}) == 2
    for where in (Filter(errors=True), Filter(status=("error",)), Filter(without=(("status", "ok"),))):
        assert [seen(entry)[2] for entry in everything(store, where)] == ["t2"]
    assert everything(store, Filter(without=(("tool_name", "Read"),))) == []


KINDS = st.sampled_from(["ask", "answer", "fail", "note", "told", "asked", "other"])


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, Event]]:
    """Events of few calls and of none, close to midnight, in two contexts."""
    events = []
    for at in sorted(draw(st.sets(st.integers(-6, 6), min_size=1, max_size=12))):
        time_us, kind = NOON + at * 1_000, draw(KINDS)
        use_id = draw(st.sampled_from(["t1", "t2", None]))
        fields: dict[str, Any] = {
            "session_id": draw(st.sampled_from(["s", "t"])),
            "given": draw(st.sampled_from("xy")),
            "tool_name": draw(st.sampled_from(["Bash", "Read"])),
            "src": draw(st.sampled_from(["a.b", "a.c"])),
        }
        failed = {"status": "error", "error": 1, "meta": {"execution": {"error_code": "exit:1"}}}
        if kind in ("told", "asked"):
            role = {"hook_type": "user", "role": "user"} if kind == "told" else {"role": "assistant"}
            fields |= {"hook_type": "assistant", "origin": "transcript", "status": "ok", "model": "m", **role}
            one = event(time_us, use_id, **fields)
        elif kind == "ask":
            one = event(time_us, use_id, **fields)
        elif kind == "other":
            one = note(time_us, **fields | {"tool_name": None}, **draw(st.sampled_from([{}, failed])))
        elif kind == "note":
            one = answer(time_us, use_id or "t1", hook_type="PermissionRequest", **fields)
        else:
            one = answer(time_us, use_id, **(fields | (failed if kind == "fail" else {})))
        events.append((draw(st.sampled_from(["default", "work"])), one))
    return events


@dataclass
class Line:
    """What the list should have: the event it stands at, and the events of its call."""

    events: list[tuple[str, Event]]
    is_call: bool

    @property
    def status(self) -> str:
        if not self.is_call:
            return str(self.events[0][1].status)
        answers = [one.status for _, one in self.events if is_answer(one)]
        return "unknown" if not answers else "error" if "error" in answers else "ok"


def lines_of(events: list[tuple[str, Event]]) -> list[Line]:
    """Calls and other events, by going through all of them in order."""
    groups: dict[object, list[tuple[str, Event]]] = defaultdict(list)
    waiting: dict[object, list[object]] = defaultdict(list)
    calls: set[object] = set()
    for number, (context, one) in enumerate(sorted(events, key=lambda pair: pair[1].time_us)):
        name: object = number
        is_call = one.tool_use_id is not None
        if is_call:
            name = one.session_id, one.tool_use_id
        elif one.origin == "hook" and one.tool_name and one.hook_type in ("PreToolUse", "PostToolUse"):
            is_call, same = True, (one.session_id, one.tool_name, one.data)
            if one.status == "pending":
                waiting[same].append(number)
            elif waiting[same]:
                name = waiting[same].pop(0)
        if is_call:
            calls.add(name)
        groups[name].append((context, one))
    return [Line(group, name in calls) for name, group in groups.items()]


def fits(where: Filter, context: str, one: Event) -> bool:
    """Whether an event fits what is asked of events."""
    code = one.meta.get("execution", {}).get("error_code")  # type: ignore[attr-defined]
    said = {"hook_type": one.hook_type, "session_id": one.session_id, "model": one.model, "error_code": code}
    within = (where.since_us or 0) <= one.time_us < (where.until_us or LATER)
    return (
        within
        and (not where.contexts or context in where.contexts)
        and (not where.errors or one.error == 1)
        and (not where.src or one.src in where.src)
        and not any(value == (one.src if name == "src" else said.get(name, 0)) for name, value in where.without)
        and all(not getattr(where, name) or value in getattr(where, name) for name, value in said.items())
    )


def waiting(line: Line, context: str, one: Event) -> bool:
    """Whether nothing of the event's own day answers it."""
    if one.tool_use_id is None:
        return one.status == "pending"
    day = one.time_us // DAY_US
    return not any(
        is_answer(other) for where, other in line.events if (where, other.time_us // DAY_US) == (context, day)
    )


def is_answer(one: Event) -> bool:
    return one.status != "pending" and one.role != "assistant" and one.hook_type != "PermissionRequest"


def expected(events: list[tuple[str, Event]], where: Filter) -> list[Seen]:
    """The list as its documentation says it, newest first."""
    found: list[Seen] = []
    for line in lines_of([pair for pair in events if not where.contexts or pair[0] in where.contexts]):
        tools = {one.tool_name for _, one in line.events}
        left_out = defaultdict(set)
        for name, value in where.without:
            left_out[name].add(value)
        status = line.status
        fitting = [
            (one.time_us, context)
            for context, one in line.events
            if fits(where, context, one) and (not where.tool_name or one.tool_name in where.tool_name)
        ]
        allowed = set(where.status or (*FAILED, "ok", "pending", "unknown")) - left_out["status"]
        if "ok" not in allowed:
            waits = bool(allowed - set(FAILED))
            fails = bool(allowed & set(FAILED))
            places = {
                (one.time_us, context)
                for context, one in line.events
                if (fails and one.status in FAILED) or (waits and waiting(line, context, one))
            }
            fitting = [place for place in fitting if place in places]
        if left_out["tool_name"]:
            kept = {
                (one.time_us, context) for context, one in line.events if one.tool_name not in left_out["tool_name"]
            }
            fitting = [place for place in fitting if place in kept]
        if not fitting or (where.status and status not in where.status) or status in left_out["status"]:
            continue
        codes = {one.meta.get("execution", {}).get("error_code") for _, one in line.events}  # type: ignore[attr-defined]
        models = {one.model for _, one in line.events}
        if tools & left_out["tool_name"] or codes & left_out["error_code"] or models & left_out["model"]:
            continue
        use_id = line.events[0][1].tool_use_id if line.is_call else None
        found.append((*max(fitting), use_id, status, len(line.events) if line.is_call else 0))
    return sorted(found, key=lambda one: one[:2], reverse=True)


def test_of_several_calls_of_other_tools_each_is_found_by_its_own(store: Store) -> None:
    calls = [{"id": f"t{n}", "tool": tool, "phase": "question"} for n, tool in ((1, "Read"), (2, "Bash"))]
    fields: dict[str, Any] = {"origin": "transcript", "status": "ok", "tool_name": "Read"}
    store.append([event(NOON, hook_type="assistant", role="assistant", meta={"calls": calls}, **fields)])
    for where, use_id in (
        (Filter(tool_name=("Read",)), "t1"),
        (Filter(tool_name=("Bash",)), "t2"),
        (Filter(without=(("tool_name", "Read"),)), "t2"),
        (Filter(without=(("tool_name", "Bash"),)), "t1"),
    ):
        assert [seen(entry)[2] for entry in everything(store, where)] == [use_id]


def test_a_call_stands_at_what_was_asked_for_of_its_status(store: Store) -> None:
    store.append([event(NOON), answer(NOON + 1, status="error", error=1), answer(NOON + 5)])
    store.append([event(NOON + 2, "t2"), event(NOON + 3, "t2", hook_type="PermissionRequest", status="ok")])
    failed = (NOON + 1, "default", "t1", "error", 3)
    waiting = (NOON + 3, "default", "t2", "unknown", 2)
    assert [seen(entry) for entry in everything(store, Filter(status=("error",)))] == [failed]
    assert [seen(entry) for entry in everything(store, Filter(status=("unknown", "pending")))] == [waiting]
    assert [seen(entry) for entry in everything(store, Filter(without=(("status", "ok"),)))] == [waiting, failed]
    left_out = tuple(("status", one) for one in (*FAILED, "ok", "pending", "unknown"))
    assert everything(store, Filter(without=left_out)) == []


@pytest.mark.parametrize("left_out", [("error_code", "exit:1"), ("model", "m"), ("agent", "claude"), ("errors", "1")])
def test_what_is_left_out_brings_no_call_back_at_an_event_that_does_not_say_it(
    store: Store, left_out: tuple[str, str]
) -> None:
    failed = answer(NOON + 1, status="error", error=1, model="m", meta={"execution": {"error_code": "exit:1"}})
    quiet = answer(NOON + 2)
    quiet.agent = None
    store.append([event(NOON), failed, quiet, answer(NOON + 3, "t2")])
    store.append([note(NOON + 4, agent=None)])
    found = [seen(entry)[0] for entry in everything(store, Filter(without=(left_out,)))]
    assert found == ([NOON + 4] if left_out[0] == "agent" else [NOON + 4, NOON + 3])


def test_lines_are_counted_though_the_row_is_cut(store: Store) -> None:
    written = event(NOON, tool_name="Write")
    written.data = json.dumps({"tool_input": {"file_path": "/x", "content": "line\n" * 2_000}})
    store.append([written])
    (entry,) = everything(store, cut_chars=100)
    assert (entry.said, len(str(entry.row["data"]))) == ("/x +2000", 100)


CONDITIONS: list[dict[str, Any]] = [
    {"since_us": NOON - 1_000},
    {"until_us": NOON + 2_000},
    {"contexts": ("work",)},
    {"hook_type": ("PostToolUse",)},
    {"hook_type": ("PreToolUse", "Notification")},
    {"tool_name": ("Bash",)},
    {"session_id": ("s",)},
    {"src": ("a.b",)},
    {"errors": True},
    {"error_code": ("exit:1",)},
    *({"status": one} for one in [("ok",), ("error",), ("unknown",), ("unknown", "ok"), ("unknown", "error")]),
    *(
        {"without": pairs}
        for pairs in [
            (("hook_type", "PreToolUse"),),
            (("status", "ok"),),
            (("status", "unknown"), ("tool_name", "Read")),
            (("tool_name", "Bash"),),
            (("error_code", "exit:1"),),
            (("src", "a.c"),),
            (("model", "m"),),
        ]
    ),
]


@st.composite
def filters(draw: st.DrawFn) -> Filter:
    """Few conditions: many at once find nothing."""
    chosen = draw(st.lists(st.sampled_from(CONDITIONS), max_size=2))
    return Filter(**{name: value for one in chosen for name, value in one.items()})


@settings(max_examples=60, deadline=None)
@given(histories(), filters(), st.integers(1, 4))
def test_entries_are_those_that_going_through_all_events_finds(
    events: list[tuple[str, Event]], where: Filter, limit: int
) -> None:
    with Store.in_memory() as store:
        store.append_many(events)
        found = [seen(entry) for entry in everything(store, where, limit=limit)]
        assert found == expected(events, where)
        assert [seen(entry) for entry in everything(store, where, limit=limit, oldest_first=True)] == found[::-1]


@pytest.mark.parametrize("oldest_first", [False, True], ids=["newest first", "oldest first"])
@pytest.mark.parametrize("limit", [1, 7, 100])
def test_every_entry_comes_once_while_others_go_on_writing(store: Store, limit: int, oldest_first: bool) -> None:
    ids = [f"t{number}" for number in range(15)]
    store.append(event(NOON + at * 10, use_id) for at, use_id in enumerate(ids))
    store.append(note(NOON + at * 10 + 5) for at in range(15))
    found: list[int] = []
    after: str | None = None
    for at in range(40):
        page = store.entries(Filter(), limit=limit, after=after, oldest_first=oldest_first)
        found += [int(str(entry.row["id"])) for entry in page.rows]
        after = page.next
        if after is None:
            break
        answers = [answer(NOON + 5_000 + 100 * at + n, use_id) for n, use_id in enumerate(ids)]
        store.append(
            [*answers, event(NOON + 7 + at * 10, f"later {at}"), note(NOON + 3 + at * 10), note(NOON + DAY_US)]
        )
    wanted = sorted([NOON + at * 5 for at in range(30)], reverse=not oldest_first)
    assert found == wanted


def test_a_text_is_asked_of_events_and_its_snippet_is_of_the_one_shown(store: Store) -> None:
    store.append([event(NOON, text="alpha needle"), answer(NOON + 1, text="beta"), note(NOON + 2, text="needle gamma")])
    found = everything(store, Filter(text="needle"), snippets=True)
    assert [(seen(entry)[0], seen(entry)[3]) for entry in found] == [(NOON + 2, "ok"), (NOON, "ok")]
    assert all("needle" in str(entry.row["snippet"]) for entry in found)
    assert everything(store, Filter(text="nowhere")) == []


def test_by_rank_each_call_is_there_once_at_the_event_that_is_most_about_the_text(store: Store) -> None:
    store.append([event(NOON, text="needle"), answer(NOON + 1, text="needle needle needle"), note(NOON + 2, text="x")])
    store.append([note(NOON + 3, text="needle among many other words that say nothing of it at all")])
    page = store.entries(Filter(text="needle"), by_rank=True, snippets=True)
    assert [(entry.row["id"], bool(entry.call)) for entry in page.rows] == [(NOON + 1, True), (NOON + 3, False)]
    assert page.next is None and all("rank" in entry.row for entry in page.rows)
    assert len(store.entries(Filter(text="needle"), by_rank=True, limit=1).rows) == 1
    with pytest.raises(BadInput, match="no text"):
        store.entries(Filter(), by_rank=True)


def test_rows_of_a_tail_become_lines_each_call_once(store: Store) -> None:
    store.append([event(NOON), answer(NOON + 1), note(NOON + 2)])
    rows = store.search(Filter()).rows
    assert [seen(entry)[0] for entry in store.entries_of(rows)] == [NOON + 2, NOON + 1]
    assert [entry.call.events for entry in store.entries_of(rows[2:]) if entry.call] == [2]
    assert store.entries_of([]) == []


def test_a_deadline_that_is_over_leaves_a_cursor_that_goes_on(store: Store) -> None:
    store.append([event(NOON), note(NOON + DAY_US)])
    page = store.entries(Filter(), deadline_ms=0)
    assert page.rows == [] and not page.partitions.complete
    assert len(store.entries(Filter(), after=page.next).rows) == 2


def test_a_day_that_cannot_be_read_is_named_and_the_others_give_theirs(store: Store) -> None:
    store.append([event(NOON), note(NOON + DAY_US)])
    key = layout.key_for("default", NOON)
    store.release(key)
    with open(layout.db_path(store.root, key), "r+b") as file:
        file.write(b"nothing of a database" * 40)
    page = store.entries(Filter())
    assert [entry.row["id"] for entry in page.rows] == [NOON + DAY_US]
    assert [bad.day for bad in page.partitions.unreadable] == ["2026-03-20"]


@pytest.mark.parametrize("given", [{"after": "x"}, {"after": f"{NOON}.default"}, {"limit": 0}])
def test_what_cannot_be_asked_is_refused(store: Store, given: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        store.entries(Filter(), **given)
    with pytest.raises(BadInput, match="no such status"):
        store.entries(Filter(status=("fine",)))


def test_a_call_is_found_under_a_tool_that_is_rare_and_under_one_that_is_common(store: Store) -> None:
    store.append(answer(NOON + at, f"c{at}") for at in range(1_100))
    store.append([answer(NOON + 2_000, "rare", tool_name="Read")])
    assert [seen(entry)[2] for entry in store.entries(Filter(tool_name=("Read",))).rows] == ["rare"]
    common = store.entries(Filter(tool_name=("Bash",)), limit=3).rows
    assert [seen(entry)[2] for entry in common] == ["c1099", "c1098", "c1097"]


def test_of_real_recordings_every_event_is_on_one_line(real: Path, root: str) -> None:
    """Each call of the recordings is a line, and each event that is of none."""
    ingest([str(real / "transcripts" / "tool_heavy.jsonl"), str(real / "hooks" / "jcode.jsonl")], root)
    with Store(root) as store:
        found = everything(store, limit=100)
        calls = {(call.session_id, call.tool_use_id or call.question or call.answer) for e in found if (call := e.call)}
        listed = sum(entry.call is not None for entry in found)
        alone = [entry for entry in found if entry.call is None]
        assert len(calls) == listed > 70
        assert listed == len(_calls(store))
        more = sum(entry.call.events - 1 for entry in found if entry.call is not None)
        assert len(found) + more == store.count(Filter()).count
        assert all(entry.said for entry in found) and len(alone) > 10


def _calls(store: Store) -> list[object]:
    found: list[object] = []
    after: str | None = None
    while True:
        page = store.calls(Filter(), limit=500, after=after, cut_chars=0)
        found += page.rows
        after = page.next
        if after is None:
            return found


def test_around_an_event_are_its_neighbours_oldest_first(store: Store) -> None:
    store.append(note(NOON + at, session_id="s" if at % 2 else "t") for at in range(-5, 6))
    store.append([note(NOON + 2, session_id="t")], "work")
    found = store.around("default", NOON, before=2, after=3)
    assert found and [row["id"] for row in (*found.before, found.row, *found.after)] == [
        NOON + at for at in (-2, -1, 0, 1, 2, 3)
    ]
    same = store.around("default", NOON, before=1, after=2, same_session=True)
    assert same and [(row["id"], row["context_name"]) for row in (*same.before, *same.after)] == [
        (NOON - 2, "default"),
        (NOON + 2, "default"),
        (NOON + 2, "work"),
    ]
    assert same.partitions.scanned == 3 and same.partitions.skipped == 0
    none = store.around("default", NOON, before=0, after=0)
    assert none and (none.before, none.after) == ([], [])


def test_around_what_is_not_there_is_nothing(store: Store) -> None:
    store.append([note(NOON)])
    assert store.around("default", NOON + 1) is None
    assert store.around("elsewhere", NOON) is None
    assert store.around("default", -1) is None
    assert store.limited_to(frozenset(("work",))).around("default", NOON) is None
    with pytest.raises(BadInput, match="0 to 1,000"):
        store.around("default", NOON, before=1_001)


def test_the_calls_of_an_event_come_with_question_and_answer_whole(store: Store) -> None:
    long = "x" * 9_000
    store.append([event(NOON - 5, given=long), answer(NOON + 5, text=long), note(NOON)])
    for at in (NOON - 5, NOON + 5):
        (call,) = store.calls_at("default", at)
        assert call.question and call.answer and call.status == "ok"
        assert long in str(call.question["data"]) and long in str(call.answer["data"])
    assert store.calls_at("default", NOON) == store.calls_at("default", NOON + 1) == []
    several = [{"id": f"t{n}", "phase": "question"} for n in (1, 2)]
    store.append([event(NOON + 6, origin="transcript", hook_type="assistant", meta={"calls": several})])
    assert [call.tool_use_id for call in store.calls_at("default", NOON + 6)] == ["t1", "t2"]
