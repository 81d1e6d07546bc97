"""`eyelet tail`: the newest events, and what arrives while it follows, wherever and whenever."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from eyelet_ingest.events import Event
from eyelet_ingest.store import layout, spool, writer
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

NOON_US = 1_774_008_000_000_000  # 2026-03-20 12:00
DAY_US = layout.DAY_US
COMMAND = [sys.executable, "-c", "from eyelet_ingest.cli import main; main()", "tail"]

Make = Callable[..., Event]


class Tailing:
    """A running `eyelet tail`; `line` waits for its next."""

    def __init__(self, root: str, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, "--root", root, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A shell ignores SIGINT for what it puts in the background, these tests perhaps, and children inherit that.
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        )
        self.lines: Queue[str] = Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))

    def line(self) -> str:
        return self.lines.get(timeout=30)

    def sessions(self, count: int) -> list[str]:
        return [json.loads(self.line())["session_id"] for _ in range(count)]

    def end(self) -> tuple[int, str]:
        self.process.send_signal(signal.SIGINT)
        status = self.process.wait(30)
        assert self.process.stderr is not None
        return status, self.process.stderr.read()


@pytest.fixture
def tailing(root: str) -> Iterator[Callable[..., Tailing]]:
    running: list[Tailing] = []

    def start(*arguments: str) -> Tailing:
        running.append(Tailing(root, *arguments))
        return running[-1]

    yield start
    for one in running:
        one.process.kill()
        one.process.wait()


def run(root: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*COMMAND, "--root", root, *arguments], capture_output=True, text=True, timeout=60)


def test_the_newest_events_come_oldest_first(root: str, store: Store, make_event: Make) -> None:
    store.append([make_event(NOON_US + n * DAY_US, session_id=f"s{n}") for n in range(15)])
    done = run(root, "--json")
    assert [json.loads(line)["session_id"] for line in done.stdout.splitlines()] == [f"s{n}" for n in range(5, 15)]
    assert [json.loads(line)["session_id"] for line in run(root, "--json", "-n", "2").stdout.splitlines()] == [
        "s13",
        "s14",
    ]
    assert run(root, "-n", "0").stdout == ""
    assert run(root, "--json", "--session", "s3", "--since", "2026-03-23").stdout.count("\n") == 1


def test_the_table_has_one_head_and_shows_no_control_character(root: str, store: Store, make_event: Make) -> None:
    store.append(
        [make_event(NOON_US, data='{"prompt": "\\u001b[31mred"}', hook_type="UserPromptSubmit", src="a\x1b[2J")]
    )
    store.append([make_event(NOON_US + 1, src="b")])
    lines = run(root).stdout.splitlines()
    assert len(lines) == 3 and lines[0].split() == ["time", "context", "src", "tool", "status", "what"]
    assert "\x1b" not in "".join(lines)


def test_what_arrives_is_shown_whatever_its_day_and_context(
    root: str, store: Store, make_event: Make, tailing: Callable[..., Tailing]
) -> None:
    store.append([make_event(NOON_US, session_id="before")])
    tail = tailing("-f", "--json")
    assert tail.sessions(1) == ["before"]
    for context, time_us, name in (
        ("default", NOON_US + 1, "same day"),
        ("default", NOON_US + DAY_US, "over midnight"),
        ("default", NOON_US - 30 * DAY_US, "late"),
        ("other", NOON_US, "new context"),
        ("default", NOON_US + 2, "same day again"),
    ):
        store.append([make_event(time_us, session_id=name)], context)
        assert tail.sessions(1) == [name]


def test_each_event_comes_once_however_fast_they_come(
    root: str, make_event: Make, store: Store, tailing: Callable[..., Tailing]
) -> None:
    store.append([make_event(NOON_US, session_id="first")])
    tail = tailing("-f", "--json", "-n", "5")
    seen = tail.sessions(1)  # else all may be stored before it begins
    expected = {"first"}
    for n in range(60):
        some = [make_event(NOON_US + n * DAY_US // 7 + m, session_id=f"{n}-{m}") for m in range(9)]
        store.append(some)
        expected |= {event.session_id for event in some}
    seen += tail.sessions(len(expected) - 1)
    assert sorted(seen) == sorted(expected)
    store.append([make_event(NOON_US, session_id="end")])
    assert tail.sessions(1) == ["end"]  # and none of them a second time


def test_only_what_was_asked_for_comes(
    root: str, store: Store, make_event: Make, tailing: Callable[..., Tailing]
) -> None:
    store.append([make_event(NOON_US, session_id="x", error=1, status="error")])
    tail = tailing("-f", "--json", "--errors", "--context", "default")
    assert tail.sessions(1) == ["x"]
    store.append([make_event(NOON_US + 1, session_id="fine")])
    store.append([make_event(NOON_US + 2, session_id="elsewhere", error=1)], "other")
    store.append([make_event(NOON_US + 3, session_id="failed", error=1)])
    assert tail.sessions(1) == ["failed"]


def test_a_day_that_goes_and_comes_again_ends_nothing(
    root: str, store: Store, make_event: Make, tailing: Callable[..., Tailing]
) -> None:
    store.append([make_event(NOON_US, session_id="a")])
    tail = tailing("-f", "--json")
    assert tail.sessions(1) == ["a"]
    store.delete(Filter(until_us=NOON_US + DAY_US))
    shutil.rmtree(Path(root, "logs", "default"), ignore_errors=True)
    store.append([make_event(NOON_US, session_id="b")])
    assert tail.sessions(1) == ["b"]


def test_a_broken_day_is_named_once_and_the_others_are_followed(
    root: str, store: Store, make_event: Make, tailing: Callable[..., Tailing]
) -> None:
    broken = Path(root, "logs", "default", "2026", "010")
    broken.mkdir(parents=True)
    (broken / "logs.sqlite").write_bytes(b"no database, but long enough to be looked at" * 100)
    store.append([make_event(NOON_US, session_id="a")])
    tail = tailing("-f", "--json")
    assert tail.sessions(1) == ["a"]
    store.append([make_event(NOON_US + 10, session_id="b")])
    assert tail.sessions(1) == ["b"]
    store.append([make_event(NOON_US + 20, session_id="c")])
    assert tail.sessions(1) == ["c"]
    _, errors = tail.end()
    assert errors.count("2026-01-10") == 1 and "Traceback" not in errors


def test_what_waits_in_the_spool_arrives(
    root: str, store: Store, make_event: Make, tailing: Callable[..., Tailing]
) -> None:
    store.append([make_event(NOON_US, session_id="a")])
    tail = tailing("-f", "--json")
    assert tail.sessions(1) == ["a"]
    event = make_event(NOON_US, session_id="waited")
    spool.put(root, layout.key_for("default", NOON_US), "default", writer.row_of(event), "busy")
    assert tail.sessions(1) == ["waited"]


def test_several_roots_are_followed_as_one(
    root: str, store: Store, make_event: Make, tailing: Callable[..., Tailing], tmp_path: Path
) -> None:
    second = str(tmp_path / "second")
    with Store(second) as other:
        store.append([make_event(NOON_US, session_id="a")])
        other.append([make_event(NOON_US + 1, session_id="b")])
        tail = tailing("-f", "--json", "--root", second)
        assert tail.sessions(2) == ["a", "b"]
        other.append([make_event(NOON_US, session_id="c")])
        found: dict[str, Any] = json.loads(tail.line())
        assert (found["session_id"], found["root"]) == ("c", second)


def test_ctrl_c_ends_it_without_a_word(root: str, store: Store, make_event: Make, tailing: Any) -> None:
    store.append([make_event(NOON_US, session_id="a")])
    tail = tailing("-f", "--json")
    tail.sessions(1)
    assert tail.end() == (130, "")


def test_it_ends_when_its_reader_has_enough(root: str, store: Store, make_event: Make) -> None:
    """Also where nothing more arrives that could not be written."""
    store.append([make_event(NOON_US + n, session_id=f"s{n}") for n in range(20)])
    tail = subprocess.Popen(
        [*COMMAND, "--root", root, "-f"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ}
    )
    assert tail.stdout is not None and tail.stderr is not None
    tail.stdout.readline()
    tail.stdout.close()
    tail.wait(30)
    assert tail.stderr.read() == b""


def test_a_root_that_is_not_there_yet_is_followed_from_its_first_event(
    root: str, make_event: Make, tailing: Callable[..., Tailing]
) -> None:
    tail = tailing("-f", "--json")
    assert tail.process.stderr is not None
    assert "no such folder" in tail.process.stderr.readline()
    with Store(root) as store:
        store.append([make_event(NOON_US, session_id="first")])
        assert tail.sessions(1) == ["first"]
