"""Health in a browser: its buttons work, commands are copied, and nothing sticks out or is unreadable, in any look."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eyelet_ingest.health import alerts
from eyelet_ingest.health.finding import ERROR, OK, Finding
from eyelet_ingest.health.looking import effective
from eyelet_ingest.store import audit
from eyelet_ingest.store.layout import key_for
from tests.web.browsing import NARROW, WIDE, BrowsedSite, Visit, fits, follow
from tests.web.test_browser_axe import violations

pytestmark = pytest.mark.browser

NOW_US = 1_700_000_000_000_000
LOOKS = (("light", WIDE), ("dark", WIDE), ("light", NARROW), ("dark", NARROW))


@pytest.fixture
def troubled(browsed: BrowsedSite) -> Iterator[str]:
    """The day of `work` by its address; others may read a file, and an alert fires that says something hostile.

    The file is no day: the server closes those to others whenever it writes there."""
    key = key_for("work", browsed.noon_us)
    stray = Path(browsed.root, "stray")
    stray.touch()
    stray.chmod(0o644)
    fire(browsed.root, Finding(ERROR, "<b>full</b> \u202e" + "x" * 200, "eyelet retention run", name="disk"))
    yield f"/health/day/work/{key.date}"
    stray.unlink()
    fire(browsed.root, Finding(OK, "well", name="disk"), now_us=NOW_US + 3_600_000_000)
    fire(browsed.root, Finding(OK, "well", name="disk"), now_us=NOW_US + 90_000_000_000)


def fire(root: str, finding: Finding, now_us: int = NOW_US) -> None:
    alerts.evaluate(root, [finding], None, effective(), now_us)


def message(page: Any) -> str:
    return str(page.locator("p[class^=message-]").inner_text())


def shown(page: Any, found: Any, count: int = 1) -> None:
    """Wait until the server has looked: a page that cannot wait for that shows the look before."""
    for _ in range(60):
        if found.count() == count:
            return
        page.wait_for_timeout(500)
        page.reload()
    assert found.count() == count


def test_an_alert_is_acknowledged_and_a_finding_repaired_by_their_buttons(
    visit: Visit, browsed: BrowsedSite, troubled: str
) -> None:
    page = visit("/health")
    repair = page.get_by_role("button", name="Repair modes")
    shown(page, repair)
    follow(page, page.get_by_role("button", name="Acknowledge disk"))
    assert message(page) == "disk is acknowledged."
    assert page.get_by_text("acknowledged by root").count() == 1
    shown(page, repair)
    follow(page, repair)
    assert message(page).startswith("modes: ")
    page.reload()
    shown(page, repair, 0)
    assert page.locator("p[class^=message-]").count() == 0  # told once
    assert {line.action for line in audit.lines(browsed.root)} >= {"alert.acknowledge", "repair"}


def test_the_buttons_of_a_day_work_and_the_calendar_leads_to_it(
    visit: Visit, browsed: BrowsedSite, troubled: str, tmp_path: Path
) -> None:
    page = visit("/health?show=rows&context=work")
    day = page.locator(".eyelet-heat a")
    assert day.count() == 1 and "rows, 4 errors" in day.get_attribute("title")
    follow(page, day)
    assert page.url.endswith(troubled)
    for button, said in (
        ("Checkpoint", "Checkpoint truncate"),
        ("Index the text", "text index"),
        ("Analyse", "The planner knows"),
        ("Seal", "sealed"),
        ("Check quickly", "is whole"),
        ("Check whole", "is whole"),
    ):
        if button == "Checkpoint":
            page.get_by_label("Checkpoint").select_option("truncate")
        follow(page, page.get_by_role("button", name=button, exact=True))
        assert said in message(page), (button, message(page))
    page.screenshot(path=tmp_path / "done.png", full_page=True)
    assert page.locator(".eyelet-facts").inner_text().count("nothing wrong") == 2


def test_a_command_that_helps_is_copied_by_its_button(visit: Visit, troubled: str) -> None:
    page = visit("/health", permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy the command eyelet retention run").first.click()
    page.wait_for_function("navigator.clipboard.readText().then((text) => text === 'eyelet retention run')")


def test_the_line_over_every_page_leads_to_the_alerts(visit: Visit, troubled: str) -> None:
    page = visit("/days")
    line = page.locator(".eyelet-alarm")
    shown(page, line)
    follow(page, line.get_by_role("link"))
    assert page.url.endswith("/health#alerts")


@pytest.mark.parametrize("name", ["health", "day"])
def test_health_is_readable_in_every_look(visit: Visit, troubled: str, tmp_path: Path, name: str) -> None:
    page = visit("/health?show=health" if name == "health" else troubled)
    for look, size in LOOKS:
        page.emulate_media(color_scheme=look)
        page.set_viewport_size(size)
        page.screenshot(path=tmp_path / f"{name}-{look}-{size['width']}.png", full_page=True)
        assert fits(page), (look, size)
        if (look, size) in LOOKS[::3]:
            assert violations(page) == [], (look, size)
    assert page.locator("main b", has_text="full").count() == 0  # a finding's markup is text
