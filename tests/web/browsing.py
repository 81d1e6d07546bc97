"""A browser on a running server: one of each for all tests of a file, as the fixtures `browsed` and `visit`.

`browsed` holds the context `work`, of yesterday noon: CALLS calls, a second each, one a minute, the last ones newest,
in four sessions; each tenth failed; a prompt before them all; and the context `demo`, the demonstration of three days.
"""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from eyelet_ingest import demo
from eyelet_ingest.events import Event
from eyelet_ingest.store.store import Store

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), "")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WIDE = {"width": 1400, "height": 900}
NARROW = {"width": 390, "height": 844}

REFUSED = "status of 400"  # Chromium notes each page that answers wrong input
FORBIDDEN = "status of 403"
CALLS = 40
DAY_US = 86_400_000_000
MINUTE_US = 60_000_000
DOWN = ("net::ERR_", "Failed to load resource")  # what a browser notes of a server that is down, or refuses

Visit = Callable[..., Any]


def missing() -> str:
    if not CHROMIUM:
        return "no chromium is installed"
    try:
        import playwright.sync_api  # noqa: F401  only whether it is there
    except ImportError:
        return "playwright is not installed"
    return ""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    why = missing()
    if why and os.environ.get("EYELET_REQUIRE_BROWSER") == "1":
        pytest.fail(f"EYELET_REQUIRE_BROWSER=1, and {why}")
    if why:
        pytest.skip(why)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield browser
        browser.close()


class BrowsedSite:
    """A running `eyelet serve`: `url` of its search page, its `root`, the moment of its first call in `work`."""

    def __init__(self, root: str, served: Any, noon_us: int) -> None:
        self.root, self.served, self.noon_us = root, served, noon_us
        self.url = served.search_url
        self.signed_in: Any = None

    def at(self, path: str) -> str:
        """The address of a page: `/sessions`, `?range=7d`."""
        return self.url + path


@pytest.fixture(scope="module")
def browsed(tmp_path_factory: pytest.TempPathFactory, chromium: Any) -> Iterator[BrowsedSite]:
    home = tmp_path_factory.mktemp("browsed")
    from tests.web.conftest import Served, free_port

    root = str(home / "root")
    now_us = time.time_ns() // 1_000
    noon_us = now_us // DAY_US * DAY_US - DAY_US // 2
    with Store(root) as store:
        store.append(list(work(noon_us)), "work")
        demo.record(store, now_us, 3)
    command = [sys.executable, "-c", "from eyelet_ingest.cli import main; main()", "serve", "--root", root]
    command += ["--port", str(free_port())]  # two runs of these tests at once would both find the first free one
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "HOME": str(home), "TMPDIR": str(home)},
    )
    try:
        served = Served(process)
        threading.Thread(target=process.communicate, daemon=True).start()  # a full pipe would stop it
        yield BrowsedSite(root, served, noon_us)
    finally:
        process.kill()
        process.wait()


def work(noon_us: int) -> Iterator[Event]:
    yield said(noon_us - MINUTE_US, "Mend the build of session-0 please")
    for number in range(CALLS):
        yield from call(noon_us + number * MINUTE_US, number)


def said(at_us: int, text: str, session: str = "session-0") -> Event:
    payload = {"hook_event_name": "UserPromptSubmit", "session_id": session, "prompt": text}
    return Event(
        time_us=at_us,
        uid=os.urandom(16),
        hook_type="UserPromptSubmit",
        session_id=session,
        src="claude.userpromptsubmit",
        agent="claude",
        project_dir="/home/me/work",
        data=json.dumps(payload),
    )


def call(at_us: int, number: int) -> Iterator[Event]:
    """Question and answer of one call, a second apart."""
    failed = number % 10 == 0
    tool = "Bash" if number % 3 else "Edit"
    given: dict[str, object] = {"command": f"make test-{number}"}
    if tool == "Edit":
        given = {"file_path": f"/home/me/work/file_{number}.py", "old_string": "one\ntwo", "new_string": "one\nthree"}
    shared = {"session_id": f"session-{number % 4}", "tool_name": tool, "tool_input": given}
    detail = ".make" if tool == "Bash" else ""
    fields: dict[str, Any] = {
        "session_id": shared["session_id"],
        "tool_name": tool,
        "tool_use_id": f"toolu_{number}_{at_us}",
        "agent": "claude",
        "model": "claude-opus-4-1",
        "project_dir": "/home/me/work",
        "meta": {"git": {"branch": "main" if number % 2 else "topic"}},
    }
    asked = {"hook_event_name": "PreToolUse", **shared}
    yield Event(
        time_us=at_us,
        uid=os.urandom(16),
        hook_type="PreToolUse",
        status="pending",
        src=f"claude.pretooluse.{tool.lower()}{detail}",
        data=json.dumps(asked),
        **fields,
    )
    kind = "PostToolUseFailure" if failed else "PostToolUse"
    answered = {"hook_event_name": kind, **shared, "tool_response": {"stdout": f"tested {number}", "stderr": ""}}
    yield Event(
        time_us=at_us + 1_000_000,
        uid=os.urandom(16),
        hook_type=kind,
        status="error" if failed else "ok",
        error=int(failed),
        duration_ms=1_000.0,
        src=f"claude.{kind.lower()}.{tool.lower()}{detail}",
        data=json.dumps(answered),
        **fields,
    )


@pytest.fixture
def visit(chromium: Any, browsed: BrowsedSite) -> Iterator[Visit]:
    """Opens a page, signed in: `visit("?range=7d")`, `visit("/sessions")`; keywords as for a browser context.

    Every message on the console fails the test, but that a page was refused, and with `down` that there was no server.
    """
    contexts: list[Any] = []
    complaints: list[str] = []
    expected = [REFUSED, FORBIDDEN]

    def opened(path: str = "", *, down: bool = False, **options: Any) -> Any:
        expected.extend(DOWN if down else ())
        given = {"viewport": WIDE, "timezone_id": "UTC", "storage_state": browsed.signed_in, **options}
        context = chromium.new_context(**given)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(90_000)  # on a machine that does much else
        page.on("console", lambda message: complaints.append(f"{message.type}: {message.text} {message.location}"))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        if browsed.signed_in is None:
            page.goto(browsed.served.sign_in_url)
            browsed.signed_in = context.storage_state()
        page.goto(browsed.at(path))
        return page

    yield opened
    for context in contexts:
        context.close()
    assert [text for text in complaints if not any(known in text for known in expected)] == []


def follow(page: Any, link: Any) -> None:
    """A click that leads to another page, and that page whole."""
    with page.expect_navigation():
        link.click()


def shows(found: Any, count: int) -> None:
    """That there are so many of these, as soon as the page that a click led to is whole."""
    from playwright.sync_api import expect

    expect(found).to_have_count(count, timeout=30_000)


def asked(page: Any) -> dict[str, list[str]]:
    """The parameters of the page's address."""
    return parse_qs(urlsplit(page.url).query, keep_blank_values=True)


def fragment(page: Any) -> str:
    return urlsplit(page.url).fragment


def fits(page: Any) -> bool:
    """Whether nothing sticks out of the window."""
    found: bool = page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    return found
