"""The page in a real browser: Chromium, the real `eyelet serve`, the printed link. Screenshots: the test folder."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.web.browsing import NARROW, REFUSED, WIDE, asked, shows
from tests.web.conftest import free_port

pytestmark = pytest.mark.browser

Visit = Callable[..., Any]


@pytest.fixture
def visit(chromium: Any, serve: Any, record: Any, noon_us: int) -> Iterator[Visit]:
    """Opens the search page of a running server, signed in; keywords as for a browser context. Every message on the
    console fails the test."""
    bash = '{"tool_name":"Bash","tool_input":{"command":"make test-%d"}}'
    for number in range(150):
        record(
            noon_us + number * 1_000_000,
            hook_type="PostToolUse",
            tool_name="Bash" if number % 3 else "Read",
            session_id=f"session-{number % 4}",
            src="claude.posttooluse.bash.make" if number % 3 else "claude.posttooluse.read",
            data=bash % number,
            error=int(number % 10 == 0),
            status="error" if number % 10 == 0 else "ok",
            duration_ms=float(number),
        )
    record(noon_us + 200_000_000, hook_type="UserPromptSubmit", data='{"prompt":"<b>\u202ebold</b>"}')
    served = serve("--port", str(free_port()))
    contexts: list[Any] = []
    complaints: list[str] = []

    def opened(**options: Any) -> Any:
        given = {"viewport": WIDE, "timezone_id": "UTC", **options}
        if contexts:
            given["storage_state"] = contexts[0].storage_state()
        context = chromium.new_context(**given)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(served.search_url if contexts else served.sign_in_url)
        contexts.append(context)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert [said for said in complaints if REFUSED not in said] == []


def submit(page: Any) -> None:
    with page.expect_navigation():
        page.keyboard.press("Enter")


def test_a_person_signs_in_searches_filters_pages_and_opens_a_row(visit: Visit, tmp_path: Path) -> None:
    page = visit()
    rows = page.locator("tr.eyelet-row")
    assert urlsplit(page.url).path == "/-/eyelet"
    assert "Nothing was recorded today" in page.locator("main").inner_text()
    shows(rows, 100)
    assert "\\u202ebold" in rows.first.inner_text()

    page.get_by_role("link", name="Older").click()
    shows(rows, 51)
    page.get_by_role("link", name="Newest").click()
    shows(rows, 100)

    page.get_by_role("link", name="7d", exact=True).click()
    assert asked(page) == {"range": ["7d"]}
    page.get_by_text("filters by name").click()
    page.locator("input[name=tool]").fill("Read")
    page.get_by_label("errors only").check()
    page.get_by_role("button", name="Search").click()
    assert asked(page) == {"range": ["7d"], "tool": ["Read"], "errors": ["1"]}
    shows(rows, 5)
    page.reload()
    shows(rows, 5)

    page.get_by_role("link", name="Drop errors only").click()
    shows(rows, 50)
    page.go_back()
    shows(rows, 5)

    for row in (rows.nth(1), rows.nth(2)):
        row.locator("summary").first.click()
        row.locator(".eyelet-detail").wait_for()
    assert rows.nth(1).locator(".eyelet-detail").is_visible(), "opening one row leaves the others open"
    page.screenshot(path=tmp_path / "wide.png")
    rows.nth(1).get_by_role("link", name="session-2", exact=True).first.click()
    assert asked(page)["session"] == ["session-2"]
    assert "session-2" in page.locator(".eyelet-conditions").inner_text()

    page.locator("td.at a").first.click()
    assert "/-/eyelet/event/default/" in page.url
    page.locator("main.eyelet-event").wait_for()
    page.get_by_role("link", name="← Search").click()
    assert urlsplit(page.url).path == "/-/eyelet"
    assert asked(page)["session"] == ["session-2"]


def test_one_goes_from_the_search_to_datasettes_pages_and_back(visit: Visit, tmp_path: Path) -> None:
    page = visit()
    page.goto(page.url.partition("?")[0] + "?range=7d&tool=Bash&src=claude.posttooluse&session=session-1")
    found = page.locator("tr.eyelet-row").count()
    assert found > 10
    page.locator("tr.eyelet-row summary").first.click()
    page.get_by_role("link", name="Row page").first.click()
    page.screenshot(path=tmp_path / "row-page.png")
    row_page = page.url
    shows(page.locator("table.rows-and-columns tbody tr"), 1)
    assert '"command": "make test-' in page.locator("td.col-data pre").inner_text()
    page.get_by_role("link", name="session-1").click()
    assert urlsplit(page.url).path == "/-/eyelet/session/session-1"
    page.wait_for_load_state()
    assert page.locator("li.eyelet-step").count() > found
    page.go_back()
    assert page.url == row_page
    page.locator("td.col-id a").first.click()
    assert "/-/eyelet/event/default/" in page.url
    page.get_by_role("link", name="row page").click()
    assert page.url == row_page

    page.go_back()
    page.go_back()
    page.go_back()  # where the row is open as it was left
    page.get_by_role("link", name="Day's table").first.click()
    page.screenshot(path=tmp_path / "day-table.png")
    assert urlsplit(page.url).path.endswith("/hooks")
    shows(page.locator("table.rows-and-columns tbody tr"), found)
    page.locator("details.actions-menu-links summary").first.click()
    page.get_by_text("Search this day in Eyelet with these filters").click()
    shows(page.locator("tr.eyelet-row"), found)
    assert (asked(page)["tool"], asked(page)["src"]) == (["Bash"], ["claude.posttooluse"])


def test_text_and_times_are_searched_from_the_form(visit: Visit, tmp_path: Path) -> None:
    page = visit()
    page.locator("input[name=q]").fill("make test-7*")
    page.get_by_label("from", exact=True).fill("now-7d")
    submit(page)
    assert asked(page) == {"q": ["make test-7*"], "from": ["now-7d"]}, "what is empty stays out of the URL"
    shows(page.locator("tr.eyelet-row"), 11)
    page.get_by_label("from", exact=True).fill("never")
    submit(page)
    assert "cannot read the time" in page.get_by_role("alert").inner_text()
    page.screenshot(path=tmp_path / "wrong.png")
    field = page.get_by_label("from", exact=True)
    assert field.input_value() == "never"
    assert field.get_attribute("aria-invalid") == "true"
    assert page.locator("input[name=q]").input_value() == "make test-7*"
    field.fill("now-7d")
    submit(page)
    shows(page.locator("tr.eyelet-row"), 11)


def test_everything_works_by_keyboard_and_without_javascript(visit: Visit) -> None:
    visit()
    page = visit(java_script_enabled=False)
    shows(page.locator("tr.eyelet-row"), 100)
    page.locator("tr.eyelet-row summary").first.focus()
    page.keyboard.press("Enter")
    assert page.get_by_label("Payload").first.is_visible()
    page.locator("input[name=q]").fill("test-149")
    submit(page)
    shows(page.locator("tr.eyelet-row"), 1)


def test_the_bare_address_shows_the_browsers_zone(visit: Visit) -> None:
    visit()
    page = visit(timezone_id="Asia/Tokyo")
    page.wait_for_url("**/-/eyelet?tz=Asia%2FTokyo")
    assert "Asia/Tokyo" in page.locator(".eyelet-resolved").inner_text()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("narrow", {"viewport": NARROW}),
        ("dark", {"color_scheme": "dark"}),
        ("narrow-dark", {"viewport": NARROW, "color_scheme": "dark"}),
    ],
)
def test_nothing_sticks_out_of_the_window(visit: Visit, tmp_path: Path, name: str, options: dict[str, Any]) -> None:
    visit()
    page = visit(**options)
    page.locator("tr.eyelet-row summary").nth(2).click()
    page.screenshot(path=tmp_path / f"{name}.png")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_on_a_narrow_screen_the_filters_are_folded_until_one_is_used(visit: Visit, tmp_path: Path) -> None:
    visit()
    page = visit(viewport=NARROW)
    fold, tool, start = (page.locator(one) for one in (".eyelet-fold input", "input[name=tool]", "input[name=from]"))
    assert not tool.is_visible() and not start.is_visible()
    fold.first.check()
    page.get_by_text("filters by name").click()
    assert tool.is_visible() and start.is_visible()
    page.goto(page.url.partition("?")[0] + "?range=all&status=nope&tz=America%2FArgentina%2FBuenos_Aires")
    page.screenshot(path=tmp_path / "narrow-wrong.png")
    assert start.is_visible() and page.get_by_role("alert").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_src_and_zone_are_readable_to_their_end(visit: Visit, tmp_path: Path) -> None:
    visit()
    page = visit(viewport={"width": 1000, "height": 800})
    page.goto(page.url.partition("?")[0] + "?range=all&tz=America%2FArgentina%2FBuenos_Aires")
    page.screenshot(path=tmp_path / "medium.png")
    whole = "element => element.scrollWidth <= element.clientWidth"
    assert page.get_by_label("zone", exact=True).evaluate(whole)
    assert page.locator("td.src .eyelet-last", has_text="bash.make").first.evaluate(whole)


def test_what_is_said_of_no_match_is_as_wide_as_the_page(visit: Visit, tmp_path: Path) -> None:
    page = visit()
    page.goto(page.url.partition("?")[0] + "?range=7d&tool=Nope&facets=0")
    page.screenshot(path=tmp_path / "no-match.png")
    widths = [page.locator(name).bounding_box()["width"] for name in (".eyelet-empty", ".eyelet-form")]
    assert widths[0] == widths[1]


def test_the_table_is_a_table_to_those_who_listen(visit: Visit) -> None:
    page = visit()
    table = page.get_by_role("table")
    shows(table.get_by_role("columnheader"), 6)  # all is of one context, which has no column then
    shows(table.get_by_role("row").nth(3).get_by_role("cell"), 6)
    for control in page.locator("form.eyelet-form input:not([type=hidden]), form.eyelet-form select").all():
        assert control.evaluate("element => element.labels.length") == 1


def test_a_text_is_searched_with_its_language_and_shown_where_it_was_found(visit: Visit, tmp_path: Path) -> None:
    page = visit()
    page.goto(page.url.partition("?")[0] + "?range=7d")
    page.get_by_text("how to search").click()
    assert page.get_by_text("these words in this order").is_visible()
    page.screenshot(path=tmp_path / "text-help.png")

    page.locator("input[name=q]").fill('"make test" 7*')
    submit(page)
    marks = page.locator("tr.eyelet-row mark")
    shows(page.locator("tr.eyelet-row"), 11)
    assert "make" in marks.first.inner_text()
    page.screenshot(path=tmp_path / "text-hits.png")
    page.locator("select[name=by]").select_option("rank")
    page.get_by_role("button", name="Search").click()
    assert asked(page)["by"] == ["rank"]
    assert "Best match first" in page.locator("main").inner_text()
    page.screenshot(path=tmp_path / "text-rank.png")
    page.set_viewport_size(NARROW)
    page.screenshot(path=tmp_path / "text-narrow.png")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out"
    page.set_viewport_size(WIDE)

    page.locator("input[name=q]").fill('make "test')
    submit(page)
    assert "quote is not closed" in page.get_by_role("alert").inner_text()
    assert page.locator(".eyelet-mistake mark").inner_text() != ""
    assert page.locator("input[name=q]").input_value() == 'make "test'
    assert page.get_by_text("these words in this order").is_visible()
    page.screenshot(path=tmp_path / "text-mistake.png")


def test_datasettes_own_box_searches_a_day_and_leads_back(visit: Visit, tmp_path: Path) -> None:
    page = visit()
    page.goto(page.url.partition("?")[0] + "?range=7d&tool=Bash")
    page.locator("tr.eyelet-row summary").first.click()
    page.get_by_role("link", name="Day's table").first.click()
    page.locator("#_search").fill('"make test" 7')
    page.keyboard.press("Enter")
    page.wait_for_url("**_search=**")
    shows(page.locator("table.rows-and-columns tbody tr"), 1)
    page.screenshot(path=tmp_path / "box.png")
    page.locator("details.actions-menu-links summary").first.click()
    page.get_by_text("Search this day in Eyelet with these filters").click()
    shows(page.locator("tr.eyelet-row"), 1)
    assert asked(page)["q"] == ['"make test" "7"']
    page.go_back()
    page.goto(page.url.replace("_search=", "_searchmode=raw&_search=OR+"))
    assert "SQLite cannot read the text" in page.locator("body").inner_text()
    page.screenshot(path=tmp_path / "raw-mistake.png")
