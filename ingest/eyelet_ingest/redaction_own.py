"""What the user's settings add to redaction: patterns of secrets, and values that stay. Light: the hook imports it.

`own_patterns.py` has checked them and compiled them for this Python. A pattern is asked of what stands between markers,
so it cannot take a marker for a secret; and again until nothing is left to it, as what goes may end what stood before.
"""

TYPE_CHECKING = False  # as typing has it, without its import
if TYPE_CHECKING:
    import re
    from collections.abc import Iterator
    from typing import Any

    from eyelet_ingest.redaction import Mark

    # kind; a literal that is in every match, or ""; whether case counts for it; the group that goes, 0 for all; the
    # pattern; what `_sre` takes besides
    Pattern = tuple[str, str, bool, int, str, tuple[Any, ...]]
    # a value in its plain form and (), or a pattern and what `_sre` takes besides
    Allowed = tuple[str, tuple[Any, ...]]

NEVER_ALLOWED = ("private-key", "private", "withheld")
_PASSES = 16


class OwnRules:
    """Patterns and values as `own_patterns.compiled` answers them."""

    __slots__ = ("_allowed", "_exact", "_literals", "_made", "_patterns")

    def __init__(self, patterns: "tuple[Pattern, ...]", allowed: "tuple[Allowed, ...]") -> None:
        self._patterns = patterns
        self._literals = [(literal, is_cased) for _, literal, is_cased, *_ in patterns]
        self._exact = frozenset([text for text, numbers in allowed if not numbers])
        self._allowed = [one for one in allowed if one[1]]
        self._made: dict[str, re.Pattern[str]] = {}

    def may_hold(self, text: str) -> bool:
        """Whether a pattern could match in `text`, or in the value that it spells as JSON. No is certain."""
        low = ""
        for literal, is_cased in self._literals:
            if not literal:
                return True
            if not is_cased:
                low = low or _lower(text)
            if literal in (text if is_cased else low):
                return True
        return False

    def redacted(self, text: str, mark: "Mark") -> str:
        """`text` without what the patterns find; the same object where they find nothing."""
        low = ""
        for kind, literal, is_cased, group, pattern, numbers in self._patterns:
            if literal and is_cased and literal not in text:
                continue
            if literal and not is_cased:
                low = low or _lower(text)
                if literal not in low:
                    continue
            safe = _without(self._compiled(pattern, numbers), group, kind, text, mark)
            if safe != text:
                text, low = safe, ""
        return text

    def allows(self, kind: str, secret: str, plain: str) -> bool:
        """Whether a value stays that a rule takes for a secret; `plain` is its plain form."""
        if kind in NEVER_ALLOWED:
            return False
        if plain in self._exact:
            return True
        for pattern, numbers in self._allowed:
            made = self._compiled(pattern, numbers)
            if made.fullmatch(secret) or made.fullmatch(plain):
                return True
        return False

    def _compiled(self, pattern: str, numbers: "tuple[Any, ...]") -> "re.Pattern[str]":
        made = self._made.get(pattern)
        if made is None:
            from eyelet_ingest.patterns import of_numbers  # not before: it is as large as all of our patterns

            made = self._made[pattern] = of_numbers(pattern, numbers)
        return made


def _without(pattern: "re.Pattern[str]", group: int, kind: str, text: str, mark: "Mark") -> str:
    for _ in range(_PASSES):
        safe = _once(pattern, group, kind, text, mark)
        if safe == text:
            return text
        text = safe
    # What goes still brings more of it to light, as `[0-9]\b` does in a long number: then all goes that it is found in.
    pieces = []
    for gap, is_marker in _gaps(text):
        is_gone = not is_marker and pattern.search(gap) is not None
        pieces.append(mark(kind, gap) if is_gone else gap)
    return "".join(pieces)


def _once(pattern: "re.Pattern[str]", group: int, kind: str, text: str, mark: "Mark") -> str:
    pieces: list[str] = []
    done = at = 0
    for gap, is_marker in _gaps(text):
        if not is_marker:
            for match in pattern.finditer(text, at, at + len(gap)):
                begin, end = match.span(group)
                if done <= begin < end:  # a group that took no part has no place
                    pieces += (text[done:begin], mark(kind, text[begin:end]))
                    done = end
        at += len(gap)
    return "".join((*pieces, text[done:])) if pieces else text


def _gaps(text: str) -> "Iterator[tuple[str, bool]]":
    """The text in pieces: markers, and what is between them."""
    from eyelet_ingest.patterns import A, compiled
    from eyelet_ingest.redaction_names import MARKED

    at = 0
    for marker in compiled(MARKED, A).finditer(text):
        if at < marker.start():
            yield text[at : marker.start()], False
        yield marker[0], True
        at = marker.end()
    if at < len(text):
        yield text[at:], False


def _lower(text: str) -> str:
    """In ASCII lower case, as patterns that ignore case are asked."""
    return text.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")
