"""Secrets that a text holds in another form: behind JSON's escapes, percent-encoded, in base64 or in hex digits.

Each form gives a view: the text as it reads decoded, and where each part of it stands in the text. The rules look at
the view; what they find there is replaced in the text itself, by the marker that the plain secret has. So the same
secret has one marker, and everything around it stays as it was written.
"""

from bisect import bisect_right

from eyelet_ingest.patterns import A, I, compiled
from eyelet_ingest.redaction_runs import hex_at, packed_lines, runs, unhexed, unpacked

TYPE_CHECKING = False  # as typing has it, without its import
if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterator

    from eyelet_ingest.redaction import Mark

    Redact = Callable[[str, Mark], str]
    Span = tuple[int, int, str, str]  # begin and end in the text, kind, the plain secret

_ESCAPE = compiled(r"\\{1,8}(?:u00([2-7][0-9a-f])|(/))", I | A)
_PERCENT = compiled(r"%([2-7][0-9a-f]|0[9ad])", I | A)
_MARKER = compiled(r"\[redacted:([a-z0-9-]{1,40}):([0-9a-f]{6})\]", A)


def redact_views(text: str, mark: "Mark", redact: "Redact") -> str:
    """`text` without the secrets that `redact` finds in it or behind its escapes; the same object where there is none.

    Before the rules see the text itself: they would take a secret only as far as its first escape.
    """
    if "\\u00" in text or "\\U00" in text or "\\/" in text:
        text = _in_view(text, _ESCAPE, mark, redact)
    return _in_view(text, _PERCENT, mark, redact) if "%" in text else text


def redact_packed(text: str, mark: "Mark", redact: "Redact") -> str:
    """`text` without what spells secrets in base64 or hex digits; the same object where there is none."""
    spans = [span for lines, step, decoded in _packed(text) for span in _in_packed(lines, step, decoded, redact)]
    return _replaced(text, spans, mark) if spans else text


def _replaced(text: str, spans: "list[Span]", mark: "Mark") -> str:
    pieces: list[str] = []
    done = 0
    for begin, end, kind, secret in sorted(spans):
        if begin >= done:
            pieces += (text[done:begin], mark(kind, secret))
            done = end
    return "".join((*pieces, text[done:]))


def _joined(spans: "list[Span]") -> "list[Span]":
    """Those that overlap as one, which is what the longest of them is."""
    joined: list[Span] = []
    longest = 0
    for span in sorted(spans):
        if not joined or span[0] >= joined[-1][1]:
            joined.append(span)
            longest = span[1] - span[0]
            continue
        begin, end, kind, secret = joined.pop()
        if span[1] - span[0] > longest:
            longest, kind, secret = span[1] - span[0], *span[2:]
        joined.append((begin, max(end, span[1]), kind, secret))
    return joined


def _in_view(text: str, pattern: "re.Pattern[str]", mark: "Mark", redact: "Redact") -> str:
    """The same for a view in which what matches the pattern is one character."""
    pieces: list[str] = []
    here, there = [0], [0]  # from each place in the view on, the text goes on at that place, character by character
    done = length = 0
    for match in pattern.finditer(text):
        char = _char(match)
        pieces += (text[done : match.start()], char)
        length += match.start() - done
        here += (length, length + len(char))
        there += (match.start(), match.end())
        length += len(char)
        done = match.end()
    if not pieces:
        return text
    view = "".join((*pieces, text[done:]))

    def place(at: int) -> int:
        nth = bisect_right(here, at) - 1
        return there[nth] + at - here[nth]

    behind = [(place(begin), place(end), kind, secret) for begin, end, kind, secret in secrets_in(view, redact)]
    return _replaced(text, _joined([*behind, *secrets_in(text, redact)]), mark) if behind else text


def _char(match: "re.Match[str]") -> str:
    """The character; what would end the string it is in stays escaped."""
    if match[1] is None:
        return "/"
    char = chr(int(match[1], 16))
    return "\\" + char if char in '"\\' and match[0][0] == "\\" else char


def secrets_in(view: str, redact: "Redact") -> "list[Span]":
    """Where the secrets are that `redact` takes out of `view`."""
    found: list[tuple[str, str]] = []

    def noted(kind: str, secret: str) -> str:
        for match in reversed(list(_MARKER.finditer(secret))):  # what an earlier rule took out of it
            nth = int(match[2], 16)
            if nth < len(found) and found[nth][0] == match[1]:
                secret = secret[: match.start()] + found[nth][1] + secret[match.end() :]
        found.append((kind, secret))
        return f"[redacted:{kind}:{len(found) - 1:06x}]"

    safe = redact(view, noted)
    spans: list[Span] = []
    at = done = 0
    for match in _MARKER.finditer(safe) if found else ():
        at += match.start() - done
        done = match.end()
        nth = int(match[2], 16)
        if nth < len(found) and found[nth][0] == match[1] and view.startswith(found[nth][1], at):
            kind, secret = found[nth]
            spans.append((at, at + len(secret), kind, secret))
            at += len(secret)
        else:  # one that stood there before
            at += len(match[0])
    return spans


def _packed(text: str) -> "Iterator[tuple[list[tuple[int, int]], int, bytes]]":
    """The lines of each stretch of base64 or hex digits that spells a text, characters in a group, what it spells."""
    raw = text.encode("ascii", "replace")
    done = 0
    for at, end in runs(raw):
        if at < done:
            continue
        lines = packed_lines(raw, at, end)
        if lines:
            done = lines[-1][1]
            yield lines, 4, unpacked(raw, lines)
            continue
        begin = hex_at(raw, at, end)
        if begin >= 0:
            lines, decoded = unhexed(raw, begin, end)
            done = end
            yield lines, 2, decoded


def _in_packed(lines: "list[tuple[int, int]]", step: int, decoded: bytes, redact: "Redact") -> "Iterator[Span]":
    """Groups of characters that hold a part of a secret, each of which spells three bytes, or one in hex."""
    size = 3 if step == 4 else 1
    for begin, end, kind, secret in secrets_in(decoded.decode("latin-1"), redact):
        first = _place(lines, begin // size * step)
        last = _place(lines, min(-(-end // size) * step, sum(stop - start for start, stop in lines)) - 1)
        yield first, last + 1, kind, secret.encode("latin-1").decode("utf-8", "replace")


def _place(lines: "list[tuple[int, int]]", at: int) -> int:
    """Where the `at`th character of these lines stands."""
    for begin, end in lines:
        if at < end - begin:
            return begin + at
        at -= end - begin
    return lines[-1][1] - 1
