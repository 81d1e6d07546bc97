"""Who may use the log API: tokens, cookies, Datasette's own tokens; and what a web page of another origin cannot do."""

import json
import re
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from datasette import hookimpl
from datasette.plugins import pm

from datasette_eyelet import permissions, token_actor
from datasette_eyelet.api import ROUTES
from eyelet_ingest import tokens
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

API = "/-/eyelet/api"
READING = ["/query", "/count", "/sources"]
EVERY = [("POST", "/insert"), *(("GET", path) for path in READING), ("GET", "/export"), ("POST", "/delete")]
NOON_US = 1_774_008_000_000_000  # 2026-03-20T12:00:00Z

Send = Callable[..., Awaitable[Any]]


@pytest.fixture
def send(site: Any) -> Send:
    return sender(site)


def sender(site: Any) -> Send:
    async def sent(method: str, path: str, content: Any = None, **headers: str) -> Any:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if method == "POST":
            given.setdefault("content-type", "application/json")
        text = json.dumps(content if content is not None else {}).encode() if method == "POST" else None
        return await site.datasette.client.request(method, path, content=text, headers=given)

    return sent


def cookie(site: Any, actor: dict[str, Any]) -> str:
    return f"ds_actor={site.datasette.sign({'a': actor}, 'actor')}"


def is_1_0(site: Any) -> bool:
    return hasattr(site.datasette, "allowed")


def bearer(root: str, *allow: str, contexts: tuple[str, ...] = ()) -> str:
    said, _ = tokens.create(root, f"t{time.time_ns()}", contexts, allow)
    return f"Bearer {said}"


def body_for(path: str, context: str) -> Any:
    if path == "/insert":
        return {"context": context, "events": [{"message": "m"}]}
    return {"filter": {"context": context}, "dry_run": True} if path == "/delete" else None


def address(path: str, context: str) -> str:
    return f"{API}{path}" + ("" if path in ("/insert", "/delete") else f"?context={context}")


def test_these_are_all_the_addresses() -> None:
    assert [re.sub(r"[\^$]", "", pattern) for pattern, _ in ROUTES[:-1]] == [API + path for _, path in EVERY]


@pytest.mark.parametrize("actor", [None, {"id": "mallory"}, {"id": "token:ci"}, {"name": "root"}])
@pytest.mark.parametrize(("method", "path"), EVERY)
async def test_strangers_are_refused_every_address_before_anything_is_opened(
    site: Any, root: str, send: Send, method: str, path: str, actor: Any
) -> None:
    headers = signed_in(site, actor) if actor else {}
    answer = await send(method, address(path, "default"), body_for(path, "default"), **headers)
    assert answer.status_code == 403, answer.text
    assert answer.json()["ok"] is False and "not granted" in answer.json()["error"]
    assert not Path(root).exists()


@pytest.mark.parametrize(("method", "path"), EVERY)
async def test_a_token_does_what_it_allows_where_it_allows_it_and_nothing_else(
    site: Any, root: str, send: Send, record: Any, method: str, path: str
) -> None:
    for context in ("mine", "theirs"):
        record(NOON_US, context=context)
    needed = {"/insert": "write", "/export": "admin", "/delete": "admin"}.get(path, "view")
    for allowed in tokens.GRANTS:
        token = bearer(root, allowed, contexts=("mine",))
        for context in ("mine", "theirs", "nowhere"):
            content = body_for(path, context)
            answer = await send(method, address(path, context), content, authorization=token)
            if allowed != needed:
                assert answer.status_code == 403
            elif context == "mine":
                assert answer.status_code == 200, answer.text
            elif path in READING:  # as if it were not there
                assert answer.status_code == 200 and "theirs" not in answer.text
                assert answer.json().get("count", 0) == 0 and not answer.json().get("rows")
            else:
                assert answer.status_code == 403


@pytest.mark.parametrize(("method", "path"), EVERY)
async def test_a_refusal_does_not_tell_whether_a_context_is_there(
    site: Any, root: str, send: Send, record: Any, method: str, path: str
) -> None:
    record(NOON_US, context="theirs")
    token = bearer(root, *tokens.GRANTS, contexts=("mine",))
    told = [
        await send(method, address(path, context), body_for(path, context), authorization=token)
        for context in ("theirs", "nowhere")
    ]
    assert told[0].status_code == told[1].status_code
    plain = [re.sub(r'"elapsed_ms": [\d.]+', "", answer.text) for answer in told]
    assert plain[0] == plain[1]


async def test_without_a_context_a_token_sees_and_deletes_its_own_alone(
    root: str, send: Send, record: Any, store: Store
) -> None:
    for context in ("mine", "theirs"):
        record(NOON_US, NOON_US + 1, context=context, src=context)
    token = bearer(root, *tokens.GRANTS, contexts=("mine",))
    assert (await send("GET", f"{API}/count", authorization=token)).json()["count"] == 2
    named = (await send("GET", f"{API}/sources", authorization=token)).json()["sources"]
    assert [one["src"] for one in named] == ["mine"]
    seen = (await send("GET", f"{API}/query", authorization=token)).json()
    assert {row["context_name"] for row in seen["rows"]} == {"mine"}
    assert seen["partitions"] == {"scanned": 1, "skipped": 0, "unreadable": []}
    sent = {"before": "2030", "dry_run": False}
    assert (await send("POST", f"{API}/delete", sent, authorization=token)).json()["events"] == 2
    assert store.contexts() == ["theirs"]


async def test_a_token_for_writing_makes_a_context_that_was_not_there(root: str, send: Send, store: Store) -> None:
    token = bearer(root, "write", contexts=("New One",))
    answer = await send("POST", f"{API}/insert", body_for("/insert", "New One"), authorization=token)
    assert (answer.status_code, answer.json()["stored"]) == (200, 1)
    assert store.contexts() == [answer.json()["context"]]


async def test_a_revoked_token_stops_at_once(root: str, send: Send) -> None:
    said, _ = tokens.create(root, "ci", [], ["view"])
    assert (await send("GET", f"{API}/count", authorization=f"Bearer {said}")).status_code == 200
    tokens.revoke(root, "ci")
    answer = await send("GET", f"{API}/count", authorization=f"Bearer {said}")
    assert answer.status_code == 401 and answer.json()["ok"] is False
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_wrong_token_is_nobody_even_beside_a_good_cookie(site: Any, root: str, send: Send) -> None:
    tokens.create(root, "ci", [], ["view"])
    for wrong in ("eyt_", "eyt_" + "A" * 43, "eyt_" + "A" * 10_000):
        answer = await send("GET", f"{API}/count", authorization=f"Bearer {wrong}", cookie=cookie(site, {"id": "root"}))
        assert answer.status_code == 401


async def test_a_token_is_its_own_actor_whatever_cookie_comes_with_it(site: Any, root: str, send: Send) -> None:
    token = bearer(root, "view")
    root_cookie = cookie(site, {"id": "root"})
    assert (await send("GET", f"{API}/count", authorization=token, cookie=root_cookie)).status_code == 200
    assert (await send("GET", f"{API}/export", authorization=token, cookie=root_cookie)).status_code == 403


async def test_no_setting_adds_to_what_a_token_allows(open_site: Any, root: str, record: Any) -> None:
    record(NOON_US)
    site = await open_site(allow={"id": "*"}, write=True, admin={"id": "*"})
    token = bearer(root, "write", contexts=("mine",))
    send = sender(site)
    for method, path in EVERY:
        answer = await send(method, address(path, "default"), body_for(path, "default"), authorization=token)
        assert answer.status_code == 403, path


FORGED = [
    {"id": "token:ci", "eyelet": {"contexts": None, "allow": ["view", "write", "admin"]}},
    {"id": "alice", "eyelet": {"contexts": ["default"], "allow": ["view"]}},
    {"id": "alice", "token": {"contexts": None, "allow": ["view"]}},
]


@pytest.mark.parametrize("forged", FORGED)
@pytest.mark.parametrize(("method", "path"), EVERY)
async def test_an_actor_who_only_says_what_a_token_says_is_not_believed(
    site: Any, root: str, send: Send, record: Any, method: str, path: str, forged: dict[str, Any]
) -> None:
    record(NOON_US)
    tokens.create(root, "ci", [], tokens.GRANTS)
    answer = await send(method, address(path, "default"), body_for(path, "default"), **signed_in(site, forged))
    assert answer.status_code == 403
    assert not token_actor.is_token(forged)
    for action in permissions.ACTIONS:
        assert not token_actor.granted_by_token(forged, action, "default")
        assert token_actor.contexts_of_token(forged, action) == frozenset()


async def test_rights_hang_on_the_actor_that_was_made_and_not_on_a_copy(root: str) -> None:
    _, token = tokens.create(root, "ci", ["work"], ["view"])
    actor = token_actor.TokenActor(token)
    assert actor == {"id": "token:ci", "eyelet": {"contexts": ["work"], "allow": ["view"]}}
    assert token_actor.granted_by_token(actor, permissions.VIEW, "work")
    assert not token_actor.granted_by_token(actor, permissions.VIEW, None)
    assert not token_actor.granted_by_token(actor, permissions.WRITE, "work")
    assert not token_actor.granted_by_token(actor, "view-instance", "work")
    for copied in (dict(actor), json.loads(json.dumps(actor))):
        assert not token_actor.granted_by_token(copied, permissions.VIEW, "work")
    actor["eyelet"]["allow"].append("admin")
    assert not token_actor.granted_by_token(actor, permissions.ADMIN, "work")


async def test_a_file_of_tokens_that_cannot_be_trusted_lets_nobody_in(root: str, send: Send) -> None:
    token = bearer(root, "view")
    Path(root, tokens.FILE_NAME).chmod(0o666)
    assert (await send("GET", f"{API}/count", authorization=token)).status_code == 401


async def test_a_token_of_another_kind_is_none_of_ours(send: Send) -> None:
    for other in ("Bearer abc", "Basic eyt_abc", "Bearer", "eyt_abc"):
        assert (await send("GET", f"{API}/count", authorization=other)).status_code == 403


async def test_tokens_of_datasette_and_its_plugins_go_on_working(site: Any, send: Send, record: Any) -> None:
    """1.0 has tokens of its own; in 0.65 plugins bring them."""

    class Plugin:
        @hookimpl
        def actor_from_request(self, request: Any) -> Any:
            return {"id": "root"} if request.headers.get("authorization") == "Bearer of-a-plugin" else None

    record(NOON_US)
    said = ["of-a-plugin"]
    if is_1_0(site):
        said.append("dstok_" + site.datasette.sign({"a": "root", "t": int(time.time())}, namespace="token"))
    plugin = Plugin()
    pm.register(plugin)
    try:
        for token in said:
            answer = await send("GET", f"{API}/count", authorization=f"Bearer {token}")
            assert answer.status_code == 200, answer.text
            answer = await send("POST", f"{API}/insert", {"events": [{}]}, authorization=f"Bearer {token}")
            assert (answer.status_code, answer.json()["stored"]) == (200, 1)
    finally:
        pm.unregister(plugin)


async def test_settings_grant_each_action_in_each_context(open_site: Any, record: Any, store: Store) -> None:
    record(NOON_US, context="shop")
    alice = {"id": "alice"}
    site = await open_site(contexts={"shop": {"allow": alice, "write": alice}, "later": {"write": alice}})
    send = sender(site)
    headers = signed_in(site, alice)
    assert (await send("GET", f"{API}/count", **headers)).json()["count"] == 1
    for context, status in (("shop", 200), ("later", 200), ("default", 403)):
        answer = await send("POST", f"{API}/insert", body_for("/insert", context), **headers)
        assert answer.status_code == status, answer.text
    assert (await send("POST", f"{API}/delete", body_for("/delete", "shop"), **headers)).status_code == 403
    assert store.contexts() == ["later", "shop"]


def signed_in(site: Any, actor: dict[str, Any]) -> dict[str, str]:
    """What a page of ours sends: the CSRF token, where 0.65 wants it, and its origin, where 1.0 looks at it."""
    token = site.datasette.sign("x", "csrftoken")
    return {
        "cookie": f"{cookie(site, actor)}; ds_csrftoken={token}",
        "x_csrftoken": token,
        "sec_fetch_site": "same-origin",
    }


CHANGING = [
    ("/insert", {"events": [{"message": "m"}]}),
    ("/delete", {"before": "2030", "dry_run": False}),
]


@pytest.mark.parametrize(("path", "content"), CHANGING)
async def test_a_cookie_changes_things_for_our_own_pages(
    site: Any, send: Send, record: Any, path: str, content: Any
) -> None:
    record(NOON_US)
    answer = await send("POST", API + path, content, **signed_in(site, {"id": "root"}))
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(("path", "content"), CHANGING)
@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/x-www-form-urlencoded"])
async def test_a_cookie_changes_nothing_for_pages_of_other_origins(
    site: Any, send: Send, record: Any, store: Store, path: str, content: Any, kind: str
) -> None:
    record(NOON_US)
    asked = {
        "cookie": cookie(site, {"id": "root"}),
        "content_type": kind,
        "origin": "https://evil.example",
        "sec_fetch_site": "cross-site",
    }
    assert (await send("POST", API + path, content, **asked)).status_code == 403
    asked["authorization"] = ""  # an empty header is no token
    assert (await send("POST", API + path, content, **asked)).status_code == 403
    del asked["sec_fetch_site"]  # an older browser
    assert (await send("POST", API + path, content, **asked)).status_code == 403
    assert store.count(Filter()).count == 1


async def test_a_wrong_csrf_token_changes_nothing_in_0_65(site: Any, send: Send, record: Any, store: Store) -> None:
    if is_1_0(site):
        pytest.skip("1.0 looks at the origin instead")
    record(NOON_US)
    good = site.datasette.sign("x", "csrftoken")
    for said in ("", "x", site.datasette.sign("y", "csrftoken")):
        headers = {"cookie": f"{cookie(site, {'id': 'root'})}; ds_csrftoken={good}", "x_csrftoken": said}
        assert (await send("POST", f"{API}/delete", CHANGING[1][1], **headers)).status_code == 403
    assert store.count(Filter()).count == 1


@pytest.mark.parametrize("origin", ["", "https://evil.example", "null"])
async def test_a_token_without_a_cookie_needs_no_proof_of_origin(root: str, send: Send, origin: str) -> None:
    """A page cannot send another's token: what carries one was meant."""
    headers = {"authorization": bearer(root, "write")}
    if origin:
        headers.update(origin=origin, sec_fetch_site="cross-site")
    assert (await send("POST", f"{API}/insert", {"events": [{}]}, **headers)).status_code == 200


async def test_who_lets_everybody_write_lets_no_page_of_another_origin_write(open_site: Any, store: Store) -> None:
    """Even without a cookie: such a page may send these content types unasked, and none of them is taken."""
    site = await open_site(write=True)
    send = sender(site)
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        asked = {"content_type": kind, "origin": "https://evil.example"}
        assert (await send("POST", f"{API}/insert", {"events": [{}]}, **asked)).status_code in (403, 415)
    assert store.contexts() == []
    assert (await send("POST", f"{API}/insert", {"events": [{}]})).status_code == 200


@pytest.mark.parametrize(("method", "path"), EVERY)
async def test_no_answer_opens_itself_to_other_origins_or_caches(
    root: str, send: Send, record: Any, method: str, path: str
) -> None:
    record(NOON_US)
    token = bearer(root, *tokens.GRANTS)
    answer = await send(
        method, address(path, "default"), body_for(path, "default"), authorization=token, origin="https://evil.example"
    )
    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert "no-store" in answer.headers["cache-control"]
