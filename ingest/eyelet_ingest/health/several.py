"""What checks share in saying what they found: not more lines than somebody reads, and commands that can be run."""

import shlex
from collections.abc import Callable, Sequence

from eyelet_ingest.commands import runnable
from eyelet_ingest.errors import EyeletError, PartitionError
from eyelet_ingest.health.finding import STATUSES, UNKNOWN, Finding, Patient, worst
from eyelet_ingest.store import connect, layout
from eyelet_ingest.store.layout import PartitionKey

MOST_NAMED = 20  # findings of one check, each about a day or a file


def some(findings: Sequence[Finding], noun: str = "day", most: int = MOST_NAMED) -> list[Finding]:
    """The worst of these findings first, `most` of them; then one that counts the rest, whose repair is theirs."""
    ordered = sorted(findings, key=lambda one: -_badness(one))
    if len(ordered) <= most:
        return ordered
    rest = ordered[most:]
    repairs = [one.repair for one in rest if one.repair is not None]
    last = Finding(
        worst(rest),
        f"… and {plural(len(rest), f'more {noun}')} like these",
        fix=rest[0].fix if len({one.fix for one in rest}) == 1 else "as above",
        evidence={"more": len(rest)},
        repair=_all_of(repairs) if repairs else None,
    )
    return [*ordered[:most], last]


def plural(count: int, noun: str) -> str:
    """`1 day`, `1,200 days`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def command(patient: Patient, *words: str) -> str:
    """A command of ours as one types it in a shell, for this root."""
    return runnable(" ".join(map(shlex.quote, words)), patient.root)


def restore(patient: Patient, key: PartitionKey) -> str:
    """The command that puts a backup's day in place of this one."""
    return command(patient, "restore", "BACKUP", "--day", key.date, "--context", key.context, "--replace")


def unread(patient: Patient, key: PartitionKey, what: str, trouble: PartitionError) -> list[Finding]:
    """What is said of a day that cannot be read: what it is that is not known of it, and which check says more.
    Nothing of one that was removed meanwhile."""
    if not connect.is_there(layout.db_path(patient.root, key)):
        return []
    message = f"{what} of {day_name(key)} cannot be read: {trouble.reason}"
    return [Finding(UNKNOWN, message, command(patient, "doctor", "--check", "integrity"), day=key)]


def there(patient: Patient) -> list[PartitionKey]:
    """The days that have a database, the newest first."""
    keys = reversed(patient.store.catalog.partitions())
    return [key for key in keys if connect.is_there(layout.db_path(patient.root, key))]


def seen(looked: int, of: int) -> str:
    """How much of all days was looked at: `30 days`, `the newest 12 of 30 days`."""
    return plural(of, "day") if looked >= of else f"the newest {looked:,} of {plural(of, 'day')}"


def day_name(key: PartitionKey) -> str:
    """A day as commands take it: `work/2026-03-20`."""
    return f"{key.context}/{key.date}"


def mib(size: float) -> str:
    """Bytes as people read them: `1.5 MiB`."""
    for unit, factor in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if size >= factor:
            return f"{size / factor:,.1f} {unit}"
    return f"{size:,.0f} bytes"


def _badness(finding: Finding) -> int:
    return STATUSES.index(finding.status)


def _all_of(repairs: "list[Callable[[], str]]") -> "Callable[[], str]":
    """One repair that does all of these, and says how many it did; the first trouble is raised at the end."""

    def repair() -> str:
        done, trouble = 0, None
        for one in repairs:
            try:
                one()
                done += 1
            except EyeletError as bad:
                trouble = trouble or bad
        if trouble is not None:
            raise trouble
        return f"did the same {plural(done, 'time')}"

    return repair
