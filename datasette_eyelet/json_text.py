"""JSON as text, laid out token by token: a payload cut in the middle and one nested 900 deep are shown like any other,
numbers and escapes as they were recorded."""

import re

MAX_INDENT_LEVELS = 40

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[{}\[\]:,]|[^\s{}\[\]:,"]+', re.DOTALL)


def pretty(text: str) -> str:
    """`text` with a line for each member, indented by two; what is cut stays cut. Takes time linear in its length."""
    out: list[str] = []
    depth = 0
    opened = False
    for found in _TOKEN.finditer(text):
        token = found[0]
        if token in ("}", "]"):
            depth = max(depth - 1, 0)
            if not opened:
                out.append(_line(depth))
            opened = False
        elif opened:
            out.append(_line(depth))
            opened = False
        out.append(token)
        if token in ("{", "["):
            depth += 1
            opened = True
        elif token == ",":
            out.append(_line(depth))
        elif token == ":":
            out.append(" ")
    return "".join(out)


def _line(depth: int) -> str:
    # Without a limit, 900 levels would be mostly indentation.
    return "\n" + "  " * min(depth, MAX_INDENT_LEVELS)
