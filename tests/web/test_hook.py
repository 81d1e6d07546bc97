"""`POST /-/eyelet/hook`: what an agent posts is there once it is acknowledged, and nobody else may post."""

import asyncio
import http.client
import itertools
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from datasette_eyelet import instance
from datasette_eyelet.api import body, door, hook, senders
from datasette_eyelet.handed_over import HandedOver
from eyelet_ingest import capture, grouped, live, logs, pipeline, surroundings, tokens
from eyelet_ingest.redaction import Redactor
from eyelet_ingest.store import identity, layout, spool
from eyelet_ingest.store.connect import FileLock
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

SOAK = bool(os.environ.get("EYELET_SOAK"))
PAYLOAD = {
    "hook_event_name": "PostToolUse",
    "session_id": "s-1",
    "tool_name": "Bash",
    "tool_input": {"command": "git push"},
    "tool_response": {"stdout": "", "stderr": "", "interrupted": False},
    "tool_use_id": "toolu_1",
}


class Agent:
    """Posts payloads as an agent does, with the token it was given."""

    def __init__(self, site: Any, token: str) -> None:
        self.client, self.token = site.datasette.client, token

    async def __call__(self, content: Any = PAYLOAD, path: str = hook.HOOK, **headers: str | None) -> Any:
        given = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
        for name, value in headers.items():
            given.pop(name.replace("_", "-"), None)
            if value is not None:
                given[name.replace("_", "-")] = value
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        return await self.client.post(path, content=raw, headers=given)


@pytest.fixture
def agent(site: Any, root: str, monkeypatch: pytest.MonkeyPatch) -> Agent:
    monkeypatch.setattr(surroundings, "WAIT_MS", 20_000)  # where the machine is busy
    said, _ = tokens.create(root, "agent", [], ["write"])
    return Agent(site, said)


def rows(store: Store, **where: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in store.search(Filter(**where), limit=1_000).rows]


async def test_a_payload_is_a_row_when_it_is_acknowledged_and_the_answer_says_nothing(
    agent: Agent, store: Store
) -> None:
    answer = await agent()
    assert (answer.status_code, answer.json()) == (200, {})
    assert answer.headers["content-type"].startswith("application/json")
    (row,) = rows(store)
    assert (row["hook_type"], row["tool_name"], row["src"]) == (
        "PostToolUse",
        "Bash",
        "claude.posttooluse.bash.git.push",
    )
    assert (row["origin"], row["session_id"], row["context_name"]) == ("hook", "s-1", "default")
    assert json.loads(row["data"]) == PAYLOAD and json.loads(row["meta"])["source"]["sender"] == "token:agent"


@pytest.mark.parametrize(
    ("said", "fields", "src"),
    [
        ("codex", {}, "codex.posttooluse.bash.git.push"),
        ("", {"turn_id": "t"}, "codex.posttooluse.bash.git.push"),
        ("claude", {"cursor_version": "3.1"}, "cursor.posttooluse.bash.git.push"),
        ("nobody", {}, "claude.posttooluse.bash.git.push"),
    ],
)
async def test_a_payload_is_of_whom_the_header_or_its_shape_says(
    agent: Agent, store: Store, said: str, fields: dict[str, str], src: str
) -> None:
    assert (await agent({**PAYLOAD, **fields}, X_Eyelet_Agent=said)).status_code == 200
    (row,) = rows(store)
    assert (row["src"], row["agent"]) == (src, src.partition(".")[0])


async def test_two_equal_payloads_are_two_events(agent: Agent, store: Store) -> None:
    await asyncio.gather(*(agent() for _ in range(20)))
    assert store.count(Filter()).count == 20


async def test_what_is_secret_reaches_no_byte_of_the_root(agent: Agent, root: str) -> None:
    secret = "hunter2hunter2hunter2"
    await agent({**PAYLOAD, "tool_input": {"command": f"export DB_PASSWORD={secret}"}})
    for path in Path(root).rglob("*"):
        assert path.is_dir() or secret.encode() not in path.read_bytes(), path


async def test_hook_server_log_and_import_redact_alike(
    agent: Agent, store: Store, root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surroundings, "WAIT_MS", 20_000)  # the settings are read by a process of their own
    config = Path(surroundings.config_file())
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text("redaction:\n  patterns:\n    acme-key: 'ACME-[A-Z]{9}'\n  allow: ['hunter-stays']\n")
    token = "gh" + "p_" + "aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zC" + "1234"
    command = f"a ACME-ABCDEFGHI {token} <private>x\ny</private> PASSWORD=hunter-stays SECRET=hunter2hunter2"
    content = {**PAYLOAD, "tool_input": {"command": command, "password": "hunter-stays", "secret": "hunter2hunter2"}}
    await agent(content)
    surroundings.Surroundings("/")  # read by now
    run = [sys.executable, "-I", "-S", str(Path(capture.__file__)), "--root", root]
    subprocess.run(run, input=json.dumps(content).encode(), check=True, cwd=tmp_path)
    (tmp_path / "a.jsonl").write_text(json.dumps(content) + "\n")
    pipeline.ingest([str(tmp_path / "a.jsonl")], root)
    logs.record(store, "default", [json.dumps(content)], sender="t")
    found = [json.loads(row["data"])["tool_input"] for row in rows(store)]
    mark = Redactor(identity.load_key(root)).marker
    secret = mark("secret", "hunter2hunter2")
    said = f"a {mark('acme-key', 'ACME-ABCDEFGHI')} {mark('github-token', token)} {mark('private', 'xy')}"
    assert found == 4 * [
        {"command": f"{said} PASSWORD=hunter-stays SECRET={secret}", "password": "hunter-stays", "secret": secret}
    ]


async def test_a_refusal_quotes_no_secret(agent: Agent) -> None:
    token = "gh" + "p_" + "aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zC" + "1234"
    for answer in (
        await agent(path=f"{hook.HOOK}?{token}=1"),
        await agent(path=f"{hook.HOOK}?context={token}"),
        await agent(x_eyelet_context=token),
        await agent({"events": [], token: 1}, path="/-/eyelet/api/insert"),
        await agent({"events": [{"message": "x", "level": token}]}, path="/-/eyelet/api/insert"),
        await agent({"events": [{"message": "x"}], "context": token}, path="/-/eyelet/api/insert"),
    ):
        assert answer.status_code == 400 and answer.json()["error"] and token not in answer.text


@pytest.mark.parametrize("content", [b"no JSON", b'{"a": NaN}', b"\xff\xfe", b"[1]", b"[" * 5_000])
async def test_what_is_no_payload_is_kept_all_the_same(agent: Agent, store: Store, content: bytes) -> None:
    assert (await agent(content)).status_code == 200
    assert len(rows(store)) == 1


async def test_an_empty_body_is_told(agent: Agent) -> None:
    assert (await agent(b" \n")).status_code == 400


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "127.0.0.1.evil.example:8001"},
        {"host": "localhost@evil.example"},
        {"host": "10.0.0.7:8001"},
        {"host": "[::2]:8001"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:3000"},
        {"origin": "http://localhost@evil.example"},
        {"origin": "file://localhost"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ],
    ids=str,
)
async def test_a_web_page_may_not_post_even_with_a_token(agent: Agent, store: Store, headers: dict[str, str]) -> None:
    answer = await agent(**headers)
    assert answer.status_code == 403, answer.text
    assert rows(store) == []


@pytest.mark.parametrize("host", ["127.0.0.1:8001", "localhost", "LOCALHOST:1", "[::1]:8001", "[::1]"])
async def test_this_machine_is_known_by_its_own_names(agent: Agent, host: str) -> None:
    assert (await agent(host=host)).status_code == 200
    own = {"host": host, "origin": f"http://{host}", "sec_fetch_site": "same-origin"}
    assert (await agent(**own)).status_code == 200


async def test_another_host_is_known_where_a_setting_names_it(open_site: Any, root: str) -> None:
    said, _ = tokens.create(root, "agent", [], ["write"])
    agent = Agent(await open_site(hook_hosts=["Recorder.internal"]), said)
    assert (await agent(host="recorder.internal:8001")).status_code == 200
    assert (await agent(host="internal:8001")).status_code == 403


async def test_a_cookie_counts_for_nothing(site: Any, store: Store) -> None:
    cookie = "ds_actor=" + site.datasette.sign({"a": {"id": "root"}}, "actor")
    for more in ({}, {"authorization": "Bearer of-nobody"}):
        headers = {"cookie": cookie, "content-type": "application/json", "origin": "http://localhost", **more}
        answer = await site.datasette.client.post(hook.HOOK, content=b"{}", headers=headers)
        assert answer.status_code in (401, 403), answer.text  # 403: Datasette's own look at forged requests
    assert rows(store) == []


async def test_no_token_is_told_so_whoever_may_what(site: Any, open_site: Any) -> None:
    for one in (site, await open_site(write=True)):
        answer = await one.datasette.client.post(hook.HOOK, content=b"{}", headers={"host": "localhost"})
        assert answer.status_code == 401 and "eyelet token create" in answer.text, answer.text
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_token_that_may_not_write_is_refused_and_one_may_only_where_it_says(site: Any, root: str) -> None:
    reads, _ = tokens.create(root, "reads", [], ["view"])
    shop, _ = tokens.create(root, "shop", ["shop"], ["write"])
    assert (await Agent(site, reads)()).status_code == 403
    assert (await Agent(site, "eyelet_wrong")()).status_code in (401, 403)
    assert (await Agent(site, shop)()).status_code == 403
    assert (await Agent(site, shop)(path=hook.HOOK + "?context=shop")).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content_type": "text/plain"}, 415),
        ({"content_type": None}, 415),
        ({"content_encoding": "gzip"}, 415),
        ({"content_length": str(hook.BODY_MAX_BYTES + 1)}, 413),
    ],
)
async def test_what_cannot_be_taken_is_refused(agent: Agent, headers: dict[str, str | None], status: int) -> None:
    assert (await agent(**headers)).status_code == status


async def test_a_long_body_is_refused_while_it_is_read(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hook, "BODY_MAX_BYTES", 1_000)
    assert (await agent(b"[" + b"1," * 600 + b"1]")).status_code == 413
    monkeypatch.setattr(hook, "BODY_MAX_BYTES", 10_000)
    monkeypatch.setattr(senders, "BODIES_MAX_BYTES", 1_000)
    answer = await agent(b"[" + b"1," * 600 + b"1]")
    assert answer.status_code == 503 and answer.headers["retry-after"]
    assert (await agent()).status_code == 200  # what was held is let go


async def test_only_post_is_taken(agent: Agent) -> None:
    answer = await agent.client.get(hook.HOOK, headers={"authorization": f"Bearer {agent.token}"})
    assert answer.status_code == 405 and answer.headers["allow"] == "POST"


async def test_the_context_is_the_addresss_the_headers_or_the_folders(
    agent: Agent, store: Store, tmp_path: Path
) -> None:
    project = tmp_path / "Shop"
    (project / ".git").mkdir(parents=True)
    (project / "eyelet.yaml").write_text("context: project\n")
    await agent({**PAYLOAD, "cwd": str(project)})
    await agent({"hook_event_name": "stop", "cursor_version": "3.1", "workspace_roots": [str(project)]})
    await agent({**PAYLOAD, "cwd": str(project)}, x_eyelet_context="of-header")
    await agent({**PAYLOAD, "cwd": str(project)}, path=hook.HOOK + "?context=of-address")
    await agent(x_eyelet_context="")
    found = sorted(row["context_name"] for row in rows(store))
    assert found == sorted([*[layout.safe_context("Shop")] * 2, "of-header", "of-address", "default"])
    assert (await agent(path=hook.HOOK + "?context=a", x_eyelet_context="b")).status_code == 400
    assert (await agent(path=hook.HOOK + "?contexts=a")).status_code == 400
    assert (await agent(x_eyelet_context="x" * 201)).status_code == 400


async def test_posts_that_share_a_look_at_their_folder_never_get_the_servers_environment(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A post of another machine names no folder here, as one of this machine may not."""
    monkeypatch.setenv("CLAUDE_OF_THE_SERVER", "1")
    held, line = instance.of(site.datasette), HandedOver()
    raw = b'{"hook_event_name":"Stop"}'
    for is_near in (False, True):
        taking = hook._Taking(held, raw, "", is_near, (b"", time.time_ns()), "", {})
        taking.line = line
        _, event = taking.event()
        assert event is not None and "environment" not in event.meta
    line.close()


async def test_however_many_folders_are_named_in_one_burst_few_are_remembered(site: Any) -> None:
    held, line = instance.of(site.datasette), HandedOver()
    for number in range(hook.SHARED_MAX * 2):
        raw = json.dumps({**PAYLOAD, "cwd": f"/{number}" + "x" * (number % 2 * 10**5)}).encode()
        taking = hook._Taking(held, raw, "", True, (b"", time.time_ns()), "", {})
        taking.line = line
        assert taking.event()[1] is not None
        assert len(line.shared) <= hook.SHARED_MAX and all(len(said) < 10_000 for said in line.shared)
    line.close()


async def test_a_server_that_began_as_a_copy_of_another_gives_its_events_uids_of_their_own(
    agent: Agent, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):  # the same memory, and the number of a process that is gone
        monkeypatch.setattr(hook, "_numbers", itertools.count())
        assert (await agent()).status_code == 200
    assert len(rows(store)) == 2


async def test_what_rests_is_acknowledged_and_not_recorded(agent: Agent, store: Store, tmp_path: Path) -> None:
    off = tmp_path / "off"
    (off / ".git").mkdir(parents=True)
    (off / "eyelet.yaml").write_text("logging:\n  enabled: false\n")
    for answer in (await agent({**PAYLOAD, "cwd": str(off)}), await agent(x_eyelet_disabled="1")):
        assert (answer.status_code, answer.json()) == (200, {})
    home = tmp_path / "home" / ".eyelet"
    home.mkdir(parents=True, exist_ok=True)
    (home / "paused").write_text("0\t\n")
    assert (await agent()).status_code == 200
    assert rows(store) == []
    (home / "paused").unlink()
    await agent(x_eyelet_disabled="0")
    assert len(rows(store)) == 1


async def test_a_day_that_others_keep_lets_events_wait_safely(
    agent: Agent, store: Store, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grouped, "DAY_DEADLINE_MS", 50)
    key = layout.key_for("default", time.time_ns() // 1_000)
    with FileLock(layout.lock_path(root, key), time.monotonic_ns() + 10**9):
        answers = await asyncio.gather(*(agent() for _ in range(5)))
    assert [answer.status_code for answer in answers] == [200] * 5
    assert len(spool.waiting(root)) == 5
    assert store.drain_spool().stored == 5


async def test_more_than_may_wait_goes_to_the_disk(
    agent: Agent, store: Store, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grouped, "WAITING_MAX", 0)
    assert (await agent()).status_code == 200
    assert len(spool.waiting(root)) == 1 and store.drain_spool().stored == 1


async def test_a_root_that_takes_nothing_is_told(
    agent: Agent, site: Any, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> str:
        raise OSError(28, "No space left on device", root)

    monkeypatch.setattr(spool, "_write", full)
    monkeypatch.setattr(grouped, "WAITING_MAX", 0)
    answer = await agent()
    assert answer.status_code == 503 and root not in answer.text


async def test_many_posts_share_a_transaction(agent: Agent, site: Any, store: Store) -> None:
    writer = instance.of(site.datasette).grouped
    gate, taken = threading.Event(), []
    real = writer._store_group

    def slowly(group: Any) -> None:
        taken.append(len(group))
        gate.wait(10)
        real(group)

    writer._store_group = slowly  # type: ignore[method-assign]
    posts = [asyncio.ensure_future(agent()) for _ in range(40)]
    while sum(taken) + len(writer._waiting) < 40:
        await asyncio.sleep(0.01)
    gate.set()
    await asyncio.gather(*posts)
    assert store.count(Filter()).count == 40 and writer.groups <= 2


async def test_what_waits_is_stored_when_the_server_ends(agent: Agent, site: Any, store: Store) -> None:
    await agent()
    writer = instance.of(site.datasette).grouped
    done = [writer.put("default", _event()) for _ in range(50)]
    instance.stop(site.datasette)
    assert all(one is not None and one.done() and one.exception() is None for one in done)
    assert store.count(Filter()).count == 51
    assert writer.put("default", _event()) is None


def _event() -> Any:
    event, _ = live.event_of(json.dumps(PAYLOAD).encode(), time.time_ns(), Redactor())
    event.uid = os.urandom(16)
    return event


async def test_an_agent_that_goes_away_takes_nothing_with_it(agent: Agent, store: Store) -> None:
    posts = [asyncio.ensure_future(agent({**PAYLOAD, "n": n})) for n in range(30)]
    await asyncio.sleep(0.02)
    for post in posts[::2]:
        post.cancel()
    await asyncio.gather(*posts, return_exceptions=True)
    kept = [post for post in posts if not post.cancelled()]
    assert all(post.result().status_code == 200 for post in kept)
    stored = {json.loads(row["data"])["n"] for row in rows(store)}
    assert {n for n, post in enumerate(posts) if not post.cancelled()} <= stored
    assert (await agent()).status_code == 200


@pytest.mark.parametrize("seed", range(40 if SOAK else 2))
def test_every_acknowledged_event_is_there_once_after_a_kill(run_datasette: Any, root: str, seed: int) -> None:
    said, _ = tokens.create(root, "agent", [], ["write"])
    server = run_datasette()
    acknowledged: list[set[int]] = [set() for _ in range(8)]

    def post(mine: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        headers = {"authorization": f"Bearer {said}", "content-type": "application/json"}
        try:
            for at in range(10_000):
                number = mine * 10_000 + at
                connection.request("POST", hook.HOOK, json.dumps({**PAYLOAD, "n": number}), headers)
                answer = connection.getresponse()
                answer.read()
                if answer.status == 200:
                    acknowledged[mine].add(number)
        except (OSError, http.client.HTTPException):
            return

    threads = [threading.Thread(target=post, args=[mine]) for mine in range(8)]
    for thread in threads:
        thread.start()
    while sum(map(len, acknowledged)) < 40 + seed * 37:
        time.sleep(0.01)
    server.process.kill()
    for thread in threads:
        thread.join()
    with Store(root) as store:
        store.drain_spool()
        stored = [json.loads(str(row["data"]))["n"] for row in store.export(Filter())]
    assert len(stored) == len(set(stored))
    assert set().union(*acknowledged) <= set(stored)


def test_a_server_that_is_asked_to_end_answers_what_it_took(run_datasette: Any, root: str) -> None:
    said, _ = tokens.create(root, "agent", [], ["write"])
    server = run_datasette()
    answers: list[int] = []
    headers = {"authorization": f"Bearer {said}", "content-type": "application/json"}

    def post(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        connection.request("POST", hook.HOOK, json.dumps({**PAYLOAD, "n": number}), headers)
        answers.append(connection.getresponse().status)

    for number in range(5):
        post(number)
    server.process.terminate()
    server.process.wait(timeout=30)
    with Store(root) as store:
        assert answers == [200] * 5 and store.count(Filter()).count == 5


def test_every_limit_of_the_documentation_is_the_code_s() -> None:
    docs = (Path(__file__).resolve().parents[2] / "docs" / "http-hook.md").read_text("utf-8")
    assert f"{hook.BODY_MAX_BYTES // 2**20} MiB" in docs and f"{senders.BODIES_MAX_BYTES // 2**20} MiB" in docs
    assert f"{door.ROOM['hook']:,}" in docs and f"{grouped.DAY_DEADLINE_MS} ms" in docs
    assert f"{grouped.WAITING_MAX:,}" in docs and f"{body.READ_TIMEOUT_S:.0f} seconds" in docs
    headers = ("X-Eyelet-Agent", "X-Eyelet-Context", "X-Eyelet-Disabled")
    for name in (*senders.LOOPBACK, *headers, "hook_hosts", hook.HOOK):
        assert name in docs


async def test_who_got_no_answer_in_time_stores_the_same_event_and_no_second_one(agent: Agent, store: Store) -> None:
    uid, now_ns = os.urandom(16), time.time_ns()
    for _ in range(2):
        assert (await agent(x_eyelet_event=f"{uid.hex()} {now_ns}")).status_code == 200
    (row,) = rows(store)
    assert (row["uid"], row["id"]) == (uid.hex(), now_ns // 1_000)


@pytest.mark.parametrize("said", ["", "x", "0" * 32, "0" * 32 + " 1", "g" * 32 + " 1", "0" * 32 + " " + "9" * 20])
async def test_a_name_of_an_event_that_is_none_is_passed_over(agent: Agent, store: Store, said: str) -> None:
    for _ in range(2):
        assert (await agent(x_eyelet_event=said)).status_code == 200
    assert len(rows(store)) == 2


async def test_a_repeated_text_stands_in_its_place_wherever_an_event_is_shown_whole(agent: Agent, site: Any) -> None:
    text = "a line of a file\n" * 100
    payload = {**PAYLOAD, "tool_input": {"content": text}, "tool_response": {"content": text}}
    await agent(payload)
    found = (await site.json("/-/eyelet.json?full=1&range=all"))["rows"]
    assert found[0]["data"] == payload
    page = (await site.get(found[0]["links"]["event"])).text
    assert page.count("a line of a file") >= 2 * 100
    assert "the same as" not in page
