"""What recording one event costs, as a whole process, against a bare interpreter that imports sqlite3 and json.

Every side runs in turn within each round, so that a slow moment of the machine meets all of them; the ratio is taken
round by round and its median printed. `python benchmarks/capture.py [--rounds 200] [--burst 64]`
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
from pathlib import Path

CAPTURE = Path(__file__).resolve().parent.parent / "ingest" / "eyelet_ingest" / "capture.py"
SCRIPT = Path(sys.executable).parent / "eyelet-hook"
LIGHT = [sys.executable, "-I", "-S", str(CAPTURE)]
BURSTS = 9

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


def run(command: list[str], payload: bytes, root: str) -> float:
    """Milliseconds from start to exit."""
    env = {**os.environ, "EYELET_ROOT": root}
    started = time.perf_counter()
    subprocess.run(command, input=payload, env=env, check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - started) * 1000


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=200)
    options.add_argument("--burst", type=int, default=64)
    chosen = options.parse_args()
    folder = tempfile.mkdtemp(prefix="eyelet-bench-")
    try:
        one_at_a_time(folder, chosen.rounds)
        burst(folder, chosen.burst)
    finally:
        shutil.rmtree(folder)


def one_at_a_time(folder: str, rounds: int) -> None:
    plain, telling = json.dumps(PLAIN).encode(), json.dumps(TELLING).encode()
    base = [sys.executable, "-I", "-c", "import sqlite3, json"]
    no_day = Path(folder) / "spooled"
    no_day.mkdir()
    (no_day / "logs").write_text("a file where the days should be: every event is spooled")
    sides = {
        "BASE: python -I -c 'import sqlite3, json'": (base, plain, folder),
        "python -I -S -c pass": ([sys.executable, "-I", "-S", "-c", "pass"], plain, folder),
        "direct, by path": (LIGHT, plain, f"{folder}/direct"),
        "direct, with a tell-tale": (LIGHT, telling, f"{folder}/direct"),
        "first event of a day": (LIGHT, plain, ""),
        "spool": (LIGHT, plain, str(no_day)),
        "console script eyelet-hook": ([str(SCRIPT)], plain, f"{folder}/direct"),
    }
    times: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, (command, payload, root) in sides.items():
            took = run(command, payload, root or f"{folder}/new-{number}")
            if number:  # the first round warms caches and compiles
                times[name].append(took)
        shutil.rmtree(no_day / "spool", ignore_errors=True)
    names = list(sides)
    print(f"Recording one event, whole process, {rounds} rounds; ms, ratio to BASE round by round (median)")
    print(f"{'':44}{'p50':>8}{'p95':>8}{'worst':>8}{'÷ BASE':>8}")
    for name in names:
        mine = sorted(times[name])
        ratio = statistics.median(one / base for one, base in zip(times[name], times[names[0]], strict=True))
        p95 = mine[int(len(mine) * 0.95)]
        print(f"{name:44}{statistics.median(mine):8.1f}{p95:8.1f}{mine[-1]:8.1f}{ratio:8.2f}")


def burst(folder: str, size: int) -> None:
    """`size` hooks at once on one day: each one's life, what they took of the processor, and whether every event is
    there. Started and waited for by this one process: one that waits for each would need more than the hook does."""
    plain = json.dumps(PLAIN).encode()
    given = f"{folder}/payload.json"
    Path(given).write_bytes(plain)
    sides = {"hooks": LIGHT, "python -I -S -c pass": [sys.executable, "-I", "-S", "-c", "pass"]}
    slowest: dict[str, list[float]] = {name: [] for name in sides}
    p50: dict[str, list[float]] = {name: [] for name in sides}
    cpu: dict[str, list[float]] = {name: [] for name in sides}
    stored = spooled = 0
    for number in range(BURSTS):
        root = f"{folder}/burst-{number}"
        run(LIGHT, plain, root)
        for name, command in sides.items():
            lives, cpu_ms = lives_at_once(command, size, given, root)
            slowest[name].append(max(lives))
            p50[name].append(statistics.median(lives))
            cpu[name].append(cpu_ms)
        spooled += len(list(Path(root, "spool").glob("*.json")))
        stored += stored_in(root) - 1
    print(f"\n{size} at once on one day, {BURSTS} times: {stored} of {size * BURSTS} stored, {spooled} spooled")
    print(f"{'':44}{'p50':>8}{'slowest':>8}{'of all':>8}{'cpu':>8}   ms; the median time, and the worst of all")
    for name in sides:
        middle = "".join(f"{statistics.median(of):8.0f}" for of in (p50[name], slowest[name]))
        print(f"{name:44}{middle}{max(slowest[name]):8.0f}{statistics.median(cpu[name]):8.0f}")


def lives_at_once(command: list[str], size: int, given: str, root: str) -> tuple[list[float], float]:
    """How many ms each of `size` processes lived, and what they took of the processor together."""
    env = {**os.environ, "EYELET_ROOT": root}
    open_input = [(os.POSIX_SPAWN_OPEN, 0, given, os.O_RDONLY, 0)]
    started: dict[int, float] = {}
    for _ in range(size):
        at = time.perf_counter()
        started[os.posix_spawn(command[0], command, env, file_actions=open_input)] = at
    lives, cpu_s = [], 0.0
    while started:
        pid, status, used = os.wait4(-1, 0)
        assert status == 0
        lives.append((time.perf_counter() - started.pop(pid)) * 1000)
        cpu_s += used.ru_utime + used.ru_stime
    return lives, cpu_s * 1000


def stored_in(root: str) -> int:
    from eyelet_ingest.store.select import Filter
    from eyelet_ingest.store.store import Store

    with Store(root) as store:
        return store.count(Filter()).count


if __name__ == "__main__":
    main()
