"""What a running server does without being asked: drain, maintain, retire, a little every half minute.

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


def keeping(datasette: Any) -> Callable[[Any], Any]:
    """The ASGI wrapper that keeps the rounds going for the life of the server."""

    def wrap(app: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        async def with_rounds(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "lifespan":
                await app(scope, receive, send)
                return
            rounds = asyncio.create_task(_rounds(datasette))
            try:
                await app(scope, receive, send)
            finally:
                rounds.cancel()
                with suppress(asyncio.CancelledError):
                    await rounds

        return with_rounds

    return wrap


async def _rounds(datasette: Any) -> None:
    while True:
        await asyncio.sleep(INTERVAL_S)
        held = instance.of(datasette)
        try:
            await held.apart(held.round)
        except RuntimeError:  # its threads are gone: the server is about to end
            return
