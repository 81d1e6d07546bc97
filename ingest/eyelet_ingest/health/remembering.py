"""What long looks found, kept by the state of the file that was looked at: it is not read again while that stands."""

import json
import time
from dataclasses import dataclass

from eyelet_ingest.errors import RootError
from eyelet_ingest.store import layout
from eyelet_ingest.store.metrics import Metrics

AGAIN_US = 30 * layout.DAY_US  # a disk forgets without telling: what was looked at so long ago is looked at again
MOST_CHARS = 500  # of one damage
WRITTEN_EACH_S = 1.0  # who is killed loses a second's looks
LOOKS = ("full", "quick")  # a full look is a quick one, too


@dataclass(frozen=True, slots=True)
class Said:
    """What a look found wrong, nothing where all was well, and when that was."""

    bad: tuple[str, ...]
    at_us: int


class Remembered:
    """What was found of files by their key; kept in `health.sqlite`. `with Remembered(metrics, now_us):` for as long as
    one looks: it is written now and then, and at the end, also of a look that is stopped. Where that cannot be read or
    written all is looked at again, and `trouble` says why."""

    def __init__(self, metrics: Metrics, now_us: int) -> None:
        self._metrics, self._now_us = metrics, now_us
        self._unwritten: list[tuple[str, str, str, str]] = []
        self._written_s = time.monotonic()
        self.trouble = ""

    def __enter__(self) -> "Remembered":
        return self

    def __exit__(self, *_: object) -> None:
        self._write()

    def of(self, key: str, state: tuple[int, ...], full: bool) -> Said | None:
        """What a look at least so thorough found of this file in this state; None where there was none lately."""
        if not state or self.trouble:
            return None
        for look in LOOKS[:1] if full else LOOKS:
            try:
                text = self._metrics.remembered(f"integrity.{look}", key, _text(state))
                said = Said(tuple(json.loads(text)["bad"]), int(json.loads(text)["at_us"])) if text else None
            except RootError as bad:
                self.trouble = str(bad)
                return None
            except (ValueError, KeyError, TypeError):
                said = None
            if said is not None and 0 <= self._now_us - said.at_us < AGAIN_US:
                return said
        return None

    def keep(self, key: str, state: tuple[int, ...], full: bool, bad: "list[str]") -> None:
        """Remember what a look found. It is written at once or a moment later: to write each by itself takes longer
        than to look at a small day."""
        if not state or self.trouble or self._metrics.root.startswith(layout.MEMORY):
            return
        said = json.dumps({"at_us": self._now_us, "bad": [one[:MOST_CHARS] for one in bad]})
        self._unwritten.append((f"integrity.{LOOKS[not full]}", key, _text(state), said))
        if time.monotonic() - self._written_s >= WRITTEN_EACH_S:
            self._write()

    def _write(self) -> None:
        looks, self._unwritten = self._unwritten, []
        try:
            if looks:
                self._metrics.remember_all(looks)
        except RootError as trouble:
            self.trouble = str(trouble)
        self._written_s = time.monotonic()


def _text(state: tuple[int, ...]) -> str:
    return " ".join(map(str, state))
