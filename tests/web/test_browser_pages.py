"""What the scripts do on the pages beside the search: a session in parts, what is current, saved searches."""

import time
from pathlib import Path
from typing import Any

import pytest

from eyelet_ingest.store.store import Store
from tests.web.browsing import BrowsedSite, Visit, asked, call, fits, follow, fragment, said

pytestmark = pytest.mark.browser

SESSION = "/session/session-0"
STEPS = "li.eyelet-step"
STEPS_OF_SESSION = 11  # a prompt and ten calls


def ids(page: Any) -> list[str]:
    found: list[str] = page.locator(STEPS).evaluate_all("steps => steps.map(step => step.id)")
    return found


def test_the_rest_of_a_session_comes_while_one_scrolls(visit: Visit) -> None:
    page = visit(f"{SESSION}?_size=3")
    page.locator(STEPS).nth(STEPS_OF_SESSION - 1).wait_for()
    found = ids(page)
    assert len(found) == len(set(found)) == STEPS_OF_SESSION
    assert page.locator("[data-eyelet-part]").count() == 0
    whole = visit(SESSION)
    assert ids(whole) == found


def test_the_rest_of_a_session_is_a_link_without_a_script_or_a_server(visit: Visit) -> None:
    page = visit(f"{SESSION}?_size=3", java_script_enabled=False)
    first = ids(page)
    assert len(first) == 3
    follow(page, page.get_by_role("link", name="more", exact=True))
    assert "after" in asked(page) and not set(first) & set(ids(page))
    cut = visit(down=True)
    cut.route("**/part?**", lambda route: route.abort())
    cut.goto(page.url.partition("?")[0] + "?_size=3")
    cut.get_by_text("The server does not answer.").wait_for()
    assert cut.get_by_role("link", name="more", exact=True).is_visible()


def test_a_step_is_fetched_when_it_is_opened_and_stays_open(visit: Visit, tmp_path: Path) -> None:
    page = visit(SESSION)
    step = page.locator(STEPS).nth(2)
    step.locator("summary").first.click()
    step.get_by_text("tested 4").first.wait_for()
    assert fragment(page) == step.get_attribute("id")
    page.screenshot(path=tmp_path / "session.png", full_page=True)
    page.reload()
    step.get_by_text("tested 4").first.wait_for()
    page.keyboard.press("e")
    assert "failed" in page.locator(f"{STEPS}.is-current").get_attribute("class")


def test_dragging_over_a_sessions_timeline_zooms_and_minus_shows_it_whole(visit: Visit) -> None:
    page = visit(SESSION)
    box = page.locator("[data-eyelet-plot]").bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.25 * box["width"], y)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], y, steps=4)
    with page.expect_navigation():
        page.mouse.up()
    assert set(asked(page)) == {"from", "to"}
    zoomed = page.locator(STEPS).count()
    assert 1 <= zoomed < STEPS_OF_SESSION
    page.reload()
    assert page.locator(STEPS).count() == zoomed
    with page.expect_navigation():
        page.keyboard.press("-")
    assert page.locator(STEPS).count() == STEPS_OF_SESSION
    page.go_back()
    assert page.locator(STEPS).count() == zoomed


def test_what_agents_do_now_is_shown_anew_by_itself_but_not_while_one_is_in_it(
    visit: Visit, browsed: BrowsedSite
) -> None:
    page = visit("/now")
    now_us = time.time_ns() // 1_000
    with Store(browsed.root) as store:
        store.append([said(now_us, "Begin something new", "session-new")], "work")
    page.get_by_text("Begin something new").first.wait_for()
    link = page.locator("#eyelet-now a", has_text="Begin something new").first
    link.focus()
    with Store(browsed.root) as store:
        store.append([said(now_us + 1_000, "And one more", "session-more")], "work")
    page.wait_for_timeout(6_000)
    assert page.get_by_text("And one more").count() == 0
    page.locator("h1").click()
    page.evaluate("document.activeElement.blur()")
    page.get_by_text("And one more").first.wait_for()


def test_what_agents_do_now_is_loaded_again_without_a_script(visit: Visit) -> None:
    page = visit("/now", java_script_enabled=False)
    assert page.locator("meta[http-equiv=refresh]").count() == 1


@pytest.mark.parametrize("scripts", [True, False])
def test_a_search_is_saved_found_again_and_removed(visit: Visit, scripts: bool) -> None:
    page = visit("?range=7d&context=work&tool=Edit", java_script_enabled=scripts)
    menu = page.locator("details.eyelet-saved")
    menu.locator("summary").click()
    menu.get_by_label("save this search as").fill("my <b>edits</b>")
    with page.expect_navigation():
        menu.get_by_role("button", name="Save").click()
    page.goto(page.url.partition("/-/eyelet")[0] + "/-/eyelet?range=1h")
    menu.locator("summary").click()
    follow(page, menu.get_by_role("link", name="my <b>edits</b>"))
    assert asked(page) == {"range": ["7d"], "context": ["work"], "tool": ["Edit"]}
    assert page.locator("tr.eyelet-row").count() == 14
    menu.locator("summary").click()
    follow(page, menu.get_by_role("link", name="all saved searches"))
    with page.expect_navigation():
        page.get_by_role("button", name="Remove my <b>edits</b>").click()
    assert page.get_by_role("link", name="my <b>edits</b>").count() == 0


def test_a_menu_closes_on_escape_and_on_a_click_elsewhere(visit: Visit) -> None:
    page = visit("?range=7d")
    menu = page.locator("details.eyelet-saved")
    for close in (lambda: page.keyboard.press("Escape"), lambda: page.locator("h1").click()):
        menu.locator("summary").click()
        assert menu.get_attribute("open") is not None
        close()
        assert menu.get_attribute("open") is None


def test_every_page_leads_to_every_other(visit: Visit) -> None:
    page = visit("?range=7d")
    names = page.locator("nav.eyelet-nav a").all_inner_texts()
    assert names == ["Overview", "Search", "Sessions", "Sources", "Now", "Days", "Health"]
    for name in names:
        follow(page, page.locator("nav.eyelet-nav").get_by_role("link", name=name, exact=True))
        assert page.locator("nav.eyelet-nav a[aria-current=page]").inner_text() == name
        assert page.locator("main h1").count() == 1
        assert page.locator("link[rel=alternate][type^='application/json']").count() == 1, name


def test_sessions_are_found_by_what_was_said_in_them(visit: Visit) -> None:
    page = visit("/sessions?range=7d&context=work")
    rows = page.locator("table.eyelet-sessions tbody tr")
    assert rows.count() >= 4
    page.keyboard.press("/")
    page.keyboard.type("Mend the build")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert asked(page)["q"] == ["Mend the build"]
    assert rows.count() == 1
    page.reload()
    assert rows.count() == 1
    follow(page, rows.locator("a").first)
    assert page.url.partition("?")[0].endswith(SESSION)
    page.go_back()
    assert rows.count() == 1


def test_a_source_opens_at_its_dots_and_leads_to_its_events(visit: Visit) -> None:
    page = visit("/sources?range=7d")
    before = page.url
    follow(page, page.locator("main a", has_text="claude").first)
    assert page.url != before
    page.go_back()
    assert page.url == before


def test_a_long_session_is_whole_and_as_wide_as_the_window(visit: Visit, browsed: BrowsedSite) -> None:
    start_us = browsed.noon_us + 10_000_000_000
    with Store(browsed.root) as store:
        many = [event for number in range(400) for event in call(start_us + number * 3_000_000, number * 4)]
        for event in many:
            event.session_id = "session-long"
        store.append(many, "work")
    page = visit("/session/session-long", viewport={"width": 375, "height": 800})
    for _ in range(60):
        if page.locator("[data-eyelet-part]").count() == 0:
            break
        page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
        page.wait_for_timeout(100)
    found = ids(page)
    assert len(found) == len(set(found)) == 400
    assert fits(page)
