"""The hook as agents run it: real processes, silent, exit 0, and every event in its day or in the spool."""

import base64
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from eyelet_ingest import capture
from eyelet_ingest.store import connect, layout
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

CAPTURE = str(Path(capture.__file__))
SCRIPT = str(Path(sys.executable).parent / "eyelet-hook")
LIGHT = [sys.executable, "-I", "-S", CAPTURE]
SOAK = bool(os.environ.get("EYELET_SOAK"))


def payload(**fields: object) -> bytes:
    return json.dumps({"session_id": "s1", "hook_event_name": "PreToolUse", "tool_name": "Bash", **fields}).encode()


def hook(
    root: str, given: bytes, *, command: list[str] | None = None, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run the hook to its end and hold it to its word: nothing printed, exit 0."""
    done = subprocess.run(
        [*(command or LIGHT), "--root", root], input=given, capture_output=True, env={**os.environ, **(env or {})}
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    return done


def rows(root: str) -> list[dict[str, object]]:
    with Store(root) as store:
        store.drain_spool()
        return store.search(Filter(), limit=100_000).rows


def every_byte(root: str) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(Path(root).rglob("*")) if path.is_file())


@pytest.mark.parametrize("command", [LIGHT, [SCRIPT]], ids=["by path", "console script"])
def test_a_payload_becomes_a_row_of_today(root: str, command: list[str]) -> None:
    before_us = time.time_ns() // 1000
    given = payload(tool_input={"command": "cd x && git push"}, tool_use_id="t1", cwd="/work")
    hook(root, given, command=command)
    (row,) = rows(root)
    assert before_us <= int(str(row["id"])) <= time.time_ns() // 1000
    assert row["data"] == given.decode()
    wanted = {
        "session_id": "s1", "hook_type": "PreToolUse", "tool_name": "Bash", "tool_use_id": "t1", "status": "pending",
        "src": "claude.pretooluse.bash.git.push", "origin": "hook", "agent": "claude", "project_dir": "/work",
        "hostname": os.uname().nodename, "context_name": "default",
    }  # fmt: skip
    assert {name: row[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    "below", ["eyelet_ingest/capture.py", "eyelet_ingest//capture.py", "x/../eyelet_ingest/./capture.py"]
)
def test_by_path_it_finds_its_package_wherever_that_lies_and_however_it_is_spelt(
    root: str, tmp_path: Path, below: str
) -> None:
    folder = tmp_path / "back\\slash"
    (folder / "x").mkdir(parents=True)
    (folder / "eyelet_ingest").symlink_to(os.path.dirname(capture.__file__))
    hook(root, payload(), command=[sys.executable, "-I", "-S", f"{folder}/{below}"])
    assert len(rows(root)) == 1


def test_the_context_comes_from_the_flag_then_the_environment(root: str) -> None:
    hook(root, payload(), env={"EYELET_CONTEXT": "from-env"})
    subprocess.run([*LIGHT, f"--root={root}", "--context", "../../etc"], input=payload(), check=True)
    with Store(root) as store:
        assert store.contexts() == [layout.safe_context("../../etc"), "from-env"]


def test_the_root_comes_from_the_environment_or_is_in_the_home_folder(tmp_path: Path) -> None:
    subprocess.run(LIGHT, input=payload(), check=True, env={**os.environ, "EYELET_ROOT": str(tmp_path / "there")})
    subprocess.run(LIGHT, input=payload(), check=True)
    assert len(rows(str(tmp_path / "there"))) == 1
    assert len(rows(str(Path.home() / ".eyelet"))) == 1


def test_disabled_records_nothing(root: str) -> None:
    hook(root, payload(), env={"EYELET_DISABLED": "1"})
    assert not Path(root).exists()


def raw(row: dict[str, object]) -> bytes:
    return base64.b64decode(json.loads(str(row["data"]))["_raw"])


DEEP = b'{"a":' * 2000 + b"1" + b"}" * 2000


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (b"hello", "not JSON"),
        (payload()[:-5], "not JSON"),
        (b'{"a":"\x00"}', "not JSON"),
        (b'{"a":NaN}', "NaN"),
        (b'{"a":-Infinity}', "Infinity"),
        (DEEP, "nested deeper than 900"),
        (b"[" * 100_000, "nested deeper than 900"),
        (b'{"a":1} {"b":2}', "more text"),
        (b"\xff\xfe{\x00}\x00", "not JSON"),
    ],
)
def test_what_is_no_json_is_kept_as_it_came_with_the_reason(root: str, given: bytes, why: str) -> None:
    hook(root, given)
    (row,) = rows(root)
    value = json.loads(str(row["data"]))
    assert why in value["_why"]
    assert raw(row) == given
    assert row["hook_type"] == "unknown"


@pytest.mark.parametrize(
    ("given", "column", "value"),
    [
        (b"\xef\xbb\xbf" + payload(), "session_id", "s1"),
        (b'{"hook_event_name":"Stop"}', "session_id", ""),
        (b'{"session_id":"s1"}', "hook_type", "unknown"),
        (payload(hook_event_name="BrandNewEvent"), "hook_type", "BrandNewEvent"),
        (payload(session_id=7), "session_id", "7"),
        (payload(session_id={"a": 1}), "session_id", ""),
        (b'{"session_id":"first","session_id":"second"}', "session_id", "first"),
        (b"[1,2]", "hook_type", "unknown"),
        (b'"text"', "data", '"text"'),
        (b'{"session_id":"s1","n":' + b"9" * 5000 + b"}", "session_id", "s1"),
        (b'{"session_id":"a\\ud800b"}', "session_id", "a\ufffdb"),
        (b'{"session_id":"a\\u0000b"}', "session_id", "a\ufffdb"),
        (b'{"session_id":"a\xffb"}', "session_id", "a\ufffdb"),
    ],
)  # fmt: skip
def test_odd_json_is_stored(root: str, given: bytes, column: str, value: object) -> None:
    hook(root, given)
    (row,) = rows(root)
    assert row[column] == value
    json.loads(str(row["data"]), parse_int=str)


def test_fifty_megabytes_are_stored_whole(root: str) -> None:
    given = payload(tool_input={"content": "line of text\n" * 4_000_000})
    assert len(given) > 50_000_000
    hook(root, given)
    (row,) = rows(root)
    assert row["data"] == given.decode()


@pytest.mark.parametrize("given", [b"", b"  \n"])
def test_nothing_on_stdin_records_nothing(root: str, given: bytes) -> None:
    hook(root, given)
    assert rows(root) == []


def test_an_input_that_is_never_closed_is_not_waited_for_for_ever(root: str) -> None:
    reading, writing = os.pipe()
    running = subprocess.Popen([*LIGHT, "--root", root], stdin=reading)
    os.write(writing, payload())
    assert running.wait(timeout=30) == 0
    os.close(writing)
    os.close(reading)
    assert len(rows(root)) == 1


@pytest.mark.parametrize(
    ("given", "kept"),
    [(lambda now: now - 3600, True), (lambda now: (now - 3600) * 1000, True), (lambda now: 0, False),
     (lambda now: "2200-01-01T00:00:00Z", False), (lambda now: now - 2 * 86400, False), (lambda now: "soon", False),
     (lambda now: time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now - 60)), True)],
    ids=["seconds", "milliseconds", "1970", "2200", "two days ago", "no time", "ISO without a zone"],
)  # fmt: skip
def test_the_payloads_own_time_counts_when_it_is_near(root: str, given, kept: bool) -> None:  # type: ignore[no-untyped-def]
    now = int(time.time())
    own = given(now)
    hook(root, payload(timestamp=own))
    (row,) = rows(root)
    meta = json.loads(str(row["meta"]))
    if kept:
        assert float(str(row["timestamp"])) < now - 30
        assert "original_timestamp" not in meta
    else:
        assert abs(float(str(row["timestamp"])) - now) < 30
        assert meta["original_timestamp"] == str(own)


SECRET = "ghp_" + "Ab3dEf7hIj" * 4


@pytest.mark.parametrize(
    "given",
    [
        payload(tool_input={"command": f"git clone https://x:{SECRET}@github.com/a/b"}),
        payload(session_id=SECRET, tool_name=SECRET, cwd=f"/home/{SECRET}", hook_event_name=SECRET, tool_use_id=SECRET),
        payload(**{SECRET: {SECRET: [SECRET]}}),
        payload(tool_input={"command": SECRET})[:-3],
        payload(tool_input={"command": SECRET}).replace(b"ghp_", b"\\u0067hp_"),
        b'{"a":NaN,"b":"' + SECRET.encode() + b'"}',
        payload(timestamp=SECRET),
    ],
    ids=["url", "columns", "keys", "truncated", "escaped", "nan", "timestamp"],
)
@pytest.mark.parametrize("where", ["day", "spool"])
def test_a_secret_is_in_no_byte_on_disk(root: str, given: bytes, where: str) -> None:
    if where == "spool":
        Path(root).mkdir(mode=0o700)
        (Path(root) / "logs").write_text("in the way")
    hook(root, given, env={"CLAUDE_PROJECT_DIR": f"/home/{SECRET}/x"})
    waiting = list(Path(root).glob("spool/*.json"))
    assert len(waiting) == (where == "spool")
    found = every_byte(root)
    assert found
    assert SECRET.encode() not in found
    for encoded in (base64.b64encode(SECRET.encode()[at:]).rstrip(b"=")[2:-2] for at in range(3)):
        assert encoded not in found


def test_a_day_that_is_taken_sends_the_event_to_the_spool_and_the_next_capture_fetches_it(root: str) -> None:
    hook(root, payload(session_id="first"))
    with Store(root) as store:
        (key,) = store.catalog.partitions()
    with connect.FileLock(layout.lock_path(root, key), time.monotonic_ns()):
        hook(root, payload(session_id="second"))
        assert len(list(Path(root).glob("spool/*.json"))) == 1
    hook(root, payload(session_id="third"))
    assert list(Path(root).glob("spool/*.json")) == []
    with Store(root) as store:
        assert {row["session_id"] for row in store.search(Filter()).rows} == {"first", "second", "third"}


@pytest.mark.parametrize("spoil", ["garbage", "newer"])
def test_a_day_that_cannot_be_written_keeps_the_event_in_the_spool_with_the_reason(root: str, spoil: str) -> None:
    hook(root, payload())
    with Store(root) as store:
        (key,) = store.catalog.partitions()
    path = Path(layout.db_path(root, key))
    heal = connect.open_writer(str(path))  # what is in its WAL would heal the day
    heal.execute("select count(*) from hooks").fetchone()
    heal.close()
    if spoil == "garbage":
        path.write_bytes(b"garbage" * 1000)
    else:
        conn = connect.open_writer(str(path))
        conn.execute("insert into eyelet_partition values ('insert_from', 99)")
        conn.execute("pragma user_version = 99")
        conn.close()
    hook(root, payload(session_id="kept"))
    (waiting,) = Path(root).glob("spool/*.json")
    record = json.loads(waiting.read_text())
    assert "kept" in record["row"]
    assert record["why"]


def test_a_day_of_a_newer_version_takes_the_event_where_it_has_a_place_for_it(root: str) -> None:
    hook(root, payload())
    with Store(root) as store:
        (key,) = store.catalog.partitions()
    conn = connect.open_writer(layout.db_path(root, key))
    conn.execute("alter table hooks add column mood text default 'calm'")
    conn.execute("pragma user_version = 99")
    conn.close()
    hook(root, payload(session_id="kept"))
    assert not list(Path(root).glob("spool/*.json"))
    assert [row["session_id"] for row in rows(root)].count("kept") == 1


def test_a_root_that_is_a_file_costs_the_agent_nothing_and_the_event_waits_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "root").write_text("a file")
    (tmp_path / "run").mkdir()
    hook(str(tmp_path / "root"), payload(), env={"XDG_RUNTIME_DIR": str(tmp_path / "run")})
    assert len(list((tmp_path / "run").glob("eyelet-*/*.json"))) == 1


def test_two_equal_payloads_are_two_events(root: str) -> None:
    for _ in range(2):
        hook(root, payload())
    assert len(rows(root)) == 2


def test_sixty_four_hooks_at_once_lose_nothing_and_double_nothing(root: str, tmp_path: Path) -> None:
    """20 rounds of 64; half of the payloads are equal, and the first round makes the day together."""
    expected: dict[str, int] = {}
    for number in range(20):
        running = []
        for at in range(64):
            name = f"{number}-{at}" if at % 2 else "equal"
            expected[name] = expected.get(name, 0) + 1
            file = tmp_path / f"payload-{at}.json"
            file.write_bytes(payload(session_id=name))
            with file.open("rb") as given:
                running.append(subprocess.Popen([SCRIPT, "--root", root], stdin=given, stderr=subprocess.PIPE))
        for one in running:
            assert one.communicate()[1] == b""
            assert one.returncode == 0
    counts: dict[str, int] = {}
    for row in rows(root):
        counts[str(row["session_id"])] = counts.get(str(row["session_id"]), 0) + 1
    assert counts == expected


def test_a_killed_hook_costs_no_acknowledged_event(root: str, tmp_path: Path) -> None:
    """kill -9 at random moments: what exited 0 is there once, what was killed at most once, the day intact."""
    chance = random.Random(20260320)
    acknowledged, attempted = set(), set()
    for number in range(2_000 if SOAK else 120):
        name = f"event-{number}"
        file = tmp_path / "payload.json"
        file.write_bytes(payload(session_id=name))
        with file.open("rb") as given:
            running = subprocess.Popen([*LIGHT, "--root", root], stdin=given)
        attempted.add(name)
        time.sleep(chance.uniform(0, 0.03))
        running.send_signal(signal.SIGKILL)
        if running.wait() == 0:
            acknowledged.add(name)
    found = [str(row["session_id"]) for row in rows(root)]
    assert len(found) == len(set(found))
    assert acknowledged <= set(found) <= attempted
    with Store(root) as store:
        for key in store.catalog.partitions():
            conn = connect.open_reader(layout.db_path(root, key))
            assert conn.execute("pragma integrity_check").fetchone() == ("ok",)
            conn.close()


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder where no folder can be made")
def test_a_root_that_cannot_be_made_sends_the_event_to_another_disk(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    hook("/proc/nowhere/root", payload(), env={"XDG_RUNTIME_DIR": str(tmp_path / "run")})
    assert len(list((tmp_path / "run").glob("eyelet-*/*.json"))) == 1


def test_a_trickle_is_not_waited_for_for_ever(root: str) -> None:
    reading, writing = os.pipe()
    running = subprocess.Popen([*LIGHT, "--root", root], stdin=reading)
    os.close(reading)
    sent = 0
    while running.poll() is None:
        assert sent < 200, "the hook still waits"
        try:
            os.write(writing, b"x")
        except BrokenPipeError:
            break
        sent += 1
        time.sleep(0.1)
    os.close(writing)
    assert running.wait() == 0
    (row,) = rows(root)
    assert raw(row) == b"x" * len(raw(row)) != b""


@pytest.mark.parametrize("flag", ["--root=", "--context="])
def test_an_empty_flag_is_no_flag(flag: str, tmp_path: Path) -> None:
    subprocess.run([*LIGHT, flag], input=payload(), check=True, cwd=tmp_path)
    (row,) = rows(str(Path.home() / ".eyelet"))
    assert row["context_name"] == "default"
    assert not (tmp_path / "logs").exists()


NAMED = "correct-horse-battery-9"


@pytest.mark.parametrize(
    "given",
    [
        b'{"a":NaN,"password":["' + NAMED.encode() + b'"]}',
        b'{"a":NaN,"env":{"name":"DB_PASSWORD","x":1,"value":"' + NAMED.encode() + b'"}}',
        b'{"a":Infinity,"password"\n:\n"' + NAMED.encode() + b'"}',
    ],
    ids=["list", "pair", "line breaks"],
)
def test_what_only_python_can_read_is_redacted_as_the_value_it_is(root: str, given: bytes) -> None:
    hook(root, given)
    (row,) = rows(root)
    assert NAMED.encode() not in raw(row)
    assert b"redacted" in raw(row)
