"""Days that inserts keep open: closed when they are idle and at the end, and in nobody's way meanwhile."""

import asyncio
import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from datasette_eyelet import instance, writing
from eyelet_ingest import tokens
from eyelet_ingest.store import layout
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

SECONDS = 1_774_015_402  # 2026-03-20T14:03:22Z
DAY = layout.PartitionKey("default", 2026, 79)
FDS = "/proc/self/fd"


@pytest.fixture
def insert(site: Any, root: str) -> Any:
    """Inserts one event of that day into the server's store; returns the answer."""
    said, _ = tokens.create(root, "writer", [], tokens.GRANTS)
    headers = {"authorization": f"Bearer {said}", "content-type": "application/json"}

    async def asked(path: str, content: object) -> dict[str, Any]:
        body = json.dumps(content).encode()
        answer = await site.datasette.client.post(f"/-/eyelet/api/{path}", content=body, headers=headers)
        found: dict[str, Any] = answer.json()
        return found

    async def inserted(number: int = 0) -> dict[str, Any]:
        return await asked("insert", {"events": [{"time": SECONDS + number, "message": "m"}]})

    inserted.asked = asked  # type: ignore[attr-defined]
    return inserted


def open_files(root: str) -> int:
    """How many files of days this process has open."""
    if not os.path.isdir(FDS):
        pytest.skip("only Linux says which files are open")
    links = (os.path.join(FDS, name) for name in os.listdir(FDS))
    return sum(os.readlink(link).startswith(layout.logs_dir(root)) for link in links if os.path.islink(link))


async def test_a_day_stays_open_for_the_next_insert_and_is_closed_when_none_comes(
    site: Any, insert: Any, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "IDLE_S", 0.3)
    assert [(await insert(number))["stored"] for number in range(3)] == [1, 1, 1]
    assert open_files(root)
    until_s = time.monotonic() + 20
    while open_files(root) and time.monotonic() < until_s:
        await asyncio.sleep(0.05)
    assert not open_files(root)
    assert not Path(layout.db_path(root, DAY) + "-wal").exists()
    assert (await insert(9))["stored"] == 1


async def test_the_end_of_the_server_closes_the_days(site: Any, insert: Any, root: str) -> None:
    await insert()
    assert open_files(root)
    instance.stop(site.datasette)
    instance.stop(site.datasette)
    assert not open_files(root)
    assert not Path(layout.db_path(root, DAY) + "-wal").exists()


async def test_a_server_that_shuts_down_stops(site: Any, insert: Any, root: str) -> None:
    await insert()
    said: list[str] = []
    waiting = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

    async def receive() -> dict[str, str]:
        return waiting.pop(0)

    async def send(message: dict[str, str]) -> None:
        said.append(message["type"])

    await site.datasette.app()({"type": "lifespan"}, receive, send)
    assert said == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert not open_files(root)


@pytest.mark.parametrize("how", ["by hand", "by the log API", "its rows"])
async def test_an_insert_into_a_day_that_was_deleted_meanwhile_is_stored(
    site: Any, insert: Any, root: str, how: str
) -> None:
    await insert(1)
    if how == "by hand":
        shutil.rmtree(layout.partition_dir(root, DAY))
    else:
        what = {"filter": {"context": "default"}} if how == "by the log API" else {"filter": {"q": "m"}}
        assert (await insert.asked("delete", {**what, "dry_run": False}))["events"] == 1
    assert (await insert(2))["stored"] == 1
    instance.stop(site.datasette)
    with Store(root) as store:
        assert [row["timestamp"] for row in store.search(Filter()).rows] == [SECONDS + 2]


async def test_another_writer_and_the_server_write_the_same_day(
    site: Any, insert: Any, store: Store, make_event: Any
) -> None:
    for number in range(5):
        assert (await insert(number))["stored"] == 1
        assert store.append([make_event((SECONDS + number) * 1_000_000 + 500_000)]).stored == 1
    assert store.count(Filter()).count == 10


async def test_inserts_at_once_share_what_is_open(site: Any, insert: Any, store: Store) -> None:
    done = await asyncio.gather(*(insert(number) for number in range(6)))
    assert [one["stored"] for one in done] == [1] * 6
    assert store.count(Filter()).count == 6
