"""What goes of text that is stored already: a pattern that somebody names now, or the rules as they are now.

Each is a `store.cleaning.Cleaning`: what holds for every root, and the cleaner of one, whose key makes its markers.
A pattern is asked of each string of a payload by itself, keys and numbers too; also of what a string says behind JSON's
escapes (JSON in a string of JSON has them twice), behind `%XX`, and in base64. Only what it matches goes, or its group
named `secret`. A match that holds a marker takes that in; one that lies in a marker is none: twice is once.
"""

import re
from base64 import b64decode, urlsafe_b64decode
from bisect import bisect_right
from collections.abc import Callable, Iterator
from hashlib import blake2b
from itertools import accumulate

from eyelet_ingest import __version__
from eyelet_ingest.errors import BadInput
from eyelet_ingest.jsontext import dumps
from eyelet_ingest.past_walk import rebuilt
from eyelet_ingest.redaction import Redactor

CUSTOM = "custom"
GROUP = "secret"
KIND = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
KIND_CHARS = 32
PATTERN_CHARS = 10_000
MARKER = re.compile(r"\[redacted:[a-z0-9_-]+(?::[0-9a-f]{6})?\]")
LEVELS = 4  # of escapes within escapes
PASSES = 16  # a text is asked again until nothing matches: what goes can bring together what stood around it

_ESCAPE = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\[\"\\/bfnrt]")
_SHORT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_PERCENT = re.compile(r"(?:%[0-9a-fA-F]{2})+")
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{12,}={0,2}")

Spans = list[tuple[int, int, str]]  # where a secret stands, and what it is in plain


class Pattern:
    """A regular expression whose matches go, under the name `kind`. BadInput for one that cannot be used."""

    def __init__(self, pattern: str, kind: str = CUSTOM) -> None:
        if not KIND.fullmatch(kind) or len(kind) > KIND_CHARS:
            hint = f"write up to {KIND_CHARS} of a-z, 0-9 and -"
            raise BadInput("cannot name what goes", repr(kind[:80]), "it is no kind", hint)
        self.pattern, self.kind = pattern, kind
        self.expression = expression(pattern)

    def cleaner(self, key: bytes) -> "Cleaner":
        """What makes texts of the root with this key clean."""
        return Cleaner(self.expression, self.kind, key)

    def told(self, key: bytes) -> dict[str, object]:
        """What receipt and audit say of it: never the pattern, which often is the secret."""
        mark = blake2b(self.pattern.encode("utf-8", "surrogatepass"), digest_size=16, key=key, person=b"eyelet-pattern")
        return {"by": "pattern", "kind": self.kind, "pattern": mark.hexdigest()}


def expression(pattern: str) -> "re.Pattern[str]":
    """The pattern, compiled; BadInput, which says where, for one that is none, or that matches nothing at all. No
    message quotes it."""
    operation, hint = "cannot redact by the pattern", "write a regular expression of Python"
    if not pattern:
        raise BadInput(operation, reason="it is empty", hint=hint)
    if len(pattern) > PATTERN_CHARS:
        raise BadInput(operation, reason=f"it has more than {PATTERN_CHARS:,} characters", hint="write several")
    try:
        found = re.compile(pattern)
    except re.error as bad:
        place = f" at character {bad.pos + 1}" if bad.pos is not None else ""
        raise BadInput(operation, reason=f"{_plain(bad.msg)}{place}", hint=hint) from None
    except (OverflowError, RecursionError) as bad:
        raise BadInput(operation, reason="it is too large to be compiled", hint="write a shorter one") from bad
    if found.search(""):
        raise BadInput(
            operation, reason="it matches the empty text, and so everywhere", hint="say what must stand there"
        )
    return found


def _plain(message: str) -> str:
    """What is wrong, without the piece of the pattern that `re` may quote."""
    return re.sub(r"(?s)['\"].*['\"]|(?<=sequence ).*|(?<=group name ).*|(?<=range ).*", "…", message)[:80]


class Rules:
    """The rules and the user's patterns as they are now."""

    def cleaner(self, key: bytes) -> "RulesCleaner":
        return RulesCleaner(key)

    def told(self, key: bytes) -> dict[str, object]:
        return {"by": "rules", "version": __version__}


class RulesCleaner(Redactor):
    """The rules over the texts of one root, as `store.cleaning.Cleaner` has it."""

    __slots__ = ("taken",)

    def __init__(self, key: bytes) -> None:
        super().__init__(key)
        self.taken: dict[str, None] = {}

    def marker(self, kind: str, secret: str) -> str:
        self.taken[secret] = None
        return super().marker(kind, secret)


class Cleaner(Redactor):
    """One pattern over the texts of one root, as `store.cleaning.Cleaner` has it."""

    __slots__ = ("kind", "pattern", "taken")

    def __init__(self, pattern: "re.Pattern[str]", kind: str, key: bytes) -> None:
        super().__init__(key)
        self.pattern, self.kind = pattern, kind
        self.taken: dict[str, None] = {}

    def may_hold(self, text: str) -> bool:
        """Nothing can be told of a pattern beforehand."""
        return True

    def text(self, text: str) -> str:
        """The text without what matches; the same object where nothing does. Idempotent."""
        for _ in range(PASSES):
            spans = self._outside_markers(text, self._found(text))
            if not spans:
                break
            text = self._without(text, spans)
        return text

    def damaged(self, text: str) -> str:
        return self.text(text)

    def name(self, key: str) -> str:
        return self.text(key)

    def value(self, value: object) -> object:
        """Parsed JSON with every string, key and number asked; the same object where nothing goes. Any depth."""
        return rebuilt(value, self.text, self._number)

    def bytes(self, raw: bytes) -> bytes:
        """Bytes that are no JSON; the same object where nothing goes. UTF-16 comes back as UTF-8."""
        if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
            wide = raw.decode("utf-16", "replace")
            if (safe := self.text(wide)) is not wide:
                return safe.encode("utf-8", "surrogatepass")
        text = raw.decode("utf-8", "surrogateescape")
        safe = self.text(text)
        if safe is text and "\0" in text:  # UTF-16 without its mark
            narrow = text.replace("\0", "")
            if (safe := self.text(narrow)) is narrow:
                return raw
        return raw if safe is text else safe.encode("utf-8", "surrogateescape")

    def _number(self, number: "int | float") -> object:
        spelt = dumps(number)
        safe = self.text(spelt)
        return number if safe is spelt else safe

    def _found(self, text: str) -> Spans:
        """What matches, in the text as it is and behind what it is written in, with places in the text as it is."""
        spans = self._matches(text)
        views: list[_View] = []
        plain = text
        while "\\" in plain and len(views) < LEVELS:
            views.append(_View(plain, _ESCAPE, _unescaped))
            if views[-1].plain == plain:
                break
            plain = views[-1].plain
            spans += _placed(self._matches(plain), views)
        if "%" in text:
            view = _View(text, _PERCENT, _unquoted)
            spans += _placed(self._matches(view.plain), [view])
        for run in _BASE64.finditer(text):
            inner = _decoded(run.group())
            spans += [(*run.span(), secret) for _, _, secret in self._matches(inner)[:1]]
        return spans

    def _matches(self, text: str) -> Spans:
        spans = []
        for match in self.pattern.finditer(text):
            start, end = match.span()
            if GROUP in self.pattern.groupindex and match.group(GROUP):
                start, end = match.span(GROUP)
            if start < end:
                spans.append((start, end, text[start:end]))
        return spans

    def _outside_markers(self, text: str, spans: Spans) -> Spans:
        """These without those that are markers alone; who touches a marker takes all of it in. Joined, in order."""
        if not spans:
            return []
        markers = [match.span() for match in MARKER.finditer(text)]
        ends = [end for _, end in markers]
        joined: Spans = []
        for start, end, secret in sorted(spans, key=lambda span: span[:2]):
            at = bisect_right(ends, start)
            inside = 0
            first, last = start, end
            while at < len(markers) and markers[at][0] < end:
                inside += min(end, markers[at][1]) - max(start, markers[at][0])
                first, last = min(first, markers[at][0]), max(last, markers[at][1])
                at += 1
            if inside == end - start:
                continue
            if joined and first < joined[-1][1]:
                before = joined.pop()
                secret = before[2] if before[1] - before[0] > last - first else secret
                first, last = min(first, before[0]), max(last, before[1])
            joined.append((first, last, secret))
        return joined

    def _without(self, text: str, spans: Spans) -> str:
        parts: list[str] = []
        at = 0
        for start, end, secret in spans:
            parts += (text[at:start], self.marker(self.kind, secret))
            at = end
            self.taken[secret] = None
        return "".join(parts) + text[at:]


class _View:
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


def _placed(spans: Spans, views: "list[_View]") -> Spans:
    for view in reversed(views):
        spans = [(view.place(start), view.place(end), secret) for start, end, secret in spans]
    return spans


def _unescaped(escape: str) -> str:
    if escape[1] == "u":
        units = b"".join(int(one, 16).to_bytes(2, "big") for one in escape.split("\\u")[1:])
        return units.decode("utf-16-be", "surrogatepass")
    return _SHORT.get(escape[1], escape[1])


def _unquoted(run: str) -> str:
    return bytes.fromhex(run.replace("%", "")).decode("utf-8", "surrogateescape")


def _decoded(run: str) -> str:
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
