"""What slipped through redaction: the rules as they are now over text that is stored, and what only looks random.

A `Looker` is a redactor that counts the kinds of what it finds. `suspicions` are long words that mix small
and capital letters and digits as nothing written by people does; it knows of no name and no shape, so it is a
reason to look, not a finding.
"""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from math import log2

from eyelet_ingest import redactors
from eyelet_ingest.redaction import Redactor

MIN_CHARS = 24  # shorter are names
MAX_CHARS = 120  # longer are pictures and packed data
LEAST_BITS = 4.0  # of entropy a character, of the word's own
LEAST_TURNS = 0.45  # how often the kind of character changes, for each character

_WORD = re.compile(rf"(?<![A-Za-z0-9+/=_.-])[A-Za-z0-9+/=_-]{{{MIN_CHARS},{MAX_CHARS}}}(?![A-Za-z0-9+/=_.-])")
# Identifiers and sums that programs of the trade write all the time, by how they begin.
_KNOWN = re.compile(
    r"(?:toolu|(?:[a-z]+_)?msg|req|call|chatcmpl|resp|evt|cus|price|prod|sub|run|thread|file|asst|batch|org|user|srvtoolu)_"
    r"|sha(?:1|256|384|512)[-:]|h1:|AAAA[BCE]|[0-9a-fA-F-]+\Z|[/.]"
)


class Looker(Redactor):
    """Redaction with the rules and settings as they are now, which counts the kinds of what it finds. Its markers carry
    no hash: they go nowhere."""

    __slots__ = ("kinds", "taken")

    def __init__(self) -> None:
        super().__init__(b"", *redactors.own())
        self.kinds: Counter[str] = Counter()
        self.taken: dict[str, None] = {}  # as a Cleaner has it; nothing is kept in it

    def marker(self, kind: str, secret: str) -> str:
        self.kinds[kind] += 1
        return super().marker(kind, secret)

    def suspected(self, text: str) -> int:
        """How many words of the text look as if they were random."""
        return sum(1 for _ in suspicions(text))


def suspicions(text: str) -> Iterator[str]:
    """The words of a text that look as if a machine had made them at random, and nobody knows what for."""
    for found in _WORD.finditer(text):
        word = found[0]
        if not _KNOWN.match(word) and _turns(word) >= LEAST_TURNS and _bits(word) >= LEAST_BITS:
            yield word


def _turns(word: str) -> float:
    """How often small letter, capital, digit and sign take turns, for each character; 0 where one is missing."""
    kinds = ["a" if char.islower() else "A" if char.isupper() else "1" if char.isdigit() else "-" for char in word]
    if not {"a", "A", "1"} <= set(kinds):
        return 0.0
    return sum(one != other for one, other in pairwise(kinds)) / len(word)


def _bits(word: str) -> float:
    """The entropy of the word's characters, in bits a character."""
    return -sum(count / len(word) * log2(count / len(word)) for count in Counter(word).values())
