"""`eyelet alerts`: what is wrong, and since when; that one knows of it; and whether telling of it works."""

import sys
from typing import TYPE_CHECKING

import click

from eyelet_ingest.cli.options import root_option, say_if_missing, utf8

if TYPE_CHECKING:
    from eyelet_ingest.store.alert_rows import Alert

FIRING = 1  # the exit status where an error fires
NOT_TOLD = 1


@click.group(invoke_without_command=True)
@click.option("--all", "with_old", is_flag=True, help="Also those that were over in the last 7 days.")
@click.option("--json", "as_json", is_flag=True, help="One object.")
@root_option
@click.pass_context
def alerts(ctx: click.Context, with_old: bool, as_json: bool, root: str) -> None:
    """What is wrong with the recorder, and since when. Without a command: list."""
    if ctx.invoked_subcommand is None:
        _list(with_old, as_json, root)


@alerts.command("list")
@click.option("--all", "with_old", is_flag=True, help="Also those that were over in the last 7 days.")
@click.option("--json", "as_json", is_flag=True, help="One object.")
@root_option
def list_alerts(with_old: bool, as_json: bool, root: str) -> None:
    """The alerts that are open: errors first. Ends with 1 where an error fires."""
    _list(with_old, as_json, root)


@alerts.command()
@click.argument("name")
@root_option
def acknowledge(name: str, root: str) -> None:
    """Say that one knows of an alert: it is told no more until it gets worse, or is over."""
    from eyelet_ingest.cli.moving import who
    from eyelet_ingest.cli.output import visible
    from eyelet_ingest.health import alerts as held

    held.acknowledge(root, utf8("name", name), who())
    click.echo(visible(f"{name} is acknowledged"))


@alerts.command()
@click.option("--json", "as_json", is_flag=True, help="One object.")
@root_option
def test(as_json: bool, root: str) -> None:
    """Tell the webhook and the command of the settings that this is a test."""
    import time

    from eyelet_ingest import settings
    from eyelet_ingest.cli import output
    from eyelet_ingest.health import alerts as held
    from eyelet_ingest.health import telling

    held_settings = settings.effective()
    failed = held.test(held_settings, time.time_ns() // 1_000)
    ways = telling.channels(held_settings)
    if as_json:
        output.write_lines(sys.stdout, [output.json_value({"ok": not failed, "ways": ways, "failed": failed})])
    else:
        said = failed or [f"{' and '.join(ways)}: told"]
        output.write_lines(sys.stdout, [output.visible(line) for line in said])
    if failed:
        click.get_current_context().exit(NOT_TOLD)


def say_line(root: str) -> None:
    """One line on stderr about what fires; none where nothing does. For commands that look at how things are."""
    from eyelet_ingest.cli import moving
    from eyelet_ingest.health import alerts as held

    said = held.line(root)
    if said:
        moving.say(said)


def _list(with_old: bool, as_json: bool, root: str) -> None:
    import time

    from eyelet_ingest.cli import output
    from eyelet_ingest.health import alerts as held
    from eyelet_ingest.health.finding import ERROR
    from eyelet_ingest.store import alert_rows

    say_if_missing(root)
    found = held.current(root)
    shown = [*found, *(held.lately(root, time.time_ns() // 1_000) if with_old else ())]
    if as_json:
        lines = [output.json_value({"alerts": [held.as_json(one) for one in shown]})]
    else:
        lines = [output.visible(line) for one in shown for line in _told(one)] or ["No alert."]
    output.write_lines(sys.stdout, lines)
    if any(one.level == ERROR and one.state == alert_rows.FIRING for one in found):
        click.get_current_context().exit(FIRING)


def _told(one: "Alert") -> list[str]:
    from eyelet_ingest.cli.days import instant
    from eyelet_ingest.store.alert_rows import ACKNOWLEDGED, RESOLVED

    by = f" by {one.acknowledged_by}" if one.state == ACKNOWLEDGED else ""
    state = f"over since {instant(one.changed_us)}" if one.state == RESOLVED else f"{one.state}{by}"
    lines = [f"{one.level:5} {one.name}, {state}, since {instant(one.since_us)} UTC: {one.message}"]
    return [*lines, f"      {one.fix}"] if one.fix and one.is_open else lines
