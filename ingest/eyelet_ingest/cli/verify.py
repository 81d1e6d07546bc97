"""`eyelet verify`: whether sealed days are what they were."""

import sys
from collections import Counter
from typing import TYPE_CHECKING

import click

from eyelet_ingest.cli.days import Asked, Facts, day_options, instant
from eyelet_ingest.cli.options import root_option

if TYPE_CHECKING:
    from eyelet_ingest.store.verify import Verified

WRONG = 1  # the exit status


@click.command()
@day_options(argument=True)
@click.option("--json", "as_json", is_flag=True, help="One object.")
@root_option
def verify(asked: Asked, as_json: bool, root: str) -> None:
    """Tell which sealed days are unchanged, which got late events, and which were changed or removed."""
    from eyelet_ingest.cli import output
    from eyelet_ingest.cli.options import say_if_missing
    from eyelet_ingest.store import verify as proving
    from eyelet_ingest.store.store import Store

    say_if_missing(root)
    with Store(root) as store:
        there = store.catalog.partitions()
        sealed = proving.sealed_keys(store.root, proving.contexts(store.root, there))
        keys = asked.keys(sorted({*there, *sealed}))
        with click.progressbar(
            store.verify(keys),
            length=len(keys),
            label="verifying",
            file=sys.stderr,
            hidden=len(keys) < 2 or not sys.stderr.isatty(),
        ) as shown:
            found = list(shown)
    counts = Counter(one.state for one in found)
    good = all(one.is_good for one in found) and not (asked.days and counts[proving.NOT_SEALED])
    if as_json:
        said = {"ok": good, "states": dict(counts), "days": [_facts(one) for one in found]}
        output.write_lines(sys.stdout, [output.json_value(said)])
    else:
        shown_days = [one for one in found if asked.days or one.state not in (proving.UNCHANGED, proving.NOT_SEALED)]
        output.write_lines(sys.stdout, [output.visible(_line(one)) for one in shown_days])
        summary = ", ".join(f"{counts[state]:,} {state}" for state in proving.STATES if counts[state])
        output.write_lines(sys.stdout, [summary or "no day"])
    if not good:
        click.get_current_context().exit(WRONG)


def _line(one: "Verified") -> str:
    said = f"{one.key.context} {one.key.date}: {one.state}"
    if one.detail:
        said += f": {one.detail}"
    return said + (f" (sealed {instant(one.sealed_us)} UTC)" if one.sealed_us is not None else "")


def _facts(one: "Verified") -> Facts:
    return {
        "context": one.key.context,
        "day": one.key.date,
        "state": one.state,
        "what": one.what or None,
        "detail": one.detail or None,
        "late": one.late,
        "events": one.rows,
        "sealed_us": one.sealed_us,
        "seal": one.seal or None,
    }
