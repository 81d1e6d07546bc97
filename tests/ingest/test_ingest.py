"""Twice is once: whatever happens to a recording between two imports, only what is new is added."""

import gzip
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from eyelet_ingest import head, ledger
from eyelet_ingest.pipeline import Ingested, ingest
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

DAY_S = 86_400
NOON_S = 1_780_000_000 // DAY_S * DAY_S + DAY_S // 2  # some noon of 2026
Row = dict[str, object]


def hook(n: int = 0, **fields: object) -> dict[str, object]:
    return {"session_id": "s1", "hook_event_name": "Notification", "message": f"m{n}", **fields}


def record(n: int = 0, **fields: object) -> dict[str, object]:
    times = f"2026-05-28T12:00:{n % 60:02d}.{n:03d}Z"
    return {"type": "user", "uuid": f"u{n}", "sessionId": "s2", "timestamp": times, **fields}


def write(path: Path, payloads: list[dict[str, object]], *, at_s: float = NOON_S) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(payload) + "\n" for payload in payloads), encoding="utf-8")
    os.utime(path, (at_s, at_s))
    return path


def rows(root: str, **where: object) -> list[Row]:
    with Store(root) as store:
        return store.search(Filter(**where), limit=1_000, oldest_first=True).rows  # type: ignore[arg-type]


def meta_of(row: Row) -> dict[str, object]:
    found: dict[str, object] = json.loads(str(row["meta"]))
    return found


@pytest.fixture
def take(root: str) -> Callable[..., tuple[int, int, int]]:
    """Import paths and say how many were stored, known and quarantined; the sum has to be what was read."""

    def run(*paths: Path | str, context: str = "default") -> tuple[int, int, int]:
        done = ingest([str(path) for path in paths], root, context)
        hold(done)
        return done.stored, done.duplicates, done.quarantined

    return run


def hold(done: Ingested) -> None:
    assert done.read == done.stored + done.duplicates + done.quarantined


Take = Callable[..., tuple[int, int, int]]


def test_everything_recorded_is_stored_once(real: Path, root: str) -> None:
    count = sum(bool(line.strip()) for path in real.rglob("*.jsonl") for line in path.read_bytes().splitlines())
    first = ingest([str(real)], root)
    assert (first.read, first.stored, first.duplicates, first.quarantined) == (count, count, 0, 0)
    again = ingest([str(real)], root)
    assert (again.read, again.stored, again.duplicates, again.quarantined) == (count, 0, count, 0)
    assert again.partitions == first.partitions
    with Store(root) as store:
        assert store.count(Filter()).count == count


def test_real_recordings_are_the_same_as_arrays_and_compressed(real: Path, root: str, tmp_path: Path) -> None:
    first = ingest([str(real / "hooks")], root)
    for source in sorted((real / "hooks").glob("*.jsonl")):
        payloads = [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines()]
        (tmp_path / f"{source.stem}-array.json").write_text(json.dumps(payloads, indent=1), encoding="utf-8")
        (tmp_path / f"{source.stem}-packed.jsonl.gz").write_bytes(gzip.compress(source.read_bytes()))
    again = ingest([str(tmp_path / "*-array.json"), str(tmp_path / "*.gz")], root)
    assert (again.stored, again.duplicates) == (0, 2 * first.read)


def test_equal_events_of_one_file_are_several_events(take: Take, root: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [hook(1), hook(1), hook(2), hook(1)])
    assert take(path) == (4, 0, 0)
    assert take(path) == (0, 4, 0)
    assert len(rows(root)) == 4


def test_a_copied_renamed_or_compressed_file_adds_nothing(take: Take, tmp_path: Path) -> None:
    payloads = [hook(n % 3) for n in range(10)]
    path = write(tmp_path / "a.jsonl", payloads)
    assert take(path) == (10, 0, 0)
    copy = shutil.copy(path, tmp_path / "copy.jsonl")
    os.utime(copy, (NOON_S + 5 * DAY_S, NOON_S + 5 * DAY_S))  # another day, as a copy has
    assert take(copy) == (0, 10, 0)
    path.rename(tmp_path / "renamed.jsonl")
    assert take(tmp_path / "renamed.jsonl") == (0, 10, 0)
    (tmp_path / "packed.jsonl.gz").write_bytes(gzip.compress((tmp_path / "renamed.jsonl").read_bytes()))
    assert take(tmp_path / "packed.jsonl.gz") == (0, 10, 0)
    assert take(tmp_path) == (0, 30, 0)


def test_an_array_of_the_same_payloads_adds_nothing(take: Take, tmp_path: Path) -> None:
    payloads = [hook(n % 3, ünï={"b": 1, "a": [1.5, None]}) for n in range(10)]
    assert take(write(tmp_path / "a.jsonl", payloads)) == (10, 0, 0)
    (tmp_path / "b.json").write_text(json.dumps(payloads, indent=2, ensure_ascii=False), encoding="utf-8")
    assert take(tmp_path / "b.json") == (0, 10, 0)
    (tmp_path / "c.json").write_text("\n".join(json.dumps(one, indent=1, sort_keys=True) for one in payloads))
    assert take(tmp_path / "c.json") == (0, 10, 0)


def test_a_grown_file_adds_only_its_new_end(take: Take, root: str, tmp_path: Path) -> None:
    payloads = [hook(n % 3) for n in range(10)]
    path = write(tmp_path / "a.jsonl", payloads[:6])
    assert take(path) == (6, 0, 0)
    write(path, payloads, at_s=NOON_S + 3 * DAY_S)
    assert take(path) == (4, 6, 0)
    assert len({int(str(row["id"])) // (DAY_S * 1_000_000) for row in rows(root)}) == 2
    array = tmp_path / "b.json"
    array.write_text(json.dumps(payloads[:5], indent=1))
    assert take(array) == (0, 5, 0)
    array.write_text(json.dumps([*payloads, hook(99)], indent=1))
    assert take(array) == (1, 10, 0)


@pytest.mark.parametrize("moved", ["a.jsonl.1", "a.jsonl.1.gz", "a-20260528.jsonl", "a.jsonl-20260528.gz"])
@pytest.mark.parametrize("together", [True, False])
def test_equal_events_after_a_rotation_are_new(take: Take, tmp_path: Path, moved: str, together: bool) -> None:
    path = write(tmp_path / "a.jsonl", [hook(n) for n in range(5)])
    assert take(path) == (5, 0, 0)
    old = path.read_bytes()
    (tmp_path / moved).write_bytes(gzip.compress(old) if moved.endswith(".gz") else old)
    write(path, [hook(n) for n in (2, 3, 7)], at_s=NOON_S + DAY_S)
    if together:
        assert take(tmp_path / moved, path) == (3, 5, 0)
    assert take(path) == ((0, 3, 0) if together else (3, 0, 0))
    assert take(tmp_path / moved, path) == (0, 8, 0)
    write(path, [hook(n) for n in (2, 3, 7, 0)], at_s=NOON_S + 2 * DAY_S)
    assert take(path) == (1, 3, 0)


def test_a_log_may_be_rotated_again_and_again(take: Take, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [hook(n) for n in range(4)])
    assert take(path) == (4, 0, 0)
    for turn in range(1, 4):
        for age in range(turn, 0, -1):
            source = tmp_path / (f"a.jsonl.{age - 1}" if age > 1 else "a.jsonl")
            source.rename(tmp_path / f"a.jsonl.{age}")
        write(path, [hook(n) for n in (0, turn + 10)], at_s=NOON_S + turn * DAY_S)
        known = 4 + 2 * (turn - 1)
        assert take(path, *sorted(tmp_path.glob("a.jsonl.*"))) == (2, known, 0)


def test_a_rotated_file_is_known_by_itself_and_as_a_copy(take: Take, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [hook(n) for n in range(4)])
    take(path)
    path.rename(tmp_path / "a.jsonl.1")
    write(path, [hook(0), hook(9)])
    assert take(path) == (2, 0, 0)
    shutil.copy(path, tmp_path / "elsewhere.jsonl")
    assert take(tmp_path / "elsewhere.jsonl") == (0, 2, 0)


def test_an_edited_log_without_its_old_content_beside_it_is_the_same_log(take: Take, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [hook(n) for n in range(5)])
    assert take(path) == (5, 0, 0)
    write(path, [hook(n) for n in (2, 3, 7)])
    assert take(path) == (1, 2, 0)


def test_a_fork_of_a_transcript_adds_only_its_own_records(take: Take, tmp_path: Path) -> None:
    snapshot = {"type": "file-history-snapshot", "messageId": "m", "snapshot": {}}
    first = [snapshot, *(record(n) for n in range(10))]
    assert take(write(tmp_path / "one.jsonl", first)) == (11, 0, 0)
    fork = [snapshot, *(record(n, sessionId="fork") for n in range(12))]
    assert take(write(tmp_path / "two.jsonl", fork, at_s=NOON_S + 9 * DAY_S)) == (2, 11, 0)


def test_another_context_has_its_own_events(take: Take, tmp_path: Path, root: str) -> None:
    path = write(tmp_path / "a.jsonl", [hook(n) for n in range(5)])
    assert take(path) == (5, 0, 0)
    assert take(path, context="Other") == (5, 0, 0)
    assert take(path, context="Other") == (0, 5, 0)
    assert {str(row["context_name"]) for row in rows(root)} > {"default"}


def test_ten_thousand_equal_times_are_ten_thousand_events(take: Take, tmp_path: Path, root: str) -> None:
    path = write(tmp_path / "a.jsonl", [hook(n, timestamp=NOON_S) for n in range(10_000)])
    assert take(path) == (10_000, 0, 0)
    with Store(root) as store:
        assert store.count(Filter()).count == 10_000
    assert take(path) == (0, 10_000, 0)


def test_counting_equal_payloads_on_disk_counts_the_same(
    take: Take, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.jsonl", [hook(n % 40) for n in range(300)])
    assert take(path) == (300, 0, 0)
    monkeypatch.setattr(ledger, "OCCURRENCES_HELD", 7)
    assert take(path) == (0, 300, 0)


# Times


def times_of(root: str) -> list[float]:
    return [float(str(row["timestamp"])) for row in rows(root)]


def test_a_records_own_time_counts_in_every_spelling(take: Take, root: str, tmp_path: Path) -> None:
    noon = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(NOON_S))
    spellings = [NOON_S, NOON_S * 1_000, f"{noon}", f"{noon}Z", f"{noon}+00:00", str(NOON_S), NOON_S * 1_000_000]
    take(write(tmp_path / "a.jsonl", [hook(n, timestamp=at) for n, at in enumerate(spellings)]))
    assert {round(at) for at in times_of(root)} == {NOON_S}


def test_a_record_without_a_time_takes_its_neighbours(take: Take, root: str, tmp_path: Path) -> None:
    plain = {"type": "summary", "leafUuid": "x"}
    written = [{**plain, "n": 1}, {**plain, "n": 2}, record(5), {**plain, "n": 3}, record(9), {**plain, "n": 4}]
    take(write(tmp_path / "a.jsonl", written, at_s=NOON_S + 20 * DAY_S))
    assert [time.gmtime(at).tm_sec for at in times_of(root)] == [5, 5, 5, 5, 9, 9]


def test_without_any_time_it_is_when_the_file_was_changed(take: Take, root: str, tmp_path: Path) -> None:
    take(write(tmp_path / "a.jsonl", [hook(n) for n in range(3)]))
    assert {round(at) for at in times_of(root)} == {NOON_S}
    assert [json.loads(str(row["data"]))["message"] for row in rows(root)] == ["m0", "m1", "m2"]


def test_looking_ahead_for_a_time_is_bounded(
    take: Take, root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(head, "HEAD_RECORDS", 20)
    written = [hook(n) for n in range(30)] + [hook(31, timestamp=NOON_S + DAY_S)]
    take(write(tmp_path / "a.jsonl", written))
    assert [round(at) for at in times_of(root)] == [NOON_S] * 30 + [NOON_S + DAY_S]


@pytest.mark.parametrize("when", [0, 5, "1970-01-01T00:00:00Z", "2200-01-01", 7_258_118_400_000, "0099-01-01", -9])
def test_a_clock_that_was_not_set_goes_to_the_day_of_receipt(
    take: Take, root: str, tmp_path: Path, when: object
) -> None:
    path = write(tmp_path / "a.jsonl", [hook(1, timestamp=when), hook(2, timestamp=NOON_S), hook(3)])
    assert take(path) == (3, 0, 0)
    suspect = rows(root)[-1]
    assert abs(float(str(suspect["timestamp"])) - time.time()) < 600
    assert meta_of(suspect)["timestamp_suspect"] is True
    assert meta_of(suspect)["original_timestamp"] == str(when)
    assert round(times_of(root)[1]) == NOON_S  # the record behind it takes the good neighbour's
    assert take(path) == (0, 3, 0)


def test_a_time_that_was_not_the_records_own_says_where_it_is_from(take: Take, root: str, tmp_path: Path) -> None:
    written = [hook(1, timestamp=NOON_S), hook(2), hook(3, timestamp="soon"), hook(4, timestamp=5)]
    take(write(tmp_path / "a.jsonl", written))
    take(write(tmp_path / "b.jsonl", [hook(5), hook(6, timestamp=None, ts="later")]))
    take(write(tmp_path / "c.jsonl", [hook(7)], at_s=5))  # a file whose own clock was not set
    ingest(["-"], root, stdin=io.BytesIO(json.dumps(hook(8)).encode()))
    names = ("timestamp_from", "timestamp_suspect", "original_timestamp")
    said = {}
    for row in rows(root):
        meta = meta_of(row)
        said[json.loads(str(row["data"]))["message"]] = tuple(meta.get(name) for name in names)
    assert said == {
        "m1": (None, None, None),
        "m2": ("neighbour", None, None),
        "m3": ("neighbour", None, "soon"),
        "m4": ("receipt", True, "5"),
        "m5": ("file", None, None),
        "m6": ("file", None, "later"),
        "m7": ("receipt", None, None),
        "m8": ("receipt", None, None),
    }


def test_a_time_given_once_is_kept_for_ever(
    take: Take, root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.jsonl", [hook(1), hook(2, timestamp="2199-01-01")])
    take(path)
    before = times_of(root)
    os.utime(path, (NOON_S + 90 * DAY_S, NOON_S + 90 * DAY_S))
    real_now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real_now() + 40 * DAY_S * 10**9)
    assert take(path) == (0, 2, 0)
    assert times_of(root) == before


def test_a_time_that_is_no_time_is_none(take: Take, root: str, tmp_path: Path) -> None:
    take(write(tmp_path / "a.jsonl", [hook(1, timestamp="soon"), hook(2, timestamp=True), hook(3, timestamp={})]))
    assert {round(at) for at in times_of(root)} == {NOON_S}


# Sessions


def sessions(root: str) -> list[str]:
    return [str(row["session_id"]) for row in rows(root)]


def test_a_record_without_a_session_takes_its_files(take: Take, root: str, tmp_path: Path) -> None:
    plain = {"type": "summary", "leafUuid": "x"}
    take(write(tmp_path / "a.jsonl", [plain, record(1), {**plain, "n": 1}]))
    assert sessions(root) == ["s2", "s2", "s2"]


def test_a_files_name_may_be_its_session(take: Take, root: str, tmp_path: Path) -> None:
    name = "8463c716-a2ea-4c14-9efa-87158ebd9f20"
    take(write(tmp_path / f"{name}.jsonl", [{"type": "summary", "leafUuid": "x"}]))
    take(write(tmp_path / name / "subagents" / "agent-1.jsonl", [{"type": "summary", "leafUuid": "y"}]))
    take(write(tmp_path / "notes.jsonl", [{"type": "summary", "leafUuid": "z"}]))
    assert sorted(sessions(root)) == ["", name, name]


def test_among_several_sessions_a_hook_without_one_has_none(take: Take, root: str, tmp_path: Path) -> None:
    lost = {"hook_event_name": "Stop"}
    take(write(tmp_path / "a.jsonl", [hook(1, session_id="a"), lost, hook(2, session_id="b")]))
    take(write(tmp_path / "b.jsonl", [{**lost, "n": 1}, hook(3, session_id="c"), {**lost, "n": 2}]))
    assert sessions(root) == ["a", "", "b", "c", "c", "c"]


# What is stored


def test_the_payload_is_stored_as_it_was_received(take: Take, root: str, tmp_path: Path) -> None:
    text = '{"hook_event_name" : "Stop",  "n": 1.50, "big": 123456789012345678901234567890, "é": "\\u00e9"}'
    (tmp_path / "a.jsonl").write_text(text + "\n", encoding="utf-8")
    take(tmp_path / "a.jsonl")
    (row,) = rows(root)
    assert row["data"] == text
    assert meta_of(row)["source"] == {"file": str(tmp_path / "a.jsonl"), "line": 1}


def test_what_no_database_can_hold_is_replaced(take: Take, root: str, tmp_path: Path) -> None:
    lone = '{"hook_event_name": "Stop", "session_id": "a\\ud800b", "t": "\\u0000\\udc00"}\n'
    (tmp_path / "a.jsonl").write_bytes(lone.encode() + b'{"hook_event_name": "Stop", "t": "\xff"}\n')
    assert take(tmp_path / "a.jsonl") == (2, 0, 0)
    found = rows(root)
    assert found[0]["session_id"] == "a\ufffdb"
    assert json.loads(str(found[0]["data"]))["t"] == "\0\ufffd"
    assert meta_of(found[1])["source"] == {"file": str(tmp_path / "a.jsonl"), "line": 2, "invalid_utf8": True}
    assert take(tmp_path / "a.jsonl") == (0, 2, 0)


def test_hooks_and_transcripts_may_share_a_file(take: Take, root: str, tmp_path: Path) -> None:
    odd: dict[str, object] = {"someday": "a record without a type"}
    assert take(write(tmp_path / "a.jsonl", [record(1), record(2), odd, record(3), hook(1)])) == (5, 0, 0)
    assert sorted(str(row["origin"]) for row in rows(root)) == ["hook"] + ["transcript"] * 4
    assert {str(row["hook_type"]) for row in rows(root)} == {"user", "unknown", "Notification"}


def test_subagents_come_with_their_transcript(take: Take, tmp_path: Path) -> None:
    path = write(tmp_path / "x.jsonl", [record(1)])
    write(tmp_path / "x" / "subagents" / "agent-a.jsonl", [record(2, agentId="a")])
    write(tmp_path / "x" / "subagents" / "notes.txt", [record(3)])
    assert take(path) == (2, 0, 0)
    assert take(path, tmp_path, tmp_path / "*.jsonl") == (0, 2, 0)  # each real file once


def test_folders_are_searched_and_circles_ended(take: Take, tmp_path: Path) -> None:
    inner = tmp_path / "in" / "er"
    write(inner / "a.jsonl", [hook(1)])
    write(inner / "b.ndjson", [hook(2)])
    write(inner / "c.json", [hook(3)])
    (inner / "d.json.gz").write_bytes(gzip.compress(json.dumps(hook(4)).encode()))
    write(inner / "e.txt", [hook(5)])
    (inner / "circle").symlink_to(tmp_path / "in")
    assert take(tmp_path / "in") == (4, 0, 0)


# Stopped in the middle


KILLED_ITSELF = """
import os, signal, sys
from eyelet_ingest import batch, pipeline
batch.BATCH_EVENTS = 50
paths, root, batches = [sys.argv[1]], sys.argv[2], int(sys.argv[3])
append = pipeline.Store.append_many
def stop_in_the_middle(self, events, **given):
    global batches
    batches -= 1
    if batches < 0:
        append(self, events[:20], **given)
        os.kill(os.getpid(), signal.SIGKILL)
    return append(self, events, **given)
pipeline.Store.append_many = stop_in_the_middle
pipeline.ingest(paths, root)
"""


@pytest.mark.parametrize("batches", [0, 1, 5])
def test_an_import_killed_in_the_middle_is_exact_when_repeated(
    take: Take, root: str, tmp_path: Path, batches: int
) -> None:
    written = [hook(n % 90) for n in range(250)] + [record(n) for n in range(150)]
    path = write(tmp_path / "a.jsonl", written)
    killed = subprocess.run([sys.executable, "-c", KILLED_ITSELF, str(path), root, str(batches)], check=False)
    assert killed.returncode == -signal.SIGKILL
    os.utime(path, (NOON_S + 30 * DAY_S, NOON_S + 30 * DAY_S))  # not what the first run saw
    stored, known, quarantined = take(path)
    assert (stored + known, quarantined) == (400, 0)
    assert known >= 20
    with Store(root) as store:
        assert store.count(Filter()).count == 400


def test_two_imports_at_once_store_each_event_once(root: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [hook(n % 300) for n in range(1_000)])
    code = (
        "import sys; from eyelet_ingest.pipeline import ingest; d = ingest([sys.argv[1]], sys.argv[2]); print(d.stored)"
    )
    command = [sys.executable, "-c", code, str(path), root]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
    stored = [int(one.communicate()[0]) for one in both]
    assert sum(stored) == 1_000
    with Store(root) as store:
        assert store.count(Filter()).count == 1_000
