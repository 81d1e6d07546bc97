"""The plugin's settings in Datasette's configuration: checked once, at start."""

from typing import Any

from datasette_eyelet import compat

PLUGIN = "datasette-eyelet"

# Allow blocks: for all contexts, and inside `contexts: NAME:` for one
GRANTS = ("allow", "write", "admin")
LIVE_PAGES, LIVE_OWN, LIVE_ROWS = "max_live_pages", "max_live_pages_of_one", "max_live_rows_per_s"
BENCH_ROWS, BENCH_SECONDS = "max_bench_rows", "max_bench_seconds"
LIMITS = ("max_mounted_days", "max_open_files", LIVE_PAGES, LIVE_OWN, LIVE_ROWS, BENCH_ROWS, BENCH_SECONDS)
HOOK_HOSTS = "hook_hosts"
SETTINGS = ("root", *GRANTS, "contexts", *LIMITS, HOOK_HOSTS)


def read(datasette: Any) -> dict[str, Any]:
    """The settings; WrongSetting, which stops the server with one line, for a key or a kind that is wrong."""
    found = datasette.plugin_config(PLUGIN) or {}
    where = f"plugins: {PLUGIN}:"
    _check_keys(found, SETTINGS, where)
    if not isinstance(found.get("root", ""), str):
        raise compat.WrongSetting(f"{where} root: must be the path of a folder")
    for key in LIMITS:
        if type(found.get(key, 1)) is not int or found.get(key, 1) < 1:
            raise compat.WrongSetting(f"{where} {key}: must be a whole number from 1 on")
    hosts = found.get(HOOK_HOSTS, [])
    if not isinstance(hosts, list) or not all(isinstance(host, str) and host.strip() for host in hosts):
        raise compat.WrongSetting(f"{where} {HOOK_HOSTS}: must be a list of names of hosts, without ports")
    _check_blocks(found, where)
    contexts = found.get("contexts", {})
    if not isinstance(contexts, dict):
        raise compat.WrongSetting(f"{where} contexts: must hold a block for each context, by its name")
    for name, block in contexts.items():
        inside = f"{where} contexts: {name}:"
        _check_keys(block, GRANTS, inside)
        _check_blocks(block, inside)
    return dict(found)


def _check_keys(block: Any, known: tuple[str, ...], where: str) -> None:
    if not isinstance(block, dict):
        raise compat.WrongSetting(f"{where} must hold settings ({', '.join(known)})")
    for key in block:
        if key not in known:
            raise compat.WrongSetting(f"{where} has no setting {key!r}; it has {', '.join(known)}")


def _check_blocks(block: dict[str, Any], where: str) -> None:
    for key in GRANTS:
        if not isinstance(block.get(key, {}), (dict, bool)):
            raise compat.WrongSetting(f"{where} {key}: must be a block like {{id: alice}}, or true or false")
