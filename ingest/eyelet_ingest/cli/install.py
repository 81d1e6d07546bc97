"""`eyelet install`, `eyelet uninstall`, `eyelet status`: recording in the agents' own settings."""

import os
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from eyelet_ingest.cli.options import project_option, root_option
from eyelet_ingest.errors import BadInput

if TYPE_CHECKING:
    from eyelet_ingest.install.installer import Plan, Wish
    from eyelet_ingest.install.state import State

AGENTS = ("claude", "codex", "gemini", "copilot", "cursor", "all")
NOT_WELL = 1  # the exit status of `status` where something asks to be done


def _choices(command: Any) -> Any:
    for option in reversed(
        (
            click.option(
                "--agent",
                "agents",
                multiple=True,
                type=click.Choice(AGENTS),
                default=("all",),
                help="For this agent; may be given several times. all: those on this machine.",
            ),
            click.option(
                "--scope",
                type=click.Choice(("user", "project", "local")),
                default="user",
                help="For all your work; for this project and all who share it; for it and you alone.",
            ),
            project_option("The project. Else the one you are in."),
            click.option(
                "--as-plugin",
                metavar="DIR",
                default="",
                show_default=False,
                help="As a plugin for Claude Code in this folder instead.",
            ),
            click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing."),
            click.option("--yes", is_flag=True, help="Do not ask."),
        )
    ):
        command = option(command)
    return command


@click.command()
@_choices
@click.option(
    "--mode",
    type=click.Choice(("direct", "spool", "http")),
    default="direct",
    help="Store at once; leave it to the next command; or post to a server, and store at once where there is none.",
)
@click.option("--url", metavar="URL", default="http://127.0.0.1:8001", help="The server, with --mode http.")
@click.option("--native-http", is_flag=True, help="With --mode http: let Claude Code post, which loses what fails.")
def install(
    agents: tuple[str, ...],
    scope: str,
    project: str,
    as_plugin: str,
    dry_run: bool,
    yes: bool,
    mode: str,
    url: str,
    native_http: bool,
) -> None:
    """Have agents record their hook events: into their own settings, where nothing else is touched."""
    from eyelet_ingest.install import installer, record

    if native_http and mode != "http":
        raise BadInput("install", reason="--native-http goes with --mode http only", hint="add --mode http")
    wish = _wish(agents, scope, project, mode=mode, url=url, native_http=native_http)
    if as_plugin:
        folder = os.path.abspath(os.path.expanduser(as_plugin))
        plan = installer.Plan((installer.plugin(folder, wish.home, record.read(wish.home)),), ())
    else:
        plan = installer.to_install(wish)
    if _carried_out(plan, wish.home, dry_run, yes) and as_plugin:
        installer.name_plugin(folder)


@click.command()
@_choices
def uninstall(agents: tuple[str, ...], scope: str, project: str, as_plugin: str, dry_run: bool, yes: bool) -> None:
    """Take our entries out of agents' settings again; what was recorded stays."""
    from eyelet_ingest.install import installer, record

    wish = _wish(agents, scope, project)
    if as_plugin:
        folder = os.path.abspath(os.path.expanduser(as_plugin))
        plan = installer.Plan((installer.plugin_removed(folder, wish.home, record.read(wish.home)),), ())
    else:
        plan = installer.to_uninstall(wish)
    if _carried_out(plan, wish.home, dry_run, yes) and as_plugin:
        installer.unname_plugin(folder)


@click.command()
@project_option("For work in this folder. Else in the one you are in.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@root_option
def status(project: str, as_json: bool, root: str) -> None:
    """What records here, whether it works, what waits and what went wrong."""
    from eyelet_ingest.cli import output
    from eyelet_ingest.cli.alerts import say_line
    from eyelet_ingest.install import state

    found = state.of(root, os.path.abspath(os.path.expanduser(project or os.getcwd())))
    lines = [output.json_value(asdict(found))] if as_json else [output.visible(line) for line in _told(found)]
    output.write_lines(sys.stdout, lines)
    say_line(root)
    if found.problems:
        click.get_current_context().exit(NOT_WELL)


def _wish(agents: tuple[str, ...], scope: str, project: str, **more: Any) -> "Wish":
    from eyelet_ingest import settings
    from eyelet_ingest.install import installer

    folder = settings.project_of(os.path.abspath(os.path.expanduser(project or os.getcwd())))
    home = os.path.dirname(settings.global_file())
    return installer.Wish(agents=agents, scope=scope, project=folder, home=home, **more)


def _carried_out(plan: "Plan", home: str, dry_run: bool, yes: bool) -> bool:
    """Show the diff, ask, do it, and say what came of it; whether it was done."""
    from eyelet_ingest.cli import output
    from eyelet_ingest.install import installer

    for change in plan.changes:
        output.write_lines(sys.stdout, [output.visible(line) for line in change.diff()])
    for note in plan.notes:
        click.echo(f"eyelet: {output.visible(note)}", err=True)
    to_do = [change for change in plan.changes if not change.is_nothing]
    if dry_run:
        return False
    if to_do and not yes:
        if not sys.stdin.isatty():
            raise BadInput("change settings", reason="there is nobody to ask", hint="say --yes, or --dry-run")
        click.confirm("Change it so?", abort=True, err=True)
    said = installer.perform(plan, home)
    output.write_lines(sys.stdout, [output.visible(line) for line in said or ["Nothing is installed there."]])
    return True


def _told(found: "State") -> list[str]:
    from eyelet_ingest.ranges import display_time, zone

    lines = [f"Recording is {found.recording} ({found.origin})."]
    for one in found.installed:
        events = f"{one.events} events, {one.mode}" if one.events else one.problem
        lacking = f", without {', '.join(one.missing)}" if one.missing else ""
        lines.append(f"{one.agent} ({one.scope}): {one.path}: {events}{lacking}")
    if not found.installed:
        lines.append("No agent records: `eyelet install`.")
    elif found.works:
        lines.append(f"The hook works: {found.trial}, {found.trial_ms:.0f} ms.")
    if found.goes_to != (found.root,):
        lines.append(f"Events of work here go to {' and '.join(found.goes_to)}.")
    newest = "none yet" if found.newest_event_us is None else display_time(found.newest_event_us, zone("UTC"))
    lines.append(f"Newest event under {found.root}: {newest}.")
    lines.append(f"Waiting in the spool: {found.waiting}. In quarantine: {found.quarantined}.")
    if found.faults:
        kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(found.faults.items()))
        lines.append(f"Hooks met trouble: {kinds}. The newest: {found.newest_fault}")
    return lines + [f"! {problem}" for problem in found.problems]
