"""The ready queries on real recordings, counted once more by code that reads the files and not the store."""

import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from eyelet_ingest.cli import cli

Row = dict[str, Any]
EVERYTHING = ("-p", "since", "2020-01-01", "-p", "limit", "100000")
EDITORS = {"Edit", "MultiEdit", "Write", "NotebookEdit"}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = Path(__file__).resolve().parents[2].parent / "shared" / "real"
    folder = Path(os.environ.get("EYELET_REAL", folder))
    if not folder.is_dir():
        pytest.skip("no real recordings here (EYELET_REAL names their folder)")
    made = str(tmp_path_factory.mktemp("real") / "root")
    for part in ("hooks", "transcripts"):
        done = CliRunner().invoke(cli, ["ingest", str(folder / part), "--context", part, "--root", made])
        assert done.exit_code == 0, done.output
    yield made


def ask(root: str, name: str, *given: str, context: str) -> list[Row]:
    done = CliRunner().invoke(cli, ["sql", "--query", name, *given, "--context", context, "--json", "--root", root])
    assert done.exit_code == 0, done.stderr
    rows: list[Row] = json.loads(done.stdout)
    return rows


def records(real: Path, part: str) -> Iterator[Row]:
    for path in sorted((real / part).rglob("*.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            if line.strip():
                yield json.loads(line)


def calls_of(real: Path, part: str) -> dict[tuple[str, str], tuple[str, Row]]:
    """(session, call) → (tool, input); a hook without an identifier counts where it asks."""
    calls: dict[tuple[str, str], tuple[str, Row]] = {}
    for number, one in enumerate(records(real, part)):
        if part == "hooks":
            if one.get("tool_name") and (one.get("tool_use_id") or one["hook_event_name"] == "PreToolUse"):
                calls[one["session_id"], one.get("tool_use_id") or f"#{number}"] = one["tool_name"], one["tool_input"]
            continue
        content = one.get("message", {}).get("content")
        blocks = [block for block in content if block.get("type") == "tool_use"] if isinstance(content, list) else []
        if one["type"] == "assistant" and blocks:
            calls[one["sessionId"], blocks[0]["id"]] = blocks[0]["name"], blocks[0]["input"]
    return calls


@pytest.mark.parametrize("part", ["hooks", "transcripts"])
def test_tools_have_the_calls_that_the_files_have(root: str, real: Path, part: str) -> None:
    expected = Counter(tool for tool, _ in calls_of(real, part).values())
    assert {row["tool_name"]: row["calls"] for row in ask(root, "tools", *EVERYTHING, context=part)} == dict(expected)


@pytest.mark.parametrize("part", ["hooks", "transcripts"])
def test_files_have_the_edits_that_the_files_have(root: str, real: Path, part: str) -> None:
    expected: Counter[str] = Counter(
        given.get("file_path") or given.get("notebook_path")
        for tool, given in calls_of(real, part).values()
        if tool in EDITORS
    )
    assert {row["file"]: row["calls"] for row in ask(root, "files", *EVERYTHING, context=part)} == dict(expected)


@pytest.mark.parametrize("part", ["hooks", "transcripts"])
def test_commands_have_the_runs_that_the_files_have(root: str, real: Path, part: str) -> None:
    expected: Counter[str] = Counter()
    met: Counter[str] = Counter()
    for tool, given in calls_of(real, part).values():
        if tool == "Bash":
            command = given["command"]
            shown = command.replace("\n", " ").replace("\r", " ")[:200]
            parts = re.split(r"&&|[|;\n\r]", command)
            expected[shown] += 1
            met[shown] += any(re.match(r" *git status(?: |$)", one) for one in parts)
    found = {row["command"]: row["calls"] for row in ask(root, "commands", *EVERYTHING, context=part)}
    assert sum(found.values()) == sum(expected.values())
    differing = {command for command in found if found[command] != expected[command]}
    assert len(differing) < 5, "only what redaction changed"
    denied = ask(root, "would_deny", *EVERYTHING, "-p", "tool", "Bash", "-p", "pattern", "git status:*", context=part)
    assert {row["what"]: row["calls"] for row in denied} == dict(+met)


def test_prompts_and_sessions_are_those_of_the_files(root: str, real: Path) -> None:
    events: dict[str, int] = defaultdict(int)
    prompts = Counter()
    for one in records(real, "hooks"):
        events[one["session_id"]] += 1
        prompts[one["session_id"]] += one["hook_event_name"] == "UserPromptSubmit"
    found = ask(root, "sessions_of_project", *EVERYTHING, context="hooks")
    assert {row["session_id"]: row["events"] for row in found} == dict(events)
    asked = Counter(row["session_id"] for row in ask(root, "prompts", *EVERYTHING, context="hooks"))
    assert asked == +prompts


def test_what_is_left_of_the_prompts_of_transcripts_is_what_a_person_wrote(root: str, real: Path) -> None:
    written = set()
    for one in records(real, "transcripts"):
        content = one.get("message", {}).get("content")
        is_text = isinstance(content, str) or (isinstance(content, list) and content and content[0]["type"] == "text")
        if one["type"] == "user" and is_text and not one.get("isMeta"):
            written.add(one["uuid"])
    found = ask(root, "prompts", *EVERYTHING, context="transcripts")
    assert 0 < len(found) <= len(written)
