"""The piece of an event's text that shows why it was found, with its hits between two control marks.

FTS5 itself marks words, in an index in memory of the few rows that are shown; substrings are marked here. Of a long
text only the neighbourhood of what looks like a hit is read, so that a page costs the same whatever was recorded.
"""

import re
from collections.abc import Sequence

from eyelet_ingest.snippets import BEGIN, END
from eyelet_ingest.store.text_match import INSERT, TextRow, in_memory
from eyelet_ingest.store.text_plan import expression, positive
from eyelet_ingest.store.text_query import Near, Node, Or, Phrase, Substring
from eyelet_ingest.store.text_schema import TEXT_COLUMNS

WORDS = 24  # of a snippet, hits among them
MOST_CHARS = 400  # of a snippet: words may be of any length
WINDOW_CHARS = 1_000  # of a long text, on either side of what looks like a hit
PHRASES_MOST = 8  # that are marked; FTS5 takes as long as the square of the hits
PHRASE_WORDS = 8  # of each that are marked
AROUND_CHARS = 80  # of a substring, on each side
MORE = "…"
_MARKS = {ord(BEGIN): None, ord(END): None, 0: " "}  # FTS5 leaves out a NUL
_RUN = re.compile("[0-9A-Za-z]+")
_ASK = f"select rowid, snippet(texts, -1, ?, ?, '{MORE}', {WORDS}) from texts where texts match ?"  # noqa: S608


def snippets(node: Node, rows: Sequence[TextRow]) -> dict[int, str]:
    """A snippet for each row of which there is something to show: marked with BEGIN and END, which are nowhere else in
    it. A query that only says what is not wanted shows nothing."""
    leaves = list(positive(node))
    words: list[Phrase] = []
    for leaf in leaves:
        words += leaf.phrases if isinstance(leaf, Near) else [leaf] if isinstance(leaf, Phrase) else []
    words = list(dict.fromkeys(map(_shortened, words)))[:PHRASES_MOST]
    substrings = [leaf for leaf in leaves if isinstance(leaf, Substring)]
    found = _of_words(words, rows) if words else {}
    for row in rows:
        if row[0] not in found and (shown := _of_substrings(substrings, row)):
            found[row[0]] = shown
    return {one: _short(shown) for one, shown in found.items()}


def _shortened(phrase: Phrase) -> Phrase:
    """Its first words, where it is a long one."""
    runs = list(_RUN.finditer(phrase.text))
    if len(runs) <= PHRASE_WORDS:
        return phrase
    return Phrase(phrase.text[: runs[PHRASE_WORDS - 1].end()], columns=phrase.columns)


def _of_words(words: Sequence[Phrase], rows: Sequence[TextRow]) -> dict[int, str]:
    wanted = [re.compile("[^0-9A-Za-z]{1,9}".join(runs), re.I) for one in words if (runs := _RUN.findall(one.text))]
    match = expression(Or(tuple(words)))
    conn = in_memory()
    try:
        for row in rows:
            conn.execute(INSERT, [row[0], *(text and _window(text, wanted).translate(_MARKS) for text in row[1:])])
        return dict(conn.execute(_ASK, (BEGIN, END, match)))
    finally:
        conn.close()


def _window(text: str, wanted: Sequence["re.Pattern[str]"]) -> str:
    """The text, or of a long one what is around the first place that looks like a hit, else its beginning."""
    if len(text) <= 2 * WINDOW_CHARS:
        return text
    places = [at.start() for one in wanted if (at := one.search(text))]
    start = max(0, min(places, default=0) - WINDOW_CHARS)
    return text[start : start + 2 * WINDOW_CHARS]


def _of_substrings(wanted: Sequence[Substring], row: TextRow) -> str | None:
    for one in wanted:
        pattern = re.compile(re.escape(one.text), re.I | re.A if one.folded else 0)
        for name, text in zip(TEXT_COLUMNS, row[1:], strict=True):
            if not text or (one.columns and name not in one.columns):
                continue
            if at := pattern.search(text):
                return _marked(text, pattern, at.start(), at.end())
    return None


def _marked(text: str, pattern: "re.Pattern[str]", start: int, end: int) -> str:
    """The neighbourhood of the first hit, every hit in it marked."""
    low, high = max(0, start - AROUND_CHARS), min(len(text), max(end, start + AROUND_CHARS) + AROUND_CHARS)
    shown, at = [MORE] if low else [], low
    for hit in pattern.finditer(text, low, high):
        shown += [text[at : hit.start()].translate(_MARKS), BEGIN, hit.group().translate(_MARKS), END]
        at = hit.end()
    shown += [text[at:high].translate(_MARKS), MORE if high < len(text) else ""]
    return "".join(shown)


def _short(shown: str) -> str:
    """Not longer than a snippet may be, its first hit in it."""
    if len(shown) <= MOST_CHARS:
        return shown
    start = max(0, min(shown.find(BEGIN) - AROUND_CHARS, len(shown) - MOST_CHARS))
    cut = shown[start : start + MOST_CHARS]
    if cut.rfind(BEGIN) > cut.rfind(END):
        cut += END
    return (MORE if start else "") + cut + MORE
