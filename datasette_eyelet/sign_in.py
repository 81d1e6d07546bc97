"""What `eyelet serve` asks of the server it starts: say where it is once it answers, lead a sign-in to the search.

`eyelet serve` becomes the server, so nobody is left to print the link when the port is open; the plugin does it.
"""

import os
import socket
import threading
import time
import webbrowser
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import click
from datasette import Response

from datasette_eyelet import compat
from datasette_eyelet.links import SEARCH

URL_VARIABLE = "EYELET_SERVE_URL"
OPEN_VARIABLE = "EYELET_SERVE_OPEN"

AUTH_TOKEN = "/-/auth-token"
WAIT_S = 60.0
POLL_S = 0.05

Message = dict[str, Any]


def start(datasette: Any) -> None:
    """Under `eyelet serve`: root may sign in, and the links are printed as soon as the port answers."""
    url = os.environ.get(URL_VARIABLE)
    if not url:
        return
    compat.enable_root(datasette)
    token = compat.root_token(datasette)
    sign_in_url = f"{url}{datasette.urls.path(AUTH_TOKEN)}?token={token}"
    search_url = f"{url}{datasette.urls.path(SEARCH)}"
    threading.Thread(target=_announce, args=(url, sign_in_url, search_url), daemon=True).start()


def landing_on_search(datasette: Any) -> Callable[[Any], Any]:
    """ASGI: under `eyelet serve`, Datasette's sign-in leads to the search page instead of the front page; who is
    signed in already is led there too, the link used up or not."""

    def wrap(app: Any) -> Any:
        if not os.environ.get(URL_VARIABLE):
            return app

        async def wrapped(scope: Message, receive: Any, send: Callable[[Message], Awaitable[None]]) -> None:
            target = str(datasette.urls.path(SEARCH))

            async def redirected(message: Message) -> None:
                if message["type"] == "http.response.start" and message["status"] == 302:
                    headers = [header for header in message["headers"] if header[0].lower() != b"location"]
                    message = {**message, "headers": [*headers, (b"location", target.encode("utf-8"))]}
                await send(message)

            is_sign_in = scope["type"] == "http" and scope["path"].endswith(AUTH_TOKEN)
            if is_sign_in and await compat.is_root(datasette, scope):
                await Response.redirect(target).asgi_send(send)
            else:
                await app(scope, receive, redirected if is_sign_in else send)

        return wrapped

    return wrap


def _announce(url: str, sign_in_url: str, search_url: str) -> None:
    if not _answers(url):
        return
    click.echo(f"\nSign in: {sign_in_url}\nSearch:  {search_url}\nCtrl-C ends the server.\n")
    if os.environ.get(OPEN_VARIABLE):
        webbrowser.open(sign_in_url)


def _answers(url: str) -> bool:
    """Whether something accepts connections there, within WAIT_S."""
    parts = urlsplit(url)
    end_s = time.monotonic() + WAIT_S
    while time.monotonic() < end_s:
        try:
            with socket.create_connection((parts.hostname, parts.port or 80), timeout=1):
                return True
        except OSError:
            time.sleep(POLL_S)
    return False
