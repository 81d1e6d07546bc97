"""`eyelet doctor`: whether the recorder is well, and what is safe to put right put right."""

import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from eyelet_ingest.cli.options import WholeNumber, root_option

if TYPE_CHECKING:
    from eyelet_ingest.health.finding import Finding, Patient
    from eyelet_ingest.health.score import Score
    from eyelet_ingest.plugins import Plugins

WARNED, FAILED = 1, 3  # exit codes; 2 is a wrong question
PATIENCE_S = 10  # for what takes long, unless all of it is asked for
_MARKS = {"ok": "ok     ", "unknown": "unknown", "warn": "warning", "error": "error  "}
_COLOURS = {"ok": "\x1b[32m", "unknown": "\x1b[2m", "warn": "\x1b[33m", "error": "\x1b[31m"}


def _checks(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The names of checks that begin like this, for the shell."""
    from eyelet_ingest.health.checks import built_in

    return [check.name for check in built_in() if check.name.startswith(incomplete)]


@click.command()
@click.option("--fix", is_flag=True, help="Put right what is safe to put right, and say what was done.")
@click.option(
    "--check",
    "names",
    metavar="NAME",
    multiple=True,
    shell_complete=_checks,
    help="Only this check; may be given several times.",
)
@click.option("--full", is_flag=True, help="Read every file whole; a run that is stopped is gone on with.")
@click.option("--seconds", type=WholeNumber(min=1), help="For each check that takes long: 10; with --full, no end.")
@click.option("-v", "--verbose", is_flag=True, help="Also what is well.")
@click.option("--json", "as_json", is_flag=True, help="One object.")
@root_option
@click.pass_context
def doctor(
    ctx: click.Context, fix: bool, names: Sequence[str], full: bool, seconds: int | None, verbose: bool, as_json: bool,
    root: str,
) -> None:  # fmt: skip
    """Tell whether the recorder is well: one line for each thing that is not."""
    from eyelet_ingest.cli.alerts import say_line
    from eyelet_ingest.cli.moving import who
    from eyelet_ingest.cli.options import say_if_missing
    from eyelet_ingest.health import doctor as examining
    from eyelet_ingest.health import looking
    from eyelet_ingest.plugins import Plugins
    from eyelet_ingest.store.store import Store

    say_if_missing(root)
    plugins = Plugins.load(notes=False)  # to look is no use of them that has to be noted
    try:
        with Store(root) as store:
            wait_s = float(seconds or ("inf" if full else PATIENCE_S))
            patient = looking.patient_of(store, is_full=full, seconds=wait_s)
            findings = examining.examine(patient, names or None, plugins)
            done: list[tuple[Finding, str]] = []
            if fix:
                done = examining.repair(patient, findings, who())
                findings = _again(patient, findings, plugins) if done else findings
            score = None if names else looking.scored(patient, findings, plugins)
            if score is not None:  # some of the checks say nothing of the whole
                looking.kept(patient, findings, score, "command", plugins)
    finally:
        plugins.close()
    count = len(set(names) or examining.checks(plugins))
    _say(findings, done, count, as_json, verbose, score)
    say_line(root)
    ctx.exit(_exit_code(findings))


def _again(patient: "Patient", findings: "list[Finding]", plugins: "Plugins") -> "list[Finding]":
    """The findings after all that was not well was looked at once more: what mended one thing may mend another."""
    from dataclasses import replace

    from eyelet_ingest.health import doctor as examining
    from eyelet_ingest.health.finding import OK

    names = {one.name for one in findings if one.status != OK}
    patient = replace(patient, now_us=time.time_ns() // 1_000, until_s=time.monotonic() + PATIENCE_S)
    fresh = examining.examine(patient, names, plugins)
    order = list(dict.fromkeys(one.name for one in findings))
    kept = [one for one in findings if one.name not in names] + fresh
    return sorted(kept, key=lambda one: order.index(one.name))


def _exit_code(findings: "Sequence[Finding]") -> int:
    from eyelet_ingest.health.finding import ERROR, WARN, worst

    return {WARN: WARNED, ERROR: FAILED}.get(worst(findings), 0)


def _say(
    findings: "Sequence[Finding]",
    done: "Sequence[tuple[Finding, str]]",
    count: int,
    as_json: bool,
    verbose: bool,
    score: "Score | None",
) -> None:
    from eyelet_ingest.cli import output
    from eyelet_ingest.health.finding import OK, worst

    if as_json:
        said = {
            "status": worst(findings),
            "checks": count,
            "findings": [facts(one) for one in findings],
            **(score.as_json() if score else {}),
            "repaired": [facts(one) | {"done": what} for one, what in done],
        }
        output.write_lines(sys.stdout, [output.json_value(said)])
        return
    lines = [f"repaired {one.name}: {one.message}: {what}" for one, what in done]
    output.write_lines(sys.stdout, map(output.visible, lines))
    shown = [one for one in findings if verbose or one.status != OK]
    output.write_lines(sys.stdout, map(_line, shown))
    output.write_lines(sys.stdout, [_summary(findings, count), *([_scored(score)] if score else [])])


def _scored(score: "Score") -> str:
    weak = [f"{area.title.lower()} {area.score}" for area in score.areas if area.score < 100]
    return f"Score: {score.total} of 100" + (f" ({', '.join(weak)})" if weak else "") + "."


def facts(finding: "Finding") -> dict[str, object]:
    """A finding as programs get it."""
    return {
        "check": finding.name,
        "status": finding.status,
        "message": finding.message,
        "fix": finding.fix or None,
        "evidence": dict(finding.evidence),
        "context": finding.day.context if finding.day else None,
        "day": finding.day.date if finding.day else None,
        "repairable": finding.repair is not None,
    }


def _line(finding: "Finding") -> str:
    import os

    from eyelet_ingest.cli.output import visible

    mark = _MARKS[finding.status]
    if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        mark = f"{_COLOURS[finding.status]}{mark}\x1b[0m"
    fix = f" → {finding.fix}" if finding.fix else ""
    return f"{mark}  {visible(f'{finding.name}: {finding.message}{fix}')}"


def _summary(findings: "Sequence[Finding]", count: int) -> str:
    """How many checks are well, and of the others how they are: by the worst that each says."""
    from eyelet_ingest.health.finding import OK, worst

    names = dict.fromkeys(one.name for one in findings)
    each = Counter(worst([one for one in findings if one.name == name]) for name in names)
    if set(each) <= {OK}:
        return f"All {count} checks are well." if count != 1 else "The check is well."
    said = {"ok": "well", "unknown": "unknown", "warn": "with warnings", "error": "with errors"}
    return ", ".join(f"{each[status]} {said[status]}" for status in said if each[status])
