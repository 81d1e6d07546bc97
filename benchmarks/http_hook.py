"""What it costs an agent to record over HTTP, against a plain route of Datasette on the same server in the same run.

A server in a process of its own; 1, 8 and 64 connections that stay open, each posting the next payload when the last
was acknowledged, and each asking `/-/versions.json` in turn, so that a slow moment of the machine meets both. Times are
those of the asker, from the request's first byte to the answer's last. `python benchmarks/http_hook.py [--events 2000]`
"""

import argparse
import json
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from capture import PLAIN  # the payload that a process records there

from eyelet_ingest import tokens
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

PLAIN_ROUTE = "/-/versions.json"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--events", type=int, default=2_000)
    chosen = options.parse_args()
    folder = tempfile.mkdtemp(prefix="eyelet-bench-")
    try:
        token, _ = tokens.create(f"{folder}/root", "bench", [], ["write"])
        server, port = start(folder)
        try:
            measure(port, token, f"{folder}/root", chosen.events)
        finally:
            server.kill()
            server.wait()
    finally:
        shutil.rmtree(folder)


def start(folder: str) -> tuple[subprocess.Popen[bytes], int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = Path(folder, "datasette.json")
    config.write_text(json.dumps({"plugins": {"datasette-eyelet": {"root": f"{folder}/root"}}}))
    from datasette.app import Datasette

    option = "-c" if hasattr(Datasette, "allowed") else "-m"
    command = [sys.executable, "-m", "datasette", "serve", "--memory", option, str(config), "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return server, port
        except ConnectionRefusedError:
            time.sleep(0.05)


def measure(port: int, token: str, root: str, events: int) -> None:
    payload = json.dumps(PLAIN).encode()
    head = f"POST /-/eyelet/hook HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n\r\n"
    post = head.encode() + payload
    plain = f"GET {PLAIN_ROUTE} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    crowd(port, post, plain, 1, 50)  # imports, and the day
    print(f"{events} events over HTTP; ms as the asker waits, and the ratio to {PLAIN_ROUTE} (median of all)")
    print(f"{'':24}{'p50':>8}{'p95':>8}{'p99':>8}{'worst':>8}{'plain':>8}{'ratio':>8}{'a second':>10}")
    expected = 50
    for at_once in (1, 8, 64):
        each = events // at_once
        posted, asked, seconds = crowd(port, post, plain, at_once, each)
        expected += each * at_once
        mine = sorted(posted)
        shares = [statistics.median(mine), *(mine[int(len(mine) * share)] for share in (0.95, 0.99)), mine[-1]]
        beside = statistics.median(asked)
        figures = "".join(f"{one:8.2f}" for one in (*shares, beside, shares[0] / beside))
        print(f"{at_once:>2} at once{'':14}{figures}{len(mine) / seconds:10.0f}")
    with Store(root) as store:
        store.drain_spool()
        print(f"{store.count(Filter()).count} of {expected} acknowledged events are there")


def crowd(port: int, post: bytes, plain: bytes, at_once: int, each: int) -> tuple[list[float], list[float], float]:
    """Milliseconds of every post and of every plain question, and the seconds that the posts took in all."""
    posted: list[float] = []
    asked: list[float] = []
    took = {}
    for name, request, times in (("plain", plain, asked), ("post", post, posted)):
        turns = [
            threading.Thread(target=one_after_the_other, args=(port, request, each, times)) for _ in range(at_once)
        ]
        started = time.perf_counter()
        for turn in turns:
            turn.start()
        for turn in turns:
            turn.join()
        took[name] = time.perf_counter() - started
    return posted, asked, took["post"]


def one_after_the_other(port: int, request: bytes, times: int, into: list[float]) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(times):
            started = time.perf_counter()
            connection.sendall(request)
            answer = b""
            while b"\r\n\r\n" not in answer:
                answer += connection.recv(65_536)
            head, _, content = answer.partition(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise SystemExit(answer.decode(errors="replace"))
            length = next((line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b"")
            if length:
                while len(content) < int(length.split(b":")[1]):
                    content += connection.recv(65_536)
            else:  # chunked
                while not content.endswith(b"0\r\n\r\n"):
                    content += connection.recv(65_536)
            into.append((time.perf_counter() - started) * 1000)


if __name__ == "__main__":
    main()
