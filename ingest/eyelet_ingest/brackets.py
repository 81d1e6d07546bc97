"""Where a value in damaged JSON ends, as far as its brackets and quotation marks tell. Nothing is parsed."""

import re

from eyelet_ingest.jsontext import MAX_DEPTH

_STRUCTURE = re.compile(r'["{}\[\]]')
_SCALAR_ENDS = re.compile(r"[,\]\n]")
_ELEMENT_CHARS = 1 << 12  # how far the end of a damaged element is looked for at first
_OPENS, _CLOSES = "{[", "}]"


def open_at(text: str, start: int, end: int) -> tuple[list[int], int]:
    """Where the values begin that are open at `end`, or just where they are too many, and how far that is.

    All counted from `start`.
    """
    opened: list[int] = []
    at = start
    while len(opened) <= MAX_DEPTH and (found := _STRUCTURE.search(text, at, end)):
        at = found.end()
        mark = found[0]
        if mark in _OPENS:
            opened.append(found.start() - start)
        elif mark in _CLOSES:
            opened.pop()
            if not opened:
                break
        elif (at := string_end(text, found.start(), end)) < 0:
            break
    reached = end if len(opened) <= MAX_DEPTH else at
    return opened, reached - start


def damaged_size(text: str, start: int, indent: str | None) -> int:
    """How long the damaged element at `start` is; -1 where nothing in `text` shows where it ends.

    It ends with its brackets, or where another begins a line as this one did: a damaged one may hide its own end.
    """
    if text[start] not in _OPENS:
        return _damaged_scalar_size(text, start)
    limit = start
    while limit < len(text):
        limit = min(len(text), start + max(_ELEMENT_CHARS, 2 * (limit - start)))
        line_end = text.find(f"\n{indent}{{", start, limit) if indent is not None else -1
        end = _balanced_end(text, start, line_end if line_end > start else limit)
        if end < 0:
            end = line_end + 1 if line_end > start else -1
        if end > start:
            return end - start
    return -1


def _damaged_scalar_size(text: str, start: int) -> int:
    if text[start] != '"':
        found = _SCALAR_ENDS.search(text, start)
        return found.start() - start if found else -1
    line_end = text.find("\n", start)  # no string goes on behind it
    end = string_end(text, start, line_end if line_end >= 0 else len(text))
    if end < 0:
        end = line_end
    return end - start if end >= 0 else -1


def _balanced_end(text: str, start: int, limit: int) -> int:
    """Where the brackets that open at `start` are all closed, or -1."""
    depth, at = 0, start
    while found := _STRUCTURE.search(text, at, limit):
        at = found.end()
        mark = found[0]
        if mark in _OPENS:
            depth += 1
        elif mark in _CLOSES:
            depth -= 1
            if depth <= 0:
                return at
        elif (at := string_end(text, found.start(), limit)) < 0:
            break
    return -1


def string_end(text: str, start: int, limit: int) -> int:
    """Where the string ends whose quotation mark is at `start`, or -1. A pattern would take memory for each escape."""
    at = start + 1
    while (quote := text.find('"', at, limit)) >= 0:
        before = quote
        while before > at and text[before - 1] == "\\":
            before -= 1
        at = quote + 1
        if not (quote - before) % 2:
            return at
    return -1
