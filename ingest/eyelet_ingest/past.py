"""What goes of text that is stored already: a pattern that somebody names now, or the rules as they are now.

Each is a `store.cleaning.Cleaning`: what holds for every root, and the cleaner of one, whose key makes its markers.
A pattern is asked of each string of a payload by itself, keys and numbers too; also of what a string says behind JSON's
escapes (JSON in a string of JSON has them twice), behind `%XX`, and in base64. Only what it matches goes, or its group
named `secret`; and only between markers, so that twice is once.
"""

import re
import sys
from collections.abc import Iterable
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from eyelet_ingest import __version__, redactors
from eyelet_ingest.errors import BadInput
from eyelet_ingest.jsontext import dumps
from eyelet_ingest.own_patterns import check_pattern, compiled
from eyelet_ingest.past_views import BASE64, ESCAPE, PERCENT, View, decoded, unescaped, unescaped_all, unquoted
from eyelet_ingest.past_walk import rebuilt
from eyelet_ingest.redaction import Redactor
from eyelet_ingest.redaction_names import MARKED

if sys.version_info >= (3, 11):
    from re import _parser as parser  # type: ignore[attr-defined]
else:
    import sre_parse as parser

if TYPE_CHECKING:
    from eyelet_ingest.redaction_own import Allowed
    from eyelet_ingest.redaction_own import Pattern as Own

CUSTOM = "custom"
GROUP = "secret"
LEVELS = 4  # of escapes within escapes
WITHIN = 2  # of other forms within each other: base64 of a URL
SHORT_CHARS, MOST_SHORT = 64, 8_192  # texts that are remembered to be clean
PASSES = 16  # a text is asked again until nothing matches: what goes can bring together what stood around it

_MARKER = re.compile(MARKED)
_NUMBER = re.compile(r"[0-9eE.+-]*")
# A number of JSON that Python spells in another way.
_ODD_NUMBER = re.compile(
    r"(?<![^:,\[\s])-?[0-9]+(?:\.[0-9]*0|\.?[0-9]*[eE][+-]?[0-9]+|\.?[0-9]{15,}|(?<=-0))(?=[,\]}\s]|$)"
)
_BEFORE_KIND = "[redacted:"
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
        _, literal, self.is_cased, *_ = compiled({kind: pattern})[0]
        # In every match, spelt so wherever it is not written in another way; a number has many spellings.
        self.literal = "" if _NUMBER.fullmatch(literal) else literal
        parsed = parser.parse(pattern, re.ASCII)
        self.sees_around = _sees_around(list(parsed))  # type: ignore[call-overload]  # the stubs have no SubPattern
        self.least_chars = parsed.getwidth()[0]

    def cleaner(self, key: bytes) -> "Cleaner":
        """What makes texts of the root with this key clean."""
        return Cleaner(self, key)

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

    __slots__ = ("_clean", "taken")

    def __init__(self, key: bytes, patterns: "tuple[Own, ...]" = (), allowed: "tuple[Allowed, ...]" = ()) -> None:
        super().__init__(key, patterns, allowed)
        self.taken: dict[str, None] = {}
        self._clean: set[str] = set()  # short texts that were asked before: types, tools, folders

    def text(self, text: str) -> str:
        """As every Redactor's."""
        if text in self._clean:
            return text
        safe = super().text(text)
        if safe is text:
            _remember(self._clean, text)
        return safe

    def marker(self, kind: str, secret: str) -> str:
        """As every Redactor's; what goes is remembered."""
        made = super().marker(kind, secret)
        if made != secret:
            self.taken[secret] = None
        return made


class Cleaner(Redactor):
    """One pattern over the texts of one root, as `store.cleaning.Cleaner` has it."""

    __slots__ = ("_clean", "expression", "is_cased", "kind", "literal", "packed_chars", "sees_around", "taken")

    def __init__(self, pattern: Pattern, key: bytes) -> None:
        super().__init__(key)
        self.expression, self.kind, self.sees_around = pattern.expression, pattern.kind, pattern.sees_around
        self.literal, self.is_cased = pattern.literal, pattern.is_cased
        self.packed_chars = pattern.least_chars * 4 // 3
        self.taken: dict[str, None] = {}
        self._clean: set[str] = set()  # short texts that were asked before: keys, types, names

    def marker(self, kind: str, secret: str) -> str:
        """As every Redactor's; what goes is remembered."""
        self.taken[secret] = None
        return super().marker(kind, secret)

    def may_hold(self, text: str) -> bool:
        """Whether `text(…)` of it, or `value(…)` of what it spells as JSON, could change anything. No is certain."""
        if '"_raw"' in text:
            return True
        if not self.literal:
            return self.sees_around or bool(self._found(text, LEVELS + 1)) or _ODD_NUMBER.search(text) is not None
        return self._may_hold_literal(text, WITHIN)

    def _may_hold_literal(self, text: str, within: int) -> bool:
        if self._has_literal(text) or "\\u00" in text or "\\/" in text:
            return True
        if "%" in text and PERCENT.search(text):
            return True
        inner = (decoded(run.group()) for run in BASE64.finditer(text)) if within else ()
        return any(self._may_hold_literal(one, within - 1) for one in inner if one)

    def _has_literal(self, text: str) -> bool:
        if self.is_cased:
            return self.literal in text
        return self.literal in text.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")

    def text(self, text: str) -> str:
        """The text without what matches; the same object where nothing does. Idempotent."""
        if text in self._clean:
            return text
        asked = text
        for _ in range(PASSES):
            spans = _joined(self._found(text))
            if not spans:
                if text is asked:
                    _remember(self._clean, text)
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
        try:
            spelt = dumps(number)
        except ValueError:  # beyond what Python holds
            return number
        safe = self.text(spelt)
        return number if safe is spelt else safe

    def _found(self, text: str, levels: int = LEVELS, within: int = WITHIN) -> Spans:
        """What matches, in the text as it is and behind what it is written in, with places in the text as it is."""
        spans = self._matches(text)
        plain, views = text, [text]
        while "\\" in plain and len(views) <= levels and (meant := unescaped_all(plain)) != plain:
            views.append(plain := meant)
            if found := self._matches(plain):
                spans += _placed(found, [View(one, ESCAPE, unescaped) for one in views[:-1]])
        meant = PERCENT.sub(lambda run: unquoted(run.group()), text) if within and "%" in text else text
        if meant != text and (found := self._found(meant, levels, within - 1)):
            spans += _placed(found, [View(text, PERCENT, unquoted)])
        for run in BASE64.finditer(text) if within else ():
            if run.end() - run.start() >= self.packed_chars and not text.endswith(_BEFORE_KIND, 0, run.start()):
                inner = decoded(run.group())
                found = self._found(inner, levels, within - 1) if inner else []
                spans += [(*run.span(), secret) for _, _, secret in found[:1]]
        return spans

    def _matches(self, text: str) -> Spans:
        """What matches between markers."""
        spans: Spans = []
        at = 0
        markers = [marker.span() for marker in _MARKER.finditer(text)] if _BEFORE_KIND in text else []
        for first, last in [*markers, (len(text), len(text))]:
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


def _remember(clean: set[str], text: str) -> None:
    if len(text) <= SHORT_CHARS:
        if len(clean) >= MOST_SHORT:
            clean.clear()
        clean.add(text)


def _sees_around(nodes: "Iterable[tuple[object, Any]]") -> bool:
    """Whether the parts of a pattern ask what stands around a match: then a text within another is another question."""
    for name, value in nodes:
        kind = str(name).lower()
        if kind in ("at", "assert", "assert_not"):
            return True
        inner = value[1] if kind == "branch" else [value[3]] if kind == "subpattern" else []
        if any(_sees_around(one) for one in ([value[2]] if kind.endswith("_repeat") else inner)):
            return True
    return False


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


def _placed(spans: Spans, views: "list[View]") -> Spans:
    for view in reversed(views):
        spans = [(view.place(start), view.place(end), secret) for start, end, secret in spans]
    return spans
