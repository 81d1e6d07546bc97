"""What a redactor finds of the corpus, and what it takes that is no secret.

A marker stands for a stretch of the original, found by laying the text that stayed over the original. A secret is found
when all of it but `SPARE_CHARS` is within such stretches; a stretch that touches no secret is a false one, and so is
one that takes more than `GREED_CHARS` beside its secret (names, hosts and code around it must stay).
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tests.corpus.make import Sample

MARKER = re.compile(r"\[redacted:([a-z0-9-]+)(?::[0-9a-f]{6})?\](?:#\d+)?")
SPARE_CHARS = 3
GREED_CHARS = 40

Redact = Callable[[object], object]


@dataclass(slots=True)
class Tally:
    """Counts of one kind: secrets planted and found; markers in its samples that were right, false and greedy."""

    planted: int = 0
    found: int = 0
    right: int = 0
    false: int = 0
    greedy: int = 0
    missed_where: Counter[str] = field(default_factory=Counter)

    @property
    def recall(self) -> float:
        return self.found / self.planted if self.planted else 1.0

    @property
    def precision(self) -> float:
        taken = self.right + self.false + self.greedy
        return self.right / taken if taken else 1.0


@dataclass(slots=True)
class Outcome:
    """Tallies by kind of the samples, what was missed and what was wrongly taken: (sample, text)."""

    kinds: dict[str, Tally] = field(default_factory=dict)
    missed: list[tuple[Sample, str]] = field(default_factory=list)
    taken: list[tuple[Sample, str]] = field(default_factory=list)

    def whole(self) -> Tally:
        total = Tally()
        for tally in self.kinds.values():
            for name in ("planted", "found", "right", "false", "greedy"):
                setattr(total, name, getattr(total, name) + getattr(tally, name))
        return total


def measure(samples: Iterable[Sample], redact: Redact) -> Outcome:
    """What `redact` (a payload's value → the same redacted) makes of the samples."""
    outcome = Outcome()
    for sample in samples:
        tally = outcome.kinds.setdefault(sample.kind, Tally())
        found: set[str] = set()
        for before, behind in strings_beside(sample.value, redact(sample.value)):
            taken = [(start, end) for _, start, end in stretches(before, behind)]
            found.update(secret for secret in sample.secrets if _covered(before, secret, taken))
            for start, end in taken:
                _judge(sample, tally, outcome, before, (start, end))
        tally.planted += len(sample.secrets)
        for secret in sample.secrets:
            if secret in found:
                tally.found += 1
            else:
                tally.missed_where[sample.where] += 1
                outcome.missed.append((sample, secret))
    return outcome


def _judge(sample: Sample, tally: Tally, outcome: Outcome, text: str, stretch: tuple[int, int]) -> None:
    """Counts one marker as right, greedy or false."""
    start, end = stretch
    if start == end or MARKER.fullmatch(text[start:end]):
        return  # what was a marker before stays one
    secret_chars = _overlap(text, sample.secrets, stretch)
    if not secret_chars:
        if any(s <= start and end <= e for wide in sample.wide for s, e in _places(text, wide)):
            return  # beside the secret, within what may go with it: neither right nor wrong
        tally.false += 1
        outcome.taken.append((sample, text[start:end]))
    elif end - start - max(secret_chars, _overlap(text, sample.wide, stretch)) > GREED_CHARS:
        tally.greedy += 1
        outcome.taken.append((sample, text[start:end]))
    else:
        tally.right += 1


def _places(text: str, part: str) -> list[tuple[int, int]]:
    at, found = text.find(part), []
    while at >= 0 and part:
        found.append((at, at + len(part)))
        at = text.find(part, at + len(part))
    return found


def _overlap(text: str, parts: tuple[str, ...], stretch: tuple[int, int]) -> int:
    start, end = stretch
    return sum(max(0, min(e, end) - max(s, start)) for part in parts for s, e in _places(text, part))


def _covered(text: str, secret: str, taken: list[tuple[int, int]]) -> bool:
    """Whether every place of the secret in the text is taken but for a few characters."""
    places = _places(text, secret)
    for start, end in places:
        if end - start - sum(max(0, min(e, end) - max(s, start)) for s, e in taken) > SPARE_CHARS:
            return False
    return bool(places)


def stretches(before: str, behind: str) -> list[tuple[str, int, int]]:
    """The stretches of `before` for which markers stand in `behind`: (kind, start, end)."""
    if before == behind:
        return []
    parts = MARKER.split(behind)  # text that stayed, kind, text, kind, …
    kept, kinds = parts[::2], parts[1::2]
    found, at = [], len(kept[0])
    if not kinds or not before.startswith(kept[0]):
        return [("all", 0, len(before))]
    for number, (kind, part) in enumerate(zip(kinds, kept[1:], strict=True), 1):
        start = at
        end = len(before) - len(part) if number == len(kinds) else before.find(part, at)
        if end < at or before[end : end + len(part)] != part:
            return [("all", 0, len(before))]  # what stayed is not what was there: all of it counts as taken
        found.append((kind, start, end))
        at = end + len(part)
    return found


def strings_beside(before: object, behind: object) -> list[tuple[str, str]]:
    """Each string of a payload, keys included, beside what became of it."""
    if isinstance(before, dict) and isinstance(behind, dict):
        pairs = [(str(key), str(new)) for key, new in zip(before, behind, strict=True)]
        for one, other in zip(before.values(), behind.values(), strict=True):
            pairs += strings_beside(one, other)
        return pairs
    if isinstance(before, list) and isinstance(behind, list):
        return [pair for one, other in zip(before, behind, strict=True) for pair in strings_beside(one, other)]
    return [(before, behind)] if isinstance(before, str) and isinstance(behind, str) else []
