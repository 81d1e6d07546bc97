"""Saved searches: whoever may view uses them; saving takes a form of ours, a person, and leaves a trace."""

import json
import re
from typing import Any

import pytest

from eyelet_ingest import saving
from eyelet_ingest.redaction import Redactor
from eyelet_ingest.store import audit, saved
from tests.web.conftest import OpenSite, Record, Site

SAVED = "/-/eyelet/saved"
ROOT = {"id": "root"}


async def post(site: Site, actor: dict[str, str] | None = ROOT, forged: bool = False, /, **fields: str) -> Any:
    """The form of the page, sent by a browser: of this site, or of another (`forged`)."""
    cookies = {} if actor is None else {"ds_actor": site.datasette.sign({"a": actor}, "actor")}
    page = await site.datasette.client.get(SAVED, cookies=cookies)
    token = re.search(r'name="csrftoken" value="([^"]*)"', page.text)
    cookies |= dict(page.cookies)
    given = {**fields, **({"csrftoken": token[1]} if token and not forged else {})}
    headers = {"sec-fetch-site": "cross-site" if forged else "same-origin"}
    return await site.datasette.client.post(SAVED, data=given, cookies=cookies, headers=headers)


def names(root: str) -> list[str]:
    return [one.name for one in saved.known(root)]


async def test_a_search_is_saved_used_and_removed_by_forms_and_each_is_audited(site: Site, root: str) -> None:
    done = await post(
        site, do="save", name="failed <b>builds", query="http://x/-/eyelet?range=7d&tool=Bash&errors=1&_next=7"
    )
    assert (done.status_code, done.headers["location"]) == (302, "/-/eyelet?range=7d&tool=Bash&errors=1")
    (one,) = (await site.json(f"{SAVED}.json"))["searches"]
    assert (one["name"], one["query"], one["made_by"]) == ("failed <b>builds", "range=7d&tool=Bash&errors=1", "root")
    page = (await site.get(SAVED)).text
    assert "failed &lt;b&gt;builds" in page and "<b>builds" not in page
    done = await post(site, do="save", name="failed <b>builds", query="tool=Read")
    assert done.status_code == 400 and "there is one of this name" in done.text
    assert (await post(site, do="save", name="failed <b>builds", query="tool=Read", again="1")).status_code == 302
    assert saved.named(root, "failed <b>builds").query == "tool=Read"
    assert (await post(site, do="remove", name="failed <b>builds")).status_code == 302
    assert names(root) == []
    assert [line.action for line in audit.lines(root)] == ["saved.remove", "saved.add", "saved.add"]


async def test_a_form_of_another_site_saves_nothing(site: Site, root: str) -> None:
    assert (await post(site, ROOT, True, do="save", name="x", query="tool=Bash")).status_code == 403
    assert names(root) == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "", "query": "tool=Bash"}, "1 to 100 characters"),
        ({"name": "a\nb", "query": "tool=Bash"}, "1 to 100 characters"),
        ({"name": "x" * 101, "query": "tool=Bash"}, "1 to 100 characters"),
        ({"name": "x", "query": "sesion=1"}, "did you mean session"),
        ({"name": "x", "query": "nothing"}, "cannot be read"),
        ({"name": "x", "query": "q=" + "y" * 4_000}, "4,000"),
        ({"name": "x", "query": "q=ghp_0123456789abcdefghijABCDEFGHIJ012345"}, "looks like a secret"),
        ({"name": "ghp_0123456789abcdefghijABCDEFGHIJ012345", "query": "q=y"}, "looks like a secret"),
        ({"name": "x", "query": "q=y", "what": "1"}, "has no field"),
    ],
)
async def test_what_cannot_be_saved_is_said_and_not_saved(
    site: Site, root: str, fields: dict[str, str], said: str
) -> None:
    done = await post(site, do="save", **fields)
    assert done.status_code == 400
    assert said in done.text
    assert names(root) == []


async def test_nobody_saves_without_being_someone(open_site: OpenSite, record: Record, root: str, noon_us: int) -> None:
    record(noon_us)
    site = await open_site(allow=True)
    assert (await site.get(SAVED, actor=None)).status_code == 200
    assert (await post(site, None, do="save", name="x", query="tool=Bash")).status_code == 403
    assert names(root) == []


async def test_one_changes_ones_own_and_sees_no_context_of_others(
    open_site: OpenSite, record: Record, root: str, noon_us: int
) -> None:
    record(noon_us, context="work")
    record(noon_us, context="home")
    site = await open_site(contexts={"work": {"allow": {"id": "carol"}}})
    carol = {"id": "carol"}
    for name, query in [
        ("mine", "context=home"),
        ("all", "tool=Bash"),
        ("left", "-context=home"),
        ("q", "q=context:home"),
    ]:
        saving.save(root, "root", name, query, Redactor(b""))
    assert (await post(site, carol, do="save", name="hers", query="context=work")).status_code == 302
    found = json.loads((await site.get(f"{SAVED}.json", carol)).text)["searches"]
    assert [one["name"] for one in found] == ["all", "hers"]
    for fields in ({"do": "remove", "name": "all"}, {"do": "save", "name": "mine", "query": "q=x", "again": "1"}):
        assert "somebody else saved it" in (await post(site, carol, **fields)).text
    assert (await post(site, carol, do="remove", name="hers")).status_code == 302
    assert (await post(site, do="remove", name="mine")).status_code == 302
    assert names(root) == ["all", "left", "q"]
    assert (await site.get(SAVED, {"id": "mallory"})).status_code == 403
    assert (await post(site, {"id": "mallory"}, do="remove", name="all")).status_code == 403
