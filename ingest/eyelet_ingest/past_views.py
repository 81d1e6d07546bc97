"""A text as it is behind what it is written in: JSON's escapes, `%XX`, base64; and where each place of it stands."""

import re
from base64 import b64decode, urlsafe_b64decode
from bisect import bisect_right
from collections.abc import Callable, Iterator
from itertools import accumulate

ESCAPE = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\[\"\\/bfnrt]")
_SHORT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
PERCENT = re.compile(r"(?:%[0-9a-fA-F]{2})+")
BASE64 = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{12,}={0,2}")


def unescaped_all(text: str) -> str:
    """The text with every escape of JSON's meant: `View(text, ESCAPE, unescaped).plain`, ten times as fast."""
    pieces = []
    for piece in text.split("\\\\"):
        if "\\" in piece:
            for letter, meant in (*_SHORT.items(), ('"', '"'), ("/", "/")):
                piece = piece.replace(f"\\{letter}", meant)
            if "\\u" in piece:
                piece = ESCAPE.sub(lambda escape: unescaped(escape.group()), piece)
        pieces.append(piece)
    return "\\".join(pieces)


class View:
    """A text as it is behind what it is written in: `plain`, and where each place of it stands."""

    __slots__ = ("_here", "_there", "plain")

    def __init__(self, text: str, written: "re.Pattern[str]", read: Callable[[str], str]) -> None:
        pieces: list[str] = []
        here, there = [0], [0]
        at = plain_at = 0
        for found in written.finditer(text):
            start, end = found.span()
            meant = read(found.group())
            pieces += (text[at:start], meant)
            plain_at += start - at
            here.append(plain_at)
            there.append(start)
            for number, place in enumerate(_places(meant, found.group()), 1):  # what was written as one stays one
                here.append(plain_at + number)
                there.append(start + place)
            plain_at += len(meant)
            at = end
        self.plain = "".join([*pieces, text[at:]])
        self._here, self._there = here, there

    def place(self, at: int) -> int:
        """Where the place `at` of the plain text stands."""
        piece = bisect_right(self._here, at) - 1
        return self._there[piece] + at - self._here[piece]


def _places(meant: str, written: str) -> Iterator[int]:
    """Where in `written` each character of what was meant ends."""
    if len(meant) <= 1 or not written.startswith("%"):
        yield len(written)
        return
    yield from accumulate(3 * len(char.encode("utf-8", "surrogateescape")) for char in meant)


def unescaped(escape: str) -> str:
    if escape[1] == "u":
        units = b"".join(int(one, 16).to_bytes(2, "big") for one in escape.split("\\u")[1:])
        return units.decode("utf-16-be", "surrogatepass")
    return _SHORT.get(escape[1], escape[1])


def unquoted(run: str) -> str:
    return bytes.fromhex(run.replace("%", "")).decode("utf-8", "surrogateescape")


def decoded(run: str) -> str:
    """What base64 says, where that is text; else ""."""
    padded = run.rstrip("=")
    if len(padded) % 4 == 1:
        padded = padded[:-1]
    padded += "=" * (-len(padded) % 4)
    try:
        text = (urlsafe_b64decode if "-" in run or "_" in run else b64decode)(padded).decode()
    except ValueError:
        return ""
    return text if "".join(text.split()).isprintable() else ""
