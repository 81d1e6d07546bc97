"""Which words of a payload are text, and in which column: with the day's view and without it, by every SQLite."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eyelet_ingest.store import connect, schema, text_schema
from eyelet_ingest.store.text_schema import TEXT_COLUMNS, TEXT_SELECT, VIEW

Texts = dict[str, str | None]


def day() -> Any:
    conn = connect.driver().connect(":memory:", isolation_level=None)
    for step in schema.STEPS:
        for statement in step:
            conn.execute(statement)
    with connect.transaction(conn):
        text_schema.create(conn)
    return conn


@pytest.fixture(scope="module")
def texts_of() -> Callable[..., Texts]:
    conn = day()

    def texts(payload: object, **columns: object) -> Texts:
        conn.execute("delete from hooks")
        data = payload if isinstance(payload, str) else json.dumps(payload)
        row = {"id": 7, "uid": b"0" * 16, "arrived": 7, "hook_type": "x", "origin": "hook", "data": data, **columns}
        names = ", ".join(row)
        sql = f"insert into hooks ({names}) values ({', '.join('?' * len(row))})"
        conn.execute(sql, list(row.values()))
        (found,) = conn.execute(f"select * from {VIEW}").fetchall()
        assert conn.execute(TEXT_SELECT).fetchall() == [found]
        assert found[0] == 7
        return dict(zip(TEXT_COLUMNS, found[1:], strict=True))

    return texts


# A payload, columns of its row, and where its words stand; every column that is not named has to be empty.
HOOK = {"session_id": "S", "transcript_path": "/t", "cwd": "/c", "hook_event_name": "PostToolUse", "tool_use_id": "T"}
SHAPES: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, str]]] = [
    (
        "claude bash",
        {
            **HOOK,
            "tool_name": "Bash",
            "tool_input": {"command": "git push", "description": "Send it", "timeout": 9},
            "tool_response": {"stdout": "done", "stderr": "warned", "interrupted": False},
        },
        {},
        {"command": "git push", "output": "done", "error": "warned", "other": "Bash\nSend it\n9"},
    ),
    (
        "claude edit",
        {
            **HOOK,
            "tool_input": {"file_path": "/a.py", "old_string": "old", "new_string": "new"},
            "tool_response": {
                "filePath": "/a.py",
                "oldString": "old",
                "newString": "new",
                "originalFile": "never",
                "structuredPatch": [{"oldStart": 1, "lines": [" around", "-old", "+new"]}],
            },
        },
        {},
        {"path": "/a.py", "output": " around\n-old\n+new", "other": "old\nnew"},
    ),
    ("claude prompt", {**HOOK, "prompt": "please"}, {}, {"prompt": "please"}),
    ("claude stop", {**HOOK, "last_assistant_message": "all done"}, {}, {"answer": "all done"}),
    (
        "claude read",
        {**HOOK, "tool_response": {"type": "text", "file": {"filePath": "/b", "content": "body"}}},
        {},
        {"path": "/b", "output": "text\nbody"},
    ),
    (
        "claude glob",
        {**HOOK, "tool_input": {"pattern": "*.py"}, "tool_response": {"filenames": ["/x.py", "/y.py"], "numFiles": 2}},
        {},
        {"path": "/x.py\n/y.py", "other": "*.py"},
    ),
    (
        "claude failure",
        {**HOOK, "error": "exit 1"},
        {"meta": json.dumps({"execution": {"error_message": "it broke"}}), "error": 1},
        {"error": "it broke\nexit 1"},
    ),
    (
        "transcript of a person",
        {"type": "user", "uuid": "U", "message": {"role": "user", "content": "please"}, "gitBranch": "main"},
        {"role": "user"},
        {"prompt": "please"},
    ),
    (
        "transcript of an answer",
        {
            "message": {
                "id": "M",
                "model": "claude",
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
                    {"type": "text", "text": "so"},
                    {"type": "tool_use", "id": "T", "name": "Bash", "input": {"command": "ls"}},
                ],
                "usage": {"input_tokens": 5, "service_tier": "standard"},
            }
        },
        {"role": "assistant"},
        {"answer": "hm\nso", "command": "ls", "other": "Bash"},
    ),
    (
        "transcript of a result",
        {
            "message": {"content": [{"tool_use_id": "T", "type": "tool_result", "content": "as it is"}]},
            "toolUseResult": {"stdout": "as it is", "stderr": ""},
        },
        {"role": "user"},
        {"output": "as it is"},
    ),
    (
        "transcript of a failure",
        {"message": {"content": [{"type": "tool_result", "is_error": True, "content": "no such file"}]}},
        {"role": "user"},
        {"error": "no such file"},
    ),
    (
        "transcript of parts",
        {"message": {"content": [{"type": "tool_result", "content": [{"type": "text", "text": "part"}]}]}},
        {"role": "user"},
        {"output": "text\npart"},
    ),
    (
        "files known by name",
        {"type": "file-history-snapshot", "snapshot": {"trackedFileBackups": {"lib/a.ex": {"backupFileName": "f@v1"}}}},
        {},
        {"path": "lib/a.ex"},
    ),
    (
        "codex call",
        {
            "type": "response_item",
            "payload": {
                "type": "function_call",
                "name": "shell",
                "call_id": "C",
                "arguments": json.dumps({"command": ["bash", "-lc", "make\ncheck"], "workdir": "/w"}),
            },
        },
        {},
        {"command": "bash\n-lc\nmake\ncheck\n/w", "other": "shell"},
    ),
    (
        "codex answer of a call",
        {"payload": {"type": "function_call_output", "call_id": "C", "output": json.dumps({"output": "a\nb"})}},
        {},
        {"output": '{"output": "a\nb"}'},
    ),
    (
        "codex message",
        {"payload": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "please"}]}},
        {"role": "user"},
        {"prompt": "please"},
    ),
    (
        "codex command",
        {
            "payload": {
                "type": "exec_command_end",
                "command": ["ls", "-l"],
                "stdout": "x",
                "aggregated_output": "x",
                "formatted_output": "x",
                "exit_code": 2,
            }
        },
        {},
        {"command": "ls\n-l", "output": "x", "error": "2"},
    ),
    (
        "gemini chat",
        {
            "id": "I",
            "type": "gemini",
            "content": "so",
            "toolCalls": [
                {
                    "name": "run_shell_command",
                    "args": {"command": "ls"},
                    "result": [{"functionResponse": {"id": "I", "response": {"output": "x"}}}],
                }
            ],
        },
        {"role": "assistant"},
        {"answer": "so", "command": "ls", "output": "I\nx", "other": "run_shell_command"},
    ),
    (
        "copilot hook",
        {"sessionId": "S", "toolName": "bash", "toolArgs": json.dumps({"command": "ls"}), "timestamp": 5},
        {},
        {"command": "ls", "other": "bash"},
    ),
    (
        "copilot result",
        {"toolResult": {"resultType": "success", "textResultForLlm": "done"}},
        {},
        {"output": "success\ndone"},
    ),
    (
        "cursor",
        {"conversation_id": "C", "generation_id": "G", "hook_event_name": "afterAgentResponse", "text": "so"},
        {"hook_type": "afterAgentResponse"},
        {"answer": "so"},
    ),
    (
        "opencode tool",
        {
            "id": "P",
            "messageID": "M",
            "sessionID": "S",
            "type": "tool",
            "tool": "bash",
            "state": {"status": "completed", "input": {"command": "ls"}, "output": "x", "title": "lists"},
        },
        {},
        {"command": "ls", "output": "x", "other": "bash\ncompleted\nlists"},
    ),
    (
        "otlp prompt",
        {"body": "claude_code.user_prompt", "attributes": {"prompt": "please", "user.id": "someone"}},
        {"origin": "otlp"},
        {"prompt": "please", "other": "claude_code.user_prompt\nsomeone"},
    ),
    (
        "log",
        {"content": "order refused", "order": 4711, "epoch": 5, "err": {"message": "no stock", "code": "E11000"}},
        {"origin": "log"},
        {"error": "no stock\nE11000", "other": "order refused\n4711"},
    ),
    ("unknown event", {"something": {"new": ["said", {"deep": "here"}]}}, {}, {"other": "said\nhere"}),
    ("a text alone", "please", {}, {"other": "please"}),
]


@pytest.mark.parametrize(("payload", "columns", "said"), [one[1:] for one in SHAPES], ids=[one[0] for one in SHAPES])
def test_each_agents_words_stand_in_their_column(
    payload: object, columns: dict[str, Any], said: Texts, texts_of: Callable[..., Texts]
) -> None:
    found = texts_of(json.dumps(payload), **columns)
    assert {name: text for name, text in found.items() if text is not None} == said


def test_what_is_no_text_is_in_no_column(texts_of: Callable[..., Texts]) -> None:
    base64 = "QUJD" * 60
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": base64}}
    raw = {"_raw": base64, "_why": "not JSON: it ends early"}
    same = {"a": "long text", "b": "[the same as /a]"}
    assert texts_of({"message": {"content": [image]}}, role="user") == dict.fromkeys(TEXT_COLUMNS)
    assert texts_of({"url": f"data:image/png;base64,{base64} "})["path"] is None
    assert texts_of(raw)["other"] == "not JSON: it ends early"
    assert texts_of(same, meta=json.dumps({"repeated": {"/b": "/a"}}))["other"] == "long text"
    assert texts_of(same)["other"] == "long text\n[the same as /a]"
    assert texts_of({"line": "word " * 100})["other"] == "word " * 100
    assert texts_of({"tool_input": {"id": "4711", "type": "bug"}})["other"] == "4711\nbug"


def test_what_only_looks_like_base64_is_text(texts_of: Callable[..., Texts]) -> None:
    names = "\n".join(f"tool-{number}_name" for number in range(40))
    hashes = "\r\n".join(f"{number * 7**50:064x}" for number in range(9))
    folders = "/".join(["", *(f"Folder{number}" for number in range(40))])
    stream = "data: zebra\n\ndata: ;base64,\n\n" * 9
    lines = "\n".join(["QUJD" * 19] * 9)
    for said in (names, hashes, stream):
        assert texts_of({"tool_response": {"stdout": said}})["output"] == said
    assert texts_of({"tool_response": {"stdout": lines}})["output"] is None
    assert texts_of({"tool_input": {"file_path": folders}})["path"] == folders
    assert texts_of({"tool_input": {"command": "a" * 300}})["command"] == "a" * 300


def test_json_in_a_text_is_read_and_what_is_none_stands_as_it_is(texts_of: Callable[..., Texts]) -> None:
    def said(text: str) -> str:
        return str(texts_of({"tool_response": {"stdout": text}})["output"])

    assert said("[E] C:\\new\\table") == "[E] C:\\new\\table"
    assert said(json.dumps({"path": "C:\\new\\tom", "of": "a/b"})) == '{"path": "C:\\new\\tom", "of": "a/b"}'
    assert said('{"a": "one\\r\\ntwo\\/three\\\\", "cut') == '{"a": "one\r\ntwo/three\\", "cut'
    assert said(json.dumps({"a": "Café", "b": 1})).endswith("\nCafé")
    assert said('{"a": "\\u0041"}') == '{"a": "\\u0041"}'


def test_a_programs_own_log_may_name_its_fields_as_it_likes(texts_of: Callable[..., Texts]) -> None:
    said = {"content": "deployed", "version": "v2.3.1", "type": "payment", "id": "o-17", "of": {"model": "m9"}}
    assert set(str(texts_of(said, origin="log")["other"]).split("\n")) == {
        "deployed",
        "v2.3.1",
        "payment",
        "o-17",
        "m9",
    }


def test_of_a_payload_that_is_made_to_cost_no_word_is_missing(texts_of: Callable[..., Texts]) -> None:
    """Of a large one, and of what lies deep, all is `other`: to look closer would take as long as its maker likes."""
    large = {"tool_input": {"command": "larch"}, "stdout": "word, " * 200_000, "data": "QUJD" * 60}
    assert texts_of(large)["other"] == f"larch\n{'word, ' * 200_000}"
    deep = '{"command": "larch", "x":' + '{"deeper": ' * 60 + '{"command": "elm"}' + "}" * 61
    assert (texts_of(deep)["command"], texts_of(deep)["other"]) == ("larch", "elm")
    parts = [{"type": "tool_result", "is_error": True, "content": f"no {n}"} for n in range(1_001)]
    found = texts_of({"message": {"content": parts}})
    assert found["output"] == "no 1000" and str(found["error"]).endswith("\nno 999")


def test_a_payload_that_is_no_json_any_more_has_no_text_and_stops_nothing() -> None:
    conn = day()
    conn.execute("pragma ignore_check_constraints = on")
    conn.execute("insert into hooks (id, uid, arrived, hook_type, data) values (1, x'00', 1, 'x', '{\"a\": ')")
    assert conn.execute(f"select * from {VIEW}").fetchall() == [(1, *[None] * len(TEXT_COLUMNS))]


WORD = st.text("abcdefgäöüß日本", min_size=1, max_size=12).map(lambda word: f"w{word}")
NAMES = st.sampled_from([*"abc", *(row[0] for row in text_schema.key_rows()), "src/a.py", "tool_input", "state"])
VALUES = st.recursive(
    WORD | st.integers() | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
LEFT_OUT = {row[0] for row in text_schema.key_rows() if row[1] == 0 or row[2] in (0, -1)}


def expected(value: object, name: str = "") -> set[str]:
    """The texts of a payload that stand behind no name that is left out."""
    if isinstance(value, str):
        return set() if name in LEFT_OUT else {value}
    inner = (
        value.items() if isinstance(value, dict) else ((name, one) for one in value) if isinstance(value, list) else ()
    )
    return {text for key, one in inner for text in expected(one, key)}


@settings(max_examples=1_000 if os.environ.get("EYELET_SOAK") else 120, suppress_health_check=list(HealthCheck))
@given(payload=st.dictionaries(NAMES, VALUES, max_size=5), role=st.sampled_from(["user", "assistant", None]))
def test_no_word_of_any_payload_is_missing(
    payload: dict[str, Any], role: str | None, texts_of: Callable[..., Texts]
) -> None:
    found = {line for text in texts_of(payload, role=role).values() for line in (text or "").split("\n")}
    lacking = expected(payload) - found
    said_twice = {text for text in lacking if json.dumps(payload, ensure_ascii=False).count(f'"{text}"') > 1}
    assert lacking == said_twice


_PROGRAM = """
import sys, json
sys.modules["pysqlite3"] = None
from tests.store import test_text_columns as here
conn = here.day()
for number, (_, payload, columns, _) in enumerate(here.SHAPES):
    row = {"id": number, "uid": str(number).encode(), "arrived": number, "hook_type": "x", "origin": "hook",
           "data": json.dumps(payload), **columns}
    conn.execute(f"insert into hooks ({', '.join(row)}) values ({', '.join('?' * len(row))})", list(row.values()))
print(json.dumps(conn.execute("select * from hooks_text order by id").fetchall()))
"""


def test_the_standard_librarys_sqlite_has_the_same_words_in_the_same_columns() -> None:
    path = os.pathsep.join([str(Path(__file__).parents[2]), *(one for one in sys.path if one)])
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}
    )
    assert (done.returncode, done.stderr) == (0, "")
    for number, (_, _, _, said) in enumerate(SHAPES):
        found = dict(zip(("id", *TEXT_COLUMNS), json.loads(done.stdout)[number], strict=True))
        assert {name: text for name, text in found.items() if text is not None} == {"id": number, **said}


def test_every_day_of_datasette_and_sqlite_utils_finds_the_index_of_hooks() -> None:
    from datasette.utils import detect_fts as by_datasette
    from sqlite_utils import Database

    conn = day()
    conn.row_factory = None
    assert by_datasette(conn, "hooks") == "hooks_fts"
    assert Database(conn)["hooks"].detect_fts() == "hooks_fts"


def test_what_the_view_costs_whoever_opens_a_day_is_bounded() -> None:
    """SQLite parses it at each opening: 30 µs for each thousand characters."""
    assert sum(len(re.sub(r"\s+", " ", statement)) for statement in text_schema.DDL) < 5_300
