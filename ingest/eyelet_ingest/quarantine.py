"""What may be kept of a record that could not be stored, and which of those kept before have been stored since."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable

from eyelet_ingest import brackets, intake, reading
from eyelet_ingest.ledger import CONTENT_MAX_CHARS
from eyelet_ingest.reading import Found
from eyelet_ingest.redaction import Redactor

# Half a secret would not be known as one, so what a cut may have halved is left out.
CUT_CHARS = 1 << 16
WITHHELD = "[withheld]"
WORD_MIN_CHARS = 16  # a line that is one word so long may be one of a key's, whose first line is another record


def content(found: Found, redactor: Redactor) -> str:
    """The redacted text of the record, at most CONTENT_MAX_CHARS of it.

    A string that stands alone, one long word, and what stood in an array, is withheld: what was before it might have
    told that it is a secret, as `--password` and the first line of a private key do.
    """
    text = found.text
    if found.value is not None:
        return intake.clean(text, found.value, redactor)[1][:CONTENT_MAX_CHARS]
    if not text.startswith("{") and (found.is_element or _stands_alone(text)):
        return WITHHELD
    kept = text[: reading.DAMAGED_KEPT_CHARS]
    safe = redactor.damaged(kept)
    if found.is_cut or len(kept) < len(text):
        safe = safe[:-CUT_CHARS]
    return safe[:CONTENT_MAX_CHARS]


def _stands_alone(text: str) -> bool:
    """Whether the text begins with a string that names nothing, or is one long word."""
    if not text.startswith('"'):
        return len(text.strip()) >= WORD_MIN_CHARS and not text.startswith("[") and len(text.split(None, 1)) == 1
    end = brackets.string_end(text, 0, len(text))
    return end < 0 or not text[end:].lstrip().startswith(":")


class KnownBad:
    """The lines of a file whose records are in quarantine, and those of them where a record is taken now.

    Eight bytes a line: a file may have millions.
    """

    __slots__ = ("_lines", "mended")

    def __init__(self, lines: Iterable[int] = ()) -> None:
        self._lines = array("q", lines)  # ascending
        self.mended = array("q")

    def taken(self, line: int) -> None:
        """A record that begins on the line was taken. Lines come in order."""
        lines = self._lines
        if not lines or (self.mended and self.mended[-1] == line):
            return
        at = bisect_left(lines, line)
        if at < len(lines) and lines[at] == line:
            self.mended.append(line)
