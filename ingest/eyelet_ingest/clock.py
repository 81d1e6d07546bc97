"""Which recorded times are believed: from 2000 to the end of tomorrow, UTC."""

import time

DAY_US = 86_400_000_000
EARLIEST_US = 946_684_800_000_000  # 2000-01-01: a recorded time before it comes from a clock that was not set


class Clock:
    """The time of receipt, read once, and what it makes of the times that records bring."""

    __slots__ = ("end_us", "now_us")

    def __init__(self) -> None:
        self.now_us = time.time_ns() // 1_000
        self.end_us = (self.now_us // DAY_US + 2) * DAY_US

    def believes(self, time_us: int) -> bool:
        return EARLIEST_US <= time_us < self.end_us

    def usable(self, time_us: int | None) -> int | None:
        """The time itself where it is one and believed, else None."""
        return time_us if time_us is not None and self.believes(time_us) else None
