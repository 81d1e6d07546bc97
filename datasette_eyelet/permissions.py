"""Who may see what was recorded. Every page asks here first, before anything is opened.

Nobody may by default but the signed-in root user. The plugin's settings may let others view.
"""

from typing import Any

from datasette.utils import actor_matches_allow

from datasette_eyelet import compat

PLUGIN = "datasette-eyelet"

VIEW = "eyelet-view"
WRITE = "eyelet-write"
ADMIN = "eyelet-admin"
ACTIONS = {
    VIEW: "See what Eyelet recorded",
    WRITE: "Record events through Eyelet",
    ADMIN: "Delete, redact, export and maintain what Eyelet recorded",
}

SETTINGS = ("root", "allow")


def settings(datasette: Any) -> dict[str, Any]:
    """The plugin's settings; WrongSetting, which stops the server with one line, for a key or a kind that is wrong."""
    found = datasette.plugin_config(PLUGIN) or {}
    if not isinstance(found, dict):
        raise compat.WrongSetting(f"plugins: {PLUGIN}: must hold settings ({', '.join(SETTINGS)})")
    for key in found:
        if key not in SETTINGS:
            raise compat.WrongSetting(f"plugins: {PLUGIN}: has no setting {key!r}; it has {', '.join(SETTINGS)}")
    if not isinstance(found.get("root", ""), str):
        raise compat.WrongSetting(f"plugins: {PLUGIN}: root: must be the path of a folder")
    if not isinstance(found.get("allow", {}), (dict, bool)):
        raise compat.WrongSetting(f"plugins: {PLUGIN}: allow: must be a block like {{id: alice}}, or true or false")
    return found


def granted_by_settings(datasette: Any, actor: dict[str, Any] | None, action: str) -> bool:
    """Whether the plugin's `allow` block lets this actor view. Nothing else is granted there."""
    block = settings(datasette).get("allow")
    return action == VIEW and block is not None and bool(actor_matches_allow(actor, block))


async def may_view(datasette: Any, actor: dict[str, Any] | None) -> bool:
    return await compat.allowed(datasette, actor, VIEW)
