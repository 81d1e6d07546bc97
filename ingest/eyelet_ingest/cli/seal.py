"""`eyelet seal`: finished days brought into their last shape, and what they are then written down."""

import os
from typing import TYPE_CHECKING

import click

from eyelet_ingest.cli import days
from eyelet_ingest.cli.days import Asked, Facts, day_options, sized
from eyelet_ingest.cli.options import now_us, root_option
from eyelet_ingest.errors import BadInput

if TYPE_CHECKING:
    from eyelet_ingest.store.layout import PartitionKey

NEVER = "never"


@click.command()
@day_options(argument=True)
@click.option("--all-finished", is_flag=True, help="Every day that is over.")
@click.option("--force", is_flag=True, help="Accept a day that was changed since it was sealed.")
@click.option(
    "--after-days", metavar="N", help="From now on seal days by themselves, N days after their end; or never."
)
@click.option("--dry-run", is_flag=True, help="Only say which days would be sealed, and why.")
@click.option("--json", "as_json", is_flag=True, help="One object.")
@root_option
def seal(
    asked: Asked, all_finished: bool, force: bool, after_days: str | None, dry_run: bool, as_json: bool, root: str
) -> None:
    """Seal finished days: made small, checked, and described in a manifest that `eyelet verify` holds them against."""
    from eyelet_ingest.store import sealing
    from eyelet_ingest.store.verify import NOT_SEALED, UNCHANGED

    if after_days is not None:
        number = _days(after_days)
        if os.path.isdir(root) and not dry_run:
            days.audited(root, "settings", (), seal_after_days=number)
        if not dry_run:
            sealing.set_after_days(root, number)
    if not asked.days and not all_finished:
        if after_days is None:
            raise BadInput("seal", reason="no day was named", hint="name days, or say --all-finished")
        if as_json:
            days.say(days.Outcome([], [], []), as_json, "")
        return
    if force and not dry_run:
        days.audited(root, "seal.force", (), asked=list(asked.days))
    with days.opened(root, dry_run) as store:
        keys = asked.keys(days.there(store))
        if all_finished and not asked.days:
            keys = [key for key in keys if sealing.is_finished(key, now_us())]

        def planned(key: "PartitionKey") -> tuple[Facts, str] | None:
            found = next(store.verify([key]))
            if found.state == UNCHANGED:
                return None
            why = "not sealed yet" if found.state == NOT_SEALED else found.detail
            return {"state": found.state, "why": why}, f"would be sealed: {why}"

        def done(key: "PartitionKey") -> tuple[Facts, str] | None:
            sealed = store.seal(key, force=force)
            made = sealed.seal
            facts: Facts = {"fresh": sealed.fresh, "reason": made.reason, "events": made.rows, "bytes": made.bytes}
            facts |= {"bytes_before": sealed.bytes_before, "sha256": made.sha256, "seal": made.hash}
            if not sealed.fresh:
                return facts, "unchanged since it was sealed"
            shrunk = f"{sized(sealed.bytes_before)} → {sized(made.bytes)}"
            return facts, f"sealed ({made.reason}), {made.rows:,} events, {shrunk}"

        outcome = days.walk(keys, "sealing", planned if dry_run else done)
    days.say(outcome, as_json, "no day to seal")


def _days(text: str) -> int | None:
    if text == NEVER:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        raise BadInput("seal", f"--after-days {text}", "it is no number of days", "write 2, or never")
    return int(text)
