"""What long looks found, kept by the state of the file that was looked at: it is not read again while that stands."""

import json
from dataclasses import dataclass

from eyelet_ingest.errors import RootError
from eyelet_ingest.store import layout
from eyelet_ingest.store.metrics import Metrics

AGAIN_US = 30 * layout.DAY_US  # a disk forgets without telling: what was looked at so long ago is looked at again
MOST_CHARS = 500  # of one damage
LOOKS = ("full", "quick")  # a full look is a quick one, too


@dataclass(frozen=True, slots=True)
class Said:
    """What a look found wrong, nothing where all was well, and when that was."""

    bad: tuple[str, ...]
    at_us: int


class Remembered:
    """What was found of files by their key; kept in `health.sqlite`. Where that cannot be read or written all is looked
    at again, and `trouble` says why."""

    def __init__(self, metrics: Metrics, now_us: int) -> None:
        self._metrics, self._now_us = metrics, now_us
        self.trouble = ""

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
        if not state or self.trouble or self._metrics.root.startswith(layout.MEMORY):
            return
        said = json.dumps({"at_us": self._now_us, "bad": [one[:MOST_CHARS] for one in bad]})
        try:
            self._metrics.remember(f"integrity.{LOOKS[not full]}", key, _text(state), said)
        except RootError as trouble:
            self.trouble = str(trouble)


def _text(state: tuple[int, ...]) -> str:
    return " ".join(map(str, state))
