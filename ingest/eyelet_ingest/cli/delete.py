"""`eyelet delete`: what a filter finds, wherever it is recorded. Says first what would go, by place and day."""

import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from eyelet_ingest.cli.options import Chosen, filter_options, opened_store, root_option, utf8
from eyelet_ingest.errors import BadInput, EyeletError

if TYPE_CHECKING:
    from eyelet_ingest.store.deletion import DayDeleted, Deleted
    from eyelet_ingest.store.store import Store

SOMETHING_LEFT = 1  # the exit status
DAYS_SHOWN = 20
UNITS = {"days": "event", "spool": "event", "archive": "event", "quarantine": "record"}


@click.command()
@filter_options(of_payload=True)
@click.option("--older-than", metavar="TIME", default="", show_default=False, help="What is older: 90d, 2026-01.")
@click.option("--project", "projects", multiple=True, metavar="DIR", help="Only this folder and what is below it.")
@click.option("--prompt", "prompts", multiple=True, metavar="ID", help="Only this prompt and what followed from it.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option("--yes", is_flag=True, help="Delete without asking.")
@click.option("--json", "as_json", is_flag=True, help="Print what goes or went as one JSON object.")
@root_option
def delete(
    chosen: Chosen,
    older_than: str,
    projects: tuple[str, ...],
    prompts: tuple[str, ...],
    dry_run: bool,
    yes: bool,
    as_json: bool,
    root: str,
) -> None:
    """Delete events wherever they are recorded: days, archives, spool, quarantine.

    No byte of them is left, and no import brings them back unless it is told to (ingest --force).
    """
    what = _What(chosen, _time(older_than), [utf8("project", one) for one in projects], prompts)
    with opened_store(root, drain=not dry_run) as store:
        planned = what.delete(store, dry_run=True)
        if dry_run or _nothing(planned):
            _report(planned, as_json)
        else:
            _say_plan(planned)
            if not yes:
                _ask()
            done = what.delete(store, dry_run=False)
            _report(done, as_json)
            planned = done
    if planned.failed:
        click.get_current_context().exit(SOMETHING_LEFT)


class _What:
    """What the flags ask for: by age alone it is retired, and the horizon remembers it."""

    def __init__(self, chosen: Chosen, before_us: int | None, projects: list[str], prompts: tuple[str, ...]) -> None:
        from eyelet_ingest.store.select import Filter

        self.where: Filter = chosen.where
        self.projects, self.prompts = projects, prompts
        self.before_us = before_us
        if before_us is not None:
            until_us = self.where.until_us
            self.where = replace(self.where, until_us=before_us if until_us is None else min(before_us, until_us))
        contexts = self.where.contexts
        self.retires = not projects and not prompts and self.where == Filter(until_us=before_us, contexts=contexts)
        self.retires = self.retires and before_us is not None

    def delete(self, store: "Store", *, dry_run: bool) -> "Deleted":
        """BadInput where nothing is asked for. What is done is in the audit before anything goes, and what went."""
        if dry_run:
            return self._delete(store, dry_run=True)
        from eyelet_ingest.cli.moving import who
        from eyelet_ingest.store import account, audit

        asked = account.asked(self.where, self.projects, self.prompts)
        audit.record(store.root, who(), "delete.begin", asked)
        done = self._delete(store, dry_run=False)
        with suppress(EyeletError):  # what was asked is in the audit, and what went is gone
            audit.record(store.root, who(), "delete.end", account.went(done))
        return done

    def _delete(self, store: "Store", *, dry_run: bool) -> "Deleted":
        if self.retires:
            assert self.before_us is not None
            return store.delete_older_than(self.before_us, contexts=self.where.contexts, dry_run=dry_run)
        return store.delete(self.where, projects=self.projects, prompts=self.prompts, dry_run=dry_run)


def _time(older_than: str) -> int | None:
    if not older_than:
        return None
    from datetime import timezone

    from eyelet_ingest import ranges
    from eyelet_ingest.cli.options import now_us

    return ranges.parse_instant(older_than, now_us=now_us(), tz=timezone.utc)


def _ask() -> None:
    if not sys.stdin.isatty():
        raise BadInput("delete", reason="there is nobody to ask", hint="say --yes, or --dry-run to see what would go")
    click.confirm("Delete all this?", abort=True, err=True)


def _nothing(planned: "Deleted") -> bool:
    return not planned.days and not planned.elsewhere and not planned.failed


def _say_plan(planned: "Deleted") -> None:
    for line in _lines(planned):
        _err(line)


def _report(done: "Deleted", as_json: bool) -> None:
    from eyelet_ingest.cli import output

    lines = [output.json_value(told(done))] if as_json else _lines(done)
    output.write_lines(sys.stdout, lines)
    for bad in done.failed:
        _err(f"{' '.join(filter(None, (bad.context, bad.day)))}: {bad.error}".removeprefix(": "))
    if done.unerased:
        names = ", ".join(done.unerased)
        _err(f"a reader still needs what {names} held: the last bytes go with the next command once it is done")


def _lines(done: "Deleted") -> list[str]:
    """Place by place, day by day: the very figures that are deleted then."""
    if _nothing(done):
        return ["Nothing to delete."]
    found = [f"{'Would delete' if done.dry_run else 'Deleted'} {', '.join(_totals(done))}."]
    for place in UNITS:
        some = [one for one in [*done.days, *done.elsewhere] if one.place == place]
        found += [f"  {place:10} {_day_line(one)}" for one in some[:DAYS_SHOWN]]
        if len(some) > DAYS_SHOWN:
            found.append(f"  {place:10} … and {len(some) - DAYS_SHOWN:,} more days")
    return found


def _totals(done: "Deleted") -> Iterable[str]:
    for place, unit in UNITS.items():
        some = [one for one in [*done.days, *done.elsewhere] if one.place == place]
        if some:
            number = sum(one.events or 0 for one in some)
            where = f"of {len(some):,} {'day' if len(some) == 1 else 'days'}" if place == "days" else f"of the {place}"
            yield f"{number:,} {unit if number == 1 else unit + 's'} {where}"


def _day_line(one: "DayDeleted") -> str:
    unit = UNITS[one.place]
    number = "?" if one.events is None else f"{one.events:,}"
    whole = ", the whole day" if one.whole else ""
    return f"{one.key.context} {one.key.date}  {number} {unit if one.events == 1 else unit + 's'}{whole}"


def told(done: "Deleted") -> dict[str, object]:
    """A deletion as JSON has it."""
    from eyelet_ingest.store import account

    days = [account.of_day(one) for one in [*done.days, *done.elsewhere]]
    failed = account.failures(done)
    return {"dry_run": done.dry_run, "events": done.events, "days": days, "failed": failed, "unerased": done.unerased}


def _err(text: str) -> None:
    from eyelet_ingest.cli.output import visible

    click.echo(f"eyelet: {visible(text)}", err=True)
