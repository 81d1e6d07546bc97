"""`eyelet backup` and `eyelet restore`: a copy of a root in a folder of one's own, and the way back."""

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from eyelet_ingest.cli import moving
from eyelet_ingest.cli.days import Asked
from eyelet_ingest.cli.options import opened_store, root_option, utf8

if TYPE_CHECKING:
    from eyelet_ingest.store.answers import Unreadable
    from eyelet_ingest.store.catalog import Catalog
    from eyelet_ingest.store.layout import PartitionKey
    from eyelet_ingest.store.restoring import Restored

_DAYS = (
    click.option("--day", "days", metavar="DAY", multiple=True, help="Only this day: 2026-03-20."),
    click.option("--context", "contexts", metavar="NAME", multiple=True, help="Only this context."),
    click.option("--since", metavar="TIME", default="", show_default=False, help="Only days from this time on."),
    click.option(
        "--until",
        metavar="TIME",
        default="",
        show_default=False,
        help="Only days before this time; a day is included.",
    ),
)


def _day_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_DAYS):
        command = option(command)
    return command


@click.command()
@click.argument("folder", metavar="FOLDER")
@_day_options
@click.option("--verify", is_flag=True, help="Back nothing up: read the backup, and say what of it is damaged.")
@click.option("--dry-run", is_flag=True, help="Change nothing; say what would be copied.")
@click.option("--json", "as_json", is_flag=True, help="The numbers as one JSON object.")
@root_option
@click.pass_context
def backup(
    ctx: click.Context,
    folder: str,
    days: tuple[str, ...],
    contexts: tuple[str, ...],
    since: str,
    until: str,
    verify: bool,
    dry_run: bool,
    as_json: bool,
    root: str,
) -> None:
    """Copy the root into FOLDER while it is written, again and again: only what changed."""
    target = os.path.abspath(os.path.expanduser(folder))
    if verify:
        _verify(ctx, target, as_json)
        return
    from eyelet_ingest.store.backup import check_places

    with opened_store(root, drain=not dry_run) as store:
        chosen = choose(store.catalog, days, contexts, since, until)
        check_places(root, target)
        if os.path.isdir(root) and not dry_run:
            moving.audited(root, "backup", {"to": target, "days": len(chosen)})
        with moving.day_progress("Backing up", as_json) as progress:
            made = store.backup(target, chosen, dry_run=dry_run, progress=progress)
    would = "would be copied" if dry_run else "copied"
    counts: dict[str, object] = {
        "copied": len(made.copied),
        "unchanged": made.unchanged,
        "files": made.files,
        "bytes": made.bytes,
        "failed": _failed(made.failed),
        "dry_run": dry_run,
    }
    sentence = f"{moving.number(len(made.copied), 'day')} {would}, {made.unchanged:,} unchanged, {target}"
    moving.answer(as_json, counts, sentence)
    _end(ctx, made.failed)


@click.command()
@click.argument("folder", metavar="FOLDER")
@_day_options
@click.option("--replace", is_flag=True, help="Put the backup's days in place of the root's own.")
@click.option("--force", is_flag=True, help="Bring back what was deleted or retired since, too.")
@click.option("--yes", is_flag=True, help="Replace without asking.")
@click.option("--dry-run", is_flag=True, help="Change nothing; say what would come.")
@click.option("--json", "as_json", is_flag=True, help="The numbers as one JSON object.")
@root_option
@click.pass_context
def restore(
    ctx: click.Context,
    folder: str,
    days: tuple[str, ...],
    contexts: tuple[str, ...],
    since: str,
    until: str,
    replace: bool,
    force: bool,
    yes: bool,
    dry_run: bool,
    as_json: bool,
    root: str,
) -> None:
    """Bring back what the backup in FOLDER holds: missing days as they were, others the events they lack."""
    from eyelet_ingest.store.catalog import Catalog
    from eyelet_ingest.store.connect import is_there
    from eyelet_ingest.store.layout import db_path

    source = os.path.abspath(os.path.expanduser(folder))
    there = [key for key in Catalog(source).partitions() if is_there(db_path(source, key))]
    chosen = choose(there, days, contexts, since, until, "day in the backup")
    with opened_store(root, only_reads=False, drain=not dry_run) as store:
        own = [key for key in chosen if is_there(db_path(root, key))]
        if replace and own and not yes and not dry_run:
            moving.confirm(
                f"Replace {moving.number(len(own), 'day')} of {root}? What they hold now is lost.", "restore"
            )
        with moving.day_progress("Restoring", as_json) as progress:
            done = store.restore(
                source, chosen, dry_run=dry_run, replace=replace, force=force, who=moving.who(), progress=progress
            )
    _report(done, as_json)
    if "secret.key" in done.kept and not moving.same_key(root, source):
        moving.say("the root has a key of its own: recordings that the backup knows would come in a second time")
    _end(ctx, done.failed)


def _report(done: "Restored", as_json: bool) -> None:
    counts: dict[str, object] = {
        "placed": len(done.placed),
        "replaced": len(done.replaced),
        "merged": len(done.merged),
        "events": done.events,
        "known": done.known,
        "deleted_before": done.dead,
        "files": done.files,
        "kept": done.kept,
        "failed": _failed(done.failed),
        "dry_run": done.dry_run,
    }
    would = "would come" if done.dry_run else "came"
    sentence = (
        f"{moving.number(done.events, 'event')} {would}: {moving.number(len(done.placed), 'day')} whole, "
        f"{len(done.replaced):,} replaced, {len(done.merged):,} merged; {done.known:,} events known already"
    )
    moving.answer(as_json, counts, sentence)
    if done.dead:
        why = "deleted, retired or redacted here since (--force brings them)"
        moving.say(f"{moving.number(done.dead, 'event')} not restored: {why}")


def choose(
    there: "Catalog | Sequence[PartitionKey]",
    days: Sequence[str],
    contexts: Sequence[str],
    since: str,
    until: str,
    what: str = "day",
) -> "list[PartitionKey]":
    """The partitions that the flags choose, oldest first; BadInput for a day that is none or is not there."""
    from eyelet_ingest import ranges
    from eyelet_ingest.cli.options import now_us

    asked = Asked(tuple(utf8("day", day) for day in days), tuple(utf8("context", context) for context in contexts))
    found = ranges.resolve(range="", since=since, until=until, tz="", now_us=now_us())
    keys = there if isinstance(there, list) else there.partitions()  # type: ignore[union-attr]
    return [
        key
        for key in asked.keys(keys, what)
        if (found.since_us is None or key.bounds_us[1] > found.since_us)
        and (found.until_us is None or key.bounds_us[0] < found.until_us)
    ]


def _verify(ctx: click.Context, target: str, as_json: bool) -> None:
    from eyelet_ingest.store.backup import verify

    with moving.day_progress("Reading", as_json) as progress:
        checked = verify(target, progress)
    counts: dict[str, object] = {
        "days": checked.days,
        "events": checked.events,
        "files": checked.files,
        "failed": _failed(checked.failed),
    }
    days, events = moving.number(checked.days, "day"), moving.number(checked.events, "event")
    sentence = f"{days} with {events} and {moving.number(checked.files, 'other file')} are as they were backed up"
    moving.answer(as_json, counts, sentence)
    _end(ctx, checked.failed)


def _failed(failed: "Sequence[Unreadable]") -> list[dict[str, str]]:
    return [{"context": bad.context, "day": bad.day, "error": bad.error} for bad in failed]


def _end(ctx: click.Context, failed: "Sequence[Unreadable]") -> None:
    moving.list_troubles((f"{bad.name}: {bad.error}" for bad in failed), len(failed))
    if failed:
        ctx.exit(moving.INCOMPLETE)
