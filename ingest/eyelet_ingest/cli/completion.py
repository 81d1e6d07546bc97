"""`eyelet completion SHELL`: what makes a shell complete commands, flags, and names that were recorded."""

import sys

import click
from click.shell_completion import get_completion_class

from eyelet_ingest.cli import output

SHELLS = ("bash", "zsh", "fish")
PROGRAM, VARIABLE = "eyelet", "_EYELET_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that lets a shell complete `eyelet`; docs/commands.md says where it goes."""
    found = get_completion_class(shell)
    if found is None:
        raise click.ClickException(f"click knows no completion for {shell}: pip install --upgrade click")
    group = ctx.find_root().command
    output.write_lines(sys.stdout, found(group, {}, PROGRAM, VARIABLE).source().splitlines())
