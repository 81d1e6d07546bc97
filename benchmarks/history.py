"""What `eyelet import-history` costs: memory that must not grow with a transcript, and the look at what is known.

A home folder is generated, with one transcript of Claude Code of each size, and some whose first line is long. Each is
imported by the command, in a process of its own, whose peak resident memory is told; then once more with nothing new,
and once more with one line more, for which it is read from its beginning.
`python benchmarks/history.py [--sizes-mb 64,256,1024] [--line-mb 20]`
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

WORDS = ["layout", "partition", "search", "def", "return", "import", "test", "row", "assert", "the", "of", "a", "is"]
LONG = 10_000_001  # the number of the long one
CODE = (
    "import resource, sys\n"
    "from eyelet_ingest.cli import cli\n"
    "cli.main(['import-history', '--json', '--root', sys.argv[1]], standalone_mode=False)\n"
    "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)\n"
)


def record(chance: random.Random, at: int, text: str = "") -> str:
    """A call or its answer, of about 2 KB in the median's neighbourhood, with a tail; a day has 20,000 of them."""
    text = text or " ".join(chance.choices(WORDS, k=int(chance.lognormvariate(5.2, 0.9))))
    is_call = at % 2 == 0
    use_id = f"toolu_{at // 2:024d}"
    call = {"type": "tool_use", "id": use_id, "name": "Bash", "input": {"command": f"git log -n {at % 50}"}}
    answer = {"type": "tool_result", "tool_use_id": use_id, "content": text, "is_error": False}
    seconds = at * 4 % 86_400
    time_of_day = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    said = {
        "type": "assistant" if is_call else "user",
        "uuid": f"{at:08x}-0000-4000-8000-000000000000",
        "sessionId": "0a0b0c0d-1111-4222-8333-000000000001",
        "timestamp": f"2026-05-{at // 21_600 % 28 + 1:02d}T{time_of_day}.000Z",
        "cwd": "/home/someone/work",
        "version": "2.1.39",
        "message": {"role": "assistant" if is_call else "user", "content": [call if is_call else answer]},
    }
    return json.dumps(said) + "\n"


def generate(path: str, size_bytes: int, line_bytes: int = 0) -> int:
    """A transcript of about so many bytes; with `line_bytes` one line of it has so many. The number of its records."""
    chance = random.Random(11)
    written = at = 0
    with open(path, "w", encoding="utf-8") as out:
        if line_bytes:
            written += out.write(record(chance, LONG, "some words to read " * (line_bytes // 19)))
        while written < size_bytes:
            written += out.write(record(chance, at))
            at += 1
    os.utime(path, (time.time() - 86_400, time.time() - 86_400))
    return at + (line_bytes > 0)


def run(home: str) -> tuple[dict[str, int], float, float]:
    """The counts, the seconds, and the peak resident memory in MB of one import of all that is in the home folder."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("CLAUDE", "EYELET"))}
    started = time.perf_counter()
    command = [sys.executable, "-c", CODE, os.path.join(home, "root")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**environ, "HOME": home})
    seconds = time.perf_counter() - started
    *_, counts, peak_mb = done.stdout.splitlines()
    return json.loads(counts)["records"], seconds, float(peak_mb)


def measure(title: str, size_bytes: int, line_bytes: int = 0) -> None:
    home = tempfile.mkdtemp(prefix="eyelet-bench-")
    try:
        folder = os.path.join(home, ".claude", "projects", "-home-someone-work")
        os.makedirs(folder)
        path = os.path.join(folder, "0a0b0c0d-1111-4222-8333-000000000001.jsonl")
        count = generate(path, size_bytes, line_bytes)
        counts, first_s, peak_mb = run(home)
        assert counts["stored"] == count and not counts["quarantined"], counts
        counts, again_s, _ = run(home)
        assert not counts["read"], counts
        with open(path, "a", encoding="utf-8") as out:
            out.write(record(random.Random(12), count))
        counts, grown_s, grown_mb = run(home)
        assert counts["stored"] == 1, counts
        print(
            f"  {title:16} {count:9,} records: {peak_mb:5.0f} MB in {first_s:6.1f} s; again {again_s:4.1f} s;"
            f" a line more {grown_s:6.1f} s ({grown_s / first_s:.2f} of the first), {grown_mb:.0f} MB",
            flush=True,
        )
    finally:
        shutil.rmtree(home)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--sizes-mb", default="64,256,1024")
    options.add_argument("--line-mb", type=int, default=20)
    chosen = options.parse_args()
    print("peak resident memory of an import of one transcript")
    measure("1 MB", 1_000_000)
    for line_mb in (chosen.line_mb // 4, chosen.line_mb):
        measure(f"a line of {line_mb} MB", 0, line_mb * 1_000_000)
    measure(f"{chosen.line_mb} MB in 30 MB", 30_000_000 + chosen.line_mb * 1_000_000, chosen.line_mb * 1_000_000)
    for size_mb in map(int, filter(None, chosen.sizes_mb.split(","))):
        measure(f"{size_mb} MB", size_mb * 1_000_000)


if __name__ == "__main__":
    main()
