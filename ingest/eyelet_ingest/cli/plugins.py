"""`eyelet plugins`: which plugins there are, what they bring, and what went wrong with them."""

import sys
from typing import TYPE_CHECKING, cast

import click

from eyelet_ingest.cli.options import root_option

if TYPE_CHECKING:
    from eyelet_ingest.plugins import Plugins

_BROUGHT = {
    "register_sources": "source",
    "register_columns": "column",
    "register_checks": "check",
    "register_checkpoint_strategies": "checkpoint strategy",
    "register_embedders": "embedder",
}


@click.command()
@click.option("--make-columns", is_flag=True, help="Give every day the columns that plugins register.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@root_option
@click.pass_context
def plugins(ctx: click.Context, make_columns: bool, as_json: bool, root: str) -> None:
    """The plugins that are installed, and what they do. docs/plugins.md says how to write one."""
    from eyelet_ingest.cli import output
    from eyelet_ingest.plugins import Plugins, in_hooks
    from eyelet_ingest.store.store import Store

    found = Plugins.load()
    hot, hot_troubles = in_hooks(found.home)
    said = {**_said(found), "in_hooks": hot}
    troubles = [
        f"{one.plugin}{f' ({one.hook})' if one.hook else ''}: {one.reason}" for one in found.troubles + hot_troubles
    ]
    if make_columns:
        with Store(root) as store:
            changed, bad = store.make_columns(found.columns)
        said["days_changed"] = changed
        troubles += [str(error) for error in bad]
    found.close()
    if as_json:
        output.write_lines(sys.stdout, [output.json_value(said)])
    else:
        output.write_lines(sys.stdout, map(output.visible, _lines(found, said)))
    for trouble in troubles:
        click.echo(output.visible(f"eyelet: {trouble}"), err=True)
    if troubles:
        ctx.exit(1)


def _said(found: "Plugins") -> dict[str, object]:
    loaded = [
        {"name": one.name, "origin": one.origin, "version": one.version, "hooks": list(one.hooks)}
        for one in found.loaded
    ]
    brought = {
        hook: [{"plugin": plugin, "name": one.name} for plugin, one in registered]
        for hook, registered in found.registered.items()
    }
    troubles = [{"plugin": one.plugin, "hook": one.hook, "reason": one.reason} for one in found.troubles]
    return {"plugins": loaded, "registered": brought, "troubles": troubles}


def _lines(found: "Plugins", said: dict[str, object]) -> list[str]:
    lines = []
    for one in found.loaded:
        version = f" {one.version}" if one.version else ""
        lines.append(f"{one.name}{version} ({one.origin}): {', '.join(one.hooks) or 'no hooks'}")
        for hook, what in _BROUGHT.items():
            names = [registered.name for plugin, registered in found.registered[hook] if plugin == one.name]
            lines += [f"    {what} {name}" for name in names]
    if said["in_hooks"]:
        lines.append(f"In hooks, too: {', '.join(map(str, cast('list[str]', said['in_hooks'])))}.")
    if not lines:
        lines.append("No plugins.")
    if "days_changed" in said:
        lines.append(f"{said['days_changed']} days got columns.")
    return lines
