"""SQLite: its version and what is known to be wrong with it, what it was built with, and which driver brings it.

The bugs are those of versions since 3.35 that lose or damage what was committed, or let a prepared file do so, and that
something of ours could meet. Where each is from stands beside it.
"""

import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from eyelet_ingest.commands import python
from eyelet_ingest.health.finding import ERROR, OK, WARN, Finding, Patient
from eyelet_ingest.store import connect, features

LEAST = (3, 37, 0)  # what our days are read and written with (docs/decisions.md)
WANTED = "pysqlite3>=0.6"  # which brings 3.53

Version = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Bug:
    """A bug of the versions from `since` on, until it was `fixed`: the versions that have the fix, each for its own
    branch, the newest first. `status` is what it is worth, `source` where it is told of."""

    name: str
    since: Version
    fixed: tuple[Version, ...]
    status: str
    what: str
    source: str

    def has(self, version: Version) -> bool:
        if version < self.since or version >= self.fixed[0]:
            return False
        return not any(version[:2] == one[:2] and version >= one for one in self.fixed[1:])


BUGS = (
    Bug(
        "WAL reset",
        (3, 7, 0),
        connect.FIXED_WAL_RESET,
        WARN,
        "rows committed while another process checkpoints may be lost; we let it checkpoint nothing by itself, so logs"
        " grow longer, but other programs may",
        "https://www.sqlite.org/wal.html#walresetbug",
    ),
    Bug(
        "savepoint",
        (3, 35, 0),
        ((3, 37, 2),),
        ERROR,
        "a savepoint that is rolled back may damage the file",
        "https://www.sqlite.org/releaselog/3_37_2.html",
    ),
    Bug(
        "withdrawn",
        (3, 52, 0),
        ((3, 52, 1),),
        WARN,
        "its makers withdrew this release for important issues",
        "https://github.com/vapor/sqlite-nio/pull/101",
    ),
    Bug(
        "FTS5 of a prepared file",
        (3, 9, 0),
        ((3, 53, 2),),
        WARN,
        "a text index in a file that somebody prepared may write beyond memory: search no days of strangers",
        "https://osv.dev/vulnerability/CVE-2026-11822",
    ),
    Bug(
        "journal of several files",
        (3, 53, 3),
        ((3, 53, 4),),
        WARN,
        "a journal that a crash left of a transaction over several files may be removed without being played back",
        "https://gitlab.com/cznic/sqlite/commit/cc920f9b5d957059ff73ff5600f8c80ef440d3af",
    ),
)


def check(patient: Patient) -> Iterator[Finding]:
    module = connect.driver()
    yield judged(module.sqlite_version, module.__name__.partition(".")[0], "commands and servers use")
    lacking = features.lacking()
    evidence: dict[str, object] = {"lacking": list(lacking)}
    if "JSON" in lacking:
        yield Finding(ERROR, "this SQLite was built without JSON, which every day needs", upgrade(), evidence)
    elif lacking:
        names = " and ".join(lacking)
        message = f"this SQLite was built without {names}: text is found by reading all of it, which takes longer"
        yield Finding(WARN, message, upgrade(), evidence)


def judged(version: str, driver: str, who: str) -> Finding:
    """What is to be said of this version of SQLite, which `who` by this driver."""
    parts = parsed(version)
    evidence: dict[str, object] = {"version": version, "driver": driver}
    if not parts:
        return Finding(WARN, f"{who} a SQLite that does not say its version: {version[:40]!r}", upgrade(), evidence)
    if parts < LEAST:
        least = ".".join(map(str, LEAST[:2]))
        message = f"{who} SQLite {version} ({driver}), and {least} is the oldest that reads our days"
        return Finding(ERROR, message, upgrade(), evidence)
    bugs = [bug for bug in BUGS if bug.has(parts)]
    evidence["known_bugs"] = {bug.name: bug.source for bug in bugs}
    if not bugs:
        return Finding(
            OK,
            f"{who} SQLite {version} ({driver}), of which no bug is known that loses data",
            "",
            evidence,
        )
    worst = max(bugs, key=lambda bug: bug.status == ERROR)
    more = f" (and {len(bugs) - 1} more)" if len(bugs) > 1 else ""
    message = f"{who} SQLite {version} ({driver}), which has a known bug{more}: {worst.what}"
    return Finding(worst.status, message, upgrade(), evidence)


def upgrade() -> str:
    """What brings a SQLite without them, into the Python that runs this."""
    if importlib.util.find_spec("pip") is None:
        return f"install '{WANTED}' into {sys.prefix}"
    return python(f"-m pip install --upgrade '{WANTED}'")


def bugs_of(version: str) -> list[Bug]:
    """The bugs that this version has, of those that matter here."""
    parts = parsed(version)
    return [bug for bug in BUGS if bug.has(parts)]


def parsed(version: str) -> Version:
    """`3.40.1` as numbers; () for what is no version."""
    parts = version.split(".")
    if not 2 <= len(parts) <= 4 or not all(part.isascii() and part.isdigit() and len(part) < 6 for part in parts):
        return ()
    numbers = tuple(map(int, parts))
    return numbers + (0,) * (3 - len(numbers))
