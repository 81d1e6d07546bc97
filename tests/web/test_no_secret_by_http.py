"""Secrets of every kind through every address of the server: none in a file, an answer, a page, or its log."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from datasette_eyelet.api import hook
from eyelet_ingest import tokens
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store
from tests.corpus.planted import Planted, a_token, planted, traces
from tests.web.conftest import free_port

TOKEN = a_token(9)
INSERT = "/-/eyelet/api/insert"


@pytest.fixture(scope="module")
def secrets() -> list[Planted]:
    return [*planted(20261122), Planted("a token in every field", TOKEN, TOKEN)]


def payload(secrets: list[Planted]) -> dict[str, Any]:
    texts = [one.text for one in secrets]
    return {
        "hook_event_name": "PostToolUse", "session_id": f"s-{TOKEN}", "tool_name": "Bash", "tool_use_id": TOKEN,
        "cwd": f"/work/{TOKEN}", "tool_input": {"command": f"push {TOKEN}", "lines": texts},
        "tool_response": {"stdout": texts[0]},
    }  # fmt: skip


def bodies(secrets: list[Planted]) -> list[bytes]:
    whole = json.dumps(payload(secrets)).encode()
    return [whole, whole[:-40], whole.decode().encode("utf-16"), whole + whole, b"[" + whole + b"]", TOKEN.encode()]


async def test_what_is_posted_leaves_none(secrets: list[Planted], site: Any, root: str, tmp_path: Path) -> None:
    said, _ = tokens.create(root, "agent", [], ["write", "view", "admin"])
    client = site.datasette.client
    answers = []
    for body in bodies(secrets):
        for path in (hook.HOOK, INSERT):
            for kind in ("application/json", "application/x-ndjson", "text/plain"):
                headers = {"authorization": f"Bearer {said}", "content-type": kind}
                answers.append(await client.post(path, content=body, headers=headers))
    events = [{"src": f"a.{TOKEN}", "content": one.text, "session_id": TOKEN, "time": TOKEN} for one in secrets]
    sent = json.dumps({"context": "default", "events": [*events, *({**event, "time": 1774015403} for event in events)]})
    headers = {"authorization": f"Bearer {said}", "content-type": "application/json"}
    answers.append(await client.post(INSERT, content=sent, headers=headers))
    with Store(root) as store:
        assert store.count(Filter()).count > len(secrets)
    pages = [
        "/-/eyelet",
        "/-/eyelet.json?_size=1000&full=1",
        "/-/eyelet/api/export",
        "/-/eyelet/api/query",
        "/-/eyelet/api/sources",
    ]
    answers += [await client.get(page, headers={"authorization": f"Bearer {said}"}) for page in pages]
    assert [answer for answer in answers if answer.status_code == 200]
    texts = [answer.text for answer in answers]
    assert traces(secrets, [Path(root), tmp_path / "home"], *texts) == []


async def test_a_token_that_is_shown_is_kept_nowhere(site: Any, root: str, tmp_path: Path) -> None:
    """Right or wrong, in the header or by mistake in the address."""
    said, _ = tokens.create(root, "agent", [], ["write", "view"])
    wrong = "eyt_" + said[4:][::-1]
    for shown in (said, wrong):
        for path in ("/-/eyelet/api/count", f"/-/eyelet/api/count?token={shown}"):
            await site.datasette.client.get(path, headers={"authorization": f"Bearer {shown}"})
        headers = {"authorization": f"Bearer {shown}", "content-type": "application/json"}
        await site.datasette.client.post(hook.HOOK, content=b'{"hook_event_name": "Stop"}', headers=headers)
    shown_ones = [Planted("shown", said, said), Planted("wrong", wrong, wrong)]
    assert traces(shown_ones, [Path(root), tmp_path / "home"]) == []


def test_the_servers_log_has_none(secrets: list[Planted], serve: Any, root: str, tmp_path: Path) -> None:
    import http.client
    from urllib.parse import urlsplit

    served = serve("--port", str(free_port()))
    said, _ = tokens.create(root, "agent", [], ["write"])
    address = urlsplit(served.search_url)
    for body in bodies(secrets):
        for path in (hook.HOOK, INSERT):
            connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=20)
            headers = {"authorization": f"Bearer {said}", "content-type": "application/json", "host": address.netloc}
            connection.request("POST", path, body, headers)
            assert connection.getresponse().read() is not None
            connection.close()
    code, errors = served.end()
    keys = [Planted("the token", said, said), *secrets]
    assert code in (0, -2, 130) and traces(keys, [Path(root), tmp_path / "home"], errors, "".join(served.said)) == []
    assert os.path.isdir(os.path.join(root, "logs"))
