"""One line of what happened, whatever was recorded and however little of it is at hand."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyelet_ingest.store import writer
from eyelet_ingest.synopsis import LENGTH, of_call, synopsis

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)
said = {
    "a command": ("Bash", {"tool_input": {"command": "git push"}}, "git push"),
    "a command of several lines": ("Bash", {"tool_input": {"command": "cd x\n\nmake\n"}}, "cd x ⏎ make"),
    "a file in the project": ("Read", {"cwd": "/p", "tool_input": {"file_path": "/p/a/b.py"}}, "a/b.py"),
    "a file elsewhere": ("Edit", {"cwd": "/p", "tool_input": {"file_path": "/pq/b.py"}}, "/pq/b.py"),
    "a file that is written": ("Write", {"tool_input": {"content": "x", "file_path": "/a"}}, "/a +1"),
    "a pattern and where": ("Grep", {"cwd": "/p", "tool_input": {"pattern": "x+", "path": "/p/src"}}, "x+ in src"),
    "a subagent's task": ("Task", {"tool_input": {"prompt": "long", "description": "Look around"}}, "Look around"),
    "a page": ("WebFetch", {"tool_input": {"url": "https://example.org", "prompt": "?"}}, "https://example.org"),
    "a list of things to do": ("TodoWrite", {"tool_input": {"todos": [{"content": "Test"}]}}, "Test"),
    "an unknown tool": ("mcp__db__run", {"tool_input": {"limit": 3, "sql": "select 1"}}, "db › run: select 1"),
    "a tool asked for numbers": ("mcp__db__run", {"tool_input": {"limit": 3}}, "db › run: limit=3"),
    "a tool asked for nothing": ("mcp__db__run", {"tool_input": {}}, "db › run"),
    "a failure": ("Bash", {"tool_input": {"command": "make"}, "error": "Exit code 2\nno"}, "make — Exit code 2 no"),
    "a refusal": ("Bash", {"tool_input": {"command": "rm x"}, "reason": "not now"}, "rm x — not now"),
    "a command of Codex": (
        "exec_command",
        {"payload": {"name": "exec_command", "arguments": '{"cmd":"git push","workdir":"/p"}'}},
        "git push",
    ),
    "a command of Codex as words": (
        "shell",
        {"payload": {"name": "shell", "arguments": '{"command":["bash","-lc","make all"]}'}},
        "make all",
    ),
    "an answer to Codex": (
        "exec_command",
        {"payload": {"output": "Wall time: 1 seconds\nProcess exited with code 0\nOutput:\nall done"}},
        "all done",
    ),
    "an answer to Codex in JSON": ("shell", {"payload": {"output": '{"output":"done","metadata":{}}'}}, "done"),
    "a text of Codex": (None, {"payload": {"type": "agent_message", "message": "Hello"}}, "Hello"),
    "a message of Codex": (
        None,
        {"payload": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Fix it"}]}},
        "Fix it",
    ),
    "tokens of Codex": (
        None,
        {"payload": {"type": "token_count", "info": {"total_token_usage": {"total_tokens": 9}}}},
        "9 tokens so far",
    ),
    "a command of Codex that has ended": (
        "exec_command",
        {"payload": {"item": {"type": "CommandExecution", "command": ["bash", "-lc", "make"]}}},
        "make",
    ),
    "a call of Gemini CLI": (
        "read_file",
        {"type": "gemini", "content": "", "toolCalls": [{"name": "read_file", "args": {"path": "a.py"}}]},
        "a.py",
    ),
    "a message of Gemini CLI in parts": (None, {"type": "user", "content": [{"text": "Fix it"}]}, "Fix it"),
    "a prompt": (None, {"prompt": "Fix\n  it"}, "Fix it"),
    "a notification": (None, {"message": "Claude waits"}, "Claude waits"),
    "an end": (None, {"reason": "logout"}, "logout"),
    "a prompt in a transcript": (None, {"type": "user", "message": {"content": "Hello"}}, "Hello"),
    "an answer after an empty one": (
        None,
        {"message": {"content": [{"type": "text", "text": "\n"}, {"type": "text", "text": "Yes"}]}},
        "Yes",
    ),
    "a call in a transcript": (
        None,
        {"cwd": "/p", "message": {"content": [{"type": "tool_use", "name": "Read", "input": {"file_path": "/p/x"}}]}},
        "x",
    ),
    "a result in a transcript": (
        None,
        {"message": {"content": [{"type": "tool_result", "content": [{"type": "text", "text": "7 rows"}]}]}},
        "7 rows",
    ),
    "a subagent's progress": (
        None,
        {"type": "progress", "data": {"message": {"type": "user", "message": {"content": "Go"}}}},
        "Go",
    ),
    "a hook's progress": (None, {"data": {"type": "hook_progress", "hookName": "Stop"}}, "Stop"),
    "a log line": (None, {"message": "disk full", "level": "error"}, "disk full"),
    "what was no JSON": (None, {"_raw": "AAAA", "_why": "cut short"}, "not readable as JSON: cut short"),
    "what was no JSON, in the parser's words": (
        None,
        {"_why": "not JSON: no value at character 7", "_raw": "AAAA"},
        "not readable as JSON: no value at character 7",
    ),
    "what was withheld": (None, {"_why": "empty", "_withheld_bytes": 9}, "not readable as JSON: empty"),
    "what was kept without a reason": (None, {"_raw": "AAAA"}, "not readable as JSON"),
    "nothing at all": (None, {}, "Stop"),
}


@pytest.mark.parametrize("name", said)
def test_the_line_says_what_matters_most(name: str) -> None:
    tool, payload, expected = said[name]
    assert synopsis({"data": json.dumps(payload), "tool_name": tool, "hook_type": "Stop"}) == expected
    assert synopsis({"data": payload, "tool_name": tool, "hook_type": "Stop"}) == expected


@given(json_values, st.none() | st.text(max_size=8), st.integers(0, 200))
def test_any_row_has_one_short_line_also_where_its_payload_is_cut(value: object, tool: str | None, cut: int) -> None:
    for data in (json.dumps(value), json.dumps(value)[:cut], json.dumps(value, ensure_ascii=False)[:cut], value):
        line = synopsis({"data": data, "tool_name": tool, "hook_type": "Stop"})
        assert len(line) <= LENGTH and line == " ".join(line.split()) and line.encode("utf-8")


@given(st.integers(1, 400), st.sampled_from(["x", "é", "\U0001f600", "\\", '"', "\n", "\x1b"]))
def test_a_cut_payload_says_as_much_as_is_there(cut: int, char: str) -> None:
    head = '{"session_id": "s", "nested": {"a": [1, true, "]"]}, "prompt": "'
    data = json.dumps({"session_id": "s", "nested": {"a": [1, True, "]"]}, "prompt": "Now " + char * 500})
    assert data.startswith(head)
    line = synopsis({"data": data[: len(head) + cut], "hook_type": "UserPromptSubmit"})
    assert line.startswith("Now"[:cut])


def test_a_large_payload_that_was_no_json_says_why_however_it_is_cut() -> None:
    data = writer.raw_payload(b"x" * 20_000, "not JSON: no value at character 0")
    for cut in (100, 4_096):
        line = synopsis({"data": data[:cut], "hook_type": "unknown"})
        assert line == "not readable as JSON: no value at character 0"
    written_before = '{"_raw":"' + "AAAA" * 5_000 + '","_why":"empty"}'
    assert synopsis({"data": written_before[:4_096], "hook_type": "unknown"}) == "not readable as JSON"


@pytest.mark.parametrize(
    "data", ["", "{", '{"a', '{"a":', '{"a":tru', "[[[[", "}", '"', "nul", "12", None, b"\xff", []]
)
def test_a_payload_without_anything_to_say_is_named_by_its_type(data: object) -> None:
    line = synopsis({"data": data, "hook_type": "Stop"})
    assert line in ("Stop", "12")


def test_a_payload_of_900_levels_is_one_line_too() -> None:
    deep = '{"a":' * 900 + '"x"' + "}" * 900
    assert synopsis({"data": deep, "hook_type": "Stop"}) == "Stop"
    assert synopsis({"data": '{"tool_input":' + deep + "}", "tool_name": "T", "hook_type": "Stop"}) == "T"


def test_every_real_record_has_a_line(real: Path) -> None:
    seen = 0
    for path in sorted(real.rglob("*.jsonl")):
        for line in path.read_text("utf-8-sig").splitlines():
            payload = json.loads(line)
            kind = payload.get("hook_event_name") or payload.get("type") or "?"
            whole = synopsis({"data": line, "hook_type": kind, "tool_name": payload.get("tool_name")})
            assert 0 < len(whole) <= LENGTH
            seen += 1
    assert seen > 0


@pytest.mark.parametrize(
    ("payload", "tool", "says"),
    [
        ({"toolName": "bash", "toolArgs": '{"command": "npm test"}'}, "bash", "npm test"),
        ({"command": "git status", "cwd": "/p"}, "Shell", "git status"),
        ({"tool_input": {"command": "ls"}, "error_message": "no leave"}, "Shell", "ls — no leave"),
        ({"attributes": {"prompt": "hello"}, "resource": {}, "body": "claude_code.user_prompt"}, None, "hello"),
        ({"attributes": {"tool_parameters": '{"full_command": "git push"}'}, "resource": {}}, "Bash", "git push"),
        ({"attributes": {"tool_name": "Edit", "decision": "reject"}, "resource": {}}, "Edit", "Edit reject"),
        ({"attributes": {}, "resource": {}, "body": "a line of text"}, None, "a line of text"),
        ({"type": "tool", "tool": "bash", "state": {"input": {"command": "ls"}, "error": "no"}}, "bash", "ls — no"),
        ({"role": "assistant", "error": {"name": "APIError", "data": {"message": "overloaded"}}}, None, "overloaded"),
        ({"type": "text", "text": "I shall", "messageID": "m"}, None, "I shall"),
        (
            {
                "type": "tool.execution_start",
                "parentId": None,
                "data": {"toolName": "bash", "arguments": {"command": "ls"}},
            },
            "bash",
            "ls",
        ),
        ({"type": "user.message", "parentId": None, "data": {"content": "go on"}}, None, "go on"),
        ({"chatMessage": {"role": "user", "content": "hi"}, "sessionId": "s"}, None, "hi"),
    ],
)
def test_records_of_other_agents_say_what_happened(payload: dict[str, object], tool: str | None, says: str) -> None:
    assert synopsis({"data": json.dumps(payload), "tool_name": tool, "hook_type": "x"}) == says


PATCH = "*** Begin Patch\n*** Update File: a.py\n@@\n-x\n+y\n+z\n*** Add File: b.py\n+1\n*** End Patch\n"
OLD_NEW = {"old_string": "a\nb\nc", "new_string": "a\nB\nc"}
HUNK = {"oldStart": 1, "oldLines": 1, "newStart": 1, "newLines": 2, "lines": [" a", "-b", "+c", "+d"]}


@pytest.mark.parametrize(
    ("payload", "tool", "says"),
    [
        ({"cwd": "/p", "tool_input": {"file_path": "/p/x.py", **OLD_NEW}}, "Edit", "x.py +1 −1"),
        (
            {
                "tool_input": {"file_path": "/x", **OLD_NEW, "replace_all": True},
                "tool_response": {"filePath": "/x", "structuredPatch": [HUNK, HUNK]},
            },
            "Edit",
            "/x +4 −2",
        ),
        ({"tool_input": {"file_path": "/x", "edits": [OLD_NEW, OLD_NEW]}}, "MultiEdit", "/x +2 −2"),
        ({"tool_input": {"file_path": "/x", "content": "1\n2\n"}}, "Write", "/x +2"),
        ({"tool_input": {"file_path": "/x", **OLD_NEW}, "error": "no match"}, "Edit", "/x +1 −1 — no match"),
        ({"tool_input": {"file_path": "/x", "old_string": "a\nb", "new_string": "a"}}, "replace", "/x −1"),
        ({"tool_input": {"file_path": "/x", "old_string": "a", "new_string": "a"}}, "Edit", "/x"),
        (
            {"payload": {"type": "custom_tool_call", "name": "apply_patch", "input": PATCH}},
            "apply_patch",
            "a.py +2 −1, b.py +1",
        ),
        ({"tool_input": {"command": PATCH}}, "apply_patch", "a.py +2 −1, b.py +1"),
        (
            {"payload": {"name": "shell", "arguments": json.dumps({"command": ["apply_patch", PATCH]})}},
            "shell",
            "a.py +2 −1, b.py +1",
        ),
        (
            {"toolName": "edit", "toolArgs": json.dumps({"path": "x", "old_str": "a\n", "new_str": ""})},
            "edit",
            "x −1",
        ),
        ({"type": "tool", "state": {"input": {"filePath": "x", "oldString": "", "newString": "a\nb"}}}, "edit", "x +2"),
        (
            {
                "tool_input": {
                    "command": "".join(
                        f"{part}\n" for part in (PATCH[:-14], *(f"*** Add File: {n}\n+1" for n in "cdef"))
                    )
                }
            },
            "apply_patch",
            "a.py +2 −1, b.py +1, c +1, 3 more",
        ),
        ({"tool_input": {"content": "x", "absolute_path": "/x"}}, "read_many", "/x"),
    ],
)
def test_a_change_says_which_files_and_how_many_lines(payload: dict[str, object], tool: str, says: str) -> None:
    assert synopsis({"data": json.dumps(payload), "tool_name": tool, "hook_type": "x"}) == says


def test_of_a_payload_that_is_cut_no_lines_are_counted() -> None:
    data = json.dumps({"tool_input": {"file_path": "/x", "content": "line\n" * 500}})
    row = {"tool_name": "Write", "hook_type": "x"}
    assert synopsis({**row, "data": data}) == "/x +500"
    assert synopsis({**row, "data": data[:400]}) == "/x"


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"src": "gemini.beforetool.mcp.github.list_issues", "tool_name": "list_issues"}, "github › list_issues: open"),
        ({"src": "cursor.beforemcpexecution.mcp.search", "tool_name": "search"}, "search: open"),
        ({"src": "claude.pretooluse.mcp.git.push", "tool_name": "mcp__git__push"}, "git › push: open"),
        ({"src": "claude.pretooluse.mcp.git", "tool_name": None}, "open"),
        ({"src": "a.b.mcp.c", "tool_name": "x", "origin": "log"}, "open"),
    ],
)
def test_a_tool_of_mcp_is_named_with_its_server(row: dict[str, object], says: str) -> None:
    assert synopsis({**row, "data": '{"tool_input": {"state": "open"}}', "hook_type": "x"}) == says


def test_a_call_says_what_was_asked_and_why_it_failed() -> None:
    asked = {"data": '{"tool_input": {"command": "make"}}', "tool_name": "Bash", "hook_type": "PreToolUse"}
    told = {"data": '{"message": {"content": [{"type": "tool_result", "content": "no rule"}]}}', "tool_name": "Bash"}
    assert of_call(asked, {**told, "status": "ok"}) == "make"
    assert of_call(asked, {**told, "status": "denied"}) == "make — no rule"
    again = {"hook_type": "PostToolUseFailure", "tool_name": "Bash", "status": "error"}
    both = {"tool_input": {"command": "make"}, "error": "no rule"}
    assert of_call(asked, {**again, "data": json.dumps(both)}) == "make — no rule", "what was asked stands there once"
    edit = {"file_path": "a.py", "old_string": "one", "new_string": "two"}
    question = {"hook_type": "PreToolUse", "tool_name": "Edit", "data": json.dumps({"tool_input": edit})}
    answer = {**again, "tool_name": "Edit", "data": json.dumps({"tool_input": edit, "error": "not read"})}
    assert of_call(question, answer) == "a.py +1 −1 — not read"


def test_of_a_record_of_several_calls_each_says_its_own() -> None:
    blocks = [{"type": "tool_use", "id": f"t{n}", "name": "Read", "input": {"file_path": f"{n}.py"}} for n in (1, 2)]
    row = {"data": json.dumps({"message": {"content": blocks}}), "tool_name": "Read", "hook_type": "assistant"}
    assert [synopsis(row, use_id) for use_id in ("t1", "t2")] == ["1.py", "2.py"]
