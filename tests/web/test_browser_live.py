"""A search that is followed in a browser: what arrives appears, waits while one reads, and comes back after a break."""

import json
import time
from typing import Any

import pytest

from eyelet_ingest.store.store import Store
from tests.web.browsing import BrowsedSite, Visit, asked, call, follow, said

pytestmark = pytest.mark.browser

LIVE = "?range=7d&context=work&live=1"
ROWS = "tr.eyelet-row"
STREAM = "**/-/eyelet/live?**"


def now_us() -> int:
    return time.time_ns() // 1_000


def arrive(browsed: BrowsedSite, *events: Any) -> None:
    with Store(browsed.root) as store:
        assert store.append(list(events), "work").stored == len(events)


def status(page: Any, word: str) -> Any:
    """The bar, once it says this."""
    bar = page.locator(".eyelet-live-status")
    bar.get_by_text(word).first.wait_for()
    return bar


def test_what_arrives_appears_by_itself_and_a_call_once(visit: Visit, browsed: BrowsedSite) -> None:
    page = visit(LIVE)
    status(page, "Live")
    before = page.locator(ROWS).count()
    arrive(browsed, said(now_us(), "first of all\u202e <b>bold</b>"))
    first = page.locator(ROWS).first
    page.locator(ROWS, has_text="first of all").wait_for()
    assert "\\u202e <b>bold</b>" in first.inner_text()
    question, answer = call(now_us(), 901)
    arrive(browsed, question)
    page.locator(ROWS, has_text="make test-901").wait_for()
    assert "pending" in first.inner_text()
    arrive(browsed, answer)
    page.locator(f"{ROWS}:has-text('make test-901') .eyelet-is-ok").wait_for()
    assert page.locator(ROWS, has_text="make test-901").count() == 1
    assert page.locator(ROWS).count() == before + 2
    first.locator("summary").first.click()
    first.locator(".eyelet-detail").wait_for()
    page.reload()
    assert page.locator(ROWS).count() == before + 2, "the page holds them by itself"


def test_only_what_matches_appears(visit: Visit, browsed: BrowsedSite) -> None:
    page = visit(f"{LIVE}&tool=Edit")
    status(page, "Live")
    arrive(browsed, *call(now_us(), 301), *call(now_us(), 303))
    page.locator(ROWS, has_text="file_303").wait_for()
    assert page.locator(ROWS, has_text="make test-301").count() == 0


def test_what_arrives_waits_while_one_reads_further_down(visit: Visit, browsed: BrowsedSite) -> None:
    page = visit(LIVE)
    status(page, "Live")
    page.evaluate("scrollTo(0, 600)")
    status(page, "Waiting")
    before, at = page.locator(ROWS).count(), page.evaluate("scrollY")
    arrive(browsed, *(said(now_us() + number, f"waits {number}") for number in range(12)))
    new = page.get_by_role("button", name="12 new")
    new.wait_for()
    assert (page.locator(ROWS).count(), page.evaluate("scrollY")) == (before, at)
    page.evaluate("document.querySelector('.eyelet-live-show').click()")
    page.locator(ROWS, has_text="waits 11").wait_for()
    assert page.locator(ROWS).count() == before + 12
    assert page.evaluate("scrollY") == 0
    assert not new.is_visible()


def test_it_pauses_when_asked_and_goes_on(visit: Visit, browsed: BrowsedSite) -> None:
    page = visit(LIVE)
    bar = status(page, "Live")
    bar.get_by_role("button", name="Pause").click()
    status(page, "Paused")
    arrive(browsed, said(now_us(), "while paused"))
    page.get_by_role("button", name="1 new").wait_for()
    assert page.locator(ROWS, has_text="while paused").count() == 0
    bar.get_by_role("button", name="Go on").click()
    page.locator(ROWS, has_text="while paused").wait_for()
    status(page, "Live")


def test_what_arrives_during_a_break_comes_once_after_it(visit: Visit, browsed: BrowsedSite) -> None:
    page = visit(LIVE, down=True)
    status(page, "Live")
    arrive(browsed, said(now_us(), "before the break"))
    page.locator(ROWS, has_text="before the break").wait_for()
    page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    status(page, "Hidden")
    arrive(browsed, said(now_us(), "during the break"))
    page.evaluate("Object.defineProperty(document, 'hidden', {value: false, configurable: true})")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.locator(ROWS, has_text="during the break").wait_for()
    arrive(browsed, said(now_us(), "after the break"))
    page.locator(ROWS, has_text="after the break").wait_for()
    for text in ("before the break", "during the break", "after the break"):
        assert page.locator(ROWS, has_text=text).count() == 1, text


def test_who_is_cut_off_is_told_and_asks_again(visit: Visit) -> None:
    page = visit(down=True)
    page.route(STREAM, lambda route: route.abort())
    page.goto(page.url.partition("?")[0] + LIVE)
    status(page, "Not connected: asking again in")
    page.unroute(STREAM)
    status(page, "Live")


@pytest.mark.parametrize(("code", "again"), [(429, True), (503, True), (403, False), (400, False)])
def test_a_refusal_is_said_in_the_servers_words(visit: Visit, code: int, again: bool) -> None:
    page = visit(down=True)
    said = json.dumps({"ok": False, "error": "too many <b>pages</b>"})
    page.route(STREAM, lambda route: route.fulfill(status=code, content_type="application/json", body=said))
    page.goto(page.url.partition("?")[0] + LIVE)
    bar = status(page, "too many <b>pages</b>")
    assert ("asking again" in bar.inner_text()) is again
    assert bar.get_by_role("button", name="Pause").is_visible() is again


def test_the_page_grows_no_further_than_its_limit(visit: Visit) -> None:
    page = visit()
    made = [
        {"key": f"work-{number}", "call": "", "html": f"<tr class='eyelet-row' id='row-work-{number}'><td>n</td></tr>"}
        for number in range(900)
    ]
    batches = [made[start : start + 150] for start in range(0, len(made), 150)]
    opened = 'retry: 60000\n\nevent: open\ndata: {"rows_per_s": 20}\n\n'
    body = opened + "".join(
        f"id: {number}\nevent: rows\ndata: {json.dumps({'rows': batch, 'more': 7})}\n\n"
        for number, batch in enumerate(batches)
    )
    ended = f"event: end\ndata: {json.dumps({'reason': 'That was all.', 'retry': False})}\n\n"
    page.route(STREAM, lambda route: route.fulfill(content_type="text/event-stream", body=body + ended))
    page.goto(page.url.partition("?")[0] + LIVE)
    bar = status(page, "That was all.")
    page.locator("#row-work-899").wait_for()
    assert page.locator(ROWS).count() <= 500
    assert "900 new" in bar.inner_text()
    assert f"{700 + 6 * 7} more arrived than are shown, 20 a second at most" in bar.inner_text()


def test_live_is_a_link_and_a_key_and_in_the_address(visit: Visit) -> None:
    page = visit("?range=7d&context=work")
    link = page.locator("a[data-eyelet-live]")
    with page.expect_navigation():
        link.click()
    assert asked(page)["live"] == ["1"]
    status(page, "Live")
    with page.expect_navigation():
        page.keyboard.press("l")
    assert "live" not in asked(page)
    assert page.locator(".eyelet-live-status").count() == 0
    page.go_back()
    status(page, "Live")


def test_without_a_script_a_followed_search_loads_itself_again(visit: Visit) -> None:
    page = visit("?range=7d&context=work", java_script_enabled=False)
    follow(page, page.locator("a[data-eyelet-live]"))
    assert asked(page)["live"] == ["1"]
    assert page.locator("meta[http-equiv=refresh]").count() == 1
