"""Who may see, record and change what. Every page asks here first, before anything is opened.

Nobody may by default but the signed-in root user. The plugin's settings may let others, for all contexts or for some;
so may a token, Datasette's own permission settings (1.0) and other plugins.
"""

from typing import Any

from datasette.utils import actor_matches_allow

from datasette_eyelet import compat, instance, token_actor
from datasette_eyelet.scope import scope_of
from eyelet_ingest.errors import EyeletError
from eyelet_ingest.store.layout import key_from_mount_name, safe_context

VIEW = "eyelet-view"
WRITE = "eyelet-write"
ADMIN = "eyelet-admin"
ACTIONS = {
    VIEW: "See what Eyelet recorded",
    WRITE: "Record events through Eyelet",
    ADMIN: "Delete, redact, export and maintain what Eyelet recorded",
}
_SETTING = {VIEW: "allow", WRITE: "write", ADMIN: "admin"}


async def may(datasette: Any, actor: dict[str, Any] | None, action: str, context: str | None = None) -> bool:
    """Whether the actor may do this in the context of this safe name; in all there are and will be where None."""
    if token_actor.is_token(actor):  # it says itself what it is for: no setting, of whoever's, adds to it
        return token_actor.granted_by_token(actor, action, context)
    return await compat.allowed(datasette, actor, action, context)


async def contexts_for(datasette: Any, actor: dict[str, Any] | None, action: str = VIEW) -> frozenset[str] | None:
    """The safe names of the contexts there are in which the actor may do this; None where it is all of them.

    Of a token also those that are not there yet. A root that cannot be listed holds no context: whoever may see all
    will be told what is wrong with it.
    """
    if await may(datasette, actor, action):
        return None
    if token_actor.is_token(actor):
        return token_actor.contexts_of_token(actor, action)
    try:
        there = instance.of(datasette).store.contexts()
    except EyeletError:
        return frozenset()
    return await compat.allowed_contexts(datasette, actor, action, there)


async def may_view_any(datasette: Any, actor: dict[str, Any] | None) -> bool:
    """Whether the actor may see anything at all."""
    visible = await contexts_for(datasette, actor)
    return visible is None or bool(visible)


async def may_see_database(datasette: Any, actor: dict[str, Any] | None, name: str) -> bool:
    """Whether the actor may see a database of ours: a day, or one over the days of a context or of all."""
    scope = scope_of(name)
    if scope is not None:
        return await may(datasette, actor, VIEW, scope.context)
    key = key_from_mount_name(name)
    return key is not None and await may(datasette, actor, VIEW, key.context)


def granted(datasette: Any, actor: dict[str, Any] | None, action: str) -> frozenset[str] | None:
    """The safe names of the contexts, there or not, in which our settings let the actor do this; None for all."""
    if token_actor.is_token(actor):
        return frozenset()
    found = instance.of(datasette).settings
    setting = _SETTING[action]
    if _matches(actor, found, setting):
        return None
    contexts = found.get("contexts", {})
    return frozenset(safe_context(str(name)) for name, block in contexts.items() if _matches(actor, block, setting))


def _matches(actor: dict[str, Any] | None, block: dict[str, Any], setting: str) -> bool:
    return setting in block and bool(actor_matches_allow(actor, block[setting]))
