"""What becomes of one who follows: rights that are taken away, a reader too slow or gone, a root that breaks."""

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from datasette_eyelet import instance, live, server_end
from datasette_eyelet.pages import live as page
from eyelet_ingest import tokens
from eyelet_ingest.store import layout
from tests.web.conftest import OpenSite, Record, Site

LIVE = "/-/eyelet/live"


class Reader:
    """Follows without a network. `holds` is what it does not take: the server waits in `send` then."""

    def __init__(self, site: Site, query: str, headers: dict[str, str]) -> None:
        self.status, self.body = 0, b""
        self.messages: list[tuple[str, Any]] = []
        self.takes = asyncio.Event()
        self.takes.set()
        self._goes = asyncio.Event()
        self._changed = asyncio.Event()
        scope = {
            "type": "http",
            "method": "GET",
            "path": LIVE,
            "raw_path": LIVE.encode(),
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "scheme": "http",
            "http_version": "1.1",
        }
        self.task = asyncio.ensure_future(site.datasette.app()(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        await self._goes.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        await self.takes.wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
        self.body += message.get("body", b"")
        for block in message.get("body", b"").decode().split("\n\n"):
            fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line and line[0] != ":")
            if "event" in fields:
                self.messages.append((fields["event"], json.loads(fields["data"])))
            elif block.startswith(":"):
                self.messages.append(("beat", None))
        self._changed.set()

    async def until(self, is_enough: Callable[["Reader"], bool]) -> None:
        end_s = time.monotonic() + 20
        while not is_enough(self):
            self._changed.clear()
            await asyncio.wait_for(self._changed.wait(), end_s - time.monotonic())

    async def told(self, event: str) -> Any:
        await self.until(lambda me: any(name == event for name, _ in me.messages))
        return next(data for name, data in self.messages if name == event)

    def count(self) -> int:
        """Of events it was told of, one by one or as a number."""
        return sum(len(data["rows"]) + data["more"] for name, data in self.messages if name == "rows")

    async def leave(self) -> None:
        self._goes.set()
        self.takes.set()
        await asyncio.wait([self.task], timeout=10)


Follow = Callable[..., Awaitable[Reader]]


@pytest.fixture
async def follow() -> AsyncIterator[Follow]:
    readers: list[Reader] = []

    async def opened(site: Site, query: str = "range=all&rows=events", **headers: str) -> Reader:
        given = headers or {"cookie": "ds_actor=" + site.datasette.sign({"a": {"id": "root"}}, "actor")}
        readers.append(Reader(site, query, given))
        return readers[-1]

    yield opened
    for reader in readers:
        await reader.leave()


def watcher(site: Site) -> live.Live:
    found = instance.of(site.datasette)._live
    assert found is not None
    return found


def now_us() -> int:
    return time.time_ns() // 1_000


async def test_a_token_that_is_revoked_ends_the_stream(
    site: Site, follow: Follow, record: Record, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "BEAT_S", 0.2)
    record(now_us())
    said, _ = tokens.create(root, "ci", [], ("view",))
    reader = await follow(site, authorization=f"Bearer {said}")
    await reader.told("beat")
    tokens.revoke(root, "ci")
    assert await reader.told("end") == {"reason": "what you may see has changed", "retry": True}
    await asyncio.wait_for(reader.task, 10)
    assert watcher(site).followers == []
    again = await follow(site, authorization=f"Bearer {said}")
    await asyncio.wait_for(again.task, 10)
    assert again.status == 403


async def test_who_takes_nothing_is_told_later_how_much_there_was_and_hinders_nobody(
    site: Site, follow: Follow, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "QUEUE_MOST", 2)
    monkeypatch.setattr(live, "LOOK_S", 0.01)
    record(now_us())
    slow, quick = await follow(site), await follow(site)
    for reader in (slow, quick):
        await reader.told("rows")
    slow.takes.clear()
    for number in range(1, 9):
        record(now_us(), now_us() + 50)
        await quick.until(lambda me, most=2 * number: me.count() == most)  # type: ignore[misc]
    waits = next(one for one in watcher(site).followers if one.waiting)
    assert len(waits.waiting) <= live.QUEUE_MOST
    assert slow.count() < 16
    slow.takes.set()
    await slow.until(lambda me: me.count() == 16)


async def test_what_waits_for_one_is_bounded_by_its_bytes_too() -> None:
    follower = live.Follower(None, None)  # type: ignore[arg-type]  # it only waits here
    long = live.Message(b"x" * (live.QUEUE_MOST_BYTES // 2), 3)
    for _ in range(10):
        follower.give(long)
        assert sum(len(one.body) for one in follower.waiting) <= 2 * live.QUEUE_MOST_BYTES
    told = []
    while (one := follower.take()) is not None:
        told.append(one)
    passed = json.loads(told[0].body.decode().partition("data: ")[2])["more"]
    assert passed + sum(one.events for one in told[1:]) == 30


async def test_who_takes_nothing_for_long_is_let_go(
    site: Site, follow: Follow, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "SEND_S", 0.1)
    monkeypatch.setattr(page, "BEAT_S", 0.1)
    reader = await follow(site)
    await reader.told("rows")
    reader.takes.clear()
    await asyncio.wait_for(reader.task, 10)
    assert watcher(site).followers == []


async def test_of_too_many_pages_one_is_refused_and_one_that_goes_makes_room(
    open_site: OpenSite, follow: Follow
) -> None:
    site = await open_site(max_live_pages=2, max_live_pages_of_one=2)
    readers = [await follow(site) for _ in range(2)]
    for reader in readers:
        await reader.told("open")
    refused = await follow(site)
    await asyncio.wait_for(refused.task, 10)
    assert refused.status == 429
    assert "2 pages follow" in json.loads(refused.body)["error"]
    await readers[0].leave()
    late = await follow(site)
    await late.told("open")


async def test_one_actor_cannot_take_all_places(open_site: OpenSite, follow: Follow) -> None:
    site = await open_site(max_live_pages=5, allow={"id": ["ann", "bob"]})
    ann, bob = ({"cookie": "ds_actor=" + site.datasette.sign({"a": {"id": name}}, "actor")} for name in ("ann", "bob"))
    readers = [await follow(site, **ann) for _ in range(4)]
    for reader in readers:
        await reader.told("open")
    refused = await follow(site, **ann)
    await asyncio.wait_for(refused.task, 10)
    assert refused.status == 429
    assert "4 pages of yours follow" in json.loads(refused.body)["error"]
    await (await follow(site, **bob)).told("open")
    await readers[0].leave()
    assert sum(one.who == "ann" for one in watcher(site).followers) == 3


async def test_days_that_cannot_be_read_are_named_to_whoever_may_see_them_and_again_when_they_can(
    open_site: OpenSite, follow: Follow, record: Record, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "LOOK_S", 0.05)
    site = await open_site(contexts={"mine": {"allow": {"id": "ann"}}})
    at = now_us()
    record(at, context="hidden")
    record(at, context="mine")
    path = Path(layout.db_path(root, layout.key_for("hidden", at)))
    whole = path.read_bytes()
    for name in (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm"))):
        if name != path:
            name.unlink(missing_ok=True)
    path.write_bytes(b"no database" * 100)
    everything = await follow(site)
    own = await follow(site, cookie="ds_actor=" + site.datasette.sign({"a": {"id": "ann"}}, "actor"))
    [day] = (await everything.told("unreadable"))["unreadable"]
    assert (day["context"], day["day"]) == ("hidden", layout.key_for("hidden", at).date) and day["error"]
    await own.told("rows")  # it follows from now on
    record(now_us(), context="mine")
    await own.until(lambda me: me.count() == 1)
    assert [name for name, _ in own.messages if name == "unreadable"] == []
    path.write_bytes(whole)
    await everything.until(
        lambda me: [data for name, data in me.messages if name == "unreadable"][-1] == {"unreadable": []}
    )


async def test_nobody_looks_while_nobody_follows(site: Site, follow: Follow, record: Record) -> None:
    reader = await follow(site)
    await reader.told("rows")
    await reader.leave()
    found = watcher(site)
    assert found.followers == [] and found._task is not None
    await asyncio.wait_for(found._task, 20)
    assert found._watch is None
    (at,) = record(now_us())
    again = await follow(site)
    await again.told("rows")
    assert again.count() == 0, f"{at} was there before"


async def test_many_who_follow_one_search_are_one_question(
    site: Site, follow: Follow, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(now_us())
    asked: list[object] = []
    rendered: list[int] = []
    news, render = live.Live._news, page.rendered

    def counted(self: Any, following: Any, *rest: Any) -> Any:
        asked.append(following.key)
        return news(self, following, *rest)

    async def seen(datasette: Any, following: Any, entries: list[Any]) -> list[str]:
        rendered.append(len(entries))
        return await render(datasette, following, entries)

    monkeypatch.setattr(live.Live, "_news", counted)
    monkeypatch.setattr(page, "rendered", seen)
    readers = [await follow(site) for _ in range(20)]
    for reader in readers:
        await reader.told("rows")
    record(now_us())
    for reader in readers:
        await reader.until(lambda me: me.count() == 1)
    assert len(asked) == 1 and rendered == [1]


async def test_a_root_that_breaks_ends_the_stream_with_the_reason(
    site: Site, follow: Follow, record: Record, root: str
) -> None:
    record(now_us())
    reader = await follow(site)
    await reader.told("rows")
    os.rename(os.path.join(root, "logs"), os.path.join(root, "was"))
    with open(os.path.join(root, "logs"), "w") as file:
        file.write("no folder")
    end = await reader.told("end")
    assert "a file, not a folder" in end["reason"] and root not in end["reason"]


async def test_no_page_is_told_what_another_may_see(open_site: OpenSite, follow: Follow, record: Record) -> None:
    record(now_us(), context="work")
    record(now_us(), context="home")
    site = await open_site(contexts={"work": {"allow": {"id": "carol"}}})
    carol = await follow(site, cookie="ds_actor=" + site.datasette.sign({"a": {"id": "carol"}}, "actor"))
    everything = await follow(site)
    for reader in (carol, everything):
        await reader.told("rows")
    record(now_us(), context="home")
    record(now_us(), context="work")
    await everything.until(lambda me: me.count() == 2)
    await carol.until(lambda me: me.count() == 1)
    shown = [row for name, data in carol.messages if name == "rows" for row in data["rows"]]
    assert [one["row"]["context_name"] for one in shown] == ["work"]


def test_a_server_that_is_to_exit_is_known_by_the_handler_of_its_signals() -> None:
    class Server:
        should_exit = False

        def handle_exit(self, *_: object) -> None:
            self.should_exit = True

    server = Server()
    before = signal.signal(signal.SIGTERM, server.handle_exit)
    try:
        assert not server_end.is_ending()
        server.should_exit = True
        assert server_end.is_ending()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert not server_end.is_ending()
