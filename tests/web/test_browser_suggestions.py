"""The search box offers what may come next: by keys, by mouse, as a combobox, whatever was recorded."""

import os
from pathlib import Path
from typing import Any

import pytest

from eyelet_ingest.store.store import Store
from tests.web.browsing import NARROW, BrowsedSite, Visit, asked, fits, follow, said, shows
from tests.web.test_browser_axe import violations

pytestmark = pytest.mark.browser

WORK = "?range=7d&context=work"
OPTIONS = "#eyelet-suggestions [role=option]"
HOSTILE = '<img src=x onerror=alert(1)> "quoted"'


@pytest.fixture(scope="module")
def hostile(browsed: BrowsedSite) -> str:
    """A context whose project has a name that would be a script, and one that hides."""
    with Store(browsed.root) as store:
        for name in (HOSTILE, "turned\u202ename"):
            event = said(browsed.noon_us, "hello", f"of {name}")
            event.project_dir = name
            event.uid = os.urandom(16)
            store.append([event], "hostile")
    return "?range=7d&context=hostile"


def box(page: Any) -> Any:
    return page.get_by_role("combobox", name="Text")


def typed(page: Any, text: str) -> None:
    box(page).focus()
    page.keyboard.type(text)


def offered(page: Any) -> list[str]:
    page.locator(OPTIONS).first.wait_for()
    found: list[str] = page.locator(f"{OPTIONS} bdi").all_inner_texts()
    return found


def test_a_field_and_its_value_are_chosen_by_keys_and_searched_for(visit: Visit, tmp_path: Path) -> None:
    page = visit(WORK)
    typed(page, "to")
    assert offered(page)[0] == "tool:"
    page.keyboard.press("ArrowDown")
    assert box(page).get_attribute("aria-activedescendant") == "eyelet-suggestions-0"
    assert page.locator(f"{OPTIONS}[aria-selected=true]").count() == 1
    page.keyboard.press("Enter")
    assert box(page).input_value() == "tool:"
    page.locator(OPTIONS, has_text="Bash").wait_for()
    assert offered(page) == ["Bash", "Edit"], "those of the context, the frequent first"
    page.screenshot(path=tmp_path / "values.png")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Tab")
    assert box(page).input_value() == "tool:Edit "
    typed(page, "status:err")
    page.locator(OPTIONS, has_text="error").wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert box(page).input_value() == "tool:Edit status:error "
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert asked(page)["q"][0].strip() == "tool:Edit status:error"
    shows(page.locator("tr.eyelet-row"), 2)


def test_enter_searches_for_what_was_typed_where_nothing_was_chosen(visit: Visit) -> None:
    page = visit(WORK)
    typed(page, "ma")
    typed(page, "ke")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert asked(page)["q"] == ["make"]


def test_escape_closes_the_list_and_keeps_the_text_then_leaves_the_box(visit: Visit) -> None:
    page = visit(WORK)
    typed(page, "t")
    assert "type:" in offered(page) and box(page).get_attribute("aria-expanded") == "true"
    page.keyboard.press("Escape")
    assert page.locator(OPTIONS).count() == 0 and box(page).get_attribute("aria-expanded") == "false"
    assert box(page).input_value() == "t"
    assert box(page).evaluate("element => element === document.activeElement")
    page.keyboard.press("Escape")
    assert not box(page).evaluate("element => element === document.activeElement")


def test_the_mouse_chooses_and_a_click_elsewhere_closes(visit: Visit) -> None:
    page = visit(WORK)
    typed(page, "-ty")
    offered(page)
    page.locator(OPTIONS, has_text="type:").click()
    page.locator(OPTIONS, has_text="UserPromptSubmit").click()
    assert box(page).input_value() == "-type:UserPromptSubmit "
    typed(page, "st")
    offered(page)
    page.locator("h1").click()
    assert page.locator(OPTIONS).count() == 0
    box(page).focus()
    page.keyboard.press("Backspace")
    page.keyboard.press("Backspace")
    follow(page, page.get_by_role("button", name="Search"))
    shows(page.locator("tr.eyelet-row"), 40)


def test_brackets_of_values_go_on_with_or_and_close(visit: Visit) -> None:
    page = visit(WORK)
    typed(page, "tool:(")
    page.locator(OPTIONS, has_text="Bash").click()
    assert box(page).input_value() == "tool:(Bash"
    typed(page, " ")
    assert offered(page) == ["OR", ")"]
    page.locator(OPTIONS, has_text="OR").click()
    typed(page, "e")
    page.locator(OPTIONS, has_text="Edit").click()
    typed(page, " ")
    page.locator(OPTIONS, has_text=")").last.click()
    assert box(page).input_value() == "tool:(Bash OR Edit) "


def test_src_is_offered_level_by_level_and_sessions_by_what_they_were_for(visit: Visit) -> None:
    page = visit(WORK)
    typed(page, "src:cl")
    page.locator(OPTIONS, has_text="claude").click()
    typed(page, ".pre")
    page.locator(OPTIONS, has_text="claude.pretooluse").click()
    assert box(page).input_value() == "src:claude.pretooluse"
    box(page).fill("")
    typed(page, "session:mend")
    page.locator(OPTIONS, has_text="Mend the build").click()
    assert box(page).input_value() == "session:session-0 "


def test_a_word_may_be_a_value_that_stands_beside_the_rows(visit: Visit) -> None:
    page = visit(WORK)
    typed(page, "Bas")
    page.locator(OPTIONS, has_text="tool:Bash").click()
    assert box(page).input_value() == "tool:Bash "


def test_after_a_slip_was_mended_it_is_offered_again(visit: Visit) -> None:
    page = visit(WORK)
    typed(page, "tool:Bx")
    page.keyboard.press("Backspace")
    assert offered(page) == ["Bash"]


def test_within_a_quote_and_a_column_nothing_is_offered(visit: Visit) -> None:
    page = visit(WORK)
    for text in ('"too', "command:to", "https://to"):
        box(page).fill("")
        typed(page, text)
        page.wait_for_timeout(200)
        assert page.locator(OPTIONS).count() == 0, text


def test_a_hostile_value_is_text_and_is_found_as_it_stands(visit: Visit, hostile: str, tmp_path: Path) -> None:
    page = visit(hostile)
    typed(page, "project:")
    assert offered(page) == [HOSTILE], "what hides is not offered"
    assert page.locator("#eyelet-suggestions img").count() == 0
    page.screenshot(path=tmp_path / "hostile.png")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert box(page).input_value() == 'project:"<img src=x onerror=alert(1)> ""quoted""" '
    with page.expect_navigation():
        page.keyboard.press("Enter")
    shows(page.locator("tr.eyelet-row"), 1)


def test_what_cannot_be_fetched_is_said_and_the_box_works(visit: Visit) -> None:
    page = visit(WORK, down=True)
    page.route("**/-/eyelet/values.json**", lambda route: route.abort())
    typed(page, "tool:")
    page.get_by_text("could not be fetched").wait_for()
    typed(page, "Edit")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    shows(page.locator("tr.eyelet-row"), 14)


def test_axe_finds_nothing_serious_with_the_list_open_and_it_fits(visit: Visit, tmp_path: Path) -> None:
    page = visit(WORK)
    for look, size in (("light", None), ("dark", NARROW)):
        page.emulate_media(color_scheme=look)
        if size:
            page.set_viewport_size(size)
        box(page).fill("")
        typed(page, "t")
        offered(page)
        page.keyboard.press("ArrowDown")
        page.screenshot(path=tmp_path / f"open-{look}.png")
        assert violations(page) == [] and fits(page)


def test_without_a_script_the_box_is_a_box(visit: Visit) -> None:
    page = visit(WORK, java_script_enabled=False)
    page.get_by_role("searchbox").fill("tool:Edit")
    follow(page, page.get_by_role("button", name="Search"))
    shows(page.locator("tr.eyelet-row"), 14)
