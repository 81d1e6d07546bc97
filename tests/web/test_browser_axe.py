"""axe-core on every page of ours, light and dark, wide and narrow: nothing serious is found, and nothing sticks out."""

from pathlib import Path
from typing import Any

import pytest

from tests.web.browsing import NARROW, WIDE, BrowsedSite, Visit, fits

pytestmark = pytest.mark.browser

SERIOUS = ("serious", "critical")

# name → address behind /-/eyelet
PAGES = {
    "search": "?range=7d",
    "search with everything": "?range=7d&tool=Bash&-type=Notification&q=make&tz=Asia%2FTokyo",
    "nothing found": "?range=7d&tool=Nope",
    "wrong": "?range=7d&q=make+%22test",
    "days": "/days",
    "overview": "/overview",
    "sessions": "/sessions",
    "sources": "/sources",
    "now": "/now",
    "saved": "/saved",
    "health": "/health",
    "health of days": "/health?show=health&span=7d",
    "performance": "/bench",
    "session": "/session/session-0",
}


def violations(page: Any) -> list[str]:
    """What axe finds wrong that is serious or critical: its rule and the elements."""
    from axe_playwright_python.sync_playwright import Axe

    # Datasette 1.0's own box, in whose shadow tree axe 4.12 stumbles.
    page.evaluate("document.querySelectorAll('navigation-search').forEach(one => one.remove())")
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{one['id']}: " + "; ".join(f"{node['html'][:160]} {node['any'][:1]}" for node in one["nodes"][:5])
        for one in found
        if one["impact"] in SERIOUS
    ]


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_serious(visit: Visit, tmp_path: Path, name: str) -> None:
    page = visit(PAGES[name])
    assert page.locator("main").count() == 1
    for look, size in (("light", WIDE), ("dark", NARROW)):
        page.emulate_media(color_scheme=look)
        page.set_viewport_size(size)
        page.screenshot(path=tmp_path / f"{name}-{look}.png", full_page=True)
        assert violations(page) == [], (look, size)
        assert fits(page), (look, size)


def test_axe_finds_nothing_serious_in_an_opened_row_or_the_help(visit: Visit, tmp_path: Path) -> None:
    page = visit("?range=7d&context=work")
    page.locator("tr.eyelet-row summary").nth(1).click()
    page.wait_for_load_state("networkidle")
    page.screenshot(path=tmp_path / "opened.png")
    assert violations(page) == []
    page.keyboard.press("?")
    assert page.get_by_role("dialog").is_visible()
    assert violations(page) == []


def test_axe_finds_nothing_serious_in_an_event_or_a_refusal(visit: Visit, browsed: BrowsedSite) -> None:
    page = visit(f"/event/work/{browsed.noon_us}")
    assert page.get_by_label("Payload").count() >= 1
    assert violations(page) == []
    page.context.clear_cookies()
    page.reload()
    assert violations(page) == []
