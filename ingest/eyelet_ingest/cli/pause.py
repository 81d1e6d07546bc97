"""`eyelet pause` and `eyelet resume`: hooks that record nothing for a while, everywhere or in one project."""

import os
import time

import click

from eyelet_ingest.cli.options import project_option

_UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400}
MOST_S = 10 * 366 * 86_400

_project = project_option("For work in this folder only. Else everywhere.")


@click.command()
@click.option(
    "--for",
    "for_",
    metavar="TIME",
    default="",
    show_default=False,
    help="For so long: 30m, 1h, 2d. Else until `eyelet resume`.",
)
@_project
def pause(for_: str, project: str) -> None:
    """Record nothing, until you resume or for a time. What happens meanwhile is not kept anywhere."""
    from eyelet_ingest import pause as rests
    from eyelet_ingest import surroundings
    from eyelet_ingest.cli import output

    folder = _folder(project)
    until_s = time.time() + _seconds(for_) if for_ else 0.0
    rests.rest(surroundings.home(), folder, until_s)
    where = f"for work in {output.visible(folder)}" if folder else "anywhere"
    until = time.strftime("until %Y-%m-%d %H:%M:%S", time.localtime(until_s)) if for_ else "until `eyelet resume`"
    click.echo(f"nothing is recorded {where} {until}")


@click.command()
@_project
def resume(project: str) -> None:
    """Record again: end the pause of a project, or every pause there is."""
    from eyelet_ingest import pause as rests
    from eyelet_ingest import surroundings
    from eyelet_ingest.cli import output

    home, folder = surroundings.home(), os.path.abspath(os.path.expanduser(project)) if project else ""
    ended = rests.resume(home, folder)
    click.echo("recording again" if ended else "nothing was paused" + (" there" if folder else ""))
    for _, other in rests.read(home):
        click.echo(f"still paused: {output.visible(other) or 'everything (eyelet resume)'}")


def _folder(project: str) -> str:
    from eyelet_ingest.errors import BadInput

    folder = os.path.abspath(os.path.expanduser(project)) if project else ""
    if folder and (not os.path.isdir(folder) or "\n" in folder or "\r" in folder):
        raise BadInput("pause", project, "there is no such folder", "name the folder of a project")
    return folder


def _seconds(text: str) -> float:
    """`90s`, `30m`, `1h`, `2d`, `1w` in seconds; BadInput for what is none."""
    from eyelet_ingest.errors import BadInput

    digits, unit = text[:-1], text[-1:]
    try:
        seconds = float(digits) * _UNITS_S[unit] if digits.replace(".", "", 1).isdigit() else 0.0
    except (KeyError, ValueError):
        seconds = 0.0
    if not 0 < seconds <= MOST_S:
        raise BadInput("pause", "--for", f"{text!r} is no time", "such as 30m, 1h or 2d; ten years at most")
    return seconds
