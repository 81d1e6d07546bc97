"""JSON as text: read and laid out token by token, so that a payload cut in the middle and one nested 900 deep
are shown like any other, numbers and escapes as they were recorded."""

import json
import re
from collections.abc import Iterator

Path = tuple[str | int, ...]

MAX_INDENT_LEVELS = 40

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[{}\[\]:,]|[^\s{}\[\]:,"]+', re.DOTALL)
_BROKEN_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?$")


def leaves(text: str) -> Iterator[tuple[Path, str]]:
    """Every scalar with its path, in order, until the text ends or is cut; strings decoded, others as written.

    A string that is cut is given as far as it goes. Text that is not JSON gives what looks like scalars; never raises.
    """
    path: list[str | int] = []
    key_next = False
    for found in _TOKEN.finditer(text):
        token = found[0]
        if token == "{":
            path.append("")
            key_next = True
        elif token == "[":
            path.append(0)
            key_next = False
        elif token in ("}", "]"):
            del path[-1:]
            key_next = False
        elif token == ",":
            if path and isinstance(path[-1], int):
                path[-1] += 1
            key_next = bool(path) and isinstance(path[-1], str)
        elif token == ":":
            key_next = False
        elif key_next and path:
            path[-1] = _decoded(token)
        else:
            yield tuple(path), _decoded(token)


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


def _decoded(token: str) -> str:
    if not token.startswith('"'):
        return token
    for attempt in (token, token + '"', _BROKEN_ESCAPE.sub("", token) + '"'):
        try:
            return str(json.loads(attempt, strict=False))
        except ValueError:
            continue
    return token[1:]
