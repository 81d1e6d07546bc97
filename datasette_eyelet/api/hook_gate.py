"""Hooks that show a token of ours, answered around Datasette's own app.

Datasette asks all plugins who somebody is, matches every route and wraps each answer: three quarters of what a hook
over HTTP cost, and nothing of it counts for who shows a token of ours, which says itself what it is for. Whatever else
comes to this address goes Datasette's way, and both end in `hook.answered`. Plugins' own wrappers stay around this.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any

from datasette import Request

from datasette_eyelet import token_actor
from datasette_eyelet.api import hook


class Post(Request):  # type: ignore[misc]  # Datasette has no types
    """A request whose headers are read once."""

    @cached_property
    def headers(self) -> Any:
        return super().headers


def taking_hooks(datasette: Any) -> Callable[[Any], Any]:
    """ASGI: see above."""
    base = datasette.setting("base_url").encode()
    paths = (hook.HOOK.encode(), base + hook.HOOK.encode()[1:])

    def wrap(app: Any) -> Any:
        async def wrapped(scope: Any, receive: Any, send: Any) -> None:
            request = _post(datasette, scope, receive, paths)
            if request is None:
                await app(scope, receive, send)
                return
            request.scope["actor"] = await token_actor.of_request(datasette, request)
            response = await hook.answered(datasette, request)
            await response.asgi_send(send)

        return wrapped

    return wrap


def _post(datasette: Any, scope: Any, receive: Any, paths: tuple[bytes, ...]) -> Post | None:
    """The request, where it is a hook's with a token of ours, and Datasette has started."""
    if scope["type"] != "http" or scope["method"] != "POST" or not datasette._startup_invoked:
        return None
    path = scope.get("raw_path") or scope["path"].encode("utf-8", "replace")
    if path.partition(b"?")[0] not in paths:
        return None
    request = Post({**scope}, receive)
    return request if token_actor.said_by(request) else None
