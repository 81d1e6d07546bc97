"""Gemini CLI's hooks and chats become events: the tables of docs/events.md, its own shapes, any JSON at all."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyelet_ingest.events import Event
from eyelet_ingest.reading import Found
from eyelet_ingest.sources import formats, gemini_chats, gemini_hooks
from eyelet_ingest.sources.gemini_chats import Chat
from tests.sources.shapes import EXAMPLES, JSON, hold_to_columns, hold_to_table, said, table

HEAD: dict[str, Any] = {
    "sessionId": "6f1c2c1e-2b7e-4c3b-9a55-0d2f6a3f6a10",
    "projectHash": "a1b2",
    "startTime": "2026-03-01T10:00:00.000Z",
    "lastUpdated": "2026-03-01T10:05:00.000Z",
}
TOKENS = {"input": 900, "output": 20, "cached": 800, "thoughts": 5, "tool": 0, "total": 925}
BASE = {"session_id": "s", "transcript_path": "/h/.gemini/tmp/x/chats/session-1.json", "cwd": "/w"}


def message(number: int, kind: str = "gemini", **fields: Any) -> dict[str, Any]:
    made = {"id": f"00000000-0000-4000-8000-{number:012}", "timestamp": f"2026-03-01T10:00:{number:02}.000Z"}
    return {**made, "type": kind, "content": "", **fields}


def found(records: Iterable[Any]) -> list[Found]:
    return [Found(at, json.dumps(one), one) for at, one in enumerate(records, 1)]


def kept(records: Iterable[Any], is_growing: bool = False) -> list[dict[str, Any]]:
    return [one.value or {} for one in formats.each(iter(found(records)), is_growing)]


def events(*records: dict[str, Any]) -> list[Event]:
    chat = Chat()
    return [chat.event(one, json.dumps(one)) for one in records]


@pytest.mark.parametrize("line", table("Gemini CLI hooks"), ids=lambda line: f"{line['event']} {line['says'][:60]}")
def test_a_hook_is_what_the_table_says(line: dict[str, str]) -> None:
    event = gemini_hooks.normalise({**BASE, "hook_event_name": line["event"], **said(line)}, "{}")
    assert event.hook_type == line["event"]
    hold_to_table(event, line)


@pytest.mark.parametrize("line", table("Gemini CLI chats"), ids=lambda line: f"{line['event']} {line['says'][:60]}")
def test_a_record_of_a_chat_is_what_the_table_says(line: dict[str, str]) -> None:
    record = said(line)
    if "content" in record:
        record = message(1, line["event"], **record)
    assert gemini_chats.recognises(record)
    (event,) = events(record)
    assert (event.hook_type, event.origin, event.agent) == (line["event"], "transcript", "gemini")
    hold_to_table(event, line)


def test_a_hooks_columns_are_what_its_payload_says() -> None:
    request = {"model": "gemini-x", "messages": []}
    event = gemini_hooks.normalise({**BASE, "hook_event_name": "BeforeModel", "llm_request": request}, "{}")
    assert (event.session_id, event.project_dir, event.model, event.agent) == ("s", "/w", "gemini-x", "gemini")


def test_what_a_command_printed_is_not_taken_for_how_it_ended() -> None:
    assert gemini_hooks.shell_outcome("Output: Exit Code: 0\nExit Code: 0\nExit Code: 2\nSignal: 0")[1] == "exit:2"
    assert gemini_hooks.shell_outcome("Output: x\nExit Code: 3\nExit Code: 0\n")[0] == "ok"
    assert gemini_hooks.shell_outcome("Exit Code: 3\n" + "x\n" * 5_000)[0] == "ok"


def test_a_message_has_the_session_of_its_head() -> None:
    _, user, answer = events(HEAD, message(1, "user", content="hi"), message(2, model="gemini-x", tokens=TOKENS))
    assert (user.session_id, user.role, answer.role, answer.model) == (
        HEAD["sessionId"],
        "user",
        "assistant",
        "gemini-x",
    )
    _, sub = events({**HEAD, "kind": "subagent"}, message(1))
    assert sub.agent_id == HEAD["sessionId"]


def test_each_call_of_a_message_is_named_with_how_it_ended() -> None:
    calls = [
        {"id": "a", "name": "read_file", "status": "success", "result": None},
        {"id": "b", "name": "edit", "status": "error", "result": [{"functionResponse": {"response": {"error": "no"}}}]},
        {"id": "c", "name": "edit", "status": "executing"},
    ]
    (event,) = events(message(1, toolCalls=calls))
    assert (event.tool_name, event.tool_use_id, event.status) == ("read_file", "a", "error")
    assert event.meta["calls"] == [
        {"id": "a", "tool": "read_file", "phase": "answer", "status": "ok"},
        {"id": "b", "tool": "edit", "phase": "answer", "status": "error"},
        {"id": "c", "tool": "edit", "phase": "question", "status": "pending"},
    ]


def test_a_whole_session_in_one_object_is_its_messages() -> None:
    messages = [message(1, "user"), message(2, tokens=TOKENS)]
    assert kept([{**HEAD, "messages": messages}]) == [HEAD, *messages]
    assert kept([{**HEAD, "messages": [*messages, "x"]}])[-1] == {}  # quarantined, not lost


def test_of_a_messages_forms_the_last_is_kept_and_a_line_that_says_nothing_is_none() -> None:
    early, later = message(2), message(2, tokens=TOKENS)
    lines = [HEAD, message(1, "user"), early, {"$set": {"lastUpdated": "2026"}}, later, {"$rewindTo": "x"}]
    assert kept(lines) == [HEAD, message(1, "user"), later, {"$rewindTo": "x"}]


def test_the_last_message_waits_while_something_of_it_is_missing() -> None:
    done, open_call = message(2, tokens=TOKENS), [{"id": "a", "name": "edit", "status": "executing"}]
    for last, is_whole in ((message(3), False), (message(3, tokens=TOKENS, toolCalls=open_call), False), (done, True)):
        lines = [HEAD, message(1, "user"), last]
        assert kept(lines, is_growing=True) == (lines if is_whole else lines[:-1])
        assert kept(lines) == lines
        assert kept([{**HEAD, "messages": lines[1:]}], is_growing=True) == (lines if is_whole else lines[:-1])


def test_a_changes_messages_are_messages_and_its_rest_stays() -> None:
    masked = message(1, "user", content="masked")
    assert kept([HEAD, {"$set": {"messages": [masked], "summary": "x"}}]) == [HEAD, {"$set": {"summary": "x"}}, masked]


def test_a_message_is_known_by_its_id_and_a_head_by_its_session() -> None:
    chat = Chat()
    assert chat.uuid(message(1)) == ("gemini", message(1)["id"])
    assert chat.uuid({**message(1), "id": "1"}) is None
    assert chat.uuid(HEAD) == chat.uuid({**HEAD, "lastUpdated": "later"})
    assert chat.time_us(HEAD) == 1_772_359_200_000_000
    assert chat.time_us({"$set": {"lastUpdated": "2026-03-01T10:00:00Z"}}) == 1_772_359_200_000_000


def test_a_message_with_a_short_id_is_known_within_its_session() -> None:
    asked, early = ({**message(at, kind), "id": f"m{at}"} for at, kind in ((1, "user"), (2, "gemini")))
    told, note = {**early, "tokens": TOKENS}, {**message(3, "info"), "id": "m3"}
    assert kept([HEAD, asked, early, told, note]) == [HEAD, asked, told, note]
    assert [getattr(formats.of(one), "name", None) for one in (asked, told, note)] == ["gemini", "gemini", None]
    here, there = Chat(), Chat()
    here.uuid(HEAD)
    there.uuid({"$set": {"sessionId": "another"}})
    assert here.uuid(asked) == ("gemini", f"{HEAD['sessionId']} m1") != there.uuid(asked)
    assert here.time_us(note) == 1_772_359_203_000_000


def test_other_logs_pass_untouched() -> None:
    others: list[Any] = [
        {"type": "user", "uuid": "u", "message": {}},
        {"messages": [1], "sessionId": "s"},
        {"id": "1", "type": "info"},
    ]
    assert kept(others) == others
    assert not any(gemini_chats.recognises(one) for one in others)


FIELDS = (
    "id",
    "type",
    "content",
    "timestamp",
    "toolCalls",
    "tokens",
    "model",
    "sessionId",
    "projectHash",
    "messages",
    "$set",
    "kind",
)
CALL = st.fixed_dictionaries(
    {"status": st.sampled_from(["success", "error", "cancelled"]) | JSON},
    optional=dict.fromkeys(("id", "name", "result"), JSON),
)


@settings(max_examples=EXAMPLES)
@given(
    st.lists(st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=4), JSON, max_size=6), max_size=4),
    st.lists(CALL | JSON, max_size=3),
    st.booleans(),
)
def test_no_chat_raises(records: list[dict[str, object]], calls: list[object], is_growing: bool) -> None:
    whole = [HEAD, *records, {**message(1), "toolCalls": calls}, {**HEAD, "messages": [*records, *calls]}]
    chat = Chat()
    for one in formats.each(iter(found_safely(whole)), is_growing):
        if one.value is not None:
            gemini_chats.recognises(one.value)
            chat.uuid(one.value)
            chat.time_us(one.value)
            hold_to_columns(chat.event(one.value, "{}"))


def found_safely(records: list[Any]) -> list[Found]:
    return [Found(1, "{}", one) for one in records]


@settings(max_examples=EXAMPLES)
@given(
    st.dictionaries(
        st.sampled_from(["tool_name", "mcp_context", "llm_request", "tool_input", "cwd"]), JSON, max_size=5
    ),
    JSON | st.dictionaries(st.sampled_from(["llmContent", "error"]), JSON),
    st.sampled_from(["AfterTool", "BeforeTool"]) | JSON,
    st.just("run_shell_command") | JSON,
)
def test_no_hook_raises(payload: dict[str, object], response: object, kind: object, tool: object) -> None:
    whole = {**payload, "hook_event_name": kind, "tool_response": response, "tool_name": tool}
    hold_to_columns(gemini_hooks.normalise(whole, "{}"))
