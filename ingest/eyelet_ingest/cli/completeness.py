"""`eyelet completeness`: of the calls that transcripts know, how many the hooks caught, which are missing, and why."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from eyelet_ingest.cli import output
from eyelet_ingest.cli.options import Chosen, filter_options, opened_store, roots_option, utf8
from eyelet_ingest.cli.query import number
from eyelet_ingest.errors import EyeletError
from eyelet_ingest.ranges import display_time

if TYPE_CHECKING:
    from eyelet_ingest.store.completeness import Completeness, Missing, OfSession

FLAGS = ("since", "until", "range", "tz", "contexts", "agent")
SESSIONS_SHOWN = CALLS_SHOWN = 20
SESSION_COLUMNS = (
    output.Column("session", 8, 40),
    output.Column("agent", 6, 12),
    output.Column("calls", 5, 12, right=True),
    output.Column("caught", 6, 12, right=True),
    output.Column("missing", 7, 12, right=True),
    output.Column("why", 12, 80),
)
CALL_COLUMNS = (
    output.Column("time", 19, 23),
    output.Column("tool", 8, 24),
    output.Column("status", 7, 11),
    output.Column("tool_use_id", 12, 40),
    output.Column("why", 12, 40),
)


@click.command()
@click.argument("session", metavar="[SESSION]", required=False, default="")
@filter_options(only=FLAGS)
@click.option("--json", "as_json", is_flag=True, help="One JSON object: totals, sessions, the missing calls.")
@roots_option
@click.pass_context
def completeness(ctx: click.Context, session: str, chosen: Chosen, as_json: bool, roots: tuple[str, ...]) -> None:
    """How much of what the transcripts know the hooks caught, in SESSION or in all; what is missing, and why.

    Exits with 1 where calls are missing that should have been caught.
    """
    from dataclasses import replace

    from eyelet_ingest import lapses

    where = replace(chosen.where, session_id=(utf8("session", session),) if session else ())
    with opened_store(*roots, alongside=True) as store:
        rests, faults = lapses.known()
        found = store.completeness(where, rests=rests, faults=faults)
    if session and not found.known:
        reason = "no transcript of it is stored in this range"
        raise EyeletError("tell how complete", repr(session), reason, "eyelet ingest PATH takes transcripts in")
    output.write_lines(sys.stdout, [output.json_value(found.as_json())] if as_json else _lines(found, chosen, session))
    click.echo(output.truth(found.partitions, found.elapsed_ms), err=True)
    if found.lost:
        ctx.exit(1)


def _lines(found: "Completeness", chosen: Chosen, session: str) -> Iterator[str]:
    from eyelet_ingest.store.completeness import REASONS

    if not found.known:
        yield f"no calls are known from transcripts ({chosen.label})"
        return
    yield f"{found.caught:,} of {number(found.known, 'call')} caught, {100 * found.caught // found.known} %"
    only = sum(one.only_question for one in found.sessions), sum(one.only_answer for one in found.sessions)
    if any(only):
        yield f"of these, {only[0]:,} without the answer and {only[1]:,} without the question"
    for reason, count in found.missing.items():
        yield f"{count:>8,}  {reason}: {REASONS[reason]}"
    width = output.terminal_width(sys.stdout)
    if not session:
        worst = sorted(found.sessions, key=lambda one: -one.missing.total())[:SESSIONS_SHOWN]
        if len(found.sessions) > 1:
            yield ""
            yield from output.Table(SESSION_COLUMNS, width).lines([_session_cells(one) for one in worst])
            if len(found.sessions) > len(worst):
                yield f"… and {number(len(found.sessions) - len(worst), 'session')} more (--json names all)"
        return
    if found.calls:
        yield ""
        named = found.calls[:CALLS_SHOWN]
        yield from output.Table(CALL_COLUMNS, width).lines([_call_cells(one, chosen) for one in named])
        missing = sum(found.missing.values())
        if missing > len(named):
            yield f"… and {number(missing - len(named), 'call')} more (--json names {len(found.calls):,})"


def _session_cells(one: "OfSession") -> list[str]:
    why = ", ".join(f"{reason} {count:,}" for reason, count in one.missing.most_common())
    return [one.session_id, one.agent, f"{one.known:,}", f"{one.caught:,}", f"{one.missing.total():,}", why]


def _call_cells(one: "Missing", chosen: Chosen) -> list[str]:
    return [display_time(one.first_us, chosen.tz), one.tool_name or "", one.status, one.tool_use_id, one.reason]
