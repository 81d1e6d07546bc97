"""`<private>…</private>`: what a person, or a program, says is nobody's business. All of it goes, the tags too.

In any case, over many lines, within each other, and with the brackets as JSON may escape them. One that is not closed
goes to the end of its string. Linear.
"""

from eyelet_ingest.patterns import A, I, compiled

TYPE_CHECKING = False  # as typing has it, without its import
if TYPE_CHECKING:
    from eyelet_ingest.redaction import Mark

KIND = "private"
_TAG = compiled(r"(?:<|\\{1,8}u003c)(\\{0,8}/|\\{1,8}u002f)?private(?:>|\\{1,8}u003e)", I | A)


def redact_private(text: str, mark: "Mark") -> str:
    """`text` with what stands between tags, and these, replaced; the same object where there are none."""
    low = text.lower()
    if "private>" not in low and "private\\" not in low:  # the pattern begins with what every text is full of
        return text
    pieces: list[str] = []
    done = begin = inner = depth = 0
    for tag in _TAG.finditer(text):
        if tag[1] is None:
            if not depth:
                begin, inner = tag.span()
            depth += 1
        elif depth:  # one that closes nothing is left alone
            depth -= 1
            if not depth:
                pieces += (text[done:begin], mark(KIND, text[inner : tag.start()]))
                done = tag.end()
    if depth:
        pieces += (text[done:begin], mark(KIND, text[inner:]))
        done = len(text)
    return "".join((*pieces, text[done:])) if pieces else text
