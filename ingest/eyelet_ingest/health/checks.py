"""Which checks there are: each a module of this folder with `check(patient)`, imported when it is run."""

from collections.abc import Callable, Iterable
from functools import partial
from importlib import import_module

from eyelet_ingest.health.finding import Check, Finding, Patient

# Name, what it looks at, its area, its module, whether it is costly. docs/health.md says the same, and a test compares.
_BUILT_IN = (
    ("integrity", "Whether files are whole", "integrity", "integrity", False),
    ("schema", "Whether days have what this version needs", "integrity", "schema", False),
    ("wal", "Write-ahead logs: their size and age", "wal", "wal", False),
    ("checkpoints", "What waits in write-ahead logs", "checkpoints", "checkpoints", False),
    ("fragmentation", "Empty pages in days", "space", "fragmentation", False),
    ("disk", "Room on the disk", "space", "disk", False),
    ("growth", "How fast it grows, and when the disk is full", "space", "growth", False),
    ("indexes", "Which indexes questions use", "resources", "indexes", False),
    ("modes", "Who may read the files", "integrity", "modes", False),
    ("handles", "Files and connections that are open", "resources", "handles", False),
    ("spool", "Events that wait to be stored", "recording", "spool", False),
    ("quarantine", "Records that could not be stored", "recording", "quarantine", False),
    ("text", "Text indexes: what they lack, and whether they are right", "integrity", "text", False),
    ("installation", "Whether agents are set up to record", "recording", "installation", False),
    ("hook", "Whether the hook runs, and its SQLite", "recording", "hook", True),
    ("silence", "When each agent last recorded", "recording", "silence", False),
    ("capture", "How hooks fared in the last day", "recording", "capture", False),
    ("completeness", "Calls that no hook caught", "recording", "completeness", True),
    ("clock", "The clock", "integrity", "clock", False),
    ("retention", "Rules of what is kept", "space", "retention", False),
    ("configuration", "Settings, variables and folders", "recording", "configuration", False),
    ("sqlite", "SQLite: version, known bugs, what it was built with", "integrity", "sqlite", False),
    ("extension", "The extension in C", "resources", "extension", False),
    ("alerts", "Whether others could be told of alerts", "recording", "alerts", False),
    ("plugins", "Plugins that fail", "recording", "plugged_in", True),
)


def built_in() -> list[Check]:
    """The checks of this software, in the order in which they are told."""
    return [
        Check(name, title, area, partial(_run, module), is_costly) for name, title, area, module, is_costly in _BUILT_IN
    ]


def _run(module: str, patient: Patient) -> Iterable[Finding]:
    check: Callable[[Patient], Iterable[Finding]] = import_module(f"{__package__}.{module}").check
    return check(patient)
