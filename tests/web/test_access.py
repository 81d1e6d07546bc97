"""Who may see what: nobody but root, and whom the settings name; refused before anything is opened."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from datasette.app import Datasette
from datasette.utils import StartupError

from datasette_eyelet import permissions
from eyelet_ingest.store.store import Store

PAGES = ["/-/eyelet", "/-/eyelet?q=x&_size=abc", "/-/eyelet/event/default/1"]
JSONS = ["/-/eyelet.json", "/-/eyelet.json?_next=x", "/-/eyelet/event/default/1.json"]
STRANGERS = [None, {"id": "mallory"}, {"id": "Root"}, {"name": "root"}]


@pytest.mark.parametrize("stranger", STRANGERS)
@pytest.mark.parametrize("path", PAGES)
async def test_strangers_are_refused_every_page_and_told_how_to_get_in(site: Any, path: str, stranger: Any) -> None:
    answer = await site.get(path, stranger)
    assert answer.status_code == 403
    for said in ("eyelet serve", "Sign in", "datasette-eyelet", "allow"):
        assert said in answer.text


@pytest.mark.parametrize("stranger", STRANGERS)
@pytest.mark.parametrize("path", JSONS)
async def test_strangers_are_refused_every_json_in_json(site: Any, path: str, stranger: Any) -> None:
    answer = await site.get(path, stranger)
    assert answer.status_code == 403
    assert answer.json()["ok"] is False
    assert "eyelet serve" in answer.json()["error"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_nothing_is_changed_through_addresses_for_reading(site: Any, method: str) -> None:
    assert (await site.get("/-/eyelet", method=method)).status_code in (403, 405)


async def test_a_refusal_opens_nothing(root: str, site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(*_: object, **__: object) -> None:
        raise AssertionError("the store was asked for somebody who may not")

    for name in ("search", "event", "count", "newest_event_us", "drain_spool"):
        monkeypatch.setattr(Store, name, opened)
    for path in (*PAGES, *JSONS):
        assert (await site.get(path, None)).status_code == 403
    assert not Path(root).exists()


async def test_the_settings_let_named_people_view(open_site: Any) -> None:
    site = await open_site(allow={"id": ["alice", "bob"]})
    for who in ("alice", "bob", "root"):
        assert (await site.get("/-/eyelet", {"id": who})).status_code == 200
        assert (await site.get("/-/eyelet.json", {"id": who})).status_code == 200
    assert (await site.get("/-/eyelet", {"id": "mallory"})).status_code == 403
    assert (await site.get("/-/eyelet", None)).status_code == 403


async def test_viewing_is_all_that_an_allow_block_grants(open_site: Any) -> None:
    site = await open_site(allow={"id": "alice"})
    granted = [
        action for action in permissions.ACTIONS if permissions.granted(site.datasette, {"id": "alice"}, action) is None
    ]
    assert granted == [permissions.VIEW]


async def test_the_menu_shows_the_page_to_those_who_may_see_it(site: Any) -> None:
    link = 'href="/-/eyelet">Eyelet<'
    assert link in (await site.get("/")).text
    assert link not in (await site.get("/", None)).text


@pytest.mark.parametrize(
    "wrong",
    [
        {"alow": {"id": "x"}},
        {"root": 5},
        {"allow": "alice"},
        {"allow": ["alice"]},
        {"contexts": ["work"]},
        {"contexts": {"work": {"alow": True}}},
        {"contexts": {"work": {"write": "alice"}}},
        {"max_open_files": 0},
    ],
    ids=["unknown", "root", "text", "list", "contexts", "unknown in a context", "text in a context", "limit"],
)
async def test_a_wrong_setting_stops_the_server_with_its_name(open_site: Any, wrong: dict[str, Any]) -> None:
    with pytest.raises(StartupError, match=next(iter(wrong))):
        await open_site(**wrong)


@pytest.mark.parametrize("path", ["/-/eyelet", "/-/eyelet?_size=abc", "/-/eyelet/event/default/1", "/-/eyelet.json"])
@pytest.mark.parametrize("actor", [None, {"id": "root"}])
async def test_every_answer_carries_the_strict_headers(site: Any, path: str, actor: Any) -> None:
    headers = (await site.get(path, actor)).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert "no-store" in headers["cache-control"]


async def test_two_datasettes_in_one_process_share_nothing(tmp_path: Path) -> None:
    made = [
        Datasette(memory=True, metadata={"plugins": {"datasette-eyelet": {"root": str(tmp_path / name)}}})
        for name in ("one", "two")
    ]
    await asyncio.gather(*(one.invoke_startup() for one in made))
    roots = {one._eyelet.root for one in made}
    assert roots == {str(tmp_path / "one"), str(tmp_path / "two")}


async def test_the_root_is_the_settings_else_the_environments_else_the_homes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def root_of(plugin: dict[str, Any]) -> str:
        made = Datasette(memory=True, metadata={"plugins": {"datasette-eyelet": plugin}})
        await made.invoke_startup()
        found: str = made._eyelet.root
        return found

    assert await root_of({}) == str(tmp_path / "home" / ".eyelet")
    monkeypatch.setenv("EYELET_ROOT", str(tmp_path / "environment"))
    assert await root_of({}) == str(tmp_path / "environment")
    assert await root_of({"root": "~/settings"}) == str(tmp_path / "home" / "settings")


async def test_the_root_may_come_from_the_environment_and_stays_out_of_datasettes_own_pages(
    open_site: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As docs/permissions.md has it: 0.65 shows its metadata to strangers."""
    monkeypatch.setenv("WHERE_EYELET_IS", str(tmp_path / "elsewhere"))
    site = await open_site(root={"$env": "WHERE_EYELET_IS"})
    assert site.datasette._eyelet.root == str(tmp_path / "elsewhere")
    for path in ("/-/metadata.json", "/-/config.json"):
        assert str(tmp_path) not in (await site.get(path, None)).text


async def test_an_allow_block_for_the_whole_server_keeps_its_settings_from_strangers(root: str) -> None:
    metadata = {"allow": {"id": "root"}, "plugins": {"datasette-eyelet": {"root": root, "allow": {"id": "alice"}}}}
    made = Datasette(memory=True, metadata=metadata)
    await made.invoke_startup()
    for path in ("/-/metadata.json", "/-/config.json"):
        text = (await made.client.get(path)).text
        assert root not in text and "alice" not in text
