"""The command line: one click group, behind the doors `eyelet`, `sqlite-utils eyelet` and `datasette eyelet`.

A command's module is imported when the command is asked for: start-up time is a promise.
"""

import errno
from contextlib import suppress
from importlib import import_module

import click

from eyelet_ingest import __version__
from eyelet_ingest.errors import BadInput, EyeletError

COMMANDS = {
    "ingest": "eyelet_ingest.cli.ingest:ingest",
    "import-history": "eyelet_ingest.cli.import_history:import_history",
    "quarantine": "eyelet_ingest.cli.ingest:quarantine",
    "query": "eyelet_ingest.cli.query:query",
    "sql": "eyelet_ingest.cli.sql:sql",
    "calls": "eyelet_ingest.cli.calls:calls",
    "usage": "eyelet_ingest.cli.usage:usage",
    "completeness": "eyelet_ingest.cli.completeness:completeness",
    "sources": "eyelet_ingest.cli.sources:sources",
    "log": "eyelet_ingest.cli.log:log",
    "tail": "eyelet_ingest.cli.tail:tail",
    "serve": "eyelet_ingest.cli.serve:serve",
    "demo": "eyelet_ingest.cli.demo:demo",
    "bench": "eyelet_ingest.cli.bench:bench",
    "drain": "eyelet_ingest.cli.spool:drain",
    "delete": "eyelet_ingest.cli.delete:delete",
    "redact": "eyelet_ingest.cli.redact:redact",
    "secrets": "eyelet_ingest.cli.secrets:secrets",
    "retention": "eyelet_ingest.cli.retention:retention",
    "rebuild": "eyelet_ingest.cli.rebuild:rebuild",
    "partitions": "eyelet_ingest.cli.partitions:partitions",
    "seal": "eyelet_ingest.cli.seal:seal",
    "verify": "eyelet_ingest.cli.verify:verify",
    "archive": "eyelet_ingest.cli.archive:archive",
    "vacuum": "eyelet_ingest.cli.vacuum:vacuum",
    "text": "eyelet_ingest.cli.text:text",
    "checkpoint": "eyelet_ingest.cli.checkpoint:checkpoint",
    "metrics": "eyelet_ingest.cli.metrics:metrics",
    "migrate": "eyelet_ingest.cli.migrate:migrate",
    "export": "eyelet_ingest.cli.export:export",
    "import": "eyelet_ingest.cli.import_:import_",
    "backup": "eyelet_ingest.cli.backup:backup",
    "restore": "eyelet_ingest.cli.backup:restore",
    "sync": "eyelet_ingest.cli.sync:sync",
    "token": "eyelet_ingest.cli.token:token",
    "saved": "eyelet_ingest.cli.saved:saved",
    "install": "eyelet_ingest.cli.install:install",
    "uninstall": "eyelet_ingest.cli.install:uninstall",
    "status": "eyelet_ingest.cli.install:status",
    "config": "eyelet_ingest.cli.config:config",
    "plugins": "eyelet_ingest.cli.plugins:plugins",
    "doctor": "eyelet_ingest.cli.doctor:doctor",
    "completion": "eyelet_ingest.cli.completion:completion",
    "alerts": "eyelet_ingest.cli.alerts:alerts",
    "pause": "eyelet_ingest.cli.pause:pause",
    "resume": "eyelet_ingest.cli.pause:resume",
}

INTERRUPTED = 130  # 128 + SIGINT, as shells have it


class _Trouble(click.ClickException):
    """One of our errors as click shows it: one line on stderr, no traceback."""

    def __init__(self, error: EyeletError | OSError) -> None:
        from eyelet_ingest import redactors
        from eyelet_ingest.cli.output import visible

        super().__init__(visible(redactors.message(str(error))))


class _Refusal(_Trouble):
    """What was asked for cannot be: the way of the user's own mistakes."""

    exit_code = 2


class _LazyGroup(click.Group):
    """Knows its commands by name only, and turns our errors into one line each, whichever door was used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        target = COMMANDS.get(cmd_name)
        if target is None:
            return None
        module, _, attribute = target.partition(":")
        command = getattr(import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{target} is not a click command")
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except OSError as error:  # --help and --version write while they are read
            if error.errno == errno.EPIPE:
                raise
            raise _Trouble(EyeletError("standard output", reason=error.strerror or str(error))) from error

    def invoke(self, ctx: click.Context) -> object:
        try:
            _renew_hook()
            return super().invoke(ctx)
        except EyeletError as error:
            raise (_Refusal if isinstance(error, BadInput) else _Trouble)(error) from error
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(INTERRUPTED)
        except OSError as error:
            # A reader that went away (`| head`) is no trouble: click ends quietly.
            if error.errno == errno.EPIPE:
                raise
            raise _Trouble(error) from error


def _renew_hook() -> None:
    """Where hooks are installed and the package has changed since, have them run what it is now."""
    from eyelet_ingest import stamp, surroundings

    home = surroundings.home()
    if stamp.is_stale(home):
        from eyelet_ingest.install import launch

        with suppress(EyeletError, OSError):  # the hook stands by itself: the one before goes on
            launch.refresh(home)


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(__version__, prog_name="eyelet")
def cli() -> None:
    """The flight recorder for AI coding agents: every hook event, by day, in SQLite."""


def main() -> None:
    """The console script."""
    cli(prog_name="eyelet")
