"""`GET /-/eyelet/api/export`: every event that a filter finds, as gzip of JSON lines, sent while it is read."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Any, Protocol

from datasette_eyelet import instance
from datasette_eyelet.answer import placed
from datasette_eyelet.api import audited, door
from datasette_eyelet.api.asked import PAGE, asked
from datasette_eyelet.export_forms import Form, GzipLines, headers
from datasette_eyelet.permissions import ADMIN
from eyelet_ingest.errors import EyeletError
from eyelet_ingest.store import audit
from eyelet_ingest.store.answers import Row, Unreadable
from eyelet_ingest.store.roots import Roots

PIECE_EVENTS = 200
PIECE_BYTES = 2**20  # beyond one event
SENT_BYTES = 2**18  # at once
SEND_S = 60.0  # for who takes none of that: exports have few places

Send = Callable[[dict[str, Any]], Awaitable[None]]


async def view(datasette: Any, request: Any) -> Any:
    query = asked(request.args, without=PAGE)
    contexts = await door.chosen(datasette, request.actor, ADMIN, query.where.contexts)
    held = instance.of(datasette)
    await asyncio.to_thread(held.drain_when_due)
    export = await asyncio.to_thread(held.store_for(contexts).alone().export, query.where)
    facts = await asyncio.to_thread(lambda: audited.facts(query.where, contexts, held.redactor()))
    return Answer(datasette, request, export, facts, GzipLines())


class Exported(Protocol):
    """What is sent: to be iterated once; `events` counts what was given, `unreadable` names the days it lacks."""

    events: int
    unreadable: dict[tuple[str, ...], Unreadable]
    roots: Roots

    def __iter__(self) -> Iterator[Row]: ...


class Answer:
    """An answer whose body is made while it is sent, in this form. Its end says whether it is whole. The audit has its
    beginning, with these facts, before the first byte. Where the reader goes away, or takes nothing, it stops."""

    def __init__(self, datasette: Any, request: Any, export: Exported, facts: dict[str, object], form: Form) -> None:
        self.datasette, self.request, self.export, self.facts = datasette, request, export, facts
        self.form = form
        self.root = instance.of(datasette).root

    def set_cookie(self, *_: Any, **__: Any) -> None:
        """What Datasette has to tell a person is not told to a program."""

    async def asgi_send(self, send: Send) -> None:
        try:
            with door.room(self.datasette, "export"):
                await self._audit("export.begin", self.facts)
                gone = asyncio.ensure_future(until_gone(self.request.receive))
                try:
                    await self._stream(send, gone)
                finally:
                    gone.cancel()
        except (door.Problem, EyeletError) as error:  # before the first byte
            await door.refusal(error).asgi_send(send)

    async def _stream(self, send: Send, gone: "asyncio.Future[None]") -> None:
        form = self.form
        await send({"type": "http.response.start", "status": 200, "headers": headers(form)})
        rows = iter(self.export)
        trouble = ""
        try:
            await _sent(send, form.begin())
            while not gone.done():
                piece, is_last = await asyncio.to_thread(_piece, rows, form, self.export.roots.first.root)
                await _sent(send, piece)
                if is_last:
                    break
            else:
                trouble = "the reader went away"
        except asyncio.TimeoutError:  # it has no end, so that nobody takes it for whole
            await self._audit_end(self._end("the reader took nothing any more"))
            return
        except EyeletError as error:
            trouble = f"{error.operation}: {error.reason}"
        end = self._end(trouble)
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(send({"type": "http.response.body", "body": form.end(end)}), SEND_S)
        await self._audit_end(end)

    def _end(self, trouble: str) -> dict[str, object]:
        bad = [{"context": b.context, "day": b.day, "error": b.error} for b in self.export.unreadable.values()]
        end = {"events": self.export.events, "complete": not (bad or trouble), "unreadable": bad}
        return {**end, "error": trouble} if trouble else end

    async def _audit(self, action: str, what: dict[str, object]) -> None:
        await asyncio.to_thread(audit.record, self.root, door.who(self.request), action, what)

    async def _audit_end(self, end: dict[str, object]) -> None:
        with suppress(EyeletError):  # the answer is out, and its beginning is in the audit
            await self._audit("export.end", end)


def _piece(rows: Iterator[Row], form: Form, root: str) -> tuple[bytes, bool]:
    """The next events, written one after another, and whether they were the last. Not for the event loop."""
    parts: list[bytes] = []
    held_bytes = 0
    for row in islice(rows, PIECE_EVENTS):
        parts.append(form.row(placed(row, root)))
        held_bytes += len(parts[-1])
        if held_bytes > PIECE_BYTES:
            return b"".join(parts), False
    return b"".join(parts), len(parts) < PIECE_EVENTS


async def _sent(send: Send, piece: bytes) -> None:
    """asyncio.TimeoutError where nobody takes it."""
    for at in range(0, len(piece), SENT_BYTES):
        part = {"type": "http.response.body", "body": piece[at : at + SENT_BYTES], "more_body": True}
        await asyncio.wait_for(send(part), SEND_S)


async def until_gone(receive: Callable[[], Awaitable[dict[str, Any]]]) -> None:
    """Ends when the reader goes away."""
    while (await receive())["type"] != "http.disconnect":
        pass
