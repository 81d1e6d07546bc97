"""The search page by keys alone."""

from typing import Any

import pytest

from tests.web.browsing import Visit, asked

pytestmark = pytest.mark.browser

WORK = "?range=7d&context=work"
CURRENT = "tr.eyelet-row.is-current"


def press(page: Any, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def current(page: Any) -> str:
    found: str = page.locator(CURRENT).get_attribute("id")
    return found


def test_j_and_k_walk_and_enter_opens(visit: Visit) -> None:
    page = visit(WORK)
    names = [row.get_attribute("id") for row in page.locator("tr.eyelet-row").all()]
    press(page, "j")
    assert current(page) == names[0]
    press(page, "j", "j", "j", "k")
    assert current(page) == names[2]
    assert page.evaluate("document.activeElement.closest('tr').id") == names[2]
    press(page, "Enter")
    page.locator(f"{CURRENT} .eyelet-detail").wait_for()
    press(page, "Enter")
    assert not page.locator(f"{CURRENT} .eyelet-detail").is_visible()
    press(page, *["k"] * 5)
    assert current(page) == names[2 - 2], "before the first there is none"


def test_beyond_the_last_row_comes_the_next_page(visit: Visit) -> None:
    page = visit(f"{WORK}&_size=3")
    press(page, "j", "j", "j", "j")
    assert page.evaluate("document.activeElement.rel") == "next"
    with page.expect_navigation():
        press(page, "Enter")
    assert "_next" in asked(page)


def test_e_goes_from_error_to_error(visit: Visit) -> None:
    page = visit(WORK)
    failed = [row.get_attribute("id") for row in page.locator("tr.eyelet-row.failed").all()]
    assert len(failed) == 4
    walked = []
    for _ in failed:
        press(page, "e")
        walked.append(current(page))
    assert walked == failed
    press(page, "e")
    assert current(page) == failed[-1]
    assert "No further error" in page.locator(".eyelet-said").inner_text()
    press(page, "E")
    assert current(page) == failed[-2]


def test_o_shows_the_session_of_the_row(visit: Visit) -> None:
    page = visit(WORK)
    press(page, "o")
    assert "Choose a row first" in page.locator(".eyelet-said").inner_text()
    press(page, "j")
    session = page.locator(CURRENT).get_attribute("data-session")
    with page.expect_navigation():
        press(page, "o")
    assert session and page.url.partition("?")[0].endswith(f"/session/{session}")


def test_slash_is_the_search_box_where_no_letter_is_a_key(visit: Visit) -> None:
    page = visit(WORK)
    press(page, "/")
    box = page.locator("input[name=q]")
    assert box.evaluate("element => element === document.activeElement")
    assert not page.locator("navigation-search dialog[open]").count(), "nor is Datasette's own box"
    page.keyboard.type("je[")
    assert box.input_value() == "je["
    assert page.locator(CURRENT).count() == 0 and "from" not in asked(page)
    press(page, "Escape")
    press(page, "j")
    assert page.locator(CURRENT).count() == 1


def test_keys_with_control_are_the_browsers(visit: Visit) -> None:
    page = visit(WORK)
    press(page, "Control+j", "Alt+j")
    assert page.locator(CURRENT).count() == 0


def test_the_help_says_all_keys_and_switches_them_off_for_good(visit: Visit) -> None:
    page = visit(WORK)
    press(page, "?")
    help = page.get_by_role("dialog", name="Keys")
    for key in ("j", "k", "Enter", "e", "E", "o", "/", "[", "]", "-", "l", "?"):
        assert help.locator("kbd", has_text=key).count() >= 1, key
    press(page, "j")
    assert page.locator(CURRENT).count() == 0, "while it is open"
    help.get_by_label("single keys").uncheck()
    help.get_by_role("button", name="Close").click()
    assert not help.is_visible()
    for _ in range(2):
        press(page, "j")
        assert page.locator(CURRENT).count() == 0
        page.reload()
    page.locator("[data-eyelet-keys]").click()
    help.get_by_label("single keys").check()
    press(page, "Escape", "j")
    assert page.locator(CURRENT).count() == 1
