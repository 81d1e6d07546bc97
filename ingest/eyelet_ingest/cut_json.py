"""JSON that may be cut off in the middle, as lists hold payloads: the value of as much of it as is there. Pure."""

import json
import re

# Compiled when they are first asked for, as few payloads are cut.
_TOKEN = r'(?s)"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]:,]|[^\s"{}\[\]:,]+|"'
_STRING_START = r'(?s)"(?:[^"\\]|\\u[0-9a-fA-F]{4}|\\[^u])*'


def read(data: object) -> tuple[object, bool]:
    """The value of `data`, or of as much of it as is there; and whether that is all."""
    if not isinstance(data, str):
        return data, True
    for is_whole in (True, False):
        try:
            return json.loads(data if is_whole else _mended(data)), is_whole
        except (ValueError, RecursionError):
            continue
    return None, False


def _mended(text: str) -> str:
    """The longest beginning of cut-off JSON that is JSON once its strings, arrays and objects are closed."""
    open_until: list[str] = []
    end, closing, awaits_value = 0, "", False
    for found in re.finditer(_TOKEN, text):
        token, at = found[0], found.end()
        if token in "{[":
            open_until.append("}" if token == "{" else "]")
            awaits_value = False
        elif token in "}]":
            if not open_until or open_until.pop() != token:
                break
        elif token == ":":
            awaits_value = True
            continue
        elif token == ",":
            continue
        elif open_until[-1:] == ["}"] and not awaits_value:
            continue  # a key
        elif token == '"':
            begun = re.compile(_STRING_START).match(text, found.start())
            return f'{begun[0] if begun else token}"'.join((text[: found.start()], _closed(open_until)))
        elif token[0] != '"' and at == len(text):
            break  # a number or a word that may go on
        else:
            awaits_value = False
        end, closing = at, _closed(open_until)
    return text[:end] + closing


def _closed(open_until: list[str]) -> str:
    return "".join(reversed(open_until))
