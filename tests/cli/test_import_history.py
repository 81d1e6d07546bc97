"""`eyelet import-history` as one types it, in a home folder of its own."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from eyelet_ingest.cli import INTERRUPTED
from eyelet_ingest.ledger import Ledger
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

COMMAND = [sys.executable, "-c", "from eyelet_ingest.cli import main; main()", "import-history"]
SOAK = bool(os.environ.get("EYELET_SOAK"))
SESSION = "0a0b0c0d-1111-4222-8333-{:012d}"


def record(number: int, session: int = 1, **said: Any) -> dict[str, Any]:
    return {
        "type": "user",
        "uuid": f"{session:08d}-0000-4000-8000-{number:012d}",
        "sessionId": SESSION.format(session),
        "timestamp": f"2026-05-04T10:{number // 60:02d}:{number % 60:02d}.000Z",
        "cwd": "/work/somewhere",
        "message": {"role": "user", "content": f"say {number}"},
        **said,
    }


def transcript(home: Path, session: int = 1, count: int = 3, project: str = "-work-somewhere", **said: Any) -> Path:
    path = home / ".claude" / "projects" / project / f"{SESSION.format(session)}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record(n, session, **said)) + "\n" for n in range(count)), encoding="utf-8")
    return path


@pytest.fixture
def home() -> Path:
    return Path(os.environ["HOME"])


def run(root: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*COMMAND, "--root", root, *arguments], capture_output=True, text=True, timeout=60)


def counts(done: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def sessions(root: str) -> list[str]:
    with Store(root) as store:
        return [str(row["session_id"]) for row in store.search(Filter(), limit=1000).rows]


def test_it_says_what_there_is_before_it_imports_and_again_nothing_is_new(home: Path, root: str) -> None:
    transcript(home, 1, 3)
    transcript(home, 2, 2, "-work-else")
    done = run(root, "--dry-run")
    assert done.returncode == 0 and "Claude Code" in done.stdout and not os.path.exists(root)
    done = run(root, "--json")
    found = json.loads(done.stdout.splitlines()[0])["found"]
    assert [(one["agent"], one["files"], one["sessions"]) for one in found] == [("claude", 2, 2)]
    assert counts(done)["records"]["stored"] == 5
    again = counts(run(root, "--json"))
    assert again["files"] == {"read": 0, "known": 2, "off": 0, "awaited": 0, "unreadable": 0}
    assert again["records"]["read"] == 0 and len(sessions(root)) == 5


def test_only_the_agents_asked_for_are_looked_at_and_only_what_is_of_late(home: Path, root: str) -> None:
    transcript(home, 1, 3)
    old = transcript(home, 2, 2)
    os.utime(old, (1_700_000_000,) * 2)
    assert counts(run(root, "--json", "--agent", "codex"))["records"]["read"] == 0
    assert counts(run(root, "--json", "--agent", "claude", "--since", "1h"))["records"]["stored"] == 3
    done = run(root, "--agent", "nobody")
    assert done.returncode == 2 and "there are claude, codex" in done.stderr and "Traceback" not in done.stderr
    assert run(root, "--since", "whenever").returncode == 2
    done = run(root, "--dry-run", "--watch")
    assert done.returncode == 2 and "leave out --watch" in done.stderr


def test_nothing_left_is_said_and_is_no_failure(root: str) -> None:
    done = run(root)
    assert done.returncode == 0 and "nothing that an agent left" in done.stdout


def test_what_cannot_be_read_is_named_on_stderr_and_the_exit_code_says_it(home: Path, root: str) -> None:
    path = transcript(home, 1, 3)
    (path.parent / "\x1b[2Jgone.jsonl").symlink_to("nothing")
    done = run(root, "--json")
    assert done.returncode == 1 and counts(done)["records"]["stored"] == 3
    assert "gone.jsonl: a link to nothing" in done.stderr and "\x1b" not in done.stderr
    assert run(root, "--dry-run").returncode == 1


@pytest.mark.parametrize("is_forced", [True, False])
def test_what_was_deleted_stays_away_unless_forced(home: Path, root: str, is_forced: bool) -> None:
    path = transcript(home, 1, 3)
    transcript(home, 2, 2)
    run(root)
    with Store(root) as store:
        store.delete(Filter(session_id=(SESSION.format(1),)))
    with path.open("a", encoding="utf-8") as out:
        out.write(json.dumps(record(7)) + "\n")
    done = counts(run(root, "--json", *(["--force"] if is_forced else [])))["records"]
    assert (done["stored"], done["deleted"]) == ((4, 0) if is_forced else (1, 3))
    assert len(sessions(root)) == (6 if is_forced else 3)


def test_an_import_that_is_killed_goes_on_and_doubles_nothing(home: Path, root: str) -> None:
    """The long form, in soak, is killed at many more moments."""
    files, each = 6, 400
    for session in range(files):
        transcript(home, session + 1, each)
    for number in range(60 if SOAK else 4):
        process = subprocess.Popen([*COMMAND, "--root", root], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.15 + (0.02 if SOAK else 0.1) * number)
        process.kill()
        process.communicate()
    assert counts(run(root, "--json"))["records"]["quarantined"] == 0
    with Store(root) as store:
        assert store.summary(Filter()).events == files * each
    assert counts(run(root, "--json"))["files"]["known"] == files


class Watching:
    """A running `eyelet import-history --watch --json`; `stored` waits until so many more are."""

    def __init__(self, root: str) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, "--root", root, "--watch", "--json"],
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
            self.lines.put(line)

    def stored(self, count: int) -> None:
        while count > 0:
            said = json.loads(self.lines.get(timeout=60))
            count -= said["records"]["stored"] if "records" in said else 0
        assert count == 0

    def end(self) -> tuple[int, str]:
        self.process.send_signal(signal.SIGINT)
        status = self.process.wait(60)
        assert self.process.stderr is not None
        return status, self.process.stderr.read()


@pytest.fixture
def watching(root: str) -> Iterator[Watching]:
    one = Watching(root)
    yield one
    one.process.kill()
    one.process.communicate()


def test_watching_takes_what_is_written_and_new_files_and_a_line_when_it_ends(
    home: Path, root: str, watching: Watching
) -> None:
    path = transcript(home, 1, 2)
    watching.stored(2)
    whole = json.dumps(record(2)) + "\n"
    with path.open("a", encoding="utf-8") as out:
        out.write(json.dumps(record(3)) + "\n" + whole[:60])
        out.flush()
        watching.stored(1)
        out.write(whole[60:])
    watching.stored(1)
    transcript(home, 2, 3, "-work-new")
    watching.stored(3)
    status, said = watching.end()
    assert status == INTERRUPTED and "Traceback" not in said
    assert len(sessions(root)) == 7
    with Ledger(root) as ledger:
        assert ledger.count_quarantined() == 0
