"""SQL over all days in a browser: the table `eyelet/hooks`, the ready queries as forms, and SQL of one's own."""

from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest

from eyelet_ingest.store import ready
from tests.web.browsing import BrowsedSite, Visit, asked, follow, shows

pytestmark = pytest.mark.browser

ROWS = "table.rows-and-columns tbody tr"
EDITS = 14  # of the forty calls of the context `work`
TITLES = {query.name: query.title for query in ready.QUERIES}


def table(page: Any) -> list[dict[str, str]]:
    """The rows of the page's table, by the names of their columns."""
    found: list[dict[str, str]] = page.evaluate(
        """() => {
            const all = (what, within) => [...within.querySelectorAll(what)];
            const table = document.querySelector("table.rows-and-columns");
            const names = all("thead th", table).map(one => one.innerText.trim());
            return all("tbody tr", table).map(row => Object.fromEntries(
                all("td", row).map((cell, at) => [names[at], cell.innerText.trim()])));
        }"""
    )
    return found


def test_every_ready_query_answers_on_its_page_and_again_with_a_limit(
    visit: Visit, browsed: BrowsedSite, tmp_path: Path
) -> None:
    """Of the demonstration and a day of calls: no query is without rows."""
    page = visit()
    for name, title in TITLES.items():
        page.goto(urljoin(browsed.url, f"/eyelet/{name}"))
        assert page.locator("h1").first.inner_text().startswith(title), name
        rows = table(page)
        assert rows and all(any(row.values()) for row in rows), name
        page.screenshot(path=tmp_path / f"{name}.png")
        page.locator("form input[name=limit]").fill("1")
        with page.expect_navigation():
            page.locator("form.sql input[type=submit]").first.click()
        assert (asked(page)["limit"], len(table(page))) == (["1"], 1), name
        assert table(page)[0] == rows[0] or name == "compare", "the first of them"


def test_an_id_in_a_query_leads_to_its_event_and_a_session_to_its_story(visit: Visit, browsed: BrowsedSite) -> None:
    page = visit()
    page.goto(urljoin(browsed.url, "/eyelet/errors"))
    first = table(page)[0]
    follow(page, page.locator(ROWS).first.get_by_role("link", name=first["id"], exact=True))
    assert page.url.endswith(f"/-/eyelet/event/{first['context_name']}/{first['id']}")
    page.go_back()
    follow(page, page.locator(ROWS).first.get_by_role("link", name=first["session_id"], exact=True))
    assert f"/-/eyelet/session/{first['session_id']}" in page.url


def test_a_rule_is_tried_against_the_past_by_its_form(visit: Visit, browsed: BrowsedSite) -> None:
    page = visit()
    page.goto(urljoin(browsed.url, "/eyelet-work/would_deny"))
    page.locator("form input[name=tool]").fill("Edit")
    page.locator("form input[name=pattern]").fill("*file_1*.py")
    with page.expect_navigation():
        page.locator("form.sql input[type=submit]").first.click()
    files = [number for number in range(40) if number % 3 == 0 and str(number).startswith("1")]
    assert sorted(row["what"] for row in table(page)) == sorted(f"/home/me/work/file_{number}.py" for number in files)
    page.reload()
    assert asked(page)["pattern"] == ["*file_1*.py"] and len(table(page)) == len(files)


def test_the_table_of_all_days_is_narrowed_by_facets_paged_and_opened(
    visit: Visit, browsed: BrowsedSite, tmp_path: Path
) -> None:
    page = visit()
    page.goto(urljoin(browsed.url, "/eyelet/hooks?_facet=context_name&_facet=tool_name&_size=10"))
    page.screenshot(path=tmp_path / "hooks.png", full_page=True)
    assert len(table(page)) == 10
    facets = page.locator(".facet-results")
    follow(page, facets.get_by_role("link", name="work", exact=True))
    follow(page, page.locator(".facet-results").get_by_role("link", name="Edit", exact=True))
    assert (asked(page)["context_name"], asked(page)["tool_name"]) == (["work"], ["Edit"])
    seen = []
    while True:
        seen += [row["Link"] for row in table(page)]
        more = page.get_by_role("link", name="Next page")
        if not more.count():
            break
        follow(page, more)
    assert len(seen) == len(set(seen)) == 2 * EDITS, "question and answer of each"
    assert seen == sorted(seen, reverse=True)
    page.go_back()
    shows(page.locator(ROWS), 10)


def test_sql_of_ones_own_is_asked_of_every_day_and_a_mistake_is_told(visit: Visit, browsed: BrowsedSite) -> None:
    page = visit()
    ran = (
        "/eyelet?sql=" if page.request.get(urljoin(browsed.url, "/eyelet?sql=select+1")).ok else "/eyelet/-/query?sql="
    )
    page.goto(urljoin(browsed.url, ran + "select+context_name,+count(*)+as+n+from+hooks+group+by+1+order+by+1"))
    counts = {row["context_name"]: int(row["n"]) for row in table(page)}
    assert counts["work"] == 81 and counts["demo"] > 100
    page.goto(urljoin(browsed.url, ran + "select+contxt+from+hooks"))
    assert "no such column: contxt" in page.content()
