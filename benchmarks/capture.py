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
    """`size` hooks at once on one day: each one's life, and whether every event is there."""
    root, payload = f"{folder}/burst", json.dumps(PLAIN).encode()
    run(LIGHT, payload, root)
    code = (
        "import subprocess, sys, time; t = time.perf_counter(); "
        "subprocess.run(sys.argv[1:], stdin=sys.stdin, check=True); print((time.perf_counter() - t) * 1000)"
    )
    lives: dict[str, list[float]] = {}
    for name, command in {"hooks": LIGHT, "python -I -S -c pass": [sys.executable, "-I", "-S", "-c", "pass"]}.items():
        input_file = Path(folder) / "payload.json"
        input_file.write_bytes(payload)
        running = [
            subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", code, *command],
                stdin=input_file.open("rb"),
                stdout=subprocess.PIPE,
                env={**os.environ, "EYELET_ROOT": root},
            )
            for _ in range(size)
        ]
        lives[name] = sorted(float(one.communicate()[0]) for one in running)
    spooled = len(list(Path(root, "spool").glob("*.json"))) if Path(root, "spool").is_dir() else 0
    stored = stored_in(root)
    print(f"\n{size} at once on one day: {stored - 1} of {size} stored, {spooled} spooled")
    for name, mine in lives.items():
        print(f"{name:44}{statistics.median(mine):8.1f}{mine[int(len(mine) * 0.95)]:8.1f}{mine[-1]:8.1f}")


def stored_in(root: str) -> int:
    from eyelet_ingest.store.select import Filter
    from eyelet_ingest.store.store import Store

    with Store(root) as store:
        return store.count(Filter()).count


if __name__ == "__main__":
    main()
