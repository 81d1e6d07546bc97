"""Which of the agents' recordings were written to since they were brought in: what `--watch` asks every second."""

import time
from collections.abc import Sequence

from eyelet_ingest.history import Left
from eyelet_ingest.pipeline import STILL_US

LOOK_S = 1.0  # between two looks
LOOK_PART = 10  # a look may take this part of the time
# A recording that has grown is read from its beginning: a long one that grows all the time would be read all the time.
REST_PART = 4


class Watch:
    """What was seen of each recording when it was brought in, and until when a long one rests."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[str, bool]] = {}
        self._rests_until_s: dict[str, float] = {}

    def news(self, left: Sequence[Left], now_s: float) -> list[Left]:
        """Those that are new, have changed, or are still now, so that nothing of them is awaited any more. `now_s`: of
        a clock that only goes forward."""
        found = []
        for one in left:
            if self._seen.get(one.path) != _state(one) and self._rests_until_s.get(one.path, 0) <= now_s:
                found.append(one)
        return found

    def took(self, left: Sequence[Left], seconds: float, now_s: float) -> None:
        """These were brought in as they were seen, in so many seconds."""
        total = sum(one.size_bytes for one in left) or 1
        for one in left:
            self._seen[one.path] = _state(one)
            self._rests_until_s[one.path] = now_s + REST_PART * seconds * one.size_bytes / total


def wait_s(look_seconds: float) -> float:
    """How long to wait after a look that took so long."""
    return max(LOOK_S, LOOK_PART * look_seconds)


def _state(one: Left) -> tuple[str, bool]:
    return one.mark, time.time_ns() - one.mtime_ns >= STILL_US * 1_000
