"""The log API: `/-/eyelet/api/…`, JSON for programs. docs/api.md describes it, and its examples are run as tests."""

from collections.abc import Awaitable, Callable
from typing import Any

from datasette_eyelet.api import delete, export, insert, reading
from datasette_eyelet.api.door import guarded, nothing_here
from datasette_eyelet.permissions import ADMIN, VIEW, WRITE

API = "/-/eyelet/api"

ROUTES: list[tuple[str, Callable[..., Awaitable[Any]]]] = [
    (rf"^{API}/insert$", guarded(insert.view, WRITE, "POST")),
    (rf"^{API}/query$", guarded(reading.query_view, VIEW, "GET", "HEAD")),
    (rf"^{API}/count$", guarded(reading.count_view, VIEW, "GET", "HEAD")),
    (rf"^{API}/sources$", guarded(reading.sources_view, VIEW, "GET", "HEAD")),
    (rf"^{API}/export$", guarded(export.view, ADMIN, "GET")),
    (rf"^{API}/delete$", guarded(delete.view, ADMIN, "POST")),
    (rf"^{API}(/.*)?$", nothing_here),
]
