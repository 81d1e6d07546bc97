"""What every test of a source asks: the tables of docs/events.md, and what any event's columns must be."""

import json
import os
import re
from pathlib import Path

from hypothesis import strategies as st

from eyelet_ingest.events import Event

DOCS = Path(__file__).resolve().parents[2] / "docs"
COLUMNS = ("event", "says", "status", "loglevel", "error_code", "src")
# Examples of a fuzzed source: as many as find something in seconds, and all the more in soak.
EXAMPLES = 5_000 if os.environ.get("EYELET_SOAK") else 60
STATUSES = ("ok", "pending", "error", "interrupted", "denied")

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=6,
)


def table(heading: str) -> list[dict[str, str]]:
    """The lines of the table under a heading of docs/events.md."""
    section = (DOCS / "events.md").read_text(encoding="utf-8").split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line.strip("| \n").split("|") for line in section.splitlines() if line.startswith("|")]
    return [dict(zip(COLUMNS, (cell.strip().strip("`") for cell in line), strict=True)) for line in lines[2:]]


def said(line: dict[str, str]) -> dict[str, object]:
    found: dict[str, object] = {} if line["says"] == "–" else json.loads(line["says"])
    return found


def code_of(event: Event) -> str:
    execution = event.meta.get("execution")
    return str(execution.get("error_code", "")) if isinstance(execution, dict) else ""


def hold_to_table(event: Event, line: dict[str, str]) -> None:
    shown = (event.status, event.loglevel, code_of(event), event.src, event.error)
    assert shown == (*(line[name] for name in COLUMNS[2:]), int(line["status"] == "error"))


def hold_to_columns(event: Event) -> None:
    """Every column is what SQLite can hold and a reader can trust."""
    for name in ("session_id", "hook_type", "src", "status", "loglevel", "data", "origin"):
        assert isinstance(getattr(event, name), str)
    for name in (
        *("session_id", "hook_type", "src", "tool_name", "tool_use_id", "agent_id", "model", "project_dir", "role"),
        *("agent", "hostname", "ip_address"),
    ):
        text = getattr(event, name)
        if text is not None:
            assert "\0" not in text and len(text) <= 4096
            text.encode()
    assert re.fullmatch(r"[a-z0-9_-]+(\.[a-z0-9_-]+){1,7}", event.src)
    assert event.status in STATUSES
    assert event.error == (event.status == "error")
    assert event.duration_ms is None or 0 <= event.duration_ms < 1e13
    json.dumps(event.meta, allow_nan=False).encode()
