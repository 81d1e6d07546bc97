"""1,000 days in Datasette, mounted when asked for, against stock Datasette with one of those files and with all.

Every server is a real process under `ulimit -n 1024`, of the Datasette of this environment; "stock" is the same program
with our plugin blocked. `python benchmarks/many_days.py [--days 1000] [--all-seconds 90]`
"""

import argparse
import contextlib
import http.client
import os
import random
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import version

from datasette.app import Datasette

from eyelet_ingest.events import Event
from eyelet_ingest.store import layout
from eyelet_ingest.store.store import Store

CONTEXTS = ("default", "work")
ROWS_A_DAY = 200
OPEN_FILES = 1_024
RSS_TARGET_MIB = 150
START_ROUNDS = 7
FRONT_ROUNDS = 60
VISITED = 100
START_WAIT_S = 60.0
SECRET = "only for this measurement"
BLOCKED = (
    "import pluggy; made = pluggy.PluginManager.__init__\n"
    "def init(self, *a, **k): made(self, *a, **k); self.set_blocked('eyelet')\n"
    "pluggy.PluginManager.__init__ = init\n"
)
DATASETTE = "from datasette.cli import cli; cli()"


def make_days(root: str, days: int) -> list[layout.PartitionKey]:
    """`days` partitions, half of them each context's, of ROWS_A_DAY rows of about 1 KB."""
    chance = random.Random(7)
    first = layout.PartitionKey("default", 2024, 1).bounds_us[0]
    step_us = layout.DAY_US // ROWS_A_DAY
    keys = []
    with Store(root) as store:
        for number in range(days):
            context = CONTEXTS[number % len(CONTEXTS)]
            start = first + number // len(CONTEXTS) * layout.DAY_US
            text = chance.randbytes(450).hex()
            made = [
                Event(
                    time_us=start + at * step_us, uid=chance.randbytes(16), hook_type="PostToolUse", tool_name="Bash",
                    session_id=f"session-{number}-{at // 50}", src="claude.posttooluse.bash.make", agent="claude",
                    data='{"tool_response":{"stdout":"' + text + '"}}',
                )
                for at in range(ROWS_A_DAY)
            ]  # fmt: skip
            store.append(made, context)
            keys.append(layout.key_for(context, start))
    return keys


class Server:
    """One Datasette process, signed in as root. `started_s`: from its start until `/` answered 200."""

    def __init__(
        self,
        root: str,
        files: Sequence[str] = (),
        *,
        stock: bool = False,
        wait_s: float = START_WAIT_S,
        open_files: int = OPEN_FILES,
    ) -> None:
        self.port = free_port()
        code = BLOCKED + DATASETTE if stock else DATASETTE
        options = ["serve", *files, "--root", "--secret", SECRET, "--host", "127.0.0.1", "--port", str(self.port)]
        self.headers = {"cookie": "ds_actor=" + Datasette(secret=SECRET).sign({"a": {"id": "root"}}, "actor")}
        self.log = tempfile.TemporaryFile()  # noqa: SIM115  closed with the server
        began = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *options],
            stdout=self.log,
            stderr=self.log,
            cwd=root,
            env={**os.environ, "EYELET_ROOT": root},
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (open_files, open_files)),
        )
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=wait_s)
        self.trouble = self._wait(began + wait_s)
        self.started_s = time.perf_counter() - began

    def _wait(self, end_s: float) -> str:
        """Until `/` answers; why it does not, or ''."""
        while time.perf_counter() < end_s:
            if self.process.poll() is not None:
                return f"it ended with {self.process.returncode}"
            try:
                status = self.get("/")
            except ConnectionRefusedError:
                time.sleep(0.002)
                continue
            except OSError as error:
                return f"/ does not answer: {error or type(error).__name__}"
            return "" if status == 200 else f"/ answers {status}"
        return "it never listened"

    def connect_anew(self) -> None:
        """A server hangs up on who asks nothing for 5 s."""
        self.connection.close()

    def get(self, path: str) -> int:
        try:
            self.connection.request("GET", path, headers=self.headers)
            answer = self.connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self.connection.close()
            raise
        return answer.status

    @property
    def open_files(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    @property
    def rss_mib(self) -> float:
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmRSS:"))

    @property
    def last_words(self) -> str:
        self.log.seek(0)
        lines = self.log.read().decode(errors="replace").strip().splitlines()
        return next((line.strip() for line in reversed(lines) if "Error" in line), "")

    def close(self) -> None:
        self.connection.close()
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.log.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def running(server: Server) -> Iterator[Server]:
    try:
        if server.trouble:
            server.log.seek(0)
            raise SystemExit(f"{server.trouble}\n{server.log.read()[-2_000:].decode(errors='replace')}")
        yield server
    finally:
        server.close()


def measure_start(root: str, one: str) -> None:
    """Both sides in turn; the first of each is not counted: it fills the caches."""
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(START_ROUNDS + 1):
        for side, files in zip(times, ((one,), ()), strict=True):
            with running(Server(root, files, stock=bool(files))) as server:
                if number:
                    side.append(server.started_s * 1000)
    show("start until / answers", *times, target=1.5)


def measure_front(name: str, stock: Server, ours: Server) -> None:
    times: tuple[list[float], list[float]] = ([], [])
    stock.connect_anew()
    ours.connect_anew()
    for number in range(FRONT_ROUNDS + 10):
        for side, server in zip(times, (stock, ours), strict=True):
            began = time.perf_counter()
            status = server.get("/")
            if number >= 10:
                side.append((time.perf_counter() - began) * 1000)
            assert status == 200, status
    show(name, *times, target=2.0)


def show(name: str, stock: list[float], ours: list[float], *, target: float) -> None:
    ratio = statistics.median(mine / other for other, mine in zip(stock, ours, strict=True))
    print(
        f"{name:36}{statistics.median(stock):10.1f}{statistics.median(ours):12.1f}{ratio:8.2f}{target:8.1f}", flush=True
    )


def visit(server: Server, days: Sequence[tuple[str, int]]) -> tuple[float, list[str]]:
    """Four pages of each day, given as its database's name and a row's id; the time in ms that a page took, and every
    answer that was not 200."""
    paths = [f"/{name}{rest}" for name, row in days for rest in ("", "/hooks", f"/hooks/{row}", "/hooks.json?_size=5")]
    server.connect_anew()
    began = time.perf_counter()
    wrong = [f"{status} {path}" for path in paths if (status := server.get(path)) != 200]
    return (time.perf_counter() - began) * 1000 / len(paths), wrong


def measure_visits(root: str, one: str, keys: Sequence[layout.PartitionKey]) -> None:
    with running(Server(root, [one], stock=True)) as stock, running(Server(root)) as ours:
        measure_front("/ (p50), no day visited", stock, ours)
        fresh = ours.open_files, ours.rss_mib
        days = [(key.mount_name, key.bounds_us[0]) for key in random.Random(7).sample(keys, min(VISITED, len(keys)))]
        page_ms, wrong = visit(ours, days)
        stock_ms, _ = visit(stock, [("logs", keys[0].bounds_us[0])] * len(days))
        visited = ours.open_files, ours.rss_mib
        measure_front(f"/ (p50), {VISITED} days visited", stock, ours)
        print(
            f"\n{VISITED} days visited, 4 pages each: {page_ms:.1f} ms a page (stock, the one: {stock_ms:.1f}), "
            f"{len(wrong)} not answered 200"
        )
        print("".join(f"  {line}\n" for line in wrong[:3]), end="")
        print(f"{'':36}{'fresh':>10}{'visited':>12}{'target':>8}")
        print(f"{'open files':36}{fresh[0]:10}{visited[0]:12}{OPEN_FILES:8}")
        print(f"{'resident memory, MiB':36}{fresh[1]:10.0f}{visited[1]:12.0f}{RSS_TARGET_MIB:8}")


def measure_all_mounted(root: str, files: Sequence[str], wait_s: float, limit: int) -> None:
    """Stock Datasette with every file given: when it answers, what it holds then, and where it dies."""
    server = Server(root, files, stock=True, wait_s=wait_s, open_files=limit)
    try:
        alive = server.process.poll() is None
        held = f"; {server.open_files:,} open files, {server.rss_mib:,.0f} MiB" if alive else ""
        print(
            f"stock with all {len(files):,} files, ulimit -n {limit:,}: after {server.started_s:.1f} s "
            f"{server.trouble or '/ answers'}{held} {server.last_words}"
        )
    finally:
        server.close()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--days", type=int, default=1_000)
    options.add_argument("--all-seconds", type=float, default=90, help="how long stock may take with every file")
    given = options.parse_args()
    folder = tempfile.mkdtemp(prefix="eyelet-bench-")
    try:
        root = os.path.join(folder, "root")
        keys = make_days(root, given.days)
        files = [layout.db_path(root, key) for key in keys]
        print(f"Datasette {version('datasette')}; {given.days:,} days of {ROWS_A_DAY} rows; ms, medians, ours ÷ stock")
        print(f"{'':36}{'stock, 1':>10}{'all, lazily':>12}{'ratio':>8}{'target':>8}")
        measure_start(root, files[0])
        measure_visits(root, files[0], keys)
        print()
        for limit in (OPEN_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1]):
            measure_all_mounted(root, files, given.all_seconds, limit)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
