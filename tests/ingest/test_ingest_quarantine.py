"""What cannot be stored is kept with its file, line and reason, hinders nothing, and goes when it is mended."""

import json
import os
from pathlib import Path

import pytest

from eyelet_ingest import batch, ledger, reading
from eyelet_ingest.errors import BadInput, EyeletError, RootError
from eyelet_ingest.ledger import Ledger, Quarantined
from eyelet_ingest.pipeline import Ingested, ingest
from eyelet_ingest.store import layout
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

STOP = b'{"hook_event_name": "Stop", "session_id": "s", "timestamp": "2026-05-28T12:00:00Z"}'
TOKEN = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"


def take(root: str, path: Path, content: bytes | None = None) -> Ingested:
    if content is not None:
        path.write_bytes(content)
    done = ingest([str(path)], root)
    assert done.read == done.stored + done.duplicates + done.quarantined
    return done


def kept(root: str) -> list[Quarantined]:
    with Ledger(root) as opened:
        return opened.quarantined()


BAD = {
    "not JSON": (b"hello", "not JSON"),
    "truncated": (b'{"hook_event_name": "Stop", "mess', "not JSON"),
    "NUL bytes": (b'{"hook_event_name": "St\0op"}', "NUL"),
    "only NUL bytes": (b"\0" * 4096, "NUL"),
    "NaN": (b'{"hook_event_name": "Stop", "n": NaN}', "NaN"),
    "Infinity": (b'{"hook_event_name": "Stop", "n": -Infinity}', "Infinity"),
    "nesting of 2,000": (b'{"hook_event_name": "Stop", "n": ' + b"[" * 2000 + b"]" * 2000 + b"}", "900"),
    "a number": (b"42", "not an object"),
    "a text": (b'"Stop"', "not an object"),
    "an unknown object": (b'{"hello": "world"}', "neither"),
    "an empty object": (b"{}", "neither"),
    "another program's log": (b'{"timestamp": "2026-05-28", "type": "order_placed", "payload": {"n": 1}}', "neither"),
}


@pytest.mark.parametrize(("line", "reason"), BAD.values(), ids=BAD.keys())
def test_a_bad_record_is_quarantined_and_the_rest_goes_in(root: str, tmp_path: Path, line: bytes, reason: str) -> None:
    path = tmp_path / "a.jsonl"
    first = take(root, path, STOP + b"\n" + line + b"\n" + STOP.replace(b"s", b"t") + b"\n")
    assert (first.read, first.stored, first.quarantined) == (3, 2, 1)
    (entry,) = kept(root)
    assert (entry.file, entry.line) == (str(path), 2)
    assert reason in entry.reason
    again = take(root, path)
    assert (again.duplicates, again.quarantined) == (2, 1)
    assert len(kept(root)) == 1


def test_a_bad_element_of_an_array_is_quarantined_and_the_rest_goes_in(root: str, tmp_path: Path) -> None:
    done = take(root, tmp_path / "a.json", b"[\n" + STOP + b",\n[],\n{oops},\n7\n]")
    assert (done.read, done.stored, done.quarantined) == (4, 1, 3)
    assert [(entry.line, entry.content) for entry in reversed(kept(root))] == [
        (5, "[withheld]"),
        (4, "{oops}"),
        (3, "[withheld]"),
    ]


def test_a_record_of_fifty_megabytes_is_stored(root: str, tmp_path: Path) -> None:
    big = json.dumps({"hook_event_name": "Stop", "timestamp": "2026-05-28", "text": "x" * (50 * 2**20)}).encode()
    assert take(root, tmp_path / "a.jsonl", big + b"\n" + STOP).stored == 2
    with Store(root) as store:
        found = store.search(Filter(), cut_chars=10, oldest_first=True).rows
    assert int(str(found[0]["data_chars"])) > 50 * 2**20


def test_a_truncated_last_line_leaves_the_quarantine_when_it_has_grown(root: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    last = STOP.replace(b"Stop", b"SessionEnd")
    assert take(root, path, STOP + b"\n" + last[:-20]).quarantined == 1
    assert [entry.line for entry in kept(root)] == [2]
    done = take(root, path, STOP + b"\n" + last + b"\n")
    assert (done.stored, done.duplicates, done.quarantined) == (1, 1, 0)
    assert kept(root) == []


def test_a_line_that_is_still_bad_stays_in_quarantine(root: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    take(root, path, b"oops\n" + STOP + b"\nmore\n")
    take(root, path, b"oops\n" + STOP + b"\n" + STOP.replace(b"s", b"t") + b"\n")
    assert [(entry.line, entry.content) for entry in kept(root)] == [(1, "oops")]


def test_the_quarantine_holds_no_secret(root: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    take(root, path, b'{"hook_event_name": "Stop", "token": "' + TOKEN.encode() + b'"\n' + STOP + b"\n")
    (entry,) = kept(root)
    assert "token" in entry.content and TOKEN not in entry.content
    for file in Path(root).rglob("*"):
        if file.is_file():
            assert TOKEN.encode() not in file.read_bytes(), file


@pytest.mark.parametrize(
    "whole",
    [
        {"sessionId": "g", "projectHash": "p", "messages": ["--password", ["hunter2"]]},
        {"resourceLogs": [{"scopeLogs": [{"logRecords": ["--password", ["hunter2"]]}]}]},
        {"sessionId": "c", "chatMessages": [], "resourceLogs": ["--password", ["hunter2"]]},
    ],
)
def test_what_stood_in_a_list_of_records_is_withheld(root: str, tmp_path: Path, whole: dict[str, object]) -> None:
    assert take(root, tmp_path / "a.json", json.dumps(whole).encode()).quarantined == 2
    assert not [path for path in Path(root).rglob("*") if path.is_file() and b"hunter2" in path.read_bytes()]


def test_a_secret_where_the_kept_part_ends_is_no_secret_cut_in_half(root: str, tmp_path: Path) -> None:
    before = b'{"x": "' + b"y" * (ledger.CONTENT_MAX_CHARS - 7 - 20)
    take(root, tmp_path / "a.jsonl", before + b" " + TOKEN.encode() + b'"\n')
    (entry,) = kept(root)
    assert "ghp_" not in entry.content
    assert entry.chars == len(before) + 1 + len(TOKEN) + 1
    assert len(entry.content) <= ledger.CONTENT_MAX_CHARS


def test_no_secret_of_a_payload_or_a_path_is_on_disk(root: str, tmp_path: Path) -> None:
    folder = tmp_path / f"of-{TOKEN}"
    folder.mkdir()
    payload = {"hook_event_name": "PreToolUse", "session_id": TOKEN, "tool_name": "Bash", "cwd": f"/x/{TOKEN}"}
    payload["tool_input"] = {"command": f"git push https://me:{TOKEN}@example.org"}  # type: ignore[assignment]
    record = {"type": "user", "uuid": TOKEN, "sessionId": TOKEN, "message": {"role": "user", "content": TOKEN}}
    lines = [json.dumps(payload), json.dumps(record), '{"type": "summary", "leafUuid": "x"}', f"not JSON {TOKEN}"]
    done = take(root, folder / "a.jsonl", "\n".join(lines).encode())
    assert (done.stored, done.quarantined) == (3, 1)
    for file in Path(root).rglob("*"):
        if file.is_file():
            assert TOKEN.encode() not in file.read_bytes(), file
    again = take(root, folder / "a.jsonl")
    assert (again.duplicates, again.quarantined) == (3, 1)


def day_file(root: str, second: int) -> Path:
    return Path(layout.db_path(root, layout.key_for("default", second * 1_000_000)))


def test_a_day_that_cannot_be_written_hinders_no_other(root: str, tmp_path: Path) -> None:
    """Its events wait in quarantine and are stored by the next import, once the day is mended."""
    days = {name: f"2026-05-{day}T12:00:00Z" for name, day in (("a", 27), ("b", 28), ("c", 29))}
    lines = [json.dumps({"hook_event_name": "Stop", "session_id": s, "timestamp": at}) for s, at in days.items()]
    broken = day_file(root, 1_779_969_600)  # the 28th
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"garbage, and no database " * 400)
    path = tmp_path / "a.jsonl"
    done = take(root, path, "\n".join(lines).encode())
    assert (done.stored, done.quarantined, done.partitions) == (2, 1, 2)
    (entry,) = kept(root)
    assert (entry.line, json.loads(entry.content)["session_id"]) == (2, "b")
    assert str(broken) in entry.reason
    assert (take(root, path).duplicates, len(kept(root))) == (2, 1)
    broken.unlink()
    done = take(root, path)
    assert (done.stored, done.duplicates, done.quarantined) == (1, 2, 0)
    assert kept(root) == []


def test_the_same_bad_line_of_standard_input_is_kept_once(root: str) -> None:
    import io

    for _ in range(2):
        done = ingest(["-"], root, stdin=io.BytesIO(STOP + b"\noops\n"))
        assert (done.read, done.quarantined) == (2, 1)
    assert [(entry.file, entry.line) for entry in kept(root)] == [("-", 2)]


def test_only_the_first_troubles_are_carried_and_all_are_kept(root: str, tmp_path: Path) -> None:
    done = take(root, tmp_path / "a.jsonl", b"".join(b"oops %d\n" % n for n in range(25)))
    assert (done.quarantined, len(done.troubles), len(kept(root))) == (25, 10, 25)


def test_a_path_that_names_nothing_is_an_error_and_nothing_is_done(root: str, tmp_path: Path) -> None:
    good = tmp_path / "a.jsonl"
    good.write_bytes(STOP)
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "gone.jsonl")
    for missing in ("b.jsonl", "none/*.jsonl", "link.jsonl"):
        with pytest.raises(BadInput, match=missing.replace("*", r"\*")):
            ingest([str(good), str(tmp_path / missing)], root)
    assert not os.path.exists(root)


def test_a_ledger_that_is_garbage_is_an_error_that_says_so(root: str, tmp_path: Path) -> None:
    Path(root).mkdir()
    (Path(root) / ledger.FILE_NAME).write_bytes(b"garbage, and no database " * 400)
    (tmp_path / "a.jsonl").write_bytes(STOP)
    with pytest.raises(RootError, match=ledger.FILE_NAME):
        ingest([str(tmp_path / "a.jsonl")], root)


def test_a_root_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(STOP)
    with pytest.raises(EyeletError, match="file"):
        ingest([str(tmp_path / "a.jsonl")], str(tmp_path / "a.jsonl"))


def test_a_newer_ledger_is_left_alone(root: str, tmp_path: Path) -> None:
    with Ledger(root) as opened:
        opened._conn.execute(f"pragma user_version = {ledger.VERSION + 1}")
    with pytest.raises(RootError, match="newer"):
        Ledger(root)


def test_the_ledger_is_private(root: str, tmp_path: Path) -> None:
    take(root, tmp_path / "a.jsonl", STOP)
    for file in Path(root).glob("ingest.sqlite*"):
        assert file.stat().st_mode & 0o777 == 0o600
    assert Path(root).stat().st_mode & 0o777 == 0o700


HIDDEN = "hunter2-Tr0ub4dor"
WITH_A_SECRET = {
    "an unknown object": json.dumps({"password": HIDDEN}),
    "an unknown object with arguments": json.dumps({"argv": ["mysql", "--password", HIDDEN]}),
    "an array's arguments": json.dumps(["mysql", "--password", HIDDEN]),
    "an array's arguments, cut": f'["--password", "{HIDDEN}',
    "an array in an array": json.dumps(["--password", [HIDDEN]]),
    "a damaged element": f'["--password", {HIDDEN}, {{"a": zz}}]',
    "a string alone on a line": json.dumps(HIDDEN),
    "a damaged object over lines": f'{{"argv": [\n{{"a": 1}},\n"--password",\n"{HIDDEN}",\n]}}',
    "a damaged object": f'{{"password": "{HIDDEN}", "a": zz}}',
    "escaped": f'{{"pass\\u0077ord": "{HIDDEN}", "a": zz}}',
}


@pytest.mark.parametrize("content", WITH_A_SECRET.values(), ids=WITH_A_SECRET.keys())
def test_no_shape_brings_a_secret_into_quarantine(root: str, tmp_path: Path, content: str) -> None:
    assert take(root, tmp_path / "a.jsonl", content.encode()).quarantined
    assert kept(root)
    for entry in kept(root):
        assert HIDDEN not in entry.content and HIDDEN not in entry.reason
    for file in Path(root).rglob("*"):
        if file.is_file():
            assert HIDDEN.encode() not in file.read_bytes(), file


def test_no_half_of_a_secret_is_kept_where_redaction_made_the_text_shorter(root: str, tmp_path: Path) -> None:
    before = (TOKEN + " ") * 4_000
    filler = "y" * (reading.DAMAGED_KEPT_CHARS - len(before) - len(TOKEN) - 1)
    take(root, tmp_path / "a.jsonl", f"no JSON {before}{filler} {TOKEN} and more".encode())
    (entry,) = kept(root)
    assert "ghp_" not in entry.content
    assert entry.content.startswith("no JSON [redacted:")


def test_many_bad_records_are_not_held(root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "BATCH_EVENTS", 10)
    held = []
    flush = batch.Batch.flush
    monkeypatch.setattr(batch.Batch, "flush", lambda self: (held.append(len(self.bad)), flush(self))[1])
    path = tmp_path / "a.jsonl"
    assert take(root, path, b"x\n" * 95).quarantined == 95
    assert max(held) == 10 and len(kept(root)) == 95
    assert take(root, path, b"x\n" * 50 + (STOP + b"\n") * 45).quarantined == 50
    assert sorted(entry.line for entry in kept(root)) == list(range(1, 51))


def test_a_name_that_is_no_utf8_is_shown_as_utf8(root: str, tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/f\xff.jsonl"
    with open(path, "wb") as raw:
        raw.write(STOP + b"\noops\n")
    for stored in (1, 0):
        done = ingest([os.fsdecode(path)], root)
        assert (done.stored, done.duplicates, done.quarantined) == (stored, 1 - stored, 1)
    (entry,) = kept(root)
    assert entry.file == f"{tmp_path}/f\ufffd.jsonl"
