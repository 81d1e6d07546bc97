"""The ledger alone: what one import remembers holds for all, and what it cannot write it says."""

import sqlite3
from pathlib import Path

import pytest

from eyelet_ingest import ledger
from eyelet_ingest.errors import RootError
from eyelet_ingest.ledger import Ledger
from eyelet_ingest.pipeline import ingest

STOP = b'{"hook_event_name": "Stop", "session_id": "s"}\n'
CREATE_TEMP = sqlite3.SQLITE_CREATE_TEMP_TABLE
END = b'{"hook_event_name": "SessionEnd", "session_id": "s"}\n'


def test_of_two_imports_at_once_both_give_a_record_the_same_time(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another writes between the first look and the write."""
    with Ledger(root) as one, Ledger(root) as other:
        look = one._known_times

        def late(context: str, uids: list[bytes]) -> dict[bytes, int]:
            monkeypatch.setattr(one, "_known_times", look)
            found = look(context, uids)
            other.times("c", [(b"u", 1)])
            return found

        monkeypatch.setattr(one, "_known_times", late)
        assert one.times("c", [(b"u", 2), (b"v", 2)])[0] == {b"u": 1, b"v": 2}
        assert other.times("c", [(b"v", 3)]) == ({b"v": 2}, {b"v"})


def test_a_full_temporary_disk_is_an_error_that_says_so(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "OCCURRENCES_HELD", 2)
    with Ledger(root) as opened:
        counts = opened.occurrences()
        assert [counts.next(n) for n in (1, 2, 1, 3, 2, 1)] == [0, 0, 1, 0, 1, 2]
        counts.close()
        counts = opened.occurrences()
        opened._conn.set_authorizer(
            lambda action, *_: sqlite3.SQLITE_DENY if action == CREATE_TEMP else sqlite3.SQLITE_OK
        )
        with pytest.raises(RootError, match="temporary"):
            [counts.next(n) for n in range(3)]


def test_a_log_begun_anew_says_what_was_taken_for_known(root: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(STOP * 5)
    assert ingest([str(path)], root).notes == ()
    assert ingest([str(path)], root).notes == ()
    path.write_bytes(STOP * 6)
    assert ingest([str(path)], root).notes == ()
    path.write_bytes(END + STOP * 3)
    done = ingest([str(path)], root)
    assert (done.stored, done.duplicates) == (1, 3)
    (note,) = done.notes
    assert str(path) in note and " 3 payloads" in note
    assert ingest([str(path)], root).notes == ()
