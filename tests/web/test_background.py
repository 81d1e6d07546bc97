"""A server retires and drains by itself, for as long as it lives, in nobody's way."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from datasette_eyelet import background, instance
from eyelet_ingest.events import Event
from eyelet_ingest.store.retention import Rule, Rules
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

DAY_US = 86_400_000_000
WAIT_S = 30

OpenSite = Callable[..., Awaitable[Any]]


class Lifespan:
    """A server's life as ASGI has it, around what a test does."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.asked: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self.told: asyncio.Queue[dict[str, str]] = asyncio.Queue()

    async def __aenter__(self) -> "Lifespan":
        self.task = asyncio.create_task(self.app({"type": "lifespan"}, self.asked.get, self.told.put))
        await self.asked.put({"type": "lifespan.startup"})
        assert (await self.told.get())["type"] == "lifespan.startup.complete"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.asked.put({"type": "lifespan.shutdown"})
        assert (await self.told.get())["type"] == "lifespan.shutdown.complete"
        await self.task


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "INTERVAL_S", 0.02)


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(WAIT_S * 50):
        if holds():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not come to pass")


async def test_a_server_retires_what_is_too_old_also_while_somebody_reads_it(
    open_site: OpenSite, store: Store, make_event: Callable[..., Event], often: None
) -> None:
    now_us = time.time_ns() // 1_000
    store.append([make_event(now_us - n * DAY_US) for n in range(6)])
    site = await open_site()
    days = [key.mount_name for key in store.catalog.partitions()]
    assert (await site.get(f"/{days[0]}/hooks.json")).status_code == 200
    async with Lifespan(site.datasette.app()):
        store.set_retention(Rules(Rule(max_age_s=2 * 86_400)))
        await until(lambda: len(store.catalog.partitions()) == 3)
        assert (await site.get(f"/{days[0]}/hooks.json")).status_code == 404
        assert (await site.get(f"/{days[-1]}/hooks.json")).status_code == 200
    assert store.count(Filter()).count == 3


async def test_the_rounds_end_with_the_server(open_site: OpenSite, often: None) -> None:
    site = await open_site()
    before = len(asyncio.all_tasks())
    async with Lifespan(site.datasette.app()):
        await asyncio.sleep(0.1)
    assert len(asyncio.all_tasks()) == before


async def test_a_retention_file_that_says_no_rules_is_named_and_the_rounds_go_on(
    open_site: OpenSite, store: Store, make_event: Callable[..., Event], often: None
) -> None:
    store.append([make_event(DAY_US)])
    site = await open_site()
    Path(store.root, "retention.json").write_text("[]")
    held = instance.of(site.datasette)
    async with Lifespan(site.datasette.app()):
        await until(lambda: "retention.json" in held.trouble)
    assert store.count(Filter()).count == 1
