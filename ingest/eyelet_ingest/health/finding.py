"""What a check is, what it looks at, and what it says."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eyelet_ingest.settings import Settings

if TYPE_CHECKING:
    from eyelet_ingest.store.layout import PartitionKey
    from eyelet_ingest.store.store import Store

OK, UNKNOWN, WARN, ERROR = "ok", "unknown", "warn", "error"
STATUSES = (OK, UNKNOWN, WARN, ERROR)  # from good to bad; unknown: it could not be looked at

# What the score is made of; docs/health.md says what belongs to each.
AREAS = {
    "integrity": "Integrity",
    "wal": "Write-ahead logs",
    "checkpoints": "Checkpoints",
    "space": "Fragmentation and free space",
    "recording": "Latency and errors",
    "resources": "Connections and disk",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a check found.

    `message` is one sentence for people, `evidence` the figures behind it (plain values, units in their names), `fix`
    a command or what to do, "" where nothing need be done. `repair` does the fix where that is safe, and answers what
    it did; `eyelet doctor --fix` calls it. `name` is the check's: whoever runs the check fills it in.
    """

    status: str
    message: str
    fix: str = ""
    evidence: "Mapping[str, object]" = field(default_factory=dict)
    repair: "Callable[[], str] | None" = None
    day: "PartitionKey | None" = None  # of what it is about, where it is about one day
    name: str = ""


@dataclass(frozen=True, slots=True)
class Patient:
    """What a check looks at. Checks only read; what they change is done by `Finding.repair` alone.

    `home` is the folder of the settings and what hooks note (`~/.eyelet`). `is_full` asks for what takes long;
    `until_s` is `time.monotonic()` at which a long check stops and says how far it came.
    """

    store: "Store"
    home: str
    settings: Settings
    now_us: int
    is_full: bool = False
    until_s: float = float("inf")

    @property
    def root(self) -> str:
        return self.store.root

    def limit(self, name: str) -> int:
        """A threshold: the setting `health.NAME`."""
        return int(self.settings[f"health.{name}"])

    @property
    def is_late(self) -> bool:
        """Whether the time for looking is over."""
        return time.monotonic() >= self.until_s


@dataclass(frozen=True, slots=True)
class Check:
    """A look at the health of a root. `area` is one of AREAS; `run` yields at least one finding, and never raises for
    what may be wrong with what it looks at. `is_costly`: left out where a quick answer is wanted (pages, liveness)."""

    name: str
    title: str
    area: str
    run: Callable[[Patient], Iterable[Finding]]
    is_costly: bool = False


def worst(findings: Iterable[Finding]) -> str:
    """The worst status among them; OK of none."""
    return max((one.status for one in findings), key=STATUSES.index, default=OK)
