"""`eyelet redact`: what a pattern or the rules find in what is stored goes, the events stay. Says first what goes."""

import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from eyelet_ingest.cli.options import Chosen, filter_options, opened_store, root_option, utf8
from eyelet_ingest.errors import BadInput, EyeletError

if TYPE_CHECKING:
    from eyelet_ingest.store.cleaning import Cleaning
    from eyelet_ingest.store.redacted import DayRedacted, Redacted
    from eyelet_ingest.store.store import Store

SOMETHING_LEFT = 1  # the exit status
DAYS_SHOWN = 20
UNITS = {
    "days": "event",
    "spool": "event",
    "json": "file",
    "archive": "event",
    "quarantine": "record",
    "faults": "file",
}
PATTERN_FILE_BYTES = 1 << 20


@click.command()
@click.option(
    "--pattern", metavar="REGEX", help="What matches goes, or its group `secret`. Others can see it: see below."
)
@click.option(
    "--pattern-file", metavar="FILE", help="The pattern is the first line of this file; `-` is standard input."
)
@click.option("--rules", is_flag=True, help="What the rules and patterns of the settings find now.")
@click.option("--name", "kind", metavar="KIND", help="What markers call it: [redacted:KIND:…]; else `custom`.")
@filter_options(of_payload=True)
@click.option("--project", "projects", multiple=True, metavar="DIR", help="Only this folder and what is below it.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option("--yes", is_flag=True, help="Redact without asking.")
@click.option("--json", "as_json", is_flag=True, help="Print what goes or went as one JSON object.")
@root_option
def redact(
    pattern: str | None,
    pattern_file: str | None,
    rules: bool,
    kind: str | None,
    chosen: Chosen,
    projects: tuple[str, ...],
    dry_run: bool,
    yes: bool,
    as_json: bool,
    root: str,
) -> None:
    """Take secrets out of what is stored: days, archives, spool, JSON files, quarantine.

    No byte of them is left, and no import brings them back. What stands on a command line can be read by others of this
    machine, and stays in the shell's history: give a pattern that is the secret itself with --pattern-file -.
    """
    what = _asked(pattern, pattern_file, rules, kind)
    folders = tuple(utf8("project", one) for one in projects)
    with opened_store(root, drain=not dry_run) as store:
        planned = store.redact(what, chosen.where, projects=folders, dry_run=True)
        if dry_run or not (planned.days or planned.failed):
            if not dry_run:
                store.finish_redactions()
            _report(planned, as_json)
        else:
            for line in _lines(planned):
                _err(line)
            if not yes:
                _ask()
            planned = _done(store, what, chosen, folders)
            _report(planned, as_json)
    if planned.failed:
        click.get_current_context().exit(SOMETHING_LEFT)


def _done(store: "Store", what: "Cleaning", chosen: Chosen, folders: tuple[str, ...]) -> "Redacted":
    """What is done stands in the audit before anything changes, and what came of it."""
    from eyelet_ingest.cli.moving import who
    from eyelet_ingest.store import account, audit, identity

    told = what.told(identity.load_key(store.root))
    audit.record(store.root, who(), "redact.begin", {"what": told, "asked": account.asked(chosen.where, folders)})
    done = store.redact(what, chosen.where, projects=folders)
    with suppress(EyeletError):  # what was asked is in the audit, and what went is gone
        days = {f"{one.place} {one.key.mount_name}": one.events for one in done.days}
        failed = [f"{bad.context} {bad.day}" for bad in done.failed]
        audit.record(store.root, who(), "redact.end", {"events": done.events, "days": days, "failed": failed})
    return done


def _asked(pattern: str | None, pattern_file: str | None, rules: bool, kind: str | None) -> "Cleaning":
    from eyelet_ingest import past

    if sum((pattern is not None, pattern_file is not None, rules)) != 1:
        raise click.UsageError("say one of --pattern, --pattern-file and --rules.")
    if rules:
        if kind is not None:
            raise click.UsageError("--name belongs to a pattern: the rules name what they find themselves.")
        return past.Rules()
    given = pattern if pattern is not None else _read(pattern_file or "")
    if any("\ud800" <= char <= "\udfff" for char in given):  # `utf8` would quote it
        raise BadInput("redact", reason="the pattern is not UTF-8", hint="write it in UTF-8")
    return past.Pattern(given, past.CUSTOM if kind is None else kind)


def _read(path: str) -> str:
    """The first line of the file."""
    try:
        if path == "-":
            raw = sys.stdin.buffer.read(PATTERN_FILE_BYTES)
        else:
            with open(path, "rb") as file:
                raw = file.read(PATTERN_FILE_BYTES)
    except OSError as bad:
        raise EyeletError("read the pattern", path, bad.strerror or str(bad), "name a file that you may read") from bad
    lines = raw.decode("utf-8", "surrogateescape").removeprefix("\ufeff").splitlines()
    if not lines or any(lines[1:]):
        hint = "write it in one line; \\n stands for a line's end in it"
        raise BadInput("read the pattern", path, "it is empty" if not lines else "it has more than one line", hint)
    return lines[0]


def _ask() -> None:
    if not sys.stdin.isatty():
        raise BadInput("redact", reason="there is nobody to ask", hint="say --yes, or --dry-run to see what would go")
    click.confirm("Redact all this? It cannot be taken back.", abort=True, err=True)


def _report(done: "Redacted", as_json: bool) -> None:
    from eyelet_ingest.cli import output

    lines = [output.json_value(told(done))] if as_json else _lines(done)
    output.write_lines(sys.stdout, lines)
    for bad in done.failed:
        _err(f"{' '.join(filter(None, (bad.context, bad.day)))}: {bad.error}".removeprefix(": "))
    if done.unerased:
        names = ", ".join(done.unerased)
        _err(f"{names} may hold bytes of what went: the next command that writes erases them, when no reader is left")
    if done.kept:
        number = f"{done.kept:,} time" + ("" if done.kept == 1 else "s")
        _err(
            f"{number} it is the name of a context, a session, a call or an agent, and stays:"
            " `eyelet delete` removes such events"
        )


def _lines(done: "Redacted") -> list[str]:
    """Place by place, day by day, then what else is to be done."""
    if not done.days:
        return ["Nothing was redacted." if done.failed and not done.dry_run else "Nothing to redact."]
    found = [f"{'Would redact' if done.dry_run else 'Redacted'} {', '.join(_totals(done.days))}."]
    for place in UNITS:
        some = [one for one in done.days if one.place == place]
        found += [f"  {place:10} {_day_line(one)}" for one in some[:DAYS_SHOWN]]
        if len(some) > DAYS_SHOWN:
            found.append(f"  {place:10} … and {len(some) - DAYS_SHOWN:,} more days")
    found += [f"  receipt    {path}" for path in done.receipts]
    if not done.dry_run:
        found.append(
            "Copies elsewhere still hold it: recordings of agents, backups, exports, other roots, other machines."
        )
        found.append("If it is a secret that works, have it made worthless where it was given out.")
    return found


def _totals(days: "list[DayRedacted]") -> Iterable[str]:
    for place, unit in UNITS.items():
        some = [one for one in days if one.place == place]
        if some:
            number = sum(one.events for one in some)
            where = f"of {len(some):,} {'day' if len(some) == 1 else 'days'}" if place == "days" else f"of {place}"
            yield f"{number:,} {unit if number == 1 else unit + 's'} {where}"


def _day_line(one: "DayRedacted") -> str:
    unit = UNITS[one.place]
    columns = ", ".join(f"{name} {number:,}" for name, number in sorted(one.columns.items()))
    hashes = f"  {one.before[:12]} → {one.after[:12]}" if one.after else ""
    number = f"{one.events:,} {unit if one.events == 1 else unit + 's'}"
    return f"{one.key.context} {one.key.date}  {number}  ({columns or 'nothing that may change'}){hashes}"


def told(done: "Redacted") -> dict[str, object]:
    """A redaction as JSON has it."""
    return {
        "dry_run": done.dry_run,
        "events": done.events,
        "days": [one.told() for one in done.days],
        "failed": [{"context": bad.context, "day": bad.day, "error": bad.error} for bad in done.failed],
        "unerased": done.unerased,
        "receipts": done.receipts,
    }


def _err(text: str) -> None:
    from eyelet_ingest.cli.output import visible

    click.echo(f"eyelet: {visible(text)}", err=True)
