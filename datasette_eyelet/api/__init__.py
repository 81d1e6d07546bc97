"""The log API: `/-/eyelet/api/…`, JSON for programs. docs/api.md describes it, and its examples are run as tests."""

from collections.abc import Awaitable, Callable
from typing import Any

from datasette_eyelet.api import delete, export, insert, reading
from datasette_eyelet.api.door import door, nothing_here
from datasette_eyelet.permissions import ADMIN, VIEW, WRITE

API = "/-/eyelet/api"

ROUTES: list[tuple[str, Callable[..., Awaitable[Any]]]] = [
    (rf"^{API}/insert$", door(insert.view, WRITE, "POST")),
    (rf"^{API}/query$", door(reading.query_view, VIEW, "GET", "HEAD")),
    (rf"^{API}/count$", door(reading.count_view, VIEW, "GET", "HEAD")),
    (rf"^{API}/sources$", door(reading.sources_view, VIEW, "GET", "HEAD")),
    (rf"^{API}/export$", door(export.view, ADMIN, "GET")),
    (rf"^{API}/delete$", door(delete.view, ADMIN, "POST")),
    (rf"^{API}(/.*)?$", nothing_here),
]
