"""What a running server does without being asked: drain, maintain, retire, a little every half minute; index the text
of what came, every few seconds; and look at its health, every five minutes.

It lives as long as the server: begun and ended with ASGI's lifespan, which both versions of Datasette pass through
their wrappers, on the loop that serves. The work itself is done in a thread, so that no page waits for it. A Datasette
that nobody serves (tests, `datasette --get`) has none.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from datasette_eyelet import instance

INTERVAL_S = 30.0
HEALTH_INTERVAL_S = 300.0
HEALTH_FIRST_S = 10.0  # a server that begins has enough to do
TEXT_INTERVAL_S = 3.0  # what arrives is found at once all the same: by reading what the index does not hold yet
END_WAIT_S = 5.0  # for the round that is going on when the server ends


def keeping(datasette: Any) -> Callable[[Any], Any]:
    """The ASGI wrapper that keeps the rounds going for the life of the server."""

    def wrap(app: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        async def with_rounds(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "lifespan":
                await app(scope, receive, send)
                return
            ends = asyncio.Event()
            rounds = [
                asyncio.create_task(_rounds(datasette, ends, INTERVAL_S, lambda held: held.round())),
                asyncio.create_task(_rounds(datasette, ends, TEXT_INTERVAL_S, lambda held: held.index_text())),
                asyncio.create_task(_rounds(datasette, ends, HEALTH_INTERVAL_S, _looked, HEALTH_FIRST_S)),
            ]

            async def heard() -> Any:
                message = await receive()
                if message["type"] == "lifespan.shutdown":  # before anything is closed that a round works with
                    ends.set()
                    await asyncio.wait(rounds, timeout=END_WAIT_S)
                return message

            try:
                await app(scope, heard, send)
            finally:
                for task in rounds:
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        await task

        return with_rounds

    return wrap


def _looked(held: instance.Instance) -> None:
    held.health.evaluate()


async def _rounds(
    datasette: Any,
    ends: asyncio.Event,
    interval_s: float,
    work: Callable[[instance.Instance], None],
    first_s: float | None = None,
) -> None:
    """Do the work every `interval_s` until it `ends`, the first time after `first_s`, each time in a thread."""
    wait_s = interval_s if first_s is None else first_s
    while not ends.is_set():
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(ends.wait(), wait_s)
        wait_s = interval_s
        if ends.is_set():
            return
        held = instance.of(datasette)
        try:
            one = asyncio.ensure_future(held.apart(work, held))
            await asyncio.wait([one])  # whatever goes wrong in a round ends no other
        except RuntimeError:  # its threads are gone: the server is about to end
            return
        bad = one.exception()
        if bad is not None:
            held.trouble = held.trouble or f"what the server does by itself failed: {bad}"
