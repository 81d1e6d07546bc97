"""Every control of the search page: what it does to the URL and to what is shown, after a reload and back too."""

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from tests.web.browsing import CALLS, MINUTE_US, BrowsedSite, Visit, asked, follow, fragment

pytestmark = pytest.mark.browser

WORK = "?range=7d&context=work"
ENTRIES = CALLS + 1  # and a prompt
ROWS = "tr.eyelet-row"


def rows(page: Any) -> int:
    count: int = page.locator(ROWS).count()
    return count


def holds(page: Any, parameters: dict[str, list[str]], count: int) -> None:
    """The URL asks this and the page shows it, also when it is loaded again."""
    for _ in range(2):
        assert asked(page) == parameters
        assert rows(page) == count
        page.reload()


def around_noon(browsed: BrowsedSite) -> str:
    """The search of `work` from an hour before noon to two hours after, of which the chart has an even scale."""
    since, until = (
        datetime.fromtimestamp((browsed.noon_us + minutes * MINUTE_US) / 1e6, timezone.utc).strftime("%Y-%m-%dT%H:%MZ")
        for minutes in (-60, 120)
    )
    return f"?from={since}&to={until}&context=work"


def drag(page: Any, start: float, end: float, *, steps: int = 4) -> None:
    """The mouse over the chart, from one part of its width to another, the button still down at the end."""
    box = page.locator("[data-eyelet-plot]").first.bounding_box()
    for moved, at in enumerate((start, end)):
        page.mouse.move(box["x"] + at * box["width"], box["y"] + box["height"] / 2, steps=steps if moved else 1)
        if not moved:
            page.mouse.down()


def test_dragging_over_the_chart_zooms_into_that_time(visit: Visit, browsed: BrowsedSite, tmp_path: Path) -> None:
    page = visit(around_noon(browsed))
    before = page.url
    assert rows(page) == ENTRIES
    drag(page, 80 / 180, 90 / 180)  # from the 20th minute after noon to the 30th
    assert page.locator(".eyelet-brush").is_visible()
    page.screenshot(path=tmp_path / "brush.png")
    with page.expect_navigation():
        page.mouse.up()
    assert set(asked(page)) == {"from", "to", "context"}
    assert 9 <= rows(page) <= 12
    zoomed = page.url
    page.reload()
    assert page.url == zoomed and 9 <= rows(page) <= 12
    page.go_back()
    assert page.url == before and rows(page) == ENTRIES


def test_a_drag_can_be_given_up_and_a_click_is_none(visit: Visit, browsed: BrowsedSite) -> None:
    page = visit(around_noon(browsed))
    before = page.url
    drag(page, 0.2, 0.6)
    page.keyboard.press("Escape")
    assert page.locator(".eyelet-brush").count() == 0
    page.mouse.up()
    page.wait_for_timeout(100)
    assert page.url == before
    bar = page.locator("a.eyelet-bar").first
    with page.expect_navigation():
        bar.click()
    assert {"from", "to"} <= set(asked(page))
    assert 1 <= rows(page) < ENTRIES


def test_the_range_goes_earlier_later_and_out_by_link_and_by_key(visit: Visit, browsed: BrowsedSite) -> None:
    page = visit(around_noon(browsed))
    for key, name in (("[", "earlier"), ("]", "later"), ("-", "out")):
        before = page.url
        by_link = page.locator(f"a[data-eyelet-range={name}]").get_attribute("href")
        with page.expect_navigation():
            page.keyboard.press(key)
        assert page.url.endswith(by_link)
        assert asked(page)["context"] == ["work"]
        page.go_back()
        assert page.url == before


def test_a_facet_narrows_leaves_out_and_is_dropped_again(visit: Visit) -> None:
    page = visit(WORK)
    facets = page.locator(".eyelet-facets")
    follow(page, facets.get_by_role("link", name="Leave out Bash"))
    holds(page, {"range": ["7d"], "context": ["work"], "-tool": ["Bash"]}, 14 + 1)
    follow(page, facets.get_by_role("link", name="No longer leave out Bash"))
    holds(page, {"range": ["7d"], "context": ["work"]}, ENTRIES)
    follow(page, facets.locator("section[aria-label=tool] a.eyelet-value", has_text="Edit"))
    holds(page, {"range": ["7d"], "context": ["work"], "tool": ["Edit"]}, 14)
    follow(page, page.locator(".eyelet-conditions").get_by_role("link", name="Drop tool Edit"))
    assert rows(page) == ENTRIES
    page.go_back()
    assert rows(page) == 14


def test_the_tree_of_src_opens_at_its_dots(visit: Visit) -> None:
    page = visit(WORK)
    tree = page.locator(".eyelet-facet[aria-label=src]")
    for _ in range(5):
        if not tree.locator("a.eyelet-below").count():
            break
        follow(page, tree.locator("a.eyelet-below").first)
        assert rows(page) == ENTRIES, "to look into it is no filter"
    page.reload()
    assert tree.locator("a.eyelet-below").count() == 0, "what has nothing below it does not open"
    follow(page, tree.locator("a.eyelet-value").last)
    assert asked(page)["src"][0].startswith("claude.")
    assert 0 < rows(page) < ENTRIES


def test_the_chart_is_stacked_otherwise_and_folded_away(visit: Visit) -> None:
    page = visit(WORK)
    follow(page, page.locator(".eyelet-stacks a", has_text="type"))
    assert asked(page)["stack"] == ["type"]
    legend = page.locator(".eyelet-legend")
    assert "PostToolUse" in legend.inner_text()
    follow(page, legend.get_by_role("link", name="Leave out UserPromptSubmit"))
    assert asked(page)["-type"] == ["UserPromptSubmit"] and rows(page) == CALLS
    follow(page, page.locator("[data-eyelet-hide]").first)
    assert page.locator("svg.eyelet-chart").count() == 0
    page.reload()
    assert page.locator("svg.eyelet-chart").count() == 0
    page.go_back()
    assert page.locator("svg.eyelet-chart").count() == 1


def test_a_row_is_fetched_when_it_is_opened_and_stays_open(visit: Visit, tmp_path: Path) -> None:
    page = visit(WORK)
    first, third = page.locator(ROWS).first, page.locator(ROWS).nth(2)
    assert page.locator(".eyelet-detail").count() == 0
    first.locator("summary").first.click()
    first.locator(".eyelet-detail").wait_for()
    third.locator("summary").first.click()
    third.locator(".eyelet-detail").wait_for()
    assert fragment(page) == third.get_attribute("id")
    page.screenshot(path=tmp_path / "opened.png", full_page=True)
    page.reload()
    page.locator(".eyelet-detail").nth(1).wait_for()
    assert first.locator(".eyelet-detail").is_visible() and third.locator(".eyelet-detail").is_visible()
    follow(page, page.get_by_role("link", name="calendar"))
    page.go_back()
    page.locator(".eyelet-detail").nth(1).wait_for()
    third.locator("summary").first.click()
    assert fragment(page) == "" and not third.locator(".eyelet-detail").is_visible()


def test_an_address_with_a_row_opens_it_for_others(visit: Visit) -> None:
    page = visit(WORK)
    name = page.locator(ROWS).nth(30).get_attribute("id")
    other = visit(f"{WORK}#{name}")
    other.locator(".eyelet-detail").wait_for()
    opened = other.locator(f"[id='{name}']")
    assert opened.locator(".eyelet-detail").is_visible()
    assert opened.evaluate("row => row.getBoundingClientRect().top < innerHeight")


def test_what_cannot_be_fetched_says_so_and_is_asked_again(visit: Visit) -> None:
    page = visit(WORK, down=True)
    page.route("**/-/eyelet/row/**", lambda route: route.abort())
    row = page.locator(ROWS).first
    row.locator("summary").first.click()
    alert = row.get_by_role("alert")
    alert.wait_for()
    assert "does not answer" in alert.inner_text()
    assert row.get_by_role("link", name="Whole event").is_visible(), "what was there stays"
    page.unroute("**/-/eyelet/row/**")
    row.locator("summary").first.click()
    row.locator("summary").first.click()
    row.locator(".eyelet-detail").wait_for()
    assert row.get_by_role("alert").count() == 0


def test_an_opened_row_shows_what_changed_and_what_was_around(visit: Visit) -> None:
    page = visit(f"{WORK}&tool=Edit")
    row = page.locator(ROWS).first
    row.locator("summary").first.click()
    row.locator(".eyelet-diff").wait_for()
    assert row.locator(".eyelet-diff").inner_text().count("three") == 1
    row.get_by_text("Events around it").click()
    row.locator("ol.eyelet-around li").nth(10).wait_for()
    assert row.locator("ol.eyelet-around li[aria-current]").count() == 1
    follow(page, row.get_by_role("link", name="Permalink").first)
    assert "/-/eyelet/event/work/" in page.url


def test_the_link_of_fixed_times_is_copied(visit: Visit) -> None:
    page = visit(WORK)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    link = page.locator("a[data-eyelet-copy]").first
    link.click()
    page.get_by_text("The link is copied.").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert asked(page) == {"range": ["7d"], "context": ["work"]}, "one stays where one is"
    page.goto(copied)
    assert {"from", "to"} <= set(asked(page)) and "range" not in asked(page)
    assert rows(page) == ENTRIES


def test_times_are_shown_in_the_browsers_zone_or_utc(visit: Visit) -> None:
    page = visit(WORK, timezone_id="Asia/Tokyo")
    utc = page.locator(f"{ROWS} td.at").last.inner_text()
    follow(page, page.get_by_role("link", name="Asia/Tokyo"))
    assert asked(page) == {"range": ["7d"], "context": ["work"], "tz": ["Asia/Tokyo"]}
    there = page.locator(f"{ROWS} td.at").last.inner_text()
    assert (int(there[:2]) - int(utc[:2])) % 24 == 9
    follow(page, page.get_by_role("link", name="UTC", exact=True))
    assert page.locator(f"{ROWS} td.at").last.inner_text() == utc


def test_every_event_or_each_call_once(visit: Visit) -> None:
    page = visit(WORK)
    follow(page, page.get_by_role("link", name="show every event"))
    holds(page, {"range": ["7d"], "context": ["work"], "rows": ["events"]}, 2 * CALLS + 1)
    page.go_back()
    assert rows(page) == ENTRIES


def test_without_a_script_links_and_forms_do_the_same(visit: Visit, browsed: BrowsedSite, tmp_path: Path) -> None:
    page = visit(around_noon(browsed), java_script_enabled=False)
    follow(page, page.locator("a.eyelet-bar").first)
    assert 1 <= rows(page) < ENTRIES
    follow(page, page.locator("a[data-eyelet-range=out]"))
    page.goto(browsed.at(WORK))
    follow(page, page.locator(".eyelet-facets").get_by_role("link", name="Leave out Bash"))
    assert rows(page) == 14 + 1
    page.locator(f"{ROWS} summary").first.click()
    assert "tested" in page.locator(f"{ROWS} .eyelet-open").first.inner_text()
    follow(page, page.locator("a[data-eyelet-copy]").first)
    assert {"from", "to", "-tool"} <= set(asked(page))
    page.get_by_role("searchbox").fill("tool:Edit status:error")
    follow(page, page.get_by_role("button", name="Search"))
    assert rows(page) == 2
    assert not page.locator("[data-eyelet-keys]").is_visible(), "there are no keys"
    page.screenshot(path=tmp_path / "no-script.png", full_page=True)
