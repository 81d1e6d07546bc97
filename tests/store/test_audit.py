"""The audit is added to, by whoever, and never changed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from eyelet_ingest.errors import RootError
from eyelet_ingest.store import audit, connect


def test_lines_come_back_newest_first_and_in_pages(root: str) -> None:
    assert audit.lines(root) == []
    ids = [audit.record(root, "root", "delete", {"n": n}) for n in range(5)]
    assert ids == sorted(ids)
    assert [json.loads(line.what)["n"] for line in audit.lines(root, 2)] == [4, 3]
    assert [json.loads(line.what)["n"] for line in audit.lines(root, 2, before_id=ids[3])] == [2, 1]
    assert audit.lines(root)[0].who == "root"


def test_the_file_is_its_owners_alone(root: str) -> None:
    audit.record(root, "root", "delete", {})
    assert os.stat(os.path.join(root, audit.FILE_NAME)).st_mode & 0o777 == 0o600


@pytest.mark.parametrize("statement", ["update audit set who = 'nobody'", "delete from audit"])
def test_a_line_is_never_changed_or_deleted(root: str, statement: str) -> None:
    audit.record(root, "root", "delete", {})
    conn = connect.open_writer(os.path.join(root, audit.FILE_NAME))
    with pytest.raises(conn.Error, match="never changed"):
        conn.execute(statement)
    conn.close()


def test_a_line_that_cannot_be_written_is_an_error(root: str) -> None:
    Path(root).mkdir()
    Path(root, audit.FILE_NAME).write_bytes(b"this is no database" * 500)
    with pytest.raises(RootError, match="audit"):
        audit.record(root, "root", "delete", {})


def test_text_that_is_no_utf8_is_kept_as_far_as_it_can(root: str) -> None:
    audit.record(root, "a\udc80b", "delete", {"x": "\ud800"})
    line = audit.lines(root)[0]
    assert (line.who, json.loads(line.what)) == ("a?b", {"x": "?"})


def test_processes_at_once_each_add_their_lines(root: str) -> None:
    code = (
        "import sys; from eyelet_ingest.store import audit\n"
        "for n in range(10): audit.record(sys.argv[1], sys.argv[2], 'delete', {'n': n})"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, root, str(who)]) for who in range(4)]
    assert [process.wait() for process in running] == [0] * 4
    lines = audit.lines(root)
    assert len(lines) == 40
    assert len({(line.who, line.what) for line in lines}) == 40
