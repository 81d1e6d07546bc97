"""What was tried against days and the log API, and must not work: each test is one attack."""

import asyncio
import json
import os
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from datasette.app import Datasette
from datasette.utils.asgi import Request, Response

from datasette_eyelet import day_gate, download, instance, mounts
from datasette_eyelet.api import door
from eyelet_ingest import tokens
from eyelet_ingest.store import audit, connect, copies, deletion, layout
from eyelet_ingest.store.store import Store

# The site and the recorder are fixtures of tests/web/conftest.py.
OpenSite = Any
Record = Any
BOB = {"id": "bob"}


def day_of(us: int, context: str = "default") -> str:
    return layout.key_for(context, us).mount_name


@pytest.mark.parametrize("threads", [0, 3])
async def test_no_day_is_attached_to_a_connection_that_others_ask(
    open_site: OpenSite, record: Record, noon_us: int, threads: int
) -> None:
    """Without threads the connection of `_memory` is made inside the first request, and that may be about a day."""
    record(noon_us)
    site = await open_site(datasette={"crossdb": True, "settings": {"num_sql_threads": threads}})
    assert (await site.get(f"/{day_of(noon_us)}/hooks")).status_code == 200
    for address in ("/_memory.json", "/_memory/-/query.json"):
        answer = await site.get(f"{address}?sql=select+*+from+pragma_database_list", actor=None)
        assert "logs.sqlite" not in answer.text
        answer = await site.get(f"{address}?sql=select+count(*)+from+[{day_of(noon_us)}].hooks", actor=None)
        assert answer.status_code != 200 or "rows" not in answer.text


async def test_who_waits_for_a_day_keeps_nobody_from_the_pages(
    site: Any, store: Store, record: Record, noon_us: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(noon_us)
    monkeypatch.setattr(deletion, "DEADLINE_MS", 3_000)
    said, _ = tokens.create(store.root, "t", (), ("write", "admin"))
    headers = {"authorization": f"Bearer {said}"}
    body = {"filter": {"src": "a.b"}, "dry_run": False}
    threads = ThreadPoolExecutor(2)
    asyncio.get_running_loop().set_default_executor(threads)

    async def delete() -> Any:
        return await site.datasette.client.post("/-/eyelet/api/delete", json=body, headers=headers)

    lock = layout.lock_path(store.root, layout.key_for("default", noon_us))
    with connect.FileLock(lock, time.monotonic_ns() + 10**9):
        waiting = [asyncio.ensure_future(delete()) for _ in range(door.ROOM["POST"])]
        while len(held_threads()) < len(waiting):
            await asyncio.sleep(0.01)
        for path in ("/-/eyelet/days.json", f"/{day_of(noon_us)}/hooks.json", "/-/eyelet?range=all"):
            assert (await site.get(path)).status_code == 200
        assert not any(one.done() for one in waiting)
    assert {(await one).status_code for one in waiting} == {200}


def held_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("eyelet_")]


async def test_copies_that_take_room_on_the_disk_are_few(site: Any, record: Record, root: str, noon_us: int) -> None:
    record(noon_us)
    days = instance.of(site.datasette).days
    key = layout.key_for("default", noon_us)
    request = Request.fake(f"/{key.mount_name}.db")
    request.scope.update(actor={"id": "root"}, csrftoken=lambda: "")
    with days.pinned(key):
        mounted = await days.mount(key)
        with mounts.showing(mounted):
            kept = [await download.day(site.datasette, request, mounted) for _ in range(download.COPIES)]
            assert (await download.day(site.datasette, request, mounted)).status == 429
            sent: list[Any] = []
            await kept.pop().asgi_send(lambda message: took(sent, message))
            assert b"".join(one.get("body", b"") for one in sent).startswith(b"SQLite format 3")
            assert (await download.day(site.datasette, request, mounted)).status == 200
            del kept
    assert os.listdir(layout.partition_dir(root, key)) and not left_behind(root, key)


async def took(sent: list[Any], message: Any) -> None:
    sent.append(message)


def left_behind(root: str, key: layout.PartitionKey) -> list[str]:
    return [name for name in os.listdir(layout.partition_dir(root, key)) if name.startswith(copies.PREFIX)]


@pytest.mark.parametrize("sent", [{"before": "2100-01-01"}, {"filter": {"src": "a.b"}}], ids=["whole", "rows"])
async def test_a_copy_that_a_kill_left_behind_goes_with_what_is_deleted(
    site: Any, root: str, record: Record, noon_us: int, sent: Any
) -> None:
    record(noon_us, src="a.b")
    record(noon_us + 1, src="c.d")
    key = layout.key_for("default", noon_us)
    left = os.path.join(layout.partition_dir(root, key), copies.PREFIX + "killed")
    os.mkdir(left)
    shutil.copy(layout.db_path(root, key), os.path.join(left, "day.db"))
    said, _ = tokens.create(root, "t", (), ("admin",))
    headers = {"authorization": f"Bearer {said}"}
    answer = await site.datasette.client.post("/-/eyelet/api/delete", json={**sent, "dry_run": False}, headers=headers)
    assert answer.status_code == 200 and answer.json()["events"] == (2 if "before" in sent else 1)
    assert not os.path.exists(left)
    assert os.path.exists(layout.partition_dir(root, key)) == ("filter" in sent)


async def test_a_copy_that_a_kill_left_behind_goes_with_the_next(
    site: Any, root: str, record: Record, noon_us: int
) -> None:
    record(noon_us)
    key = layout.key_for("default", noon_us)
    old, fresh = (os.path.join(layout.partition_dir(root, key), copies.PREFIX + name) for name in ("old", "fresh"))
    os.mkdir(old)
    os.mkdir(fresh)
    os.utime(old, (0, 0))
    assert (await site.get(f"/{key.mount_name}.db")).status_code == 200
    assert os.path.exists(fresh) and not os.path.exists(old)


FOREIGN = {
    "no column of ours": "create table hooks (a text); insert into hooks values ('x')",
    "text for ids": "create table hooks (id text primary key) without rowid; insert into hooks values ('<b>')",
    "ids alone": "create table hooks (id integer primary key); insert into hooks values (1)",
    "a view": "create table z (id, src); insert into z values (1, 'a'); create view hooks as select * from z",
    "a view of nothing": "create view hooks as select * from nosuch",
    "a virtual table": "create virtual table hooks using fts5(id, src); insert into hooks values ('1', 'a')",
}


@pytest.mark.parametrize("schema", FOREIGN.values(), ids=list(FOREIGN))
async def test_a_foreign_file_in_the_place_of_a_day_hinders_nothing(
    site: Any, root: str, record: Record, noon_us: int, schema: str
) -> None:
    record(noon_us, context="good")
    key = layout.key_for("foreign", noon_us)
    os.makedirs(layout.partition_dir(root, key))
    conn = connect.open_writer(layout.db_path(root, key))
    conn.executescript(schema)
    conn.close()
    for page in ("", ".json", "/hooks", "/hooks.json", "/hooks?_src=a&_q=x", "/hooks/1", "/hooks/~3Cb~3E", "/errors"):
        answer = await site.get(f"/{key.mount_name}{page}")
        assert answer.status_code in (200, 302, 400, 404, 503), f"{page}: {answer.text[:500]}"
    found = await site.json("/-/eyelet.json?range=all")
    assert len(found["rows"]) == 1
    assert [bad["context"] for bad in found["partitions"]["unreadable"]] == ["foreign"]
    for page in ("/", "/-/eyelet?range=all", "/-/eyelet/api/sources?from=2000", "/-/eyelet/api/export?from=2000"):
        assert (await site.get(page)).status_code == 200, page


IS_1_0 = hasattr(Datasette, "allowed")


@pytest.mark.skipif(not IS_1_0, reason="0.65 knows no restricted tokens")
@pytest.mark.parametrize(
    "settings", [{"allow": BOB, "admin": BOB}, {"contexts": {"mine": {"allow": BOB, "admin": BOB}}}]
)
async def test_a_restricted_token_may_nothing_that_it_was_not_made_for(
    open_site: OpenSite, root: str, record: Record, noon_us: int, settings: Any
) -> None:
    record(noon_us, context="mine")
    site = await open_site(**settings)
    restricted = {**BOB, "_r": {"a": ["view-instance", "view-database", "view-table", "execute-sql"]}}
    name = day_of(noon_us, "mine")
    for path in ("/-/eyelet/api/count", "/-/eyelet/api/query", "/-/eyelet.json", f"/{name}.json", f"/{name}.db"):
        assert (await site.get(path, actor=BOB)).status_code == 200, path
        assert (await site.get(path, actor=restricted)).status_code == 403, path
    before = audit.lines(root)
    cookie = "ds_actor=" + site.datasette.sign({"a": restricted}, "actor")
    answer = await site.datasette.client.post(
        "/-/eyelet/api/delete", json={"before": "2100-01-01", "dry_run": False}, headers={"cookie": cookie}
    )
    assert answer.status_code == 403
    assert audit.lines(root) == before


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        (connect.driver().OperationalError("database or disk is full"), "make room"),
        (FileNotFoundError(2, "No such file or directory"), "removed meanwhile"),
    ],
    ids=["full", "removed"],
)
async def test_a_copy_that_cannot_be_made_is_a_clear_page(
    site: Any, record: Record, noon_us: int, monkeypatch: pytest.MonkeyPatch, trouble: Exception, told: str
) -> None:
    record(noon_us)

    def fails(*_: object, **__: object) -> None:
        raise trouble

    monkeypatch.setattr(copies.tempfile, "mkdtemp", fails)
    for _ in range(download.COPIES + 1):  # a copy that was not made takes no place
        answer = await site.get(f"/{day_of(noon_us)}.db")
        assert answer.status_code == 503 and told in answer.text


@pytest.mark.parametrize("said", [400, 404, 500])
@pytest.mark.parametrize(
    ("meanwhile", "told"), [("nothing", 0), ("removed", 404), ("made anew", 503), ("emptied", 503)]
)
async def test_what_fails_because_a_day_went_wrong_meanwhile_is_a_clear_page(
    site: Any, root: str, record: Record, noon_us: int, said: int, meanwhile: str, told: int
) -> None:
    """Between two queries of one page: Datasette says "Cannot sort table by id", and the day is what is wrong."""
    record(noon_us)
    key = layout.key_for("default", noon_us)
    path = layout.db_path(root, key)
    datasette_app = site.datasette.app()
    messages: list[dict[str, Any]] = []

    async def failing(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == day_gate.ANSWER:
            await datasette_app(scope, receive, send)
            return
        if meanwhile in ("removed", "made anew"):
            shutil.rmtree(layout.partition_dir(root, key))
        if meanwhile == "made anew":
            connect.open_writer(path).close()
        if meanwhile == "emptied":
            for end in ("-wal", "-shm"):
                if os.path.exists(path + end):
                    os.unlink(path + end)
            os.truncate(path, 0)
        await Response.html("Cannot sort table by id", status=said).asgi_send(send)

    async def collect(message: dict[str, Any]) -> None:
        messages.append(message)

    scope = Request.fake(f"/{key.mount_name}/hooks.json").scope
    cookie = "ds_actor=" + site.datasette.sign({"a": {"id": "root"}}, "actor")
    scope["headers"] = [(b"host", b"here"), (b"cookie", cookie.encode())]
    await day_gate.guarding_days(site.datasette)(failing)(scope, asyncio.Event().wait, collect)
    starts = [message["status"] for message in messages if message["type"] == "http.response.start"]
    text = b"".join(message.get("body", b"") for message in messages).decode()
    assert starts == [told or said]
    assert ("Cannot sort" in text) is (meanwhile == "nothing")
    assert meanwhile == "nothing" or json.loads(text)["ok"] is False


@pytest.mark.parametrize("number", ["99999999999999999999", "-9223372036854775809", "9" * 400])
async def test_a_number_beyond_what_sqlite_holds_is_a_mistake_and_no_failure(
    site: Any, record: Record, noon_us: int, number: str
) -> None:
    record(noon_us)
    day = layout.key_for("default", noon_us).mount_name
    for path in (f"/{day}/hooks", "/eyelet/hooks", f"/{day}/hooks.json", "/eyelet/hooks.json"):
        answer = await site.get(f"{path}?id__gte={number}")
        assert answer.status_code in (200, 400), answer.text[:300]
