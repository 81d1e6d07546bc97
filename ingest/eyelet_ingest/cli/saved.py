"""`eyelet saved`: searches that have a name, in the browser's menu and here."""

import sys

import click

from eyelet_ingest.cli.moving import who
from eyelet_ingest.cli.options import root_option, say_if_missing, utf8


@click.group()
def saved() -> None:
    """Searches that have a name."""


@saved.command("list")
@click.option("--json", "as_json", is_flag=True, help="An array of objects.")
@root_option
def list_saved(as_json: bool, root: str) -> None:
    """The saved searches: names, and what stands behind the ? of the search page."""
    from eyelet_ingest.cli import output
    from eyelet_ingest.store import saved as store

    say_if_missing(root)
    known = store.known(root)
    if as_json:
        found = [
            {"name": one.name, "query": one.query, "made_by": one.made_by, "made_at_us": one.made_at_us}
            for one in known
        ]
        lines = [output.json_value(found)]
    else:
        lines = [output.visible(f"{one.name}: {one.query}") for one in known]
    output.write_lines(sys.stdout, lines)


@saved.command()
@click.argument("name")
@click.argument("search")
@click.option("--replace", is_flag=True, help="Also where there is one of this name.")
@root_option
def add(name: str, search: str, replace: bool, root: str) -> None:
    """Save a search: its address in the browser, or what stands behind the ? there."""
    from eyelet_ingest import redactors, saving
    from eyelet_ingest.cli.output import visible

    query = saving.query_of(utf8("search", search))
    made = saving.save(root, who(), utf8("name", name), query, redactors.of_root(root), again=replace)
    click.echo(visible(f"{made.name} is saved"))


@saved.command()
@click.argument("name")
@root_option
def remove(name: str, root: str) -> None:
    """Remove a saved search."""
    from eyelet_ingest import saving
    from eyelet_ingest.cli.output import visible

    saving.remove(root, who(), utf8("name", name))
    click.echo(visible(f"{name} is removed"))
