"""What the web tests share: a Datasette on a root of one's own, of whichever version is installed, and who asks it."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from datasette.app import Datasette

from eyelet_ingest.events import Event
from eyelet_ingest.store.store import Store

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
