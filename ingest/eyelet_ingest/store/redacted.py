"""What a redaction of what is stored changes, or changed, as it says it."""

from collections import Counter
from dataclasses import dataclass, field

from eyelet_ingest.store.answers import Unreadable
from eyelet_ingest.store.cleaning import Cleaned, Cleaner
from eyelet_ingest.store.layout import PartitionKey

DAYS = "days"  # the name of that place
SECRETS_MOST = 1_000  # that are remembered while it runs, to look for what is left of them


@dataclass(slots=True)
class DayRedacted:
    """What changes, or changed, of one day in one place: events, or records, or files; of which columns; and where what
    was to go stays, as it names the event. `before` and `after` are the digests over the rows of a day."""

    key: PartitionKey
    place: str
    events: int = 0
    columns: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    before: str = ""
    after: str = ""

    def add(self, one: Cleaned) -> None:
        self.events += bool(one.values)
        self.columns.update(one.values.keys())
        self.kept.update(one.kept)

    def told(self) -> dict[str, object]:
        """As programs and receipts have it."""
        said: dict[str, object] = {"place": self.place, "context": self.key.context, "day": self.key.date}
        said |= {"events": self.events, "columns": dict(sorted(self.columns.items()))}
        said |= {"kept": dict(sorted(self.kept.items()))} if self.kept else {}
        return said | ({"before": self.before, "after": self.after} if self.after else {})


@dataclass(slots=True)
class Redacted:
    """What changes, or changed, in the days and elsewhere; what could not be served; files of which a reader still
    needs what they held (`unerased`); and the paths of the receipts."""

    dry_run: bool
    days: list[DayRedacted] = field(default_factory=list)
    failed: list[Unreadable] = field(default_factory=list)
    unerased: list[str] = field(default_factory=list)
    receipts: list[str] = field(default_factory=list)
    secrets: dict[str, None] = field(default_factory=dict, repr=False)  # in plain, for as long as this lives

    @property
    def events(self) -> int:
        """How many events changed in the days; one counts once, whatever changed in it."""
        return sum(day.events for day in self.days if day.place == DAYS)

    @property
    def kept(self) -> int:
        return sum(sum(day.kept.values()) for day in self.days)

    def took(self, cleaner: Cleaner) -> None:
        """Remember the secrets that this cleaner met last."""
        if len(self.secrets) < SECRETS_MOST:
            self.secrets.update(cleaner.taken)

    def add(self, other: "Redacted") -> None:
        """What was done in another root."""
        for name in ("days", "failed", "unerased", "receipts"):
            getattr(self, name).extend(getattr(other, name))
        self.secrets |= other.secrets
