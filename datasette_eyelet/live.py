"""New events for pages that follow a search: one watcher for all of them, each search asked once, however many follow.

The watcher is a thread that looks while somebody follows, and is idle else. What it finds for a search is rendered
once and handed to every follower as the same bytes, in a queue of its own that holds a few: who does not take them in
time is told how many there were instead.
"""

import asyncio
import json
import time
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from datasette_eyelet.answer import placed
from datasette_eyelet.api.door import Problem
from datasette_eyelet.links import Links, Pairs
from datasette_eyelet.query import Query
from datasette_eyelet.row_json import CUT_CHARS
from datasette_eyelet.server_end import is_ending
from eyelet_ingest import redactors
from eyelet_ingest.errors import EyeletError
from eyelet_ingest.store.answers import Unreadable
from eyelet_ingest.store.entries import Entry
from eyelet_ingest.store.position import Position
from eyelet_ingest.store.watch import Intervals, News, Watch
from eyelet_ingest.synopsis import synopsis

if TYPE_CHECKING:
    from datasette_eyelet.instance import Instance

LOOK_S = 0.4  # between two looks
LOOK_MOST_S = 5.0  # where looks take long, for they may take a third of the time
REST = 2  # times as long as a look took
RESUMED_MOST = 200  # rows that came while one was away
QUEUE_MOST = 16  # messages that wait for one follower
QUEUE_MOST_BYTES = 4 * 2**20  # beyond one message: a row may have been made to be long
RETRY_AFTER_S = 10

Seen = frozenset[str] | None
Key = tuple[Seen, Pairs]
Render = Callable[["Following", list[Entry]], Awaitable[list[str]]]


@dataclass(frozen=True, slots=True)
class Following:
    """A search that is followed: `ask` says what it is now, as a range of the last hour moves on; with
    `calls` each call is one line."""

    seen: Seen
    links: Links
    ask: Callable[[], Query]
    calls: bool
    request: Any

    @property
    def key(self) -> Key:
        return self.seen, self.links.pairs


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the stream as it is sent, and how many events it tells of."""

    body: bytes
    events: int = 0


@dataclass(eq=False, slots=True)
class Follower:
    """One page that follows. Of the event loop. `since` is where it was left, None for one that begins now; `who` are
    all pages of one actor."""

    following: Following
    since: Position | None
    who: str = ""
    waiting: deque[Message] = field(default_factory=deque)
    passed: int = 0  # events that it was too slow for
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    ended: str | None = None  # why

    def give(self, message: Message) -> None:
        """Never waits."""
        held_bytes = sum(len(one.body) for one in self.waiting)
        if len(self.waiting) >= QUEUE_MOST or held_bytes > QUEUE_MOST_BYTES:
            self.passed += sum(one.events for one in self.waiting)
            self.waiting.clear()
        self.waiting.append(message)
        self.changed.set()

    def take(self) -> Message | None:
        """The next message, None where none waits; events that were passed over are told first."""
        if self.passed:
            passed, self.passed = self.passed, 0
            return message("rows", {"rows": [], "more": passed})
        if self.waiting:
            return self.waiting.popleft()
        self.changed.clear()
        return None

    def end(self, why: str) -> None:
        self.ended = why
        self.changed.set()


@dataclass(slots=True)
class _Group:
    """Those who follow the same search, and how many rows they may be sent just now."""

    following: Following
    followers: list[Follower]
    allowed: float
    missing: tuple[Unreadable, ...] = ()  # as they were told


@dataclass(frozen=True, slots=True)
class _Found:
    """What one look found for a search, or for one who comes back, and how far it is followed now. `missing` are the
    days that cannot be read, None where that was told already; `is_news` whether there is anything else to tell."""

    entries: list[Entry]
    news: News
    position: str
    missing: tuple[Unreadable, ...] | None
    is_news: bool = True


class Live:
    """The watcher of one Datasette. Of its event loop, but for `_looked`, which is of its thread.

    `rows_per_s`, `followers_most` and `own_most`, of one actor, are the limits; `render` makes the HTML of rows.
    """

    def __init__(self, held: "Instance", render: Render, rows_per_s: int, followers_most: int, own_most: int) -> None:
        self.held, self.render, self.rows_per_s = held, render, rows_per_s
        self.followers_most, self.own_most = followers_most, own_most
        self.loop = asyncio.get_running_loop()
        self.followers: list[Follower] = []
        self.looks = 0
        self._groups: dict[Key, _Group] = {}
        self._new: list[Follower] = []
        self._joins = asyncio.Event()
        self._watch: Watch | None = None  # of the thread
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="eyelet-live")
        self._task: asyncio.Task[None] | None = None

    def join(self, follower: Follower) -> None:
        """Problem 429 where there are too many."""
        if len(self.followers) >= self.followers_most:
            reason = f"{self.followers_most} pages follow what arrives already: close one, or stop its Live"
            raise Problem(429, reason, **{"Retry-After": str(RETRY_AFTER_S)})
        if sum(one.who == follower.who for one in self.followers) >= self.own_most:
            reason = f"{self.own_most} pages of yours follow what arrives already: close one, or stop its Live"
            raise Problem(429, reason, **{"Retry-After": str(RETRY_AFTER_S)})
        self.followers.append(follower)
        self._new.append(follower)
        self._joins.set()
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())
            self._task.add_done_callback(self._ended)

    def leave(self, follower: Follower) -> None:
        """Also of one who left already."""
        if follower in self.followers:
            self.followers.remove(follower)
        if follower in self._new:
            self._new.remove(follower)
        group = self._groups.get(follower.following.key)
        if group is not None and follower in group.followers:
            group.followers.remove(follower)
            if not group.followers:
                del self._groups[follower.following.key]

    def close(self) -> None:
        """End every follower; at the server's end."""
        if not self.loop.is_closed():
            self._end_all("the server ends")
            if self._task is not None:
                self._task.cancel()
        self._thread.shutdown(wait=True)

    async def _run(self) -> None:
        """Look as long as somebody follows."""
        loop = asyncio.get_running_loop()
        why = "following what arrives failed"
        try:
            while self.followers:
                began_s = time.monotonic()
                self._joins.clear()
                groups, joining = list(self._groups.values()), self._new
                self._new = []
                found, begun = await loop.run_in_executor(self._thread, self._looked, groups, joining)
                for group, one in found:
                    group.allowed -= len(one.news.rows)
                    group.missing = group.missing if one.missing is None else one.missing
                    await self._tell(group.following, one, group.followers)
                for follower, one in begun:
                    if follower in self.followers:  # it has not gone meanwhile
                        self._group_of(follower).followers.append(follower)
                        await self._tell(follower.following, one, [follower])
                self.looks += 1
                if is_ending():
                    why = "the server ends"
                    return
                took_s = time.monotonic() - began_s
                with suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._joins.wait(), min(max(LOOK_S, REST * took_s), LOOK_MOST_S))
                earned = (time.monotonic() - began_s) * self.rows_per_s
                for group in groups:
                    group.allowed = min(group.allowed + earned, max(earned, self.rows_per_s))
        except EyeletError as bad:  # the root cannot be read
            why = f"{bad.operation}: {bad.reason}"
        finally:
            if self.followers:
                self._end_all(why)
            self._watch = None

    def _ended(self, task: "asyncio.Task[None]") -> None:
        bad = None if task.cancelled() else task.exception()
        if bad is not None:
            self.held.trouble = self.held.trouble or f"following what arrives failed: {bad!r}"

    def _group_of(self, follower: Follower) -> _Group:
        return self._groups.setdefault(follower.following.key, _Group(follower.following, [], self.rows_per_s))

    def _end_all(self, why: str) -> None:
        for follower in self.followers:
            follower.end(why)
        self._groups.clear()
        self._new.clear()

    async def _tell(self, following: Following, found: _Found, followers: list[Follower]) -> None:
        """Render what was found, once, and give it to these."""
        if found.missing is not None:
            said_of_days = message("unreadable", {"unreadable": [_named(one) for one in found.missing]})
            for follower in followers:
                follower.give(said_of_days)
        if not found.is_news:
            return
        news = found.news
        rows = await self.render(following, found.entries) if found.entries else []
        said: dict[str, object] = {"more": news.more}
        if news.unread:
            said["unread"] = news.unread
        told = message("rows", said, found.position, rows, len(news.rows) + news.more)
        for follower in followers:
            follower.give(told)

    def _looked(
        self, groups: list[_Group], joining: list[Follower]
    ) -> tuple[list[tuple[_Group, _Found]], list[tuple[Follower, _Found]]]:
        """Look, and ask for all groups what is new; and for those who join, what they missed up to this look. In the
        thread."""
        if self._watch is None:
            self._watch = self.held.store.watch()
        watch = self._watch
        intervals = watch.look()
        found: list[tuple[_Group, _Found]] = []
        for group in groups:
            missing = self._missing(watch, group.following)
            changed = None if missing == group.missing else missing
            entries, news = (
                self._news(group.following, intervals, max(0, int(group.allowed))) if intervals else ([], News([]))
            )
            is_news = bool(entries or news.more or news.unread)
            if is_news or changed is not None:
                at = self._position(watch, group.following) if is_news else ""
                found.append((group, _Found(entries, news, at, changed, is_news)))
        return found, [(follower, self._begun(watch, follower)) for follower in joining]

    def _begun(self, watch: Watch, follower: Follower) -> _Found:
        """What a follower missed since it was left, up to the last look."""
        following = follower.following
        store, query = self.held.store_for(following.seen), following.ask()
        entries: list[Entry] = []
        news = News([])
        if follower.since is not None:
            intervals = watch.since(store.roots, query.where, follower.since)
            if intervals:
                entries, news = self._news(following, intervals, RESUMED_MOST)
        return _Found(entries, news, self._position(watch, following), self._missing(watch, following) or None)

    def _missing(self, watch: Watch, following: Following) -> tuple[Unreadable, ...]:
        return watch.missing(self.held.store_for(following.seen).roots, following.ask().where)

    def _position(self, watch: Watch, following: Following) -> str:
        return watch.position(self.held.store_for(following.seen).roots, following.ask().where).text

    def _news(self, following: Following, intervals: Intervals, most: int) -> tuple[list[Entry], News]:
        """What is new of a search, as the lines of its list, the oldest first."""
        store, query = self.held.store_for(following.seen), following.ask()
        news = store.news(query.where, intervals, most, cut_chars=CUT_CHARS)
        if following.calls:
            found = store.entries_of(news.rows[::-1])[::-1]  # a call stands at its latest event
        else:
            store.resolve(news.rows)
            found = [Entry(row, None, synopsis(row), f"{row['context_name']}-{row['id']}") for row in news.rows]
        return [replace(entry, row=placed(entry.row, store.root)) for entry in found], news


def _named(day: Unreadable) -> dict[str, str]:
    return {"context": day.context, "day": day.day, "error": redactors.message(day.error)}


def message(
    event: str, said: dict[str, object], position: str = "", rows: list[str] | None = None, events: int = 0
) -> Message:
    """One message of the stream; `rows` are JSON already, each of an event."""
    members = json.dumps(said)[1:]
    data = "{" + (f'"rows": [{", ".join(rows)}], ' if rows is not None else "") + members
    # White space of JSON outside its strings is all that a line end can be.
    line = data.replace("\r", " ").replace("\n", " ")
    id_line = f"id: {position}\n" if position else ""
    return Message(f"{id_line}event: {event}\ndata: {line}\n\n".encode("utf-8", "replace"), events)
