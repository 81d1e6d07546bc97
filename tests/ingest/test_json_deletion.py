"""JSON files are a place of deletion: what goes from the days goes from them, to the last byte, and nothing else."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from eyelet_ingest import capture, json_files
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store


def hook(root: str, fmt: str, **payload: object) -> None:
    said = json.dumps({"hook_event_name": "PostToolUse", "tool_name": "Bash", **payload})
    command = [sys.executable, "-I", "-S", str(capture.__file__), "--root", root]
    done = subprocess.run(command, input=said.encode(), env={**os.environ, "EYELET_FORMAT": fmt}, check=True)
    assert done.returncode == 0


def bytes_below(root: str) -> bytes:
    return b"\0".join(path.read_bytes() for path in Path(root).rglob("*") if path.is_file())


@pytest.mark.parametrize("fmt", ["json", "both"])
def test_a_session_goes_from_json_files_and_nothing_else_does(root: str, fmt: str, tmp_path: Path) -> None:
    hook(root, fmt, session_id="going", tool_input={"command": "echo unique-going-7141"}, cwd=str(tmp_path))
    hook(root, fmt, session_id="staying", tool_input={"command": "echo unique-staying-2718"}, cwd=str(tmp_path))
    left_behind = next(path for path in json_files.files(root) if "unique-going-7141" in Path(path).read_text())
    unfinished = Path(left_behind).with_name(f".{Path(left_behind).name}.77")
    unfinished.write_bytes(Path(left_behind).read_bytes())
    with Store(root) as store:
        where = Filter(session_id=("going",))
        planned = store.delete(where, dry_run=True)
        assert [day.events for day in planned.elsewhere if day.place == "json"] == [2]
        assert b"unique-going-7141" in bytes_below(root)
        done = store.delete(where)
        assert ([day.events for day in done.elsewhere if day.place == "json"], done.failed) == ([2], [])
        assert store.count(where).count == 0
    assert b"unique-going-7141" not in bytes_below(root)
    (kept,) = json_files.files(root, unfinished=True)
    assert json_files.read(kept)["session_id"] == "staying"


def test_a_file_that_is_no_event_goes_where_its_text_names_what_goes(root: str) -> None:
    hook(root, "json", session_id="one")
    (path,) = json_files.files(root)
    Path(path).write_text('{"v": 1, "data": {"session_id": "damaged-session-31415926"')
    with Store(root) as store:
        assert store.delete(Filter(session_id=("other-session-31415926",))).elsewhere == []
        (gone,) = store.delete(Filter(session_id=("damaged-session-31415926",))).elsewhere
    assert (gone.place, gone.events) == ("json", 1)
    assert list(json_files.files(root, unfinished=True)) == []
    assert os.listdir(os.path.join(root, json_files.FOLDER)) == []
