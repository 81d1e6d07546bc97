"""`eyelet config`: the settings that hold here, where each is from, and what a file may say."""

import os
import sys
from typing import Any

import click

from eyelet_ingest.cli.options import project_option


@click.group()
def config() -> None:
    """The settings that hold."""


@config.command()
@project_option("For work in this folder. Else in the one you are in.")
@click.option("--json", "as_json", is_flag=True, help="An array of objects.")
def show(project: str, as_json: bool) -> None:
    """Every setting's value, and what it is from: the default, a file and line, a variable of the environment."""
    from eyelet_ingest import settings
    from eyelet_ingest.cli import output
    from eyelet_ingest.store import roles

    held = settings.effective(os.path.abspath(os.path.expanduser(project or os.getcwd())))
    lines: list[tuple[str, Any, str]] = [(name, one.value, one.origin) for name, one in held.values.items()]
    lines += [(f"sqlite.{role}.{name}", value, origin) for role, name, value, origin in roles.shown()]
    lines.append(_extension())
    if as_json:
        keys = ("name", "value", "origin")
        output.write_lines(sys.stdout, [output.json_value([dict(zip(keys, line, strict=True)) for line in lines])])
        return
    said = [(name, _text(value), origin) for name, value, origin in lines]
    widths = [max(len(line[at]) for line in said) for at in (0, 1)]
    rows = [f"{name:<{widths[0]}}  {value:<{widths[1]}}  {origin}" for name, value, origin in said]
    output.write_lines(sys.stdout, [output.visible(row) for row in rows])
    _say_what_is_dear(held["redaction.patterns"])


@config.command()
def schema() -> None:
    """A JSON schema of `eyelet.yaml`, for editors that check while one writes."""
    import json

    from eyelet_ingest import settings
    from eyelet_ingest.cli import output

    output.write_lines(sys.stdout, json.dumps(settings.json_schema(), indent=2).split("\n"))


def _say_what_is_dear(patterns: dict[str, str]) -> None:
    """Which patterns cost every event a search."""
    if not patterns:
        return
    from eyelet_ingest.own_patterns import looks_at_everything

    for name in filter(lambda one: looks_at_everything(patterns[one]), patterns):
        reason = "no character stands in all that it matches, so no event is known to be without"
        click.echo(f"redaction.patterns.{name} is asked of every text: {reason}", err=True)


def _extension() -> tuple[str, bool, str]:
    """Whether SQL over all days has the extension in C, and the file that it is, or why not and what helps."""
    from eyelet_ingest import extension
    from eyelet_ingest.store import connect

    conn = connect.open_memory()
    reason = connect.load_extension(conn)
    conn.close()
    return "sqlite.extension", not reason, reason or extension.path_of_built() or ""


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return ", ".join(f"{name}={one}" for name, one in value.items()) or "-"
    return ", ".join(value) if isinstance(value, tuple) else str(value)
