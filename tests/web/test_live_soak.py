"""A stream of events into fifty pages that follow, one of them in a browser: all of it is told, and nothing grows. And
into fifty of one browser.

With EYELET_SOAK five minutes at the usual rate of rows; else a few seconds, with so many rows that the page is full.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from eyelet_ingest.events import Event
from eyelet_ingest.store.store import Store
from tests.web.browsing import chromium  # noqa: F401  a fixture
from tests.web.conftest import RunDatasette
from tests.web.following import Follows
from tests.web.test_live import LIVE, cookie

pytestmark = pytest.mark.browser

SOAK = bool(os.environ.get("EYELET_SOAK"))
EVENTS_PER_S = 200
FOLLOWERS = 49
WARM_S, STEADY_S = (90, 300) if SOAK else (4, 4)
ROWS_PER_S = 20 if SOAK else 200
PAGE_ROWS = 500  # ROWS_MAX of static/live.js
ALLOWED = 1.1
STATE = "document.querySelector('.eyelet-live-status').dataset.state"
PAGES, PAGES_S = (50, 120) if SOAK else (4, 2)
PAGES_OF_ONE = 5  # a browser has six connections to a server, for all windows of one profile


def events(first: int, count: int) -> Iterator[Event]:
    """Questions and answers of calls, and every fifth event of none."""
    for number in range(first, first + count):
        asks = number % 2 == 0
        fields: dict[str, Any] = {"tool_use_id": f"t-{number // 2}", "tool_name": "Bash"} if number % 5 else {}
        yield Event(
            time_us=time.time_ns() // 1_000,
            uid=os.urandom(16),
            hook_type="PreToolUse" if asks else "PostToolUse",
            session_id="s",
            src="claude.posttooluse.bash.make",
            origin="hook",
            status="pending" if asks else "ok",
            data=f'{{"tool_input":{{"command":"make test-{number}"}},"rest":"{"x" * 1_500}"}}',
            **fields,
        )


def pour(store: Store, first: int, seconds: float) -> int:
    """EVENTS_PER_S for so long, twenty times a second; the number after the last event's."""
    began_s, number = time.monotonic(), first
    with store.bulk():
        while (passed_s := time.monotonic() - began_s) < seconds:
            due = first + int(passed_s * EVENTS_PER_S) - number
            if due:
                store.append(list(events(number, due)))
                number += due
            time.sleep(0.05)
    return number


def resident_kb(pid: int) -> int:
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


def renderers(below: int) -> list[int]:
    """The processes of pages below this process."""
    parents: dict[int, int] = {}
    pages = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            pid, stat = int(folder.name), (folder / "stat").read_text()
            command = (folder / "cmdline").read_bytes()
        except OSError:  # it ended meanwhile
            continue
        parents[pid] = int(stat.rpartition(")")[2].split()[1])
        if b"--type=renderer" in command:
            pages.append(pid)

    def is_below(pid: int) -> bool:
        while pid > 1 and pid != below:
            pid = parents.get(pid, 0)
        return pid == below

    return [pid for pid in pages if is_below(pid)]


def size_of(page: Any) -> int:
    """Of a page, its garbage collected: resident KB; in a few seconds, in which its process still grows, its nodes."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    session.send("Performance.enable")
    measured = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    session.detach()
    return max(resident_kb(pid) for pid in renderers(os.getpid())) if SOAK else int(measured["Nodes"])


def least(measure: Callable[[], int]) -> int:
    """Of some moments: what a collector of garbage has not taken yet is no growth."""
    found = []
    for _ in range(10 if SOAK else 3):
        found.append(measure())
        time.sleep(0.5 if SOAK else 0.1)
    return min(found)


def live_pages(browser: Any, port: int, count: int) -> list[Any]:
    """So many pages that follow all events, of as many profiles as they need to have a stream each."""
    pages: list[Any] = []
    name, _, value = cookie("root")["cookie"].partition("=")
    while len(pages) < count:
        context = browser.new_context()
        context.add_cookies([{"name": name, "value": value, "url": f"http://127.0.0.1:{port}"}])
        for _ in range(min(PAGES_OF_ONE, count - len(pages))):
            page = context.new_page()
            page.set_default_timeout(120_000)
            page.goto(f"http://127.0.0.1:{port}/-/eyelet?live=1&rows=events")
            page.locator(".eyelet-live-status[data-state=live]").wait_for()
            pages.append(page)
    return pages


def test_a_stream_of_events_is_told_to_fifty_pages_and_nothing_grows(
    run_datasette: RunDatasette,
    store: Store,
    chromium: Any,  # noqa: F811  the fixture
    tmp_path: Path,
) -> None:
    store.append(list(events(0, 2)))
    running = run_datasette(max_live_rows_per_s=ROWS_PER_S)
    seen = [0] * FOLLOWERS
    first: list[Follows] = [Follows(running.port, f"{LIVE}?rows=events", cookie("root")) for _ in seen]

    def read(at: int) -> None:
        while (told := first[at].next()) is not None:
            if told.event == "rows":
                seen[at] += len(told.data["rows"]) + told.data["more"]

    for follower in first:
        follower.until("rows")
    threads = [threading.Thread(target=read, args=(at,), daemon=True) for at in range(FOLLOWERS)]
    for thread in threads:
        thread.start()
    (page,) = live_pages(chromium, running.port, 1)
    number = pour(store, 2, WARM_S)
    server_kb, shown = least(lambda: resident_kb(running.process.pid)), least(lambda: size_of(page))
    number = pour(store, number, STEADY_S)
    rows = page.locator("tr.eyelet-row")
    end_s = time.monotonic() + 20
    while time.monotonic() < end_s and set(seen) != {number - 2}:
        time.sleep(0.2)
    assert set(seen) == {number - 2}, "each follower was told of every event once"
    assert 0 < rows.count() <= PAGE_ROWS
    after_kb, after_shown = least(lambda: resident_kb(running.process.pid)), least(lambda: size_of(page))
    (tmp_path / "sizes.txt").write_text(f"server {server_kb} {after_kb}, page {shown} {after_shown}, {number} events\n")
    assert after_kb <= server_kb * ALLOWED
    assert after_shown <= shown * ALLOWED
    assert page.evaluate(STATE) == "live"
    page.context.close()
    for follower in first:
        follower.cut()
    for thread in threads:
        thread.join()
    for follower in first:
        follower.drop()
    assert "Traceback" not in running.said


def test_every_page_of_fifty_in_one_browser_keeps_up_with_a_stream(
    run_datasette: RunDatasette,
    store: Store,
    chromium: Any,  # noqa: F811  the fixture
    tmp_path: Path,
) -> None:
    """Each follows a stream of its own, is there to the end, and shows what came last, as the others do."""
    store.append(list(events(0, 2)))
    running = run_datasette(max_live_rows_per_s=ROWS_PER_S)
    pages = live_pages(chromium, running.port, PAGES)
    server_kb, began_s = resident_kb(running.process.pid), time.monotonic()
    number = pour(store, 2, PAGES_S)
    ended_s = time.monotonic()
    time.sleep(2)  # the last second's rows are told, so that the next one is told as a row
    store.append(list(events(number, 1)))
    for page in pages:
        page.locator("tr.eyelet-row", has_text=f"make test-{number}").first.wait_for()
    told_s = time.monotonic() - ended_s - 2
    assert [page.evaluate(STATE) for page in pages] == ["live"] * PAGES
    counts = [page.locator("tr.eyelet-row").count() for page in pages]
    assert all(0 < count <= PAGE_ROWS for count in counts)
    after_kb, shown_kb = resident_kb(running.process.pid), sum(map(resident_kb, renderers(os.getpid())))
    (tmp_path / "sizes.txt").write_text(
        f"{PAGES} pages, {number} events in {ended_s - began_s:.0f} s, all told {told_s:.1f} s later; "
        f"server {server_kb} {after_kb} KB, pages {shown_kb} KB, rows {min(counts)} to {max(counts)}\n"
    )
    for context in {page.context for page in pages}:
        context.close()
    assert "Traceback" not in running.said
