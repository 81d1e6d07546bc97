"""The answers that are none: refusals, and what cannot be read."""

from typing import Any

from datasette_eyelet import advice, compat, instance, responses
from datasette_eyelet.visible import visible


async def problem(datasette: Any, request: Any, as_json: bool, status: int, title: str, reason: str) -> Any:
    return await responses.problem(
        datasette, request, status=status, title=title, reason=visible(reason), as_json=as_json
    )


async def refusal(datasette: Any, request: Any, as_json: bool) -> Any:
    """403: how to sign in, and which settings grant it. The same whether what was asked for is there or not."""
    reason = (
        "eyelet-view is not granted: sign in with the link that `eyelet serve` prints, "
        "or grant it with the plugin setting datasette-eyelet: allow"
    )
    return await responses.problem(
        datasette,
        request,
        status=403,
        title="Sign in to see what was recorded" if request.actor is None else "You may not see this",
        reason=reason,
        as_json=as_json,
        template="refusal.html",
        # Where the root is, is nobody's business who may not see it.
        has_own_root=advice.has_own_root(instance.of(datasette).root),
        has_permission_settings=compat.has_permission_settings(datasette),
    )
