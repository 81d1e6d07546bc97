"""Work that requests hand over to a thread: one does it, none waits behind one that is stuck, no end is lost."""

import asyncio
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from datasette import hookimpl
from datasette.app import DatasetteRouter
from datasette.plugins import pm

from datasette_eyelet import handed_over, token_actor
from datasette_eyelet.api.hook import HOOK
from datasette_eyelet.handed_over import HandedOver, Tell
from eyelet_ingest import tokens
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store
from tests.web.test_hook import PAYLOAD


async def test_each_who_waits_is_told_its_own_end() -> None:
    held = HandedOver()
    loop_calls = []
    real = held._deliver
    held._deliver = lambda: loop_calls.append(real())  # type: ignore[method-assign,func-returns-value]

    def odd_fails(number: int) -> Any:
        def work(tell: Tell) -> None:
            if number % 2:
                raise ValueError(number)
            tell(None)

        return work

    ends = await asyncio.gather(*(held.done(odd_fails(one)) for one in range(200)), return_exceptions=True)
    assert [str(end) if end else None for end in ends] == [str(one) if one % 2 else None for one in range(200)]
    assert held.threads == 1 and len(loop_calls) < 200
    held.close()


async def test_nobody_waits_behind_work_that_is_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handed_over, "STUCK_S", 0.005)
    held, gate = HandedOver(), threading.Event()

    def stuck(tell: Tell) -> None:
        gate.wait(30)
        tell(None)

    waiting = [asyncio.ensure_future(held.done(stuck)) for _ in range(3)]
    await asyncio.wait_for(held.done(lambda tell: tell(None)), 20)
    assert held.threads == 4 and not any(one.done() for one in waiting)
    gate.set()
    await asyncio.gather(*waiting)
    held.close()


async def test_threads_that_are_stuck_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handed_over, "STUCK_S", 0.001)
    monkeypatch.setattr(handed_over, "THREADS_MAX", 3)
    held, gate = HandedOver(), threading.Event()
    begun = []

    def stuck(tell: Tell) -> None:
        begun.append(1)
        gate.wait(30)
        tell(None)

    waiting = [asyncio.ensure_future(held.done(stuck)) for _ in range(10)]
    await asyncio.sleep(0.05)
    assert held.threads == 3 == len(begun)
    gate.set()
    await asyncio.gather(*waiting)
    held.close()


async def test_who_went_away_takes_nobody_elses_end_with_it() -> None:
    held, gate = HandedOver(), threading.Event()

    def work(tell: Tell) -> None:
        gate.wait(30)
        tell(None)

    first, second = (asyncio.ensure_future(held.done(work)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    gate.set()
    await second
    assert first.cancelled()
    held.close()


@pytest.mark.parametrize("base_url", ["/", "/logs/"])
async def test_a_hook_with_our_token_goes_round_datasette_and_not_round_other_plugins(
    open_site: Any, root: str, base_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said, _ = tokens.create(root, "agent", [], ["write"])
    routed: list[str] = []
    seen: list[str] = []
    call = DatasetteRouter.__call__

    async def noted(self: Any, scope: Any, *more: Any) -> Any:
        routed.append(scope["path"])
        return await call(self, scope, *more)

    class Another:
        __name__ = "another"

        @hookimpl
        def asgi_wrapper(self) -> Any:
            async def wrapped(app: Any, scope: Any, *more: Any) -> None:
                seen.append(scope["path"])
                await app(scope, *more)

            return lambda app: partial(wrapped, app)

    monkeypatch.setattr(DatasetteRouter, "__call__", noted)
    another = Another()
    pm.register(another)
    try:
        site = await open_site(datasette={"settings": {"base_url": base_url}})
        for path in (HOOK, f"{HOOK}?context=other"):
            headers = {"authorization": f"Bearer {said}"}
            answer = await site.datasette.client.post(path, json=PAYLOAD, headers=headers)
            assert answer.status_code == 200, answer.text
        assert (len(routed), len(seen)) == (0, 2)
        answer = await site.datasette.client.post(HOOK, json=PAYLOAD, headers={"authorization": "Bearer x"})
        assert (answer.status_code, len(routed), len(seen)) == (401, 1, 3)
    finally:
        pm.unregister(another)


async def test_a_long_file_of_tokens_is_read_in_a_thread(open_site: Any, root: str, monkeypatch: Any) -> None:
    said, _ = tokens.create(root, "agent", [], ["write"])
    monkeypatch.setattr(token_actor, "SHORT_BYTES", 10)
    site, where = await open_site(), []
    real = tokens.find
    monkeypatch.setattr(tokens, "find", lambda *given: (where.append(threading.current_thread()), real(*given))[1])
    headers = {"authorization": f"Bearer {said}", "content-type": "application/json"}
    answer = await site.datasette.client.post(HOOK, json=PAYLOAD, headers=headers)
    assert answer.status_code == 200 and where and threading.main_thread() not in where


async def test_work_that_waits_together_shares_what_it_finds_and_no_other_does() -> None:
    held, begun, release = HandedOver(), threading.Event(), threading.Event()
    seen: list[Any] = []

    def first(tell: Tell) -> None:
        begun.set()
        release.wait(5)
        tell(None)

    def work(tell: Tell) -> None:
        seen.append((held.shared, held.has_more()))
        tell(None)

    waiting = [asyncio.ensure_future(held.done(first))]
    await asyncio.to_thread(begun.wait, 5)
    waiting += [asyncio.ensure_future(held.done(work)) for _ in range(3)]
    await asyncio.sleep(0)
    release.set()
    await asyncio.gather(*waiting)
    assert [more for _, more in seen] == [True, True, False]
    assert seen[0][0] is seen[1][0]
    for _ in range(2):
        await held.done(work)
    assert len({id(shared) for shared, _ in seen[2:]}) == 3, "nothing waited: each began with nothing"
    held.close()


async def test_a_setting_counts_from_the_next_event_on(open_site: Any, root: str, tmp_path: Path) -> None:
    """However fast one follows the other, where it comes when the other was answered."""
    said, _ = tokens.create(root, "agent", [], ["write"])
    site, folder = await open_site(), tmp_path / "work"
    folder.mkdir()
    headers = {"authorization": f"Bearer {said}", "content-type": "application/json"}
    for enabled in ("true", "false", "true"):
        (folder / "eyelet.yaml").write_text(f"enabled: {enabled}\n")
        answer = await site.datasette.client.post(HOOK, json={**PAYLOAD, "cwd": str(folder)}, headers=headers)
        assert answer.status_code == 200
    with Store(root) as store:
        store.drain_spool()
        assert store.count(Filter()).count == 2
