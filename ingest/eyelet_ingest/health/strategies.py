"""When what stands in a day's WAL goes into its file by itself: strategies, which are pure functions of its state.

All three follow the same rules with other figures (docs/checkpoints.md): PASSIVE for what has grown beyond a size,
once nobody has written for a moment, or beyond a larger one at once; TRUNCATE where nobody has written for long. A
machine under load, or writers that had to wait for one another, are left alone until there is four times as much.
"""

from dataclasses import dataclass

KIB, MIB = 1 << 10, 1 << 20
PASSIVE, TRUNCATE = "passive", "truncate"
OFF = "none"  # no checkpoints but SQLite's own and those by hand
TODAY, YESTERDAY, OLDER = 2, 1, 0  # priorities: how likely a day is written to at the next moment
RETREAT = 4  # times as much is left alone under load
FAR_RETREAT_BYTES = 256 * MIB  # but not more than this


@dataclass(frozen=True, slots=True)
class Wal:
    """A day's WAL at this moment: how much of it is not in the day's file yet (`bytes`), and how long it is, which
    only TRUNCATE changes (`file_bytes`); for how many seconds nothing was brought into the file (`age_s`), and nobody
    wrote (`idle_s`); the day's `priority`; the machine's `load` for each processor over the last minute; how often
    writers of this process had to wait for others lately (`lock_waits`)."""

    bytes: int
    file_bytes: int
    age_s: float
    idle_s: float
    priority: int = OLDER
    load: float = 0.0
    lock_waits: int = 0


@dataclass(frozen=True, slots=True)
class Strategy:
    """What a strategy goes by.

    PASSIVE: from `passive_bytes` on after `pause_s` without a write, from `always_bytes` on at once, and for however
    little once it is `age_s` old. TRUNCATE: after `rest_s` without a write, of a day before yesterday after
    `old_rest_s`. `load`: with more than this for each processor it retreats.
    """

    name: str
    passive_bytes: int
    pause_s: float
    always_bytes: int
    age_s: float
    rest_s: float
    old_rest_s: float
    load: float

    def mode(self, wal: Wal) -> str | None:
        """The mode of the checkpoint that this WAL is due for, None for none now."""
        if wal.file_bytes <= 0:
            return None
        if self.retreats(wal):
            much = min(self.always_bytes * RETREAT, FAR_RETREAT_BYTES)
            return PASSIVE if wal.bytes >= much else None
        if wal.idle_s >= (self.rest_s if wal.priority >= YESTERDAY else self.old_rest_s):
            return TRUNCATE
        if wal.bytes >= self.always_bytes:
            return PASSIVE
        is_due = wal.bytes >= self.passive_bytes or (wal.bytes > 0 and wal.age_s >= self.age_s)
        return PASSIVE if is_due and wal.idle_s >= self.pause_s else None

    def retreats(self, wal: Wal) -> bool:
        """Whether others need the machine, or the day, more."""
        return wal.load > self.load or wal.lock_waits > 0


BUILT_IN = {
    one.name: one
    for one in (
        # Bursts of some events, and pauses in which somebody thinks: the pauses are for it.
        Strategy("ConversationWorkload", MIB, 5, 4 * MIB, 3_600, 300, 60, 1.5),
        # Many write at any moment: seldom and much, and nothing that empties the WAL before all are gone for long.
        Strategy("HighConcurrency", 8 * MIB, 1, 32 * MIB, 21_600, 900, 300, 1.0),
        # Whoever asks finds little in the WAL, and no writer does a checkpoint at its commit (SQLite's own: 4 MiB).
        Strategy("LowLatency", 256 * KIB, 0.5, MIB, 60, 30, 10, 3.0),
    )
}
DEFAULT = "ConversationWorkload"


def priority_of(first_us: int, now_us: int) -> int:
    """The priority of the day that begins at `first_us`."""
    days = now_us // 86_400_000_000 - first_us // 86_400_000_000
    return TODAY if days <= 0 else YESTERDAY if days == 1 else OLDER
