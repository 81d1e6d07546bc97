"""Fan out over partitions, merge, page: the one search behind the page, the JSON and the command line."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A partition that could not answer: `day` is its ISO date, `error` the reason and the remedy."""

    context: str
    day: str
    error: str


@dataclass(frozen=True, slots=True)
class Partitions:
    """The truth about one answer: how many partitions it opened, how many it did not need, which it could not read."""

    scanned: int
    skipped: int
    unreadable: tuple[Unreadable, ...]


@dataclass(frozen=True, slots=True)
class SearchResult:
    """One page of rows in order of (id, context), `next` the cursor of the following page where there is one."""

    rows: list[dict[str, object]]
    next: str | None
    partitions: Partitions
    elapsed_ms: float
