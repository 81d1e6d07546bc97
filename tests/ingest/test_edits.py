"""What tools changed in files, and what they were given and answered, whoever's payload it is."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyelet_ingest.edits import LINES_COMPARED, LINES_SHOWN, compare, edits
from eyelet_ingest.said import Said, plain, said

TEXTS = st.lists(st.sampled_from(["", "a", "b", "  c", "{", "}"]), max_size=12).map("\n".join)


@given(TEXTS, TEXTS)
@settings(max_examples=200)
def test_a_diff_takes_the_old_text_to_the_new(old: str, new: str) -> None:
    """Both texts are the same but for the hunks, which stand in their place in each."""
    lines = compare(old, new)
    hunks: list[list[tuple[str, str]]] = [[]] if lines else []
    for line in lines:
        if line[0] == "@":
            hunks.append([])
        else:
            hunks[-1].append(line)
    sides = _pattern(hunks, "-", r"((?:\n.*)*)"), _pattern(hunks, "+", None)
    assert re.fullmatch("!".join(sides), "!".join(_lines(text.splitlines()) for text in (old, new)))


def _pattern(hunks: list[list[tuple[str, str]]], mark: str, between: str | None) -> str:
    runs = [re.escape(_lines([line for sign, line in hunk if sign in (" ", mark)])) for hunk in hunks]
    gaps = [between or f"\\{at + 1}" for at in range(len(runs) + 1)]
    return "".join(gap + run for gap, run in zip(gaps, [*runs, ""], strict=True))


def _lines(lines: list[str]) -> str:
    return "".join(f"\n{line}" for line in lines)


def test_what_is_alike_at_both_ends_is_not_compared_and_three_lines_of_it_are_shown() -> None:
    head, tail = [f"h{at}" for at in range(5_000)], [f"t{at}" for at in range(5_000)]
    lines = compare("\n".join([*head, "old", *tail]), "\n".join([*head, "new", *tail]))
    assert lines == [
        *((" ", f"h{at}") for at in (4_997, 4_998, 4_999)),
        ("-", "old"),
        ("+", "new"),
        *((" ", f"t{at}") for at in (0, 1, 2)),
    ]


def test_what_is_too_long_to_compare_is_all_of_one_and_then_all_of_the_other() -> None:
    old, new = ([f"{name}{at % 7}" for at in range(LINES_COMPARED + 1)] for name in "ab")
    lines = compare("\n".join(old), "\n".join(new))
    assert [line for mark, line in lines if mark == "-"] == old
    assert [line for mark, line in lines if mark == "+"] == new
    [edit] = edits("Write", {"file_path": "f", "content": "line\n" * 5_000})
    assert (len(edit.lines), edit.added, edit.is_cut) == (LINES_SHOWN, 5_000, True)


def test_the_edits_of_a_call_share_what_is_compared() -> None:
    """Each alone is small enough: fifty of them would take seconds, in every list that shows the call."""
    old, new = ("\n".join(f"same{at // 2 % 86}" if at % 2 else f"{name}{at}" for at in range(600)) for name in "ab")
    found = edits("MultiEdit", {"file_path": "f", "edits": [{"old_string": old, "new_string": new}] * 60})
    compared = [edit for edit in found if any(mark == " " for mark, _ in edit.lines[1:-1])]
    assert (len(found), len(compared)) == (50, 1)
    assert {(edit.path, bool(edit.added), bool(edit.removed)) for edit in found} == {("f", True, True)}


EDITS = {
    "claude edit": ("Edit", {"file_path": "a.py", "old_string": "x\ny", "new_string": "x\nz"}, None),
    "claude several": ("MultiEdit", {"file_path": "a.py", "edits": [{"old_string": "y", "new_string": "z"}]}, None),
    "gemini": ("replace", {"file_path": "a.py", "old_string": "y", "new_string": "z"}, None),
    "opencode": ("edit", {"filePath": "a.py", "oldString": "y", "newString": "z"}, None),
    "copilot": ("str_replace", {"path": "a.py", "old_str": "y", "new_str": "z"}, None),
    "codex": ("apply_patch", "*** Begin Patch\n*** Update File: a.py\n@@\n x\n-y\n+z\n*** End Patch", None),
    "codex shell": ("shell", {"command": ["apply_patch", "*** Begin Patch\n*** Update File: a.py\n-y\n+z\n"]}, None),
    "what was applied": (
        "Edit",
        {"file_path": "a.py", "old_string": "no", "new_string": "matter"},
        {"filePath": "a.py", "structuredPatch": [{"oldStart": 3, "oldLines": 1, "lines": ["-y", "+z"]}]},
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_every_agents_edit_is_understood(name: str) -> None:
    [edit] = edits(*EDITS[name])
    assert (edit.path, edit.added, edit.removed) == ("a.py", 1, 1)
    assert [line for line in edit.lines if line[0] in "+-"] == [("-", "y"), ("+", "z")]


def test_a_new_file_is_all_added_and_a_patch_has_an_edit_for_each_file() -> None:
    [edit] = edits("Write", {"file_path": "n", "content": "one\ntwo"}, {"structuredPatch": []})
    assert edit.lines == (("+", "one"), ("+", "two"))
    patch = "*** Begin Patch\n*** Add File: n\n+one\n*** Delete File: o\n*** End Patch\n"
    assert [(edit.path, edit.added, edit.removed) for edit in edits("apply_patch", {"input": patch})] == [
        ("n", 1, 0),
        ("o", 0, 0),
    ]


@pytest.mark.parametrize("given", [None, "text", 5, [], {}, {"file_path": 3}, {"edits": "no"}, {"edits": [1, {}]}])
@pytest.mark.parametrize("answered", [None, {"structuredPatch": [3]}, {"structuredPatch": [{"lines": 5}]}])
def test_what_changes_no_file_has_no_edit(given: Any, answered: Any) -> None:
    assert edits("Edit", given, answered) == ()


SAID: dict[str, tuple[dict[str, Any], Said]] = {
    "hook": (
        {"tool_input": {"command": "ls"}, "tool_response": {"stdout": "a"}},
        Said({"command": "ls"}, {"stdout": "a"}),
    ),
    "copilot": ({"toolArgs": '{"command": "ls"}', "toolResult": "a"}, Said({"command": "ls"}, "a")),
    "asks": ({"message": {"content": [{"type": "tool_use", "id": "1", "input": {"x": 1}}]}}, Said({"x": 1}, None)),
    "answers": (
        {"message": {"content": [{"type": "tool_result", "tool_use_id": "1", "content": "a"}]}},
        Said(None, "a"),
    ),
    "rollout": ({"payload": {"arguments": '{"cmd": "ls"}', "output": "a"}}, Said({"cmd": "ls"}, "a")),
    "opencode": ({"state": {"input": {"x": 1}, "output": "a"}}, Said({"x": 1}, "a")),
    "fails": ({"tool_input": {"x": 1}, "error": "no"}, Said({"x": 1}, "no")),
    "says nothing": ({"prompt": "hello"}, Said()),
}


@pytest.mark.parametrize("name", SAID)
def test_what_a_tool_was_given_and_answered_is_found_wherever_its_agent_keeps_it(name: str) -> None:
    payload, expected = SAID[name]
    assert said(payload) == expected


def test_of_several_calls_in_one_record_the_one_that_was_asked_for_is_told() -> None:
    blocks = [{"type": "tool_use", "id": str(at), "input": {"at": at}} for at in range(3)]
    assert said({"message": {"content": blocks}}, "2").given == {"at": 2}
    assert said({"message": {"content": blocks}}, "gone").given == {"at": 0}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a"),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "a\nb"),
        ({"stdout": "a", "stderr": "b", "interrupted": False}, "a\nb"),
        ({"content": [{"type": "text", "text": "a"}]}, "a"),
        ({"content": "a", "x": 1, "y": 2}, None),
        ([{"type": "image"}], None),
        ([], None),
        (5, None),
    ],
)
def test_what_is_a_text_at_heart_is_told_as_one(value: object, text: str | None) -> None:
    assert plain(value) == text


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["tool_input", "message", "content", "payload", "edits", "data", "type"]), inner
        )
    ),
    max_leaves=12,
)


@given(JSON)
@settings(max_examples=200)
def test_no_payload_is_too_odd(payload: object) -> None:
    found = said(payload)
    edits("Edit", found.given, found.answered)
    plain(found.given)


@pytest.mark.skipif("EYELET_REAL" not in os.environ, reason="EYELET_REAL names a folder of real recordings")
def test_real_edits_are_found() -> None:
    """Each edit of real hooks changes a line, and says in which file."""
    found = 0
    for payload in _real_payloads():
        if payload.get("tool_name") not in ("Edit", "MultiEdit", "Write"):
            continue
        told = said(payload)
        changed = edits(payload["tool_name"], told.given, told.answered)
        assert changed and all(edit.path for edit in changed), payload["tool_name"]
        found += 1
    assert found > 20


def _real_payloads() -> Iterator[dict[str, Any]]:
    for path in sorted(Path(os.environ["EYELET_REAL"], "hooks").rglob("*.jsonl")):
        with path.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                payload = json.loads(line)
                if isinstance(payload, dict):
                    yield payload
