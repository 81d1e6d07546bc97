"""What questions answer: rows, counts, and the truth about the partitions they came from. Data alone."""

from collections.abc import Iterable
from dataclasses import dataclass

Row = dict[str, object]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A partition that could not answer: `day` is its ISO date, `error` the reason and the remedy.

    Of a folder that could not be looked into, `day` is its year, or "" where it is the context's; of a root, `context`
    is "" too. `root` is "" where there is only one.
    """

    context: str
    day: str
    error: str
    root: str = ""

    @property
    def name(self) -> str:
        """What it is, in words: context and day, and the root where there are several."""
        return " ".join(word for word in (self.context, self.day, f"in {self.root}" if self.root else "") if word)


@dataclass(frozen=True, slots=True)
class Partitions:
    """The truth about one answer: how many partitions it opened, how many it did not need, which it could not read.

    `unasked` are those that might hold more, but the deadline came first: the answer is what the others gave.
    `archived` are days of the range that are only in the archive: nothing of them is in the answer.
    """

    scanned: int
    skipped: int
    unreadable: tuple[Unreadable, ...]
    unasked: int = 0
    archived: int = 0

    def as_json(self) -> dict[str, object]:
        """As JSON documents it: `unasked` stands there only where time ran out, `archived` only where there are such
        days, `root` only where there are several."""
        bad = [
            {"context": one.context, "day": one.day, "error": one.error} | ({"root": one.root} if one.root else {})
            for one in self.unreadable
        ]
        late = {"unasked": self.unasked} if self.unasked else {}
        kept = {"archived": self.archived} if self.archived else {}
        return {"scanned": self.scanned, "skipped": self.skipped, "unreadable": bad, **late, **kept}

    @property
    def complete(self) -> bool:
        """Whether there was time to ask all that had to be asked."""
        return not self.unasked


@dataclass(frozen=True, slots=True)
class SearchResult:
    """One page of rows in order of (id, context, root), `next` the cursor of the following page where there is one.

    Where the deadline came first the page may hold fewer rows than were asked for, even none, and `next` goes on there.
    """

    rows: list[Row]
    next: str | None
    partitions: Partitions
    elapsed_ms: float


@dataclass(frozen=True, slots=True)
class CountResult:
    """How many events match, over the partitions that could be read."""

    count: int
    partitions: Partitions
    elapsed_ms: float


@dataclass(frozen=True, slots=True)
class Summary:
    """What a range holds: totals, the first and last event (µs), and counts, largest first."""

    events: int
    errors: int
    sessions: int
    first_us: int | None
    last_us: int | None
    by_type: dict[str, int]
    by_tool: dict[str, int]
    by_status: dict[str, int]
    by_context: dict[str, int]
    partitions: Partitions
    elapsed_ms: float


class ErrorCodes(dict[str, int]):
    """Failures by their code, most frequent first; '' for those without one. `partitions` is the truth about them."""

    def __init__(self, counts: dict[str, int], partitions: Partitions) -> None:
        super().__init__(counts)
        self.partitions = partitions


def ranked(counts: dict[str, int]) -> dict[str, int]:
    """The largest first, equal ones by name."""
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def text(value: object) -> str:
    """A recorded value as text; other programs may have left bytes or numbers where text belongs."""
    if isinstance(value, str):
        return value
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def added_up(counts: Iterable[tuple[object, int]], sums: dict[str, int] | None = None) -> dict[str, int]:
    """Value → events, those without a value left out, added to `sums` where given: what reads the same is the same,
    though SQLite may tell it apart (bytes that are no UTF-8 are replaced as they are read)."""
    sums = {} if sums is None else sums
    for value, events in counts:
        if value is not None and events:
            name = text(value)
            sums[name] = sums.get(name, 0) + events
    return sums
