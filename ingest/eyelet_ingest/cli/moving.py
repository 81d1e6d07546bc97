"""What the commands that move events share: progress, who is at work for the audit, and how trouble is listed."""

import getpass
import os
import sys
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager

import click

TROUBLES_SHOWN = 20
INCOMPLETE = 1  # the exit status


def say(text: str) -> None:
    """A line on stderr, safe for a terminal."""
    from eyelet_ingest.cli.output import visible

    click.echo(f"eyelet: {visible(text)}", err=True)


def answer(as_json: bool, counts: Mapping[str, object], sentence: str) -> None:
    """The result on stdout: as one JSON object, or as a sentence."""
    from eyelet_ingest.cli import output

    output.write_lines(sys.stdout, [output.json_value(dict(counts)) if as_json else output.visible(sentence)])


def list_troubles(troubles: Iterable[str], count: int) -> None:
    """The first of them on stderr, and how many more there are."""
    for number, trouble in enumerate(troubles):
        if number == TROUBLES_SHOWN:
            break
        say(trouble)
    if count > TROUBLES_SHOWN:
        say(f"… and {count - TROUBLES_SHOWN:,} more")


@contextmanager
def day_progress(label: str, quiet: bool) -> Generator[Callable[[int, int], None], None, None]:
    """A function that is told how many days are done, and of how many: on a terminal it draws a bar."""
    if quiet or not sys.stderr.isatty():
        yield lambda done, total: None
        return
    with click.progressbar(length=1, label=label, file=sys.stderr) as bar:

        def show(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        yield show


def audited(root: str, action: str, what: Mapping[str, object]) -> None:
    """A line in the audit of the root: before the thing is done, so that what cannot be audited is not done."""
    from eyelet_ingest.store import audit

    audit.record(root, who(), action, what)


def who() -> str:
    """The user of this machine who typed the command, as the audit names him."""
    try:
        return f"user:{getpass.getuser()}"
    except (KeyError, OSError, ImportError):  # a user id without a name, as containers have
        return f"user:{os.getuid()}" if hasattr(os, "getuid") else "user"


def number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def confirm(question: str, operation: str) -> None:
    """Go on, or end the command where the person, or nobody, says so."""
    from eyelet_ingest.errors import BadInput

    if not sys.stdin.isatty():
        raise BadInput(operation, reason="there is nobody to ask", hint="say --yes")
    click.confirm(question, abort=True, err=True)


def same_key(root: str, other: str) -> bool:
    """Whether two roots know an event by the same key."""
    try:
        with open(os.path.join(root, "secret.key"), "rb") as mine, open(os.path.join(other, "secret.key"), "rb") as its:
            return mine.read() == its.read()
    except OSError:
        return True


class Counted:
    """A number on a terminal's last line that grows; called with it."""

    def __init__(self, label: str) -> None:
        self.label, self.shown = label, -1

    def __call__(self, count: int) -> None:
        if count != self.shown:
            self.shown = count
            click.echo(f"\r{self.label}  {count:,}\r", nl=False, err=True)
