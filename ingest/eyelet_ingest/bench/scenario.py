"""What is written and asked: how many contexts, days and rows, and of what kind. Pure."""

import re
from dataclasses import asdict, dataclass, replace

from eyelet_ingest.errors import BadInput

OWN = "own"  # the name of a scenario whose parameters somebody gave
NAMES = ("A", "B", "C", "D", "W9")
# Parameter: the least and the most it may be
BOUNDS: dict[str, tuple[int, int]] = {
    "contexts": (1, 200),
    "days": (1, 1_000),
    "rows_a_day": (10, 2_000_000),
    "src_depth": (2, 8),
    "payload_bytes": (200, 200_000),
    "session_rows": (2, 100_000),
    "readers": (1, 200),
}
ROWS_MOST = 20_000_000
ERROR_PERCENT_MOST = 100.0
SCALE_LEAST = 1e-4
ROWS_LEAST = BOUNDS["rows_a_day"][0]
# What a row takes beside its payload: columns and ten indexes; then the payload and the text index of it, in either
# layout (measured: 1.7 KB for payloads of 600 bytes, 2.6 for 1,000), and the WAL of a batch.
ROW_BYTES = 700
PAYLOAD_TIMES = 2.1
DAY_BYTES = 220_000  # of a day that holds next to nothing: 22 tables and indexes, side files
LAYOUTS = 2
REST_BYTES = 64 * 2**20  # WALs, which SQLite lets grow until they are brought in


@dataclass(frozen=True, slots=True)
class Scenario:
    """`rows_a_day` in each of `contexts`; `src_depth` names in each src; payloads of about `payload_bytes`; of every
    hundred calls `error_percent` fail; sessions of `session_rows` events; `readers` ask at once.

    With `is_conversation` the rows are written one by one, and what was last said is read between them.
    """

    name: str
    contexts: int = 1
    days: int = 1
    rows_a_day: int = 10_000
    src_depth: int = 5
    payload_bytes: int = 600
    error_percent: float = 3.0
    session_rows: int = 300
    readers: int = 100
    is_conversation: bool = False

    @property
    def rows(self) -> int:
        return self.contexts * self.days * self.rows_a_day

    @property
    def needed_bytes(self) -> int:
        """About what both layouts of it take on the disk together."""
        rows = LAYOUTS * self.rows * (ROW_BYTES + PAYLOAD_TIMES * self.payload_bytes)
        return int(rows) + self.contexts * self.days * DAY_BYTES + REST_BYTES

    def scaled(self, scale: float) -> "Scenario":
        """With so much of the rows: contexts and days stay as they are. BadInput for a scale that is none."""
        if not SCALE_LEAST <= scale <= 1:
            raise BadInput("scale the scenario", reason=f"{scale:g} is not from {SCALE_LEAST:g} to 1")
        return replace(self, rows_a_day=max(round(self.rows_a_day * scale), ROWS_LEAST))

    def as_json(self) -> dict[str, object]:
        return asdict(self)

    def said(self) -> str:
        """In words, for people."""
        contexts = f"{self.contexts} context{'s' if self.contexts > 1 else ''}"
        days = f"{self.days} day{'s' if self.days > 1 else ''}"
        return f"{contexts} × {days} × {self.rows_a_day:,} rows = {self.rows:,}"


SCENARIOS = {
    "A": Scenario("A", 1, 1, 1_000_000),
    "B": Scenario("B", 1, 30, 100_000),
    "C": Scenario("C", 50, 7, 20_000),
    "D": Scenario("D", 1, 365, 10_000),
    "W9": Scenario("W9", 1, 1, 50_000, session_rows=1_000, is_conversation=True),
}
MEANING = {
    "A": "one large day",
    "B": "a month of large days",
    "C": "many contexts, a week",
    "D": "a year of days",
    "W9": "50 conversations of 1,000 messages, written and read by turns",
}


def named(name: str) -> Scenario:
    """BadInput for a name that is none of NAMES."""
    try:
        return SCENARIOS[name.upper()]
    except KeyError:
        raise BadInput("there is no scenario", repr(name[:40]), "", f"write one of {', '.join(NAMES)}") from None


def with_own(base: Scenario, given: "dict[str, int | float]") -> Scenario:
    """`base` with these parameters instead of its own; BadInput, which names the one, for what cannot be."""
    for name, value in given.items():
        if name == "error_percent":
            if not 0 <= value <= ERROR_PERCENT_MOST:
                raise BadInput("use error_percent", repr(value), "it is a share of calls in percent", "write 0 to 100")
        elif name not in BOUNDS:
            raise BadInput(
                "there is no parameter", repr(name[:40]), "", f"there are {', '.join((*BOUNDS, 'error_percent'))}"
            )
        else:
            least, most = BOUNDS[name]
            if value != int(value) or not least <= value <= most:
                raise BadInput(f"use {name}", repr(value), f"it is a whole number from {least:,} to {most:,}")
    if not given:
        return base
    changed = replace(base, name=base.name if base.name == OWN else f"{base.name}*", **given)  # type: ignore[arg-type]
    if changed.rows > ROWS_MOST:
        raise BadInput("make the rows", reason=f"{changed.said()}: {ROWS_MOST:,} are the most", hint="ask for fewer")
    return changed


def from_json(said: object) -> Scenario:
    """The scenario that `as_json` told; ValueError for what is none."""
    if not isinstance(said, dict) or set(said) != set(Scenario.__slots__) or not isinstance(said["name"], str):
        raise ValueError("no scenario")
    if not re.fullmatch(r"[\w*]{1,12}", said["name"]) or not isinstance(said["is_conversation"], bool):
        raise ValueError("no scenario")
    for name in (*BOUNDS, "error_percent"):
        if isinstance(said[name], bool) or not isinstance(said[name], (int, float)):
            raise ValueError(f"no {name}")
    return Scenario(**said)
