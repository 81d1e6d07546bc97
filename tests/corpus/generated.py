"""A random text that a regular expression matches: of the plain kind that formats of tokens are written in."""

import re
import string
from random import Random
from typing import Any

try:
    from re import _parser as sre
except ImportError:  # before Python 3.11
    import sre_parse as sre  # type: ignore[no-redef]

MOST_MORE = 3  # repetitions above the least
TRIES = 200
LETTERS = 0.98  # of the characters where a sign may stand, too: who makes tokens uses few
_CLASSES = {
    "CATEGORY_DIGIT": string.digits,
    "CATEGORY_WORD": string.ascii_letters + string.digits + "_",
    "CATEGORY_SPACE": " ",
    "CATEGORY_NOT_SPACE": string.ascii_letters + string.digits,
}


def matching(pattern: str, rng: Random) -> str:
    """A text of which the pattern matches all, what looks around included; ValueError where none is found."""
    compiled = re.compile(pattern, re.A)
    for _ in range(TRIES):
        text = "".join(_made(list(sre.parse(pattern)), rng))
        found = compiled.match(text)
        if found and found.end() == len(text):
            return text
    raise ValueError(f"no text was found for {pattern}")


def _made(items: list[Any], rng: Random) -> list[str]:
    made: list[str] = []
    for kind, value in items:
        name = str(kind)
        if name == "LITERAL":
            made.append(chr(value))
        elif name in ("MAX_REPEAT", "MIN_REPEAT"):
            least, most, inner = value
            for _ in range(rng.randint(least, min(most, least + MOST_MORE))):
                made += _made(list(inner), rng)
        elif name == "SUBPATTERN":
            made += _made(list(value[-1]), rng)
        elif name == "BRANCH":
            made += _made(list(rng.choice(value[1])), rng)
        elif name == "IN":
            chars = _chars(value)
            letters = "".join(char for char in chars if char.isalnum())
            made.append(rng.choice(letters if letters and rng.random() < LETTERS else chars))
        elif name == "ANY":
            made.append("a")
        elif name == "NOT_LITERAL":
            made.append("a" if value != ord("a") else "b")
    return made  # what looks around makes nothing: the whole is tried afterwards


def _chars(value: list[Any]) -> str:
    chars, is_negated = "", False
    for kind, held in value:
        name = str(kind)
        if name == "NEGATE":
            is_negated = True
        elif name == "LITERAL":
            chars += chr(held)
        elif name == "RANGE":
            chars += "".join(map(chr, range(held[0], held[1] + 1)))
        elif name == "CATEGORY":
            chars += _CLASSES[str(held)]
    if is_negated:
        return "".join(char for char in string.ascii_letters + string.digits if char not in chars)
    return chars
