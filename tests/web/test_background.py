"""A server retires and drains by itself, for as long as it lives, in nobody's way."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from datasette_eyelet import background, instance
from eyelet_ingest.events import Event
from eyelet_ingest.store import layout
from eyelet_ingest.store.metrics import Metrics
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
    monkeypatch.setattr(background, "TEXT_INTERVAL_S", 0.02)


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


async def test_a_server_indexes_the_text_of_what_comes(
    open_site: OpenSite, store: Store, make_event: Callable[..., Event], often: None
) -> None:
    now_us = time.time_ns() // 1_000
    store.append([make_event(now_us - n * DAY_US, data='{"prompt": "larch"}') for n in range(3)])
    keys = store.catalog.partitions()
    site = await open_site()
    async with Lifespan(site.datasette.app()):
        await until(lambda: all(store.text_state(key).rows == 1 for key in keys))
        store.append([make_event(now_us, data='{"prompt": "cedar"}')])
        await until(lambda: store.text_state(keys[-1]).rows == 2)


async def test_a_server_keeps_what_it_measures_and_looks_after_wals(
    open_site: OpenSite, store: Store, make_event: Callable[..., Event], often: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (0.1, 0.1, 0.1))
    monkeypatch.setattr(Store, "maintain", lambda self, deadline_ms, first=(): None)  # both are writers themselves
    monkeypatch.setattr(Store, "index_text", lambda self, deadline_ms, first=(), before=None: None)
    site = await open_site()
    with store.bulk(), Metrics(store.root) as metrics:
        store.append([make_event(DAY_US)])
        wal = Path(layout.db_path(store.root, store.catalog.partitions()[0]) + "-wal")
        then_s = time.time() - 5_000
        os.utime(wal, (then_s, then_s))
        async with Lifespan(site.datasette.app()):
            assert (await site.get("/-/eyelet.json")).status_code == 200
            await until(lambda: wal.stat().st_size == 0)
            await until(lambda: len(metrics.timings(0, 2**62, "server")) > 1)
        (one,) = metrics.checkpoints(0, 2**62)
        assert (one.by, one.mode, one.busy, one.error) == ("ConversationWorkload", "truncate", False, "")
        assert metrics.gauges()["days"][0] == 1
        assert metrics.connections()["questions"] >= 1


async def test_a_strategy_that_is_not_there_is_named_and_figures_are_kept_all_the_same(
    open_site: OpenSite, store: Store, make_event: Callable[..., Event], often: None, tmp_path: Path
) -> None:
    store.append([make_event(DAY_US)])
    site = await open_site()
    config = tmp_path / "home" / ".eyelet" / "eyelet.yaml"
    config.parent.mkdir(exist_ok=True)
    config.write_text("health:\n  checkpoint_strategy: Nobody\n")
    held = instance.of(site.datasette)
    with Metrics(store.root) as metrics:
        async with Lifespan(site.datasette.app()):
            await until(lambda: "Nobody" in held.trouble)
            await until(lambda: "days" in metrics.gauges())


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


@pytest.mark.parametrize("bad", [OSError("no such thing"), RuntimeError("of some library"), ValueError("unforeseen")])
async def test_a_round_that_fails_is_said_and_the_next_comes_all_the_same(
    open_site: OpenSite, often: None, monkeypatch: pytest.MonkeyPatch, bad: Exception
) -> None:
    site = await open_site()
    held, rounds = instance.of(site.datasette), []

    def fails() -> None:
        rounds.append(1)
        raise bad

    monkeypatch.setattr(held, "round", fails)
    async with Lifespan(site.datasette.app()):
        await until(lambda: len(rounds) > 3)
    assert str(bad) in held.trouble


async def test_the_end_of_the_server_waits_for_the_round_that_goes_on(
    open_site: OpenSite, often: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = await open_site()
    held, begun, ended = instance.of(site.datasette), [], []

    def slow() -> None:
        begun.append(1)
        time.sleep(0.3)
        assert held.store.contexts() == []
        ended.append(1)

    monkeypatch.setattr(held, "round", slow)
    async with Lifespan(site.datasette.app()):
        await until(lambda: bool(begun))
    assert len(begun) == len(ended) and held._store is None


async def test_two_servers_of_one_root_retire_it_together(
    open_site: OpenSite, store: Store, make_event: Callable[..., Event], often: None
) -> None:
    now_us = time.time_ns() // 1_000
    store.append([make_event(now_us - n * DAY_US) for n in range(12)])
    store.set_retention(Rules(Rule(max_age_s=2 * 86_400)))
    one, two = await open_site(), await open_site()
    async with Lifespan(one.datasette.app()), Lifespan(two.datasette.app()):
        await until(lambda: len(store.catalog.partitions()) == 3)
    assert (instance.of(one.datasette).trouble, instance.of(two.datasette).trouble) == ("", "")
    assert store.count(Filter()).count == 3
