"""What it costs an agent to record over HTTP, against a plain route of Datasette on the same server in the same run.

A server in a process of its own; 1, 8 and 64 requests sent at once, over connections that stay open, and the next as
many when all were answered (as hooks come that an agent starts together): posts, and questions for
`/-/versions.json`, in turn, so that a slow moment of the machine meets both. Times are the asker's and the server's own
(`hook_server.py`). With `--steady` each connection asks again as soon as it was answered, and nobody ever pauses.
`python benchmarks/http_hook.py [--events 2000] [--steady]`; `benchmarks/capture.py` has the bursts beside processes.
"""

import argparse
import shutil
import socket
import statistics
import tempfile
import threading
import time

from hook_server import HookServer, is_whole

from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--events", type=int, default=2_000)
    options.add_argument("--steady", action="store_true")
    chosen = options.parse_args()
    folder = tempfile.mkdtemp(prefix="eyelet-bench-")
    try:
        server = HookServer(folder)
        try:
            measure(server, chosen.events, chosen.steady)
        finally:
            server.close()
    finally:
        shutil.rmtree(folder)


def measure(server: HookServer, events: int, is_steady: bool) -> None:
    for _ in range(50):  # imports, and the day
        server.burst(server.post, 1)
    print(f"{events} events over HTTP; ms, and the ratio to /-/versions.json (both p50)")
    print(f"{'':26}{'p50':>8}{'p95':>8}{'p99':>8}{'worst':>8}{'plain':>8}{'ratio':>8}{'a second':>10}")
    expected = 50
    for at_once in (1, 8, 64):
        found = steady(server, at_once, events // at_once) if is_steady else bursts(server, at_once, events // at_once)
        posted, plain, at_server, plain_at_server, seconds = found
        expected += len(posted)
        row(f"{at_once:>2} at once, as asked", posted, plain, f"{len(posted) / seconds:10.0f}")
        row("   at the server", at_server, plain_at_server, "")
    with Store(server.root) as store:
        store.drain_spool()
        print(f"{store.count(Filter()).count} of {expected} acknowledged events are there")


def row(name: str, posted: list[float], plain: list[float], after: str) -> None:
    mine, beside = sorted(posted), statistics.median(plain)
    shares = [statistics.median(mine), *(mine[int(len(mine) * share)] for share in (0.95, 0.99)), mine[-1]]
    print(f"{name:26}" + "".join(f"{one:8.2f}" for one in (*shares, beside, shares[0] / beside)) + after)


Found = tuple[list[float], list[float], list[float], list[float], float]


def bursts(server: HookServer, at_once: int, waves: int) -> Found:
    """Of posts and plain questions: ms as asked and at the server; and the seconds that the posts took in all."""
    posted, plain, at_server, plain_at_server, seconds = [], [], [], [], 0.0
    server.times_ms()
    for _ in range(waves):
        plain += server.burst(server.plain, at_once)
        plain_at_server += server.times_ms()
        started = time.perf_counter()
        posted += server.burst(server.post, at_once)
        seconds += time.perf_counter() - started
        at_server += server.times_ms()
    return posted, plain, at_server, plain_at_server, seconds


def steady(server: HookServer, at_once: int, each: int) -> Found:
    """The same, of connections that each ask again when they were answered."""
    found = {}
    server.times_ms()
    for name, request in (("plain", server.plain), ("post", server.post)):
        times: list[float] = []
        turns = [
            threading.Thread(target=one_after_the_other, args=(server.port, request, each, times))
            for _ in range(at_once)
        ]
        started = time.perf_counter()
        for turn in turns:
            turn.start()
        for turn in turns:
            turn.join()
        found[name] = times, server.times_ms(), time.perf_counter() - started
    (plain, plain_at_server, _), (posted, at_server, seconds) = found["plain"], found["post"]
    return posted, plain, at_server, plain_at_server, seconds


def one_after_the_other(port: int, request: bytes, times: int, into: list[float]) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(times):
            started = time.perf_counter()
            connection.sendall(request)
            answer = b""
            while not is_whole(answer):
                answer += connection.recv(65_536)
            into.append((time.perf_counter() - started) * 1000)


if __name__ == "__main__":
    main()
