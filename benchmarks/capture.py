"""What recording one event costs, as a whole process, against a bare interpreter that imports sqlite3 and json.

Measured is what `eyelet install` writes into an agent's settings: the launcher under a home folder made for it. One at
a time, every side runs in turn within each round, so that a slow moment of the machine meets all of them; the ratio is
taken round by round and its median printed. Then 8 and 64 at once. `python benchmarks/capture.py [--events 2000]`
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from eyelet_ingest.bundle import interpreter
from eyelet_ingest.install import launch
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

CAPTURE = Path(__file__).resolve().parent.parent / "ingest" / "eyelet_ingest" / "capture.py"
SCRIPT = Path(sys.executable).parent / "eyelet-hook"
BASE = [sys.executable, "-I", "-c", "import sqlite3, json"]
BARE = [interpreter(), "-I", "-S", "-c", "pass"]
UV_SCRIPT = "# /// script\n# dependencies = []\n# ///\nimport sys\nsys.stdin.read()\n"

PLAIN = {
    "session_id": "0d9c7f52-2d6f-4a7e-9f0e-6f1f3f0f6a11",
    "transcript_path": "/home/someone/.claude/projects/-home-someone-work/0d9c7f52.jsonl",
    "cwd": "/home/someone/work",
    "permission_mode": "default",
    "hook_event_name": "PostToolUse",
    "tool_name": "Bash",
    "tool_input": {"command": "git status --short", "description": "See what changed"},
    "tool_response": {"stdout": " M src/layout.py\n" * 60, "stderr": "", "interrupted": False, "isImage": False},
    "tool_use_id": "toolu_01AbCdEfGhIjKlMnOpQrStUv",
    "duration_ms": 31,
}
TELLING = {**PLAIN, "tool_input": {"command": "export DB_PASSWORD=" + "hunter" * 3, "description": "Set the password"}}


class Side:
    """One command with its payload; `root_of` names the root of the n-th event."""

    def __init__(self, command: list[str], payload: str, root_of: Callable[[int], str]) -> None:
        self.command, self.payload, self.root_of = command, payload, root_of
        self.times_ms: list[float] = []

    def start(self, number: int, home: str) -> tuple[int, float]:
        """Start it; its process id and the moment."""
        env = {**os.environ, "EYELET_ROOT": self.root_of(number), "EYELET_CONFIG": f"{home}/eyelet.yaml"}
        given, out = os.open(self.payload, os.O_RDONLY), os.open(os.devnull, os.O_WRONLY)
        actions = [(os.POSIX_SPAWN_DUP2, given, 0), (os.POSIX_SPAWN_DUP2, out, 1)]
        started = time.perf_counter()
        child = os.posix_spawnp(self.command[0], self.command, env, file_actions=actions)
        os.close(given)
        os.close(out)
        return child, started

    def wave(self, first: int, size: int, home: str) -> list[float]:
        """`size` of them at once: the life of each in ms."""
        started = dict(self.start(first + at, home) for at in range(size))
        lives = []
        for _ in range(size):
            child, status = os.wait()
            lives.append((time.perf_counter() - started[child]) * 1000)
            assert status == 0, f"{self.command} failed"
        return lives


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--events", type=int, default=200, help="for each side; 2000 for the whole proof")
    events = options.parse_args().events
    folder = tempfile.mkdtemp(prefix="eyelet-bench-")
    try:
        sides = made(folder)
        one_at_a_time(sides, events, folder)
        for size in (8, 64):
            at_once(sides, events, size, folder)
    finally:
        shutil.rmtree(folder)


def made(folder: str) -> dict[str, Side]:
    """The sides, the first of which is what the others are compared with."""
    plain, telling = f"{folder}/plain.json", f"{folder}/telling.json"
    Path(plain).write_text(json.dumps(PLAIN))
    Path(telling).write_text(json.dumps(TELLING))
    hook = launch.write(folder)

    def fixed(root: str) -> Callable[[int], str]:
        return lambda number: f"{folder}/{root}"

    sides = {
        "BASE: python -I -c 'import sqlite3, json'": Side(BASE, plain, fixed("none")),
        "python -I -S -c pass": Side(BARE, plain, fixed("none")),
        "direct": Side([hook], plain, fixed("direct")),
        "direct, with a tell-tale": Side([hook], telling, fixed("telling")),
        "first event of a day": Side([hook], plain, lambda number: f"{folder}/new/{number}"),
        "spool": Side([hook, "--mode", "spool"], plain, fixed("spooled")),
        "capture.py by path": Side([sys.executable, "-I", "-S", str(CAPTURE)], plain, fixed("direct")),
        "console script eyelet-hook": Side([str(SCRIPT)], plain, fixed("direct")),
    }
    if shutil.which("node"):
        sides["node -e ''"] = Side(["node", "-e", ""], plain, fixed("none"))
    if shutil.which("uv"):
        Path(folder, "nothing.py").write_text(UV_SCRIPT)
        command = ["uv", "run", "--quiet", "--offline", "--script", f"{folder}/nothing.py"]
        if subprocess.run(command, input=b"", capture_output=True, check=False).returncode == 0:
            sides["uv run --script"] = Side(command, plain, fixed("none"))
    return sides


def one_at_a_time(sides: dict[str, Side], events: int, folder: str) -> None:
    for number in range(events + 1):
        for side in sides.values():
            (took,) = side.wave(number, 1, folder)
            if number:  # the first round warms caches
                side.times_ms.append(took)
    base = next(iter(sides.values())).times_ms
    print(f"Recording one event, whole process, {events} each; ms, ratio to BASE round by round (median)")
    print(f"{'':44}{'p50':>8}{'p95':>8}{'worst':>8}{'÷ BASE':>8}")
    for name, side in sides.items():
        ratio = statistics.median(one / other for one, other in zip(side.times_ms, base, strict=True))
        print(f"{name:44}{figures(side.times_ms)}{ratio:8.2f}")


def at_once(sides: dict[str, Side], events: int, size: int, folder: str) -> None:
    """Waves of `size` processes, until there were so many events: each one's life, and whether all are there."""
    waves = max(1, events // size)
    print(f"\n{size} at once, {waves * size} each")
    print(f"{'':44}{'p50':>8}{'p95':>8}{'worst':>8}  stored, waiting")
    for name in ("python -I -S -c pass", "direct", "first event of a day", "spool"):
        side = sides[name]
        command, roots = side.command, f"{folder}/{size}-{name.split()[0]}"
        number_of = (lambda number: number // size) if name.startswith("first") else (lambda number: 0)
        burst = Side(command, side.payload, lambda number, roots=roots, of=number_of: f"{roots}/{of(number)}")  # type: ignore[misc]
        lives = [life for wave in range(waves) for life in burst.wave(wave * size, size, folder)]
        print(f"{name:44}{figures(lives)}  {'' if side.command is BARE else kept(roots)}")
        shutil.rmtree(roots, ignore_errors=True)


def figures(times_ms: list[float]) -> str:
    mine = sorted(times_ms)
    return f"{statistics.median(mine):8.1f}{mine[int(len(mine) * 0.95)]:8.1f}{mine[-1]:8.1f}"


def kept(roots: str) -> str:
    """How many events are in days, and how many in the spool, under all these roots."""
    stored = waiting = 0
    for root in Path(roots).iterdir():
        waiting += len(list(root.glob("spool/*.json")))
        with Store(str(root)) as store:
            stored += store.count(Filter()).count
    return f"{stored}, {waiting}"


if __name__ == "__main__":
    main()
