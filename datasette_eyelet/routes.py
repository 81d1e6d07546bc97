"""The URLs. Every view stands behind `_guarded`: who may not see it is refused before anything is opened, and what
cannot be answered is answered with its reason."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from datasette_eyelet import api, day_gate, permissions
from datasette_eyelet.api import hook, otlp
from datasette_eyelet.links import (
    ALIVE,
    BENCH,
    DAYS,
    EXPORT,
    HEALTH,
    LIVE,
    METRICS,
    NOW,
    OVERVIEW,
    ROW,
    SAVED,
    SEARCH,
    SESSIONS,
    SOURCES,
    SQL,
    VALUES,
)
from datasette_eyelet.pages import (
    alive,
    bench,
    calls_json,
    days,
    event,
    export,
    health,
    health_day,
    live,
    metrics,
    now,
    overview,
    row,
    saved,
    search,
    search_json,
    session,
    sessions,
    sources,
    sql,
    values,
)
from datasette_eyelet.problems import problem, refusal
from eyelet_ingest.errors import BadInput, EyeletError

# (datasette, request, the contexts the actor may see or None for all of them) → response
View = Callable[..., Awaitable[Any]]

METHODS = ("GET", "HEAD")


def _guarded(view: View, *, as_json: bool, methods: tuple[str, ...] = METHODS) -> View:
    async def answered(datasette: Any, request: Any) -> Any:
        seen = await permissions.contexts_for(datasette, request.actor)
        if seen is not None and not seen:
            return await refusal(datasette, request, as_json)
        return await _answered(view, datasette, request, seen, as_json=as_json, methods=methods)

    return answered


def _administered(view: View, *, as_json: bool, methods: tuple[str, ...] = METHODS) -> View:
    """`view(datasette, request)`, for who may administer all contexts."""

    async def answered(datasette: Any, request: Any) -> Any:
        if not await permissions.may(datasette, request.actor, permissions.ADMIN):
            if not await permissions.may_view_any(datasette, request.actor):
                return await refusal(datasette, request, as_json)
            reason = "eyelet-admin is not granted for all contexts: the plugin's setting `admin` gives it"
            return await problem(datasette, request, as_json, 403, "You may not administer this", reason)
        return await _answered(view, datasette, request, as_json=as_json, methods=methods)

    return answered


async def _answered(
    view: View, datasette: Any, request: Any, *given: Any, as_json: bool, methods: tuple[str, ...]
) -> Any:
    """What the view answers; what cannot be answered, with its reason."""
    if request.method not in methods:
        return await problem(datasette, request, as_json, 405, "Only GET", "this address is only for reading")
    try:
        return await view(datasette, request, *given)
    except BadInput as error:
        return await problem(datasette, request, as_json, 400, "That cannot be understood", str(error))
    except EyeletError as error:
        return await problem(datasette, request, as_json, 503, "That cannot be read", str(error))


# Behind the gate, which asked already
_DAY = (rf"^{day_gate.ANSWER}$", day_gate.answer)

_ROW = rf"^{ROW}/(?P<context>[^/]+)/(?P<id>[^/]+)"
_SESSION = r"^/-/eyelet/session/(?P<session>[^/]+?)"
_HEALTH_DAY = rf"^{HEALTH}/day/(?P<context>[^/]+)/(?P<date>[^/]+?)"
_EVENT = r"^/-/eyelet/event/(?P<context>[^/]+)/(?P<id>[^/]+?)"


def _page(path: str, view: View, json_view: View) -> list[tuple[str, View]]:
    """A page and the JSON beside it."""
    return [(rf"^{path}$", _guarded(view, as_json=False)), (rf"^{path}\.json$", _guarded(json_view, as_json=True))]


ROUTES: list[tuple[str, View]] = [
    _DAY,
    (rf"^{SEARCH}$", _guarded(search.view, as_json=False)),
    (r"^/-/eyelet\.json$", _guarded(search_json.view, as_json=True)),
    (rf"^{DAYS}$", _guarded(days.view, as_json=False)),
    (r"^/-/eyelet/days\.json$", _guarded(days.json_view, as_json=True)),
    *_page(OVERVIEW, overview.view, overview.json_view),
    *_page(NOW, now.view, now.json_view),
    *_page(SESSIONS, sessions.view, sessions.json_view),
    *_page(SOURCES, sources.view, sources.json_view),
    (r"^/-/eyelet/calls\.json$", _guarded(calls_json.view(calls_json.calls), as_json=True)),
    (r"^/-/eyelet/usage\.json$", _guarded(calls_json.view(calls_json.usage), as_json=True)),
    (r"^/-/eyelet/completeness\.json$", _guarded(calls_json.view(calls_json.completeness), as_json=True)),
    *_page(SQL, sql.view, sql.json_view),
    (rf"^{EXPORT}\.(?P<kind>csv)$", _guarded(export.view, as_json=False)),
    (rf"^{EXPORT}\.(?P<kind>jsonl?)$", _guarded(export.view, as_json=True)),
    (rf"^{re.escape(VALUES)}$", _guarded(values.json_view, as_json=True)),
    (rf"^{LIVE}$", _guarded(live.view, as_json=True)),
    (rf"^{SAVED}$", _guarded(saved.view, as_json=False, methods=(*METHODS, "POST"))),
    (rf"^{SAVED}\.json$", _guarded(saved.json_view, as_json=True)),
    (rf"^{BENCH}$", _administered(bench.view, as_json=False, methods=(*METHODS, "POST"))),
    (rf"^{BENCH}\.json$", _administered(bench.json_view, as_json=True)),
    (rf"^{HEALTH}$", _administered(health.view, as_json=False, methods=(*METHODS, "POST"))),
    (rf"^{HEALTH}\.json$", _administered(health.json_view, as_json=True)),
    (_HEALTH_DAY + r"\.json$", _guarded(health_day.json_view, as_json=True)),
    (_HEALTH_DAY + "$", _guarded(health_day.view, as_json=False, methods=(*METHODS, "POST"))),
    (rf"^{METRICS}$", _administered(metrics.view, as_json=True)),
    (rf"^{ALIVE}$", alive.view),
    (_ROW + "/around(?P<which>|/session)$", _guarded(row.around_view, as_json=False)),
    (_ROW + "$", _guarded(row.view, as_json=False)),
    (_SESSION + r"/export\.(?P<kind>html|md|json)$", _guarded(session.export_view, as_json=False)),
    (_SESSION + r"/part$", _guarded(session.part_view, as_json=False)),
    (_SESSION + r"\.json$", _guarded(session.json_view, as_json=True)),
    (_SESSION + "$", _guarded(session.view, as_json=False)),
    (_EVENT + r"\.json$", _guarded(event.json_view, as_json=True)),
    (_EVENT + "$", _guarded(event.view, as_json=False)),
    *hook.ROUTES,
    *otlp.ROUTES,
    *api.ROUTES,
]
