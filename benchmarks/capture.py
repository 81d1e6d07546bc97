"""What recording one event costs, as a whole process, against a bare interpreter that imports sqlite3 and json.

Measured is what `eyelet install` writes into an agent's settings: the launcher under a home folder made for it. One at
a time, every side runs in turn within each round, so that a slow moment of the machine meets all of them; the ratio is
taken round by round and its median printed. Then 8 and 64 at once. Over HTTP it is the launcher that posts, as
`eyelet install --mode http` has it, and an agent that posts by itself (`--native-http`), timed at both ends: of 64 at
once the first are 64 processes that share the processor with the server, the second 64 connections of a single one.
`python benchmarks/capture.py [--events 2000]`
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

from hook_server import PLAIN, HookServer

from eyelet_ingest.bundle import interpreter
from eyelet_ingest.install import launch
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

CAPTURE = Path(__file__).resolve().parent.parent / "ingest" / "eyelet_ingest" / "capture.py"
SCRIPT = Path(sys.executable).parent / "eyelet-hook"
BASE = [sys.executable, "-I", "-c", "import sqlite3, json"]
BARE = [interpreter(), "-I", "-S", "-c", "pass"]
LAUNCHED_HTTP, POSTED, AT_SERVER = (
    "HTTP, posted by the launcher",
    "HTTP, posted by the agent",
    "  the same, at the server",
)
UV = "uv run --script"
HEAD = f"{'':44}{'p50':>8}{'p95':>8}{'p99':>8}{'worst':>8}"
UV_SCRIPT = "# /// script\n# dependencies = []\n# ///\nimport sys\nsys.stdin.read()\n"

TELLING = {**PLAIN, "tool_input": {"command": "export DB_PASSWORD=" + "hunter" * 3, "description": "Set the password"}}


class Side:
    """One command with its payload; `root_of` names the root of the n-th event."""

    def __init__(
        self, command: list[str], payload: str, root_of: Callable[[int], str], env: dict[str, str] | None = None
    ) -> None:
        self.command, self.payload, self.root_of, self.env = command, payload, root_of, env or {}
        self.times_ms: list[float] = []

    def start(self, number: int, home: str) -> tuple[int, float]:
        """Start it; its process id and the moment."""
        env = {**os.environ, "EYELET_ROOT": self.root_of(number), "EYELET_CONFIG": f"{home}/eyelet.yaml", **self.env}
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


class Posting(Side):
    """An agent that posts by itself: a side without a process."""

    def __init__(self, server: HookServer) -> None:
        super().__init__([], "", lambda number: server.root)
        self.server = server

    def wave(self, first: int, size: int, home: str) -> list[float]:
        return self.server.burst(self.server.post, size)


BURSTS = ("python -I -S -c pass", "direct", "first event of a day", "spool", LAUNCHED_HTTP, POSTED, "node -e ''", UV)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--events", type=int, default=200, help="for each side; 2000 for the whole proof")
    events = options.parse_args().events
    folder = tempfile.mkdtemp(prefix="eyelet-bench-")
    server = HookServer(folder)
    try:
        sides = made(folder, server)
        print(f"load {os.getloadavg()[0]:.1f} at the beginning")
        one_at_a_time(sides, events, folder, server)
        for size in (8, 64):
            at_once(sides, events, size, folder, server)
        print(f"load {os.getloadavg()[0]:.1f} at the end, {kept(server.root)} over HTTP (stored, waiting)")
    finally:
        server.close()
        shutil.rmtree(folder)


def made(folder: str, server: HookServer) -> dict[str, Side]:
    """The sides, the first of which is what the others are compared with."""
    plain, telling = f"{folder}/plain.json", f"{folder}/telling.json"
    Path(plain).write_text(json.dumps(PLAIN))
    Path(telling).write_text(json.dumps(TELLING))
    hook = launch.write(folder)

    def fixed(root: str) -> Callable[[int], str]:
        return lambda number: f"{folder}/{root}"

    posting = [hook, "--mode", "http", "--url", server.url]
    sides = {
        "BASE: python -I -c 'import sqlite3, json'": Side(BASE, plain, fixed("none")),
        "python -I -S -c pass": Side(BARE, plain, fixed("none")),
        "direct": Side([hook], plain, fixed("direct")),
        "direct, with a tell-tale": Side([hook], telling, fixed("telling")),
        "first event of a day": Side([hook], plain, lambda number: f"{folder}/new/{number}"),
        "spool": Side([hook, "--mode", "spool"], plain, fixed("spooled")),
        LAUNCHED_HTTP: Side(posting, plain, fixed("unanswered"), {"EYELET_TOKEN": server.token}),
        POSTED: Posting(server),
        "capture.py by path": Side([sys.executable, "-I", "-S", str(CAPTURE)], plain, fixed("direct")),
        "console script eyelet-hook": Side([str(SCRIPT)], plain, fixed("direct")),
    }
    if shutil.which("node"):
        sides["node -e ''"] = Side(["node", "-e", ""], plain, fixed("none"))
    if shutil.which("uv"):
        Path(folder, "nothing.py").write_text(UV_SCRIPT)
        command = ["uv", "run", "--quiet", "--offline", "--script", f"{folder}/nothing.py"]
        if subprocess.run(command, input=b"", capture_output=True, check=False).returncode == 0:
            sides[UV] = Side(command, plain, fixed("none"))
    for name in ("node -e ''", UV):
        if name not in sides:
            print(f"{name}: not on this machine")
    return sides


def one_at_a_time(sides: dict[str, Side], events: int, folder: str, server: HookServer) -> None:
    at_server: list[float] = []
    for number in range(events + 1):
        for name, side in sides.items():
            (took,) = side.wave(number, 1, folder)
            if number:  # the first round warms caches
                side.times_ms.append(took)
            if name == POSTED:
                at_server += server.times_ms()[-1:] if number else []
    base = next(iter(sides.values())).times_ms
    print(f"Recording one event, whole process, {events} each; ms, ratio to BASE round by round (median)")
    print(HEAD + "   ÷ BASE")
    for name, side in sides.items():
        ratio = statistics.median(one / other for one, other in zip(side.times_ms, base, strict=True))
        print(f"{name:44}{figures(side.times_ms)}{ratio:9.2f}")
    print(f"{AT_SERVER:44}{figures(at_server)}")


def at_once(sides: dict[str, Side], events: int, size: int, folder: str, server: HookServer) -> None:
    """Waves of `size` at once, until there were so many events: each one's life, and whether all are there."""
    waves = max(1, events // size)
    print(f"\n{size} at once, {waves * size} each")
    print(HEAD + "  stored, waiting")
    for name in (name for name in BURSTS if name in sides):
        side, roots = sides[name], f"{folder}/{size}-{name.split()[0]}"
        number_of = (lambda number: number // size) if name.startswith("first") else (lambda number: 0)
        own = isinstance(side, Posting) or name in (LAUNCHED_HTTP, "python -I -S -c pass", "node -e ''", UV)
        burst = side
        if not own:
            burst = Side(side.command, side.payload, lambda number, roots=roots, of=number_of: f"{roots}/{of(number)}")  # type: ignore[misc]
        server.times_ms()
        lives = [life for wave in range(waves) for life in burst.wave(wave * size, size, folder)]
        print(f"{name:44}{figures(lives)}  {'' if own else kept_in(roots)}")
        if name in (LAUNCHED_HTTP, POSTED):
            print(f"{AT_SERVER:44}{figures(server.times_ms())}")
        shutil.rmtree(roots, ignore_errors=True)


def figures(times_ms: list[float]) -> str:
    mine = sorted(times_ms)
    shares = (statistics.median(mine), *(mine[int(len(mine) * share)] for share in (0.95, 0.99)), mine[-1])
    return "".join(f"{one:8.1f}" for one in shares)


def kept_in(roots: str) -> str:
    """How many events are in days, and how many in the spool, under all these roots."""
    stored, waiting = (sum(counts) for counts in zip(*map(counted, Path(roots).iterdir()), strict=True))
    return f"{stored}, {waiting}"


def kept(root: str) -> str:
    stored, waiting = counted(Path(root))
    return f"{stored}, {waiting}"


def counted(root: Path) -> tuple[int, int]:
    with Store(str(root)) as store:
        return store.count(Filter()).count, len(list(root.glob("spool/*.json")))


if __name__ == "__main__":
    main()
