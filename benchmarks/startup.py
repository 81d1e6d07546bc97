"""How long commands and the server take to be there, against a bare Python and a bare Datasette.

Every side runs in turn within each round, so that a slow moment of the machine meets all of them; the ratio is taken
round by round and its median printed. `python benchmarks/startup.py [--rounds 20] [--serve-rounds 7]`
"""

import argparse
import http.client
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from eyelet_ingest.demo import record
from eyelet_ingest.store import layout
from eyelet_ingest.store.store import Store

BIN = Path(sys.executable).parent
BARE = {"DATASETTE_LOAD_PLUGINS": ""}  # Datasette without this plugin or any other
PAYLOAD = json.dumps({"hook_event_name": "PostToolUse", "session_id": "s", "tool_name": "Bash"}).encode()
DAYS = 7
POLL_S = 0.002

# name → (command, environment, the name of its base); "" is the first side of all.
Side = tuple[list[str], dict[str, str], str]


def sides(root: str) -> dict[str, Side]:
    python, eyelet, datasette, sqlite_utils = (
        str(BIN / name) for name in (Path(sys.executable).name, "eyelet", "datasette", "sqlite-utils")
    )
    base, bare, plain = (
        "python -I -c 'import sqlite3, json'",
        "datasette --version, no plugins",
        "sqlite-utils --version",
    )
    return {
        "python -I -c pass": ([python, "-I", "-c", "pass"], {}, ""),
        base: ([python, "-I", "-c", "import sqlite3, json"], {}, ""),
        "python -I -c 'import click'": ([python, "-I", "-c", "import click"], {}, base),
        "eyelet --version": ([eyelet, "--version"], {}, base),
        "eyelet query search --limit 1": ([eyelet, "query", "search", "--limit", "1", "--root", root], {}, base),
        "eyelet-hook": ([str(BIN / "eyelet-hook"), "--root", root], {}, base),
        bare: ([datasette, "--version"], BARE, ""),
        "datasette eyelet --version": ([datasette, "eyelet", "--version"], {}, bare),
        plain: ([sqlite_utils, "--version"], {}, ""),
        "sqlite-utils eyelet --version": ([sqlite_utils, "eyelet", "--version"], {}, plain),
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=20)
    options.add_argument("--serve-rounds", type=int, default=7)
    chosen = options.parse_args()
    folder = tempfile.mkdtemp(prefix="eyelet-bench-")
    try:
        root, one_file = prepared(folder)
        commands(sides(root), chosen.rounds)
        servers(root, one_file, chosen.serve_rounds)
    finally:
        shutil.rmtree(folder)


def prepared(folder: str) -> tuple[str, str]:
    """A root with a demonstration of DAYS days, and one of its days as a file of its own."""
    root, one_file = f"{folder}/root", f"{folder}/one.db"
    with Store(root) as store:
        record(store, time.time_ns() // 1_000, DAYS)
        shutil.copyfile(layout.db_path(root, store.catalog.partitions()[-1]), one_file)
    return root, one_file


def commands(chosen: dict[str, Side], rounds: int) -> None:
    times: dict[str, list[float]] = {name: [] for name in chosen}
    for number in range(rounds + 1):
        for name, (command, environment, _) in chosen.items():
            started = time.perf_counter()
            subprocess.run(
                command,
                input=PAYLOAD,
                env=surroundings(environment),
                check=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            if number:  # the first round warms caches and compiles
                times[name].append((time.perf_counter() - started) * 1000)
    print(f"Start to exit, {rounds} rounds; ms, ratio to its base round by round (median)")
    tell(times, {name: base for name, (_, _, base) in chosen.items()})


def servers(root: str, one_file: str, rounds: int) -> None:
    bare = "datasette ONE-FILE, no plugins"
    port = free_port()
    chosen: dict[str, Side] = {
        bare: ([str(BIN / "datasette"), one_file, "--port", str(port)], BARE, ""),
        f"eyelet serve, {DAYS} days": ([str(BIN / "eyelet"), "serve", "--root", root, "--port", str(port)], {}, bare),
    }
    times: dict[str, list[float]] = {name: [] for name in chosen}
    for number in range(rounds + 1):
        for name, (command, environment, _) in chosen.items():
            took = until_it_answers(command, surroundings(environment), port)
            if number:
                times[name].append(took)
    print(f"\nStart to the first answer, {rounds} rounds; ms, ratio round by round (median)")
    tell(times, {name: base for name, (_, _, base) in chosen.items()})


def surroundings(environment: dict[str, str]) -> dict[str, str]:
    """The environment of a side. Everybody's Python keeps what it compiled: without that, only ours would compile."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, **environment}


def until_it_answers(command: list[str], environment: dict[str, str], port: int) -> float:
    """Milliseconds from start to the first HTTP answer; the server is gone afterwards."""
    started = time.perf_counter()
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not answers(port):
            if server.poll() is not None:
                raise SystemExit(f"{' '.join(command)} ended with {server.returncode}")
            time.sleep(POLL_S)
        return (time.perf_counter() - started) * 1000
    finally:
        server.terminate()
        server.wait()


def answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/-/versions.json")
        return bool(connection.getresponse().status)
    except ConnectionError:
        return False
    finally:
        connection.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def tell(times: dict[str, list[float]], bases: dict[str, str]) -> None:
    print(f"{'':40}{'p50':>8}{'p95':>8}{'÷ base':>8}")
    for name, mine in times.items():
        p95 = sorted(mine)[int(len(mine) * 0.95)]
        line = f"{name:40}{statistics.median(mine):8.1f}{p95:8.1f}"
        if bases[name]:
            ratio = statistics.median(one / base for one, base in zip(mine, times[bases[name]], strict=True))
            line += f"{ratio:8.2f}  ÷ {bases[name]}"
        print(line)


if __name__ == "__main__":
    main()
