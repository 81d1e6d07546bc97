"""What goes of text that is stored already: a pattern that somebody names now, or the rules as they are now.

Each is a `store.cleaning.Cleaning`: what holds for every root, and the cleaner of one, whose key makes its markers.
A pattern is asked of each string of a payload by itself, keys and numbers too; also of what a string says behind JSON's
escapes (JSON in a string of JSON has them twice), behind `%XX`, and in base64. Only what it matches goes, or its group
named `secret`; and only between markers, so that twice is once.
"""

import re
from base64 import b64decode, urlsafe_b64decode
from bisect import bisect_right
from collections.abc import Callable, Iterator
from hashlib import blake2b
from itertools import accumulate
from typing import TYPE_CHECKING

from eyelet_ingest import __version__, redactors
from eyelet_ingest.errors import BadInput
from eyelet_ingest.jsontext import dumps
from eyelet_ingest.own_patterns import check_pattern
from eyelet_ingest.past_walk import rebuilt
from eyelet_ingest.redaction import Redactor
from eyelet_ingest.redaction_names import MARKED

if TYPE_CHECKING:
    from eyelet_ingest.redaction_own import Allowed
    from eyelet_ingest.redaction_own import Pattern as Own

CUSTOM = "custom"
GROUP = "secret"
LEVELS = 4  # of escapes within escapes
PASSES = 16  # a text is asked again until nothing matches: what goes can bring together what stood around it

_MARKER = re.compile(MARKED)
_BEFORE_KIND = "[redacted:"
_ESCAPE = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\[\"\\/bfnrt]")
_SHORT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_PERCENT = re.compile(r"(?:%[0-9a-fA-F]{2})+")
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{12,}={0,2}")

Spans = list[tuple[int, int, str]]  # where a secret stands, and what it is in plain


class Pattern:
    """A regular expression whose matches go, under the name `kind`; for ASCII, as those of the settings. BadInput for
    one that is none, or that can be slow: it says where, and quotes nothing of it."""

    def __init__(self, pattern: str, kind: str = CUSTOM) -> None:
        try:
            check_pattern(kind, pattern, "")
        except BadInput as bad:
            of_name = bad.reason.removeprefix("redaction.patterns cannot have the name")
            if of_name != bad.reason:
                raise BadInput("cannot name what goes", of_name.strip(), "it is no kind", bad.hint) from None
            reason = bad.reason.removeprefix(f"redaction.patterns.{kind}").strip()
            raise BadInput("redact", reason=f"the pattern {reason}", hint=bad.hint) from None
        self.pattern, self.kind = pattern, kind
        self.expression = re.compile(pattern, re.ASCII)

    def cleaner(self, key: bytes) -> "Cleaner":
        """What makes texts of the root with this key clean."""
        return Cleaner(self.expression, self.kind, key)

    def told(self, key: bytes) -> dict[str, object]:
        """What receipt and audit say of it: never the pattern, which often is the secret."""
        raw = self.pattern.encode("utf-8", "surrogatepass")
        mark = blake2b(raw, digest_size=16, key=key, person=b"eyelet-pattern").hexdigest()
        return {"by": "pattern", "kind": self.kind, "pattern": mark}


class Rules:
    """The rules, and what the global settings add to them now. BadInput, with file and line, where these are wrong."""

    def __init__(self) -> None:
        self.own = redactors.own()

    def cleaner(self, key: bytes) -> "RulesCleaner":
        """What makes texts of the root with this key clean."""
        return RulesCleaner(key, *self.own)

    def told(self, key: bytes) -> dict[str, object]:
        """What receipt and audit say: how many patterns and exceptions the settings had, not which."""
        patterns, allowed = self.own
        return {"by": "rules", "version": __version__, "patterns": len(patterns), "allowed": len(allowed)}


class RulesCleaner(Redactor):
    """The rules over the texts of one root, as `store.cleaning.Cleaner` has it."""

    __slots__ = ("taken",)

    def __init__(self, key: bytes, patterns: "tuple[Own, ...]" = (), allowed: "tuple[Allowed, ...]" = ()) -> None:
        super().__init__(key, patterns, allowed)
        self.taken: dict[str, None] = {}

    def marker(self, kind: str, secret: str) -> str:
        """As every Redactor's; what goes is remembered."""
        made = super().marker(kind, secret)
        if made != secret:
            self.taken[secret] = None
        return made


class Cleaner(Redactor):
    """One pattern over the texts of one root, as `store.cleaning.Cleaner` has it."""

    __slots__ = ("expression", "kind", "taken")

    def __init__(self, expression: "re.Pattern[str]", kind: str, key: bytes) -> None:
        super().__init__(key)
        self.expression, self.kind = expression, kind
        self.taken: dict[str, None] = {}

    def marker(self, kind: str, secret: str) -> str:
        """As every Redactor's; what goes is remembered."""
        self.taken[secret] = None
        return super().marker(kind, secret)

    def may_hold(self, text: str) -> bool:
        """Nothing can be told of a pattern beforehand."""
        return True

    def text(self, text: str) -> str:
        """The text without what matches; the same object where nothing does. Idempotent."""
        for _ in range(PASSES):
            spans = _joined(self._found(text))
            if not spans:
                return text
            text = self._without(text, spans)
        # What goes still brings more of it to light, as the last digits do of a long number: then all of it goes.
        return self.marker(self.kind, text) if self._found(text) else text

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
            if not text.endswith(_BEFORE_KIND, 0, run.start()):
                inner = _decoded(run.group())
                spans += [(*run.span(), secret) for _, _, secret in self._matches(inner)[:1]]
        return spans

    def _matches(self, text: str) -> Spans:
        """What matches between markers."""
        spans: Spans = []
        at = 0
        for first, last in [*(marker.span() for marker in _MARKER.finditer(text)), (len(text), len(text))]:
            for match in self.expression.finditer(text, at, first):
                start, end = match.span()
                if GROUP in self.expression.groupindex and match.group(GROUP):
                    start, end = match.span(GROUP)
                if start < end:
                    spans.append((start, end, text[start:end]))
            at = last
        return spans

    def _without(self, text: str, spans: Spans) -> str:
        parts: list[str] = []
        at = 0
        for start, end, secret in spans:
            parts += (text[at:start], self.marker(self.kind, secret))
            at = end
        return "".join(parts) + text[at:]


def _joined(spans: Spans) -> Spans:
    """In order, those that overlap as one, which is the secret of the longest."""
    joined: Spans = []
    for start, end, secret in sorted(spans, key=lambda span: span[:2]):
        if joined and start < joined[-1][1]:
            first, last, longer = joined.pop()
            secret = longer if last - first > end - start else secret
            start, end = first, max(last, end)
        joined.append((start, end, secret))
    return joined


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
