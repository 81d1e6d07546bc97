"""The URLs. Every view stands behind `_guarded`: who may not see it is refused before anything is opened, and what
cannot be answered is answered with its reason."""

from collections.abc import Awaitable, Callable
from typing import Any

from datasette_eyelet import advice, compat, instance, permissions, responses
from datasette_eyelet.links import SEARCH
from datasette_eyelet.pages import event, search, search_json
from datasette_eyelet.visible import visible
from eyelet_ingest.errors import BadInput, EyeletError

View = Callable[..., Awaitable[Any]]

METHODS = ("GET", "HEAD")


def _guarded(view: View, *, as_json: bool) -> View:
    async def answered(datasette: Any, request: Any) -> Any:
        if not await permissions.may_view(datasette, request.actor):
            return await _refusal(datasette, request, as_json)
        if request.method not in METHODS:
            return await _problem(datasette, request, as_json, 405, "Only GET", "this address is only for reading")
        try:
            return await view(datasette, request)
        except BadInput as error:
            return await _problem(datasette, request, as_json, 400, "That cannot be searched", str(error))
        except EyeletError as error:
            return await _problem(datasette, request, as_json, 503, "That cannot be read", str(error))

    return answered


async def _problem(datasette: Any, request: Any, as_json: bool, status: int, title: str, reason: str) -> Any:
    return await responses.problem(
        datasette, request, status=status, title=title, reason=visible(reason), as_json=as_json
    )


async def _refusal(datasette: Any, request: Any, as_json: bool) -> Any:
    reason = (
        "eyelet-view is not granted: sign in with the link that `eyelet serve` prints, "
        "or grant it with the plugin setting datasette-eyelet: allow"
    )
    return await responses.problem(
        datasette,
        request,
        status=403,
        title="Sign in to see what was recorded",
        reason=reason,
        as_json=as_json,
        template="refusal.html",
        # Where the root is, is nobody's business who may not see it.
        has_own_root=advice.has_own_root(instance.of(datasette).root),
        has_permission_settings=compat.has_permission_settings(datasette),
    )


_EVENT = r"^/-/eyelet/event/(?P<context>[^/]+)/(?P<id>[^/]+?)"

ROUTES: list[tuple[str, View]] = [
    (rf"^{SEARCH}$", _guarded(search.view, as_json=False)),
    (r"^/-/eyelet\.json$", _guarded(search_json.view, as_json=True)),
    (_EVENT + r"\.json$", _guarded(event.json_view, as_json=True)),
    (_EVENT + "$", _guarded(event.view, as_json=False)),
]
