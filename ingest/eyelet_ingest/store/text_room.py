"""How much room a disk must have left that text is indexed: what makes nothing but searches quicker fills no disk.

Light: a Store checks the setting when it is opened.
"""

import os
from typing import NamedTuple

from eyelet_ingest.errors import BadInput, PartitionBusy
from eyelet_ingest.store.layout import MEMORY

KEPT_FREE = "EYELET_TEXT_KEEP_FREE_MIB"
# Of the disk, but no less than the first and no more than the second: 2 % of a large one is more than a day ever takes.
SHARE, LEAST_BYTES, MOST_BYTES = 0.02, 256 * 2**20, 2 * 2**30


class Room(NamedTuple):
    """Bytes of the disk of a root: those that are free to us, and those that are to stay free."""

    free: int
    kept: int

    @property
    def is_enough(self) -> bool:
        return self.free >= self.kept


def of(root: str) -> Room | None:
    """None where nothing can be told, or nothing goes to a disk. BadInput for a setting that cannot be."""
    told = setting()
    if root.startswith(MEMORY):
        return None
    try:
        disk = os.statvfs(root)
    except (OSError, AttributeError):  # it is not there; Windows
        return None
    kept = min(max(int(disk.f_blocks * disk.f_frsize * SHARE), LEAST_BYTES), MOST_BYTES)
    return Room(disk.f_bavail * disk.f_frsize, kept if told is None else told)


def setting() -> int | None:
    """The bytes that are to stay free by EYELET_TEXT_KEEP_FREE_MIB; None where it says nothing. BadInput for what is no
    number of MiB."""
    given = os.environ.get(KEPT_FREE, "").strip()
    if not given:
        return None
    if not (given.isascii() and given.isdigit() and len(given) <= 10):
        raise BadInput("read", KEPT_FREE, f"it cannot be {given!r}", "a whole number of MiB; 0 to fill the disk")
    return int(given) * 2**20


def expect(root: str, path: str) -> None:
    """PartitionBusy where the disk has too little room to index the text of the day at `path`."""
    room = of(root)
    if room is not None and not room.is_enough:
        raise PartitionBusy("index", path, reason(room), f"make room, or lower {KEPT_FREE}")


def reason(room: Room) -> str:
    return f"its disk has {room.free >> 20:,} MiB left, and {room.kept >> 20:,} are to stay free of text indexes"
