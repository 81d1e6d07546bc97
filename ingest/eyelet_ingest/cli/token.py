"""`eyelet token`: who may speak to the server's log API, besides people who are signed in."""

import sys
from typing import TYPE_CHECKING

import click

from eyelet_ingest.cli.moving import who
from eyelet_ingest.cli.options import root_option, say_if_missing, utf8

if TYPE_CHECKING:
    from eyelet_ingest.tokens import Token

GRANTS = ("view", "write", "admin")


@click.group()
def token() -> None:
    """Tokens for the server's log API."""


@token.command()
@click.argument("name")
@click.option(
    "--context", "contexts", multiple=True, metavar="NAME", help="Only for this context (several). Else for all."
)
@click.option(
    "--allow",
    multiple=True,
    type=click.Choice(GRANTS),
    default=("write",),
    show_default="write",
    help="What it lets its bearer do (several).",
)
@click.option("--json", "as_json", is_flag=True, help="Name, token and rights as one JSON object.")
@root_option
def create(name: str, contexts: tuple[str, ...], allow: tuple[str, ...], as_json: bool, root: str) -> None:
    """Make a token and print it, this once."""
    from eyelet_ingest import tokens
    from eyelet_ingest.cli import output
    from eyelet_ingest.store import audit

    given = [utf8("context", context) for context in contexts]
    said, made = tokens.create(root, utf8("name", name), given, allow)
    try:
        audit.record(root, who(), "token.create", _facts(made))
    except BaseException:
        tokens.revoke(root, name)  # what is not audited is not done
        raise
    line = output.json_value({"token": said, **_facts(made)}) if as_json else said
    output.write_lines(sys.stdout, [line])
    if not as_json:
        click.echo(f"eyelet: {_sentence(made)}. The token is not shown again.", err=True)


@token.command("list")
@click.option("--json", "as_json", is_flag=True, help="An array of objects.")
@root_option
def list_tokens(as_json: bool, root: str) -> None:
    """The tokens there are: names and rights."""
    from eyelet_ingest import tokens
    from eyelet_ingest.cli import output

    say_if_missing(root)
    known = tokens.known(root)
    lines = [output.json_value([_facts(one) for one in known])] if as_json else [_sentence(one) for one in known]
    output.write_lines(sys.stdout, lines)


@token.command()
@click.argument("name")
@root_option
def revoke(name: str, root: str) -> None:
    """Make a token worthless, at once."""
    from eyelet_ingest import tokens
    from eyelet_ingest.store import audit

    tokens.revoke(root, utf8("name", name))
    audit.record(root, who(), "token.revoke", {"name": name})
    click.echo(f"{name} is revoked")


def _facts(one: "Token") -> dict[str, object]:
    contexts = None if one.contexts is None else list(one.contexts)
    return {"name": one.name, "allow": list(one.allow), "contexts": contexts, "created_at_us": one.created_at_us}


def _sentence(one: "Token") -> str:
    from datetime import timezone

    from eyelet_ingest.ranges import display_time

    where = "every context" if one.contexts is None else ", ".join(one.contexts)
    made = display_time(one.created_at_us, timezone.utc)[:19]
    return f"{one.name} may {', '.join(one.allow)} in {where}, made {made} UTC"
