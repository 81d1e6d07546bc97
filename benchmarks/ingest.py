"""What `eyelet ingest` costs against the least one could do: json.loads and executemany into the same schema.

Both sides read the same generated file of hook payloads and fill a fresh day database (the plain side one file, one
connection, 10,000 rows a transaction, no redaction, no identity, no quarantine). They run in turn; the ratio is taken
pair by pair, of the time that passed and of the processor's, which others on the machine disturb less. A third side is
the import that looks for no secrets. Then the peak memory of an import, for two sizes of file.
`python benchmarks/ingest.py [--events 30000] [--rounds 5] [--memory-mb 100]`
"""

import argparse
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from eyelet_ingest.store import connect, layout, schema

START = layout.PartitionKey("default", 2026, 60).bounds_us[0]
WORDS = ["layout", "partition", "search", "def", "return", "import", "test", "row", "assert", "the", "of", "a", "is"]


def payloads(count: int) -> list[str]:
    """Hook payloads of about 2 KB in the median's neighbourhood, with a tail, all on one day."""
    chance = random.Random(11)
    lines = []
    for at in range(count):
        session = f"session-{at // 300:05d}"
        output = " ".join(chance.choices(WORDS, k=int(chance.lognormvariate(5.2, 0.9))))
        pre = at % 2 == 0
        payload = {
            "session_id": session,
            "transcript_path": f"/home/someone/.claude/projects/-home-someone-work/{session}.jsonl",
            "cwd": "/home/someone/work",
            "permission_mode": "default",
            "hook_event_name": "PreToolUse" if pre else "PostToolUse",
            "tool_name": "Bash",
            "tool_input": {"command": f"cd src && git log -n {at % 50} --oneline", "description": "Read the history"},
            "tool_use_id": f"toolu_{at // 2:024d}",
            "timestamp": (START + at * 1_000_000) / 1e6,
        }
        if not pre:
            payload["tool_response"] = {"stdout": output, "stderr": "", "interrupted": False, "isImage": False}
        lines.append(json.dumps(payload))
    return lines


def plain(path: str, root: str) -> None:
    """json.loads, the columns a filter needs, executemany in transactions of 10,000 rows."""
    key = layout.key_for("default", START)
    file = layout.db_path(root, key)
    conn = connect.open_writer(file)
    schema.bring_up(conn, file, "default", "default", key.bounds_us)
    names = ("id", "uid", "arrived", "timestamp", "session_id", "hook_type", "tool_name", "tool_use_id", "src", "data")
    sql = f"insert into hooks ({', '.join(names)}) values ({', '.join('?' * len(names))})"
    rows = []
    with open(path, encoding="utf-8") as lines:
        for at, line in enumerate(lines):
            value = json.loads(line)
            time_us = int(value["timestamp"] * 1e6)
            rows.append(
                (time_us, at.to_bytes(16, "big"), at + 1, time_us / 1e6, value["session_id"], value["hook_event_name"],
                 value["tool_name"], value["tool_use_id"], "claude.bash", line.rstrip("\n"))
            )  # fmt: skip
            if len(rows) == 10_000:
                with connect.transaction(conn):
                    conn.executemany(sql, rows)
                rows.clear()
    with connect.transaction(conn):
        conn.executemany(sql, rows)
    conn.close()


def library(path: str, root: str) -> None:
    from eyelet_ingest import pipeline

    done = pipeline.ingest([path], root)
    assert done.quarantined == 0


def unredacted(path: str, root: str) -> None:
    """What the import costs without the search for secrets. There is no such setting."""
    from eyelet_ingest import redaction_gate

    redaction_gate.suspects = lambda texts, redactor: set()
    library(path, root)


SIDES = {"plain": plain, "eyelet": library, "unredacted": unredacted}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--events", type=int, default=30_000)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--memory-mb", type=int, default=100)
    options.add_argument("--side", nargs=3, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.side:
        one_side(*chosen.side)
        return
    folder = tempfile.mkdtemp(prefix="eyelet-bench-")
    try:
        lines = payloads(chosen.events)
        path = os.path.join(folder, "hooks.jsonl")
        Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")
        compare(folder, path, chosen.events, chosen.rounds)
        memory(folder, lines, chosen.memory_mb)
    finally:
        shutil.rmtree(folder)


def compare(folder: str, path: str, events: int, rounds: int) -> None:
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in SIDES}
    for number in range(rounds + 1):
        for name in SIDES:
            seconds, cpu_seconds, _ = run(name, path, os.path.join(folder, f"{name}-{number}"))
            if number:
                times[name].append((seconds, cpu_seconds))
    size_mb = os.path.getsize(path) / 1e6
    print(f"{events:,} hook payloads, {size_mb:.0f} MB, one day; median of {rounds}")
    for name, mine in times.items():
        taken = statistics.median(seconds for seconds, _ in mine)
        pairs = list(zip(mine, times["plain"], strict=True))
        ratios = [statistics.median(one[at] / other[at] for one, other in pairs) for at in (0, 1)]
        print(
            f"  {name:11}{taken:6.2f} s {events / taken:8,.0f} events/s  ÷ plain (json.loads + executemany):"
            f" {ratios[0]:.2f}, of the processor's time {ratios[1]:.2f}"
        )


def memory(folder: str, lines: list[str], large_mb: int) -> None:
    print("peak resident memory of an import")
    for size_mb in (large_mb // 4, large_mb):
        path = os.path.join(folder, f"{size_mb}.jsonl")
        with open(path, "w", encoding="utf-8") as out:
            written, at = 0, 0
            while written < size_mb * 1_000_000:
                line = lines[at % len(lines)].replace("toolu_", f"toolu_{at // len(lines)}")
                written += out.write(line + "\n")
                at += 1
        seconds, _, peak_mb = run("eyelet", path, os.path.join(folder, f"memory-{size_mb}"))
        print(f"  {size_mb:5} MB: {peak_mb:6.0f} MB in {seconds:.1f} s")


def run(name: str, path: str, root: str) -> tuple[float, float, float]:
    """One side in a process of its own: seconds of work, of them the processor's, peak memory in MB."""
    command = [sys.executable, __file__, "--side", name, path, root]
    seconds, cpu_seconds, peak = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    shutil.rmtree(root)
    return float(seconds), float(cpu_seconds), float(peak)


def one_side(name: str, path: str, root: str) -> None:
    from eyelet_ingest import pipeline  # noqa: F401  imported by both, so that memory and time compare

    started, cpu_started = time.perf_counter(), time.process_time()
    SIDES[name](path, root)
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    print(seconds, cpu_seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    main()
