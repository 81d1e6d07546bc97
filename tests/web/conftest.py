"""What the web tests share: a Datasette on a root of one's own, of whichever version is installed, and who asks it."""

import http.client
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from datasette.app import Datasette

from eyelet_ingest.events import Event
from eyelet_ingest.store.store import Store
from tests.web.browsing import browsed, chromium, visit  # noqa: F401  fixtures

DAY_US = 86_400_000_000

Record = Callable[..., list[int]]


class Site:
    """A Datasette with the plugin. `get` asks as the root user unless `actor` says otherwise; None is nobody."""

    def __init__(self, datasette: Any) -> None:
        self.datasette = datasette

    async def get(self, path: str, actor: dict[str, str] | None = {"id": "root"}, method: str = "GET") -> Any:  # noqa: B006
        headers = {}
        if actor is not None:
            headers["cookie"] = "ds_actor=" + self.datasette.sign({"a": actor}, "actor")
        return await self.datasette.client.request(method, path, headers=headers)

    async def json(self, path: str) -> dict[str, Any]:
        answer = await self.get(path)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


OpenSite = Callable[..., Awaitable[Site]]


@pytest.fixture
def open_site(root: str) -> OpenSite:
    """A Site on `root`; keywords are the plugin's settings beside it, `datasette` holds arguments of Datasette."""

    async def opened(*, datasette: dict[str, Any] | None = None, **settings: Any) -> Site:
        plugin = {"root": root, **settings}
        made = Datasette(memory=True, metadata={"plugins": {"datasette-eyelet": plugin}}, **(datasette or {}))
        if hasattr(made, "root_enabled"):
            made.root_enabled = True
        await made.invoke_startup()
        return Site(made)

    return opened


@pytest.fixture
async def site(open_site: OpenSite) -> Site:
    return await open_site()


@pytest.fixture
def now_us() -> int:
    return time.time_ns() // 1_000


@pytest.fixture
def noon_us(now_us: int) -> int:
    """Noon of yesterday, UTC: a whole day around it has passed."""
    return now_us // DAY_US * DAY_US - DAY_US // 2


@pytest.fixture
def record(store: Store, make_event: Callable[..., Event]) -> Record:
    """Stores events at these times, in microseconds; returns their ids. Keywords as for Event."""

    def recorded(*times_us: int, context: str = "default", **fields: object) -> list[int]:
        done = store.append([make_event(time_us, **fields) for time_us in times_us], context)
        assert done.stored == len(times_us)
        return list(times_us)

    return recorded


Serve = Callable[..., "Served"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Served:
    """One running `eyelet serve`: its links as it printed them."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.said: list[str] = []
        assert process.stdout is not None
        for line in process.stdout:
            self.said.append(line)
            if line.startswith("Search:"):
                break
        text = "".join(self.said)
        found = re.search(r"Sign in: (\S+)\nSearch: +(\S+)\n", text)
        assert found, f"no links in {text!r}"
        self.sign_in_url, self.search_url = found.groups()

    def end(self, how: int = signal.SIGINT) -> tuple[int, str]:
        self.process.send_signal(how)
        _, errors = self.process.communicate(timeout=30)
        return self.process.returncode, errors


@pytest.fixture
def serve(root: str) -> Iterator[Serve]:
    running: list[subprocess.Popen[str]] = []

    def start(*arguments: str, **environment: str) -> Served:
        command = [sys.executable, "-c", "from eyelet_ingest.cli import main; main()", "serve", "--root", root]
        process = subprocess.Popen(
            [*command, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        running.append(process)
        return Served(process)

    yield start
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate()


SECRET = "of tests only"

RunDatasette = Callable[..., "Running"]


class Running:
    """One `datasette serve` with the plugin in a process of its own; what it says goes to a file."""

    def __init__(self, root: str, log: Path, settings: dict[str, Any], open_files: int | None) -> None:
        self.port = free_port()
        self._log = log
        config = log.with_suffix(".json")
        config.write_text(json.dumps({"plugins": {"datasette-eyelet": {"root": root, **settings}}}))
        is_1_0 = hasattr(Datasette, "allowed")
        options = ["-c" if is_1_0 else "-m", str(config), "--root", "--secret", SECRET, "--port", str(self.port)]

        def limit() -> None:
            if open_files is not None:
                resource.setrlimit(resource.RLIMIT_NOFILE, (open_files, open_files))

        with open(log, "wb") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "datasette", "serve", *options], stdout=said, stderr=said, preexec_fn=limit
            )
        self._wait()

    def _wait(self) -> None:
        while True:
            assert self.process.poll() is None, self.said
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except ConnectionRefusedError:
                time.sleep(0.02)

    @property
    def said(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def open_files(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def client(self, actor: dict[str, str] | None = {"id": "root"}) -> "Client":  # noqa: B006
        return Client(self.port, actor)


class Client:
    """One connection that asks as `actor`; for one thread."""

    def __init__(self, port: int, actor: dict[str, str] | None) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        signed = Datasette(secret=SECRET).sign({"a": actor}, "actor")
        self._headers = {"cookie": f"ds_actor={signed}"} if actor is not None else {}

    def get(self, path: str) -> tuple[int, str]:
        """The status and the body."""
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")


@pytest.fixture
def run_datasette(root: str, tmp_path: Path) -> Iterator[RunDatasette]:
    """Starts a real Datasette on `root`; keywords are the plugin's settings, `open_files` is its `ulimit -n`."""
    running: list[Running] = []

    def start(*, open_files: int | None = None, **settings: Any) -> Running:
        running.append(Running(root, tmp_path / f"datasette-{len(running)}.log", settings, open_files))
        return running[-1]

    yield start
    for one in running:
        one.process.kill()
        one.process.wait()
