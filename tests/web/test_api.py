"""The log API: what docs/api.md says, and that nothing sent to it is answered with less than a reason."""

import asyncio
import gzip
import json
import lzma
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from datasette_eyelet import instance
from datasette_eyelet.api import body, door, export, insert
from eyelet_ingest import logs, tokens
from eyelet_ingest.store import archives, audit, layout, spool
from eyelet_ingest.store.connect import FileLock
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

API = "/-/eyelet/api"
DOCS = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text("utf-8")
SECONDS = 1_774_015_402  # 2026-03-20T14:03:22Z


class Asker:
    """Asks a site with the token it was given."""

    def __init__(self, site: Any, token: str) -> None:
        self.client, self.token = site.datasette.client, token

    async def __call__(self, method: str, path: str, content: Any = None, **headers: str) -> Any:
        given = {"authorization": f"Bearer {self.token}"}
        if method == "POST":
            given["content-type"] = "application/json"
        given.update({name.replace("_", "-"): value for name, value in headers.items()})
        if isinstance(content, dict | list):
            content = json.dumps(content)
        if isinstance(content, str):
            content = content.encode()
        return await self.client.request(method, API + path, content=content, headers=given)


@pytest.fixture
def ask(site: Any, root: str) -> Asker:
    """With every right in every context."""
    said, _ = tokens.create(root, "docs", [], tokens.GRANTS)
    return Asker(site, said)


def matches(documented: Any, real: Any) -> bool:
    """Whether the real answer says all that is documented."""
    if isinstance(documented, dict):
        return isinstance(real, dict) and all(
            name in real and matches(documented[name], real[name]) for name in documented
        )
    if isinstance(documented, list):
        return isinstance(real, list) and len(documented) == len(real) and all(map(matches, documented, real))
    return type(documented) is type(real) and documented == real


async def test_every_request_of_the_documentation_is_answered_as_it_says(ask: Asker) -> None:
    blocks = re.findall(r"```(http|json|jsonl)\n(.*?)```", DOCS, re.DOTALL)
    asked = [text for kind, text in blocks if kind == "http"]
    answers = [(kind, text) for kind, text in blocks if kind != "http"]
    assert len(asked) == len(answers) == 8
    for request, (kind, answer) in zip(asked, answers, strict=True):
        head, _, content = request.partition("\n\n")
        first, *headers = head.strip().splitlines()
        method, path = first.split()
        given = dict(line.split(": ") for line in headers)
        real = await ask(method, path.removeprefix(API), content.strip(), **given)
        assert real.status_code == 200, real.text
        if kind == "jsonl":
            lines = gzip.decompress(real.content).decode().splitlines()
            assert matches([json.loads(line) for line in answer.splitlines()], [json.loads(line) for line in lines])
        else:
            assert matches(json.loads(answer), real.json()), real.text
        if method == "POST":
            assert real.json().keys() <= json.loads(answer).keys()


def test_every_limit_of_the_documentation_is_the_code_s() -> None:
    limits = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", DOCS[DOCS.index("## Limits") :], re.MULTILINE))
    assert limits["body"] == f"{body.BODY_MAX_BYTES // 2**20} MiB"
    assert limits["events in one request"] == f"{body.EVENTS_MAX:,}"
    assert limits["requests with bodies worked on at once"] == str(door.ROOM["POST"])
    assert limits["days in one request"].startswith(f"{logs.DAYS_MAX};")
    assert limits["exports at once"] == str(door.ROOM["export"])
    assert limits["name of a context"] == f"{insert.CONTEXT_MAX_CHARS} characters"
    assert limits["waiting for a day that others keep"].startswith(f"{logs.DEADLINE_MS // 1_000} seconds")
    assert f"within {body.READ_TIMEOUT_S:.0f} seconds" in DOCS


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("", "object"),
        ("[]", "object"),
        ("5", "object"),
        ("{", "not JSON"),
        ('{"events": []', "not JSON"),
        ('{"events": []} x', "not JSON"),
        ('{"events": [],}', "not JSON"),
        ('{"events" []}', "not JSON"),
        ('{"events": [{}{}]}', "not JSON"),
        ('{"events": [{},]}', "not JSON"),
        ('{"events": [' + "[" * 5_000, "nested too deep"),
        ("{}", "events"),
        ('{"events": {}}', "events"),
        ('{"events": null}', "events"),
        ('{"events": [], "contexts": []}', "'contexts'"),
        ('{"events": [], "context": 5}', "context"),
        ('{"events": [], "context": ""}', "context"),
        ('{"events": [], "context": NaN}', "not JSON"),
        (json.dumps({"events": [], "context": "x" * 201}), "context"),
        (b'{"events": ["\xff"]}', "UTF-8"),
    ],
)
async def test_a_body_that_cannot_be_meant_is_refused_with_what_is_wrong(ask: Asker, content: Any, named: str) -> None:
    answer = await ask("POST", "/insert", content)
    assert answer.status_code == 400, answer.text
    assert answer.json()["ok"] is False and named in answer.json()["error"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
@pytest.mark.parametrize("path", ["/insert", "/delete"])
async def test_what_a_page_of_another_origin_may_send_is_not_taken(ask: Asker, path: str, kind: str) -> None:
    answer = await ask("POST", path, '{"events": []}', content_type=kind)
    assert answer.status_code == 415 and "Content-Type" in answer.json()["error"]


async def test_a_compressed_body_is_not_taken(ask: Asker) -> None:
    answer = await ask("POST", "/insert", gzip.compress(b"{}"), content_encoding="gzip")
    assert answer.status_code == 415 and "gzip" in answer.json()["error"]


async def test_a_long_body_is_refused_while_it_is_read(ask: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "BODY_MAX_BYTES", 1_000)
    assert (await ask("POST", "/insert", b" " * 1_001)).status_code == 413
    assert (await ask("POST", "/insert", b"{}", content_length="99999999999999999999")).status_code == 413


async def test_reading_stops_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "BODY_MAX_BYTES", 1_000)
    given = 0

    class Endless:
        headers: dict[str, str] = {}  # noqa: RUF012

        async def receive(self) -> dict[str, Any]:
            nonlocal given
            given += 300
            return {"type": "http.request", "body": b" " * 300, "more_body": True}

    with pytest.raises(door.Problem, match="longer than 1000 bytes"):
        await body.read(Endless())
    assert given == 1_200


async def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "READ_TIMEOUT_S", 0.02)

    class Silent:
        headers: dict[str, str] = {}  # noqa: RUF012

        async def receive(self) -> dict[str, Any]:
            await asyncio.Event().wait()
            return {}

    with pytest.raises(door.Problem) as problem:
        await body.read(Silent())
    assert problem.value.status == 408


@pytest.mark.parametrize("kind", ["application/json", "application/x-ndjson"])
async def test_too_many_events_are_refused_as_a_whole(
    ask: Asker, store: Store, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body, "EVENTS_MAX", 3)
    content = '{"events": [{},{},{},{}]}' if kind == "application/json" else "{}\n" * 4
    assert (await ask("POST", "/insert", content, content_type=kind)).status_code == 413
    assert store.contexts() == []


async def test_payloads_are_kept_as_they_were_received(ask: Asker, store: Store) -> None:
    spelt = '{"n": 1.10, "big": 123456789012345678901234567890, "e": 1e400,  "u": "\\u00fc",\n "a": 1, "a": 2}'
    answer = await ask("POST", "/insert", f'{{"events": [{spelt}]}}')
    assert answer.json()["stored"] == 1, answer.text
    assert store.search(Filter()).rows[0]["data"] == spelt


async def test_ten_thousand_events_in_one_request_are_stored(ask: Asker, store: Store) -> None:
    answer = await ask("POST", "/insert", {"events": [{"time": SECONDS + n / 1_000, "n": n} for n in range(10_000)]})
    assert (answer.status_code, answer.json()["stored"]) == (200, 10_000)
    assert store.count(Filter()).count == 10_000


async def test_where_every_event_is_refused_so_is_the_request(ask: Asker, store: Store) -> None:
    answer = await ask("POST", "/insert", {"events": [5, {"time": "soon"}]})
    assert answer.status_code == 400
    assert [one["index"] for one in answer.json()["refused"]] == [0, 1]
    assert (await ask("POST", "/insert", {"events": []})).json()["ok"] is True
    assert store.contexts() == []


async def test_a_day_that_is_kept_by_others_is_spooled_and_said(
    ask: Asker, root: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs.record, "__kwdefaults__", {**logs.record.__kwdefaults__, "deadline_ms": 20})
    with FileLock(layout.lock_path(root, layout.key_for("default", SECONDS * 10**6)), time.monotonic_ns() + 10**9):
        answer = await ask("POST", "/insert", {"events": [{"time": SECONDS, "message": "m"}]})
    said = answer.json()
    assert (answer.status_code, said["ok"], said["stored"]) == (200, True, 0)
    assert [one["index"] for one in said["spooled"]] == [0]
    assert root not in answer.text
    assert len(spool.waiting(root)) == 1
    assert store.drain_spool().stored == 1


async def test_a_root_that_takes_nothing_is_503_and_does_not_say_where_it_is(open_site: Any, tmp_path: Path) -> None:
    root = tmp_path / "secret place"
    site = await open_site(root=str(root), write={"id": "alice"})
    root.mkdir()
    (root / "secret.key").write_bytes(b"short")
    sent = {"cookie": "ds_actor=" + site.datasette.sign({"a": {"id": "alice"}}, "actor"), **json_and_csrf(site)}
    sent["cookie"] += "; " + sent.pop("csrf-cookie")
    answer = await site.datasette.client.post(f"{API}/insert", content=b'{"events": [{}]}', headers=sent)
    assert answer.status_code == 503, answer.text
    assert "32" in answer.json()["error"] and "secret place" not in answer.text


def json_and_csrf(site: Any) -> dict[str, str]:
    """What a signed-in page of ours sends: the CSRF token where 0.65 wants it, its origin where 1.0 looks at it."""
    token = site.datasette.sign("x", "csrftoken")
    return {
        "content-type": "application/json",
        "csrf-cookie": f"ds_csrftoken={token}",
        "x-csrftoken": token,
        "sec-fetch-site": "same-origin",
    }


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/insert", "POST"),
        ("GET", "/delete", "POST"),
        ("POST", "/query", "GET, HEAD"),
        ("DELETE", "/count", "GET, HEAD"),
        ("PUT", "/sources", "GET, HEAD"),
        ("POST", "/export", "GET"),
        ("HEAD", "/export", "GET"),
    ],
)
async def test_other_methods_are_refused_with_those_there_are(ask: Asker, method: str, path: str, allowed: str) -> None:
    answer = await ask(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("/query?sesion=x", "sesion"),
        ("/query?_size=5000", "_size"),
        ("/query?_next=nonsense", "cursor"),
        ("/query?_next=w5-1.1.default", "_next"),
        ("/query?from=soon", "soon"),
        ("/query?range=often", "often"),
        ("/query?tz=Mars", "Mars"),
        ("/query?status=fine", "status"),
        ("/query?errors=perhaps", "errors"),
        ("/query?full=1&full=0", "full"),
        ("/count?_size=5", "_size"),
        ("/count?_next=5", "_next"),
        ("/export?_size=5", "_size"),
        ("/export?q=" + "x" * 12_000, "10000"),
        ("/sources?q=x", "q"),
        ("/sources?tool=Bash", "tool"),
        ("/sources?_next=x", "_next"),
        ("/sources?_size=0", "_size"),
    ],
)
async def test_a_parameter_that_cannot_be_meant_is_refused_by_its_name(ask: Asker, path: str, named: str) -> None:
    answer = await ask("GET", path)
    assert answer.status_code == 400, answer.text
    assert answer.json()["ok"] is False and named in answer.json()["error"]


@pytest.mark.parametrize("path", ["", "/", "/nothing", "/insert/x", "/query.json"])
async def test_there_is_no_other_address(ask: Asker, path: str) -> None:
    answer = await ask("GET", path)
    assert answer.status_code == 404 and answer.json()["ok"] is False


async def test_pages_of_a_query_neither_skip_nor_repeat(ask: Asker) -> None:
    await ask("POST", "/insert", {"events": [{"time": SECONDS + n, "n": n} for n in range(25)]})
    found: list[int] = []
    after = ""
    while True:
        page = (await ask("GET", f"/query?_size=7&_next={after}")).json()
        found += [row["data"]["n"] for row in page["rows"]]
        after = page["next"]
        if after is None:
            break
    assert found == list(range(24, -1, -1))


async def test_pages_of_sources_neither_skip_nor_repeat(ask: Asker) -> None:
    names = ["", "a", "a.b", "c"]
    await ask("POST", "/insert", {"events": [{"src": name} for name in names]})
    found: list[str] = []
    after = ""
    while True:
        page = (await ask("GET", f"/sources?_size=1&_next={after}")).json()
        found += [one["src"] for one in page["sources"]]
        after = page["next"]
        if after is None:
            break
    assert found == names


async def test_content_is_what_a_log_says_and_a_line_of_what_happened_else(
    ask: Asker, store: Store, make_event: Callable[..., Any]
) -> None:
    data = '{"tool_name": "Bash", "tool_input": {"command": "make test"}}'
    store.append([make_event(SECONDS * 10**6, data=data, tool_name="Bash")])
    events = [{"time": SECONDS + 1, "content": "two\nlines"}, {"time": SECONDS + 2, "data": {"a": [1]}}]
    long = {"time": SECONDS + 3, "message": "x" * 10_000}
    await ask("POST", "/insert", {"events": [*events, long]})
    rows = (await ask("GET", "/query")).json()["rows"]
    assert [row["content"] for row in rows[1:]] == ['{"a":[1]}', "two\nlines", "make test"]
    assert rows[0]["truncated"] is True and rows[0]["content"].startswith("xxx")
    whole = (await ask("GET", "/query?full=1&_size=1")).json()["rows"][0]
    assert whole["content"] == long["message"] and whole["truncated"] is False


async def test_an_export_is_whole_and_audited(ask: Asker, root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "PIECE_EVENTS", 7)
    await ask(
        "POST",
        "/insert",
        '{"events": [' + ",".join(f'{{"time": {SECONDS + n},\n "n": {n}, "say": "line"}}' for n in range(30)) + "]}",
    )
    answer = await ask("GET", "/export?q=line")
    assert answer.headers["content-type"] == "application/gzip"
    assert answer.headers["content-disposition"].endswith('.jsonl.gz"')
    lines = [json.loads(line) for line in gzip.decompress(answer.content).decode().splitlines()]
    assert [line["data"]["n"] for line in lines[:-1]] == list(range(30))
    assert lines[-1] == {"export": {"events": 30, "complete": True, "unreadable": []}}
    end, begin = audit.lines(root)
    assert (begin.action, begin.who, json.loads(begin.what)) == (
        "export.begin",
        "token:docs",
        {"text": "4 characters", "contexts": None},
    )
    assert end.action == "export.end" and json.loads(end.what)["events"] == 30


async def test_an_export_says_what_it_could_not_read(ask: Asker, root: str) -> None:
    await ask("POST", "/insert", {"events": [{"time": SECONDS}, {"time": SECONDS + 86_400}]})
    instance.of(ask.client.ds).writing.close()  # what is still in its WAL would mend the file
    Path(layout.db_path(root, layout.key_for("default", SECONDS * 10**6))).write_bytes(b"this is no database" * 500)
    lines = gzip.decompress((await ask("GET", "/export")).content).decode().splitlines()
    end = json.loads(lines[-1])["export"]
    assert (len(lines), end["complete"]) == (2, False)
    assert [bad["day"] for bad in end["unreadable"]] == ["2026-03-20"]


async def test_what_cannot_be_audited_is_not_done(ask: Asker, root: str, store: Store) -> None:
    await ask("POST", "/insert", {"events": [{"time": SECONDS}]})
    Path(root, audit.FILE_NAME).write_bytes(b"this is no database" * 500)
    sent = {"before": "2030", "dry_run": False}
    for answer in (await ask("POST", "/delete", sent), await ask("GET", "/export")):
        assert answer.status_code == 503 and "audit" in answer.json()["error"]
    assert store.count(Filter()).count == 1


@pytest.mark.parametrize(
    ("sent", "named"),
    [
        ({}, "filter"),
        ({"filter": {}}, "filter"),
        ({"filter": {"range": "all"}}, "filter"),
        ({"filter": {"src": ""}}, "filter"),
        ({"filter": {"src": []}}, "filter"),
        ({"filter": []}, "filter"),
        ({"filter": {"sesion": "x"}}, "sesion"),
        ({"filter": {"src": 1.5}}, "filter.src"),
        ({"filter": {"q": ["a", "b"]}}, "filter.q"),
        ({"filter": {"_size": "5"}}, "_size"),
        ({"filter": {"full": "1", "src": "a"}}, "full"),
        ({"filter": {"status": "fine"}}, "status"),
        ({"before": "soon"}, "before"),
        ({"before": ""}, "before"),
        ({"before": []}, "before"),
        ({"before": None}, "filter"),
        ({"before": "2030", "dry_run": "no"}, "dry_run"),
        ({"before": "2030", "dry_run": None}, "dry_run"),
        ({"before": "2030", "dryrun": False}, "dryrun"),
        ({"project": ""}, "project"),
        ({"project": []}, "project"),
        ({"project": ["/a", 5]}, "project"),
        ({"project": "/"}, "every project"),
        ({"before": "2030", "prompt": None}, "prompt"),
    ],
)
async def test_a_deletion_that_is_not_said_clearly_is_refused(ask: Asker, store: Store, sent: Any, named: str) -> None:
    await ask("POST", "/insert", {"events": [{"time": SECONDS}]})
    answer = await ask("POST", "/delete", sent)
    assert answer.status_code == 400, answer.text
    assert named in answer.json()["error"]
    assert store.count(Filter()).count == 1


async def test_nothing_is_deleted_unless_dry_run_is_false(ask: Asker, root: str, store: Store) -> None:
    await ask("POST", "/insert", {"events": [{"time": SECONDS}]})
    assert (await ask("POST", "/delete", {"before": "2030"})).json()["events"] == 1
    assert store.count(Filter()).count == 1 and audit.lines(root) == []
    assert (await ask("POST", "/delete", {"before": "2026-03-20"})).json()["events"] == 0
    assert (await ask("POST", "/delete", {"before": "2030", "dry_run": False})).json()["events"] == 1
    assert store.count(Filter()).count == 0


async def test_a_deletion_is_audited_without_the_text_it_was_for(ask: Asker, root: str) -> None:
    await ask("POST", "/insert", {"events": [{"time": SECONDS, "message": "my dark past"}]})
    answer = await ask("POST", "/delete", {"filter": {"q": "dark past"}, "dry_run": False})
    assert answer.json()["events"] == 1
    end, begin = audit.lines(root)
    assert [begin.action, end.action] == ["delete.begin", "delete.end"]
    assert json.loads(begin.what)["text"] == "9 characters"
    assert json.loads(end.what) == {"events": 1, "days": {"default-2026-079": 1}, "elsewhere": {}, "failed": []}
    for path in Path(root).rglob("*"):
        if path.is_file() and path.name != "ingest.sqlite":
            assert b"dark past" not in path.read_bytes()


async def test_a_session_a_project_and_a_prompt_go_from_every_place_and_the_audit_names_none_of_them(
    ask: Asker, root: str, store: Store, make_event: Any
) -> None:
    at_us = SECONDS * 10**6
    store.append([make_event(at_us + n, session_id="going-s", project_dir="/going-d/a") for n in range(4)])
    store.append([make_event(at_us + 9, session_id="s", data='{"prompt_id": "going-p", "prompt": "x"}')])
    archives.archive(root, layout.key_for("default", at_us))
    said = (await ask("POST", "/delete", {"filter": {"session": "going-s"}})).json()
    one = {"context": "default", "day": "2026-03-20", "events": 4, "whole": False}
    assert (said["days"], said["elsewhere"]) == ([one | {"place": "days"}], [one | {"place": "archive"}])
    assert (await ask("POST", "/delete", {"project": "/going-d"})).json()["events"] == 4
    for what in ({"project": ["/nobody", "/going-d"]}, {"prompt": "going-p"}, {"filter": {"session": "going-s"}}):
        done = (await ask("POST", "/delete", {**what, "dry_run": False})).json()
        assert (done["ok"], done["unerased"]) == (True, [])
    assert store.count(Filter()).count == 0
    assert json.loads(audit.lines(root)[-1].what) == {"projects": "2 given", "contexts": None}
    for path in Path(root).rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert b"going" not in (lzma.decompress(content) if path.suffix == ".xz" else content), path


async def test_a_day_that_is_mounted_can_be_removed(ask: Asker, site: Any, root: str) -> None:
    await ask("POST", "/insert", {"events": [{"time": SECONDS}]})
    assert (await site.get("/default-2026-079/hooks")).status_code == 200
    answer = await ask("POST", "/delete", {"before": "2030", "dry_run": False})
    assert answer.json()["days"] == [
        {"place": "days", "context": "default", "day": "2026-03-20", "events": 1, "whole": True}
    ]
    assert not Path(root, "logs", "default").exists()
    assert (await site.get("/default-2026-079/hooks")).status_code == 404


async def test_a_broken_day_is_named_and_the_answer_is_not_ok(ask: Asker, root: str) -> None:
    await ask("POST", "/insert", {"events": [{"time": SECONDS, "src": "a"}, {"time": SECONDS + 86_400, "src": "a"}]})
    instance.of(ask.client.ds).writing.close()
    Path(layout.db_path(root, layout.key_for("default", SECONDS * 10**6))).write_bytes(b"this is no database" * 500)
    said = (await ask("POST", "/delete", {"filter": {"src": "a"}, "dry_run": False})).json()
    assert (said["ok"], said["events"], [bad["day"] for bad in said["failed"]]) == (False, 1, ["2026-03-20"])


async def test_where_there_is_no_room_one_is_told_to_come_again(
    ask: Asker, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(door.ROOM, "POST", 0)
    monkeypatch.setitem(door.ROOM, "export", 0)
    for answer in (await ask("POST", "/insert", {"events": [{}]}), await ask("GET", "/export")):
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert store.contexts() == []


async def test_room_is_given_back_whatever_happens(ask: Asker, site: Any) -> None:
    for content in ("{", '{"events": [5]}', '{"events": [{}]}', b"\xff"):
        await ask("POST", "/insert", content)
    await ask("GET", "/export")
    await ask("POST", "/delete", {"before": "2030"})
    assert set(site.datasette._eyelet_api_taken.values()) == {0}


async def test_many_clients_at_once_lose_nothing(ask: Asker, store: Store) -> None:
    async def send(who: int) -> int:
        stored = 0
        for n in range(5):
            while True:
                answer = await ask("POST", "/insert", {"events": [{"time": SECONDS, "who": who, "n": n}]})
                if answer.status_code != 429:
                    break
                await asyncio.sleep(0.01)
            stored += answer.json()["stored"] + len(answer.json()["spooled"])
        return stored

    assert sum(await asyncio.gather(*(send(who) for who in range(16)))) == 80
    store.drain_spool()
    assert store.count(Filter()).count == 80
