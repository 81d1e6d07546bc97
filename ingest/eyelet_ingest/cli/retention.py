"""`eyelet retention`: how long, and how much, is kept; what that would retire, and does."""

import os
import re
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from eyelet_ingest.cli.options import opened_store, root_option, say_if_missing, utf8
from eyelet_ingest.errors import BadInput

if TYPE_CHECKING:
    from eyelet_ingest.store.retention import DayRetired, Retained, Rule, Rules
    from eyelet_ingest.store.store import Store

SOMETHING_LEFT = 1  # the exit status
DAYS_SHOWN = 20
FOREVER = "forever"
_AGE_S = {"h": 3_600, "d": 86_400, "w": 7 * 86_400}
_BYTES = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12, "kib": 2**10, "mib": 2**20, "gib": 2**30}


@click.group()
def retention() -> None:
    """How long, and how much, is kept: by age, by size, by context."""


@retention.command()
@click.option("--json", "as_json", is_flag=True, help="The rules and what they come to as one JSON object.")
@root_option
def show(as_json: bool, root: str) -> None:
    """The rules, how much there is, and what was retired so far."""
    from eyelet_ingest.cli import output
    from eyelet_ingest.store import retention as kept
    from eyelet_ingest.store.store import Store
    from eyelet_ingest.store.tombstones import Tombstones

    with Store(root) as store:
        say_if_missing(root)
        rules = store.retention()
        sizes: dict[str, int] = {}
        for key in store.catalog.partitions():
            sizes[key.context] = sizes.get(key.context, 0) + kept.size_of(root, key)
        archived = sum(kept.archived_size_of(root, key) for key in store.catalog.archived())
        horizons = Tombstones.of(root).horizons()
    if as_json:
        told = kept.as_json(rules) | {"bytes": sizes, "total_bytes": sum(sizes.values())}
        told |= {"archived_bytes": archived, "horizons_us": horizons}
        output.write_lines(sys.stdout, [output.json_value(told)])
        return
    lines = _sentences(rules)
    lines.append(f"There are {kept.spelt_bytes(sum(sizes.values()))} in {len(sizes):,} contexts.")
    if archived:
        lines.append(f"Archives beside them take {kept.spelt_bytes(archived)}.")
    for context, before_us in horizons.items():
        lines.append(f"Retired in {context}: all before {_date(before_us)}.")
    output.write_lines(sys.stdout, map(output.visible, lines))


@retention.command("set")
@click.option(
    "--older-than", metavar="AGE", default="", show_default=False, help="Retire what is older: 90d, 12w, forever."
)
@click.option(
    "--max-size", metavar="SIZE", default="", show_default=False, help="Keep no more than this: 10GB, unlimited."
)
@click.option("--context", metavar="NAME", default="", show_default=False, help="A rule of this context alone.")
@click.option("--archives", type=click.Choice(["go", "stay"]), help="Whether archived days count, and go, too.")
@click.option("--dry-run", is_flag=True, help="Only say what would be retired.")
@click.option("--yes", is_flag=True, help="Set it without asking.")
@click.option("--json", "as_json", is_flag=True, help="The rules and what goes as one JSON object.")
@root_option
def set_(
    older_than: str,
    max_size: str,
    context: str,
    archives: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    root: str,
) -> None:
    """Set a rule. From then on it runs by itself; what it would retire at once is said first."""
    from eyelet_ingest.store import layout
    from eyelet_ingest.store import retention as kept

    if not older_than and not max_size and archives is None:
        raise BadInput("set", reason="no rule was given", hint="say --older-than, --max-size or both")
    with opened_store(root, only_reads=dry_run, drain=not dry_run) as store:
        rules = store.retention()
        name = layout.safe_context(utf8("context", context)) if context else ""
        rule = rules.contexts.get(name, kept.Rule()) if name else rules.general
        if older_than:
            rule = replace(rule, max_age_s=_age_s(older_than), own_age=bool(name))
        if max_size:
            rule = replace(rule, max_bytes=_size(max_size))
        rules = _with(rules, name, rule)
        if archives is not None:
            rules = replace(rules, archives=archives == "go")
        going, _ = kept.plan(store.catalog, rules, _now_us())
        total = sum(day.bytes for day in going)
        if going:
            days = _days(going)
            _err(f"that retires {days} ({kept.spelt_bytes(total)}), from {going[0].key.date} to {going[-1].key.date}")
        if not dry_run:
            if going and not yes:
                _ask("Set this rule?")
            _audit(store, "retention.set", kept.as_json(rules))
            store.set_retention(rules)
    _report_rules(rules, going, dry_run, as_json)


@retention.command()
@click.option("--context", metavar="NAME", default="", show_default=False, help="Only the rule of this context.")
@root_option
def clear(context: str, root: str) -> None:
    """Keep everything from now on. What was retired stays so."""
    from eyelet_ingest.cli import output
    from eyelet_ingest.errors import RootError
    from eyelet_ingest.store import layout
    from eyelet_ingest.store import retention as kept
    from eyelet_ingest.store.store import Store

    with Store(root) as store:
        rules = kept.Rules()
        if context:
            name = layout.safe_context(utf8("context", context))
            rules = store.retention()
            rules = replace(rules, contexts={one: rule for one, rule in rules.contexts.items() if one != name})
        else:
            try:
                store.retention()
            except RootError as bad:  # a broken file goes, too
                _err(str(bad))
        say_if_missing(root)
        if os.path.isdir(root):
            _audit(store, "retention.clear", {"context": context or None})
            store.set_retention(rules)
    output.write_lines(sys.stdout, map(output.visible, _sentences(rules)))


@retention.command()
@click.option("--dry-run", is_flag=True, help="Only say what would be retired.")
@click.option("--yes", is_flag=True, help="Retire without asking.")
@click.option("--json", "as_json", is_flag=True, help="What goes or went as one JSON object.")
@root_option
def run(dry_run: bool, yes: bool, as_json: bool, root: str) -> None:
    """Retire now what the rules say, instead of a little at a time."""
    from eyelet_ingest.cli.moving import day_progress

    with opened_store(root, drain=not dry_run) as store:
        planned = store.retain(dry_run=True)
        if not dry_run and planned.days:
            for line in _lines(planned):
                _err(line)
            if not yes:
                _ask("Retire all this?")
        if not dry_run:
            with day_progress("Retiring", as_json) as progress:
                planned = store.retain(progress=progress)
    _report(planned, as_json)
    if planned.failed:
        click.get_current_context().exit(SOMETHING_LEFT)


def _with(rules: "Rules", name: str, rule: "Rule") -> "Rules":
    from eyelet_ingest.store.retention import Rule

    if not name:
        return replace(rules, general=rule)
    contexts = {**rules.contexts, name: rule}
    if rule == Rule():
        del contexts[name]
    return replace(rules, contexts=contexts)


def _age_s(said: str) -> int | None:
    if said == FOREVER:
        return None
    found = re.fullmatch(r"([0-9]{1,6})([hdw])", said.strip().lower())
    if not found or not int(found[1]):
        raise BadInput("there is no age", repr(said), "", f"write 36h, 90d, 12w or {FOREVER}")
    return int(found[1]) * _AGE_S[found[2]]


def _size(said: str) -> int | None:
    from eyelet_ingest.store.retention import LEAST_BYTES

    if said == "unlimited":
        return None
    found = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,3})?) ?([kmgt]?i?b?)", said.strip().lower())
    factor = _BYTES.get(found[2]) if found else None
    size = int(float(found[1]) * factor) if found and factor else 0
    if size < LEAST_BYTES:
        raise BadInput("there is no size", repr(said), "", "write 500MB, 10GB or unlimited; 1 MiB is the least")
    return size


def _sentences(rules: "Rules") -> list[str]:
    from eyelet_ingest.store.retention import spelt_age, spelt_bytes

    def sentence(rule: "Rule", age: bool) -> str:
        said = [f"events for {spelt_age(rule.max_age_s)}" if rule.max_age_s else "events forever"] if age else []
        said += [f"at most {spelt_bytes(rule.max_bytes)}"] if rule.max_bytes is not None else []
        return ", ".join(said)

    also = ["Archived days count and go like the others."] if rules.archives else []
    if rules.is_empty():
        return ["Everything is kept.", *also]
    found = [f"Kept: {sentence(rules.general, True)}."]
    found += [f"Kept in {name}: {sentence(rule, rule.own_age)}." for name, rule in sorted(rules.contexts.items())]
    return found + also


def _report_rules(rules: "Rules", going: "list[DayRetired]", dry_run: bool, as_json: bool) -> None:
    """The rules as they are now, or would be; and what goes by them at once."""
    from eyelet_ingest.cli import output
    from eyelet_ingest.store import retention as kept

    if as_json:
        days = [_day(day) for day in going]
        for day in days:
            del day["events"]  # nobody counted them yet
        told = kept.as_json(rules) | {"dry_run": dry_run, "days": days}
        output.write_lines(sys.stdout, [output.json_value(told)])
        return
    if dry_run:
        _err("nothing was set; the rules would be:")
    output.write_lines(sys.stdout, map(output.visible, _sentences(rules)))


def _day(day: "DayRetired") -> dict[str, object]:
    named = {"place": day.place, "context": day.key.context, "day": day.key.date}
    return {**named, "events": day.events, "bytes": day.bytes, "rule": day.rule}


def _report(done: "Retained", as_json: bool) -> None:
    from eyelet_ingest.cli import output

    if as_json:
        days = [_day(day) for day in done.days]
        failed = [{"context": bad.context, "day": bad.day, "error": bad.error} for bad in done.failed]
        told = {"dry_run": done.dry_run, "days": days, "left": done.left, "failed": failed, "too_large": done.too_large}
        output.write_lines(sys.stdout, [output.json_value(told)])
    else:
        output.write_lines(sys.stdout, map(output.visible, _lines(done)))
    for bad in done.failed:
        _err(f"not retired: {bad.context} {bad.day}: {bad.error}")
    for what in done.too_large:
        _err(what)


def _lines(done: "Retained") -> list[str]:
    from eyelet_ingest.store.retention import spelt_bytes

    if not done.days:
        return ["Nothing to retire."]
    number = _days(done.days)
    total = spelt_bytes(sum(day.bytes for day in done.days))
    lines = [f"{'Would retire' if done.dry_run else 'Retired'} {number} ({total})."]
    for day in done.days[:DAYS_SHOWN]:
        what = "its archive" if day.events is None else f"{day.events:,} events"
        lines.append(f"  {day.key.context} {day.key.date}  {what}, {spelt_bytes(day.bytes)}, {day.rule}")
    if len(done.days) > DAYS_SHOWN:
        lines.append(f"  … and {len(done.days) - DAYS_SHOWN:,} more days")
    return lines


def _days(going: "list[DayRetired]") -> str:
    """`2 days and 1 archived day`."""
    archived = sum(day.place != "days" for day in going)
    counts = ((len(going) - archived, "day"), (archived, "archived day"))
    return " and ".join(f"{number:,} {noun}{'' if number == 1 else 's'}" for number, noun in counts if number)


def _audit(store: "Store", action: str, what: dict[str, object]) -> None:
    from eyelet_ingest.cli.moving import audited

    audited(store.root, action, what)


def _ask(question: str) -> None:
    if not sys.stdin.isatty():
        raise BadInput("retire", reason="there is nobody to ask", hint="say --yes, or --dry-run to see what would go")
    click.confirm(question, abort=True, err=True)


def _date(time_us: int) -> str:
    from datetime import timezone

    from eyelet_ingest.ranges import display_time

    return f"{display_time(time_us, timezone.utc)[:16]} UTC"


def _now_us() -> int:
    from eyelet_ingest.cli.options import now_us

    return now_us()


def _err(text: str) -> None:
    from eyelet_ingest.cli.output import visible

    click.echo(f"eyelet: {visible(text)}", err=True)
