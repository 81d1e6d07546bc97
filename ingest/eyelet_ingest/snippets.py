"""A piece of an event's text with its hits between two control marks, as a search gives it, and what is made of it.

The text is recorded and as hostile as that: whoever shows it escapes each part. In a snippet the two marks are marks
and nothing else; the search has taken them out of the text.
"""

from collections.abc import Iterator

BEGIN, END = "\x02", "\x03"


def parts(snippet: str) -> Iterator[tuple[bool, str]]:
    """The pieces in order, each with whether it is a hit; none is empty. A hit that is not closed goes to the end."""
    for at, piece in enumerate(snippet.split(BEGIN)):
        hit, _, rest = piece.partition(END)
        if at == 0 or not hit:
            hit, rest = "", piece.replace(END, "")
        if hit:
            yield True, hit
        if rest := rest.replace(END, ""):
            yield False, rest


def as_json(snippet: str) -> dict[str, object]:
    """`text` without marks, and `hits`: from where to where each one goes, in characters (code points)."""
    text, hits = "", []
    for is_hit, piece in parts(snippet):
        if is_hit:
            hits.append([len(text), len(text) + len(piece)])
        text += piece
    return {"text": text, "hits": hits}
