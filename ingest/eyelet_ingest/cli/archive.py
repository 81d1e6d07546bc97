"""`eyelet archive`: compact copies of finished days, and days brought back from them."""

import re
import sys
from typing import TYPE_CHECKING

import click

from eyelet_ingest.cli import days
from eyelet_ingest.cli.days import Asked, Facts, day_options, sized
from eyelet_ingest.cli.moving import number
from eyelet_ingest.cli.options import now_us, root_option
from eyelet_ingest.errors import BadInput

if TYPE_CHECKING:
    from eyelet_ingest.store.layout import PartitionKey
    from eyelet_ingest.store.store import Store


@click.command()
@day_options(argument=True)
@click.option("--older-than", metavar="AGE", help="Every day that ended so long ago: 30d, 8w.")
@click.option("--remove", is_flag=True, help="Remove the day itself when its archive is made.")
@click.option("--restore", is_flag=True, help="Bring archived days back instead; their archives stay.")
@click.option("--yes", is_flag=True, help="Do not ask before days are removed.")
@click.option("--dry-run", is_flag=True, help="Only say which days that would be.")
@click.option("--json", "as_json", is_flag=True, help="One object.")
@root_option
def archive(
    asked: Asked,
    older_than: str | None,
    remove: bool,
    restore: bool,
    yes: bool,
    dry_run: bool,
    as_json: bool,
    root: str,
) -> None:
    """Make compact copies of finished days, or bring days back from them with --restore."""
    if remove and restore:
        raise BadInput("archive", "--remove --restore", "these exclude each other", "give one of them")
    if not asked.days and older_than is None:
        raise BadInput("archive", reason="no day was named", hint="name days, or say --older-than 30d")
    with days.opened(root, dry_run) as store:
        keys = _restorable(store, asked) if restore else _archivable(store, asked, older_than)
        if not dry_run and remove and keys:
            _confirm(keys, yes)
        if not dry_run and keys and (remove or restore):
            days.audited(root, "archive.restore" if restore else "archive.remove", keys)
        act = _planned(store, remove, restore) if dry_run else _restored(store) if restore else _archived(store, remove)
        outcome = days.walk(keys, "restoring" if restore else "archiving", act)
    days.say(outcome, as_json, "no day to restore" if restore else "no day to archive")


def _archivable(store: "Store", asked: Asked, older_than: str | None) -> "list[PartitionKey]":
    keys = asked.keys(days.there(store))
    if older_than is None:
        return keys
    from eyelet_ingest.store.layout import DAY_US

    said = re.fullmatch(r"([0-9]{1,5})([dw])", older_than)
    if said is None:
        raise BadInput("archive", f"--older-than {older_than}", "it is no age", "write 30d or 8w")
    before_us = now_us() - int(said[1]) * (7 if said[2] == "w" else 1) * DAY_US
    return [key for key in keys if key.bounds_us[1] <= before_us]


def _restorable(store: "Store", asked: Asked) -> "list[PartitionKey]":
    from eyelet_ingest.store import archives

    return asked.keys(archives.keys(store.root), "archive of the day")


def _confirm(keys: "list[PartitionKey]", yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise BadInput("archive", "--remove", f"{number(len(keys), 'day')} would be removed", "say --yes")
    click.confirm(f"Remove {number(len(keys), 'day')} as soon as archived?", abort=True, err=True)


def _planned(store: "Store", remove: bool, restore: bool) -> "days.Act":
    def act(key: "PartitionKey") -> tuple[Facts, str]:
        day = next(store.days([key]))
        if restore:
            return {"archive_bytes": day.archive_bytes}, f"would be restored from {sized(day.archive_bytes)}"
        doing = "would be archived and removed" if remove else "would be archived"
        return {"events": day.events, "bytes": day.bytes}, f"{doing}, {day.events or 0:,} events, {sized(day.bytes)}"

    return act


def _archived(store: "Store", remove: bool) -> "days.Act":
    def act(key: "PartitionKey") -> tuple[Facts, str]:
        done = store.archive(key, remove=remove)
        facts: Facts = {"events": done.rows, "bytes": done.day_bytes, "archive_bytes": done.archive_bytes}
        shrunk = f"{sized(done.day_bytes)} → {sized(done.archive_bytes)}"
        said = f"{'archived and removed' if done.removed else 'archived'}, {done.rows:,} events, {shrunk}"
        return facts | {"removed": done.removed}, said

    return act


def _restored(store: "Store") -> "days.Act":
    def act(key: "PartitionKey") -> tuple[Facts, str]:
        done = store.restore_archive(key)
        beside = f", {done.kept:,} that came since stay" if done.kept else ""
        return {"events": done.rows, "kept": done.kept}, f"restored, {done.rows:,} events{beside}"

    return act
