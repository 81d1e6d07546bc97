"""`eyelet config`: the settings that hold here, and where each is from."""

import sys

import click


@click.group()
def config() -> None:
    """The settings that hold."""


@config.command()
@click.option("--json", "as_json", is_flag=True, help="An array of objects.")
def show(as_json: bool) -> None:
    """How SQLite is set, by what a connection is for, and what each value is from."""
    from eyelet_ingest.cli import output
    from eyelet_ingest.store import roles

    lines = roles.shown()
    if as_json:
        keys = ("role", "name", "value", "origin")
        output.write_lines(sys.stdout, [output.json_value([dict(zip(keys, line, strict=True)) for line in lines])])
        return
    said = [f"{role:<8}  {name:<18}  {value:<8}  {origin}" for role, name, value, origin in lines]
    output.write_lines(sys.stdout, [output.visible(line) for line in said])
